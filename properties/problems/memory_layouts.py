"""The table of memory layouts that a target's inputs may have: the same numbers, arranged otherwise."""

from collections.abc import Callable, Iterable

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


def expanded(array: AnyArray) -> AnyArray:
    """What is the same along an axis stands in memory once, with a stride of 0, as frameworks expand it: a gradient that comes back from a
    sum, say. NaN stands where whoever takes it for contiguous reads on; what is nowhere the same is contiguous."""
    same = [array.shape[axis] > 1 and bool((array == array.take([0], axis)).all()) for axis in range(array.ndim)]
    if not any(same):
        return array
    once = tuple([slice(0, 1) if alike else slice(None) for alike in same])
    memory = np.full_like(array, np.nan, order="C")
    memory[once] = array[once]
    strides = [0 if alike else stride for alike, stride in zip(same, memory.strides, strict=True)]
    return np.lib.stride_tricks.as_strided(memory, array.shape, strides, writeable=False)


def read_only(array: AnyArray) -> AnyArray:
    """Not writable."""
    array.flags.writeable = False
    return array


MEMORY_LAYOUTS: dict[str, Arrange] = {
    arrange.__name__: arrange for arrange in (contiguous, fortran, strided, negative_strides, expanded, read_only)
}

OF_ANY_NUMBERS = tuple([name for name in MEMORY_LAYOUTS if name not in (contiguous.__name__, expanded.__name__)])
"""Those in which every array lies otherwise than contiguous ones, whatever its numbers are."""


def layout_of(arrays: Iterable[AnyArray]) -> str:
    """The row of MEMORY_LAYOUTS in which some arrays lie, by the first that shows one other than contiguous: of one number few do."""
    return next((layout for layout in map(_own_layout, arrays) if layout != contiguous.__name__), contiguous.__name__)


def _own_layout(array: AnyArray) -> str:
    if any(stride == 0 and length > 1 for stride, length in zip(array.strides, array.shape, strict=True)):
        return expanded.__name__
    if any(stride < 0 for stride in array.strides):
        return negative_strides.__name__
    if not array.flags.writeable:
        return read_only.__name__
    if array.size and min(array.strides) == 2 * array.itemsize:
        return strided.__name__
    return contiguous.__name__ if array.flags.c_contiguous else fortran.__name__
