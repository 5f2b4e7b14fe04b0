"""What rounding does to an activation: the scales that its errors are relative to, and where no claim is made."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from reference.arrays import Array
from reference.functions.activation import Function, nothing
from rounding.arithmetic import WorstCaseRounding


@dataclass(frozen=True)
class Scales:
    """How large the rounding of a function may be, in units of K u (see docs/tolerance.md, section 4).

    right: with the most accurate formula known; lossy: with a textbook formula that loses digits, which textbook names: what it
    computes, how, and where its digits go; empty if there is none. stored: how far a textbook formula may be off that takes up numbers
    which were stored before, in units of u of the storage, where functions are computed in a wider format; at no point inside an interval
    is it larger than at both ends.
    """

    right: Function = nothing
    lossy: Function = nothing
    textbook: str = ""
    stored: Function = nothing


class ActivationRounding(ABC):
    """What rounding does to an activation and its pullback."""

    @property
    @abstractmethod
    def lossy(self) -> str:
        """The textbook formulas that lose digits; empty if there are none."""


@dataclass(frozen=True)
class ElementwiseRounding(ActivationRounding):
    """What rounding does to g and g'.

    reach: the power of z that the definition itself computes (1 if none); no claim is made where it leaves the range.
    underflow_scale: how many times what underflows on the way to g' may count in it; grows with |z|.
    times_z: whether g is z times a function: the chain rule then multiplies dC/da by z, and no claim is made where that overflows.
    """

    value_scales: Scales = field(default_factory=Scales)
    derivative_scales: Scales = field(default_factory=Scales)
    reach: int = 1
    underflow_scale: Callable[[Array], Array] = lambda z: 1 + np.abs(z)
    times_z: bool = False

    @property
    def lossy(self) -> str:
        """The textbook formulas that lose digits, of g and g'; empty if there are none."""
        return ", ".join(scales.textbook for scales in (self.value_scales, self.derivative_scales) if scales.textbook)


@dataclass(frozen=True)
class JointRounding(ActivationRounding):
    """What rounding does to an activation whose nodes depend on one another, by rules of its own; arrays are (..., batch, n).

    value_error: of (z, E(z), model), E(a).
    pullback_error: of (z, E(z), |e|, E(e), model) with e = dC/da, E(dC/dz), and the largest of what is computed on the way.
    value_variance: of (z, V(z), v, alike), V(a); v: the variance of one rounding, relative to its size; alike: over how many samples
        a function's own errors add up.
    pullback_variance: of (z, V(a), e, V(e), v, alike), V(dC/dz); alike: how many samples round alike.
    moved_by: of (z, e) and of the derivatives of one number by z, by a and by dC/dz, what the function's own roundings and those of its
        pullback move that number by: standard deviations in units of sqrt(v), arrays of what has nothing to do with one another.
    textbook: as lossy.
    """

    value_error: Callable[[Array, Array, WorstCaseRounding], Array]
    pullback_error: Callable[[Array, Array, Array, Array, WorstCaseRounding], tuple[Array, Array]]
    value_variance: Callable[[Array, Array, float, float], Array]
    pullback_variance: Callable[[Array, Array, Array, Array, float, float], Array]
    moved_by: Callable[[Array, Array, Array, Array, Array], list[Array]]
    textbook: str = ""

    @property
    def lossy(self) -> str:
        """The textbook formulas that lose digits; empty if there are none."""
        return self.textbook
