"""Containment: the reference with its bound holds ball arithmetic's enclosure of every entry, on random problems.

    python -m benchmarks.containment [--examples 2000] [--seed 1]

Prints how many entries were compared, and the largest distance over the bound; exits with 1 if one is outside.
"""

import argparse
import sys

import numpy as np

from oracles.balls.enclosure import enclosure
from properties.problems.blocks import one_of_each_block
from properties.problems.support import Support
from reference.backward import gradient_of_passes
from reference.passes import passes
from rounding.arithmetic import REFERENCE
from rounding.worst_case import rounding_bound


def main() -> None:
    """Compare on every problem and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    entries = unclaimed = problems = 0
    largest = 0.0
    outside: list[str] = []

    for problem in one_of_each_block(options.examples, options.seed, Support()):
        passed, found = passes(problem), enclosure(problem)
        problems += 1
        bound = dict(rounding_bound(passed, REFERENCE).arrays())
        lower, upper = dict(found.lower.arrays()), dict(found.upper.arrays())
        for place, reference in gradient_of_passes(passed.forward, passed.backward).arrays():
            claimed = np.isfinite(bound[place])
            entries, unclaimed = entries + int(claimed.sum()), unclaimed + int((~claimed).sum())
            with np.errstate(all="ignore"):
                # both ends of the enclosure, so the whole of it, but for what it is wider than need be: its ends are rounded outward to
                # float64, and FLINT holds radii to 30 bits, so that at a kink each product or sum (200 at most) widens it by 2^-30
                slack = np.spacing(np.maximum(np.abs(lower[place]), np.abs(upper[place])))
                slack = slack + 2.0**-22 * np.maximum(upper[place] - lower[place] - 2 * slack, 0.0)
                distance = np.maximum(np.abs(reference - lower[place]), np.abs(reference - upper[place])) - slack
                ratio = np.where(claimed, distance / bound[place], 0.0)
            largest = max(largest, float(np.max(ratio)))
            if not (ratio <= 1).all():
                outside.append(f"{place} {problem!r}")
    print(f"{problems} problems, {entries} entries inside the bound claimed for them, {unclaimed} without a claim")
    print(f"largest distance over the bound: {largest:.3f}; outside: {len(outside)}")
    for line in outside[:5]:
        print(line)
    sys.exit(1 if outside else 0)


if __name__ == "__main__":
    main()
