"""numpyneuron: one hidden layer, and a step that is clipped to 1 in each entry.

The rate is small, so that no entry of a moderate problem is clipped. Only the progress bar, which is switched off, needs gradio.
"""

import os
import sys
from types import SimpleNamespace

os.environ.setdefault("TQDM_DISABLE", "1")
sys.modules.setdefault("gradio", SimpleNamespace(Progress=type))

from numpyneuron import ACTIVATIONS, LOSSES, NN  # noqa: E402

from backproof import adapt  # noqa: E402

NAMES = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "TanH"}
RATE = 2.0**-10


def step(loss, weights, biases, activations, x, y):
    """One _backward, W (n_{l-1}, n_l), b (1, n_l)."""
    hidden, output = (ACTIVATIONS[NAMES.get(name, "Relu")] for name in activations)
    network = NN(1, RATE, len(biases[0]), x.shape[1], 1.0, y.shape[1], hidden, output, LOSSES[loss], 0)
    network._wh, network._wo = weights
    network._bh, network._bo = biases
    y_hat, hidden_output = network._forward_fn(X_train=x)
    network._backward(x, y_hat, y, hidden_output)
    return [network._wh, network._wo], [network._bh, network._bo]


def squared_step(weights, biases, activations, x, y):
    """A step of its MSE: squares summed over outputs, the mean over samples."""
    return step("MSE", weights, biases, activations, x, y)


def logits_step(weights, biases, activations, x, y):
    """A step of its cross-entropy with logits."""
    return step("CrossEntropyWithLogitsLoss", weights, biases, activations, x, y)


FORM = {"weights": "in_out", "biases": "row", "returns": "updated", "learning_rate": RATE}
SUPPORTS = {"activations": list(NAMES), "depth": (2, 2), "biases": True, "reductions": ["mean"], "values": "tame"}

squared = adapt(squared_step, supports=SUPPORTS | {"losses": ["squared_error"]}, **FORM)
tanh_squared = adapt(squared_step, supports=SUPPORTS | {"activations": ["tanh"], "losses": ["squared_error"]}, **FORM)
relu_logits = adapt(
    logits_step,
    supports=SUPPORTS | {"activations": ["relu"], "output_activations": ["identity"], "losses": ["softmax_cross_entropy"]},
    **FORM,
)
