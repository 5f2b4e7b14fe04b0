"""A formula is read as a small language, and nothing of it is run; its numbers and derivatives are those of mpmath."""

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from oracles.balls.formula import Formula
from oracles.balls.functions import BALL_ACTIVATIONS
from oracles.balls.jets import FUNCTIONS
from oracles.balls.numbers import curve, roundings
from reference.errors import ProblemError

NOTHING = np.zeros(1)

FORMULAS = {
    "z * erf(z / sqrt(2))": lambda z: z * mpmath.erf(z / mpmath.sqrt(2)),
    "z / (1 + exp(-z))": lambda z: z / (1 + mpmath.exp(-z)),
    "z * tanh(softplus(z))": lambda z: z * mpmath.tanh(mpmath.log1p(mpmath.exp(z))),
    "log1p(exp(z)) - erfc(z) ** 2": lambda z: mpmath.log1p(mpmath.exp(z)) - mpmath.erfc(z) ** 2,
    "sin(z) * cos(2 * z) + z ** 3 - z ** -2": lambda z: mpmath.sin(z) * mpmath.cos(2 * z) + z**3 - z**-2,
    "atan(z) + asinh(z) / cosh(z) - sinh(z / 7)": lambda z: mpmath.atan(z) + mpmath.asinh(z) / mpmath.cosh(z) - mpmath.sinh(z / 7),
    "(1 + z * z) ** 0.3 * expm1(z / 9)": lambda z: (1 + z * z) ** mpf(0.3) * mpmath.expm1(z / 9),
    "log(2 + z ** 2) + sigmoid(z) * pi - e": lambda z: mpmath.log(2 + z**2) + mpmath.pi / (1 + mpmath.exp(-z)) - mpmath.e,
    "exp(z) - 1 if z < 0 else 2 * z": lambda z: mpmath.exp(z) - 1 if z < 0 else 2 * z,
    "where(abs(z) > 2, clip(z, -3, 3), min(max(z, -1), relu(z)))": lambda z: (
        min(max(z, mpf(-3)), mpf(3)) if abs(z) > 2 else min(max(z, mpf(-1)), max(z, mpf(0)))
    ),
}
POINTS = (-4.75, -2.5, -0.8125, -0.03125, 0.4375, 1.0625, 2.25, 5.5)


@pytest.mark.parametrize("text", FORMULAS)
def test_g_and_its_derivatives_are_those_of_mpmath(text):
    exact = FORMULAS[text]
    found = curve(Formula(text), np.array(POINTS), np.zeros(len(POINTS)), 0.0)
    with mpmath.workdps(80):
        for i, z in enumerate(POINTS):
            for order, numbers in ((0, found.value), (1, found.slope)):
                known = mpmath.diff(exact, mpf(z), order, h=mpf(10) ** -30) if order else exact(mpf(z))
                off = abs(mpf(numbers.high[i]) + mpf(numbers.low[i]) - known)
                assert off <= mpf(numbers.radius[i]) + abs(known) * mpf(10) ** -24, (text, z, order)
            assert abs(mpf(found.bend[i]) - mpmath.diff(exact, mpf(z), 2, h=mpf(10) ** -20)) <= 1e-14 * (1 + abs(found.bend[i]))


def test_every_function_of_the_language_is_tried():
    words = " ".join(FORMULAS)
    assert [name for name in FUNCTIONS if f"{name}(" not in words] == []


DEFINITIONS = {
    "relu": "max(z, 0)",
    "sigmoid": "1 / (1 + exp(-z))",
    "tanh": "(exp(z) - exp(-z)) / (exp(z) + exp(-z))",
    "softplus": "log(1 + exp(z))",
    "gelu": "z * (1 + erf(z / sqrt(2))) / 2",
    "silu": "z / (1 + exp(-z))",
    "softsign": "z / (1 + abs(z))",
    "hardtanh": "clip(z, -1, 1)",
    "relu6": "min(relu(z), 6)",
    "elu": "z if z > 0 else exp(z) - 1",
    "gelu_tanh": "z * (1 + tanh(sqrt(2 / pi) * (z + 0.044715 * z ** 3))) / 2",
}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_textbook_formula_has_the_numbers_of_the_named_activation_in_the_tails_too(name):
    """Exact digits that cancel are bought by more bits: 1 + erf(-9), 1 + exp(-80)."""
    z = np.array([-80.0, -30.0, -9.0, -6.0, -1.0, -1e-6, 0.0, 1e-6, 1.0, 6.0, 17.0, 80.0])
    by_formula, by_name = (curve(of, z, np.zeros(len(z)), 0.0) for of in (Formula(DEFINITIONS[name]), name))
    for one, other in ((by_formula.value, by_name.value), (by_formula.slope, by_name.slope)):
        apart = np.abs((one.high - other.high) + (one.low - other.low))
        assert (apart <= one.radius + other.radius + 2.0**-70 * np.abs(other.high)).all()
    assert DEFINITIONS.keys() <= BALL_ACTIVATIONS.keys()


@pytest.mark.parametrize("text", ["abs(z)", "max(-z, z)", "z if z > 0 else -z", "where(z <= 0, -z, z)"])
def test_at_a_kink_every_slope_between_both_sides_is_legal(text):
    slope = curve(Formula(text), np.array([0.0]), NOTHING, 0.0).slope
    for legal in (-1.0, -0.25, 0.0, 1.0):
        assert slope.distance(np.array([legal])) == 0
    assert slope.distance(np.array([1.001])) > 9e-4


def test_steps_that_lose_digits_are_counted():
    """exp(z) - 1 near 0 is off by u, expm1 by u of itself."""
    z = np.array([1e-9])
    assert roundings(Formula("exp(z) - 1"), z)[0] > 0.5
    assert roundings(Formula("expm1(z)"), z)[0] < 1e-8


REFUSED = [
    ("__import__('os').system('true')", "none of its language"),
    ("z.real", "none of its language"),
    ("[z][0]", "none of its language"),
    ("(lambda: z)()", "none of its language"),
    ("open(z)", "none of its language"),
    ("f'{z}'", "none of its language"),
    ("z + True", "none of its language"),
    ("z @ z", "none of its language"),
    ("exp(x=z)", "none of its language"),
    ("(z := 1)", "none of its language"),
    ("z = 1", "no expression"),
    ("z +", "no expression"),
    ("exp(z, z)", "calls exp with 2 numbers: expected 1"),
    ("max(z)", "expected 2"),
    ("z ** 65", "up to 64"),
    ("1e999 * z", "finite"),
    ("3 * pi", "has no z"),
    ("x * x", "expected numbers, z, pi, e"),
    ("z * 1" + "0" * 400, "more than 308 digits"),
    ("z ** 1" + "0" * 400, "more than 308 digits"),
    ("z ** -1" + "0" * 400, "more than 308 digits"),
    ("z if z else 1", "one comparison"),
    ("z if 0 < z < 1 else 1", "one comparison"),
    ("z if z == 0 else 1", "one comparison"),
    ("", "characters"),
    ("z" + " + z" * 600, "characters"),
    ("-" * 200 + "z", "inside one another"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[text[:30] for text, _ in REFUSED])
def test_what_is_no_formula_is_refused(text, message):
    with pytest.raises(ProblemError, match=message.replace("(", r"\(")):
        Formula(text)


def test_what_is_no_text_is_no_formula():
    with pytest.raises(ProblemError, match="expected text"):
        Formula(3)


@pytest.mark.parametrize(("text", "z", "radius", "known"), [("z**2", 1e200, 0.0, True), ("log(z)", -1.0, np.nan, False)])
def test_what_is_beyond_float64_is_known_and_what_is_no_number_is_not(text, z, radius, known):
    """1e400 is exact, and infinite as a float64; the logarithm of -1 is nothing."""
    value = curve(Formula(text), np.array([z]), np.zeros(1), 0.0).value
    assert not np.isfinite(value.high[0])
    np.testing.assert_array_equal((value.low[0], value.radius[0]), (0.0, radius))
    assert (value.distance(np.array([1.0]))[0] == np.inf) == known
