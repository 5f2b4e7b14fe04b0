"""The numbers of a problem by value classes: NumPy draws them from a seed, exact in the precision under test."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from properties.architecture import Architecture
from reference.activations import ACTIVATIONS
from reference.arrays import Array
from reference.choice import bind, split
from reference.forward import forward
from reference.precisions import PRECISIONS
from reference.problem import Problem

SHORT = (0.0, 1.0, -1.0, 0.5, 2.0, -0.5, -2.0, 3.0, -3.0, 0.25, 1.5, -1.5)
"""Numbers that people read at a glance, exact in every precision."""

Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]

VALUE_CLASSES: dict[str, Draw] = {
    "short": lambda rng, shape: rng.choice(SHORT, shape),
    "normal": lambda rng, shape: rng.normal(size=shape),
    "zeros": lambda rng, shape: rng.normal(size=shape) * rng.integers(0, 2, shape),
    "saturated": lambda rng, shape: rng.normal(size=shape) * rng.choice([5, 20, 100]),
    "one_sign": lambda rng, shape: np.abs(rng.normal(size=shape)),
    "mixed_scales": lambda rng, shape: rng.normal(size=shape) * 2.0 ** rng.integers(-12, 7, shape),
}
"""How most numbers of a problem are drawn."""

EXTREMES = ("", "tiny", "subnormal", "huge")
"""What one of a problem's arrays may be made into, the others left as they are."""

SPECIALS = ("", "tie", "equal_samples", "equal_nodes", "no_error")
"""What else may be arranged: a pre-activation on a kink, duplicated samples or rows, a sample that is as expected."""


@dataclass(frozen=True)
class ValuePlan:
    """Which numbers a problem gets."""

    value_class: str = "normal"
    extreme: str = ""
    special: str = ""


def rounded(array: Any, precision: str) -> Array:
    """The nearest numbers that the precision holds, as float64; never infinite."""
    largest = PRECISIONS[precision].largest
    held: Array = np.clip(np.asarray(array, dtype=np.float64), -largest, largest).astype(precision).astype(np.float64)
    return held


def problem_of_seed(architecture: Architecture, plan: ValuePlan, seed: int, precision: str = "float64") -> Problem:
    """The problem of an architecture, a plan and a seed: always the same one."""
    rng = np.random.default_rng(seed)
    draw = VALUE_CLASSES[plan.value_class]
    widths, batch = architecture.widths, architecture.batch
    weights = [draw(rng, (n, m)) for m, n in pairwise(widths)]
    if plan.value_class not in ("short", "saturated"):
        # a sum of n products stays near 1, so that deep networks neither vanish nor saturate
        weights = [w * 2.0 ** -round(0.5 * np.log2(w.shape[1])) for w in weights]
    biases = [draw(rng, (n,)) if biased else None for n, biased in zip(widths[1:], architecture.biased, strict=True)]
    x, y = draw(rng, (batch, widths[0])), expected_outputs(architecture, rng, draw)
    if plan.special == "equal_samples":
        x[-1], y[-1] = x[0], y[0]
    if plan.special == "equal_nodes":
        for weight in weights[:-1]:
            weight[-1] = weight[0]
    if plan.extreme:
        arrays = [x, *weights, *(b for b in biases if b is not None)]
        arrays += [] if split(architecture.loss)[0] in LABELS else [y]
        _make_extreme(arrays[int(rng.integers(len(arrays)))], plan.extreme, rng, precision)
    parts: dict[str, Any] = {
        "weights": [rounded(w, precision) for w in weights],
        "biases": [None if b is None else rounded(b, precision) for b in biases],
        "x": rounded(x, precision),
        "y": rounded(y, precision),
    }
    if plan.special == "tie":
        _tie(architecture, parts, rng, precision)
    problem = Problem(activations=architecture.activations, loss=architecture.loss, reduction=architecture.reduction, **parts)
    if plan.special == "no_error" and split(architecture.loss)[0] not in LABELS:
        output = forward(problem).activations[-1]
        if np.isfinite(output).all():
            y = problem.y.copy()
            # of one sample, one output alone: a problem without any error has no gradient to judge
            where = (0, 0) if architecture.batch == 1 else 0
            y[where] = output[where]
            return problem.replaced(y=rounded(y, precision))
    return problem


def _make_extreme(array: Array, extreme: str, rng: np.random.Generator, precision: str) -> None:
    row = PRECISIONS[precision]
    lowest, highest = row.least_exponent + row.bits - 1, int(np.log2(row.largest))
    exponent = {
        "tiny": int(rng.integers(lowest // 2, -4)),
        "subnormal": int(rng.integers(row.least_exponent, lowest + 2)),
        "huge": int(rng.integers(4, max(5, highest // 4))),
    }[extreme]
    array *= 2.0 ** (exponent // 2)
    array *= 2.0 ** (exponent - exponent // 2)


def _tie(architecture: Architecture, parts: dict[str, Any], rng: np.random.Generator, precision: str) -> None:
    """Put one pre-activation of one sample on a kink, by the node's bias, or by a row of zeros where there is none."""
    kinked = [i for i, choice in enumerate(architecture.activations) if bind(ACTIVATIONS, choice).kinks]
    if not kinked:
        return
    layer = int(rng.choice(kinked))
    sample, node = int(rng.integers(architecture.batch)), int(rng.integers(architecture.widths[layer + 1]))
    kinks = bind(ACTIVATIONS, architecture.activations[layer]).kinks
    kink = kinks[int(rng.integers(len(kinks)))][0]
    weights, biases = parts["weights"], parts["biases"]
    if biases[layer] is None:
        weights[layer][node] = 0.0
        return
    biases[layer][node] = 0.0
    with np.errstate(all="ignore"):
        passed = forward(Problem(activations=architecture.activations, loss=architecture.loss, **parts))
    z = passed.pre_activations[layer][sample, node]
    if np.isfinite(z):
        biases[layer][node] = rounded(kink - z, precision)


LABELS = ("binary_cross_entropy_with_logits", "softmax_cross_entropy")
"""The losses whose expected outputs are probabilities."""


def labels(loss: str, outputs: int) -> list[tuple[float, ...]]:
    """The expected outputs that are drawn for one sample, simplest first: short, and exact in every precision."""
    if loss == "binary_cross_entropy_with_logits":
        return [(probability,) for probability in (0.0, 1.0, 0.5, 0.25, 0.75)]
    unit = np.eye(outputs)
    rows = [*unit, *((unit[i] + unit[i - 1]) / 2 for i in range(1, outputs)), *((3 * unit[i] + unit[i - 1]) / 4 for i in range(1, outputs))]
    return [tuple(row.tolist()) for row in rows]


def expected_outputs(architecture: Architecture, rng: np.random.Generator, draw: Draw) -> Array:
    """y, (batch, n_L)."""
    loss, outputs = split(architecture.loss)[0], architecture.widths[-1]
    if loss not in LABELS:
        return draw(rng, (architecture.batch, outputs))
    options = np.array(labels(loss, outputs))
    columns = outputs if loss == "binary_cross_entropy_with_logits" else 1
    return options[rng.integers(len(options), size=(architecture.batch, columns))].reshape(architecture.batch, outputs)
