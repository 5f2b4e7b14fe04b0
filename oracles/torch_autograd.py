"""PyTorch: its own layers, activations, losses and autograd.

Trust: an implementation that millions use and that shares no line with reference/, but one honest pass in floating point: within the
rounding bound where its formulas hold their digits. Known to lose them: GELU's gradient in the left tail (1 + erf) and the gradient
of binary cross-entropy at a logit far on the side of its label.
At a kink it answers one of the legal slopes. torch is imported when an answer is asked for.
"""

from collections.abc import Callable
from typing import Any

from oracles.oracle import Reply
from reference.arrays import AnyArray
from reference.dtypes import DTYPES
from reference.functions.parametrised import name_and_parameters
from reference.gradient import Gradient
from reference.problem import Problem

TORCH_ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "identity": lambda F, z: z,
    "sigmoid": lambda F, z: F.sigmoid(z),
    "tanh": lambda F, z: F.tanh(z),
    "relu": lambda F, z: F.relu(z),
    "leaky_relu": lambda F, z, slope=0.01: F.leaky_relu(z, slope),
    "elu": lambda F, z, alpha=1.0: F.elu(z, alpha),
    "selu": lambda F, z: F.selu(z),
    # beyond its threshold PyTorch answers z: at its own 20 that is off by e^-20 = 2e-9, as documented; at 40 by less than u
    "softplus": lambda F, z: F.softplus(z, threshold=40),
    "gelu": lambda F, z: F.gelu(z),
    "gelu_tanh": lambda F, z: F.gelu(z, approximate="tanh"),
    "silu": lambda F, z: F.silu(z),
    "softsign": lambda F, z: F.softsign(z),
    "hardtanh": lambda F, z: F.hardtanh(z),
    "relu6": lambda F, z: F.relu6(z),
    "softmax": lambda F, z: F.softmax(z, dim=-1),
}
"""Name -> function of torch.nn.functional, z and the parameters."""


def _weighed_logs(a: Any, y: Any) -> Any:
    """The sum of y ln a, NLLLoss of ln a for any distribution. Where y is 0 no logarithm is taken: 0 / 0 is none of the derivative's.

    Not F.binary_cross_entropy, which takes a (1 - a) as no less than 1e-12, and ln a as no less than -100.
    """
    counts = y != 0
    return (y * a.masked_fill(~counts, 1.0).log()).sum()


TORCH_LOSSES: dict[str, Callable[..., Any]] = {
    "half_squared_error": lambda F, a, y: F.mse_loss(a, y, reduction="sum") / 2,
    "squared_error": lambda F, a, y: F.mse_loss(a, y, reduction="sum"),
    "mean_squared_error": lambda F, a, y: F.mse_loss(a, y, reduction="sum") / a.shape[-1],
    "half_mean_squared_error": lambda F, a, y: F.mse_loss(a, y, reduction="sum") / (2 * a.shape[-1]),
    "huber": lambda F, a, y, delta=1.0: F.huber_loss(a, y, reduction="sum", delta=delta) / a.shape[-1],
    "upstream": lambda F, a, y: (y * a).sum(),
    "binary_cross_entropy_with_logits": lambda F, a, y: F.binary_cross_entropy_with_logits(a, y, reduction="sum") / a.shape[-1],
    "softmax_cross_entropy": lambda F, a, y: F.cross_entropy(a, y, reduction="sum"),
    "summed_binary_cross_entropy_with_logits": lambda F, a, y: F.binary_cross_entropy_with_logits(a, y, reduction="sum"),
    "cross_entropy_of_probabilities": lambda F, a, y: -_weighed_logs(a, y),
    "binary_cross_entropy_of_probabilities": lambda F, a, y: -(_weighed_logs(a, y) + _weighed_logs(1 - a, 1 - y)) / a.shape[-1],
    "summed_binary_cross_entropy_of_probabilities": lambda F, a, y: -(_weighed_logs(a, y) + _weighed_logs(1 - a, 1 - y)),
}
"""Name -> function of torch.nn.functional, a, y (batch, n_L) and the parameters: the sum of C_0 over samples."""


def answer(problem: Problem, dtype: str = "float64") -> Reply:
    """All that a gradient holds, by torch.nn.functional.linear and autograd; arrays of the given dtype.

    dtype: a key of DTYPES.
    """
    import torch
    import torch.nn.functional as F

    def leaf(numbers: AnyArray) -> torch.Tensor:
        return torch.tensor(numbers, dtype=getattr(torch, dtype), requires_grad=True)

    def array(tensor: Any) -> AnyArray:
        # NumPy has no bfloat16 of its own, and cannot read PyTorch's
        exact = tensor.detach().float() if dtype == "bfloat16" else tensor.detach()
        return exact.numpy().astype(DTYPES[dtype], copy=False)

    weights = [leaf(weight) for weight in problem.weights]
    biases = [None if bias is None else leaf(bias) for bias in problem.biases]
    x = leaf(problem.x)
    z, a = [], [x]
    for weight, bias, choice in zip(weights, biases, problem.activations, strict=True):
        z.append(F.linear(a[-1], weight, bias))
        z[-1].retain_grad()
        activation, parameters = name_and_parameters(choice)
        a.append(TORCH_ACTIVATIONS[activation](F, z[-1], **parameters))
    name, parameters = name_and_parameters(problem.loss)
    y = leaf(problem.y).detach()
    if problem.sample_weights is None:
        loss = TORCH_LOSSES[name](F, a[-1], y, **parameters)
        if problem.reduction == "mean":
            loss = loss / problem.batch
    else:
        counts = leaf(problem.sample_weights).detach()
        of_samples = [TORCH_LOSSES[name](F, a[-1][i : i + 1], y[i : i + 1], **parameters) for i in range(problem.batch)]
        loss = (counts * torch.stack(of_samples)).sum()
        if problem.reduction == "mean":
            loss = loss / counts.sum()
    if problem.penalty is not None:
        name, parameters = name_and_parameters(problem.penalty)
        norms = sum((weight**2).sum() for weight in weights)
        loss = loss + parameters.get("factor", 1.0) / 2 * norms / (problem.batch if name == "l2_over_batch" else 1)
    loss.backward()
    return Reply(
        Gradient(
            [array(weight.grad) for weight in weights],
            [None if bias is None else array(bias.grad) for bias in biases],
            x=array(x.grad),
            loss=array(loss),
            pre_activations=[array(z_l) for z_l in z],
            activations=[array(a_l) for a_l in a[1:]],
            deltas=[array(z_l.grad) for z_l in z],
        )
    )
