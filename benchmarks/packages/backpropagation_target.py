"""backpropagation: two sigmoid layers, whose train() changes the weights."""

from backpropagation.Backpropagation import Backpropagation
from backpropagation.NeuralNetwork import NeuralNetwork

from backproof import adapt


def step(weights, biases, x, y, lr):
    """One epoch of train(), W (n_{l-1}, n_l), b (1, n_l)."""
    network = NeuralNetwork(x.shape[1], weights[0].shape[1], y.shape[1])
    network.bias = biases[0] is not None
    network.hidden_weights, network.output_weights = weights
    network.hidden_bias_weights, network.output_bias_weights = biases
    Backpropagation(network, epochs=1, lr=lr).train(x, y)
    return [network.hidden_weights, network.output_weights], [network.hidden_bias_weights, network.output_bias_weights]


FORM = {"activations": False, "weights": "in_out", "biases": "row", "returns": "updated", "learning_rate": {"lr": 0.1}}

half_squared = adapt(step, supports={"activations": ["sigmoid"], "depth": (2, 2), "biases": False}, **FORM)
with_biases = adapt(step, supports={"activations": ["sigmoid"], "depth": (2, 2), "biases": True}, **FORM)
