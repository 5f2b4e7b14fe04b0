"""The table of textbook formulas that leave the range of a precision: infinity over infinity, 0 over 0, 0 times infinity."""

from typing import Any

import numpy as np

from properties.diagnosis.formula import Formula
from reference.functions.activations import SELU_ALPHA, SELU_SCALE

OVERFLOWS = "e^{} leaves the range, and it is infinity over infinity"
SIGMOID = "1 / (1 + e^-z) for z >= 0 and e^z / (1 + e^z) for z < 0"
WEIGHED = "for z > 0 the branch that is not taken overflows, and 0 times infinity is NaN"
MASKED = "each branch where it holds alone, with e^min(z, 0)"


def _quotient(z: Any) -> Any:
    e = np.exp(z)
    return e / (1 + e)


def _weighed_value(n: Any, z: Any, right: float, left: float) -> Any:
    return (z > 0) * z * z.dtype.type(right) + (z <= 0) * z.dtype.type(left) * (np.exp(z) - 1)


def _weighed_slope(n: Any, z: Any, right: float, left: float) -> Any:
    return (z > 0) * z.dtype.type(right) + (z <= 0) * z.dtype.type(left) * np.exp(z)


def _twice_q(z: Any) -> Any:
    return z.dtype.type(2 * np.sqrt(2 / np.pi)) * (z + z.dtype.type(0.044715) * z**3)


def _tanh(z: Any) -> Any:
    e, f = np.exp(z), np.exp(-z)
    return (e - f) / (e + f)


def _row(name: str, of: str, quantity: str, written: str, why: str, instead: str, computed: Any) -> Formula:
    return Formula(name, of, quantity, written, why, instead, computed, 0)


BEYOND_RANGE: tuple[Formula, ...] = (
    _row(
        "overflowed_the_sigmoid",
        "sigmoid",
        "value",
        "e^z / (1 + e^z)",
        OVERFLOWS.format("z"),
        SIGMOID,
        lambda n, z: _quotient(z),
    ),
    _row(
        "overflowed_the_slope_of_sigmoid",
        "sigmoid",
        "slope",
        "e^-z / (1 + e^-z)^2",
        OVERFLOWS.format("-z"),
        "s(z) s(-z)",
        lambda n, z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
    ),
    _row(
        "overflowed_the_slope_of_sigmoid_to_the_right",
        "sigmoid",
        "slope",
        "e^z / (1 + e^z)^2",
        OVERFLOWS.format("z"),
        "s(z) s(-z)",
        lambda n, z: np.exp(z) / (1 + np.exp(z)) ** 2,
    ),
    _row(
        "took_sigmoid_through_its_logarithm",
        "sigmoid",
        "slope",
        "e^(log s) (e^-z / (1 + e^-z))",
        OVERFLOWS.format("-z"),
        "s(z) s(-z)",
        lambda n, z: np.exp(-np.log1p(np.exp(-z))) * (np.exp(-z) / (1 + np.exp(-z))),
    ),
    _row(
        "overflowed_the_slope_of_tanh",
        "tanh",
        "slope",
        "1 - ((e^z - e^-z) / (e^z + e^-z))^2",
        OVERFLOWS.format("|z|"),
        "1 / cosh(z)^2 by e^-2|z|: 4 e^-2|z| / (1 + e^-2|z|)^2",
        lambda n, z: 1 - _tanh(z) ** 2,
    ),
    _row(
        "overflowed_the_slope_of_tanh_by_e_to_2z",
        "tanh",
        "slope",
        "4 e^2z / (e^2z + 1)^2",
        OVERFLOWS.format("2z"),
        "4 e^-2|z| / (1 + e^-2|z|)^2",
        lambda n, z: 4 * np.exp(2 * z) / (np.exp(2 * z) + 1) ** 2,
    ),
    _row(
        "overflowed_softplus",
        "softplus",
        "slope",
        "e^z / (1 + e^z)",
        OVERFLOWS.format("z"),
        SIGMOID,
        lambda n, z: _quotient(z),
    ),
    _row(
        "overflowed_silu",
        "silu",
        "value",
        "z e^z / (1 + e^z)",
        OVERFLOWS.format("z"),
        "z / (1 + e^-z) for z >= 0 and z e^z / (1 + e^z) for z < 0",
        lambda n, z: z * _quotient(z),
    ),
    _row(
        "overflowed_the_slope_of_silu",
        "silu",
        "slope",
        "e^z (1 + z + e^z) / (1 + e^z)^2",
        "the squares of e^z leave the range, and it is infinity over infinity",
        "s(z) (1 + z s(-z))",
        lambda n, z: np.exp(z) * (1 + z + np.exp(z)) / (1 + np.exp(z)) ** 2,
    ),
    _row(
        "overflowed_gelu_tanh_by_the_sigmoid",
        "gelu_tanh",
        "value",
        "z e^2q / (1 + e^2q)",
        OVERFLOWS.format("2q"),
        "z s(2q), s the sigmoid by e^-2|q|",
        lambda n, z: z * _quotient(_twice_q(z)),
    ),
    *(
        _row(f"weighed_the_branches_of_{name}", name, "value", "(z > 0) z + (z <= 0) alpha (e^z - 1)", WEIGHED, MASKED, value)
        for name, value in (
            ("elu", lambda n, z, alpha=1.0: _weighed_value(n, z, 1.0, alpha)),
            ("selu", lambda n, z: _weighed_value(n, z, SELU_SCALE, SELU_SCALE * SELU_ALPHA)),
        )
    ),
    *(
        _row(f"weighed_the_branches_of_the_slope_of_{name}", name, "slope", "(z > 0) + (z <= 0) alpha e^z", WEIGHED, MASKED, slope)
        for name, slope in (
            ("elu", lambda n, z, alpha=1.0: _weighed_slope(n, z, 1.0, alpha)),
            ("selu", lambda n, z: _weighed_slope(n, z, SELU_SCALE, SELU_SCALE * SELU_ALPHA)),
        )
    ),
    *(
        _row(
            f"took_a_over_z_for_the_slope_of_{name}",
            name,
            "slope",
            "a / z",
            "0 over 0 is NaN",
            "1 where z > 0 and the other slope elsewhere",
            lambda n, z, slope=0.0: z / z,
        )
        for name in ("relu", "leaky_relu")
    ),
    _row(
        "overflowed_softmax",
        "softmax_cross_entropy",
        "loss",
        "e^a / sum of e^a, less y",
        OVERFLOWS.format("a"),
        "the same of a - max a",
        lambda n, a, y: np.exp(a) / np.exp(a).sum(axis=-1, keepdims=True) - y,
    ),
    _row(
        "divided_by_the_probabilities",
        "softmax_cross_entropy",
        "loss",
        "the Jacobian of softmax times -y / p",
        "a probability far below the largest is 0, and 0 over 0 is NaN",
        "p - y, in place of both derivatives",
        lambda n, a, y: _through_the_quotient(a, y),
    ),
    *(
        _row(
            f"overflowed_the_sigmoid_of_{name}",
            name,
            "loss",
            "e^a / (1 + e^a) - y",
            OVERFLOWS.format("a"),
            f"the sigmoid by {SIGMOID.replace('z', 'a')}, less y",
            lambda n, a, y: _quotient(a) - y,
        )
        for name in ("binary_cross_entropy_with_logits", "summed_binary_cross_entropy_with_logits")
    ),
    *(
        _row(
            f"divided_by_the_slope_of_the_sigmoid_in_{name}",
            name,
            "loss",
            "(s - y) / (s (1 - s)) times s (1 - s)",
            "s is rounded to 1, and 0 over 0 is NaN",
            "s - y, in place of both derivatives",
            lambda n, a, y: _by_quotients(a, y),
        )
        for name in ("binary_cross_entropy_with_logits", "summed_binary_cross_entropy_with_logits")
    ),
)
"""Those that leave the range."""


def _through_the_quotient(a: Any, y: Any) -> Any:
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    error = -y / p
    return p * (error - (error * p).sum(axis=-1, keepdims=True))


def _by_quotients(a: Any, y: Any) -> Any:
    s = 1 / (1 + np.exp(-a))
    return (s - y) / (s * (1 - s)) * (s * (1 - s))
