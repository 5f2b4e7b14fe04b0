"""netweaver: layers with forward and backward, losses averaged over outputs, and an L2 term without the half.

Only its plots need ipympl, which they ask matplotlib for as they are imported.
"""

import matplotlib

matplotlib.use = lambda *backend: None

from netweaver.activation_layers import ActivationReLU, ActivationSigmoid, ActivationSoftmax  # noqa: E402
from netweaver.layers import LayerDense  # noqa: E402
from netweaver.lossfunctions import LossBinaryCrossentropy, LossCategoricalCrossentropy, LossMeanSquaredError  # noqa: E402

from backproof import adapt  # noqa: E402

ACTIVATIONS = {"relu": ActivationReLU, "sigmoid": ActivationSigmoid, "softmax": ActivationSoftmax}
L2 = 0.25


def answer(loss, weights, biases, activations, x, y, l2=0.0):
    """What its layers hold after the way back, W (n_{l-1}, n_l), b (1, n_l)."""
    layers = []
    for w, b, name in zip(weights, biases, activations, strict=True):
        layers.append(LayerDense(*w.shape, weight_regularizer_l2=l2))
        layers[-1].set_parameters(w, b)
        layers += [ACTIVATIONS[name]()] if name in ACTIVATIONS else []
    for layer in layers:
        layer.forward(x, True)
        x = layer.output
    loss.backward(x, y)
    gradient = loss.dinputs
    for layer in reversed(layers):
        layer.backward(gradient)
        gradient = layer.dinputs
    dense = [layer for layer in layers if isinstance(layer, LayerDense)]
    return [layer.dweights for layer in dense], [layer.dbiases for layer in dense]


def with_loss(loss, l2=0.0, penalty=None, **limits):
    """A target of one of its losses."""
    supports = {"activations": ["identity", "relu", "sigmoid"], "reductions": ["mean"], "biases": True}
    form = {"weights": "in_out", "biases": "row", "penalty": penalty}
    return adapt(lambda *problem: answer(loss(), *problem, l2=l2), supports=supports | limits, **form)


mean_squared = with_loss(LossMeanSquaredError, losses=["mean_squared_error"])
with_penalty = with_loss(LossMeanSquaredError, L2, ("l2", 2 * L2), losses=["mean_squared_error"])
binary_cross_entropy = with_loss(LossBinaryCrossentropy, losses=["binary_cross_entropy_of_probabilities"], output_activations=["sigmoid"])
cross_entropy = with_loss(LossCategoricalCrossentropy, losses=["cross_entropy_of_probabilities"], output_activations=["softmax"])
