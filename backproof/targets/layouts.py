"""Layouts of hand-written code: how a function takes weights, biases, x and y, and in what form it gives derivatives back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from properties.answers.answer import Declined, Malformed
from properties.answers.other_forms import other_form, shapes_of
from reference.arrays import AnyArray
from reference.dtypes import as_array
from reference.gradient import Gradient
from reference.problem import Problem

LAYOUTS = {
    "samples": ("rows", "columns", "one"),
    "weights": ("out_in", "in_out"),
    "biases": ("vector", "column", "row", "folded_first", "folded_last"),
    "returns": ("weights_biases", "biases_weights", "pairs", "updated"),
    "layers": ("lists", "pairs", "dicts", "dict", "numbers", "arguments"),
    "order": ("layers_first", "samples_first"),
    "expected": ("rows", "class_index"),
}
BIAS_SHAPES = {"vector": (-1,), "column": (-1, 1), "row": (1, -1)}
FOLDED = {"folded_first": 0, "folded_last": -1}
"""Where the bias stands among the weights of its node, which come from node to node: from a node that is always 1."""

OF_WEIGHTS, OF_BIASES = ("dW", "dw", "W", "w"), ("db", "b")
"""The names that derivatives may have in an answer's dicts, and a layer's weights and biases in those that are updated."""

Parts: TypeAlias = tuple[Any, Any]
"""A list for the weights of all layers, and one for the biases or None, whatever they hold."""


@dataclass(frozen=True)
class Given:
    """What f is given: weights and biases in its layout, which are its own, and what holds them."""

    weights: list[AnyArray]
    biases: list[AnyArray | None]
    held: tuple[Any, ...]

    @property
    def shapes(self) -> list[Any]:
        """The shapes of the weights."""
        return [weight.shape for weight in self.weights]


@dataclass(frozen=True)
class Layout:
    """How f takes a problem, and what it answers; each of LAYOUTS, and activations: whether it is told them.

    by_turns: where each array is an argument, whether a layer's bias follows its weight, or all biases all weights.
    """

    samples: str = "rows"
    weights: str = "out_in"
    biases: str = "vector"
    returns: str = "weights_biases"
    layers: str = "lists"
    expected: str = "rows"
    order: str = "layers_first"
    activations: bool = True
    by_turns: bool = True

    @property
    def is_folded(self) -> bool:
        """Whether biases stand among the weights."""
        return self.biases in FOLDED

    def arguments(self, held: Sequence[Any], told: Sequence[Any], x: AnyArray, y: Any) -> list[Any]:
        """What f is given, in its order. told: the activations, or nothing."""
        return [x, y, *held, *told] if self.order == "samples_first" else [*held, *told, x, y]

    def calls(self, problem: Problem) -> list[tuple[AnyArray, Any]]:
        """x and y of each call of f; y as whole numbers where it is given so."""
        y: Any = problem.y.argmax(axis=1) if self.expected == "class_index" else problem.y
        if self.samples == "one":
            return list(zip(problem.x, y, strict=True))
        return [(problem.x.T, y.T) if self.samples == "columns" else (problem.x, y)]

    def given(self, problem: Problem, *, copied: bool = False) -> Given:
        """The weights and the biases as f has them: views, so that what f writes to them is seen; copied: arrays of its own."""
        shaped = self._shaped(problem)
        biased: list[AnyArray | None] = [None] * problem.depth
        if not self.is_folded:
            biased = [None if b is None else b.reshape(BIAS_SHAPES[self.biases]) for b in problem.biases]
        if copied:
            shaped, biased = [w.copy() for w in shaped], [None if b is None else b.copy() for b in biased]
        return Given(shaped, biased, tuple(self._held(shaped, biased)))

    def _shaped(self, problem: Problem) -> list[AnyArray]:
        if not self.is_folded:
            return self._turned(problem.weights)
        parts = zip(problem.weights, problem.biases, strict=True)
        columns = [(w, np.zeros((len(w), 1), w.dtype) if b is None else b[:, None]) for w, b in parts]
        return self._turned([np.hstack([b, w] if FOLDED[self.biases] == 0 else [w, b]) for w, b in columns])

    def _turned(self, arrays: Sequence[Any]) -> list[AnyArray]:
        return [as_array(w).T if self.weights == "in_out" else w for w in arrays]

    def _held(self, weights: list[AnyArray], biases: list[AnyArray | None]) -> Sequence[Any]:
        pairs = list(zip(weights, biases, strict=True))
        if self.layers == "lists":
            return [list(weights), list(biases)]
        if self.layers == "pairs":
            # layers[i][0] = ... is how some write an update
            return [[list(pair) for pair in pairs]] if self.returns == "updated" else [pairs]
        if self.layers == "dicts":
            return [[{"W": weight} | ({} if bias is None else {"b": bias}) for weight, bias in pairs]]
        if self.layers == "dict":
            named = [{f"W{i}": weight} | ({} if bias is None else {f"b{i}": bias}) for i, (weight, bias) in enumerate(pairs, 1)]
            return [{name: array for layer in named for name, array in layer.items()}]
        if self.layers == "arguments" and self.by_turns:
            return [array for pair in pairs for array in pair if array is not None]
        arrays = [*weights, *(bias for bias in biases if bias is not None)]
        if self.layers == "arguments":
            return arrays
        return [array.dtype.type(number) for array in arrays for number in array.ravel()]

    def gradient(self, answer: Any, given: Given) -> Gradient:
        """What f answers, as a gradient in the layout of problems. Raises Malformed."""
        try:
            dW, db = self.read(answer, given)
            dW, unread = list(dW), ""
        except Malformed:
            raise
        except Exception as error:
            dW, unread = None, f"the answer of f cannot be read as {self._name} has it ({type(error).__name__}: {error})"
        if shapes_of(dW) != given.shapes:
            bias_shapes = [None if b is None else b.shape for b in given.biases]
            plain = "it is (list of dC/dW, list of dC/db)"
            seen = "" if isinstance(answer, Mapping) and not unread else other_form(answer, given.shapes, bias_shapes, plain=plain)
            if seen or unread:
                raise Malformed("; ".join(part for part in (unread, seen) if part))
        return self.turned_back(dW, db, given)

    def turned_back(self, weights: Any, biases: Any, given: Given) -> Gradient:
        """Arrays in the shapes of f's weights and biases, as a gradient has them. Raises Malformed."""
        if self.is_folded:
            if shapes_of(weights) != given.shapes:
                raise Malformed(f"f answers dC/dW of the shapes {shapes_of(weights)}: expected {given.shapes}, each with the bias in it")
            whole = [as_array(w) for w in self._turned(weights)]
            return Gradient(
                [np.delete(w, FOLDED[self.biases], axis=1) for w in whole], [w[:, FOLDED[self.biases]].reshape(-1) for w in whole]
            )
        flat = None if biases is None else [None if b is None else as_array(b).reshape(-1) for b in biases]
        return Gradient(self._turned(weights), flat)

    @property
    def _name(self) -> str:
        return f"layers={self.layers!r}" if self.layers != "lists" else f"returns={self.returns!r}"

    def read(self, answer: Any, given: Given) -> Parts:
        """What f answers, taken apart. Raises Malformed, or anything else where it has another form."""
        if self.layers == "arguments":
            return _of_arguments(answer, given, self.by_turns)
        if self.layers != "numbers":
            answer = without_loss(answer)
        if self.layers in READERS:
            return READERS[self.layers](answer, given)
        if self.is_folded and shapes_of(answer) == given.shapes:
            return answer, None
        if self.returns == "pairs":
            return _of_pairs(answer, given)
        first, second = answer
        return (second, first) if self.returns == "biases_weights" else (first, second)

    def updated(self, answer: Any, given: Given) -> Parts:
        """What has become of weights and biases: what f answers, where it has their shapes, else what f left in what it was given."""
        for candidate in (answer, given.held if self.layers in ("lists", "numbers", "arguments") else given.held[0]):
            for read in (self.read, _of_pairs, _of_any_order):
                try:
                    weights, biases = read(candidate, given)
                    if shapes_of(list(weights)) == given.shapes:
                        return list(weights), biases
                except Declined:
                    raise
                except Exception:  # it is something else, such as the loss
                    continue
        raise Malformed(
            f"f neither answers weights of the shapes {given.shapes} nor leaves such in what it was given: expected updated weights"
        )


def without_loss(answer: Any) -> Any:
    """What is answered beside the loss, a number that stands before or after it."""
    if isinstance(answer, tuple) and len(answer) > 1:
        for number, others in ((answer[0], answer[1:]), (answer[-1], answer[:-1])):
            if is_number(number):
                return others if len(others) > 1 else others[0]
    return answer


def is_number(given: Any) -> bool:
    """Whether something is a number alone, of any framework."""
    return isinstance(given, (int, float, np.number)) or getattr(given, "shape", None) == ()


def _of_pairs(answer: Any, given: Given) -> Parts:
    return [pair[0] for pair in answer], [pair[1] for pair in answer]


def _of_arguments(answer: Any, given: Given, by_turns: bool) -> Parts:
    """One tuple of all arrays, in their order; a number before or after them, the loss, is left out. Raises Malformed."""
    arrays, biased = list(answer), [bias is not None for bias in given.biases]
    wanted = len(biased) + sum(biased)
    if len(arrays) == wanted + 1:
        arrays = arrays[1:] if shapes_of(arrays)[0] == () else arrays[:-1] if shapes_of(arrays)[-1] == () else arrays
    if len(arrays) != wanted:
        raise Malformed(f"f answers {len(arrays)} arrays: expected one for each that it was given, {wanted}")
    if not by_turns:
        rest = iter(arrays[len(biased) :])
        return arrays[: len(biased)], [next(rest) if has else None for has in biased]
    turns = iter(arrays)
    parts = [(next(turns), next(turns) if has else None) for has in biased]
    return [weight for weight, _ in parts], [bias for _, bias in parts]


def _of_any_order(answer: Any, given: Given) -> Parts:
    """One tuple of all arrays, W1, b1, W2, b2 or W1, W2, b1, b2, whichever has the shapes. Raises Declined where both have."""
    if isinstance(answer, Mapping):
        raise Malformed("f answers a dict")
    shapes = given.shapes, [None if bias is None else bias.shape for bias in given.biases]
    ways = [parts for by_turns in (True, False) if (tuple(map(shapes_of, parts := _of_arguments(answer, given, by_turns)))) == shapes]
    if len(ways) > 1 and not all(one is other for one, other in zip(*(part[0] for part in ways), strict=True)):
        raise Declined("the shapes do not tell whether f answers W1, b1, W2, b2 or W1, W2, b1, b2: return (list of W, list of b)")
    return ways[0]


def _of_dicts(answer: Any, given: Given) -> Parts:
    layers = list(answer)
    return [_named(layer, OF_WEIGHTS) for layer in layers], [_named(layer, OF_BIASES, needed=False) for layer in layers]


def _of_dict(answer: Any, given: Given) -> Parts:
    numbers = range(1, len(given.weights) + 1)
    weights = [_named(answer, [f"{name}{i}" for name in OF_WEIGHTS]) for i in numbers]
    return weights, [_named(answer, [f"{name}{i}" for name in OF_BIASES], needed=False) for i in numbers]


def _named(held: Mapping[str, Any], names: Sequence[str], needed: bool = True) -> Any:
    """What a dict holds by one of some names: derivatives before the weights that may stand beside them. Raises Malformed."""
    for name in names:
        if name in held:
            return held[name]
    if needed:
        raise Malformed(f"f answers a dict with the keys {', '.join(map(repr, held))}: expected any of {', '.join(map(repr, names))}")
    return None


def _of_numbers(answer: Any, given: Given) -> Parts:
    numbers = [as_array(number).reshape(()) for number in answer]
    arrays = [*given.weights, *(bias for bias in given.biases if bias is not None)]
    if len(numbers) != sum(array.size for array in arrays):
        raise Malformed(f"f answers {len(numbers)} numbers: expected one for each that it was given, {sum(a.size for a in arrays)}")
    parts, at = [], 0
    for array in arrays:
        parts.append(np.array(numbers[at : at + array.size]).reshape(array.shape))
        at += array.size
    biases = iter(parts[len(given.weights) :])
    return parts[: len(given.weights)], [None if bias is None else next(biases) for bias in given.biases]


READERS: dict[str, Callable[[Any, Given], Parts]] = {"pairs": _of_pairs, "dicts": _of_dicts, "dict": _of_dict, "numbers": _of_numbers}
"""How an answer is taken apart that has the form in which the layers were given."""
