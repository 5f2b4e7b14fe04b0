"""Faults of conduct: memory that is shared or kept, layouts, shapes, and what is answered beside the gradient."""

from dataclasses import replace
from typing import Any

import numpy as np

from properties.faults.fault import (
    ANSWERS,
    BEFORE,
    BIAS,
    CALLS,
    EXACT,
    FLOW,
    INPUTS,
    LAYOUT,
    LINE,
    MEAN,
    OUTER,
    PERMUTED,
    SHAPES,
    Passes,
    answer,
    changed_problem,
    fault,
    faults_among,
    output_error,
    weight_gradient,
)
from properties.faults.of_layers import SQUARE
from reference.arrays import AnyArray, Array
from reference.gradient import Gradient
from reference.problem import Problem


@fault("weight_gradient", laws=(CALLS, BEFORE), thread="apache/mxnet 17989")
def added_to_the_gradient_of_the_call_before(p: Passes, layer: int) -> Array:
    """dC/dW is added to a buffer that is never set to 0: it shows from the second call with the same shapes on."""
    key = (layer, *p.problem.widths)
    p.memory[key] = weight_gradient(p, layer) + p.memory.get(key, 0.0)
    return np.array(p.memory[key])


@fault("answer", laws=(BEFORE,))
def answered_the_problem_before(p: Passes) -> Gradient:
    """The answer is that of the last problem with the same shapes, if there was one: a cache whose key knows the shapes alone."""
    key = (p.problem.widths, p.batch, tuple(b is None for b in p.problem.biases))
    stale = p.memory.get(key)
    p.memory[key] = answer(p)
    return stale if stale is not None else answer(p)


@fault("answer", laws=(EXACT, MEAN, PERMUTED, LINE))
def kept_the_first_answer_for_the_same_inputs(p: Passes) -> Gradient:
    """Answers are kept by x and shapes, and not by the weights: it shows where only the weights change between two calls."""
    key = (p.problem.widths, p.problem.x.tobytes(), tuple(b is None for b in p.problem.biases))
    return p.memory.setdefault(key, answer(p))


@fault("answer", laws=(INPUTS,))
def updated_the_weights_in_place(p: Passes) -> Gradient:
    """A step of gradient descent is taken on the weights that were given: the answer is right, the problem is another one after it."""
    for weight, gradient in zip(p.problem.weights, answer(p).weights, strict=True):
        weight -= 0.01 * gradient
    return answer(p)


@fault("output_error", laws=(INPUTS,))
def wrote_the_error_over_the_expected_outputs(p: Passes) -> Array:
    """The error is computed into the array of expected outputs: the answer is right, y is lost."""
    p.problem.y[:] = output_error(p)
    return p.problem.y


@fault("answer", laws=(BEFORE,))
def returned_a_shared_buffer(p: Passes) -> Gradient:
    """dC/dW is answered in buffers that the next call writes to: an answer changes after it was given."""
    right = answer(p)
    buffers = [p.memory.setdefault((i, w.shape), np.empty_like(w)) for i, w in enumerate(right.weights)]
    for buffer, gradient in zip(buffers, right.weights, strict=True):
        np.copyto(buffer, gradient)
    return replace(right, weights=buffers)


@fault("weight_gradient", laws=(EXACT, FLOW, LINE))
def shared_one_buffer_between_layers(p: Passes, layer: int) -> Array:
    """Layers of one shape write dC/dW into one buffer, and all answer that of the lowest: it shows where two shapes are the same."""
    gradient = weight_gradient(p, layer)
    for above in p.weights.values():
        if above.shape == gradient.shape:
            above[:] = gradient
    return gradient


def _in_memory_order(array: AnyArray) -> AnyArray:
    return array.ravel(order="K").reshape(array.shape)


@fault("posed", laws=(LAYOUT,))
def read_fortran_order_as_c(problem: Problem) -> Problem:
    """Arrays are read in the order in which they lie in memory: it shows for those in Fortran order, as a transpose is."""
    return changed_problem(problem, x=_in_memory_order(problem.x), weights=tuple(_in_memory_order(w) for w in problem.weights))


def _beneath(array: AnyArray) -> AnyArray:
    whole = array.base if isinstance(array.base, np.ndarray) and array.base.size >= array.size else array
    return whole.ravel(order="K")[: array.size].reshape(array.shape)


@fault("posed", laws=(LAYOUT,))
def ignored_the_strides(problem: Problem) -> Problem:
    """The buffer beneath an array is read from its start, without its strides: it shows for views of every second row, or reversed ones."""
    return changed_problem(problem, x=_beneath(problem.x), weights=tuple(_beneath(w) for w in problem.weights))


@fault("answer", laws=(SHAPES,))
def answered_transposed_weights(p: Passes) -> Gradient:
    """dC/dW is answered as (inputs, outputs): its shape is wrong where the layer is not square, and its entries where it is."""
    right = answer(p)
    return replace(right, weights=[w.T for w in right.weights])


@fault("answer", laws=(EXACT, OUTER, PERMUTED, FLOW, LINE), supports=SQUARE)
def answered_the_layers_in_reverse(p: Passes) -> Gradient:
    """Gradients are listed as the backward pass comes by them, last layer first: where all shapes are the same, only numbers tell."""
    right = answer(p)
    return replace(right, weights=right.weights[::-1])


@fault("answer", laws=(SHAPES,))
def left_out_the_first_layer(p: Passes) -> Gradient:
    """The list of dC/dW begins with the second layer."""
    right = answer(p)
    return replace(right, weights=right.weights[1:])


@fault("answer", laws=(SHAPES,))
def answered_biases_as_columns(p: Passes) -> Gradient:
    """dC/db is answered as (outputs, 1), the shape in which it was kept."""
    right = answer(p)
    biases: list[Any] = [None if b is None else b[:, None] for b in right.biases or ()]
    return replace(right, biases=biases)


@fault("answer", laws=(SHAPES,))
def answered_complex_numbers(p: Passes) -> Gradient:
    """dC/dW is answered as complex numbers, as a derivative by a complex step leaves them."""
    right = answer(p)
    return replace(right, weights=[w.astype(np.complex128) for w in right.weights])


@fault("weight_gradient", laws=(ANSWERS,))
def squeezed_away_single_axes(p: Passes, layer: int) -> Array:
    """Axes of length 1 are squeezed away, and the product finds no axis for the samples: it raises in batches of one, and at width 1."""
    return np.einsum("ij,ik->jk", np.squeeze(p.deltas[layer]), np.squeeze(p.a[layer - 1]))


@fault("answer", laws=(EXACT, BIAS))
def answered_deltas_without_the_slope(p: Passes) -> Gradient:
    """What is answered as delta is dC/da: g' is missing, though the gradient has it."""
    return replace(answer(p), deltas=[p.errors[layer] for layer in range(1, p.depth + 1)])


@fault("answer", laws=(EXACT,))
def answered_z_for_a(p: Passes) -> Gradient:
    """What is answered as activations are the pre-activations."""
    return replace(answer(p), activations=[p.z[layer] for layer in range(1, p.depth + 1)])


@fault("weight_gradient", laws=(EXACT,), thread="karpathy/llm.c PR 852")
def was_right_for_the_first_ten_calls(p: Passes, layer: int) -> Array:
    """dC/dW is right in the first ten calls and twice too large in all that follow: it shows in the eleventh."""
    p.memory["calls"] = p.memory.get("calls", 0) + (layer == p.depth)
    return weight_gradient(p, layer) * (1 if p.memory["calls"] <= 10 else 2)


FAULTS_OF_CONDUCT = faults_among(vars())
