"""The replay of all: each saved finding is put to its target again, and told to be fixed or not."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backproof.findings.finding import SCHEMA, Finding
from backproof.findings.saved import load_finding
from backproof.runs.check import check, replay
from backproof.runs.options import limits_in
from backproof.targets.target import TargetError
from properties.laws.table import LawError, OracleError
from properties.problems.limits import SupportError
from properties.verdict import Verdict
from reference.errors import ProblemError

FIXED, FAILED, LOSSY, NOT_ASKED = "FIXED", "FAILED", "LOSSY", "NOT ASKED"
"""What is said of a finding: LOSSY where it is still so, and passes."""

EXAMPLES = 200
"""So many problems a run has by default; one that found something later had more, of which half as many follow."""

CANNOT = (TargetError, SupportError, OracleError, LawError, ProblemError, OSError)


@dataclass(frozen=True)
class Replayed:
    """How one saved finding fared. state: as above; why: what is wrong now, or why it was not asked or not deleted; dropped: whether its
    file was deleted."""

    file: Path
    state: str
    target: str = ""
    law: str = ""
    why: str = ""
    dropped: bool = False

    def data(self) -> dict[str, Any]:
        """As plain data."""
        return vars(self) | {"file": str(self.file), "state": self.state.lower()}


def findings_in(folder: Path) -> list[Path]:
    """The files of a folder that hold findings, or are to: what is of another schema is left out."""
    return [path for path in sorted(folder.glob("*.json")) if _may_be_a_finding(path)]


def _may_be_a_finding(path: Path) -> bool:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError):
        return True  # and what is wrong with it is told
    return not isinstance(data, dict) or data.get("schema", SCHEMA) == SCHEMA


@dataclass
class Replays:
    """The replay of many findings. strict, time_limit, load_limit: as check has them; drop: whether what is fixed is deleted, once its
    law holds on all the problems of the run that found it."""

    strict: bool
    drop: bool
    time_limit: float
    load_limit: float

    def __post_init__(self) -> None:
        # findings of one run ask for the same check
        self._whole: dict[tuple[Any, ...], str] = {}

    def of(self, files: list[Path]) -> Iterator[Replayed]:
        """One after the other."""
        for file in files:
            try:
                yield self._one(file)
            except CANNOT as error:
                yield Replayed(file, NOT_ASKED, why=str(error))

    def _one(self, file: Path) -> Replayed:
        finding = load_finding(file)
        try:
            return self._asked(file, finding)
        except CANNOT as error:
            return Replayed(file, NOT_ASKED, finding.target, finding.law, str(error))

    def _asked(self, file: Path, finding: Finding) -> Replayed:
        again = replay(finding, time_limit=self.time_limit, load_limit=self.load_limit)
        told = file, finding.target, finding.law
        if again is not None:
            state = FAILED if not again.verdict.passes(self.strict) else LOSSY
            return Replayed(told[0], state, told[1], again.law, self._now(again))
        # what is kept from call to call no single problem shows
        still = self._broken_elsewhere(finding) if self.drop or not finding.fresh else ""
        if still and not finding.fresh:
            return Replayed(told[0], FAILED, *told[1:], still)
        if self.drop and not still:
            file.unlink()
        return Replayed(told[0], FIXED, *told[1:], still and f"not deleted: {still}", self.drop and not still)

    @staticmethod
    def _now(again: Finding) -> str:
        if again.message or again.judgement is None:
            return again.message
        return f"{again.judgement.entry} is {again.judgement.got!r}, and {again.judgement.exact[0]!r} is right"

    def _broken_elsewhere(self, finding: Finding) -> str:
        """Where the law of a finding is still broken on the problems of its run, or ""; how it was asked for is in the finding."""
        strict = self.strict or finding.verdict is Verdict.LOSSY
        key = finding.target, finding.law, finding.seed, finding.drawn_by, finding.precision, finding.oracles, strict, finding.index
        if key not in self._whole:
            report = check(
                finding.target,
                seed=finding.seed,
                laws=[finding.law],
                precision=finding.precision,
                oracles=finding.oracles,
                strict=strict,
                max_examples=max(EXAMPLES, finding.index + EXAMPLES // 2),
                no_diagnosis=True,
                shrink_seconds=0.0,
                time_limit=self.time_limit,
                load_limit=self.load_limit,
                **_limits(finding),
            )
            broken = report.laws[finding.law].broken
            still = f"{finding.law} is broken in {broken} of {report.examples} problems of seed {finding.seed}" if broken else ""
            self._whole[key] = still or ("" if report.passed else f"{report.verdict.value}: {report.meaning}")
        return self._whole[key]


def _limits(finding: Finding) -> dict[str, Any]:
    try:
        return limits_in(finding.drawn_by)
    except ValueError as error:
        raise SupportError(str(error)) from None
