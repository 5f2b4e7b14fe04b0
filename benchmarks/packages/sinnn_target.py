"""sinnn: dense layers with ReLU between them that change themselves, bias as first row, logits at the end."""

import numpy as np
from sinnn.Layers import Dense, ReLU
from sinnn.Losses import MSE, CrossEntropy
from sinnn.Optimisers import SGD

from backproof import adapt


def step(loss, weights, x, y, rate):
    """One pass of its training loop, W (1 + n_{l-1}, n_l)."""
    layers = []
    for w in weights:
        layers += [Dense(w.shape[1], optimiser=SGD(rate)), ReLU()]
        layers[-2].weights = w
    for layer in layers[:-1]:
        layer.forward(x)
        x = layer.output
    gradient = loss.loss_gradient(x, y)
    for layer in reversed(layers[:-1]):
        gradient = layer.backward(gradient)
    return [layer.weights for layer in layers[::2]], [None] * len(weights)


def squared_step(weights, biases, x, y, rate):
    """A step of its MSE, one output."""
    return step(MSE(), weights, x, y, rate)


def classes_step(weights, biases, x, y, rate):
    """A step of its categorical cross-entropy of classes."""
    return step(CrossEntropy(), weights, x, np.asarray(y), rate)


def binary_step(weights, biases, x, y, rate):
    """A step of its binary cross-entropy, one output."""
    return step(CrossEntropy(isbinary=True), weights, x, y, rate)


FORM = {"activations": False, "weights": "in_out", "biases": "folded_first", "returns": "updated", "learning_rate": {"rate": 0.01}}
SUPPORTS = {"activations": ["relu"], "output_activations": ["identity"], "reductions": ["mean"], "biases": True}

squared = adapt(squared_step, supports=SUPPORTS | {"losses": ["squared_error"], "outputs": 1}, **FORM)
binary_cross_entropy = adapt(binary_step, supports=SUPPORTS | {"losses": ["binary_cross_entropy_with_logits"], "outputs": 1}, **FORM)
cross_entropy = adapt(
    classes_step, expected="class_index", supports=SUPPORTS | {"losses": ["softmax_cross_entropy"], "outputs": (2, 5)}, **FORM
)
