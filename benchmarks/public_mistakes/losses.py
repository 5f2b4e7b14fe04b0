"""Losses whose derivative by the outputs is mistaken."""

import numpy as np
from scipy.special import expit

from backproof import Gradient
from benchmarks.public_mistakes.network import IDENTITY, two_passes
from benchmarks.public_mistakes.pair import mistake

# students write the slopes of these as a (1 - a) and 1 - a a; written so they lose no digits, and it is the loss that does
SIGMOID = (expit, lambda z, a: expit(z) * expit(-z))
TANH = (np.tanh, lambda z, a: 1 / np.cosh(z) ** 2)
RELU = (lambda z: np.maximum(z, 0), lambda z, a: np.where(z > 0, 1.0, 0.0))
FUNCTIONS = {"identity": IDENTITY, "relu": RELU, "sigmoid": SIGMOID, "tanh": TANH}


def of(*losses, hidden="relu", **more):
    return {"activations": [hidden], "output_activations": ["identity"], "losses": list(losses)} | more


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@mistake("Open-Deep-ML/DML-OpenProblem 54: 1/n for 2/n", supports=of("mean_squared_error"))
def half_of_the_mean_squared_error(problem, mended):
    return two_passes(problem, FUNCTIONS, lambda a, y: (2 if mended else 1) / a.shape[1] * (a - y))


@mistake(
    "torch/cunn PR 318: KL divergence's gradient twice too large since its creation",
    supports=of("softmax_cross_entropy", hidden="sigmoid"),
    textbook=("softmax_cross_entropy",),
)
def twice_the_divergence(problem, mended):
    return two_passes(problem, FUNCTIONS, lambda a, y: (softmax(a) - y) * (1 if mended else 2))


@mistake(
    "ai.stackexchange.com question 35741: softmax's Jacobian taken as diagonal",
    supports=of("softmax_cross_entropy"),
    verdicts=("wrong", "nonfinite"),
    textbook=("softmax_cross_entropy",),
)
def softmax_jacobian_as_diagonal(problem, mended):
    def gradient(a, y):
        p = softmax(a)
        if not mended:
            return -y / p * (p * (1 - p))
        # of log p, whose rows are those of softmax over p_i: where p_i is tiny, products of two would have few digits
        rows = np.eye(p.shape[1]) - p[:, None, :]
        return -np.einsum("si,sij->sj", y, rows)

    return two_passes(problem, FUNCTIONS, gradient)


@mistake(
    "Lightning-Universe/lightning-bolts 654, tflearn/tflearn PR 562: softmax applied twice",
    supports=of("softmax_cross_entropy", hidden="tanh"),
    textbook=("softmax_cross_entropy",),
)
def softmax_twice(problem, mended):
    def gradient(a, y):
        p = softmax(a)
        if mended:
            return p - y
        d = softmax(p) - y
        return p * (d - np.sum(d * p, axis=1, keepdims=True))

    return two_passes(problem, FUNCTIONS, gradient)


@mistake("BobMcDear/attorch 13: Huber compares the signed difference", supports=of("huber"))
def huber_of_the_signed_difference(problem, mended):
    def gradient(a, y, beta=1.0):
        diff = a - y
        inside = (np.abs(diff) if mended else diff) < beta
        return np.where(inside, diff, beta * np.sign(diff)) / a.shape[1]

    return two_passes(problem, FUNCTIONS, gradient)


@mistake("marlbenchmark/on-policy 47: Huber's linear part for e > d only", supports=of(("huber", {"delta": 4.0})))
def huber_without_its_negative_part(problem, mended):
    def gradient(a, y, d=4.0):
        e = a - y
        quadratic = np.abs(e) <= d
        linear = (np.abs(e) if mended else e) > d
        return (quadratic * e + linear * d * np.sign(e)) / a.shape[1]

    return two_passes(problem, FUNCTIONS, gradient)


@mistake(
    "mlpack/mlpack PR 1070: binary cross-entropy's backward with 1e-2 added to both denominators",
    supports=of("binary_cross_entropy_with_logits", hidden="sigmoid"),
    textbook=("binary_cross_entropy_with_logits",),
)
def a_hundredth_in_the_denominators(problem, mended):
    def gradient(a, y, epsilon=1e-2):
        p = sigmoid(a)
        if mended:
            return (p - y) / a.shape[1]
        return ((1 - y) / (1 - p + epsilon) - y / (p + epsilon)) * p * (1 - p) / a.shape[1]

    return two_passes(problem, FUNCTIONS, gradient)


@mistake(
    "ayrna/skordinal PR 122: probabilities floored before the log, and the gradient divided by the floor",
    supports=of("softmax_cross_entropy", hidden="sigmoid"),
    textbook=("softmax_cross_entropy",),
)
def divided_by_the_floor(problem, mended):
    def gradient(a, y):
        p = softmax(a)
        if mended:
            return p - y
        by_p = -y / np.maximum(p, 1e-5)
        return p * (by_p - np.sum(by_p * p, axis=1, keepdims=True))

    return two_passes(problem, FUNCTIONS, gradient)


@mistake(
    "oysteijo/simd_neuralnet 1: sigmoid with cross-entropy, off by the number of outputs",
    supports=of("binary_cross_entropy_with_logits", hidden="tanh"),
    textbook=("binary_cross_entropy_with_logits",),
)
def off_by_the_number_of_outputs(problem, mended):
    return two_passes(problem, FUNCTIONS, lambda a, y: (sigmoid(a) - y) / (a.shape[1] if mended else 1))


@mistake(
    "scikit-learn/scikit-learn 8349: the gradient is n_outputs times that of the loss returned with it",
    supports=of("half_mean_squared_error", wants=["loss"], reductions=["mean"]),
    quantities=("weights", "biases"),
)
def loss_averaged_and_gradient_not(problem, mended):
    seen = {}

    def gradient(a, y):
        seen["loss"] = np.mean((a - y) ** 2) / 2
        return (a - y) / (a.shape[1] if mended else 1)

    dW, db = two_passes(problem, FUNCTIONS, gradient)
    return Gradient(dW, db, loss=seen["loss"])


@mistake("davisking/dlib 1169: the mean squared error's gradient without the factor 2", supports=of("squared_error"))
def squared_error_without_its_two(problem, mended):
    return two_passes(problem, FUNCTIONS, lambda a, y: -(2.0 if mended else 1.0) * (y - a))
