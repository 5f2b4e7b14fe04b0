"""Ball arithmetic: an enclosure of the exact gradient, rigorous by construction (python-flint's arb).

Every number is a ball [m - r, m + r] that contains the exact value, as real arithmetic gives it at the given float64 numbers:
both passes are written anew, by equations 2, 3, 4, 7, 10 and 11, over balls.
Trust: certain, up to a mistake in FLINT or in these formulas, which share no line with reference/.
Limit: at an exact kink the enclosure holds what every slope between both sides gives, as it must. SELU's constants and GELU's
0.044715 are the float64 nearest to them. Numbers beyond float64's range are enclosed by infinity.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from oracles.balls.directed_rounding import LARGEST, to_floats
from oracles.balls.functions import BALL_ACTIVATIONS, BALL_LOSSES
from oracles.oracle import Reply
from reference.arrays import AnyArray, Array
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import name_and_parameters, row_of
from reference.gradient import Gradient
from reference.problem import Problem

if TYPE_CHECKING:
    from flint import arb, arb_mat

PRECISIONS_TRIED = (128, 512, 4400)
"""In bits; with the last one, sums of products of float64 numbers are exact."""

TIMES_AS_MUCH = {128: 1, 512: 2, 4400: 25}
"""What they cost beside the first of them."""

LARGEST_SHARPENED = 400_000
"""More digits are asked for up to this cost: some twenty seconds."""

PRODUCTS_AS_ONE = 500
"""So many products in a sum cost as much as a function of one number, with its slope."""

PIECE = 1 << 20
"""So many weights are held as balls at once: each takes some 80 bytes."""


@dataclass(frozen=True)
class Enclosure:
    """lower <= exact gradient <= upper, entry by entry: weights, biases (of every layer), x, loss, z, a and delta.

    float64 arrays rounded outward; infinite where no bound in range is known.
    """

    lower: Gradient
    upper: Gradient


def enclosure(problem: Problem, near: Sequence[Array] | None = None, rows: Sequence[AnyArray] | None = None) -> Enclosure:
    """The enclosure of a problem's gradient, as narrow as float64 can say wherever that can be had.

    near: for each layer (batch, n_l): a pre-activation no further than this from a kink counts as on it, so that every slope between
    both sides is legal; None for those on a kink alone. What is infinite or NaN in it widens nothing.
    rows: for each layer the numbers of the rows of dC/dW that are wanted; None for all, which in a large network cost most.
    The precision rises until no entry is blurred, or until more digits sharpen none, as at an exact kink, or would take minutes: what
    cancels in a large network is then left wider, by some 1e-38 of its terms.
    """
    if not problem.batch:
        nothing = _of_no_sample(problem)
        return Enclosure(nothing, nothing)
    with np.errstate(all="ignore"):
        found = _enclosure(problem, PRECISIONS_TRIED[0], near, rows)
        for bits in PRECISIONS_TRIED[1:]:
            if cost(problem, bits) > LARGEST_SHARPENED or not any(_blurred(*ends).any() for ends in _pairs(found)):
                break
            coarser, found = found, _enclosure(problem, bits, near, rows)
            if not _sharpens(coarser, found):
                break
        return found


def cost(problem: Problem, bits: int = PRECISIONS_TRIED[0]) -> int:
    """What both passes cost, in functions of one number at the lowest precision, of which some 20,000 take a second."""
    nodes, weights = sum(problem.widths[1:]), sum(weight.size for weight in problem.weights)
    return TIMES_AS_MUCH[bits] * problem.batch * (nodes + weights // PRODUCTS_AS_ONE)


def exact_parts(problem: Problem) -> tuple[Gradient, Gradient]:
    """dC/dW and dC/db as pairs of float64, near + rest, that hold the middle of each ball to 100 bits: for what is off by less than a unit
    in the last place of float64, which ends of an enclosure cannot say. Meant for problems away from kinks, whose balls are narrow.
    """
    from flint import ctx

    with ctx.workprec(PRECISIONS_TRIED[0]):
        found = _passes(problem, None, None)
        weights = [_near_and_rest(balls) for balls in found.weights]
        biases = [_near_and_rest(balls) for balls in found.biases]
    has = [bias is not None for bias in problem.biases]
    near, rest = (
        Gradient([each[part] for each in weights], [each[part][0] if held else None for each, held in zip(biases, has, strict=True)])
        for part in (0, 1)
    )
    return near, rest


def _near_and_rest(balls: arb_mat) -> tuple[Array, Array]:
    """The nearest float64 of every ball, and what is left of its middle."""
    shape = balls.nrows(), balls.ncols()
    entries = balls.entries()
    near = [float(ball) for ball in entries]
    rest = [float((ball - number).mid()) if np.isfinite(number) else 0.0 for ball, number in zip(entries, near, strict=True)]
    return np.array(near).reshape(shape), np.array(rest).reshape(shape)


def answer(problem: Problem) -> Reply:
    """The middle of the enclosure and, as its error, half the width, rounded up."""
    found = enclosure(problem)
    with np.errstate(all="ignore"):
        return Reply(_joined(_middle, found), _joined(_half_width, found))


def _middle(lower: Array, upper: Array) -> Array:
    return np.where(np.isinf(lower) & np.isinf(upper) & (lower < upper), 0.0, lower / 2 + upper / 2)


def _half_width(lower: Array, upper: Array) -> Array:
    middle = _middle(lower, upper)
    width = np.maximum(middle - lower, upper - middle)
    # one float64 up, for the rounding of the difference
    width = np.where(width > 0, np.nextafter(width, np.inf), width)
    return np.where(np.isnan(width), np.inf, width)


def _joined(join: Callable[[Array, Array], Array], found: Enclosure) -> Gradient:
    """join(lower, upper) of every array."""
    by_layer: dict[str, list[Array]] = {}
    for (place, lower), (_, upper) in zip(found.lower.arrays(), found.upper.arrays(), strict=True):
        by_layer.setdefault(place.quantity, []).append(join(lower, upper))
    (x,), (loss,) = by_layer.pop("x"), by_layer.pop("loss")
    return Gradient(**by_layer, x=x, loss=loss)


def _blurred(lower: Array, upper: Array) -> AnyArray:
    """Where an entry is wider than two units in the last place."""
    # the spacing of the largest number itself is infinite
    largest = np.clip(np.maximum(np.abs(lower), np.abs(upper)), 0, LARGEST / 2)
    return np.asarray(upper > lower + 2 * np.spacing(largest))


def _sharpens(coarser: Enclosure, finer: Enclosure) -> bool:
    """Whether some blurred entry became narrower with more digits, or is not bounded yet."""
    for (coarser_lower, coarser_upper), (lower, upper) in zip(_pairs(coarser), _pairs(finer), strict=True):
        width = upper - lower
        narrower = (width < 0.99 * (coarser_upper - coarser_lower)) | np.isinf(width)
        if (_blurred(lower, upper) & narrower).any():
            return True
    return False


def _pairs(found: Enclosure) -> list[tuple[Array, Array]]:
    lower, upper = ([array for _, array in side.arrays()] for side in (found.lower, found.upper))
    return list(zip(lower, upper, strict=True))


def _enclosure(problem: Problem, bits: int, near: Sequence[Array] | None, rows: Sequence[AnyArray] | None) -> Enclosure:
    from flint import ctx

    with ctx.workprec(bits):
        return _passes(problem, near, rows).bounds()


@dataclass(frozen=True)
class _Passes:
    """Both passes as matrices of balls, by layer: dC/dW (n_l or fewer, n_{l-1}), dC/db (1, n_l), z, a, delta (batch, n_l).

    x and loss: one matrix each, (batch, n_0) and (1, 1).
    """

    weights: list[arb_mat]
    biases: list[arb_mat]
    x: list[arb_mat]
    loss: list[arb_mat]
    pre_activations: list[arb_mat]
    activations: list[arb_mat]
    deltas: list[arb_mat]

    def bounds(self) -> Enclosure:
        """Both ends of all balls, as float64."""
        ends = {name: [to_floats(balls) for balls in given] for name, given in vars(self).items()}

        def side(up: int) -> Gradient:
            one: dict[str, Any] = {name: tuple(both[up] for both in given) for name, given in ends.items()}
            (x,), (loss,) = one["x"], one["loss"]
            return Gradient(**one | {"biases": tuple(row[0] for row in one["biases"]), "x": x, "loss": loss[0, 0]})

        return Enclosure(side(0), side(1))


def _passes(problem: Problem, near: Sequence[Array] | None, rows: Sequence[AnyArray] | None) -> _Passes:
    """Equations 10 and 11 over balls: delta = dC/da da/dz, dC/dW = delta^T a, dC/da of the layer below = delta W."""
    z, a = _forward(problem)
    loss, error = _loss(problem, a[-1])
    ones = _balls(np.ones((1, problem.batch)))
    weights, biases, deltas = [], [], []
    for layer in reversed(range(problem.depth)):
        kinks = [kink for kink, _ in row_of(ACTIVATIONS, problem.activations[layer]).kinks]
        reached = z[layer] if near is None or not kinks else _reaching(z[layer], near[layer], kinks)
        delta = _by_rows(row_of(BALL_ACTIVATIONS, problem.activations[layer]).pullback, reached, error)
        turned = delta.transpose()
        product = (turned if rows is None else _rows(turned, rows[layer].tolist())) * a[layer]
        if problem.penalty is not None:
            chosen = problem.weights[layer] if rows is None else problem.weights[layer][rows[layer]]
            product = product + _balls(chosen) * _rate(problem)
        weights.append(product)
        biases.append(ones * delta)
        deltas.append(delta)
        error = _times(delta, problem.weights[layer])
    return _Passes(weights[::-1], biases[::-1], [error], [loss], z, a[1:], deltas[::-1])


def _forward(problem: Problem) -> tuple[list[arb_mat], list[arb_mat]]:
    """z^l = a^{l-1} (W^l)^T + b^l for l = 1, ..., L and a^l = g^l(z^l) for l = 0, ..., L, a^0 = x."""
    z, a = [], [_balls(problem.x)]
    for weight, bias, activation in zip(problem.weights, problem.biases, problem.activations, strict=True):
        product = _times(a[-1], weight.T)
        z.append(product if bias is None else product + _balls(np.tile(bias, (problem.batch, 1))))
        a.append(_by_rows(row_of(BALL_ACTIVATIONS, activation).value, z[-1]))
    return z, a


def _reaching(z: arb_mat, near: Array, kinks: Sequence[float]) -> arb_mat:
    """z, each ball widened to every kink that is no further than its number in near."""
    balls = []
    for ball, reach in zip(z.entries(), near.ravel().tolist(), strict=True):
        for kink in kinks:
            if np.isfinite(reach) and not abs(ball - kink) > reach:
                ball = ball.union(kink)
        balls.append(ball)
    return _matrix(z.nrows(), balls)


def _loss(problem: Problem, output: arb_mat) -> tuple[arb_mat, arb_mat]:
    """C as a matrix (1, 1) and equation 2, dC/da^L (batch, n_L): the sum or mean over samples, each with its weight, and the penalty."""
    from flint import arb

    loss = row_of(BALL_LOSSES, problem.loss)
    samples = list(zip(output.tolist(), _balls(problem.y).tolist(), strict=True))
    counts = [arb(weight) for weight in (np.ones(problem.batch) if problem.sample_weights is None else problem.sample_weights).tolist()]
    share = sum(counts, arb(0)) if problem.reduction == "mean" else arb(1)
    values = _matrix(1, [loss.value(a, y) for a, y in samples])
    weighed = zip(counts, samples, strict=True)
    slopes = _matrix(problem.batch, [count * slope for count, (a, y) in weighed for slope in loss.derivative(a, y)])
    total = values * _matrix(problem.batch, counts) / share
    if problem.penalty is not None:
        squares = sum((arb(w) ** 2 for weight in problem.weights for w in weight.ravel().tolist()), arb(0))
        total = total + _matrix(1, [_rate(problem) * squares / 2])
    return total, slopes / share


def _rate(problem: Problem) -> arb:
    """lambda of a penalty lambda / 2 sum W^2, over the batch size where it is said so."""
    from flint import arb

    name, parameters = name_and_parameters(problem.penalty or "")
    factor = arb(parameters.get("factor", 1.0))
    return factor / problem.batch if name == "l2_over_batch" else factor


def _times(balls: arb_mat, matrix: Array) -> arb_mat:
    """The product (m, k) times (k, n), some columns at a time: a large layer's weights would fill the memory as balls."""
    step = max(1, PIECE // len(matrix))
    parts = [(balls * _balls(matrix[:, i : i + step])).tolist() for i in range(0, matrix.shape[1], step)]
    return _matrix(balls.nrows(), [ball for row in zip(*parts, strict=True) for part in row for ball in part])


def _of_no_sample(problem: Problem) -> Gradient:
    """The exact gradient of a sum over no sample: 0, of which the products of balls, which have a row for each sample, are none."""
    widths = problem.widths
    rows = [np.zeros((0, width)) for width in widths[1:]]
    weights, biases = [np.zeros_like(weight) for weight in problem.weights], [np.zeros(width) for width in widths[1:]]
    x = np.zeros_like(problem.x)
    return Gradient(weights, biases, x=x, loss=np.zeros(()), pre_activations=rows, activations=rows, deltas=rows)


def _rows(balls: arb_mat, numbers: Sequence[int]) -> arb_mat:
    rows = balls.tolist()
    return _matrix(len(numbers), [ball for number in numbers for ball in rows[number]])


def _balls(numbers: Array) -> arb_mat:
    """A matrix of float64 numbers, each as the ball that holds it alone."""
    return _matrix(len(numbers), numbers.ravel().tolist())


def _matrix(rows: int, entries: Sequence[arb | float]) -> arb_mat:
    from flint import arb_mat

    return arb_mat(rows, len(entries) // rows, entries)


def _by_rows(function: Callable[..., list[arb]], *matrices: arb_mat) -> arb_mat:
    """The function of every row, of one sample each."""
    rows = [function(*sample) for sample in zip(*(balls.tolist() for balls in matrices), strict=True)]
    return _matrix(len(rows), [ball for row in rows for ball in row])
