"""Edges at which code that is right elsewhere goes wrong: limits of exp, log and squares in a precision, lengths of blocks and vectors."""

import math
from collections.abc import Callable

import numpy as np

from reference.arrays import Array
from rounding.precisions import PRECISIONS, Precision

Range = tuple[float, float]
"""Of |z|: the least and the most."""


def _exp_limit(row: Precision) -> float:
    return math.log(row.largest)


def _least(row: Precision) -> float:
    """-log of the smallest number that is not 0."""
    return -row.least_exponent * math.log(2)


def _digits(row: Precision) -> float:
    """-log u: so far down exp(-z) is lost beside 1."""
    return -math.log(row.unit)


def _around(number: float, by: float = 4.0) -> Range:
    return number / by, number * by


EDGES: dict[str, Callable[[Precision], Range]] = {
    "exp_overflows_soon": lambda row: (_exp_limit(row) - 7, _exp_limit(row)),
    "exp_overflows": lambda row: (_exp_limit(row), _exp_limit(row) + 4),
    "exp_is_subnormal": lambda row: (-math.log(row.least_normal), _least(row)),
    "exp_vanishes": lambda row: (_least(row), _least(row) + 4),
    "exp_of_twice_overflows": lambda row: (_exp_limit(row) / 2 - 3, _exp_limit(row) / 2 + 1),
    "exp_is_lost_beside_one": lambda row: (_digits(row) - 2, _digits(row) + 2),
    "tanh_becomes_one": lambda row: (_digits(row) / 2 - 1, _digits(row) / 2 + 1),
    "erf_becomes_one": lambda row: _around(math.sqrt(2 * _digits(row)), 1.1),
    "bell_vanishes": lambda row: (math.sqrt(-2 * math.log(row.least_normal)) - 0.5, math.sqrt(2 * _least(row)) + 0.5),
    "square_overflows": lambda row: _around(math.sqrt(row.largest)),
    "cube_overflows": lambda row: _around(row.largest ** (1 / 3)),
    "square_vanishes": lambda row: _around(math.sqrt(row.least_normal)),
    "square_is_lost_beside_one": lambda row: _around(math.sqrt(row.unit)),
    "lost_beside_one": lambda row: _around(row.unit),
}
"""Pre-activations, of either sign, at which a formula meets a limit of the precision: between these sizes."""

LONG = (7, 8, 9, 15, 16, 17, 31, 32, 33, 63)
"""Widths and batches around whole vectors and blocks, and between, at which a remainder is forgotten or is empty."""

REAL_LONG = (8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512)
"""The same of real size."""


def at_edges(rng: np.random.Generator, shape: tuple[int, ...], precision: str) -> Array:
    """Pre-activations, each at an edge of its own."""
    row = PRECISIONS[precision]
    lows, highs = np.array([edge(row) for edge in EDGES.values()]).T
    chosen = rng.integers(len(EDGES), size=shape)
    # evenly by their exponents, since some ranges hold several powers of two
    sizes = np.exp(rng.uniform(np.log(lows)[chosen], np.log(highs)[chosen]))
    return np.asarray(sizes * rng.choice([-1.0, 1.0], size=shape))
