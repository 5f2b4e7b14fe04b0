"""The tables of ball arithmetic: activations, losses and their derivatives as enclosures over balls.

A ball is [m - r, m + r]; f(ball) contains f(z) for every z of the ball. Written for balls from flint's own functions, apart from
reference/: exponentials are taken of numbers below 0 only, so that nothing overflows, and no digits cancel in the tails.
flint is imported when a function is called, not with this module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flint import arb

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946
CUBIC = 0.044715


@dataclass(frozen=True)
class BallActivation:
    """g of one sample's z, and its pullback: dC/dz of z and dC/da; n_l balls each."""

    value: Callable[[Sequence[arb]], list[arb]]
    pullback: Callable[[Sequence[arb], Sequence[arb]], list[arb]]


def _elementwise(value: Callable[[arb], arb], derivative: Callable[[arb], arb]) -> BallActivation:
    """An activation of g and g' of one ball; at a kink g' is the hull of both one-sided derivatives."""
    return BallActivation(lambda z: [value(ball) for ball in z], lambda z, e: [q * derivative(p) for p, q in zip(z, e, strict=True)])


@dataclass(frozen=True)
class BallLoss:
    """C_0 and equation 2's dC_0/da_j of one sample; a, y: n_L balls."""

    value: Callable[[Sequence[arb], Sequence[arb]], arb]
    derivative: Callable[[Sequence[arb], Sequence[arb]], list[arb]]


def _ball(number: float) -> arb:
    """The ball that holds this very float and nothing else."""
    from flint import arb

    return arb(number)


def _sum(terms: Sequence[arb]) -> arb:
    return sum(terms, start=_ball(0))


def _square(ball: arb) -> arb:
    # not ball**2, which FLINT answers with NaN for a ball around 0 that has a radius
    return ball * ball


def _step(z: arb, point: float, below: arb, above: arb) -> arb:
    """below for z < point, above for z > point, and the hull of both where the ball does not say which."""
    if z < point:
        return below
    if z > point:
        return above
    return below.union(above)


# Activations


def identity() -> BallActivation:
    """g(z) = z."""
    return _elementwise(lambda z: z, lambda z: _ball(1))


def sigmoid() -> BallActivation:
    """g(z) = s(z), g' = s(z) s(-z)."""
    return _elementwise(logistic, _bell)


def logistic(z: arb) -> arb:
    """s(z) = 1 / (1 + e^-z) = e^z / (1 + e^z), by the exponential that is below 1."""
    if z.mid() < 0:
        e = z.exp()
        return e / (1 + e)
    return 1 / (1 + (-z).exp())


def _bell(z: arb) -> arb:
    return logistic(z) * logistic(-z)


def tanh() -> BallActivation:
    """g(z) = tanh z, g' = 1 / cosh(z)^2."""
    return _elementwise(lambda z: z.tanh(), lambda z: _square(z.sech()))


def relu() -> BallActivation:
    """g(z) = max(z, 0)."""
    return leaky_relu(0.0)


def leaky_relu(slope: float = 0.01) -> BallActivation:
    """g(z) = max(z, 0) + slope min(z, 0)."""
    return _elementwise(
        lambda z: z.max(0) + slope * z.min(0) if slope else z.max(0),
        lambda z: _step(z, 0, _ball(slope), _ball(1)),
    )


def elu(alpha: float = 1.0) -> BallActivation:
    """g(z) = max(z, 0) + alpha (e^min(z, 0) - 1)."""
    return _exponential_linear(lambda: _ball(1), lambda: _ball(alpha))


def selu() -> BallActivation:
    """g(z) = lambda (max(z, 0) + alpha (e^min(z, 0) - 1)), both constants as the float64 nearest to them."""
    return _exponential_linear(lambda: _ball(SELU_SCALE), lambda: _ball(SELU_SCALE) * SELU_ALPHA)


def _exponential_linear(right: Callable[[], arb], left: Callable[[], arb]) -> BallActivation:
    """g(z) = right z for z > 0, left (e^z - 1) otherwise."""
    return _elementwise(
        lambda z: right() * z.max(0) + left() * z.min(0).expm1(),
        lambda z: _step(z, 0, left() * z.min(0).exp(), right()),
    )


def softplus() -> BallActivation:
    """g(z) = max(z, 0) + log(1 + e^-|z|), g' = s(z)."""
    return _elementwise(lambda z: z.max(0) + _log_one_plus_exp(-abs(z)), logistic)


def _log_one_plus_exp(z: arb) -> arb:
    return z.exp().log1p()


def gelu() -> BallActivation:
    """g(z) = z Phi(z), g' = Phi(z) + z phi(z), Phi(z) = erfc(-z / sqrt 2) / 2."""

    def distribution(z: arb) -> arb:
        return (-z / _ball(2).sqrt()).erfc() / 2

    def density(z: arb) -> arb:
        return (-_square(z) / 2).exp() / (2 * _ball(0).pi()).sqrt()

    return _elementwise(lambda z: z * distribution(z), lambda z: distribution(z) + z * density(z))


def gelu_tanh() -> BallActivation:
    """g(z) = z (1 + tanh q) / 2 = z s(2q), q = sqrt(2/pi) (z + c z^3), c the float64 nearest to 0.044715."""

    def root() -> arb:
        return (2 / _ball(0).pi()).sqrt()

    def twice_q(z: arb) -> arb:
        return 2 * root() * z * (1 + CUBIC * _square(z))

    def derivative(z: arb) -> arb:
        return logistic(twice_q(z)) + z * _bell(twice_q(z)) * 2 * root() * (1 + 3 * (CUBIC * _square(z)))

    return _elementwise(lambda z: z * logistic(twice_q(z)), derivative)


def silu() -> BallActivation:
    """g(z) = z s(z), g' = s(z) (1 + z s(-z))."""
    return _elementwise(lambda z: z * logistic(z), lambda z: logistic(z) * (1 + z * logistic(-z)))


def softsign() -> BallActivation:
    """g(z) = z / (1 + |z|), g' = 1 / (1 + |z|)^2."""
    return _elementwise(lambda z: z / (1 + abs(z)), lambda z: _square(1 / (1 + abs(z))))


def hardtanh() -> BallActivation:
    """g(z) = min(max(z, -1), 1)."""
    return _clip(-1, 1)


def relu6() -> BallActivation:
    """g(z) = min(max(z, 0), 6)."""
    return _clip(0, 6)


def _clip(low: int, high: int) -> BallActivation:
    return _elementwise(
        lambda z: z.max(low).min(high),
        lambda z: _step(z, low, _ball(0), _ball(1)) * _step(z, high, _ball(1), _ball(0)),
    )


def softmax() -> BallActivation:
    """p_j = e_j / S with e_j = exp(z_j - m), m the largest z; dC/dz_j = p_j (d_j - sum_k p_k d_k), d_j = dC/da_j - dC/da_m.

    What is common to all dC/da falls out of the difference: with d_m = 0 nothing cancels where p_m is nearly 1.
    """

    def value(z: Sequence[arb]) -> list[arb]:
        e = [ball.exp() for ball in _below_top(z)[1]]
        total = _sum(e)
        return [ball / total for ball in e]

    def pullback(z: Sequence[arb], e: Sequence[arb]) -> list[arb]:
        p, (_, differences) = value(z), _below(e, _below_top(z)[0])
        mean = _sum([q * d for q, d in zip(p, differences, strict=True)])
        return [q * (d - mean) for q, d in zip(p, differences, strict=True)]

    return BallActivation(value, pullback)


def _below_top(a: Sequence[arb]) -> tuple[int, list[arb]]:
    """Which is the largest, and a_j less that, exactly 0 for it."""
    return _below(a, max(range(len(a)), key=lambda j: a[j].mid()))


def _below(a: Sequence[arb], top: int) -> tuple[int, list[arb]]:
    return top, [_ball(0) if j == top else p - a[top] for j, p in enumerate(a)]


# Losses


def half_squared_error() -> BallLoss:
    """C_0 = 1/2 sum (a - y)^2."""
    return _squares(2, mean=False)


def squared_error() -> BallLoss:
    """C_0 = sum (a - y)^2."""
    return _squares(1, mean=False)


def mean_squared_error() -> BallLoss:
    """C_0 = 1/n sum (a - y)^2."""
    return _squares(1, mean=True)


def half_mean_squared_error() -> BallLoss:
    """C_0 = 1/(2n) sum (a - y)^2."""
    return _squares(2, mean=True)


def _squares(divisor: int, mean: bool) -> BallLoss:
    def whole(a: Sequence[arb]) -> int:
        return divisor * len(a) if mean else divisor

    return BallLoss(
        lambda a, y: _sum([_square(p - q) for p, q in zip(a, y, strict=True)]) / whole(a),
        lambda a, y: [2 * (p - q) / whole(a) for p, q in zip(a, y, strict=True)],
    )


def huber(delta: float = 1.0) -> BallLoss:
    """C_0 = 1/n sum m (|r| - m/2), r = a - y, m = min(|r|, delta)."""

    def term(r: arb) -> arb:
        inside = abs(r).min(delta)
        return inside * (abs(r) - inside / 2)

    return BallLoss(
        lambda a, y: _sum([term(p - q) for p, q in zip(a, y, strict=True)]) / len(a),
        lambda a, y: [(p - q).max(-delta).min(delta) / len(a) for p, q in zip(a, y, strict=True)],
    )


def upstream() -> BallLoss:
    """C_0 = sum y a."""
    return BallLoss(lambda a, y: _sum([p * q for p, q in zip(a, y, strict=True)]), lambda a, y: list(y))


def binary_cross_entropy_with_logits() -> BallLoss:
    """C_0 = 1/n sum log(1 + e^a) - y a, as a sum of terms that are none below 0."""

    return _over_outputs(_of_logit, _slope_of_logit, mean=True)


def summed_binary_cross_entropy_with_logits() -> BallLoss:
    """C_0 = sum log(1 + e^a) - y a."""
    return _over_outputs(_of_logit, _slope_of_logit, mean=False)


def _of_logit(a: arb, y: arb) -> arb:
    return a.max(0) * (1 - y) - a.min(0) * y + _log_one_plus_exp(-abs(a))


def _slope_of_logit(a: arb, y: arb) -> arb:
    return (1 - y) * logistic(a) - y * logistic(-a)


def binary_cross_entropy_of_probabilities() -> BallLoss:
    """C_0 = -1/n sum y log a + (1 - y) log(1 - a)."""
    return _over_outputs(_of_probability, _slope_of_probability, mean=True)


def summed_binary_cross_entropy_of_probabilities() -> BallLoss:
    """C_0 = -sum y log a + (1 - y) log(1 - a)."""
    return _over_outputs(_of_probability, _slope_of_probability, mean=False)


def _of_probability(a: arb, y: arb) -> arb:
    return _sum([-q * p.log() for p, q in ((a, y), (1 - a, 1 - y)) if q != 0])


def _slope_of_probability(a: arb, y: arb) -> arb:
    return _sum([sign * q / p for sign, p, q in ((-1, a, y), (1, 1 - a, 1 - y)) if q != 0])


def _over_outputs(value: Callable[[arb, arb], arb], derivative: Callable[[arb, arb], arb], mean: bool) -> BallLoss:
    """A loss whose terms depend on one output each: their sum or mean."""

    def share(a: Sequence[arb]) -> int:
        return len(a) if mean else 1

    return BallLoss(
        lambda a, y: _sum([value(p, q) for p, q in zip(a, y, strict=True)]) / share(a),
        lambda a, y: [derivative(p, q) / share(a) for p, q in zip(a, y, strict=True)],
    )


def cross_entropy_of_probabilities() -> BallLoss:
    """C_0 = -sum y log a, of those outputs alone of which something is expected."""
    return BallLoss(
        lambda a, y: _sum([-q * p.log() for p, q in zip(a, y, strict=True) if q != 0]),
        lambda a, y: [_ball(0) if q == 0 else -q / p for p, q in zip(a, y, strict=True)],
    )


def softmax_cross_entropy() -> BallLoss:
    """C_0 = -sum_j y_j log p_j, p = softmax(a); dC_0/da_j = p_j sum_i y_i - y_j.

    With m the largest logit, e_j = exp(a_j - m) and S = sum e_j: -log p_j = (m - a_j) + log S, both terms not below 0, and
    dC_0/da_j = (e_j sum_{i != j} y_i - y_j sum_{i != j} e_i) / S, which cancels nothing where y is one-hot.
    """

    def value(a: Sequence[arb], y: Sequence[arb]) -> arb:
        top, shifted = _below_top(a)
        log_sum = _others([p.exp() for p in shifted])[top].log1p()
        return _sum([q * (log_sum - p) for p, q in zip(shifted, y, strict=True)])

    def derivative(a: Sequence[arb], y: Sequence[arb]) -> list[arb]:
        e = [p.exp() for p in _below_top(a)[1]]
        total = _sum(e)
        return [(p * r - q * s) / total for p, q, r, s in zip(e, y, _others(y), _others(e), strict=True)]

    return BallLoss(value, derivative)


def _others(terms: Sequence[arb]) -> list[arb]:
    """For each term the sum of all others, summed without the term itself."""
    before = [_ball(0), *accumulate(terms[:-1])]
    after = [_ball(0), *accumulate(terms[:0:-1])]
    return [p + q for p, q in zip(before, reversed(after), strict=True)]


BALL_ACTIVATIONS: dict[str, Callable[..., BallActivation]] = {
    make.__name__: make
    for make in (identity, sigmoid, tanh, relu, leaky_relu, elu, selu, softplus, gelu, gelu_tanh, silu, softsign, hardtanh, relu6, softmax)
}

BALL_LOSSES: dict[str, Callable[..., BallLoss]] = {
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
