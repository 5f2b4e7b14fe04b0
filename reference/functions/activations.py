"""The table of activations: g, g' and g'' of each, by the most accurate formula known.

Every formula holds its relative accuracy for each finite z: in the tails, near 0, and where the function saturates.
Sources of the extrema: docs/tolerance.md, section 4. What rounding does to them: rounding/activations.py.
"""

import math
from collections.abc import Callable

import numpy as np

from reference.arrays import Array, clipped
from reference.functions import losses
from reference.functions.activation import Activation, Elementwise, Joint, nothing
from reference.functions.special import erfc, expit

SQRT_HALF = math.sqrt(0.5)

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def identity() -> Elementwise:
    """g(z) = z."""
    return Elementwise(value=lambda z: z.copy(), derivative=np.ones_like, curvature=nothing, pieces=((1.0, 0.0),))


def sigmoid() -> Elementwise:
    """g(z) = 1 / (1 + e^-z), g' = s(z) s(-z), g'' = g' (s(-z) - s(z))."""

    def derivative(z: Array) -> Array:
        return expit(z) * expit(-z)

    return Elementwise(
        value=expit,
        derivative=derivative,
        curvature=lambda z: -derivative(z) * np.tanh(z / 2),
        steepest=((0.0, 0.25),),
        most_bent=((-1.3169578969248166, 0.09622504486493764), (1.3169578969248166, 0.09622504486493764)),
    )


def tanh() -> Elementwise:
    """g(z) = tanh z, g' = 4 s(2z) s(-2z) = 1 / cosh(z)^2, g'' = -2 g g'."""

    def derivative(z: Array) -> Array:
        return 4 * expit(2 * z) * expit(-2 * z)

    return Elementwise(
        value=np.tanh,
        derivative=derivative,
        curvature=lambda z: -2 * np.tanh(z) * derivative(z),
        steepest=((0.0, 1.0),),
        most_bent=((-0.6584789484624083, 0.7698003589195011), (0.6584789484624083, 0.7698003589195011)),
    )


def relu() -> Elementwise:
    """g(z) = max(z, 0); at 0 every slope from 0 to 1 is legal, and 0 is taken."""
    return leaky_relu(0.0)


def leaky_relu(slope: float = 0.01) -> Elementwise:
    """g(z) = z for z > 0, slope z otherwise; the slope may have any sign."""
    steep = abs(slope)
    return Elementwise(
        value=lambda z: np.where(z > 0, z, slope * z) + 0.0,
        derivative=lambda z: np.where(z > 0, 1.0, slope),
        curvature=nothing,
        kinks=((0.0, abs(1 - slope)),) if slope != 1 else (),
        pieces=((slope, 0.0), (1.0, 0.0)) if slope != 1 else ((1.0, 0.0),),
        steepest=((0.0, max(1.0, steep)),),
    )


def elu(alpha: float = 1.0) -> Elementwise:
    """g(z) = z for z > 0, alpha (e^z - 1) otherwise; alpha may have any sign."""
    return _exponential_linear(1.0, alpha)


def selu() -> Elementwise:
    """g(z) = lambda z for z > 0, lambda alpha (e^z - 1) otherwise (Klambauer et al. 2017)."""
    return _exponential_linear(SELU_SCALE, SELU_SCALE * SELU_ALPHA)


def _exponential_linear(right: float, left: float) -> Elementwise:
    """g(z) = right z for z > 0, left (e^z - 1) otherwise."""
    steep = abs(left)

    def exp(z: Array) -> Array:
        return np.exp(np.minimum(z, 0.0))

    return Elementwise(
        value=lambda z: np.where(z > 0, right * z, left * np.expm1(np.minimum(z, 0.0))) + 0.0,
        derivative=lambda z: np.where(z > 0, right, left * exp(z)),
        curvature=lambda z: np.where(z > 0, 0.0, left * exp(z)),
        kinks=((0.0, abs(right - left)),) if left != right else (),
        steepest=((0.0, max(right, steep)),),
        most_bent=((0.0, steep),),
    )


def softplus() -> Elementwise:
    """g(z) = log(1 + e^z) = max(z, 0) + log1p(e^-|z|), g' = s(z), g'' = s(z) s(-z)."""

    def value(z: Array) -> Array:
        return np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))

    return Elementwise(
        value=value,
        derivative=expit,
        curvature=lambda z: expit(z) * expit(-z),
        most_bent=((0.0, 0.25),),
    )


def normal_density(z: Array) -> Array:
    """phi(z) = e^(-z^2/2) / sqrt(2 pi)."""
    return np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


def normal_distribution(z: Array) -> Array:
    """Phi(z) = erfc(-z / sqrt 2) / 2."""
    return 0.5 * erfc(-z * SQRT_HALF)


def gelu() -> Elementwise:
    """g(z) = z Phi(z), g' = Phi(z) + z phi(z), g'' = (2 - z^2) phi(z) (Hendrycks and Gimpel 2016)."""

    def weighed(z: Array, power: int) -> Array:
        # |z|^power phi(z), with z clipped where phi has long been 0, so that the power cannot overflow
        return np.abs(clipped(z, -50, 50)) ** power * normal_density(z)

    return Elementwise(
        value=lambda z: z * normal_distribution(z),
        derivative=lambda z: normal_distribution(z) + np.sign(z) * weighed(z, 1),
        curvature=lambda z: 2 * normal_density(z) - weighed(z, 2),
        steepest=((-math.sqrt(2), 0.1289041452), (math.sqrt(2), 1.1289041452)),
        most_bent=((0.0, 0.79788457), (-2.0, 0.10798194), (2.0, 0.10798194)),
    )


def twice_q(z: Array) -> Array:
    """2 q = 2 sqrt(2/pi) (z + 0.044715 z^3): GELU is about z s(2q)."""
    return 2 * math.sqrt(2 / math.pi) * z * (1 + 0.044715 * z * z)


def slope_of_twice_q(z: Array) -> Array:
    """d 2q / dz."""
    return 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z * z)


def bell(z: Array) -> Array:
    """s(2q) s(-2q)."""
    return expit(twice_q(z)) * expit(-twice_q(z))


def held(z: Array) -> Array:
    """z, as far as it matters there: beyond 50 the bell is 0 in every precision; clipped there, the powers of z cannot overflow."""
    return clipped(z, -50, 50)


def gelu_tanh() -> Elementwise:
    """g(z) = z s(2q) with q = sqrt(2/pi) (z + 0.044715 z^3): GELU's approximation by tanh."""

    def derivative(z: Array) -> Array:
        c = held(z)
        return expit(twice_q(c)) + c * bell(c) * slope_of_twice_q(c)

    def curvature(z: Array) -> Array:
        c = held(z)
        bend, slope = 2 * math.sqrt(2 / math.pi) * 6 * 0.044715 * c, slope_of_twice_q(c)
        return bell(c) * (2 * slope + c * bend - c * slope**2 * np.tanh(twice_q(c) / 2))

    return Elementwise(
        value=lambda z: z * expit(twice_q(held(z))),
        derivative=derivative,
        curvature=curvature,
        steepest=((-1.418504, 0.1289932), (1.418504, 1.1289932)),
        most_bent=((0.0, 0.7978847), (-2.013481, 0.1079136), (2.013481, 0.1079136)),
    )


def silu() -> Elementwise:
    """g(z) = z s(z), g' = s(z) (1 + z s(-z)), g'' = s(z) s(-z) (2 + z (s(-z) - s(z)))."""
    return Elementwise(
        value=lambda z: z * expit(z),
        derivative=lambda z: expit(z) * (1 + z * expit(-z)),
        curvature=lambda z: expit(z) * expit(-z) * (2 - z * np.tanh(z / 2)),
        steepest=((-2.399357280520, 0.09983932013), (2.399357280520, 1.09983932013)),
        most_bent=((0.0, 0.5), (-3.435841, 0.0369145), (3.435841, 0.0369145)),
    )


def softsign() -> Elementwise:
    """g(z) = z / (1 + |z|), g' = 1 / (1 + |z|)^2, g'' = -2 sign(z) / (1 + |z|)^3."""

    def inverse(z: Array) -> Array:
        return 1 / (1 + np.abs(z))

    return Elementwise(
        value=lambda z: z * inverse(z),
        derivative=lambda z: inverse(z) ** 2,
        curvature=lambda z: -2 * np.sign(z) * inverse(z) ** 3,
        steepest=((0.0, 1.0),),
        most_bent=((0.0, 2.0),),
    )


def hardtanh() -> Elementwise:
    """g(z) = min(max(z, -1), 1); at -1 and 1 every slope from 0 to 1 is legal, and 0 is taken."""
    return _clip(-1.0, 1.0)


def relu6() -> Elementwise:
    """g(z) = min(max(z, 0), 6); at 0 and 6 every slope from 0 to 1 is legal, and 0 is taken."""
    return _clip(0.0, 6.0)


def _clip(low: float, high: float) -> Elementwise:
    return Elementwise(
        value=lambda z: clipped(z, low, high),
        derivative=lambda z: np.where((z > low) & (z < high), 1.0, 0.0),
        curvature=nothing,
        kinks=((low, 1.0), (high, 1.0)),
        pieces=((0.0, low), (1.0, 0.0), (0.0, high)),
        # an interval that holds a kink holds a slope of 1 on one of its sides
        steepest=((low, 1.0), (high, 1.0)),
    )


def softmax() -> Joint:
    """g_j(z) = p_j = e^z_j / sum_k e^z_k, dp_i/dz_j = p_i (d_ij - p_j), dC/dz_j = p_j (dC/da_j - sum_k p_k dC/da_k)."""

    def partial(z: Array, i: int, j: int) -> float:
        p = losses.softmax(z)
        return float(p[i] * ((i == j) - p[j]))

    def pulled_back(z: Array, e: Array) -> Array:
        p = losses.softmax(z)
        return p * (e - np.sum(p * e, axis=-1, keepdims=True))

    def derivative(z: Array) -> Array:
        p = losses.softmax(z)
        return p * losses.others(p)  # 1 - p, of which no digits cancel

    def bent(z: Array, e: Array, up: Array) -> Array:
        p = losses.softmax(z)
        return up * (e - np.sum(p * e, axis=-1, keepdims=True)) - np.sum(up * p, axis=-1, keepdims=True) * e

    return Joint(losses.softmax, derivative, partial=partial, pulled_back=pulled_back, bent=bent)


ACTIVATIONS: dict[str, Callable[..., Activation]] = {
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
