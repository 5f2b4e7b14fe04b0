"""Directed rounding: a ball's ends as float64, never inside the ball.

flint is not imported: a ball brings its own methods.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from reference.arrays import Array

if TYPE_CHECKING:
    from flint import arb, arb_mat

DIGITS = 53
LEAST_EXPONENT = -1074
LARGEST = math.ldexp(2**DIGITS - 1, 1023 - 52)


def to_float(ball: arb, up: bool) -> float:
    """The smallest float64 not below the ball (up), or the largest not above it.

    Infinite where the ball is not bounded or ends beyond the range. Exact: integers are shifted, and Python's shift rounds down.
    """
    end = ball.upper() if up else ball.lower()
    if not end.is_finite():
        return math.inf if up else -math.inf
    mantissa, exponent = (int(part) for part in end.man_exp())
    # 0.0 - 0.0 is 0.0: no negative zero above
    return 0.0 - _rounded_down(-mantissa, exponent) if up else _rounded_down(mantissa, exponent)


def _rounded_down(mantissa: int, exponent: int) -> float:
    """The largest float64 not above mantissa 2^exponent."""
    bits = mantissa.bit_length()
    shift = max(bits - DIGITS, LEAST_EXPONENT - exponent, 0)
    # a shift by more than all bits changes nothing; that of a tiny ball has dozens of digits
    kept = mantissa >> min(shift, bits + 1)
    try:
        return math.ldexp(kept, exponent + shift)
    except OverflowError:
        return LARGEST if mantissa > 0 else -math.inf


def to_floats(balls: arb_mat) -> tuple[Array, Array]:
    """Both ends of every entry of a matrix (m, n), as to_float gives them, lower and upper: two arrays (m, n)."""
    entries, shape = balls.entries(), (balls.nrows(), balls.ncols())
    near = np.array([float(ball) for ball in entries])
    rest = (balls - type(balls)(*shape, near.tolist())).entries()
    lower = _ends(entries, near, np.array([float(ball.lower()) for ball in rest]), up=False)
    upper = _ends(entries, near, np.array([float(ball.upper()) for ball in rest]), up=True)
    return lower.reshape(shape), upper.reshape(shape)


@np.errstate(over="ignore", invalid="ignore")
def _ends(entries: list[arb], near: Array, rest: Array, up: bool) -> Array:
    """The ends on one side: near or its neighbour, by the sign of rest, which is the end less near.

    to_float takes several times as long, and is asked where that does not settle it.
    """
    beyond = np.nextafter(near, np.where(rest > 0, math.inf, -math.inf))
    found = np.where((rest > 0) == up, beyond, near) + 0.0
    # what rounds to 0 as a float64 need not be 0
    settled = (np.abs(rest) < 0.75 * np.abs(beyond - near)) & (rest != 0)
    for i in np.flatnonzero(~settled).tolist():
        found[i] = to_float(entries[i], up)
    return found
