"""Faults of dC/db: a sum over samples that is left out, taken otherwise, or of something else than delta."""

import numpy as np

from properties.faults.fault import (
    ADD,
    BIAS,
    EXACT,
    FLOW,
    LINE,
    ORDER,
    SHAPES,
    TWICE,
    Passes,
    bias_gradient,
    fault,
    faults_among,
)
from reference.arrays import Array

GRADIENT = (4, 10)


@fault("bias_gradient", equations=GRADIENT, laws=(EXACT, BIAS, FLOW, LINE))
def forgot_the_bias_gradient(p: Passes, layer: int) -> Array:
    """dC/db is left at 0: the bias is never learnt."""
    return np.zeros(p.deltas[layer].shape[1])


@fault("bias_gradient", equations=GRADIENT, laws=(SHAPES,), thread="pytorch 13669")
def kept_the_batch_axis_of_the_bias(p: Passes, layer: int) -> Array:
    """The bias is broadcast over the samples, and its gradient is not summed over them: dC/db has the shape of delta."""
    return p.deltas[layer]


@fault("bias_gradient", equations=GRADIENT, laws=(EXACT, ADD, ORDER, BIAS, LINE))
def took_the_bias_gradient_of_one_sample(p: Passes, layer: int) -> Array:
    """dC/db is delta of the first sample, and no sum: it shows in batches of two or more."""
    return p.deltas[layer][0]


@fault("bias_gradient", equations=GRADIENT, laws=(EXACT, BIAS, FLOW, LINE))
def summed_the_bias_gradient_twice(p: Passes, layer: int) -> Array:
    """dC/db is added to its buffer twice, by the layer and by the broadcast: it is twice too large."""
    return 2 * bias_gradient(p, layer)


@fault("bias_gradient", equations=GRADIENT, laws=(EXACT, ADD, TWICE, BIAS, LINE))
def averaged_the_bias_gradient(p: Passes, layer: int) -> Array:
    """dC/db is the mean of delta over the samples, while dC/dW is their sum: it shows in batches of two or more."""
    return np.mean(p.deltas[layer], axis=0)


@fault("bias_gradient", equations=(3, 10), laws=(EXACT, BIAS, LINE))
def took_the_bias_gradient_before_the_slope(p: Passes, layer: int) -> Array:
    """dC/db is the sum of dC/da in place of delta: it lacks g', and shows where the layer is not linear."""
    return np.sum(p.errors[layer], axis=0)


@fault("bias_gradient", equations=GRADIENT, laws=(EXACT, BIAS, LINE))
def multiplied_the_bias_gradient_by_the_bias(p: Passes, layer: int) -> Array:
    """dz/db is taken as b in place of 1."""
    bias = p.bias(layer)
    return np.asarray(bias_gradient(p, layer) * (1 if bias is None else bias))


@fault("bias_gradient", equations=GRADIENT, laws=(EXACT, ADD, BIAS, LINE))
def summed_the_bias_gradient_over_the_nodes(p: Passes, layer: int) -> Array:
    """dC/db sums over nodes in place of samples: it passes, and is wrong, only where the batch is as large as the layer."""
    return np.sum(p.deltas[layer], axis=1 if p.batch == p.deltas[layer].shape[1] else 0)


@fault("bias_gradient", equations=GRADIENT, laws=(EXACT, BIAS, LINE), thread="rust0258 NLP specialization 62")
def took_the_row_sums_of_the_weight_gradient_for_the_bias(p: Passes, layer: int) -> Array:
    """dC/db is the sum of each row of dC/dW, in place of the sum of delta over samples: it shows unless the inputs of a layer sum to 1."""
    return np.asarray(p.weights[layer].sum(axis=1))


FAULTS_OF_BIASES = faults_among(vars())
