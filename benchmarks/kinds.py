"""The kinds of problems that users have, from students' exercises to trained networks: KINDS, one function each."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from backproof import Problem
from benchmarks.kind import BATCHES, Kind, expected, loss, network, pick, shape, single, soft
from benchmarks.trained_kinds import TRAINED

Rows = Callable[[np.random.Generator, int, int], Any]
Matrix = Callable[[np.random.Generator, int, int], Any]


def xor(rng: np.random.Generator) -> Problem:
    """The four corners again and again, with and without noise; 2-h-1."""
    x = rng.integers(2, size=(int(pick(rng, (4, 64, 200, 1000))), 2)) * 1.0
    y = (x[:, :1] != x[:, 1:]) * 1.0
    return _student(rng, x + rng.normal(size=x.shape) * float(pick(rng, (0, 0, 0.1))), y)


def moons(rng: np.random.Generator) -> Problem:
    """Two half circles, 2 classes."""
    t, y = rng.uniform(0, np.pi, size=_many(rng)), None
    y = rng.integers(2, size=len(t))
    x = np.stack([np.cos(t) * (1 - 2 * y) + y, np.sin(t) * (1 - 2 * y) + 0.5 * y], axis=1) + rng.normal(size=(len(t), 2)) * 0.1
    return _student(rng, x, y[:, None] * 1.0)


def circles(rng: np.random.Generator) -> Problem:
    """A circle within another, 2 classes."""
    t = rng.uniform(0, 2 * np.pi, size=_many(rng))
    y = rng.integers(2, size=len(t))
    x = np.stack([np.cos(t), np.sin(t)], axis=1) * (1 - 0.5 * y[:, None]) + rng.normal(size=(len(t), 2)) * 0.05
    return _student(rng, x, y[:, None] * 1.0)


def sine(rng: np.random.Generator) -> Problem:
    """One input, one output: the sine of equally spaced or random numbers."""
    count = _many(rng)
    x = np.linspace(-np.pi, np.pi, count) if rng.random() < 0.5 else rng.uniform(-np.pi, np.pi, count)
    chosen = str(pick(rng, ("half_squared_error", "mean_squared_error", "squared_error")))
    return network(rng, _layers(rng, _small(rng, 1, 1)), x[:, None], np.sin(x)[:, None], loss=chosen)


def iris(rng: np.random.Generator) -> Problem:
    """Fisher's irises, raw or standardised, 3 classes; all 150 samples or some."""
    from benchmarks.trained_kinds import data

    x, y = data("iris")
    x = (x - x.mean(axis=0)) / x.std(axis=0) if rng.random() < 0.5 else x
    some = rng.permutation(len(x))[: int(pick(rng, (64, 100, 150)))]
    some = np.sort(some) if rng.random() < 0.5 else some
    return network(rng, _layers(rng, _small(rng, 4, 3)), x[some], y[some], loss="softmax_cross_entropy")


def _many(rng: np.random.Generator) -> int:
    return int(pick(rng, (64, 100, 200, 500, 1000, 2000)))


def _small(rng: np.random.Generator, inputs: int, outputs: int) -> tuple[int, ...]:
    """Widths that students use."""
    return (inputs, *[int(pick(rng, (2, 3, 4, 8, 16, 32)))] * int(rng.integers(1, 4)), outputs)


def _student(rng: np.random.Generator, x: Any, y: Any) -> Problem:
    """A small network for two classes: one output or two, with a sigmoid and squares or with a cross-entropy."""
    way = int(rng.integers(3))
    if way == 0:
        return network(rng, _layers(rng, _small(rng, 2, 2)), x, np.hstack([1 - y, y]), loss="softmax_cross_entropy")
    weights = _layers(rng, _small(rng, 2, 1))
    if way == 1:
        return network(rng, weights, x, y, loss="binary_cross_entropy_with_logits")
    return network(rng, weights, x, y, output="sigmoid", loss=str(pick(rng, ("half_squared_error", "mean_squared_error"))))


def _layers(rng: np.random.Generator, widths: tuple[int, ...], matrix: Matrix | None = None) -> list[Any]:
    """Weights for widths: normal ones, or those of a function of rng, outputs and inputs."""
    matrix = matrix or _normal
    return [matrix(rng, m, n) for n, m in pairwise(widths)]


def _normal(rng: np.random.Generator, outputs: int, inputs: int) -> Any:
    return rng.normal(size=(outputs, inputs)) / np.sqrt(inputs)


INPUTS: dict[str, tuple[Rows, bool]] = {
    "normal": (lambda rng, batch, n: rng.normal(size=(batch, n)), False),
    "pixels from 0 to 255": (lambda rng, batch, n: rng.integers(0, 256, (batch, n)) * (rng.random((batch, n)) < 0.2) * 1.0, False),
    "one-hot": (lambda rng, batch, n: np.eye(n)[rng.integers(n, size=batch)], False),
    "binary": (lambda rng, batch, n: (rng.random((batch, n)) < 0.5) * 1.0, True),
    "of large mean": (lambda rng, batch, n: 1000 + rng.normal(size=(batch, n)), False),
    "of very different scales": (lambda rng, batch, n: rng.normal(size=(batch, n)) * 10.0 ** rng.integers(-6, 7, n), True),
    "all equal": (lambda rng, batch, n: np.full((batch, n), float(pick(rng, (0.0, 1.0, 0.1, -3.7)))), False),
    "sorted": (lambda rng, batch, n: np.sort(rng.normal(size=(batch, n)), axis=int(rng.integers(2))), True),
    "one sample repeated": (lambda rng, batch, n: np.repeat(rng.normal(size=(1, n)), batch, axis=0), False),
    "few samples repeated": (lambda rng, batch, n: rng.normal(size=(4, n))[rng.integers(4, size=batch)], False),
    "near-identical": (lambda rng, batch, n: rng.normal(size=(1, n)) + rng.normal(size=(batch, n)) * 10.0 ** -rng.integers(2, 8), True),
    "with an outlier": (lambda rng, batch, n: _outlier(rng, rng.normal(size=(batch, n))), False),
}
"""By name: rows of inputs, and whether the kind is held out."""


def _outlier(rng: np.random.Generator, x: Any) -> Any:
    x[int(rng.integers(len(x)))] *= 10.0 ** rng.integers(2, 5)
    return x


def _orthogonal(rng: np.random.Generator, outputs: int, inputs: int) -> Any:
    size = max(outputs, inputs)
    return np.linalg.qr(rng.normal(size=(size, size)))[0][:outputs, :inputs]


def _low_rank(rng: np.random.Generator, outputs: int, inputs: int) -> Any:
    return rng.normal(size=(outputs, 2)) @ rng.normal(size=(2, inputs)) / np.sqrt(2 * inputs)


WEIGHTS: dict[str, tuple[Matrix, bool]] = {
    "normal": (_normal, False),
    "constant": (lambda rng, m, n: np.full((m, n), 1 / n), False),
    "orthogonal": (_orthogonal, False),
    "of low rank": (_low_rank, True),
    "pruned": (lambda rng, m, n: 3 * _normal(rng, m, n) * (rng.random((m, n)) < 0.1), False),
    "heavy-tailed": (lambda rng, m, n: rng.standard_cauchy((m, n)) / n, True),
    "positive": (lambda rng, m, n: np.abs(_normal(rng, m, n)), False),
    "tiny": (lambda rng, m, n: 1e-3 * _normal(rng, m, n), False),
    "huge": (lambda rng, m, n: 30 * _normal(rng, m, n), True),
}
"""By name: a matrix of weights, and whether the kind is held out."""


def _crossed(rng: np.random.Generator, rows: Rows | None, matrix: Matrix | None) -> Problem:
    """Inputs or weights of a kind, the other normal or of any kind that is not held out."""
    widths, batch = shape(rng)
    others = rng.random() < 0.5
    fitted_rows, fitted_matrices = ([each for each, held_out in table.values() if not held_out] for table in (INPUTS, WEIGHTS))
    rows = rows or (pick(rng, fitted_rows) if others else INPUTS["normal"][0])
    matrix = matrix or (pick(rng, fitted_matrices) if others else _normal)
    chosen = loss(rng, widths[-1])
    x, y = rows(rng, batch, widths[0]), expected(rng, chosen, batch, widths[-1])
    output = pick(rng, ("sigmoid", "tanh")) if not isinstance(chosen, tuple) and "squared" in chosen and rng.random() < 0.2 else "identity"
    return network(rng, _layers(rng, widths, matrix), x, y, loss=chosen, output=output)


def last_layer_zero(rng: np.random.Generator) -> Problem:
    """The last layer's weights and biases begin at 0."""
    widths, batch = shape(rng)
    weights, chosen = _layers(rng, widths), loss(rng, widths[-1])
    biases = [rng.normal(size=len(weight)) * 0.1 for weight in weights[:-1]]
    x, y = rng.normal(size=(batch, widths[0])), expected(rng, chosen, batch, widths[-1])
    return network(rng, [*weights[:-1], 0 * weights[-1]], x, y, loss=chosen, biases=[*biases, np.zeros(widths[-1])])


def bottleneck(rng: np.random.Generator) -> Problem:
    """A hidden layer of one node."""
    wide, batch, chosen = int(pick(rng, (4, 30, 100, 300))), int(pick(rng, BATCHES[:9])), loss(rng, 5)
    x, y = rng.normal(size=(batch, wide)), expected(rng, chosen, batch, 5)
    return network(rng, _layers(rng, (wide, 1, wide, 5)), x, y, loss=chosen)


def twenty_layers(rng: np.random.Generator) -> Problem:
    """Twenty layers, of normal, orthogonal or small weights."""
    width, batch = int(pick(rng, (4, 16, 40, 70))), int(pick(rng, (1, 16, 64, 128)))
    chosen = loss(rng, width)
    matrix, factor = pick(rng, (_normal, _orthogonal)), float(pick(rng, (1, 1, 1.4, 0.5)))
    weights = [factor * weight for weight in _layers(rng, (width,) * 21, matrix)]
    return network(rng, weights, rng.normal(size=(batch, width)), expected(rng, chosen, batch, width), loss=chosen)


def narrow(rng: np.random.Generator) -> Problem:
    """Few nodes, often a single layer with one output, and batches of 64 and more."""
    widths = pick(rng, ((1, 1), (2, 1), (3, 1), (8, 1), (2, 3, 1), (4, 8, 1), (3, 5, 5, 2), (16, 32, 4)))
    batch, chosen = int(pick(rng, (64, 65, 100, 128, 300, 1000, 2000, 4096))), loss(rng, widths[-1])
    rows = pick(rng, [each for each, held_out in INPUTS.values() if not held_out])
    return network(rng, _layers(rng, widths), rows(rng, batch, widths[0]), expected(rng, chosen, batch, widths[-1]), loss=chosen)


def every_loss(rng: np.random.Generator) -> Problem:
    """Any loss, outputs large or small, with sum and mean."""
    widths, batch = shape(rng)
    chosen = loss(rng, widths[-1])
    weights = _layers(rng, widths)
    weights[-1] = weights[-1] * float(pick(rng, (0.1, 1, 10)))
    return network(rng, weights, rng.normal(size=(batch, widths[0])), expected(rng, chosen, batch, widths[-1]), loss=chosen)


def layers_of_softmax(rng: np.random.Generator) -> Problem:
    """Softmax in all hidden layers, of small or large logits, with inputs of many kinds."""
    widths, batch = shape(rng)
    chosen, rows = loss(rng, widths[-1]), pick(rng, [each for each, held_out in INPUTS.values() if not held_out])
    weights = [weight * float(pick(rng, (1, 1, 3))) for weight in _layers(rng, widths)]
    y = expected(rng, chosen, batch, widths[-1])
    return network(rng, weights, rows(rng, batch, widths[0]), y, hidden="softmax", loss=chosen)


def soft_labels(rng: np.random.Generator) -> Problem:
    """Distributions held in float32, whose sums are 1 only to some 3e-8."""
    widths, batch = shape(rng)
    widths = (*widths[:-1], max(widths[-1], 2))
    y = soft(rng, batch, widths[-1])
    return network(rng, _layers(rng, widths), rng.normal(size=(batch, widths[0])), y, loss="softmax_cross_entropy")


def few_predictions(rng: np.random.Generator) -> Problem:
    """Inputs of few values, so that few predictions differ, and expected outputs of short decimals: their low bits are shared."""
    batch = int(pick(rng, (64, 300, 1000, 4096)))
    x = rng.integers(0, 3, (batch, 3)) * float(pick(rng, (1.0, 0.1)))
    y = np.round(rng.normal(size=(batch, 4)), int(pick(rng, (0, 1))))
    return network(rng, _layers(rng, (3, 16, 4)), x, single(y), loss=str(pick(rng, ("half_squared_error", "huber", "mean_squared_error"))))


def any_batch(rng: np.random.Generator) -> Problem:
    """A batch of any size from 1 to 4,096."""
    batch, widths = int(2 ** rng.uniform(0, 12)), pick(rng, ((3, 4, 2), (10, 20, 5), (30, 64, 3)))
    chosen = loss(rng, widths[-1])
    return network(rng, _layers(rng, widths), rng.normal(size=(batch, widths[0])), expected(rng, chosen, batch, widths[-1]), loss=chosen)


def _one(draw: Callable[[np.random.Generator], Problem]) -> Callable[[np.random.Generator], tuple[Problem]]:
    return lambda rng: (draw(rng),)


def _of_inputs(rows: Rows) -> Callable[[np.random.Generator], tuple[Problem]]:
    return lambda rng: (_crossed(rng, rows, None),)


def _of_weights(matrix: Matrix) -> Callable[[np.random.Generator], tuple[Problem]]:
    return lambda rng: (_crossed(rng, None, matrix),)


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        *(Kind(f"students: {draw.__name__}", _one(draw), held_out=draw in (circles, sine)) for draw in (xor, moons, circles, sine, iris)),
        *(Kind(f"inputs: {name}", _of_inputs(rows), held_out=held_out) for name, (rows, held_out) in INPUTS.items()),
        *(Kind(f"weights: {name}", _of_weights(matrix), held_out=held_out) for name, (matrix, held_out) in WEIGHTS.items()),
        Kind("last layer zero", _one(last_layer_zero)),
        Kind("bottleneck", _one(bottleneck), held_out=True),
        Kind("twenty layers", _one(twenty_layers)),
        Kind("narrow", _one(narrow)),
        Kind("every loss", _one(every_loss)),
        Kind("layers of softmax", _one(layers_of_softmax)),
        Kind("soft labels", _one(soft_labels)),
        Kind("few predictions", _one(few_predictions), held_out=True),
        Kind("any batch", _one(any_batch)),
        *TRAINED,
    )
}
