"""Laws of a layer by itself: what its gradient is to the upstream gradient that comes from above. They need no oracle.

All but one need the loss `upstream`, C_0 = sum_j y_j a_j, where y is the upstream gradient dC/da, or a sum over samples with weights, which
are the upstream gradient of each sample's C_0.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from properties.judging.judge import judge
from properties.judging.judgement import Exact
from properties.laws.law import HELD, Case, NotAnswered, NotPosable, Outcome, broken
from properties.laws.of_samples import share_of
from properties.laws.posing import Entries, Side, agree, first, pose, samples, times, total, zeros_like
from properties.verdict import Verdict
from reference.arrays import Array
from reference.gradient import Place
from reference.problem import Problem


def it_is_linear_in_the_upstream_gradient(case: Case) -> Outcome:
    """The gradient by minus twice the upstream gradient is minus twice the gradient; that of a sum of two is the sum of both.

    Cannot see: what is wrong with every upstream gradient alike, as one number that is read for all. Needs: the loss upstream, or a sum
    over samples with weights, which are doubled.
    """
    upstream = _of_a_layer(case)
    numbers = upstream.numbers
    if np.abs(numbers).max() > case.precision.largest / 4:
        raise NotPosable("its upstream gradient is too large to be doubled")
    given = _derivatives(first(case).given)
    turned = pose(case, upstream.put(upstream.factor * numbers))
    outcome = agree(
        _derivatives(turned.given),
        times(upstream.factor, given),
        f"{upstream.factor:g} times the upstream gradient does not give {upstream.factor:g} times the gradient",
    )
    if outcome is not HELD:
        return outcome
    # every other entry, as on a chess-board: exact parts of an exact sum
    black = np.add.outer(*map(np.arange, numbers.shape)) % 2 == 0
    parts = [pose(case, upstream.put(np.where(half, numbers, 0.0))) for half in (black, ~black)]
    return agree(
        total(_derivatives(part.given) for part in parts),
        given,
        "the gradient is not the sum of those by two parts of the upstream gradient",
    )


def each_sample_has_its_own_upstream_gradient(case: Case) -> Outcome:
    """Where the upstream gradient of all samples but one is 0, the gradient is that of this sample alone, and its dC/dx is the only one.

    Cannot see: entries of one sample that are taken for one another. Needs: the loss upstream, or a sum over samples with weights; two
    samples.
    """
    upstream, problem = _of_a_layer(case), case.problem
    if problem.batch < 2:
        raise NotPosable("it needs two samples")
    # not the first, whose number is the one that is read for all
    chosen = 1 + int(np.argmax(np.abs(upstream.numbers[1:]).max(axis=1)))
    if not upstream.numbers[chosen].any():
        raise NotPosable("it needs an upstream gradient that is not 0")
    rows = np.arange(problem.batch)[:, None] == chosen
    only = pose(case, upstream.put(np.where(rows, upstream.numbers, 0.0)))
    alone = pose(case, samples(problem, [chosen]))
    share, place = share_of(problem, alone.problem), Place("x", None)
    left, right = dict(only.side), times(share, alone.side)
    if place in only.given and place in alone.given:
        left[place] = only.given[place]
        right[place] = _spread(alone.given[place].scaled(share), zeros_like(only.given[place]), chosen)
    return agree(left, right, f"with the upstream gradient of sample {chosen} alone, the gradient is not that of the sample alone")


def an_empty_batch_has_no_gradient(case: Case) -> Outcome:
    """The gradient of a batch without samples is 0, in the shape of the weights.

    Cannot see: numbers of any sample. Needs: a target that takes a batch of no samples.
    """
    if not case.support.empty_batch:
        raise NotPosable("the target does not say that a batch may have no samples")
    problem = case.problem
    if problem.reduction != "sum" or problem.penalty is not None:
        raise NotPosable("it needs a sum over samples, without a penalty")
    empty = samples(problem, [])
    answer = case.ask(empty)
    if answer.declined:
        raise NotPosable(answer.message)
    if answer.gradient is None:
        raise NotAnswered(answer)
    judgement = judge(Exact(empty), answer.gradient, case.precision)
    return HELD if judgement.passed else broken(judgement.verdict, judgement.reason, judgement)


def an_expanded_upstream_gradient_is_read_as_it_is(case: Case) -> Outcome:
    """An upstream gradient, or an input, of equal numbers that stand in memory once, with a stride of 0, gives what they give one by one.

    Cannot see: arrays of other numbers, and a target that refuses them with an error. Needs: the loss upstream, or a sum over samples with
    weights, and an answer that is not wrong. A gradient that goes back from a sum comes so.
    """
    upstream = _of_a_layer(case)
    if case.judgement.verdict is Verdict.WRONG:
        raise NotPosable("the answer is wrong in any layout")
    refused, ways = 0, _with_equal_numbers(case.problem, upstream)
    for way, even in ways.items():
        try:
            plain = pose(case, even)
        except NotPosable:
            if way == OF_INPUTS:  # the samples are others
                refused += 1
                continue
            raise
        answer = case.ask(even, "expanded")
        if answer.gradient is None:
            refused += 1
            continue
        # NaN stands beside the numbers, and comes of whoever reads there
        for place, array in answer.gradient.arrays():
            read, right = np.asarray(array, dtype=np.float64), plain.given[place]
            off = ~np.isfinite(read) & np.isfinite(right.values)
            if off.any():
                index = [int(i) for i in np.argwhere(off)[0]]
                said = f"{place}{index} is {float(read[tuple(index)])!r} in place of {float(right.values[tuple(index)])!r}"
                return broken(Verdict.NONFINITE, f"{_EXPANDED} ({way}): {said}")
        given = {
            place: Entries(np.asarray(array, dtype=np.float64), plain.given[place].allowed) for place, array in answer.gradient.arrays()
        }
        outcome = agree(given, plain.given, f"{_EXPANDED} ({way})")
        if outcome is not HELD:
            return outcome
    if refused == len(ways):
        raise NotPosable("the target refuses expanded inputs")
    return HELD


_EXPANDED = "an array with a stride of 0 is read as if it were contiguous"

OF_INPUTS = "one input for all samples"


def _with_equal_numbers(problem: Problem, upstream: "_Upstream") -> dict[str, Problem]:
    """By what is the same in them: problems whose upstream gradient, or whose inputs, are so."""
    y, x = upstream.numbers, problem.x
    ways = {
        "one upstream number for all": np.full_like(y, y.flat[np.argmax(np.abs(y))]),
        "one upstream number for each sample": np.repeat(y[:, :1], y.shape[1], axis=1),
        "one row of the upstream gradient for all samples": np.repeat(y[:1], len(y), axis=0),
    }
    posed = {way: upstream.put(numbers) for way, numbers in ways.items()}
    if problem.batch > 1:
        posed[OF_INPUTS] = problem.replaced(x=np.repeat(x[[np.argmax(np.abs(x).max(axis=1))]], len(x), axis=0))
    return posed


@dataclass(frozen=True)
class _Upstream:
    """The upstream gradient of a problem: numbers (batch, n_L), or (batch, 1); put: the problem with others; factor: that is tried."""

    numbers: Array
    put: Callable[[Array], Problem]
    factor: float


def _of_a_layer(case: Case) -> _Upstream:
    problem, weights = case.problem, case.problem.sample_weights
    if problem.loss == "upstream":
        return _Upstream(problem.y, lambda numbers: problem.replaced(y=numbers), -2.0)
    if weights is not None and problem.reduction == "sum":
        return _Upstream(weights[:, None], lambda numbers: problem.replaced(sample_weights=numbers[:, 0]), 2.0)
    raise NotPosable("it needs the loss upstream, or a sum over samples with weights")


def _derivatives(side: Side) -> Side:
    """What is linear in the upstream gradient: all but z and a."""
    return {place: entries for place, entries in side.items() if place.quantity not in ("pre_activations", "activations")}


def _spread(row: Entries, nothing: Entries, at: int) -> Entries:
    """One row among rows of nothing."""

    def spread(array: Array) -> Array:
        whole = np.zeros_like(nothing.values)
        whole[at] = array[0]
        return whole

    return row.mapped(spread)
