"""Arrays of NumPy, PyTorch and JAX, numbers, and lists of numbers, as faults change them: never in place, and of the same type after it.

A framework is looked up among what the test has imported, and never imported for it.
"""

import sys
from enum import Enum
from typing import Any

GOLDEN = 0.6180339887498949
"""Multiples of it, less their whole part, are spread evenly: noise that is the same in every run and every library."""


class LeftAlone(Exception):
    """A fault does not apply to an answer; the message says why."""


class Arrays:
    """What faults need of a library, where slices, products and comparisons are the same in all: NumPy's, and so JAX's."""

    def __init__(self, library: Any) -> None:
        self.library = library

    def joined(self, parts: list[Any], axis: int = 0) -> Any:
        """The parts one after the other."""
        return self.library.concatenate(parts, axis=axis)

    def numbered(self, array: Any) -> Any:
        """0, 1, 2, ... in the shape of an array, in float64 where there is one."""
        return self.library.arange(self.size(array), dtype="float64").reshape(array.shape)

    def size(self, array: Any) -> int:
        """How many numbers there are."""
        return int(array.size)

    def is_real(self, array: Any) -> bool:
        """Whether its numbers are no whole ones."""
        # bfloat16 of ml_dtypes is of the kind "V", as are records, and JAX's float0 is one; its keys are of no kind
        kind = getattr(array.dtype, "kind", "")
        return kind in ("f", "c") or (kind == "V" and array.dtype.fields is None and "float" in array.dtype.name)

    def are_numbers(self, array: Any) -> bool:
        """Whether it holds numbers, and no objects or texts, or whether something is so."""
        return self.is_real(array) or getattr(array.dtype, "kind", "") in ("i", "u")

    def as_before(self, changed: Any, array: Any) -> Any:
        """The changed array in the type of numbers that it had, and in its own type. Raises LeftAlone where it has another one."""
        made = changed if changed.dtype == array.dtype else changed.astype(array.dtype)
        numpy = sys.modules["numpy"]
        if hasattr(array, "mask"):
            raise LeftAlone("it is masked, and the mask would be lost")
        # NumPy makes a number of an array without axes, where it computes with it, and an array of a number, where it joins or chooses
        made = numpy.asarray(made)[()] if isinstance(array, numpy.generic) else numpy.asanyarray(made)
        return _of_its_type(made, array)

    def zeros(self, array: Any) -> Any:
        """0 in place of each entry, the infinite ones too, with the graph that it hangs on."""
        made = array * 0
        return self.library.where(made == made, made, self.library.zeros_like(made))

    def kept(self, array: Any) -> Any:
        """A copy, for later."""
        return array.copy()

    def of_numbers(self, numbers: Any, array: Any) -> Any:
        """NumPy's float64 as an array of the library that another one is of, where that is."""
        return self.library.asarray(numbers, dtype=array.dtype)

    def described(self, array: Any) -> tuple[str, str]:
        """The type and the shape, in words."""
        return str(array.dtype), str(tuple(array.shape))

    def is_abstract(self, array: Any) -> bool:
        """Whether there are no numbers yet, as inside a function that is being compiled."""
        jax = sys.modules.get("jax")
        return jax is not None and isinstance(array, jax.core.Tracer)


class Traceable(Arrays):
    """The same of JAX."""

    def as_before(self, changed: Any, array: Any) -> Any:
        return changed if changed.dtype == array.dtype else changed.astype(array.dtype)

    def numbered(self, array: Any) -> Any:
        # NumPy's numbers, which JAX takes into any precision: its own of float64 come with a warning
        return sys.modules["numpy"].arange(self.size(array), dtype="float64").reshape(array.shape)


class Tensors(Arrays):
    """The same of PyTorch."""

    def joined(self, parts: list[Any], axis: int = 0) -> Any:
        return self.library.cat(parts, dim=axis)

    def numbered(self, array: Any) -> Any:
        places = self.library.float32 if array.device.type == "mps" else self.library.float64
        return self.library.arange(array.numel(), dtype=places, device=array.device).reshape(array.shape)

    def size(self, array: Any) -> int:
        return int(array.numel())

    def is_real(self, array: Any) -> bool:
        return bool(array.is_floating_point() or array.is_complex())

    def are_numbers(self, array: Any) -> bool:
        return array.dtype != self.library.bool and array.layout == self.library.strided and not array.is_quantized

    def as_before(self, changed: Any, array: Any) -> Any:
        made = changed.to(array.dtype)
        if isinstance(array, self.library.nn.Parameter):  # whose products are tensors, which a module does not take in its place
            made = self.library.nn.Parameter(made.detach(), requires_grad=array.requires_grad)
        return _of_its_type(made, array)

    def kept(self, array: Any) -> Any:
        return array.detach().clone()

    def of_numbers(self, numbers: Any, array: Any) -> Any:
        return self.library.from_numpy(numbers).to(dtype=array.dtype, device=array.device)

    def described(self, array: Any) -> tuple[str, str]:
        return str(array.dtype).removeprefix("torch."), str(tuple(array.shape))

    def is_abstract(self, array: Any) -> bool:
        return array.device.type == "meta" or type(array).__name__ in ("FakeTensor", "FunctionalTensor")


def _of_its_type(made: Any, array: Any) -> Any:
    """Raises LeftAlone where the type is another one."""
    if type(made) is not type(array):
        raise LeftAlone(f"it is a {type(array).__name__}, and would be a {type(made).__name__}")
    return made


def arrays_of(value: Any) -> Arrays | None:
    """What changes a value, if it is an array of a library; None of all else."""
    torch, numpy, jax = (sys.modules.get(name) for name in ("torch", "numpy", "jax"))
    found: Arrays | None = None
    if torch is not None and isinstance(value, getattr(torch, "Tensor", ())):
        found = Tensors(torch)
    elif numpy is not None and isinstance(value, (getattr(numpy, "ndarray", ()), getattr(numpy, "generic", ()))):
        found = Arrays(numpy)
    elif jax is not None and isinstance(value, getattr(jax, "Array", ())):
        found = Traceable(jax.numpy)
    return found if found is not None and found.are_numbers(value) else None


def is_number(value: Any) -> bool:
    """Whether it is a number of Python's own; True and False are none, nor are the members of an enumeration."""
    return isinstance(value, (int, float, complex)) and not isinstance(value, (bool, Enum))


def shape_of_list(value: Any) -> tuple[int, ...] | None:
    """The shape of a list of numbers, or of lists of such that are equally long; None of all else."""
    if not isinstance(value, list) or not value:
        return None
    if all(map(is_number, value)):
        return (len(value),)
    shapes = [shape_of_list(each) for each in value]
    first = shapes[0]
    return None if first is None or any(shape != first for shape in shapes) else (len(value), *first)


def differ(one: Any, other: Any) -> bool:
    """Whether two of one shape differ in a number; NaN and NaN do not."""
    if isinstance(one, list):
        return any(map(differ, one, other))
    unequal = (one != other) & ((one == one) | (other == other))
    return bool(unequal.any() if hasattr(unequal, "any") else unequal)


def noise(arrays: Arrays, array: Any) -> Any:
    """For each entry a number from -1 to -1/2 or from 1/2 to 1, always the same ones."""
    spread = ((arrays.numbered(array) + 1) * GOLDEN) % 1 - 0.5
    return spread + (0.5 * (spread >= 0) - 0.5 * (spread < 0))
