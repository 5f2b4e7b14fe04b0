"""Both passes of the reference over one problem."""

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from reference.arrays import Array
from reference.backward import Backward, backward
from reference.forward import Forward, forward
from reference.problem import Problem


@dataclass(frozen=True)
class Squares:
    """The squared norm of each sample, (batch,), of what the passes over one problem compute; each by layer."""

    pre_activations: tuple[Array, ...]
    activations: tuple[Array, ...]
    errors: tuple[Array, ...]
    slopes: tuple[Array, ...]
    deltas: tuple[Array, ...]

    @cached_property
    def sums(self) -> Array:
        """The squared norm of every array, (arrays,)."""
        sums: Array = np.stack(self.pre_activations + self.activations + self.errors + self.slopes + self.deltas).sum(axis=1)
        return sums


@dataclass(frozen=True)
class Passes:
    """Both passes of the reference over one problem."""

    problem: Problem
    forward: Forward
    backward: Backward

    @cached_property
    def weight_norms(self) -> list[float]:
        """The Frobenius norm of each layer's weights."""
        return [float(np.linalg.norm(weight)) for weight in self.problem.weights]

    @cached_property
    def squares(self) -> Squares:
        """The squared norms of samples."""
        known = {**vars(self.forward), **vars(self.backward)}
        with np.errstate(all="ignore"):
            return Squares(*(tuple(np.vecdot(a, a) for a in known[field.name]) for field in fields(Squares)))


def passes(problem: Problem) -> Passes:
    """Both passes of the reference; overflow gives infinities and NaN, for which the bound makes no claim."""
    with np.errstate(all="ignore"):
        passed = forward(problem)
        return Passes(problem, passed, backward(problem, passed))
