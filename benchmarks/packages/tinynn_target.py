"""tinynn: layers with forward and backward, and losses of the last layer's output, summed over outputs and averaged over samples."""

from tinynn.core.layer import Dense, LeakyReLU, ReLU, Sigmoid, Softplus, Tanh
from tinynn.core.loss import MSE, Huber, SigmoidCrossEntropy, SoftmaxCrossEntropy
from tinynn.core.model import Model
from tinynn.core.net import Net

from backproof import adapt

LEAKY = ("leaky_relu", {"slope": 0.2})
ACTIVATIONS = {"leaky_relu": LeakyReLU, "relu": ReLU, "sigmoid": Sigmoid, "softplus": Softplus, "tanh": Tanh}


def answer(loss, weights, biases, activations, x, y):
    """What Model.backward returns, W (n_{l-1}, n_l)."""
    layers = []
    for w, b, activation in zip(weights, biases, activations, strict=True):
        name = activation if isinstance(activation, str) else activation[0]
        layers.append(Dense(w.shape[1]))
        layers[-1].params, layers[-1].is_init = {"w": w, "b": b}, True
        layers += [ACTIVATIONS[name]()] if name in ACTIVATIONS else []
    model = Model(Net(layers), loss, None)
    _, gradient = model.backward(model.forward(x), y)
    dense = [grads for grads in gradient.layer_data if grads]
    return [grads["w"] for grads in dense], [grads["b"] for grads in dense]


def with_loss(loss, **limits):
    """A target of one of its losses."""
    supports = {"activations": ["identity", "relu", "sigmoid", "softplus", "tanh", LEAKY], "reductions": ["mean"], "biases": True}
    return adapt(lambda *problem: answer(loss(), *problem), weights="in_out", supports=supports | limits)


half_squared = with_loss(MSE, losses=["half_squared_error"])
huber = with_loss(Huber, losses=["huber"], outputs=1)
softmax_cross_entropy = with_loss(SoftmaxCrossEntropy, losses=["softmax_cross_entropy"], output_activations=["identity"])
sigmoid_cross_entropy = with_loss(SigmoidCrossEntropy, losses=["summed_binary_cross_entropy_with_logits"], output_activations=["identity"])
