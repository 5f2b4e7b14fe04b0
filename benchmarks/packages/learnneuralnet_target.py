"""learnneuralnet: dense layers, and the mean of squares over samples and outputs, here one output."""

from nn.layers import Dense
from nn.losses import get_loss
from nn.sequential import Sequential

from backproof import adapt

NAMES = {"identity": "linear", "relu": "relu", "sigmoid": "sigmoid"}


def answer(weights, biases, activations, x, y):
    """What _backward leaves in its layers after the gradient of the loss, W (n_{l-1}, n_l), b (1, n_l)."""
    network = Sequential()
    for w, b, name in zip(weights, biases, activations, strict=True):
        network.add(Dense(w.shape[1], NAMES[name]))
        network.layers[-1].build(w.shape[0])
        network.layers[-1].W, network.layers[-1].b = w, b
    network._backward(get_loss("mse").gradient(y, network._forward(x)))
    return [layer.dW for layer in network.layers], [layer.db for layer in network.layers]


mean_squared = adapt(
    answer,
    weights="in_out",
    biases="row",
    supports={"activations": list(NAMES), "losses": ["mean_squared_error"], "reductions": ["mean"], "biases": True, "outputs": 1},
)
