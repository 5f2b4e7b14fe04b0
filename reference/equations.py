"""The index of the note: equations 1 to 11, each one function in index notation.

Written for the eye, to be held beside the note; `gradient_by_equations` composes them for one small problem, scalar by scalar.
backward.py is the same for whole batches. The note's misprints are mended here: equation 4 ends in a_k, not a_j, its derivative
is by w_jk, and z sums the activations of layer L - 1 (docs/note.md).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference.arrays import Array
from reference.functions.activation import Activation, Joint
from reference.functions.activations import ACTIVATIONS
from reference.functions.loss import Loss
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.gradient import Gradient
from reference.problem import Problem


def pre_activation(w: Array, a: Array, j: int, bias: Array | None = None) -> float:
    """z_j = sum_i w_ji a_i, a of the layer before; with a bias, the weight from a node that is always 1."""
    return float(sum(w[j, i] * a[i] for i in range(len(a))) + (0.0 if bias is None else bias[j]))


def output_weight_derivative(dC_da: float, da_dz: float, dz_dw: float) -> float:
    """Equation 1: dC_0/dw_jk = dC_0/da_j da_j/dz_j dz_j/dw_jk, in the output layer."""
    return dC_da * da_dz * dz_dw


def output_error(loss: Loss, a: Array, y: Array, j: int) -> float:
    """Equation 2: dC_0/da_j, the derivative of the loss function; a, y: (n_L,)."""
    return float(loss.derivative(a[None], y[None])[0, j])


def activation_derivative(activation: Activation, z: float) -> float:
    """Equation 3: da_j/dz_j = g'(z_j)."""
    return float(activation.derivative(np.array(z)))


def joint_activation_derivative(activation: Joint, z: Array, i: int, j: int) -> float:
    """Equation 3 where a_i depends on every z_j of its layer: da_i/dz_j; of a softmax p_i (d_ij - p_j)."""
    return activation.partial(z, i, j)


def pre_activation_by_weight(a: Array, j: int, k: int) -> float:
    """Equation 4: dz_j/dw_jk = d/dw_jk sum_i w_ji a_i = a_k, a of the layer before."""
    return float(a[k])


def hidden_weight_derivative(dC_da: float, da_dz: float, dz_dw: float) -> float:
    """Equation 5: equation 1, one layer below the output layer."""
    return dC_da * da_dz * dz_dw


def hidden_error(dC_da: Sequence[float], da_dz: Sequence[float], dz_da: Sequence[float]) -> float:
    """Equation 6: dC_0/da_k = sum_j dC_0/da_j da_j/dz_j dz_j/da_k, j over the nodes of the output layer."""
    return float(sum(dC_da[j] * da_dz[j] * dz_da[j] for j in range(len(dC_da))))


def pre_activation_by_activation(w: Array, j: int, k: int) -> float:
    """Equation 7: dz_j/da_k = d/da_k sum_i w_ji a_i = w_jk."""
    return float(w[j, k])


def deep_weight_derivative(dC_da: float, da_dz: float, dz_dw: float) -> float:
    """Equation 8: equation 1, two layers below the output layer."""
    return dC_da * da_dz * dz_dw


def deep_error(dC_da: Sequence[float], da_dz: Sequence[float], dz_da: Sequence[float]) -> float:
    """Equation 9: equation 6, one layer further down."""
    return float(sum(dC_da[k] * da_dz[k] * dz_da[k] for k in range(len(dC_da))))


def weight_derivative(dC_da: float, da_dz: float, dz_dw: float) -> float:
    """Equation 10: dC_0/dw_jk = dC_0/da_j da_j/dz_j dz_j/dw_jk, in any layer."""
    return dC_da * da_dz * dz_dw


def error(dC_da: Sequence[float], da_dz: Sequence[float], dz_da: Sequence[float]) -> float:
    """Equation 11: dC_0/da_j = sum_k dC_0/da_k da_k/dz_k dz_k/da_j, k over the nodes of the layer above."""
    return float(sum(dC_da[k] * da_dz[k] * dz_da[k] for k in range(len(dC_da))))


@dataclass(frozen=True)
class Equation:
    """A row of EQUATIONS: the number in the note, what it states, the function that computes it."""

    number: int
    statement: str
    function: Callable[..., float]


EQUATIONS: dict[int, Equation] = {
    row.number: row
    for row in (
        Equation(1, "dC/dw_jk = dC/da_j da_j/dz_j dz_j/dw_jk in layer L", output_weight_derivative),
        Equation(2, "dC/da_j in layer L: the derivative of the loss function", output_error),
        Equation(3, "da_j/dz_j = g'(z_j): the derivative of the activation function", activation_derivative),
        Equation(4, "dz_j/dw_jk = a_k of the layer before", pre_activation_by_weight),
        Equation(5, "dC/dw_jk = dC/da_j da_j/dz_j dz_j/dw_jk in layer L-1", hidden_weight_derivative),
        Equation(6, "dC/da_k in layer L-1 = sum_j dC/da_j da_j/dz_j dz_j/da_k over layer L", hidden_error),
        Equation(7, "dz_j/da_k = w_jk", pre_activation_by_activation),
        Equation(8, "dC/dw_jk = dC/da_j da_j/dz_j dz_j/dw_jk in layer L-2", deep_weight_derivative),
        Equation(9, "dC/da_j in layer L-2 = sum_k dC/da_k da_k/dz_k dz_k/da_j over layer L-1", deep_error),
        Equation(10, "dC/dw_jk = dC/da_j da_j/dz_j dz_j/dw_jk in layer L-m", weight_derivative),
        Equation(11, "dC/da_j in layer L-m = sum_k dC/da_k da_k/dz_k dz_k/da_j over layer L-m+1", error),
    )
}


def gradient_by_equations(problem: Problem, **instead: Callable[..., Any]) -> Gradient:
    """dC/dW, dC/db and dC/dx by the equations, scalar by scalar: the sum or mean over samples of each sample's C_0, and the penalty.

    instead: functions to use in place of this module's own, by name, so that a misprint can be tried.
    """
    own = {row.function.__name__: row.function for row in EQUATIONS.values()}
    own |= {function.__name__: function for function in (pre_activation, joint_activation_derivative)}
    if unknown := instead.keys() - own.keys():
        raise ValueError(f"{', '.join(sorted(unknown))}: no equation of this name: expected some of {', '.join(own)}")
    use = own | instead
    shares = np.broadcast_to(problem.shares, (problem.batch, 1))[:, 0]
    weights = [np.zeros_like(w) for w in problem.weights]
    biases = [np.zeros(len(w)) for w in problem.weights]
    dC_dx = np.zeros_like(problem.x)
    for s in range(problem.batch):
        sample, share = _one_sample(problem, problem.x[s], problem.y[s], use), shares[s]
        for layer in range(problem.depth):
            weights[layer] += share * sample[0][layer]
            biases[layer] += share * sample[1][layer]
        dC_dx[s] = share * sample[2]
    if (penalty := problem.penalised) is not None:
        weights = [total + penalty.derivative(w, problem.batch) for total, w in zip(weights, problem.weights, strict=True)]
    return Gradient(weights, biases, x=dC_dx)


def _one_sample(problem: Problem, x: Array, y: Array, use: dict[str, Callable[..., Any]]) -> tuple[list[Array], list[Array], Array]:
    activations = [row_of(ACTIVATIONS, choice) for choice in problem.activations]
    a, z = [x], []
    for w, b, activation in zip(problem.weights, problem.biases, activations, strict=True):
        z.append(np.array([use["pre_activation"](w, a[-1], j, b) for j in range(len(w))]))
        a.append(activation.value(z[-1]))
    dC_da: list[float] = [use["output_error"](row_of(LOSSES, problem.loss), a[-1], y, j) for j in range(len(y))]
    weights, biases = [np.zeros_like(w) for w in problem.weights], [np.zeros(len(w)) for w in problem.weights]
    last = problem.depth - 1
    for layer in range(last, -1, -1):
        w = problem.weights[layer]
        outputs, inputs = range(w.shape[0]), range(w.shape[1])
        activation = activations[layer]
        if isinstance(activation, Joint):
            # z_j acts on the loss through every a_i: dC_0/dz_j = sum_i dC_0/da_i da_i/dz_j stands for the first two factors
            dC_da = [sum(dC_da[i] * use["joint_activation_derivative"](activation, z[layer], i, j) for i in outputs) for j in outputs]
            da_dz = [1.0 for _ in outputs]
        else:
            da_dz = [use["activation_derivative"](activation, z[layer][j]) for j in outputs]
        by_weight = use[
            {last: "output_weight_derivative", last - 1: "hidden_weight_derivative", last - 2: "deep_weight_derivative"}.get(
                layer, "weight_derivative"
            )
        ]
        for j in outputs:
            for k in inputs:
                weights[layer][j, k] = by_weight(dC_da[j], da_dz[j], use["pre_activation_by_weight"](a[layer], j, k))
            biases[layer][j] = by_weight(dC_da[j], da_dz[j], 1.0)
        below = use[{last: "hidden_error", last - 1: "deep_error"}.get(layer, "error")]
        dC_da = [below(dC_da, da_dz, [use["pre_activation_by_activation"](w, j, k) for j in outputs]) for k in inputs]
    return weights, biases, np.array(dC_da)
