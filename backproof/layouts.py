"""Adapters for the common shapes of hand-written code: f(weights, biases, activations, x, y)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from backproof.target import Target, TargetError
from reference.arrays import AnyArray
from reference.precisions import as_array
from reference.problem import Gradient, Problem

LAYOUTS = {
    "samples": ("rows", "columns", "one"),
    "weights": ("out_in", "in_out"),
    "biases": ("vector", "column", "row"),
    "returns": ("weights_biases", "biases_weights", "pairs"),
}
BIAS_SHAPES = {"vector": (-1,), "column": (-1, 1), "row": (1, -1)}


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
    biases: "vector" if a bias is (n_l,), "column" if it is (n_l, 1), "row" if (1, n_l).
    returns: "weights_biases" for (list of dC/dW, list of dC/db), "biases_weights" for the other order, "pairs" for a list with
        one (dC/dW, dC/db) for each layer.
    supports: what f can do, f.supports if not given. As f is told no loss, its losses are half_squared_error and its reductions sum,
        unless said there; with samples="one", a mean over samples is taken here.
    Raises TargetError.
    """
    for name, value in {"samples": samples, "weights": weights, "biases": biases, "returns": returns}.items():
        if value not in LAYOUTS[name]:
            raise TargetError(f"adapt: {name} is {value!r}: expected one of {', '.join(LAYOUTS[name])}")

    def turned(arrays: Sequence[Any]) -> list[AnyArray]:
        # views, so that what f writes to its inputs is seen
        return [as_array(w).T if weights == "in_out" else w for w in arrays]

    def read(answer: Any) -> tuple[Any, Any]:
        if returns == "pairs":
            return [pair[0] for pair in answer], [pair[1] for pair in answer]
        first, second = answer
        return (second, first) if returns == "biases_weights" else (first, second)

    def target(problem: Problem) -> Gradient:
        shaped = [None if b is None else b.reshape(BIAS_SHAPES[biases]) for b in problem.biases]

        def call(x: AnyArray, y: AnyArray) -> Gradient:
            dW, db = read(f(turned(problem.weights), shaped, list(problem.activations), x, y))
            flat = None if db is None else [None if b is None else as_array(b).reshape(-1) for b in db]
            return Gradient(turned(dW), flat)

        if samples == "one":
            share = 1 / problem.batch if problem.reduction == "mean" else 1.0
            return _added([call(x, y) for x, y in zip(problem.x, problem.y, strict=True)], share)
        return call(problem.x.T, problem.y.T) if samples == "columns" else call(problem.x, problem.y)

    said = getattr(f, "supports", None) if supports is None else supports
    target.supports = {"losses": ["half_squared_error"], "reductions": ["sum"], **(said or {})}  # type: ignore[attr-defined]
    target.precision = getattr(f, "precision", None)  # type: ignore[attr-defined]
    target.__qualname__ = getattr(f, "__qualname__", "adapted")
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
