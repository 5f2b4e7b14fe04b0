"""What a failing problem keeps while it shrinks, beside the law and the verdict: how gross its error is, and where its numbers lie.

Else shrinking slides: from a gross error to one of rounding, from all negative z onto the kink at 0, and to zeros that say nothing.
"""

import math
from dataclasses import dataclass

import numpy as np

from properties.judging.judgement import Judgement
from reference.forward import forward
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import row_of
from reference.problem import Problem
from rounding.precisions import PRECISIONS

GROSS = 0.5
"""An error stays at least so gross: its distance over what is allowed, to this power."""


@dataclass(frozen=True)
class Kind:
    """What kind of failure a problem shows.

    excess: the distance of the worst entry over what is allowed, up to 1 / sqrt(u), and 1 where nothing was compared;
    on_kink: whether a pre-activation is exactly on a kink; empty: whether some layer's weights, or the inputs, are all 0; nothing: whether
    the target's worst number is 0, as if a term were missing.
    """

    excess: float
    on_kink: bool
    empty: bool
    nothing: bool = False

    @property
    def _marks(self) -> tuple[bool, bool, bool]:
        """What makes it say less, the first most."""
        return self.on_kink, self.empty, self.nothing

    def stays(self, other: "Kind") -> bool:
        """Whether another is of this kind too."""
        return other.excess >= self.excess**GROSS and all(mine >= its for mine, its in zip(self._marks, other._marks, strict=True))

    def tells_more(self, other: "Kind") -> bool:
        """Whether this is to be told rather than another, however large: it is off a kink, no emptier and no less gross, or far more so."""
        if self._marks != other._marks:
            return self._marks < other._marks
        return self.excess**GROSS > other.excess


def kind_of(problem: Problem, judgement: Judgement | None) -> Kind:
    """The kind of what a judgement says of a problem."""
    excess = 1.0
    if judgement is not None and judgement.place is not None and judgement.allowed > 0 and math.isfinite(judgement.distance):
        # an error of half the digits is as gross as any
        excess = min(max(1.0, judgement.distance / judgement.allowed), PRECISIONS[judgement.precision or "float64"].unit ** -0.5)
    with np.errstate(all="ignore"):
        on_kink = any(
            np.any(z == kink)
            for choice, z in zip(problem.activations, forward(problem).pre_activations, strict=True)
            for kink, _ in row_of(ACTIVATIONS, choice).kinks
        )
    nothing = judgement is not None and judgement.got == 0
    return Kind(excess, on_kink, not (problem.x.any() and all(weight.any() for weight in problem.weights)), nothing)
