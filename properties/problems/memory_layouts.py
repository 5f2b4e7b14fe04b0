"""The table of memory layouts that a target's inputs may have: the same numbers, arranged otherwise."""

from collections.abc import Callable

import numpy as np

from reference.arrays import AnyArray

Arrange = Callable[[AnyArray], AnyArray]


def contiguous(array: AnyArray) -> AnyArray:
    """As NumPy makes arrays: row after row, writable."""
    return array


def fortran(array: AnyArray) -> AnyArray:
    """Column after column."""
    return np.asfortranarray(array)


def strided(array: AnyArray) -> AnyArray:
    """Every other place of a larger array."""
    larger = np.full((*array.shape[:-1], 2 * array.shape[-1]), np.nan, dtype=array.dtype)
    larger[..., ::2] = array
    return larger[..., ::2]


def negative_strides(array: AnyArray) -> AnyArray:
    """From the last place to the first."""
    return np.flip(np.flip(array).copy())


def read_only(array: AnyArray) -> AnyArray:
    """Not writable."""
    array.flags.writeable = False
    return array


MEMORY_LAYOUTS: dict[str, Arrange] = {arrange.__name__: arrange for arrange in (contiguous, fortran, strided, negative_strides, read_only)}
