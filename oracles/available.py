"""The table of oracles: which there are, and why one cannot run here."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from importlib.util import find_spec

from oracles import finite_differences, jax_autodiff, torch_autograd
from oracles.balls import enclosure as balls
from oracles.oracle import Oracle

ORACLES: dict[str, Oracle] = {
    row.name: row
    for row in (
        Oracle(
            "finite_differences",
            finite_differences.answer,
            "Uses the forward pass alone and no rule of differentiation; within the error that it estimates, usually 6 to 10 digits.",
        ),
        Oracle(
            "jax",
            jax_autodiff.answer,
            "JAX's own functions and autodiff, one honest pass in float64: within the rounding bound, away from kinks.",
            module="jax",
            install="pip install jax",
        ),
        Oracle(
            "torch",
            torch_autograd.answer,
            "PyTorch's own layers, losses and autograd, in float64: within the rounding bound where its formulas hold their digits.",
            module="torch",
            install="pip install torch",
        ),
        Oracle(
            "balls",
            balls.answer,
            "Certain: ball arithmetic encloses the exact gradient, up to a mistake in FLINT or in the formulas written for it.",
            module="flint",
            install="pip install python-flint",
        ),
    )
}
"""By name, from the least to the most trusted."""

DISTRIBUTIONS = {"": "numpy", "flint": "python-flint"}
"""The distribution that brings a module, where its name is another; the forward pass alone rests on NumPy."""


def missing(oracle: Oracle) -> str:
    """Why an oracle cannot run here and what to do, or ""; nothing is imported."""
    if not oracle.module or find_spec(oracle.module):
        return ""
    return f"oracle {oracle.name} needs the module {oracle.module}, which is not installed: {oracle.install}"


def version(oracle: Oracle) -> str:
    """The version of the library that an oracle rests on, or "" where it is not installed."""
    try:
        return version_of(DISTRIBUTIONS.get(oracle.module, oracle.module))
    except PackageNotFoundError:
        return ""
