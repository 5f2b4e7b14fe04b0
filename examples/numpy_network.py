"""A network by hand in NumPy, as an exercise asks for it, and right: `backproof check examples/numpy_network.py:gradient`."""

import numpy as np

FUNCTIONS = {
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
}
DERIVATIVES = {
    "identity": np.ones_like,
    "relu": lambda z: np.where(z > 0, 1.0, 0.0),
    "sigmoid": lambda z: FUNCTIONS["sigmoid"](z) * FUNCTIONS["sigmoid"](-z),
    "tanh": lambda z: 1 / np.cosh(z) ** 2,
}


def gradient(problem):
    """dC/dW and dC/db of half the squared error, summed over samples."""
    activations, pre_activations = [problem.x], []
    for weight, bias, name in zip(problem.weights, problem.biases, problem.activations, strict=True):
        z = activations[-1] @ weight.T
        if bias is not None:
            z = z + bias
        pre_activations.append(z)
        activations.append(FUNCTIONS[name](z))

    dC_dW, dC_db = [], []
    error = activations[-1] - problem.y
    for layer in reversed(range(len(problem.weights))):
        delta = error * DERIVATIVES[problem.activations[layer]](pre_activations[layer])
        dC_dW.insert(0, delta.T @ activations[layer])
        dC_db.insert(0, delta.sum(axis=0))
        error = delta @ problem.weights[layer]
    return dC_dW, dC_db


gradient.supports = {"activations": list(FUNCTIONS), "losses": ["half_squared_error"], "reductions": ["sum"]}
