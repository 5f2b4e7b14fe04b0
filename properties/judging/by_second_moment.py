"""Judging by the second-moment bound: for networks at which the worst case is empty.

An alarm is a suspicion: whoever can ask the target again confirms it on a permuted problem with other numbers before it is told.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from properties.judging.beside_peers import BesidePeers, beside_peers
from properties.judging.in_sigmas import ArrayInSigmas, arrays_in_sigmas
from properties.judging.judgement import STATISTICAL, Exact, Judgement, Unjudged
from properties.judging.measures import Measure, judgement_by_sigma, suspected_of, suspicion
from properties.judging.settling import settle
from properties.judging.textbook import explained, explanations
from properties.problems.values import held_in, rounded
from properties.verdict import Verdict
from reference.arrays import Array
from reference.gradient import Gradient, Place
from reference.passes import Passes
from reference.problem import Problem
from rounding.precisions import Precision

LARGE = 64
"""A network with a layer as wide as this, or a batch as large, is judged by this bound: there it is sharper, and costs less."""

LONGEST_SUM = {"float16": 4096, "bfloat16": 256}
"""Sums of more terms stagnate, which is no random error: nothing is said."""

TOO_WIDE = "the second-moment bound is wider than the gradient: zero would pass for it"

TEXTBOOK_TOO_WIDE = "textbook formulas would leave no digit of it, and by accurate ones it is off"

Pair: TypeAlias = tuple[float, float]


def is_large(problem: Problem) -> bool:
    """Whether a problem is of a size at which this bound serves best."""
    return max(*problem.widths, problem.batch) >= LARGE


def judge_by_deviation(exact: Exact, answer: Gradient, precision: Precision, *, peers: bool = True) -> Judgement:
    """The verdict of one well-formed answer; one of WRONG is a suspicion.

    peers: whether it is held beside honest passes of our own before it is told.
    """
    reason = says_nothing(exact, precision)
    if reason:
        return Judgement(Verdict.INCONCLUSIVE, precision.name, reason=reason, bound=STATISTICAL)
    compared = _beside_reference(exact, answer, precision)
    if any(not one.is_finite for one in _known(compared)):
        reason = "infinite or NaN, where the exact number is finite and needs no sum or product that leaves the range"
        return judgement_by_sigma(Verdict.NONFINITE, compared, precision, reason)
    suspected = suspected_of(_known(compared), exact.deviation(precision, answer), precision, exact.projection(precision))
    if blunt := _blunt(compared, suspected):
        return _without(exact, answer, precision, compared, blunt, TOO_WIDE, peers)
    return _judged(exact, answer, precision, compared, peers)


def _known(compared: Sequence[ArrayInSigmas]) -> list[ArrayInSigmas]:
    return [one for one in compared if one.known]


def _blunt(compared: Sequence[ArrayInSigmas], suspected: Sequence[Measure]) -> set[Place]:
    """The derivatives for which zero would pass, and all of which nothing is known.

    What is further off than even such a bound allows is a suspicion like any other.
    """
    off = {measure.place for measure in suspected}
    derivatives = {one.place for one in compared if one.is_blunt and one.place.quantity in ("weights", "biases")}
    return (derivatives - off) | {one.place for one in compared if not one.known}


def _without(
    exact: Exact, answer: Gradient, precision: Precision, compared: list[ArrayInSigmas], blunt: set[Place], reason: str, peers: bool
) -> Judgement:
    """The verdict of all else, where nothing can be said of some derivatives."""
    remain = [one for one in compared if one.place not in blunt]
    unjudged = tuple(Unjudged(place, reason) for place in sorted(blunt, key=lambda place: (place.layer or 0, place.quantity)))
    judgement = _judged(exact, answer, precision, remain, peers) if remain else None
    empty = not any(one.place.quantity == "weights" for one in remain)
    if judgement is None or (empty and judgement.verdict in (Verdict.RIGHT, Verdict.LOSSY)):
        return Judgement(Verdict.INCONCLUSIVE, precision.name, reason=f"{reason}, in every layer", bound=STATISTICAL, unjudged=unjudged)
    return replace(judgement, unjudged=unjudged + judgement.unjudged)


def _judged(exact: Exact, answer: Gradient, precision: Precision, compared: list[ArrayInSigmas], peers: bool) -> Judgement:
    """The verdict of what can be judged of an answer: by accurate formulas, by textbook ones, of rounded numbers, beside peers."""
    suspected = suspected_of(compared, exact.deviation(precision, answer), precision, exact.projection(precision))
    if not suspected:
        return judgement_by_sigma(Verdict.RIGHT, compared, precision)
    places = {one.place for one in compared}
    widest = [one for one in _beside_reference(exact, answer, precision, None) if one.place in places]
    found = exact.deviation(precision, answer, None)
    still = suspected_of(_known(widest), found, precision, exact.projection(precision, None))
    if blunt := _blunt(widest, still) & {measure.place for measure in suspected}:
        # by accurate formulas it is off, and textbook ones would leave no digit: nothing is said of that
        return _without(exact, answer, precision, compared, blunt, TEXTBOOK_TOO_WIDE, peers)

    def explains(names: frozenset[str]) -> bool:
        by_textbook = [one for one in _known(_beside_reference(exact, answer, precision, names)) if one.place in places]
        return not suspected_of(by_textbook, exact.deviation(precision, answer, names), precision, exact.projection(precision, names))

    functions = exact.textbook_activations()
    if by := explanations(functions, (1, len(functions)), explains):
        return explained(judgement_by_sigma(Verdict.LOSSY, compared, precision), exact, by)
    suspected = still
    as_held = held_in(exact.problem, precision.name)
    if as_held != exact.problem and all(np.isfinite(precision.held(array)).all() for _, array in exact.problem.arrays()):
        of_held = judge_by_deviation(Exact(as_held), answer, precision, peers=False)
        if of_held.verdict is Verdict.RIGHT and not {measure.place for measure in suspected} & of_held.without:
            return replace(of_held, reason=f"of the problem with its numbers rounded to {precision.storage}, as the target must have done")
    judgement = suspicion(suspected, widest, precision)
    assert judgement is not None
    if precision.name == "float64":
        judgement = settle(exact, answer, precision, widest, judgement)
    if judgement.verdict is not Verdict.WRONG or not peers:
        return judgement
    beside = beside_peers(exact, suspected, widest, found, precision)
    excused = [each for each in beside if each.near]
    remaining = [each.measure for each in beside if not each.near]
    if not remaining:
        return _left_out(exact, widest, excused, precision)
    told = suspicion(remaining, widest, precision) if excused else None
    farthest = max((each for each in beside if not each.near), key=lambda each: each.share)
    worst = f"the worst of our own honest passes ({farthest.peer.name}) comes to {farthest.share:.2g} of what is allowed"
    judgement = told or judgement
    return replace(judgement, reason=f"{judgement.reason}; {worst}", left_out=tuple(map(str, excused)))


def _left_out(exact: Exact, compared: list[ArrayInSigmas], excused: list[BesidePeers], precision: Precision) -> Judgement:
    """The verdict of the measures that remain, where peers are as far off as the answer by all that were suspected."""
    if all(each.textbook for each in excused):
        names = [[name] for name in exact.textbook_activations()]
        lossy = explained(judgement_by_sigma(Verdict.LOSSY, compared, precision), exact, names)
        return replace(lossy, left_out=tuple(map(str, excused)))
    gone: dict[Place, set[str]] = {}
    for each in excused:
        gone.setdefault(each.measure.place, set()).add(each.measure.kind)
    unjudged = [
        place for place, kinds in gone.items() if kinds >= ({"entries", "factor", "layer"} if place.quantity == "weights" else {"entries"})
    ]
    remain = [one for one in compared if one.place not in unjudged]
    said = tuple(Unjudged(place, "honest passes of our own are as far off by every measure") for place in unjudged)
    verdict = Verdict.RIGHT if any(one.place.quantity == "weights" for one in remain) else Verdict.INCONCLUSIVE
    reason = "" if verdict is Verdict.RIGHT else "honest passes of our own are as far off in every layer, by every measure"
    judgement = judgement_by_sigma(verdict, remain or compared, precision, reason)
    return replace(judgement, unjudged=said, left_out=tuple(map(str, excused)))


def _beside_reference(
    exact: Exact, answer: Gradient, precision: Precision, lossy: frozenset[str] | None = frozenset()
) -> list[ArrayInSigmas]:
    return list(arrays_in_sigmas(answer, exact.by_rows, exact.by_rows, exact.deviation(precision, answer, lossy)))


def suspects(exact: Exact, answer: Gradient, precision: Precision, *, peers: bool = False) -> bool:
    """Whether an answer is a suspicion, by the reference alone and by whatever formulas.

    peers: whether it is held beside honest passes of our own too, which may excuse it.
    """
    found = exact.deviation(precision, answer, None)
    compared = _known(_beside_reference(exact, answer, precision, None))
    suspected = suspected_of(compared, found, precision, exact.projection(precision, None))
    return bool(suspected) and not (peers and all(each.near for each in beside_peers(exact, suspected, compared, found, precision)))


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
        ones = math.sqrt(passed.problem.batch) if passed.problem.biases[layer] is not None else 0.0
        yield delta[1] * max(a[1], ones) * share


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
