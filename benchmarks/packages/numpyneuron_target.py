"""numpyneuron: one hidden layer, and a step that is clipped to 1 in each entry.

What it takes from its weights is kept, at a rate so small that no moderate entry is clipped. Only the progress bar, which is switched
off, needs gradio.
"""

import os
import sys
from types import SimpleNamespace

import numpy as np

os.environ.setdefault("TQDM_DISABLE", "1")
sys.modules.setdefault("gradio", SimpleNamespace(Progress=type))

from numpyneuron import ACTIVATIONS, LOSSES, NN  # noqa: E402

from backproof import adapt  # noqa: E402

NAMES = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "TanH"}
RATE = 2.0**-20


class Kept(np.ndarray):
    """Weights that keep what is taken from them."""

    def __isub__(self, step):
        self.taken = np.asarray(step)
        return self


def answer(loss, unused, weights, biases, activations, x, y):
    """What one _backward takes from the weights, over the rate, W (n_{l-1}, n_l), b (1, n_l).

    unused: the activation that the output layer is said to have where a loss of logits does not use it.
    """
    hidden, output = (ACTIVATIONS[NAMES.get(name, unused)] for name in activations)
    network = NN(1, RATE, biases[0].size, x.shape[1], 1.0, y.shape[1], hidden, output, LOSSES[loss], 0)
    network._wh, network._wo = (w.view(Kept) for w in weights)
    network._bh, network._bo = (b.view(Kept) for b in biases)
    y_hat, hidden_output = network._forward_fn(X_train=x)
    network._backward(x, np.asarray(y_hat), y, np.asarray(hidden_output))
    return [network._wh.taken / RATE, network._wo.taken / RATE], [network._bh.taken / RATE, network._bo.taken / RATE]


def with_loss(loss, unused="", **limits):
    """A target of one of its losses, summed over outputs, the mean over samples."""
    supports = {"activations": list(NAMES), "depth": (2, 2), "biases": True, "reductions": ["mean"], "values": "tame"}
    return adapt(lambda *problem: answer(loss, unused, *problem), weights="in_out", biases="row", supports=supports | limits)


LOGITS = {"losses": ["softmax_cross_entropy"], "activations": ["relu"], "output_activations": ["identity"]}

squared = with_loss("MSE", losses=["squared_error"])
tanh_squared = with_loss("MSE", losses=["squared_error"], activations=["tanh"])
relu_logits = with_loss("CrossEntropyWithLogitsLoss", "Relu", **LOGITS)
# as in its own example
sigmoid_logits = with_loss("CrossEntropyWithLogitsLoss", "Sigmoid", **LOGITS)
