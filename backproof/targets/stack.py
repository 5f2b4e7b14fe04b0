"""A stack of fully connected layers that was found in somebody's own network: what it may be asked, and its proof on the forward pass."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backproof.targets.target import TargetError
from properties.judging.judge import judge
from properties.judging.judgement import Exact, Judgement
from properties.problems.support import PARAMETERS
from properties.verdict import Verdict
from reference.arrays import AnyArray, Array
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import Choice, row_of
from reference.gradient import Gradient
from reference.problem import Problem
from rounding.precisions import PRECISIONS

SAMPLES = 32
"""So many samples a network is tried with."""

NEAR = 2.0**-4
"""How near, relative to the largest number, an activation must come to be held for the one that was meant; the proof decides."""

TRIES = 4
"""So often a network is tried with other numbers, where they do not tell its activations apart."""

ALIKE = 2.0**-30
"""Outputs that are as near are the same."""

MOST_TRIED = 15**4
"""So many choices of activations for all layers are tried at most."""


class Undecided(TargetError):
    """The numbers that a network was tried with do not tell two activations apart: other numbers may."""


def without_cross_entropies(losses: Iterable[str]) -> list[str]:
    """The losses that a network of a framework is asked: any dC/da comes to it by "upstream" already.

    The frameworks' own cross-entropies lose digits, which would be told of every network as if it were its own.
    """
    return [name for name in losses if "cross_entropy" not in name]


@dataclass(frozen=True)
class Stack:
    """widths: n_0 to n_L; activations: of each layer; biased: whether it has biases; seen: which layers were known by their values."""

    widths: tuple[int, ...]
    activations: tuple[Choice, ...]
    biased: tuple[bool, ...]
    seen: tuple[int, ...] = ()

    def supports(self, losses: Sequence[Choice], **more: Any) -> dict[str, Any]:
        """Which problems it may be asked: those of this architecture alone."""
        some = len(set(self.biased)) > 1
        return {
            "widths": list(self.widths),
            "layer_activations": list(self.activations),
            **({"layer_biases": list(self.biased)} if some else {"biases": self.biased[0]}),
            "losses": list(losses),
            "wants": ["x", "loss"],
            **more,
        }

    def __str__(self) -> str:
        layers = [
            f"{width} {named(choice)}{'' if biased else ' without biases'}"
            for width, choice, biased in zip(self.widths[1:], self.activations, self.biased, strict=True)
        ]
        return ", ".join([str(self.widths[0]), *layers])

    @property
    def told(self) -> str:
        """What a reader of a report is told of it."""
        by_values = f"; known by the values of their outputs alone: layer {', '.join(map(str, self.seen))}" if self.seen else ""
        return f"the stack that was found in it: {self}{by_values}"


def named(choice: Choice) -> str:
    """An activation in words: "elu (alpha 2)"."""
    if isinstance(choice, str):
        return choice
    return f"{choice[0]} ({', '.join(f'{name} {value:g}' for name, value in choice[1].items())})"


def drawn(shape: Sequence[int], number: int) -> Array:
    """Numbers to try a network with, of a size that reaches the bends of every activation.

    Of weights (out, in), or (in, out): 2 over the root of what is added up; of biases 1.5, every third four times as large.
    """
    numbers: Array = np.random.default_rng(number).standard_normal(tuple(shape))
    if len(shape) > 1:
        return 2 * numbers / np.sqrt(np.sqrt(float(np.prod(shape))))
    numbers *= 1.5
    numbers[::3] *= 4
    return numbers


def drawn_inputs(shape: Sequence[int], number: int = 0) -> Array:
    """Inputs to try a network with, (SAMPLES, ...)."""
    inputs: Array = 1.5 * np.random.default_rng(number).standard_normal((SAMPLES, *shape))
    inputs[::4] *= 3
    return inputs


def proved(problem: Problem, activations: Sequence[AnyArray | None], precision: str, whose: str) -> str:
    """Hold a forward pass against the reference's, layer by layer: "" where it agrees, else why nothing could be said.

    activations: for each layer what the network itself gives, (batch, n_l), or None where that is not seen.
    Raises TargetError, which names the layer that differs first.
    """
    exact, unsaid = Exact(problem), ""
    for layer, (choice, array) in enumerate(zip(problem.activations, activations, strict=True), 1):
        if array is None:
            continue
        if array.shape != (problem.batch, problem.widths[layer]):
            raise TargetError(
                f"{whose}: layer {layer} gives an array of shape {array.shape}: expected {problem.batch, problem.widths[layer]}"
            )
        judgement = _of_layer(exact, layer, array, precision)
        if judgement.verdict is Verdict.WRONG:
            raise TargetError(
                f"{whose}: its forward pass is not that of the stack that was found: layer {layer} is held for {named(choice)}, and is the "
                f"first that differs, {judgement.got!r} for {judgement.exact[0]!r} at {list(judgement.index)} ({judgement.precision})"
            )
        if judgement.verdict is Verdict.INCONCLUSIVE:
            unsaid = f"the forward pass of layer {layer} could not be held against the stack that was found: {judgement.reason}"
    return unsaid


def _of_layer(exact: Exact, layer: int, array: AnyArray, precision: str) -> Judgement:
    """What is said of one layer's activations, beside a gradient that is right."""
    right = exact.reference
    given: list[Any] = [array if i == layer else None for i in range(1, exact.problem.depth + 1)]
    with np.errstate(all="ignore"):
        biases = [None if b is None else right_b for b, right_b in zip(exact.problem.biases, right.biases or (), strict=True)]
        weights = [np.asarray(weight) for weight in right.weights]
        return judge(exact, Gradient(weights, biases, activations=given), PRECISIONS[precision], peers=False)


def activations_of(a: Array, layers: Sequence[tuple[Array, Array | None]], outputs: Array) -> tuple[Choice, ...] | None:
    """The activations by which layers make given outputs of their inputs; None where there are none in the table.

    a: (batch, n_0); layers: (W, b), W (n_l, n_{l-1}); none for an activation alone; outputs: (batch, n_L).
    Raises Undecided where these numbers do not tell two activations apart.
    """
    if len(layers) < 2:
        z = _pre_activations(a, layers[0]) if layers else a
        options = [(choice,) for choice in _choices(z, outputs)]
        found = _nearest(options, lambda choices: _value(choices[0], z), outputs)
        return _told_apart(found, lambda choices: _value(choices[0], z))
    names = list(ACTIVATIONS)
    alike = [(*[hidden] * (len(layers) - 1), last) for hidden in names for last in names]
    found = _nearest(alike, lambda choices: _forward(a, layers, choices), outputs)
    if found is None and len(names) ** len(layers) <= MOST_TRIED:
        found = _nearest_of_all(a, layers, outputs)
    return _told_apart(found, lambda choices: _forward(a, layers, choices))


def _told_apart(found: tuple[Choice, ...] | None, made: Callable[[tuple[Choice, ...]], Array]) -> tuple[Choice, ...] | None:
    """What was found, where no other activation of one layer would give the same."""
    if found is None:
        return None
    mine = made(found)
    for layer, choice in enumerate(found):
        for other in ACTIVATIONS if isinstance(choice, str) else ():
            if other != choice and _distance(made((*found[:layer], other, *found[layer + 1 :])), mine) < ALIKE:
                said = f"the numbers that it was tried with do not tell {choice} from {other}"
                raise Undecided(f"layer {layer + 1} of what is known by its values: {said}")
    return found


def _choices(z: Array, outputs: Array) -> list[Choice]:
    """The activations that outputs may come from, with parameters as they show in them."""
    choices: list[Choice] = list(ACTIVATIONS)
    choices += [(name, dict(given)) for name in ("leaky_relu", "elu") for given in PARAMETERS[name] if given]
    below = (z < -0.25) & (z > -4) if z.shape == outputs.shape else np.zeros(z.shape, dtype=bool)
    if below.any():
        with np.errstate(all="ignore"):
            slope, alpha = np.median(outputs[below] / z[below]), np.median(outputs[below] / np.expm1(z[below]))
        choices += [("leaky_relu", {"slope": float(f"{slope:.3g}")}), ("elu", {"alpha": float(f"{alpha:.3g}")})]
    return choices


def _nearest(options: Sequence[tuple[Choice, ...]], made: Callable[[tuple[Choice, ...]], Array], outputs: Array) -> Any:
    distances = [_distance(made(choices), outputs) for choices in options]
    nearest = int(np.argmin(distances))
    return options[nearest] if distances[nearest] <= NEAR else None


def _nearest_of_all(a: Array, layers: Sequence[tuple[Array, Array | None]], outputs: Array) -> Any:
    """The same of every choice for every layer: each layer is computed once for all that lies above it."""
    best: tuple[float, tuple[Choice, ...] | None] = (NEAR, None)
    rising: list[tuple[Array, tuple[Choice, ...]]] = [(a, ())]
    while rising:
        below, choices = rising.pop()
        z = _pre_activations(below, layers[len(choices)])
        # the simplest is tried first, and kept where another one is as near
        for choice in list(ACTIVATIONS) if len(choices) + 1 == len(layers) else reversed(ACTIVATIONS):
            above = _value(choice, z)
            if len(choices) + 1 < len(layers):
                rising.append((above, (*choices, choice)))
            elif (distance := _distance(above, outputs)) < best[0]:
                best = distance, (*choices, choice)
    return best[1]


def _pre_activations(a: Array, layer: tuple[Array, Array | None]) -> Array:
    weight, bias = layer
    z: Array = a @ weight.T
    return z if bias is None else z + bias


def _value(choice: Choice, z: Array) -> Array:
    with np.errstate(all="ignore"):
        return row_of(ACTIVATIONS, choice).value(z)


def _forward(a: Array, layers: Sequence[tuple[Array, Array | None]], choices: Sequence[Choice]) -> Array:
    for layer, choice in zip(layers, choices, strict=True):
        a = _value(choice, _pre_activations(a, layer))
    return a


def _distance(found: Array, outputs: Array) -> float:
    """How far one array is from another, relative to the largest number of it."""
    if found.shape != outputs.shape:
        return np.inf
    largest = float(np.abs(outputs).max()) or 1.0
    distance = float(np.sqrt(np.mean((found - outputs) ** 2))) / largest
    return distance if np.isfinite(distance) else np.inf
