"""The note's equations as MathML, and for each factor the equation and the line of NumPy that are right."""

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from markupsafe import Markup

from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import defaults, name_and_parameters
from reference.problem import Problem

SOURCE = re.compile(r" \([A-Z][^()]*\d{4}\)$")
"""Who is cited at the end of a docstring's first line."""


def _by(above: str, below: str) -> str:
    """A partial derivative."""
    return rf"\frac{{\partial {above}}}{{\partial {below}}}"


def _weight(layer: str) -> str:
    """Equation 1 in a layer: three factors."""
    a, z, w = f"a_j^{{({layer})}}", f"z_j^{{({layer})}}", f"w_{{jk}}^{{({layer})}}"
    return rf"{_by('C_0', w)} = {_by('C_0', a)} \, {_by(a, z)} \, {_by(z, w)}"


def _error(layer: str, above: str, own: str = "k", summed: str = "j") -> str:
    """Equation 6 in a layer: a sum over the layer above."""
    below, a, z = f"a_{own}^{{({layer})}}", f"a_{summed}^{{({above})}}", f"z_{summed}^{{({above})}}"
    return rf"{_by('C_0', below)} = \sum_{summed} {_by('C_0', a)} \, {_by(a, z)} \, {_by(z, below)}"


EQUATIONS = {
    1: _weight("L"),
    2: r"\frac{\partial C_0}{\partial a_j^{(L)}} = C_0'(a_j^{(L)}, y_j)",
    3: r"\frac{\partial a_j}{\partial z_j} = g'(z_j)",
    4: r"\frac{\partial z_j^{(L)}}{\partial w_{jk}^{(L)}} = a_k^{(L-1)}",
    5: _weight("L-1"),
    6: _error("L-1", "L"),
    7: r"\frac{\partial z_j^{(L)}}{\partial a_k^{(L-1)}} = w_{jk}^{(L)}",
    8: _weight("L-2"),
    9: _error("L-2", "L-1"),
    10: _weight("L-m"),
    11: _error("L-m", "L-m+1", "j", "k"),
}
"""The note's equations 1 to 11, as docs/note.md has them."""

IN_WORDS = {
    1: "a weight of the output layer: three factors",
    2: "the derivative of the loss",
    3: "the derivative of the activation, at z",
    4: "z by a weight: what the weight multiplies",
    5: "equation 1, one layer down",
    6: "a hidden output acts through every node above",
    7: "z by an activation: the weight",
    8: "equation 1, two layers down",
    9: "equation 6, two layers down",
    10: "equation 1, in any layer",
    11: "the error that comes down, in any layer",
}


@dataclass(frozen=True)
class Right:
    """What is right for one factor.

    words: its name; latex: the equation, of layer l; code: the line of NumPy, of one sample a row; note: what is to be said of it.
    """

    words: str
    latex: str
    code: str
    note: str = ""


RIGHT = {
    "output_error": Right(
        "the derivative of the loss", r"\frac{\partial C_0}{\partial a_j^{(L)}} = C_0'(a_j^{(L)}, y_j)", "error = loss_derivative(a, y)"
    ),
    "reduction": Right(
        "what each sample counts",
        r"C = \sum_s C_s",
        "error = loss_derivative(a, y)",
        "A mean over samples divides by the batch size, once; a sum does not.",
    ),
    "slope": Right(
        "the derivative of the activation", r"\frac{\partial a_j^{(l)}}{\partial z_j^{(l)}} = g'(z_j^{(l)})", "slope = g_prime(z)"
    ),
    "delta": Right(
        "the error at z",
        r"\delta_j^{(l)} = \frac{\partial C_0}{\partial a_j^{(l)}} \, g'(z_j^{(l)})",
        "delta = error * g_prime(z)",
    ),
    "error_below": Right(
        "the error that is passed down",
        r"\frac{\partial C_0}{\partial a_k^{(l-1)}} = \sum_j w_{jk}^{(l)} \, \delta_j^{(l)}",
        "error_below = delta @ W",
        "With samples in rows, and W one row for each node; with samples in columns it is W.T @ delta.",
    ),
    "below": Right("what the weight multiplies", r"\frac{\partial z_j^{(l)}}{\partial w_{jk}^{(l)}} = a_k^{(l-1)}", "a_below"),
    "weight_gradient": Right(
        "the gradient of the weights",
        r"\frac{\partial C}{\partial w_{jk}^{(l)}} = \sum_s \delta_{sj}^{(l)} \, a_{sk}^{(l-1)}",
        "dC_dW = delta.T @ a_below",
        "With samples in rows; with samples in columns it is delta @ a_below.T.",
    ),
    "bias_gradient": Right(
        "the gradient of the biases",
        r"\frac{\partial C}{\partial b_j^{(l)}} = \sum_s \delta_{sj}^{(l)}",
        "dC_db = delta.sum(axis=0)",
        "With samples in rows; with samples in columns it is delta.sum(axis=1).",
    ),
    "penalty": Right(
        "what the penalty adds",
        r"\frac{\partial C}{\partial w_{jk}} = \frac{\partial C_{\text{loss}}}{\partial w_{jk}} + \lambda \, w_{jk}",
        "dC_dW = delta.T @ a_below + factor * W",
    ),
    "pre_activation": Right(
        "z, in the forward pass", r"z_j^{(l)} = \sum_k w_{jk}^{(l)} \, a_k^{(l-1)} + b_j^{(l)}", "z = a_below @ W.T + b"
    ),
    "activation": Right("a, in the forward pass", r"a_j^{(l)} = g(z_j^{(l)})", "a = g(z)"),
    "loss": Right("the loss", r"C = \sum_s C_0(a_s^{(L)}, y_s)", "C = loss(a, y).sum()"),
}
"""Of each factor of the two passes what it must be."""


RIGHT_OF_SOFTMAX = Right(
    "the error at z, by softmax's whole Jacobian",
    r"\delta_j^{(l)} = p_j \left( \frac{\partial C}{\partial a_j} - \sum_k p_k \frac{\partial C}{\partial a_k} \right)",
    "delta = a * (error - (a * error).sum(axis=1, keepdims=True))",
    "a is p = softmax(z): each z moves all outputs of its sample.",
)
"""What slope and delta must be in a layer with softmax, which has no one slope for each node."""


BY_LOSS = {
    "half_squared_error": "a - y",
    "squared_error": "2 * (a - y)",
    "mean_squared_error": "2 * (a - y) / outputs",
    "half_mean_squared_error": "(a - y) / outputs",
    "softmax_cross_entropy": "softmax(a) - y",
    "summed_binary_cross_entropy_with_logits": "sigmoid(a) - y",
    "binary_cross_entropy_with_logits": "(sigmoid(a) - y) / outputs",
}
"""The derivatives of losses that are one line of NumPy."""


def right_of(factor: str, problem: Problem, of_softmax: bool = False) -> Right | None:
    """What a factor must be in one problem: of its loss and its reduction, and in a layer with softmax; None where no factor is named."""
    if of_softmax and factor in ("slope", "delta"):
        return RIGHT_OF_SOFTMAX
    right = RIGHT.get(factor)
    if factor == "penalty" and right is not None and problem.penalised is not None:
        over = " / batch" if problem.penalised.over_batch else ""
        note = f"factor, or lambda, is {problem.penalised.factor:g}."
        return replace(right, code=f"dC_dW = delta.T @ a_below + factor{over} * W", note=note)
    if right is None or factor not in ("output_error", "reduction"):
        return right
    name, is_mean = name_and_parameters(problem.loss)[0], problem.reduction == "mean"
    derivative = BY_LOSS.get(name, "loss_derivative(a, y)")
    over = f"({derivative}) / batch" if name in BY_LOSS else f"{derivative} / batch"
    code = f"error = {over if is_mean else derivative}" if problem.sample_weights is None else right.code
    latex = r"C = \frac{1}{N} \sum_s C_s" if factor == "reduction" and is_mean else right.latex
    return replace(right, code=code, latex=latex)


SLOPES = {
    "identity": "np.ones_like(z)",
    "sigmoid": "sigmoid(z) * sigmoid(-z)",
    "tanh": "1 / np.cosh(z) ** 2",
    "relu": "(z > 0) * 1.0",
    "leaky_relu": "np.where(z > 0, 1.0, {slope!r})",
    "elu": "np.where(z > 0, 1.0, {alpha!r} * np.exp(z))",
    "softplus": "sigmoid(z)",
    "gelu": "Phi(z) + z * phi(z)",
    "silu": "sigmoid(z) * (1 + z * sigmoid(-z))",
    "softsign": "1 / (1 + np.abs(z)) ** 2",
    "hardtanh": "(np.abs(z) < 1) * 1.0",
    "relu6": "((z > 0) & (z < 6)) * 1.0",
}
"""The slopes of activations that are one line of NumPy, of z and their parameters; sigmoid, Phi and phi are functions."""


def right_of_slope(choice: Any) -> Right:
    """What g' must be of one activation, where that is one line."""
    name, parameters = name_and_parameters(choice)
    code = SLOPES.get(name, "g_prime(z)").format(**(defaults(ACTIVATIONS[name]) | parameters))
    return replace(RIGHT["slope"], code=f"slope = {code}")


def formula_of_loss(problem: Problem) -> str:
    """The derivative of a problem's loss, in letters: "a_j - y_j"."""
    said = (LOSSES[name_and_parameters(problem.loss)[0]].__doc__ or "").split("\n")[0]
    return said.partition("dC_0/da_j = ")[2].partition(";")[0].partition(":")[0].rstrip(".")


def formula_of_activation(choice: Any) -> str:
    """An activation in letters: "g(z) = tanh z, g' = 1 / cosh(z)^2"."""
    said = (ACTIVATIONS[name_and_parameters(choice)[0]].__doc__ or "").split("\n")[0]
    return SOURCE.sub("", said.rstrip(".")).partition(", g'' ")[0]


@cache
def mathml(latex: str, block: bool = False) -> Markup:
    """LaTeX as MathML, which a browser lays out without script."""
    from latex2mathml.converter import convert

    return Markup(convert(latex, display="block" if block else "inline").replace(' xmlns="http://www.w3.org/1998/Math/MathML"', ""))
