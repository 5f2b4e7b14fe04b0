"""Calibration: how far honest implementations are from the exact gradient at real sizes, over what the second-moment bound expects.

    python -m benchmarks.calibration [--seed 1] [--draws 1] [--quick] [--only NAME] [--jax]
    python -m benchmarks.calibration --wide --seed 1001
    python -m benchmarks.calibration --low [--wide]

Networks of random, uniform, all-positive and large weights; half squared error and softmax cross-entropy; every activation. Prints for
each activation the largest error over sigma in dC/dW and dC/db and its 99 % quantile; the largest factor common to a layer over what is
allowed for it, and the largest root mean square of error over sigma in a layer, a row and a column over what is allowed; how many runs
were accused, and how many not judged and why; then the same by implementation. Exits with 1 if one was accused. "positive" starts have all
weights and inputs above 0. --low: TF32, float16 and bfloat16 with sums in float32, in place of float32 and float64.
"""

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.honest import (
    Narrow,
    Stored,
    backwards,
    in_blocks,
    in_random_order,
    jax_float32,
    jax_float64,
    jax_in,
    torch_float32,
    torch_float64,
    torch_in,
)
from benchmarks.honest import pairwise as by_halves
from properties.judging.answer_in_sigmas import beside_reference
from properties.judging.by_second_moment import says_nothing
from properties.judging.judgement import Exact
from properties.problems.support import Support
from properties.problems.values import held_in, without_near_kinks
from reference.gradient import Gradient
from reference.problem import Problem
from rounding.precisions import PRECISIONS

NETWORKS = (((784, 128, 10), 8), ((784, 512, 512, 10), 64), ((256,) * 9, 64), ((64, 64, 10), 512), ((128,) * 13, 256))
WIDE = (((2048, 256, 10), 16), ((256,) * 13, 32), ((512, 1024, 512, 256), 32), ((784, 512, 512, 10), 64))
QUICK = (((784, 128, 10), 8), ((64, 64, 64, 10), 256), ((256,) * 5, 64))
STARTS = ("normal", "uniform", "positive", "large")
LOSSES = ("half_squared_error", "softmax_cross_entropy")


def two_threads(problem: Problem) -> Gradient:
    """PyTorch in float32 with two threads."""
    import torch

    torch.set_num_threads(2)
    try:
        return torch_float32(problem)
    finally:
        torch.set_num_threads(1)


IMPLEMENTATIONS: dict[str, tuple[Callable[[Problem], Gradient], str]] = {
    "NumPy, float32": (Narrow("float32"), "float32"),
    "PyTorch, float32, 1 thread": (torch_float32, "float32"),
    "PyTorch, float32, 2 threads": (two_threads, "float32"),
    "one by one, float32": (Narrow("float32", backwards), "float32"),
    "random order, float32": (Narrow("float32", in_random_order), "float32"),
    "blocks, float32": (Narrow("float32", in_blocks), "float32"),
    "by halves, float32": (Narrow("float32", by_halves), "float32"),
    "PyTorch, float64": (torch_float64, "float64"),
    "one by one, float64": (Narrow("float64", backwards), "float64"),
}
LOW: dict[str, tuple[Callable[[Problem], Gradient], str]] = {
    "by hand, TF32": (Stored("tf32"), "tf32"),
    "by hand one by one, TF32": (Stored("tf32", backwards), "tf32"),
    **{
        f"{name}, {dtype}": (target, f"{dtype}/float32")
        for dtype in ("float16", "bfloat16")
        for name, target in (
            ("by hand", Stored(f"{dtype}/float32")),
            ("by hand one by one", Stored(f"{dtype}/float32", backwards)),
            ("PyTorch", torch_in(dtype)),
            ("JAX", jax_in(dtype)),
        )
    },
}
JAX = {"JAX, float32": (jax_float32, "float32"), "JAX, float64": (jax_float64, "float64")}


class Tally:
    """What was seen of one row: the largest of each figure, and how many runs and accused ones."""

    def __init__(self) -> None:
        self.largest: dict[str, float] = defaultdict(float)
        self.runs = self.accused = self.entries = 0
        self.unjudged: Counter[str] = Counter()
        self.quantiles: list[float] = []

    def __str__(self) -> str:
        largest = ", ".join(f"{name} {value:.2f}" for name, value in self.largest.items())
        quantile = f"99 % {np.median(self.quantiles):.2f}; " if self.quantiles else ""
        unjudged = ", ".join(f"{runs} ({reason})" for reason, runs in self.unjudged.most_common()) or "0"
        return f"{self.runs} runs, {self.entries:.2g} entries: {largest}; {quantile}accused {self.accused}; not judged {unjudged}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="smaller networks")
    parser.add_argument("--wide", action="store_true", help="widths from 256 to 2048, depths to 12")
    parser.add_argument("--only", default="", help="only implementations whose name holds this")
    parser.add_argument("--jax", action="store_true")
    parser.add_argument("--low", action="store_true", help="precisions narrower than float32")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    rows = LOW if options.low else IMPLEMENTATIONS | (JAX if options.jax else {})
    implementations = {name: row for name, row in rows.items() if options.only in name}
    tallies: dict[str, Tally] = defaultdict(Tally)
    start = time.monotonic()
    for activation in Support().activation_choices:
        for problem in problems(activation, options.seed, options.draws, WIDE if options.wide else QUICK if options.quick else NETWORKS):
            exacts: dict[str, Exact] = {}
            for name, (target, precision) in implementations.items():
                exact = exacts.get(precision) or exacts.setdefault(precision, Exact(held_in(problem, precision)))
                with np.errstate(all="ignore"):
                    answer = target(exact.problem)
                record([tallies[f"  {name}"], tallies[str(activation)]], exact, answer, precision)
        print(f"{activation}: {tallies[str(activation)]}; {time.monotonic() - start:.0f} s", flush=True)
    for name in implementations:
        print(f"{name}: {tallies[f'  {name}']}")
    sys.exit(1 if any(tally.accused for tally in tallies.values()) else 0)


def problems(activation: Any, seed: int, draws: int, networks: Any) -> Iterator[Problem]:
    """The problems of one activation, with no pre-activation near a kink."""
    for draw in range(draws):
        for i, (widths, batch) in enumerate(networks):
            for j, start in enumerate(STARTS):
                rng = np.random.default_rng([seed, draw, i, j])
                yield problem_of(rng, widths, batch, activation, start, LOSSES[(i + j + draw) % 2])


def problem_of(rng: np.random.Generator, widths: tuple[int, ...], batch: int, activation: Any, start: str, loss: str) -> Problem:
    """One network, its numbers exact in float32; samples that come near a kink are left out."""
    weights, biases = [], []
    for inputs, outputs in pairwise(widths):
        if start == "uniform":
            weights.append(rng.uniform(-1, 1, (outputs, inputs)) / np.sqrt(inputs))
            biases.append(rng.uniform(-1, 1, outputs) / np.sqrt(inputs))
        else:
            scale = {"normal": 1, "positive": 1 / np.sqrt(inputs), "large": 3}[start]
            weights.append(rng.normal(size=(outputs, inputs)) * scale / np.sqrt(inputs))
            biases.append(rng.normal(size=outputs) * (start == "normal"))
    x, y = rng.normal(size=(batch, widths[0])), rng.normal(size=(batch, widths[-1]))
    if start == "positive":
        weights, x = [np.abs(weight) for weight in weights], np.abs(x)
    if loss == "softmax_cross_entropy":
        y = np.eye(widths[-1])[rng.integers(widths[-1], size=batch)]
    held = [[np.asarray(array, dtype=np.float32).astype(np.float64) for array in arrays] for arrays in (weights, biases, [x], [y])]
    activations = [*[activation] * (len(weights) - 1), "identity"]
    return without_near_kinks(Problem(held[0], biases=held[1], activations=activations, x=held[2][0], y=held[3][0], loss=loss), "float32")


def record(tallies: list[Tally], exact: Exact, answer: Gradient, precision: str) -> None:
    """Compare one answer, entry by entry and layer by layer."""
    row = PRECISIONS[precision]
    beside = beside_reference(exact, answer, row, None)
    compared = beside.arrays
    unjudged = says_nothing(exact, row)
    if not unjudged and any(one.is_blunt for one in compared if one.place.quantity == "weights"):
        unjudged = "the bound is wider than the gradient of a layer"
    for tally in tallies:
        tally.runs += 1
        tally.unjudged.update([unjudged] if unjudged else [])
    if unjudged:
        return
    sigmas = dict(beside.deviation.sigma.arrays())
    ratios = [np.abs(one.got - np.asarray(one.low)) / sigmas[one.place] for one in compared]
    for tally in tallies:
        tally.accused += bool(beside.suspected)
        tally.entries += sum(ratio.size for ratio in ratios)
        tally.quantiles.append(float(np.quantile(np.concatenate([ratio.ravel() for ratio in ratios]), 0.99)))
        seen = [(f"dC/d{'W' if one.place.quantity == 'weights' else 'b'}", one.ratio) for one in compared]
        seen += [(measure.kind, measure.share) for measure in beside.measures if measure.kind != "entries"]
        for name, value in seen:
            tally.largest[name] = max(tally.largest[name], value)


if __name__ == "__main__":
    main()
