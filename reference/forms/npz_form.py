"""The binary form of problems and gradients, for arrays too large for JSON: NumPy's .npz, without pickle.

Arrays stand under "layer 1: weights", "x" and so on; what is not an array is a JSON text under "form". A gradient keeps its dtypes;
bfloat16, which .npz has no name for, is what .npz calls V2.
"""

import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from reference.arrays import AnyArray
from reference.dtypes import DTYPES, as_array
from reference.errors import ProblemError
from reference.forms.json_form import GRADIENT, PROBLEM, READ, READ_IN_WORDS, VERSION, choice_of, problem_without_arrays
from reference.quantities import BY_LAYER, SINGLE

SUFFIX = ".npz"
"""What the name of a file in this form ends in."""

File: TypeAlias = Path | BinaryIO
"""A path that ends in SUFFIX, or an open file."""


def save_problem(problem: Any, file: File) -> None:
    """Write a Problem."""
    arrays = {f"layer {i}: weights": weight for i, weight in enumerate(problem.weights, 1)}
    arrays |= {f"layer {i}: biases": bias for i, bias in enumerate(problem.biases, 1) if bias is not None}
    arrays |= {name: getattr(problem, name) for name in ("x", "y", "sample_weights") if getattr(problem, name) is not None}
    _save(file, problem_without_arrays(problem), arrays)


def problem_parts(file: File) -> dict[str, Any]:
    """What Problem takes, of a file. Raises ProblemError and OSError."""
    form, arrays = _load(file, PROBLEM, ("layers", "loss", "reduction", "wants"))
    if form["version"] == 1:
        choices = [form["loss"], *(form["activations"] if isinstance(form["activations"], list) else [None])]
        if not all(isinstance(choice, str) or (isinstance(choice, list) and len(choice) == 2) for choice in choices):
            raise ProblemError("loss and activations are no names, or lists of a name and its parameters")
        loss, *activations = [choice if isinstance(choice, str) else tuple(choice) for choice in choices]
        layers = range(1, form["layers"] + 1)
    else:
        loss = choice_of(form["loss"], "loss")
        activations = [choice_of(layer["activation"], f"layer {i}: activation") for i, layer in enumerate(form["layers"], 1)]
        layers = range(1, len(activations) + 1)
    missing = [name for name in (*(f"layer {i}: weights" for i in layers), "x", "y") if name not in arrays]
    if missing:
        raise ProblemError(f"{missing[0]} is missing: expected an array under that name")
    return {
        "weights": [arrays[f"layer {i}: weights"] for i in layers],
        "biases": [arrays.get(f"layer {i}: biases") for i in layers],
        "activations": activations,
        "x": arrays["x"],
        "y": arrays["y"],
        "loss": loss,
        "reduction": form["reduction"],
        "sample_weights": arrays.get("sample_weights"),
        "penalty": None if form.get("penalty") is None else choice_of(form["penalty"], "penalty"),
        "wants": form["wants"],
    }


def save_gradient(gradient: Any, file: File) -> None:
    """Write a Gradient."""
    named = {(f"layer {place.layer}: {place.quantity}" if place.layer else place.quantity): array for place, array in gradient.arrays()}
    layers: list[Any] = [{} for _ in gradient.weights]
    _save(file, {"schema": GRADIENT, "version": VERSION, "layers": layers}, {name: as_array(array) for name, array in named.items()})


def gradient_parts(file: File) -> dict[str, Any]:
    """What Gradient takes, of a file. Raises ProblemError and OSError."""
    form, arrays = _load(file, GRADIENT, ("layers",))
    layers = range(1, (form["layers"] if form["version"] == 1 else len(form["layers"])) + 1)
    parts: dict[str, Any] = {quantity: arrays.get(quantity) for quantity in SINGLE}
    for quantity in BY_LAYER:
        listed = [arrays.get(f"layer {i}: {quantity}") for i in layers]
        parts[quantity] = listed if any(array is not None for array in listed) else None
    if parts["weights"] is None:
        raise ProblemError("layer 1: weights is missing: expected an array under that name")
    return parts


def _save(file: File, form: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
    np.savez(file, form=np.array(json.dumps(form)), **arrays)  # type: ignore[arg-type]


def _load(file: File, schema: str, needed: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, AnyArray]]:
    try:
        with np.load(file, allow_pickle=False) as held:
            arrays = {name: _named(held[name]) for name in held.files}
        form = json.loads(str(arrays.pop("form")))
    except (ValueError, KeyError, EOFError, TypeError, RecursionError, zipfile.BadZipFile, zlib.error) as error:
        raise ProblemError(f"not a file of this form ({error}): expected .npz as backproof writes it, without pickle") from None
    if not isinstance(form, dict) or form.get("schema") != schema:
        raise ProblemError(f"form has no schema {schema!r}: it is another file")
    version = form.get("version")
    if version not in READ or isinstance(version, bool):
        raise ProblemError(f"version is {version!r}: this backproof reads {READ_IN_WORDS} of {schema}")
    needed = (*needed, "activations") if version == 1 and schema == PROBLEM else needed
    missing = [name for name in needed if name not in form]
    if missing:
        raise ProblemError(f"form has no {missing[0]!r}: expected {', '.join(needed)}")
    _check_layers(form["layers"], version, schema)
    return form, arrays


def _check_layers(layers: Any, version: int, schema: str) -> None:
    if version == 1 and (not isinstance(layers, int) or isinstance(layers, bool) or layers < 1):
        raise ProblemError(f"layers is {layers!r}, expected a whole number, at least 1")
    if version == 1:
        return
    if not isinstance(layers, list) or not layers or not all(isinstance(layer, dict) for layer in layers):
        raise ProblemError(f"layers is {layers!r}, expected a list with one object for each layer")
    if schema == PROBLEM and not all("activation" in layer for layer in layers):
        raise ProblemError("a layer of form has no 'activation': expected one for each layer")


def _named(array: AnyArray) -> AnyArray:
    """An array as it was saved."""
    return array.view(DTYPES["bfloat16"]) if array.dtype == np.dtype("V2") else array
