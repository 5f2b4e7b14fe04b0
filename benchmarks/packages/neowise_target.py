"""neowise: dense layers with samples as columns, and two cross-entropies of probabilities.

Only its way of saving needs hdfdict, which was written for NumPy 1.
"""

import sys
from types import ModuleType

sys.modules.setdefault("hdfdict", ModuleType("hdfdict"))

from neowise.layers import Dense  # noqa: E402
from neowise.neural_net import Model  # noqa: E402

from backproof import adapt  # noqa: E402


def answer(kind, weights, biases, activations, x, y):
    """What backward_prop leaves in its layers, W (n_l, n_{l-1}), b (n_l, 1)."""
    model = Model(None, None, None, None, None, None)
    for w, b, name in zip(weights, biases, activations, strict=True):
        model.layer_names.append(Dense(w.shape[1], w.shape[0], name, weights=w, bias=b))
    model.backward_prop(y, kind, model.forward_prop(x.T), None, None)
    return [layer.dW for layer in model.layer_names], [layer.db for layer in model.layer_names]


def of_kind(kind, loss, output):
    """A target of its two kinds of problem, "Binary" and "Multi"."""
    supports = {"activations": ["relu", "sigmoid", "tanh"], "output_activations": [output], "losses": [loss]}
    return adapt(
        lambda *problem: answer(kind, *problem),
        samples="columns",
        biases="column",
        supports=supports | {"reductions": ["mean"], "biases": True},
    )


binary = of_kind("Binary", "summed_binary_cross_entropy_of_probabilities", "sigmoid")
multi = of_kind("Multi", "cross_entropy_of_probabilities", "softmax")
