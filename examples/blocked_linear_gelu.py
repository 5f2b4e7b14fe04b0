"""The backward pass of a linear layer with GELU, as a kernel for a GPU has it: blocks of 16 x 32, sums in float32, storage in bfloat16.

    backproof check examples/blocked_linear_gelu.py:linear_gelu      right
    backproof check examples/blocked_linear_gelu.py:mask             dweight: the last column is left out where its block is ragged
    backproof check examples/blocked_linear_gelu.py:block_twice      dweight: the last block of samples is added twice
    backproof check examples/blocked_linear_gelu.py:accumulator      dweight: sums of blocks are kept in bfloat16
    backproof check examples/blocked_linear_gelu.py:contiguous       the upstream gradient is read as if it were contiguous

The third shows in more samples than a block has, the fourth in many. In a test of one's own it is one line:

    backproof.assert_vjp(linear_gelu, x, weight, bias, upstream, activation="gelu", precision="bfloat16/float32/float32")
"""

from functools import partial

import ml_dtypes
import numpy as np
from scipy.special import erfc

ROWS, COLUMNS, STEP = 16, 32, 16
"""A block of a product, and how many of its terms are added up at once."""


class Pointer:
    """An array as a kernel sees it: numbers in a row, and strides."""

    def __init__(self, array, contiguous=False):
        self.shape = array.shape
        self.strides = [stride // array.itemsize for stride in array.strides]
        span = 1 + sum((n - 1) * stride for n, stride in zip(array.shape, self.strides, strict=True))
        self.memory = np.lib.stride_tricks.as_strided(array, (span if array.size else 0,), (array.itemsize,))
        if contiguous:
            self.strides = [array.shape[1], 1]

    def load(self, rows, columns, off_by_one=False):
        """A block of it, in float32; 0 beyond its edges."""
        n, m = self.shape
        m -= off_by_one and m % COLUMNS > 0
        inside = (rows < n)[:, None] & (columns < m)
        place = np.where(inside, rows[:, None] * self.strides[0] + columns * self.strides[1], 0)
        # whoever reads beyond the end has whatever is there
        found = np.append(self.memory, np.nan).astype(np.float32)[np.minimum(place, len(self.memory))]
        return np.where(inside, found, np.float32(0))


def product(a, b, *, twice=False, accumulator=np.float32, off_by_one=False):
    """a @ b of two pointers, block after block."""
    (n, terms), m = a.shape, b.shape[1]
    result = np.zeros((n, m), dtype=np.float32)
    for top in range(0, n, ROWS):
        for left in range(0, m, COLUMNS):
            rows, columns = top + np.arange(ROWS), left + np.arange(COLUMNS)
            total = np.zeros((ROWS, COLUMNS), dtype=np.float32)
            steps = list(range(0, terms, STEP))
            for start in steps + steps[-1:] * (twice and len(steps) > 1):
                along = start + np.arange(STEP)
                left_block, right_block = a.load(rows, along), b.load(along, columns, off_by_one)
                if accumulator is np.float32:
                    total += left_block @ right_block
                else:
                    for k in range(STEP):
                        total = (total + np.outer(left_block[:, k], right_block[k])).astype(accumulator).astype(np.float32)
            result[top : top + ROWS, left : left + COLUMNS] = total[: n - top, : m - left]
    return result


def linear_gelu(x, weight, bias, upstream, *, contiguous=False, **mistake):
    """dx, dweight (out, in) and dbias of gelu(x weight^T + bias), by upstream (batch, out)."""
    z = product(Pointer(x), Pointer(weight.T)) + bias.astype(np.float32)
    slope = 0.5 * erfc(-z / np.sqrt(np.float32(2))) + z * np.exp(-z * z / 2) / np.sqrt(np.float32(2 * np.pi))
    rows, columns = (np.arange(length) for length in upstream.shape)
    delta = (Pointer(upstream, contiguous).load(rows, columns) * slope).astype(x.dtype)
    dx = product(Pointer(delta), Pointer(weight))
    dweight = product(Pointer(delta.T), Pointer(x), **mistake)
    dbias = delta.astype(np.float32).sum(axis=0)
    return dx.astype(x.dtype), dweight.astype(x.dtype), dbias.astype(x.dtype)


def told(kernel, name="linear_gelu"):
    """The kernel, with what backproof must know of it: which layer it is, and what it computes in."""
    kernel.__qualname__ = name
    kernel.supports = {"layer": "linear", "activation": "gelu"}
    kernel.precision = "bfloat16/float32/float32"
    return kernel


told(linear_gelu)
mask = told(partial(linear_gelu, off_by_one=True), "mask")
block_twice = told(partial(linear_gelu, twice=True), "block_twice")
accumulator = told(partial(linear_gelu, accumulator=ml_dtypes.bfloat16), "accumulator")
contiguous = told(partial(linear_gelu, contiguous=True), "contiguous")
