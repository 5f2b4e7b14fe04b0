"""numpynet: layers that change themselves in backpropagate(), one sample at a time, biases and activations as layers of their own."""

from numpynet.layers import ActivationLayer, BiasLayer, DenseLayer, InputLayer, SoftmaxLayer
from numpynet.network import Sequential

from backproof import adapt

NAMES = {"relu": "relu", "sigmoid": "sigmoid", "tanh": "tanh"}


def step(loss, weights, biases, activations, x, y, rate):
    """What the layers hold after the way back of one sample, W (n_l, n_{l-1})."""
    layers = [InputLayer((len(x),))]
    for w, name in zip(weights, activations, strict=True):
        layers += [DenseLayer(len(w)), BiasLayer()]
        layers += [ActivationLayer(NAMES[name])] if name in NAMES else [SoftmaxLayer()] if name == "softmax" else []
    network = Sequential(layers)
    network.compile(loss)
    network.learning_rate = rate
    dense, added = ([layer for layer in layers if isinstance(layer, kind)] for kind in (DenseLayer, BiasLayer))
    for layer, values in zip(dense + added, weights + biases, strict=True):
        layer.weights[0] = values
    for layer in layers:
        x = layer.propagate_save(x)
    delta = network.loss.deriv(x, y)
    for layer in reversed(layers):
        delta = layer.backpropagate_save(delta)
    return [layer.weights[0] for layer in dense], [layer.weights[0] for layer in added]


def squared_step(weights, biases, activations, x, y, rate):
    """A step of its "mse"."""
    return step("mse", weights, biases, activations, x, y, rate)


FORM = {"samples": "one", "returns": "updated", "learning_rate": {"rate": 0.001}}
SUPPORTS = {"losses": ["mean_squared_error"], "biases": True}

relu_mean_squared = adapt(squared_step, supports=SUPPORTS | {"activations": ["relu", "identity"]}, **FORM)
mean_squared = adapt(squared_step, supports=SUPPORTS | {"activations": ["identity", "relu", "sigmoid", "tanh"]}, **FORM)
softmax_mean_squared = adapt(squared_step, supports=SUPPORTS | {"activations": ["relu"], "output_activations": ["softmax"]}, **FORM)
