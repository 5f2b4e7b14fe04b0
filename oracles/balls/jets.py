"""Jets: a number with its first two derivatives by z, each a ball, and what rounding may add to the first two.

Forward-mode differentiation over ball arithmetic: a jet of z is carried through a formula, so that g, g' and g'' come of one walk. Beside
them goes how far an evaluation of the formula as it is written may be off, in units of u: one for each operation, and what it makes of
the errors before it. flint is imported when a jet is made, not with this module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oracles.balls.functions import logistic

if TYPE_CHECKING:
    from flint import arb


@dataclass(frozen=True, slots=True)
class Jet:
    """value, slope, bend: f, f' and f'' at z; value_error, slope_error: what rounding adds to the first two, in units of u."""

    value: arb
    slope: arb
    bend: arb
    value_error: arb
    slope_error: arb

    def __neg__(self) -> Jet:
        return Jet(-self.value, -self.slope, -self.bend, self.value_error, self.slope_error)

    def __add__(self, other: Jet) -> Jet:
        value, slope = self.value + other.value, self.slope + other.slope
        value_error, slope_error = self.value_error + other.value_error, self.slope_error + other.slope_error
        return Jet(value, slope, self.bend + other.bend, value_error + abs(value), slope_error + abs(slope))

    def __sub__(self, other: Jet) -> Jet:
        return self + -other

    def __mul__(self, other: Jet) -> Jet:
        a, b = self, other
        left, right = a.slope * b.value, a.value * b.slope
        value, one, two = a.value * b.value, abs(a.value), abs(b.value)
        value_error = one * b.value_error + two * a.value_error + abs(value)
        slope_error = abs(a.slope) * b.value_error + two * a.slope_error + one * b.slope_error + abs(b.slope) * a.value_error
        return Jet(
            value,
            left + right,
            a.bend * b.value + 2 * a.slope * b.slope + a.value * b.bend,
            value_error,
            slope_error + 2 * (abs(left) + abs(right)),
        )

    def through(self, value: arb, first: arb, second: arb, loss: arb | None = None) -> Jet:
        """A function of this jet: f, f' and f'' at its value; loss: the size that an error of f' is relative to, where not its own."""
        slope = first * self.slope
        of_first = abs(first) if loss is None else abs(first) + loss
        return Jet(
            value,
            slope,
            second * self.slope * self.slope + first * self.bend,
            abs(first) * self.value_error + abs(value),
            abs(second * self.slope) * self.value_error + abs(first) * self.slope_error + of_first * abs(self.slope) + abs(slope),
        )

    def union(self, other: Jet) -> Jet:
        """What holds both: of two branches, where the ball of a condition does not say which."""
        return Jet(
            self.value.union(other.value),
            self.slope.union(other.slope),
            self.bend.union(other.bend),
            self.value_error.max(other.value_error),
            self.slope_error.max(other.slope_error),
        )


def constant(ball: arb, rounded: bool) -> Jet:
    """A number of the formula; rounded: whether a target has to round it."""
    zero = type(ball)(0)
    return Jet(ball, zero, zero, abs(ball) if rounded else zero, zero)


def variable(ball: arb) -> Jet:
    """z itself."""
    one, zero = type(ball)(1), type(ball)(0)
    return Jet(ball, one, zero, zero, zero)


def inverse(a: Jet) -> Jet:
    """1 / a."""
    one = 1 / a.value
    return a.through(one, -one * one, 2 * one * one * one)


def power(a: Jet, n: int) -> Jet:
    """a^n of a whole number n of at least 0, by products: FLINT's own of a ball around 0 is NaN."""
    low, lower, whole = _product(a.value, n - 2), _product(a.value, n - 1), _product(a.value, n)
    return a.through(whole, n * lower, n * (n - 1) * low)


def _product(ball: arb, n: int) -> arb:
    made = type(ball)(1)
    for _ in range(n):
        made = made * ball
    return made


def exp(a: Jet) -> Jet:
    """e^a."""
    e = a.value.exp()
    return a.through(e, e, e)


def expm1(a: Jet) -> Jet:
    """e^a - 1, with all digits near 0."""
    e = a.value.exp()
    return a.through(a.value.expm1(), e, e)


def log(a: Jet) -> Jet:
    """ln a."""
    one = 1 / a.value
    return a.through(a.value.log(), one, -one * one)


def log1p(a: Jet) -> Jet:
    """ln (1 + a), with all digits near 0."""
    one = 1 / (1 + a.value)
    return a.through(a.value.log1p(), one, -one * one)


def sqrt(a: Jet) -> Jet:
    """The square root of a."""
    root = a.value.sqrt()
    return a.through(root, 1 / (2 * root), -1 / (4 * root * a.value))


def sin(a: Jet) -> Jet:
    """sin a."""
    s, c = a.value.sin_cos()
    return a.through(s, c, -s)


def cos(a: Jet) -> Jet:
    """cos a."""
    s, c = a.value.sin_cos()
    return a.through(c, -s, -c)


def tanh(a: Jet) -> Jet:
    """tanh a, whose derivative is taken as 1 - tanh^2 by most: its error is relative to 1."""
    t, s = a.value.tanh(), a.value.sech()
    slope = s * s
    return a.through(t, slope, -2 * t * slope, type(t)(1))


def sinh(a: Jet) -> Jet:
    """sinh a."""
    s, c = a.value.sinh_cosh()
    return a.through(s, c, s)


def cosh(a: Jet) -> Jet:
    """cosh a."""
    s, c = a.value.sinh_cosh()
    return a.through(c, s, c)


def atan(a: Jet) -> Jet:
    """arctan a."""
    one = 1 / (1 + a.value * a.value)
    return a.through(a.value.atan(), one, -2 * a.value * one * one)


def asinh(a: Jet) -> Jet:
    """arsinh a."""
    one = 1 / (1 + a.value * a.value)
    root = one.sqrt()
    return a.through(a.value.asinh(), root, -a.value * root * one)


def erf(a: Jet) -> Jet:
    """The error function."""
    return a.through(a.value.erf(), *_bell(a.value))


def erfc(a: Jet) -> Jet:
    """1 - erf a, with all digits in its tail."""
    first, second = _bell(a.value)
    return a.through(a.value.erfc(), -first, -second)


def _bell(z: arb) -> tuple[arb, arb]:
    """The first two derivatives of erf: 2 / sqrt(pi) e^(-z^2), and -2 z times that."""
    density = 2 / z.pi().sqrt() * (-(z * z)).exp()
    return density, -2 * z * density


def sigmoid(a: Jet) -> Jet:
    """1 / (1 + e^-a), whose derivative is taken as s (1 - s) by most: its error is relative to s."""
    s, t = logistic(a.value), logistic(-a.value)
    return a.through(s, s * t, s * t * (t - s), s)


def softplus(a: Jet) -> Jet:
    """ln (1 + e^a)."""
    s, t = logistic(a.value), logistic(-a.value)
    return a.through(a.value.max(0) + (-abs(a.value)).exp().log1p(), s, s * t)


def maximum(a: Jet, b: Jet) -> Jet:
    """The larger one; both where the balls do not say which."""
    return chosen(a.value - b.value, a, b)


def minimum(a: Jet, b: Jet) -> Jet:
    """The smaller one; both where the balls do not say which."""
    return chosen(a.value - b.value, b, a)


def chosen(sign: arb, above: Jet, below: Jet) -> Jet:
    """above where sign > 0, below where it is < 0, and both where the ball does not say which: at a kink every slope between is legal."""
    if sign > 0:
        return above
    return below if sign < 0 else above.union(below)


def absolute(a: Jet) -> Jet:
    """|a|."""
    return chosen(a.value, a, -a)


FUNCTIONS: dict[str, Callable[..., Jet]] = {
    "exp": exp,
    "expm1": expm1,
    "log": log,
    "log1p": log1p,
    "sqrt": sqrt,
    "sin": sin,
    "cos": cos,
    "tanh": tanh,
    "sinh": sinh,
    "cosh": cosh,
    "atan": atan,
    "asinh": asinh,
    "erf": erf,
    "erfc": erfc,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "relu": lambda a: maximum(a, constant(type(a.value)(0), rounded=False)),
    "abs": absolute,
    "max": maximum,
    "min": minimum,
    "clip": lambda a, low, high: minimum(maximum(a, low), high),
}
"""What a formula may call."""

ARGUMENTS = {"max": 2, "min": 2, "clip": 3}
"""Of so many numbers, where that is not one."""
