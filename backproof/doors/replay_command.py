"""Replays: a saved finding is put to its target again, or all of them are; and the script that shows one without backproof."""

import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from backproof.doors.click_options import takes
from backproof.doors.group import COULD_NOT_RUN, EXIT_CODES, NOT_RIGHT, OUR_BUG, RIGHT, cli
from backproof.doors.output import Failure, exit_code, finding_option, json_option, show, table, tried, width, write_json
from backproof.findings.causes import in_words
from backproof.findings.finding import Finding
from backproof.findings.history import history as remembered
from backproof.findings.judged import judgement_data
from backproof.findings.opened import finding_in
from backproof.findings.saved import SAVED_IN, load_finding
from backproof.findings.text import counted, printable
from backproof.reports.standalone import standalone_script
from backproof.reports.terminal import finding_view, stored_view
from backproof.runs.check import replay as run_replay
from backproof.runs.check import stored
from backproof.runs.options import Door
from backproof.runs.replaying import FAILED, NOT_ASKED, Replays, findings_in
from reference.errors import ProblemError
from reference.forms.json_form import dump

RUNS = 20
"""So many of the last runs are listed."""

saved_option = click.option(
    "--saved", default=SAVED_IN, show_default=True, type=click.Path(path_type=Path), help="Folder with the files of findings."
)


@cli.command(epilog=EXIT_CODES)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--target", help="Ask this target, not the one that the file names.")
@saved_option
@click.option("--drop", is_flag=True, help="Delete the files of what is fixed, once its law holds on all problems of its run.")
@takes(Door.REPLAY_COMMAND)
@json_option
def replay(file: Path | None, target: str | None, saved: Path, drop: bool, strict: bool, json_file: str | None, **seconds: float) -> None:
    """Put the problem of a finding, saved in FILE, to the target again; without FILE, those of all findings that are saved.

    Exits with 1 if the target still fails, and with 0 if it does no more; lossy fails with --strict, as in a check.
    A target that is a file is looked for from the folder that this runs in, as the check was: say --target where it lies elsewhere.
    Without it, what it answered then is judged, and the exit code is 2.
    Of all findings each is FIXED or FAILED, or NOT ASKED where its target cannot be; with --drop what is fixed is deleted.
    """
    if file is None:
        _replay_all(target, saved, Replays(strict, drop, **seconds), json_file)
    if drop:
        raise Failure("--drop is for the replay of all: leave out the file, or delete it yourself")
    finding = tried(lambda: load_finding(file))
    try:
        again = tried(lambda: run_replay(finding, target=target, **seconds))
    except Failure as failure:
        _judge_stored(finding, failure, target, strict, json_file)
    if json_file != "-":
        if again is None:
            hint = "" if finding.fresh else " (it kept something from call to call, which one problem cannot show: check it again)"
            text = f"not reproduced: {printable(target or finding.target)} does not break {finding.law} on this problem{hint}"
            show(text)
        else:
            show(finding_view(again, width=width()))
    write_json(json_file, dump({"reproduced": again is not None, "finding": None if again is None else again.data()}))
    if again is not None and again.disagreement:
        sys.exit(OUR_BUG)
    sys.exit(RIGHT if again is None else exit_code(again.verdict, strict))


def _replay_all(target: str | None, saved: Path, replays: Replays, json_file: str | None) -> NoReturn:
    """Each finding of a folder; a line for each as it is known."""
    if target is not None:
        raise Failure("--target is for the replay of one FILE: findings of many targets are put each to its own")
    if saved != Path(SAVED_IN) and not saved.is_dir():
        raise Failure(f"there is no folder {saved}")
    files = findings_in(saved)
    quiet, fared = json_file == "-", []
    for one in replays.of(files):
        fared.append(one)
        if not quiet:
            what = f"{one.target}: {one.law}" if one.target else "no finding"
            ends = f" ({one.why})" if one.why else ""
            click.echo(printable(f"{one.state:<9}  {what}{ends}{', deleted' if one.dropped else ''}  {one.file}"))
    if not quiet:
        states = [one.state for one in fared]
        said = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        click.echo(f"{counted(len(files), 'finding')} in {saved}{': ' + said if said else ''}")
    write_json(json_file, dump({"findings": [one.data() for one in fared]}))
    states = [one.state for one in fared]
    sys.exit(NOT_RIGHT if FAILED in states else COULD_NOT_RUN if NOT_ASKED in states else RIGHT)


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
            show(stored_view(finding, judgement, width()))
    write_json(json_file, dump(told))
    raise Failure(message)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@finding_option
@click.option("--save", type=click.Path(path_type=Path), help="Write the script to this file, not to standard output.")
def script(file: Path, number: int | None, save: Path | None) -> None:
    """Write a finding, saved in FILE, as a script that stands alone: for somebody else's tracker.

    It needs NumPy, and torch or JAX where the target is theirs. It exits with 1 while the mistake is there, with 0 once it is mended,
    and with 2 where nothing could be asked. The target is not asked; the place where it is called is marked. FILE may be that of
    `check --json` too.
    """
    text = tried(lambda: standalone_script(finding_in(file, number)))
    write_json("-" if save is None else str(save), text.rstrip("\n"))


@cli.command()
@saved_option
def history(saved: Path) -> None:
    """List the last runs that a folder remembers: when, verdict, target, seed, and the cause of the first finding."""
    runs = tried(lambda: remembered(saved))
    if not runs:
        raise Failure(f"no run is remembered in {saved}: check, compare and grade write a line for each")
    headings = ("when", "command", "verdict", "target", "seed", "cause")
    shown = [run | {"cause": in_words(str(run["cause"])) if run["cause"] else None} for run in runs[-RUNS:]]
    rows = [tuple(printable(str("" if run[name] is None else run[name])) for name in headings) for run in shown]
    table(headings, rows)
