"""Exact problems: on which nothing rounds, so that right means equal, bit for bit.

Every number of such a problem, and every product and partial sum on the way to its gradient, in any order and any blocks, is a whole
number of units, a power of two, and so few of them that the precision holds each. Then whoever adds up otherwise, in other blocks, in a
wider accumulator, with fused multiplication or without, gets the same bits, and one unit in the last place is a mistake.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from reference.arrays import AnyArray, Array
from reference.functions.activation import Activation, Elementwise
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import Choice, row_of
from reference.passes import passes
from reference.problem import Problem
from rounding.precisions import PRECISIONS, Precision

LEVELS = {53: 3, 24: 2}
"""How often a product may be split as Strassen and Winograd do it, by the bits of the precision; once in fewer bits."""

GROWTH, GROWTH_OF_ROWS = 9, 15
"""By how much each split makes sums grow at most, in Winograd's form, over n max |a| max |b|, and over the sum of a row times max |b|."""

NOTHING = 1 << 20
"""The exponent of the unit of an array of zeros: any is theirs."""

WHOLE = 0.99
"""Of what a significand holds so much may be used: sizes are computed in float64."""


def is_exact(problem: Problem, precision: str = "float64") -> AnyArray:
    """Whether nothing rounds on the way to dC/dW, to dC/db and, where the problem asks for it, to dC/dx; of a stack, for each problem.

    precision: a key of PRECISIONS. Narrower sums than its storage's are not asked for: what holds in few bits holds in more.
    """
    exact = exact_quantities(problem, precision)
    return np.logical_and.reduce([exact[name] for name in ("weights", "biases", *(("x",) if "x" in problem.wants else ()))])


def exact_quantities(problem: Problem, precision: str = "float64") -> dict[str, AnyArray]:
    """Of each quantity whether nothing rounds on the way to it, whatever it is computed by; of a stack, for each problem."""
    stacked = problem.x.shape[:-2]
    if not may_be_exact(problem):
        return dict.fromkeys(("weights", "biases", "x", "loss", "pre_activations", "activations", "deltas"), np.zeros(stacked, dtype=bool))
    with np.errstate(all="ignore"):
        return _Passes(problem, PRECISIONS[precision]).quantities()


def may_be_exact(problem: Problem) -> bool:
    """Whether with some numbers nothing rounds: by its functions, how many samples and outputs a mean is over, and its penalty.

    A sum may be a mean times a number, and a mean may be taken of the loss, of the error or of the gradient.
    """
    loss = row_of(LOSSES, problem.loss)
    penalty = problem.penalised
    return (
        loss_can_be_exact(problem.loss, problem.widths[-1])
        and all(can_be_exact(choice) for choice in problem.activations)
        and (not (loss.of_differences or problem.reduction == "mean") or not problem.batch or is_power_of_two(problem.batch))
        and problem.sample_weights is None
        and (penalty is None or is_power_of_two(penalty.rate(problem.batch or 1)))
    )


def can_be_exact(choice: Choice) -> bool:
    """Whether an activation rounds nowhere on numbers that are chosen for it: it is made of lines whose slopes are powers of two, or 0."""
    pieces = _pieces(row_of(ACTIVATIONS, choice))
    return bool(pieces) and all(slope == 0 or is_power_of_two(abs(slope)) for slope, _ in pieces)


def loss_can_be_exact(choice: Choice, outputs: int = 1) -> bool:
    """Whether a loss of so many outputs rounds nowhere on numbers that are chosen for it."""
    row = row_of(LOSSES, choice)
    return row.sums is not None and (not row.of_differences or is_power_of_two(outputs))


def is_power_of_two(number: float) -> bool:
    """Whether it is 2^k, k of any sign."""
    return number > 0 and math.frexp(number)[0] == 0.5


def unit_exponents(array: Array, stacked: int = 0) -> AnyArray:
    """The largest k for which all numbers are whole multiples of 2^k, NOTHING of zeros; stacked: how many axes count problems."""
    bits = np.ascontiguousarray(array, dtype=np.float64).reshape(*array.shape[:stacked], -1).view(np.int64)
    exponent, digits = bits >> 52 & 0x7FF, bits & (1 << 52) - 1
    normal = exponent > 0
    digits |= normal.astype(np.int64) << 52
    # a power of two that is made a float64 has its exponent there
    lowest = ((digits & -digits).astype(np.float64).view(np.int64) >> 52) - 1023
    return np.min(np.where(normal, exponent, 1) - 1075 + lowest, axis=-1, where=digits != 0, initial=NOTHING)


def _pieces(activation: Activation) -> Sequence[tuple[float, float]]:
    return activation.pieces if isinstance(activation, Elementwise) else ()


def _unit_of(numbers: Sequence[float]) -> int:
    return int(unit_exponents(np.array(numbers, dtype=np.float64)))


class _Passes:
    """Both passes over a problem, or a stack of them, and what each step needs of a precision, so that it rounds nothing.

    Each step takes what the steps before it gave, which is exact where they rounded nothing: in float64 too.
    """

    def __init__(self, problem: Problem, precision: Precision) -> None:
        self.problem, self.precision = problem, precision
        self._units: dict[int, tuple[Array, AnyArray]] = {}
        self.stacked = problem.x.ndim - 2
        self.levels = LEVELS.get(precision.bits, 1)
        self.least = round(math.log2(precision.least_normal)) if precision.flushes else precision.least_exponent
        # by so much what is summed before a mean is taken is larger, where it is taken last
        loss = row_of(LOSSES, problem.loss)
        shared = (problem.batch or 1) * (problem.widths[-1] if loss.of_differences else 1)
        self.spread = shared if loss.of_differences or problem.reduction == "mean" else 1

    def quantities(self) -> dict[str, AnyArray]:
        """By name, whether nothing rounds on the way to each."""
        problem = self.problem
        passed = passes(problem)
        forward, back = passed.forward, passed.backward
        holds = self._holds(problem.x, *problem.weights, *(b for b in problem.biases if b is not None), problem.y)
        for layer, choice in enumerate(problem.activations):
            a, weight, bias = forward.activations[layer], problem.weights[layer], problem.biases[layer]
            z = forward.pre_activations[layer]
            holds = holds & self._holds_product(a, np.swapaxes(weight, -1, -2), bias) & self._holds(z)
            holds = holds & self._holds_activation(z, choice) & self._holds(forward.activations[layer + 1])
        to_loss = holds & self._holds_loss(forward.activations[-1])
        holds = holds & self._holds_sum(row_of(LOSSES, problem.loss).sums.derivative(forward.activations[-1], problem.y))  # type: ignore[union-attr]
        for layer in reversed(range(problem.depth)):
            delta, weight = back.deltas[layer], problem.weights[layer]
            holds = holds & self._holds(back.errors[layer]) & self._holds(delta)
            holds = holds & self._holds_slopes(back.errors[layer], problem.activations[layer])
            holds = holds & self._holds_product(np.swapaxes(delta, -1, -2), forward.activations[layer], None)
            holds = holds & self._fits(self._unit(delta), np.abs(delta).sum(axis=-2))
            if problem.penalised is not None:
                holds = holds & self._holds_sum((back.products[layer][:], problem.penalised.rate(problem.batch or 1) * weight))
            if layer:
                holds = holds & self._holds_product(delta, weight, None)
        x = holds & self._holds_product(back.deltas[0], problem.weights[0], None)
        same = dict.fromkeys(("weights", "biases", "pre_activations", "activations", "deltas"), holds)
        return same | {"x": x, "loss": holds & to_loss}

    def _unit(self, array: Array) -> AnyArray:
        """Its unit's exponent, worked out once for an array and its transpose."""
        whole = array.base if array.base is not None and array.base.size == array.size else array
        if id(whole) not in self._units:
            self._units[id(whole)] = whole, unit_exponents(array, self.stacked)
        return self._units[id(whole)][1]

    def _fits(self, unit: AnyArray, sizes: Any) -> AnyArray:
        """Whether sizes, each a bound on what is added up in units of 2^unit, are few enough units, none of them below the range."""
        flat = np.asarray(sizes, dtype=np.float64)
        largest = np.max(flat.reshape(*flat.shape[: self.stacked], -1), axis=-1, initial=0.0)
        few = np.ldexp(largest, np.clip(-unit, -4000, 4000)) <= WHOLE * 2.0**self.precision.bits
        inside = (unit >= self.least) & (largest * self.spread <= self.precision.largest)
        return (largest == 0) | (few & inside & np.isfinite(largest))

    def _holds(self, *arrays: Array) -> AnyArray:
        """Whether the precision holds each number of some arrays, and they have few enough units in common."""
        return np.logical_and.reduce([self._fits(self._unit(array), np.abs(array)) for array in arrays])

    def _holds_sum(self, terms: Sequence[Array]) -> AnyArray:
        """Whether sums of these terms, twice as large or in halves, round nothing."""
        unit = np.minimum.reduce([self._unit(term) for term in terms])
        return self._fits(unit - 1, np.asarray(sum(np.abs(term) for term in terms)))

    def _holds_product(self, left: Array, right: Array, bias: Array | None) -> AnyArray:
        """Whether left @ right and a bias round nothing, in any order and any blocks, split as Strassen does it too."""
        a, b = np.abs(left), np.abs(right)
        unit = self._unit(left) + self._unit(right)
        axes, inner = (-2, -1), left.shape[-1]
        most_a, most_b = np.max(a, axis=axes, initial=0.0), np.max(b, axis=axes, initial=0.0)
        rows = np.max(a.sum(axis=-1), axis=-1, initial=0.0) * most_b
        columns = np.max(b.sum(axis=-2), axis=-1, initial=0.0) * most_a
        # one term is a product, and no sum, before sums that cancel are taken
        terms = inner if inner < 2 else _next_multiple(inner, 2**self.levels)
        split = GROWTH**self.levels * terms * most_a * most_b
        sizes = np.minimum(split, GROWTH_OF_ROWS**self.levels * np.minimum(rows, columns))
        holds = self._fits(unit, sizes)
        if self.precision.product_bits:
            for array in (left, right):
                kept = self._significands(array)
                holds = holds & kept
        if bias is None:
            return holds
        own = self._unit(bias)
        return holds & self._fits(np.minimum(unit, own), np.minimum(rows, columns) + np.max(np.abs(bias), axis=-1, initial=0.0))

    def _significands(self, array: Array) -> AnyArray:
        """Whether what goes into a product keeps all its digits there."""
        most = np.max(np.abs(array), axis=(-2, -1), initial=0.0)
        return np.ldexp(most, np.clip(-self._unit(array), -4000, 4000)) <= 2.0**self.precision.product_bits

    def _holds_activation(self, z: Array, choice: Choice) -> AnyArray:
        """Whether g is exact by its lines, or by a line and what each kink bends it by, in halves, and no z is on a kink."""
        activation = row_of(ACTIVATIONS, choice)
        pieces, bends = _pieces(activation), self._bends(choice)
        kinks = [kink for kink, _ in activation.kinks]
        unit = np.minimum(self._unit(z), _unit_of(kinks)) + min(_unit_of([*bends, *(s for s, _ in pieces)]), 0)
        size = np.abs(z) * (abs(pieces[0][0]) + sum(bends)) + sum(b * abs(k) for b, k in zip(bends, kinks, strict=True)) + abs(pieces[0][1])
        holds = self._fits(np.minimum(unit, _unit_of([offset for _, offset in pieces])) - 1, size) if bends else self._holds(z)
        for kink in kinks:
            holds = holds & ~(z == kink).any(axis=(-2, -1))
        return holds

    def _holds_slopes(self, errors: Array, choice: Choice) -> AnyArray:
        """Whether dC/da times the slope is exact, by the slopes, or by one and what each kink adds, in halves."""
        slopes, bends = [slope for slope, _ in _pieces(row_of(ACTIVATIONS, choice))], self._bends(choice)
        unit = self._unit(errors) + min(_unit_of([*slopes, *bends]), 0) - bool(bends)
        return self._fits(unit, np.abs(errors) * (abs(slopes[0]) + sum(bends)))

    @staticmethod
    def _bends(choice: Choice) -> list[float]:
        """By how much the slope changes at each kink."""
        return [abs(after[0] - before[0]) for before, after in pairwise(_pieces(row_of(ACTIVATIONS, choice)))]

    def _holds_loss(self, output: Array) -> AnyArray:
        """Whether C is exact: a sum over all samples and outputs of products of sums."""
        sums = row_of(LOSSES, self.problem.loss).sums
        assert sums is not None
        unit, size = np.asarray(-1), np.ones(())
        for factor in sums.value(output, self.problem.y):
            unit = unit + np.minimum.reduce([self._unit(term) for term in factor])
            size = size * sum(np.abs(term) for term in factor)
        total = size.sum(axis=(-2, -1))
        penalty = self.problem.penalised
        if penalty is None:
            return self._fits(unit, total)
        squares = [weight**2 for weight in self.problem.weights]
        rate = penalty.rate(self.problem.batch or 1) / 2
        exponents = [2 * self._unit(weight) for weight in self.problem.weights]
        unit = np.minimum.reduce([unit, *(e + round(math.log2(rate)) for e in exponents)])
        return self._fits(unit, total + rate * sum(square.sum(axis=(-2, -1)) for square in squares))


def _next_multiple(number: int, of: int) -> int:
    return -(-number // of) * of
