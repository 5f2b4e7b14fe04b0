"""The kinds of arrays that a kernel takes, NumPy's, PyTorch's or JAX's: a problem's numbers as such arrays, with their strides."""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from backproof.targets.target import TargetError
from reference.arrays import AnyArray
from reference.dtypes import DTYPES

FRAMEWORKS = ("numpy", "torch", "jax")


@dataclass(frozen=True)
class ArrayKind:
    """Whose arrays, of which dtype (a key of DTYPES, "" for that of the numbers), and on which device (None for the framework's own)."""

    framework: str = "numpy"
    dtype: str = ""
    device: Any = None

    def made(self, array: AnyArray) -> Any:
        """An array of this kind that holds the numbers of one of NumPy's, and lies in memory as that does where the kind allows it.

        What PyTorch cannot lay out, a negative stride, comes row after row; JAX alone decides where its arrays lie.
        """
        dtype = np.dtype(DTYPES[self.dtype]) if self.dtype else array.dtype
        if self.framework == "jax":
            return _of_jax(array, dtype)
        if self.framework == "numpy" and array.dtype == dtype:
            return array
        if any(stride < 0 for stride in array.strides):
            array = np.ascontiguousarray(array)
        buffer, strides = _memory(array)
        if self.framework == "torch":
            import torch

            # NumPy's bfloat16 is none that PyTorch reads; the numbers are exact in either
            wide = torch.from_numpy(buffer.astype(np.float64))
            flat = wide.to(dtype=getattr(torch, dtype.name), device=self.device)
            return torch.as_strided(flat, array.shape, strides)
        made: AnyArray = np.ndarray(array.shape, dtype, buffer.astype(dtype), strides=[stride * dtype.itemsize for stride in strides])
        made.flags.writeable = array.flags.writeable
        return made

    def classes(self, numbers: AnyArray) -> Any:
        """Whole numbers, (batch,), as this kind has them."""
        if self.framework == "torch":
            import torch

            return torch.from_numpy(numbers.astype(np.int64)).to(self.device)
        return _of_jax(numbers, np.dtype(np.int32)) if self.framework == "jax" else numbers.astype(np.int64)


def kind_of(array: Any, name: str) -> ArrayKind:
    """The kind of a floating-point array that somebody gives. Raises TargetError, which calls it by its name."""
    torch, jax = sys.modules.get("torch"), sys.modules.get("jax")
    if torch is not None and isinstance(array, torch.Tensor):
        kind = ArrayKind("torch", str(array.dtype).removeprefix("torch."), array.device)
    elif jax is not None and isinstance(array, jax.Array):
        kind = ArrayKind("jax", str(array.dtype))
    elif isinstance(array, np.ndarray):
        kind = ArrayKind("numpy", str(array.dtype))
    else:
        raise TargetError(f"{name} is a {type(array).__name__}: expected an array of NumPy, PyTorch or JAX")
    if kind.dtype not in DTYPES:
        raise TargetError(f"{name} has dtype {kind.dtype}: expected one of {', '.join(DTYPES)}")
    return kind


def _of_jax(array: AnyArray, dtype: "np.dtype[Any]") -> Any:
    import jax

    return jax.numpy.asarray(np.ascontiguousarray(array), dtype=dtype)


def _memory(array: AnyArray) -> tuple[AnyArray, list[int]]:
    """What lies between an array's first number and its last, in a row, and its strides in numbers.

    There are as many as the array has at least, NaN beyond its own: whoever reads it as if it had other strides reads no number.
    """
    strides = [stride // array.itemsize for stride in array.strides]
    span = 1 + sum((length - 1) * stride for length, stride in zip(array.shape, strides, strict=True)) if array.size else 0
    buffer = np.full(max(span, array.size), np.nan, dtype=array.dtype)
    buffer[:span] = np.lib.stride_tricks.as_strided(array, (span,), (array.itemsize,), writeable=False)
    return buffer, strides
