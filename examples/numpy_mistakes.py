"""The same network with three mistakes that people make: `backproof check examples/numpy_mistakes.py:derivative_at_the_activation`."""

import numpy as np
from numpy_network import DERIVATIVES, FUNCTIONS, gradient


def _forward(problem):
    activations, pre_activations = [problem.x], []
    for weight, bias, name in zip(problem.weights, problem.biases, problem.activations, strict=True):
        pre_activations.append(activations[-1] @ weight.T + (0 if bias is None else bias))
        activations.append(FUNCTIONS[name](pre_activations[-1]))
    return activations, pre_activations


def derivative_at_the_activation(problem):
    """The derivative of the activation function is taken at a where equation 3 says z."""
    activations, _ = _forward(problem)
    dC_dW, dC_db = [], []
    error = activations[-1] - problem.y
    for layer in reversed(range(len(problem.weights))):
        delta = error * DERIVATIVES[problem.activations[layer]](activations[layer + 1])
        dC_dW.insert(0, delta.T @ activations[layer])
        dC_db.insert(0, delta.sum(axis=0))
        error = delta @ problem.weights[layer]
    return dC_dW, dC_db


def bias_of_the_first_sample(problem):
    """The bias gradient is taken from one sample: its sum over the batch is forgotten."""
    activations, pre_activations = _forward(problem)
    dC_dW, dC_db = [], []
    error = activations[-1] - problem.y
    for layer in reversed(range(len(problem.weights))):
        delta = error * DERIVATIVES[problem.activations[layer]](pre_activations[layer])
        dC_dW.insert(0, delta.T @ activations[layer])
        dC_db.insert(0, delta[0])
        error = delta @ problem.weights[layer]
    return dC_dW, dC_db


def no_derivative_in_hidden_layers(problem):
    """Hidden layers pass the error down without g': a factor of equation 11 is forgotten."""
    activations, pre_activations = _forward(problem)
    dC_dW, dC_db = [], []
    error = activations[-1] - problem.y
    last = len(problem.weights) - 1
    for layer in reversed(range(len(problem.weights))):
        slope = DERIVATIVES[problem.activations[layer]](pre_activations[layer])
        delta = error * slope if layer == last else error
        dC_dW.insert(0, delta.T @ activations[layer])
        dC_db.insert(0, np.sum(delta, axis=0))
        error = delta @ problem.weights[layer]
    return dC_dW, dC_db


for mistaken in (derivative_at_the_activation, bias_of_the_first_sample, no_derivative_in_hidden_layers):
    mistaken.supports = gradient.supports
