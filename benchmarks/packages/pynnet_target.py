"""pynnet: dense layers with activations as layers, and losses averaged over samples and outputs; softmax hands the gradient on as it is."""

from importlib import import_module

from pynnet import loss as losses
from pynnet.layers.dense import dense

from backproof import adapt

# the package has a class of the module's name in its place
functions = import_module("pynnet.activation")

NAMES = {
    "elu": "elu",
    "leaky_relu": "leaky_relu",
    "relu": "relu",
    "sigmoid": "sigmoid",
    "silu": "swish",
    "softplus": "softplus",
    "tanh": "tanh",
}


def answer(derivative, weights, biases, activations, x, y):
    """What the way back of its fit() leaves in its dense layers, W (n_{l-1}, n_l), b (1, n_l)."""
    layers = []
    for w, b, name in zip(weights, biases, activations, strict=True):
        layers.append(dense(*w.shape))
        layers[-1].weights, layers[-1].biases = w, b
        if name in NAMES:
            layers.append(functions.activation(getattr(functions, NAMES[name]), getattr(functions, f"{NAMES[name]}_derivative")))
        layers += [functions.softmax()] if name == "softmax" else []
    for layer in layers:
        x = layer.forward(x)
    gradient = derivative(y, x)
    for layer in reversed(layers):
        gradient = layer.backward(gradient, None)
    connected = [layer for layer in layers if isinstance(layer, dense)]
    return [layer.weights_gradient for layer in connected], [layer.biases_gradient for layer in connected]


def with_loss(derivative, **limits):
    """A target of one of its losses."""
    supports = {"activations": [*NAMES, "identity"], "reductions": ["mean"], "biases": True}
    return adapt(lambda *problem: answer(derivative, *problem), weights="in_out", biases="row", supports=supports | limits)


mean_squared = with_loss(losses.mse_derivative, losses=["mean_squared_error"])
huber = with_loss(losses.huber_loss_derivative, losses=["huber"])
binary_cross_entropy = with_loss(
    losses.binary_cross_entropy_derivative, losses=["binary_cross_entropy_of_probabilities"], output_activations=["sigmoid"]
)
cross_entropy = with_loss(losses.cce_derivative_with_softmax, losses=["cross_entropy_of_probabilities"], output_activations=["softmax"])
plain_cross_entropy = with_loss(losses.cce_derivative, losses=["cross_entropy_of_probabilities"], output_activations=["softmax"])
softmax_squared = with_loss(losses.mse_derivative, losses=["mean_squared_error"], output_activations=["softmax"])
