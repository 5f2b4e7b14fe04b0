"""A kind of problems that users have, and what several kinds draw alike: numbers, expected outputs, small networks."""

import functools
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from backproof import Problem
from reference.functions.activations import ACTIVATIONS
from reference.functions.expected_outputs import DISTRIBUTION, PROBABILITIES
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of

Draw = Callable[[np.random.Generator], Sequence[Problem]]

SMOOTH = ("tanh", "sigmoid", "gelu", "silu", "softplus")
COMMON = ("tanh", "relu", "sigmoid", "gelu", "silu")
"""What most networks have; the others of ACTIVATIONS are drawn too, less often."""

SINGLES = 0.75
"""How often a problem's numbers are held in float32; else they are float64 numbers, which an answer in float32 was rounded from."""


@dataclass(frozen=True)
class Kind:
    """draw: from a Generator to some problems, always as many: one, or, as training is costly, many of one training.

    trained: whether the weights come from training; held_out: whether no constant may be fitted on it (--fitting leaves it out).
    """

    name: str
    draw: Draw
    count: int = 1
    trained: bool = False
    held_out: bool = False

    def problem(self, seed: int, index: int) -> Problem:
        """The problem with an index: a pure function of seed, kind and index."""
        group, place = divmod(index, self.count)
        return _drawn(self.draw, self.name, seed, group)[place]


@functools.lru_cache(maxsize=2)
def _drawn(draw: Draw, name: str, seed: int, group: int) -> Sequence[Problem]:
    with np.errstate(all="ignore"):
        return draw(generator(seed, name, group))


def generator(seed: int, name: str, index: int) -> np.random.Generator:
    """The Generator of one draw of one kind."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), index])


def pick(rng: np.random.Generator, choices: Sequence[Any]) -> Any:
    """One of some choices."""
    return choices[int(rng.integers(len(choices)))]


def single(array: Any) -> Any:
    """The nearest numbers of float32, as float64."""
    with np.errstate(over="ignore"):
        return np.asarray(array, dtype=np.float32).astype(np.float64)


def activation(rng: np.random.Generator) -> Any:
    """An activation: mostly a common one."""
    return pick(rng, COMMON if rng.random() < 0.7 else tuple(ACTIVATIONS))


def loss(rng: np.random.Generator, outputs: int) -> Any:
    """A loss, each as often as another; none of classes of one output, whose gradient is 0."""
    name = pick(rng, [name for name, make in LOSSES.items() if outputs > 1 or make().expected is not DISTRIBUTION])
    return (name, {"delta": float(pick(rng, (0.5, 4.0)))}) if name == "huber" and rng.random() < 0.5 else name


def expected(rng: np.random.Generator, chosen: Any, batch: int, outputs: int) -> Any:
    """Expected outputs that fit a loss: one-hot or soft, 0 and 1, or normal ones. (batch, outputs)."""
    takes = row_of(LOSSES, chosen).expected
    if takes is DISTRIBUTION:
        return soft(rng, batch, outputs) if rng.random() < 0.2 else np.eye(outputs)[rng.integers(outputs, size=batch)]
    if takes is PROBABILITIES:
        return (rng.random((batch, outputs)) < 0.5) * 1.0
    return rng.normal(size=(batch, outputs)) * float(pick(rng, (1, 1, 0.1, 30)))


def soft(rng: np.random.Generator, batch: int, outputs: int) -> Any:
    """Distributions held in float32, whose sums are 1 but for that rounding. (batch, outputs)."""
    return single(rng.dirichlet(np.full(outputs, float(pick(rng, (0.1, 1, 10)))), batch))


def shape(rng: np.random.Generator, most: float = 3e6) -> tuple[tuple[int, ...], int]:
    """Widths and a batch, of which one in twenty costs ten times as much as the others may at most."""
    most = most * 10 if rng.random() < 0.05 else most
    while True:
        widths, batch = pick(rng, SHAPES), int(pick(rng, BATCHES))
        if batch * sum(n * m for n, m in pairwise(widths)) <= most:
            return widths, batch


SHAPES = (
    (1, 1),
    (5, 1),
    (10, 1),
    (64, 3),
    (2, 8, 1),
    (4, 16, 3),
    (8, 70, 2),
    (13, 32, 32, 1),
    (20, 80, 10),
    (64, 64, 10),
    (100, 80, 10),
    (64, 64, 64, 64, 64),
    (784, 128, 10),
    (512, 512, 512, 3),
)
BATCHES = (1, 2, 5, 17, 32, 64, 64, 100, 128, 300, 1000, 2000, 4096)


def network(
    rng: np.random.Generator,
    weights: Sequence[Any],
    x: Any,
    y: Any,
    *,
    hidden: Any = None,
    output: Any = "identity",
    loss: Any = "half_squared_error",
    biases: Sequence[Any] | None = None,
    reduction: str = "",
) -> Problem:
    """One problem; with random biases, or none, where none are given, and a random reduction where none is.

    Before a loss of probabilities stands what gives them, whatever output is.
    """
    if biases is None and rng.random() < 0.7:
        biases = [rng.normal(size=len(weight)) * 0.1 for weight in weights]
    held = single if rng.random() < SINGLES else np.asarray
    return Problem(
        [held(weight) for weight in weights],
        biases=None if biases is None else [None if bias is None else held(bias) for bias in biases],
        activations=[*[hidden or activation(rng)] * (len(weights) - 1), [*row_of(LOSSES, loss).behind, output][0]],
        x=held(x),
        y=held(y),
        loss=loss,
        reduction=reduction or str(pick(rng, ("sum", "mean"))),
    )
