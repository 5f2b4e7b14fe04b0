"""V of the sums of both passes: z, dC/da, and dC/dW and dC/db over samples; the formulas are those of docs/tolerance.md, section 7."""

import math
from typing import Any

import numpy as np

from reference.arrays import AnyArray, Array, Product
from reference.functions.parametrised import row_of
from reference.passes import Passes
from rounding.activations import ROUNDED_ACTIVATIONS
from rounding.arithmetic import SHARED, TypicalRounding
from rounding.deviation import Factored
from rounding.repetition import NothingAlike, RepetitionSampler
from rounding.scales import JointRounding

WANDERS, WANDERS_ON_AVERAGE = 1 / 2, 1 / 6
"""The squares of the partial sums of n terms come to so many n times the squares of the terms, beside n/3 times the square of the total:
where only the terms are known, and where they stand in random order, so that the partial sums come back to the total."""

LARGE, WITHIN = 1 << 16, (1e-6, 1e6)
"""Of networks of so many weights the variances are computed in float32, where the norm of each array is in this range.
"""

LOST = 2.0**-126
"""Squares below this may be lost there."""

SMALLEST = 2.0**-511
"""The square of a smaller number is lost in float64."""


class Sums:
    """V of every sum, in units of v, the variance of one rounding; and what all of them need: squares, and how much is alike.

    apart: whether nothing is taken to be alike, so that all roundings are independent: less than V is, for less work.
    """

    def __init__(self, passed: Passes, noise: TypicalRounding, *, apart: bool = False) -> None:
        self.passed, self.problem, self.noise = passed, passed.problem, noise
        self.rounded = [row_of(ROUNDED_ACTIVATIONS, choice) for choice in self.problem.activations]
        """What rounding does to the activation of each layer."""
        self.joint = [row if isinstance(row, JointRounding) else None for row in self.rounded]
        """The rules of the layers that are not elementwise."""
        self.alike = (NothingAlike if apart else RepetitionSampler)(noise.sum_unit, self.problem.batch)
        self.sizes = [norm**2 for norm in passed.weight_norms]
        self.dtype: Any = np.float32 if self._fits_float32() else np.float64
        self.least = (LOST if self.dtype is np.float32 else SMALLEST**2) + noise.underflow**2 / noise.variance
        """V of what is small: what may underflow, and squares that are lost; never 0."""
        weights, depth = self.problem.weights, self.problem.depth
        forward, back, squares = passed.forward, passed.backward, passed.squares
        self.weights_squared = [self._squared(weight) for weight in weights]
        self.inputs_squared = [self._squared(a) for a in forward.activations[:-1]]
        looks = self.alike.look([*weights, *(weight.T for weight in weights), *(delta.T for delta in back.deltas)])
        self.rows, self.columns, self.deltas = looks[:depth], looks[depth : 2 * depth], looks[2 * depth :]
        """What rows and columns of each layer's weights are like, and the columns of delta."""
        samples = self.alike.samples(
            [*forward.activations, *back.deltas, back.errors[-1]], [*squares.activations, *squares.deltas, squares.errors[-1]]
        )
        self.inputs_alike, self.deltas_alike = samples[:depth], samples[depth + 1 : -1]
        """How many samples are alike, by the layer whose inputs or deltas they are."""
        self.outputs_alike = max(samples[depth], samples[-1])
        """What comes to one output is off by the same, whatever is expected of it."""
        self.of_total_weight = noise.sums * self.problem.batch / 3 + SHARED if self.problem.has_weighted_mean else 0.0
        """The squared relative error that a mean by weights gives to all samples alike: that of the sum of the weights."""

    def rounding_forward(self, layer: int) -> AnyArray:
        """V(z) of exact inputs: what rounding does to the sums of one layer alone. Terms that are 0 are added exactly, and do not count."""
        squared = self.inputs_squared[layer]
        return self._forward_product(layer, np.zeros_like(squared), self._nonzero(squared))

    def rounding_backward(self, layer: int) -> AnyArray:
        """The same of dC/da of the layer below."""
        delta = self.passed.backward.deltas[layer]
        squared = self._squared(delta)
        e_squared = self._squared(self.passed.backward.errors[layer - 1])
        return self._backward_product(layer, squared, np.zeros_like(squared), e_squared, self._nonzero(delta))

    def rounding_over_samples(self, layer: int) -> tuple[Factored, AnyArray]:
        """The same of dC/dW and dC/db."""
        squared, a = self._squared(self.passed.backward.deltas[layer]), self.inputs_squared[layer]
        return self.sums_over_samples(layer, squared, np.zeros_like(squared), np.zeros_like(a), self.deltas_alike[layer])

    def sums_over_samples(
        self, layer: int, squared: AnyArray, d_variance: AnyArray, a_variance: AnyArray, samples: float
    ) -> tuple[Factored, AnyArray]:
        """V(dC/dW) and V(dC/db); squared: delta^2."""
        back, a, noise, batch = self.passed.backward, self.passed.forward.activations[layer], self.noise, self.problem.batch
        alike = max(min(samples, self.inputs_alike[layer]), self.alike.least(self.deltas[layer], a.T))
        rounded = self._rounded(alike, batch) * squared
        rounded += d_variance
        a_squared = self.inputs_squared[layer]
        shared = noise.sums * batch / 3 + SHARED + 3 * noise.apart + self.of_total_weight
        lost = self._lost(batch, float(rounded.max()), float(a_squared.max()))
        if layer:
            summed = Product(np.concatenate([rounded, squared]), np.concatenate([a_squared, a_variance]))
        else:
            summed = Product(rounded, a_squared)  # the inputs are exact
        # what a penalty adds is rounded itself, and in the sum with the rest: as one term of it, or in parts with each sample
        added, terms = back.products[layer].added, alike * (noise.sums * (batch + SHARED) + 3 * noise.apart)
        penalty = None if added is None else (terms * np.square(added)).astype(self.dtype)
        weight = Factored(summed, back.products[layer], alike * shared, lost, penalty)
        alike = max(alike, self.deltas[layer].alike)
        if layer == self.problem.depth - 1 and self._coarse(self.problem.y):
            alike = max(alike, self.outputs_alike)  # a - y has the low bits of a
        bias = self._rounded(alike, batch) * squared.sum(axis=0) + d_variance.sum(axis=0)
        bias += alike * shared * self._squared(back.biases[layer]) + lost
        return weight, bias

    def _forward_product(self, layer: int, a_variance: AnyArray, terms: AnyArray | None = None) -> AnyArray:
        """V(z); terms: as in product."""
        passed, squares = self.passed.forward, self.passed.squares
        a, z = passed.activations[layer], passed.pre_activations[layer]
        sizes = squares.activations[layer], squares.pre_activations[layer]
        bias, samples = self.problem.biases[layer], self.inputs_alike[layer]
        return self.product(layer, a, self.inputs_squared[layer], a_variance, self._squared(z), sizes, samples, bias=bias, terms=terms)

    def _backward_product(
        self, layer: int, squared: AnyArray, d_variance: AnyArray, e_squared: AnyArray, terms: AnyArray | None = None
    ) -> AnyArray:
        """V(dC/da) of the layer below; squared: delta^2, e_squared: dC/da squared; terms: as in product."""
        squares = self.passed.squares
        sizes = squares.deltas[layer], squares.errors[layer - 1] if layer else e_squared.sum(axis=1)
        delta, samples = self.passed.backward.deltas[layer], self.deltas_alike[layer]
        return self.product(layer, delta, squared, d_variance, e_squared, sizes, samples, turned=True, terms=terms)

    def product(
        self,
        layer: int,
        left: Array,
        left_squared: AnyArray,
        variance: AnyArray,
        product_squared: AnyArray,
        sizes: tuple[AnyArray, AnyArray],
        samples: float,
        *,
        bias: Array | None = None,
        turned: bool = False,
        terms: AnyArray | None = None,
    ) -> AnyArray:
        """V of left @ W^T + b, n products in any order; or of left @ W, turned; variance: that of left.

        sizes: the squared norm of each sample of left and of the product; terms: where it is asked what the roundings of many sums come
        to, how many products of each sample count, (batch, 1).
        """
        noise, n = self.noise, left.shape[1]
        count: Any = n if terms is None else terms
        look = (self.columns if turned else self.rows)[layer]
        alike = samples * self.alike.least(look, left)
        # the weights are rounded once for all samples, so that it adds up over them
        shared = self.problem.batch / 2 * noise.products
        squared = (self._rounded(alike, count, WANDERS if terms is None else WANDERS_ON_AVERAGE) + shared) * left_squared
        squared += variance
        summed = squared @ (self.weights_squared[layer] if turned else self.weights_squared[layer].T)
        # what comes of a layer that is not elementwise has errors in common
        shares = self.joint[layer if turned else layer - 1] is not None and (turned or layer > 0)
        if self.rows[layer].one_sign or look.one_sign or shares:
            weight = self.problem.weights[layer].T if turned else self.problem.weights[layer]
            # errors that terms share, such as that of a softmax's sum, do not cancel either
            summed = summed + (np.sqrt(variance) @ np.abs(weight).T.astype(self.dtype)) ** 2
        summed += alike * (noise.sums * (count / 3 + SHARED) + 3 * noise.apart) * product_squared + self._lost(
            n, float(squared.max()), self.sizes[layer]
        )
        summed += self._aligned(layer, variance, sizes, turned)[:, None] * product_squared
        if bias is not None:
            summed += alike * (noise.sums * count / 3 + 2 * noise.apart) * self._squared(bias)
        return summed

    def _aligned(self, layer: int, variance: AnyArray, sizes: tuple[AnyArray, AnyArray], turned: bool) -> AnyArray:
        """What a sample's errors share, over the square of the product: (batch,).

        The weights carry independent errors of a sample's nodes on as (W W) does, and errors that its nodes share as they carry the
        sample itself. In random weights that comes to the same; in trained ones, whose layers are aligned, the second may be
        many times the first. So the errors of a sample, over its size, are at least what they were.
        """
        before, after = sizes
        weights = self.weights_squared[layer]
        carried = variance @ (weights @ np.ones(weights.shape[1], self.dtype) if turned else np.ones(len(weights), self.dtype) @ weights)
        relative = variance.sum(axis=1) / before - carried / after
        return np.where((before > 0) & (relative > 0), relative, 0).astype(self.dtype)

    def _nonzero(self, left: AnyArray) -> AnyArray:
        """How many numbers of each sample are not 0: (batch, 1)."""
        return np.count_nonzero(left, axis=1)[:, None].astype(self.dtype)

    def _rounded(self, alike: float, terms: Any, wanders: float = WANDERS) -> Any:
        """What rounding adds to a term of a sum, over its square: in all partial sums after it, and as a factor of a product."""
        return alike * (self.noise.sums * (wanders * terms + 1) + self.noise.products)

    def _squared(self, array: AnyArray) -> AnyArray:
        squared = array.astype(self.dtype)
        squared *= squared
        return squared

    def _coarse(self, y: Array) -> bool:
        """Whether expected outputs have half the bits of a sum, or fewer: what is taken from equal outputs then leaves equal low bits."""
        mantissa, _ = np.frexp(y)
        scaled = np.ldexp(mantissa, -int(np.log2(self.noise.sum_unit)) // 2)
        return np.array_equal(scaled, np.round(scaled))

    def _fits_float32(self) -> bool:
        """Whether squares, and products of two of them, stay in the range of float32."""
        if sum(weight.size for weight in self.problem.weights) < LARGE:
            return False
        sizes = [*self.sizes, *self.passed.squares.sums.tolist()]
        if self.problem.penalised is not None:
            # what a penalty adds may be larger than all of them; what is smaller is lost in dC/dW anyway
            rate = self.problem.penalised.rate(self.problem.batch)
            sizes += [max(rate * rate * size, size) for size in self.sizes]
        return all(WITHIN[0] ** 2 < size < WITHIN[1] ** 2 for size in sizes)

    def _lost(self, terms: int, *largest: float) -> float:
        """What products and sums that underflow may lose, and inputs that are flushed, squared; and what our own squares lose.

        largest: of the squares of the factors, or more.
        """
        underflow = self.noise.underflow / math.sqrt(self.noise.variance) * (1 + sum(map(math.sqrt, largest)))
        return 2 * (terms + 1) * underflow * underflow + self.least * (1 + terms * sum(largest))
