"""The rounding bound from both sides, by a few numbers a layer: enough to call most right answers right, at a tenth of its cost.

Below E stands the part of it that takes no pass of its own: what the sums over samples and the slopes round. Above it stands what the rules
come to with the largest number of each array in the place of all (docs/tolerance.md, section 2). An answer within the first, where
the second is narrow, is within E, and E says something of it.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from reference.arrays import Array
from reference.functions.activation import Elementwise
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import Choice, name_and_parameters, row_of
from reference.passes import Passes
from rounding.activations import ROUNDED_ACTIVATIONS
from rounding.arithmetic import K, WorstCaseRounding
from rounding.losses import ROUNDED_LOSSES
from rounding.scales import ElementwiseRounding
from rounding.worst_case import INFLATION, largest_total, share_roundings

GRID = np.concatenate([-np.geomspace(1e6, 1e-6, 241), [0.0], np.geomspace(1e-6, 1e6, 241)])
"""Where the largest value of a function is looked for."""

SPARE = 2.0
"""What is between two points of the grid may be larger by less than so many times: nothing but whether E is narrow depends on it."""


@dataclass(frozen=True)
class Glance:
    """Bounds of the derivatives by layer: part of E of each entry, (n_l, n_{l-1}) and (n_l,), and more than E of all of dC/dW."""

    weights: list[Array]
    biases: list[Array]
    widest: list[float]


@dataclass(frozen=True)
class Envelope:
    """An elementwise activation, and what g', g'' and their scales are at most, over 1 + |z|."""

    activation: Elementwise
    rounding: ElementwiseRounding
    slope: float
    bend: float
    value_scale: float
    slope_scale: float
    underflow_scale: float


@dataclass(frozen=True)
class _Layer:
    """A layer by its largest numbers.

    inputs, input_error: a of the layer before and E of it; reach: 1 + |z| + E(z); weight_error: E(W); absolute: |W|.
    """

    inputs: float
    input_error: float
    z_error: float
    reach: float
    weight_error: float
    absolute: Array
    envelope: Envelope


def at_a_glance(passed: Passes, model: WorstCaseRounding) -> Glance | None:
    """Both bounds; None where they take more than a glance: a softmax, functions or sums kept apart, a pre-activation near a kink,
    weights of samples that the precision does not hold.
    """
    problem = passed.problem
    apart = model.function_unit is not None or model.sum_unit is not None
    if apart or (problem.sample_weights is not None and _input_error(problem.sample_weights, model)):
        return None
    layers: list[_Layer] = []
    a, a_error = _largest(problem.x), _input_error(problem.x, model)
    for index in range(problem.depth):
        layer = _forward(passed, index, a, a_error, model)
        if layer is None:
            return None
        layers.append(layer)
        envelope, a = layer.envelope, _largest(passed.forward.activations[index + 1])
        a_error = layer.reach * (envelope.slope * layer.z_error + K * model.unit * envelope.value_scale + model.underflow)
    return _backward(passed, layers, a_error, model)


def _forward(passed: Passes, index: int, a: float, a_error: float, model: WorstCaseRounding) -> _Layer | None:
    """E(z) of a layer, and what else is needed of it; a, a_error: the largest of its inputs, and E of it."""
    problem, eta = passed.problem, model.underflow
    envelope = _envelope_of(problem.activations[index])
    if envelope is None:
        return None
    weight, bias = problem.weights[index], problem.biases[index]
    absolute, weight_error, n = np.abs(weight), _input_error(weight, model), weight.shape[1]
    th, carried = model.sum(n + 1), float(absolute.sum(axis=1).max())
    z_error = (th * (a + a_error) + a_error) * carried + eta * (1 + th) * (2 * (n + 1) + n * a + carried)
    z_error += (1 + th) * (a + a_error) * n * weight_error
    if bias is not None:
        z_error += th * _largest(bias) + _input_error(bias, model)
    z = passed.forward.pre_activations[index]
    if any(float(np.abs(z - kink).min()) <= 2 * z_error for kink, _ in envelope.activation.kinks):
        return None
    reach = 1 + _largest(z) + z_error
    if not reach * max(carried, 1.0) < (model.largest / 16) ** (1 / max(envelope.rounding.reach, 2)):
        return None
    return _Layer(a, a_error, z_error, reach, weight_error, absolute, envelope)


def _backward(passed: Passes, layers: list[_Layer], output_error: float, model: WorstCaseRounding) -> Glance | None:
    """The bounds of the derivatives; None where a number may leave the range. output_error: E(a) of the last layer."""
    problem, back, unit, eta, batch = passed.problem, passed.backward, model.unit, model.underflow, passed.problem.batch
    if not 2 * (_largest(passed.forward.activations[-1]) + output_error + _largest(problem.y)) < model.largest:
        return None
    rounded = row_of(ROUNDED_LOSSES, problem.loss).derivative_error
    e_error = _largest(rounded(passed.forward.activations[-1], problem.y, np.asarray(output_error), model))
    if problem.sample_weights is not None:
        # by the largest share, and the largest derivative of which a share was made
        shares, over = _largest(problem.shares), float(problem.total_weight) if problem.reduction == "mean" else 1.0
        derivative = _largest(row_of(LOSSES, problem.loss).derivative(passed.forward.activations[-1], problem.y)) + e_error
        e_error = shares * e_error + model.sum(share_roundings(problem)) * (_largest(back.errors[-1]) + shares * e_error)
        e_error += eta * (1 + 1 / over + derivative)
        if not max(2 * over, derivative * max(_largest(problem.sample_weights), 1 / over)) < model.largest:
            return None
    elif problem.reduction == "mean":
        e_error = e_error / batch + 3 * unit * (_largest(back.errors[-1]) + e_error / batch) + eta
    glance, th = Glance([], [], []), model.sum(batch)
    widest = model.largest / (4 * problem.widths[-1] * max(batch, float(largest_total(problem))))
    e_own: Array | float = 0.0
    rate = 0.0 if problem.penalised is None else problem.penalised.rate(batch)
    for index, layer in reversed(list(enumerate(layers))):
        e, delta, envelope, n = np.abs(back.errors[index]), np.abs(back.deltas[index]), layer.envelope, len(layer.absolute)
        most_e, most_delta, slope = float(e.max()) + e_error, float(delta.max()), layer.reach * envelope.slope
        slope_error = layer.reach * (envelope.bend * layer.z_error + K * unit * envelope.slope_scale + eta * envelope.underflow_scale)
        delta_error = most_e * (slope_error + unit * (slope + slope_error)) + slope * e_error + eta
        a, carried = layer.inputs + layer.input_error, float(layer.absolute.sum(axis=0).max())
        penalty = rate * _largest(layer.absolute)
        if not (most_e * layer.reach * n * batch * (1 + slope + a + carried) + (batch + 1) * penalty) < widest:
            return None
        weight_error = batch * ((th * (most_delta + delta_error) + delta_error) * a + most_delta * layer.input_error)
        weight_error += (model.sum(batch + 4) * (1 + rate) + rate) * (penalty + layer.weight_error) + eta * (1 + rate) * (
            _largest(layer.absolute) + 2 * (batch + 1)
        )
        glance.widest.insert(0, INFLATION * (weight_error + eta * (1 + th) * (2 * (batch + 1) + batch * (most_delta + a))))
        # what the slope, the products and the sum over samples round, and what is brought down of that
        own = unit * delta + (K * unit) * (e * envelope.rounding.derivative_scales.right(passed.forward.pre_activations[index]))
        own += e_own * np.abs(back.slopes[index])
        summed = th * delta + own
        glance.weights.insert(0, summed.T @ np.abs(passed.forward.activations[index]))
        glance.biases.insert(0, summed.sum(axis=0))
        down = model.sum(n)
        e_own = (down * delta + own) @ layer.absolute if index else 0.0
        e_error = (down * (most_delta + delta_error) + delta_error) * carried + eta * (1 + down) * (2 * (n + 1) + n * most_delta + carried)
        e_error += (1 + down) * (most_delta + delta_error) * n * layer.weight_error
    return glance


def _envelope_of(choice: Choice) -> Envelope | None:
    name, parameters = name_and_parameters(choice)
    return _envelope(name, tuple(parameters.items()))


@lru_cache(maxsize=256)
def _envelope(name: str, parameters: tuple[tuple[str, float], ...]) -> Envelope | None:
    """None of one that is not elementwise."""
    choice: Choice = (name, dict(parameters))
    activation, rounding = row_of(ACTIVATIONS, choice), row_of(ROUNDED_ACTIVATIONS, choice)
    if not isinstance(activation, Elementwise) or not isinstance(rounding, ElementwiseRounding):
        return None
    scales = rounding.value_scales.right, rounding.derivative_scales.right, rounding.underflow_scale
    with np.errstate(all="ignore"):
        sizes = [np.abs(function(GRID)) / (1 + np.abs(GRID)) for function in (activation.derivative, activation.curvature, *scales)]
    return Envelope(activation, rounding, *(SPARE * float(np.nanmax(size)) for size in sizes))


def _input_error(array: Array, model: WorstCaseRounding) -> float:
    """How far the target's number may be from the problem's: usually nothing."""
    return 0.0 if model.dtype == "float64" else _largest(model.input_error(array))


def _largest(array: Array | float) -> float:
    return float(np.abs(array).max()) if isinstance(array, np.ndarray) else abs(float(array))
