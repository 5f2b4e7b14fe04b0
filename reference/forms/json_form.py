"""The one JSON form of problems and gradients: by layer, with schema and version, exact to the bit.

Numbers are the shortest decimals that give the same float64 back; NaN and infinities are the strings "NaN", "Infinity"
and "-Infinity"; the sign of zero is not kept.
"""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from reference.arrays import AnyArray
from reference.dtypes import DTYPES, as_array
from reference.errors import ProblemError
from reference.functions.parametrised import Choice
from reference.quantities import BY_LAYER, SINGLE

VERSION, READ = 2, (1, 2)
"""The version that is written, and those that are read: version 1 of this form is the same."""
READ_IN_WORDS = "versions 1 and 2"
PROBLEM = "backproof.problem"
GRADIENT = "backproof.gradient"
STRINGS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def problem_data(problem: Any) -> dict[str, Any]:
    """A Problem as plain data."""
    data = problem_without_arrays(problem)
    for layer, weight, bias in zip(data["layers"], problem.weights, problem.biases, strict=True):
        layer |= {"weights": numbers(weight), "biases": None if bias is None else numbers(bias)}
    data |= {"x": numbers(problem.x), "y": numbers(problem.y)}
    return data if problem.sample_weights is None else data | {"sample_weights": numbers(problem.sample_weights)}


def problem_without_arrays(problem: Any) -> dict[str, Any]:
    """All of it but the arrays."""
    return {
        "schema": PROBLEM,
        "version": VERSION,
        "layers": [{"activation": choice_data(choice)} for choice in problem.activations],
        "loss": choice_data(problem.loss),
        "reduction": problem.reduction,
        "wants": list(problem.wants),
    } | ({} if problem.penalty is None else {"penalty": choice_data(problem.penalty)})


def problem_parts(data: Any) -> dict[str, Any]:
    """What Problem takes, of plain data. Raises ProblemError."""
    _check(data, PROBLEM, ("layers", "x", "y"), ("loss", "reduction", "sample_weights", "penalty", "wants"))
    layers = data["layers"]
    if not isinstance(layers, list):
        raise ProblemError(f"layers is {_kind(layers)}: expected a list with one object for each layer")
    for i, layer in enumerate(layers, 1):
        _check_names(layer, ("weights", "activation"), ("biases",), f"layer {i}: ")
    wants = data.get("wants", [])
    if not isinstance(wants, list):
        raise ProblemError(f"wants is {_kind(wants)}: expected a list of names")
    biases = [layer.get("biases") for layer in layers]
    return {
        "weights": [_array(layer["weights"], f"layer {i}: weights") for i, layer in enumerate(layers, 1)],
        "biases": [None if bias is None else _array(bias, f"layer {i}: biases") for i, bias in enumerate(biases, 1)],
        "activations": [choice_of(layer["activation"], f"layer {i}: activation") for i, layer in enumerate(layers, 1)],
        "x": _array(data["x"], "x"),
        "y": _array(data["y"], "y"),
        "loss": choice_of(data.get("loss", "half_squared_error"), "loss"),
        "reduction": data.get("reduction", "sum"),
        "sample_weights": None if data.get("sample_weights") is None else _array(data["sample_weights"], "sample_weights"),
        "penalty": None if data.get("penalty") is None else choice_of(data["penalty"], "penalty"),
        "wants": wants,
    }


def gradient_data(gradient: Any) -> dict[str, Any]:
    """A gradient as plain data; "dtype" names the narrowest floating-point type of its arrays."""
    layers: list[dict[str, Any]] = [{} for _ in gradient.weights]
    for quantity in BY_LAYER:
        for layer, array in zip(layers, getattr(gradient, quantity) or (), strict=False):
            layer[quantity] = None if array is None else numbers(array)
    data: dict[str, Any] = {"schema": GRADIENT, "version": VERSION, "dtype": narrowest_dtype(gradient), "layers": layers}
    for quantity in SINGLE:
        if getattr(gradient, quantity) is not None:
            data[quantity] = numbers(getattr(gradient, quantity))
    return data


def gradient_parts(data: Any) -> dict[str, Any]:
    """What Gradient takes, of plain data. Raises ProblemError."""
    _check(data, GRADIENT, ("layers",), ("dtype", "x", "loss"))
    layers = data["layers"]
    if not isinstance(layers, list) or not layers:
        raise ProblemError(f"layers is {_kind(layers)}: expected a list with one object for each layer")
    for i, layer in enumerate(layers, 1):
        _check_names(layer, ("weights",), BY_LAYER[1:], f"layer {i}: ")
        if layer["weights"] is None:
            raise ProblemError(f"layer {i}: weights is null: expected an array")
    dtype = data.get("dtype", "float64")
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ProblemError(f"dtype is {dtype!r}: expected one of {', '.join(DTYPES)}")

    def array(value: Any, where: str) -> AnyArray:
        wide = _array(value, where)
        with np.errstate(over="ignore"):
            narrow = wide.astype(DTYPES[dtype])
        return narrow if np.array_equal(narrow, wide, equal_nan=True) else wide

    given: dict[str, Any] = {}
    for quantity in BY_LAYER:
        values = [layer.get(quantity) for layer in layers]
        if any(value is not None for value in values):
            given[quantity] = [None if value is None else array(value, f"layer {i}: {quantity}") for i, value in enumerate(values, 1)]
    for quantity in SINGLE:
        if data.get(quantity) is not None:
            given[quantity] = array(data[quantity], quantity)
    return given


def narrowest_dtype(gradient: Any) -> str:
    """The narrowest dtype of DTYPES among the arrays of a gradient, by its name; float64 if there is none."""
    names = {dtype.name for dtype in {as_array(array).dtype for _, array in gradient.arrays()}}
    return next((name for name in reversed(DTYPES) if name in names), "float64")


def dump(data: Any) -> str:
    """Plain data as JSON text of standard JSON only."""
    return json.dumps(data, allow_nan=False, ensure_ascii=False)


def parse(text: str) -> Any:
    """Plain data of JSON text. Raises ProblemError, with line and column."""

    def refuse(constant: str) -> Any:
        raise ProblemError(f'not JSON: {constant} is no JSON number: expected "NaN", "Infinity" or "-Infinity" as a string')

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        data = dict(pairs)
        if len(data) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise ProblemError(f"{twice!r} is given twice in one object: expected once")
        return data

    try:
        return json.loads(text, parse_constant=refuse, object_pairs_hook=once)
    except ProblemError:
        raise
    except json.JSONDecodeError as error:
        raise ProblemError(f"not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except ValueError:  # Python's limit on the digits of an integer
        raise ProblemError("not JSON of a problem: an integer has too many digits") from None
    except RecursionError:
        raise ProblemError("not JSON of a problem: it is nested too deeply") from None


def numbers(array: Any) -> Any:
    """An array as nested lists of numbers, or a scalar as a number."""

    def number(value: float) -> float | str:
        if math.isfinite(value):
            return value + 0.0
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"

    def plain(values: Any) -> Any:
        return [plain(value) for value in values] if isinstance(values, list) else number(values)

    with np.errstate(invalid="ignore"):  # a NaN may be a signalling one
        return plain(np.asarray(as_array(array), dtype=np.float64).tolist())


def _array(value: Any, where: str) -> AnyArray:
    def number(item: Any) -> Any:
        if isinstance(item, list):
            return [number(i) for i in item]
        if isinstance(item, str) and item in STRINGS:
            return STRINGS[item]
        if isinstance(item, bool) or not isinstance(item, (int, float)):
            raise ProblemError(f'{where}: {_written(item)} is no number: expected a number, "NaN", "Infinity" or "-Infinity"')
        return item

    try:
        return np.array(number(value), dtype=np.float64)
    except ProblemError:
        raise
    except RecursionError:
        raise ProblemError(f"{where} is nested too deeply: expected lists of numbers") from None
    except (ValueError, OverflowError):
        raise ProblemError(f"{where} has rows of different lengths, or a number that is too large: expected a full array") from None


def _written(item: Any) -> str:
    """A value as a message shows it: true and null as in JSON, an object by its kind."""
    return _kind(item) if isinstance(item, dict) else json.dumps(item) if item is None or isinstance(item, bool) else repr(item)


def choice_data(choice: Choice) -> Any:
    """An activation, a loss or a penalty as plain data."""
    return choice if isinstance(choice, str) else {"name": choice[0], **choice[1]}


def choice_of(data: Any, what: str) -> Any:
    """The activation, loss or penalty of plain data. Raises ProblemError."""
    if isinstance(data, str):
        return data
    if not isinstance(data, dict) or "name" not in data:
        raise ProblemError(f'{what} is {data!r}: expected a name, or an object such as {{"name": "elu", "alpha": 1.5}}')
    return data["name"], {key: value for key, value in data.items() if key != "name"}


def _check(data: Any, schema: str, needed: Sequence[str], optional: Sequence[str]) -> None:
    if isinstance(data, dict) and data.get("schema") != schema:
        raise ProblemError(f"schema is {data.get('schema')!r}: expected {schema!r}")
    if isinstance(data, dict) and (data.get("version") not in READ or isinstance(data["version"], bool)):
        raise ProblemError(f"version is {data.get('version')!r}: this backproof reads {READ_IN_WORDS} of {schema}")
    _check_names(data, ("schema", "version", *needed), optional, "")


def _check_names(data: Any, needed: Sequence[str], optional: Sequence[str], where: str) -> None:
    if not isinstance(data, dict):
        raise ProblemError(f"{where}found {_kind(data)}: expected an object with {', '.join(needed)}")
    for name in needed:
        if name not in data:
            raise ProblemError(f"{where}{name} is missing: expected {', '.join(needed)}")
    for name in data:
        if name not in needed and name not in optional:
            raise ProblemError(f"{where}{name!r} is not known: expected {', '.join((*needed, *optional))}")


def _kind(value: Any) -> str:
    kinds: dict[type, str] = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")
