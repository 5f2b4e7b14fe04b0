"""Settling a suspicion of a float64 answer by ball arithmetic: the reference is no more exact than the target, and may be at fault."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from oracles.balls.enclosure import enclosure
from properties.judging.answer_in_sigmas import AnswerInSigmas
from properties.judging.in_sigmas import ArrayInSigmas, arrays_in_sigmas
from properties.judging.judgement import Exact, Judgement, measured
from properties.judging.measures import LINE_SPREAD
from properties.judging.textbook import explained
from properties.verdict import Verdict
from reference.arrays import AnyArray, Array
from reference.gradient import Gradient, Place
from rounding.arithmetic import SIGMAS_ALLOWED
from rounding.deviation import Deviation
from rounding.precisions import PRECISIONS, Precision

LARGEST_SETTLED = 10_000_000
"""Ball arithmetic is asked about all entries of a network of so many weights, and about some rows of larger ones."""

LARGEST_PASSED = 4_000_000_000
"""Of a network with more weights times samples it is asked nothing: both passes of one that large take minutes."""

ROWS = 64
"""So many rows of each layer's dC/dW are settled where all are too many: suspect ones, and as many that are spread evenly."""


def settle(exact: Exact, answer: Gradient, beside: AnswerInSigmas, suspected: Judgement) -> Judgement:
    """The verdict by ball arithmetic, in place of one of WRONG: inconclusive where the network is too large for it.

    beside: what is judged of the answer beside the reference, from which the suspicion came, whatever formulas are allowed for.
    """
    count = sum(weight.size for weight in exact.problem.weights)
    if count * exact.problem.batch > LARGEST_PASSED:
        large = f"{count:,} weights and {exact.problem.batch:,} samples"
        return _unsettled(suspected, f"{large} are too many for ball arithmetic, which alone could settle it")
    if count <= LARGEST_SETTLED:
        balls = _Balls(exact, beside.precision)
        return _graded(balls, answer, beside.places, balls.judgement(answer, beside.places))
    layers = {one.place.layer: one for one in beside.arrays if one.place.quantity == "weights"}
    suspects = [
        _suspect_rows(layers[layer], averages) if layer in layers else np.arange(0)
        for layer, averages in enumerate(beside.deviation.averages, start=1)
    ]
    rows = [_some_rows(each, len(weight)) for each, weight in zip(suspects, exact.problem.weights, strict=True)]
    balls, answer = _Balls(exact, beside.precision, rows), _of_rows(answer, rows)
    judgement = balls.judgement(answer, beside.places)
    if judgement.verdict is Verdict.WRONG and judgement.bound == suspected.bound:
        return suspected
    all_asked = all(len(each) <= ROWS for each in suspects)
    by_rows_alone = all(measure.kind in ("entries", "row") for measure in beside.suspected)
    if judgement.verdict is Verdict.WRONG or (judgement.verdict is Verdict.RIGHT and not (all_asked and by_rows_alone)):
        how = "are as they should be" if judgement.verdict is Verdict.RIGHT else "show something else"
        asked = f"{sum(map(len, rows)):,} rows that ball arithmetic was asked for {how}"
        return _unsettled(suspected, f"{asked}, and all rows of {count:,} weights are too many for it")
    place, index = judgement.place, judgement.index
    if place and place.layer and place.quantity == "weights":
        index = (int(rows[place.layer - 1][index[0]]), *index[1:])
    return _graded(balls, answer, beside.places, replace(judgement, index=index, judged=suspected.judged))


def audited_by_sigma(exact: Exact, answer: Gradient, precision: Precision) -> Judgement:
    """A right answer of any precision beside ball arithmetic; one of WRONG is a suspicion."""
    return _Balls(exact, precision).judgement(answer, {place for place, _ in answer.arrays()}, exact.deviation(PRECISIONS["float64"]))


class _Balls:
    """The enclosure of the exact gradient of a problem, with every slope that is legal in a precision.

    rows: those of each dC/dW that it holds, None for all.
    """

    def __init__(self, exact: Exact, precision: Precision, rows: list[AnyArray] | None = None) -> None:
        self.exact, self.precision, self.rows = exact, precision, rows
        self.enclosure = enclosure(exact.problem, _reach(exact.deviation(precision, None, None)), rows)

    def beside(self, answer: Gradient, deviation: Deviation, textbook: frozenset[str] | None) -> AnswerInSigmas:
        """An answer, with its rows alone, beside what is enclosed, as an honest pass with such textbook formulas explains it."""
        deviation = replace(deviation, variance=self._held(deviation.variance))
        arrays = arrays_in_sigmas(answer, self.enclosure.lower, self.enclosure.upper, deviation)
        return AnswerInSigmas(arrays, deviation, self.exact.projection(self.precision, textbook), self.precision)

    def judgement(self, answer: Gradient, places: Collection[Place], own_deviation: Deviation | None = None) -> Judgement:
        """The verdict on what is judged of an answer, which the reference's own gradient must stand as well.

        answer: with its rows alone; places: the arrays that are judged; own_deviation: the reference's, where its precision is another one.
        """
        deviation = self.exact.deviation(self.precision, None, None)
        own = self._held(self.exact.by_rows)
        of_own = {one.place: one for one in self.beside(own, own_deviation or deviation, None).arrays}
        if any(one.outside for one in of_own.values()):
            # only beyond what is certain of it is it at fault
            certain = self._held(self.exact.own_bound_with_jumps)
            entries = list(measured(own, self.enclosure.lower, self.enclosure.upper, certain))
            if any((entry.outside & of_own[entry.place].mask).any() for entry in entries):
                return Judgement.of_disagreement(entries, self.precision)
        beside = self.beside(answer, deviation, None).of(places)
        return beside.suspicion(beside.suspected) if beside.suspected else beside.judgement(Verdict.RIGHT)

    def _held(self, gradient: Gradient) -> Gradient:
        return _of_rows(gradient, self.rows) if self.rows else gradient


def _graded(balls: _Balls, answer: Gradient, places: Collection[Place], judgement: Judgement) -> Judgement:
    """A judgement of what textbook formulas were allowed for: right only if accurate ones explain it too, else lossy."""
    exact = balls.exact
    names = exact.textbook_activations
    if judgement.verdict is not Verdict.RIGHT or not names:
        return judgement
    if not balls.beside(answer, exact.deviation(balls.precision, answer), frozenset()).of(places).known.suspected:
        return judgement
    return explained(replace(judgement, verdict=Verdict.LOSSY), exact, [[name] for name in names])


def _reach(deviation: Deviation) -> list[Array]:
    """How far each pre-activation may be off, by layer: a kink within it may be passed on either side."""
    variances = deviation.variance.pre_activations or ()
    return [SIGMAS_ALLOWED * deviation.unit * np.sqrt(variance, dtype=np.float64) for variance in variances]


def _unsettled(suspected: Judgement, reason: str) -> Judgement:
    """Inconclusive; but what is far off is wrong all the same."""
    # a reference that is as near to the exact numbers as is allowed leaves the answer outside
    if suspected.distance > 2 * suspected.allowed:
        return suspected
    return replace(suspected, verdict=Verdict.INCONCLUSIVE, reason=f"a suspicion that can not be settled: {suspected.reason}; {reason}")


def _suspect_rows(one: ArrayInSigmas, averages: bool) -> AnyArray:
    """The numbers of the rows that have an entry outside, or, where errors average out, too large ones on the whole."""
    outside = one.mask.any(axis=1) if one.outside else np.zeros(len(one.rows), dtype=bool)
    return np.flatnonzero(outside | (averages & (one.rows > LINE_SPREAD)))


def _some_rows(suspects: AnyArray, of: int) -> AnyArray:
    """Up to ROWS suspect rows, and up to ROWS of all, both spread evenly."""
    return np.union1d(*(some[np.linspace(0, len(some) - 1, min(len(some), ROWS)).astype(int)] for some in (suspects, np.arange(of))))


def _of_rows(gradient: Gradient, rows: list[AnyArray]) -> Gradient:
    """A gradient with some rows of each dC/dW alone."""
    return replace(gradient, weights=[weight[some] for weight, some in zip(gradient.weights, rows, strict=True)])
