"""The forward pass: pre-activations, activations and the loss, for all samples at once."""

from dataclasses import dataclass

import numpy as np

from reference.arrays import Array
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.problem import Problem


@dataclass(frozen=True)
class Forward:
    """What the forward pass computes.

    pre_activations: z^l for l = 1, ..., L, each (batch, n_l); activations: a^l for l = 0, ..., L, with a^0 = x; loss: C.
    """

    pre_activations: tuple[Array, ...]
    activations: tuple[Array, ...]
    loss: Array


def forward(problem: Problem) -> Forward:
    """z^l = a^{l-1} (W^l)^T + b^l, a^l = g^l(z^l), C = sum or mean of C_0 over samples, and the penalty.

    All functions of reference/ that take a problem's arrays allow leading axes: many problems of one architecture at once.
    """
    pre_activations, activations = [], [problem.x]
    for weight, bias, activation in zip(problem.weights, problem.biases, problem.activations, strict=True):
        z = activations[-1] @ np.swapaxes(weight, -1, -2)
        if bias is not None:
            z = z + bias[..., None, :]  # of which there may be more than of z
        pre_activations.append(z)
        activations.append(row_of(ACTIVATIONS, activation).value(z))
    losses = row_of(LOSSES, problem.loss).value(activations[-1], problem.y)
    if problem.sample_weights is not None:
        losses = losses * problem.sample_weights
    total = losses.sum(axis=-1)
    if problem.reduction == "mean":
        total = losses.mean(axis=-1) if problem.sample_weights is None else total / problem.total_weight
    if problem.penalised is not None:
        total = total + problem.penalised.value(problem.weights, problem.batch)
    return Forward(tuple(pre_activations), tuple(activations), total)
