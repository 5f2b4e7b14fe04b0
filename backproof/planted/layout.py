"""The problem that a call of somebody's function poses, of arrays in a layout of its own: the other way round than `backproof.adapt`."""

from collections.abc import Mapping
from typing import Any

WORDS: dict[str, tuple[str, ...]] = {
    "samples": ("rows", "columns", "one"),
    "weights": ("out_in", "in_out"),
    "biases": ("vector", "column", "row"),
    "layers": ("lists", "pairs", "dicts", "dict", "arguments"),
    "order": ("layers_first", "samples_first"),
    "expected": ("rows", "class_index"),
    "activations": (),
    "loss": (),
    "reduction": ("sum", "mean"),
}
"""What may be said of a call: what `adapt` says of a function, the usual one first, and what its network is where it is not told.

activations: names with blanks between, or one for all layers; left out where the function is told them.
"""


def words_of(text: str) -> dict[str, str]:
    """What "samples=columns, activations=tanh sigmoid" says. Raises ValueError, which says what is expected."""
    said: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (each.strip() for each in part.partition("="))
        if not equals or name not in WORDS:
            raise ValueError(f"{part!r}: expected name=value, with one of the names {', '.join(WORDS)}")
        if WORDS[name] and value not in WORDS[name]:
            raise ValueError(f"{name} is {value!r}: expected one of {', '.join(WORDS[name])}")
        said[name] = value
    return said


def problem_of(args: tuple[Any, ...], kwargs: dict[str, Any], words: Mapping[str, str]) -> Any:
    """The problem that a call poses. Raises whatever comes of a call that is none."""
    from reference.problem import Problem

    values = [*args, *kwargs.values()]
    if words.get("order") == "samples_first":
        x, y, *rest = values
    else:
        *rest, x, y = values
    names = words["activations"].split() if "activations" in words else list(rest.pop())
    weights, biases = _layers(rest, words.get("layers", "lists"))
    weights = [_array(weight).T if words.get("weights") == "in_out" else _array(weight) for weight in weights]
    return Problem(
        weights,
        biases=[None if bias is None else _array(bias).reshape(-1) for bias in biases],
        activations=names * len(weights) if len(names) == 1 else names,
        x=_samples(_array(x), words),
        y=_classes(y, len(weights[-1])) if words.get("expected") == "class_index" else _samples(_array(y), words),
        loss=words.get("loss", "half_squared_error"),
        reduction=words.get("reduction", "sum"),
    )


def _layers(held: list[Any], form: str) -> tuple[list[Any], list[Any]]:
    """The weights and the biases of all layers."""
    if form == "lists":
        return list(held[0]), [None] * len(held[0]) if len(held) < 2 or held[1] is None else list(held[1])
    if form == "pairs":
        return [pair[0] for pair in held[0]], [pair[1] for pair in held[0]]
    if form == "dicts":
        return [layer["W"] for layer in held[0]], [layer.get("b") for layer in held[0]]
    if form == "dict":
        numbers = range(1, 1 + sum(name.startswith("W") for name in held[0]))
        return [held[0][f"W{i}"] for i in numbers], [held[0].get(f"b{i}") for i in numbers]
    return held[::2], held[1::2]


def _samples(array: Any, words: Mapping[str, str]) -> Any:
    if words.get("samples") == "columns":
        return array.T
    return array.reshape(1, -1) if words.get("samples") == "one" else array


def _classes(y: Any, classes: int) -> Any:
    import numpy

    return numpy.eye(classes)[_array(y).astype(int).reshape(-1)]


def _array(value: Any) -> Any:
    import numpy

    return numpy.asarray(value.detach().cpu().double() if hasattr(value, "detach") else value, dtype=numpy.float64)
