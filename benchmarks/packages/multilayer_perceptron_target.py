"""multilayer-perceptron-from-scratch: sigmoid layers, one sample as a column, and the sum of squares."""

from multilayer_perceptron import Network

from backproof import from_class

squared = from_class(
    Network,
    samples="one",
    gradient=lambda network, x, y: network.backprop(x[:, None], y[:, None]),
    supports={"activations": ["sigmoid"], "losses": ["squared_error"]},
)
