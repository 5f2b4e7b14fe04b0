"""Judging by the second-moment bound: for networks at which the worst case is empty.

An alarm is a suspicion: whoever can ask the target again confirms it on a permuted problem with other numbers before it is told.
Besides single entries, whole layers are judged: what is common to all entries of a layer shows in their projection on the gradient
long before it shows in one of them, and many small errors show in their root mean square.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from oracles.balls import enclosure
from properties.judgement import AGGREGATE, DISAGREEMENT, STATISTICAL, Exact, Judgement, Measured, judgement_of, measured
from properties.values import rounded
from properties.verdict import Verdict
from reference.arrays import AnyArray, Array
from reference.model import MULTIPLE
from reference.precisions import PRECISIONS, Precision
from reference.problem import Gradient, Place, Problem
from reference.variance import Deviation

REAL = 64
"""A network with a layer as wide as this, or a batch as large, is judged by this bound: there it is sharper, and costs less."""

COMMON, LAYERS = 8.0, 4
"""A factor common to a whole layer may be off by so many u, and by as many more for every so many layers beyond the first."""

ALIKE = 2.0
"""Where errors do not average out over a layer, by so many sigma over the gradient, by their norms."""

SPREAD = 4.0
"""The root mean square of error over sigma, in one layer, of an honest answer stays below this."""

LARGEST_SETTLED = 10_000_000
"""Ball arithmetic is asked about all entries of a network of so many weights: it takes some seconds for each million."""

LONGEST_SUM = {"float16": 4096}
"""Sums of more terms stagnate, which is no random error: nothing is said."""


def is_real(problem: Problem) -> bool:
    """Whether a problem is of a size at which this bound serves best."""
    return max(*problem.widths, problem.batch) >= REAL


def judge_by_deviation(exact: Exact, answer: Gradient, precision: Precision) -> Judgement:
    """The verdict of one well-formed answer; one of WRONG is a suspicion."""
    reason = says_nothing(exact, precision)
    if reason:
        return Judgement(Verdict.INCONCLUSIVE, precision.name, reason=reason, bound=STATISTICAL)
    reference, found = exact.reference, exact.deviation(precision)
    entries = list(measured(answer, reference, reference, found.allowed))
    judged = sum(entry.got.size for entry in entries)
    if any(entry.place.quantity == "weights" and _is_blunt(entry) for entry in entries):
        reason = "the second-moment bound is wider than the gradient of a layer: this network is too deep or too wide for the precision"
        return Judgement(Verdict.INCONCLUSIVE, precision.name, reason=reason, bound=STATISTICAL)
    if any(not np.isfinite(entry.got).all() for entry in entries):
        reason = "infinite or NaN, where the exact number is finite and needs no sum or product that leaves the range"
        return replace(judgement_of(Verdict.NONFINITE, entries, precision, judged, reason), bound=STATISTICAL)
    judgement = suspicion(entries, found, precision)
    if judgement is None:
        return replace(judgement_of(Verdict.RIGHT, entries, precision, judged), bound=STATISTICAL)
    if precision.name == "float64" and affordable(exact):
        return _settled(exact, answer, precision, judged)
    return judgement


def _is_blunt(entry: Measured) -> bool:
    """Whether zero would pass for a layer's gradient, by their norms."""
    size = float(np.linalg.norm(entry.low))
    return size > 0 and not float(np.linalg.norm(entry.allowed)) < size


def suspicion(entries: list[Measured], found: Deviation, precision: Precision) -> Judgement | None:
    """What is wrong by entries or by layers, or None."""
    judged = sum(entry.got.size for entry in entries)
    if any(entry.outside.any() for entry in entries):
        return replace(judgement_of(Verdict.WRONG, entries, precision, judged, where_outside(entries)), bound=STATISTICAL)
    for whole in aggregates(entries, found, precision):
        if abs(whole.got - whole.exact) > whole.allowed:
            exact = (whole.exact, whole.exact)
            return Judgement(
                Verdict.WRONG, precision.name, whole.place, (), whole.got, exact, whole.allowed, 0, judged, AGGREGATE, whole.reason
            )
    return None


def affordable(exact: Exact) -> bool:
    """Whether ball arithmetic can be asked about all entries."""
    return sum(weight.size for weight in exact.problem.weights) <= LARGEST_SETTLED


def _settled(exact: Exact, answer: Gradient, precision: Precision, judged: int) -> Judgement:
    """A suspicion of a float64 answer, settled by ball arithmetic: the reference is no more exact than the target, and may be at fault."""
    found = exact.deviation(precision)
    balls = enclosure(exact.problem, [MULTIPLE * np.asarray(sigma) for sigma in found.sigma.pre_activations or ()])
    own = list(measured(exact.reference, balls.lower, balls.upper, found.allowed))
    if any(entry.outside.any() for entry in own):
        off = judgement_of(Verdict.INCONCLUSIVE, own, precision, judged, DISAGREEMENT)
        return replace(off, bound=STATISTICAL, disagreement=True)
    entries = list(measured(answer, balls.lower, balls.upper, found.allowed))
    return suspicion(entries, found, precision) or replace(judgement_of(Verdict.RIGHT, entries, precision, judged), bound=STATISTICAL)


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
    if not all(np.isfinite(array).all() for array in arrays):
        return "a number of the exact passes leaves the range of float64, so that any answer would do"
    share = problem.batch if problem.reduction == "mean" else 1
    largest = 0.0
    for layer, weight in enumerate(problem.weights):
        a, delta = forward.activations[layer], back.deltas[layer]
        largest = max(largest, _longest(a, -1) * _longest(weight, -1), _longest(delta, -1) * _longest(weight, -2) * share)
        largest = max(largest, _longest(delta, -2) * _longest(a, -2) * share)
    if not 2 * largest < precision.largest:
        return f"a needed sum or product may leave the range of {precision.name}, so that any answer would do"
    return ""


def _longest(matrix: Array, axis: int) -> float:
    """The largest norm of a row or column: a sum of products is at most the product of two."""
    return float(np.sqrt(np.max(np.sum(matrix * matrix, axis=axis))))


def where_outside(entries: list[Measured]) -> str:
    """How many entries are outside, and in which rows, columns and layers."""
    said = []
    for entry in entries:
        outside = entry.outside
        if not outside.any():
            continue
        text = f"{entry.place}: {int(outside.sum())} of {outside.size}"
        if outside.ndim == 2:
            rows, columns = (np.flatnonzero(outside.any(axis=axis)) for axis in (1, 0))
            text += f", in {_listed(rows, len(outside), 'row')} and {_listed(columns, outside.shape[1], 'column')}"
        said.append(text)
    return "outside are " + "; ".join(said)


def _listed(numbers: AnyArray, of: int, name: str) -> str:
    if len(numbers) == of:
        return f"all {name}s"
    if len(numbers) <= 3:
        return f"{name}{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers.tolist()))}"
    return f"{len(numbers)} of {of} {name}s"


@dataclass(frozen=True)
class Whole:
    """A number that sums up a layer's dC/dW: what it is, would be without rounding, how far it may be from that, and in words."""

    place: Place
    got: float
    exact: float
    allowed: float
    reason: str


def aggregates(entries: list[Measured], found: Deviation, precision: Precision) -> Iterator[Whole]:
    """What is common to the errors of each layer's dC/dW, and how large they are on the whole."""
    unit = math.hypot(precision.unit, PRECISIONS["float64"].unit)
    sigmas, jumps = dict(found.sigma.arrays()), dict(found.jumps.arrays()) if found.jumps else {}
    for entry in entries:
        place, size = entry.place, float(np.sum(entry.low * entry.low))
        # the other side of a kink is no rounding
        if place.quantity != "weights" or size == 0 or (place in jumps and jumps[place].any()):
            continue
        error, sigma = entry.got - entry.low, sigmas[place]
        factor = 1 + float(np.sum(error * entry.low)) / size
        allowed = COMMON * unit * max(1.0, len(found.averages) / LAYERS)
        if place.layer is None or not found.averages[place.layer - 1]:
            allowed = max(allowed, ALIKE * math.sqrt(float(np.sum(sigma * sigma)) / size))
        yield Whole(place, factor, 1.0, allowed, f"its projection on the gradient is off by a factor of 1 {factor - 1:+.2g}")
        spread = math.sqrt(float(np.mean((error / sigma) ** 2)))
        yield Whole(place, spread, 0.0, SPREAD, f"its errors over sigma have a root mean square of {spread:.3g}")
