"""neurolab: feed-forward layers, one sample at a time, gradients added up over samples by tool.ff_grad.

It was written for NumPy 1, and is given back the three names of NumPy that it uses and that are gone.
"""

import numpy as np

np.Inf, np.asfarray, np.row_stack = np.inf, lambda values: np.asarray(values, dtype=float), np.vstack

import neurolab  # noqa: E402
from neurolab import error, tool, trans  # noqa: E402

from backproof import adapt  # noqa: E402

ACTIVATIONS = {
    "hardtanh": trans.SatLins,
    "identity": trans.PureLin,
    "sigmoid": trans.LogSig,
    "softmax": trans.SoftMax,
    "tanh": trans.TanSig,
}


def answer(loss, weights, biases, activations, x, y):
    """What tool.ff_grad returns, W (n_l, n_{l-1})."""
    network = neurolab.net.newff([[-1, 1]] * x.shape[1], [len(w) for w in weights], [ACTIVATIONS[name]() for name in activations])
    for layer, w, b in zip(network.layers, weights, biases, strict=True):
        layer.np = {"w": w, "b": b}
    network.errorf = loss
    grad, *_ = tool.ff_grad(network, x, y)
    return [layer["w"] for layer in grad], [layer["b"] for layer in grad]


def with_loss(loss, **limits):
    """A target of one of its losses."""
    supports = {"activations": ["hardtanh", "identity", "sigmoid", "tanh"], "biases": True}
    return adapt(lambda *problem: answer(loss(), *problem), supports=supports | limits)


half_squared = with_loss(error.SSE)
mean_squared = with_loss(error.MSE, losses=["mean_squared_error"])
softmax_half_squared = with_loss(error.SSE, output_activations=["softmax"])
binary_cross_entropy = with_loss(error.CEE, losses=["binary_cross_entropy_of_probabilities"], output_activations=["sigmoid"])
