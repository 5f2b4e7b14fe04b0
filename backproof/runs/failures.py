"""The ways in which a target fails: of each the problem that tells most, and which of them are worth telling."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from backproof.findings.known_laws import CALLS, EXACT, JUDGES, STATE
from properties.laws.failure_kind import Kind, kind_of
from properties.laws.law import Cadence, Law, Outcome, Status
from properties.verdict import Verdict
from reference.problem import Problem
from rounding.precisions import PRECISIONS


class Way(NamedTuple):
    """A way to fail: a law, a verdict, and the functions that lose digits, if that is why; or of which one does."""

    law: str
    verdict: Verdict
    functions: tuple[str, ...] = ()
    one_of: bool = False

    @staticmethod
    def of(law: Law, outcome: Outcome) -> "Way":
        """The way in which a law fared."""
        judgement = outcome.judgement
        return Way(law.name, outcome.verdict, judgement.functions, judgement.one_of) if judgement else Way(law.name, outcome.verdict)

    def narrows(self, other: "Way") -> bool:
        """Whether it says the same as another, or which of its functions it is."""
        same = self[:2] == other[:2] and self.functions and set(self.functions) <= set(other.functions)
        return self == other or bool(other.one_of and same)


@dataclass
class Failure:
    """One way to fail: the smallest problem of the most telling kind that showed it, its index in the run, and how many did.

    not_wrong_by: the narrower precisions by which none of its answers were wrong; meets: how many were right to one.
    """

    law: Law
    problem: Problem
    outcome: Outcome
    index: int
    kind: Kind
    count: int = 0
    shrunk: str = "not at all"
    not_wrong_by: set[str] = field(default_factory=lambda: set(PRECISIONS))
    meets: int = 0

    @property
    def of_state(self) -> bool:
        """Whether it shows that the target keeps something from call to call, which explains much of what else is seen."""
        return self.law.name in STATE and self.outcome.verdict in (Verdict.UNSTABLE, Verdict.IMPURE)

    @property
    def disagreement(self) -> bool:
        """Whether the reference and ball arithmetic disagree: no fault of the target."""
        return self.outcome.judgement is not None and self.outcome.judgement.disagreement

    def add(self, problem: Problem, outcome: Outcome, index: int, kind: Kind) -> None:
        """Count a problem that shows it, and keep it if it tells more than the one before."""
        self.count += 1
        if outcome.judgement is not None:
            self.not_wrong_by &= set(outcome.judgement.not_wrong_by)
            self.meets += bool(outcome.judgement.meets)
        if kind.tells_more(self.kind) or (problem.size < self.problem.size and not self.kind.tells_more(kind)):
            self.problem, self.outcome, self.index, self.kind = problem, outcome, index, kind


@dataclass
class Failures:
    """What failed in a run, or is lossy. strict: whether what is lossy fails too."""

    strict: bool
    by_way: dict[Way, Failure] = field(default_factory=dict)

    def fails(self, outcome: Outcome) -> bool:
        """Whether the run fails by this."""
        return outcome.status is Status.BROKEN or (self.strict and outcome.verdict is Verdict.LOSSY)

    @property
    def may_meet_narrower(self) -> bool:
        """Whether all answers that were wrong so far may yet be right to one narrower precision."""
        wrong = self.by_way.get(Way(JUDGES, Verdict.WRONG))
        return wrong is None or bool(wrong.not_wrong_by)

    def keep(self, law: Law, problem: Problem, outcome: Outcome, index: int) -> Failure:
        """Add a problem to those that fail in the same way."""
        kind = kind_of(problem, outcome.judgement)
        failure = self.by_way.setdefault(Way.of(law, outcome), Failure(law, problem, outcome, index, kind))
        failure.add(problem, outcome, index, kind)
        return failure

    def told(self) -> dict[Way, Failure]:
        """What is worth telling: the same mistake once, by the law that says most of it.

        Where numbers are wrong beyond rounding, that they are off where nothing rounds says no more; where two calls differ, numbers and
        laws that ask further problems say nothing; where single problems show a verdict, laws that pose related ones say no more of it;
        where something fails, what is merely lossy says nothing; and a lossy answer of two functions says nothing where each is lossy by
        itself, or of one of some where one is.
        """
        failing = {way: failure for way, failure in self.by_way.items() if self.fails(failure.outcome)}
        if any(failure.of_state for failure in failing.values()):
            failing = {way: failure for way, failure in failing.items() if failure.of_state or not self._may_come_of_state(way, failure)}
        if CALLS in {way.law for way in failing}:
            failing = {way: failure for way, failure in failing.items() if way.law == CALLS or way.law not in STATE}
        if all(way.verdict is Verdict.LOSSY for way in failing):
            return self._lossy()
        if any(way.law == JUDGES and way.verdict in (Verdict.WRONG, Verdict.NONFINITE) for way in failing):
            failing = {way: failure for way, failure in failing.items() if way.law != EXACT}
        of_bits = {way for way in failing if way.law == EXACT}
        by_itself = {way.verdict for way, failure in failing.items() if failure.law.cadence is not Cadence.ROTATED and way not in of_bits}
        if Verdict.NONFINITE in by_itself:
            by_itself.add(Verdict.WRONG)
        return self._of(
            way for way, failure in failing.items() if failure.law.cadence is not Cadence.ROTATED or way.verdict not in by_itself
        )

    @staticmethod
    def _may_come_of_state(way: Way, failure: Failure) -> bool:
        """Whether what is kept from call to call may be all that is wrong there."""
        return failure.law.cadence is Cadence.ROTATED or way.verdict in (Verdict.WRONG, Verdict.NONFINITE, Verdict.LOSSY)

    def _lossy(self) -> dict[Way, Failure]:
        """Of which function it is shrinking may know more."""
        now = {way: Way.of(failure.law, failure.outcome) for way, failure in self.by_way.items()}
        alone = {each.functions[0] for each in now.values() if len(each.functions) == 1}
        more = [way for way, each in now.items() if not (alone.intersection if each.one_of else alone.issuperset)(each.functions)]
        first = {each: way for way, each in reversed(now.items()) if len(each.functions) < 2}
        return self._of(way for way in self.by_way if way in more or way in first.values())

    def _of(self, ways: Iterable[Way]) -> dict[Way, Failure]:
        return {way: self.by_way[way] for way in ways}
