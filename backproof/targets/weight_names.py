"""The names by which objects hold weights, biases and their derivatives: found by looking, told, and never chosen among several."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

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

DICTS = {"weights": ("params", "parameters", "weights"), "derivatives": ("grads", "gradients", "grad")}
"""Dicts that may hold weights and biases, or derivatives, by their numbered names."""

METHODS = ("backprop", "backward", "backpropagate", "back_propagate", "backpropagation", "gradient", "gradients", "compute_gradients")
BESIDE_THE_LOSS = ("loss", "loss_and_grads", "loss_and_gradients", "compute_loss")
UPDATING = ("train", "train_step", "update", "step", "fit", "learn", "partial_fit")
"""The methods that may be asked: for derivatives, where there is none of these for the loss with them, and for an update."""


Parts: TypeAlias = tuple[Any, Any]
"""A list of dC/dW, and one of dC/db or None."""


@dataclass(frozen=True)
class Names:
    """Where an object holds something for each layer: in one attribute that is a list, or in one for each, numbered from the first.

    stem: the attribute, or what stands before its number; first: the number, None for a list; count: of the layers that were found;
    within: the attribute that is a dict with these as its keys, "" where they are attributes themselves.
    """

    stem: str
    first: int | None
    count: int
    within: str = ""

    def of(self, count: int) -> list[str]:
        """The attributes of so many layers."""
        return [self.stem] if self.first is None else [f"{self.stem}{self.first + i}" for i in range(count)]

    def read(self, held: Any, count: int = 0) -> list[Any]:
        """What an object or a dict holds, by layer; count: of how many, 0 for as many as were found."""
        held = getattr(held, self.within) if self.within else held
        if self.first is None:
            return list(_value(held, self.stem))
        return [_value(held, name) for name in self.of(count or self.count)]

    def write(self, held: Any, arrays: Sequence[AnyArray]) -> None:
        """Put arrays, by layer, where an object holds them."""
        named = {self.stem: list(arrays)} if self.first is None else dict(zip(self.of(len(arrays)), arrays, strict=True))
        if self.within:
            getattr(held, self.within).update(named)
        else:
            for name, value in named.items():
                setattr(held, name, value)

    def __str__(self) -> str:
        return ", ".join(f"{self.within}[{name!r}]" if self.within else name for name in self.of(self.count))


def found(held: Any, listed: Sequence[str], numbered: Sequence[str]) -> list[Names]:
    """Each way in which an object holds arrays by layer under some names."""
    attributes = {name: value for name, value in _attributes(held) if not name.startswith("_")}
    ways = []
    for name in listed:
        value = attributes.get(name)
        if isinstance(value, (list, tuple)) and len(value) and all(isinstance(array, np.ndarray) for array in value):
            ways.append(Names(name, None, len(value)))
    for stem in numbered:
        numbers = sorted(int(match[1]) for name in attributes if (match := re.fullmatch(rf"{re.escape(stem)}(\d+)", name)))
        names = [f"{stem}{number}" for number in numbers]
        if names and numbers == list(range(numbers[0], numbers[0] + len(numbers))) and all(_is_numeric(attributes[n]) for n in names):
            ways.append(Names(stem, numbers[0], len(names)))
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
    dicts = [(name, value) for name, value in _attributes(held) if name in DICTS["weights"] and isinstance(value, Mapping)]
    # an attribute that is there besides is what the network computes with
    ways = found(held, LISTED[part], NUMBERED[part]) or [
        replace(way, within=name) for name, value in dicts for way in found(value, LISTED[part], NUMBERED[part])
    ]
    if len(ways) > 1:
        said = "; or ".join(map(str, ways))
        raise TargetError(f"from_class: the {part} may be {said}: say set_weights=lambda net, weights, biases: ...")
    return ways[0] if ways else None


def attributes_told(held: Any) -> str:
    """What an object has, for a person who must say which of it is meant."""
    return ", ".join(name for name, _ in list(_attributes(held))[:20]) or "no attributes"


def slopes_of(held: Any, weights: Sequence[Any], biases: Sequence[Any]) -> tuple[Any, Any] | None:
    """(dC/dW, dC/db) of the shapes of weights and biases where an object holds them, None where it holds none. Raises Malformed."""
    holders = [held, *(value for name, value in _attributes(held) if name in DICTS["derivatives"] and isinstance(value, Mapping))]
    ways = []
    for holder in holders:
        of_weights = found(holder, SLOPES["weights"], SLOPES["weights"])
        of_biases = found(holder, SLOPES["biases"], SLOPES["biases"])
        if isinstance(holder, Mapping) and not of_weights:
            of_weights, of_biases = found(holder, (), NUMBERED["weights"]), found(holder, (), NUMBERED["biases"])
        ways += [(one.read(holder), [other.read(holder) for other in of_biases], one, of_biases) for one in of_weights]
    fitting = [way for way in ways if shapes_of(way[0]) == [np.shape(w) for w in weights]]
    if not fitting:
        return None
    if len(fitting) > 1 or len(fitting[0][1]) > 1:
        said = "; ".join(str(name) for way in fitting for name in (way[2], *way[3]))
        raise Malformed(f"the derivatives may be any of {said}: say gradient=lambda net, x, y: (list of dC/dW, list of dC/db)")
    return fitting[0][0], fitting[0][1][0] if fitting[0][1] else None


def _value(held: Any, name: str) -> Any:
    return held[name] if isinstance(held, Mapping) else getattr(held, name)


class Holder:
    """Something that has attributes."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


def _in_two(answer: Any) -> Parts:
    return answer[0], answer[1]


def _in_two_biases_first(answer: Any) -> Parts:
    return answer[1], answer[0]


def _weights_alone(answer: Any) -> Parts:
    return list(answer), None


def _by_turns(answer: Any) -> Parts:
    return list(answer[::2]), list(answer[1::2])


def _weights_then_biases(answer: Any) -> Parts:
    return list(answer[: len(answer) // 2]), list(answer[len(answer) // 2 :])


def _in_pairs(answer: Any) -> Parts:
    return [pair[0] for pair in answer], [pair[1] for pair in answer]


READ_AS: dict[str, Callable[[Any], Parts]] = {
    "(list of dC/dW, list of dC/db)": _in_two,
    "(list of dC/db, list of dC/dW)": _in_two_biases_first,
    "one dC/dW for each layer": _weights_alone,
    "dC/dW and dC/db by turns": _by_turns,
    "all dC/dW and then all dC/db": _weights_then_biases,
    "(dC/dW, dC/db) for each layer": _in_pairs,
}
"""The forms in which a method may answer."""


def forms_of(answer: Any, weights: Sequence[Any], biases: Sequence[Any]) -> list[str]:
    """The forms that fit an answer, by the shapes of weights and biases: where they all differ, at most one."""
    return [form for form, read in READ_AS.items() if _fits(answer, read, weights, biases)]


def _fits(answer: Any, read: Callable[[Any], Parts], weights: Sequence[Any], biases: Sequence[Any]) -> bool:
    try:
        dW, db = read(answer)
        shapes, sizes = shapes_of(list(dW)), [int(np.size(array)) for array in db or ()]
    except Exception:
        return False
    return shapes == [np.shape(w) for w in weights] and sizes == [np.size(b) for b in biases]
