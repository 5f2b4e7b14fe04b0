"""The numbers of a problem by value classes: NumPy draws them from a seed, exact in the precision under test."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from properties.problems.architecture import Architecture, Picker
from properties.problems.edges import at_edges
from properties.problems.tame import are_tame, tamed, with_better
from reference.arrays import Array, clipped
from reference.forward import forward
from reference.functions.activations import ACTIVATIONS
from reference.functions.expected_outputs import Labels
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.passes import passes
from reference.problem import WANTS, Problem
from rounding.arithmetic import typical_rounding
from rounding.precisions import PRECISIONS
from rounding.second_moment import near_kinks

SHORT = (0.0, 1.0, -1.0, 0.5, 2.0, -0.5, -2.0, 3.0, -3.0, 0.25, 1.5, -1.5)
"""Numbers that people read at a glance, exact in every precision."""

Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]
"""Numbers of a shape, whose first axis counts problems."""

VALUE_CLASSES: dict[str, Draw] = {
    "short": lambda rng, shape: rng.choice(SHORT, shape),
    "normal": lambda rng, shape: rng.normal(size=shape),
    "zeros": lambda rng, shape: rng.normal(size=shape) * rng.integers(0, 2, shape),
    "saturated": lambda rng, shape: rng.normal(size=shape) * rng.choice([5, 20, 100], (shape[0], *(1 for _ in shape[1:]))),
    "one_sign": lambda rng, shape: np.abs(rng.normal(size=shape)),
    "mixed_scales": lambda rng, shape: rng.normal(size=shape) * 2.0 ** rng.integers(-12, 7, shape),
}
"""How most numbers of a problem are drawn."""

EXTREMES = ("", "tiny", "subnormal", "huge")
"""What one of a problem's arrays may be made into, the others left as they are."""

SPECIALS = ("", "tie", "equal_samples", "equal_nodes", "no_error", "edges")
"""What else may be arranged: a pre-activation on a kink or some at EDGES, duplicated samples or rows, a sample that is as expected."""


@dataclass(frozen=True)
class ValuePlan:
    """Which numbers a problem gets."""

    value_class: str = "normal"
    extreme: str = ""
    special: str = ""


def pick_plan(picker: Picker, value_class: str) -> ValuePlan:
    """A plan of a value class: most have no extreme array, and many nothing special."""
    extreme = picker.pick("extreme", (*3 * ("",), *EXTREMES[1:]))
    return ValuePlan(value_class, extreme, picker.pick("special", (*2 * ("",), *SPECIALS[1:])))


def rounded(array: Any, precision: str) -> Array:
    """The nearest numbers that the precision holds, as float64, in which -0.0 is 0.0; never infinite."""
    row = PRECISIONS[precision]
    return row.held(clipped(np.asarray(array, dtype=np.float64), -row.largest, row.largest)) + 0.0


def held_in(problem: Problem, precision: str) -> Problem:
    """The problem whose numbers are the nearest that a precision holds."""
    weights = [rounded(weight, precision) for weight in problem.weights]
    biases = [None if bias is None else rounded(bias, precision) for bias in problem.biases]
    counts = None if problem.sample_weights is None else rounded(problem.sample_weights, precision)
    x, y = rounded(problem.x, precision), rounded(problem.y, precision)
    return problem.replaced(weights=weights, biases=biases, x=x, y=y, sample_weights=counts)


def problem_of_seed(architecture: Architecture, plan: ValuePlan, seed: int, precision: str = "float64") -> Problem:
    """The problem of an architecture, a plan and a seed: always the same one."""
    return problems_of_seed(architecture, plan, seed, precision, 1).at(0)


def problems_of_seed(
    architecture: Architecture, plan: ValuePlan, seed: int | Sequence[int], precision: str, count: int, wants: Sequence[str] = ()
) -> Problem:
    """A stack of count problems of an architecture, a plan and a seed: always the same ones. Their arrays are read-only."""
    rng = np.random.default_rng(seed)
    draw = VALUE_CLASSES[plan.value_class]
    widths, batch = architecture.widths, architecture.batch
    weights = [draw(rng, (count, n, m)) for m, n in pairwise(widths)]
    if plan.value_class not in ("short", "saturated"):
        # a sum of n products stays near 1, so that deep networks neither vanish nor saturate
        weights = [w * 2.0 ** -round(0.5 * np.log2(w.shape[-1])) for w in weights]
    biases = [draw(rng, (count, n)) if biased else None for n, biased in zip(widths[1:], architecture.biased, strict=True)]
    x, y = draw(rng, (count, batch, widths[0])), expected_outputs(architecture, rng, draw, count)
    if plan.special == "equal_samples":
        x[:, -1], y[:, -1] = x[:, 0], y[:, 0]
    if plan.special == "equal_nodes":
        for weight in weights[:-1]:
            weight[:, -1] = weight[:, 0]
    if plan.extreme:
        arrays = [x, *weights, *(b for b in biases if b is not None)]
        arrays += [y] if _labels(architecture) is None else []
        _make_extreme(arrays[int(rng.integers(len(arrays)))], plan.extreme, rng, precision)
    parts: dict[str, Any] = {
        "weights": tuple(rounded(w, precision) for w in weights),
        "biases": tuple(None if b is None else rounded(b, precision) for b in biases),
        "x": rounded(x, precision),
        "y": rounded(y, precision),
        "sample_weights": sample_weights(rng, (count, batch)) if architecture.weighted else None,
    }
    same: dict[str, Any] = {name: getattr(architecture, name) for name in ("activations", "loss", "reduction", "penalty")}
    asked = tuple(want for want in WANTS if want in wants or want in WANTS[:2])
    stack = Problem.unchecked(wants=asked, **same, **parts)
    with np.errstate(all="ignore"):
        if plan.special == "tie":
            _tie(stack, rng, precision)
        if plan.special == "edges":
            _put_on_edges(stack, rng, precision)
        if plan.special == "no_error" and row_of(LOSSES, architecture.loss).of_differences and not architecture.labels:
            _leave_no_error(stack, precision)
    for _, array in stack.arrays():
        array.flags.writeable = False
    return stack


def tame_problems_of_seed(
    architecture: Architecture, seed: Sequence[int], precision: str, count: int, wants: Sequence[str] = ()
) -> Problem:
    """A stack of problems with moderate numbers: always the same ones. What is not tame is drawn anew, a few times."""
    stack = tamed(problems_of_seed(architecture, ValuePlan(), (*seed, 0), precision, count, wants))
    for attempt in range(1, TRIES):
        if (tame := are_tame(stack)).all():
            break
        another = tamed(problems_of_seed(architecture, ValuePlan(), (*seed, attempt), precision, count, wants))
        stack = with_better(stack, another, are_tame(another) & ~tame)
    for _, array in stack.arrays():
        array.flags.writeable = False
    return stack


TRIES = 8
"""So often a tame problem is drawn: a deep network without biases may be dead in all of them, on the kink of ReLU."""


def without_near_kinks(problem: Problem, precision: str) -> Problem:
    """The problem without the samples of which a pre-activation is so near a kink that rounding decides on which side it is.

    All samples stay where hardly any would be left.
    """
    noise = typical_rounding(PRECISIONS[precision])
    while problem.batch > 1:
        near = near_kinks(passes(problem), noise)
        if not near.any():
            return problem
        counts = problem.sample_weights
        if near.sum() > problem.batch / 2 or (counts is not None and not counts[~near].any()):
            break
        problem = problem.of_samples(~near)
    return problem


def _leave_no_error(stack: Problem, precision: str) -> None:
    """Expect what one sample's outputs are; of a lone sample one output, since a problem without any error has no gradient to judge."""
    if stack.batch == stack.widths[-1] == 1:
        return
    output, some = forward(stack).activations[-1], 1 if stack.batch == 1 else None
    fits = np.isfinite(output).all(axis=(-2, -1)).reshape(-1, 1)
    stack.y[:, 0, :some] = np.where(fits, rounded(output, precision)[:, 0, :some], stack.y[:, 0, :some])


def _make_extreme(array: Array, extreme: str, rng: np.random.Generator, precision: str) -> None:
    row = PRECISIONS[precision]
    lowest, highest = row.least_exponent + row.bits - 1, int(np.log2(row.largest))
    limits = {
        "tiny": (lowest // 2, -4),
        "subnormal": (row.least_exponent, lowest + 2),
        "huge": (4, max(5, highest // 4)),
    }[extreme]
    exponent = rng.integers(*limits, size=(len(array), *(1 for _ in array.shape[1:])))
    array *= 2.0 ** (exponent // 2)
    array *= 2.0 ** (exponent - exponent // 2)


def _tie(stack: Problem, rng: np.random.Generator, precision: str) -> None:
    """Put one pre-activation of one sample on a kink, by the node's bias, or by a row of zeros where there is none."""
    kinked = [i for i, choice in enumerate(stack.activations) if row_of(ACTIVATIONS, choice).kinks]
    if not kinked:
        return
    layer = int(rng.choice(kinked))
    sample, node = int(rng.integers(stack.batch)), int(rng.integers(stack.widths[layer + 1]))
    kinks = row_of(ACTIVATIONS, stack.activations[layer]).kinks
    kink = kinks[int(rng.integers(len(kinks)))][0]
    bias = stack.biases[layer]
    if bias is None:
        stack.weights[layer][:, node] = 0.0
        return
    bias[:, node] = 0.0
    z = forward(stack).pre_activations[layer][:, sample, node]
    bias[:, node] = np.where(np.isfinite(z), rounded(kink - z, precision), 0.0)


def _put_on_edges(stack: Problem, rng: np.random.Generator, precision: str) -> None:
    """Put some pre-activations of one layer and sample at edges, each by one weight of its node, whose others and bias become 0."""
    layer, sample = int(rng.integers(len(stack.weights))), int(rng.integers(stack.batch))
    weights, bias = stack.weights[layer], stack.biases[layer]
    count, nodes, inputs = weights.shape
    chosen = rng.integers(inputs, size=(count, nodes))
    a = np.take_along_axis(forward(stack).activations[layer][:, sample], chosen, axis=1)
    weight = rounded(at_edges(rng, (count, nodes), precision) / a, precision)
    moved = rng.integers(0, 2, (count, nodes)).astype(bool) | (nodes == 1)
    moved &= np.isfinite(a) & (a != 0) & (weight != 0) & (np.abs(weight) < PRECISIONS[precision].largest)
    weights[moved] = 0.0
    problem, node = np.nonzero(moved)
    weights[problem, node, chosen[moved]] = weight[moved]
    if bias is not None:
        bias[moved] = 0.0


def expected_outputs(architecture: Architecture, rng: np.random.Generator, draw: Draw, count: int) -> Array:
    """y of a stack, (count, batch, n_L)."""
    batch, outputs = architecture.batch, architecture.widths[-1]
    labels = _labels(architecture)
    if labels is None:
        return draw(rng, (count, batch, outputs))
    options = np.array(labels(outputs))
    columns = outputs // options.shape[1]
    return options[rng.integers(len(options), size=(count, batch, columns))].reshape(count, batch, outputs)


def sample_weights(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Weights of samples of a stack, (count, batch): a mask, or sixteenths around 1, exact in every precision; never all 0."""
    weights: Array = np.where(rng.integers(0, 2, (shape[0], 1)), rng.integers(0, 2, shape), rng.integers(0, 33, shape) / 16)
    weights[:, 0] += weights.sum(axis=1) == 0
    return weights


def _labels(architecture: Architecture) -> Labels | None:
    return architecture.labels or row_of(LOSSES, architecture.loss).expected.labels
