"""What a loss is: C_0 of one sample, equation 2's derivative of it, and what rounding does to both."""

from collections.abc import Callable
from dataclasses import dataclass

from reference.arrays import Array
from reference.model import Model


@dataclass(frozen=True)
class Loss:
    """C_0(a, y) of the last layer's activations a and the expected outputs y, both (..., batch, n).

    value: C_0, (..., batch).
    derivative: equation 2, dC_0/da, (..., batch, n).
    curvature: of (a, y, direction), how dC_0/da changes along a direction, (..., batch, n): the matrix of second derivatives times it.
    value_error, derivative_error: the rounding bound of both, of (a, y, E(a), model); shapes as above.
    derivative_variance: of (a, y, V(a), v, batch), the variance of the derivative between two passes, but for the rounding of each entry;
        v: the variance of one rounding, relative to its size; batch: how many samples a function's own errors are the same for.
    common: of (a, y), how dC_0/da moves, over d, if the exponentials in it are all off by d of themselves; one for each way to write it.
    constants: of n, the factors of dC_0/da by which all is multiplied or divided; a format rounds those that are no powers of two.
    refusal: why y cannot be an expected output of this loss, or "".
    lossy: the textbook formulas that lose digits, and where, in words; empty if there are none.
    """

    value: Callable[[Array, Array], Array]
    derivative: Callable[[Array, Array], Array]
    curvature: Callable[[Array, Array, Array], Array]
    value_error: Callable[[Array, Array, Array, Model], Array]
    derivative_error: Callable[[Array, Array, Array, Model], Array]
    derivative_variance: Callable[[Array, Array, Array, float, float], Array]
    common: Callable[[Array, Array], list[Array]] = lambda a, y: []
    constants: Callable[[int], list[float]] = lambda n: []
    refusal: Callable[[Array], str] = lambda y: ""
    lossy: str = ""
