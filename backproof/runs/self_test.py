"""The suite tests itself: each fault of the table is put to a check at its defaults, as a target would be."""

from collections.abc import Callable
from dataclasses import dataclass

from backproof.runs.check import check
from properties.diagnosis.expected_of_faults import is_placed, said_of_cause
from properties.faults.fault import Fault
from properties.verdict import Verdict
from reference.problem import Problem


@dataclass(frozen=True)
class Tested:
    """How one fault fared.

    caught: whether a check finds it, under the problems that it shows in; by_defaults: whether one finds it that is told no limits;
    placed: whether the place is right; cause: what is said of its cause, "right", "equal", "same numbers", "none" or "other";
    calls: how often it was asked; seconds: how long the check took.
    """

    name: str
    caught: bool
    by_defaults: bool
    placed: bool
    cause: str
    calls: int
    seconds: float


def tested(fault: Fault, seed: int) -> Tested:
    """A check of a fault, under its own supports, precision and strictness; of one with any of these another one without them."""
    calls: list[Problem] = []
    planted = fault.target

    def target(problem: Problem) -> object:
        calls.append(problem)
        return planted(problem)

    target.supports = dict(fault.supports)  # type: ignore[attr-defined]
    report = check(target, seed=seed, strict=fault.lossy, precision=fault.precision, shrink_seconds=1.0)
    caught = any(finding.verdict is not Verdict.LOSSY or fault.lossy for finding in report.findings)
    diagnoses = report.findings[0].diagnoses if report.findings else ()
    limited = bool(fault.supports or fault.precision or fault.lossy)
    seen = _by_defaults(fault, seed) if limited else caught
    placed = bool(diagnoses) and is_placed(diagnoses[0], fault)
    return Tested(fault.name, caught, seen, placed, said_of_cause(diagnoses, fault), len(calls), report.seconds)


def _by_defaults(fault: Fault, seed: int) -> bool:
    """Whether a check that knows no limits sees it: of one that raises where it is not meant to be asked, nothing is seen."""
    planted = fault.answering()
    planted.supports = None  # type: ignore[attr-defined]
    planted.precision = None  # type: ignore[attr-defined]
    return not check(planted, seed=seed, shrink_seconds=0.0, no_diagnosis=True).passed


def all_tested(faults: dict[str, Fault], seed: int, told: Callable[[Tested], None]) -> list[Tested]:
    """All of them, each told when it is done."""
    found = []
    for fault in faults.values():
        found.append(tested(fault, seed))
        told(found[-1])
    return found
