"""The table of textbook formulas of the derivatives of losses that lose digits, or leave the range."""

from typing import Any

import numpy as np

from properties.diagnosis.formula import NEAR_ONE, Formula, sigmoid


def _softmax(a: Any) -> Any:
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _log_sum_exp(a: Any) -> Any:
    top = a.max(axis=-1, keepdims=True)
    return top + np.log(np.exp(a - top).sum(axis=-1, keepdims=True))


def _huber_by_its_minimum(n: Any, a: Any, y: Any, delta: float = 1.0) -> Any:
    r, d = a - y, a.dtype.type(delta)
    return ((np.minimum(np.abs(r), d) - d) + d) * np.sign(r) / a.shape[-1]


OF_LOSSES: tuple[Formula, ...] = (
    Formula(
        "took_p_less_y_for_softmax_cross_entropy",
        "softmax_cross_entropy",
        "loss",
        "p - y",
        NEAR_ONE.format("where the label's own logit is far above the others p", "1"),
        "minus the sum of the other p, at the label",
        lambda n, a, y: n(_softmax(a)) - y,
    ),
    Formula(
        "took_softmax_by_its_logarithm",
        "softmax_cross_entropy",
        "loss",
        "e^(z - logsumexp(z)) - y",
        "for large logits logsumexp is rounded to few digits after the point, which are a factor of p",
        "p = e^(z - max z) / sum of e^(z - max z)",
        lambda n, a, y: np.exp(a - n(_log_sum_exp(a))) - y,
    ),
    *(
        Formula(
            f"took_s_less_y_for_{name}",
            name,
            "loss",
            f"s(a) - y{over}",
            NEAR_ONE.format("for y = 1 and a large logit s(a)", "1"),
            f"-s(-a){over} for y = 1, s(a){over} for y = 0",
            lambda n, a, y, mean=mean: (n(sigmoid(a)) - y) / (a.shape[-1] if mean else 1),
        )
        for name, mean, over in (
            ("binary_cross_entropy_with_logits", True, " over n"),
            ("summed_binary_cross_entropy_with_logits", False, ""),
        )
    ),
    *(
        Formula(
            f"took_a_less_y_for_{name}",
            name,
            "loss",
            f"dC/dz of the sigmoid as a - y{over}",
            NEAR_ONE.format("for y = 1 and a large z a", "1"),
            f"-s(-z){over} for y = 1, s(z){over} for y = 0",
            lambda n, a, y, mean=mean: (n(sigmoid(a)) - y) / (a.shape[-1] if mean else 1),
        )
        for name, mean, over in (
            ("binary_cross_entropy_of_probabilities", True, " over n"),
            ("summed_binary_cross_entropy_of_probabilities", False, ""),
        )
    ),
    *(
        Formula(
            f"multiplied_a_and_y_before_the_difference_of_{name}",
            name,
            "loss",
            written,
            "where a is near y both terms are nearly equal, and each was rounded",
            f"{factor}(a - y) / n",
            computed,
            0,
        )
        for name, factor, written, computed in (
            ("mean_squared_error", "2 ", "2 a / n - 2 y / n", lambda n, a, y: 2 * a / a.shape[-1] - 2 * y / a.shape[-1]),
            ("half_mean_squared_error", "", "a / n - y / n", lambda n, a, y: a / a.shape[-1] - y / a.shape[-1]),
        )
    ),
    *(
        Formula(
            f"multiplied_a_and_y_by_the_factor_of_{name}",
            name,
            "loss",
            written,
            "where a is near y both terms are nearly equal, and each was rounded",
            f"{factor}(a - y) / n",
            computed,
            0,
        )
        for name, factor, written, computed in (
            ("mean_squared_error", "2 ", "(2/n) a - (2/n) y", lambda n, a, y: (lambda c: c * a - c * y)(a.dtype.type(2 / a.shape[-1]))),
            ("half_mean_squared_error", "", "(1/n) a - (1/n) y", lambda n, a, y: (lambda c: c * a - c * y)(a.dtype.type(1 / a.shape[-1]))),
        )
    ),
    Formula(
        "differentiated_huber_by_its_minimum",
        "huber",
        "loss",
        "((m - delta) + delta) sign(r) / n of m = min(|r|, delta)",
        "for small r the r is rounded off m - delta",
        "r / n where |r| <= delta, and delta sign(r) / n elsewhere",
        _huber_by_its_minimum,
        0,
    ),
)
"""Those that lose digits."""
