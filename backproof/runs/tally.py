"""A tally: what a run has counted, as a value that adds up with those of other runs."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from backproof.findings.report import LawCount
from properties.judging.judgement import Judgement, Unjudged
from properties.laws.law import Law, Outcome, Status
from properties.verdict import Verdict
from reference.gradient import Place
from reference.problem import Problem
from rounding.precisions import PRECISIONS

REASONS = 20
"""So many different reasons are kept why a law did not apply."""


@dataclass
class Tally:
    """What is counted of the problems that a target was asked.

    laws: by name, how each fared; examples: problems that were posed; judged: those whose gradient was judged; judged_by: answers, by
    the precision that they were judged by; doubts: problems of which nothing can be said, by the precision in which they would be
    wrong; places: the layers' dC/dW and dC/db that were judged in some problem; reasons: why others, or the same, could not be in one;
    notes: what else a reader should know.
    """

    laws: dict[str, LawCount]
    examples: int = 0
    judged: int = 0
    judged_by: Counter[str] = field(default_factory=Counter)
    doubts: Counter[str] = field(default_factory=Counter)
    places: set[Place] = field(default_factory=set)
    reasons: dict[Place, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def count(self, law: Law, outcome: Outcome, fails: bool) -> None:
        """Count how a law fared on one problem; fails: whether that fails the run, where a lossy answer may or may not."""
        count = self.laws[law.name]
        if fails:
            count.broken += 1
        elif outcome.status is Status.HELD:
            count.held += 1
        else:
            count.not_applicable += 1
            _count_reasons(count, {outcome.message: 1})

    def count_right(self, laws: Iterable[Law], problem: Problem, precision: str) -> None:
        """Count a problem that was judged, of which all these laws hold."""
        for law in laws:
            self.laws[law.name].held += 1
        self.judged_by[precision] += 1
        self.places.update(_parameters(problem))
        self.examples += 1
        self.judged += 1

    def count_places(self, problem: Problem, judgement: Judgement) -> None:
        """Remember which layers' dC/dW and dC/db were judged, and which could not be."""
        if judgement.verdict is Verdict.INCONCLUSIVE:
            return
        reasons = dict(judgement.unjudged)
        for place in _parameters(problem):
            if place in reasons:
                self.reasons.setdefault(place, reasons[place])
            else:
                self.places.add(place)

    @property
    def unjudged(self) -> tuple[Unjudged, ...]:
        """The layers' dC/dW and dC/db that could be judged in no problem."""
        return tuple(Unjudged(place, reason) for place, reason in self.reasons.items() if place not in self.places)

    @property
    def narrowest(self) -> str:
        """The narrowest precision that the target has answered in, or ""."""
        return next((name for name in reversed(PRECISIONS) if name in self.judged_by), "")

    def merged(self, other: "Tally") -> "Tally":
        """What was counted in two runs together."""
        laws = {name: LawCount() for name in (*self.laws, *other.laws)}
        for name, fared in (*self.laws.items(), *other.laws.items()):
            count = laws[name]
            count.held += fared.held
            count.broken += fared.broken
            count.not_applicable += fared.not_applicable
            _count_reasons(count, fared.reasons)
        return Tally(
            laws,
            self.examples + other.examples,
            self.judged + other.judged,
            self.judged_by + other.judged_by,
            self.doubts + other.doubts,
            self.places | other.places,
            other.reasons | self.reasons,
            self.notes + other.notes,
        )


def _count_reasons(count: LawCount, reasons: Mapping[str, int]) -> None:
    for reason, times in reasons.items():
        if reason in count.reasons or len(count.reasons) < REASONS:
            count.reasons[reason] = count.reasons.get(reason, 0) + times


def _parameters(problem: Problem) -> list[Place]:
    """The places of dC/dW, and of dC/db where there are biases."""
    layers = range(1, problem.depth + 1)
    biases = [Place("biases", layer) for layer in layers if problem.biases[layer - 1] is not None]
    return [*(Place("weights", layer) for layer in layers), *biases]
