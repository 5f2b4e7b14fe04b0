"""An answer beside the exact gradient in units of sigma: by entries, and by what rows, columns and layers add up to.

What is common to all entries of a layer shows in their projection on the gradient long before it shows in one of them, and many
small errors show in their root mean square.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from properties.judgement import AGGREGATE, STATISTICAL, Judgement
from properties.verdict import Verdict
from reference.arrays import AnyArray, Array, Product, clipped
from reference.model import MULTIPLE
from reference.precisions import PRECISIONS, Precision
from reference.problem import Gradient, Place
from reference.variance import Deviation, Factored

COMMON, LAYERS = 8.0, 4
"""A factor common to a whole layer may be off by so many u, and by as many more for every so many layers beyond the first."""

ALIKE = 2.0
"""Where errors do not average out over a layer, by so many sigma over the gradient, by their norms."""

SPREAD, LINE_SPREAD = 4.0, 6.0
"""The root mean square of error over sigma of an honest answer stays below this, in one layer, and in one row or column of a
layer over which errors average out."""

BLOCK = 128
"""So many rows are compared at once."""


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


def judgement_by_sigma(verdict: Verdict, compared: list[Comparison], precision: Precision, reason: str = "") -> Judgement:
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
        return judgement_by_sigma(Verdict.WRONG, compared, precision, where_outside(compared))
    judged = sum(one.got.size for one in compared)
    for whole in aggregates(compared, found, precision):
        if whole.is_suspect:
            exact = (whole.exact, whole.exact)
            return Judgement(
                Verdict.WRONG, precision.name, whole.place, (), whole.got, exact, whole.allowed, 0, judged, AGGREGATE, whole.reason
            )
    return None


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

    @property
    def is_suspect(self) -> bool:
        """Whether it is further off than that."""
        return not abs(self.got - self.exact) <= self.allowed


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
