"""The names by which objects hold weights, biases and their derivatives: found by looking, told, and never chosen among several."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backproof.targets.target import TargetError
from properties.answers.answer import Malformed
from properties.answers.other_forms import shapes_of
from reference.arrays import AnyArray

LISTED = {"weights": ("weights", "W", "w", "Ws"), "biases": ("biases", "bias", "b", "bs")}
NUMBERED = {"weights": ("W", "w", "weights", "weight", "weights_", "theta"), "biases": ("b", "bias", "biases", "bias_")}
"""The attributes of an object that may hold its weights and biases: a list, or one for each layer, whose numbers follow."""

SLOPES = {
    "weights": ("dW", "dw", "dWs", "grad_W", "grad_w", "nabla_w", "dweights", "grad_weights", "weight_gradients"),
    "biases": ("db", "dB", "dbs", "grad_b", "nabla_b", "dbiases", "grad_biases", "bias_gradients"),
}
"""Those that may hold their derivatives, listed or numbered."""

DICTS = ("grads", "gradients", "grad")
"""Dicts that may hold derivatives by their numbered names."""

METHODS = ("backprop", "backward", "backpropagate", "back_propagate", "backpropagation", "gradient", "gradients", "compute_gradients")
UPDATING = ("train", "train_step", "update", "step", "fit", "learn", "partial_fit")
"""The methods that may be asked: for derivatives, and for an update."""


@dataclass(frozen=True)
class Names:
    """Where an object holds something for each layer. listed: one attribute that is a list, else one attribute for each."""

    names: tuple[str, ...]
    listed: bool

    def read(self, held: Any) -> list[Any]:
        """What an object holds, by layer."""
        return list(getattr(held, self.names[0])) if self.listed else [getattr(held, name) for name in self.names]

    def write(self, held: Any, arrays: Sequence[AnyArray]) -> None:
        """Put arrays, by layer, where an object holds them."""
        if self.listed:
            setattr(held, self.names[0], list(arrays))
        else:
            for name, array in zip(self.names, arrays, strict=True):
                setattr(held, name, array)

    def __str__(self) -> str:
        return ", ".join(self.names)


def found(held: Any, listed: Sequence[str], numbered: Sequence[str]) -> list[Names]:
    """Each way in which an object holds arrays by layer under some names."""
    attributes = {name: value for name, value in _attributes(held) if not name.startswith("_")}
    ways = []
    for name in listed:
        value = attributes.get(name)
        if isinstance(value, (list, tuple)) and len(value) and all(isinstance(array, np.ndarray) for array in value):
            ways.append(Names((name,), listed=True))
    for stem in numbered:
        numbers = sorted(int(match[1]) for name in attributes if (match := re.fullmatch(rf"{re.escape(stem)}(\d+)", name)))
        names = tuple(f"{stem}{number}" for number in numbers)
        if names and numbers == list(range(numbers[0], numbers[0] + len(numbers))) and all(_is_numeric(attributes[n]) for n in names):
            ways.append(Names(names, listed=False))
    return ways


def _attributes(held: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(held, Mapping):
        yield from ((str(name), value) for name, value in held.items())
    else:
        yield from getattr(held, "__dict__", {}).items()


def _is_numeric(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.floating, float))


def names_of(held: Any, part: str) -> Names | None:
    """Where an object holds its weights or biases, None where nowhere. Raises TargetError where it may be one of several."""
    ways = found(held, LISTED[part], NUMBERED[part])
    if len(ways) > 1:
        said = "; or ".join(map(str, ways))
        raise TargetError(f"from_class: the {part} may be {said}: say set_weights=lambda net, weights, biases: ...")
    return ways[0] if ways else None


def attributes_told(held: Any) -> str:
    """What an object has, for a person who must say which of it is meant."""
    return ", ".join(name for name, _ in list(_attributes(held))[:20]) or "no attributes"


def slopes_of(held: Any, weights: Sequence[Any], biases: Sequence[Any]) -> tuple[Any, Any] | None:
    """(dC/dW, dC/db) of the shapes of weights and biases where an object holds them, None where it holds none. Raises Malformed."""
    holders = [held, *(value for name, value in _attributes(held) if name in DICTS and isinstance(value, Mapping))]
    ways = []
    for holder in holders:
        of_weights = found(holder, SLOPES["weights"], SLOPES["weights"])
        of_biases = found(holder, SLOPES["biases"], SLOPES["biases"])
        if isinstance(holder, Mapping) and not of_weights:
            of_weights, of_biases = found(holder, (), NUMBERED["weights"]), found(holder, (), NUMBERED["biases"])
        ways += [(_read(one, holder), [_read(other, holder) for other in of_biases], one, of_biases) for one in of_weights]
    fitting = [way for way in ways if shapes_of(way[0]) == [np.shape(w) for w in weights]]
    if not fitting:
        return None
    if len(fitting) > 1 or len(fitting[0][1]) > 1:
        said = "; ".join(str(name) for way in fitting for name in (way[2], *way[3]))
        raise Malformed(f"the derivatives may be any of {said}: say gradient=lambda net, x, y: (list of dC/dW, list of dC/db)")
    return fitting[0][0], fitting[0][1][0] if fitting[0][1] else None


def _read(names: Names, holder: Any) -> list[Any]:
    if isinstance(holder, Mapping):
        return list(holder[names.names[0]]) if names.listed else [holder[name] for name in names.names]
    return names.read(holder)


def taken_apart(answer: Any, weights: Sequence[Any], biases: Sequence[Any]) -> tuple[Any, Any] | None:
    """(dC/dW, dC/db) of what a method answers, by the shapes of weights and biases; None where it fits in no way."""
    if isinstance(answer, Mapping):
        return slopes_of(_Holder(grads=answer), weights, biases)
    if not isinstance(answer, (tuple, list)):
        return None
    of_weights, of_biases = [np.shape(w) for w in weights], [np.shape(b) for b in biases]
    depth = len(of_weights)
    shapes = shapes_of(answer)
    if len(answer) == 2 and shapes_of(answer[0]) == of_weights and (not biases or _sizes(answer[1]) == _sizes(biases)):
        return answer[0], answer[1] if biases else None
    if len(answer) == 2 and biases and _sizes(answer[0]) == _sizes(biases) and shapes_of(answer[1]) == of_weights:
        return answer[1], answer[0]
    if shapes == of_weights and not biases:
        return list(answer), None
    if biases and shapes == [shape for pair in zip(of_weights, of_biases, strict=True) for shape in pair]:
        return list(answer[::2]), list(answer[1::2])
    if biases and shapes == [*of_weights, *of_biases]:
        return list(answer[:depth]), list(answer[depth:])
    if biases and all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in answer):
        return [pair[0] for pair in answer], [pair[1] for pair in answer]
    return None


class _Holder:
    """Something that has attributes."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


def _sizes(listed: Any) -> list[int]:
    return [int(np.size(array)) for array in listed] if isinstance(listed, (tuple, list)) else []
