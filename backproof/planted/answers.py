"""What a function answers: arrays and numbers in tuples, lists, dicts and dataclasses, each with its path, as [1] or .weights[0]."""

import copy
import dataclasses
import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import cached_property
from typing import Any

from .arrays import Arrays, LeftAlone, arrays_of, is_number, shape_of_list

Change = Callable[[str, Any], Any]
"""What becomes of an array or a number at a path."""


LEFT_OUT = object()
"""What a change gives in place of an array that is left out; of a list, since nothing else stays what it is without it."""


class WithKept(dict[str, Any]):
    """What a method answers, as "returned", and beside it what it leaves in its object, as ".dW": each name is a path."""


def mapped(answer: Any, change: Change, path: str = "") -> Any:
    """The answer with each of its arrays changed; what holds them is new, and of the same type. Raises LeftAlone."""
    if isinstance(answer, WithKept):
        return WithKept({name: _there(mapped(value, change, name)) for name, value in answer.items()})
    if arrays_of(answer) is not None or is_number(answer) or shape_of_list(answer) is not None:
        return change(path, answer)
    held: Any
    if isinstance(answer, dict):
        held = copy.copy(answer)
        for key, value in answer.items():
            held[key] = _there(mapped(value, change, f"{path}[{key!r}]"))
        return held
    if isinstance(answer, (tuple, list)) and type(answer).__name__ != "Size":  # torch.Size is a shape
        items = [mapped(value, change, f"{path}[{i}]") for i, value in enumerate(answer)]
        items = [item for item in items if item is not LEFT_OUT] if isinstance(answer, list) else [_there(item) for item in items]
        if type(answer) in (tuple, list):
            return type(answer)(items)
        if hasattr(answer, "_make"):
            return answer._make(items)
        if isinstance(answer, list):
            held = copy.copy(answer)
            held[:] = items
            return held
        return type(answer)(items)
    if dataclasses.is_dataclass(answer) and not isinstance(answer, type):
        held = copy.copy(answer)
        for field in dataclasses.fields(answer):
            if hasattr(answer, field.name):
                value = _there(mapped(getattr(answer, field.name), change, f"{path}.{field.name}"))
                object.__setattr__(held, field.name, value)
        for name in list(getattr(held, "__dict__", ())):
            if isinstance(getattr(type(held), name, None), cached_property):  # it was computed of what was there before
                del held.__dict__[name]
        return held
    return answer


def _there(value: Any) -> Any:
    """Raises LeftAlone of what is left out."""
    if value is LEFT_OUT:
        raise LeftAlone("an array can be left out of a list alone")
    return value


def arrays_in(answer: Any) -> list[tuple[str, Any]]:
    """All arrays and numbers of an answer, each with its path."""
    found: list[tuple[str, Any]] = []

    def noted(path: str, value: Any) -> Any:
        found.append((path, value))
        return value

    mapped(answer, noted)
    return found


def form_of(answer: Any) -> list[list[str]]:
    """Path, type and shape of each array of an answer."""
    return [[path, *_described(value)] for path, value in arrays_in(answer)]


def _described(value: Any) -> tuple[str, str]:
    arrays = arrays_of(value)
    if arrays is not None:
        return arrays.described(value)
    return ("list", str(shape_of_list(value))) if isinstance(value, list) else (type(value).__name__, "()")


def changed(value: Any, deed: Callable[[Arrays, Any], Any]) -> Any:
    """An array, a number or a list of numbers after a deed that knows arrays alone, in the type that it had. Raises LeftAlone."""
    arrays, numpy = arrays_of(value), sys.modules.get("numpy")
    if arrays is not None:
        # a warning of ours would be an error of the test's, where it asks for that
        with nullcontext() if numpy is None else numpy.errstate(all="ignore"):
            return arrays.as_before(deed(arrays, value), value)
    try:
        import numpy as np
    except ImportError:
        raise LeftAlone("numbers and lists of numbers are changed by NumPy, which is not installed here") from None
    array = np.asarray(value)
    if array.dtype.kind not in "ifc":
        raise LeftAlone("its whole numbers are too large")
    arrays = Arrays(np)
    with np.errstate(all="ignore"):
        made = np.asarray(arrays.as_before(deed(arrays, array), array))
    return made.tolist() if isinstance(value, list) else type(value)(made.item())
