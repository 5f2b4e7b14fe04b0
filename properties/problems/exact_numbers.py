"""The numbers of exact problems: few units of a power of two, as many as the precision and the size of the network leave room for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from properties.problems.architecture import Architecture
from properties.problems.exact import GROWTH, LEVELS, NOTHING, is_exact, unit_exponents
from properties.problems.tame import with_better
from properties.problems.values import expected_outputs
from reference.arrays import AnyArray, Array
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.passes import passes
from reference.problem import WANTS, Problem
from rounding.precisions import PRECISIONS

TRIES = 12
"""So often a problem is drawn, each time with fewer units or with more zeros, until nothing rounds and every layer has a gradient."""

DENSEST, THINNED = 6.0, 0.75
"""So many numbers of a row are not 0 where there is room for one unit alone, each time less."""

WIDE = 24
"""From so many bits on the units of arrays differ by much."""

AT_ONCE, MOST_AT_ONCE = 8, 1 << 13
"""So many problems are drawn at once at least, but of more numbers than so many: small ones cost little more than one."""

ENOUGH = 4
"""After so many tries what is exact is taken, though a layer has no gradient."""

FIT_SELDOM = 0.85
"""The share of outputs that are not as expected."""

SHIFTS = 12
"""A bias is moved by so many units at most, so that no pre-activation of its node is on a kink."""


def exact_problems_of_seed(
    architecture: Architecture, seed: Sequence[int], precision: str, count: int, wants: Sequence[str] = ()
) -> Problem:
    """A stack of problems on which nothing rounds, always the same ones; of an architecture that has none, whatever was drawn.

    Each is the richest that is found: of those that are exact the first in which every layer has a gradient that is not 0.
    """
    stack, best = None, np.zeros(count)
    widths = architecture.widths
    numbers = sum(n * m for n, m in pairwise(widths)) + architecture.batch * sum(widths)
    at_once = max(1, min(AT_ONCE, MOST_AT_ONCE // numbers) // count)
    for attempt in range(TRIES):
        drawn = _drawn(architecture, np.random.default_rng((*seed, attempt)), precision, count * at_once, wants, attempt)
        worths = _worth(drawn, precision).reshape(at_once, count)
        chosen = np.argmax(worths, axis=0)
        drawn, worth = drawn.at(chosen * count + np.arange(count)), worths.max(axis=0)
        stack, best = (drawn, worth) if stack is None else (with_better(stack, drawn, worth > best), np.maximum(worth, best))
        if (best == 2).all() or (attempt >= ENOUGH and (best >= 1).all()):
            break
    assert stack is not None
    for _, array in stack.arrays():
        array.flags.writeable = False
    return stack


def _worth(stack: Problem, precision: str) -> AnyArray:
    """0 of a problem that is not exact; else 1, and the share of its layers whose dC/dW is not all 0."""
    products = passes(stack).backward.weights
    seen = np.mean([(product != 0).any(axis=(-2, -1)) for product in products], axis=0)
    return np.where(is_exact(stack, precision), 1 + seen, 0.0)


def _drawn(architecture: Architecture, rng: np.random.Generator, precision: str, count: int, wants: Sequence[str], attempt: int) -> Problem:
    """One attempt. Where a layer with a kink has no biases, every other attempt gives each node one sign in all samples."""
    widths, batch = architecture.widths, architecture.batch
    bits = PRECISIONS[precision].bits
    numbers = _Numbers(rng, count, _most_units(architecture, bits, attempt), max(1.0, DENSEST * THINNED**attempt), bits >= WIDE)
    rows = [row_of(ACTIVATIONS, choice) for choice in architecture.activations]
    kinks = [[kink for kink, _ in row.kinks] for row in rows]
    loose = any(kinks[i] and not biased for i, biased in enumerate(architecture.biased))
    signs = np.ones((count, widths[0])) if loose and attempt % 2 else None

    x = numbers.drawn((batch, widths[0]), widths[0])
    if signs is not None:
        x = numbers.without_zeros(np.abs(x), (..., 0))
    weights: list[Array] = []
    biases: list[Array | None] = []
    a = x
    for layer, (inputs, outputs) in enumerate(pairwise(widths)):
        weight = numbers.drawn((outputs, inputs), max(inputs, outputs))
        if signs is None:
            # a node without any input would have z = 0 in every sample
            weight = numbers.without_empty_rows(weight)
        else:
            own = rng.choice((-1.0, 1.0), (count, outputs))
            own[:, 0] = 1.0  # what comes of the first node is not 0 in any sample
            weight = numbers.without_zeros(np.abs(weight), (..., 0)) * own[:, :, None] * signs[:, None, :] + 0.0
        weight = _of_the_size_of_kinks(weight, a, kinks[layer])
        z = a @ np.swapaxes(weight, -1, -2)
        bias: Array | None = None
        if architecture.biased[layer]:
            unit = _unit(z)
            units = rng.integers(-min(numbers.most, 8), min(numbers.most, 8), (count, outputs), endpoint=True)
            if signs is not None:
                units = np.abs(units) * own.astype(int)
            bias = _off_kinks(z, units * unit[:, None], unit, kinks[layer])
            z = z + bias[:, None, :]
        weights.append(weight)
        biases.append(bias)
        a = rows[layer].value(z)
        if signs is not None:
            signs = np.where(a.sum(axis=1) < 0, -1.0, 1.0)
    same: dict[str, Any] = {name: getattr(architecture, name) for name in ("activations", "loss", "reduction", "penalty")}
    asked = tuple(want for want in WANTS if want in wants or want in WANTS[:2])
    y = _expected(architecture, rng, a, numbers)
    return Problem.unchecked(weights=tuple(weights), biases=tuple(biases), x=x, y=y, sample_weights=None, wants=asked, **same)


@dataclass(frozen=True)
class _Numbers:
    """How numbers are drawn. count: of problems; most: how many units the largest has; in_a_row: how many of a row are not 0, where most
    is 1; wide: whether units of arrays differ by much."""

    rng: np.random.Generator
    count: int
    most: int
    in_a_row: float
    wide: bool

    def drawn(self, shape: tuple[int, ...], along: int) -> Array:
        """(count, *shape), each problem's whole numbers times a power of two; along: how long a row is."""
        drawn = self.rng.integers(-self.most, self.most, (self.count, *shape), endpoint=True).astype(np.float64)
        if self.most == 1:
            drawn = self.rng.choice((-1.0, 1.0), drawn.shape) * (self.rng.random(drawn.shape) < min(0.9, self.in_a_row / max(along, 1)))
        least, most = (-3, 3) if self.wide else (-1, 1)
        return 0.0 + np.ldexp(drawn, self.rng.integers(least, most, (self.count, *(1 for _ in shape)), endpoint=True))

    def without_zeros(self, array: Array, where: Any) -> Array:
        """With one unit where there is a 0 in some of its places."""
        units = np.broadcast_to(_unit(array).reshape(-1, *(1 for _ in array.shape[1:])), array.shape)
        array[where] = np.where(array[where] == 0, units[where], array[where])
        return array

    def without_empty_rows(self, weight: Array) -> Array:
        """With one unit, of any sign, somewhere in each row of zeros."""
        problem, node = np.nonzero(~(weight != 0).any(axis=-1))
        at = self.rng.integers(weight.shape[-1], size=len(problem))
        weight[problem, node, at] = _unit(weight)[problem] * self.rng.choice((-1, 1), len(problem))
        return weight


def _most_units(architecture: Architecture, bits: int, attempt: int) -> int:
    """How many units the largest number has: dC/dW of the first layer is a sum of products of one number of each layer, x and an error."""
    widths = architecture.widths
    room = bits - LEVELS.get(bits, 1) * math.log2(GROWTH) - sum(math.log2(max(n, 1)) for n in (*widths, architecture.batch)) / 2 - 1
    return max(1, int(2 ** min(room / (len(widths) + 1) - 0.5 * attempt, 20)))


def _unit(array: Array) -> Array:
    """The unit of each problem's numbers, 1 of zeros: (count,)."""
    exponents = unit_exponents(array, 1)
    return np.ldexp(1.0, np.where(exponents == NOTHING, 0, exponents))


def _of_the_size_of_kinks(weight: Array, a: Array, kinks: Sequence[float]) -> Array:
    """Weights times a power of two, with which pre-activations are as large as kinks beside 0 are, so that they fall between and beyond."""
    largest = max((abs(kink) for kink in kinks), default=0.0)
    if not largest:
        return weight
    z = np.abs(a @ np.swapaxes(weight, -1, -2))
    typical = np.sum(z, axis=(-2, -1)) / np.maximum((z > 0).sum(axis=(-2, -1)), 1)
    factor = 2.0 ** -np.ceil(np.log2(np.where(typical > 0, typical, largest) / largest))
    return weight * factor[:, None, None]


def _off_kinks(z: Array, bias: Array, unit: Array, kinks: Sequence[float]) -> Array:
    """Biases, (count, n), each moved by the fewest units with which no sample's pre-activation, z and the bias, is on a kink."""
    if not kinks:
        return bias
    moved, waiting = bias.copy(), np.ones(bias.shape, dtype=bool)
    for shift in sorted(range(-SHIFTS, SHIFTS + 1), key=abs):
        tried = bias + shift * unit[:, None]
        on = np.logical_or.reduce([(z + tried[:, None, :] == kink).any(axis=1) for kink in kinks])
        moved = np.where(waiting & ~on, tried, moved)
        waiting &= on
        if not waiting.any():
            break
    return moved


def _expected(architecture: Architecture, rng: np.random.Generator, a: Array, numbers: _Numbers) -> Array:
    """y, (count, batch, n_L): near the outputs where the loss is of differences, else any few units."""
    if architecture.labels or row_of(LOSSES, architecture.loss).expected.labels:
        return expected_outputs(architecture, rng, lambda *_: np.zeros(a.shape), len(a))
    if not row_of(LOSSES, architecture.loss).of_differences:
        return numbers.drawn(a.shape[1:], max(a.shape[1:]))
    off = rng.integers(1, max(1, numbers.most // 2), a.shape, endpoint=True) * rng.choice((-1, 1), a.shape)
    seldom = FIT_SELDOM if numbers.most > 1 else min(FIT_SELDOM, numbers.in_a_row / max(a.shape[1:]))
    off *= rng.random(a.shape) < seldom
    off[:, :1, :1] += ~off.any(axis=(-2, -1), keepdims=True)
    return a - off * _unit(a)[:, None, None]
