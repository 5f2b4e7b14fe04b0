"""The stack of linear layers and activations in a torch module, read off one forward pass of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backproof.targets.stack import activations_of
from backproof.targets.target import TargetError
from backproof.targets.torch_calls import OF_THE_MODULE, Call, Recording, Value
from reference.arrays import AnyArray, Array
from reference.functions.parametrised import Choice

CHANGES_NOTHING = ("flatten", "view", "reshape", "contiguous", "clone", "squeeze", "unflatten", "__getitem__", "requires_grad_")
"""Functions that leave all numbers of a batch as they are, where they do."""

CONVERTS = ("to", "float", "double", "half", "bfloat16", "type", "type_as", "cpu", "cuda")
"""Functions that leave all numbers as they are but for rounding."""

NO_STACK = "not a stack of linear layers and activations"

PRODUCTS = ("linear", "matmul", "mm", "__matmul__", "addmm")
SUMS = ("add", "add_", "__add__", "__radd__", "__iadd__")
DROPOUTS = ("dropout", "dropout_", "alpha_dropout", "feature_alpha_dropout", "dropout1d")


def _of_bounds(call: Call) -> Choice | None:
    bounds = float(call.argument(1, "min_val", -1.0)), float(call.argument(2, "max_val", 1.0))
    return {(-1.0, 1.0): "hardtanh", (0.0, 6.0): "relu6"}.get(bounds)


def _of_slope(call: Call) -> Choice | None:
    slope = float(call.argument(1, "negative_slope", 0.01))
    return "leaky_relu" if slope == 0.01 else ("leaky_relu", {"slope": slope})


def _of_alpha(call: Call) -> Choice | None:
    alpha = float(call.argument(1, "alpha", 1.0))
    return "elu" if alpha == 1.0 else ("elu", {"alpha": alpha})


def _of_softplus(call: Call) -> Choice | None:
    return "softplus" if call.argument(1, "beta", 1.0) == 1 else None


def _of_gelu(call: Call) -> Choice | None:
    return {"none": "gelu", "tanh": "gelu_tanh"}[call.argument(1, "approximate", "none")]


def _of_softmax(call: Call) -> Choice | None:
    return "softmax" if call.argument(1, "dim", None) in (-1, 1) else None


KNOWN: dict[str, Callable[[Call], Choice | None]] = {
    "tanh": lambda call: "tanh",
    "sigmoid": lambda call: "sigmoid",
    "relu": lambda call: "relu",
    "leaky_relu": _of_slope,
    "elu": _of_alpha,
    "selu": lambda call: "selu",
    "softplus": _of_softplus,
    "gelu": _of_gelu,
    "silu": lambda call: "silu",
    "softsign": lambda call: "softsign",
    "hardtanh": _of_bounds,
    "relu6": lambda call: "relu6",
    "softmax": _of_softmax,
}
"""PyTorch's name of a function, without the underscore of one in place -> the activation that a call of it is."""


@dataclass
class Layer:
    """A layer that was found: its parameters, weight[j, k] from node k to node j or the transpose of that, and its activation.

    a: what it gave; by_values: whether its activation is known by that alone.
    """

    weight: Any
    transposed: bool
    bias: Any
    activation: Choice = "identity"
    a: AnyArray | None = None
    by_values: bool = False

    def turned(self, array: Any) -> Any:
        """Its weights, or their gradient, as (n_l, n_{l-1}); and back."""
        return array.T if self.transposed else array


@dataclass
class _Reading:
    """How far a forward pass has been read.

    start: what the last linear layer gave, or the input; since: the calls that follow it; derived: what the input has gone into.
    """

    start: Value
    derived: set[int]
    aliases: dict[int, Any] = field(default_factory=dict)
    since: list[Call] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)


def ends_in_log_softmax(recording: Recording) -> bool:
    """Whether the last that a forward pass does is a log_softmax over outputs, which belongs to the loss."""
    if not recording.calls or recording.calls[-1].results != (recording.output,):
        return False
    last = recording.calls[-1]
    return last.name == "log_softmax" and last.argument(1, "dim", None) in (-1, 1) and len(last.inputs) == 1


def layers_of(recording: Recording, whose: str) -> list[Layer]:
    """The layers of a forward pass, without a log_softmax at its end. whose: as it is told.

    Raises TargetError, which names the part that is no such layer.
    """
    output = recording.output
    if not isinstance(output, Value):
        raise TargetError(f"{whose}: its forward returns a {type(output).__name__}: expected one tensor, (batch, outputs)")
    reading = _Reading(recording.x, {id(recording.x)}, dict(recording.parameters))
    logs = ends_in_log_softmax(recording)
    for call in recording.calls[: -1 if logs else None]:
        _read(call, reading, whose)
    if logs:
        output = recording.calls[-1].inputs[0]
    if id(output) not in reading.derived and not output.derives:
        raise TargetError(f"{whose}: its output does not depend on its input by any gradient")
    _close(reading, output, whose)
    if not reading.layers:
        raise TargetError(f"{whose}: no linear layer was found in its forward pass")
    _refuse_shared(reading.layers, recording, whose)
    return reading.layers


def _read(call: Call, reading: _Reading, whose: str) -> None:
    going_on = [value for value in call.inputs if id(value) in reading.derived or (value.derives and id(value) not in reading.aliases)]
    if not going_on:
        if len(call.inputs) == 1 and id(call.inputs[0]) in reading.aliases and len(call.results) == 1:
            reading.aliases[id(call.results[0])] = reading.aliases[id(call.inputs[0])]
        return
    product = _product(call, reading.aliases)
    if product is not None:
        given, weight, bias = product
        _close(reading, given, whose)
        parameter = reading.aliases[id(weight)]
        transposed = weight.array.shape[::-1] == _shape(parameter) and not _same_numbers(weight, parameter)
        turned_for_linear = call.name == "linear"
        layer = Layer(parameter, transposed if turned_for_linear else not transposed, None if bias is None else reading.aliases[id(bias)])
        reading.layers.append(layer)
        reading.start, reading.since = call.results[0], []
    elif _is_bias(call, reading):
        other = next(value for value in call.inputs if value is not reading.start)
        reading.layers[-1].bias = reading.aliases[id(other)]
        reading.start = call.results[0]
    else:
        reading.since.append(call)
    reading.derived |= {id(value) for value in call.results}


def _product(call: Call, aliases: dict[int, Any]) -> tuple[Value, Value, Value | None] | None:
    """Of a call that is x W^T + b by a parameter: x, W and b."""
    if call.name not in PRODUCTS:
        return None
    values = [value if isinstance(value, Value) else None for value in call.args]
    values += [call.kwargs[name] for name in ("weight", "bias") if isinstance(call.kwargs.get(name), Value)]
    if call.name == "addmm":
        bias, given, weight = values[:3]
        if call.kwargs:  # other factors than 1
            return None
    else:
        given, weight, bias = (*values[:3], None)[:3] if len(values) > 2 else (*values[:2], None)
    if given is None or weight is None or id(weight) not in aliases or weight.array.ndim != 2 or given.array.ndim != 2:
        return None
    if bias is not None and (id(bias) not in aliases or bias.array.size != call.results[0].array.shape[-1]):
        return None
    return given, weight, bias


def _is_bias(call: Call, reading: _Reading) -> bool:
    """Whether it adds a bias to what the last product gave."""
    if call.name not in SUMS or call.kwargs or not reading.layers or reading.layers[-1].bias is not None or reading.since:
        return False
    others = [value for value in call.args if value is not reading.start]
    if len(call.args) != 2 or len(others) != 1 or not isinstance(others[0], Value):
        return False
    return id(others[0]) in reading.aliases and others[0].array.size == reading.start.array.shape[-1]


def _close(reading: _Reading, end: Value, whose: str) -> None:
    """Find what lies between the last linear layer and here: one activation, or what is known by its values."""
    choices = _named_choices(reading, end, whose)
    if choices is None:
        _by_values(reading, end, whose)
        return
    bent = [choice for choice in choices if choice != "identity"]
    if not reading.layers:
        if bent:
            raise TargetError(f"{whose}: it begins with {bent[0]}, before any linear layer: {NO_STACK}")
        return
    if len(bent) > 1:
        raise TargetError(f"{whose}: {' and '.join(map(str, bent))} follow one another without a linear layer between them")
    reading.layers[-1].activation, reading.layers[-1].a = bent[0] if bent else "identity", end.array.reshape(len(end.array), -1)


def _named_choices(reading: _Reading, end: Value, whose: str) -> list[Choice] | None:
    """The activations of calls that follow one another from the last linear layer to here, by their names; None where others do."""
    at, choices = reading.start, []
    for call in reading.since:
        given = [value for value in call.inputs if id(value) in reading.derived]
        if len(given) != 1 or given[0] is not at or len(call.results) != 1:
            return None
        choice = _choice(call, whose)
        if choice is None:
            return None
        choices.append(choice)
        at = call.results[0]
    return choices if at is end else None


def _choice(call: Call, whose: str) -> Choice | None:
    """The activation that a call is, identity where it changes nothing, or None."""
    before, after = call.inputs[0], call.results[0]
    name = call.name.removesuffix("_")
    if call.name in DROPOUTS:
        rate, training = call.argument(1, "p", 0.5), call.argument(2, "training", True)
        if rate and training:
            said = f"{call.where}, with p={rate:g} in training" if call.where else "dropout in training"
            raise TargetError(f"{whose}: {said}: it draws at random: call .eval() on the module, or set p to 0")
        return "identity"
    if call.name in CONVERTS and after.dtype.startswith(("float", "bfloat")):
        return "identity"
    if call.name in CHANGES_NOTHING and np.array_equal(before.array.ravel(), after.array.ravel(), equal_nan=True):
        # of one output, a vector is as good
        return "identity" if after.array.ndim in (1, 2) and len(before.array) == len(after.array) else None
    if name in KNOWN and (len(call.inputs) == 1) and before.array.ndim == 2:
        return KNOWN[name](call)
    return None


def _by_values(reading: _Reading, end: Value, whose: str) -> None:
    """Layers, or one activation, that are known by what they make of what they are given. Raises TargetError."""
    if any(call.of_torch and _is_unknown(call, reading, whose) for call in reading.since):
        # a module of PyTorch's own is what its name says, however near to another one it comes
        raise TargetError(f"{whose}: {_unknown(reading, end, whose)}: {NO_STACK}")
    used: list[Any] = []
    for value in [*(value for call in reading.since for value in call.inputs), end]:
        for parameter in (reading.aliases.get(id(value)), *value.parameters):
            if parameter is not None and not any(parameter is other for other in used) and not _in_layers(parameter, reading):
                used.append(parameter)
    found = _layers_by_values(reading.start.array, used, end.array)
    if found is not None and not used and reading.layers:
        reading.layers[-1].activation, reading.layers[-1].a, reading.layers[-1].by_values = found[0].activation, end.array, True
        return
    if found and used:
        # what was given to them is the activation of the layer before, an identity
        if reading.layers:
            reading.layers[-1].a = reading.start.array
        reading.layers += found
        return
    raise TargetError(f"{whose}: {_unknown(reading, end, whose)}: {NO_STACK}")


def _layers_by_values(a: Array, used: list[Any], outputs: Array) -> list[Layer] | None:
    """used: parameters, weights and biases in any order but their own; None where no such layers give these outputs."""
    numbers = {id(parameter): np.asarray(parameter.detach().cpu().double().numpy()) for parameter in used}
    weights = [parameter for parameter in used if parameter.ndim == 2]
    biases = [parameter for parameter in used if parameter.ndim == 1]
    if a.ndim != 2 or outputs.ndim != 2 or len(weights) + len(biases) != len(used) or (biases and len(biases) != len(weights)):
        return None
    for transposed in (False, True):
        pairs = []
        for weight, bias in zip(weights, biases or [None] * len(weights), strict=True):
            matrix = numbers[id(weight)].T if transposed else numbers[id(weight)]
            pairs.append((matrix, None if bias is None else numbers[id(bias)]))
        widths = [a.shape[1], *(matrix.shape[0] for matrix, _ in pairs)]
        fits = all(matrix.shape[1] == width for (matrix, _), width in zip(pairs, widths[:-1], strict=True))
        if not fits or any(bias is not None and len(bias) != len(matrix) for matrix, bias in pairs):
            continue
        choices = activations_of(a, pairs, outputs)
        if choices is not None:
            if not weights:
                return [Layer(None, False, None, choices[0], by_values=True)]
            layers = [
                Layer(weight, transposed, bias, choice, by_values=True)
                for weight, bias, choice in zip(weights, biases or [None] * len(weights), choices, strict=True)
            ]
            layers[-1].a = outputs
            return layers
    return None


def _unknown(reading: _Reading, end: Value, whose: str) -> str:
    """The first part of what was not understood, as it is told."""
    for call in reading.since:
        if _is_unknown(call, reading, whose):
            return call.where if call.where and not call.where.startswith(OF_THE_MODULE) else f"{call.name} {call.where}"
    return end.made_by or "what follows the last linear layer"


def _is_unknown(call: Call, reading: _Reading, whose: str) -> bool:
    """Whether a call is none of an activation, and none that changes nothing."""
    given = [value for value in call.inputs if id(value) in reading.derived]
    return len(given) != 1 or len(call.results) != 1 or _choice(call, whose) is None


def _in_layers(parameter: Any, reading: _Reading) -> bool:
    return any(parameter is layer.weight or parameter is layer.bias for layer in reading.layers)


def _refuse_shared(layers: list[Layer], recording: Recording, whose: str) -> None:
    seen: dict[int, int] = {}
    for number, layer in enumerate(layers, 1):
        for parameter in (layer.weight, layer.bias):
            if parameter is not None and seen.setdefault(id(parameter), number) != number:
                raise TargetError(f"{whose}: layer {number} has the parameters of layer {seen[id(parameter)]}: each must have its own")


def _shape(parameter: Any) -> tuple[int, ...]:
    return tuple(parameter.shape)


def _same_numbers(value: Value, parameter: Any) -> bool:
    """Whether an alias is as its parameter, and not the transpose of it."""
    numbers = parameter.detach().cpu().double().numpy()
    return bool(numbers.shape == value.array.shape and np.allclose(numbers, value.array, rtol=0.01, atol=1e-6))
