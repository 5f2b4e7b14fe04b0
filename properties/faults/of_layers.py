"""Faults of z and of equations 4, 7, 10 and 11: transposes, indices, and layers that are off by one."""

from typing import Any

import numpy as np

from properties.faults.fault import (
    ADD,
    BIAS,
    DEAD,
    EXACT,
    FLOW,
    IDENTITY,
    LINE,
    MEAN,
    ORDER,
    OUTER,
    PERMUTED,
    SPLIT,
    UNUSED,
    Passes,
    activation,
    error_below,
    fault,
    faults_among,
    loss,
    pre_activation,
    weight_gradient,
)
from reference.arrays import Array

SQUARE = {"width": (3, 3)}
"""Layers of one width: what hides a mistake of shape, and what is asked of an implementation that is stopped by other widths."""

GRADIENT = (4, 10)
BELOW = (7, 11)


@fault("pre_activation", laws=(EXACT, PERMUTED, LINE))
def summed_over_its_own_layer(p: Passes, layer: int) -> Array:
    """z sums over the nodes of its own layer where they are computed already: what comes of one array for both layers.
    It is the note's misprint in the definition of z, and shows from the second node on."""
    z, inputs = np.empty((p.batch, len(p.weight(layer)))), p.a[layer - 1].copy()
    for j, row in enumerate(p.weight(layer)):
        bias = p.bias(layer)
        z[:, j] = inputs @ row + (0 if bias is None else bias[j])
        inputs[:, j : j + 1] = p.activation(layer).value(z[:, j : j + 1])[:, : inputs[:, j : j + 1].shape[1]]
    return z


@fault("pre_activation", laws=(EXACT, LINE))
def forgot_the_bias_in_the_forward_pass(p: Passes, layer: int) -> Array:
    """z is W a without b, while dC/db is answered: it shows wherever a bias is not 0."""
    return np.asarray(p.a[layer - 1] @ p.weight(layer).T)


@fault("pre_activation", laws=(EXACT, ADD, ORDER, LINE))
def added_the_bias_along_the_samples(p: Passes, layer: int) -> Array:
    """The bias is added to samples in place of nodes: it shows, and fits, only where the batch is as large as the layer."""
    bias = p.bias(layer)
    if bias is None or len(bias) != p.batch:
        return pre_activation(p, layer)
    return np.asarray(p.a[layer - 1] @ p.weight(layer).T + bias[:, None])


@fault("weight_gradient", equations=GRADIENT, laws=(EXACT, OUTER, PERMUTED, FLOW, LINE))
def took_the_output_index_for_the_input_index(p: Passes, layer: int) -> Array:
    """dz_j/dw_jk is taken as a_j in place of a_k, as equation 4 is misprinted: all columns of dC/dW are equal.
    It shows as soon as two inputs of a layer differ."""
    outputs, inputs = p.weight(layer).shape
    column = np.sum(p.deltas[layer] * p.a[layer - 1][:, np.arange(outputs) % inputs], axis=0)
    return np.repeat(column[:, None], inputs, axis=1)


@fault("weight_gradient", equations=GRADIENT, laws=(EXACT, OUTER, PERMUTED, FLOW, LINE))
def exchanged_the_indices_of_the_weight_gradient(p: Passes, layer: int) -> Array:
    """dC/dW is a delta^T, read in the shape of W: its indices are exchanged. It shows where a layer has two inputs."""
    return weight_gradient(p, layer).T.reshape(p.weight(layer).shape)


@fault("error_below", equations=BELOW, laws=(EXACT, PERMUTED, FLOW, LINE), supports=SQUARE)
def forgot_transpose(p: Passes, layer: int) -> Array:
    """The error of the layer below takes W in place of its transpose: the sum runs over the wrong index of w_jk.
    Other layers than square ones raise; on square ones it shows as soon as W is not symmetric."""
    return np.asarray(p.deltas[layer] @ p.weight(layer).T)


@fault("error_below", equations=BELOW, laws=(EXACT, PERMUTED, FLOW, LINE))
def reshaped_in_place_of_transposing(p: Passes, layer: int) -> Array:
    """W is reshaped to the shape of its transpose, which leaves its numbers where they are: it shows where a layer has two of both."""
    outputs, inputs = p.weight(layer).shape
    return np.asarray(p.deltas[layer] @ p.weight(layer).reshape(inputs, outputs).T)


@fault("error_below", equations=BELOW, laws=(EXACT, PERMUTED, FLOW, LINE), thread="flagos-ai/FlagGems 4992")
def strode_by_the_width_of_the_other_axis(p: Passes, layer: int) -> Array:
    """W is read from its buffer with the number of rows as the length of a row: hidden where the layer is square."""
    outputs, inputs = p.weight(layer).shape
    places = np.arange(outputs)[:, None] * outputs + np.arange(inputs)
    return np.asarray(p.deltas[layer] @ np.take(p.weight(layer), places, mode="wrap"))


@fault("error_below", equations=BELOW, laws=(EXACT, PERMUTED, FLOW, SPLIT, LINE), supports=SQUARE)
def used_the_weights_of_the_layer_above(p: Passes, layer: int) -> Array:
    """The error is carried down by the weights one layer too high, where shapes let it pass.
    It shows in three layers or more, and in dC/dx of two."""
    return np.asarray(p.deltas[layer] @ p.weight(min(layer + 1, p.depth)))


@fault("error_below", equations=BELOW, laws=(EXACT, PERMUTED, FLOW, SPLIT, LINE), supports=SQUARE)
def used_the_weights_of_the_layer_below(p: Passes, layer: int) -> Array:
    """The error is carried down by the weights one layer too low: it shows in two layers or more, where their shapes are the same."""
    return np.asarray(p.deltas[layer] @ p.weight(max(layer - 1, 1)))


@fault("error_below", equations=BELOW, laws=(EXACT, ADD, FLOW, LINE))
def used_updated_weights(p: Passes, layer: int) -> Array:
    """A layer takes its step of gradient descent before it carries the error down, so that the weights are those of the next step.
    It shows in two layers or more, and in dC/dx."""
    return np.asarray(p.deltas[layer] @ (p.weight(layer) - 0.01 * p.weights[layer]))


@fault("weight_gradient", equations=GRADIENT, laws=(EXACT, OUTER, PERMUTED, FLOW, LINE), supports=SQUARE)
def used_the_activations_of_the_layer_above(p: Passes, layer: int) -> Array:
    """dC/dW takes the outputs of its own layer in place of its inputs: where both have one width, shapes do not tell."""
    return np.asarray(p.deltas[layer].T @ p.a[layer])


@fault("weight_gradient", equations=GRADIENT, laws=(EXACT, OUTER, FLOW, LINE))
def used_the_pre_activations_of_the_layer_below(p: Passes, layer: int) -> Array:
    """dC/dW takes z of the layer below in place of a: it shows in two layers or more, unless the lower is linear."""
    return np.asarray(p.deltas[layer].T @ p.z.get(layer - 1, p.a[0]))


@fault("weight_gradient", equations=GRADIENT, laws=(EXACT, OUTER, FLOW, LINE))
def used_the_inputs_of_the_network(p: Passes, layer: int) -> Array:
    """dC/dW takes x in place of the layer's own input: it shows in two layers or more, where x has the same width."""
    return np.asarray(p.deltas[layer].T @ (p.a[0] if p.a[0].shape == p.a[layer - 1].shape else p.a[layer - 1]))


@fault("error_below", equations=(11,), laws=(EXACT, PERMUTED, FLOW, LINE))
def left_out_the_last_node_of_the_layer_above(p: Passes, layer: int) -> Array:
    """The sum over the nodes of the layer above ends one too early: it shows in two layers or more, and in dC/dx."""
    return np.asarray(p.deltas[layer][:, :-1] @ p.weight(layer)[:-1])


@fault("error_below", equations=(11,), laws=(EXACT, PERMUTED, FLOW, LINE))
def followed_one_path_only(p: Passes, layer: int) -> Array:
    """The error takes the path through the first node of the layer above, and no sum: it shows where that layer has two nodes."""
    return np.asarray(p.deltas[layer][:, :1] @ p.weight(layer)[:1])


@fault("error_below", equations=(11,), laws=(EXACT, UNUSED, FLOW, LINE))
def averaged_over_the_nodes_of_the_layer_above(p: Passes, layer: int) -> Array:
    """The sum over the nodes of the layer above is their mean: it shows where that layer has two nodes."""
    return error_below(p, layer) / len(p.weight(layer))


@fault("error_below", equations=(3, 11), laws=(EXACT, FLOW, LINE))
def carried_the_error_past_the_slope(p: Passes, layer: int) -> Array:
    """The error of the layer below is W^T dC/da in place of W^T delta: g' of the layer above is left out.
    It shows in two layers or more, where the upper is not linear."""
    return np.asarray(p.errors[layer] @ p.weight(layer))


@fault("error_below", equations=(11,), laws=(EXACT, FLOW, SPLIT, IDENTITY, LINE))
def stopped_two_layers_below_the_output(p: Passes, layer: int) -> Array:
    """The error is carried down one layer and no further, as for a network of two layers: it shows in three layers or more."""
    return error_below(p, layer) * (layer == p.depth or layer == 1)


@fault("error_below", equations=BELOW, laws=(EXACT, FLOW, LINE), thread="ml-explore/mlx 610")
def cut_the_gradient_where_a_bias_was_added(p: Passes, layer: int) -> Array:
    """The bias is added in place, and the gradient ends there: all below a layer with a bias gets 0."""
    return error_below(p, layer) * (p.bias(layer) is None)


@fault("error_below", equations=BELOW, laws=(EXACT, SPLIT), supports=SQUARE)
def left_the_last_product_out_of_the_gradient_by_x(p: Passes, layer: int) -> Array:
    """dC/dx is answered as delta of the first layer, without its weights: it shows only in dC/dx, and where shapes let it pass."""
    return p.deltas[1] if layer == 1 else error_below(p, layer)


@fault("weight_gradient", equations=(10,), laws=(EXACT, BIAS, FLOW, IDENTITY, LINE))
def stopped_before_the_first_layer(p: Passes, layer: int) -> Array:
    """The loop over layers ends one too early: dC/dW of the first layer stays 0 in networks of two layers or more."""
    return weight_gradient(p, layer) * (layer > 1 or p.depth == 1)


@fault("weight_gradient", equations=GRADIENT, laws=(EXACT, BIAS, UNUSED, FLOW, LINE))
def divided_by_the_number_of_inputs(p: Passes, layer: int) -> Array:
    """dC/dW is divided by the number of the layer's inputs, as an initialisation would be: it shows where there are two."""
    return weight_gradient(p, layer) / p.a[layer - 1].shape[1]


@fault("weight_gradient", equations=(10,), laws=(EXACT, BIAS, PERMUTED, FLOW, LINE))
def left_out_the_last_row(p: Passes, layer: int) -> Array:
    """The loop over nodes ends one too early: the last row of each dC/dW is what its buffer held, 0."""
    gradient = weight_gradient(p, layer)
    gradient[-1] = 0
    return gradient


@fault("weight_gradient", laws=(EXACT, OUTER, DEAD, ADD, MEAN, FLOW, LINE))
def left_weight_decay_in_the_gradient(p: Passes, layer: int) -> Array:
    """dC/dW holds the term of weight decay, which is no part of the loss: it shows wherever a weight is not 0."""
    return np.asarray(weight_gradient(p, layer) + 0.01 * p.weight(layer))


def _regularised(p: Passes) -> Any:
    return loss(p) + 0.005 * sum(np.sum(w * w) for w in p.problem.weights)


@fault("weight_gradient", beside={"loss": _regularised}, laws=(EXACT, OUTER, DEAD, ADD, MEAN, FLOW))
def answered_for_the_regularised_loss(p: Passes, layer: int) -> Array:
    """Loss and gradient both hold the weights' squares, which were not asked for: they agree with each other, not with the problem."""
    return np.asarray(weight_gradient(p, layer) + 0.01 * p.weight(layer))


def _dropped(p: Passes, layer: int) -> Array:
    a = p.activation(layer).value(p.z[layer])
    rng = p.memory.setdefault("rng", np.random.default_rng(1))
    p.memory[layer] = 2.0 * rng.integers(0, 2, a.shape) if layer < p.depth else np.ones(a.shape)
    return a * p.memory[layer]


@fault("slope", beside={"activation": _dropped}, laws=("two_calls_agree", EXACT))
def left_dropout_on(p: Passes, layer: int) -> Array:
    """Half of the hidden nodes are dropped, others in each call, and the rest doubled: training, where only a gradient was asked for."""
    return p.activation(layer).derivative(p.z[layer]) * p.memory[layer]


@fault("error_below", equations=BELOW, laws=(EXACT, LINE))
def passed_the_bias_column_down(p: Passes, layer: int) -> Array:
    """b is the first column of W, and is left in where the error is carried down, so that each node has that of its neighbour: it shows
    where there are biases."""
    bias = p.bias(layer)
    if bias is None:
        return error_below(p, layer)
    return np.asarray(p.deltas[layer] @ np.column_stack([bias, p.weight(layer)])[:, :-1])


@fault("error_below", equations=BELOW, laws=(EXACT, LINE))
def shifted_the_error_by_one_node(p: Passes, layer: int) -> Array:
    """Each node of the layer below has the error of the one before it: an index that is off by one. It shows where two nodes are."""
    return np.roll(error_below(p, layer), 1, axis=1)


@fault("error_below", equations=BELOW, laws=(EXACT, LINE), supports={"width": (3, 3), "depth": (2, 4)})
def added_to_the_error_of_the_layer_above(p: Passes, layer: int) -> Array:
    """The error of the layer below is added to that of the layer above, in one buffer for both: it shows where both are of one width."""
    return error_below(p, layer) + (p.errors[layer] if p.errors[layer].shape == p.a[layer - 1].shape else 0.0)


@fault("error_below", equations=BELOW, laws=(EXACT,))
def clipped_the_error_on_the_way_down(p: Passes, layer: int) -> Array:
    """The error that is passed down is clipped at -1 and 1 in each layer, as training may want it: it shows for larger errors."""
    return np.clip(error_below(p, layer), -1, 1)


@fault("error_below", equations=BELOW, laws=(EXACT,), thread="pytorch PR 189565")
def stopped_after_four_numbers_of_a_single_output(p: Passes, layer: int) -> Array:
    """Above a layer of one output, the error below is 0 past the fourth number of the batch, where a block ends: it shows in larger."""
    error = error_below(p, layer)
    if p.weight(layer).shape[0] == 1:
        error.reshape(-1)[4:] = 0
    return error


def _without_bias(p: Passes, layer: int) -> Array:
    return np.asarray(p.a[layer - 1] @ p.weight(layer).T)


@fault("activation", beside={"pre_activation": _without_bias}, laws=(EXACT, LINE))
def added_the_bias_after_the_activation(p: Passes, layer: int) -> Array:
    """a is g(W a) + b in place of g(W a + b), while dC/db is answered as that of b in z: it shows wherever a bias is not 0."""
    bias = p.bias(layer)
    return activation(p, layer) + (0.0 if bias is None else bias)


@fault("activation", laws=(EXACT, LINE))
def forgot_the_activation_of_the_output_layer(p: Passes, layer: int) -> Array:
    """The forward pass leaves g out of the output layer, and the backward pass takes its slope: it shows where that layer is not linear."""
    return p.z[layer] if layer == p.depth else activation(p, layer)


@fault("weight_gradient", equations=GRADIENT, laws=(EXACT, PERMUTED, LINE))
def wrote_the_flat_gradient_in_fortran_order(p: Passes, layer: int) -> Array:
    """dC/dW is laid flat column by column and read row by row: it shows where a layer has two inputs and two outputs."""
    return weight_gradient(p, layer).ravel(order="F").reshape(p.weight(layer).shape)


FAULTS_OF_LAYERS = faults_among(vars())
