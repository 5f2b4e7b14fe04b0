"""Judging by the second-moment bound: for networks at which the worst case is empty.

An alarm is a suspicion: whoever can ask the target again confirms it on a permuted problem with other numbers before it is told.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from properties.comparison import comparisons, judgement_by_sigma, suspicion
from properties.judgement import STATISTICAL, Exact, Judgement
from properties.settling import settled
from properties.values import held_in, rounded
from properties.verdict import Verdict
from reference.arrays import Array
from reference.precisions import Precision
from reference.problem import Gradient, Problem
from reference.rounding import Passes

REAL = 64
"""A network with a layer as wide as this, or a batch as large, is judged by this bound: there it is sharper, and costs less."""

LONGEST_SUM = {"float16": 4096, "bfloat16": 256}
"""Sums of more terms stagnate, which is no random error: nothing is said."""


Pair: TypeAlias = tuple[float, float]


def is_real(problem: Problem) -> bool:
    """Whether a problem is of a size at which this bound serves best."""
    return max(*problem.widths, problem.batch) >= REAL


def judge_by_deviation(exact: Exact, answer: Gradient, precision: Precision) -> Judgement:
    """The verdict of one well-formed answer; one of WRONG is a suspicion."""
    reason = says_nothing(exact, precision)
    if reason:
        return Judgement(Verdict.INCONCLUSIVE, precision.name, reason=reason, bound=STATISTICAL)
    found = exact.deviation(precision, answer)
    compared = list(comparisons(answer, exact.by_rows, exact.by_rows, found))
    if any(one.is_blunt for one in compared if one.place.quantity == "weights"):
        reason = "the second-moment bound is wider than the gradient of a layer: this network is too deep or too wide for the precision"
        return Judgement(Verdict.INCONCLUSIVE, precision.name, reason=reason, bound=STATISTICAL)
    if any(not one.is_finite for one in compared):
        reason = "infinite or NaN, where the exact number is finite and needs no sum or product that leaves the range"
        return judgement_by_sigma(Verdict.NONFINITE, compared, precision, reason)
    judgement = suspicion(compared, found, precision)
    if judgement is None:
        return judgement_by_sigma(Verdict.RIGHT, compared, precision)
    as_held = held_in(exact.problem, precision.name)
    if as_held != exact.problem and all(np.isfinite(precision.held(array)).all() for _, array in exact.problem.arrays()):
        of_held = judge_by_deviation(Exact(as_held), answer, precision)
        if of_held.verdict is Verdict.RIGHT:
            return replace(of_held, reason=f"of the problem with its numbers rounded to {precision.storage}, as the target must have done")
    return settled(exact, answer, precision, compared, judgement) if precision.name == "float64" else judgement


def suspects(exact: Exact, answer: Gradient, precision: Precision) -> bool:
    """Whether an answer is a suspicion, by the reference alone."""
    found = exact.deviation(precision, answer)
    return suspicion(list(comparisons(answer, exact.by_rows, exact.by_rows, found)), found, precision) is not None


def within_deviation(exact: Exact, answer: Gradient, precision: Precision) -> bool:
    """Whether something can be said of an answer in a precision, and it is no suspicion."""
    return not says_nothing(exact, precision) and not suspects(exact, answer, precision)


def posed_again(problem: Problem, precision: Precision) -> Problem:
    """A problem to confirm a suspicion by: nodes, samples and inputs in another order, and other numbers, so that all sums round anew."""
    rng = np.random.default_rng(problem.batch)
    orders = [rng.permutation(n) for n in problem.widths]
    orders[-1] = np.arange(problem.widths[-1])
    samples = rng.permutation(problem.batch)
    weights = [weight[np.ix_(orders[i + 1], orders[i])] for i, weight in enumerate(problem.weights)]
    biases = [None if bias is None else bias[orders[i + 1]] for i, bias in enumerate(problem.biases)]
    x = rounded(problem.x[np.ix_(samples, orders[0])] * 1.015625, precision.name)
    return problem.replaced(weights=weights, biases=biases, x=x, y=problem.y[samples])


def says_nothing(exact: Exact, precision: Precision) -> str:
    """Why nothing can be said of a problem in a precision, or ""."""
    passed, problem = exact.passes, exact.problem
    longest = max(*problem.widths, problem.batch)
    if longest > LONGEST_SUM.get(precision.name, math.inf):
        return f"sums of {longest} terms stagnate in {precision.name}, so that any answer would do"
    forward, back = passed.forward, passed.backward
    arrays = [*forward.pre_activations, *forward.activations, *back.errors, *back.deltas]
    if not all(math.isfinite(squares.sum()) for squares in passed.squares.all) and not all(np.isfinite(array).all() for array in arrays):
        return "a number of the exact passes leaves the range of float64, so that any answer would do"
    share = problem.batch if problem.reduction == "mean" else 1
    if any(2 * max(_largest_sums(passed, share, sizes)) < precision.largest for sizes in (_norms, _longest)):
        return ""
    return f"a needed sum or product may leave the range of {precision.name}, so that any answer would do"


def _largest_sums(passed: Passes, share: int, sizes: Callable[[Passes, int], tuple[Pair, Pair, Pair]]) -> Iterator[float]:
    """How large sums of products may be: at most the product of two norms, along rows or columns.

    sizes: those of a, delta and W of a layer, each of the longest row and the longest column, or more.
    """
    for layer in range(passed.problem.depth):
        a, delta, weight = sizes(passed, layer)
        yield a[0] * weight[0]
        yield delta[0] * weight[1] * share
        yield delta[1] * a[1] * share


def _norms(passed: Passes, layer: int) -> tuple[Pair, Pair, Pair]:
    """Those of the whole matrices, which are known."""
    a, delta = (math.sqrt(squares[layer].sum()) for squares in (passed.squares.activations, passed.squares.deltas))
    weight = passed.weight_norms[layer]
    return (a, a), (delta, delta), (weight, weight)


def _longest(passed: Passes, layer: int) -> tuple[Pair, Pair, Pair]:
    def longest(matrix: Array) -> Pair:
        squared = matrix * matrix
        return math.sqrt(squared.sum(axis=-1).max()), math.sqrt(squared.sum(axis=-2).max())

    return longest(passed.forward.activations[layer]), longest(passed.backward.deltas[layer]), longest(passed.problem.weights[layer])
