"""myneuralnet: layers that change themselves in backpropagation(), and a mean of squares over samples; train() reshapes y to one output."""

from contextlib import redirect_stdout
from io import StringIO

from myneuralnet import Layer, NeuralNetwork

from backproof import adapt

NAMES = {"identity": "linear", "relu": "relu", "sigmoid": "sigmoid"}


def step(weights, biases, activations, x, y, learning_rate):
    """One epoch of train(), W (n_{l-1}, n_l), b (1, n_l)."""
    network = NeuralNetwork()
    network.compile(learning_rate)
    for w, b, name in zip(weights, biases, activations, strict=True):
        network.add(Layer(w.shape[1], NAMES[name], input_dim=w.shape[0]))
        network.layers[-1].weight, network.layers[-1].bias = w, b
    with redirect_stdout(StringIO()):
        network.train(x, y, epochs=1)
    return [layer.weight for layer in network.layers], [layer.bias for layer in network.layers]


mean_squared = adapt(
    step,
    weights="in_out",
    biases="row",
    returns="updated",
    learning_rate={"learning_rate": 0.1},
    supports={"activations": list(NAMES), "losses": ["mean_squared_error"], "reductions": ["mean"], "biases": True, "outputs": 1},
)
