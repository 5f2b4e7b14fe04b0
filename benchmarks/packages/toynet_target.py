"""toynet-ml: dense layers that add up gradients sample by sample; its softmax has 1 as its slope, for its cross-entropy alone.

Its sigmoid is cut off at 1e-12 from 0 and 1, which moderate numbers (--values tame) do not reach.
"""

from toynet import (
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    Dense,
    Identity,
    MeanSquaredError,
    MultiLayerPerceptron,
    ReLU,
    Sigmoid,
    Softmax,
)

from backproof import adapt

ACTIVATIONS = {"identity": Identity, "relu": ReLU, "sigmoid": Sigmoid, "softmax": Softmax}


def answer(loss, weights, biases, activations, x, y):
    """What backprop leaves in its layers for one sample, W (n_{l-1}, n_l), b (1, n_l)."""
    layers = [Dense(*w.shape, ACTIVATIONS[name]) for w, name in zip(weights, activations, strict=True)]
    for layer, w, b in zip(layers, weights, biases, strict=True):
        layer._weights, layer._bias = w, b
    MultiLayerPerceptron(layers, loss, None).backprop(x[None], y[None])
    return [layer.grad_w_accum for layer in layers], [layer.grad_b_accum for layer in layers]


def with_loss(loss, **limits):
    """A target of one of its losses."""
    supports = {"activations": ["identity", "relu", "sigmoid"], "biases": True}
    form = {"samples": "one", "weights": "in_out", "biases": "row"}
    return adapt(lambda *problem: answer(loss, *problem), supports=supports | limits, **form)


mean_squared = with_loss(MeanSquaredError, losses=["mean_squared_error"])
softmax_squared = with_loss(MeanSquaredError, losses=["mean_squared_error"], output_activations=["softmax"])
cross_entropy = with_loss(CategoricalCrossEntropy, losses=["cross_entropy_of_probabilities"], output_activations=["softmax"])
binary_cross_entropy = with_loss(
    BinaryCrossEntropy, losses=["summed_binary_cross_entropy_of_probabilities"], output_activations=["sigmoid"]
)
