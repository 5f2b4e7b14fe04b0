"""numpy-nn: layers with forward and backward, squared errors summed over outputs, and three cross-entropies of probabilities."""

import numpy as np
from numpy_nn.activations import ReLU, Sigmoid, Softmax, Swish, TanH
from numpy_nn.layers import Neuron
from numpy_nn.losses import BinaryCrossEntropyLoss, CrossEntropyLoss, MeanSquaredError
from numpy_nn.models import Model

from backproof import adapt

ACTIVATIONS = {"relu": ReLU, "sigmoid": Sigmoid, "silu": Swish, "softmax": Softmax, "tanh": TanH}


def answer(loss, weights, biases, activations, x, y):
    """What Model.backward leaves in its neurons, W (n_{l-1}, n_l)."""
    layers = []
    for w, b, name in zip(weights, biases, activations, strict=True):
        layers.append(Neuron(*w.shape))
        layers[-1].weights, layers[-1].biases = w, b
        layers += [ACTIVATIONS[name]()] if name in ACTIVATIONS else []
    model = Model(layers)
    loss(y, model.forward(x))
    model.backward(loss.gradient())
    neurons = [layer for layer in layers if isinstance(layer, Neuron)]
    return [layer.dL_dw for layer in neurons], [np.asarray(layer.dL_db) for layer in neurons]


def with_loss(loss, **limits):
    """A target of one of its losses."""
    supports = {"activations": ["sigmoid", "silu", "tanh", "identity"], "reductions": ["mean"], "biases": True}
    return adapt(lambda *problem: answer(loss(), *problem), weights="in_out", supports=supports | limits)


squared = with_loss(MeanSquaredError, losses=["squared_error"])
relu_squared = with_loss(MeanSquaredError, losses=["squared_error"], activations=["relu", "identity"])
binary_cross_entropy = with_loss(
    BinaryCrossEntropyLoss, losses=["summed_binary_cross_entropy_of_probabilities"], output_activations=["sigmoid"]
)
softmax_squared = with_loss(MeanSquaredError, losses=["squared_error"], output_activations=["softmax"])
cross_entropy = with_loss(CrossEntropyLoss, losses=["cross_entropy_of_probabilities"], output_activations=["softmax"])
