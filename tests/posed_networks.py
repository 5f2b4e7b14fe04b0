"""Small networks to look at one step of: numbers near 1, so that no node is saturated and no gradient is small."""

from itertools import pairwise
from typing import Any

import numpy as np

from backproof import Problem


def posed(
    *widths: int,
    batch: int = 1,
    seed: int = 1,
    activations: list[Any] | None = None,
    last: str = "identity",
    biased: bool = True,
    signed: bool = True,
    size: float = 1.0,
    **parts: Any,
) -> Problem:
    """A problem of these widths; tanh in hidden layers, and the last as said; signed: whether weights have either sign; size: of x."""
    rng = np.random.default_rng(seed)
    layers = list(pairwise(widths))
    return Problem(
        [rng.uniform(0.3, 1.2, (m, n)) * (rng.choice([-1, 1], (m, n)) if signed else 1) for n, m in layers],
        biases=[rng.uniform(0.1, 0.5, m) if biased else None for _, m in layers],
        activations=activations or [*["tanh"] * (len(layers) - 1), last],
        **{"x": rng.uniform(0.3, 1.2, (batch, widths[0])) * size, "y": rng.uniform(1.5, 2.5, (batch, widths[-1]))} | parts,
    )
