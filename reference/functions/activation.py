"""What an activation is: g, its derivatives and its kinks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reference.arrays import Array

Elementwise = Callable[[Array], Array]
Points = tuple[tuple[float, float], ...]


def nothing(z: Array) -> Array:
    """0 everywhere."""
    return np.zeros_like(z)


@dataclass(frozen=True)
class Activation:
    """Equation 3's g and g', elementwise, and their extrema.

    value, derivative, curvature: g, g', g'' of an array of any shape, accurate for every finite z.
    kinks: (z, jump): where g' jumps, and by how much; every slope between the two sides is legal there.
    steepest, most_bent: (z, size): where |g'| and |g''| have a local maximum, or their larger one-sided value at a
        corner; between those points they are monotone, so that the largest value over an interval is at one of its ends or there.
    """

    value: Elementwise
    derivative: Elementwise
    curvature: Elementwise
    kinks: Points = ()
    steepest: Points = ()
    most_bent: Points = ()


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
