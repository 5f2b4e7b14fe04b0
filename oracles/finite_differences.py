"""Finite differences: the gradient from values of the loss alone, with no rule of differentiation.

    D(h) = (C(p + h) - C(p - h)) / 2h = dC/dp + c_2 h^2 + c_4 h^4 + ...

for every entry p of W, b and x; Richardson extrapolation of D(h), D(h/4), D(h/16), ... removes the powers of h one by one
(Ridders 1982; Press et al., Numerical Recipes, section 5.7).
Trust: knows the forward pass and nothing else, so no mistake of a backward pass can hide in it; 6 to 13 digits, and its error is
an estimate, from the table and the measured noise of C, not a bound.
Limits: one number C carries all, so small derivatives beside a large C drown in its rounding; no answer where a kink is within
reach of all but the largest steps. Cost: 96 forward passes for each entry.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from oracles.oracle import NotApplicable, Reply
from reference.arrays import AnyArray, Array
from reference.forward import Forward, forward
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import name_and_parameters, row_of
from reference.gradient import Gradient
from reference.problem import Problem

Part: TypeAlias = tuple[str, int]

ROWS = 12
RATIO = 4.0
COLUMNS = 6
SHAKES = 3
UNIT = 2.0**-53
LEAST_NORMAL = 2.0**-1022
CAUTION = 4.0
"""How many times the noise that was seen, and the steps of the table, may be exceeded."""

NUMBERS_AT_ONCE = 2**20
"""How many float64 numbers one stack of perturbed copies may hold."""


def answer(problem: Problem) -> Reply:
    """dC/dW, dC/db of every layer that has a bias, dC/dx and C, with the estimated error of each entry.

    Raises NotApplicable where C is not finite, or an entry has too few steps that cross no kink.
    """
    random = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        passed = forward(problem)
        if not all(np.isfinite(numbers).all() for numbers in (passed.loss, *passed.pre_activations)):
            raise NotApplicable(f"the loss is {passed.loss}, or a pre-activation overflows: finite differences need finite values")
        noise = _noise(problem, passed, random)
        found = _derivatives(problem, noise)
        # rounding inside the network also changes the slope of what is computed, and no step tells
        shaken = [_derivatives(_shaken(problem, random), noise) for _ in range(SHAKES)]
    values = {part: value for part, (value, _) in found.items()}
    errors = {
        part: error + CAUTION * np.max([np.abs(other[part][0] - value) for other in shaken], axis=0) + LEAST_NORMAL
        for part, (value, error) in found.items()
    }
    return Reply(_gradient(problem, values, passed.loss), _gradient(problem, errors, np.asarray(noise)))


def _gradient(problem: Problem, found: dict[Part, Array], loss: Array) -> Gradient:
    layers = range(problem.depth)
    weights, biases = ([found.get((quantity, layer)) for layer in layers] for quantity in ("weights", "biases"))
    return Gradient([weight for weight in weights if weight is not None], biases, x=found["x", 0], loss=loss)


def _parts(problem: Problem) -> Iterator[Part]:
    """The arrays to differentiate by: ("weights", 0), ("biases", 0), ..., ("x", 0)."""
    for layer, bias in enumerate(problem.biases):
        yield "weights", layer
        if bias is not None:
            yield "biases", layer
    yield "x", 0


def _shaken(problem: Problem, random: np.random.Generator, copies: tuple[int, ...] = ()) -> Problem:
    """The problem with every number moved by 4 u, up or down: what rounding inside the network may amount to."""

    def shaken(array: Array) -> Array:
        moved: Array = array * (1 + random.choice([-4, 4], (*copies, *array.shape)) * UNIT)
        return moved

    copy = problem.copy()
    copy.weights = tuple(shaken(weight) for weight in problem.weights)
    copy.biases = tuple(None if bias is None else shaken(bias) for bias in problem.biases)
    copy.x, copy.y = shaken(problem.x), shaken(problem.y)
    copy.sample_weights = None if problem.sample_weights is None else shaken(problem.sample_weights)
    return copy


def _noise(problem: Problem, passed: Forward, random: np.random.Generator) -> float:
    """How far C may be from its exact value: how far shaking moves it, and the rounding of the loss itself."""
    moved = np.abs(forward(_shaken(problem, random, (16,))).loss - passed.loss).max()
    # of log sum exp(a) - sum y a what both have in common is lost
    common = np.sum(row_of(LOSSES, problem.loss).terms(passed.activations[-1], problem.y)[:, None] * problem.shares)
    if problem.penalised is not None:
        common = common + problem.penalised.value(problem.weights, problem.batch)
    # what underflows on the way to a may come back, times y
    underflow = 2 * UNIT * LEAST_NORMAL * (1 + np.abs(problem.y).sum())
    return float(CAUTION * (moved + CAUTION * UNIT * (np.abs(passed.loss) + common) + underflow))


def _derivatives(problem: Problem, noise: float) -> dict[Part, tuple[Array, Array]]:
    """By array, the derivative of C and its estimated error, both of the array's shape."""
    point = _Point(problem, forward(problem), noise)
    return {part: point.derivative(*part) for part in _parts(problem)}


@dataclass(frozen=True)
class _Point:
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
        near, crossed = self._reached(passed, layer)
        usable = near & np.isfinite(above) & np.isfinite(below) & (width > 0)
        for crosses in crossed.values():
            usable &= np.logical_not(crosses)
        noise = self.noise + CAUTION**2 * UNIT * np.maximum(np.abs(above), np.abs(below))
        value, error = _extrapolated(np.where(usable, (above - below) / width, np.nan), CAUTION * noise / width)
        unanswered = np.logical_not(np.isfinite(error))
        if unanswered.any():
            raise NotApplicable(_refusal(self.problem, [at for at, crosses in crossed.items() if crosses[-1][unanswered].any()]))
        return value, error

    def _reached(self, passed: Forward, layer: int) -> tuple[AnyArray, dict[int, AnyArray]]:
        """Which steps move no pre-activation by more than 1, so that none jumps over what an activation or a loss does there; and
        by layer, which steps bring some pre-activation to another side of a kink. Both (ROWS, entries).
        """
        near: AnyArray = np.array(True)
        crossed: dict[int, AnyArray] = {}
        for at in range(layer, self.problem.depth):
            z, base = passed.pre_activations[at], self.passed.pre_activations[at]
            near = near & (np.abs(z - base) <= 1).all(axis=(0, -2, -1))
            for kink, _ in row_of(ACTIVATIONS, self.problem.activations[at]).kinks:
                other = (np.sign(z - kink) != np.sign(base - kink)).any(axis=(0, -2, -1))
                crossed[at] = crossed.get(at, np.array(False)) | other
        return near, crossed


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
        return "the loss is not finite, changes too fast or does not change, within the steps of finite differences"
    name = name_and_parameters(problem.activations[layers[0]])[0]
    return f"layer {layers[0] + 1}: a pre-activation is at a kink of {name}, or too near for the steps of finite differences"
