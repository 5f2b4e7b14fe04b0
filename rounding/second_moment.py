"""The second-moment bound: a standard deviation of every entry between two honest passes; sharp where the worst case is empty.

Beside every value v stands V(v), the variance of target - reference, where roundings are random, sums run in any order, and what is
alike rounds alike. Model, rules and what was measured: docs/tolerance.md, section 7.
"""

from typing import Any

import numpy as np
from scipy.special import ndtr

from reference.arrays import AnyArray, Array
from reference.functions.activation import Activation, Elementwise, Function, largest_between, nothing
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import name_and_parameters, row_of
from reference.gradient import Gradient
from reference.passes import Passes
from rounding.arithmetic import FUNCTION_ERROR, SHARED, SIGMAS_ALLOWED, TEXTBOOK_ERROR, K, TypicalRounding
from rounding.deviation import Deviation
from rounding.losses import ROUNDED_LOSSES
from rounding.scales import ElementwiseRounding, Scales
from rounding.sums import Sums

CHAOS = 1 / 6
"""How fast errors grow in a network that amplifies varies from sample to sample: sigma is raised by this power of the gain."""

MOST_GAIN, FEWEST_SAMPLES = 10.0, 16
"""Errors average out over a layer where all layers together raise the square of what they are given by less, and so many samples count."""

LEAST_FLIPS = 1 / 16
"""A pre-activation within reach of a kink is given at least this chance to be on its other side: with 8 sigma four may be at once."""

FAR = 1e-3
"""An interval of pre-activations that is narrower has one slope and one curvature: they are taken at its middle."""

SHARED_OUTPUTS, STEEPEST_JOINT = 4.0, 1 / 4
"""Of a softmax: what errors that all of a sample's outputs share may add to the variance of a loss's derivative, times; and the square of
the largest eigenvalue of its Jacobian, which is at most 1/2."""

CANCELS = 32.0
"""Where the error of a sample's dC/da^L is larger than so many u of it, it is carried down as it stands, beside the variances: it comes
of one number, such as a p near 1 of a softmax, and is larger below than what the sample itself would make of it."""

LARGEST_JUMP = 1e9
"""Larger ones, over the deviation of one rounding, are carried down in float64."""


def near_kinks(passed: Passes, noise: TypicalRounding) -> AnyArray:
    """Of which samples a pre-activation is so near a kink that two passes may be on different sides of it: (batch,) of bool."""
    with np.errstate(all="ignore"):
        variances = Variances(passed, noise)
        variances.forward()
        return np.any([flips.any(axis=1) for flips in variances.flips], axis=0)


class Variances(Sums):
    """V by layer, in units of v: of the sums, and of what functions make of them; apart: as in Sums.

    lossy: the names of the activations for which a textbook formula is allowed for, or None for all.
    """

    def __init__(self, passed: Passes, noise: TypicalRounding, lossy: frozenset[str] | None = frozenset(), *, apart: bool = False) -> None:
        super().__init__(passed, noise, apart=apart)
        self.allowed = [lossy is None or name_and_parameters(choice)[0] in lossy for choice in self.problem.activations]
        """Whether a textbook formula is allowed for, by layer."""
        self.activations: list[Activation] = [row_of(ACTIVATIONS, choice) for choice in self.problem.activations]
        self.slopes = [slope.astype(self.dtype, copy=False) for slope in passed.backward.slopes]
        self.bends: list[AnyArray] = []
        """sup |g''| within reach of each z, by layer: the forward pass finds it, and the backward pass needs it too."""
        self.flips: list[AnyArray] = []
        """How likely each pre-activation is on the other side of a kink, 0 beyond reach, by layer."""
        self._forward: tuple[list[AnyArray], list[AnyArray]] | None = None

    def deviation(self, x: bool, loss: bool) -> Deviation:
        """The bound of every entry of the gradient, of z, a and delta; with x of dC/dx too, and with loss of C."""
        problem, passed, noise = self.problem, self.passed, self.noise
        back = passed.backward
        z_variances, a_variances = self.forward()
        near = [bool(flips.any()) for flips in self.flips]
        if any(near) and max(map(_jump, self.activations)) > LARGEST_JUMP * np.sqrt(noise.variance):
            self.dtype = np.float64
        e_variance = self.output_error(a_variances[-1])
        weights: list[Any] = []
        biases, deltas = [], []
        e_squared = self._squared(back.errors[-1])
        together = np.flatnonzero(e_variance.sum(axis=1) > CANCELS**2 * e_squared.sum(axis=1))
        moved = np.sign(back.errors[-1][together]).astype(self.dtype) * np.sqrt(e_variance[together])
        for layer in reversed(range(problem.depth)):
            delta, samples = back.deltas[layer], self.deltas_alike[layer]
            squared = self._squared(delta)
            d_variance = self.delta(layer, z_variances[layer], e_variance, e_squared, samples)
            d_variance += samples * squared
            d_variance += self.least
            deltas.append(d_variance)
            weight_variance, bias_variance = self.sums_over_samples(layer, squared, d_variance, a_variances[layer], samples)
            weights.append(weight_variance)
            biases.append(bias_variance)
            if layer or x:
                e_squared = self._squared(back.errors[layer - 1] if layer else back.x[:])
                e_variance = self._backward_product(layer, squared, d_variance, e_squared)
                if len(together):
                    # of few samples: to convert all weights would cost more
                    moved = (self._pulled_back(layer, moved, together).astype(np.float64) @ problem.weights[layer]).astype(self.dtype)
                    e_variance[together] = np.maximum(e_variance[together], moved * moved)
        gain = self._gain()
        variance = Gradient(
            weights[::-1],
            biases[::-1],
            x=e_variance if x else None,
            loss=self.loss(a_variances[-1]) if loss else None,
            pre_activations=z_variances,
            activations=a_variances[1:],
            deltas=deltas[::-1],
        )
        return Deviation(variance, float(gain**CHAOS * np.sqrt(noise.variance)), self._averages(gain, near))

    def elementwise(self, layer: int) -> tuple[Elementwise, ElementwiseRounding]:
        """The rows of a layer's activation, of one that is elementwise."""
        activation, rounded = self.activations[layer], self.rounded[layer]
        assert isinstance(activation, Elementwise) and isinstance(rounded, ElementwiseRounding)
        return activation, rounded

    def forward(self) -> tuple[list[AnyArray], list[AnyArray]]:
        """V(z) for l = 1, ..., L and V(a) for l = 0, ..., L; worked out once."""
        if self._forward is None:
            z_variances: list[AnyArray] = []
            a_variances: list[AnyArray] = [np.zeros(self.problem.x.shape, self.dtype)]
            for layer in range(self.problem.depth):
                z_variances.append(self._forward_product(layer, a_variances[layer]))
                a_variances.append(self.value(layer, z_variances[-1]))
            self._forward = z_variances, a_variances
        return self._forward

    def value(self, layer: int, z_variance: AnyArray) -> AnyArray:
        """V(a): what z brings, and the function's own error."""
        if (joint := self.joint[layer]) is not None:
            v, z = self.noise.variance, self.passed.forward.pre_activations[layer]
            self.flips.append(np.zeros(z.shape, self.dtype))
            self.bends.append(np.zeros((), self.dtype))
            variance = joint.value_variance(z, v * z_variance.astype(np.float64), v, self.problem.batch) / v
            return (variance + self.least).astype(self.dtype)
        (activation, _), z = self.elementwise(layer), self.passed.forward.pre_activations[layer]
        reach = SIGMAS_ALLOWED * np.sqrt(self.noise.variance * z_variance)
        self.flips.append(self._flips(activation, z, reach))
        self.bends.append(self._bend(activation, z, reach))
        steep = reach * self.bends[-1] + np.abs(self.slopes[layer])
        steep[self.flips[-1] > 0] += _jump(activation)
        steep *= steep
        steep *= z_variance
        return steep + self._of_functions(*self.value_error(layer))

    def delta(self, layer: int, z_variance: AnyArray, e_variance: AnyArray, e_squared: AnyArray, samples: float) -> AnyArray:
        """V(delta), without the rounding of delta itself; e_squared: dC/da squared."""
        if (joint := self.joint[layer]) is not None:
            v, z, e = self.noise.variance, self.passed.forward.pre_activations[layer], self.passed.backward.errors[layer]
            p_variance = joint.value_variance(z, v * z_variance.astype(np.float64), v, self.problem.batch)
            size = np.abs(e)
            # what it multiplies e by, an entry p_i p_j of a Jacobian say, may underflow
            lost = self.noise.underflow * (size + size.sum(axis=-1, keepdims=True))
            variance = joint.pullback_variance(z, p_variance, e, v * e_variance.astype(np.float64), v, samples) + lost * lost
            return (variance / v).astype(self.dtype)
        slope_variance = self.slope(layer, z_variance, samples)
        variance = self.noise.variance * slope_variance + self._squared(self.slopes[layer])
        variance *= e_variance
        variance += e_squared * slope_variance
        return variance

    def slope(self, layer: int, z_variance: AnyArray, samples: float) -> AnyArray:
        """V(g'): what z brings, the function's own error, and the other side of a kink."""
        variance = self._squared(self.bends[layer]) * z_variance
        variance = variance + self._of_functions(*self.slope_error(layer))
        if self.flips[layer].any():
            variance = variance + samples * self.other_side(layer)
        return variance

    def _pulled_back(self, layer: int, moved: AnyArray, samples: AnyArray) -> AnyArray:
        """dC/dz of dC/da of some samples."""
        if self.joint[layer] is not None:
            return self.activations[layer].pullback(self.passed.forward.pre_activations[layer][samples], moved).astype(self.dtype)
        return moved * self.slopes[layer][samples]

    def other_side(self, layer: int) -> AnyArray:
        """V(g') of a pass that may be on the other side of a kink; known once forward has passed."""
        return _jump(self.activations[layer]) ** 2 / self.noise.variance * self.flips[layer]

    def value_error(self, layer: int) -> tuple[AnyArray, float]:
        """The own error of g at each z, as a rule, in units of sqrt(v), and over how many samples it adds up."""
        a = self.passed.forward.activations[layer + 1]
        return self._function_error(layer, self.elementwise(layer)[1].value_scales, lambda z: 1 + np.abs(z), a)

    def slope_error(self, layer: int) -> tuple[AnyArray, float]:
        """The same of g'."""
        _, rounded = self.elementwise(layer)
        return self._function_error(layer, rounded.derivative_scales, rounded.underflow_scale, self.slopes[layer])

    def alike_pre_activations(self, layer: int) -> float:
        """How many pre-activations of a layer are alike, over nodes and samples."""
        z = self.passed.forward.pre_activations[layer]
        over_nodes, over_samples = self.alike.look([z, z.T], self.noise.unit if self.noise.functions_apart else 0.0)
        return over_nodes.alike * over_samples.alike

    def common_errors(self, layer: int) -> list[AnyArray]:
        """How far g and g' may be off on the whole at each z, in units of u."""
        z, (_, row) = self.passed.forward.pre_activations[layer], self.elementwise(layer)
        found = []
        for scales in (row.value_scales, row.derivative_scales):
            size = FUNCTION_ERROR * scales.right(z)
            if self._by_textbook(layer, scales):
                size = np.maximum(size, TEXTBOOK_ERROR * scales.lossy(z))
            found.append(np.sqrt(self.noise.functions) * size)
        return found

    def output_error(self, a_variance: AnyArray, alike: float | None = None) -> AnyArray:
        """V(dC/da^L); alike: over how many samples the own errors of functions in the loss add up, or None for what is the rule."""
        problem, output, v = self.problem, self.passed.forward.activations[-1], self.noise.variance
        loss = row_of(ROUNDED_LOSSES, problem.loss)
        if self.joint[-1] is not None:
            # errors that outputs share: at worst they add up, where the rule of a loss adds up their squares
            a_variance = SHARED_OUTPUTS * a_variance
        batch = alike or (self.outputs_alike if self.noise.functions_apart else problem.batch)
        variance = loss.derivative_variance(output, problem.y, v * a_variance.astype(np.float64), v, batch) / v
        if problem.sample_weights is not None or problem.reduction == "mean":
            variance = variance * np.square(problem.shares)
        for end, rounded in zip(loss.ends, (self.noise.underflow, self.noise.unit), strict=False):
            variance = np.where(np.abs(output - end) <= K * rounded, np.inf, variance)
        e = self.passed.backward.errors[-1]
        variance = variance + (4 * self.outputs_alike + self.of_total_weight) * e * e + self.least
        return variance.astype(self.dtype)

    def loss(self, a_variance: AnyArray) -> Array:
        """V(C): errors of all outputs may be alike; infinite where C may leave the range, or an output may be where C or dC/da does."""
        problem, output = self.problem, self.passed.forward.activations[-1]
        loss = row_of(LOSSES, problem.loss)
        values = np.abs(loss.value(output, problem.y))
        squares = sum(self.sizes) if problem.penalised is not None else 0.0
        if not 2 * max(values.sum(), squares) < self.noise.largest:
            return np.asarray(np.inf)
        if row_of(ROUNDED_LOSSES, problem.loss).ends and not np.isfinite(self.output_error(a_variance)).all():
            return np.asarray(np.inf)
        sizes = np.sum(values[:, None] * problem.shares)
        if problem.penalised is not None:
            sizes = sizes + problem.penalised.value(problem.weights, problem.batch)
        moved = np.sum(np.abs(self.passed.backward.errors[-1]) * np.sqrt(a_variance, dtype=np.float64))
        terms = (1 + np.abs(output)).sum(axis=1, keepdims=True) + loss.terms(output, problem.y)[:, None]
        rounded = np.sum(terms * problem.shares)
        count = output.size + (sum(map(np.size, problem.weights)) if problem.penalised is not None else 0)
        return np.asarray(moved**2 + (count / 3 + SHARED + self.of_total_weight) * sizes**2 + 4 * FUNCTION_ERROR**2 * rounded**2)

    def _bend(self, activation: Elementwise, z: Array, reach: AnyArray) -> AnyArray:
        """sup |g''| within reach of z."""
        if activation.curvature is nothing:
            return np.zeros((), self.dtype)
        if reach.max() > FAR:
            return largest_between(activation.curvature, activation.most_bent, z - reach, z + reach).astype(self.dtype)
        return np.abs(activation.curvature(z.astype(self.dtype, copy=False)))

    def _flips(self, activation: Activation, z: Array, reach: AnyArray) -> AnyArray:
        """The chance that another pass is on the other side of a kink: that its error is larger than the distance to it."""
        chance = np.zeros(z.shape, self.dtype)
        for kink, _ in activation.kinks:
            distance = z - kink
            np.abs(distance, out=distance)
            if distance.min() <= reach.max():
                near = distance <= reach
                # on the kink, where nothing is rounded
                far = np.divide(distance[near], reach[near], out=np.zeros(int(near.sum()), self.dtype), where=reach[near] > 0)
                likely = np.maximum(ndtr(-SIGMAS_ALLOWED * far), LEAST_FLIPS)
                chance[near] = np.maximum(chance[near], likely)
        return chance

    def _function_error(self, layer: int, scales: Scales, underflow_scale: Function, exact: AnyArray) -> tuple[AnyArray, float]:
        """A function's own errors, which are equal for equal z: over how many samples they add up.

        Where it is computed in the format of the sums and rounded once, over samples that come to the same number; else over all.
        exact: its values, of which the one rounding is where the precision says that there is no more.
        """
        textbook = self._by_textbook(layer, scales)
        lost = self.noise.underflow / np.sqrt(self.noise.variance)
        counts = bool(self.dtype(lost**2))
        if scales.right is nothing and not textbook and not counts:
            return np.zeros((), self.dtype), 1.0
        z = self.passed.forward.pre_activations[layer].astype(self.dtype, copy=False)
        alike: float = self.problem.batch
        if self.noise.apart:
            a = self.passed.forward.activations[layer + 1].T
            alike = self.alike.look([a], self.noise.unit)[0].alike
        size: AnyArray = np.maximum(scales.right(z), scales.lossy(z)) if textbook else scales.right(z)
        own = FUNCTION_ERROR * np.sqrt(self.noise.functions) * size
        if self.noise.functions_apart:
            own = np.sqrt(self._squared(own) + (size > 0) * (self._squared(exact) + self._squared(scales.stored(z))))
        return (np.hypot(own, lost * underflow_scale(z)) if counts else own), alike

    def _by_textbook(self, layer: int, scales: Scales) -> bool:
        """Whether a textbook formula is allowed for."""
        return bool(scales.textbook) and self.allowed[layer]

    def _of_functions(self, size: AnyArray, alike: float) -> AnyArray:
        """V of a function's own errors."""
        return alike * np.square(size) + self.dtype(self.least)

    def _gain(self) -> float:
        """How much all layers together raise the square of what they are given, by those that do."""
        gain = 1.0
        for size, weight, squares, joint in zip(self.sizes, self.problem.weights, self.passed.squares.slopes, self.joint, strict=True):
            steep = float(squares.sum()) / len(squares) / len(weight) if joint is None else STEEPEST_JOINT
            gain *= max(1.0, size / len(weight) * steep)
        return gain

    def _averages(self, gain: float, near: list[bool]) -> tuple[bool, ...]:
        if gain > MOST_GAIN or any(look.one_sign for look in self.rows):
            return (False,) * self.problem.depth
        averages = []
        for layer in range(self.problem.depth):
            parts = self.passed.squares.activations[layer] * self.passed.squares.deltas[layer]
            enough = bool(parts.sum() ** 2 >= FEWEST_SAMPLES * (parts * parts).sum())
            averages.append(enough and not any(near[layer:]))
        return tuple(averages)


def _jump(activation: Activation) -> float:
    """The largest jump of g'."""
    return max((size for _, size in activation.kinks), default=0.0)
