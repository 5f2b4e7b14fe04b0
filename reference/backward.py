"""The backward pass: equations 10 and 11 composed over all layers, for all samples at once."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from reference.arrays import Array, Product
from reference.forward import Forward, forward
from reference.functions.activation import Elementwise
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.gradient import Gradient
from reference.problem import Problem


@dataclass(frozen=True)
class Backward:
    """What the backward pass computes; each list is by layer.

    errors: dC/da^l, slopes: da_j/dz_j of layer l, deltas: dC/dz^l, each (batch, n_l); products: dC/dW^l (n_l, n_{l-1}), and x: dC/dx
    (batch, n_0), of which rows are computed when they are asked for; biases: dC/db^l (n_l,), also of a layer without biases.
    """

    errors: tuple[Array, ...]
    slopes: tuple[Array, ...]
    deltas: tuple[Array, ...]
    products: tuple[Product, ...]
    biases: tuple[Array, ...]
    x: Product

    @cached_property
    def weights(self) -> tuple[Array, ...]:
        """dC/dW^l = (delta^l)^T a^{l-1}, and what a penalty adds."""
        return tuple(product[:] for product in self.products)


def output_error(problem: Problem, output: Array) -> Array:
    """Equation 2 for a batch: dC/da^L, with the weights of samples, and the mean over them where the problem asks for it."""
    error = row_of(LOSSES, problem.loss).derivative(output, problem.y)
    if problem.sample_weights is not None:
        error = error * problem.sample_weights[..., None]
    return error / np.asarray(problem.total_weight)[..., None, None] if problem.reduction == "mean" else error


def backward(problem: Problem, passed: Forward) -> Backward:
    """delta^l = dC/da^l da^l/dz^l, dC/dW^l = (delta^l)^T a^{l-1}, dC/da^{l-1} = delta^l W^l, from the last layer down.

    dC/da^0 is dC/dx: equation 11 carried to layer 0. A bias is a weight from a node that is always 1; a penalty adds to dC/dW alone.
    """
    errors = [output_error(problem, passed.activations[-1])]
    slopes: list[Array] = []
    deltas: list[Array] = []
    products: list[Product] = []
    biases: list[Array] = []
    for layer in reversed(range(problem.depth)):
        activation, z = row_of(ACTIVATIONS, problem.activations[layer]), passed.pre_activations[layer]
        slope = activation.derivative(z)
        # the pullback of an elementwise one would compute the slope again
        delta = errors[-1] * slope if isinstance(activation, Elementwise) else activation.pullback(z, errors[-1])
        slopes.append(slope)
        deltas.append(delta)
        weight, penalty = problem.weights[layer], problem.penalised
        products.append(Product(delta, passed.activations[layer], None if penalty is None else penalty.derivative(weight, problem.batch)))
        biases.append(delta.sum(axis=-2))
        if layer:
            errors.append(delta @ weight)
    x = Product(np.swapaxes(deltas[-1], -1, -2), problem.weights[0])
    return Backward(tuple(errors[::-1]), tuple(slopes[::-1]), tuple(deltas[::-1]), tuple(products[::-1]), tuple(biases[::-1]), x)


def gradient(problem: Problem) -> Gradient:
    """The reference's answer: everything that a gradient may hold."""
    with np.errstate(all="ignore"):
        passed = forward(problem)
        return gradient_of_passes(passed, backward(problem, passed))


def gradient_of_passes(passed: Forward, back: Backward, by_rows: bool = False) -> Gradient:
    """The two passes as one answer; by_rows: of dC/dW and dC/dx rows are computed when they are asked for."""
    weights: Any = back.products if by_rows else back.weights
    x: Any = back.x if by_rows else back.x[:]
    return Gradient(
        weights,
        back.biases,
        x=x,
        loss=passed.loss,
        pre_activations=passed.pre_activations,
        activations=passed.activations[1:],
        deltas=back.deltas,
    )
