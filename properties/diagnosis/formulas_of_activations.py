"""The table of textbook formulas of activations and their slopes that lose digits, or leave the range."""

from typing import Any

import numpy as np
from scipy.special import erf

from properties.diagnosis.formula import NEAR_ONE, Formula, Nudged, sigmoid
from reference.functions.activations import SELU_ALPHA, SELU_SCALE


def _softplus(z: Any) -> Any:
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def _erf(z: Any) -> Any:
    return erf(np.asarray(z, dtype=np.float64) * np.sqrt(0.5)).astype(z.dtype)


def _density(z: Any) -> Any:
    return np.exp(-0.5 * z * z) * z.dtype.type(1 / np.sqrt(2 * np.pi))


def _q(z: Any) -> Any:
    return z.dtype.type(np.sqrt(2 / np.pi)) * (z + z.dtype.type(0.044715) * z * z * z)


def _slope_of_q(z: Any) -> Any:
    return z.dtype.type(np.sqrt(2 / np.pi)) * (1 + z.dtype.type(3 * 0.044715) * z * z)


def _by_tanh(nudged: Nudged, z: Any) -> Any:
    return 0.5 * (1 + nudged(np.tanh(0.5 * z)))


def _exponential_left(nudged: Nudged, z: Any, right: float, left: float) -> Any:
    return np.where(z > 0, z.dtype.type(right) * z, z.dtype.type(left) * (nudged(np.exp(np.minimum(z, 0))) - 1))


def _slope_off_a(nudged: Nudged, z: Any, right: float, left: float) -> Any:
    a = z.dtype.type(left) * (nudged(np.exp(np.minimum(z, 0))) - 1)
    return np.where(z > 0, z.dtype.type(right), a + z.dtype.type(left))


def _slope_off_expm1(nudged: Nudged, z: Any, right: float, left: float) -> Any:
    a = z.dtype.type(left) * nudged(np.expm1(np.minimum(z, 0)))
    return np.where(z > 0, z.dtype.type(right), a + z.dtype.type(left))


SIGMOID = "s(z) = 1 / (1 + e^-z) for z >= 0 and e^z / (1 + e^z) for z < 0"
SLOPE_OF_TANH = "4 s(2z) s(-2z), s the sigmoid, or 1 / cosh(z)^2 where that is in range"
SLOPE_OF_SILU = "s(z) (1 + z s(-z))"

OF_ACTIVATIONS: tuple[Formula, ...] = (
    Formula(
        "took_sigmoid_by_tanh", "sigmoid", "value", "(1 + tanh(z/2)) / 2", NEAR_ONE.format("for z < 0 tanh(z/2)", "-1"), SIGMOID, _by_tanh
    ),
    Formula(
        "took_sigmoid_from_its_rest",
        "sigmoid",
        "value",
        "1 - 1 / (1 + e^z)",
        NEAR_ONE.format("for z < 0 the quotient", "1"),
        SIGMOID,
        lambda n, z: 1 - n(sigmoid(-z)),
    ),
    Formula(
        "took_a_by_one_less_a_for_the_slope_of_sigmoid",
        "sigmoid",
        "slope",
        "a (1 - a)",
        NEAR_ONE.format("for large z a", "1"),
        "s(z) s(-z)",
        lambda n, z: (lambda a: a * (1 - a))(n(sigmoid(z))),
    ),
    Formula(
        "took_a_by_one_less_a_for_the_slope_of_sigmoid_by_tanh",
        "sigmoid",
        "slope",
        "a (1 - a) of a = (1 + tanh(z/2)) / 2",
        NEAR_ONE.format("for large |z| tanh(z/2)", "1 or -1"),
        "s(z) s(-z)",
        lambda n, z: (lambda a: a * (1 - a))(_by_tanh(n, z)),
    ),
    Formula(
        "took_one_less_a_squared_for_the_slope_of_tanh",
        "tanh",
        "slope",
        "1 - a a",
        NEAR_ONE.format("for large |z| a a", "1"),
        SLOPE_OF_TANH,
        lambda n, z: (lambda a: 1 - a * a)(n(np.tanh(z))),
    ),
    Formula(
        "took_one_less_a_by_one_and_a_for_the_slope_of_tanh",
        "tanh",
        "slope",
        "(1 - a) (1 + a), or 1 - a a in one rounding",
        NEAR_ONE.format("for large |z| |a|", "1"),
        SLOPE_OF_TANH,
        lambda n, z: (lambda a: (1 - a) * (1 + a))(n(np.tanh(z))),
    ),
    Formula(
        "took_tanh_by_two_exponentials",
        "tanh",
        "value",
        "(e^z - e^-z) / (e^z + e^-z)",
        "near z = 0 both are near 1, and their difference keeps its last digits alone; for large |z| it is infinity over infinity",
        "tanh(z) of the library, or -expm1(-2z) / (1 + e^-2z) for z >= 0",
        lambda n, z: (lambda e, f: (e - f) / (e + f))(n(np.exp(z)), n(np.exp(-z))),
        2,
    ),
    Formula(
        "took_tanh_by_e_to_2z",
        "tanh",
        "value",
        "(e^2z - 1) / (e^2z + 1)",
        "near z = 0 e^2z is near 1, and the difference keeps only its last digits; for large z infinity stands over infinity",
        "tanh(z) of the library, or -expm1(-2z) / (1 + e^-2z) for z >= 0",
        lambda n, z: (lambda e: (e - 1) / (e + 1))(n(np.exp(2 * z))),
    ),
    Formula(
        "took_tanh_by_e_to_minus_2z",
        "tanh",
        "value",
        "(1 - e^-2z) / (1 + e^-2z)",
        "near z = 0 e^-2z is near 1, and the difference keeps only its last digits; for z far below 0 infinity stands over infinity",
        "tanh(z) of the library, or -expm1(-2z) / (1 + e^-2z) for z >= 0",
        lambda n, z: (lambda e: (1 - e) / (1 + e))(n(np.exp(-2 * z))),
    ),
    Formula(
        "took_tanh_from_its_rest",
        "tanh",
        "value",
        "1 - 2 / (e^2z + 1)",
        NEAR_ONE.format("near z = 0 the quotient", "1"),
        "tanh(z) of the library",
        lambda n, z: 1 - 2 / (n(np.exp(2 * z)) + 1),
    ),
    Formula(
        "took_tanh_by_the_sigmoid",
        "tanh",
        "value",
        "2 s(2z) - 1",
        NEAR_ONE.format("near z = 0 2 s(2z)", "1"),
        "tanh(z) of the library",
        lambda n, z: 2 * n(sigmoid(2 * z)) - 1,
    ),
    Formula(
        "took_exp_less_one_for_elu",
        "elu",
        "value",
        "alpha (e^z - 1)",
        NEAR_ONE.format("for z a little below 0 e^z", "1"),
        "alpha expm1(z)",
        lambda n, z, alpha=1.0: _exponential_left(n, z, 1.0, alpha),
    ),
    Formula(
        "took_exp_less_one_for_selu",
        "selu",
        "value",
        "lambda alpha (e^z - 1)",
        NEAR_ONE.format("for z a little below 0 e^z", "1"),
        "lambda alpha expm1(z)",
        lambda n, z: _exponential_left(n, z, SELU_SCALE, SELU_SCALE * SELU_ALPHA),
    ),
    Formula(
        "took_a_and_alpha_for_the_slope_of_elu",
        "elu",
        "slope",
        "a + alpha",
        NEAR_ONE.format("for z far below 0 a", "-alpha"),
        "alpha e^z",
        lambda n, z, alpha=1.0: _slope_off_a(n, z, 1.0, alpha),
    ),
    Formula(
        "took_a_and_alpha_for_the_slope_of_elu_by_expm1",
        "elu",
        "slope",
        "a + alpha",
        NEAR_ONE.format("for z far below 0 a", "-alpha"),
        "alpha e^z",
        lambda n, z, alpha=1.0: _slope_off_expm1(n, z, 1.0, alpha),
    ),
    Formula(
        "took_a_and_alpha_for_the_slope_of_selu",
        "selu",
        "slope",
        "a + lambda alpha",
        NEAR_ONE.format("for z far below 0 a", "-lambda alpha"),
        "lambda alpha e^z",
        lambda n, z: _slope_off_a(n, z, SELU_SCALE, SELU_SCALE * SELU_ALPHA),
    ),
    Formula(
        "took_a_and_alpha_for_the_slope_of_selu_by_expm1",
        "selu",
        "slope",
        "a + lambda alpha",
        NEAR_ONE.format("for z far below 0 a", "-lambda alpha"),
        "lambda alpha e^z",
        lambda n, z: _slope_off_expm1(n, z, SELU_SCALE, SELU_SCALE * SELU_ALPHA),
    ),
    Formula(
        "took_softplus_by_log_of_one_and_exp",
        "softplus",
        "value",
        "log(1 + e^z)",
        "for z < 0 what e^z adds to 1 is rounded off; for large z e^z overflows",
        "max(z, 0) + log1p(e^-|z|)",
        lambda n, z: np.log(1 + n(np.exp(z))),
    ),
    Formula(
        "took_one_less_exp_of_minus_a_for_the_slope_of_softplus",
        "softplus",
        "slope",
        "1 - e^-a",
        NEAR_ONE.format("for z < 0 e^-a", "1"),
        "the sigmoid of z",
        lambda n, z: 1 - n(sigmoid(-z)),
    ),
    Formula(
        "took_exp_of_z_less_a_for_the_slope_of_softplus",
        "softplus",
        "slope",
        "e^(z - a)",
        "for large |z| the rounding of z - a is large beside 1, and is a factor of the result",
        "the sigmoid of z",
        lambda n, z: np.exp(z - n(_softplus(z))),
    ),
    Formula(
        "took_gelu_by_one_and_erf",
        "gelu",
        "value",
        "z (1 + erf(z / sqrt 2)) / 2",
        NEAR_ONE.format("in the left tail erf", "-1"),
        "z erfc(-z / sqrt 2) / 2",
        lambda n, z: 0.5 * z * (1 + n(_erf(z))),
    ),
    Formula(
        "took_the_slope_of_gelu_by_one_and_erf",
        "gelu",
        "slope",
        "(1 + erf(z / sqrt 2)) / 2 + z phi(z)",
        NEAR_ONE.format("in the left tail erf", "-1"),
        "erfc(-z / sqrt 2) / 2 + z phi(z)",
        lambda n, z: 0.5 * (1 + n(_erf(z))) + z * _density(z),
    ),
    Formula(
        "took_gelu_tanh_by_one_and_tanh",
        "gelu_tanh",
        "value",
        "z (1 + tanh q) / 2",
        NEAR_ONE.format("in the left tail tanh q", "-1"),
        "z s(2q), s the sigmoid",
        lambda n, z: 0.5 * z * (1 + n(np.tanh(_q(z)))),
    ),
    Formula(
        "took_the_slope_of_gelu_tanh_by_one_and_tanh",
        "gelu_tanh",
        "slope",
        "(1 + t) / 2 + z (1 - t t) q' / 2 of t = tanh q",
        NEAR_ONE.format("in the tails t", "1 or -1"),
        "s(2q) + 2 z q' s(2q) s(-2q), s the sigmoid",
        lambda n, z: (lambda t: 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * _slope_of_q(z))(n(np.tanh(_q(z)))),
    ),
    Formula(
        "took_the_slope_of_gelu_tanh_by_one_and_tanh_in_one_rounding",
        "gelu_tanh",
        "slope",
        "(1 + t) / 2 + z (1 - t t) q' / 2 of t = tanh q, 1 - t t in one rounding",
        NEAR_ONE.format("in the tails t", "1 or -1"),
        "s(2q) + 2 z q' s(2q) s(-2q), s the sigmoid",
        lambda n, z: (lambda t: 0.5 * (1 + t) + 0.5 * z * ((1 - t) * (1 + t)) * _slope_of_q(z))(n(np.tanh(_q(z)))),
    ),
    Formula(
        "took_the_slope_of_silu_by_one_less_s",
        "silu",
        "slope",
        "s (1 + z (1 - s))",
        NEAR_ONE.format("for large z s", "1"),
        SLOPE_OF_SILU,
        lambda n, z: (lambda s: s * (1 + z * (1 - s)))(n(sigmoid(z))),
    ),
    Formula(
        "took_the_slope_of_silu_off_a",
        "silu",
        "slope",
        "a + s (1 - a)",
        "for large z a is large, and what is left of a - s a has few digits",
        SLOPE_OF_SILU,
        lambda n, z: (lambda s: z * s + s * (1 - z * s))(n(sigmoid(z))),
    ),
    Formula(
        "took_the_slope_of_softsign_off_a",
        "softsign",
        "slope",
        "(1 - |a|)^2",
        NEAR_ONE.format("for large |z| |a|", "1"),
        "1 / (1 + |z|)^2",
        lambda n, z: (1 - n(np.abs(z) / (1 + np.abs(z)))) ** 2,
    ),
    Formula(
        "took_the_slope_of_softsign_by_the_quotient_rule",
        "softsign",
        "slope",
        "(1 + |z| - |z|) / (1 + |z|)^2",
        "for large |z| the 1 is rounded off 1 + |z|",
        "1 / (1 + |z|)^2",
        lambda n, z: ((1 + np.abs(z)) - np.abs(z)) / (1 + np.abs(z)) ** 2,
        0,
    ),
    Formula(
        "cancelled_relu6_at_large_z",
        "relu6",
        "value",
        "relu(z) - relu(z - 6)",
        "for large z both are nearly equal, and z - 6 is rounded",
        "min(max(z, 0), 6)",
        lambda n, z: np.maximum(z, 0) - np.maximum(z - 6, 0),
        0,
    ),
)
"""Those that lose digits."""
