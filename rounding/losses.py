"""The table of what rounding does to each loss, and to equation 2's derivative of it: docs/tolerance.md, section 4."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, xlog1py, xlogy

from reference.arrays import Array, clipped
from reference.functions.losses import log_sum_exp, others, shared_by, softmax
from rounding.arithmetic import FUNCTION_ERROR, REFERENCE, SHARED, SIGMAS_ALLOWED, K, WorstCaseRounding
from rounding.softmax import LEAST_SQUARED, NOT_SMALL, probability_error


@dataclass(frozen=True)
class LossRounding:
    """What rounding does to C_0(a, y) and dC_0/da, both of (..., batch, n).

    value_error, derivative_error: the worst-case bound of both, of (a, y, E(a), model); shapes as of the loss.
    derivative_variance: of (a, y, V(a), v, batch), the variance of the derivative between two passes, but for the rounding of each entry;
        v: the variance of one rounding, relative to its size; batch: how many samples a function's own errors are the same for.
    common: of (a, y), how dC_0/da moves, over d, if the exponentials in it are all off by d of themselves; one for each way to write it.
    constants: of n, the factors of dC_0/da by which all is multiplied or divided; a format rounds those that are no powers of two.
    lossy: the textbook formulas that lose digits, and where, in words; empty if there are none.
    ends: between which a is, where dC_0/da leaves the range at them: 0, or 0 and 1. No claim is made of a sample of which an output is
        one of them within rounding.
    """

    value_error: Callable[[Array, Array, Array, WorstCaseRounding], Array]
    derivative_error: Callable[[Array, Array, Array, WorstCaseRounding], Array]
    derivative_variance: Callable[[Array, Array, Array, float, float], Array]
    common: Callable[[Array, Array], list[Array]] = lambda a, y: []
    constants: Callable[[int], list[float]] = lambda n: []
    lossy: str = ""
    ends: tuple[float, ...] = ()


def half_squared_error() -> LossRounding:
    """A difference."""
    return _squares("half_squared_error", 0.5, mean=False)


def squared_error() -> LossRounding:
    """A difference, doubled."""
    return _squares("squared_error", 1.0, mean=False)


def mean_squared_error() -> LossRounding:
    """A difference times 2/n."""
    return _squares("mean_squared_error", 1.0, mean=True)


def half_mean_squared_error() -> LossRounding:
    """A difference over n."""
    return _squares("half_mean_squared_error", 0.5, mean=True)


def _squares(name: str, factor: float, mean: bool) -> LossRounding:
    def scale(a: Array) -> float:
        return factor / a.shape[-1] if mean else factor

    def value_error(a: Array, y: Array, error: Array, model: WorstCaseRounding) -> Array:
        size = np.abs(a - y)
        error = _difference(a, y, error, model) + model.underflow
        terms = scale(a) * (error * (2 * size + error) + 4 * model.unit * (size + error) ** 2) + 2 * model.underflow
        return _sum(terms, scale(a) * (size + error) ** 2, model)

    def derivative_error(a: Array, y: Array, error: Array, model: WorstCaseRounding) -> Array:
        error = _difference(a, y, error, model, lossy=mean and model.allows(name))
        return _scaled(2 * scale(a), a - y, error, model)

    return LossRounding(
        value_error,
        derivative_error,
        derivative_variance=lambda a, y, variance, v, batch: (2 * scale(a)) ** 2 * variance,
        constants=lambda n: [n] if mean else [],
        lossy="the factor multiplied into a and y before the difference" if mean else "",
    )


def huber(delta: float = 1.0) -> LossRounding:
    """A difference, cut off at delta, which is rounded too."""

    def value_error(a: Array, y: Array, error: Array, model: WorstCaseRounding) -> Array:
        r = np.abs(a - y)
        error = _difference(a, y, error, model) + model.underflow
        inside = np.minimum(r + error, delta)
        # delta (r - delta/2) is a difference of two terms, each of which may be rounded, as may be delta
        terms = inside * error + 6 * model.unit * inside * (r + error + delta) + model.underflow
        return _sum(terms, inside * (r + error), model) / a.shape[-1] + a.shape[-1] * model.underflow

    def derivative_error(a: Array, y: Array, error: Array, model: WorstCaseRounding) -> Array:
        within = clipped(a - y, -delta, delta)
        rounded = delta if model.allows("huber") else np.minimum(np.abs(a - y) + error, delta)
        error = _difference(a, y, error, model) + (4 if model.allows("huber") else 1) * model.unit * rounded
        return _scaled(1 / a.shape[-1], within, np.minimum(error, 2 * delta * (1 + 4 * model.unit)), model)

    return LossRounding(
        value_error,
        derivative_error,
        derivative_variance=lambda a, y, variance, v, batch: variance / a.shape[-1] ** 2,
        constants=lambda n: [n, delta],
        lossy="huber by m^2/2 + delta (|r| - m) with m = min(|r|, delta) (small r)",
    )


def upstream() -> LossRounding:
    """A sum of products; its derivative is y, which may be rounded once when it is stored."""

    def value_error(a: Array, y: Array, error: Array, model: WorstCaseRounding) -> Array:
        size = np.abs(y) * (np.abs(a) + error)
        inexact = model.input_error(y)
        terms = np.abs(y) * error + inexact * (np.abs(a) + error) + 2 * model.unit * size + model.underflow * (1 + np.abs(y))
        return _sum(terms, size, model)

    return LossRounding(
        value_error,
        derivative_error=lambda a, y, error, model: model.input_error(y) + model.unit * np.abs(y) + np.zeros_like(a),
        derivative_variance=lambda a, y, variance, v, batch: v * np.square(y),
    )


def binary_cross_entropy_with_logits() -> LossRounding:
    """A sigmoid of each logit, or s(a) - y by a textbook formula; times 1/n."""
    return _of_logits("binary_cross_entropy_with_logits", mean=True)


def summed_binary_cross_entropy_with_logits() -> LossRounding:
    """A sigmoid of each logit, or s(a) - y by a textbook formula."""
    return _of_logits("summed_binary_cross_entropy_with_logits", mean=False)


def _of_logits(name: str, mean: bool) -> LossRounding:
    def value_error(a: Array, y: Array, error: Array, model: WorstCaseRounding) -> Array:
        size = 1 + (np.abs(a) + error) * (1 + y)
        # the value moves by a with y, so an inexact y counts |a| times
        error = error + (np.abs(a) + error) * model.input_error(y)
        return _sum(error + K * model.unit * size + model.underflow, size, model) / shared_by(a, mean) + a.shape[-1] * model.underflow

    def derivative_error(a: Array, y: Array, error: Array, model: WorstCaseRounding) -> Array:
        nearest = np.maximum(np.abs(a) - error, 0.0)
        steepest = expit(nearest) * expit(-nearest)
        above, below = expit(a + error), expit(error - a)
        # a sigmoid by a textbook formula of its own is off by u times 1
        textbook = 1.0 if model.allows(name) else 0.0
        size = (1 - y) * above + y * below
        # where s(a) is stored before y is taken away, it is rounded there too
        rounded = model.function(np.maximum(size, textbook), size, textbook * above)
        terms = steepest * error + model.input_error(y) + rounded + model.underflow * (1 + np.abs(a) + error)
        return _scaled(1 / shared_by(a, mean), (1 - y) * expit(a) - y * expit(-a), terms, model)

    def derivative_variance(a: Array, y: Array, variance: Array, v: float, batch: float) -> Array:
        # |s''| is below 0.1; the error of s itself, by s(a) - y, is the same for all samples with the same logit
        steep = expit(a) * expit(-a) + 0.1 * SIGMAS_ALLOWED * np.sqrt(variance)
        return (steep**2 * variance + batch * v * (FUNCTION_ERROR * np.maximum(expit(a), y)) ** 2) / shared_by(a, mean) ** 2

    return LossRounding(
        value_error,
        derivative_error,
        derivative_variance,
        common=lambda a, y: [np.maximum(expit(a), y) / shared_by(a, mean)],
        constants=lambda n: [n] if mean else [],
        lossy="s(a) - y (logit far on the side of its label)",
    )


def cross_entropy_of_probabilities() -> LossRounding:
    """A quotient of each output; or a - y in place of equations 2 and 3 together, which rounds no more than the Jacobian does."""

    def value_error(a: Array, y: Array, error: Array, model: WorstCaseRounding) -> Array:
        return _sum(_of_logarithm(a, y, error, model), -xlogy(y, a), model) + a.shape[-1] * model.underflow

    def derivative_error(a: Array, y: Array, error: Array, model: WorstCaseRounding) -> Array:
        inexact = model.input_error(y) + np.zeros_like(y)
        # a - y, where a sum(y) - y is exact
        apart = np.abs(y.sum(axis=-1, keepdims=True) - 1) + inexact.sum(axis=-1, keepdims=True)
        return _of_quotient(a, y, error, model) + apart + 3 * model.underflow

    return LossRounding(
        value_error,
        derivative_error,
        derivative_variance=lambda a, y, variance, v, batch: _variance_of_quotient(a, y, variance, v),
        ends=(0.0,),
    )


def binary_cross_entropy_of_probabilities() -> LossRounding:
    """Two quotients of each output, or a - y by a textbook formula in place of equations 2 and 3 together; times 1/n."""
    return _of_yes_or_no("binary_cross_entropy_of_probabilities", mean=True)


def summed_binary_cross_entropy_of_probabilities() -> LossRounding:
    """Two quotients of each output, or a - y by a textbook formula in place of equations 2 and 3 together."""
    return _of_yes_or_no("summed_binary_cross_entropy_of_probabilities", mean=False)


def _of_yes_or_no(name: str, mean: bool) -> LossRounding:
    def value_error(a: Array, y: Array, error: Array, model: WorstCaseRounding) -> Array:
        errors = _of_logarithm(a, y, error, model) + _of_logarithm(1 - a, 1 - y, error + model.unit * (1 - a), model)
        return _sum(errors, -xlogy(y, a) - xlog1py(1 - y, -a), model) / shared_by(a, mean) + a.shape[-1] * model.underflow

    def derivative_error(a: Array, y: Array, error: Array, model: WorstCaseRounding) -> Array:
        # a sigmoid by (1 + tanh) / 2 is a multiple of u / 2, or 0, which is no answer to a quotient
        least = model.unit / 8 if model.allows("sigmoid") else 0.0
        terms = _of_quotient(a, y, error, model, least) + _of_quotient(1 - a, 1 - y, error + model.unit * (1 - a), model)
        if model.allows(name):
            # a - y is off by E(a), and is dC/da times a (1 - a)
            terms = terms + error / (a * (1 - a))
        slope = np.abs((a - y) / (a * (1 - a)))
        return _scaled(1 / shared_by(a, mean), slope, terms, model)

    def derivative_variance(a: Array, y: Array, variance: Array, v: float, batch: float) -> Array:
        quotients = _variance_of_quotient(a, y, variance, v) + _variance_of_quotient(1 - a, 1 - y, variance, v)
        # a - y is right too; the error of a itself is the same for all samples with the same z
        difference = (variance + batch * v * (FUNCTION_ERROR * a) ** 2) / (a * (1 - a)) ** 2
        return (quotients + difference) / shared_by(a, mean) ** 2

    return LossRounding(
        value_error,
        derivative_error,
        derivative_variance,
        # of a - y, over a (1 - a)
        common=lambda a, y: [1 / np.maximum(1 - a, REFERENCE.unit) / shared_by(a, mean)],
        constants=lambda n: [n] if mean else [],
        lossy="binary cross-entropy by a - y (output far on the side of its label)",
        ends=(0.0, 1.0),
    )


def _of_logarithm(a: Array, y: Array, error: Array, model: WorstCaseRounding) -> Array:
    """E(y ln a); infinite where a may be 0, whatever y is."""
    inexact = model.input_error(y)
    moved, size = -np.log1p(-error / a), np.abs(np.log(a))
    off = (y + inexact) * (moved + K * model.unit * (1 + size + moved)) + inexact * size + model.underflow * (1 + size)
    return np.where(a > error, off, np.inf)


def _of_quotient(a: Array, y: Array, error: Array, model: WorstCaseRounding, least: float = 0.0) -> Array:
    """E(y / a), with four roundings; infinite where a may be 0, whatever y is. least: what a is at least, if it is not 0."""
    inexact, nearest = model.input_error(y), np.maximum(a - error, least)
    off = (y * (error / a) + inexact + 4 * model.unit * (y + inexact)) / nearest
    return np.where((a > model.underflow) & (nearest > 0), off, np.inf)


def _variance_of_quotient(a: Array, y: Array, variance: Array, v: float) -> Array:
    """V(y / a), at the least a within reach; infinite where that is 0, and something is expected."""
    least = np.where(y == 0, 1.0, a - SIGMAS_ALLOWED * np.sqrt(variance))
    return np.where(least > 0, (y / least) ** 2 * (variance / a**2 + 4 * v), np.inf)


def softmax_cross_entropy() -> LossRounding:
    """Exponentials, their sum, and a quotient; or p - y by a textbook formula."""

    def value_error(a: Array, y: Array, error: Array, model: WorstCaseRounding) -> Array:
        size = np.max(np.abs(a) + error, axis=-1) + np.log(a.shape[-1]) + 1
        worst = np.max(error, axis=-1)
        total: Array = y.sum(axis=-1)
        rounding = K * model.unit + model.sum(2 * a.shape[-1]) + np.abs(total - 1)
        inexact = np.sum(model.input_error(y) + np.zeros_like(y), axis=-1)
        return 2 * total * worst + (rounding * (1 + total) + 2 * inexact) * size + model.underflow

    def derivative_error(a: Array, y: Array, error: Array, model: WorstCaseRounding) -> Array:
        total = y.sum(axis=-1, keepdims=True)
        textbook = model.allows("softmax_cross_entropy")
        p_error = probability_error(a, error, model, textbook)
        p = np.maximum(softmax(a), REFERENCE.underflow)
        rest, summed = others(p), model.sum(a.shape[-1] + 1)
        whole = (y == total) & (not textbook)
        size = np.where(whole, total * rest, np.abs(p * total - y))
        # p sum(y) - y: the product is rounded, and the sum; -sum(y) others: no more than that, relative to all of it
        change = np.where(whole, total * others(p_error), total * p_error + summed * p * total) + summed * size
        inexact = model.input_error(y) + np.zeros_like(y)
        change = change + inexact + p * inexact.sum(axis=-1, keepdims=True)
        if textbook:
            change = change + 2 * model.unit * (p + y) + summed * p * total
        # p - y in place of p sum(y) - y is right too, also where the sum of y is 1 but for rounding
        change = change + p * np.abs(total - 1) + model.underflow
        # one logit without a claim, and all of the row is without
        return np.where(np.isfinite(error.max(axis=-1, keepdims=True)), change, np.inf)

    def derivative_variance(a: Array, y: Array, variance: Array, v: float, batch: float) -> Array:
        p, n = np.maximum(softmax(a), LEAST_SQUARED), a.shape[-1]
        # of an exponential: its argument, the rounding of the shift (by the largest logit, or by logsumexp), and its own error
        shift = log_sum_exp(a)
        t = variance + v * ((a - shift) ** 2 + shift**2 + FUNCTION_ERROR**2 * batch)
        rest = 1 - p
        reach = SIGMAS_ALLOWED * np.sqrt(t.max(axis=-1, keepdims=True))
        if reach.max() > NOT_SMALL:
            # a logit that is off by so much raises p, or what it leaves, by as much as e^(2 reach): to its largest, not to first order
            p, rest = (np.minimum(part * np.exp(np.minimum(2 * reach, 700)), 1.0) for part in (p, rest))
        moved = rest**2 * t + others(p * p * t)
        total = y.sum(axis=-1, keepdims=True)
        # p is the quotient of a sum of n terms, and where y is all of sum(y), what is left is the sum of the others
        summed = v * (n / 3 + SHARED) * np.where(y == total, total * rest, 0.0) ** 2
        # p - y in place of p sum(y) - y is right too
        return (total * p) ** 2 * (moved + v * (n / 2 + 2)) + (p * (total - 1)) ** 2 + summed

    def common(a: Array, y: Array) -> list[Array]:
        p, total = softmax(a), y.sum(axis=-1, keepdims=True)
        # e^0 = 1 of the largest logit is exact; e^(a - logsumexp) is not, and nothing is divided by a sum
        smaller = a < a.max(axis=-1, keepdims=True)
        return [total * p * (smaller - np.sum(p * smaller, axis=-1, keepdims=True)), total * p]

    return LossRounding(
        value_error,
        derivative_error,
        derivative_variance,
        common=common,
        lossy="softmax cross-entropy by p - y (p near 1), or by exp(z - logsumexp(z)) (large logits)",
    )


def _difference(a: Array, y: Array, error: Array, model: WorstCaseRounding, lossy: bool = False) -> Array:
    """E(a - y): the error of a, and the rounding of the difference (of each term, where a factor is multiplied in before)."""
    size = np.abs(a) + np.abs(y) if lossy else np.abs(a - y)
    error = error + model.input_error(y)
    return error + (4 if lossy else 1) * model.unit * (size + error)


def _scaled(factor: float, x: Array, error: Array, model: WorstCaseRounding) -> Array:
    """E(factor x): a factor that is no power of two is rounded, and so are quotient and product; each of three results may underflow."""
    rounded = 0.0 if np.frexp(factor)[0] == 0.5 else 3 * model.unit
    return factor * (error + rounded * (np.abs(x) + error)) + 3 * model.underflow


def _sum(errors: Array, sizes: Array, model: WorstCaseRounding) -> Array:
    """E of a sum over the last axis: what its terms bring, and the rounding of the sum."""
    return np.sum(errors + model.sum(sizes.shape[-1] + 1) * (sizes + errors), axis=-1)


ROUNDED_LOSSES: dict[str, Callable[..., LossRounding]] = {
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
"""Name and parameters as in LOSSES -> what rounding does to it."""
