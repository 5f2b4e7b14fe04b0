"""The unit of every ratio: one plain, hand-written NumPy forward and backward pass of the same problem, already built."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.gradient import Gradient
from reference.problem import Problem


def built(problem: Problem) -> Callable[[], tuple[list[Any], list[Any]]]:
    """A function that does both passes of a problem, as one writes them in NumPy for one network."""
    layers = [
        (weight, 0.0 if bias is None else bias, activation.value, activation.pullback)
        for weight, bias, activation in zip(
            problem.weights, problem.biases, (row_of(ACTIVATIONS, choice) for choice in problem.activations), strict=True
        )
    ]
    x, y, slope_of_loss = problem.x, problem.y, row_of(LOSSES, problem.loss).derivative
    share = problem.batch if problem.reduction == "mean" else 1

    def passes() -> tuple[list[Any], list[Any]]:
        a, z = [x], []
        for weight, bias, value, _ in layers:
            z.append(a[-1] @ weight.T + bias)
            a.append(value(z[-1]))
        error = slope_of_loss(a[-1], y) / share
        weights, biases = [], []
        for i in range(len(layers) - 1, -1, -1):
            weight, _, _, pullback = layers[i]
            delta = pullback(z[i], error)
            weights.append(delta.T @ a[i])
            biases.append(delta.sum(axis=0))
            error = delta @ weight
        return weights[::-1], biases[::-1]

    return passes


def plain(problem: Problem) -> Gradient:
    """The same, as a target."""
    return Gradient(*built(problem)())


def seconds(action: Callable[[], Any], repeats: int = 5) -> float:
    """The median of several times."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def unit_of(problem: Problem, repeats: int = 5) -> float:
    """Seconds of the unit for a problem."""
    passes = built(problem)
    with np.errstate(all="ignore"):
        passes()
        return seconds(passes, repeats)
