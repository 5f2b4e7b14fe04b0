"""How much a run can see, measured: the exact gradient is put off until the judgement would no longer call it right."""

from collections.abc import Callable

import numpy as np

from properties.judging.by_second_moment import is_large, says_nothing, suspects
from properties.judging.judgement import Exact, measured
from reference.arrays import Array
from reference.gradient import Gradient
from reference.problem import Problem
from rounding.precisions import Precision

Change = Callable[[Array, float], Array]


def _entry(weight: Array, e: float) -> Array:
    place = np.unravel_index(int(np.argmax(np.abs(weight))), weight.shape)
    weight[place] *= 1 + e
    return weight


def _row(weight: Array, e: float) -> Array:
    weight[int(np.argmax(np.abs(weight).max(axis=1)))] *= 1 + e
    return weight


CHANGES: dict[str, Change] = {"entry": _entry, "row": _row, "layer": lambda weight, e: weight * (1 + e)}
"""What is multiplied by 1 + e, in dC/dW of the first layer: its largest entry, the row of that, all of it."""


def smallest_seen(problem: Problem, precision: Precision) -> dict[str, float]:
    """The smallest e, a power of 2, by which dC/dW may not be off unseen, for each of CHANGES; nothing for what is never seen.

    Measured on the reference as a target in this precision would answer it: an answer of a target's own may be off already, and what
    is allowed used up.
    """
    exact = Exact(problem)
    with np.errstate(all="ignore"):
        if is_large(problem) and says_nothing(exact, precision):
            return {}
        return {name: e for name, change in CHANGES.items() if (e := _smallest(exact, precision, change)) is not None}


def _smallest(exact: Exact, precision: Precision, change: Change) -> float | None:
    # what is seen at e is seen at 2 e: the exponent is found by halving
    low, high = -precision.bits - 2, 1
    if not _seen(exact, precision, change, 2.0**high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if _seen(exact, precision, change, 2.0**middle):
            high = middle
        else:
            low = middle
    return float(2.0**high)


def _seen(exact: Exact, precision: Precision, change: Change, e: float) -> bool:
    right = exact.reference
    first = change(np.array(right.weights[0]), e)
    # as a target stores it
    weights = [precision.held(weight) for weight in (first, *right.weights[1:])]
    pairs = zip(exact.problem.biases, right.biases or (), strict=True)
    off = Gradient(weights, [None if b is None or d is None else precision.held(d) for b, d in pairs])
    if is_large(exact.problem):
        return suspects(exact, off, precision, peers=True)
    entries = measured(off, exact.reference, exact.reference, exact.bound(precision))
    return any(entry.outside.any() for entry in entries)
