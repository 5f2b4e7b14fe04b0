"""Endurance: memory over a long run on a right target, and a fault that shows in one of many problems.

    python -m benchmarks.endurance [--examples 1000000] [--precision float32]
    python -m benchmarks.endurance --rare [--seeds 5]

The first prints the resident memory after the first 20,000 problems and at the end, and exits with 1 if it grew by more than a fifth
or anything was found. The second plants a mistake that shows in one of some 15,000 problems, and prints for each seed where it was
found, how small it was shrunk and whether a replay shows it; it exits with 1 where one of these fails.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np

from backproof import check
from backproof.runs.check import replay
from benchmarks.honest import Narrow
from benchmarks.unit import plain
from properties.problems.blocks import draw_problems
from properties.problems.support import Support
from reference.gradient import Gradient
from reference.problem import Problem

EARLY = 20_000


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=1_000_000)
    parser.add_argument("--precision", default="float64", choices=["float64", "float32"])
    parser.add_argument("--rare", action="store_true")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    missed = [seed for seed in range(options.seeds) if not found(seed)] if options.rare else []
    sys.exit(0 if not missed and (options.rare or endured(options.examples, options.precision)) else 1)


def endured(examples: int, precision: str) -> bool:
    """A long run on a right target: whether nothing was found, and memory stayed as it was early in the run."""
    early: list[float] = []
    start = time.monotonic()

    def watch(step: str, done: int, total: int) -> None:
        if done >= min(EARLY, examples // 2) and not early:
            early.append(resident())
        if done % 100_000 == 0:
            print(f"{done} judged, {resident():.0f} MB, {time.monotonic() - start:.0f} s", flush=True)

    report = check(
        plain if precision == "float64" else Narrow(precision), max_examples=examples, seed=1, depth=4, width=6, batch=5, progress=watch
    )
    growth = resident() / early[0]
    print(f"{report.judged} judged of {report.examples} posed: {report.verdict}, {len(report.findings)} findings")
    print(f"resident memory {early[0]:.0f} MB early, {resident():.0f} MB at the end: {growth:.3f} times")
    return report.verdict == "right" and not report.findings and growth <= 1.2


def resident() -> float:
    """Resident memory of this process, in MB; where the system tells it."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def shows(problem: Problem) -> bool:
    """Whether the rare mistake shows: two layers or more, four numbers from 1.25 to 4, and a first bias from 0 to 2."""
    numbers = (problem.x[0, 0], problem.y[0, 0], problem.weights[0][0, 0], problem.weights[-1][0, 0])
    bias = problem.biases[0]
    return problem.depth > 1 and min(numbers) > 1.25 and max(numbers) < 4 and bias is not None and bool(0 < bias[0] < 2)


def rarely_wrong(problem: Problem) -> Gradient:
    """Right, but where the rare mistake shows: there one weight's derivative has the wrong sign."""
    answer = plain(problem)
    if shows(problem):
        answer.weights[0][0, 0] *= -1
    return answer


def found(seed: int) -> bool:
    """Print how check fares with the rare mistake; whether it is found, shrunk and replayed."""
    drawn = 200_000
    if seed == 0:
        rate = np.mean([shows(problem) for problem in draw_problems(drawn, 99, Support())])
        print(f"the mistake shows in {rate * drawn:.0f} of {drawn} problems, one of {1 / rate:.0f}", flush=True)
    report = check(rarely_wrong, max_examples=200_000, seed=seed)
    wrong = [finding for finding in report.findings if finding.verdict == "wrong"]
    if not wrong:
        print(f"seed {seed}: not found in {report.judged} problems")
        return False
    finding = wrong[0]
    size = finding.problem.size
    again = replay(finding, target=rarely_wrong)
    print(f"seed {seed}: first kept at problem {finding.index}, seen {finding.seen} times in {report.judged}; {report.seconds:.0f} s")
    print(f"  shrunk {finding.shrunk} to {size} numbers, widths {finding.problem.widths}; replay shows it: {again is not None}", flush=True)
    return again is not None and finding.shrunk == "in full"


if __name__ == "__main__":
    main()
