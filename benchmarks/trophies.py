"""What backproof says of public libraries: the figures of docs/trophies.md, measured anew.

python -m benchmarks.trophies
"""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

import backproof
from backproof import Gradient, Problem
from backproof.findings.swept import SYMBOLS
from backproof.targets.own_activation import OwnActivation
from oracles import torch_autograd
from oracles.balls.numbers import curve
from rounding.precisions import PRECISIONS


def main() -> None:
    """Judge each library on its problem, and print what is found."""
    warnings.simplefilter("ignore")
    print(f"torch {torch.__version__}")
    for dtype, z in (("float32", -5.0), ("float32", -6.0), ("float64", -10.0)):
        tell(f"GELU (erf) in {dtype} at z = {z:g}", one_node("gelu", z), dtype)
    tell("sigmoid' in float64 at z = 40", one_node("sigmoid", 40.0), "float64")
    logit = Problem([[[1.0]]], activations=["identity"], x=[[40.0]], y=[[1.0]], loss="binary_cross_entropy_with_logits")
    tell("binary cross-entropy with logits in float64, logit 40, target 1", logit, "float64")
    softplus()
    for row in SWEPT:
        one_number(*row)
    scikit_learn()


SWEPT = (
    ("torch", "gelu", "gelu", "value", "float32", 1.75e38),
    ("torch", "gelu", "gelu", "slope", "bfloat16", -6.25),
    ("torch", "sigmoid", "sigmoid", "slope", "bfloat16", 6.25),
    ("torch", "tanh", "tanh", "slope", "bfloat16", 3.5),
    ("torch", "softsign", "softsign", "slope", "bfloat16", -338.0),
    ("jax", "soft_sign", "softsign", "slope", "bfloat16", 264.0),
    ("jax", "gelu", "gelu_tanh", "slope", "bfloat16", -3.0625),
    ("jax", "gelu", "gelu_tanh", "slope", "float32", -5.0),
    ("jax", "gelu", "gelu_tanh", "slope", "float32", 1.1e19),
    ("jax", "sigmoid", "sigmoid", "slope", "bfloat16", 5.5625),
    ("jax", "elu", "elu", "slope", "bfloat16", -6.25),
    ("jax", "selu", "selu", "slope", "bfloat16", -6.25),
)
"""What sweeps found: library, its function, our name of it, g' or g, the format, and a number."""


def one_number(library: str, function: str, name: str, quantity: str, dtype: str, z: float) -> None:
    """Print what a library has at one number, in an array of eight equal ones, and what is exact, by ball arithmetic."""
    z = float(PRECISIONS[dtype].held(np.array([z]))[0])
    given = OwnActivation(function, _function(library, function), None, library, 60.0)(np.full(8, z), PRECISIONS[dtype])
    got = given[quantity == "slope"][0]
    exact = getattr(curve(name, np.array([z]), np.zeros(1), 0.0), quantity).high[0]
    print(f"{library}, {function}, {dtype}: {SYMBOLS[quantity]}({z!r}) is {got:.8g}, exact {exact:.8g}")


def one_node(activation: str, z: float) -> Problem:
    """One node and one sample: dC/db is the error times g'(z)."""
    return Problem([[[1.0]]], activations=[activation], x=[[z]], y=[[-1.0]], biases=[[0.0]])


def tell(what: str, problem: Problem, dtype: str) -> None:
    """Print what PyTorch's answer to a problem is judged to be."""
    answer = torch_autograd.answer(problem, dtype).gradient
    say(what, backproof.verify(problem, Gradient(answer.weights, answer.biases)))


def say(what: str, judgement: Any) -> None:
    exact = (judgement.exact[0] + judgement.exact[1]) / 2
    off = f"{100 * judgement.distance / abs(exact):.2g} %" if exact else "all"
    print(f"{what}: {judgement.verdict.value}; {judgement.entry} is {judgement.got:.12g}, exact {exact:.12g}, off by {off}")


def _function(library: str, name: str) -> Any:
    if library == "torch":
        return getattr(torch, name, None) or getattr(torch.nn.functional, name)
    import jax

    return getattr(jax.nn, name)


def softplus() -> None:
    """PyTorch's softplus at its default threshold of 20, which the oracle does not use."""
    z = torch.tensor([[21.0]], dtype=torch.float64, requires_grad=True)
    a = torch.nn.functional.softplus(z)
    ((a + 1.0) ** 2 / 2).sum().backward()
    assert z.grad is not None
    problem = one_node("softplus", 21.0)
    answer = Gradient([z.grad.numpy() * 21.0], [z.grad.numpy()[0]])
    say("softplus at its default threshold in float64 at z = 21", backproof.verify(problem, answer))


def scikit_learn() -> None:
    """MLPRegressor's gradient is that of a loss summed over outputs, the loss beside it one averaged over outputs."""
    import sklearn

    sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
    from sklearn_mlp import gradient

    print(f"scikit-learn {sklearn.__version__}")
    rng = np.random.default_rng(1)
    for loss in ("half_squared_error", "half_mean_squared_error"):
        problem = Problem(
            [rng.normal(size=(2, 3))],
            activations=["identity"],
            x=rng.normal(size=(4, 3)),
            y=rng.normal(size=(4, 2)),
            biases=[rng.normal(size=2)],
            loss=loss,
            reduction="mean",
        )
        say(f"MLPRegressor's gradient, two outputs, as that of {loss}", backproof.verify(problem, gradient(problem.copy())))
        answer = gradient.with_loss(problem.copy())
        exact = float(backproof.gradient(problem).loss)
        print(f"  its loss is {float(answer.loss):.6g}, {loss} is {exact:.6g}")


if __name__ == "__main__":
    main()
