"""The table of losses: C_0, equation 2's dC_0/da, and their rounding bounds.

The note leaves the loss open ("e.g. the L2 loss"); each row says which one it is by its sum or mean over outputs.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import expit

from reference.arrays import Array, clipped
from reference.loss import Loss
from reference.model import FUNCTION_ERROR, MULTIPLE, REFERENCE, SHARED, K, Model

NOT_SMALL = 2.0**-7
"""A logit's error, within reach of which an exponential changes by more than a percent or so."""


def half_squared_error() -> Loss:
    """C_0 = 1/2 sum_j (a_j - y_j)^2, dC_0/da_j = a_j - y_j."""
    return _squares("half_squared_error", 0.5, mean=False)


def squared_error() -> Loss:
    """C_0 = sum_j (a_j - y_j)^2, dC_0/da_j = 2 (a_j - y_j): the note's L2 loss."""
    return _squares("squared_error", 1.0, mean=False)


def mean_squared_error() -> Loss:
    """C_0 = 1/n sum_j (a_j - y_j)^2, dC_0/da_j = 2/n (a_j - y_j)."""
    return _squares("mean_squared_error", 1.0, mean=True)


def half_mean_squared_error() -> Loss:
    """C_0 = 1/(2n) sum_j (a_j - y_j)^2, dC_0/da_j = (a_j - y_j) / n: scikit-learn's."""
    return _squares("half_mean_squared_error", 0.5, mean=True)


def _squares(name: str, factor: float, mean: bool) -> Loss:
    def scale(a: Array) -> float:
        return factor / a.shape[-1] if mean else factor

    def value_error(a: Array, y: Array, error: Array, model: Model) -> Array:
        size = np.abs(a - y)
        error = _difference(a, y, error, model) + model.underflow
        terms = scale(a) * (error * (2 * size + error) + 4 * model.unit * (size + error) ** 2) + 2 * model.underflow
        return _sum(terms, scale(a) * (size + error) ** 2, model)

    def derivative_error(a: Array, y: Array, error: Array, model: Model) -> Array:
        error = _difference(a, y, error, model, lossy=mean and model.allows(name))
        return _scaled(2 * scale(a), a - y, error, model)

    return Loss(
        value=lambda a, y: scale(a) * np.sum((a - y) ** 2, axis=-1),
        derivative=lambda a, y: 2 * scale(a) * (a - y),
        curvature=lambda a, y, direction: 2 * scale(a) * direction,
        value_error=value_error,
        derivative_error=derivative_error,
        derivative_variance=lambda a, y, variance, v, batch: (2 * scale(a)) ** 2 * variance,
        constants=lambda n: [n] if mean else [],
        lossy="the factor multiplied into a and y before the difference" if mean else "",
    )


def huber(delta: float = 1.0) -> Loss:
    """C_0 = 1/n sum_j h(a_j - y_j), h(r) = r^2/2 for |r| <= delta, delta (|r| - delta/2) beyond; dC_0/da_j = clip(r, -delta, delta) / n."""
    if not delta > 0:
        raise ValueError(f"delta is {delta}, expected a number above 0")

    def value(a: Array, y: Array) -> Array:
        r = np.abs(a - y)
        inside = np.minimum(r, delta)
        return np.mean(inside * (r - 0.5 * inside), axis=-1)

    def value_error(a: Array, y: Array, error: Array, model: Model) -> Array:
        r = np.abs(a - y)
        error = _difference(a, y, error, model) + model.underflow
        inside = np.minimum(r + error, delta)
        # delta (r - delta/2) is a difference of two terms, each of which may be rounded, as may be delta
        terms = inside * error + 6 * model.unit * inside * (r + error + delta) + model.underflow
        return _sum(terms, inside * (r + error), model) / a.shape[-1] + a.shape[-1] * model.underflow

    def derivative_error(a: Array, y: Array, error: Array, model: Model) -> Array:
        within = clipped(a - y, -delta, delta)
        rounded = delta if model.allows("huber") else np.minimum(np.abs(a - y) + error, delta)
        error = _difference(a, y, error, model) + (4 if model.allows("huber") else 1) * model.unit * rounded
        return _scaled(1 / a.shape[-1], within, np.minimum(error, 2 * delta * (1 + 4 * model.unit)), model)

    return Loss(
        value=value,
        derivative=lambda a, y: clipped(a - y, -delta, delta) / a.shape[-1],
        curvature=lambda a, y, direction: np.where(np.abs(a - y) <= delta, direction, 0.0) / a.shape[-1],
        value_error=value_error,
        derivative_error=derivative_error,
        derivative_variance=lambda a, y, variance, v, batch: variance / a.shape[-1] ** 2,
        constants=lambda n: [n, delta],
        lossy="huber by m^2/2 + delta (|r| - m) with m = min(|r|, delta) (small r)",
    )


def binary_cross_entropy_with_logits() -> Loss:
    """C_0 = 1/n sum_j log(1 + e^a_j) - y_j a_j, dC_0/da_j = ((1 - y_j) s(a_j) - y_j s(-a_j)) / n; y in [0, 1]."""

    def value(a: Array, y: Array) -> Array:
        # max(a, 0) - a y, as a difference that cannot cancel
        linear = np.where(a > 0, a * (1 - y), -a * y)
        return np.mean(linear + np.log1p(np.exp(-np.abs(a))), axis=-1)

    def value_error(a: Array, y: Array, error: Array, model: Model) -> Array:
        size = 1 + (np.abs(a) + error) * (1 + y)
        # the value moves by a with y, so an inexact y counts |a| times
        error = error + (np.abs(a) + error) * model.input_error(y)
        return _sum(error + K * model.unit * size + model.underflow, size, model) / a.shape[-1] + a.shape[-1] * model.underflow

    def derivative_error(a: Array, y: Array, error: Array, model: Model) -> Array:
        nearest = np.maximum(np.abs(a) - error, 0.0)
        steepest = expit(nearest) * expit(-nearest)
        above, below = expit(a + error), expit(error - a)
        # a sigmoid by a textbook formula of its own is off by u times 1
        textbook = 1.0 if model.allows("binary_cross_entropy_with_logits") else 0.0
        size = (1 - y) * above + y * below
        # where s(a) is stored before y is taken away, it is rounded there too
        rounded = model.function(np.maximum(size, textbook), size, textbook * above)
        terms = steepest * error + model.input_error(y) + rounded + model.underflow * (1 + np.abs(a) + error)
        return _scaled(1 / a.shape[-1], (1 - y) * expit(a) - y * expit(-a), terms, model)

    def derivative_variance(a: Array, y: Array, variance: Array, v: float, batch: float) -> Array:
        # |s''| is below 0.1; the error of s itself, by s(a) - y, is the same for all samples with the same logit
        steep = expit(a) * expit(-a) + 0.1 * MULTIPLE * np.sqrt(variance)
        return (steep**2 * variance + batch * v * (FUNCTION_ERROR * np.maximum(expit(a), y)) ** 2) / a.shape[-1] ** 2

    return Loss(
        value=value,
        derivative=lambda a, y: ((1 - y) * expit(a) - y * expit(-a)) / a.shape[-1],
        curvature=lambda a, y, direction: expit(a) * expit(-a) * direction / a.shape[-1],
        value_error=value_error,
        derivative_error=derivative_error,
        derivative_variance=derivative_variance,
        common=lambda a, y: [np.maximum(expit(a), y) / a.shape[-1]],
        constants=lambda n: [n],
        refusal=lambda y: "" if ((y >= 0) & (y <= 1)).all() else "expected probabilities, from 0 to 1",
        lossy="s(a) - y (logit far on the side of its label)",
    )


def softmax_cross_entropy() -> Loss:
    """C_0 = -sum_j y_j log p_j with p = softmax(a), dC_0/da_j = p_j sum_i y_i - y_j; y a distribution.

    Extends equation 2: the derivative by output j depends on all outputs of the layer, through p. As the softmax is taken into
    the loss, equation 3 stays elementwise, and a, the last layer's activations, are the logits.
    """

    def derivative(a: Array, y: Array) -> Array:
        p = _softmax(a)
        total = y.sum(axis=-1, keepdims=True)
        # where y_j is the whole distribution, p_j - y_j is minus the sum of the others: no digits cancel
        return np.where(y == total, -total * _others(p), p * total - y)

    def curvature(a: Array, y: Array, direction: Array) -> Array:
        p = _softmax(a)
        moved = p * (direction - np.sum(p * direction, axis=-1, keepdims=True))
        return y.sum(axis=-1, keepdims=True) * moved

    def value_error(a: Array, y: Array, error: Array, model: Model) -> Array:
        size = np.max(np.abs(a) + error, axis=-1) + np.log(a.shape[-1]) + 1
        worst = np.max(error, axis=-1)
        total: Array = y.sum(axis=-1)
        rounding = K * model.unit + model.sum(2 * a.shape[-1]) + np.abs(total - 1)
        inexact = np.sum(model.input_error(y) + np.zeros_like(y), axis=-1)
        return 2 * total * worst + (rounding * (1 + total) + 2 * inexact) * size + model.underflow

    def derivative_error(a: Array, y: Array, error: Array, model: Model) -> Array:
        n = a.shape[-1]
        p = _softmax(a)
        total = y.sum(axis=-1, keepdims=True)
        spread = a.max(axis=-1, keepdims=True) - a
        worst = error.max(axis=-1, keepdims=True)
        unit = model.unit if model.function_unit is None else model.function_unit
        t = error + model.unit * (spread + error + worst) + K * unit
        if model.function_unit is not None:
            # the sum, its logarithm, which is below |log p|, and log p may be stored, and p computed from that
            t = t + 2 * model.unit * (1 + _log_sum_exp(a) - a)
        textbook = model.allows("softmax_cross_entropy")
        if textbook:
            t = t + K * unit * (1 + np.abs(_log_sum_exp(a)) + worst)
        # p_j changes by e^t_j at most, and its sum by the others' e^t_k: written so that nothing cancels
        far = (t > 300).any(axis=-1, keepdims=True)
        t = np.minimum(t, 300)
        p = np.maximum(p, REFERENCE.underflow)  # what has left the range may come back, times e^t
        others = _others(p)
        up = (others * np.expm1(t) - _others(p * np.expm1(-t))) / (p * np.exp(t) + _others(p * np.exp(-t)))
        down = (_others(p * np.expm1(t)) - others * np.expm1(-t)) / (p * np.exp(-t) + _others(p * np.exp(t)))
        summed = model.sum(n + 1)
        p_error = np.where(far, 1.0, p * (np.maximum(up, down) * (1 + summed) + summed) + model.underflow)
        whole = (y == total) & (not textbook)
        size = np.where(whole, total * others, np.abs(p * total - y))
        # p sum(y) - y: the product is rounded, and the sum; -sum(y) others: no more than that, relative to all of it
        change = np.where(whole, total * _others(p_error), total * p_error + summed * p * total) + summed * size
        inexact = model.input_error(y) + np.zeros_like(y)
        change = change + inexact + p * inexact.sum(axis=-1, keepdims=True)
        if textbook:
            change = change + 2 * model.unit * (p + y) + summed * p * total
        # p - y in place of p sum(y) - y is right too, also where the sum of y is 1 but for rounding
        change = change + p * np.abs(total - 1) + model.underflow
        # one logit without a claim, and all of the row is without
        return np.where(np.isfinite(worst), change, np.inf)

    def derivative_variance(a: Array, y: Array, variance: Array, v: float, batch: float) -> Array:
        p, n = _softmax(a), a.shape[-1]
        # of an exponential: its argument, the rounding of the shift (by the largest logit, or by logsumexp), and its own error
        shift = _log_sum_exp(a)
        t = variance + v * ((a - shift) ** 2 + shift**2 + FUNCTION_ERROR**2 * batch)
        rest = 1 - p
        reach = MULTIPLE * np.sqrt(t.max(axis=-1, keepdims=True))
        if reach.max() > NOT_SMALL:
            # a logit that is off by so much raises p, or what it leaves, by as much as e^(2 reach): to its largest, not to first order
            p, rest = (np.minimum(part * np.exp(np.minimum(2 * reach, 700)), 1.0) for part in (p, rest))
        moved = rest**2 * t + _others(p * p * t)
        total = y.sum(axis=-1, keepdims=True)
        # p is the quotient of a sum of n terms, and where y is all of sum(y), what is left is the sum of the others
        summed = v * (n / 3 + SHARED) * np.where(y == total, total * rest, 0.0) ** 2
        # p - y in place of p sum(y) - y is right too
        return (total * p) ** 2 * (moved + v * (n / 2 + 2)) + (p * (total - 1)) ** 2 + summed

    def common(a: Array, y: Array) -> list[Array]:
        p, total = _softmax(a), y.sum(axis=-1, keepdims=True)
        # e^0 = 1 of the largest logit is exact; e^(a - logsumexp) is not, and nothing is divided by a sum
        smaller = a < a.max(axis=-1, keepdims=True)
        return [total * p * (smaller - np.sum(p * smaller, axis=-1, keepdims=True)), total * p]

    return Loss(
        value=lambda a, y: np.sum(y, axis=-1) * _log_sum_exp(a)[..., 0] - np.sum(y * a, axis=-1),
        derivative=derivative,
        curvature=curvature,
        value_error=value_error,
        derivative_error=derivative_error,
        derivative_variance=derivative_variance,
        common=common,
        refusal=_no_distribution,
        lossy="softmax cross-entropy by p - y (p near 1), or by exp(z - logsumexp(z)) (large logits)",
    )


def _no_distribution(y: Array) -> str:
    if (y < 0).any():
        return "expected a distribution in each row, but it has a number below 0"
    sums = y.sum(axis=-1)
    far = np.abs(sums - 1) > 2.0**-8
    return f"expected a distribution in each row, but row {int(np.argmax(far))} sums to {sums[far][0]:.6g}" if far.any() else ""


def _softmax(a: Array) -> Array:
    """p_j = e^a_j / sum_k e^a_k, shifted by the largest."""
    p: Array = np.exp(a - a.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    return p


def _log_sum_exp(a: Array) -> Array:
    """log sum_k e^a_k of each row, (..., 1)."""
    largest = a.max(axis=-1, keepdims=True)
    shifted: Array = largest + np.log(np.sum(np.exp(a - largest), axis=-1, keepdims=True))
    return shifted


def _others(x: Array) -> Array:
    """The sum of all other entries of a row, summed without the entry itself: nothing cancels."""
    others = np.zeros_like(x)
    others[..., 1:] = np.cumsum(x[..., :-1], axis=-1)
    others[..., :-1] += np.cumsum(x[..., :0:-1], axis=-1)[..., ::-1]
    return others


def _difference(a: Array, y: Array, error: Array, model: Model, lossy: bool = False) -> Array:
    """E(a - y): the error of a, and the rounding of the difference (of each term, where a factor is multiplied in before)."""
    size = np.abs(a) + np.abs(y) if lossy else np.abs(a - y)
    error = error + model.input_error(y)
    return error + (4 if lossy else 1) * model.unit * (size + error)


def _scaled(factor: float, x: Array, error: Array, model: Model) -> Array:
    """E(factor x): a factor that is no power of two is rounded, and so are quotient and product; each of three results may underflow."""
    rounded = 0.0 if np.frexp(factor)[0] == 0.5 else 3 * model.unit
    return factor * (error + rounded * (np.abs(x) + error)) + 3 * model.underflow


def _sum(errors: Array, sizes: Array, model: Model) -> Array:
    """E of a sum over the last axis: what its terms bring, and the rounding of the sum."""
    return np.sum(errors + model.sum(sizes.shape[-1] + 1) * (sizes + errors), axis=-1)


LOSSES: dict[str, Callable[..., Loss]] = {
    make.__name__: make
    for make in (
        half_squared_error,
        squared_error,
        mean_squared_error,
        half_mean_squared_error,
        huber,
        binary_cross_entropy_with_logits,
        softmax_cross_entropy,
    )
}
