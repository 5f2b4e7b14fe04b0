"""Settling a suspicion of a float64 answer by ball arithmetic: the reference is no more exact than the target, and may be at fault."""

from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np

from oracles.balls.enclosure import Enclosure, enclosure
from properties.judging.in_sigmas import ArrayInSigmas, arrays_in_sigmas
from properties.judging.judgement import Exact, Judgement, measured
from properties.judging.measures import LINE_SPREAD, Projection, judgement_by_sigma, suspected_of, suspicion
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


def settle(exact: Exact, answer: Gradient, precision: Precision, compared: list[ArrayInSigmas], suspected: Judgement) -> Judgement:
    """The verdict by ball arithmetic, in place of one of WRONG: inconclusive where the network is too large for it.

    compared: what is judged of the answer beside the reference, from which the suspicion came, whatever formulas are allowed for.
    """
    count = sum(weight.size for weight in exact.problem.weights)
    if count * exact.problem.batch > LARGEST_PASSED:
        large = f"{count:,} weights and {exact.problem.batch:,} samples"
        return _unsettled(suspected, f"{large} are too many for ball arithmetic, which alone could settle it")
    found = exact.deviation(precision, None, None)
    near = _reach(found)
    places, projection = {one.place for one in compared}, exact.projection(precision, None)
    if count <= LARGEST_SETTLED:
        balls = enclosure(exact.problem, near)
        judgement = _held_against(balls, exact.by_rows, answer, found, precision, projection, places, lambda: exact.own_bound_with_jumps)
        return _graded(exact, answer, exact.deviation(precision, answer), precision, balls, places, judgement)
    layers = {one.place.layer: one for one in compared if one.place.quantity == "weights"}
    suspects = [
        _suspect_rows(layers[layer], averages) if layer in layers else np.arange(0)
        for layer, averages in enumerate(found.averages, start=1)
    ]
    rows = [_some_rows(each, len(weight)) for each, weight in zip(suspects, exact.problem.weights, strict=True)]
    own, given, variance = (_of_rows(gradient, rows) for gradient in (exact.by_rows, answer, found.variance))
    found_of_rows = replace(found, variance=variance)
    balls = enclosure(exact.problem, near, rows)
    judgement = _held_against(
        balls, own, given, found_of_rows, precision, projection, places, lambda: _of_rows(exact.own_bound_with_jumps, rows)
    )
    if judgement.verdict is Verdict.WRONG and judgement.bound == suspected.bound:
        return suspected
    all_asked = all(len(each) <= ROWS for each in suspects)
    by_rows_alone = all(measure.kind in ("entries", "row") for measure in suspected_of(compared, found, precision, projection))
    if judgement.verdict is Verdict.WRONG or (judgement.verdict is Verdict.RIGHT and not (all_asked and by_rows_alone)):
        how = "are as they should be" if judgement.verdict is Verdict.RIGHT else "show something else"
        asked = f"{sum(map(len, rows)):,} rows that ball arithmetic was asked for {how}"
        return _unsettled(suspected, f"{asked}, and all rows of {count:,} weights are too many for it")
    place, index = judgement.place, judgement.index
    if place and place.layer and place.quantity == "weights":
        index = (int(rows[place.layer - 1][index[0]]), *index[1:])
    accurate = exact.deviation(precision, answer)
    accurate = replace(accurate, variance=_of_rows(accurate.variance, rows))
    return _graded(exact, given, accurate, precision, balls, places, replace(judgement, index=index, judged=suspected.judged))


def _graded(
    exact: Exact,
    answer: Gradient,
    accurate: Deviation,
    precision: Precision,
    balls: Enclosure,
    places: Collection[Place],
    judgement: Judgement,
) -> Judgement:
    """A judgement of what textbook formulas were allowed for: right only if accurate ones explain it too, else lossy."""
    names = exact.textbook_activations()
    if judgement.verdict is not Verdict.RIGHT or not names:
        return judgement
    compared = [one for one in arrays_in_sigmas(answer, balls.lower, balls.upper, accurate) if one.place in places and one.known]
    if not suspected_of(compared, accurate, precision, exact.projection(precision)):
        return judgement
    return explained(replace(judgement, verdict=Verdict.LOSSY), exact, [[name] for name in names])


def audited_by_sigma(exact: Exact, answer: Gradient, precision: Precision) -> Judgement:
    """A right answer of any precision beside ball arithmetic; one of WRONG is a suspicion."""
    found, own_found = exact.deviation(precision, None, None), exact.deviation(PRECISIONS["float64"])
    near = _reach(found)
    balls = enclosure(exact.problem, near)
    projection, places = exact.projection(precision, None), {place for place, _ in answer.arrays()}
    return _held_against(balls, exact.by_rows, answer, found, precision, projection, places, lambda: exact.own_bound_with_jumps, own_found)


def _held_against(
    balls: Enclosure,
    own: Gradient,
    answer: Gradient,
    found: Deviation,
    precision: Precision,
    projection: Projection,
    places: Collection[Place],
    certain: Callable[[], Gradient],
    own_found: Deviation | None = None,
) -> Judgement:
    """The verdict by ball arithmetic on what is judged of an answer, which the reference's own gradient must stand as well.

    places: the arrays that are judged; certain: how far the reference may be off in the worst case: only beyond that it is at fault.
    own_found: its deviation, where its precision is another one.
    """
    of_own = {one.place: one for one in arrays_in_sigmas(own, balls.lower, balls.upper, own_found or found)}
    if any(one.outside for one in of_own.values()):
        entries = list(measured(own, balls.lower, balls.upper, certain()))
        if any((entry.outside & of_own[entry.place].mask).any() for entry in entries):
            return Judgement.of_disagreement(entries, precision)
    compared = [one for one in arrays_in_sigmas(answer, balls.lower, balls.upper, found) if one.place in places]
    suspected = suspected_of(compared, found, precision, projection)
    return suspicion(suspected, compared, precision) or judgement_by_sigma(Verdict.RIGHT, compared, precision)


def _reach(found: Deviation) -> list[Array]:
    """How far each pre-activation may be off, by layer: a kink within it may be passed on either side."""
    return [SIGMAS_ALLOWED * found.unit * np.sqrt(variance, dtype=np.float64) for variance in found.variance.pre_activations or ()]


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
