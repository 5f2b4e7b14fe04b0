"""Where a run is blind: the pre-activations at which an activation's slope may be missing, and its precision allows for it."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from reference.arrays import AnyArray, Array
from reference.forward import forward
from reference.functions.activation import Elementwise
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import Choice, name_and_parameters, row_of
from reference.problem import Problem
from rounding.arithmetic import WorstCaseRounding, worst_case_rounding
from rounding.precisions import Precision
from rounding.worst_case import slope_bound

GRID: Array = np.arange(-16 * 64, 16 * 64 + 1) / 64
"""The pre-activations that are looked at: beyond, slopes are constant or next to nothing."""

NOTABLE = 2.0**-8
"""A range is told where a slope of this size, or a larger one, may be missing."""


@dataclass(frozen=True)
class Blind:
    """A range of z, low to high, in which a slope of 0 is within the bound of g'. function: "gelu'"; slope: the largest |g'| there."""

    function: str
    low: float
    high: float
    slope: float


def blind_spots(problems: Iterable[Problem], precision: Precision, strict: bool = False) -> tuple[Blind, ...]:
    """The ranges of z, within what the problems come to, in which this precision sees no slope; the largest slopes first.

    The bound is that of one slope of a layer with one input and a bias, whose z is as exact as it can be, so that no layer sees more;
    by textbook formulas too, unless they fail. A weight gradient may still show what is missing, where further samples add up.
    Limit: only a missing slope is looked for, not a missing value or another slope.
    """
    # a wrong slope may be taken for a textbook formula's
    model = worst_case_rounding(precision, frozenset() if strict else None)
    missing: dict[str, Array] = {}
    with np.errstate(all="ignore"):
        for choice, z in _seen(problems):
            slopes = np.where((z.min() <= GRID) & (z.max() >= GRID), _missing(choice, model), 0.0)
            name = name_and_parameters(choice)[0]
            missing[name] = np.maximum(missing.get(name, 0.0), slopes)
    found = [blind for name, slopes in missing.items() for blind in _ranges(f"{name}'", slopes)]
    return tuple(sorted(found, key=lambda blind: -blind.slope))


def _seen(problems: Iterable[Problem]) -> Iterable[tuple[Choice, Array]]:
    """Each layer's activation, if it is elementwise, with the finite pre-activations that it is given."""
    for problem in problems:
        for choice, z in zip(problem.activations, forward(problem).pre_activations, strict=True):
            if isinstance(row_of(ACTIVATIONS, choice), Elementwise) and (finite := z[np.isfinite(z)]).size:
                yield choice, finite


def _missing(choice: Choice, model: WorstCaseRounding) -> Array:
    """|g'| of the grid where a slope of 0 is within its bound, else 0."""
    size = np.abs(row_of(ACTIVATIONS, choice).derivative(GRID))
    bound = slope_bound(choice, GRID, model.sum(2) * np.abs(GRID), model, jumps=False)
    return np.where(bound >= size, size, 0.0)


def _ranges(function: str, slopes: Array) -> Iterable[Blind]:
    """The rows of neighbours of the grid whose slopes may all be missing, if one of them is notable."""
    ends: AnyArray = np.flatnonzero(np.diff(slopes > 0, prepend=False, append=False))
    for first, after in ends.reshape(-1, 2).tolist():
        if (slope := float(slopes[first:after].max())) >= NOTABLE:
            yield Blind(function, float(GRID[first]), float(GRID[after - 1]), slope)
