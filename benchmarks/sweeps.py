"""Sweeps of all activations of PyTorch and JAX, as their users call them: the table of docs/sweeps.md.

    python -m benchmarks.sweeps [--libraries torch,jax] [--activations gelu,silu] [--seed 1]

Each is a function of an array that the library differentiates; g' and g at every finite number of bfloat16, and at 40,000 numbers of
float32. PyTorch computes functions of 16 bits in float32 and is judged so; JAX does not (docs/tolerance.md, section 1).
"""

import argparse
import importlib
from collections.abc import Iterator, Sequence

import backproof
from backproof.findings.swept import SYMBOLS, Sweep
from properties.sweeps import truth
from properties.sweeps.ranges import Range

FUNCTIONS = {
    "torch": {
        "sigmoid": "torch:sigmoid",
        "tanh": "torch:tanh",
        "relu": "torch.nn.functional:relu",
        "leaky_relu": "torch.nn.functional:leaky_relu",
        "elu": "torch.nn.functional:elu",
        "selu": "torch.nn.functional:selu",
        "softplus": "torch.nn.functional:softplus",
        "gelu": "torch.nn.functional:gelu",
        "gelu_tanh": "benchmarks.sweeps:torch_gelu_tanh",
        "silu": "torch.nn.functional:silu",
        "softsign": "torch.nn.functional:softsign",
        "hardtanh": "torch.nn.functional:hardtanh",
        "relu6": "torch.nn.functional:relu6",
    },
    "jax": {
        "sigmoid": "jax.nn:sigmoid",
        "tanh": "jax.nn:tanh",
        "relu": "jax.nn:relu",
        "leaky_relu": "jax.nn:leaky_relu",
        "elu": "jax.nn:elu",
        "selu": "jax.nn:selu",
        "softplus": "jax.nn:softplus",
        "gelu": "benchmarks.sweeps:jax_gelu",
        "gelu_tanh": "jax.nn:gelu",
        "silu": "jax.nn:silu",
        "softsign": "jax.nn:soft_sign",
        "hardtanh": "jax.nn:hard_tanh",
        "relu6": "jax.nn:relu6",
    },
}

PRECISIONS = {"torch": ("bfloat16/float32/float32", "float32"), "jax": ("bfloat16", "float32")}

NAMES = {"torch": "PyTorch", "jax": "JAX"}

VERDICTS = {"right": " (allowed)", "inconclusive": " (nothing claimed)"}

HEADINGS = (
    "library",
    "precision",
    "activation",
    "",
    "verdict",
    "as near as can be",
    "units, at z",
    "of allowed, at z",
    "met, for z from to",
)


class Curves:
    """What is exact, kept: the same numbers of two libraries in one format."""

    def __init__(self):
        self.known, self.found = {}, truth.curve

    def __call__(self, of, z, widened, least, tell):
        key = str(of), z.tobytes(), widened.tobytes(), least
        if key not in self.known:
            self.known[key] = self.found(of, z, widened, least, tell)
        return self.known[key]


EXACT = ("right", "100.0 %", "0", "0")
"""What stands in a row where no answer is off; activations that have no other row are told in one sentence."""


def torch_gelu_tanh(z):
    import torch

    return torch.nn.functional.gelu(z, approximate="tanh")


def jax_gelu(z):
    import jax

    return jax.nn.gelu(z, approximate=False)


def rows(library: str, name: str, seed: int) -> Iterator[tuple[str, ...]]:
    """The rows of one activation."""
    for precision in PRECISIONS[library]:
        sweep = backproof.sweep(FUNCTIONS[library][name], arrays=library, activation=name, precision=precision, seed=seed)
        yield from _rows(NAMES[library], name, sweep)


def _rows(library: str, name: str, sweep: Sweep) -> Iterator[tuple[str, ...]]:
    for one in sweep.quantities:
        largest = []
        for met, of in ((one.by_units, "units"), (one.by_allowed, "allowed")):
            largest.append("0" if met is None or not met.units else f"{getattr(met, of):.2g}, {met.z:.4g}")
        share = f"{100 * one.nearest / max(one.judged, 1):.1f} %"
        yield library, sweep.precision, name, SYMBOLS[one.quantity], one.verdict.value, share, *largest, _met(one.ranges)


def _met(ranges: Sequence[Range]) -> str:
    """Each kind with its ranges; where there are more than two, from the first to the last of each side of 0, in parts."""
    said = []
    for kind in dict.fromkeys((each.kind, VERDICTS.get(each.verdict, "")) for each in ranges):
        some = [each for each in ranges if (each.kind, VERDICTS.get(each.verdict, "")) == kind]
        if len(some) > 2:
            sides = [side for side in ([each for each in some if each.low < 0], [each for each in some if each.low >= 0]) if side]
            told = " and ".join(f"{side[0].low:.4g} to {side[-1].high:.4g}" for side in sides) + ", in parts"
        else:
            told = " and ".join(f"{each.low:.4g} to {each.high:.4g}" for each in some)
        said.append(f"{kind[0]}{kind[1]} {told}")
    return "; ".join(said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--libraries", default="torch,jax")
    parser.add_argument("--activations", default=",".join(FUNCTIONS["torch"]))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    truth.curve = Curves()
    print(", ".join(f"{NAMES[each]} {importlib.import_module(each).__version__}" for each in options.libraries.split(",")), end="\n\n")
    print(f"| {' | '.join(HEADINGS)} |\n|{' --- |' * len(HEADINGS)}")
    exact = []
    for name in options.activations.split(","):
        made = [row for library in options.libraries.split(",") for row in rows(library, name, options.seed)]
        if all(row[4:8] == EXACT for row in made):
            exact.append(name)
            continue
        for row in made:
            print(f"| {' | '.join(row)} |", flush=True)
    print(f"\nExact at every number: {', '.join(exact)}." if exact else "")


if __name__ == "__main__":
    main()
