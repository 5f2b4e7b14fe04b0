"""The model of rounding: what one operation of an honest implementation may add."""

from dataclasses import dataclass
from math import expm1, log1p

import numpy as np

from reference.arrays import Array
from reference.precisions import PRECISIONS, Precision

K = 16
"""Elementary functions are within K u of the scale of their terms: 8 units in the last place."""

MULTIPLE = 8.0
"""An honest answer stays within so many standard deviations: fixed before the final measurements, which used other seeds."""

FUNCTION_ERROR = 2.0
"""What a function is off as a rule, in units of u times its scale: the same for equal arguments, so that it adds up over samples."""

SHARED = 8.0
"""The squared relative error that all terms of a sum may share, such as that of a rounded constant, in units of u^2 / 3."""


@dataclass(frozen=True)
class Model:
    """Rounding of two passes that are compared: u and eta are the sums of both (docs/tolerance.md, section 1).

    unit: u, relative error of one operation; underflow: eta, absolute error of one result that underflows;
    largest: the largest number of the narrower range; lossy: the names of the activations and losses for which a textbook
    formula is allowed for, or None for all; dtype: the narrower of the two formats.
    """

    unit: float
    underflow: float
    largest: float
    lossy: frozenset[str] | None = frozenset()
    dtype: str = "float64"

    def allows(self, name: str) -> bool:
        """Whether a textbook formula that loses digits is allowed for."""
        return self.lossy is None or name in self.lossy

    def sum(self, terms: int) -> float:
        """th(n) = (1 + u)^n - 1: the relative error of a sum of n products, in any order."""
        return expm1(terms * log1p(self.unit))

    def input_error(self, array: Array) -> Array | float:
        """How far a problem's numbers are from what the narrower format holds of them; usually 0."""
        if self.dtype == "float64":
            return 0.0
        held = array.astype(self.dtype)
        return np.where(held == array, 0.0, np.where(np.isfinite(held), self.unit * np.abs(array) + self.underflow, np.inf))


def model_of(precision: Precision, lossy: frozenset[str] | None = frozenset()) -> Model:
    """How far a target in this precision may be from the reference, which is a pass in float64 itself."""
    own = PRECISIONS["float64"]
    return Model(precision.unit + own.unit, precision.least_normal + own.least_normal, precision.largest, lossy, precision.name)


REFERENCE = Model(PRECISIONS["float64"].unit, PRECISIONS["float64"].least_normal, PRECISIONS["float64"].largest)
"""How far the reference, in float64, may be from the exact gradient."""


@dataclass(frozen=True)
class Noise:
    """How two passes that are compared round, as a rule.

    variance: of one rounding, relative to its size, u^2 / 3 of each pass; unit: u of the coarser one; underflow: eta of both.
    """

    variance: float
    unit: float
    underflow: float


def noise_of(precision: Precision) -> Noise:
    """A pass in a precision beside the reference's own in float64."""
    own = PRECISIONS["float64"]
    return Noise((precision.unit**2 + own.unit**2) / 3, precision.unit, precision.lost + own.lost)
