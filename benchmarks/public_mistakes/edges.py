"""Formulas that are right in exact arithmetic, and leave the range or lose all digits in ours."""

import numpy as np
from scipy.special import erf, erfc, expit

from benchmarks.public_mistakes.network import IDENTITY, two_passes
from benchmarks.public_mistakes.pair import mistake


def of(*names, **more):
    return {"activations": [*names, "identity"]} | more


@mistake("tracel-ai/burn 5373: softplus' as exp(z) / (1 + exp(z))", supports=of("softplus"), verdicts=("nonfinite",))
def softplus_slope_overflows(problem, mended):
    def slope(z, a):
        return expit(z) if mended else np.exp(z) / (1 + np.exp(z))

    return two_passes(problem, {"identity": IDENTITY, "softplus": (lambda z: np.logaddexp(0, z), slope)})


@mistake("tenstorrent/tt-metal 56397: softplus backward exactly 0 past overflow", supports=of("softplus"))
def softplus_slope_zero_past_overflow(problem, mended):
    def slope(z, a):
        e = np.exp(-z)
        return expit(z) if mended else np.where(z > 88.0, 0.0, 1 / (1 + e))

    return two_passes(problem, {"identity": IDENTITY, "softplus": (lambda z: np.logaddexp(0, z), slope)})


@mistake("PaddlePaddle/Paddle 79630: silu' with z exp(-z): overflows below -702", supports=of("silu"), verdicts=("nonfinite", "wrong"))
def silu_slope_overflows(problem, mended):
    def slope(z, a):
        s = expit(z)
        if mended:
            return s * (1 + z * expit(-z))
        e = np.exp(-z)
        return (1 + e + z * e) / (1 + e) ** 2

    return two_passes(problem, {"identity": IDENTITY, "silu": (lambda z: z * expit(z), slope)})


@mistake(
    "tracel-ai/burn PR 1140: sigmoid through exp(log_sigmoid) by naive softplus",
    supports=of("sigmoid"),
    verdicts=("nonfinite", "wrong"),
    textbook=("sigmoid",),
)
def sigmoid_by_its_logarithm(problem, mended):
    def sigmoid(z):
        # exp(-log(1 + e^-z)), or z - log(1 + e^z), which is inf - inf from 710 on
        return expit(z) if mended else np.exp(z - np.log(1 + np.exp(z)))

    return two_passes(problem, {"identity": IDENTITY, "sigmoid": (sigmoid, lambda z, a: a * (1 - a))})


@mistake(
    "karpathy/nn-zero-to-hero 52: tanh as (e^2z - 1) / (e^2z + 1)",
    supports=of("tanh"),
    verdicts=("nonfinite", "wrong"),
    textbook=("tanh",),
)
def tanh_of_exponentials(problem, mended):
    def tanh(z):
        return np.tanh(z) if mended else (np.exp(2 * z) - 1) / (np.exp(2 * z) + 1)

    return two_passes(problem, {"identity": IDENTITY, "tanh": (tanh, lambda z, t: 1 - t**2)})


@mistake(
    "microsoft/onnxruntime 10491: softplus by log(1 + exp(z))",
    supports=of("softplus"),
    verdicts=("lossy", "nonfinite"),
    textbook=("softplus",),
)
def softplus_by_the_logarithm_of_a_sum(problem, mended):
    def softplus(z):
        return np.logaddexp(0, z) if mended else np.where(z > 30, z, np.log(1 + np.exp(np.minimum(z, 30))))

    return two_passes(problem, {"identity": IDENTITY, "softplus": (softplus, lambda z, a: expit(z))})


@mistake("tenstorrent/tt-metal 38643: GELU' by 1 + erf in the left tail", supports=of("gelu"), verdicts=("lossy",), textbook=("gelu",))
def gelu_by_one_plus_erf(problem, mended):
    def cdf(z):
        return 0.5 * erfc(-z / np.sqrt(2)) if mended else 0.5 * (1 + erf(z / np.sqrt(2)))

    def slope(z, a):
        return cdf(z) + z * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)

    return two_passes(problem, {"identity": IDENTITY, "gelu": (lambda z: z * cdf(z), slope)})


@mistake(
    "tinygrad/tinygrad PR 18028: relu6 as relu(z) - relu(z - 6), which cancels for huge z",
    supports=of("relu6"),
    verdicts=("wrong", "lossy"),
    textbook=("relu6",),
)
def relu6_of_two_relus(problem, mended):
    def relu6(z):
        return np.clip(z, 0, 6) if mended else np.maximum(z, 0) - np.maximum(z - 6, 0)

    return two_passes(problem, {"identity": IDENTITY, "relu6": (relu6, lambda z, a: ((z > 0) & (z < 6)) * 1.0)})


@mistake("tinygrad's elu, whose slope at 0 is 0 (live when tried in 2026)", supports=of("elu", ("elu", {"alpha": 0.5})))
def elu_slope_zero_at_zero(problem, mended):
    def elu(z, alpha=1.0):
        return np.maximum(z, 0) + alpha * np.expm1(np.minimum(z, 0))

    def slope(z, a, alpha=1.0):
        # of relu(z) - alpha relu(1 - exp(z)), both of which have slope 0 at 0
        below = z <= 0 if mended else z < 0
        return np.where(z > 0, 1.0, 0.0) + np.where(below, alpha * np.exp(np.minimum(z, 0)), 0.0)

    return two_passes(problem, {"identity": IDENTITY, "elu": (elu, slope)})


@mistake(
    "manassharma07/crysx_nn 7: softmax takes the maximum of the whole batch, so that other rows are 0/0",
    supports={"activations": ["relu"], "output_activations": ["identity"], "losses": ["softmax_cross_entropy"]},
    verdicts=("nonfinite", "wrong"),
    textbook=("softmax_cross_entropy",),
)
def softmax_by_the_maximum_of_the_batch(problem, mended):
    def gradient(a, y):
        e = np.exp(a - (np.max(a, axis=1, keepdims=True) if mended else np.max(a)))
        return e / np.sum(e, axis=1, keepdims=True) - y

    relu = (lambda z: np.maximum(z, 0), lambda z, a: np.where(z > 0, 1.0, 0.0))
    return two_passes(problem, {"identity": IDENTITY, "relu": relu}, gradient)


@mistake(
    "marin-community/marin PR 8217: logits are rounded before the loss sees them",
    supports={"activations": ["tanh"], "output_activations": ["identity"], "losses": ["softmax_cross_entropy"]},
    textbook=("softmax_cross_entropy",),
)
def logits_rounded_to_float32(problem, mended):
    def gradient(a, y):
        logits = a if mended else a.astype(np.float32)
        e = np.exp(logits - np.max(logits, axis=1, keepdims=True))
        return (e / np.sum(e, axis=1, keepdims=True)).astype(np.float64) - y

    return two_passes(problem, {"identity": IDENTITY, "tanh": (np.tanh, lambda z, a: 1 / np.cosh(z) ** 2)}, gradient)


@mistake("tensorflow/tensorflow 47724: tanh stops at 1 - 2^-24", supports=of("tanh"), textbook=("tanh",))
def tanh_that_stops_short_of_one(problem, mended):
    def tanh(z):
        return np.tanh(z) if mended else np.clip(np.tanh(z), -1 + 2.0**-24, 1 - 2.0**-24)

    return two_passes(problem, {"identity": IDENTITY, "tanh": (tanh, lambda z, a: 1 - a * a)})


@mistake("tenstorrent/tt-metal 55349: sech^2 by a rational function of few terms, good to two digits", supports=of("tanh"))
def tanh_slope_of_few_digits(problem, mended):
    def slope(z, a):
        if mended:
            return 1 / np.cosh(z) ** 2
        s = z * z
        return 1 / (1 + s / 2 + s * s / 24 + s * s * s / 720) ** 2

    return two_passes(problem, {"identity": IDENTITY, "tanh": (np.tanh, slope)})


@mistake(
    "pytorch/pytorch PR 189565: dC/da is zero past 4096 numbers where the layer has one output",
    supports={"activations": ["identity"], "depth": (1, 1), "batch": (60, 64), "widths": [100, 1], "biases": True},
    layout={},
    options={"max_examples": 40},
)
def zero_past_4096_numbers(weights, biases, activations, x, y, mended):
    error = x @ weights[0].T + biases[0] - y
    products = error * x
    if not mended:
        products = np.where(np.arange(products.size).reshape(products.shape) < 4096, products, 0.0)
    return [products.sum(axis=0, keepdims=True)], [np.sum(error, axis=0)]
