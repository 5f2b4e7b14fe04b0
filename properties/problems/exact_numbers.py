"""The numbers of exact problems: few units of a power of two, as many as the precision and the size of the network leave room for."""

import math
from collections.abc import Sequence
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
    for attempt in range(TRIES):
        drawn = _drawn(architecture, np.random.default_rng((*seed, attempt)), precision, count, wants, attempt)
        worth = _worth(drawn, precision)
        stack, best = (drawn, worth) if stack is None else (with_better(stack, drawn, worth > best), np.maximum(worth, best))
        if (best == 2).all():
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
    widths, batch = architecture.widths, architecture.batch
    row = PRECISIONS[precision]
    most = _most_units(architecture, row.bits, attempt)
    wide = row.bits >= 24
    # where nothing moves z away from a kink, numbers of one sign do; they leave all nodes alive or dead
    signed = all(architecture.biased) or attempt % 2 == 0

    def numbers(shape: tuple[int, ...], inputs: int, least: int = 0) -> Array:
        drawn = rng.integers(-most if signed else least, most, shape, endpoint=True).astype(np.float64)
        sparse = 1.0 if most > 1 else min(1.0, max(1.0, 6.0 * 0.75**attempt) / max(inputs, 1))
        drawn *= rng.random(shape) < sparse
        scale = rng.integers(-3 if wide else -1, 3 if wide else 1, (count, *(1 for _ in shape[1:])), endpoint=True)
        return np.ldexp(drawn, scale)

    x = numbers((count, batch, widths[0]), widths[0])
    weights: list[Array] = []
    biases: list[Array | None] = []
    a = x
    for layer, (inputs, outputs) in enumerate(pairwise(widths)):
        activation = row_of(ACTIVATIONS, architecture.activations[layer])
        weight = numbers((count, outputs, inputs), inputs)
        # a node without any input would have z = 0 in every sample
        chosen = rng.integers(inputs, size=(count, outputs)) if inputs else None
        if chosen is not None:
            empty = ~(weight != 0).any(axis=-1)
            unit = np.ldexp(1.0, np.where(unit_exponents(weight, 1) == NOTHING, 0, unit_exponents(weight, 1)))
            for problem, node in np.argwhere(empty):
                weight[problem, node, chosen[problem, node]] = unit[problem] * (rng.choice((-1, 1)) if signed else 1)
        weight = _of_the_size_of_kinks(weight, a, [kink for kink, _ in activation.kinks])
        z = a @ np.swapaxes(weight, -1, -2)
        bias: Array | None = None
        if architecture.biased[layer]:
            unit_of_z = _unit(z)
            units = rng.integers(-min(most, 8), min(most, 8), (count, outputs), endpoint=True)
            bias = _off_kinks(z, units * unit_of_z[:, None], unit_of_z, [kink for kink, _ in activation.kinks])
            z = z + bias[:, None, :]
        weights.append(weight)
        biases.append(bias)
        a = activation.value(z)
    same: dict[str, Any] = {name: getattr(architecture, name) for name in ("activations", "loss", "reduction", "penalty")}
    asked = tuple(want for want in WANTS if want in wants or want in WANTS[:2])
    return Problem.unchecked(
        weights=tuple(weights),
        biases=tuple(biases),
        x=x,
        y=_expected(architecture, rng, a, numbers, most),
        sample_weights=None,
        wants=asked,
        **same,
    )


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


def _expected(architecture: Architecture, rng: np.random.Generator, a: Array, numbers: Any, most: int) -> Array:
    """y, (count, batch, n_L): near the outputs where the loss is of differences, else any few units."""
    if architecture.labels or row_of(LOSSES, architecture.loss).expected.labels:
        return expected_outputs(architecture, rng, lambda *_: np.zeros(a.shape), len(a))
    if not row_of(LOSSES, architecture.loss).of_differences:
        drawn: Array = numbers(a.shape, a.shape[-1])
        return drawn
    off = rng.integers(1, max(1, most // 2), a.shape, endpoint=True) * rng.choice((-1, 1), a.shape)
    off *= rng.random(a.shape) < FIT_SELDOM
    off[:, :1, :1] += ~off.any(axis=(-2, -1), keepdims=True)
    return a - off * _unit(a)[:, None, None]
