"""The table of what rounding does to each activation. Sources of the scales: docs/tolerance.md, section 4."""

from collections.abc import Callable

import numpy as np
from scipy.special import expit

from reference.arrays import Array, clipped
from reference.functions import activations
from reference.functions.activation import Elementwise
from reference.functions.activations import (
    ACTIVATIONS,
    SELU_ALPHA,
    SELU_SCALE,
    bell,
    held,
    normal_density,
    normal_distribution,
    slope_of_twice_q,
    twice_q,
)
from reference.functions.parametrised import Choice, row_of
from rounding.scales import ActivationRounding, ElementwiseRounding, JointRounding, Scales
from rounding.softmax import softmax_activation

ALMOST = 1 + 2.0**-7
"""What is of second order in u, down to 8 bits, relative to what is of first."""


def identity() -> ElementwiseRounding:
    """Nothing is computed."""
    return ElementwiseRounding()


def sigmoid() -> ElementwiseRounding:
    """Relative to s and s', by formulas that hold their digits."""
    return ElementwiseRounding(
        Scales(expit, np.ones_like, "sigmoid by tanh (z < 0)"),
        Scales(activations.sigmoid().derivative, np.ones_like, "sigmoid' as a (1 - a) (large |z|)", lambda z: ALMOST * expit(z)),
    )


def tanh() -> ElementwiseRounding:
    """Relative to |tanh| and tanh'."""
    derivative = activations.tanh().derivative
    return ElementwiseRounding(
        Scales(lambda z: np.abs(np.tanh(z)), np.ones_like, "tanh by exponentials (z near 0)"),
        Scales(derivative, np.ones_like, "tanh' as 1 - a a (large |z|)", lambda z: 2 * ALMOST * np.tanh(z) ** 2),
    )


def relu() -> ElementwiseRounding:
    """Nothing is rounded."""
    return leaky_relu(0.0)


def leaky_relu(slope: float = 0.01) -> ElementwiseRounding:
    """slope z is a product, of a slope that is rounded."""
    steep = abs(slope)
    if not slope:
        return ElementwiseRounding()
    return ElementwiseRounding(
        Scales(*2 * (lambda z: np.where(z > 0, 0.0, steep * np.abs(z)),)), Scales(*2 * (lambda z: np.where(z > 0, 0.0, steep),))
    )


def elu(alpha: float = 1.0) -> ElementwiseRounding:
    """Relative to alpha (e^z - 1) and alpha e^z."""
    return _exponential_linear(1.0, alpha, "elu")


def selu() -> ElementwiseRounding:
    """The same, and lambda z is a product."""
    return _exponential_linear(SELU_SCALE, SELU_SCALE * SELU_ALPHA, "selu")


def _exponential_linear(right: float, left: float, name: str) -> ElementwiseRounding:
    steep = abs(left)
    rounded = 0.0 if right == 1 else right
    return ElementwiseRounding(
        Scales(
            lambda z: np.where(z > 0, rounded * z, steep * -np.expm1(np.minimum(z, 0.0))),
            lambda z: np.where(z > 0, rounded * z, steep),
            f"{name} by exp(z) - 1 (z < 0, near 0)",
        ),
        Scales(
            lambda z: np.where(z > 0, rounded, steep * np.exp(np.minimum(z, 0.0))),
            lambda z: np.where(z > 0, rounded, steep),
            f"{name}' as a + alpha (z < 0, left tail)",
            lambda z: steep * -np.expm1(np.minimum(z, 0.0)),
        ),
    )


def softplus() -> ElementwiseRounding:
    """Relative to g and s."""
    value = activations.softplus().value
    return ElementwiseRounding(
        Scales(value, lambda z: 1 + value(z), "softplus by log(1 + exp(z)) (z < 0)"),
        Scales(expit, lambda z: 1 + np.abs(z) * expit(z), "softplus' as 1 - exp(-a) or exp(z - a)"),
    )


def gelu() -> ElementwiseRounding:
    """The argument of phi is rounded, which counts z^2 times on the left."""

    def weighed(z: Array, power: int) -> Array:
        return np.abs(clipped(z, -50, 50)) ** power * normal_density(z)

    def tail(z: Array) -> Array:
        return normal_distribution(z) * (1 + clipped(z, -50, 0) ** 2)

    return ElementwiseRounding(
        Scales(lambda z: np.abs(z) * tail(z), np.abs, "gelu by 1 + erf (left tail)"),
        Scales(
            lambda z: tail(z) + weighed(z, 1) + weighed(z, 3),
            lambda z: 1 + weighed(z, 3),
            "gelu' by 1 + erf (left tail)",
        ),
        times_z=True,
    )


def gelu_tanh() -> ElementwiseRounding:
    """The argument of the sigmoid, 2 q, is rounded."""

    def value_scale(z: Array) -> Array:
        q = np.abs(twice_q(held(z)))
        return np.abs(z) * (expit(twice_q(held(z))) + q * bell(held(z)))

    def multiplied(z: Array) -> Array:
        return np.abs(held(z)) * slope_of_twice_q(held(z))

    def derivative_scale(z: Array) -> Array:
        c = held(z)
        q = np.abs(twice_q(c))
        return expit(twice_q(c)) + q * bell(c) + multiplied(c) * bell(c) * (1 + q)

    return ElementwiseRounding(
        Scales(value_scale, np.abs, "gelu_tanh by 1 + tanh (left tail)"),
        Scales(derivative_scale, lambda z: 1 + multiplied(z), "gelu_tanh' by 1 + tanh (tails)"),
        reach=3,
        underflow_scale=lambda z: 1 + np.abs(z) + multiplied(z),
        times_z=True,
    )


def silu() -> ElementwiseRounding:
    """Relative to |z| s and s (1 + |z| s(-z))."""
    return ElementwiseRounding(
        Scales(*2 * (lambda z: np.abs(z) * expit(z),)),
        Scales(
            lambda z: expit(z) * (1 + np.abs(z) * expit(-z)),
            lambda z: expit(z) * (1 + np.abs(z)),
            "silu' by s (1 + z (1 - s)) or a + s (1 - a) (large z)",
        ),
        times_z=True,
    )


def softsign() -> ElementwiseRounding:
    """1 + |z| is stored, and the quotient rule rounds and stores each of its steps."""

    def inverse(z: Array) -> Array:
        return 1 / (1 + np.abs(z))

    return ElementwiseRounding(
        Scales(*2 * (lambda z: np.abs(z) * inverse(z),), stored=lambda z: ALMOST * np.abs(z) * inverse(z)),
        Scales(
            lambda z: inverse(z) ** 2,
            inverse,
            "softsign' as (1 - |a|)^2 or by the quotient rule (large |z|)",
            lambda z: 8 * inverse(z),
        ),
        reach=2,
    )


def hardtanh() -> ElementwiseRounding:
    """Nothing is rounded."""
    return ElementwiseRounding()


def relu6() -> ElementwiseRounding:
    """Nothing is rounded, but in a difference of two relus."""
    return ElementwiseRounding(Scales(lossy=np.abs, textbook="relu6 as a difference of two relus (large z)"))


def softmax() -> JointRounding:
    """Exponentials, their sum, and a quotient."""
    return softmax_activation()


ROUNDED_ACTIVATIONS: dict[str, Callable[..., ActivationRounding]] = {
    make.__name__: make
    for make in (
        identity,
        sigmoid,
        tanh,
        relu,
        leaky_relu,
        elu,
        selu,
        softplus,
        gelu,
        gelu_tanh,
        silu,
        softsign,
        hardtanh,
        relu6,
        softmax,
    )
}
"""Name and parameters as in ACTIVATIONS -> what rounding does to it."""


def elementwise(choice: Choice) -> tuple[Elementwise, ElementwiseRounding]:
    """The rows of an activation that is elementwise."""
    activation, rounding = row_of(ACTIVATIONS, choice), row_of(ROUNDED_ACTIVATIONS, choice)
    assert isinstance(activation, Elementwise) and isinstance(rounding, ElementwiseRounding)
    return activation, rounding
