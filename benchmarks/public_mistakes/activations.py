"""Activations whose slope, or value, is mistaken."""

import numpy as np

from benchmarks.public_mistakes.network import IDENTITY, two_passes
from benchmarks.public_mistakes.pair import mistake

ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def of(*names, **more):
    return {"activations": [*names, "identity"]} | more


@mistake("davidrmiller/neural2d 40, benoitfragit/libBrain 78: 1 - tanh(a)^2", supports=of("tanh"), textbook=("tanh",))
def tanh_of_tanh(problem, mended):
    def transfer_derivative(z, a):
        return 1 - a * a if mended else 1 - np.tanh(a) ** 2

    return two_passes(problem, {"identity": IDENTITY, "tanh": (np.tanh, transfer_derivative)})


@mistake("ttezel/nn 8: sigmoid's slope for tanh", supports=of("tanh"), textbook=("tanh",))
def slope_of_the_sigmoid_for_tanh(problem, mended):
    return two_passes(problem, {"identity": IDENTITY, "tanh": (np.tanh, lambda z, a: (1 - a**2) if mended else a * (1 - a))})


@mistake("BoltzmannEntropy/interviews.ai 4: x (1 - x), and not y (1 - y)", supports=of("sigmoid"), textbook=("sigmoid",))
def sigmoid_slope_of_z(problem, mended):
    return two_passes(problem, {"identity": IDENTITY, "sigmoid": (sigmoid, lambda x, y: y * (1 - y) if mended else x * (1 - x))})


@mistake("deeplearning4j/deeplearning4j PR 364: activations computed in place, so that zs are the activations", supports=of("tanh"))
def zs_overwritten_by_activations(problem, mended):
    zs, activations = [], [problem.x]
    for weight, bias, name in zip(problem.weights, problem.biases, problem.activations, strict=True):
        z = activations[-1] @ weight.T
        if bias is not None:
            z += bias
        zs.append(z)
        if name == "tanh":
            z = np.tanh(z, out=None if mended else z)
        activations.append(z)
    delta, gradients = activations[-1] - problem.y, []
    for i in range(len(zs))[::-1]:
        if problem.activations[i] == "tanh":
            delta = delta / np.cosh(zs[i]) ** 2
        gradients.insert(0, (delta.T @ activations[i], delta.sum(axis=0)))
        delta = delta @ problem.weights[i]
    return [dW for dW, _ in gradients], [db for _, db in gradients]


@mistake(
    "deeplearning4j/deeplearning4j 8178: leaky ReLU's backward ignores alpha",
    supports=of(("leaky_relu", {"slope": 2.0}), "leaky_relu"),
)
def leaky_relu_always_by_a_hundredth(problem, mended):
    def backward(z, a, slope=0.01):
        return np.where(z >= 0, 1.0, slope if mended else 0.01)

    return two_passes(problem, {"identity": IDENTITY, "leaky_relu": (lambda z, slope=0.01: np.where(z >= 0, z, slope * z), backward)})


@mistake(
    "pytorch/pytorch 31938, apache/mxnet PR 3277: the sign is judged by the output, wrong for a negative slope",
    supports=of(("leaky_relu", {"slope": -0.5}), "relu"),
)
def negative_slope_judged_by_the_output(problem, mended):
    def backward(z, a, slope=0.01):
        return np.where((z if mended else a) > 0, 1.0, slope)

    leaky = (lambda z, slope=0.01: np.where(z > 0, z, z * slope), backward)
    return two_passes(problem, {"identity": IDENTITY, "leaky_relu": leaky, "relu": (lambda z: z * (z > 0), lambda z, a: 1.0 * (z > 0))})


@mistake(
    "pytorch/pytorch 47671: ELU with alpha < 0, its backward gives 1 where the output is positive",
    supports=of(("elu", {"alpha": -2.0})),
)
def elu_judged_by_the_output(problem, mended):
    def forward(z, alpha):
        return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))

    def backward(z, a, alpha):
        if mended:
            return np.where(z > 0, 1.0, alpha * np.exp(np.minimum(z, 0)))
        return np.where(a > 0, 1.0, a + alpha)

    return two_passes(problem, {"identity": IDENTITY, "elu": (forward, backward)})


@mistake(
    "ai-on-browser 773, eriklindernoren/ML-From-Scratch PR 73: ELU's gradient in teaching code, without + alpha",
    supports=of("elu"),
    textbook=("elu",),
)
def elu_slope_without_alpha(problem, mended, alpha=1.0):
    def elu(x):
        return np.where(x >= 0.0, x, alpha * (np.exp(np.minimum(x, 0)) - 1))

    def gradient(x, a):
        return np.where(x >= 0.0, 1, elu(x) + alpha if mended else elu(x))

    return two_passes(problem, {"identity": IDENTITY, "elu": (elu, gradient)})


@mistake(
    "RubixML/ML PR 427: SELU's negative branch as scale (output + alpha)",
    supports=of("selu"),
    textbook=("selu",),
)
def selu_scaled_once_more(problem, mended):
    beta = SCALE * ALPHA

    def differentiate(z, output):
        return np.where(output > 0, SCALE, output + beta if mended else SCALE * (output + ALPHA))

    return two_passes(
        problem, {"identity": IDENTITY, "selu": (lambda z: np.where(z > 0, SCALE * z, beta * np.expm1(np.minimum(z, 0))), differentiate)}
    )


@mistake("GiorgosXou/NeuralNetworks 51: SELU without lambda for z > 0", supports=of("selu"))
def selu_without_lambda(problem, mended):
    def selu(z):
        return np.where(z > 0, SCALE * z if mended else z, SCALE * ALPHA * np.expm1(np.minimum(z, 0)))

    def slope(z, a):
        return np.where(z > 0, SCALE, SCALE * ALPHA * np.exp(np.minimum(z, 0)))

    return two_passes(problem, {"identity": IDENTITY, "selu": (selu, slope)})


@mistake(
    "harvard-edge/cs249r_book PR 1399: GELU forward as z s(1.702 z), backward of the form with tanh",
    supports=of("gelu_tanh"),
    textbook=("gelu_tanh",),
)
def gelu_of_two_forms(problem, mended):
    c = np.sqrt(2 / np.pi)

    def forward(z):
        return 0.5 * z * (1 + np.tanh(c * (z + 0.044715 * z**3))) if mended else z * sigmoid(1.702 * z)

    def backward(z, a):
        t = np.tanh(c * (z + 0.044715 * z**3))
        # for huge z both factors of the last term leave the range, and their product is 0
        rest = np.where(np.abs(z) < 1e3, 0.5 * z * (1 - t * t) * c * (1 + 3 * 0.044715 * z * z), 0)
        return 0.5 * (1 + t) + rest

    return two_passes(problem, {"identity": IDENTITY, "gelu_tanh": (forward, backward)})


@mistake(
    "PacktPublishing/Neural-Network-Projects-with-Python 4: sigmoid_derivative(x) is x (1 - x); called with a it is right, with z not",
    supports=of("sigmoid", depth=(2, 3)),
    textbook=("sigmoid",),
    layers="below the last",
)
def the_last_slope_at_a_and_the_others_at_z(problem, mended):
    def sigmoid_derivative(x):
        return x * (1.0 - x)

    layer, sums = [problem.x], []
    for weight, bias, name in zip(problem.weights, problem.biases, problem.activations, strict=True):
        sums.append(np.dot(layer[-1], weight.T) + (0 if bias is None else bias))
        layer.append(sigmoid(sums[-1]) if name == "sigmoid" else sums[-1])
    d, dW, db = layer[-1] - problem.y, [], []
    for k in range(len(sums) - 1, -1, -1):
        if problem.activations[k] == "sigmoid":
            d = d * sigmoid_derivative(layer[k + 1] if mended or k == len(sums) - 1 else sums[k])
        dW.append(np.dot(d.T, layer[k]))
        db.append(np.sum(d, axis=0))
        d = np.dot(d, problem.weights[k])
    return dW[::-1], db[::-1]
