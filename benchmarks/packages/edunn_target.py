"""edunn: models with forward and backward, the mean over samples of squared errors and of a cross-entropy of classes."""

import numpy as np
from edunn.models import CrossEntropyWithLabels, Dense, MeanError, Sequential, SquaredError

from backproof import adapt

NAMES = {"identity": "id", "relu": "relu", "sigmoid": "sigmoid", "softmax": "softmax", "tanh": "tanh"}


def answer(error, weights, biases, activations, x, y):
    """What Sequential.backward returns, W (n_{l-1}, n_l)."""
    layers = [Dense(*w.shape, NAMES[name]) for w, name in zip(weights, activations, strict=True)]
    for layer, w, b in zip(layers, weights, biases, strict=True):
        layer.linear.parameters["w"], layer.bias.parameters["b"] = w, b
    network, mean = Sequential(layers), MeanError(error)
    mean.forward(y, network.forward(x))
    gradient, _ = mean.backward()
    _, found = network.backward(gradient)
    return [[found[f"{layer.name}({part})"] for layer in layers] for part in ("w", "b")]


def of_classes(weights, biases, activations, x, y):
    """The answer with its cross-entropy of class numbers, which it wants as a column."""
    return answer(CrossEntropyWithLabels(), weights, biases, activations, x, np.array(y)[:, None])


FORM = {"weights": "in_out"}
SUPPORTS = {"activations": ["identity", "relu", "sigmoid", "tanh"], "reductions": ["mean"], "biases": True}

squared = adapt(lambda *problem: answer(SquaredError(), *problem), supports=SUPPORTS | {"losses": ["squared_error"]}, **FORM)
softmax_squared = adapt(
    lambda *problem: answer(SquaredError(), *problem),
    supports=SUPPORTS | {"losses": ["squared_error"], "output_activations": ["softmax"]},
    **FORM,
)
cross_entropy = adapt(
    of_classes,
    expected="class_index",
    supports=SUPPORTS
    | {"losses": ["cross_entropy_of_probabilities"], "output_activations": ["softmax"], "batch": (2, 8), "outputs": (2, 5)},
    **FORM,
)
