"""Honest implementations: variants of the reference that round otherwise, and frameworks. None of them may be accused."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from oracles import jax_autodiff, torch_autograd
from reference.functions.activation import Elementwise
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import name_and_parameters, row_of
from reference.gradient import Gradient
from reference.problem import Problem
from rounding.precisions import PRECISIONS

SCIKIT_LEARN_HIDDEN = {"identity": "identity", "relu": "relu", "sigmoid": "logistic", "tanh": "tanh"}
SCIKIT_LEARN_OUTPUT = {"half_squared_error": "identity", "softmax_cross_entropy": "softmax"}
"""What scikit-learn calls the activations of hidden layers, and of the output layer by the loss that goes with it.

Its binary cross-entropy is summed over outputs, where ours is averaged: another loss.
"""

Product = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Variant:
    """Both passes of the reference, rounded in another way: a target.

    product: how matrices are multiplied; dtype: of sums; at_kink: which slope is taken at a kink, from 0 (left) to 1 (right);
    reordered: whether the nodes of hidden layers and the samples stand in another order; mean_last: whether a mean is taken after the sums.
    """

    product: Product = np.matmul
    dtype: Any = np.float64
    at_kink: float | None = None
    reordered: bool = False
    mean_last: bool = False

    def __call__(self, problem: Problem) -> Gradient:
        if not self.reordered:
            return self._passes(problem)
        orders = [np.random.default_rng(1).permutation(n) for n in problem.widths]
        orders[0], orders[-1] = np.arange(problem.widths[0]), np.arange(problem.widths[-1])
        samples = np.random.default_rng(2).permutation(problem.batch)
        answer = self._passes(
            problem.replaced(
                weights=[w[np.ix_(orders[i + 1], orders[i])] for i, w in enumerate(problem.weights)],
                biases=[None if b is None else b[orders[i + 1]] for i, b in enumerate(problem.biases)],
                x=problem.x[samples],
                y=problem.y[samples],
            )
        )
        back = [np.argsort(order) for order in orders]
        weights = [w[np.ix_(back[i + 1], back[i])] for i, w in enumerate(answer.weights)]
        return Gradient(weights, [b[back[i + 1]] for i, b in enumerate(answer.biases or ())])

    def _passes(self, problem: Problem) -> Gradient:
        a, z = [problem.x.astype(self.dtype)], []
        for weight, bias, choice in zip(problem.weights, problem.biases, problem.activations, strict=True):
            z.append(self.product(a[-1], weight.T.astype(self.dtype)) + (0 if bias is None else bias))
            a.append(row_of(ACTIVATIONS, choice).value(z[-1].astype(np.float64)).astype(self.dtype))
        share = problem.batch if problem.reduction == "mean" else 1
        error = row_of(LOSSES, problem.loss).derivative(a[-1].astype(np.float64), problem.y).astype(self.dtype)
        error = error if self.mean_last else error / share
        weights, biases = [], []
        for layer in reversed(range(problem.depth)):
            delta = self._pullback(problem.activations[layer], z[layer].astype(np.float64), error)
            weights.insert(0, self.product(delta.T, a[layer]) / (share if self.mean_last else 1))
            biases.insert(0, delta.sum(axis=0) / (share if self.mean_last else 1))
            error = self.product(delta, problem.weights[layer].astype(self.dtype))
        return Gradient(weights, biases)

    def _pullback(self, choice: Any, z: Any, error: Any) -> Any:
        activation = row_of(ACTIVATIONS, choice)
        if not isinstance(activation, Elementwise):
            return activation.pullback(z, error.astype(np.float64)).astype(self.dtype)
        slope = activation.derivative(z)
        for kink, _ in activation.kinks if self.at_kink is not None else ():
            left, right = (activation.derivative(np.nextafter(kink, side)) for side in (-np.inf, np.inf))
            slope = np.where(z == kink, left + self.at_kink * (right - left), slope)
        return error * slope


@dataclass(frozen=True)
class Narrow:
    """Both passes as one writes them in NumPy, every array in one dtype: a target. product: how matrices are multiplied."""

    dtype: str
    product: Product = np.matmul

    def __call__(self, problem: Problem) -> Gradient:
        given = problem.copy(self.dtype)
        a, z = [given.x], []
        for weight, bias, choice in zip(given.weights, given.biases, given.activations, strict=True):
            summed = self.product(a[-1], weight.T)
            z.append(summed if bias is None else summed + bias)
            a.append(self._narrow(row_of(ACTIVATIONS, choice).value(z[-1])))
        error = self._narrow(row_of(LOSSES, given.loss).derivative(a[-1], given.y))
        error = error / np.asarray(given.batch, self.dtype) if given.reduction == "mean" else error
        weights, biases = [], []
        for layer in reversed(range(given.depth)):
            activation = row_of(ACTIVATIONS, given.activations[layer])
            single = isinstance(activation, Elementwise)
            delta = error * self._narrow(activation.derivative(z[layer])) if single else self._narrow(activation.pullback(z[layer], error))
            weights.insert(0, self.product(delta.T, a[layer]))
            biases.insert(0, delta.sum(axis=0))
            error = self.product(delta, given.weights[layer])
        return Gradient(weights, biases)

    def _narrow(self, array: Any) -> Any:
        return np.asarray(array, dtype=self.dtype)


@dataclass(frozen=True)
class Stored:
    """Both passes in NumPy, each result rounded to what a precision stores, and what goes into a product to what it keeps there: a target.

    product: how matrices are multiplied, in float32.
    """

    precision: str
    product: Product = np.matmul

    def __call__(self, problem: Problem) -> Gradient:
        held, a, z = self._held, [problem.x], []
        for weight, bias, choice in zip(problem.weights, problem.biases, problem.activations, strict=True):
            summed = held(self._times(a[-1], weight.T))
            z.append(summed if bias is None else held(summed + bias))
            a.append(held(row_of(ACTIVATIONS, choice).value(z[-1])))
        error = held(row_of(LOSSES, problem.loss).derivative(a[-1], problem.y))
        error = held(error / problem.batch) if problem.reduction == "mean" else error
        weights, biases = [], []
        for layer in reversed(range(problem.depth)):
            activation = row_of(ACTIVATIONS, problem.activations[layer])
            single = isinstance(activation, Elementwise)
            delta = held(error * held(activation.derivative(z[layer])) if single else activation.pullback(z[layer], error))
            weights.insert(0, held(self._times(delta.T, a[layer])))
            biases.insert(0, held(delta.astype(np.float32).sum(axis=0)))
            error = held(self._times(delta, problem.weights[layer]))
        dtype = PRECISIONS[self.precision].given
        return Gradient([weight.astype(dtype) for weight in weights], [bias.astype(dtype) for bias in biases])

    def _held(self, array: Any) -> Any:
        return PRECISIONS[self.precision].held(array)

    def _times(self, left: Any, right: Any) -> Any:
        bits = PRECISIONS[self.precision].product_bits
        return self.product(*(to_bits(factor, bits).astype(np.float32) for factor in (left, right)))


def to_bits(array: Any, bits: int) -> Any:
    """The nearest numbers with so many bits of significand, ties to even; 0 bits: as they are."""
    if not bits:
        return array
    significand, exponent = np.frexp(array)
    return np.ldexp(np.rint(np.ldexp(significand, bits)), exponent - bits)


def in_random_order(left: Any, right: Any) -> Any:
    """The product by loops, its terms in an order of their own."""
    order = np.random.default_rng(left.shape[1]).permutation(left.shape[1])
    return backwards(left[:, order], right[order])


def in_blocks(left: Any, right: Any) -> Any:
    """The product as a sum of products of blocks of 32 terms."""
    total = np.zeros((left.shape[0], right.shape[1]), dtype=np.result_type(left, right))
    for k in range(0, left.shape[1], 32):
        total = total + left[:, k : k + 32] @ right[k : k + 32]
    return total


def backwards(left: Any, right: Any) -> Any:
    """The product by loops, each sum from its last term to its first."""
    total = np.zeros((left.shape[0], right.shape[1]), dtype=np.result_type(left, right))
    for k in reversed(range(left.shape[1])):
        total = total + left[:, k, None] * right[k]
    return total


def pairwise(left: Any, right: Any) -> Any:
    """The product with each sum halved again and again."""
    terms = left.shape[1]
    if terms == 1:
        return left * right
    return pairwise(left[:, : terms // 2], right[: terms // 2]) + pairwise(left[:, terms // 2 :], right[terms // 2 :])


def torch_float64(problem: Problem) -> Gradient:
    return torch_autograd.answer(problem).gradient


def torch_float32(problem: Problem) -> Gradient:
    return torch_autograd.answer(problem, "float32").gradient


def torch_in(dtype: str) -> Callable[[Problem], Gradient]:
    """PyTorch in a dtype."""
    return lambda problem: torch_autograd.answer(problem, dtype).gradient


def jax_in(dtype: str) -> Callable[[Problem], Gradient]:
    """JAX in a dtype."""
    return lambda problem: jax_autodiff.answer(problem, dtype).gradient


def jax_float64(problem: Problem) -> Gradient:
    return jax_autodiff.answer(problem).gradient


def jax_float32(problem: Problem) -> Gradient:
    return jax_autodiff.answer(problem, "float32").gradient


@dataclass(frozen=True)
class ScikitLearn:
    """The backward pass of scikit-learn's multilayer perceptrons, in a precision: a target."""

    precision: str
    supports: ClassVar = {
        "activations": tuple(SCIKIT_LEARN_HIDDEN),
        "output_activations": ("identity",),
        "same_hidden": True,
        "biases": True,
        "losses": tuple(SCIKIT_LEARN_OUTPUT),
        "reductions": ("mean",),
    }

    def __call__(self, problem: Problem) -> Gradient:
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        given, layers, loss = problem.copy(self.precision), problem.depth, name_and_parameters(problem.loss)[0]
        hidden = name_and_parameters(problem.activations[0])[0] if layers > 1 else "identity"
        kind = MLPRegressor if loss == "half_squared_error" else MLPClassifier
        model = kind(activation=SCIKIT_LEARN_HIDDEN[hidden], alpha=0.0)
        model.n_layers_, model.n_outputs_, model.out_activation_ = layers + 1, problem.widths[-1], SCIKIT_LEARN_OUTPUT[loss]
        model.coefs_, model.intercepts_ = [weight.T for weight in given.weights], list(given.biases)
        activations, *room = [given.x, *[None] * layers], [None] * layers, [None] * layers, [None] * layers
        _, coefficients, intercepts = model._backprop(given.x, given.y, None, activations, *room)
        return Gradient([coefficient.T for coefficient in coefficients], intercepts)


HONEST: dict[str, tuple[Callable[[Problem], Gradient], str]] = {
    "reference, loops from the last term": (Variant(product=backwards), "float64"),
    "reference, sums by halves": (Variant(product=pairwise), "float64"),
    "reference, nodes and samples reordered": (Variant(reordered=True), "float64"),
    "reference, long double sums": (Variant(dtype=np.longdouble), "float64"),
    "reference, mean after the sums": (Variant(mean_last=True), "float64"),
    "reference, slope 0 at kinks": (Variant(at_kink=0.0), "float64"),
    "reference, slope 1/2 at kinks": (Variant(at_kink=0.5), "float64"),
    "reference, slope 1 at kinks": (Variant(at_kink=1.0), "float64"),
    "torch, float64": (torch_float64, "float64"),
    "torch, float32": (torch_float32, "float32"),
    "jax, float64": (jax_float64, "float64"),
    "jax, float32": (jax_float32, "float32"),
    "scikit-learn, float64": (ScikitLearn("float64"), "float64"),
    "scikit-learn, float32": (ScikitLearn("float32"), "float32"),
}
"""By name: the target, and the precision that it computes in."""
