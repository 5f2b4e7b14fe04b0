"""The array type of every room: float64, with shapes said in the docstrings."""

from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]
AnyArray: TypeAlias = npt.NDArray[Any]


KEPT = 1 << 24
"""Bytes of one block that is taken and freed, untouched."""


@cache
def keep_freed_memory() -> None:
    """Have glibc keep up to 2 KEPT of what is freed, for the next problem: to fault pages in again costs up to a plain pass.

    It keeps twice as much as the largest block that the system gave by itself and that was freed; elsewhere nothing comes of it.
    """
    np.empty(KEPT, dtype=np.uint8)


def clipped(array: Any, low: Any, high: Any) -> Array:
    """What np.clip gives, whose own wrapper costs ten times as much as this on small arrays; NaN stays NaN."""
    within: Array = np.minimum(np.maximum(array, low), high)
    return within


@dataclass(frozen=True)
class Product:
    """left^T right + added, a matrix as large as a layer's weights: rows are computed when they are asked for: to hold all costs more.

    left: (..., k, n); right: (..., k, m); added: (..., n, m), or None for nothing.
    """

    left: AnyArray
    right: AnyArray
    added: AnyArray | None = None

    def __getitem__(self, rows: slice | AnyArray) -> AnyArray:
        product: AnyArray = np.swapaxes(self.left[..., rows], -1, -2) @ self.right
        return product if self.added is None else product + self.added[..., rows, :]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> AnyArray:
        return np.asarray(self[:], dtype=dtype)
