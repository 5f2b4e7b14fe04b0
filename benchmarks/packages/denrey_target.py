"""denrey-neural-network: tanh layers, one sample at a time, and the mean of squares over outputs."""

from neuralnetwork import NeuralNetwork

from backproof import adapt


def step(weights, biases, x, y, learning_rate):
    """One epoch of train() of one sample, W (n_{l-1}, n_l), b (1, n_l)."""
    network = NeuralNetwork([len(x), *(w.shape[1] for w in weights)])
    connected = network.layers[::2]
    for layer, w, b in zip(connected, weights, biases, strict=True):
        layer.weights, layer.bias = w, b
    network.train(x[None, None], y[None, None], epochs=1, learning_rate=learning_rate)
    return [layer.weights for layer in connected], [layer.bias for layer in connected]


mean_squared = adapt(
    step,
    activations=False,
    samples="one",
    weights="in_out",
    biases="row",
    returns="updated",
    learning_rate={"learning_rate": 0.01},
    supports={"activations": ["tanh"], "losses": ["mean_squared_error"], "biases": True},
)
