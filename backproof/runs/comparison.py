"""Several targets on the same problems: each checked by a process of its own, some at a time, which may hang or die like the target."""

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backproof.report import comparison_html, comparison_markdown
from backproof.runs.groups import end_group
from backproof.runs.options import Door, arguments_of, options_of
from backproof.targets.target import TargetError
from properties.problems.limits import SupportError
from properties.verdict import Verdict
from reference.forms.json_form import dump
from reference.gradient import Place

SCHEMA, SCHEMA_VERSION = "backproof.comparison", 1

LAST_WORDS = 300
"""Characters that are kept of what a check said that gave no report."""


@dataclass(frozen=True)
class Compared:
    """How one target fared. report: that of its check as plain data, None where there is none; error: why there is none, or ""."""

    target: str
    report: Mapping[str, Any] | None = None
    error: str = ""

    @property
    def verdict(self) -> Verdict | None:
        """None where the target could not be checked."""
        return Verdict(self.report["verdict"]) if self.report and not self.report["error"] else None

    @property
    def why(self) -> str:
        """What was found first, or why nothing could be."""
        if self.report is None:
            return self.error
        if self.report["error"]:
            return str(self.report["error"])
        for finding in self.report["findings"]:
            return f"{finding['law'].replace('_', ' ')}: {finding['message'] or _entry(finding['judgement'])}"
        return "; ".join(self.report["notes"])

    @property
    def passed_and_failed(self) -> tuple[int, int]:
        """How many problems it answered rightly, and how many not."""
        counts = ((self.report or {}).get("tally") or {}).get("by", {}).get("depth", [])
        return sum(count.get("passed", 0) for count in counts), sum(count.get("failed", 0) for count in counts)

    @property
    def seconds(self) -> float:
        """How long its check took."""
        return float(self.report["seconds"]) if self.report else 0.0

    def data(self) -> dict[str, Any]:
        """As plain data."""
        passed, failed = self.passed_and_failed
        told = {"target": self.target, "verdict": self.verdict and self.verdict.value, "why": self.why, "problems_passed": passed}
        return {**told, "problems_failed": failed, "seconds": self.seconds, "error": self.error or None, "report": self.report}


def _entry(judgement: Mapping[str, Any]) -> str:
    """The worst entry of a judgement."""
    place = Place(judgement["quantity"], judgement["layer"])
    exact = judgement["exact"][0] if judgement["exact"] else None
    return f"{place}{judgement['index'] or ''} is {judgement['got']}, and {exact} is right"


def targets_of(names: Sequence[str]) -> list[str]:
    """The targets that some names name: of folder/:function that function of each .py file in it. Raises TargetError."""
    targets: list[str] = []
    for name in names:
        folder, _, function = name.rpartition(":")
        if Path(name).is_dir():
            raise TargetError(f"{name!r} is a folder: say which function of each of its files is meant, as {name.rstrip('/')}/:gradient")
        if not (folder and Path(folder).is_dir()):
            targets.append(name)
            continue
        files = sorted(file for file in Path(folder).glob("*.py") if not file.name.startswith("_"))
        if not files:
            raise TargetError(f"there is no .py file in the folder {folder!r}")
        targets += [f"{file}:{function}" for file in files]
    return list(dict.fromkeys(targets))


@dataclass
class _Checks:
    """The processes that run now, so that all of them can be ended."""

    running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: bool = False

    def run(self, target: str, arguments: Sequence[str]) -> Compared:
        command = [sys.executable, "-m", "backproof", "check", target, "--json", "-", *arguments]
        with self.lock:
            if self.ended:
                return Compared(target, error="interrupted before it was asked")
            # a session of its own: Ctrl-C is for us to hand on, and what it leaves behind can be ended with it
            check = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
            self.running.add(check)
        try:
            said, complained = check.communicate()
        finally:
            with self.lock:
                self.running.discard(check)
            end_group(check)
        try:
            return Compared(target, json.loads(said))
        except ValueError:
            words = complained.decode(errors="replace").strip()[-LAST_WORDS:]
            return Compared(target, error=f"its check gave no report (exit code {check.returncode}): {words}")

    def end_all(self) -> None:
        with self.lock:
            self.ended = True
            for check in self.running:
                end_group(check)


def compare(
    targets: Sequence[str], options: Mapping[str, Any], *, jobs: int | None = None, progress: Callable[[str, int, int], None] | None = None
) -> Iterator[Compared]:
    """How each target fares, as soon as it is known, on the same problems.

    options: those of `backproof check`, with a seed, and save, the folder for findings; jobs: how many are checked at a time, None for as
    many as there are processors.
    """
    arguments, checks = [*arguments_of(Door.CHECK_COMMAND, options), "--save", str(options["save"])], _Checks()
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        try:
            waiting = [pool.submit(checks.run, target, arguments) for target in targets]
            for done, one in enumerate(as_completed(waiting), 1):
                if progress:
                    progress("comparing", done, len(targets))
                yield one.result()
        finally:
            checks.end_all()


@dataclass(frozen=True)
class Comparison:
    """How several targets fared on the same problems, in the order in which they were named.

    seed: of the problems; interrupted: whether it was ended from outside, before all were checked.
    """

    targets: tuple[Compared, ...]
    seed: int
    interrupted: bool = False

    def data(self) -> dict[str, Any]:
        """As plain data."""
        return comparison_data(self.targets, self.seed)

    def to_json(self) -> str:
        """As JSON."""
        return dump(self.data())

    def html(self) -> str:
        """As one HTML file: a row for each target, a column for each law."""
        return comparison_html(self.data())

    def markdown(self) -> str:
        """As Markdown: what is shared, and a row for each target."""
        return comparison_markdown(self.data())


def compare_targets(
    targets: Sequence[str],
    *,
    seed: int | None = None,
    jobs: int | None = None,
    save: str | Path = ".backproof",
    progress: Callable[[str, int, int], None] | None = None,
    **options: Any,
) -> Comparison:
    """Several targets, each checked in a process of its own on the same problems.

    targets: names as `backproof check` takes, or "folder/:function" for that function of each .py file in a folder; seed: None for a new
    one; jobs: how many are checked at a time, None for as many as there are processors; save: the folder for findings; progress: told how
    it goes on; options: those of `check`. Ctrl-C gives what is known so far. Raises TargetError and SupportError.
    """
    unknown = [name for name in options if name not in options_of(Door.CHECK_COMMAND)]
    if unknown:
        raise SupportError(f"{unknown[0]} is no option of a comparison: expected {', '.join(options_of(Door.CHECK_COMMAND))}")
    names, seed = targets_of(targets), secrets.randbelow(2**32) if seed is None else seed
    compared, interrupted = {name: Compared(name, error="interrupted before its check had ended") for name in names}, False
    try:
        for one in compare(names, {**options, "seed": seed, "save": save}, jobs=jobs, progress=progress):
            compared[one.target] = one
    except KeyboardInterrupt:
        interrupted = True
    return Comparison(tuple(compared.values()), seed, interrupted)


def comparison_data(compared: Sequence[Compared], seed: int) -> dict[str, Any]:
    """As plain data."""
    return {"schema": SCHEMA, "version": SCHEMA_VERSION, "seed": seed, "targets": [one.data() for one in compared]}
