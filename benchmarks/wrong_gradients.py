"""Wrong gradients at 784-512-512-10 (relu, softmax cross-entropy, mean, batch 64; digits at 28 x 28): which are seen.

    python -m benchmarks.wrong_gradients --honest 40 [--draws 3]
    python -m benchmarks.wrong_gradients [--draws 3] [--seed 1] [--only NAME] [--json FILE] [--against FILE]

Each mistake of benchmarks/wrong_passes.py, before training and after 30 and 400 steps of Adam, in float32 and float64, judged by
backproof.verify. Prints for each cell in how many draws it was seen (wrong or nonfinite), inconclusive (?) or not seen (-), and the
relative norm of the change in float64, its median. Where the right answer is itself accused, a mistake is seen only if it is further
outside by a factor of 4, and else hidden (!). --against: an earlier run's --json, with the same draws; exits with 1 where something
that was seen there no longer is. --honest: what so many honest float32 passes come to at each point instead, whose sums go in orders of
their own: the largest |f - 1| of each layer, in u, and what is allowed, and the largest entry in sigma.
"""

import argparse
import json
import math
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from backproof import Gradient, Problem, verify
from benchmarks.kind import generator, single
from benchmarks.memory import remember_balls
from benchmarks.trained_kinds import begun, data, images, trained
from benchmarks.wrong_passes import LARGE, WRONG, Answer, Case, Given, passes
from properties.judging.in_sigmas import arrays_in_sigmas
from properties.judging.judgement import Exact
from properties.judging.peers import Peer, answers
from rounding.precisions import PRECISIONS as ROWS

POINTS = (0, 30, 400)
PRECISIONS = ("float32", "float64")
RIGHT = "nothing wrong"
SIGNS = {"seen": "", "inconclusive": "?", "not seen": "-", "hidden": "!"}
FURTHER = 4
"""So many times as far outside as the right answer is a mistake, where that is accused as well."""
LARGE_AT = (0, 30)
"""The draw and point at which float64 answers for all samples are judged: ball arithmetic takes most of a minute."""


def main() -> None:
    """Measure, print and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--only", default="", help="only mistakes whose name holds this")
    parser.add_argument("--json", help="a file for what was seen")
    parser.add_argument("--against", help="what an earlier run with the same draws wrote")
    parser.add_argument("--honest", type=int, help="so many honest passes in place of mistakes")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    remember_balls()
    start = time.monotonic()
    # name -> cell -> what was said in each draw, and the relative norm of the change
    said: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    changes: dict[str, list[float]] = defaultdict(list)
    for draw in range(options.draws):
        for point, parts in points(options.seed, draw):
            if options.honest:
                honest(posed(parts, np.random.default_rng([options.seed, draw, point, 64]), 64)[0], options.honest, f"draw {draw}, {point}")
                continue
            for mistakes, batch in ((WRONG, 64), (LARGE, 0)):
                chosen = {name: mistake for name, mistake in mistakes.items() if options.only in name}
                if chosen:
                    judged(said, changes, chosen, parts, [options.seed, draw, point], batch)
        print(f"draw {draw}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    if options.honest:
        return
    show(said, changes)
    told = {"seed": options.seed, "said": said, "change": {name: float(np.median(each)) for name, each in changes.items() if each}}
    if options.json:
        Path(options.json).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if options.against and lost(said, json.loads(Path(options.against).read_text(encoding="utf-8"))["said"]) else 0)


def points(seed: int, draw: int) -> Iterator[tuple[int, list[Any]]]:
    """The steps of one training, and the weights and biases there."""
    rng = generator(seed, "wrong gradients", draw)
    x, y = images(), data("digits")[1]
    found = trained(rng, begun(rng, (784, 512, 512, 10)), "relu", "softmax_cross_entropy", x, y, POINTS, rate=1e-3)
    yield from zip(POINTS, found, strict=True)


def judged(said: Any, changes: Any, mistakes: Any, parts: list[Any], seed: list[int], batch: int) -> None:
    """What is said of each mistake at one point of a training, in both precisions."""
    x, y = single(images()), data("digits")[1]
    problem, (some, before) = posed(parts, np.random.default_rng([*seed, batch]), batch)
    for precision in PRECISIONS:
        if precision == "float64" and not batch and tuple(seed[1:]) != LARGE_AT:
            continue
        weights, biases = ([array.astype(precision) for array in arrays] for arrays in (parts[::2], parts[1::2]))
        given, old = (Given(weights, biases, x[rows].astype(precision), y[rows].astype(precision)) for rows in (some, before))
        cell = f"{seed[2]} steps, {precision}"
        right = passes(given)
        known, size = word(problem, right)
        said[f"{RIGHT}, batch {len(some)}"][cell].append(known)
        for i, (name, mistake) in enumerate(mistakes.items()):
            wrong = mistake(Case(given, old, np.random.default_rng([*seed, i])))
            seen, further = word(problem, wrong)
            said[name][cell].append("hidden" if seen == known == "seen" and not further > FURTHER * size else seen)
            if precision == "float64":
                changes[name].append(change(wrong, right))


def posed(parts: list[Any], rng: np.random.Generator, batch: int) -> tuple[Problem, list[Any]]:
    """A batch for a network, and the samples of it and of the batch before; batch: 0 for all samples."""
    x, y = single(images()), data("digits")[1]
    some, before = (rng.permutation(len(x))[: batch or len(x)] for _ in range(2))
    activations = ["relu"] * (len(parts) // 2 - 1) + ["identity"]
    parts_of = {"biases": parts[1::2], "x": x[some], "y": y[some], "loss": "softmax_cross_entropy", "reduction": "mean"}
    return Problem(parts[::2], activations=activations, **parts_of), [some, before]


def honest(problem: Problem, passes: int, name: str) -> None:
    """Print what honest passes come to."""
    row = ROWS["float32"]
    exact = Exact(problem)
    deviation, bounds = exact.deviation(row), exact.projection(row)()
    off, entries = np.zeros(problem.depth), np.zeros(problem.depth)
    for _, answer in answers(problem, row, (Peer("in random order", order="random"),) * passes):
        for layer, one in enumerate(arrays_in_sigmas(Gradient(answer.weights), exact.by_rows, exact.by_rows, deviation)):
            off[layer], entries[layer] = max(off[layer], abs(one.factor - 1) / row.unit), max(entries[layer], one.ratio)
    allowed = [bounds.bound(layer) / row.unit for layer in range(problem.depth)]
    layers = enumerate(zip(off, allowed, entries, strict=True), 1)
    told = "; ".join(f"layer {i}: f off by {f:.1f} of {a:.0f} u, entries by {e:.1f} sigma" for i, (f, a, e) in layers)
    print(f"{name} steps, {passes} honest passes: {told}", flush=True)


def word(problem: Problem, answer: Answer) -> tuple[str, float]:
    """Seen, inconclusive or not seen; and the distance over the distance allowed."""
    judgement = verify(problem, Gradient(answer.weights, answer.biases))
    said = {"wrong": "seen", "nonfinite": "seen", "inconclusive": "inconclusive"}.get(judgement.verdict.value, "not seen")
    return said, judgement.distance / judgement.allowed if judgement.allowed > 0 else math.inf


def change(wrong: Answer, right: Answer) -> float:
    """The norm of the change over that of the gradient, all layers together."""
    pairs = [*zip(wrong.weights, right.weights, strict=True), *zip(wrong.biases, right.biases, strict=True)]
    off = sum(float(np.sum((got - exact) ** 2)) for got, exact in pairs)
    return float(np.sqrt(off / sum(float(np.sum(exact**2)) for _, exact in pairs)))


def show(said: Any, changes: Any) -> None:
    """The table: for each cell how many draws saw it, and of the others what was said."""
    cells = [f"{point} steps, {precision}" for precision in PRECISIONS for point in POINTS]
    print(f"{'':58s} {'change':>8s} {' '.join(f'{cell:>17s}' for cell in cells)}")
    for name, row in said.items():
        told = []
        for cell in cells:
            words = row.get(cell, [])
            others = "".join(SIGNS[word] for word in words)
            told.append(f"{words.count('seen')} of {len(words)} {others}".strip())
        size = f"{np.median(changes[name]):.1e}" if changes[name] else ""
        print(f"{name:58s} {size:>8s} {' '.join(f'{each:>17s}' for each in told)}")


def lost(said: Any, before: Any) -> int:
    """How many were seen before and no longer are; each is printed."""
    count = 0
    for name, row in before.items():
        if name.startswith(RIGHT):
            continue
        for cell, words in row.items():
            for draw, (old, now) in enumerate(zip(words, said[name][cell], strict=False)):
                if old == "seen" and now != "seen":
                    count += 1
                    print(f"LOST {name}, {cell}, draw {draw}: was seen, now {now}")
    print(f"{count} of what was seen before no longer is")
    return count


if __name__ == "__main__":
    main()
