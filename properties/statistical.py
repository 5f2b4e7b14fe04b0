"""Judging by the second-moment bound: for networks at which the worst case is empty.

An alarm is a suspicion: whoever can ask the target again confirms it on a permuted problem with other numbers before it is told.
Besides single entries, whole layers are judged: what is common to all entries of a layer shows in their projection on the gradient
long before it shows in one of them, and many small errors show in their root mean square.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from oracles.balls import enclosure
from properties.judgement import AGGREGATE, DISAGREEMENT, STATISTICAL, Exact, Judgement
from properties.values import held_in, rounded
from properties.verdict import Verdict
from reference.arrays import AnyArray, Array, Product, clipped
from reference.model import MULTIPLE
from reference.precisions import PRECISIONS, Precision
from reference.problem import Gradient, Place, Problem
from reference.rounding import Passes
from reference.variance import Deviation, Factored

REAL = 64
"""A network with a layer as wide as this, or a batch as large, is judged by this bound: there it is sharper, and costs less."""

COMMON, LAYERS = 8.0, 4
"""A factor common to a whole layer may be off by so many u, and by as many more for every so many layers beyond the first."""

ALIKE = 2.0
"""Where errors do not average out over a layer, by so many sigma over the gradient, by their norms."""

SPREAD, LINE_SPREAD = 4.0, 6.0
"""The root mean square of error over sigma of an honest answer stays below this, in one layer, and in one row or column of a
layer over which errors average out."""

BLOCK = 128
"""So many rows are compared at once."""

LARGEST_SETTLED = 10_000_000
"""Ball arithmetic is asked about all entries of a network of so many weights: it takes some seconds for each million."""

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
        return _judgement(Verdict.NONFINITE, compared, precision, reason)
    judgement = suspicion(compared, found, precision)
    if judgement is None:
        return _judgement(Verdict.RIGHT, compared, precision)
    as_held = held_in(exact.problem, precision.name)
    if as_held != exact.problem and all(np.isfinite(precision.held(array)).all() for _, array in exact.problem.arrays()):
        of_held = judge_by_deviation(Exact(as_held), answer, precision)
        if of_held.verdict is Verdict.RIGHT:
            return replace(of_held, reason=f"of the problem with its numbers rounded to {precision.storage}, as the target must have done")
    if precision.name == "float64" and affordable(exact):
        return _settled(exact, answer, precision)
    return judgement


@dataclass(frozen=True)
class Comparison:
    """One array of an answer beside the reference, in units of sigma.

    got: the answer's; low, high: the interval of what is exact, the same array where it is the reference; variance, unit: of Deviation.
    worst, ratio: the index of the entry that is off by most sigma, and by how many; outside: how many are off by more than MULTIPLE;
    size: the norm of what is exact; factor: 1 + the projection of the error on it; rows, columns: the root mean square of error over
    sigma in each; zero: that of all, with zero in place of the answer, infinite where that is right; known: whether every V is finite.
    """

    place: Place
    got: AnyArray
    low: Array | Product
    high: Array | Product
    variance: AnyArray | Factored
    unit: float
    worst: tuple[int, ...]
    ratio: float
    outside: int
    size: float
    factor: float
    rows: Array
    columns: Array
    zero: float
    known: bool

    @property
    def spread(self) -> float:
        """The root mean square of error over sigma."""
        return float(np.sqrt(np.mean(self.rows**2)))

    @property
    def is_finite(self) -> bool:
        """Whether the answer is."""
        return math.isfinite(self.ratio) or bool(np.isfinite(self.got).all())

    @property
    def is_blunt(self) -> bool:
        """Whether zero would pass for the exact numbers, or nothing is known of them."""
        return not self.known or not self.zero > SPREAD

    @property
    def mask(self) -> AnyArray:
        """Which entries are outside."""
        low, high = np.asarray(self.low), np.asarray(self.high)
        error = (self.got - clipped(self.got, low, high)) / (MULTIPLE * self.unit)
        inside: AnyArray = error * error <= np.asarray(self.variance)
        return ~inside

    def at_worst(self, array: AnyArray | Product | Factored) -> float:
        """The number of an array at the worst entry."""
        row = array[self.worst[0] : self.worst[0] + 1][0] if self.worst else array
        return float(np.asarray(row)[self.worst[1:]])


def comparisons(answer: Gradient, low: Gradient, high: Gradient, found: Deviation) -> Iterator[Comparison]:
    """Each array that the answer gives, compared by blocks of rows that stay in the cache."""
    lows, highs, variances = (dict(gradient.arrays()) for gradient in (low, high, found.variance))
    for place, got in answer.arrays():
        yield _compared(place, np.asarray(got), lows[place], highs[place], variances[place], found.unit)


@np.errstate(all="ignore")
def _compared(
    place: Place, got: AnyArray, low: Array | Product, high: Array | Product, variance: AnyArray | Factored, unit: float
) -> Comparison:
    if got.ndim < 2:
        got = np.where(np.isinf(variance), low, got)  # no claim is made
        as_row = [np.reshape(array, (1, -1)) for array in (got, low, high, variance)]
        one = _compared(place, as_row[0], as_row[1], as_row[1 if high is low else 2], as_row[3], unit)
        return replace(one, got=got, low=low, high=high, variance=variance, worst=one.worst[2 - got.ndim :])
    rows, columns = np.zeros(got.shape[0]), np.zeros(got.shape[1])
    worst, most, outside, along, size, zero = 0, -1.0, 0, 0.0, 0.0, 0.0
    known, nothing = True, True
    for start in range(0, len(got), BLOCK):
        some = slice(start, start + BLOCK)
        given, exact = got[some], low[some]
        error = np.subtract(given, exact if high is low else clipped(given, exact, high[some]), dtype=np.float64)
        nothing = nothing and not exact.any()
        # what is left needs few digits
        squares, exact = error.astype(variance.dtype, copy=False), exact.astype(variance.dtype, copy=False)
        v = variance.rows(some, exact) if isinstance(variance, Factored) else variance[some]
        squares *= 1 / unit
        along += unit * float(np.vdot(squares, exact))
        size += float(np.vdot(exact, exact))
        zero += float(np.vdot(exact, exact / v))
        known = known and math.isfinite(v.max())
        squares *= squares
        squares /= v
        rows[some] = squares @ np.ones(len(columns), v.dtype)
        columns += np.ones(len(squares), v.dtype) @ squares
        at = int(squares.argmax())
        largest = float(squares.flat[at])
        if not largest <= MULTIPLE**2:
            outside += int(np.sum(~(squares <= MULTIPLE**2)))
        if not (largest <= most or math.isnan(most)):
            worst, most = start * len(columns) + at, largest
    index = tuple(int(i) for i in np.unravel_index(worst, got.shape))
    factor = 1 + along / size if size else 1.0
    zero = math.inf if nothing else math.sqrt(zero / got.size) / unit
    rms = np.sqrt(rows / len(columns)), np.sqrt(columns / len(rows))
    return Comparison(place, got, low, high, variance, unit, index, math.sqrt(most), outside, math.sqrt(size), factor, *rms, zero, known)


def _judgement(verdict: Verdict, compared: list[Comparison], precision: Precision, reason: str = "") -> Judgement:
    """A judgement that shows the entry which is off by most sigma."""
    worst = max(compared, key=lambda one: math.inf if math.isnan(one.ratio) else one.ratio)
    return Judgement(
        verdict,
        precision.name,
        worst.place,
        worst.worst,
        worst.at_worst(worst.got),
        (worst.at_worst(worst.low), worst.at_worst(worst.high)),
        MULTIPLE * worst.unit * math.sqrt(worst.at_worst(worst.variance)),
        sum(one.outside for one in compared),
        sum(one.got.size for one in compared),
        STATISTICAL,
        reason,
    )


def suspicion(compared: list[Comparison], found: Deviation, precision: Precision) -> Judgement | None:
    """What is wrong by entries, or by rows, columns and layers, or None."""
    if any(one.outside for one in compared):
        return _judgement(Verdict.WRONG, compared, precision, where_outside(compared))
    judged = sum(one.got.size for one in compared)
    for whole in aggregates(compared, found, precision):
        if not abs(whole.got - whole.exact) <= whole.allowed:
            exact = (whole.exact, whole.exact)
            return Judgement(
                Verdict.WRONG, precision.name, whole.place, (), whole.got, exact, whole.allowed, 0, judged, AGGREGATE, whole.reason
            )
    return None


def suspects(exact: Exact, answer: Gradient, precision: Precision) -> bool:
    """Whether an answer is a suspicion, by the reference alone."""
    found = exact.deviation(precision, answer)
    return suspicion(list(comparisons(answer, exact.by_rows, exact.by_rows, found)), found, precision) is not None


def within_deviation(exact: Exact, answer: Gradient, precision: Precision) -> bool:
    """Whether something can be said of an answer in a precision, and it is no suspicion."""
    return not says_nothing(exact, precision) and not suspects(exact, answer, precision)


def affordable(exact: Exact) -> bool:
    """Whether ball arithmetic can be asked about all entries."""
    return sum(weight.size for weight in exact.problem.weights) <= LARGEST_SETTLED


def _settled(exact: Exact, answer: Gradient, precision: Precision) -> Judgement:
    """A suspicion of a float64 answer, settled by ball arithmetic: the reference is no more exact than the target, and may be at fault."""
    found = exact.deviation(precision)
    balls = enclosure(exact.problem, [MULTIPLE * np.asarray(sigma) for sigma in found.sigma.pre_activations or ()])
    own = list(comparisons(exact.reference, balls.lower, balls.upper, found))
    if any(one.outside for one in own):
        return replace(_judgement(Verdict.INCONCLUSIVE, own, precision, DISAGREEMENT), disagreement=True)
    compared = list(comparisons(answer, balls.lower, balls.upper, found))
    return suspicion(compared, found, precision) or _judgement(Verdict.RIGHT, compared, precision)


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


def where_outside(compared: list[Comparison]) -> str:
    """How many entries are outside, and in which rows, columns and layers."""
    said = []
    for one in compared:
        if not one.outside:
            continue
        outside = one.mask
        text = f"{one.place}: {int(outside.sum())} of {outside.size}"
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
    """A number that sums up a layer's dC/dW, or a row or column of it.

    kind: "factor", "layer", "row" or "column"; got, exact: what it is, and would be without rounding; allowed: how far it may be from
    that; reason: in words.
    """

    place: Place
    kind: str
    got: float
    exact: float
    allowed: float
    reason: str


def aggregates(compared: list[Comparison], found: Deviation, precision: Precision) -> Iterator[Whole]:
    """What is common to the errors of each layer's dC/dW, and how large they are on the whole, in a row and in a column."""
    unit = math.hypot(precision.unit, precision.product_unit, PRECISIONS["float64"].unit)
    for one in compared:
        place = one.place
        if place.quantity != "weights" or not one.size:
            continue
        allowed = COMMON * unit * max(1.0, len(found.averages) / LAYERS)
        averages = place.layer is not None and found.averages[place.layer - 1]
        if not averages:
            sigma = one.unit * math.sqrt(float(np.sum(np.asarray(one.variance), dtype=np.float64)))
            allowed = max(allowed, ALIKE * sigma / one.size)
        reason = f"its projection on the gradient is off by a factor of 1 {one.factor - 1:+.2g}"
        yield Whole(place, "factor", one.factor, 1.0, allowed, reason)
        yield Whole(place, "layer", one.spread, 0.0, SPREAD, f"its errors over sigma have a root mean square of {one.spread:.3g}")
        # where errors do not average out, those of a row or column are much the same
        for kind, spreads in (("row", one.rows), ("column", one.columns)) if averages else ():
            worst = int(np.argmax(spreads))
            spread = float(spreads[worst])
            reason = f"the errors of {kind} {worst} over sigma have a root mean square of {spread:.3g}"
            yield Whole(place, kind, spread, 0.0, LINE_SPREAD, reason)
