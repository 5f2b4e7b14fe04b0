"""The command challenge: whether a test would see a wrong gradient."""

import sys

import click

from backproof.doors.group import INTERRUPTED, NOT_RIGHT, RIGHT, cli
from backproof.doors.output import Failure, check_writable, json_option, show, tried, width, write_json
from backproof.doors.progress import progress_told
from backproof.doors.report_command import markdown_option
from backproof.findings.challenged import Challenged
from backproof.reports.challenged import challenged_markdown, challenged_view
from backproof.runs.challenge import challenge as run_challenge

CHALLENGE_CODES = "Exit codes: 0 all faults are seen, 1 one is missed, 2 nothing could be planted, 70 a bug of backproof, 130 interrupted."


@cli.command(epilog=CHALLENGE_CODES)
@click.argument("command")
@click.option(
    "--target", required=True, metavar="NAME", help="The function under test: package.module:function, or path/to/file.py:function."
)
@click.option("--only", default="", metavar="WORD", help="Only the faults whose name holds this.")
@click.option(
    "--catalogue",
    is_flag=True,
    help="Plant the known mistakes of docs/faults.md too, where the target takes a backproof.Problem; some minutes.",
)
@click.option(
    "--keeps", default="", metavar="NAMES", help="Attributes in which a method leaves a part of its answer, as dW,db: faults there too."
)
@click.option(
    "--adapt",
    "layout",
    default="",
    metavar="WORDS",
    help='The known mistakes too, where the target takes arrays: in what form, as "samples=columns, activations=tanh".',
)
@click.option(
    "--time-limit",
    type=click.FloatRange(0, min_open=True),
    help="Seconds for each run of the test; if not given, ten times the plain run, at least 30. One that takes longer has seen the fault.",
)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="How many runs of the test go on at a time.")
@json_option
@markdown_option
def challenge(
    command: str,
    target: str,
    only: str,
    catalogue: bool,
    keeps: str,
    layout: str,
    time_limit: float | None,
    jobs: int,
    json_file: str | None,
    markdown_file: str | None,
) -> None:
    """Challenge a test: run its COMMAND with faults planted in the answers of its target, and list those that it misses.

    COMMAND is what runs the test, in quotes, as "pytest tests/test_my_layer.py"; it must pass as it is. The target is the function whose
    answers it tests, also package.module:Class.method; its answers are arrays or numbers, in whatever holds them. No file is changed.
    """
    for file in (json_file, markdown_file):
        check_writable(file)
    kept = tuple(filter(None, (name.strip() for name in keeps.split(","))))
    try:
        with progress_told() as progress:
            result: Challenged = tried(
                lambda: run_challenge(
                    command,
                    target,
                    only=only,
                    catalogue=catalogue,
                    keeps=kept,
                    layout=layout,
                    time_limit=time_limit,
                    jobs=jobs,
                    progress=progress,
                )
            )
    except Failure as failure:
        write_json(json_file, Challenged(command=command, target=target, error=failure.message).to_json())
        raise
    if "-" not in (json_file, markdown_file):
        show(challenged_view(result, width()))
    write_json(json_file, result.to_json())
    if markdown_file is not None:
        write_json(markdown_file, challenged_markdown(result))
    sys.exit(INTERRUPTED if result.interrupted else RIGHT if result.passed else NOT_RIGHT)
