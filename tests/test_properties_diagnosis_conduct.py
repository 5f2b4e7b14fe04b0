"""What a target does that is no function of the problem's numbers, by a few calls for one problem."""

import numpy as np
import pytest

from backproof import Gradient, Problem
from backproof.targets.target import InProcess
from properties.diagnosis.conduct import conduct
from properties.diagnosis.examination import Examination
from properties.diagnosis.ladder import Rung
from properties.faults.fault import Network
from properties.problems.support import Support

PROBLEM = Problem(
    [[[0.5, -0.75], [1.25, 0.25]]], biases=[[0.25, -0.5]], activations=["tanh"], x=[[1.0, 0.5], [-0.25, 2.0]], y=[[1.0, 0.0], [0.5, 3.0]]
)
RIGHT = Network(answers=("weights", "biases"))


def times(factor, problem):
    return RIGHT(problem).mapped(lambda place, array: factor * np.asarray(array))


def conduct_of(target, kind="network"):
    return conduct(InProcess(target), [Rung(PROBLEM, kind)], None)


def test_nothing_is_asked_where_every_problem_was_found():
    asked = []
    assert conduct_of(lambda problem: asked.append(problem) or RIGHT(problem), "found") is None
    assert asked == []
    assert conduct_of(lambda problem: asked.append(problem) or RIGHT(problem)) is None
    assert len(asked) > 6


def test_what_is_mixed_with_the_problem_before_is_told_as_that():
    """Asked again, it has the first answer again: nothing has changed for good."""
    before = []

    def mixed(problem):
        given, other = RIGHT(problem), RIGHT(before[-1] if before else problem)
        before.append(problem)
        return Gradient([w + 0.5 * (v - w) for w, v in zip(given.weights, other.weights, strict=True)], given.biases)

    found = conduct_of(mixed)
    assert found is not None
    assert found.cause == "answers_the_problem_before"
    assert "after another problem of the same shapes, the answer is another one" in found.explanation


def test_answers_that_are_random_are_told_with_how_large_they_are():
    """Neither does the answer grow by the same each time, nor does it stay what it has become."""
    sizes = iter([1.0, 4.0, 2.0, 3.0])
    found = conduct_of(lambda problem: times(next(sizes), problem))
    assert found is not None
    assert found.cause == "differs_from_call_to_call"
    assert found.ratios == pytest.approx((1.0, 4.0, 2.0))


@pytest.mark.parametrize(
    ("then", "changes"),
    [
        (RIGHT, False),
        (lambda problem: times(2.0, problem), True),
        (lambda problem: Network(answers=("weights", "biases", "deltas"))(problem), False),
        (lambda problem: None, False),
    ],
    ids=["the same", "another", "more", "none"],
)
def test_an_answer_is_said_to_change_where_both_can_be_compared(then, changes):
    targets = iter([RIGHT, then])
    examination = Examination(InProcess(lambda problem: next(targets)(problem)), Support(), "float64", 0, 600.0, None)
    assert not examination._changes()  # nothing was answered yet
    examination.asks(PROBLEM)
    assert examination._changes() == changes
