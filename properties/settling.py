"""Settling a suspicion of a float64 answer by ball arithmetic: the reference is no more exact than the target, and may be at fault."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from oracles.balls import Enclosure, enclosure
from properties.comparison import LINE_SPREAD, Comparison, aggregates, comparisons, judgement_by_sigma, suspicion
from properties.judgement import Exact, Judgement, measured
from properties.verdict import Verdict
from reference.arrays import AnyArray
from reference.model import MULTIPLE
from reference.precisions import PRECISIONS, Precision
from reference.problem import Gradient
from reference.variance import Deviation

LARGEST_SETTLED = 10_000_000
"""Ball arithmetic is asked about all entries of a network of so many weights, and about some rows of larger ones."""

LARGEST_PASSED = 4_000_000_000
"""Of a network with more weights times samples it is asked nothing: both passes of one that large take minutes."""

LIKE_OURS = 2.0
"""An honest answer may be off by so many times as much as the reference is: sigma is raised where the reference shows it too small."""

MOST_RAISED = 8.0
"""Up to here what would be wrong without it is right, and beyond inconclusive: a reference so far off tells little of others."""

ROWS = 64
"""So many rows of each layer's dC/dW are settled where all are too many: suspect ones, and as many that are spread evenly."""


def settled(exact: Exact, answer: Gradient, precision: Precision, compared: list[Comparison], suspected: Judgement) -> Judgement:
    """The verdict by ball arithmetic, in place of one of WRONG: inconclusive where the network is too large for it.

    compared: the answer beside the reference, from which the suspicion came.
    """
    count = sum(weight.size for weight in exact.problem.weights)
    if count * exact.problem.batch > LARGEST_PASSED:
        large = f"{count:,} weights and {exact.problem.batch:,} samples"
        return _unsettled(suspected, f"{large} are too many for ball arithmetic, which alone could settle it")
    found = exact.deviation(precision)
    near = [MULTIPLE * found.unit * np.sqrt(variance, dtype=np.float64) for variance in found.variance.pre_activations or ()]
    if count <= LARGEST_SETTLED:
        return _held_against(enclosure(exact.problem, near), exact.by_rows, answer, found, precision, lambda: exact.own_bound_with_jumps)
    layers = [one for one in compared if one.place.quantity == "weights"]
    suspects = [_suspect_rows(one, averages) for one, averages in zip(layers, found.averages, strict=True)]
    rows = [_some_rows(each, len(weight)) for each, weight in zip(suspects, exact.problem.weights, strict=True)]
    own, given, variance = (_of_rows(gradient, rows) for gradient in (exact.by_rows, answer, found.variance))
    found_of_rows = replace(found, variance=variance)
    balls = enclosure(exact.problem, near, rows)
    judgement = _held_against(balls, own, given, found_of_rows, precision, lambda: _of_rows(exact.own_bound_with_jumps, rows))
    if judgement.verdict is Verdict.WRONG and judgement.bound == suspected.bound:
        return suspected
    all_asked = all(len(each) <= ROWS for each in suspects)
    by_rows_alone = all(whole.kind == "row" for whole in aggregates(compared, found, precision) if whole.is_suspect)
    if judgement.verdict is Verdict.WRONG or (judgement.verdict is Verdict.RIGHT and not (all_asked and by_rows_alone)):
        how = "are as they should be" if judgement.verdict is Verdict.RIGHT else "show something else"
        asked = f"{sum(map(len, rows)):,} rows that ball arithmetic was asked for {how}"
        return _unsettled(suspected, f"{asked}, and all rows of {count:,} weights are too many for it")
    place, index = judgement.place, judgement.index
    if place and place.layer and place.quantity == "weights":
        index = (int(rows[place.layer - 1][index[0]]), *index[1:])
    return replace(judgement, index=index, judged=suspected.judged)


def audited_by_sigma(exact: Exact, answer: Gradient, precision: Precision) -> Judgement:
    """A right answer of any precision beside ball arithmetic; one of WRONG is a suspicion."""
    found, own_found = exact.deviation(precision), exact.deviation(PRECISIONS["float64"])
    near = [MULTIPLE * found.unit * np.sqrt(variance, dtype=np.float64) for variance in found.variance.pre_activations or ()]
    balls = enclosure(exact.problem, near)
    return _held_against(balls, exact.by_rows, answer, found, precision, lambda: exact.own_bound_with_jumps, own_found)


def _held_against(
    balls: Enclosure,
    own: Gradient,
    answer: Gradient,
    found: Deviation,
    precision: Precision,
    certain: Callable[[], Gradient],
    own_found: Deviation | None = None,
) -> Judgement:
    """The verdict by ball arithmetic, which the reference's own gradient must stand as well.

    certain: how far the reference may be off in the worst case: only beyond that it is at fault. own_found: its deviation, where its
    precision is another one.
    """
    of_own = {one.place: one for one in comparisons(own, balls.lower, balls.upper, own_found or found)}
    if any(one.outside for one in of_own.values()):
        entries = list(measured(own, balls.lower, balls.upper, certain()))
        if any((entry.outside & of_own[entry.place].mask).any() for entry in entries):
            return Judgement.of_disagreement(entries, precision)
    compared = list(comparisons(answer, balls.lower, balls.upper, found))
    if suspicion(compared, found, precision) is None:
        return judgement_by_sigma(Verdict.RIGHT, compared, precision)
    # the reference is an honest pass itself: where its own error shows that sigma is too small, an answer may be off by as much
    raises = [LIKE_OURS / MULTIPLE * of_own[one.place].ratio * of_own[one.place].unit / one.unit for one in compared]
    compared = [_raised(one, by) if by > 1 else one for one, by in zip(compared, raises, strict=True)]
    if suspected := suspicion(compared, found, precision):
        return suspected
    worst = max(of_own.values(), key=lambda one: one.ratio)
    reason = f"the reference itself is off by {worst.ratio:.3g} sigma in {worst.place}"
    verdict = Verdict.RIGHT if max(raises) <= MOST_RAISED else Verdict.INCONCLUSIVE
    return judgement_by_sigma(verdict, compared, precision, reason)


def _raised(one: Comparison, by: float) -> Comparison:
    """A comparison in which sigma is so many times as large."""
    unit, ratio, zero = one.unit * by, one.ratio / by, one.zero / by
    raised = replace(one, unit=unit, ratio=ratio, zero=zero, rows=one.rows / by, columns=one.columns / by)
    return replace(raised, outside=int(raised.mask.sum()) if one.outside else 0)


def _unsettled(suspected: Judgement, reason: str) -> Judgement:
    """Inconclusive; but what is far off is wrong all the same."""
    # a reference that is as near to the exact numbers as is allowed leaves the answer outside
    if suspected.distance > 2 * suspected.allowed:
        return suspected
    return replace(suspected, verdict=Verdict.INCONCLUSIVE, reason=f"a suspicion that can not be settled: {suspected.reason}; {reason}")


def _suspect_rows(one: Comparison, averages: bool) -> AnyArray:
    """The numbers of the rows that have an entry outside, or, where errors average out, too large ones on the whole."""
    outside = one.mask.any(axis=1) if one.outside else np.zeros(len(one.rows), dtype=bool)
    return np.flatnonzero(outside | (averages & (one.rows > LINE_SPREAD)))


def _some_rows(suspects: AnyArray, of: int) -> AnyArray:
    """Up to ROWS suspect rows, and up to ROWS of all, both spread evenly."""
    return np.union1d(*(some[np.linspace(0, len(some) - 1, min(len(some), ROWS)).astype(int)] for some in (suspects, np.arange(of))))


def _of_rows(gradient: Gradient, rows: list[AnyArray]) -> Gradient:
    """A gradient with some rows of each dC/dW alone."""
    return replace(gradient, weights=[weight[some] for weight, some in zip(gradient.weights, rows, strict=True)])
