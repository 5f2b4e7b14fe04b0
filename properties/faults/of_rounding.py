"""Faults of accuracy: noise, one entry, narrow precisions, clipping and differences."""

from dataclasses import replace
from typing import Any

import numpy as np

from properties.faults.fault import (
    ADD,
    BIAS,
    BITS,
    CALLS,
    EXACT,
    LINE,
    OUTER,
    Passes,
    answer,
    changed_problem,
    delta,
    fault,
    faults_among,
    weight_gradient,
)
from reference.arrays import Array
from reference.dtypes import DTYPES
from reference.gradient import Gradient
from reference.problem import Problem

GRADIENT = (4, 10)
"""dC/dW is computed by these, and what is done to it once it is answered looks the same."""


@fault("weight_gradient", laws=(EXACT, OUTER))
def added_noise_to_the_weight_gradient(p: Passes, layer: int) -> Array:
    """Every entry of dC/dW is off by a relative error of about 1e-9, the same in each call: it shows in the digits."""
    gradient = weight_gradient(p, layer)
    return np.asarray(gradient * (1 + 1e-9 * np.random.default_rng(layer).normal(size=gradient.shape)))


@fault("weight_gradient", laws=(EXACT, OUTER))
def was_off_in_one_entry(p: Passes, layer: int) -> Array:
    """One entry of dC/dW, the first of the first layer, is 1 + 1e-9 times what it should be."""
    gradient = weight_gradient(p, layer)
    gradient[0, 0] *= 1 + 1e-9 * (layer == 1)
    return gradient


@fault("weight_gradient", laws=(BITS,))
def was_off_by_one_unit_in_the_last_place(p: Passes, layer: int) -> Array:
    """One entry of dC/dW, the first of the first layer, is the next number away from 0: it shows where nothing rounds."""
    gradient = weight_gradient(p, layer)
    if layer == 1:
        gradient[0, 0] = np.nextafter(gradient[0, 0], np.copysign(np.inf, gradient[0, 0]))
    return gradient


def _in_bfloat16(array: Array) -> Any:
    return np.asarray(array).astype(DTYPES["bfloat16"])


@fault("answer", laws=(BITS,), precision="bfloat16", supports={"values": "exact"})
def multiplied_by_a_hundredth_more_in_bfloat16(p: Passes) -> Gradient:
    """dC/dW is 1.01 times what it should be, in bfloat16, whose numbers are up to 0.8 % apart: it shows where nothing rounds."""
    right = answer(p)
    return Gradient([_in_bfloat16(1.01 * w) for w in right.weights], [None if b is None else _in_bfloat16(b) for b in right.biases or ()])


@fault("weight_gradient", laws=(EXACT, CALLS))
def differed_from_call_to_call(p: Passes, layer: int) -> Array:
    """dC/dW is off by a relative error of about 1e-6 that is another one in each call, as of sums in a race."""
    rng = p.memory.setdefault("rng", np.random.default_rng(1))
    return np.asarray(weight_gradient(p, layer) * (1 + 1e-6 * rng.normal()))


@fault("weight_gradient", laws=(EXACT,))
def accumulated_in_float32(p: Passes, layer: int) -> Array:
    """The product over samples is summed in float32 and answered as float64: digits are promised that are not there."""
    return np.asarray(p.deltas[layer].astype(np.float32).T @ p.a[layer - 1].astype(np.float32)).astype(p.a[0].dtype)


@fault("posed", laws=(EXACT,))
def rounded_the_weights_to_float32(problem: Problem) -> Problem:
    """Weights are kept in float32, all else is float64: a right gradient of a network close by."""
    return changed_problem(problem, weights=tuple(w.astype(np.float32).astype(w.dtype) for w in problem.weights))


@fault("answer", equations=GRADIENT, laws=(EXACT,), precision="float64")
def answered_in_float32(p: Passes) -> Gradient:
    """All is computed in float64, as was asked for, and dC/dW answered in float32."""
    right = answer(p)
    return replace(right, weights=[w.astype(np.float32) for w in right.weights])


@fault("answer", equations=GRADIENT, laws=(EXACT, ADD))
def clipped_the_gradient(p: Passes) -> Gradient:
    """Entries of the gradient beyond 10 are clipped, as training may want it: it shows for large gradients."""

    def clipped(listed: Any) -> list[Any]:
        return [None if array is None else np.clip(array, -10, 10) for array in listed]

    right = answer(p)
    return replace(right, weights=clipped(right.weights), biases=clipped(right.biases))


@fault("answer", equations=GRADIENT, laws=(EXACT, ADD, BIAS, LINE))
def normalised_the_gradient(p: Passes) -> Gradient:
    """The gradient is scaled to norm 1 at most, as training may want it: it shows for larger ones."""
    right = answer(p)
    norm = np.sqrt(sum(np.sum(w * w) for w in right.weights))
    return replace(right, weights=[w / max(norm, 1.0) for w in right.weights])


@fault("weight_gradient", laws=(EXACT,))
def kept_the_activations_in_float32(p: Passes, layer: int) -> Array:
    """The activations that dC/dW needs are kept in float32 from the forward pass on, all else is float64: it shows in the digits."""
    return np.asarray(p.deltas[layer].T @ p.a[layer - 1].astype(np.float32).astype(p.a[0].dtype))


@fault("delta", equations=(3, 11, 2), laws=(EXACT,))
def rounded_delta_to_float32(p: Passes, layer: int) -> Array:
    """delta is kept in float32, all else is float64: it shows in the digits."""
    return delta(p, layer).astype(np.float32).astype(p.a[0].dtype)


@fault("answer", equations=GRADIENT, laws=(EXACT,))
def rounded_the_answer_to_eight_decimals(p: Passes) -> Gradient:
    """dC/dW is written with eight decimals, as in a file of text: it shows in what is small."""
    right = answer(p)
    return replace(right, weights=[np.round(w, 8) for w in right.weights])


@fault("answer", equations=GRADIENT, laws=(EXACT,))
def answered_six_digits(p: Passes) -> Gradient:
    """dC/dW is written with six digits, as C's printf does: it shows in the seventh."""

    def six_digits(weight: Array) -> Array:
        return np.array([float(f"{number:.6g}") for number in weight.ravel()]).reshape(weight.shape)

    right = answer(p)
    return replace(right, weights=[six_digits(np.asarray(w)) for w in right.weights])


@fault("answer", equations=GRADIENT, laws=(EXACT, LINE))
def answered_the_step_of_descent(p: Passes) -> Gradient:
    """What is answered is the change of W and b at a rate of 0.1, -0.1 dC/dW and -0.1 dC/db, in place of the gradient: it shows always."""
    right = answer(p)
    return replace(
        right,
        weights=[-0.1 * w for w in right.weights],
        biases=[None if b is None else -0.1 * b for b in right.biases or ()],
    )


FAULTS_OF_ROUNDING = faults_among(vars())
