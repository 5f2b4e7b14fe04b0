"""Hypothesis strategies for whole problems.

A problem is drawn in one of two styles: "free", where Hypothesis draws every number itself and shrinks each to a short one,
and "seeded", where NumPy draws the numbers by value classes from one seed, which is fast and reaches the special values.
"""

from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st

from properties.problems.architecture import Architecture, Picker, answers_of, architecture_of, pick_architecture
from properties.problems.exact_numbers import exact_problems_of_seed
from properties.problems.support import Support
from properties.problems.values import VALUE_CLASSES, pick_plan, problem_of_seed, rounded, tame_problems_of_seed
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.problem import Problem
from rounding.precisions import PRECISIONS

T = TypeVar("T")

STYLES = ("free", *3 * tuple(VALUE_CLASSES))
"""Free first, since Hypothesis shrinks towards the first; and seldom, since most of what it draws freely overflows."""


class HypothesisPicker:
    """Hypothesis decides: one integer for each choice, one float for each number."""

    long = False

    def __init__(self, draw: st.DrawFn, precision: str) -> None:
        largest = PRECISIONS[precision].largest
        self._draw, self._precision = draw, precision
        self._floats = st.floats(-largest, largest, allow_nan=False, allow_infinity=False)

    def pick(self, key: Hashable, options: Sequence[T]) -> T:
        return options[self._draw(st.integers(0, len(options) - 1))] if len(options) > 1 else options[0]

    def number(self, key: Hashable) -> float:
        return float(rounded(self._draw(self._floats), self._precision)) + 0.0


class Recorder:
    """A known problem decides: what Hypothesis would have had to draw to get it, in `choices`."""

    long = False

    def __init__(self, problem: Problem, support: Support | None = None) -> None:
        self.choices: list[int | float] = []
        self._answers = answers_of(architecture_of(problem)) | {"style": "free", "wants": problem.wants[2:]}
        for name, array in problem.arrays():
            self._answers |= {(name, *index): float(value) for index, value in np.ndenumerate(array)}
        if labels := (support or Support()).labels(problem.loss):
            rows = problem.y.reshape(-1, len(labels(problem.widths[-1])[0])).tolist()
            self._answers |= {("label", i): tuple(row) for i, row in enumerate(rows)}

    def pick(self, key: Hashable, options: Sequence[T]) -> T:
        """What the problem has. Raises ValueError where it is none of the options."""
        chosen: T = self._answers[key]
        index = options.index(chosen)
        if len(options) > 1:
            self.choices.append(index)
        return chosen

    def number(self, key: Hashable) -> float:
        number: float = self._answers[key]
        self.choices.append(number)
        return number


def pick_problem(picker: Picker, support: Support, precision: str, styles: Sequence[str] = STYLES) -> Problem:
    """A problem that the support allows, exact in the precision, in one of the styles."""
    architecture = pick_architecture(picker, support)
    wants = picker.pick("wants", ((), support.wants)) if support.wants else ()
    if support.values != "any" and styles is STYLES:
        of_seed = tame_problems_of_seed if support.values == "tame" else exact_problems_of_seed
        problem = of_seed(architecture, (picker.pick("seed", range(2**32)),), precision, 1).at(0)
        return problem.replaced(wants=wants) if wants else problem
    style = picker.pick("style", styles)
    if style == "free":
        problem = _free(picker, architecture)
    else:
        problem = problem_of_seed(architecture, pick_plan(picker, style), picker.pick("seed", range(2**32)), precision)
    return problem.replaced(wants=wants) if wants else problem


def _free(picker: Picker, architecture: Architecture) -> Problem:
    def array(name: str, *shape: int) -> np.ndarray[Any, Any]:
        return np.array([picker.number((name, *index)) for index in np.ndindex(*shape)]).reshape(shape)

    widths, batch = architecture.widths, architecture.batch
    weights, biases = [], []
    for i, (inputs, outputs) in enumerate(pairwise(widths), 1):
        weights.append(array(f"layer {i}: weight", outputs, inputs))
        biases.append(array(f"layer {i}: bias", outputs) if architecture.biased[i - 1] else None)
    x = array("x", batch, widths[0])
    if labels := architecture.labels or row_of(LOSSES, architecture.loss).expected.labels:
        options = labels(widths[-1])
        rows = batch * widths[-1] // len(options[0])
        y = np.array([picker.pick(("label", i), options) for i in range(rows)]).reshape(batch, widths[-1])
    else:
        y = array("y", batch, widths[-1])
    counts = np.abs(array("sample_weights", batch)) if architecture.weighted else None
    if counts is not None and not 0 < counts.sum() < np.inf:
        counts = np.ones(batch)
    same: dict[str, Any] = {name: getattr(architecture, name) for name in ("activations", "loss", "reduction", "penalty")}
    return Problem(weights, biases=biases, x=x, y=y, sample_weights=counts, **same)


@st.composite
def problems_of(draw: st.DrawFn, support: Support, precision: str, styles: Sequence[str] = STYLES) -> Problem:
    """The strategy of a support: what check draws from, and shrinks with in the free style alone."""
    return pick_problem(HypothesisPicker(draw, precision), support, precision, styles)
