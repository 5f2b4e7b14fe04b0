"""What a loss expects of y: any numbers, probabilities, or a distribution in each row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from reference.arrays import AnyArray, Array
from reference.errors import ProblemError

Labels: TypeAlias = Callable[[int], Sequence[tuple[float, ...]]]
"""Of n outputs rows of n for a whole sample, or of one number for each output; simplest first."""


@dataclass(frozen=True)
class Expected:
    """What expected outputs may be.

    refusal: why y cannot be, or "".
    labels: of n, what is drawn for y, simplest first, short, and exact in every precision: rows of n for a whole sample, or of one number
    for each output; None where any numbers are.
    """

    refusal: Callable[[Array], str] = lambda y: ""
    labels: Labels | None = None


def _no_probabilities(y: Array) -> str:
    return "" if ((y >= 0) & (y <= 1)).all() else "expected probabilities, from 0 to 1"


def _no_distribution(y: Array) -> str:
    if (y < 0).any():
        return "expected a distribution in each row, but it has a number below 0"
    sums = y.sum(axis=-1)
    far = np.abs(sums - 1) > 2.0**-8
    return f"expected a distribution in each row, but row {int(np.argmax(far))} sums to {sums[far][0]:.6g}" if far.any() else ""


def one_hot(n: int) -> list[tuple[float, ...]]:
    """The rows that say one class of n."""
    return [tuple(row.tolist()) for row in np.eye(n)]


def rows_of_classes(classes: AnyArray, n: int) -> Array:
    """One-hot y, (batch, n), of a class from 0 for each sample. Raises ProblemError."""
    outside = classes[(classes < 0) | (classes >= n)]
    if outside.size:
        raise ProblemError(f"y has the class {outside[0]}: expected 0 to {n - 1}")
    rows: Array = np.eye(n)[classes]
    return rows


def _distributions(n: int) -> list[tuple[float, ...]]:
    """One-hot rows, and those with two classes, half and half or one to three."""
    unit = np.eye(n)
    rows = [*unit, *((unit[i] + unit[i - 1]) / 2 for i in range(1, n)), *((3 * unit[i] + unit[i - 1]) / 4 for i in range(1, n))]
    return [tuple(row.tolist()) for row in rows]


NUMBERS = Expected()
PROBABILITIES = Expected(_no_probabilities, lambda n: [(probability,) for probability in (0.0, 1.0, 0.5, 0.25, 0.75)])
DISTRIBUTION = Expected(_no_distribution, _distributions)
