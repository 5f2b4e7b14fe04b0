"""The table of precisions of targets: what arrays are stored in, what sums and functions are computed in, what goes into a product."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from reference.arrays import AnyArray, Array
from reference.dtypes import DTYPES


@dataclass(frozen=True)
class Precision:
    """What a target computes in: a binary floating-point format, and what sums and functions are computed in.

    storage: the dtype of its numbers, a key of DTYPES; bits: of the significand of what is stored, the leading one included;
    least_exponent: of the smallest subnormal number; largest: the largest finite number;
    flushes: whether engines are known that flush results below the least normal number to zero;
    sum_bits: of the significand of running sums, if that is another one; product_bits: of what goes into a product, if less is kept;
    function_bits: of what activations, slopes and losses are computed in, to be rounded once when they are stored, if that is another one.

    Derived: unit, unit roundoff u, half the distance from 1 to the next number; sum_unit, function_unit, product_unit: that of sums, of
    functions, and of what goes into a product (0 where nothing is lost); least_normal: the smallest number that keeps its digits.
    """

    name: str
    storage: str
    bits: int
    least_exponent: int
    largest: float
    flushes: bool = True
    sum_bits: int = 0
    product_bits: int = 0
    function_bits: int = 0

    @cached_property
    def unit(self) -> float:
        return 2.0**-self.bits

    @cached_property
    def sum_unit(self) -> float:
        return 2.0 ** -(self.sum_bits or self.bits)

    @cached_property
    def function_unit(self) -> float:
        return 2.0 ** -(self.function_bits or self.bits)

    @cached_property
    def product_unit(self) -> float:
        return 2.0**-self.product_bits if self.product_bits else 0.0

    @cached_property
    def least_normal(self) -> float:
        return 2.0 ** (self.least_exponent + self.bits - 1)

    @cached_property
    def lost(self) -> float:
        """What a result that underflows may lose: all of the least normal number, or half of the smallest subnormal one."""
        return self.least_normal if self.flushes else 2.0 ** (self.least_exponent - 1)

    @cached_property
    def given(self) -> np.dtype[np.floating]:
        """The dtype of the arrays that a target is given, which hold numbers of the storage's: one that every framework reads."""
        return np.dtype("float32" if self.storage == "bfloat16" else self.storage)

    def held(self, array: AnyArray) -> Array:
        """The nearest numbers that the storage holds, as float64; beyond its range infinite.

        bfloat16 by way of float32, as frameworks have it: what float32 cannot tell from a tie goes to the even side.
        """
        with np.errstate(over="ignore"):
            return np.asarray(array).astype(DTYPES[self.storage]).astype(np.float64)

    def last_place(self, exact: AnyArray) -> Array:
        """The unit in the last place of the storage at each number, correctly rounded; of what is beyond the range that of the largest."""
        held = self.held(exact)
        _, exponent = np.frexp(np.where(np.isfinite(held), held, self.largest))
        least = self.least_exponent
        return np.ldexp(1.0, np.where(held == 0, least, np.maximum(exponent - self.bits, least)))

    def factor(self, array: AnyArray) -> AnyArray:
        """What is left of an array that goes into a product, in its dtype: the nearest numbers with product_bits."""
        if not self.product_bits:
            return array
        significand, exponent = np.frexp(array)
        rounded: AnyArray = np.ldexp(np.rint(np.ldexp(significand, self.product_bits)), exponent - self.product_bits)
        return rounded


FLOAT32 = (-149, (2 - 2.0**-23) * 2.0**127)
BFLOAT16 = (-133, (2 - 2.0**-7) * 2.0**127)

PRECISIONS: dict[str, Precision] = {
    row.name: row
    for row in (
        Precision("float64", "float64", 53, -1074, (2 - 2.0**-52) * 2.0**1023),
        Precision("float32", "float32", 24, *FLOAT32),
        Precision("tf32", "float32", 24, *FLOAT32, product_bits=11),
        Precision("float16/float32/float32", "float16", 11, -24, 65504.0, flushes=False, sum_bits=24, function_bits=24),
        Precision("float16/float32", "float16", 11, -24, 65504.0, flushes=False, sum_bits=24),
        Precision("float16", "float16", 11, -24, 65504.0, flushes=False),
        Precision("bfloat16/float32/float32", "bfloat16", 8, *BFLOAT16, sum_bits=24, function_bits=24),
        Precision("bfloat16/float32", "bfloat16", 8, *BFLOAT16, sum_bits=24),
        Precision("bfloat16", "bfloat16", 8, *BFLOAT16),
    )
}
"""From the widest to the narrowest; with slashes: stored in the first, added up in the second, functions computed in the third."""
