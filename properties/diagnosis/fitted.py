"""Fitted variants: mistakes with a number of their own, a factor, a rate or a decay, read off what no row of the table explains."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from properties.diagnosis.asked import SAFETY
from properties.diagnosis.explanation import Layer, Reading, relative_errors
from properties.diagnosis.variant import Variant, named
from properties.faults.fault import Passes, bias_gradient, error_below, output_error, penalty, slope, weight_gradient
from reference.arrays import Array

DIGITS = 10
"""Two numbers that were read are the same that agree in so many digits."""

SEEN = 3
"""In so many places a number must be read, the same each time."""

Made = Callable[[float], Variant]


def fitted(readings: Sequence[Reading]) -> list[Variant]:
    """The variants with a number that was read in several places."""
    counts: Counter[tuple[str, str]] = Counter()
    for reading in readings:
        for layer in reading.layers:
            # each once, in an order that no hash picks: of those that are seen as often, the first stand first
            counts.update(dict.fromkeys((kind, f"{number:.{DIGITS}g}") for kind, number in _numbers(reading, layer)).keys())
    rows = []
    for (kind, text), seen in counts.most_common(8):
        if seen >= SEEN and float(text) not in (0.0, 1.0):
            rows.append(MADE[kind](float(text)))
    return rows


def _numbers(reading: Reading, layer: Layer) -> Iterator[tuple[str, float]]:
    """What number each part of a layer would have, if that were what is off."""
    one = reading.asked
    assert one.gradient is not None
    own, right = layer.own, layer.right
    if own is None or right is None:
        return
    relative = SAFETY * float(relative_errors(one, layer.layer).max())
    top = layer.layer == one.problem.depth
    if layer.delta == "off" and (factor := _factor(own, right, relative)) is not None:
        yield ("output_error" if top else "error_below"), factor
        yield "slope", factor
    if layer.delta == "off" and not top:
        yield from _rates(reading, layer, relative)
    if layer.weights == "off":
        a = one.exact.passes.forward.activations[layer.layer - 1]
        got, product = one.products(layer.layer), own.T @ a
        if (factor := _factor(got, product, relative)) is not None:
            yield "weight_gradient", factor
        added = one.problem.penalised
        rate = 0.0 if added is None else added.rate(one.problem.batch)
        if (decay := _factor(got - product, one.problem.weights[layer.layer - 1], 1e-9)) is not None:
            # what is less than a penalty asks for is a part of the loss
            yield ("penalty", 1 + decay / rate) if rate and decay < 0 else ("decay", decay)
    if layer.biases == "off" and one.gradient.biases is not None:
        got, total = np.asarray(one.gradient.biases[layer.layer - 1], dtype=np.float64), own.sum(axis=0)
        if (factor := _factor(got, total, relative)) is not None:
            yield "bias_gradient", factor


def _factor(got: Array, right: Array, relative: float) -> float | None:
    """The number by which one array is the other, or None."""
    size = float(np.sum(right * right))
    if not size or not np.isfinite(size) or not np.isfinite(got).all() or got.size < 2:
        return None
    factor = float(np.sum(got * right)) / size
    return factor if bool((np.abs(got - factor * right) <= 16 * relative * (np.abs(factor) + 1) * np.abs(right).max()).all()) else None


def _rates(reading: Reading, layer: Layer, relative: float) -> Iterator[tuple[str, float]]:
    """eta, where the error was carried down by W - eta dC/dW: of all samples, and of each sample by itself."""
    one, above = reading.asked, next((each for each in reading.layers if each.layer == layer.layer + 1), None)
    if above is None or above.own is None or layer.own is None or one.gradient is None:
        return
    number = above.layer - 1
    with np.errstate(all="ignore"):
        got = layer.own / one.exact.passes.backward.slopes[layer.layer - 1]
    lost = above.own @ one.problem.weights[number] - got
    a, count = one.exact.passes.forward.activations[number], one.problem.batch if one.problem.reduction == "mean" else 1
    steps = {
        "updated": above.own @ np.asarray(one.gradient.weights[number], dtype=np.float64),
        "updated_by_each_sample": _by_each_sample(above.own, a, count),
    }
    for kind, down in steps.items():
        if rate := _factor(lost, down, max(relative, 1e-11)):
            yield kind, rate


def _by_each_sample(delta: Array, a: Array, count: int) -> Array:
    """delta dC/dW with the dC/dW of each sample alone: a |delta|^2, (batch, n_{l-1}). count: delta is 1 over it of a mean."""
    return np.asarray(a * (delta * delta).sum(axis=1, keepdims=True) * count)


def _times(right: Callable[[Passes, int], Array], factor: float) -> Callable[[Passes, int], Array]:
    return lambda p, layer: right(p, layer) * factor


def _text(number: float) -> str:
    return f"{number:.{DIGITS}g}".replace("-", "minus_")


MADE: dict[str, Made] = {
    "output_error": lambda r: named(
        "output_error",
        f"multiplied_the_derivative_by_{_text(r)}",
        f"dC/da of the output layer is {r:.10g} times what it should be",
        lambda p: output_error(p) * r,
        rank=300,
    ),
    "slope": lambda r: named(
        "slope", f"multiplied_the_slope_by_{_text(r)}", f"g' is {r:.10g} times what it should be", _times(slope, r), rank=304
    ),
    "error_below": lambda r: named(
        "error_below",
        f"multiplied_the_error_below_by_{_text(r)}",
        f"the error that is passed down is {r:.10g} times W^T delta",
        _times(error_below, r),
        rank=301,
    ),
    "weight_gradient": lambda r: named(
        "weight_gradient",
        f"multiplied_dw_by_{_text(r)}",
        f"dC/dW is {r:.10g} times what it should be, while delta, which is passed down, is right",
        _times(weight_gradient, r),
        rank=302,
    ),
    "bias_gradient": lambda r: named(
        "bias_gradient", f"multiplied_db_by_{_text(r)}", f"dC/db is {r:.10g} times what it should be", _times(bias_gradient, r), rank=303
    ),
    "decay": lambda r: named(
        "weight_gradient",
        f"added_{_text(r)}_times_the_weights",
        f"dC/dW holds {r:.10g} W, a term of weight decay that is no part of the loss",
        lambda p, layer: np.asarray(weight_gradient(p, layer) + r * p.weight(layer)),
        rank=305,
    ),
    "penalty": lambda r: named(
        "penalty",
        f"multiplied_the_penalty_by_{_text(r)}",
        f"what the penalty adds to dC/dW is {r:.10g} times what it should be",
        lambda p, layer: np.asarray(penalty(p, layer) * r),
        rank=305,
    ),
    "updated": lambda r: named(
        "error_below",
        f"used_weights_updated_at_a_rate_of_{_text(r)}",
        f"the error is carried down by the weights after a step of {r:.10g} dC/dW, in place of those that made the output",
        lambda p, layer: np.asarray(p.deltas[layer] @ (p.weight(layer) - r * p.weights[layer])),
        rank=306,
    ),
    "updated_by_each_sample": lambda r: named(
        "error_below",
        f"used_weights_updated_by_each_sample_at_a_rate_of_{_text(r)}",
        f"the error of each sample is carried down by the weights after that sample's own step of {r:.10g} dC/dW, in place of those that "
        "made the output",
        lambda p, layer: np.asarray(
            p.deltas[layer] @ p.weight(layer) - r * _by_each_sample(p.deltas[layer], p.a[layer - 1], p.batch if p.averages else 1)
        ),
        rank=307,
    ),
}
"""What is off by a number of its own -> the variant with that number."""
