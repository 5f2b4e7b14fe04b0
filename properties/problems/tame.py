"""Tame problems: moderate numbers, on which code that is right is right however it is written.

No exp overflows, no slope vanishes, no number is so small that it has fewer digits, and hardly any pre-activation is on a kink. What is
wrong there is the mathematics, and not how robust the code is.
"""

from typing import Any

import numpy as np

from reference.arrays import AnyArray, Array
from reference.forward import forward
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import row_of
from reference.problem import PARTS, Problem

DRAWN = 8.0
"""Pre-activations of drawn problems are at most so large: sigmoid and tanh have slopes that are seen there."""

POSED = 36.0
"""Those of problems that laws or shrinking make of them: 1 + exp(-36) is still more than 1 in float64."""

LEAST, MOST = 2.0**-20, 2.0**10
"""Numbers but 0 are between."""

BESIDE = 2.0**-20
"""So far a pre-activation must be from a kink."""


def tamed(stack: Problem) -> Problem:
    """A stack with weights and biases halved, layer by layer, as often as it takes for pre-activations to be moderate."""
    for layer in range(stack.depth):
        with np.errstate(all="ignore"):
            largest = np.abs(forward(stack).pre_activations[layer]).max(axis=(-2, -1))
        factor = 2.0 ** -np.ceil(np.log2(np.maximum(largest / DRAWN, 1.0)))
        bias = stack.biases[layer]
        weights, biases = list(stack.weights), list(stack.biases)
        weights[layer] = weights[layer] * factor[:, None, None]
        biases[layer] = None if bias is None else bias * factor[:, None]
        stack = _with(stack, weights=tuple(weights), biases=tuple(biases))
    return stack


def are_tame(problem: Problem) -> AnyArray:
    """Whether all numbers of a problem are moderate; of a stack, for each problem."""
    stacked = problem.x.shape[:-2]
    tame = np.ones(stacked, dtype=bool)

    def require(holds: AnyArray) -> None:
        nonlocal tame
        tame = tame & holds.reshape(*stacked, -1).all(axis=-1)

    for _, array in problem.arrays():
        sizes = np.abs(array)
        require((sizes == 0) | ((sizes >= LEAST) & (sizes <= MOST)))
    with np.errstate(all="ignore"):
        for choice, z in zip(problem.activations, forward(problem).pre_activations, strict=True):
            require(np.abs(z) <= POSED)
            for kink in row_of(ACTIVATIONS, choice).kinks:
                require(np.abs(z - kink[0]) > BESIDE)
    return tame


def with_better(stack: Problem, other: Problem, better: AnyArray) -> Problem:
    """A stack of which some problems are those of another one."""

    def chosen(mine: Array, theirs: Array) -> Array:
        return np.where(better.reshape(-1, *(1 for _ in mine.shape[1:])), theirs, mine)

    pairs, mine, theirs = zip(stack.biases, other.biases, strict=True), stack.sample_weights, other.sample_weights
    return _with(
        stack,
        weights=tuple(chosen(a, b) for a, b in zip(stack.weights, other.weights, strict=True)),
        biases=tuple(None if a is None or b is None else chosen(a, b) for a, b in pairs),
        x=chosen(stack.x, other.x),
        y=chosen(stack.y, other.y),
        sample_weights=None if mine is None or theirs is None else chosen(mine, theirs),
    )


def _with(stack: Problem, **changes: Any) -> Problem:
    return Problem.unchecked(**({name: getattr(stack, name) for name in PARTS} | changes))
