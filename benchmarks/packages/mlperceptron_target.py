"""mlperceptron: sigmoid layers with the bias as first column, class numbers, binary cross-entropy summed over classes, an L2 term.

It makes one-hot rows of class numbers itself; here its encoder is told to leave y as it is.
"""

import numpy as np
from mlperceptron.mlperceptron import NeuralNetwork

from backproof import adapt

LAMBDA = 0.5


def answer(weights, x, y, lambd):
    """What _get_cost_and_gradient returns, unflattened, W (n_l, 1 + n_{l-1})."""
    network = NeuralNetwork(tuple(len(w) for w in weights[:-1]))
    network._one_hot_encoder = np.asarray
    shapes = [w.shape for w in weights]
    _, flat = network._get_cost_and_gradient(network._flatten_thetas(weights), lambd, x, y, shapes)
    return [np.asarray(part) for part in network._unflatten_thetas(np.asarray(flat).ravel(), shapes)], [None] * len(weights)


FORM = {"activations": False, "biases": "folded_first"}
SUPPORTS = {
    "activations": ["sigmoid"],
    "losses": ["summed_binary_cross_entropy_of_probabilities"],
    "reductions": ["mean"],
    "biases": True,
    "depth": (2, 6),
}

binary_cross_entropy = adapt(lambda weights, biases, x, y: answer(weights, x, y, 0.0), supports=SUPPORTS, **FORM)
with_penalty = adapt(
    lambda weights, biases, x, y: answer(weights, x, y, LAMBDA), penalty=("l2_over_batch", LAMBDA), supports=SUPPORTS, **FORM
)
