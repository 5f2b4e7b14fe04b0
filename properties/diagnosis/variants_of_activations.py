"""Variants of equation 3 and of the definition of a: each activation's for each other's, what stands where z must, lost factors."""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.special import expit, ndtr

from properties.diagnosis.variant import FACTORS, Variant, named
from properties.faults.fault import Passes, Step, activation, delta, slope
from reference.arrays import Array
from reference.functions.activation import Joint
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import row_of

ELEMENTWISE = tuple(name for name in ACTIVATIONS if not isinstance(row_of(ACTIVATIONS, name), Joint))

Formula = Callable[[Passes, int], Array]


def _of(name: str, formula: Formula, right: Step) -> Step:
    """A formula in the layers of one activation."""

    def step(p: Passes, layer: int) -> Array:
        return formula(p, layer) if p.activation_choice(layer)[0] == name else right(p, layer)

    return step


def _slope_of(other: str) -> Formula:
    return lambda p, layer: row_of(ACTIVATIONS, other).derivative(p.z[layer])


def _value_of(other: str) -> Formula:
    return lambda p, layer: row_of(ACTIVATIONS, other).value(p.z[layer])


FORMULAS: dict[str, tuple[str, Formula]] = {
    "one": ("1", lambda p, layer: np.ones_like(p.z[layer])),
    "zero": ("0", lambda p, layer: np.zeros_like(p.z[layer])),
    "z": ("z", lambda p, layer: p.z[layer]),
    "z_by_one_less_z": ("z (1 - z)", lambda p, layer: p.z[layer] * (1 - p.z[layer])),
    "one_less_z_squared": ("1 - z z", lambda p, layer: 1 - p.z[layer] ** 2),
    "one_less_a": ("1 - a", lambda p, layer: 1 - p.a[layer]),
    "one_and_a": ("1 + a", lambda p, layer: 1 + p.a[layer]),
    "a_by_one_and_a": ("a (1 + a)", lambda p, layer: p.a[layer] * (1 + p.a[layer])),
    "one_and_a_squared": ("1 + a a", lambda p, layer: 1 + p.a[layer] ** 2),
    "one_less_a_all_squared": ("(1 - a)^2", lambda p, layer: (1 - p.a[layer]) ** 2),
    "half_one_less_a_squared": ("(1 - a a) / 2", lambda p, layer: (1 - p.a[layer] ** 2) / 2),
    "a_squared": ("a a", lambda p, layer: p.a[layer] ** 2),
    "a_over_z": ("a / z", lambda p, layer: p.a[layer] / p.z[layer]),
    "sigmoid_of_a_by_its_rest": ("s(a) (1 - s(a))", lambda p, layer: expit(p.a[layer]) * expit(-p.a[layer])),
    "the_size_of_z": ("g'(|z|)", lambda p, layer: p.activation(layer).derivative(np.abs(p.z[layer]))),
    "z_with_the_other_sign": ("g'(-z)", lambda p, layer: p.activation(layer).derivative(-p.z[layer])),
    "twice_z": ("g'(2 z)", lambda p, layer: p.activation(layer).derivative(2 * p.z[layer])),
    "one_over_the_slope": ("1 / g'", lambda p, layer: 1 / slope(p, layer)),
    "the_root_of_the_slope": ("the root of g'", lambda p, layer: np.sqrt(slope(p, layer))),
    "the_slope_by_a": ("g' a", lambda p, layer: slope(p, layer) * p.a[layer]),
    "the_slope_by_z": ("g' z", lambda p, layer: slope(p, layer) * p.z[layer]),
    "the_slope_cubed": ("g'^3", lambda p, layer: slope(p, layer) ** 3),
    "a_step": ("1 where z > 0, and 0 elsewhere", lambda p, layer: np.where(p.z[layer] > 0, 1.0, 0.0)),
    "an_inverted_step": ("0 where z > 0, and 1 elsewhere: the mask is inverted", lambda p, layer: np.where(p.z[layer] > 0, 0.0, 1.0)),
    "a_sign": ("1 where z > 0, and -1 elsewhere", lambda p, layer: np.where(p.z[layer] > 0, 1.0, -1.0)),
    "a_step_by_the_sign_of_a": ("1 where a >= 0, and 0 elsewhere", lambda p, layer: np.where(p.a[layer] >= 0, 1.0, 0.0)),
    "a_leak_of_a_tenth": ("1 where z > 0, and 0.1 elsewhere", lambda p, layer: np.where(p.z[layer] > 0, 1.0, 0.1)),
    "a_leak_of_a_fifth": ("1 where z > 0, and 0.2 elsewhere", lambda p, layer: np.where(p.z[layer] > 0, 1.0, 0.2)),
    "a_leak_of_a_hundredth": ("1 where z > 0, and 0.01 elsewhere", lambda p, layer: np.where(p.z[layer] > 0, 1.0, 0.01)),
    "an_exponential_tail": ("1 where z > 0, and e^z elsewhere", lambda p, layer: np.where(p.z[layer] > 0, 1.0, np.exp(p.z[layer]))),
}
"""What stands where g' must: of a name how it is written, and what it is."""


WITHOUT_Z: dict[str, tuple[str, Formula]] = {
    "silu": ("s(z) + s(z) (1 - s(z))", lambda p, layer: expit(p.z[layer]) * (1 + expit(-p.z[layer]))),
    "gelu": ("Phi(z) + phi(z)", lambda p, layer: ndtr(p.z[layer]) + np.exp(-(p.z[layer] ** 2) / 2) / np.sqrt(2 * np.pi)),
}
"""Of an activation z f(z) what g' = f + z f' is without the factor z: how it is written, and what it is."""


SAMPLES: dict[str, tuple[str, Formula]] = {
    "took_the_slope_of_the_last_sample": (
        "all samples share the last one's g'",
        lambda p, layer: np.repeat(slope(p, layer)[-1:], p.batch, axis=0),
    ),
    "took_one_slope_for_all_nodes": ("all nodes share the first one's g'", lambda p, layer: slope(p, layer)[:, :1] + 0 * p.z[layer]),
    "averaged_the_slope_over_the_nodes": (
        "all nodes share their mean g'",
        lambda p, layer: slope(p, layer).mean(axis=1, keepdims=True) + 0 * p.z[layer],
    ),
    "took_the_slope_of_the_layer_below": (
        "g' is that of the activation one layer down",
        lambda p, layer: p.activation(max(layer - 1, 1)).derivative(p.z[layer]),
    ),
    "took_z_of_the_layer_above": (
        "g' is taken at z of the layer above",
        lambda p, layer: (
            p.activation(layer).derivative(p.z[layer + 1])
            if layer < p.depth and p.z[layer + 1].shape == p.z[layer].shape
            else slope(p, layer)
        ),
    ),
}


DELTAS: dict[str, tuple[str, Formula]] = {
    "answered_the_slope_for_delta": ("delta is g' alone: what comes from above is dropped", lambda p, layer: p.slopes[layer]),
    "answered_the_error_for_delta": ("delta is dC/da alone: g' is left out", lambda p, layer: p.errors[layer]),
    "took_relu_of_the_error": ("delta is relu(dC/da), in place of dC/da relu'(z)", lambda p, layer: np.maximum(p.errors[layer], 0.0)),
    "masked_the_error_by_its_own_sign": (
        "delta is kept where dC/da is above 0, and not where z is",
        lambda p, layer: np.where(p.errors[layer] > 0, p.errors[layer] * p.slopes[layer], 0.0),
    ),
    "added_the_slope": ("delta is dC/da plus g', in place of their product", lambda p, layer: p.errors[layer] + p.slopes[layer]),
    "multiplied_delta_by_a": ("delta is dC/da a", lambda p, layer: p.errors[layer] * p.a[layer]),
    "multiplied_delta_by_z": ("delta is dC/da z", lambda p, layer: p.errors[layer] * p.z[layer]),
    "applied_the_activation_to_the_error": ("delta is g(dC/da)", lambda p, layer: p.activation(layer).value(p.errors[layer])),
    "took_the_slope_at_the_error": (
        "delta is dC/da g'(dC/da): g' is taken at the error, in place of z",
        lambda p, layer: p.errors[layer] * p.activation(layer).derivative(p.errors[layer]),
    ),
}


def slopes() -> Iterator[Variant]:
    """Variants of equation 3 in one activation, in all, and of delta."""
    for name in ELEMENTWISE:
        for other in ELEMENTWISE:
            if other != name:
                yield named(
                    "slope",
                    f"took_the_slope_of_{other}_for_{name}",
                    f"g' of {name} is that of {other}",
                    _of(name, _slope_of(other), slope),
                    of=name,
                    rank=110,
                )
        for other in ELEMENTWISE:
            yield named(
                "slope",
                f"took_the_value_of_{other}_for_the_slope_of_{name}",
                f"g' of {name} is {'its own value' if other == name else f'the value of {other}'}",
                _of(name, _value_of(other), slope),
                of=name,
                rank=112,
            )
        for title, (written, formula) in FORMULAS.items():
            yield named(
                "slope", f"took_{title}_for_the_slope_of_{name}", f"g' of {name} is {written}", _of(name, formula, slope), of=name, rank=114
            )
        for title, (said, factor) in FACTORS.items():
            yield named(
                "slope", f"{title}_the_slope_of_{name}", f"g' of {name} {said}", _of(name, _times(factor), slope), of=name, rank=116
            )
        for title, (written, formula) in DELTAS.items():
            yield named(
                "delta", f"{title}_of_{name}", f"where the layer is {name}, {written}", _of(name, formula, delta), of=name, rank=118
            )
    for name, (written, formula) in WITHOUT_Z.items():
        said = f"g' of {name} is {written}: the second term lacks its factor z"
        yield named("slope", f"forgot_z_in_the_slope_of_{name}", said, _of(name, formula, slope), of=name, rank=112)
    for title, (written, formula) in FORMULAS.items():
        yield named("slope", f"took_{title}_for_every_slope", f"g' is {written}, whatever the activation", formula, rank=120)
    for title, (said, factor) in FACTORS.items():
        yield named("slope", f"{title}_the_slope", f"g' {said}", _times(factor), rank=122)
    for title, (written, formula) in SAMPLES.items():
        yield named("slope", title, written, formula, rank=124)
    for title, (written, formula) in DELTAS.items():
        yield named("delta", title, written, formula, rank=126)


def _times(factor: Callable[[Passes, int], float]) -> Formula:
    return lambda p, layer: slope(p, layer) * factor(p, layer)


def values() -> Iterator[Variant]:
    """Variants of the definition of a: another activation in both passes, or in the forward pass alone."""
    for name in ELEMENTWISE:
        for other in ELEMENTWISE:
            if other == name:
                continue
            forward = _of(name, _value_of(other), activation)
            yield Variant(
                f"exchanged_{name}_for_{other}",
                f"where {name} is asked for, {other} and its slope are taken in both passes: a right gradient of another network",
                {"activation": forward, "slope": _of(name, _slope_of(other), slope)},
                rank=210,
                of=name,
            )
            yield Variant(
                f"exchanged_{name}_for_{other}_in_the_forward_pass",
                f"where {name} is asked for, the forward pass takes {other}, and the backward pass the slope of {name}",
                {"activation": forward},
                rank=212,
                of=name,
            )
