"""How far g and g' are off on the whole: what FUNCTION_ERROR and TEXTBOOK_ERROR of reference/ stand on.

    python -m benchmarks.functions [--numbers 20000] [--seed 1]

Of PyTorch, JAX and the formulas of textbooks, in float32, for each sign and power of 2 of z from 2^-5 to 2^5: the mean error, in units of
u times the mean of the scale of accurate formulas, and of that of textbook formulas. Prints for each activation where it is the
largest share of what is allowed for on the whole, which is the larger of the two.
"""

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.textbook import FORMULAS
from oracles.jax_autodiff import JAX_ACTIVATIONS
from oracles.torch_autograd import TORCH_ACTIVATIONS
from reference.arrays import AnyArray, Array
from reference.functions.activation import Elementwise
from reference.functions.activations import ACTIVATIONS
from rounding.activations import elementwise
from rounding.arithmetic import FUNCTION_ERROR, TEXTBOOK_ERROR
from rounding.precisions import PRECISIONS

EXPONENTS = range(-5, 5)


def by_torch(name: str, z: AnyArray) -> tuple[AnyArray, AnyArray]:
    """g and g' by PyTorch."""
    import torch

    leaf = torch.tensor(z, requires_grad=True)
    a = TORCH_ACTIVATIONS[name](torch.nn.functional, leaf)
    a.sum().backward()
    assert leaf.grad is not None
    return a.detach().numpy(), leaf.grad.numpy()


def by_jax(name: str, z: AnyArray) -> tuple[AnyArray, AnyArray]:
    """g and g' by JAX."""
    import jax

    a, back = jax.vjp(lambda z: JAX_ACTIVATIONS[name](jax, z), jax.numpy.asarray(z))
    return np.asarray(a), np.asarray(back(jax.numpy.ones_like(a))[0])


def by_textbook(name: str, z: AnyArray) -> tuple[AnyArray, AnyArray]:
    """g and g' as they are mostly written."""
    value, slope = FORMULAS[name]
    a = value(z)
    return a, slope(z, a)


LIBRARIES: dict[str, Callable[[str, AnyArray], tuple[AnyArray, AnyArray]]] = {
    "PyTorch": by_torch,
    "JAX": by_jax,
    "textbook": by_textbook,
}


def errors(name: str, exponent: int, sign: int, options: Any) -> Iterator[tuple[str, Array, Array, Array]]:
    """Who computed what, its errors in u, and both scales, for z of one sign and power of 2."""
    rng = np.random.default_rng([options.seed, exponent + 99, sign + 1])
    row, rounded = elementwise(name)
    z = (sign * rng.uniform(2.0**exponent, 2.0 ** (exponent + 1), options.numbers)).astype(np.float32)
    held = z.astype(np.float64)
    exact = ((row.value(held), rounded.value_scales), (row.derivative(held), rounded.derivative_scales))
    for library, function in LIBRARIES.items():
        for what, got, (truth, scales) in zip(("g", "g'"), function(name, z), exact, strict=True):
            error = (got.astype(np.float64) - truth) / PRECISIONS["float32"].unit
            yield f"{what} by {library}", error, scales.right(held), scales.lossy(held)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--numbers", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for name in (name for name, make in ACTIVATIONS.items() if isinstance(make(), Elementwise)):
        found = []
        for exponent in EXPONENTS:
            for sign in (-1, 1):
                for who, error, right, lossy in errors(name, exponent, sign, options):
                    mean = abs(error.mean())
                    of_right, of_lossy = (float(mean / scale.mean()) if scale.any() else 0.0 for scale in (right, lossy))
                    share = mean / max(FUNCTION_ERROR * right.mean(), TEXTBOOK_ERROR * lossy.mean(), 1e-300)
                    found.append((float(share), of_right, of_lossy, f"{who}, z from {sign} * 2^{exponent}"))
        share, of_right, of_lossy, place = max(found)
        print(f"{name}: {share:.2f} of what is allowed ({of_right:.3g} of right, {of_lossy:.2g} of textbook scales) at {place}", flush=True)


if __name__ == "__main__":
    main()
