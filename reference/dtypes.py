"""The dtypes that numbers may have, and arrays of any framework."""

from typing import Any

import ml_dtypes
import numpy as np

from reference.arrays import AnyArray

DTYPES: dict[str, np.dtype[np.generic]] = {
    "float64": np.dtype(np.float64),
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
}
"""The floating-point dtypes that answers may have, from the widest to the narrowest."""


def as_array(given: Any) -> AnyArray:
    """An array of any framework as NumPy reads it: of a tensor its numbers alone, from whatever device holds them, worked out where it is
    lazy; torch.bfloat16, which NumPy cannot read, as the bfloat16 of ml_dtypes."""
    if isinstance(given, np.ndarray):
        return np.asarray(given)  # a np.matrix has two dimensions whatever is done to it
    for step in ("detach", "cpu"):
        given = getattr(given, step)() if hasattr(given, step) else given
    if str(getattr(given, "dtype", "")) == "torch.bfloat16":
        return np.asarray(given.float()).astype(DTYPES["bfloat16"])
    if not hasattr(given, "__array__") and hasattr(given, "numpy"):
        given = given.numpy()
    return np.asarray(given)
