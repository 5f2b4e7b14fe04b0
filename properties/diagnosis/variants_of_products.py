"""Variants of equations 4, 7, 10 and 11: each operand of a product for each other of its shape, sums with terms left out, factors."""

from collections.abc import Callable, Iterator

import numpy as np

from properties.diagnosis.variant import FACTORS, Variant, named
from properties.faults.fault import Passes, bias_gradient, error_below, slope, weight_gradient
from reference.arrays import Array

Operand = Callable[[Passes, int], Array]

LEFT: dict[str, tuple[str, Operand]] = {
    "delta": ("delta", lambda p, layer: p.deltas[layer]),
    "the_error": ("dC/da, which lacks g',", lambda p, layer: p.errors[layer]),
    "delta_by_the_slope": ("delta g', which holds g' twice,", lambda p, layer: p.deltas[layer] * slope(p, layer)),
    "the_activations_of_the_layer": ("a of its own layer", lambda p, layer: p.a[layer]),
    "the_slope": ("g'", lambda p, layer: slope(p, layer)),
    "ones": ("1", lambda p, layer: np.ones_like(p.z[layer])),
    "delta_of_the_first_sample": ("delta of the first sample", lambda p, layer: p.deltas[layer][:1] + 0 * p.deltas[layer]),
    "the_mean_delta": ("the mean delta", lambda p, layer: p.deltas[layer].mean(axis=0) + 0 * p.deltas[layer]),
    "delta_of_the_layer_above": ("delta of the layer above", lambda p, layer: p.deltas.get(layer + 1, p.deltas[layer])),
    "delta_reversed": ("delta of the samples in reverse", lambda p, layer: p.deltas[layer][::-1]),
    "the_size_of_delta": ("|delta|", lambda p, layer: np.abs(p.deltas[layer])),
}
"""What may stand where delta must, (batch, n_l)."""

RIGHT: dict[str, tuple[str, Operand]] = {
    "the_inputs": ("a of the layer below", lambda p, layer: p.a[layer - 1]),
    "the_pre_activations_below": ("z of the layer below", lambda p, layer: p.z.get(layer - 1, p.a[0])),
    "x": ("x", lambda p, layer: p.a[0]),
    "the_outputs_of_the_layer": ("a of its own layer", lambda p, layer: p.a[layer]),
    "z_of_the_layer": ("z of its own layer", lambda p, layer: p.z[layer]),
    "the_activations_two_layers_below": ("a of two layers below", lambda p, layer: p.a[max(layer - 2, 0)]),
    "the_outputs_of_the_network": ("a of the output layer", lambda p, layer: p.a[p.depth]),
    "ones": ("1", lambda p, layer: np.ones_like(p.a[layer - 1])),
    "the_slope_below": ("g' of the layer below", lambda p, layer: slope(p, layer - 1) if layer > 1 else p.a[0]),
    "the_inputs_of_the_first_sample": ("a of the first sample", lambda p, layer: p.a[layer - 1][:1] + 0 * p.a[layer - 1]),
    "the_mean_inputs": ("the mean of a over the samples", lambda p, layer: p.a[layer - 1].mean(axis=0) + 0 * p.a[layer - 1]),
    "the_size_of_the_inputs": ("|a|", lambda p, layer: np.abs(p.a[layer - 1])),
    "the_inputs_squared": ("a a", lambda p, layer: p.a[layer - 1] ** 2),
    "relu_of_the_inputs": ("relu of a", lambda p, layer: np.maximum(p.a[layer - 1], 0.0)),
}
"""What may stand where a must, (batch, n_{l-1})."""

WEIGHTS: dict[str, tuple[str, Operand]] = {
    "w": ("W", lambda p, layer: p.weight(layer)),
    "w_transposed": ("W untransposed", lambda p, layer: p.weight(layer).T),
    "w_of_the_layer_above": ("W of the layer above", lambda p, layer: p.weight(min(layer + 1, p.depth))),
    "w_of_the_layer_below": ("W of the layer below", lambda p, layer: p.weight(max(layer - 1, 1))),
    "w_of_the_output_layer": ("W of the output layer", lambda p, layer: p.weight(p.depth)),
    "w_of_the_first_layer": ("W of the first layer", lambda p, layer: p.weight(1)),
    "the_size_of_w": ("|W|", lambda p, layer: np.abs(p.weight(layer))),
    "w_squared": ("W squared, entry by entry,", lambda p, layer: p.weight(layer) ** 2),
    "ones": ("1 for each weight", lambda p, layer: np.ones_like(p.weight(layer))),
    "nothing": ("no W: delta as it is", lambda p, layer: np.eye(*p.weight(layer).shape)),
    "w_reversed": ("W with its rows in reverse", lambda p, layer: p.weight(layer)[::-1]),
    "w_by_columns_reversed": ("W with its columns in reverse", lambda p, layer: p.weight(layer)[:, ::-1]),
    "dc_dw": ("dC/dW", lambda p, layer: p.weights[layer]),
    "the_stepped_weights_of_a_tenth": ("W after a step of 0.1 dC/dW", lambda p, layer: p.weight(layer) - 0.1 * p.weights[layer]),
    "the_stepped_weights_of_a_half": ("W after a step of 0.5 dC/dW", lambda p, layer: p.weight(layer) - 0.5 * p.weights[layer]),
    "the_stepped_weights": ("W after a step of dC/dW", lambda p, layer: p.weight(layer) - p.weights[layer]),
    "the_stepped_weights_of_a_thousandth": ("W after a step of 0.001 dC/dW", lambda p, layer: p.weight(layer) - 0.001 * p.weights[layer]),
}
"""What may stand where W must, (n_l, n_{l-1})."""


def _product(left: Operand, right: Operand) -> Operand:
    def step(p: Passes, layer: int) -> Array:
        product: Array = left(p, layer).T @ right(p, layer)
        if product.shape != p.weight(layer).shape:
            raise ValueError(f"dC/dW has shape {product.shape}")
        return product

    return step


def _kept(rows: slice, columns: slice = slice(None)) -> Operand:
    def step(p: Passes, layer: int) -> Array:
        gradient, kept = weight_gradient(p, layer), np.zeros_like(p.weight(layer))
        kept[rows, columns] = gradient[rows, columns]
        return kept

    return step


def _of_samples(rows: slice) -> Operand:
    return lambda p, layer: np.asarray(p.deltas[layer][rows].T @ p.a[layer - 1][rows])


def _in_place_of_the_batch_size(p: Passes, length: int) -> float:
    """The factor by which a mean is off that is divided by another length."""
    return p.batch / length if p.averages else 1.0


ENTRIES: dict[str, tuple[str, Operand]] = {
    "took_the_last_sample_for_dw": ("dC/dW is that of the last sample", _of_samples(slice(-1, None))),
    "left_the_last_sample_out_of_dw": (
        "dC/dW leaves out the last sample of several",
        lambda p, layer: _of_samples(slice(0, max(p.batch - 1, 1)))(p, layer),
    ),
    "left_the_first_sample_out_of_dw": (
        "dC/dW leaves out the first sample of several",
        lambda p, layer: _of_samples(slice(min(1, p.batch - 1), None))(p, layer),
    ),
    "summed_dw_up_to_the_last_sample": ("dC/dW leaves out the last sample, and is 0 of one sample alone", _of_samples(slice(0, -1))),
    "summed_dw_from_the_second_sample_on": ("dC/dW leaves out the first sample, and is 0 of one sample alone", _of_samples(slice(1, None))),
    "averaged_dw": ("dC/dW is the mean over samples, while dC/db is as it should be", lambda p, layer: weight_gradient(p, layer) / p.batch),
    "divided_dw_by_the_inputs_in_place_of_the_batch_size": (
        "the mean over samples in dC/dW is divided by the number of inputs of its layer, a length of the wrong axis, while dC/db is right",
        lambda p, layer: weight_gradient(p, layer) * _in_place_of_the_batch_size(p, p.weight(layer).shape[1]),
    ),
    "left_out_the_first_row": ("the first row of dC/dW is 0", _kept(slice(1, None))),
    "left_out_the_last_column": ("the last column of dC/dW is 0", _kept(slice(None), slice(0, -1))),
    "left_out_the_first_column": ("the first column of dC/dW is 0", _kept(slice(None), slice(1, None))),
    "took_the_first_row_for_all": ("all rows of dC/dW are the first", lambda p, layer: weight_gradient(p, layer)[:1] + 0 * p.weight(layer)),
    "took_the_diagonal_of_dw": (
        "only the diagonal of dC/dW is there",
        lambda p, layer: weight_gradient(p, layer) * np.eye(*p.weight(layer).shape),
    ),
    "transposed_dw_where_it_is_square": (
        "dC/dW is transposed where the layer is square",
        lambda p, layer: weight_gradient(p, layer).T if len(set(p.weight(layer).shape)) == 1 else weight_gradient(p, layer),
    ),
    "left_dw_at_zero": ("dC/dW is 0", lambda p, layer: 0 * p.weight(layer)),
    "took_w_for_dw": ("what is answered as dC/dW is W", lambda p, layer: p.weight(layer)),
    "took_the_sign_of_dw": ("dC/dW is its sign alone", lambda p, layer: np.sign(weight_gradient(p, layer))),
    "took_the_size_of_dw": ("dC/dW has lost its sign", lambda p, layer: np.abs(weight_gradient(p, layer))),
    "subtracted_weight_decay": (
        "dC/dW holds the term of weight decay with the wrong sign",
        lambda p, layer: weight_gradient(p, layer) - 0.01 * p.weight(layer),
    ),
    "multiplied_dw_by_w": ("dC/dW is multiplied by W", lambda p, layer: weight_gradient(p, layer) * p.weight(layer)),
    "added_the_weights_to_dw": ("W is added to dC/dW", lambda p, layer: weight_gradient(p, layer) + p.weight(layer)),
    "stepped_by_a_tenth": ("what is answered is W - 0.1 dC/dW", lambda p, layer: p.weight(layer) - 0.1 * weight_gradient(p, layer)),
}

BIASES: dict[str, tuple[str, Operand]] = {
    "took_the_last_sample_for_db": ("dC/db is delta of the last sample", lambda p, layer: p.deltas[layer][-1]),
    "took_the_rows_of_dw_for_db": ("dC/db is the row sums of dC/dW", lambda p, layer: np.asarray(p.weights[layer].sum(axis=1))),
    "took_the_means_of_the_rows_of_dw_for_db": (
        "dC/db is the row means of dC/dW",
        lambda p, layer: np.asarray(p.weights[layer].mean(axis=1)),
    ),
    "took_the_first_column_of_dw_for_db": ("dC/db is the first column of dC/dW", lambda p, layer: p.weights[layer][:, 0]),
    "took_one_sum_for_all_biases": (
        "all of dC/db is the sum over samples and nodes",
        lambda p, layer: np.full(len(p.weight(layer)), p.deltas[layer].sum()),
    ),
    "took_one_mean_for_all_biases": (
        "all of dC/db is the mean over nodes",
        lambda p, layer: np.full(len(p.weight(layer)), bias_gradient(p, layer).mean()),
    ),
    "took_the_bias_for_db": (
        "what is answered as dC/db is b",
        lambda p, layer: np.zeros(len(p.weight(layer))) if p.bias(layer) is None else np.asarray(p.bias(layer)),
    ),
    "took_ones_for_db": ("dC/db is 1", lambda p, layer: np.ones(len(p.weight(layer)))),
    "took_the_batch_size_for_db": ("dC/db is the batch size", lambda p, layer: np.full(len(p.weight(layer)), float(p.batch))),
    "left_the_last_sample_out_of_db": (
        "dC/db leaves out the last sample of several",
        lambda p, layer: p.deltas[layer][: max(p.batch - 1, 1)].sum(axis=0),
    ),
    "left_the_first_sample_out_of_db": (
        "dC/db leaves out the first sample of several",
        lambda p, layer: p.deltas[layer][min(1, p.batch - 1) :].sum(axis=0),
    ),
    "summed_db_up_to_the_last_sample": (
        "dC/db leaves out the last sample, and is 0 of one sample alone",
        lambda p, layer: p.deltas[layer][:-1].sum(axis=0),
    ),
    "summed_db_from_the_second_sample_on": (
        "dC/db leaves out the first sample, and is 0 of one sample alone",
        lambda p, layer: p.deltas[layer][1:].sum(axis=0),
    ),
    "took_the_first_sample_for_all_in_db": (
        "dC/db is delta of the first sample times the batch size, in place of the sum over samples",
        lambda p, layer: np.asarray(p.deltas[layer][0] * p.batch),
    ),
    "divided_db_by_the_nodes_in_place_of_the_batch_size": (
        "the mean over samples in dC/db is divided by the number of nodes of its layer, a length of the wrong axis, while dC/dW is right",
        lambda p, layer: bias_gradient(p, layer) * _in_place_of_the_batch_size(p, len(p.weight(layer))),
    ),
    "summed_delta_times_the_slope_for_db": ("dC/db holds g' twice", lambda p, layer: np.sum(p.deltas[layer] * slope(p, layer), axis=0)),
    "summed_delta_times_a_for_db": (
        "dC/db is the sum of delta a of its own layer",
        lambda p, layer: np.sum(p.deltas[layer] * p.a[layer], axis=0),
    ),
    "decayed_the_biases": (
        "dC/db holds a term of weight decay",
        lambda p, layer: bias_gradient(p, layer) + (0 if p.bias(layer) is None else 0.01 * np.asarray(p.bias(layer))),
    ),
    "left_the_last_bias_at_zero": ("the last entry of dC/db is 0", lambda p, layer: np.append(bias_gradient(p, layer)[:-1], 0.0)),
    "took_the_delta_above_for_db": (
        "dC/db is that of the layer above",
        lambda p, layer: p.deltas.get(layer + 1, p.deltas[layer]).sum(axis=0),
    ),
}

BELOW: dict[str, tuple[str, Operand]] = {
    "passed_nothing_down": ("nothing is passed down: the error below is 0", lambda p, layer: 0 * p.a[layer - 1]),
    "left_out_the_first_node_above": (
        "the sum over the nodes above leaves out the first",
        lambda p, layer: np.asarray(p.deltas[layer][:, 1:] @ p.weight(layer)[1:]),
    ),
    "passed_the_mean_over_samples_down": (
        "the error that is passed down is the mean over samples",
        lambda p, layer: error_below(p, layer).mean(axis=0) + 0 * p.a[layer - 1],
    ),
    "took_relu_of_the_error_below": ("the error that is passed down is cut at 0", lambda p, layer: np.maximum(error_below(p, layer), 0.0)),
    "multiplied_the_error_below_by_a": (
        "the error that is passed down is multiplied by a",
        lambda p, layer: error_below(p, layer) * p.a[layer - 1],
    ),
    "added_the_bias_to_the_error_below": (
        "the bias is added to delta before it is passed down",
        lambda p, layer: np.asarray((p.deltas[layer] + (0 if p.bias(layer) is None else np.asarray(p.bias(layer)))) @ p.weight(layer)),
    ),
    "kept_one_sample_on_the_way_down": (
        "the error of the first sample is passed down for all",
        lambda p, layer: error_below(p, layer)[:1] + 0 * p.a[layer - 1],
    ),
    "took_the_slope_twice_on_the_way_down": (
        "delta g' is passed down, which holds g' twice",
        lambda p, layer: np.asarray((p.deltas[layer] * slope(p, layer)) @ p.weight(layer)),
    ),
    "passed_the_output_error_down": (
        "the error of the output layer is passed down, in place of the layer above's own",
        lambda p, layer: p.errors[p.depth] if p.errors[p.depth].shape == p.a[layer - 1].shape else error_below(p, layer),
    ),
}


def products() -> Iterator[Variant]:
    """Variants of dC/dW, dC/db and of what is passed down."""
    pairs = [("delta", right) for right in RIGHT if right != "the_inputs"] + [(left, "the_inputs") for left in LEFT if left != "delta"]
    for left, right in pairs:
        said = f"dC/dW is the product of {LEFT[left][0]} and {RIGHT[right][0]}, in place of delta and a of the layer below"
        yield named("weight_gradient", f"multiplied_{left}_and_{right}", said, _product(LEFT[left][1], RIGHT[right][1]), rank=130)
    for title, (said, function) in ENTRIES.items():
        yield named("weight_gradient", title, said, function, rank=132)
    for title, (said, function) in BIASES.items():
        yield named("bias_gradient", title, said, function, rank=132)
    for title, (said, function) in BELOW.items():
        yield named("error_below", title, said, function, rank=132)
    for title, (written, weights) in WEIGHTS.items():
        if title != "w":
            said = f"the error of the layer below is made of {written}, where the transpose of W belongs"
            yield named("error_below", f"passed_the_error_through_{title}", said, _through(weights), rank=130)
    for title, (said, factor) in FACTORS.items():
        yield named(
            "weight_gradient",
            f"{title}_dw",
            f"dC/dW {said}, while delta, which is passed down, is right",
            _times(weight_gradient, factor),
            rank=134,
        )
        yield named("bias_gradient", f"{title}_db", f"dC/db {said}", _times(bias_gradient, factor), rank=134)
        yield named(
            "error_below", f"{title}_the_error_below", f"the error that is passed down {said}", _times(error_below, factor), rank=134
        )


def _through(weights: Operand) -> Operand:
    return lambda p, layer: np.asarray(p.deltas[layer] @ weights(p, layer))


def _times(right: Operand, factor: Callable[[Passes, int], float]) -> Operand:
    return lambda p, layer: right(p, layer) * factor(p, layer)
