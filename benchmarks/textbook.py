"""Both passes as textbooks and tutorials write them, in NumPy and one dtype; and in PyTorch, with gradients added up over micro-batches."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import erf

from backproof import Gradient, Problem
from oracles.torch_autograd import TORCH_ACTIVATIONS, TORCH_LOSSES
from reference.functions.parametrised import name_and_parameters


def _sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def _cube(z: Any) -> Any:
    return np.tanh(z.dtype.type(np.sqrt(2 / np.pi)) * (z + z.dtype.type(0.044715) * z**3))


def _gelu_tanh_slope(z: Any) -> Any:
    t, factor = _cube(z), z.dtype.type(np.sqrt(2 / np.pi))
    return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * factor * (1 + 3 * z.dtype.type(0.044715) * z * z)


def _normal(z: Any) -> Any:
    return 0.5 * (1 + erf(z / z.dtype.type(np.sqrt(2))))


def _density(z: Any) -> Any:
    return np.exp(-0.5 * z * z) / z.dtype.type(np.sqrt(2 * np.pi))


def _softmax(z: Any) -> Any:
    exponentials = np.exp(z - z.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _jacobian(z: Any, a: Any) -> Any:
    return np.stack([np.diag(p) - np.outer(p, p) for p in a])


SELU = (1.0507009873554804934193349852946, 1.6732632423543772848170429916717)

FORMULAS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "identity": (lambda z: z, lambda z, a: np.ones_like(z)),
    "sigmoid": (_sigmoid, lambda z, a: a * (1 - a)),
    "tanh": (np.tanh, lambda z, a: 1 - a * a),
    "relu": (lambda z: np.maximum(z, 0), lambda z, a: (z > 0).astype(z.dtype)),
    "leaky_relu": (
        lambda z, slope=0.01: np.where(z > 0, z, z.dtype.type(slope) * z),
        lambda z, a, slope=0.01: np.where(z > 0, z.dtype.type(1), z.dtype.type(slope)),
    ),
    "elu": (
        lambda z, alpha=1.0: np.where(z > 0, z, z.dtype.type(alpha) * (np.exp(np.minimum(z, 0)) - 1)),
        lambda z, a, alpha=1.0: np.where(z > 0, z.dtype.type(1), a + z.dtype.type(alpha)),
    ),
    "selu": (
        lambda z: z.dtype.type(SELU[0]) * np.where(z > 0, z, z.dtype.type(SELU[1]) * (np.exp(np.minimum(z, 0)) - 1)),
        lambda z, a: np.where(z > 0, z.dtype.type(SELU[0]), a + z.dtype.type(SELU[0] * SELU[1])),
    ),
    "softplus": (lambda z: np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))), lambda z, a: _sigmoid(z)),
    "gelu": (lambda z: z * _normal(z), lambda z, a: _normal(z) + z * _density(z)),
    "gelu_tanh": (lambda z: 0.5 * z * (1 + _cube(z)), lambda z, a: _gelu_tanh_slope(z)),
    "silu": (lambda z: z * _sigmoid(z), lambda z, a: _sigmoid(z) * (1 + z * (1 - _sigmoid(z)))),
    "softsign": (lambda z: z / (1 + np.abs(z)), lambda z, a: 1 / (1 + np.abs(z)) ** 2),
    "hardtanh": (lambda z: np.clip(z, -1, 1), lambda z, a: ((z > -1) & (z < 1)).astype(z.dtype)),
    "relu6": (lambda z: np.clip(z, 0, 6), lambda z, a: ((z > 0) & (z < 6)).astype(z.dtype)),
    "softmax": (_softmax, _jacobian),
}
"""Name -> g of z and the parameters, and g' of z, a and the parameters, as they are mostly written; the whole Jacobian of a softmax."""


def _pulled_back(slope: Any, error: Any) -> Any:
    """dC/dz of g', (batch, n), or of Jacobians, (batch, n, n)."""
    return error * slope if slope.ndim == 2 else np.einsum("sij,si->sj", slope, error)


SLOPES: dict[str, Callable[..., Any]] = {
    "half_squared_error": lambda a, y: a - y,
    "squared_error": lambda a, y: 2 * (a - y),
    "mean_squared_error": lambda a, y: 2 * (a - y) / a.shape[1],
    "half_mean_squared_error": lambda a, y: (a - y) / a.shape[1],
    "huber": lambda a, y, delta=1.0: np.clip(a - y, a.dtype.type(-delta), a.dtype.type(delta)) / a.shape[1],
    "upstream": lambda a, y: y,
    "binary_cross_entropy_with_logits": lambda a, y: (_sigmoid(a) - y) / a.shape[1],
    "softmax_cross_entropy": lambda a, y: _softmax(a) - y,
    "summed_binary_cross_entropy_with_logits": lambda a, y: _sigmoid(a) - y,
    "cross_entropy_of_probabilities": lambda a, y: -y / a,
    "binary_cross_entropy_of_probabilities": lambda a, y: (a - y) / (a * (1 - a)) / a.shape[1],
    "summed_binary_cross_entropy_of_probabilities": lambda a, y: (a - y) / (a * (1 - a)),
}
"""Name -> dC_0/da of the last layer's activations, y and the parameters."""


@dataclass(frozen=True)
class Textbook:
    """Both passes by the formulas above, every array in one dtype: a target."""

    dtype: str

    def __call__(self, problem: Problem) -> Gradient:
        given = problem.copy(self.dtype)
        z, a = [], [given.x]
        for weight, bias, choice in zip(given.weights, given.biases, given.activations, strict=True):
            z.append(a[-1] @ weight.T if bias is None else a[-1] @ weight.T + bias)
            name, parameters = name_and_parameters(choice)
            a.append(FORMULAS[name][0](z[-1], **parameters))
        name, parameters = name_and_parameters(given.loss)
        error = SLOPES[name](a[-1], given.y, **parameters)
        error = error / len(given.x) if given.reduction == "mean" else error
        weights, biases = [], []
        for i in reversed(range(given.depth)):
            name, parameters = name_and_parameters(given.activations[i])
            delta = _pulled_back(FORMULAS[name][1](z[i], a[i + 1], **parameters), error)
            weights.insert(0, delta.T @ a[i])
            biases.insert(0, delta.sum(axis=0))
            error = delta @ given.weights[i]
        return Gradient(weights, biases)


@dataclass(frozen=True)
class MicroBatches:
    """PyTorch's autograd in a dtype, with the gradients of micro-batches of so many samples added up in place: a target."""

    dtype: str
    samples: int = 8

    def __call__(self, problem: Problem) -> Gradient:
        import torch
        import torch.nn.functional as F

        def tensor(array: Any) -> Any:
            return torch.tensor(array, dtype=getattr(torch, self.dtype))

        weights = [tensor(weight).requires_grad_() for weight in problem.weights]
        biases = [None if bias is None else tensor(bias).requires_grad_() for bias in problem.biases]
        x, y = tensor(problem.x), tensor(problem.y)
        name, parameters = name_and_parameters(problem.loss)
        for first in range(0, problem.batch, self.samples):
            a = x[first : first + self.samples]
            for weight, bias, choice in zip(weights, biases, problem.activations, strict=True):
                activation, given = name_and_parameters(choice)
                a = TORCH_ACTIVATIONS[activation](F, F.linear(a, weight, bias), **given)
            loss = TORCH_LOSSES[name](F, a, y[first : first + self.samples], **parameters)
            (loss / problem.batch if problem.reduction == "mean" else loss).backward()
        return Gradient([w.grad.numpy() for w in weights], [None if b is None else b.grad.numpy() for b in biases])
