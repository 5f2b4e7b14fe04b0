"""An inquiry: what is asked of whom, the same from a run's first problem to its report."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from backproof.targets.target import Session
from properties.answers.answer import Answer
from properties.judging.judgement import Exact
from properties.laws.law import Case
from properties.problems.limits import SIZES
from properties.problems.support import Support
from reference.problem import Problem

DEATHS = 3
"""So many times a target's process may die before a run ends: each costs a new process."""

Progress = Callable[[str, int, int], None]
"""What a run tells while it goes on: the step ("judging" or "shrinking"), how much is done, of how much."""


@dataclass(frozen=True)
class Inquiry:
    """A target, and what it is asked.

    support: which problems; precision: what its answers are judged by, None for what their dtype says; drawn_by: the options that ask
    for these problems, in words.
    """

    session: Session
    support: Support
    precision: str | None
    drawn_by: str = ""

    def case(
        self,
        problem: Problem,
        answer: Answer | None = None,
        again: Answer | None = None,
        *,
        peers: bool = True,
        narrower: bool = True,
        exact: Exact | None = None,
    ) -> Case:
        """What laws are judged on, with the answers that were given, if any were, and what is known; the rest as in Case."""
        # a problem may have been shrunk below the widths that the run asked for, and laws may ask others beside it
        as_asked = self.support.widths in (None, problem.widths)
        support = self.support if as_asked else replace(self.support, widths=None)
        return Case(problem, self.session, self.precision, support, answer, again, peers=peers, narrower=narrower, exact=exact)

    @property
    def small(self) -> Support:
        """What small problems are drawn from: what only large networks show shrinks to small ones, of a target that takes others."""
        large = max(self.support.widths or (0,)) > SIZES["small"]["width"][1]
        fixed = Support.of(self.session.supports).widths
        return replace(self.support, sizes="small", widths=fixed if large else self.support.widths)

    @property
    def died_too_often(self) -> bool:
        """Whether the target is asked no more."""
        return self.session.deaths >= DEATHS
