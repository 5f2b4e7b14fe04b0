"""The command line: thin over check, verify and the tables."""

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from backproof.doors import challenge_command, grading, replay_command, report_command, sweep_command  # noqa: F401 (they add their commands)
from backproof.doors.click_options import takes
from backproof.doors.compared_table import compared_table, compared_whys
from backproof.doors.group import COULD_NOT_RUN, EXIT_CODES, INTERRUPTED, NOT_RIGHT, OUR_BUG, RIGHT, cli
from backproof.doors.output import Failure, check_writable, exit_code, finding_option, json_option, show, table, tried, width, write_json
from backproof.doors.progress import progress_told
from backproof.doors.report_command import html_option, markdown_option, write_forms
from backproof.findings.finding import Finding
from backproof.findings.history import remember
from backproof.findings.judged import judgement_data
from backproof.findings.opened import finding_in
from backproof.findings.report import Report
from backproof.findings.saved import SAVED_IN, file_name, load_finding, save_finding
from backproof.findings.schema import SCHEMAS
from backproof.findings.schema import schema as schema_of
from backproof.reports.terminal import explained_view, judgement_view, report_view, stored_view
from backproof.runs.check import check as run_check
from backproof.runs.check import problem_at, stored
from backproof.runs.comparison import compare_targets
from backproof.runs.options import Door, asked_in_words, in_words
from backproof.runs.self_test import Tested, all_tested
from oracles.available import ORACLES, missing, version
from properties.faults.table import FAULTS
from properties.judging.judge import verify as judge_answer
from properties.laws.of_agreement import ORACLE_LAWS
from properties.laws.table import LAWS
from reference.errors import ProblemError
from reference.forms.json_form import dump
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import defaults
from reference.gradient import Gradient
from reference.problem import Problem


@cli.command(epilog=EXIT_CODES)
@click.argument("target")
@takes(Door.CHECK_COMMAND)
@click.option(
    "--save", default=SAVED_IN, show_default=True, type=click.Path(path_type=Path), help="Folder for the files that replay findings."
)
@json_option
@html_option
@markdown_option
def check(
    target: str, json_file: str | None, html_file: str | None, markdown_file: str | None, save: Path, max_examples: int, **options: Any
) -> None:
    """Check TARGET on random problems.

    TARGET is package.module:function or path/to/file.py:function. The function takes a backproof.Problem and returns a
    backproof.Gradient, or a pair (list of dC/dW, list of dC/db or None). It runs in a process of its own.
    Or it is 'run: ./program --flag', of a program in any language that speaks the protocol of docs/protocol.md.
    """
    files = (json_file, html_file, markdown_file)
    for file in files:
        check_writable(file)
    try:
        with progress_told() as progress:
            report = tried(lambda: run_check(target, max_examples=max_examples, progress=progress, **options))
    except Failure as failure:
        # whoever reads the file learns as much as whoever reads the terminal
        nothing = Report(target, (), {}, options["seed"] or 0, 0, 0, 0, options["precision"] or "float64", options["strict"])
        asked_by = asked_in_words(options | {"max_examples": max_examples})
        nothing = replace(nothing, error=failure.message, drawn_by=in_words(options), asked_by=asked_by)
        write_json(json_file, dump(nothing.data() | {"seed": options["seed"]}))
        write_forms(nothing, html_file, markdown_file)
        raise
    report = replace(report, saved=_save(report, save))
    with suppress(OSError):  # where findings cannot be saved either, that is told
        remember(report, save)
    if "-" not in files:
        show(report_view(report, width()))
    write_json(json_file, report.to_json())
    write_forms(report, html_file, markdown_file)
    if report.disagreement:
        sys.exit(OUR_BUG)
    if report.interrupted:
        sys.exit(INTERRUPTED)
    sys.exit(exit_code(report.verdict, report.strict))


@cli.command(epilog=EXIT_CODES)
@click.argument("targets", nargs=-1, required=True)
@takes(Door.CHECK_COMMAND)
@click.option("--jobs", type=click.IntRange(1), help="How many are checked at a time; as many as there are processors, if not given.")
@click.option("--save", default=SAVED_IN, show_default=True, type=click.Path(), help="Folder for the files that replay findings.")
@json_option
@html_option
@markdown_option
def compare(
    targets: tuple[str, ...], json_file: str | None, html_file: str | None, markdown_file: str | None, jobs: int | None, **options: Any
) -> None:
    """Check several TARGETS on the same problems: one table.

    A target is what `backproof check` takes, or folder/:function for that function of each .py file in a folder. One that hangs, dies or
    cannot be imported is a row like others. Where code has another layout, name what its own file adapts: my_gradient of
    my_gradient = backproof.adapt(backprop, samples="columns"), say, as mine.py:my_gradient.
    """
    files = (json_file, html_file, markdown_file)
    for file in files:
        check_writable(file)
    with progress_told() as progress:
        comparison = tried(lambda: compare_targets(targets, jobs=jobs, progress=progress, **options))
    compared = comparison.targets
    if "-" not in files:
        compared_table(comparison.data())
        compared_whys(compared)
        click.echo(f"\nall on the problems of --seed {comparison.seed}")
    write_json(json_file, comparison.to_json())
    if html_file is not None:
        write_json(html_file, comparison.html())
    if markdown_file is not None:
        write_json(markdown_file, comparison.markdown())
    if comparison.interrupted:
        sys.exit(INTERRUPTED)
    codes = [COULD_NOT_RUN if one.verdict is None else exit_code(one.verdict, options["strict"]) for one in compared]
    sys.exit(NOT_RIGHT if NOT_RIGHT in codes else max(codes))


@cli.command(epilog=EXIT_CODES)
@click.argument("problem", type=click.Path(path_type=Path))
@click.argument("answer", type=click.Path(path_type=Path), required=False)
@takes(Door.VERIFY_COMMAND)
@json_option
def verify(problem: Path, answer: Path | None, precision: str | None, strict: bool, json_file: str | None) -> None:
    """Judge one ANSWER to one PROBLEM: files as Problem.save and Gradient.save write them, JSON or, for large arrays, .npz.

    Or the answer that a saved finding holds, in one file: backproof verify FINDING. The target is not asked.
    """
    if answer is None:
        finding = tried(lambda: _the_finding(problem))
        judgement = tried(lambda: stored(finding, precision=precision, strict=strict))
        view = stored_view(finding, judgement, width())
    else:
        judgement = tried(lambda: judge_answer(Problem.load(problem), Gradient.load(answer), precision=precision, strict=strict))
        view = judgement_view(judgement, width())
    if json_file != "-":
        show(view)
    write_json(json_file, dump(judgement_data(judgement)))
    sys.exit(OUR_BUG if judgement.disagreement else exit_code(judgement.verdict, strict))


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@finding_option
def explain(file: Path, number: int | None) -> None:
    """Explain a finding, saved in FILE: where the target is wrong and why, and the chain of equations of its problem.

    The target's own numbers stand beside the exact ones, from the loss down. The target is not asked. FILE may be that of `check --json`
    too.
    """
    show(explained_view(tried(lambda: finding_in(file, number)), width()))


@cli.command(epilog=EXIT_CODES)
@click.argument("target")
@takes(Door.DRAW_COMMAND)
@click.option("--save", type=click.Path(path_type=Path), help="Write the problem to this file, not to standard output.")
def draw(target: str, save: Path | None, **options: Any) -> None:
    """Draw one problem of a run of `check TARGET` again, as JSON: a finding says with which options.

    Where the run was told which problems to draw, by --activations say, this must be told the same.
    """
    problem = tried(lambda: problem_at(target=target, **options))
    write_json("-" if save is None else str(save), problem.to_json())


@cli.command(epilog=EXIT_CODES)
@click.option("--only", default="", metavar="WORD", help="Only the faults whose name holds this.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Of the problems that are drawn.")
def faults(only: str, seed: int) -> None:
    """Test this suite itself: put each known mistake to a check, as a target.

    For each: whether it is caught, under the problems that it shows in, and whether place and cause are told rightly; in all some twenty
    minutes. Exits with 1 if one survives, or another cause is told for one.
    """
    chosen = {name: fault for name, fault in FAULTS.items() if only in name}
    if not chosen:
        raise Failure(f"no fault has {only!r} in its name: docs/faults.md lists them")

    def told(one: Tested) -> None:
        caught = "caught" if one.caught else "SURVIVES"
        place, seen = "placed" if one.placed else "not placed", "" if one.by_defaults else "; not seen by a check that is told no limits"
        click.echo(f"{one.name}: {caught}, {place}, cause {one.cause}, {one.calls} calls, {one.seconds:.1f} s{seen}")

    done = all_tested(chosen, seed, told)
    count = len(done)
    click.echo(
        f"\n{sum(one.caught for one in done)} of {count} caught; place right {sum(one.placed for one in done)}; "
        f"cause, or its equal, {sum(one.cause in ('right', 'equal', 'same numbers') for one in done)}; "
        f"another cause {sum(one.cause == 'other' for one in done)}"
    )
    sys.exit(RIGHT if all(one.caught and one.cause != "other" for one in done) else NOT_RIGHT)


@cli.command()
def laws() -> None:
    """List the laws that every right target obeys."""
    table(
        ("law", "statement"), [(name, law.statement) for name, law in {**LAWS, **{law.name: law for law in ORACLE_LAWS.values()}}.items()]
    )


@cli.command()
def activations() -> None:
    """List the activations, with their parameters and formulas."""
    table(("activation", "parameters", "formula"), [_row(name, make) for name, make in ACTIVATIONS.items()])


@cli.command()
def losses() -> None:
    """List the losses, with their parameters and formulas."""
    table(("loss", "parameters", "formula"), [_row(name, make) for name, make in LOSSES.items()])


@cli.command()
def oracles() -> None:
    """List the oracles: versions, how far each may be trusted, and how to install what is missing."""
    rows = [(name, version(oracle) or "not installed", missing(oracle) or "ready", oracle.trust) for name, oracle in ORACLES.items()]
    table(("oracle", "version", "state", "trust"), rows)


@cli.command()
@click.argument("name", type=click.Choice(SCHEMAS))
def schema(name: str) -> None:
    """Print the JSON Schema of what is saved: it stands alone, for any validator of draft 2020-12."""
    click.echo(json.dumps(schema_of(name), indent=2, ensure_ascii=False))


def _row(name: str, make: Callable[..., Any]) -> tuple[str, str, str]:
    parameters = ", ".join(f"{key}={value:g}" for key, value in defaults(make).items())
    return name, parameters, (make.__doc__ or "").strip().splitlines()[0]


def _the_finding(file: Path) -> Finding:
    """The finding of a file that stands alone."""
    try:
        return load_finding(file)
    except ProblemError as error:
        raise ProblemError(f"{error}; one answer to one problem is two files: backproof verify PROBLEM ANSWER") from None


def _save(report: Report, folder: Path) -> tuple[str, ...]:
    """Write a replay file for each finding; where that cannot be done, say so and go on."""
    saved: list[str] = []
    for i, finding in enumerate(report.findings):
        try:
            saved.append(str(save_finding(finding, i, folder)))
        except FileExistsError:
            click.echo(f"backproof: no finding is saved: {folder} is a file, and --save takes a folder", err=True)
            break
        except OSError as error:
            click.echo(f"backproof: the finding cannot be saved in {folder / file_name(finding, i)}: {error.strerror}", err=True)
            break
    return tuple(saved)
