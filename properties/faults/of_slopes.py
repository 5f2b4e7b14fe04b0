"""Faults of equation 3 that are of no one activation: g' forgotten, doubled, of another argument, layer or sample."""

import numpy as np

from properties.faults.fault import (
    ADD,
    DEAD,
    EXACT,
    FLOW,
    LINE,
    NO_ERROR,
    ORDER,
    SPLIT,
    Passes,
    activation,
    delta,
    fault,
    faults_among,
    slope,
)
from reference.arrays import Array
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import row_of


@fault("slope", equations=(3,), laws=(EXACT, LINE))
def used_activation_for_pre_activation(p: Passes, layer: int) -> Array:
    """g' is taken at a in place of z: it shows for every activation whose slope changes between the two, so not for ReLU."""
    return p.activation(layer).derivative(p.a[layer])


@fault("slope", equations=(3,), laws=(EXACT, DEAD, FLOW, SPLIT, LINE))
def forgot_the_slope_of_hidden_layers(p: Passes, layer: int) -> Array:
    """g' is left out of every layer but the last, as if they were linear: it shows in two layers or more."""
    return slope(p, layer) if layer == p.depth else np.ones_like(p.z[layer])


@fault("slope", equations=(3,), laws=(EXACT, DEAD, SPLIT, LINE))
def forgot_the_slope_of_the_output_layer(p: Passes, layer: int) -> Array:
    """g' of the last layer is left out, as if it were taken into the loss: it shows where that layer is not linear."""
    return np.ones_like(p.z[layer]) if layer == p.depth else slope(p, layer)


@fault("slope", equations=(3,), laws=(EXACT, LINE))
def took_the_slope_twice(p: Passes, layer: int) -> Array:
    """delta holds g' squared: once from the loss or the layer above, and once more. It shows where g' is neither 0 nor 1."""
    return slope(p, layer) ** 2


@fault("slope", equations=(3,), laws=(EXACT, DEAD, FLOW, SPLIT, LINE))
def took_the_slope_of_the_layer_above(p: Passes, layer: int) -> Array:
    """g' is that of the activation one layer up: it shows in two layers or more, with more than one activation."""
    return p.activation(min(layer + 1, p.depth)).derivative(p.z[layer])


@fault("slope", equations=(3,), laws=(EXACT, SPLIT, LINE))
def took_z_of_the_layer_below(p: Passes, layer: int) -> Array:
    """g' is taken at z of the layer below: it shows in two layers or more, where both are of one width."""
    return p.activation(layer).derivative(p.z[layer - 1]) if layer > 1 and p.z[layer - 1].shape == p.z[layer].shape else slope(p, layer)


@fault("slope", equations=(3,), laws=(EXACT, FLOW, LINE))
def took_the_activation_for_its_slope(p: Passes, layer: int) -> Array:
    """g stands where g' must stand: it shows for every activation."""
    return p.a[layer]


@fault("slope", equations=(3,), laws=(EXACT, FLOW, LINE))
def took_the_slope_of_sigmoid_for_every_activation(p: Passes, layer: int) -> Array:
    """g' is a (1 - a) whatever the activation: it shows for every other than the sigmoid."""
    return p.a[layer] * (1 - p.a[layer])


@fault("slope", equations=(3,), laws=(EXACT, DEAD, FLOW, LINE))
def took_the_slope_of_tanh_for_every_activation(p: Passes, layer: int) -> Array:
    """g' is 1 - a a whatever the activation: it shows for every other than tanh."""
    return 1 - p.a[layer] ** 2


@fault("slope", equations=(3,), laws=(EXACT, ADD, ORDER, LINE))
def took_the_slope_of_the_first_sample(p: Passes, layer: int) -> Array:
    """All samples share the first one's g': it shows in batches of two or more."""
    return np.repeat(slope(p, layer)[:1], p.batch, axis=0)


@fault("slope", equations=(3,), laws=(EXACT, ADD, LINE))
def averaged_the_slope_over_the_batch(p: Passes, layer: int) -> Array:
    """All samples share their mean g': it shows in batches of two or more."""
    return np.repeat(slope(p, layer).mean(axis=0, keepdims=True), p.batch, axis=0)


@fault("slope", equations=(3,), laws=(EXACT, FLOW))
def stopped_at_saturated_nodes(p: Passes, layer: int) -> Array:
    """Where z is beyond 10 the gradient is stopped, as if every activation were flat there: it shows for large z."""
    return np.where(np.abs(p.z[layer]) > 10, 0.0, slope(p, layer))


@fault("delta", equations=(3, 11), laws=(EXACT, NO_ERROR, FLOW, LINE), thread="DiffSharp 16")
def dropped_the_incoming_error(p: Passes, layer: int) -> Array:
    """ReLU and sigmoid answer g' in place of dC/da g': what comes from above is dropped. It shows unless that is 1."""
    return p.slopes[layer] if p.activation_choice(layer)[0] in ("relu", "sigmoid") else delta(p, layer)


@fault("delta", equations=(3, 11, 2), laws=(EXACT,))
def flushed_small_deltas_to_zero(p: Passes, layer: int) -> Array:
    """A delta below 1e-6 counts as 0: it shows for small errors, and where activations saturate."""
    return np.where(np.abs(delta(p, layer)) < 1e-6, 0.0, delta(p, layer))


def _softsign_for_tanh(p: Passes, layer: int) -> Array:
    return row_of(ACTIVATIONS, "softsign").value(p.z[layer]) if p.activation_choice(layer)[0] == "tanh" else activation(p, layer)


CONSISTENT = "both passes are right for another activation: only the exact gradient knows which one was asked for"


@fault("slope", beside={"activation": _softsign_for_tanh}, laws=(EXACT,), blind=CONSISTENT)
def exchanged_tanh_for_softsign(p: Passes, layer: int) -> Array:
    """Where tanh is asked for, softsign and its slope are taken in both passes: a right gradient of another network."""
    return row_of(ACTIVATIONS, "softsign").derivative(p.z[layer]) if p.activation_choice(layer)[0] == "tanh" else slope(p, layer)


def _default_parameters(p: Passes, layer: int) -> Array:
    return row_of(ACTIVATIONS, p.activation_choice(layer)[0]).value(p.z[layer])


@fault("slope", beside={"activation": _default_parameters}, laws=(EXACT,), blind=CONSISTENT)
def ignored_the_parameters_of_activations(p: Passes, layer: int) -> Array:
    """The slope of leaky ReLU and alpha of ELU are the default in both passes, whatever was asked for: it shows for other parameters."""
    return row_of(ACTIVATIONS, p.activation_choice(layer)[0]).derivative(p.z[layer])


@fault("slope", equations=(3,), laws=(EXACT, LINE))
def lifted_the_slope_of_flat_nodes(p: Passes, layer: int) -> Array:
    """0.1 is added to g' of sigmoid and tanh, so that flat nodes learn too, as some ways of training want it: it shows for every z."""
    return slope(p, layer) + (0.1 if p.activation_choice(layer)[0] in ("sigmoid", "tanh") else 0.0)


FAULTS_OF_SLOPES = faults_among(vars())
