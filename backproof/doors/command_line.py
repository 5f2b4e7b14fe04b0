"""The command line: thin over check, verify and the tables."""

import json
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table

from backproof.doors.click_options import takes
from backproof.doors.group import COULD_NOT_RUN, EXIT_CODES, INTERRUPTED, NOT_RIGHT, OUR_BUG, RIGHT, cli
from backproof.doors.progress import progress_told
from backproof.findings.finding import Finding
from backproof.findings.judged import judgement_data
from backproof.findings.report import Report
from backproof.findings.saved import file_name, load_finding, save_finding
from backproof.findings.schema import SCHEMAS
from backproof.findings.schema import schema as schema_of
from backproof.findings.text import printable
from backproof.reports.terminal import explained_view, finding_view, judgement_view, report_view, stored_view
from backproof.runs.check import check as run_check
from backproof.runs.check import problem_at, stored
from backproof.runs.check import replay as run_replay
from backproof.runs.comparison import Compared, comparison_data, targets_of
from backproof.runs.comparison import compare as compare_all
from backproof.runs.options import Door
from backproof.runs.self_test import Tested, all_tested
from backproof.targets.target import TargetError
from oracles.available import ORACLES, missing, version
from properties.faults.table import FAULTS
from properties.judging.judge import verify as judge_answer
from properties.laws.of_agreement import ORACLE_LAWS
from properties.laws.table import LAWS, LawError, OracleError
from properties.problems.support import SupportError
from properties.verdict import Verdict
from reference.errors import ProblemError
from reference.forms.json_form import dump
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import defaults
from reference.gradient import Gradient
from reference.problem import Problem

SAVED_IN = ".backproof"
ROOM_BESIDE = 50
"""Columns that a table needs beside its names; where there are fewer, what is said stands below each name."""


class Failure(click.ClickException):
    """What was asked for cannot be done; the message says what to do."""

    exit_code = COULD_NOT_RUN

    def show(self, file: Any = None) -> None:
        click.echo(f"backproof: {printable(self.format_message())}", err=True)


json_option = click.option("--json", "json_file", metavar="FILE", help="Write the result as JSON to FILE, or to standard output for -.")


@cli.command(epilog=EXIT_CODES)
@click.argument("target")
@takes(Door.CHECK_COMMAND)
@click.option(
    "--save", default=SAVED_IN, show_default=True, type=click.Path(path_type=Path), help="Folder for the files that replay findings."
)
@json_option
def check(target: str, json_file: str | None, save: Path, max_examples: int, **options: Any) -> None:
    """Check TARGET on random problems.

    TARGET is package.module:function or path/to/file.py:function. The function takes a backproof.Problem and returns a
    backproof.Gradient, or a pair (list of dC/dW, list of dC/db or None). It runs in a process of its own.
    Or it is 'run: ./program --flag', of a program in any language that speaks the protocol of docs/protocol.md.
    """
    _check_writable(json_file)
    try:
        with progress_told() as progress:
            report = _run(lambda: run_check(target, max_examples=max_examples, progress=progress, **options))
    except Failure as failure:
        # whoever reads the file learns as much as whoever reads the terminal
        nothing = Report(target, (), {}, options["seed"] or 0, 0, 0, 0, options["precision"] or "float64", options["strict"])
        _write_json(json_file, dump(replace(nothing, error=failure.message).data() | {"seed": options["seed"]}))
        raise
    report = replace(report, saved=_save(report, save))
    if json_file != "-":
        _show(report_view(report, _width()))
    _write_json(json_file, report.to_json())
    if report.disagreement:
        sys.exit(OUR_BUG)
    if report.interrupted:
        sys.exit(INTERRUPTED)
    sys.exit(_exit_code(report.verdict, report.strict))


@cli.command(epilog=EXIT_CODES)
@click.argument("targets", nargs=-1, required=True)
@takes(Door.CHECK_COMMAND)
@click.option("--jobs", type=click.IntRange(1), help="How many are checked at a time; as many as there are processors, if not given.")
@click.option("--save", default=SAVED_IN, show_default=True, type=click.Path(), help="Folder for the files that replay findings.")
@json_option
def compare(targets: tuple[str, ...], json_file: str | None, jobs: int | None, **options: Any) -> None:
    """Check several TARGETS on the same problems: one table.

    A target is what `backproof check` takes, or folder/:function for that function of each .py file in a folder. One that hangs, dies or
    cannot be imported is a row like others. Where code has another layout, name what its own file adapts: my_gradient of
    my_gradient = backproof.adapt(backprop, samples="columns"), say, as mine.py:my_gradient.
    """
    _check_writable(json_file)
    names = _run(lambda: targets_of(targets))
    options["seed"] = secrets.randbelow(2**32) if options["seed"] is None else options["seed"]
    with progress_told() as progress:
        compared = sorted(compare_all(names, options, jobs=jobs, progress=progress), key=lambda one: names.index(one.target))
    if json_file != "-":
        _table(("target", "verdict", "right", "time"), [_compared(one) for one in compared])
        for one in compared:
            if one.why:
                click.echo(f"\n{printable(one.target)}: {printable(one.why)}")
        click.echo(f"\nall on the problems of --seed {options['seed']}")
    _write_json(json_file, dump(comparison_data(compared, options["seed"])))
    codes = [COULD_NOT_RUN if one.verdict is None else _exit_code(one.verdict, options["strict"]) for one in compared]
    sys.exit(NOT_RIGHT if NOT_RIGHT in codes else max(codes))


def _compared(one: Compared) -> tuple[str, ...]:
    passed, failed = one.passed_and_failed
    verdict, right = one.verdict.value if one.verdict else "not checked", f"{passed} of {passed + failed}" if passed + failed else ""
    return printable(one.target), verdict, right, f"{one.seconds:.1f} s"


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
        finding = _run(lambda: _the_finding(problem))
        judgement = _run(lambda: stored(finding, precision=precision, strict=strict))
        view = stored_view(finding, judgement, _width())
    else:
        judgement = _run(lambda: judge_answer(Problem.load(problem), Gradient.load(answer), precision=precision, strict=strict))
        view = judgement_view(judgement, _width())
    if json_file != "-":
        _show(view)
    _write_json(json_file, dump(judgement_data(judgement)))
    sys.exit(OUR_BUG if judgement.disagreement else _exit_code(judgement.verdict, strict))


@cli.command(epilog=EXIT_CODES)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--target", help="Ask this target, not the one that the file names.")
@takes(Door.REPLAY_COMMAND)
@json_option
def replay(file: Path, target: str | None, strict: bool, json_file: str | None, **seconds: float) -> None:
    """Put the problem of a finding, saved in FILE, to the target again.

    Exits with 1 if the target still fails, and with 0 if it does no more; lossy fails with --strict, as in a check.
    A target that is a file is looked for from the folder that this runs in, as the check was: say --target where it lies elsewhere.
    Without it, what it answered then is judged, and the exit code is 2.
    """
    finding = _run(lambda: load_finding(file))
    try:
        again = _run(lambda: run_replay(finding, target=target, **seconds))
    except Failure as failure:
        _judge_stored(finding, failure, target, strict, json_file)
    if json_file != "-":
        if again is None:
            hint = "" if finding.fresh else " (it kept something from call to call, which one problem cannot show: check it again)"
            text = f"not reproduced: {printable(target or finding.target)} does not break {finding.law} on this problem{hint}"
            _show(text)
        else:
            _show(finding_view(again, width=_width()))
    _write_json(json_file, dump({"reproduced": again is not None, "finding": None if again is None else again.data()}))
    if again is not None and again.disagreement:
        sys.exit(OUR_BUG)
    sys.exit(RIGHT if again is None else _exit_code(again.verdict, strict))


def _judge_stored(finding: Finding, failure: Failure, target: str | None, strict: bool, json_file: str | None) -> NoReturn:
    """Where the target cannot be asked: what it answered then, and how to have it asked. Raises Failure."""
    elsewhere = "" if target else f"; if {finding.target} lies elsewhere, say --target path/to/file.py:function"
    told: dict[str, Any] = {"reproduced": None, "finding": None, "error": failure.message, "stored": None}
    try:
        judgement = stored(finding, strict=strict)
    except ProblemError as error:
        message = f"{failure.message}{elsewhere}; {error}"
    else:
        message = f"{failure.message}{elsewhere}; what it answered then is judged here, as `backproof verify FILE` does"
        told["stored"] = judgement_data(judgement)
        if json_file != "-":
            _show(stored_view(finding, judgement, _width()))
    _write_json(json_file, dump(told))
    raise Failure(message)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
def explain(file: Path) -> None:
    """Explain a finding, saved in FILE: where the target is wrong and why, and the chain of equations of its problem.

    The target's own numbers stand beside the exact ones, from the loss down. The target is not asked.
    """
    _show(explained_view(_run(lambda: load_finding(file)), _width()))


@cli.command(epilog=EXIT_CODES)
@click.argument("target")
@takes(Door.DRAW_COMMAND)
@click.option("--save", type=click.Path(path_type=Path), help="Write the problem to this file, not to standard output.")
def draw(target: str, save: Path | None, **options: Any) -> None:
    """Draw one problem of a run of `check TARGET` again, as JSON: a finding says with which options.

    Where the run was told which problems to draw, by --activations say, this must be told the same.
    """
    problem = _run(lambda: problem_at(target=target, **options))
    _write_json("-" if save is None else str(save), problem.to_json())


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
    _table(
        ("law", "statement"), [(name, law.statement) for name, law in {**LAWS, **{law.name: law for law in ORACLE_LAWS.values()}}.items()]
    )


@cli.command()
def activations() -> None:
    """List the activations, with their parameters and formulas."""
    _table(("activation", "parameters", "formula"), [_row(name, make) for name, make in ACTIVATIONS.items()])


@cli.command()
def losses() -> None:
    """List the losses, with their parameters and formulas."""
    _table(("loss", "parameters", "formula"), [_row(name, make) for name, make in LOSSES.items()])


@cli.command()
def oracles() -> None:
    """List the oracles: versions, how far each may be trusted, and how to install what is missing."""
    rows = [(name, version(oracle) or "not installed", missing(oracle) or "ready", oracle.trust) for name, oracle in ORACLES.items()]
    _table(("oracle", "version", "state", "trust"), rows)


@cli.command()
@click.argument("name", type=click.Choice(SCHEMAS))
def schema(name: str) -> None:
    """Print the JSON Schema of what is saved: it stands alone, for any validator of draft 2020-12."""
    click.echo(json.dumps(schema_of(name), indent=2, ensure_ascii=False))


def _row(name: str, make: Callable[..., Any]) -> tuple[str, str, str]:
    parameters = ", ".join(f"{key}={value:g}" for key, value in defaults(make).items())
    return name, parameters, (make.__doc__ or "").strip().splitlines()[0]


def _table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """A table; where it would leave what is said no room beside the names, each name on a line of its own, and what is said below."""
    console = _console()
    if console.width < max(len(row[0]) for row in rows) + ROOM_BESIDE:
        for name, *cells in rows:
            said = [cell if len(cells) == 1 else f"{heading}: {cell}" for heading, cell in zip(headings[1:], cells, strict=True) if cell]
            console.print(name, *(Padding(text, (0, 0, 0, 4)) for text in said), sep="\n")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        # a name that is broken over two lines cannot be copied
        table.add_column(heading, overflow="fold", no_wrap=heading == headings[0])
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _console() -> Console:
    """Standard output; plain where it is no terminal, or where NO_COLOR is set."""
    return Console(highlight=False, markup=False)


def _width() -> int | None:
    """The columns of the terminal; None where there is none, and a line is as long as it is."""
    console = _console()
    return console.width if console.is_terminal else None


def _show(view: RenderableType) -> None:
    _console().print(view, soft_wrap=True)


def _run(action: Callable[[], Any]) -> Any:
    try:
        return action()
    except (TargetError, SupportError, OracleError, LawError, ProblemError) as error:
        raise Failure(str(error)) from None
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from None


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
        except OSError as error:
            click.echo(f"backproof: the finding cannot be saved in {folder / file_name(finding, i)}: {error.strerror}", err=True)
            break
    return tuple(saved)


def _check_writable(file: str | None) -> None:
    """What cannot be written in the end is refused before a long run, not after it."""
    if file not in (None, "-") and not Path(str(file)).resolve().parent.is_dir():
        raise Failure(f"the result cannot be written to {file}: there is no such folder")


def _write_json(file: str | None, text: str) -> None:
    if file == "-":
        click.echo(text)
    elif file is not None:
        try:
            Path(file).write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise Failure(f"the result cannot be written to {file}: {error.strerror}") from None


def _exit_code(verdict: Verdict, strict: bool) -> int:
    if verdict is Verdict.INCONCLUSIVE:
        return COULD_NOT_RUN
    return RIGHT if verdict.passes(strict) else NOT_RIGHT
