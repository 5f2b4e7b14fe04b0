"""The table of losses: C_0 and equation 2's dC_0/da. What rounding does to them: rounding/losses.py.

The note leaves the loss open ("e.g. the L2 loss"); each row says which one it is by its sum or mean over outputs.
"""

from collections.abc import Callable

import numpy as np

from reference.arrays import Array, clipped
from reference.functions.expected_outputs import DISTRIBUTION, PROBABILITIES
from reference.functions.loss import Loss, Sums
from reference.functions.special import expit, xlog1py, xlogy


def half_squared_error() -> Loss:
    """C_0 = 1/2 sum_j (a_j - y_j)^2, dC_0/da_j = a_j - y_j."""
    return _squares(0.5, mean=False)


def squared_error() -> Loss:
    """C_0 = sum_j (a_j - y_j)^2, dC_0/da_j = 2 (a_j - y_j): the note's L2 loss."""
    return _squares(1.0, mean=False)


def mean_squared_error() -> Loss:
    """C_0 = 1/n sum_j (a_j - y_j)^2, dC_0/da_j = 2/n (a_j - y_j)."""
    return _squares(1.0, mean=True)


def half_mean_squared_error() -> Loss:
    """C_0 = 1/(2n) sum_j (a_j - y_j)^2, dC_0/da_j = (a_j - y_j) / n: scikit-learn's."""
    return _squares(0.5, mean=True)


def _squares(factor: float, mean: bool) -> Loss:
    def scale(a: Array) -> float:
        return factor / a.shape[-1] if mean else factor

    return Loss(
        value=lambda a, y: scale(a) * np.sum((a - y) ** 2, axis=-1),
        derivative=lambda a, y: 2 * scale(a) * (a - y),
        curvature=lambda a, y, direction: 2 * scale(a) * direction,
        of_differences=True,
        sums=Sums(lambda a, y: (a, y), lambda a, y: ((a, y), (a, y))),
    )


def huber(delta: float = 1.0) -> Loss:
    """C_0 = 1/n sum_j h(a_j - y_j), h(r) = r^2/2 for |r| <= delta, delta (|r| - delta/2) beyond; dC_0/da_j = clip(r, -delta, delta) / n."""
    if not delta > 0:
        raise ValueError(f"delta is {delta}, expected a number above 0")

    def value(a: Array, y: Array) -> Array:
        r = np.abs(a - y)
        inside = np.minimum(r, delta)
        return np.mean(inside * (r - 0.5 * inside), axis=-1)

    return Loss(
        value=value,
        derivative=lambda a, y: clipped(a - y, -delta, delta) / a.shape[-1],
        curvature=lambda a, y, direction: np.where(np.abs(a - y) <= delta, direction, 0.0) / a.shape[-1],
        of_differences=True,
        sums=Sums(lambda a, y: (a, y, np.full_like(a, delta)), lambda a, y: ((a, y, np.full_like(a, delta)),) * 2),
    )


def upstream() -> Loss:
    """C_0 = sum_j y_j a_j, dC_0/da_j = y_j: any gradient that comes from further up, so that dC/dW is a vector-Jacobian product."""
    return Loss(
        value=lambda a, y: np.sum(y * a, axis=-1),
        derivative=lambda a, y: y + np.zeros_like(a),
        curvature=lambda a, y, direction: np.zeros_like(direction),
        terms=lambda a, y: np.sum(np.abs(y * a), axis=-1),
        sums=Sums(lambda a, y: (y,), lambda a, y: ((y,), (a,))),
    )


def binary_cross_entropy_with_logits() -> Loss:
    """C_0 = 1/n sum_j log(1 + e^a_j) - y_j a_j, dC_0/da_j = ((1 - y_j) s(a_j) - y_j s(-a_j)) / n; y in [0, 1]."""
    return _of_logits(mean=True)


def summed_binary_cross_entropy_with_logits() -> Loss:
    """C_0 = sum_j log(1 + e^a_j) - y_j a_j, dC_0/da_j = (1 - y_j) s(a_j) - y_j s(-a_j); y in [0, 1]."""
    return _of_logits(mean=False)


def _of_logits(mean: bool) -> Loss:
    def value(a: Array, y: Array) -> Array:
        # max(a, 0) - a y, as a difference that cannot cancel
        linear = np.where(a > 0, a * (1 - y), -a * y)
        return np.sum(linear + np.log1p(np.exp(-np.abs(a))), axis=-1) / shared_by(a, mean)

    return Loss(
        value=value,
        derivative=lambda a, y: ((1 - y) * expit(a) - y * expit(-a)) / shared_by(a, mean),
        curvature=lambda a, y, direction: expit(a) * expit(-a) * direction / shared_by(a, mean),
        expected=PROBABILITIES,
    )


def shared_by(a: Array, mean: bool) -> int:
    """By what a sum over outputs is divided: their number, or 1."""
    return int(a.shape[-1]) if mean else 1


def binary_cross_entropy_of_probabilities() -> Loss:
    """C_0 = -1/n sum_j y_j ln a_j + (1 - y_j) ln(1 - a_j), dC_0/da_j = ((1 - y_j) / (1 - a_j) - y_j / a_j) / n; y in [0, 1].

    a, the last layer's activations, are probabilities, of a sigmoid.
    """
    return _of_yes_or_no(mean=True)


def summed_binary_cross_entropy_of_probabilities() -> Loss:
    """C_0 = -sum_j y_j ln a_j + (1 - y_j) ln(1 - a_j), dC_0/da_j = (1 - y_j) / (1 - a_j) - y_j / a_j; y in [0, 1]."""
    return _of_yes_or_no(mean=False)


def _of_yes_or_no(mean: bool) -> Loss:
    def bent(a: Array, y: Array, direction: Array) -> Array:
        return (_quotient(y, a * a) + _quotient(1 - y, (1 - a) ** 2)) * direction

    return Loss(
        value=lambda a, y: -np.sum(xlogy(y, a) + xlog1py(1 - y, -a), axis=-1) / shared_by(a, mean),
        derivative=lambda a, y: (_quotient(1 - y, 1 - a) - _quotient(y, a)) / shared_by(a, mean),
        curvature=lambda a, y, direction: bent(a, y, direction) / shared_by(a, mean),
        expected=PROBABILITIES,
        behind=("sigmoid",),
    )


def cross_entropy_of_probabilities() -> Loss:
    """C_0 = -sum_j y_j ln a_j, dC_0/da_j = -y_j / a_j; y a distribution.

    a, the last layer's activations, are probabilities, of a softmax, whose Jacobian is equation 3's.
    """
    return Loss(
        value=lambda a, y: -np.sum(xlogy(y, a), axis=-1),
        derivative=lambda a, y: -_quotient(y, a),
        curvature=lambda a, y, direction: _quotient(y, a * a) * direction,
        expected=DISTRIBUTION,
        behind=("softmax",),
    )


def _quotient(y: Array, a: Array) -> Array:
    """y / a, 0 where y is 0, whatever a is."""
    quotient: Array = np.divide(y, a, out=np.zeros(np.broadcast_shapes(y.shape, a.shape)), where=y != 0)
    return quotient


def softmax_cross_entropy() -> Loss:
    """C_0 = -sum_j y_j log p_j with p = softmax(a), dC_0/da_j = p_j sum_i y_i - y_j; y a distribution.

    Extends equation 2: the derivative by output j depends on all outputs of the layer, through p. As the softmax is taken into
    the loss, equation 3 stays elementwise, and a, the last layer's activations, are the logits.
    """

    def derivative(a: Array, y: Array) -> Array:
        p = softmax(a)
        total = y.sum(axis=-1, keepdims=True)
        # where y_j is the whole distribution, p_j - y_j is minus the sum of the others: no digits cancel
        return np.where(y == total, -total * others(p), p * total - y)

    def curvature(a: Array, y: Array, direction: Array) -> Array:
        p = softmax(a)
        moved = p * (direction - np.sum(p * direction, axis=-1, keepdims=True))
        return y.sum(axis=-1, keepdims=True) * moved

    return Loss(
        value=lambda a, y: np.sum(y, axis=-1) * log_sum_exp(a)[..., 0] - np.sum(y * a, axis=-1),
        derivative=derivative,
        curvature=curvature,
        expected=DISTRIBUTION,
        terms=lambda a, y: np.abs(a).max(axis=-1),
    )


def softmax(a: Array) -> Array:
    """p_j = e^a_j / sum_k e^a_k, shifted by the largest."""
    p: Array = np.exp(a - a.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    return p


def log_sum_exp(a: Array) -> Array:
    """log sum_k e^a_k of each row, (..., 1)."""
    largest = a.max(axis=-1, keepdims=True)
    shifted: Array = largest + np.log(np.sum(np.exp(a - largest), axis=-1, keepdims=True))
    return shifted


def others(x: Array) -> Array:
    """The sum of all other entries of a row, summed without the entry itself: nothing cancels."""
    summed = np.zeros_like(x)
    summed[..., 1:] = np.cumsum(x[..., :-1], axis=-1)
    summed[..., :-1] += np.cumsum(x[..., :0:-1], axis=-1)[..., ::-1]
    return summed


LOSSES: dict[str, Callable[..., Loss]] = {
    make.__name__: make
    for make in (
        half_squared_error,
        squared_error,
        mean_squared_error,
        half_mean_squared_error,
        huber,
        upstream,
        binary_cross_entropy_with_logits,
        softmax_cross_entropy,
        summed_binary_cross_entropy_with_logits,
        cross_entropy_of_probabilities,
        binary_cross_entropy_of_probabilities,
        summed_binary_cross_entropy_of_probabilities,
    )
}
