"""vanillanets: layers with forward and backward, losses averaged over outputs, and softmax both alone and with its cross-entropy."""

import numpy as np
from vanillanets.activations import LeakyReLU, ReLU, Sigmoid, Softmax, Tanh
from vanillanets.layers import DenseLayer
from vanillanets.losses import BinaryCrossEntropy, CategoricalCrossEntropy, MeanSquaredError
from vanillanets.softmax_loss import Activation_Softmax_Loss_CategoricalCrossentropy

from backproof import adapt

LEAKY = ("leaky_relu", {"slope": 0.1})
ACTIVATIONS = {"leaky_relu": LeakyReLU, "relu": ReLU, "sigmoid": Sigmoid, "softmax": Softmax, "tanh": Tanh}


def answer(loss, joined, weights, biases, activations, x, y):
    """What its training loop leaves in its dense layers, W (n_{l-1}, n_l), b (1, n_l)."""
    layers = []
    for w, b, activation in zip(weights, biases, activations, strict=True):
        name = activation if isinstance(activation, str) else activation[0]
        layers.append(DenseLayer(*w.shape))
        layers[-1].weights, layers[-1].biases = w, b
        layers += [ACTIVATIONS[name]()] if name in ACTIVATIONS else []
    for layer in layers:
        layer.forward(x)
        x = layer.output
    loss.backward(x, y)
    gradient = loss.dinputs
    for layer in reversed(layers[:-1] if joined else layers):
        layer.backward(gradient)
        gradient = layer.dinputs
    dense = [layer for layer in layers if isinstance(layer, DenseLayer)]
    return [layer.dweights for layer in dense], [np.asarray(layer.dbiases) for layer in dense]


def with_loss(loss, joined=False, **limits):
    """A target of one of its losses; joined: the loss goes back through softmax itself."""
    supports = {"activations": ["identity", "relu", "sigmoid", "tanh", LEAKY], "reductions": ["mean"], "biases": True}
    return adapt(lambda *problem: answer(loss(), joined, *problem), weights="in_out", biases="row", supports=supports | limits)


mean_squared = with_loss(MeanSquaredError, losses=["mean_squared_error"])
softmax_squared = with_loss(MeanSquaredError, losses=["mean_squared_error"], output_activations=["softmax"])
binary_cross_entropy = with_loss(BinaryCrossEntropy, losses=["binary_cross_entropy_of_probabilities"], output_activations=["sigmoid"])
cross_entropy = with_loss(CategoricalCrossEntropy, losses=["cross_entropy_of_probabilities"], output_activations=["softmax"])
joined_cross_entropy = with_loss(
    Activation_Softmax_Loss_CategoricalCrossentropy,
    joined=True,
    losses=["cross_entropy_of_probabilities"],
    output_activations=["softmax"],
    expected="one_hot",
)
