"""The model of rounding: what one operation of an honest implementation may add."""

from dataclasses import dataclass
from math import expm1, inf, log1p

import numpy as np

from reference.arrays import Array
from reference.dtypes import DTYPES
from rounding.precisions import PRECISIONS, Precision

K = 16
"""Elementary functions are within K u of the scale of their terms: 8 units in the last place."""

SIGMAS_ALLOWED = 8.0
"""An honest answer stays within so many standard deviations: fixed before the final measurements, which used other seeds."""

FUNCTION_ERROR = 2.0
"""What a function is off as a rule, in units of u times its scale: the same for equal arguments, so that it adds up over samples."""

TEXTBOOK_ERROR = 0.5
"""The same of a textbook formula on the whole, times its scale: what it loses is the rounding of numbers that are not small, which is off
to either side."""

SHARED = 8.0
"""The squared relative error that all terms of a sum may share, such as that of a rounded constant, in units of u^2 / 3."""


OWN = PRECISIONS["float64"]
"""What the reference itself computes in."""


@dataclass(frozen=True, kw_only=True)
class WorstCaseRounding:
    """Rounding of two passes that are compared: u and eta are the sums of both (docs/tolerance.md, section 1).

    unit: u, relative error of one operation; underflow: eta, absolute error of one result that underflows;
    largest: the largest number of the narrower range; lossy: the names of the activations and losses for which a textbook
    formula is allowed for, or None for all; dtype: the narrower of the two formats; sum_unit: u of running sums, where it is
    another one; product_unit: u of what goes into a product, where that is rounded once more; function_unit: u of functions, where they
    are computed in another format and rounded once when they are stored.
    """

    unit: float
    underflow: float
    largest: float
    lossy: frozenset[str] | None = frozenset()
    dtype: str = "float64"
    sum_unit: float | None = None
    product_unit: float = 0.0
    function_unit: float | None = None

    def function(self, scale: Array, size: Array, stored: Array | float = 0.0) -> Array:
        """How far a function may be off at an argument: K u s; or K u_f s, and u of its result and of what was stored on the way to it.

        scale: s, 0 where nothing is rounded; size: the function's own; stored: how much of it numbers that were stored before may be off,
        in units of u.
        """
        if self.function_unit is None:
            return K * self.unit * scale
        rounded: Array = K * self.function_unit * scale
        return rounded + np.where(scale > 0, self.unit * (size + rounded + stored) + self.underflow, 0.0)

    def allows(self, name: str) -> bool:
        """Whether a textbook formula that loses digits is allowed for."""
        return self.lossy is None or name in self.lossy

    def sum(self, terms: int) -> float:
        """th(n) = (1 + u)^n - 1: the relative error of a sum of n products, in any order; infinite where it leaves the range.

        Where sums are kept apart, a result is rounded when it is stored, and once more with a bias or a mean.
        """
        stored = 0.0 if self.sum_unit is None else 2 * log1p(self.unit)
        exponent = terms * log1p(self.sum_unit or self.unit) + stored + 2 * log1p(self.product_unit)
        return expm1(exponent) if exponent < 700 else inf

    @property
    def holds_less(self) -> bool:
        """Whether the narrower format holds fewer numbers than a problem has."""
        return self.dtype != "float64"

    def input_error(self, array: Array) -> Array | float:
        """How far a problem's numbers are from what the narrower format holds of them; usually 0."""
        if not self.holds_less:
            return 0.0
        held = array.astype(DTYPES[self.dtype])
        return np.where(held == array, 0.0, np.where(np.isfinite(held), self.unit * np.abs(array) + self.underflow, np.inf))


def worst_case_rounding(precision: Precision, lossy: frozenset[str] | None = frozenset()) -> WorstCaseRounding:
    """How far a target in this precision may be from the reference, which is a pass in float64 itself."""
    return WorstCaseRounding(
        unit=precision.unit + OWN.unit,
        underflow=precision.least_normal + OWN.least_normal,
        largest=precision.largest,
        lossy=lossy,
        dtype=precision.storage,
        sum_unit=precision.sum_unit + OWN.unit if precision.sum_bits else None,
        product_unit=precision.product_unit,
        function_unit=precision.function_unit + OWN.unit if precision.function_bits else None,
    )


REFERENCE = WorstCaseRounding(unit=OWN.unit, underflow=OWN.least_normal, largest=OWN.largest)
"""How far the reference, in float64, may be from the exact gradient."""


@dataclass(frozen=True, kw_only=True)
class TypicalRounding:
    """How two passes that are compared round, as a rule.

    variance: v of one rounding, relative to its size, u^2 / 3 of each pass; sums: that of a running sum, over v;
    products: that of both factors of a product, which are rounded once more, over v; functions: that of a function, over v;
    apart, functions_apart: whether sums, and functions, are rounded when they are stored;
    unit: u of the coarser pass; sum_unit: u of its sums; underflow: eta of both; largest: the largest number of the narrower range.
    """

    variance: float
    sums: float
    products: float
    functions: float
    apart: bool
    functions_apart: bool
    unit: float
    sum_unit: float
    underflow: float
    largest: float


def typical_rounding(precision: Precision) -> TypicalRounding:
    """A pass in a precision beside the reference's own in float64."""
    variance = (precision.unit**2 + OWN.unit**2) / 3
    sums, products = (precision.sum_unit**2 + OWN.unit**2) / 3, 2 * precision.product_unit**2 / 3
    return TypicalRounding(
        variance=variance,
        sums=sums / variance,
        products=products / variance,
        functions=(precision.function_unit**2 + OWN.unit**2) / 3 / variance,
        apart=bool(precision.sum_bits),
        functions_apart=bool(precision.function_bits),
        unit=precision.unit,
        sum_unit=precision.sum_unit,
        underflow=precision.lost + OWN.lost,
        largest=precision.largest,
    )
