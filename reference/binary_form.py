"""The binary form of problems and gradients, for arrays too large for JSON: NumPy's .npz, without pickle.

Arrays stand under "layer 1: weights", "x" and so on; what is not an array is a JSON text under "form". A gradient keeps its dtypes;
bfloat16, which .npz has no name for, is what .npz calls V2.
"""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from reference.arrays import AnyArray
from reference.json_form import GRADIENT, LAYER_QUANTITIES, PROBLEM, VERSION
from reference.precisions import DTYPES, as_array
from reference.problem import Gradient, Problem, ProblemError

SUFFIX = ".npz"
"""What the name of a file in this form ends in."""

File: TypeAlias = Path | BinaryIO
"""A path that ends in SUFFIX, or an open file."""


def save_problem(problem: Problem, file: File) -> None:
    """Write a problem."""
    plain = {"activations": problem.activations, "loss": problem.loss, "reduction": problem.reduction, "wants": problem.wants[2:]}
    arrays = {f"layer {i}: weights": weight for i, weight in enumerate(problem.weights, 1)}
    arrays |= {f"layer {i}: biases": bias for i, bias in enumerate(problem.biases, 1) if bias is not None}
    _save(file, PROBLEM, plain | {"layers": problem.depth}, arrays | {"x": problem.x, "y": problem.y})


def load_problem(file: File) -> Problem:
    """Read a problem. Raises ProblemError and OSError."""
    form, arrays = _load(file, PROBLEM, ("layers", "activations", "loss", "reduction", "wants"))
    layers = range(1, form["layers"] + 1)
    missing = [name for name in (*(f"layer {i}: weights" for i in layers), "x", "y") if name not in arrays]
    if missing:
        raise ProblemError(f"{missing[0]} is missing: expected an array under that name")
    return Problem(
        [arrays[f"layer {i}: weights"] for i in layers],
        biases=[arrays.get(f"layer {i}: biases") for i in layers],
        activations=[choice if isinstance(choice, str) else tuple(choice) for choice in form["activations"]],
        x=arrays["x"],
        y=arrays["y"],
        loss=form["loss"] if isinstance(form["loss"], str) else tuple(form["loss"]),
        reduction=form["reduction"],
        wants=form["wants"],
    )


def save_gradient(gradient: Gradient, file: File) -> None:
    """Write a gradient."""
    arrays = {quantity: as_array(getattr(gradient, quantity)) for quantity in ("x", "loss") if getattr(gradient, quantity) is not None}
    for quantity in LAYER_QUANTITIES:
        for i, array in enumerate(getattr(gradient, quantity) or (), 1):
            arrays |= {} if array is None else {f"layer {i}: {quantity}": as_array(array)}
    _save(file, GRADIENT, {"layers": len(gradient.weights)}, arrays)


def load_gradient(file: File) -> Gradient:
    """Read a gradient. Raises ProblemError and OSError."""
    form, arrays = _load(file, GRADIENT, ("layers",))
    given: dict[str, Any] = {quantity: arrays.get(quantity) for quantity in ("x", "loss")}
    for quantity in LAYER_QUANTITIES:
        listed = [arrays.get(f"layer {i}: {quantity}") for i in range(1, form["layers"] + 1)]
        given[quantity] = listed if any(array is not None for array in listed) else None
    if given["weights"] is None:
        raise ProblemError("layer 1: weights is missing: expected an array under that name")
    return Gradient(**given)


def _save(file: File, schema: str, plain: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
    form = json.dumps({"schema": schema, "version": VERSION, **plain})
    np.savez(file, form=np.array(form), **arrays)  # type: ignore[arg-type]


def _load(file: File, schema: str, needed: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, AnyArray]]:
    try:
        with np.load(file, allow_pickle=False) as held:
            arrays = {name: _named(held[name]) for name in held.files}
        form = json.loads(str(arrays.pop("form")))
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ProblemError(f"not a file of this form ({error}): expected .npz as backproof writes it, without pickle") from None
    if not isinstance(form, dict) or form.get("schema") != schema:
        raise ProblemError(f"form has no schema {schema!r}: it is another file")
    if form.get("version") != VERSION:
        raise ProblemError(f"version is {form.get('version')!r}: this backproof reads version {VERSION} of {schema}")
    missing = [name for name in needed if name not in form]
    if missing:
        raise ProblemError(f"form has no {missing[0]!r}: expected {', '.join(needed)}")
    if not isinstance(form["layers"], int) or form["layers"] < 1:
        raise ProblemError(f"layers is {form['layers']!r}, expected a whole number, at least 1")
    return form, arrays


def _named(array: AnyArray) -> AnyArray:
    """An array as it was saved."""
    return array.view(DTYPES["bfloat16"]) if array.dtype == np.dtype("V2") else array
