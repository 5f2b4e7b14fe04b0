"""Adapters for the common shapes of hand-written code: f(weights, biases, activations, x, y)."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import combinations
from typing import Any

import numpy as np

from backproof.targets.target import Target, TargetError
from properties.answers.answer import Malformed
from properties.answers.other_forms import other_form, shapes_of
from reference.arrays import AnyArray
from reference.dtypes import as_array
from reference.gradient import Gradient
from reference.problem import Problem

LAYOUTS = {
    "samples": ("rows", "columns", "one"),
    "weights": ("out_in", "in_out"),
    "biases": ("vector", "column", "row", "folded_first", "folded_last"),
    "returns": ("weights_biases", "biases_weights", "pairs"),
}
BIAS_SHAPES = {"vector": (-1,), "column": (-1, 1), "row": (1, -1)}
FOLDED = {"folded_first": 0, "folded_last": -1}
"""Where the bias stands among the weights of its node, which come from node to node: from a node that is always 1."""


def adapt(
    f: Callable[..., Any],
    *,
    samples: str = "rows",
    weights: str = "out_in",
    biases: str = "vector",
    returns: str = "weights_biases",
    supports: Mapping[str, Any] | None = None,
) -> Target:
    """A target from a function f(weights, biases, activations, x, y) in a layout of its own.

    samples: "rows" if x is (batch, n_0), "columns" if it is (n_0, batch), "one" if f takes one sample at a time, (n_0,), whose
        gradients are then added up.
    weights: "out_in" if a weight is (n_l, n_{l-1}), "in_out" if it is the transpose of that.
    biases: "vector" if a bias is (n_l,), "column" if it is (n_l, 1), "row" if (1, n_l); "folded_first" if a weight is (n_l, 1 + n_{l-1})
        and holds the bias as its first column, "folded_last" if as its last (rows, where the weights are "in_out"): f is then given a
        list of None as its biases, and whatever it returns as dC/db is left alone.
    returns: "weights_biases" for (list of dC/dW, list of dC/db), "biases_weights" for the other order, "pairs" for a list with
        one (dC/dW, dC/db) for each layer.
    supports: what f can do, f.supports if not given. As f is told no loss, its losses are half_squared_error and its reductions sum,
        unless said there; with samples="one", a mean over samples is taken here.
    Raises TargetError.
    """
    layout = {"samples": samples, "weights": weights, "biases": biases, "returns": returns}
    for name, value in layout.items():
        if value not in LAYOUTS[name]:
            raise TargetError(f"adapt: {name} is {value!r}: expected one of {', '.join(LAYOUTS[name])}")
    as_said = _adapted(f, **layout)

    def target(problem: Problem) -> Gradient:
        try:
            return as_said(problem)
        except Malformed:
            raise
        except Exception as error:
            if options := _answers_by(f, layout, problem):
                error.add_note(f"with {options} it answers: say backproof.adapt(f, {options})")
            raise

    said = getattr(f, "supports", None) if supports is None else supports
    target.supports = {"losses": ["half_squared_error"], "reductions": ["sum"], **(said or {})}  # type: ignore[attr-defined]
    target.precision = getattr(f, "precision", None)  # type: ignore[attr-defined]
    target.__qualname__ = getattr(f, "__qualname__", "adapted")
    return target


def _answers_by(f: Callable[..., Any], layout: dict[str, str], problem: Problem) -> str:
    """The options of adapt by which f answers a problem that it raises at, with arrays of the right shapes; or ""."""
    with suppress(Exception):
        _adapted(f, **layout)(problem)
        return ""  # it raised once, for another reason
    changes = [{name: value} for name in ("samples", "weights", "biases") for value in LAYOUTS[name]]
    pairs = [{**one, **other} for one, other in combinations(changes, 2) if one.keys() != other.keys()]
    for change in changes + pairs:
        with suppress(Exception):
            answer = _adapted(f, **{**layout, **change})(problem)
            if [np.shape(weight) for weight in answer.weights] == [weight.shape for weight in problem.weights]:
                return ", ".join(f'{name}="{value}"' for name, value in change.items() if layout[name] != value)
    return ""


def _adapted(f: Callable[..., Any], samples: str, weights: str, biases: str, returns: str) -> Callable[[Problem], Gradient]:
    """What asks f by a layout."""

    def turned(arrays: Sequence[Any]) -> list[AnyArray]:
        # views, so that what f writes to its inputs is seen
        return [as_array(w).T if weights == "in_out" else w for w in arrays]

    def given(problem: Problem) -> tuple[list[AnyArray], list[AnyArray | None]]:
        """The weights and the biases as f has them."""
        if biases not in FOLDED:
            return turned(problem.weights), [None if b is None else b.reshape(BIAS_SHAPES[biases]) for b in problem.biases]
        parts = zip(problem.weights, problem.biases, strict=True)
        columns = [(w, np.zeros((len(w), 1), w.dtype) if b is None else b[:, None]) for w, b in parts]
        return turned([np.hstack([b, w] if FOLDED[biases] == 0 else [w, b]) for w, b in columns]), [None] * problem.depth

    def read(answer: Any, weight_shapes: list[Any]) -> tuple[Any, Any]:
        """(list of dC/dW, list of dC/db), whatever they hold."""
        if biases in FOLDED and shapes_of(answer) == weight_shapes:
            return answer, None
        if returns == "pairs":
            return [pair[0] for pair in answer], [pair[1] for pair in answer]
        first, second = answer
        return (second, first) if returns == "biases_weights" else (first, second)

    def gradient_of(answer: Any, shaped: list[AnyArray], biased: list[AnyArray | None]) -> Gradient:
        weight_shapes = [w.shape for w in shaped]
        try:
            dW, db = read(answer, weight_shapes)
            dW = list(dW)
        except Exception as error:
            dW, unread = None, f"the answer of f cannot be read as returns={returns!r} has it ({type(error).__name__}: {error})"
        else:
            unread = ""
        if shapes_of(dW) != weight_shapes:
            bias_shapes = [None if b is None else b.shape for b in biased]
            seen = other_form(answer, weight_shapes, bias_shapes, plain="it is (list of dC/dW, list of dC/db)")
            if seen or unread:
                raise Malformed("; ".join(part for part in (unread, seen) if part))
        if biases in FOLDED:
            if shapes_of(dW) != weight_shapes:
                raise Malformed(f"f answers dC/dW of the shapes {shapes_of(dW)}: expected {weight_shapes}, each with the bias in it")
            whole = [as_array(w) for w in turned(dW)]
            return Gradient([np.delete(w, FOLDED[biases], axis=1) for w in whole], [w[:, FOLDED[biases]] for w in whole])
        flat = None if db is None else [None if b is None else as_array(b).reshape(-1) for b in db]
        return Gradient(turned(dW), flat)

    def target(problem: Problem) -> Gradient:
        def call(x: AnyArray, y: AnyArray) -> Gradient:
            shaped, biased = given(problem)
            return gradient_of(f(shaped, biased, list(problem.activations), x, y), shaped, biased)

        if samples == "one":
            share = 1 / problem.batch if problem.reduction == "mean" else 1.0
            return _added([call(x, y) for x, y in zip(problem.x, problem.y, strict=True)], share)
        return call(problem.x.T, problem.y.T) if samples == "columns" else call(problem.x, problem.y)

    return target


def _added(gradients: list[Gradient], share: float) -> Gradient:
    """The sum over samples, each with its share: added up in float64, in the dtype of what is added."""

    def total(parts: Sequence[Any]) -> Any:
        if parts[0] is None:
            return None
        arrays = [as_array(part) for part in parts]
        return (np.sum(arrays, axis=0, dtype=np.float64) * share).astype(arrays[0].dtype)

    weights = [total(parts) for parts in zip(*(g.weights for g in gradients), strict=True)]
    if gradients[0].biases is None:
        return Gradient(weights)
    return Gradient(weights, [total(parts) for parts in zip(*(g.biases or () for g in gradients), strict=True)])
