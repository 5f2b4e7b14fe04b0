"""An answer beside the exact gradient in units of sigma, array by array."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from reference.arrays import AnyArray, Array, Product, clipped
from reference.gradient import Gradient, Place
from rounding.arithmetic import SIGMAS_ALLOWED
from rounding.deviation import Deviation, Factored

ZERO = 4.0
"""Nothing is said of an array where zero would have a root mean square of error over sigma below this."""

BLOCK, FEW = 128, 8
"""So many rows are compared at once; and so many are looked at, at a time, for whether zero would pass."""


@dataclass(frozen=True)
class ArrayInSigmas:
    """One array of an answer beside the reference, in units of sigma.

    got: the answer's; low, high: the interval of what is exact, the same array where it is the reference; variance, unit: of Deviation.
    worst, ratio: the index of the entry that is off by most sigma, and by how many; outside: how many are off by more than SIGMAS_ALLOWED;
    size: the norm of what is exact; factor: 1 + the projection of the error on it; rows, columns: the root mean square of error over
    sigma in each; zero: that of all, with zero in place of the answer, or less where that is beyond ZERO already, infinite where it is
    right; known: whether every V is finite.
    along, sizes: the product of error and what is exact, and the square of the latter, summed over each row.
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
    along: Array
    sizes: Array

    @cached_property
    def spread(self) -> float:
        """The root mean square of error over sigma."""
        return math.sqrt(float(self.rows @ self.rows) / len(self.rows))

    @property
    def is_finite(self) -> bool:
        """Whether the answer is."""
        return math.isfinite(self.ratio) or bool(np.isfinite(self.got).all())

    @property
    def is_blunt(self) -> bool:
        """Whether zero would pass for the exact numbers, or nothing is known of them."""
        return not self.known or not self.zero > ZERO

    @property
    def mask(self) -> AnyArray:
        """Which entries are outside."""
        low, high = np.asarray(self.low), np.asarray(self.high)
        error = (self.got - clipped(self.got, low, high)) / (SIGMAS_ALLOWED * self.unit)
        inside: AnyArray = error * error <= np.asarray(self.variance)
        return ~inside

    def at_worst(self, array: AnyArray | Product | Factored) -> float:
        """The number of an array at the worst entry."""
        row = array[self.worst[0] : self.worst[0] + 1][0] if self.worst else array
        return float(np.asarray(row)[self.worst[1:]])


@np.errstate(all="ignore")
def arrays_in_sigmas(answer: Gradient, low: Gradient, high: Gradient, found: Deviation) -> list[ArrayInSigmas]:
    """Each array that the answer gives, compared by blocks of rows that stay in the cache."""
    lows, variances = dict(low.arrays()), dict(found.variance.arrays())
    highs = lows if high is low else dict(high.arrays())
    return [_compared(place, np.asarray(got), lows[place], highs[place], variances[place], found.unit) for place, got in answer.arrays()]


def _compared(
    place: Place, got: AnyArray, low: Array | Product, high: Array | Product, variance: AnyArray | Factored, unit: float
) -> ArrayInSigmas:
    if got.ndim < 2:
        got = np.where(np.isinf(variance), low, got)  # no claim is made
    bounds, shape, exactly = (place, got, low, high, variance, unit), got.shape, high is low
    if got.ndim < 2:
        got, low, high, variance = (np.asarray(array).reshape(1, -1) for array in (got, low, high, variance))
    (m, n), dtype = got.shape, variance.dtype
    rows, columns, along, sizes = np.zeros(m), np.zeros(n), np.zeros(m), np.zeros(m)
    worst, most, outside, zero = 0, -1.0, 0, 0.0
    known, nothing, enough = True, True, got.size * (ZERO * unit) ** 2
    # of all rows alike, so that no block takes memory anew
    ones, ones_of_rows, scratch = np.ones(n, dtype), np.ones(min(m, BLOCK), dtype), np.empty((min(m, BLOCK), n), dtype)
    for start in range(0, m, BLOCK):
        some = slice(start, start + BLOCK)
        given, exact = got[some], low[some]
        error = given.astype(np.float64)
        error -= exact if exactly else clipped(given, exact, high[some])
        # what is left needs few digits
        squares, exact, taken = error.astype(dtype, copy=False), exact.astype(dtype, copy=False), scratch[: len(given)]
        squares *= 1 / unit
        along[some] = np.multiply(squares, exact, out=taken) @ ones
        squared = np.multiply(exact, exact, out=taken)
        sizes[some] = squared @ ones
        nothing = nothing and not (sizes[some].any() or exact.any())
        v = variance.rows(some, squared) if isinstance(variance, Factored) else variance[some]
        known = known and math.isfinite(v.max())
        for at in range(0, len(v), FEW):
            if zero > enough:
                break
            zero += float((squared[at : at + FEW] / v[at : at + FEW]).sum())
        squares *= squares
        squares /= v
        rows[some] = squares @ ones
        columns += ones_of_rows[: len(given)] @ squares
        at = int(squares.argmax())
        largest = float(squares.flat[at])
        if not largest <= SIGMAS_ALLOWED**2:
            outside += int((~(squares <= SIGMAS_ALLOWED**2)).sum())
        if not (largest <= most or math.isnan(most)):
            worst, most = start * n + at, largest
    index = divmod(worst, n) if len(shape) == 2 else (worst,) if shape else ()
    along *= unit
    size = float(sizes.sum())
    factor = 1 + float(along.sum()) / size if size else 1.0
    zero = math.inf if nothing else math.sqrt(zero / got.size) / unit
    rms = np.sqrt(rows / n), np.sqrt(columns / m)
    return ArrayInSigmas(*bounds, index, math.sqrt(most), outside, math.sqrt(size), factor, *rms, zero, known, along, sizes)
