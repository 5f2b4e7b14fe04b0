"""Grades: `backproof grade` writes what Gradescope reads, and `backproof.grade` gives a float, for a cell of a notebook."""

import json
import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from io import StringIO
from pathlib import Path
from typing import Any

import click

from backproof.doors.click_options import takes
from backproof.doors.group import COULD_NOT_RUN, NOT_RIGHT, RIGHT, cli
from backproof.doors.output import Failure, check_writable, tried, write_json
from backproof.findings.grade import SHARES, Grade
from backproof.findings.history import remember_grade
from backproof.findings.saved import SAVED_IN
from backproof.findings.text import printable
from backproof.reports.gradescope import VISIBILITIES, gradescope
from backproof.runs.grading import graded
from backproof.runs.options import Door
from backproof.targets.target import Target

GRADE_CODES = "Exit codes: 0 all points, 1 not all, 2 nothing could be graded, 70 a bug of backproof, 130 interrupted."


def grade(
    target: Target | str,
    points: float = 10.0,
    *,
    max_examples: int = 40,
    seed: int | None = None,
    activations: Sequence[Any] | None = None,
    output_activations: Sequence[Any] | None = None,
    losses: Sequence[Any] | None = None,
    reductions: Sequence[str] | None = None,
    biases: bool | None = None,
    depth: int | tuple[int, int] | None = None,
    width: int | tuple[int, int] | None = None,
    batch: int | tuple[int, int] | None = None,
    wants: Sequence[str] | None = None,
    sizes: str | None = None,
    widths: Sequence[int] | None = None,
    values: str | None = None,
    sample_weights: bool | None = None,
    penalties: Sequence[Any] | None = None,
    precision: str | None = None,
    strict: bool = False,
    time_limit: float = 2.0,
    load_limit: float = 8.0,
) -> float:
    """The points of a submission, by the rule of docs/courses.md; where it loses some, why is printed. Nothing goes to standard error.

    target: as check takes it; points: how many there are; max_examples: how many problems are judged; seed: of the problems, 1 for None,
    so that all submissions are asked the same.
    activations, output_activations, losses, reductions, biases, depth, width, batch, wants, sizes, widths, sample_weights, penalties:
    which problems, as check has them; values: "tame" for moderate numbers alone, which is the default here, "any" or "exact".
    precision, strict: as check has them; time_limit, load_limit: seconds for one call, and for the first of a process.
    Raises SupportError where no problem is within all that.
    """
    limits = {
        "activations": activations,
        "output_activations": output_activations,
        "losses": losses,
        "reductions": reductions,
        "biases": biases,
        "depth": depth,
        "width": width,
        "batch": batch,
        "wants": wants,
        "sizes": sizes,
        "widths": widths,
        "values": values,
        "sample_weights": sample_weights,
        "penalties": penalties,
    }
    with _silence():
        result = graded(
            target,
            points=points,
            max_examples=max_examples,
            seed=seed,
            precision=precision,
            strict=strict,
            time_limit=time_limit,
            load_limit=load_limit,
            **limits,
        )
    if result.score < points:
        print(printable(result.text()))
    return result.score


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing on standard error: neither what Python writes there, warnings say, nor what comes from below it, of other processes too.

    nbgrader takes a cell for wrong that writes there.
    """
    with redirect_stderr(StringIO()):
        try:
            kept = os.dup(2)
        except OSError:  # it has none
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)


def _visibility(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Of "hidden" or "laws:after_due_date" who sees each kind of parts."""
    seen: dict[str, str] = {}
    for value in values:
        kind, _, word = value.rpartition(":")
        if word not in VISIBILITIES or (kind and kind not in SHARES):
            raise click.BadParameter(
                f"{value!r}: expected one of {', '.join(VISIBILITIES)}, or one for a kind of parts ({', '.join(SHARES)}), as laws:hidden"
            )
        seen |= {kind: word} if kind else dict.fromkeys(SHARES, word)
    return seen


@cli.command("grade", epilog=GRADE_CODES)
@click.argument("target")
@click.option("--points", type=click.FloatRange(0, min_open=True), default=10.0, show_default=True, help="How many points there are.")
@click.option("--gradescope", "results", metavar="FILE", help="Write Gradescope's results.json to FILE, or to standard output for -.")
@click.option(
    "--visibility",
    multiple=True,
    metavar="[KIND:]WORD",
    callback=_visibility,
    help="Who sees the parts in Gradescope (repeatable): visible, hidden, after_due_date or after_published; of one kind, as laws:hidden.",
)
@click.option("--save", default=SAVED_IN, show_default=True, type=click.Path(path_type=Path), help="Folder that remembers the run.")
@takes(Door.GRADE_COMMAND)
def grade_command(target: str, points: float, results: str | None, visibility: dict[str, str], save: Path, **options: Any) -> None:
    """Grade TARGET, a submission: points by layer and law, and what to change.

    The rule is in docs/courses.md. Points rest on how many calls were answered rightly, never on the clock, and the seed is 1 where none is
    said, so that all submissions are asked the same. What is wrong with a submission, one that cannot be imported too, costs points and is
    told; name a file of your own that imports the submission, whose `supports` says what it is asked.
    """
    check_writable(results)
    if not math.isfinite(points):
        raise Failure(f"--points is {points}: expected a number of points")
    result: Grade = tried(lambda: graded(target, points=points, **options))
    with suppress(OSError):
        remember_grade(result, save)
    if results != "-":
        click.echo(printable(result.text()))
    write_json(results, json.dumps(gradescope(result, visibility), indent=2))
    sys.exit(COULD_NOT_RUN if result.error else RIGHT if result.score >= points else NOT_RIGHT)
