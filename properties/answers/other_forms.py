"""Other forms in which people hold a gradient: what an answer that cannot be judged looks like, and what to do."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reference.gradient import Gradient

Shape = tuple[int, ...]

WANTED = "(list of dC/dW, list of dC/db)"


def other_form(given: Any, weights: Sequence[Shape], biases: Sequence[Shape | None], batch: int = 0, plain: str = "") -> str:
    """What an answer looks like that is no (list of dC/dW, list of dC/db), with the way out; "" where it looks like nothing known.

    weights, biases: for each layer the shape that dC/dW and dC/db must have, None where there is no bias; batch: how many samples,
    0 where they do not matter; plain: what is said of an answer that is (list of dC/dW, list of dC/db), where that is another form.
    """
    if given is None:
        return 'if it updates its weights in place of answering derivatives, say backproof.adapt(f, returns="updated", learning_rate=...)'
    if isinstance(given, Mapping):
        keys = ", ".join(map(repr, list(given)[:8]))
        return f"it is a dict with the keys {keys}: return {WANTED}, or a backproof.Gradient"
    if isinstance(given, Gradient):
        given = (given.weights, given.biases)
    if not isinstance(given, (tuple, list)):
        return ""
    expected = _Expected(list(weights), list(biases), batch)
    if plain and _in_order(given, expected):
        return plain
    for looks_so, told in FORMS:
        if looks_so(given, expected):
            return told
    return ""


def by_layer(given: Any, weights: Sequence[Shape]) -> Any:
    """(list of dC/dW, list of dC/db) of one (dC/dW, dC/db) for each layer, or of a dict by parameter, whose dC/dW fit; what is given, where
    it is another form.
    """
    if isinstance(given, Mapping):
        return _by_parameter(given, weights)
    if not isinstance(given, (tuple, list)) or len(given) != len(weights):
        return given
    if not all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in given) or shapes_of([pair[0] for pair in given]) != weights:
        return given
    return [pair[0] for pair in given], [pair[1] for pair in given]


def _by_parameter(given: Mapping[Any, Any], weights: Sequence[Shape]) -> Any:
    """(list of dC/dW, list of dC/db) of a dict by parameter, {"W1": ..., "b1": ...} or {"0.weight": ..., "0.bias": ...}, in the order of
    its numbers; what is given, where its names do not say which array is whose.
    """
    if not all(isinstance(name, str) and re.search(r"\d", name) for name in given):
        return given
    named = sorted(given, key=lambda name: [int(number) for number in re.findall(r"\d+", name)])
    of_biases = [name for name in named if _names_a_bias(name)]
    arrays = [given[name] for name in named if name not in of_biases]
    if shapes_of(arrays) != list(weights) or len(of_biases) not in (0, len(arrays)):
        return given
    return arrays, [given[name] for name in of_biases] or None


def _names_a_bias(name: str) -> bool:
    last = re.sub(r"[^a-z]", "", re.split(r"[./]", name.lower())[-1])
    return last.removeprefix("d").startswith("b") or "bias" in last


class _Expected:
    """What shapes the arrays of an answer must have."""

    def __init__(self, weights: list[Shape], biases: list[Shape | None], batch: int) -> None:
        self.weights, self.biases, self.batch, self.layers = weights, biases, batch, len(weights)

    def are_weights(self, listed: Any) -> bool:
        return shapes_of(listed) == self.weights

    def are_biases(self, listed: Any) -> bool:
        """Whether a list holds what may be biases, as vectors, columns or rows, and at least one that must be there."""
        shapes = shapes_of(listed)
        if len(shapes) != self.layers or not any(self.biases):
            return False
        return all(bias is None or shape in _biasshapes_of(bias) for shape, bias in zip(shapes, self.biases, strict=True))


def _biasshapes_of(bias: Shape) -> list[Shape]:
    n = int(np.prod(bias))
    return [(n,), (n, 1), (1, n)]


def shapes_of(listed: Any) -> list[Shape | None]:
    """The shape of each array of a list, None for what has none; [] for what is no list."""
    return [_shape(array) for array in listed] if isinstance(listed, (tuple, list)) else []


def _shape(array: Any) -> Shape | None:
    try:
        return None if array is None else tuple(int(n) for n in np.shape(array))
    except Exception:  # a list of unequal lists, or anything that is no array
        return None


def _in_pairs(given: Sequence[Any], expected: _Expected) -> bool:
    if len(given) != expected.layers or not all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in given):
        return False
    return expected.are_weights([pair[0] for pair in given]) and expected.are_biases([pair[1] for pair in given])


def _in_wrong_order(given: Sequence[Any], expected: _Expected) -> bool:
    return len(given) == 2 and expected.are_biases(given[0]) and expected.are_weights(given[1])


def _by_turns(given: Sequence[Any], expected: _Expected) -> bool:
    pairs = zip(expected.weights, expected.biases, strict=True)
    turns = [shape for pair in pairs for shape in pair if shape is not None]
    return shapes_of(given) == turns


def _weights_alone(given: Sequence[Any], expected: _Expected) -> bool:
    return expected.are_weights(given)


def _with_loss(given: Sequence[Any], expected: _Expected) -> bool:
    if len(given) not in (2, 3) or _shape(given[0]) != ():
        return False
    gradient = given[1] if len(given) == 2 else given[1:]
    return isinstance(gradient, (tuple, list)) and len(gradient) == 2 and expected.are_weights(gradient[0])


def _folded(given: Sequence[Any], expected: _Expected) -> bool:
    if not given:
        return False
    rows = [(outputs, inputs + 1) for outputs, inputs in expected.weights]
    shapes = shapes_of(given[0])
    return shapes in (rows, [shape[::-1] for shape in rows]) or shapes_of(given) == rows


def _transposed(given: Sequence[Any], expected: _Expected) -> bool:
    return len(given) == 2 and not expected.are_weights(given[0]) and shapes_of(given[0]) == [shape[::-1] for shape in expected.weights]


def _of_each_sample(given: Sequence[Any], expected: _Expected) -> bool:
    return bool(given and expected.batch) and shapes_of(given[0]) == [(expected.batch, *shape) for shape in expected.weights]


def _biases_in_two_dimensions(given: Sequence[Any], expected: _Expected) -> bool:
    if len(given) != 2 or not expected.are_weights(given[0]) or not expected.are_biases(given[1]):
        return False
    return shapes_of(given[1]) != expected.biases


def _in_order(given: Sequence[Any], expected: _Expected) -> bool:
    return len(given) == 2 and expected.are_weights(given[0]) and shapes_of(given[1]) == expected.biases


FORMS = (
    (
        _in_pairs,
        "it is one (dC/dW, dC/db) for each layer, as jax.grad gives of a list of pairs: "
        f'return {WANTED}, or say backproof.adapt(f, returns="pairs")',
    ),
    (
        _biases_in_two_dimensions,
        'dC/db are columns or rows: return vectors, or say backproof.adapt(f, biases="column") or biases="row" if the biases are to be '
        "given so as well",
    ),
    (_in_wrong_order, f'it is (list of dC/db, list of dC/dW): return {WANTED}, or say backproof.adapt(f, returns="biases_weights")'),
    (_by_turns, f"it is one list, dC/dW and dC/db by turns, as of a model's parameters: return {WANTED}"),
    (_weights_alone, f"it is a list of dC/dW without dC/db: return {WANTED}, or (list of dC/dW, None) where there are no biases"),
    (_with_loss, "it begins with the loss: return backproof.Gradient(list of dC/dW, list of dC/db, loss=...)"),
    (
        _folded,
        "each dC/dW has one number more for each output than there are weights, as where the bias is folded into the weights: "
        'split it off as dC/db, or say backproof.adapt(f, biases="folded_first") or biases="folded_last"',
    ),
    (
        _transposed,
        'each dC/dW is transposed: return dW.T, or say backproof.adapt(f, weights="in_out") if the weights are to be given so as well',
    ),
    (_of_each_sample, "each dC/dW has one array for each sample: add them up, and divide by their number where the reduction is mean"),
)
"""Whether an answer looks like a form, and what is then said, the surest first."""
