"""A problem's numbers as arrays of NumPy, PyTorch and JAX, in memory as they lie there."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from backproof import TargetError
from backproof.targets.array_kinds import ArrayKind, kind_of
from properties.problems.memory_layouts import MEMORY_LAYOUTS
from reference.dtypes import DTYPES, as_array

NUMBERS = np.array([[0.5, -1.0, 2.0], [0.25, 3.0, -0.125]])
EVEN = np.array([[1.5, 1.5, 1.5], [-2.0, -2.0, -2.0]])


@pytest.mark.parametrize("layout", MEMORY_LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("framework", ["numpy", "torch", "jax"])
def test_the_numbers_stay(framework, dtype, layout):
    if (framework, dtype) == ("jax", "float64"):
        pytest.skip("JAX has no float64 unless it is told so")
    for numbers in (NUMBERS, EVEN, np.empty((0, 3))):
        wide = np.float32 if dtype == "bfloat16" else DTYPES[dtype]
        made = ArrayKind(framework, dtype).made(MEMORY_LAYOUTS[layout](numbers.astype(wide)))
        assert np.array_equal(as_array(made).astype(np.float64), numbers)
        assert kind_of(made, "x") == ArrayKind(framework, dtype, made.device if framework == "torch" else None)


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_strides_stay(dtype):
    for layout, strides in (("fortran", (1, 2)), ("strided", (6, 2))):
        array = MEMORY_LAYOUTS[layout](NUMBERS.astype(np.float32))
        assert ArrayKind("torch", dtype).made(array).stride() == strides
        made = ArrayKind("numpy", dtype).made(array)
        assert tuple(stride // made.itemsize for stride in made.strides) == strides


@pytest.mark.parametrize("framework", ["numpy", "torch"])
def test_an_expanded_array_stands_in_memory_once_with_nan_beside_it(framework):
    array = MEMORY_LAYOUTS["expanded"](EVEN.astype(np.float32))
    made = ArrayKind(framework, "bfloat16").made(array)
    if framework == "torch":
        assert made.stride() == (3, 0)
        read = torch.as_strided(made, (2, 3), (3, 1))
    else:
        assert made.strides == (6, 0)
        read = np.lib.stride_tricks.as_strided(made, (2, 3), (6, 2))
    assert np.isnan(as_array(read).astype(np.float64)).tolist() == [[False, True, True]] * 2


def test_an_array_of_its_own_dtype_is_the_array():
    assert ArrayKind().made(NUMBERS) is NUMBERS
    assert ArrayKind("numpy", "float64").made(NUMBERS) is NUMBERS


@pytest.mark.parametrize("framework", ["numpy", "torch", "jax"])
def test_classes_are_whole_numbers(framework):
    made = ArrayKind(framework).classes(np.array([2, 0]))
    assert np.asarray(made).tolist() == [2, 0]
    assert np.asarray(made).dtype.kind == "i"


@pytest.mark.parametrize(
    "given", [[1.0], 1.0, None, torch.ones(2, dtype=torch.int64), np.ones(2, dtype=bool), jnp.ones(2, dtype=jnp.int32)]
)
def test_what_is_no_floating_point_array_is_refused(given):
    with pytest.raises(TargetError, match=r"upstream (is a|has dtype)"):
        kind_of(given, "upstream")
