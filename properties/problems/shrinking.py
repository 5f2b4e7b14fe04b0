"""Shrinking: Hypothesis takes a known failing problem and makes it as small and as plain as it can."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis.errors import Flaky, NoSuchExample, Unsatisfiable

from properties.problems.exact import is_exact
from properties.problems.hypothesis_internals import outside_of_tests, shrunk_from
from properties.problems.shrinking_structure import reduce
from properties.problems.strategies import Recorder, pick_problem, problems_of
from properties.problems.support import Support
from properties.problems.tame import are_tame
from reference.problem import Problem

MOST_NUMBERS = 2000
"""Hypothesis shrinks no more numbers than this."""

FREE = ("free",)
"""Numbers from a seed are fewer choices, which Hypothesis would take for simpler; a person would not."""


@dataclass(frozen=True)
class Shrunk:
    """The smallest failing problem that was found; complete: whether shrinking ended by itself, before its time was up."""

    problem: Problem
    complete: bool


class _TimeIsUp(BaseException):
    """Leaves Hypothesis at once: it does not take it for a failure of the test."""


def shrink(problem: Problem, fails: Callable[[Problem], bool], support: Support, precision: str, seconds: float = 10.0) -> Shrunk:
    """The smallest problem near this one that still fails.

    fails: whether a problem fails in the same way; seconds: the time limit.
    First its structure is reduced; then it is written as the choices that Hypothesis would have had to draw, which takes it
    for a failure that was saved, and shrinks its numbers.
    """
    smallest, deadline = problem, time.monotonic() + seconds

    def still_fails(candidate: Problem) -> bool:
        nonlocal smallest
        if time.monotonic() > deadline:
            raise _TimeIsUp
        # of all limits this alone is of numbers, which strategies draw freely
        allowed = support.values == "any" or bool(are_tame(candidate) if support.values == "tame" else is_exact(candidate, precision))
        failed = allowed and fails(candidate)
        if failed:
            smallest = candidate
        return failed

    try:
        smallest = reduce(problem, still_fails, support)
        if smallest.size > MOST_NUMBERS:
            return Shrunk(smallest, complete=False)
        recorder, sizes = Recorder(smallest, support), _with_its_sizes(support, smallest)
        try:
            pick_problem(recorder, sizes, precision, FREE)
        except (ValueError, KeyError):  # a problem that these strategies do not draw: its structure is all that shrinks
            return Shrunk(smallest, complete=False)
        smallest = outside_of_tests(lambda: shrunk_from(recorder.choices, problems_of(sizes, precision, FREE), still_fails))
    except _TimeIsUp:
        return Shrunk(smallest, complete=False)
    # a target that does not fail twice in the same way, or more choices than Hypothesis has room for: the smallest that failed stands
    except (Flaky, NoSuchExample, Unsatisfiable):
        return Shrunk(smallest, complete=False)
    return Shrunk(smallest, complete=True)


def _with_its_sizes(support: Support, problem: Problem) -> Support:
    """The support, with room for a width or a batch that is longer than what is drawn of small ones."""
    sizes = {"batch": [problem.batch], "width": problem.widths}
    longer: dict[str, Any] = {}
    for name, found in sizes.items():
        least, most = support.drawn(name)
        if getattr(support, name) is None and (name == "batch" or support.widths is None):
            longer[name] = (least, max(most, *found))
    return replace(support, **longer)
