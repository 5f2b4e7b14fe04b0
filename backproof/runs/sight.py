"""Sight: a few problems of a run, kept to measure on them what it can see of a mistake, and where it is blind."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from properties.judging.blindness import Blind, blind_spots
from properties.judging.by_second_moment import is_large
from properties.judging.nearness import Nearness, is_measured, nearness
from properties.judging.sensitivity import smallest_seen
from reference.functions.parametrised import name_and_parameters
from reference.gradient import Gradient
from reference.problem import Problem
from rounding.precisions import PRECISIONS, Precision

REMEMBERED, REMEMBERED_LARGE = 20, 2
"""So many problems that were answered rightly are kept, to measure what the run can see; of real sizes fewer."""

MEASURED, MEASURED_LARGE = 12, 2
"""On so many problems it is measured how near the answers are to the exact gradient; of real sizes fewer."""

LOOKED_AT = 4
"""For each activation so many small problems are kept, to say at which of its pre-activations the run is blind."""


@dataclass
class Sight:
    """What is kept. right: problems that were answered rightly, and the precision that this was judged by; posed: by activation;
    answered: a few that may pass, with their answers, to be measured.
    """

    right: list[tuple[Problem, Precision]] = field(default_factory=list)
    answered: list[tuple[Problem, Gradient, Precision]] = field(default_factory=list)
    posed: dict[str, list[Problem]] = field(default_factory=dict)

    def remember_right(self, problem: Problem, precision: Precision) -> None:
        """Keep a problem that was answered rightly, while they are few."""
        if len(self.right) < (REMEMBERED_LARGE if is_large(problem) else REMEMBERED):
            self.right.append((problem, precision))

    def remember_answer(self, problem: Problem, answer: Gradient, precision: Precision) -> None:
        """Keep an answer that may pass, while they are few, of a problem that nearness can be measured on."""
        if len(self.answered) < (MEASURED_LARGE if is_large(problem) else MEASURED) and is_measured(problem, precision):
            self.answered.append((problem, answer, precision))

    def nearness(self, oracles: Sequence[str], seconds: float) -> tuple[Nearness, ...]:
        """How near these answers are, and those of others; seconds: what the run has taken."""
        return tuple(nearness(self.answered, oracles, seconds))

    def remember_posed(self, problem: Problem) -> None:
        """Keep a few small problems with each activation; at real sizes what adds up over samples shows a missing slope."""
        if not is_large(problem):
            for name in {name_and_parameters(choice)[0] for choice in problem.activations}:
                kept = self.posed.setdefault(name, [])
                if len(kept) < LOOKED_AT:
                    kept.append(problem)

    def smallest_seen(self) -> dict[str, float]:
        """The smallest relative error in one entry, row or layer that these problems would have shown."""
        seen: dict[str, float] = {}
        for problem, precision in self.right:
            for name, e in smallest_seen(problem, precision).items():
                seen[name] = min(e, seen.get(name, math.inf))
        return seen

    def blind_spots(self, precision: str, strict: bool) -> tuple[Blind, ...]:
        """Where the run was blind to a missing slope, judged by a key of PRECISIONS."""
        return blind_spots((problem for kept in self.posed.values() for problem in kept), PRECISIONS[precision], strict)
