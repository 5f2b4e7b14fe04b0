"""What the second-moment bound says of a gradient: the variance of every entry, of dC/dW by rows as they are asked for."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from reference.arrays import AnyArray, Product
from reference.gradient import Gradient


@dataclass(frozen=True)
class Factored:
    """V of dC/dW, summed + shared (dC/dW)^2 + constant: rows of it are computed when they are asked for.

    penalty: what is added for a penalty's own part of it, (n_l, n_{l-1}), or None.
    """

    summed: Product
    exact: Product
    shared: float
    constant: float
    penalty: AnyArray | None = None

    @property
    def dtype(self) -> Any:
        """In which they are computed."""
        return self.summed.left.dtype

    def rows(self, some: slice | AnyArray, squared: AnyArray) -> AnyArray:
        """Some rows; squared: the squares of those of dC/dW, in this dtype."""
        variance = self.summed[some]
        variance += self.shared * squared
        variance += self.constant
        if self.penalty is not None:
            variance += self.penalty[some]
        return variance

    def __getitem__(self, rows: slice | AnyArray) -> AnyArray:
        return self.rows(rows, np.square(self.exact[rows].astype(self.dtype, copy=False)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> AnyArray:
        return np.asarray(self[:], dtype=dtype)


@dataclass(frozen=True)
class Deviation:
    """variance: V of each entry, in units of unit^2, of dC/dW as Factored; None of dC/dx and C where not asked for.

    averages: for each layer whether the errors of its dC/dW average out over the whole layer: no layer's weights are mostly of one sign
    or large, no few samples make up the gradient, and no pre-activation is near a kink from this layer on.
    """

    variance: Gradient
    unit: float
    averages: tuple[bool, ...]

    @cached_property
    def sigma(self) -> Gradient:
        """The standard deviation of each entry."""
        return self.variance.mapped(lambda place, variance: self.unit * np.sqrt(np.asarray(variance), dtype=np.float64))
