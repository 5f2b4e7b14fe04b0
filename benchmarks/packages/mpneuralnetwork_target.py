"""mpneuralnetwork: layers with forward and backward in float32, losses summed over outputs, cross-entropies of logits."""

import numpy as np
from mpneuralnetwork.activations import PReLU, ReLU, Sigmoid, Softmax, Swish, Tanh
from mpneuralnetwork.layers import Dense
from mpneuralnetwork.losses import MSE, BinaryCrossEntropy, CategoricalCrossEntropy

from backproof import adapt

ACTIVATIONS = {"leaky_relu": PReLU, "relu": ReLU, "sigmoid": Sigmoid, "silu": Swish, "softmax": Softmax, "tanh": Tanh}


def answer(loss, weights, biases, activations, x, y):
    """What its layers hold after the way back of its training loop, W (n_{l-1}, n_l), b (1, n_l), in float32."""
    layers, x, y = [], x.astype(np.float32), y.astype(np.float32)
    for w, b, name in zip(weights, biases, activations, strict=True):
        layers.append(Dense(w.shape[1], w.shape[0], initialization="he"))
        layers[-1].load_params({"weights": w, "biases": b})
        layers += [ACTIVATIONS[name]()] if name in ACTIVATIONS else []
    for layer in layers:
        x = layer.forward(x)
    gradient = loss.prime(x, y)
    for layer in reversed(layers):
        gradient = layer.backward(gradient)
    dense = [layer for layer in layers if isinstance(layer, Dense)]
    return [layer.weights_gradient for layer in dense], [layer.biases_gradient for layer in dense]


def with_loss(loss, **limits):
    """A target of one of its losses, in numbers that float32 holds."""
    supports = {"activations": ["identity", *(name for name in ACTIVATIONS if name != "softmax")], "reductions": ["mean"], "biases": True}
    target = adapt(lambda *problem: answer(loss(), *problem), weights="in_out", biases="row", supports=supports | limits)
    target.precision = "float32"
    return target


squared = with_loss(MSE, losses=["squared_error"])
binary_cross_entropy = with_loss(BinaryCrossEntropy, losses=["summed_binary_cross_entropy_with_logits"], output_activations=["identity"])
cross_entropy = with_loss(CategoricalCrossEntropy, losses=["softmax_cross_entropy"], output_activations=["identity"])
softmax_squared = with_loss(MSE, losses=["squared_error"], output_activations=["softmax"])
