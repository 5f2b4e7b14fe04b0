"""numpy-ml: fully connected layers with their activation, sums over samples.

It was written for Python before 3.10, and is given back the name of the standard library that it uses and that is gone.
"""

import collections
from collections.abc import Hashable

collections.Hashable = Hashable

import numpy as np  # noqa: E402
from numpy_ml.neural_nets.activations import ELU, SELU, Affine, LeakyReLU, ReLU, Sigmoid, SoftPlus, Tanh  # noqa: E402
from numpy_ml.neural_nets.layers import FullyConnected, Softmax  # noqa: E402
from numpy_ml.neural_nets.losses import CrossEntropy  # noqa: E402

from backproof import adapt  # noqa: E402

LEAKY = ("leaky_relu", {"slope": 0.3})
ACTIVATIONS = {"elu": ELU, "identity": Affine, "leaky_relu": LeakyReLU, "relu": ReLU, "selu": SELU, "sigmoid": Sigmoid}
ACTIVATIONS |= {"softmax": Affine, "softplus": SoftPlus, "tanh": Tanh}


def answer(gradient, weights, biases, activations, x, y):
    """What the layers hold after the way back from gradient(y, output), W (n_{l-1}, n_l), b (1, n_l)."""
    names = [name if isinstance(name, str) else name[0] for name in activations]
    dense = [FullyConnected(w.shape[1], ACTIVATIONS[name]()) for w, name in zip(weights, names, strict=True)]
    for layer, w, b in zip(dense, weights, biases, strict=True):
        layer.parameters, layer.is_initialized = {"W": w, "b": b}, True
        layer.gradients, layer.derived_variables = {"W": np.zeros_like(w), "b": np.zeros_like(b)}, {"Z": []}
    layers = [*dense, Softmax()] if names[-1] == "softmax" else dense
    for layer in layers:
        x = layer.forward(x)
    error = gradient(y, x)
    for layer in reversed(dense if gradient is CrossEntropy.grad else layers):
        error = layer.backward(error)
    return [layer.gradients["W"] for layer in dense], [layer.gradients["b"] for layer in dense]


FORM = {"weights": "in_out", "biases": "row"}
SUPPORTS = {"activations": ["elu", "identity", LEAKY, "relu", "selu", "sigmoid", "softplus", "tanh"], "biases": True}

upstream = adapt(lambda *problem: answer(lambda y, a: y, *problem), supports=SUPPORTS | {"losses": ["upstream"]}, **FORM)
softmax_upstream = adapt(
    lambda *problem: answer(lambda y, a: y, *problem),
    supports=SUPPORTS | {"losses": ["upstream"], "output_activations": ["softmax"]},
    **FORM,
)
cross_entropy = adapt(
    lambda *problem: answer(CrossEntropy.grad, *problem),
    supports=SUPPORTS | {"losses": ["cross_entropy_of_probabilities"], "output_activations": ["softmax"], "expected": "one_hot"},
    **FORM,
)
