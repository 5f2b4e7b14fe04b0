"""JAX: its own functions and its own automatic differentiation.

Trust: a second framework, which shares no line with PyTorch or reference/, but one honest pass in floating point: within the
rounding bound where its formulas hold their digits.
At a kink it answers one of the legal slopes, often another one than PyTorch. jax is imported when an answer is asked for, and
works in 64 bits only inside the call: the user's configuration is left alone.
"""

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

from oracles.oracle import Reply
from reference.functions.parametrised import name_and_parameters
from reference.gradient import Gradient
from reference.problem import Problem

JAX_ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "identity": lambda jax, z: z,
    "sigmoid": lambda jax, z: jax.nn.sigmoid(z),
    "tanh": lambda jax, z: jax.nn.tanh(z),
    "relu": lambda jax, z: jax.nn.relu(z),
    "leaky_relu": lambda jax, z, slope=0.01: jax.nn.leaky_relu(z, slope),
    "elu": lambda jax, z, alpha=1.0: jax.nn.elu(z, alpha),
    "selu": lambda jax, z: jax.nn.selu(z),
    "softplus": lambda jax, z: jax.nn.softplus(z),
    "gelu": lambda jax, z: jax.nn.gelu(z, approximate=False),
    "gelu_tanh": lambda jax, z: jax.nn.gelu(z, approximate=True),
    "silu": lambda jax, z: jax.nn.silu(z),
    "softsign": lambda jax, z: jax.nn.soft_sign(z),
    "hardtanh": lambda jax, z: jax.nn.hard_tanh(z),
    "relu6": lambda jax, z: jax.nn.relu6(z),
    "softmax": lambda jax, z: jax.nn.softmax(z, axis=-1),
}
"""Name -> function of the module jax, z and the parameters."""


def _huber(jax: Any, a: Any, y: Any, delta: float = 1.0) -> Any:
    """The two branches by where: optax's 0.5 m^2 + delta (|r| - m), m = min(|r|, delta), loses digits where |r| is far below delta."""
    r = a - y
    return jax.numpy.where(abs(r) <= delta, 0.5 * r**2, delta * (abs(r) - 0.5 * delta)).mean(-1)


def _binary_cross_entropy_with_logits(jax: Any, a: Any, y: Any) -> Any:
    """As optax writes it: -y log s(a) - (1 - y) log s(-a)."""
    return (-y * jax.nn.log_sigmoid(a) - (1 - y) * jax.nn.log_sigmoid(-a)).mean(-1)


def _weighed_logs(jax: Any, a: Any, y: Any) -> Any:
    """The sum of y ln a over outputs; where y is 0 no logarithm is taken: 0 / 0 is none of the derivative's."""
    return (y * jax.numpy.log(jax.numpy.where(y == 0, 1.0, a))).sum(-1)


JAX_LOSSES: dict[str, Callable[..., Any]] = {
    "half_squared_error": lambda jax, a, y: ((a - y) ** 2).sum(-1) / 2,
    "squared_error": lambda jax, a, y: ((a - y) ** 2).sum(-1),
    "mean_squared_error": lambda jax, a, y: ((a - y) ** 2).mean(-1),
    "half_mean_squared_error": lambda jax, a, y: ((a - y) ** 2).mean(-1) / 2,
    "huber": _huber,
    "upstream": lambda jax, a, y: (y * a).sum(-1),
    "binary_cross_entropy_with_logits": _binary_cross_entropy_with_logits,
    "softmax_cross_entropy": lambda jax, a, y: -(y * jax.nn.log_softmax(a)).sum(-1),
    "summed_binary_cross_entropy_with_logits": lambda jax, a, y: _binary_cross_entropy_with_logits(jax, a, y) * a.shape[-1],
    "cross_entropy_of_probabilities": lambda jax, a, y: -_weighed_logs(jax, a, y),
    "binary_cross_entropy_of_probabilities": lambda jax, a, y: -(_weighed_logs(jax, a, y) + _weighed_logs(jax, 1 - a, 1 - y)) / a.shape[-1],
    "summed_binary_cross_entropy_of_probabilities": lambda jax, a, y: -(_weighed_logs(jax, a, y) + _weighed_logs(jax, 1 - a, 1 - y)),
}
"""Name -> function of the module jax, a, y (batch, n_L) and the parameters: C_0 of each sample, (batch,)."""


FORGETS_AFTER = 50
"""So many answers after which JAX is told to forget: it keeps what it compiles, about 20 MB for each new structure."""

_answers = count(1)


def answer(problem: Problem, dtype: str = "float64") -> Reply:
    """dC/dW, dC/db, dC/dx and C by jax.value_and_grad, without compilation of the whole; arrays of the given dtype.

    dtype: a key of DTYPES.
    """
    import jax

    if next(_answers) % FORGETS_AFTER == 0:
        jax.clear_caches()  # type: ignore[no-untyped-call]
    with jax.enable_x64(True):

        def numbers(array: Any) -> Any:
            return None if array is None else jax.numpy.asarray(array, dtype=dtype)

        y = numbers(problem.y)
        given = ([numbers(w) for w in problem.weights], [numbers(b) for b in problem.biases], numbers(problem.x))
        loss, derivatives = jax.value_and_grad(lambda parts: _loss(jax, problem, parts, y))(given)
        weights, biases, x = jax.tree.map(np.asarray, derivatives)
        return Reply(Gradient(weights, biases, x=x, loss=np.asarray(loss)))


def _loss(jax: Any, problem: Problem, parts: Any, y: Any) -> Any:
    """C of JAX arrays, a scalar; parts: the weights, the biases and x."""
    weights, biases, a = parts
    for weight, bias, choice in zip(weights, biases, problem.activations, strict=True):
        z = a @ weight.T if bias is None else a @ weight.T + bias
        activation, parameters = name_and_parameters(choice)
        a = JAX_ACTIVATIONS[activation](jax, z, **parameters)
    name, parameters = name_and_parameters(problem.loss)
    losses = JAX_LOSSES[name](jax, a, y, **parameters)
    if problem.sample_weights is None:
        total = losses.mean() if problem.reduction == "mean" else losses.sum()
    elif problem.reduction == "mean":
        total = jax.numpy.average(losses, weights=jax.numpy.asarray(problem.sample_weights, dtype=losses.dtype))
    else:
        total = losses @ jax.numpy.asarray(problem.sample_weights, dtype=losses.dtype)
    if problem.penalty is None:
        return total
    name, parameters = name_and_parameters(problem.penalty)
    penalty = parameters.get("factor", 1.0) / 2 * sum(jax.numpy.vdot(weight, weight) for weight in weights)
    return total + (penalty / problem.batch if name == "l2_over_batch" else penalty)
