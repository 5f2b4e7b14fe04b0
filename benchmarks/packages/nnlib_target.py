"""nnlib: ReLU layers and a sigmoid at the end, samples as columns, binary cross-entropy with an L2 term over the number of samples."""

import numpy as np
from nnlib.l_layer.backward import model_backward
from nnlib.l_layer.forward import model_forward

from backproof import adapt

ALPHA = 0.5


def answer(weights, biases, x, y, alpha=0.0):
    """What model_backward returns, W (n_l, n_{l-1}), b (n_l, 1)."""
    parameters = {"W": dict(enumerate(weights, 1)), "b": dict(enumerate(biases, 1))}
    last, caches = model_forward(x, parameters, 1)
    grads = model_backward(last, y, parameters, caches, alpha, 1)
    layers = range(1, len(weights) + 1)
    return [np.asarray(grads["dW"][layer]) for layer in layers], [grads["db"][layer] for layer in layers]


FORM = {"activations": False, "samples": "columns", "biases": "column"}
SUPPORTS = {
    "activations": ["relu"],
    "output_activations": ["sigmoid"],
    "losses": ["summed_binary_cross_entropy_of_probabilities"],
    "reductions": ["mean"],
    "biases": True,
}

binary_cross_entropy = adapt(answer, supports=SUPPORTS, **FORM)
with_penalty = adapt(
    lambda weights, biases, x, y: answer(weights, biases, x, y, ALPHA), penalty=("l2_over_batch", ALPHA), supports=SUPPORTS, **FORM
)
