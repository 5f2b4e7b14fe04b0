"""quarknet: layers with forward and backward, and the mean of squares over samples and outputs."""

from quarknet.activations import ReLU, Sigmoid, Tanh
from quarknet.layers import Linear
from quarknet.loss import MSE
from quarknet.nn import NeuralNet

from backproof import adapt

ACTIVATIONS = {"relu": ReLU, "sigmoid": Sigmoid, "tanh": Tanh}


def answer(weights, biases, activations, x, y):
    """What NeuralNet.backward leaves in its linear layers, W (n_{l-1}, n_l)."""
    layers = []
    for w, b, name in zip(weights, biases, activations, strict=True):
        layers.append(Linear(*w.shape))
        layers[-1].params |= {"w": w, "b": b}
        layers += [ACTIVATIONS[name]()] if name in ACTIVATIONS else []
    network = NeuralNet(layers)
    network.backward(MSE().grad(network.forward(x), y))
    linear = [layer.grad for layer in layers if isinstance(layer, Linear)]
    return [grad["w"] for grad in linear], [grad["b"] for grad in linear]


mean_squared = adapt(
    answer,
    weights="in_out",
    supports={"activations": [*ACTIVATIONS, "identity"], "losses": ["mean_squared_error"], "reductions": ["mean"], "biases": True},
)
