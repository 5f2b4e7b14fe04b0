"""In which layer an answer loses digits: where it leaves the rounding bound of what it claims to be computed in."""

import numpy as np

from properties.judging.judgement import Exact, measured
from reference.arrays import AnyArray, Array
from reference.gradient import Gradient, Place
from reference.problem import Problem
from rounding.precisions import Precision


def of_one_sample(problem: Problem) -> Problem:
    """A problem of one sample alone, the first that counts: each row of a layer's dC/dW is a multiple of the layer's inputs then."""
    first = 0 if problem.sample_weights is None else int(np.argmax(problem.sample_weights > 0))
    return problem.of_samples([first])


def layer_that_loses(problem: Problem, answer: Gradient, precision: Precision) -> int | None:
    """The layer, from 1, in which digits go, of an answer to a problem of one sample; None where that cannot be said.

    In the order of computation: the first pre-activation or activation that is outside, where the answer gives them; else the first
    layer's inputs that dC/dW is no multiple of, which the layer below has computed; else the last layer whose derivatives are outside.
    """
    if problem.penalty is not None:
        return None  # no row of dC/dW is a multiple of the inputs then
    exact = Exact(problem)
    bound, forward = exact.bound(precision, None), exact.passes.forward
    outside = {entry.place for entry in measured(answer, exact.reference, exact.reference, bound) if entry.outside.any()}
    layers = range(1, problem.depth + 1)
    for layer in layers:
        if {Place("pre_activations", layer), Place("activations", layer)} & outside:
            return layer
    errors = [np.zeros_like(problem.x), *(bound.activations or ())]
    off = [layer for layer in layers if {Place("weights", layer), Place("biases", layer)} & outside]
    for layer in layers:
        inputs, error = forward.activations[layer - 1][0], errors[layer - 1][0]
        if layer in off and not _is_multiple(answer.weights[layer - 1], inputs, error, precision):
            # where the last layer is as it should be, so are all inputs, and it is the product that loses them
            return layer if layer == 1 or problem.depth not in off else layer - 1
    return max(off, default=None)


def _is_multiple(weight: AnyArray, inputs: Array, error: Array, precision: Precision) -> bool:
    """Whether the largest row of dC/dW is a multiple of the inputs, as nearly as they are known and products are rounded."""
    row = np.asarray(weight, dtype=np.float64)[int(np.argmax(np.abs(weight).max(axis=1)))]
    size = float(inputs @ inputs)
    multiple = float(row @ inputs) / size if size else 0.0
    allowed = abs(multiple) * (2 * error + 8 * precision.unit * np.abs(inputs)) + 8 * precision.unit * np.abs(row) + precision.least_normal
    return bool(np.all(np.abs(row - multiple * inputs) <= allowed))
