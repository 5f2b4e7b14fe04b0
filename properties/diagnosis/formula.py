"""A textbook formula: one way to write g, g' or the derivative of a loss, computed in any dtype."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from reference.arrays import AnyArray

Nudged = Callable[[Any], Any]
"""What a library may give for an elementary function: the nearest number, or one beside it."""

ULPS = {0: (0,), 1: (-2, -1, 0, 1, 2), 2: (-1, 0, 1)}
"""By the number of elementary functions in a formula, how many units in the last place each may be off."""

NEAR_ONE = "{} is near {}, and the difference of nearly equal numbers keeps only its last digits"


@dataclass(frozen=True)
class Formula:
    """One way to write g, g' or the derivative of a loss.

    name: a past deed; of: the activation or loss; quantity: "value", "slope" or "loss"; written: the formula; why: where its digits go, or
    what leaves the range; instead: what to write; computed: of (nudged, z, parameters), z of any dtype, or of (nudged, a, y) for a loss;
    calls: how many elementary functions it nudges.
    """

    name: str
    of: str
    quantity: str
    written: str
    why: str
    instead: str
    computed: Callable[..., Any]
    calls: int = 1

    def results(self, *given: AnyArray, **parameters: float) -> Iterator[AnyArray]:
        """What it gives, (n,) for each way in which its elementary functions may be rounded."""
        for ulps in product(ULPS[self.calls], repeat=self.calls):
            turns = iter(ulps)

            def nudged(t: Any, turns: Iterator[int] = turns) -> Any:
                return t + next(turns, 0) * np.where(np.isfinite(t), np.spacing(np.abs(t)), 0).astype(t.dtype)

            with np.errstate(all="ignore"):
                yield np.asarray(self.computed(nudged, *given, **parameters))

    def as_it_stands(self, *given: AnyArray, **parameters: float) -> AnyArray:
        """What it gives with elementary functions as they come."""
        with np.errstate(all="ignore"):
            return np.asarray(self.computed(lambda t: t, *given, **parameters))


def sigmoid(z: Any) -> Any:
    """s(z), by exponentials that do not overflow, in the dtype of z."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))
