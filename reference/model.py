"""The model of rounding: what one operation of an honest implementation may add."""

from dataclasses import dataclass
from math import expm1, log1p

import numpy as np

from reference.arrays import Array
from reference.precisions import PRECISIONS, Precision

K = 16
"""Elementary functions are within K u of the scale of their terms: 8 units in the last place."""


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
