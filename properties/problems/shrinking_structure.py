"""Reducing: a failing problem made smaller in its structure, one part at a time.

Hypothesis shrinks numbers very well, but cannot see that a node is a row here and a column there; this can.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from properties.problems.support import Support
from reference.errors import ProblemError
from reference.functions.losses import LOSSES
from reference.functions.parametrised import Choice, row_of
from reference.problem import Problem

MANY = 6
"""Of more samples or nodes, half are left out at once."""


def reduce(problem: Problem, fails: Callable[[Problem], bool], support: Support) -> Problem:
    """A problem that still fails, and of which no single part can be left out or be made simpler."""
    improved = True
    while improved:
        improved = False
        for smaller in _simpler(problem, support):
            if fails(smaller):
                problem, improved = smaller, True
                break
    return problem


def _simpler(problem: Problem, support: Support) -> Iterator[Problem]:
    """Problems with one part less or one part simpler, what saves most first."""
    for change in _changes(problem, support):
        try:
            smaller = problem.replaced(**change)
        except ProblemError:
            continue  # an expected output that is no longer one, as half of a distribution
        if not support.refusal(smaller):
            yield smaller


def _changes(problem: Problem, support: Support) -> Iterator[dict[str, Any]]:
    # where nothing rounds a mean is over a power of two
    for half in _halves(problem.batch) if problem.batch > MANY or problem.batch == 4 else ():
        yield _without_samples(problem, half)
    for layer, width in enumerate(problem.widths):
        for half in _halves(width) if width > MANY or (width == 4 and layer == problem.depth) else ():
            yield _without_node(problem, layer, half)
    if problem.batch > support.drawn("batch")[0]:
        for s in range(problem.batch):
            yield _without_samples(problem, s)
    if problem.depth > support.drawn("depth")[0]:
        yield from _without_layers(problem)
    for layer, width in enumerate(problem.widths):
        if width > support.drawn("width")[0]:
            for node in range(width):
                yield _without_node(problem, layer, node)
    yield from _simpler_choices(problem, support)
    if support.biases is None:
        for i, bias in enumerate(problem.biases):
            if bias is not None:
                yield {"biases": _with(problem.biases, i, None)}


def _halves(count: int) -> tuple[Any, Any]:
    return np.arange(count // 2), np.arange(count // 2, count)


def _without_samples(problem: Problem, left_out: Any) -> dict[str, Any]:
    """One sample less, or some."""
    arrays = {name: getattr(problem, name) for name in ("x", "y", "sample_weights")}
    return {name: None if array is None else np.delete(array, left_out, 0) for name, array in arrays.items()}


def _without_layers(problem: Problem) -> Iterator[dict[str, Any]]:
    """Each layer left out, where the widths fit, and all layers above or below one, with other inputs or outputs."""
    weights, biases, activations = list(problem.weights), list(problem.biases), list(problem.activations)
    for i in range(problem.depth):
        rest = {"weights": weights[:i] + weights[i + 1 :], "biases": biases[:i] + biases[i + 1 :]}
        # the last layer's activation stays the last: an output may need its own
        left_out = min(i, problem.depth - 2)
        rest["activations"] = activations[:left_out] + activations[left_out + 1 :]
        if i == 0:
            yield rest | {"x": np.resize(problem.x, (problem.batch, weights[1].shape[1]))}
        elif i == problem.depth - 1:
            if row_of(LOSSES, problem.loss).expected.labels is None or weights[-1].shape[0] == weights[-2].shape[0]:
                yield rest | {"y": np.resize(problem.y, (problem.batch, weights[-2].shape[0]))}
        elif weights[i].shape[0] == weights[i].shape[1]:
            yield rest


def _without_node(problem: Problem, layer: int, node: Any) -> dict[str, Any]:
    """One node less in layer 0 (the inputs) to L (the outputs)."""
    change: dict[str, Any] = {"weights": list(problem.weights), "biases": list(problem.biases)}
    if layer == 0:
        change["x"] = np.delete(problem.x, node, 1)
    else:
        change["weights"][layer - 1] = np.delete(problem.weights[layer - 1], node, 0)
        bias = problem.biases[layer - 1]
        change["biases"][layer - 1] = None if bias is None else np.delete(bias, node, 0)
    if layer == problem.depth:
        change["y"] = np.delete(problem.y, node, 1)
    else:
        change["weights"][layer] = np.delete(change["weights"][layer], node, 1)
    return change


def _simpler_choices(problem: Problem, support: Support) -> Iterator[dict[str, Any]]:
    last = problem.depth - 1
    for i, activation in enumerate(problem.activations):
        options = support.output_choices if i == last else support.activation_choices
        for simpler in _before(activation, options):
            if support.same_hidden and i < last:
                yield {"activations": [simpler] * last + [problem.activations[last]]}
            else:
                yield {"activations": _with(problem.activations, i, simpler)}
    for loss in _before(problem.loss, support.loss_choices):
        yield {"loss": loss}
    for reduction in _before(problem.reduction, support.reductions):
        yield {"reduction": reduction}
    for penalty in _before(problem.penalty, support.penalties):
        yield {"penalty": penalty}
    if problem.sample_weights is not None:
        yield {"sample_weights": None}


def _before(chosen: Choice | None, options: tuple[Any, ...]) -> tuple[Any, ...]:
    """The options that are simpler than the one that is chosen."""
    return options[: options.index(chosen)] if chosen in options else ()


def _with(listed: Any, index: int, value: Any) -> list[Any]:
    return [value if i == index else item for i, item in enumerate(listed)]
