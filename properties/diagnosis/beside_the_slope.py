"""Below the output, g' beside the error that comes down: g' at z is the same whatever W is above, and what comes down is not."""

from collections.abc import Callable

import numpy as np

from properties.diagnosis.asked import Asked
from properties.diagnosis.explanation import Layer
from reference.arrays import Array
from reference.problem import Problem

CALLS = 3
"""So many times W above a layer is changed."""

FACTORS = np.array([1.0, -2.0, 0.5, 2.0, -1.0, -0.5, 1.0])
"""By which its entries are multiplied, the first by another one each time: they round nothing."""

SMALL_PART = 2.0**-6
"""Of what g' is off by: what changes by less with W above is g', and what changes by more is not."""


def is_slope(read: Callable[[Problem], Layer | None], of: Asked, layer: Layer) -> bool | None:
    """Whether what is off in a hidden layer is its g', and not the error that comes down to it; None where that cannot be told.

    read: of a problem what is read of that layer; of, layer: an answer that is off there, and what was read of it.
    """
    if layer.own is None or layer.error is None:
        return None
    number, problem = layer.layer, of.problem
    right: Array = of.exact.passes.backward.slopes[number - 1]
    with np.errstate(all="ignore"):
        slopes = [layer.own / layer.error]
        for turn in range(CALLS):
            found = read(_with_another_above(problem, number, turn))
            if found is None or found.own is None or found.error is None:
                return None
            slopes.append(found.own / found.error)
        seen = np.isfinite(slopes).all(axis=0) & (right != 0)
        off = np.abs(slopes[0] - right)[seen]
        changes = np.abs(np.array(slopes[1:]) - slopes[0])[:, seen]
        ratios = (slopes[0] / right)[seen]
    if off.size < 2:
        return None
    if changes.max() > SMALL_PART * off.max():
        return False
    # one factor of all: no numbers tell whether it is in g', or in what comes down
    return True if np.ptp(ratios) > SMALL_PART * np.abs(ratios).max() else None


def _with_another_above(problem: Problem, number: int, turn: int) -> Problem:
    """The problem with the entries of W^{number + 1} times factors."""
    above = problem.weights[number]
    factors = FACTORS[(np.arange(above.size) + turn) % len(FACTORS)].reshape(above.shape)
    return problem.replaced(weights=[w * factors if i == number else w for i, w in enumerate(problem.weights)])
