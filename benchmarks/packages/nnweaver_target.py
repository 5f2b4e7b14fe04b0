"""nnweaver: layers of one sample as a column, half the squared error."""

from nnweaver.activations import Linear, Rectifier, Sigmoid, TanH
from nnweaver.losses import MSE
from nnweaver.nn import NN, Layer
from nnweaver.optimizers import SGD

from backproof import adapt

ACTIVATIONS = {"identity": Linear, "relu": Rectifier, "sigmoid": Sigmoid, "tanh": TanH}


def answer(weights, biases, activations, x, y):
    """What GradientBasedOptimizer.backward returns for one sample, W (n_l, n_{l-1}), b (n_l, 1)."""
    network = NN(len(x))
    for w, b, name in zip(weights, biases, activations, strict=True):
        network.add_layer(Layer(len(w), ACTIVATIONS[name]))
        network.layers[-1].weights, network.layers[-1].bias = w, b
    optimizer = SGD(MSE)
    x, y = x[:, None], y[:, None]
    return optimizer.backward(network, x, y, *optimizer.forward(network, x))


half_squared = adapt(answer, samples="one", biases="column", supports={"activations": list(ACTIVATIONS), "biases": True})
