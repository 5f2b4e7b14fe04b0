"""Finite differences: the gradient from values of the loss alone, with no rule of differentiation.

    D(h) = (C(p + h) - C(p - h)) / 2h = dC/dp + c_2 h^2 + c_4 h^4 + ...

for every entry p of W, b and x; Richardson extrapolation of D(h), D(h/4), D(h/16), ... removes the powers of h one by one
(Ridders 1982; Press et al., Numerical Recipes, section 5.7).
Trust: knows the forward pass and nothing else, so no mistake of a backward pass can hide in it; 6 to 13 digits, and its error is
an estimate, from the table and the measured noise of C, not a bound.
Limits: one number C carries all, so small derivatives beside a large C drown in its rounding; no answer where a kink is within
reach of all but the largest steps. Cost: 24 forward passes for each entry.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from oracles.oracle import NotApplicable, Reply
from reference.activations import ACTIVATIONS
from reference.arrays import Array
from reference.choice import bind, split
from reference.forward import Forward, forward
from reference.problem import Gradient, Problem

ROWS = 12
RATIO = 4.0
COLUMNS = 6
UNIT = 2.0**-53
CAUTION = 4.0
"""How many times the noise that was seen, and the steps of the table, may be exceeded."""

NUMBERS_AT_ONCE = 2**20
"""How many float64 numbers one stack of perturbed copies may hold."""


def answer(problem: Problem) -> Reply:
    """dC/dW, dC/db of every layer that has a bias, dC/dx and C, with the estimated error of each entry.

    Raises NotApplicable where C is not finite, or an entry has too few steps that cross no kink.
    """
    with np.errstate(all="ignore"):
        passed = forward(problem)
        if not all(np.isfinite(numbers).all() for numbers in (passed.loss, *passed.pre_activations)):
            raise NotApplicable(f"the loss is {passed.loss}, or a pre-activation overflows: finite differences need finite values")
        base = _Base(problem, passed, _noise(problem, passed))
        found = {part: base.derivative(*part) for part in _parts(problem)}

    def side(which: int, loss: Array) -> Gradient:
        layers = range(problem.depth)
        return Gradient(
            [found["weights", i][which] for i in layers],
            [found["biases", i][which] if ("biases", i) in found else None for i in layers],
            x=found["x", 0][which],
            loss=loss,
        )

    return Reply(side(0, passed.loss), side(1, np.asarray(base.noise)))


def _parts(problem: Problem) -> Iterator[tuple[str, int]]:
    """The arrays to differentiate by: ("weights", 0), ("biases", 0), ..., ("x", 0)."""
    for layer, bias in enumerate(problem.biases):
        yield "weights", layer
        if bias is not None:
            yield "biases", layer
    yield "x", 0


def _noise(problem: Problem, passed: Forward) -> float:
    """How far C may be from its exact value: what it moves by when every number moves by a few units in the last place."""
    random = np.random.default_rng(0)

    def shaken(array: Array) -> Array:
        return array * (1 + random.choice([-4, 4], (16, *array.shape)) * UNIT)

    copy = problem.copy()
    copy.weights = tuple(shaken(weight) for weight in problem.weights)
    copy.biases = tuple(None if bias is None else shaken(bias) for bias in problem.biases)
    copy.x, copy.y = shaken(problem.x), shaken(problem.y)
    moved = np.abs(forward(copy).loss - passed.loss).max()
    # log sum exp(a) - sum y a: what both have in common is lost
    common = np.abs(passed.activations[-1]).max(axis=-1).sum() if split(problem.loss)[0] == "softmax_cross_entropy" else 0.0
    return float(CAUTION * (moved + CAUTION * UNIT * (np.abs(passed.loss) + common)))


@dataclass(frozen=True)
class _Base:
    """The point at which the derivatives are taken: the problem, its forward pass, the noise of C."""

    problem: Problem
    passed: Forward
    noise: float

    def derivative(self, quantity: str, layer: int) -> tuple[Array, Array]:
        """dC by one array, and its estimated error; both of the array's shape."""
        array = self.problem.x if quantity == "x" else getattr(self.problem, quantity)[layer]
        steps = self._largest_step(quantity, layer).ravel() * RATIO ** -np.arange(ROWS)[:, None]
        widest = max(array.size, self.problem.batch * max(self.problem.widths))
        at_once = max(1, NUMBERS_AT_ONCE // (2 * ROWS * widest))
        stacks = [
            self._stack(quantity, layer, array, range(first, min(first + at_once, array.size)), steps[:, first : first + at_once])
            for first in range(0, array.size, at_once)
        ]
        value, error = (np.concatenate(parts).reshape(array.shape) for parts in zip(*stacks, strict=True))
        return value, error

    def _largest_step(self, quantity: str, layer: int) -> Array:
        """The power of 2 that moves the nearest pre-activation by 1/8 to 1/4: larger steps miss what an activation does."""
        if quantity == "weights":
            moved = np.tile(np.abs(self.passed.activations[layer]).max(axis=0), (len(self.problem.weights[layer]), 1))
        elif quantity == "biases":
            moved = np.ones(len(self.problem.weights[layer]))
        else:
            moved = np.tile(np.abs(self.problem.weights[0]).max(axis=0), (self.problem.batch, 1))
        exponent: Array = np.clip(np.floor(-2 - np.log2(np.where(moved > 0, moved, 1.0))), -900, 900)
        return np.exp2(exponent)

    def _stack(self, quantity: str, layer: int, array: Array, entries: range, steps: Array) -> tuple[Array, Array]:
        """The derivatives by some entries, each step a row; steps: (ROWS, entries)."""
        copies = np.broadcast_to(array.ravel(), (2, ROWS, len(entries), array.size)).copy()
        moved = np.arange(len(entries)), np.array(entries)
        copies[0][:, *moved] += steps
        copies[1][:, *moved] -= steps
        width = copies[0][:, *moved] - copies[1][:, *moved]
        passed = forward(_with(self.problem, quantity, layer, copies.reshape(2, ROWS, len(entries), *array.shape)))
        above, below = np.broadcast_to(passed.loss, (2, ROWS, len(entries)))
        crossed = self._crossed(passed, quantity, layer)
        usable = np.isfinite(above) & np.isfinite(below) & (width > 0)
        for crosses in crossed.values():
            usable &= np.logical_not(crosses)
        noise = self.noise + CAUTION**2 * UNIT * np.maximum(np.abs(above), np.abs(below))
        value, error = _extrapolated(np.where(usable, (above - below) / width, np.nan), CAUTION * noise / width)
        unanswered = np.logical_not(np.isfinite(error))
        if unanswered.any():
            raise NotApplicable(_refusal(self.problem, [at for at, crosses in crossed.items() if crosses[-1][unanswered].any()]))
        return value, error

    def _crossed(self, passed: Forward, quantity: str, layer: int) -> dict[int, Array]:
        """By layer: whether some pre-activation is on another side of a kink than at the base; (ROWS, entries), none where no kinks are."""
        crossed: dict[int, Array] = {}
        for at in range(layer, self.problem.depth):
            base = self.passed.pre_activations[at]
            for kink, _ in bind(ACTIVATIONS, self.problem.activations[at]).kinks:
                other = (np.sign(passed.pre_activations[at] - kink) != np.sign(base - kink)).any(axis=(0, -2, -1))
                crossed[at] = crossed.get(at, False) | other
        return crossed


def _with(problem: Problem, quantity: str, layer: int, stack: Array) -> Problem:
    """The problem with one of its arrays as a stack of many: leading axes."""
    copy = problem.copy()
    if quantity == "x":
        copy.x = stack
    else:
        arrays = getattr(copy, quantity)
        setattr(copy, quantity, (*arrays[:layer], stack, *arrays[layer + 1 :]))
    return copy


def _extrapolated(column: Array, noise: Array) -> tuple[Array, Array]:
    """The entry of each Ridders table with the least estimated error, and that error; inf where there is none.

    column: D(h) at the steps h, h/4, ..., (ROWS, entries), NaN where it cannot be used; noise: its error through that of C.
    The error of an extrapolated value is estimated as the noise and how far it lies from the two that it was made of and from the
    one with smaller steps, so that no two values that agree by chance are believed.
    """
    value, error = column[-1], np.full(column.shape[1:], np.inf)
    for order in range(1, COLUMNS):
        better = column[1:] + (column[1:] - column[:-1]) / (RATIO ** (2 * order) - 1)
        moved = np.maximum(np.abs(better - column[1:]), np.abs(better - column[:-1]))
        moved[:-1] = np.fmax(moved[:-1], np.abs(better[:-1] - better[1:]))
        for candidate, its_error in zip(better, CAUTION * moved + noise[order:], strict=True):
            closer = its_error < error
            value, error = np.where(closer, candidate, value), np.where(closer, its_error, error)
        column = better
    return value, error


def _refusal(problem: Problem, layers: list[int]) -> str:
    if not layers:
        return "the loss is not finite, or does not change, within the steps of finite differences"
    name = split(problem.activations[layers[0]])[0]
    return f"layer {layers[0] + 1}: a pre-activation is at a kink of {name}, or too near for the steps of finite differences"
