"""Kernels of layers in NumPy, right and wrong, for tests: (x, weight, bias, upstream) -> (dx, dweight, dbias), sums in float32."""

import ml_dtypes
import numpy as np

BFLOAT16 = ml_dtypes.bfloat16


def wide(array):
    """What sums are kept in: float32 of numbers in 16 bits."""
    return array.astype(np.float32) if array.dtype.itemsize == 2 else array


def linear(x, weight, bias, upstream):
    """Right, of z = x weight^T + bias."""
    narrow, (x, weight, upstream) = x.dtype, map(wide, (x, weight, upstream))
    return [array.astype(narrow) for array in (upstream @ weight, upstream.T @ x, upstream.sum(axis=0))]


def with_upstream(changed):
    """The linear kernel that reads its upstream gradient so."""

    def kernel(x, weight, bias, upstream):
        return linear(x, weight, bias, changed(upstream) if upstream.size else upstream)

    return kernel


def times(factor):
    """The linear kernel, times a factor."""

    def kernel(*arrays):
        return [(factor * wide(array)).astype(array.dtype) for array in linear(*arrays)]

    return kernel


def as_if_contiguous(upstream):
    """The numbers that lie behind the first, in a row; NaN where whoever gave them has no memory."""
    items = [stride // upstream.itemsize for stride in upstream.strides]
    span = 1 + sum((n - 1) * stride for n, stride in zip(upstream.shape, items, strict=True))
    memory = np.lib.stride_tricks.as_strided(upstream, (span,), (upstream.itemsize,))
    return np.append(memory, np.full(upstream.size, np.nan, upstream.dtype))[: upstream.size].reshape(upstream.shape)


FIRST_ALONE = {
    "the first number": with_upstream(lambda u: np.full_like(u, u[0, 0])),
    "the first row": with_upstream(lambda u: np.repeat(u[:1], len(u), axis=0)),
    "the first column": with_upstream(lambda u: np.repeat(u[:, :1], u.shape[1], axis=1)),
    "none": with_upstream(np.ones_like),
    "the mean": with_upstream(lambda u: np.full_like(u, wide(u).mean())),
}
"""Five ways not to read an upstream gradient, that tests by a sum or a mean do not see."""

WRONG = FIRST_ALONE | {"zeros": times(0.0), "negated": times(-1.0), "half as much again": times(1.5)}
