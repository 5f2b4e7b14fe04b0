"""Along the error: the derivative of a loss as the target has it, read off one layer whose outputs are any numbers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from properties.answers.answer import Answer
from properties.problems.support import Support
from reference.arrays import Array
from reference.errors import ProblemError
from reference.functions.losses import LOSSES
from reference.functions.parametrised import Choice, name_and_parameters, row_of
from reference.problem import Problem
from rounding.arithmetic import K
from rounding.precisions import Precision

READING = 4.0
"""How far what is read may be off, in units of u: dC/db is the number itself, or dC/dW of an input that is 1."""

YES_OR_NO = (
    "binary_cross_entropy_with_logits",
    "summed_binary_cross_entropy_with_logits",
    "binary_cross_entropy_of_probabilities",
    "summed_binary_cross_entropy_of_probabilities",
)

Points = tuple[Array, Array, Array, Array, Array, Array, Array]
"""Where along the axis, what was read, what is exact, how far an accurate formula may be off, (n,); a, y, (n, outputs); the column."""


@dataclass
class AlongErrors:
    """One loss of a target, behind the identity, or behind the sigmoid of probabilities.

    asks: the target; axis: what its numbers are called.
    """

    asks: Callable[[Problem], Answer]
    support: Support
    precision: Precision
    choice: Choice

    def __post_init__(self) -> None:
        self.name = name_and_parameters(self.choice)[0]
        self.support = replace(self.support, penalties=(None,))
        self.error = READING * self.precision.unit
        self.last = "sigmoid" if "of_probabilities" in self.name else "identity"

    @property
    def axis(self) -> str:
        """What is told of where: z of a label of 1, its distance from the other logits, or a - y."""
        if self.name == "softmax_cross_entropy":
            return "the label's logit above the others"
        return "z" if self.last == "sigmoid" else "a logit" if self.name in YES_OR_NO else "a - y"

    @property
    def outputs(self) -> int:
        """How many, a number by which a division is rounded."""
        if self.support.widths:
            return self.support.widths[-1]
        low, high = self.support.outputs or self.support.width or (1, 3)
        return min(max(3, low), high)

    def read(self) -> Iterator[Points]:
        """All points at once, or nothing where the target supports no such problem; one point each call."""
        where, listed_a, listed_y = self._posed_of()
        got = [self._asked(a, y) for a, y in zip(listed_a, listed_y, strict=True)]
        if not got or all(each is None for each in got):
            return
        a, y = np.array(listed_a), np.array(listed_y)
        read = np.array([np.full(a.shape[1], np.nan) if each is None else each for each in got])
        with np.errstate(all="ignore"):
            exact, scale = self._exact(a, y)
        at = np.zeros(len(a), dtype=int)
        rows = np.arange(len(a))
        allowed = self.error * np.abs(exact) + K * self.precision.unit * scale + K * self.precision.least_normal
        allowed = np.where(np.abs(exact) < self.precision.least_normal / self.precision.unit, np.inf, allowed)
        yield where, read[rows, at], exact[rows, at], allowed[rows, at], a, y, at

    def _exact(self, a: Array, y: Array) -> tuple[Array, Array]:
        """dC_0/da, or dC/dz behind the sigmoid, and how large its rounding may be, over K u, by an accurate formula; (n, outputs)."""
        if self.last == "sigmoid":
            row = row_of(LOSSES, self.name.replace("of_probabilities", "with_logits"))
            exact = row.derivative(a, y)
            return exact, np.abs(exact)
        exact = row_of(LOSSES, self.choice).derivative(a, y)
        return exact, np.abs(exact) * (1 + (np.abs(a).max(axis=-1, keepdims=True) if self.name == "softmax_cross_entropy" else 0))

    def _posed_of(self) -> tuple[Array, list[Array], list[Array]]:
        """Where along the axis, and a, y of each, (outputs,)."""
        n, held = self.outputs, self.precision.held
        rest = np.linspace(0.0, -1.0, max(n - 1, 1))[: n - 1]
        if self.name == "softmax_cross_entropy":
            top = [0.0] * 24 + [1.3e3, 2.1e4, 1.7e5, 1.3e3, 2.1e4, 1.7e5]
            gaps = np.concatenate([np.linspace(0.7, 33.0, 24), [2.3, 2.9, 3.1, 4.3, 5.7, 3.7]])
            listed = [held(np.concatenate([[t + gap], t + rest])) for t, gap in zip(top, gaps, strict=True)]
            label = np.eye(n)[0]
            return gaps, listed, [label] * len(listed)
        if self.name in YES_OR_NO:
            logits = held(np.linspace(0.7, 35.0, 24) * (1 + 0.01 * np.sin(np.arange(24))))
            return logits, [np.concatenate([[z], rest]) for z in logits], [np.eye(n)[0]] * len(logits)
        tops = [1.37, 4.03, 2.71e-3, 4.6e-5, 8.3e-7, 5.1e-8]
        apart = np.geomspace(0.4, 64 * self.precision.unit, 6)
        listed_a = [held(np.concatenate([[top], rest + 0.3])) for top in tops for _ in apart]
        listed_y = [held(np.concatenate([[top * (1 - each)], rest])) for top in tops for each in apart]
        return np.array([a[0] - y[0] for a, y in zip(listed_a, listed_y, strict=True)]), listed_a, listed_y

    def posed(self, a: Array, y: Array) -> Problem | None:
        """One layer of one sample whose outputs are a, (outputs,), before the sigmoid where one is; None where it is not supported."""
        support = self.support
        inputs = support.widths[0] if support.widths else (support.width or (1, 1))[0]
        weights, x = np.zeros((len(a), inputs)), np.zeros((1, inputs))
        weights[:, 0], x[0, 0] = a, 1.0
        bias = None if support.biases is False else np.zeros(len(a))
        try:
            problem = Problem(
                [weights],
                biases=[bias],
                activations=[self.last],
                x=x,
                y=y[None],
                loss=self.choice,
                reduction=support.reductions[0],
                sample_weights=np.ones(1) if support.sample_weights else None,
            )
        except ProblemError:
            return None
        return None if support.refusal(problem) else problem

    def _asked(self, a: Array, y: Array) -> Array | None:
        """dC/dz of each output that a target has; None where it has no answer, or the problem is not supported."""
        problem = self.posed(a, y)
        answer = None if problem is None else self.asks(problem)
        return None if answer is None or answer.gradient is None else np.asarray(answer.gradient.weights[0], dtype=np.float64)[:, 0]
