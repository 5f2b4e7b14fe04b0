"""What rounding does to a softmax: to p = softmax(z) within a loss, and to p and its pullback as an activation.

docs/tolerance.md, section 4.
"""

import numpy as np

from reference.arrays import Array
from reference.functions.losses import log_sum_exp, others, softmax
from rounding.arithmetic import FUNCTION_ERROR, REFERENCE, SHARED, SIGMAS_ALLOWED, K, WorstCaseRounding
from rounding.scales import JointRounding

NOT_SMALL = 2.0**-7
"""A logit's error, within reach of which an exponential changes by more than a percent or so."""

LEAST_SQUARED = 2.0**-430
"""A smaller p counts as that where V is worked out: its square, times that of a rounding of float64, would leave the range."""

EXPONENTIAL = 700.0
"""The exponential of a larger number has no use here, and may leave the range."""


def probability_error(z: Array, error: Array, model: WorstCaseRounding, textbook: bool) -> Array:
    """E(p) of E(z), both (..., n); textbook: whether p may be exp(z - logsumexp(z)), which loses digits of large z."""
    n, p = z.shape[-1], softmax(z)
    spread = z.max(axis=-1, keepdims=True) - z
    worst = error.max(axis=-1, keepdims=True)
    unit = model.unit if model.function_unit is None else model.function_unit
    t = error + model.unit * (spread + error + worst) + K * unit
    if model.function_unit is not None:
        # the sum, its logarithm, which is below |log p|, and log p may be stored, and p computed from that
        t = t + 2 * model.unit * (1 + log_sum_exp(z) - z)
    alone = np.zeros_like(worst)
    if textbook:
        # z - logsumexp, of which the difference is rounded, may be larger than z - max by log n
        t = t + K * unit * (1 + np.abs(log_sum_exp(z)) + worst) + model.unit * np.log(n)
        alone = t - error
    # p_j changes by e^t_j at most, and its sum by the others' e^t_k: written so that nothing cancels
    far = (t > 300).any(axis=-1, keepdims=True)
    t = np.minimum(t, 300)
    p = np.maximum(p, REFERENCE.underflow)  # what has left the range may come back, times e^t
    rest = others(p)
    up = (rest * np.expm1(t) - others(p * np.expm1(-t))) / (p * np.exp(t) + others(p * np.exp(-t)))
    down = (others(p * np.expm1(t)) - rest * np.expm1(-t)) / (p * np.exp(-t) + others(p * np.exp(t)))
    # a quotient by a sum that is too small: 1 / (1 - u) is above 1 + u
    summed = np.expm1((1 + 2 * model.unit) * np.log1p(model.sum(n + 1)))
    # exp(z - logsumexp(z)) is divided by no sum: what rounding does to it stays in p
    change = np.maximum(up, down) * (1 + summed) + summed + np.expm1(np.minimum(alone, EXPONENTIAL))
    found = np.where(far, 1.0, p * change + model.underflow)
    return np.where(alone > 300, np.inf, found)


def softmax_activation() -> JointRounding:
    """E and V of p and of its pullback, p (e - sum_k p_k e_k): relative to the terms of that difference, which may cancel."""

    def value_error(z: Array, error: Array, model: WorstCaseRounding) -> Array:
        worst = np.max(np.abs(z) + error, axis=-1, keepdims=True)
        # one z without a claim, and all of the sample is without
        return np.where(2 * worst <= model.largest, probability_error(z, error, model, model.allows("softmax")), np.inf)

    def pullback_error(z: Array, error: Array, e: Array, e_error: Array, model: WorstCaseRounding) -> tuple[Array, Array]:
        n, p, p_error = z.shape[-1], softmax(z), value_error(z, error, model)
        most_p, most_e = p + p_error, e + e_error
        terms = most_e + np.sum(most_p * most_e, axis=-1, keepdims=True)
        moved = e_error + np.sum(most_p * e_error + p_error * e, axis=-1, keepdims=True)
        # any of p (e - sum p e), p e - p sum p e, the Jacobian times e, and exp, sum and quotient one by one
        summed = model.sum(n + 4)
        rounded = summed + 4 * model.unit * (1 + summed)
        # an entry p_i p_j of the Jacobian may underflow, and e may be flushed
        lost = model.underflow * (2 * n + 4 + most_e + most_e.sum(axis=-1, keepdims=True))
        return most_p * moved + p_error * terms + rounded * most_p * terms + lost, terms

    def value_variance(z: Array, variance: Array, v: float, alike: float) -> Array:
        p, n = np.maximum(softmax(z), LEAST_SQUARED), z.shape[-1]
        shift = log_sum_exp(z)
        # of an exponential: its argument, the rounding of the shift (by the largest, or by logsumexp), and its own error
        sigma = np.sqrt(variance + v * ((z - shift) ** 2 + shift**2 + FUNCTION_ERROR**2 * alike))
        rest = others(p)
        reach = SIGMAS_ALLOWED * sigma.max(axis=-1, keepdims=True)
        if reach.max() > NOT_SMALL:
            # to its largest, not to first order
            p, rest = (np.minimum(part * np.exp(np.minimum(2 * reach, EXPONENTIAL)), 1.0) for part in (p, rest))
        # the errors of a sample's z may have to do with one another, so that they are added up and not their squares
        moved = rest * sigma + others(p * sigma)
        return p**2 * (moved**2 + v * (n + SHARED))

    def pullback_variance(z: Array, p_variance: Array, e: Array, e_variance: Array, v: float, alike: float) -> Array:
        n, p = z.shape[-1], np.maximum(softmax(z), LEAST_SQUARED)
        p_sigma, e_sigma, size = np.sqrt(p_variance), np.sqrt(e_variance), np.abs(e)
        terms = size + np.sum(p * size, axis=-1, keepdims=True)
        moved = e_sigma + np.sum((p + p_sigma) * e_sigma + p_sigma * size, axis=-1, keepdims=True)
        centred = np.abs(e - np.sum(p * e, axis=-1, keepdims=True))
        brought = (p + p_sigma) * moved + p_sigma * centred
        return brought**2 + alike * v * (n + SHARED) * ((p + p_sigma) * terms) ** 2

    def moved_by(z: Array, e: Array, by_z: Array, by_p: Array, by_delta: Array) -> list[Array]:
        n, p, shift = z.shape[-1], softmax(z), log_sum_exp(z)
        # an exponential that is off moves p as z does: its argument, its own error, and the quotient beside what all of a sample share
        exponentials = by_z * np.sqrt((z - shift) ** 2 + FUNCTION_ERROR**2 + 2)
        # all p of a sample: by their sum, which grows from term to term, or by logsumexp in its place
        scaled = np.sum(by_p * p, axis=-1) * np.sqrt(n / 3 + SHARED + shift[..., 0] ** 2)
        size = np.sum(p * np.abs(e), axis=-1, keepdims=True)
        # sum p e, which a sample shares, and the products, or sums of the Jacobian's rows
        subtracted = np.sum(by_delta * p * size, axis=-1) * np.sqrt(n + SHARED)
        products = by_delta * p * (np.abs(e) + size) * np.sqrt(n + SHARED)
        return [exponentials, scaled, subtracted, products]

    of_large_z = "softmax by exp(z - logsumexp(z)) (large z)"
    return JointRounding(value_error, pullback_error, value_variance, pullback_variance, moved_by, of_large_z)
