"""The array type of every room: float64, with shapes said in the docstrings."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]
AnyArray: TypeAlias = npt.NDArray[Any]


def clipped(array: Any, low: Any, high: Any) -> Array:
    """What np.clip gives, whose own wrapper costs ten times as much as this on small arrays; NaN stays NaN."""
    within: Array = np.minimum(np.maximum(array, low), high)
    return within
