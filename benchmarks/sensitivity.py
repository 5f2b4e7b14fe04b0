"""Sensitivity: one entry of one weight gradient of a right target, multiplied by 1 + e, must be caught at check's defaults.

    python -m benchmarks.sensitivity [--relative 1e-11] [--seeds 20]

Prints in how many seeds the target is called wrong, and after how many problems; exits with 1 unless in all.
"""

import argparse
import sys

import backproof
from benchmarks.honest import Variant
from reference.gradient import Gradient
from reference.problem import Problem


def main() -> None:
    """Check the faulty target with each seed and print how it fared."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--relative", type=float, default=1e-11)
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    right = Variant()

    def target(problem: Problem) -> Gradient:
        answer = right(problem)
        answer.weights[0][0, 0] *= 1 + options.relative
        return answer

    caught = 0
    for seed in range(options.seeds):
        report = backproof.check(target, seed=seed, shrink_seconds=0)
        caught += report.verdict is backproof.Verdict.WRONG
        broken = report.laws["it_agrees_with_the_exact_gradient"].broken
        print(f"seed {seed}: {report.verdict.value}, outside in {broken} of {report.judged} judged problems", flush=True)
    print(f"one entry times 1 + {options.relative:g}: caught with {caught} of {options.seeds} seeds")
    sys.exit(0 if caught == options.seeds else 1)


if __name__ == "__main__":
    main()
