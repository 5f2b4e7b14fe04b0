"""How a problem names an activation or a loss: a name, or a name with its parameters."""

import inspect
import math
import numbers
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any, TypeAlias, TypeVar

from reference.nearest import did_you_mean

Choice: TypeAlias = str | tuple[str, dict[str, float]]
Row = TypeVar("Row")


def defaults(make: Callable[..., Any]) -> dict[str, float]:
    """The parameters of a table's row, with their default values."""
    return dict(_defaults(make))


@cache
def _defaults(make: Callable[..., Any]) -> tuple[tuple[str, float], ...]:
    return tuple((name, parameter.default) for name, parameter in inspect.signature(make).parameters.items())


CROSS_ENTROPY = "'cross_entropy_of_probabilities', where the last layer is a softmax, or 'softmax_cross_entropy', of logits"
BINARY = (
    "'binary_cross_entropy_of_probabilities', where the last layer is a sigmoid, or 'binary_cross_entropy_with_logits': the mean over "
    "outputs, and with 'summed_' before it the sum"
)

ELSEWHERE = {
    "log_softmax": "part of the loss softmax_cross_entropy, behind an output activation 'identity'",
    "linear": "'identity'",
    "logistic": "'sigmoid'",
    "swish": "'silu'",
    "mse": "'mean_squared_error'",
    "cross_entropy": CROSS_ENTROPY,
    "categorical_crossentropy": CROSS_ENTROPY,
    "bce": BINARY,
    "binary_cross_entropy": BINARY,
    "nll": CROSS_ENTROPY,
    "log_loss": f"{BINARY}; of classes {CROSS_ENTROPY}",
}
"""What is called otherwise elsewhere."""


def normal_choice(table: Mapping[str, Callable[..., Any]], choice: object, noun: str, where: str = "") -> Choice:
    """The one way to write a choice: a bare name where every parameter has its default value.

    table: name -> function of the parameters; choice: "elu", ("elu", {"alpha": -2.0}) or ["elu", {...}];
    noun: "activation" or "loss", where: "layer 2: ", for the message.
    Raises ValueError, saying what is allowed.
    """
    name, parameters = choice if isinstance(choice, (tuple, list)) and len(choice) == 2 else (choice, {})
    if not isinstance(name, str) or name not in table:
        here = f"here it is {ELSEWHERE[name]}; " if isinstance(name, str) and name in ELSEWHERE else did_you_mean(name, table)
        raise ValueError(f"{where}{noun} {name!r} is not known: {here}expected one of {', '.join(table)}")
    if not isinstance(parameters, Mapping):
        raise ValueError(f"{where}{noun} {name!r}: parameters are {parameters!r}, expected a dict of numbers")
    allowed = defaults(table[name])
    for key, value in parameters.items():
        if key not in allowed:
            raise ValueError(
                f"{where}{noun} {name!r} has no parameter {key!r}: {did_you_mean(key, allowed)}it takes {', '.join(allowed) or 'none'}"
            )
        if not _is_finite(value):
            raise ValueError(f"{where}{noun} {name!r}: {key} is {value!r}, expected a finite number")
    changed = {key: float(parameters[key]) + 0.0 for key in allowed if parameters.get(key, allowed[key]) != allowed[key]}
    chosen: Choice = (name, changed) if changed else name
    try:
        row_of(table, chosen)
    except ValueError as error:
        raise ValueError(f"{where}{noun} {name!r}: {error}") from None
    return chosen


def _is_finite(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond float64
        return False


def name_and_parameters(choice: Choice) -> tuple[str, dict[str, float]]:
    """A choice's name and those of its parameters that are not the default."""
    return (choice, {}) if isinstance(choice, str) else choice


def row_of(table: Mapping[str, Callable[..., Row]], choice: Choice) -> Row:
    """The row that a choice names, with its parameters filled in."""
    if isinstance(choice, str):
        return _bind(table[choice], ())
    name, parameters = choice
    return _bind(table[name], tuple(parameters.items()))


@lru_cache(maxsize=1024)
def _bind(make: Callable[..., Row], parameters: tuple[tuple[str, float], ...]) -> Row:
    return make(**dict(parameters))
