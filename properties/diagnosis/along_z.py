"""Along z: g and g' of one activation as the target has them, read off its answers at any pre-activations of one layer."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from properties.answers.answer import Answer
from properties.diagnosis.ladder import Drawing
from properties.problems.support import Support
from reference.arrays import AnyArray, Array
from reference.forward import forward
from reference.functions.activation import Joint
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import Choice, row_of
from reference.problem import Problem
from rounding.precisions import Precision

ANCHOR = 1.0
"""Without biases the error of the layer above is read at this z, at which every formula holds its digits."""

WITH_BIAS, WITHOUT = 4.0, 24.0
"""How far what is read may be off, in units of u: a quotient of two answered numbers, or one that an activation stands in."""


@dataclass(frozen=True)
class Read:
    """What the target has at each z, (n,); NaN where it has that, and where nothing can be read.

    z; value: g, slope: g'; error: how far each may be off by reading, relative to it; answered: whether there was an answer.
    """

    z: Array
    value: Array
    slope: Array
    error: float
    answered: AnyArray


@dataclass
class AlongZ:
    """One activation of a target, in a hidden layer or in the last.

    asks: the target; hidden: whether its layer has another above it, from whose dC/dW the value is read.
    """

    asks: Callable[[Problem], Answer]
    support: Support
    precision: Precision
    choice: Choice
    hidden: bool

    def __post_init__(self) -> None:
        # what is added for large weights would be more than what is read
        self.support = replace(self.support, penalties=(None,))
        self.drawing = Drawing(self.support, np.random.default_rng(0), self.precision.name)
        each = self.support.layer_biases
        self.biased = self.support.biases is not False if each is None else len(each) > 1 and each[1]
        self.error = (WITH_BIAS if self.biased or not self.hidden else WITHOUT) * self.precision.unit

    @staticmethod
    def of(
        asks: Callable[[Problem], Answer], support: Support, precision: Precision, choice: Choice, hidden: bool | None = None
    ) -> "AlongZ | None":
        """A hidden layer where the activation may be in one, else the last; hidden: one of the two alone. None where it cannot be read."""
        if isinstance(row_of(ACTIVATIONS, choice), Joint) or None not in support.penalties:
            return None
        for each in (True, False) if hidden is None else (hidden,):
            along = AlongZ(asks, support, precision, choice, each)
            if along.poses() is not None:
                return along
        return None

    def poses(self) -> Problem | None:
        """A problem of a single z, None where the target supports none."""
        z = np.full(max(self.room + self._anchors, 1), 0.75)
        return self._hidden(z) if self.hidden else self._last(z, 0.5)

    def posed_beside(self, z: float) -> Problem | None:
        """A problem of one z, above which nothing is large where a is: y lies beside the output, or, of labels, the output is small."""
        many = np.full(self.support.widths[1 if self.hidden else -1] if self.support.widths else 1, ANCHOR)
        many[0] = z
        problem = self._hidden(many) if self.hidden else self._last(many, 0.5)
        if problem is None or not self.hidden:
            return problem
        with np.errstate(all="ignore"):
            passed = forward(problem).activations
        if self.support.labels(problem.loss) is not None:
            below, above, *others = problem.weights
            largest = float(np.abs(np.nan_to_num(passed[1])).max())
            return problem.replaced(weights=[below, np.ldexp(above, -int(np.frexp(max(largest, 1.0))[1])), *others])
        y = self.precision.held(passed[-1] - 0.75)
        return problem.replaced(y=y) if np.isfinite(y).all() else None

    @property
    def room(self) -> int:
        """How many z are read by one call."""
        if self.support.widths:
            return max(self.support.widths[1 if self.hidden else -1] - self._anchors, 1)
        return max(self.drawing.room() - self._anchors, 1)

    @property
    def _anchors(self) -> int:
        return int(self.hidden and not self.biased)

    def read(self, z: Array) -> Read:
        """g and g' at each z, as the precision holds it."""
        z = self.precision.held(np.asarray(z, dtype=np.float64))
        parts = [self._read(z[i : i + self.room]) for i in range(0, len(z), self.room)]
        value, slope, answered = (np.concatenate(each) if each else np.zeros(0) for each in zip(*parts, strict=True))
        return Read(z, value, slope, self.error, answered.astype(bool))

    def _read(self, z: Array) -> tuple[Array, Array, Array]:
        n = len(z)
        nothing = np.full(n, np.nan), np.full(n, np.nan), np.zeros(n)
        padded = np.concatenate([z, np.full(self.room - n if self.support.widths else 0, ANCHOR), np.full(self._anchors, ANCHOR)])
        with np.errstate(all="ignore"):
            found = self._of_hidden(padded) if self.hidden else self._of_last(padded)
        return nothing if found is None else (found[0][:n], found[1][:n], np.ones(n))

    def _of_hidden(self, z: Array) -> tuple[Array, Array] | None:
        problem = self._hidden(z)
        answer = None if problem is None else self.asks(problem)
        if problem is None or answer is None or answer.gradient is None:
            return None
        below, above = (np.asarray(answer.gradient.weights[layer], dtype=np.float64) for layer in (0, 1))
        biases = answer.gradient.biases
        bias = None if biases is None else biases[1]
        error = above[0, -1] / row_of(ACTIVATIONS, self.choice).value(z[-1:])[0] if bias is None else float(np.asarray(bias)[0])
        return above[0] / error, below[:, 0] / (error * problem.weights[1][0])

    def _of_last(self, z: Array) -> tuple[Array, Array] | None:
        read = []
        for apart in (-0.5, 0.5):
            problem = self._last(z, apart)
            answer = None if problem is None else self.asks(problem)
            if problem is None or answer is None or answer.gradient is None:
                return None
            read.append((np.asarray(answer.gradient.weights[-1], dtype=np.float64)[:, 0], problem.y[0]))
        (d1, y1), (d2, y2) = read
        assert problem is not None
        one = row_of(LOSSES, problem.loss).derivative(np.full((1, len(z)), 0.5), np.zeros((1, len(z))))[0] / 0.5
        slope = (d1 - d2) / (y2 - y1) / one
        return np.asarray(y1 + d1 / (one * slope)), np.asarray(slope)

    def _hidden(self, z: Array) -> Problem | None:
        """x = 1, the pre-activations as weights, and one node above that sees them all."""
        support, drawing = self.support, self.drawing
        if support.widths:
            widths = support.widths
        else:
            coupled = row_of(LOSSES, drawing.loss).expected.labels is not None
            low, high = support.width or (1, len(z))
            depth = max((support.depth or (1, 2))[0], 2)
            last = max(low, (support.outputs or (1, 1))[0], 2 if coupled else 1)
            widths = (low, len(z), *[max(low, 1)] * (depth - 2), last)
            if len(z) > high:
                return None
        if len(widths) < 3 or widths[1] != len(z):
            return None
        weights = [drawing.number((m, n), 0.3, 1.2) for n, m in pairwise(widths)]
        weights[0], weights[1] = np.zeros_like(weights[0]), np.zeros_like(weights[1])
        weights[0][:, 0], weights[1][0] = z, 1.0
        x = np.zeros((1, widths[0]))
        x[0, 0] = 1.0
        choices = [self.choice, *[drawing.linear_hidden] * (len(widths) - 3), drawing.linear]
        return self._posed(widths, choices, weights, x)

    def _last(self, z: Array, apart: float) -> Problem | None:
        """One layer of which each output is g at a weight; its y is so far from g."""
        support, drawing = self.support, self.drawing
        widths = support.widths or ((support.width or (1, 1))[0], len(z))
        if len(widths) != 2 or not row_of(LOSSES, drawing.loss).of_differences or widths[1] != len(z):
            return None
        weights, x = np.zeros((len(z), widths[0])), np.zeros((1, widths[0]))
        weights[:, 0], x[0, 0] = z, 1.0
        with np.errstate(all="ignore"):
            a = row_of(ACTIVATIONS, self.choice).value(z)
        return self._posed(widths, [self.choice], [weights], x, self.precision.held(a + apart)[None])

    def _posed(
        self, widths: tuple[int, ...], choices: list[Choice], weights: list[Array], x: Array, y: Array | None = None
    ) -> Problem | None:
        biased = self.support.layer_biases or (self.support.biases is not False,) * len(weights)
        biases = [np.zeros(m) if has else None for m, has in zip(widths[1:], biased, strict=False)]
        given: dict[str, Any] = {} if y is None else {"y": y}
        drawn = self.drawing.problem(widths, 1, choices, self.drawing.loss, biased=None, weights=weights, biases=biases, x=x, **given)
        if drawn is None or drawn.activations[0 if self.hidden else -1] != self.choice:
            return None
        if y is None:
            drawn = self._far_from_y(drawn)
        return None if self.support.refusal(drawn) else drawn

    def _far_from_y(self, problem: Problem) -> Problem:
        """The same with an error that is never small beside a, so that no digits are lost above."""
        with np.errstate(all="ignore"):
            a = forward(problem).activations[-1]
        labels = self.support.labels(problem.loss)
        if labels is None:
            return problem.replaced(y=np.where(np.nan_to_num(a) > 0, -0.75, 0.75))
        first = float(np.nan_to_num(a[0, 0]) <= 0)
        rows = [row if len(row) > 1 else row * a.shape[1] for row in labels(a.shape[1])]
        rows = [row for row in rows if (row[0] > 0.5) == bool(first)]
        return problem.replaced(y=np.array(rows[:1], dtype=np.float64)) if rows else problem
