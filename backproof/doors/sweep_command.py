"""The command sweep: one activation along z."""

import sys
from contextlib import redirect_stdout
from dataclasses import replace
from typing import Any

import click

from backproof.doors.click_options import takes
from backproof.doors.group import EXIT_CODES, cli
from backproof.doors.output import Failure, check_writable, exit_code, json_option, tried, write_json
from backproof.doors.progress import progress_told
from backproof.findings.swept import Sweep
from backproof.runs.options import Door
from backproof.runs.sweep import DEFAULT
from backproof.runs.sweep import sweep as run_sweep


@cli.command("sweep", epilog=EXIT_CODES)
@click.argument("target")
@takes(Door.SWEEP_COMMAND)
@json_option
def sweep_command(target: str, json_file: str | None, **options: Any) -> None:
    """Sweep one activation of TARGET along z: every number of a 16-bit format, or numbers of every exponent.

    TARGET is what `backproof check` takes, or an activation of your own: mine.py:g,mine.py:dg, two functions of an array. Each g'(z),
    and g(z) where it can be read, is held against ball arithmetic: how far it is off at the most, and the ranges of z in which it is
    not finite, of the wrong sign, flushed to zero, wrong or lossy.
    """
    check_writable(json_file)
    try:
        # what an activation prints is no part of the result
        with progress_told() as progress, redirect_stdout(sys.stderr):
            swept = tried(lambda: run_sweep(target, progress=progress, **options))
    except Failure as failure:
        nothing = Sweep(
            target=target,
            activation=None,
            formula="",
            precision=options["precision"] or DEFAULT,
            numbers=0,
            every=False,
            seed=None,
            quantities=(),
        )
        write_json(json_file, replace(nothing, strict=options["strict"], error=failure.message).to_json())
        raise
    if json_file != "-":
        click.echo(str(swept))
    write_json(json_file, swept.to_json())
    sys.exit(exit_code(swept.verdict, swept.strict))
