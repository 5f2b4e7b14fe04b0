"""An answer beside the exact gradient in sigmas: what it is measured by, and what an honest pass does not explain of it."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from properties.judging.in_sigmas import ArrayInSigmas, arrays_in_sigmas
from properties.judging.judgement import AGGREGATE, STATISTICAL, Exact, Judgement
from properties.judging.measures import Measure, Projection, measures, where_outside
from properties.verdict import Verdict
from reference.gradient import Gradient, Place
from rounding.arithmetic import SIGMAS_ALLOWED
from rounding.deviation import Deviation
from rounding.precisions import Precision


@dataclass(frozen=True)
class AnswerInSigmas:
    """The arrays of an answer beside what is exact, in sigmas of an honest pass of one kind.

    deviation, projection: how far such a pass is off, as a rule, in each entry and on the whole; precision: what it computes in.
    """

    arrays: Sequence[ArrayInSigmas]
    deviation: Deviation
    projection: Projection
    precision: Precision

    @cached_property
    def measures(self) -> tuple[Measure, ...]:
        """All by which the answer is judged; entries first."""
        return tuple(measures(self.arrays, self.deviation, self.precision, self.projection))

    @cached_property
    def suspected(self) -> list[Measure]:
        """The measures that are further off than is allowed: those that such a pass does not explain."""
        return [measure for measure in self.measures if measure.is_suspect]

    @cached_property
    def places(self) -> frozenset[Place]:
        """Of which arrays it is."""
        return frozenset(one.place for one in self.arrays)

    @cached_property
    def known(self) -> "AnswerInSigmas":
        """The arrays of which every V is finite."""
        return self._of([one for one in self.arrays if one.known])

    @property
    def blunt(self) -> set[Place]:
        """The derivatives for which zero would pass, and all of which nothing is known.

        What is further off than even such a bound allows is a suspicion like any other.
        """
        off = {measure.place for measure in self.known.suspected}
        derivatives = {one.place for one in self.arrays if one.is_blunt and one.place.quantity in ("weights", "biases")}
        return (derivatives - off) | {one.place for one in self.arrays if not one.known}

    def of(self, places: Collection[Place]) -> "AnswerInSigmas":
        """Some of its arrays."""
        return self._of([one for one in self.arrays if one.place in places])

    def without(self, places: Collection[Place]) -> "AnswerInSigmas":
        """All but some of its arrays."""
        return self._of([one for one in self.arrays if one.place not in places])

    def _of(self, arrays: Sequence[ArrayInSigmas]) -> "AnswerInSigmas":
        # what the measures come to depends on which arrays there are
        return self if len(arrays) == len(self.arrays) else replace(self, arrays=arrays)

    def judgement(self, verdict: Verdict, reason: str = "", judged: int | None = None) -> Judgement:
        """A judgement that shows the entry which is off by most sigma; judged: of how many, if not of all that were compared."""
        worst = max(self.arrays, key=lambda one: math.inf if math.isnan(one.ratio) else one.ratio)
        return Judgement(
            verdict,
            self.precision.name,
            worst.place,
            worst.worst,
            worst.at_worst(worst.got),
            (worst.at_worst(worst.low), worst.at_worst(worst.high)),
            SIGMAS_ALLOWED * worst.unit * math.sqrt(worst.at_worst(worst.variance)),
            sum(one.outside for one in self.arrays),
            self.entries if judged is None else judged,
            STATISTICAL,
            reason,
        )

    def suspicion(self, suspected: Sequence[Measure]) -> Judgement:
        """What is told of some measures that are further off than is allowed."""
        by_entries = [measure.place for measure in suspected if measure.kind == "entries"]
        if by_entries:
            outside = self.of(by_entries)
            return outside.judgement(Verdict.WRONG, where_outside(outside.arrays), self.entries)
        first, name = suspected[0], self.precision.name
        exact = (first.exact, first.exact)
        return Judgement(Verdict.WRONG, name, first.place, (), first.got, exact, first.allowed, 0, self.entries, AGGREGATE, first.reason)

    @property
    def entries(self) -> int:
        """How many there are."""
        return sum(one.got.size for one in self.arrays)


def beside_reference(
    exact: Exact,
    answer: Gradient,
    precision: Precision,
    textbook: frozenset[str] | None = frozenset(),
    *,
    apart: bool = False,
) -> AnswerInSigmas:
    """An answer beside the reference, as an honest pass in a precision explains it.

    textbook: the functions whose textbook formulas that pass may use, None for all; apart: whether no two of its roundings are alike.
    """
    deviation = exact.deviation(precision, answer, textbook, apart=apart)
    arrays = arrays_in_sigmas(answer, exact.by_rows, exact.by_rows, deviation)
    return AnswerInSigmas(arrays, deviation, exact.projection(precision, textbook, apart=apart), precision)
