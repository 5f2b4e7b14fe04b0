"""What an activation is: g and its pullback, and of one that is elementwise its derivatives and their extrema."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from reference.arrays import Array

Function = Callable[[Array], Array]
Points = tuple[tuple[float, float], ...]


def nothing(z: Array) -> Array:
    """0 everywhere."""
    return np.zeros_like(z)


@dataclass(frozen=True)
class Activation(ABC):
    """Equation 3: what a layer makes of z, (..., batch, n), and of what comes back to it.

    value: g of z, accurate for every finite z.
    derivative: da_j/dz_j, what the activation of a node is by its own z alone.
    kinks: (z, jump): where da_j/dz_j jumps, and by how much; every slope between the two sides is legal there.
    """

    value: Function
    derivative: Function
    kinks: Points = ()

    @abstractmethod
    def pullback(self, z: Array, e: Array) -> Array:
        """dC/dz of z and e = dC/da, each (..., batch, n): dC/dz_j = sum_i dC/da_i da_i/dz_j."""


@dataclass(frozen=True)
class Elementwise(Activation):
    """One whose a_j depends on z_j alone: g and g' are functions of one number, of arrays of any shape.

    curvature: g''.
    pieces: (slope, offset) of the straight lines slope z + offset that it is made of, from left to right, one more than kinks; () where it
        is made of none: where these numbers are powers of two, a sum of products of what it gives rounds nowhere.
    steepest, most_bent: (z, size): where |g'| and |g''| have a local maximum, or their larger one-sided value at a
        corner; between those points they are monotone, so that the largest value over an interval is at one of its ends or there.
    """

    curvature: Function = nothing
    pieces: Points = ()
    steepest: Points = ()
    most_bent: Points = ()

    def pullback(self, z: Array, e: Array) -> Array:
        """dC/dz_j = dC/da_j g'(z_j)."""
        return e * self.derivative(z)


@dataclass(frozen=True)
class Joint(Activation):
    """One whose a_i depends on every z_j of its layer: the Jacobian of a sample is a full matrix.

    partial: da_i/dz_j, of z of one sample (n,), i and j.
    pulled_back: dC/dz of z and e.
    bent: of (z, e, u), the derivative of u . dC/dz by a, by which dC/dz is written: what moves it beside e.
    """

    partial: Callable[[Array, int, int], float] = field(kw_only=True)
    pulled_back: Callable[[Array, Array], Array] = field(kw_only=True)
    bent: Callable[[Array, Array, Array], Array] = field(kw_only=True)

    def pullback(self, z: Array, e: Array) -> Array:
        """dC/dz_j = sum_i dC/da_i da_i/dz_j."""
        return self.pulled_back(z, e)


def largest_between(size: Function, peaks: Points, low: Array, high: Array) -> Array:
    """sup |f| over [low, high], for an |f| that is monotone between its peaks (z, |f(z)|).

    low, high: arrays of one shape; returns an array of that shape.
    """
    largest: Array = np.maximum(np.abs(size(low)), np.abs(size(high)))
    for point, peak in peaks:
        holds = (low <= point) & (point <= high)
        if holds.any():
            largest = np.where(holds, np.maximum(largest, peak), largest)
    return largest
