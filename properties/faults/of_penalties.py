"""Faults of what is added to a loss or counted in it: penalties on weights, and the weights of samples."""

import numpy as np

from properties.faults.fault import (
    ADD,
    EQUAL_WEIGHTS,
    EXACT,
    LINE,
    MEAN,
    TWICE,
    Passes,
    bias_gradient,
    changed_problem,
    fault,
    faults_among,
    loss,
    penalty,
    reduction,
)
from reference.arrays import Array
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.problem import Problem

PENALTY = {"penalties": ["l2", ["l2", 0.125]], "biases": True}
OVER_BATCH = {"penalties": ["l2_over_batch", ["l2_over_batch", 0.125]]}
WEIGHTS = {"sample_weights": None}


@fault("penalty", equations=(10,), laws=(EXACT, LINE), supports=PENALTY)
def subtracted_the_penalty(p: Passes, layer: int) -> Array:
    """The penalty's lambda W is subtracted from dC/dW in place of added: weights grow."""
    return -penalty(p, layer)


@fault("penalty", equations=(10,), laws=(EXACT, LINE), supports=PENALTY)
def doubled_the_penalty(p: Passes, layer: int) -> Array:
    """The derivative of lambda W^2 stands where the loss has lambda / 2 W^2: the penalty is twice too large."""
    return 2 * penalty(p, layer)


@fault("penalty", equations=(10,), laws=(EXACT, LINE), supports=PENALTY)
def forgot_the_penalty_in_the_gradient(p: Passes, layer: int) -> Array:
    """The loss has the penalty, and dC/dW has not."""
    return 0 * penalty(p, layer)


@fault("penalty", equations=(10,), laws=(EXACT, LINE), supports={**PENALTY, "depth": (2, 4)})
def forgot_the_penalty_of_the_first_layer(p: Passes, layer: int) -> Array:
    """The loop that adds the penalty ends one layer too early: it shows in the first layer."""
    return (layer > 1) * penalty(p, layer)


@fault("bias_gradient", equations=(4, 10), laws=(EXACT, LINE), supports=PENALTY)
def penalised_the_biases(p: Passes, layer: int) -> Array:
    """lambda b is added to dC/db, and the loss penalises weights alone."""
    bias, row = p.bias(layer), p.problem.penalised
    return bias_gradient(p, layer) if bias is None or row is None else bias_gradient(p, layer) + row.rate(p.batch) * bias


@fault("penalty", equations=(10,), laws=(EXACT, LINE), supports=OVER_BATCH)
def forgot_to_divide_the_penalty_by_the_batch_size(p: Passes, layer: int) -> Array:
    """The penalty is lambda W where the loss has it over the batch size: it shows in batches of two or more."""
    return p.batch * penalty(p, layer)


@fault("penalty", equations=(10,), laws=(EXACT, LINE), supports=PENALTY)
def divided_the_penalty_by_the_batch_size(p: Passes, layer: int) -> Array:
    """The penalty is averaged with the gradient of the samples: it shows in batches of two or more."""
    return penalty(p, layer) / p.batch


@fault("penalty", equations=(10,), laws=(EXACT, LINE), supports=PENALTY)
def took_the_sign_of_the_weights(p: Passes, layer: int) -> Array:
    """The derivative of lambda |W| stands where the loss has lambda / 2 W^2."""
    row = p.problem.penalised
    return penalty(p, layer) if row is None else row.rate(p.batch) * np.sign(p.weight(layer))


@fault("loss", equations=(2,), laws=(EXACT, LINE), supports=PENALTY)
def left_the_penalty_out_of_the_loss(p: Passes) -> float:
    """The gradient has the penalty, and the loss that is reported has not."""
    row = p.problem.penalised
    return float(loss(p) - (0.0 if row is None else row.value(p.problem.weights, p.batch)))


@fault("posed", equations=(2, 10), laws=(EXACT, EQUAL_WEIGHTS), supports=WEIGHTS)
def forgot_the_sample_weights(problem: Problem) -> Problem:
    """The weights of samples are taken and left unused."""
    return changed_problem(problem, sample_weights=None)


@fault("reduction", equations=(2, 10), laws=(EXACT, LINE), supports=WEIGHTS)
def weighed_the_loss_alone(p: Passes, error: Array) -> Array:
    """The loss of each sample is multiplied by its weight, of a kernel by its upstream gradient, and its derivative is not."""
    return error / p.problem.total_weight if p.averages else error


@fault("reduction", equations=(2, 10), laws=(EXACT, LINE, EQUAL_WEIGHTS), supports=WEIGHTS)
def weighed_samples_twice(p: Passes, error: Array) -> Array:
    """Samples are weighed in the loss and once more in the gradient: it shows where a weight is neither 0 nor 1."""
    counts = p.problem.sample_weights
    return reduction(p, error) * (1 if counts is None else counts[:, None])


@fault("reduction", equations=(2,), laws=(EXACT, LINE, MEAN, EQUAL_WEIGHTS), supports=WEIGHTS)
def divided_the_weighted_mean_by_the_batch_size(p: Passes, error: Array) -> Array:
    """The mean over weighed samples is divided by their number in place of the sum of the weights."""
    counts = p.problem.sample_weights
    return reduction(p, error) if counts is None or not p.averages else error * counts[:, None] / p.batch


@fault("reduction", equations=(2, 10), laws=(EXACT, LINE, TWICE, ADD), supports=WEIGHTS)
def weighed_the_wrong_samples(p: Passes, error: Array) -> Array:
    """The weights of samples are in another order than the samples: it shows in batches of two or more."""
    counts = p.problem.sample_weights
    return reduction(p, error) if counts is None else error * counts[::-1, None] / (p.problem.total_weight if p.averages else 1)


@fault("reduction", equations=(2, 10), laws=(EXACT, LINE), supports=WEIGHTS)
def took_sample_weights_for_a_mask(p: Passes, error: Array) -> Array:
    """A sample counts fully where its weight is not 0: it shows where weights are neither 0 nor 1."""
    counts = p.problem.sample_weights
    return reduction(p, error) if counts is None else error * (counts != 0)[:, None] / (p.problem.total_weight if p.averages else 1)


@fault("loss", equations=(2,), laws=(EXACT, LINE), supports=WEIGHTS)
def left_the_sample_weights_out_of_the_loss(p: Passes) -> float:
    """The gradient has the weights of samples, and the loss that is reported has not."""
    losses = row_of(LOSSES, p.problem.loss).value(p.a[p.depth], p.problem.y)
    return float(losses.mean() if p.averages else losses.sum())


FAULTS_OF_PENALTIES = faults_among(vars())
