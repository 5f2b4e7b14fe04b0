"""What a loss is: C_0 of one sample, equation 2's derivative of it, and what it expects."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reference.arrays import Array
from reference.functions.expected_outputs import NUMBERS, Expected

Terms = tuple[Array, ...]


@dataclass(frozen=True)
class Sums:
    """What a loss is made of that is made of sums and products alone, each up to a factor that is a power of two, or a number of outputs.

    derivative: of (a, y), the terms of which dC_0/da is the sum; value: the two factors of each term of C_0, each by its own terms. All
    (..., batch, n), or numbers.
    """

    derivative: Callable[[Array, Array], Terms]
    value: Callable[[Array, Array], tuple[Terms, Terms]]


@dataclass(frozen=True)
class Loss:
    """C_0(a, y) of the last layer's activations a and the expected outputs y, both (..., batch, n).

    value: C_0, (..., batch).
    derivative: equation 2, dC_0/da, (..., batch, n).
    curvature: of (a, y, direction), how dC_0/da changes along a direction, (..., batch, n): the matrix of second derivatives times it.
    expected: what y may be; where it has labels, a is meant to be logits.
    terms: of (a, y), how large the terms are of which C_0 is the sum, where they may cancel, (..., batch), else 0.
    sums: what it is made of, where that is sums and products alone, so that on chosen numbers it rounds nowhere; None where it is not.
    of_differences: whether C_0 is one of a - y, so that a sample whose outputs are as expected has no error.
    behind: where a is meant to be probabilities, the activations that the last layer may have; () for any.
    """

    value: Callable[[Array, Array], Array]
    derivative: Callable[[Array, Array], Array]
    curvature: Callable[[Array, Array, Array], Array]
    expected: Expected = NUMBERS
    terms: Callable[[Array, Array], Array] = lambda a, y: np.zeros(a.shape[:-1])
    of_differences: bool = False
    sums: Sums | None = None
    behind: tuple[str, ...] = ()
