"""Sight: a few problems of a run, kept to measure on them what it can see of a mistake, and where it is blind."""

import math
from dataclasses import dataclass, field

from properties.judging.blindness import Blind, blind_spots
from properties.judging.by_second_moment import is_large
from properties.judging.sensitivity import smallest_seen
from reference.functions.parametrised import name_and_parameters
from reference.problem import Problem
from rounding.precisions import PRECISIONS, Precision

REMEMBERED, REMEMBERED_LARGE = 20, 2
"""So many problems that were answered rightly are kept, to measure what the run can see; of real sizes fewer."""

LOOKED_AT = 4
"""For each activation so many small problems are kept, to say at which of its pre-activations the run is blind."""


@dataclass
class Sight:
    """What is kept. right: problems that were answered rightly, and the precision that this was judged by; posed: by activation."""

    right: list[tuple[Problem, Precision]] = field(default_factory=list)
    posed: dict[str, list[Problem]] = field(default_factory=dict)

    def remember_right(self, problem: Problem, precision: Precision) -> None:
        """Keep a problem that was answered rightly, while they are few."""
        if len(self.right) < (REMEMBERED_LARGE if is_large(problem) else REMEMBERED):
            self.right.append((problem, precision))

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
