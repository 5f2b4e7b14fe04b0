"""What an activation is: g, its derivatives, its kinks, and what rounding does to it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from reference.arrays import Array

Elementwise = Callable[[Array], Array]
Points = tuple[tuple[float, float], ...]


def nothing(z: Array) -> Array:
    """The scale of a function that is computed without any rounding."""
    return np.zeros_like(z)


@dataclass(frozen=True)
class Scales:
    """How large the rounding of a function may be, in units of K u (see docs/tolerance.md, section 4).

    right: with the most accurate formula known; lossy: with a textbook formula that loses digits, which textbook names: what it
    computes, how, and where its digits go; empty if there is none. stored: how far a textbook formula may be off that takes up numbers
    which were stored before, in units of u of the storage, where functions are computed in a wider format; at no point inside an interval
    is it larger than at both ends.
    """

    right: Elementwise = nothing
    lossy: Elementwise = nothing
    textbook: str = ""
    stored: Elementwise = nothing


@dataclass(frozen=True)
class Activation:
    """Equation 3's g and g', elementwise, with all that the rounding bound needs to know of them.

    value, derivative, curvature: g, g', g'' of an array of any shape, accurate for every finite z.
    kinks: (z, jump): where g' jumps, and by how much; every slope between the two sides is legal there.
    steepest, most_bent: (z, size): where |g'| and |g''| have a local maximum, or their larger one-sided value at a
        corner; between those points they are monotone, so that the largest value over an interval is at one of its ends or there.
    value_scales, derivative_scales: what rounding does to g and g'.
    reach: the power of z that the definition itself computes (1 if none); no claim is made where it leaves the range.
    underflow_scale: how many times what underflows on the way to g' may count in it; grows with |z|.
    times_z: whether g is z times a function: the chain rule then multiplies dC/da by z, and no claim is made where that overflows.
    """

    value: Elementwise
    derivative: Elementwise
    curvature: Elementwise
    kinks: Points = ()
    steepest: Points = ()
    most_bent: Points = ()
    value_scales: Scales = field(default_factory=Scales)
    derivative_scales: Scales = field(default_factory=Scales)
    reach: int = 1
    underflow_scale: Elementwise = lambda z: 1 + np.abs(z)
    times_z: bool = False

    @property
    def lossy(self) -> str:
        """The textbook formulas that lose digits, of g and g'; empty if there are none."""
        return ", ".join(scales.textbook for scales in (self.value_scales, self.derivative_scales) if scales.textbook)


def largest_between(size: Elementwise, peaks: Points, low: Array, high: Array) -> Array:
    """sup |f| over [low, high], for an |f| that is monotone between its peaks (z, |f(z)|).

    low, high: arrays of one shape; returns an array of that shape.
    """
    largest: Array = np.maximum(np.abs(size(low)), np.abs(size(high)))
    for point, peak in peaks:
        holds = (low <= point) & (point <= high)
        if holds.any():
            largest = np.where(holds, np.maximum(largest, peak), largest)
    return largest
