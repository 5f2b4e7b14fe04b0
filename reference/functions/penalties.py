"""The table of penalties: what is added to C for large weights, and so to every dC/dW. Biases are left out, as everywhere."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from reference.arrays import Array
from reference.functions.parametrised import Choice, normal_choice


@dataclass(frozen=True)
class Penalty:
    """lambda / 2 sum W^2 over all layers, or that over the batch size, so that it stays beside a mean what it is beside a sum.

    factor: lambda; over_batch: whether it is divided by the number of samples.
    """

    factor: float
    over_batch: bool

    def __post_init__(self) -> None:
        if self.factor < 0:
            raise ValueError(f"factor is {self.factor!r}, expected a number that is not negative")

    def rate(self, batch: int) -> float:
        """By what W is multiplied in dC/dW: lambda, or lambda / batch."""
        return self.factor / batch if self.over_batch else self.factor

    def value(self, weights: tuple[Array, ...], batch: int) -> Array:
        """What is added to C. weights: each (..., n_l, n_{l-1})."""
        return np.asarray(self.rate(batch) / 2 * squares(weights))

    def derivative(self, weight: Array, batch: int) -> Array:
        """What is added to dC/dW of a layer, (..., n_l, n_{l-1})."""
        return self.rate(batch) * weight


def squares(weights: tuple[Array, ...]) -> Array:
    """The sum of the squares of all weights, each (..., n_l, n_{l-1})."""
    return np.asarray(sum(np.square(weight).sum(axis=(-2, -1)) for weight in weights))


PENALTIES: Mapping[str, Callable[..., Penalty]] = {
    "l2": lambda factor=1.0: Penalty(factor, over_batch=False),
    "l2_over_batch": lambda factor=1.0: Penalty(factor, over_batch=True),
}
"""Name -> row, as a function of its parameters."""


def normal_penalty(choice: Any) -> Choice | None:
    """The one way to write a penalty: "l2", ("l2", {"factor": 0.1}) or ("l2", 0.1); None for none. Raises ValueError."""
    if choice is None:
        return None
    if isinstance(choice, (tuple, list)) and len(choice) == 2 and isinstance(choice[1], Real) and not isinstance(choice[1], bool):
        choice = (choice[0], {"factor": float(choice[1])})
    return normal_choice(PENALTIES, choice, "penalty")
