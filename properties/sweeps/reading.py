"""How g and g' are read from a target, exactly where it takes an upstream gradient: many z by one call.

With the loss `upstream`, y = 1, and a linear output that adds up a hidden layer with weights 1, dC/da of the hidden layer is 1; its inputs
are 1 and its weights the z. Then dC/dW of that layer is g'(z), and dC/dW of the output g(z): products with 1, which round nothing. Of one
layer alone dC/dW is g'(z). Other targets are read as a diagnosis reads them (along_z.py), within a few units of u.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from properties.answers.answer import Answer
from properties.diagnosis.along_z import AlongZ
from properties.diagnosis.asked import SAFETY
from properties.problems.support import Support
from reference.arrays import AnyArray, Array
from reference.functions.parametrised import Choice
from reference.problem import Problem
from rounding.precisions import Precision

ROOM = 4096
"""So many z are put into one call, where a target sets no limit."""

MOST = 200.0
"""Beyond this what stands above the activation is large as well, where no upstream gradient is taken."""

ALONE = 4000
"""So many calls are made at most to tell numbers that are not finite from those beside them."""

REFUSALS = 3
"""So many calls without an answer end a sweep."""

Asks = Callable[[Problem], Answer]


@dataclass(frozen=True)
class Reading:
    """What a target has at some z, (n,) each. value: NaN where it cannot be read; why: what it said where it gave no answer, "" else."""

    value: Array
    slope: Array
    answered: AnyArray
    why: str = ""


@dataclass(frozen=True)
class Reader:
    """One way to read.

    room: how many z by one call; has_value: whether g can be read; way: in words; read: of z, (n,), at most room of them;
    error: how far what is read may be off besides, in units of u, relative to it; most: the largest |z| that can be read;
    together: whether one number that is not finite spoils those that are asked with it.
    """

    room: int
    has_value: bool
    way: str
    read: Callable[[Array], Reading]
    error: float = 0.0
    most: float = np.inf
    together: bool = False


def reader_of(asks: Asks, support: Support, precision: Precision, choice: Choice) -> Reader | None:
    """The most exact way in which an activation of a target can be read; None where there is none."""
    if support.activations is None and support.layer_activations is None:
        # of parameters those that are drawn are some alone, and a target that says nothing takes others
        support = replace(support, activations=(choice, "identity"))
    for made in (_under_an_output(asks, support, choice), _of_outputs(asks, support, choice)):
        if made is not None:
            return made
    along = AlongZ.of(asks, support, precision, choice)
    if along is None:
        return None

    def read(z: Array) -> Reading:
        with np.errstate(all="ignore"):
            found = along.read(z)
        return Reading(found.value, found.slope, found.answered, "" if found.answered.all() else "it gave no answer there")

    where = "a hidden layer" if along.hidden else "the last layer"
    way = f"read from quotients of its dC/dW and dC/db, of {where}: it takes no upstream gradient, so that no |z| beyond {MOST:g} is asked"
    return Reader(along.room, True, way, read, SAFETY * along.error / precision.unit, MOST, together=True)


def _problem(support: Support, activations: list[Choice], z: Array) -> Problem:
    """One sample of which only x_0 = 1 counts, z as weights of the first layer, and above it, if there is a layer, a sum into output 0."""
    low = (support.width or (1, 1))[0]
    inputs, outputs = max(low, 1), max(low, (support.outputs or (1, 1))[0])
    if support.widths:
        inputs, outputs = support.widths[0], support.widths[-1]
    weights = [np.zeros((len(z), inputs)), np.zeros((outputs, len(z)))][: len(activations)]
    weights[0][:, 0] = z
    if len(activations) > 1:
        weights[1][0] = 1.0
    x, y = np.zeros((1, inputs)), np.ones((1, len(weights[-1])))
    x[0, 0] = 1.0
    if len(activations) > 1:
        y[0, 1:] = 0.0
    each = support.layer_biases or (support.biases is True,) * len(weights)
    return Problem(
        weights,
        biases=[np.zeros(len(weight)) if biased else None for weight, biased in zip(weights, each, strict=False)],
        activations=activations,
        x=x,
        y=y,
        loss="upstream",
        reduction=support.reductions[0],
    )


def _widest(support: Support, depth: int) -> int:
    """How many z the layer may have."""
    if support.widths:
        return support.widths[1] if len(support.widths) == depth + 1 else 0
    limits = [support.width[1]] if support.width else []
    limits += [support.outputs[1]] if support.outputs and depth == 1 else []
    return min([ROOM, *limits])


def _taken(support: Support, problem: Callable[[Array], Problem], room: int) -> bool:
    """Whether a target takes such problems."""
    return room > 0 and not support.refusal(problem(np.full(room, 0.5)))


def _under_an_output(asks: Asks, support: Support, choice: Choice) -> Reader | None:
    """g and g' of a hidden layer under one linear output."""
    room = _widest(support, 2)

    def problem(z: Array) -> Problem:
        return _problem(support, [choice, "identity"], z)

    def read(z: Array) -> Reading:
        answer = asks(problem(_padded(z, room if support.widths else len(z))))
        if answer.gradient is None:
            return _nothing(z, answer)
        below, above = (np.asarray(weight, dtype=np.float64) for weight in answer.gradient.weights)
        return Reading(above[0, : len(z)], below[: len(z), 0], np.ones(len(z), dtype=bool))

    way = "read from dC/dW of two layers, with an upstream gradient of 1"
    return Reader(room, True, way, read) if _taken(support, problem, room) else None


def _of_outputs(asks: Asks, support: Support, choice: Choice) -> Reader | None:
    """g' of the only layer; g where the target gives activations."""
    room, has_value = _widest(support, 1), "activations" in support.wants

    def problem(z: Array) -> Problem:
        made = _problem(support, [choice], z)
        return made.replaced(wants=("activations",)) if has_value else made

    def read(z: Array) -> Reading:
        answer = asks(problem(_padded(z, room if support.widths else len(z))))
        if answer.gradient is None:
            return _nothing(z, answer)
        slope = np.asarray(answer.gradient.weights[0], dtype=np.float64)[: len(z), 0]
        held: Any = answer.gradient.activations
        value = np.full(len(z), np.nan) if not has_value or held is None else np.asarray(held[0], dtype=np.float64)[0, : len(z)]
        return Reading(value, slope, np.ones(len(z), dtype=bool))

    way = "read from dC/dW of one layer, with an upstream gradient of 1"
    return Reader(room, has_value, way, read) if _taken(support, problem, room) else None


def _padded(z: Array, room: int) -> Array:
    """z, with ones to fill a network of fixed width."""
    return np.concatenate([z, np.ones(room - len(z))])


def _nothing(z: Array, answer: Answer) -> Reading:
    nothing = np.full(len(z), np.nan)
    why = f"{answer.verdict.value}: {answer.message}" if answer.verdict else answer.message
    return Reading(nothing, nothing, np.zeros(len(z), dtype=bool), why)


def read_all(reader: Reader, z: Array, tell: Callable[[int], None]) -> Reading:
    """What a target has at all z, part by part; one that answers none of the first parts is asked no more."""
    value, slope = np.full(len(z), np.nan), np.full(len(z), np.nan)
    answered, why, calls = np.zeros(len(z), dtype=bool), "", 0
    parts = [(i, min(i + reader.room, len(z))) for i in range(0, len(z), reader.room)][::-1]
    asked = len(parts)
    while parts:
        low, high = parts.pop()
        found = reader.read(z[low:high])
        calls += 1
        lost = found.answered.any() and not np.isfinite(found.slope).any()
        if reader.together and lost and high - low > 1 and calls < asked + ALONE:
            middle = (low + high) // 2
            parts += [(middle, high), (low, middle)]
            continue
        value[low:high], slope[low:high], answered[low:high] = found.value, found.slope, found.answered
        why = why or found.why
        if calls >= REFUSALS and not answered.any():
            break
        tell(high)
    return Reading(value, slope, answered, why)
