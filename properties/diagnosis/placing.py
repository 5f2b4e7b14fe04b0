"""The place, by read-outs alone: which factor is the first that is off, from the loss down, and which problems show it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from properties.diagnosis.asked import SAFETY, Asked
from properties.diagnosis.explanation import Layer, Reading, relative_errors
from properties.diagnosis.read_outs import Crossing, crossing
from properties.diagnosis.variant import Variant
from reference.arrays import Array
from reference.functions.losses import LOSSES
from reference.functions.parametrised import name_and_parameters, row_of


@dataclass(frozen=True)
class Place:
    """Where a target is wrong.

    step: of STEPS, the factor that is off, "" where none can be told; layer: in the reading that shows it; equations: all that it may sit
    in, the likeliest first; shows_when: what the problems that show it have in common.
    """

    step: str
    layer: int | None
    equations: tuple[int, ...]
    reading: Reading | None
    shows_when: str = ""


def place(asked: Sequence[Asked], readings: Sequence[Reading]) -> Place:
    """The output-most factor that is off in some problem, the forward pass before all."""
    forward = _of_forward(asked)
    if forward is not None:
        return Place(forward, None, (), next((reading for reading in readings if reading.off), None))
    off = [(reading, layer) for reading in readings if (layer := reading.first_off()) is not None]
    if not off:
        return Place("", None, (), None)
    # without a bias a wrong delta and a wrong dC/dW may be one and the same
    every, off = off, list(_with_bias(off))
    by_delta = [each for each in off if each[1].delta == "off"]
    if by_delta and all(_answers_right_delta(*each) for each in by_delta):
        return _of_weights(by_delta)
    if any(layer.delta == "off" and _is_top(reading, layer) for reading, layer in off):
        return _of_top(asked, [(reading, layer) for reading, layer in every if layer.delta == "off" and _is_top(reading, layer)])
    hidden = [(reading, layer) for reading, layer in off if layer.delta == "off"]
    if hidden:
        return _of_hidden(asked, hidden)
    # a bias's gradient is delta itself: where there is one, dC/dW and delta are told apart
    for said, of in (("weights", _of_weights), ("biases", _of_biases), ("below", _of_below)):
        found = [(reading, layer) for reading, layer in off if getattr(layer, said) == "off" and layer.delta == "ok"]
        if found:
            return of(found)
    unread = [(reading, layer) for reading, layer in off if layer.delta == "unread"]
    reading, layer = unread[0] if unread else off[0]
    return Place("", layer.layer, (), reading)


def _answers_right_delta(reading: Reading, layer: Layer) -> bool:
    """Whether the target answers delta itself, and rightly, of a layer whose dC/dW and dC/db are those of another one."""
    gradient, exact = reading.asked.gradient, reading.asked.exact.reference.deltas
    if gradient is None or gradient.deltas is None or exact is None:
        return False
    got, right = np.asarray(gradient.deltas[layer.layer - 1], dtype=np.float64), np.asarray(exact[layer.layer - 1])
    return bool((np.abs(got - right) <= SAFETY * relative_errors(reading.asked, layer.layer) * np.abs(right)).all())


def _is_top(reading: Reading, layer: Layer) -> bool:
    return layer.layer == reading.asked.problem.depth


Off = Sequence[tuple[Reading, Layer]]


def _of_forward(asked: Sequence[Asked]) -> str | None:
    """The step of the forward pass that is off, where the target's own a^L is read and is not a^L; None where it is right, or unread."""
    crossings = _crossings(asked)
    off = [(one, found) for one, found in crossings if found.off]
    if not off:
        return None
    linear = [one for one, _ in off if _is_linear(one)]
    return "pre_activation" if linear else "activation"


def _crossings(asked: Sequence[Asked]) -> list[tuple[Asked, Crossing]]:
    families: dict[int, list[Asked]] = {}
    for one in asked:
        if one.rung.family >= 0:
            families.setdefault(one.rung.family, []).append(one)
    read = ((family[0], crossing(family)) for family in families.values())
    return [(one, found) for one, found in read if found is not None and found.linear]


def _of_top(asked: Sequence[Asked], top: Off) -> Place:
    """delta of the output layer is off: by the loss, by g' or by the sum over samples."""
    single = [each for each in top if each[0].asked.problem.batch == 1]
    if not single:
        right_alone = any(one.gradient is not None and not one.is_off and one.problem.batch == 1 for one in asked)
        if right_alone:
            reading, layer = top[0]
            if not any(_is_linear_at_top(each[0].asked) for each in top) and any(
                one.gradient is not None and not one.is_off and one.problem.batch > 1 and _is_linear_at_top(one) for one in asked
            ):
                return Place("slope", layer.layer, (3, 2), reading, "batches of two samples or more, in layers that are not linear")
            means = all(each[0].asked.problem.reduction == "mean" for each in top)
            placed = (10, 2) if _of_samples(top) else (2, 10)
            what = "means over two samples or more" if means else "batches of two samples or more"
            return Place("reduction", layer.layer, placed, reading, what)
    cases = single or list(top)
    linear = [each for each in cases if each[0].asked.problem.activations[-1] == "identity"]
    if linear:
        factors = [
            np.ptp(found.factors) > 1e-6 * np.abs(found.factors).max()
            for one, found in _crossings(asked)
            if one.problem.depth == 1 and _is_linear_at_top(one)
        ]
        # a loss of differences has small ones there, where others look at a itself
        of_differences = [one for one, _ in linear if row_of(LOSSES, one.asked.problem.loss).of_differences]
        far = _linear_is_right(asked) and bool(of_differences) and all(_largest_z(one) > FAR for one in of_differences)
        varied = far or (bool(factors) and all(factors))
        reading, layer = linear[0]
        if varied:
            return Place("slope", layer.layer, (3, 2), reading)
        losses = {name_and_parameters(each[0].asked.problem.loss)[0] for each in linear}
        return Place("output_error", layer.layer, (2,), reading, _among(losses, "", "the loss "))
    reading, layer = cases[0]
    losses = {name_and_parameters(each[0].asked.problem.loss)[0] for each in cases}
    if all(row_of(LOSSES, loss).behind for loss in losses):
        # such a loss stands behind one activation alone, whose g' is seen to be right in hidden layers, if anywhere
        return Place("output_error", layer.layer, (2, 3), reading, _among(losses, "", "the loss "))
    known = _linear_is_right(asked)
    shown = {name_and_parameters(each[0].asked.problem.activations[-1])[0] for each in cases}
    equations: tuple[int, ...] = (3,) if known else (3, 2)
    return Place("slope", layer.layer, equations, reading, _among(shown, "layers of ", ""))


FAR = 3.2
"""No pre-activation of a generic problem's output is as large, but those of scans and edges are."""


def _largest_z(reading: Reading) -> float:
    return float(np.abs(reading.asked.exact.passes.forward.pre_activations[-1]).max())


def _is_linear_at_top(one: Asked) -> bool:
    return one.problem.activations[-1] == "identity"


def _linear_is_right(asked: Sequence[Asked]) -> bool:
    return any(one.gradient is not None and not one.is_off and one.problem.activations[-1] == "identity" for one in asked)


def _among(names: set[str], before: str, or_before: str) -> str:
    return f"{before or or_before}{', '.join(sorted(names))}" if len(names) <= 3 else ""


def _of_samples(top: Off) -> bool:
    """Whether samples are off by factors of their own, one for all outputs of a sample: what each counts is wrong, and not what it is.

    Where nothing is read that is not known, and where all samples have one factor it is no matter of samples.
    """
    layers = [(layer.own, layer.right) for _, layer in top]
    read = [(own, right) for own, right in layers if own is not None and right is not None]
    if not read:
        return False
    several = [each for each in read if each[0].shape[1] > 1] or read
    factors = []
    for own, right in several:
        with np.errstate(all="ignore"):
            found = own / right
        if np.isfinite(found).all():
            factors.append(found)
    same = [found for found in factors if _spread(found, axis=1).max() <= 1e-6]
    return len(same) == len(factors) and any(_spread(found, axis=None) > 1e-6 for found in same)


def _spread(factors: Array, axis: int | None) -> Array:
    """How far factors differ, over the largest."""
    return np.asarray(np.ptp(factors, axis=axis) / np.maximum(np.abs(factors).max(axis=axis), 1e-300))


def _is_linear(one: Asked) -> bool:
    """Whether all of its layers are the identity."""
    return all(choice == "identity" for choice in one.problem.activations)


def _of_hidden(asked: Sequence[Asked], hidden: Off) -> Place:
    """delta of a hidden layer is off: by what is passed down, where networks that are linear throughout show it; else by g'."""
    linear = [each for each in hidden if _is_linear(each[0].asked)]
    if linear:
        reading, layer = linear[0]
        return Place("error_below", layer.layer, (11, 7), reading)
    reading, layer = hidden[0]
    known = any(_is_linear(one) and one.problem.depth > 1 and not one.is_off for one in asked)
    if not known:
        return Place("error_below", layer.layer, (11, 7, 3), reading)
    shown = {name_and_parameters(each[0].asked.problem.activations[each[1].layer - 1])[0] for each in hidden}
    return Place("slope", layer.layer, (3, 11), reading, _among(shown, "hidden layers of ", ""))


def _with_bias(found: Off) -> Off:
    """Those of layers with biases, if there are any."""
    with_bias = [each for each in found if each[0].asked.problem.biases[each[1].layer - 1] is not None]
    return with_bias or found


def _of_weights(found: Off) -> Place:
    reading, layer = _with_bias(found)[0]
    if all(_is_of_the_penalty(*each) for each in found):
        return Place("penalty", layer.layer, (10,), reading)
    single = any(each[0].asked.problem.batch == 1 for each in found)
    got = reading.asked.products(layer.layer)
    lost = bool((got == 0).any())
    return Place(
        "weight_gradient",
        layer.layer,
        (4, 10) if single and not lost else (10, 4),
        reading,
        "" if single else "batches of two samples or more",
    )


def _is_of_the_penalty(reading: Reading, layer: Layer) -> bool:
    """Whether dC/dW of a problem with a penalty is off by a multiple of W: that is not added as it should be."""
    asked, delta = reading.asked, layer.own
    if asked.problem.penalised is None or delta is None:
        return False
    weight, a = asked.problem.weights[layer.layer - 1], asked.exact.passes.forward.activations[layer.layer - 1]
    beside = asked.products(layer.layer) - delta.T @ a
    multiple = float((beside * weight).sum() / max(float((weight * weight).sum()), 1e-300)) * weight
    rounding = relative_errors(asked, layer.layer)[:, None] * (np.abs(delta).T @ np.abs(a) + np.abs(multiple))
    return bool((np.abs(beside - multiple) <= SAFETY * rounding).all())


def _of_biases(found: Off) -> Place:
    reading, layer = found[0]
    return Place("bias_gradient", layer.layer, (4, 10), reading)


def _of_below(found: Off) -> Place:
    reading, layer = found[0]
    return Place("error_below", layer.layer, (11, 7), reading, "dC/dx alone")


def place_of(row: Variant, readings: Sequence[Reading]) -> tuple[Reading, Layer, int] | None:
    """Of the readings the first that a variant explains: with the layer that it explains, and the layer that its step is done at."""
    # what is of samples shows where there are some
    several = row.step == "reduction"
    for reading in sorted(readings, key=lambda each: several and each.asked.problem.batch == 1):
        for layer in reading.layers:
            for at, candidate in layer.candidates():
                if candidate.name == row.name:
                    return reading, layer, at
    return None


BOX: dict[str, Callable[[int], str]] = {
    "output_error": lambda layer: "loss",
    "reduction": lambda layer: "samples",
    "slope": lambda layer: f"g'{layer}",
    "delta": lambda layer: f"g'{layer}",
    "weight_gradient": lambda layer: f"dW{layer}",
    "bias_gradient": lambda layer: f"db{layer}",
    "error_below": lambda layer: f"W{layer}^T",
}


def boxes(reading: Reading, step: str, at: int, slope_too: bool = False) -> list[tuple[str, str]]:
    """The network as a row of boxes from the loss down, each with "ok", "X" or "?".

    step, at: which factor of a delta that is off is meant; slope_too: whether it may be g' as well.
    """
    row: list[tuple[str, str]] = []
    depth = reading.asked.problem.depth
    for layer in reading.layers:
        own = layer.layer
        parts = ["output_error"] if own == depth else ["error_below"]
        if own == depth and (reading.asked.problem.batch > 1 or step == "reduction"):
            parts.append("reduction")
        parts.append("slope")
        named = {candidate.step for candidate in layer.by_delta}
        blamed = "slope" if step == "delta" else step
        meant = at == (own + 1 if step == "error_below" else own)
        for part in parts:
            number = own + 1 if part == "error_below" else own
            if layer.delta == "ok":
                said = "ok"
            elif layer.delta == "unread":
                said = "?"
            elif blamed in parts and meant:
                said = "X" if part == blamed else "?" if slope_too and part == "slope" else "ok"
            else:
                said = "X" if part in named and len({"slope" if each == "delta" else each for each in named}) == 1 else "?"
            row.append((BOX[part](number), said))
        row.append((BOX["weight_gradient"](own), "X" if layer.weights == "off" else layer.weights.replace("unread", "?")))
        if reading.asked.problem.biases[own - 1] is not None:
            row.append((BOX["bias_gradient"](own), "X" if layer.biases == "off" else layer.biases.replace("unread", "?")))
        if layer.below in ("ok", "off"):
            row.append((BOX["error_below"](own), "X" if layer.below == "off" else "ok"))
    return row
