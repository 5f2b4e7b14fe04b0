"""The commands report and show, which read what is saved: a page, Markdown, or the terminal's own words, and no target is asked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from backproof.doors.compared_table import compared_table
from backproof.doors.group import cli
from backproof.doors.output import Failure, check_writable, show, tried, width, write_json
from backproof.findings.opened import opened
from backproof.findings.report import Report
from backproof.findings.shown_problem import problem_text
from backproof.findings.swept import sweep_text
from backproof.findings.text import printable
from backproof.report import comparison_html, comparison_markdown, html, markdown
from backproof.reports.annotations import annotations
from backproof.reports.challenged import challenged_view
from backproof.reports.explained import numbers_text
from backproof.reports.terminal import explained_view, judgement_view, report_view
from backproof.runs.tally import Tally
from reference.gradient import Gradient

html_option = click.option("--html", "html_file", metavar="FILE", help="Write a page to FILE: one file, which needs no network.")
markdown_option = click.option("--markdown", "markdown_file", metavar="FILE", help="Write Markdown to FILE, for a pull request or a CI.")


def write_forms(report: Report, html_file: str | None, markdown_file: str | None) -> None:
    """The forms of a report that were asked for. Raises Failure."""
    if html_file is not None:
        write_json(html_file, html(report))
    if markdown_file is not None:
        write_json(markdown_file, markdown(report))


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@html_option
@markdown_option
@click.option("--annotations", "annotated", is_flag=True, help="Print what GitHub shows beside the target's code.")
def report(file: Path, html_file: str | None, markdown_file: str | None, annotated: bool) -> None:
    """Write the report of a run, saved in FILE by `check --json`, again: as a page, as Markdown, or to the terminal.

    It is the same to the byte as what `check` writes. FILE may be that of `compare --json` too. The target is not asked.
    """
    for each in (html_file, markdown_file):
        check_writable(each)
    kind, saved = tried(lambda: opened(file))
    if kind == "comparison" and not annotated:
        if html_file is not None:
            write_json(html_file, tried(lambda: comparison_html(saved)))
        if markdown_file is not None:
            write_json(markdown_file, tried(lambda: comparison_markdown(saved)))
        if html_file is None and markdown_file is None:
            compared_table(saved)
        return
    if kind != "report":
        more = ", of which there are no annotations" if kind == "comparison" else ": `backproof show FILE` shows it"
        raise Failure(f"{file} is no report of a run, but a {kind}{more}")
    write_forms(saved, html_file, markdown_file)
    if annotated:
        click.echo("\n".join(annotations(saved)))
    elif html_file is None and markdown_file is None:
        show(report_view(saved, width()))


@cli.command("show")
@click.argument("file", type=click.Path(path_type=Path))
def show_file(file: Path) -> None:
    """Show any saved FILE: a run, a finding, a problem, an answer, a judgement, a comparison, a tally, a challenge or a sweep.

    A finding is explained, as `backproof explain` does. The target is not asked.
    """
    kind, saved = tried(lambda: opened(file))
    SHOWN[kind](saved)


def _show_problem(problem: Any) -> None:
    rows = [
        ("network", f"{'-'.join(map(str, problem.widths))}, batch {problem.batch}, {problem.reduction} over samples"),
        ("activations", ", ".join(str(choice) for choice in problem.activations)),
        ("loss", str(problem.loss)),
        ("problem", problem_text(problem)),
    ]
    for name, said in rows:
        click.echo(f"{name:<12} {printable(said)}")


def _show_answer(answer: Gradient) -> None:
    for place, array in answer.arrays():
        click.echo(f"{place!s:<16} {getattr(array, 'dtype', 'float64')} {tuple(getattr(array, 'shape', ()))}  {numbers_text(array)}")


def _show_tally(data: Any) -> None:
    tally = tried(lambda: Tally.from_data(data))
    click.echo(f"{tally.examples} problems, {tally.judged} judged")
    for name, counts in tally.by.items():
        said = ", ".join(f"{value}: {fared['failed']} of {fared.total()}" for value, fared in counts.items())
        click.echo(f"failed, by {name.replace('_', ' ')}: {said}")


def _show_sweep(data: Any) -> None:
    try:
        click.echo(sweep_text(data))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Failure(f"no sweep: {error!r}: expected what `backproof sweep --json FILE` writes") from None


SHOWN: dict[str, Callable[[Any], None]] = {
    "sweep": _show_sweep,
    "report": lambda saved: show(report_view(saved, width())),
    "finding": lambda saved: show(explained_view(saved, width())),
    "problem": _show_problem,
    "gradient": _show_answer,
    "judgement": lambda saved: show(judgement_view(saved, width())),
    "comparison": compared_table,
    "tally": _show_tally,
    "challenge": lambda saved: show(challenged_view(saved, width())),
}
"""Of each kind of file how it is shown."""
