"""The rounding bound: how far two honest passes over one problem may be apart, worst case, for each entry.

E(v) stands beside every value v of the reference: |target - reference| <= E(v) for every target that obeys the model of
rounding. Model, rules and proof: docs/tolerance.md.
"""

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from reference.arrays import AnyArray, Array, clipped
from reference.functions.activation import largest_between
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import Choice, name_and_parameters, row_of
from reference.functions.penalties import squares
from reference.gradient import Gradient
from reference.passes import Passes
from reference.problem import Problem
from reference.quantities import SINGLE
from rounding.activations import ROUNDED_ACTIVATIONS, elementwise
from rounding.arithmetic import WorstCaseRounding
from rounding.losses import ROUNDED_LOSSES
from rounding.scales import ElementwiseRounding, JointRounding, Scales

INFLATION = 1 + 1e-9
"""The bound is computed in float64 itself: all its terms are positive, so this covers its own rounding."""


def rounding_bound(passed: Passes, model: WorstCaseRounding, *, jumps: bool = True, apart: Array | float = 0.0) -> Gradient:
    """E of every entry of the gradient, of z, a, delta, dC/dx and C; infinite where no claim is made.

    passed: the reference's own passes; model: unit and underflow of the two passes that are compared, added.
    jumps: whether two passes may be on different sides of a kink that is within E(z); if not, E is the rounding alone, of passes
        that take the same slope there, whichever it is.
    apart: how far the two passes' expected outputs are apart, (batch, n_L), for a loss of differences a - y.
    """
    with np.errstate(all="ignore"):
        z_errors, a_errors = _forward_bound(passed, model)
        a_errors[-1] = a_errors[-1] + apart
        sizes = Sizes.of(passed)
        whole = _backward_bound(passed, model, z_errors, a_errors, sizes, jumps=True)
        if jumps:
            return whole.gradient
        near = _near_kinks(passed, z_errors)
        if not near.any():
            return whole.gradient
        # a pass that takes another slope than the reference has other sizes, and its rounding is relative to them
        raised = _backward_bound(passed, model, z_errors, a_errors, sizes.raised(whole), jumps=False)
        return raised.gradient if near.all() else _chosen(near, raised.gradient, whole.gradient)


@dataclass(frozen=True)
class Sizes:
    """How large the numbers of the backward pass are, or may be: |dC/da|, |g'| and |delta|, each by layer."""

    errors: tuple[Array, ...]
    slopes: tuple[Array, ...]
    deltas: tuple[Array, ...]

    @staticmethod
    def of(passed: Passes) -> "Sizes":
        """Those of the reference."""
        back = passed.backward
        return Sizes(*(tuple(np.abs(array) for array in arrays) for arrays in (back.errors, back.slopes, back.deltas)))

    def raised(self, bound: "BackwardBound") -> "Sizes":
        """Those of any pass within a bound."""
        pairs = ((self.errors, bound.errors), (self.slopes, bound.slopes), (self.deltas, bound.gradient.deltas or ()))
        return Sizes(*(tuple(size + error for size, error in zip(*pair, strict=True)) for pair in pairs))


@dataclass(frozen=True)
class BackwardBound:
    """E of the gradient, and of dC/da (l = 1, ..., L) and g' on the way to it, 0 of a layer that is not elementwise."""

    gradient: Gradient
    errors: tuple[Array, ...]
    slopes: tuple[Array, ...]


def _near_kinks(passed: Passes, z_errors: list[Array]) -> AnyArray:
    """Whether some pre-activation is within E(z) of a kink; of a stack, for each problem."""
    near = np.zeros(passed.problem.x.shape[:-2], dtype=bool)
    for choice, z, z_error in zip(passed.problem.activations, passed.forward.pre_activations, z_errors, strict=True):
        for kink, _ in row_of(ACTIVATIONS, choice).kinks:
            low, high = _interval(z, z_error)
            near |= ((low <= kink) & (kink <= high)).any(axis=(-2, -1))
    return near


def _chosen(which: AnyArray, one: Gradient, other: Gradient) -> Gradient:
    """Of a stack, the one bound for some problems, and the other for the rest."""

    def chosen(a: AnyArray, b: AnyArray) -> AnyArray:
        return np.where(which.reshape(which.shape + (1,) * (np.ndim(a) - which.ndim)), a, b)

    parts: dict[str, Any] = {}
    for quantity, given in vars(one).items():
        listed = quantity not in SINGLE
        theirs = getattr(other, quantity)
        parts[quantity] = tuple(map(chosen, given, theirs)) if listed else chosen(given, theirs)
    return Gradient(**parts)


def _forward_bound(passed: Passes, model: WorstCaseRounding) -> tuple[list[Array], list[Array]]:
    """E(z) for l = 1, ..., L and E(a) for l = 0, ..., L."""
    problem = passed.problem
    z_errors, a_errors = [], [model.input_error(problem.x) + np.zeros_like(problem.x)]
    for layer, (weight, bias) in enumerate(zip(problem.weights, problem.biases, strict=True)):
        a, a_error = passed.forward.activations[layer], a_errors[-1]
        absolute = np.abs(weight)
        terms = weight.shape[-1]
        z_error, size = _product_bound(np.abs(a), a_error, absolute.swapaxes(-1, -2), terms + 1, terms, model)
        if model.holds_less and (weight_error := np.asarray(model.input_error(weight))).any():
            z_error = z_error + (1 + model.sum(terms)) * ((np.abs(a) + a_error) @ weight_error.swapaxes(-1, -2))
        if bias is not None:
            z_error = z_error + (model.sum(terms) * np.abs(bias) + model.input_error(bias))[..., None, :]
            size = size + np.abs(bias)[..., None, :]
        z_error = _claimed(z_error, size + z_error >= model.largest)
        z_errors.append(z_error)
        a_errors.append(value_bound(passed, layer, z_error, model))
    return z_errors, a_errors


def value_bound(passed: Passes, layer: int, z_error: Array, model: WorstCaseRounding) -> Array:
    """E(a) = sup|g'| E(z) + K u s(z) + eta (1 + |z|), the supremum and s over [z - E(z), z + E(z)]; or K u_f s + u (|a| + stored).

    Of an activation that is not elementwise by the rule of its own.
    """
    choice, z = passed.problem.activations[layer], passed.forward.pre_activations[layer]
    if isinstance(joint := row_of(ROUNDED_ACTIVATIONS, choice), JointRounding):
        a_error = joint.value_error(z, z_error, model)
        return _claimed(a_error, np.isnan(a_error))
    return value_bound_of(choice, z, passed.forward.activations[layer + 1], z_error, model)


def value_bound_of(choice: Choice, z: Array, a: Array, z_error: Array, model: WorstCaseRounding) -> Array:
    """The same of an elementwise activation alone, at z with a = g(z), of any shape."""
    activation, rounding = elementwise(choice)
    low, high = _interval(z, z_error)
    steepest = largest_between(activation.derivative, activation.steepest, low, high)
    size = np.abs(a) + steepest * z_error
    rounded = _rounded(choice, rounding.value_scales, size, low, high, model)
    a_error = steepest * z_error + rounded + model.underflow * (1 + np.maximum(np.abs(low), np.abs(high)))
    # a slope of g beyond the range is a parameter beyond it
    overflows = (np.abs(a) + a_error > model.largest) | (steepest > model.largest)
    return _claimed(a_error, overflows | _out_of_reach(rounding, low, high, model))


def slope_bound(choice: Choice, z: Array, z_error: Array, model: WorstCaseRounding, *, jumps: bool) -> Array:
    """E(g') = sup|g''| E(z) + K u s'(z) + eta n(z), and with jumps the whole jump where a kink is within E(z).

    n(z) is 1 + |z|, but for activations that multiply what may have underflowed by more.
    """
    activation, rounding = elementwise(choice)
    low, high = _interval(z, z_error)
    bend = largest_between(activation.curvature, activation.most_bent, low, high)
    steepest = largest_between(activation.derivative, activation.steepest, low, high)
    rounded = _rounded(choice, rounding.derivative_scales, steepest, low, high, model)
    underflows = np.maximum(rounding.underflow_scale(low), rounding.underflow_scale(high))
    error = bend * z_error + rounded + model.underflow * underflows
    for kink, jump in activation.kinks if jumps else ():
        error = error + np.where((low <= kink) & (kink <= high), jump, 0.0)
    return _claimed(error, (steepest + error > model.largest) | _out_of_reach(rounding, low, high, model))


def _interval(z: Array, error: Array) -> tuple[Array, Array]:
    """[z - E, z + E], rounded outwards: a kink at its very end is not lost."""
    return np.nextafter(z - error, -np.inf), np.nextafter(z + error, np.inf)


def _rounded(choice: Choice, scales: Scales, size: Array, low: Array, high: Array, model: WorstCaseRounding) -> Array:
    """What a function's own rounding adds over [low, high], where it is at most as large as size."""
    # the point nearest 0 too: the scale of ELU's derivative has its corner there
    points = (low, high, clipped(0.0, low, high))
    lossy = model.allows(name_and_parameters(choice)[0])
    scale = reduce(np.maximum, [scale(point) for scale in (scales.right, *[scales.lossy] * lossy) for point in points])
    if not lossy or model.function_unit is None:
        return model.function(scale, size)
    return model.function(scale, size, reduce(np.maximum, map(scales.stored, points)))


def _out_of_reach(rounding: ElementwiseRounding, low: Array, high: Array, model: WorstCaseRounding) -> AnyArray:
    return np.maximum(np.abs(low), np.abs(high)) >= (model.largest / 16) ** (1 / rounding.reach)


def _backward_bound(
    passed: Passes, model: WorstCaseRounding, z_errors: list[Array], a_errors: list[Array], sizes: Sizes, jumps: bool
) -> BackwardBound:
    problem = passed.problem
    batch = problem.batch
    # a target may take means after its sums, so the sums must fit without them
    widest = (model.largest / (2 * problem.widths[-1]) / largest_total(problem))[..., None, None]
    errors = [_output_error_bound(passed, a_errors[-1], model)]
    weights, biases, deltas, slopes = [], [], [], []
    for layer in reversed(range(problem.depth)):
        error, e, slope, delta = errors[-1], sizes.errors[layer], sizes.slopes[layer], sizes.deltas[layer]
        choice, z = problem.activations[layer], passed.forward.pre_activations[layer]
        if isinstance(joint := row_of(ROUNDED_ACTIVATIONS, choice), JointRounding):
            delta_error, size = joint.pullback_error(z, z_errors[layer], e, error, model)
            slope_error = np.zeros_like(z)
        else:
            slope_error = slope_bound(choice, z, z_errors[layer], model, jumps=jumps)
            delta_error = (
                e * slope_error + slope * error + error * slope_error + model.unit * (e + error) * (slope + slope_error) + model.underflow
            )
            factor = slope + slope_error
            if elementwise(choice)[1].times_z:
                factor = np.maximum(factor, np.abs(z) + z_errors[layer])
            size = (e + error) * factor
        slopes.append(slope_error)
        delta_error = _claimed(delta_error, size > widest)
        deltas.append(delta_error * INFLATION)
        a, a_error = np.abs(passed.forward.activations[layer]), a_errors[layer]
        turned, turned_error = delta.swapaxes(-1, -2), delta_error.swapaxes(-1, -2)
        penalised = problem.penalised is not None
        weight_error, size = _product_bound(turned, turned_error, a + a_error, batch + penalised, batch, model)
        weight_error = weight_error + turned @ a_error
        if penalised:
            weight_error = weight_error + _penalty_bound(passed, layer, model)
            size = size + np.abs(_added(passed, layer)) * (batch + 1)
        weights.append(_claimed(weight_error, size > widest) * INFLATION)
        size = delta + delta_error
        bias_error = np.sum(model.sum(batch) * size + delta_error, axis=-2) + 2 * batch * (1 + model.sum(batch)) * model.underflow
        biases.append(_claimed(bias_error, size.sum(axis=-2) > widest[..., 0]) * INFLATION)
        absolute = np.abs(problem.weights[layer])
        terms = absolute.shape[-2]
        error, size = _product_bound(delta, delta_error, absolute, terms, terms, model)
        if model.holds_less and (input_error := np.asarray(model.input_error(problem.weights[layer]))).any():
            error = error + (1 + model.sum(terms)) * ((delta + delta_error) @ input_error)
        errors.append(_claimed(error, size > widest))
    gradient = Gradient(
        tuple(reversed(weights)),
        tuple(reversed(biases)),
        x=errors[-1] * INFLATION,
        loss=_loss_bound(passed, a_errors[-1], model),
        pre_activations=tuple(z_error * INFLATION for z_error in z_errors),
        activations=tuple(a_error * INFLATION for a_error in a_errors[1:]),
        deltas=tuple(reversed(deltas)),
    )
    return BackwardBound(gradient, tuple(reversed(errors[:-1])), tuple(reversed(slopes)))


def _product_bound(
    left: Array, left_error: Array, right: Array, roundings: int, terms: int, model: WorstCaseRounding
) -> tuple[Array, Array]:
    """E of left @ right: [th (|left| + E) + E] |right|, n products that may underflow, inputs that may be flushed to zero.

    left (m, n) with its error, right (n, p), both absolute; roundings: how many a term may take. And how large the sums may be,
    (|left| + E) |right|.
    """
    th, size = model.sum(roundings), (left + left_error) @ right
    flushed = left.sum(axis=-1, keepdims=True) + right.sum(axis=-2, keepdims=True)
    # what underflows early is rounded with the rest of the sum
    return th * size + left_error @ right + model.underflow * (1 + th) * (2 * (terms + 1) + flushed), size


def _output_error_bound(passed: Passes, a_error: Array, model: WorstCaseRounding) -> Array:
    problem, e = passed.problem, np.abs(passed.backward.errors[-1])
    output = passed.forward.activations[-1]
    error = row_of(ROUNDED_LOSSES, problem.loss).derivative_error(output, problem.y, a_error, model)
    if problem.sample_weights is not None:
        error = _claimed(*_weighted(passed, error, model))
    elif problem.reduction == "mean":
        error = error / problem.batch + 3 * model.unit * (e + error / problem.batch) + model.underflow
    size = np.abs(output) + a_error + np.abs(problem.y)
    return _claimed(error, 2 * size > model.largest)


def largest_total(problem: Problem) -> Array:
    """By how much sums may be larger than what is asked for, where a mean is taken after them; of a stack with weights, for each."""
    return np.asarray(np.maximum(problem.total_weight, 1.0) if problem.reduction == "mean" else 1.0)


def share_roundings(problem: Problem) -> int:
    """How often a sample's C_0 is rounded by its weight: by the product, by the mean, and in the sum of all weights; 1 without."""
    return problem.batch + 2 if problem.has_weighted_mean else 1


def _weighted(passed: Passes, error: Array, model: WorstCaseRounding) -> tuple[Array, AnyArray]:
    """E of a loss's derivative times its sample's share, which is rounded itself, and where no claim is made.

    error: E of the derivative.
    """
    problem, e, th = passed.problem, np.abs(passed.backward.errors[-1]), model.sum(share_roundings(passed.problem))
    derivative = np.abs(row_of(LOSSES, problem.loss).derivative(passed.forward.activations[-1], problem.y)) + error
    mean = problem.reduction == "mean"
    over = np.asarray(problem.total_weight if mean else 1.0)[..., None, None]
    # the product, or the weight over the sum of all, may underflow before the other is taken
    lost = model.underflow * (1 + 1 / over + derivative)
    weights = np.asarray(problem.sample_weights)
    held = np.asarray(model.input_error(weights)) + np.zeros_like(weights)
    remains = over - mean * held.sum(axis=-1)[..., None, None]
    if held.any():
        lost = lost + (1 + th) * derivative * (held[..., None] + mean * problem.shares * held.sum(axis=-1)[..., None, None]) / remains
    # a target may divide by the sum of the weights first
    largest = derivative * np.maximum(weights[..., None], mean / over)
    overflows = (largest > model.largest) | (2 * over > model.largest) | (remains <= 0)
    return problem.shares * error + th * (e + problem.shares * error) + lost, overflows


def _added(passed: Passes, layer: int) -> AnyArray:
    """What a penalty adds to dC/dW of a layer."""
    added = passed.backward.products[layer].added
    assert added is not None
    return added


def _penalty_bound(passed: Passes, layer: int, model: WorstCaseRounding) -> Array:
    """E of what a penalty adds to dC/dW, whole or in parts sample by sample, and of its sum with the rest."""
    problem, added = passed.problem, np.abs(_added(passed, layer))
    penalty = problem.penalised
    assert penalty is not None
    rate = penalty.rate(problem.batch)
    held = rate * np.asarray(model.input_error(problem.weights[layer]))
    # the rate is a number of the format too
    lost = model.underflow * (np.abs(problem.weights[layer]) + 2 * (problem.batch + 1) * (1 + rate))
    return _claimed(model.sum(problem.batch + 4) * (added + held) + held + lost, np.asarray(rate > model.largest))


def _loss_bound(passed: Passes, a_error: Array, model: WorstCaseRounding) -> Array:
    problem, output = passed.problem, passed.forward.activations[-1]
    errors = row_of(ROUNDED_LOSSES, problem.loss).value_error(output, problem.y, a_error, model)
    sizes: Array = np.abs(row_of(LOSSES, problem.loss).value(output, problem.y)) + errors
    mean, lost = problem.reduction == "mean", np.asarray(2 * problem.batch * model.underflow)
    largest = np.asarray(model.largest / (2 * problem.widths[-1]))
    if problem.sample_weights is not None:
        shares, over = problem.shares[..., 0], np.asarray(problem.total_weight if mean else 1.0)[..., None]
        held = np.asarray(model.input_error(problem.sample_weights)) + np.zeros_like(problem.sample_weights)
        remains = over - mean * held.sum(axis=-1, keepdims=True)
        held = np.where(remains > 0, (held + mean * shares * held.sum(axis=-1, keepdims=True)) / remains, np.inf)
        errors, sizes = errors * shares + sizes * held, sizes * (shares + held)
        lost, largest = lost * np.max(1 + 1 / over, axis=-1), largest / np.maximum(largest_total(problem), over[..., 0])
    bound = np.sum(errors + model.sum(problem.batch + share_roundings(problem)) * sizes, axis=-1)
    if mean and problem.sample_weights is None:
        bound = bound / problem.batch + 3 * model.unit * sizes.mean(axis=-1)
    total = sizes.sum(axis=-1)
    if problem.penalised is not None:
        added, error = _penalty_value_bound(problem, model)
        bound = bound + error + model.unit * (total + added)
        # the squares may be added up before the rate is taken
        total = total + np.maximum(added, squares(problem.weights))
    return _claimed(bound + lost, total > largest) * INFLATION


def _penalty_value_bound(problem: Problem, model: WorstCaseRounding) -> tuple[Array, Array]:
    """What a penalty adds to C, at most, and E of it."""
    penalty = problem.penalised
    assert penalty is not None
    half, terms = penalty.rate(problem.batch) / 2, sum(weight.shape[-1] * weight.shape[-2] for weight in problem.weights)
    added = penalty.value(problem.weights, problem.batch)
    held = np.zeros(())
    for weight in problem.weights:
        error = model.input_error(weight) + np.zeros_like(weight)
        held = held + half * np.sum((2 * np.abs(weight) + error) * error, axis=(-2, -1))
    return added + held, model.sum(terms + 5) * (added + held) + held + 2 * terms * (1 + half) * model.underflow


def _claimed(error: Array, overflows: AnyArray) -> Array:
    """The bound where a claim is made: where a needed sum or product may leave the range, or the bound is inf - inf, there is none."""
    claimed: Array = np.where(overflows | np.isnan(error), np.inf, error)
    return claimed
