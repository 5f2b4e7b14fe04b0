"""Judging by the second-moment bound: for networks at which the worst case is empty.

An alarm is a suspicion: whoever can ask the target again confirms it on a permuted problem with other numbers before it is told.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from properties.judging.answer_in_sigmas import AnswerInSigmas, beside_reference
from properties.judging.beside_peers import BesidePeers, beside_framework, beside_peers
from properties.judging.by_worst_case import beyond_worst_case
from properties.judging.judgement import STATISTICAL, Exact, Judgement, Unjudged
from properties.judging.measures import Measure
from properties.judging.settling import settle
from properties.judging.textbook import explained, explanations
from properties.problems.values import held_in, rounded
from properties.verdict import Verdict
from reference.arrays import Array
from reference.gradient import Gradient, Place
from reference.passes import Passes
from reference.problem import Problem
from rounding.arithmetic import SIGMAS_ALLOWED
from rounding.precisions import Precision
from rounding.worst_case import largest_total

LARGE = 64
"""A network with a layer as wide as this, or a batch as large, is judged by this bound: there it is sharper, and costs less."""

LONGEST_SUM = {"float16": 4096, "bfloat16": 256}
"""Sums of more terms stagnate, which is no random error: nothing is said."""

TOO_WIDE = "the second-moment bound is wider than the gradient: zero would pass for it"

TEXTBOOK_TOO_WIDE = "textbook formulas would leave no digit of it, and by accurate ones it is off"

CERTAIN = "beyond the worst-case rounding bound too, which is certain"

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
    if at_once := _right_at_once(exact, answer, precision):
        return at_once
    beside = beside_reference(exact, answer, precision)
    if any(not one.is_finite for one in beside.known.arrays):
        reason = "infinite or NaN, where the exact number is finite and needs no sum or product that leaves the range"
        return beside.judgement(Verdict.NONFINITE, reason)
    if blunt := beside.blunt:
        return _without(exact, answer, beside, blunt, TOO_WIDE, peers)
    return _judged(exact, answer, beside, peers)


def _right_at_once(exact: Exact, answer: Gradient, precision: Precision) -> Judgement | None:
    """A verdict of RIGHT on an answer that is as near as a pass of which no two roundings are alike, where zero would not be; else None.

    What is alike rounds alike, which makes V larger and takes a look at all matrices: to answers that need that it is given.
    """
    beside = beside_reference(exact, answer, precision, apart=True)
    if any(not one.ratio <= SIGMAS_ALLOWED for one in beside.arrays) or beside.blunt or beside.suspected:
        return None
    # which row is worth asking V itself picks, and the whole V may pick another
    return None if any(measure.kind == "row factor" for measure in beside.measures) else beside.judgement(Verdict.RIGHT)


def _without(exact: Exact, answer: Gradient, beside: AnswerInSigmas, blunt: set[Place], reason: str, peers: bool) -> Judgement:
    """The verdict of all else, where nothing can be said of some derivatives."""
    remain = beside.without(blunt)
    unjudged = tuple(Unjudged(place, reason) for place in sorted(blunt, key=lambda place: (place.layer or 0, place.quantity)))
    judgement = _judged(exact, answer, remain, peers) if remain.arrays else None
    empty = not any(place.quantity == "weights" for place in remain.places)
    if judgement is None or (empty and judgement.verdict in (Verdict.RIGHT, Verdict.LOSSY)):
        name = beside.precision.name
        return Judgement(Verdict.INCONCLUSIVE, name, reason=f"{reason}, in every layer", bound=STATISTICAL, unjudged=unjudged)
    return replace(judgement, unjudged=unjudged + judgement.unjudged)


def _judged(exact: Exact, answer: Gradient, beside: AnswerInSigmas, peers: bool) -> Judgement:
    """The verdict of what can be judged of an answer: the first of accurate formulas, textbook ones and rounded numbers that explains it;
    else what ball arithmetic and peers leave of the suspicion.
    """
    if not beside.suspected:
        return beside.judgement(Verdict.RIGHT)
    precision, places = beside.precision, {measure.place for measure in beside.suspected}
    widest = beside_reference(exact, answer, precision, None).of(beside.places)
    if blunt := widest.blunt & places:
        # by accurate formulas it is off, and textbook ones would leave no digit: nothing is said of that
        return _without(exact, answer, beside, blunt, TEXTBOOK_TOO_WIDE, peers)

    functions, suspected = exact.textbook_activations, widest.known.suspected

    def explains(names: frozenset[str]) -> bool:
        return not beside_reference(exact, answer, precision, names).of(beside.places).known.suspected

    # what all textbook formulas together do not explain, fewer do not
    if not suspected and (by := explanations(functions, (1, len(functions)), explains)):
        return explained(beside.judgement(Verdict.LOSSY), exact, by)
    if of_held := _as_held(exact, answer, widest):
        return of_held
    judgement = widest.suspicion(suspected)
    if precision.name == "float64":
        judgement = settle(exact, answer, widest, judgement)
    if judgement.verdict is not Verdict.WRONG:
        return judgement
    if {measure.place for measure in suspected} <= beyond_worst_case(exact, answer, precision):
        # no honest pass comes so far
        return replace(judgement, reason=f"{judgement.reason}; {CERTAIN}", certain=True)
    return _heard(exact, answer, widest, suspected, judgement) if peers else judgement


def _as_held(exact: Exact, answer: Gradient, beside: AnswerInSigmas) -> Judgement | None:
    """A verdict of RIGHT, where the answer is that of the problem with its numbers rounded to what the precision holds."""
    precision = beside.precision
    as_held = held_in(exact.problem, precision.name)
    if as_held == exact.problem or not all(np.isfinite(precision.held(array)).all() for _, array in exact.problem.arrays()):
        return None
    judgement = judge_by_deviation(Exact(as_held), answer, precision, peers=False)
    if judgement.verdict is not Verdict.RIGHT or {measure.place for measure in beside.known.suspected} & judgement.without:
        return None
    return replace(judgement, reason=f"of the problem with its numbers rounded to {precision.storage}, as the target must have done")


def _heard(exact: Exact, answer: Gradient, beside: AnswerInSigmas, suspected: list[Measure], judgement: Judgement) -> Judgement:
    """What remains of a verdict of WRONG beside peers, and where they do not excuse it beside PyTorch."""
    heard = beside_peers(exact, beside, suspected)
    if not all(each.near for each in heard):
        heard = [each for each in heard if each.near] + beside_framework(exact, answer, beside, [each for each in heard if not each.near])
    excused, others = [each for each in heard if each.near], [each for each in heard if not each.near]
    if not others:
        return _left_out(exact, beside, excused)
    if excused:
        judgement = beside.suspicion([each.measure for each in others])
    farthest = max(others, key=lambda each: each.share)
    worst = f"the worst of our own honest passes ({farthest.peer.name}) comes to {farthest.share:.2g} of what is allowed"
    return replace(judgement, reason=f"{judgement.reason}; {worst}", left_out=tuple(map(str, excused)))


def _left_out(exact: Exact, beside: AnswerInSigmas, excused: list[BesidePeers]) -> Judgement:
    """The verdict of the measures that remain, where peers are as far off as the answer by all that were suspected."""
    left_out = tuple(map(str, excused))
    if all(each.textbook for each in excused):
        names = [[name] for name in exact.textbook_activations]
        return replace(explained(beside.judgement(Verdict.LOSSY), exact, names), left_out=left_out)
    gone: dict[Place, set[str]] = {}
    for each in excused:
        gone.setdefault(each.measure.place, set()).add(each.measure.kind)
    unjudged = [
        place for place, kinds in gone.items() if kinds >= ({"entries", "factor", "layer"} if place.quantity == "weights" else {"entries"})
    ]
    remain = beside.without(unjudged)
    said = tuple(Unjudged(place, "honest passes of our own are as far off by every measure") for place in unjudged)
    if any(place.quantity == "weights" for place in remain.places):
        judgement = remain.judgement(Verdict.RIGHT)
    else:
        reason = "honest passes of our own are as far off in every layer, by every measure"
        judgement = (remain if remain.arrays else beside).judgement(Verdict.INCONCLUSIVE, reason)
    return replace(judgement, unjudged=said, left_out=left_out)


def suspects(exact: Exact, answer: Gradient, precision: Precision, *, peers: bool = False) -> bool:
    """Whether an answer is a suspicion, by the reference alone and by whatever formulas.

    peers: whether it is held beside honest passes of our own too, which may excuse it.
    """
    beside = beside_reference(exact, answer, precision, None).known
    return bool(beside.suspected) and not (peers and all(each.near for each in beside_peers(exact, beside, beside.suspected)))


def posed_again(problem: Problem, precision: Precision) -> Problem:
    """A problem to confirm a suspicion by: nodes, samples and inputs in another order, and other numbers, so that all sums round anew."""
    rng = np.random.default_rng(problem.batch)
    orders = [rng.permutation(n) for n in problem.widths]
    orders[-1] = np.arange(problem.widths[-1])
    samples = rng.permutation(problem.batch)
    weights = [weight[np.ix_(orders[i + 1], orders[i])] for i, weight in enumerate(problem.weights)]
    biases = [None if bias is None else bias[orders[i + 1]] for i, bias in enumerate(problem.biases)]
    x = rounded(problem.x[np.ix_(samples, orders[0])] * 1.015625, precision.name)
    return problem.of_samples(samples).replaced(weights=weights, biases=biases, x=x)


def says_nothing(exact: Exact, precision: Precision) -> str:
    """Why nothing can be said of a problem in a precision, or ""."""
    passed, problem = exact.passes, exact.problem
    longest = max(*problem.widths, problem.batch)
    if longest > LONGEST_SUM.get(precision.name, math.inf):
        return f"nothing can be said: sums of {longest} terms stagnate in {precision.name}"
    forward, back = passed.forward, passed.backward
    arrays = [*forward.pre_activations, *forward.activations, *back.errors, *back.deltas]
    if not np.isfinite(passed.squares.sums).all() and not all(np.isfinite(array).all() for array in arrays):
        return "nothing can be said: a number of the exact passes leaves the range of float64"
    weight = float(problem.total_weight) if problem.has_weighted_mean else 1.0
    if not precision.least_normal / precision.unit <= weight <= precision.largest / 2:
        return f"nothing can be said: a mean over weights of samples that add up to {weight:.3g}, in {precision.name}"
    rate = 0.0 if problem.penalised is None else problem.penalised.rate(problem.batch)
    if not rate <= precision.largest:
        return f"nothing can be said: the penalty's factor leaves the range of {precision.name}"
    total = float(largest_total(problem))
    if any(2 * max(_largest_sums(passed, total, sizes)) < precision.largest for sizes in (_norms, _longest)):
        return ""
    return f"nothing can be said: a needed sum or product may leave the range of {precision.name}"


def _largest_sums(passed: Passes, total: float, sizes: Callable[[Passes, int], tuple[Pair, Pair, Pair]]) -> Iterator[float]:
    """How large sums of products may be: at most the product of two norms, along rows or columns.

    total: by how much they may be larger, where a mean is taken after them; sizes: those of a, delta and W of a layer, each of the longest
    row and the longest column, or more.
    """
    penalty = passed.problem.penalised
    for layer in range(passed.problem.depth):
        a, delta, weight = sizes(passed, layer)
        yield a[0] * weight[0]
        yield delta[0] * weight[1] * total
        ones = math.sqrt(passed.problem.batch) if passed.problem.biases[layer] is not None else 0.0
        added = 0.0 if penalty is None else penalty.rate(passed.problem.batch) * max(weight)
        yield delta[1] * max(a[1], ones) * total + passed.problem.batch * added


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
