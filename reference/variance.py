"""The second-moment bound: a standard deviation of every entry between two honest passes; sharp where the worst case is empty.

Beside every value v stands V(v), the variance of target - reference, where roundings are random, sums run in any order, and what is
alike rounds alike. Model, rules and what was measured: docs/tolerance.md, section 7.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from reference.activation import Activation, largest_between
from reference.activations import ACTIVATIONS
from reference.arrays import AnyArray, Array
from reference.choice import bind
from reference.losses import LOSSES
from reference.model import FUNCTION_ERROR, MULTIPLE, SHARED, Noise
from reference.problem import Gradient
from reference.rounding import Passes

CHAOS = 1 / 8
"""How fast errors grow in a network that amplifies varies from sample to sample: sigma is raised by this power of the gain."""

SMALLEST = 2.0**-511
"""The square of a smaller number is lost."""

MOST_GAIN, FEWEST_SAMPLES = 10.0, 16
"""Errors average out over a layer where all layers together raise the square of what they are given by less, and so many samples count."""

ROWS = 24
"""So many rows of a matrix are looked at for equal numbers."""


@dataclass(frozen=True)
class Deviation:
    """sigma: the standard deviation of each entry; jumps: how far the other side of a kink that is near may be, None where none is.

    averages: for each layer whether the errors of its dC/dW average out over the whole layer: no layer's weights are mostly of one sign
    or large, and no few samples make up the gradient.
    """

    sigma: Gradient
    jumps: Gradient | None
    averages: tuple[bool, ...]

    @cached_property
    def allowed(self) -> Gradient:
        """MULTIPLE sigma, and the jumps."""
        parts: dict[str, Any] = {}
        for quantity, sigma in vars(self.sigma).items():
            jump = getattr(self.jumps, quantity) if self.jumps else None
            if quantity in ("x", "loss"):
                parts[quantity] = MULTIPLE * sigma + (0.0 if jump is None else jump)
            else:
                parts[quantity] = (
                    [MULTIPLE * s for s in sigma] if jump is None else [MULTIPLE * s + j for s, j in zip(sigma, jump, strict=True)]
                )
        return Gradient(**parts)


def deviation(passed: Passes, noise: Noise) -> Deviation:
    """The second-moment bound of every entry of the gradient, of z, a, delta, dC/dx and C."""
    with np.errstate(all="ignore"):
        return _Variances(passed, noise).deviation()


def near_kinks(passed: Passes, noise: Noise) -> AnyArray:
    """Of which samples a pre-activation is so near a kink that two passes may be on different sides of it: (batch,) of bool."""
    with np.errstate(all="ignore"):
        variances = _Variances(passed, noise)
        z_variances, _ = variances.forward()
        near = [variances.near(layer, variance).any(axis=1) for layer, variance in enumerate(z_variances)]
    return np.any(near, axis=0)


class _Variances:
    """V by layer; the formulas are those of docs/tolerance.md, section 7."""

    def __init__(self, passed: Passes, noise: Noise) -> None:
        self.passed, self.problem, self.noise = passed, passed.problem, noise
        self.activations: list[Activation] = [bind(ACTIVATIONS, choice) for choice in self.problem.activations]
        self.bends: list[Array] = []
        """sup |g''| within reach of each z, by layer: the forward pass finds it, and the backward pass needs it too."""
        self.rng = np.random.default_rng(self.problem.batch)

    def deviation(self) -> Deviation:
        problem, forward, back = self.problem, self.passed.forward, self.passed.backward
        z_variances, a_variances = self.forward()
        near = [self.near(layer, variance) for layer, variance in enumerate(z_variances)]
        e_variance, jump = self.output_error(a_variances[-1]), None
        weights, biases, deltas = [], [], []
        jumps: list[tuple[Array, Array, Array]] = []
        for layer in reversed(range(problem.depth)):
            e, slope, delta, a = back.errors[layer + 1], back.slopes[layer], back.deltas[layer], forward.activations[layer]
            slope_variance = self.slope(layer, z_variances[layer])
            samples = self._samples_alike(delta)
            d_variance = (
                e * e * slope_variance + e_variance * (slope * slope + slope_variance) + samples * self.noise.variance * delta * delta
            )
            d_variance = d_variance + self.noise.underflow**2
            deltas.append(d_variance)
            if near[layer].any() or jump is not None:
                kinks = max((size for _, size in self.activations[layer].kinks), default=0.0)
                jump = (np.abs(e) * near[layer] * kinks) + (0.0 if jump is None else jump * (np.abs(slope) + near[layer] * kinks))
            weight_variance, bias_variance = self.sums_over_samples(layer, d_variance, a_variances[layer], samples)
            weights.append(weight_variance)
            biases.append(bias_variance)
            if jump is not None:
                jumps.append((jump.T @ np.abs(a), jump.sum(axis=0), jump))
            weight = problem.weights[layer]
            alike = samples * min(self._multiplicity(weight.T), self._multiplicity(delta))
            e_variance = self._product(delta, d_variance, weight.T, back.errors[layer], alike)
            jump = None if jump is None else jump @ np.abs(weight)
        gain = self._gain()

        def spread(variance: Array) -> Array:
            """The standard deviation, and what squares below the least normal number have lost."""
            sigma: Array = gain**CHAOS * np.sqrt(variance) + SMALLEST
            return sigma

        sigma = Gradient(
            [spread(v) for v in reversed(weights)],
            [spread(v) for v in reversed(biases)],
            x=spread(e_variance),
            loss=spread(self.loss(a_variances[-1])),
            pre_activations=[spread(v) for v in z_variances],
            activations=[spread(v) for v in a_variances[1:]],
            deltas=[spread(v) for v in reversed(deltas)],
        )
        return Deviation(sigma, self._jumps(jumps, jump, sigma) if jumps else None, self._averages(gain))

    def forward(self) -> tuple[list[Array], list[Array]]:
        """V(z) for l = 1, ..., L and V(a) for l = 0, ..., L."""
        problem, passed, v = self.problem, self.passed.forward, self.noise.variance
        z_variances: list[Array] = []
        a_variances: list[Array] = [np.zeros_like(problem.x)]
        for layer, (weight, bias, activation) in enumerate(zip(problem.weights, problem.biases, self.activations, strict=True)):
            a, z = passed.activations[layer], passed.pre_activations[layer]
            alike = self._samples_alike(a) * min(self._multiplicity(weight), self._multiplicity(a))
            variance = self._product(a, a_variances[layer], weight, z, alike)
            if bias is not None:
                variance = variance + alike * v * weight.shape[1] / 3 * bias * bias
            z_variances.append(variance)
            reach = MULTIPLE * np.sqrt(variance)
            self.bends.append(largest_between(activation.curvature, activation.most_bent, z - reach, z + reach))
            steep = np.abs(self.passed.backward.slopes[layer]) + reach * self.bends[-1]
            scale = np.maximum(activation.value_scales.right(z), activation.value_scales.lossy(z))
            a_variances.append(steep * steep * variance + self._of_functions(scale, z))
        return z_variances, a_variances

    def slope(self, layer: int, z_variance: Array) -> Array:
        """V(g')."""
        activation, z, bend = self.activations[layer], self.passed.forward.pre_activations[layer], self.bends[layer]
        scale = np.maximum(activation.derivative_scales.right(z), activation.derivative_scales.lossy(z))
        return bend * bend * z_variance + self._of_functions(scale, z)

    def output_error(self, a_variance: Array) -> Array:
        """V(dC/da^L)."""
        problem, output = self.problem, self.passed.forward.activations[-1]
        loss = bind(LOSSES, problem.loss)
        variance = loss.derivative_variance(output, problem.y, a_variance, self.noise.variance, problem.batch)
        if problem.reduction == "mean":
            variance = variance / problem.batch**2
        e = self.passed.backward.errors[-1]
        return variance + 4 * self._samples_alike(e) * self.noise.variance * e * e + self.noise.underflow**2

    def sums_over_samples(self, layer: int, d_variance: Array, a_variance: Array, samples: float) -> tuple[Array, Array]:
        """V(dC/dW) and V(dC/db)."""
        back, a = self.passed.backward, self.passed.forward.activations[layer]
        delta, v, batch = back.deltas[layer], self.noise.variance, self.problem.batch
        turned = self._multiplicity(delta.T)
        alike = max(min(samples, self._samples_alike(a)), min(turned, self._multiplicity(a.T)))
        rounded = alike * v * (batch / 2 + 1) * delta * delta + d_variance
        left, right = np.concatenate([rounded, delta * delta]), np.concatenate([a * a, a_variance])
        weight = left.T @ right + alike * v * (batch / 3 + SHARED) * back.weights[layer] ** 2 + self._underflow(batch, delta, a)
        alike = max(alike, turned)
        rounded = alike * v * (batch / 2 + 1) * delta * delta + d_variance
        bias = rounded.sum(axis=0) + alike * v * (batch / 3 + SHARED) * back.biases[layer] ** 2 + self._underflow(batch, delta)
        return weight, bias

    def loss(self, a_variance: Array) -> Array:
        """V(C): errors of all outputs may be alike."""
        problem, output = self.problem, self.passed.forward.activations[-1]
        values = np.abs(bind(LOSSES, problem.loss).value(output, problem.y))
        sizes = values.mean() if problem.reduction == "mean" else values.sum()
        moved = np.sum(np.abs(self.passed.backward.errors[-1]) * np.sqrt(a_variance))
        terms = output.size
        rounded = np.sum(1 + np.abs(output)) / (problem.batch if problem.reduction == "mean" else 1)
        return np.asarray(moved**2 + self.noise.variance * ((terms / 3 + SHARED) * sizes**2 + 4 * FUNCTION_ERROR**2 * rounded**2))

    def _product(self, left: Array, variance: Array, weight: Array, product: Array, alike: float) -> Array:
        """V of left @ weight^T, (m, p): n products in any order; left (m, n) with its variance, weight (p, n)."""
        n, v = weight.shape[1], self.noise.variance
        summed = ((n / 2 + 1) * v * alike * left * left + variance) @ (weight * weight).T
        if _of_one_sign(weight):
            # errors that terms share, such as that of a softmax's sum, do not cancel either
            summed = summed + (np.sqrt(variance) @ np.abs(weight).T) ** 2
        return summed + alike * v * (n / 3 + SHARED) * product * product + self._underflow(n, left, weight)

    def _of_functions(self, scale: Array, z: Array) -> Array:
        """The variance of a function's own errors, which are equal for equal z: they add up over the samples."""
        batch = self.problem.batch
        return batch * (self.noise.variance * (FUNCTION_ERROR * scale) ** 2 + (self.noise.underflow * (1 + np.abs(z))) ** 2)

    def _underflow(self, terms: int, *factors: Array) -> float:
        """What products and sums that underflow may lose, and inputs that are flushed, squared."""
        largest = sum(float(np.max(np.abs(factor))) for factor in factors)
        return float(2 * (terms + 1) * (self.noise.underflow * (1 + largest)) ** 2)

    def near(self, layer: int, z_variance: Array) -> AnyArray:
        """Which pre-activations are so near a kink that a pass may be on its other side."""
        z, near = self.passed.forward.pre_activations[layer], np.zeros(z_variance.shape, dtype=bool)
        for kink, _ in self.activations[layer].kinks:
            near |= np.abs(z - kink) <= MULTIPLE * np.sqrt(z_variance)
        return near

    def _jumps(self, jumps: list[tuple[Array, Array, Array]], at_x: Array | None, sigma: Gradient) -> Gradient:
        """How far a pass on the other side of the kinks may be: nothing in the layers above the last kink that is near."""
        back = self.passed.backward
        above = [
            tuple(np.zeros_like(arrays[i]) for arrays in (back.weights, back.biases, back.deltas))
            for i in range(len(jumps), self.problem.depth)
        ]
        weights, biases, deltas = (list(arrays) for arrays in zip(*reversed(jumps), *above, strict=True))
        none = [np.zeros_like(z) for z in sigma.pre_activations or ()]
        return Gradient(weights, biases, x=at_x, loss=np.zeros(()), pre_activations=none, activations=none, deltas=deltas)

    def _gain(self) -> float:
        """How much all layers together raise the square of what they are given, by those that do."""
        gain = 1.0
        for weight, slope in zip(self.problem.weights, self.passed.backward.slopes, strict=True):
            gain *= max(1.0, float(np.sum(weight * weight) / len(weight) * np.mean(slope * slope)))
        return gain

    def _averages(self, gain: float) -> tuple[bool, ...]:
        if gain > MOST_GAIN or any(_of_one_sign(weight) for weight in self.problem.weights):
            return (False,) * self.problem.depth
        enough = []
        for a, delta in zip(self.passed.forward.activations, self.passed.backward.deltas, strict=False):
            parts = np.sum(a * a, axis=1) * np.sum(delta * delta, axis=1)
            enough.append(bool(np.sum(parts) ** 2 >= FEWEST_SAMPLES * np.sum(parts * parts)))
        return tuple(enough)

    def _multiplicity(self, matrix: Array) -> float:
        """How many numbers of a row are alike, on average over the row; the largest of some rows. 1 where all differ."""
        rows = matrix if len(matrix) <= ROWS else matrix[self.rng.choice(len(matrix), ROWS, replace=False)]
        return max(alike(row, 32 * self.noise.unit * float(np.linalg.norm(row))) for row in rows)

    def _samples_alike(self, values: Array) -> float:
        """How many samples are alike, on average over the samples, by a random projection of each."""
        direction = self.rng.normal(size=values.shape[1])
        reach = 32 * self.noise.unit * float(np.median(np.abs(values) @ np.abs(direction))) / np.sqrt(values.shape[1])
        return alike(values @ direction, reach)


def _of_one_sign(weight: Array) -> bool:
    """Whether the weights of a node are mostly of one sign, so that what they multiply hardly cancels."""
    return bool(np.mean(np.abs(weight.sum(axis=1))) > 0.5 * np.mean(np.abs(weight).sum(axis=1)))


def alike(values: Array, reach: float) -> float:
    """The mean, over the numbers that are not 0, of how many lie within reach of each; 1 where there are none."""
    ordered = np.sort(values[values != 0])
    if len(ordered) < 2:
        return 1.0
    close = np.diff(ordered) <= reach
    if not close.any():
        return 1.0
    counts = np.searchsorted(ordered, ordered + reach, "right") - np.searchsorted(ordered, ordered - reach, "left")
    return float(counts.mean())
