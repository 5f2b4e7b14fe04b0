"""Drawing: Hypothesis gives problem after problem, new ones in every run, the same ones for the same seed."""

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from hypothesis import HealthCheck, Phase, currently_in_test_context, given, seed, settings

from properties.architecture import pick_architecture
from properties.context import outside_of_tests
from properties.strategies import problems_of
from properties.support import Support
from properties.values import ValuePlan, problem_of_seed
from reference.problem import Problem

T = TypeVar("T")


def draw_problems(visit: Callable[[Problem], None], support: Support, precision: str, start: int, count: int) -> None:
    """Call visit on count problems that the support allows; fewer, where there are no more.

    start: the seed, from 0. What visit raises ends the drawing.
    """
    if not currently_in_test_context():
        _draw(visit, support, precision, start, count)
        return
    # only the drawing leaves this thread: a target is called where its caller is, and may be stopped there by a signal
    drawn: list[Problem] = []
    outside_of_tests(lambda: _draw(drawn.append, support, precision, start, count))
    for problem in drawn:
        visit(problem)


def _draw(visit: Callable[[Problem], None], support: Support, precision: str, start: int, count: int) -> None:
    @seed(start)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        # Hypothesis derandomises by itself where CI is set; the seed alone says what is drawn
        derandomize=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(problems_of(support, precision))
    def visit_each(problem: Problem) -> None:
        visit(problem)

    visit_each()


def simplest_problem(support: Support) -> Problem:
    """The first problem to try: the simplest that the support allows, with short numbers."""
    return problem_of_seed(pick_architecture(_Simplest(), support), ValuePlan("short"), 1)


class _Simplest:
    """The first option always: options stand from simple to complicated."""

    def pick(self, key: Hashable, options: Sequence[T]) -> T:
        return options[0]

    def number(self, key: Hashable) -> float:
        return 1.0
