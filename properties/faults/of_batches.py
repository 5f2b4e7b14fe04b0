"""Faults of the sums over samples: means, samples left out or counted twice, blocks; those of dC/db are in of_biases.py."""

import numpy as np

from properties.faults.fault import (
    ADD,
    EXACT,
    FLOW,
    LINE,
    MEAN,
    ORDER,
    OUTER,
    TWICE,
    Passes,
    bias_gradient,
    changed_problem,
    error_below,
    fault,
    faults_among,
    reduction,
    weighed,
    weight_gradient,
)
from reference.arrays import Array
from reference.problem import Problem

GRADIENT = (4, 10)


@fault("reduction", equations=(2,), laws=(EXACT, ADD, MEAN, TWICE, LINE))
def averaged_in_place_of_summing(p: Passes, error: Array) -> Array:
    """The gradient is the mean over samples where their sum is asked for: it shows in batches of two or more."""
    return weighed(p, error) / p.batch


@fault("reduction", equations=(2,), laws=(EXACT, ADD, MEAN, LINE))
def summed_in_place_of_averaging(p: Passes, error: Array) -> Array:
    """The gradient is the sum over samples where their mean is asked for: it shows in batches of two or more."""
    return weighed(p, error)


@fault("reduction", equations=(2,), laws=(EXACT, ADD, MEAN, LINE))
def averaged_twice(p: Passes, error: Array) -> Array:
    """The mean is divided by the batch size twice, in the loss and in the gradient: it shows in batches of two or more."""
    return reduction(p, reduction(p, error))


@fault("reduction", equations=(2,), laws=(EXACT, ADD, MEAN, LINE))
def divided_by_one_less_than_the_batch(p: Passes, error: Array) -> Array:
    """The mean is divided by the batch size less one, as a variance would be: it shows in batches of two or more."""
    return weighed(p, error) / max(p.batch - 1, 1) if p.averages else weighed(p, error)


@fault("reduction", equations=(2,), laws=(EXACT, MEAN))
def added_an_epsilon_to_the_batch_size(p: Passes, error: Array) -> Array:
    """The mean is divided by the batch size and 1e-8 against a division by 0: it shows in the digits of every mean."""
    return weighed(p, error) / (p.batch + 1e-8) if p.averages else weighed(p, error)


@fault("error_below", equations=(11,), laws=(EXACT, ADD, MEAN, FLOW, LINE))
def averaged_in_every_layer(p: Passes, layer: int) -> Array:
    """The mean over samples is taken once more in each layer: it shows below the last layer, in batches of two or more."""
    return reduction(p, error_below(p, layer))


@fault("reduction", equations=(2, 10), laws=(EXACT, ADD, ORDER, LINE))
def dropped_the_last_sample(p: Passes, error: Array) -> Array:
    """The loop over samples ends one too early: the last one adds nothing."""
    return np.concatenate([reduction(p, error)[:-1], np.zeros_like(error[-1:])])


@fault("reduction", equations=(2, 10), laws=(EXACT, ADD, ORDER, LINE))
def left_out_the_rest_of_a_block(p: Passes, error: Array) -> Array:
    """Samples are taken in blocks of four, and those that fill no block are left out: it shows in batches of five or more."""
    error = reduction(p, error)
    error[max(p.batch // 4, 1) * 4 :] = 0
    return error


@fault("reduction", equations=(2, 10), laws=(EXACT, TWICE))
def counted_equal_samples_once(p: Passes, error: Array) -> Array:
    """Samples are assigned in place of added, so that equal ones count once: it shows only where a sample is repeated."""
    samples = np.hstack([p.problem.x, p.problem.y])
    error = reduction(p, error)
    return np.array([0 * row if (samples[:i] == samples[i]).all(axis=1).any() else row for i, row in enumerate(error)])


@fault("weight_gradient", equations=GRADIENT, laws=(EXACT, ADD, ORDER, LINE))
def read_only_the_first_row(p: Passes, layer: int) -> Array:
    """dC/dW is that of the first sample: it shows in batches of two or more."""
    return np.asarray(p.deltas[layer][:1].T @ p.a[layer - 1][:1])


@fault("weight_gradient", equations=GRADIENT, laws=(EXACT, ADD, LINE))
def multiplied_the_sums_over_samples(p: Passes, layer: int) -> Array:
    """delta and a are averaged over the batch before they are multiplied: the mean of a product is not the product of means."""
    return np.outer(p.deltas[layer].sum(axis=0), p.a[layer - 1].mean(axis=0))


@fault("posed", equations=(2, 10), laws=(EXACT, ADD))
def paired_samples_with_outputs_of_others(problem: Problem) -> Problem:
    """x and y are in different orders, so that a sample is held against the outputs of another: it shows in batches of two or more."""
    return changed_problem(problem, y=problem.y[::-1].copy())


@fault("weight_gradient", equations=GRADIENT, laws=(EXACT, OUTER, FLOW, LINE))
def added_the_bias_gradient_to_the_weights(p: Passes, layer: int) -> Array:
    """dC/db is added to each column of dC/dW, by a broadcast that was meant for another array."""
    return np.asarray(weight_gradient(p, layer) + bias_gradient(p, layer)[:, None])


@fault("weight_gradient", equations=(10,), laws=(EXACT, LINE))
def skipped_layers_without_biases(p: Passes, layer: int) -> Array:
    """A layer without biases is taken as one without parameters, and its dC/dW stays 0: it shows only where biases are missing."""
    return weight_gradient(p, layer) * (p.bias(layer) is not None)


@fault("reduction", equations=(2,), laws=(EXACT, MEAN, LINE))
def divided_by_the_number_of_features(p: Passes, error: Array) -> Array:
    """The mean over samples is divided by the number of inputs of a sample, a length of the wrong axis: it shows unless both are one."""
    return weighed(p, error) / p.problem.x.shape[1] if p.averages else weighed(p, error)


@fault("reduction", equations=(2,), laws=(EXACT, MEAN, LINE))
def averaged_over_samples_and_outputs(p: Passes, error: Array) -> Array:
    """The mean over samples is one over all numbers, samples times outputs: it shows where there are two outputs."""
    return reduction(p, error) / (error.shape[1] if p.averages else 1)


@fault("reduction", equations=(2, 10), laws=(EXACT, MEAN), supports={"batch": (1, 9)}, thread="ml-explore/mlx-lm PR 1413")
def averaged_the_means_of_micro_batches(p: Passes, error: Array) -> Array:
    """Samples are taken in blocks of four and the means of the blocks averaged, of which the last may have fewer: it shows where it has."""
    if not p.averages:
        return reduction(p, error)
    block = np.arange(p.batch) // 4
    return weighed(p, error) / (np.bincount(block)[block] * (block[-1] + 1))[:, None]


@fault("reduction", equations=(2, 10), laws=(EXACT, ADD))
def filled_the_last_block_with_the_last_sample(p: Passes, error: Array) -> Array:
    """Samples are taken in blocks of four, and the last block is filled up with its last sample, which counts each time: it shows unless
    the batch is a multiple of four."""
    filled = reduction(p, error).copy()
    filled[-1] *= 1 + -p.batch % 4
    return filled


@fault("weight_gradient", equations=GRADIENT, laws=(EXACT, ADD, LINE), thread="kvfrans/notes 5")
def averaged_the_weight_gradient_alone(p: Passes, layer: int) -> Array:
    """dC/dW is the mean over samples and dC/db their sum: it shows in batches of two or more."""
    return weight_gradient(p, layer) / p.batch


FAULTS_OF_BATCHES = faults_among(vars())
