"""Conditions: where a mistake is made, learnt from where it explains and where the target is right though it would show."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from reference.functions.parametrised import name_and_parameters
from reference.problem import Problem

PLACES = 4
"""So many places there must be on each side: with fewer, one of some forty conditions fits by chance."""

Holds = Callable[[Problem, int], bool]


class Place(NamedTuple):
    """A layer of a problem, from 1."""

    problem: Problem
    layer: int


class Condition(NamedTuple):
    """Where something holds, in words and as a function of a problem and a layer."""

    text: str
    holds: Holds


def _shape(problem: Problem, layer: int) -> tuple[int, int]:
    outputs, inputs = problem.weights[layer - 1].shape
    return int(outputs), int(inputs)


PREDICATES: dict[str, Holds] = {
    "in the output layer": lambda q, layer: layer == q.depth,
    "in hidden layers": lambda q, layer: layer < q.depth,
    "in the first layer": lambda q, layer: layer == 1,
    "in all layers but the first": lambda q, layer: layer > 1,
    "in batches of two samples or more": lambda q, layer: q.batch > 1,
    "for one sample": lambda q, layer: q.batch == 1,
    "for means over samples": lambda q, layer: q.reduction == "mean",
    "for sums over samples": lambda q, layer: q.reduction == "sum",
    "in layers with biases": lambda q, layer: q.biases[layer - 1] is not None,
    "in layers without biases": lambda q, layer: q.biases[layer - 1] is None,
    "where the layer is square": lambda q, layer: len(set(_shape(q, layer))) == 1,
    "where the layer is not square": lambda q, layer: len(set(_shape(q, layer))) == 2,
    "in layers of one node": lambda q, layer: _shape(q, layer)[0] == 1,
    "in layers of two nodes or more": lambda q, layer: _shape(q, layer)[0] > 1,
    "in layers of one input": lambda q, layer: _shape(q, layer)[1] == 1,
    "in layers of two inputs or more": lambda q, layer: _shape(q, layer)[1] > 1,
    "in networks of one layer": lambda q, layer: q.depth == 1,
    "in networks of two layers or more": lambda q, layer: q.depth > 1,
    "in networks of three layers or more": lambda q, layer: q.depth > 2,
    "in networks of four layers or more": lambda q, layer: q.depth > 3,
    "in layer 2": lambda q, layer: layer == 2,
    "in layer 3": lambda q, layer: layer == 3,
    "one layer below the output": lambda q, layer: q.depth - layer == 1,
    "two layers below the output": lambda q, layer: q.depth - layer == 2,
    "two layers or more below the output": lambda q, layer: q.depth - layer >= 2,
    "in batches of three samples or more": lambda q, layer: q.batch > 2,
    "in batches of five samples or more": lambda q, layer: q.batch > 4,
}
"""The conditions that are tried, the simplest first."""


def learnt(where: Sequence[Place], not_there: Sequence[Place]) -> Condition | None:
    """The simplest condition that holds at all of some places, and at none of others; None where there is none, or too few places."""
    if len(where) < PLACES or len(not_there) < PLACES:
        return None
    for condition in _tried(where, not_there):
        if all(condition.holds(*place) for place in where) and not any(condition.holds(*place) for place in not_there):
            return condition
    return None


def _tried(where: Sequence[Place], not_there: Sequence[Place]) -> Iterator[Condition]:
    yield from (Condition(text, holds) for text, holds in PREDICATES.items())
    for noun, of in (("", _activation), ("for ", _loss)):
        there = {of(*place) for place in where}
        if there.isdisjoint({of(*place) for place in not_there}):
            text = f"{noun or 'in layers of '}{', '.join(sorted(there))}"
            yield Condition(text, lambda q, layer, there=there, of=of: of(q, layer) in there)  # type: ignore[misc]


def _activation(problem: Problem, layer: int) -> str:
    return name_and_parameters(problem.activations[layer - 1])[0]


def _loss(problem: Problem, layer: int) -> str:
    return name_and_parameters(problem.loss)[0]
