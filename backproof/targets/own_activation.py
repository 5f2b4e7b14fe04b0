"""An activation of somebody's own: g and g' as functions of arrays of NumPy, PyTorch or JAX, or g alone, to be differentiated."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from backproof.targets.target import TargetError, _Limited, _TimeIsUp, load_object, no_answer_within, told_of
from reference.arrays import AnyArray, Array
from rounding.precisions import Precision

ARRAYS = ("numpy", "torch", "jax")
"""Of which libraries arrays are given."""

NAMES = (("value", "derivative"), ("forward", "derivative"), ("g", "dg"), ("f", "df"))
"""What an object may call its g and g'."""

ALONE = "numpy"
"""What is taken where nothing says of which library the arrays are."""

GIVEN = "a pair (g, g') of functions of an array, as module:g,module:dg or a tuple, or an object with value and derivative"


@dataclass(frozen=True)
class OwnActivation:
    """g and g' of arrays (n,); derivative None: the library differentiates g. arrays: one of ARRAYS."""

    name: str
    value: Callable[[Any], Any]
    derivative: Callable[[Any], Any] | None
    arrays: str
    time_limit: float

    def __call__(self, z: Array, precision: Precision) -> tuple[Array, Array]:
        """g and g' at each z, (n,), as float64. Raises TargetError where it gives no such arrays."""
        try:
            with _Limited(self.time_limit), np.errstate(all="ignore"):
                value, slope = getattr(self, f"_by_{self.arrays}")(z, precision)
        except _TimeIsUp:
            raise TargetError(f"{self.name}: {no_answer_within(self.time_limit, self.time_limit)} of {len(z)} numbers") from None
        except (KeyboardInterrupt, TargetError):
            raise
        except BaseException as error:
            raise TargetError(f"{self.name} raised an error for an array of {len(z)} numbers: {told_of(error)}") from error
        return self._checked("g", value, z), self._checked("g'", slope, z)

    def _checked(self, name: str, given: Any, z: Array) -> Array:
        """Raises TargetError."""
        array: AnyArray = np.asarray(given)
        if array.shape != z.shape:
            raise TargetError(f"{self.name}: {name} has shape {array.shape} for z of shape {z.shape}: expected one number for each z")
        if array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16":
            raise TargetError(f"{self.name}: {name} is an array of {array.dtype}: expected numbers")
        return array.astype(np.float64)

    def _by_numpy(self, z: Array, precision: Precision) -> tuple[Any, Any]:
        assert self.derivative is not None
        # each has an array of its own, which it may write to
        return self.value(z.astype(precision.given)), self.derivative(z.astype(precision.given))

    def _by_torch(self, z: Array, precision: Precision) -> tuple[Any, Any]:
        import torch

        dtype = getattr(torch, precision.storage)

        def numbers(tensor: Any) -> Any:
            return tensor.detach().double().cpu().numpy() if isinstance(tensor, torch.Tensor) else tensor

        if self.derivative is not None:
            given = (torch.tensor(z).to(dtype) for _ in range(2))
            return numbers(self.value(next(given))), numbers(self.derivative(next(given)))
        leaf = torch.tensor(z).to(dtype).requires_grad_(True)
        a = self.value(leaf)
        if not isinstance(a, torch.Tensor) or not a.requires_grad:
            raise TargetError(f"{self.name}: PyTorch cannot differentiate it: give {GIVEN}")
        torch.autograd.backward(a, torch.ones_like(a))
        return numbers(a), numbers(leaf.grad)

    def _by_jax(self, z: Array, precision: Precision) -> tuple[Any, Any]:
        import jax

        with jax.enable_x64(True):
            given = jax.numpy.asarray(z).astype(precision.storage)

            def numbers(array: Any) -> Any:
                return np.asarray(array).astype(np.float64)

            if self.derivative is not None:
                return numbers(self.value(given)), numbers(self.derivative(given))
            a, back = jax.vjp(self.value, given)
            return numbers(a), numbers(back(jax.numpy.ones_like(a))[0])


def own_activation(given: Any, arrays: str | None, time_limit: float) -> OwnActivation | None:
    """The activation of what is given; None of a target, which is asked problems.

    given: "module:g,module:dg", a pair of functions, an object with both, a torch.autograd.Function or a module without parameters; or,
    where arrays is said, a function of an array alone, or the name of any of these. Raises TargetError.
    """
    name = given if isinstance(given, str) else ""
    if isinstance(given, str):
        if given.startswith("run:"):
            return None
        parts = [part.strip() for part in given.split(",")]
        if len(parts) > 2:
            raise TargetError(f"target is {given!r}: expected {GIVEN}")
        if len(parts) == 1 and arrays is None:
            return None
        files: dict[str, Any] = {}
        found = [load_object(part, files) for part in parts]
        given = found[0] if len(found) == 1 else tuple(found)
    return _of_object(given, name, arrays, time_limit)


def _of_object(given: Any, name: str, arrays: str | None, time_limit: float) -> OwnActivation | None:
    name = name or getattr(given, "__qualname__", "") or type(given).__name__
    pair = _pair_in(given)
    if pair is not None:
        if not all(callable(each) for each in pair):
            raise TargetError(f"{name} is a pair of {' and '.join(type(each).__name__ for each in pair)}: expected {GIVEN}")
        return OwnActivation(_named(name, pair), *pair, arrays or ALONE, time_limit)
    function = _of_torch(given)
    if function is not None:
        return OwnActivation(name, function, None, "torch", time_limit)
    if arrays is None:
        return None
    if not callable(given):
        raise TargetError(f"{name} is a {type(given).__name__}: expected {GIVEN}")
    if arrays == "numpy":
        raise TargetError(f"{name} is one function, and NumPy differentiates nothing: expected {GIVEN}; torch and jax differentiate g")
    return OwnActivation(name, given, None, arrays, time_limit)


def _named(name: str, pair: tuple[Any, Any]) -> str:
    return name if name != "tuple" else ", ".join(getattr(each, "__qualname__", type(each).__name__) for each in pair)


def _pair_in(given: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]] | None:
    """g and g' of a pair or of an object that has both."""
    if isinstance(given, (tuple, list)) and len(given) == 2:
        return given[0], given[1]
    for names in NAMES:
        if all(callable(getattr(given, name, None)) for name in names):
            made = given() if inspect.isclass(given) else given
            return getattr(made, names[0]), getattr(made, names[1])
    return None


def _of_torch(given: Any) -> Callable[[Any], Any] | None:
    """The function of a torch.autograd.Function, or of a module without parameters; torch is not imported for it."""
    import sys

    torch = sys.modules.get("torch")
    if torch is None:
        return None
    if inspect.isclass(given) and issubclass(given, torch.autograd.Function):
        applied: Callable[[Any], Any] = getattr(given, "apply")  # noqa: B009 (mypy has forgotten what it is)
        return applied
    if isinstance(given, torch.nn.Module) and not list(given.parameters()) and not _holds_more(given, torch):
        return given
    return None


def _holds_more(module: Any, torch: Any) -> bool:
    """Whether a module is a stack of others."""
    return isinstance(module, torch.nn.Sequential) and len(module) > 1
