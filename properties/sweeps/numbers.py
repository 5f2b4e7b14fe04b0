"""The numbers that are swept: every finite one of a format of 16 bits; of wider ones of every exponent, with digits that are drawn."""

import numpy as np

from reference.arrays import Array
from reference.dtypes import DTYPES
from rounding.precisions import Precision

NUMBERS = 40_000
"""So many are drawn, where there are too many to ask for all."""

BENT = (-6, 7)
"""Half of them have exponents from 2 to the first of these up to 2 to the second: there activations bend, and are cut off."""

KNOWN = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 16.0, 20.0, 30.0, 32.0, 50.0, 88.0, 89.0, 100.0, 709.0, 710.0, 1000.0)
"""Numbers at which people cut a function off, and both neighbours of each."""


def has_all(precision: Precision) -> bool:
    """Whether every number of a format is swept."""
    return precision.bits < 24


def swept(precision: Precision, seed: int, count: int = NUMBERS) -> Array:
    """The numbers of a sweep, (n,), ascending: all finite ones of a 16-bit format, else about so many, the same for the same seed."""
    if has_all(precision):
        every = np.arange(1 << 16, dtype=np.uint16).view(DTYPES[precision.storage])
        with np.errstate(invalid="ignore"):
            wide = every.astype(np.float32).astype(np.float64)
        return np.unique(wide[np.isfinite(wide)])
    rng = np.random.default_rng([seed, precision.bits])
    lowest, highest = precision.least_exponent, int(np.frexp(precision.largest)[1]) - 1
    # two of each exponent and sign at least, whatever is asked for
    each = max(count // (4 * (highest - lowest + 1)), 1)
    exponents = [np.repeat(np.arange(lowest, highest + 1), each), rng.integers(*BENT, size=count // 4)]
    exponent = np.concatenate([np.concatenate(exponents)] * 2)
    sign = np.repeat([1.0, -1.0], len(exponent) // 2)
    drawn = sign * np.ldexp(rng.uniform(1, 2, len(exponent)), exponent)
    known = np.array(KNOWN)
    near = precision.held(np.concatenate([known, -known])).astype(DTYPES[precision.storage])
    around = [np.nextafter(near, near.dtype.type(to)) for to in (-np.inf, np.inf)]
    made = np.concatenate([precision.held(drawn), near.astype(np.float64), *(each.astype(np.float64) for each in around)])
    return np.unique(made[np.isfinite(made)]) + 0.0
