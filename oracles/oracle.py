"""What an oracle is: an independent way to the gradient, and how far it may be trusted."""

from collections.abc import Callable
from dataclasses import dataclass

from reference.gradient import Gradient
from reference.problem import Problem


class NotApplicable(Exception):
    """The oracle cannot answer this problem; the message says why."""


@dataclass(frozen=True)
class Reply:
    """An oracle's answer to one problem.

    error: for each entry, how far it may be from the exact gradient; None where the oracle is one honest pass in float64,
    so that the rounding bound says it.
    """

    gradient: Gradient
    error: Gradient | None = None


@dataclass(frozen=True)
class Oracle:
    """A row of ORACLES.

    answer: the gradient of a problem, all that the oracle can give (weights, biases, x, loss at least). Raises NotApplicable.
    trust: how far it may be trusted, and why, in one sentence.
    module: what must be importable; install: the command that brings it; both empty where nothing more is needed.
    """

    name: str
    answer: Callable[[Problem], Reply]
    trust: str
    module: str = ""
    install: str = ""
