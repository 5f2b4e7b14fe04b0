"""What a law says of many answers at once is what it says of each: where it holds at once, it holds by itself, and nothing more is said."""

import numpy as np
import pytest

from backproof import Gradient, gradient
from backproof.targets.target import InProcess
from properties.faults.table import FAULTS
from properties.laws.law import HELD, Answered, Case, Law, Outcome, Status
from properties.laws.of_conduct import the_same_twice
from properties.laws.table import LAWS, laws_for
from properties.problems.blocks import block_at, first_of_doubled
from properties.problems.support import Support
from properties.verdict import Verdict
from rounding.precisions import PRECISIONS

AT_ONCE = [law for law in LAWS.values() if law.at_once]
each_law = pytest.mark.parametrize("law", AT_ONCE, ids=lambda law: law.name)


class Unsteady:
    """Every third answer is another one."""

    def __init__(self):
        self.calls = 0

    def __call__(self, problem):
        self.calls += 1
        right = gradient(problem)
        return Gradient([weight + (self.calls % 3 == 0) for weight in right.weights], right.biases)


def writes(problem):
    right = gradient(problem)
    if problem.x.size % 2:
        problem.x[...] = 0.5
    return right


def fails_where_x_is_positive(problem):
    if problem.x.sum() > 0:
        raise ValueError("positive")
    return None if problem.y.sum() > 0 else gradient(problem)


def in_two_dtypes(problem):
    dtype = np.float32 if problem.x.sum() > 0 else np.float64
    return gradient(problem).mapped(lambda place, array: np.asarray(array).astype(dtype))


MADE = [Unsteady(), writes, fails_where_x_is_positive, in_two_dtypes, gradient]
TARGETS = [pytest.param(fault.target, id=name) for name, fault in FAULTS.items()] + [
    pytest.param(target, id=getattr(target, "__name__", type(target).__name__)) for target in MADE
]


def answered(target, seed, places=None, judged_by=None, values="any"):
    """Answers to a block of eight small problems, each asked twice."""
    support = Support(depth=(1, 3), width=(1, 3), batch=(1, 3), values=values)
    block = block_at(first_of_doubled(3) + 8 * (seed % 50), seed, support, "float64")
    places = list(range(len(block))) if places is None else places
    ask = InProcess(target)
    answers, again = ([ask(block.problems.at(place)) for place in places] for _ in range(2))
    return Answered(block.problems, places, answers, again, judged_by), ask


@pytest.mark.parametrize("target", TARGETS)
def test_what_holds_at_once_holds_by_itself(target, seed_of_the_run):
    many, ask = answered(target, seed_of_the_run, [0, 2, 5, 7])
    by_place = zip(many.places, many.answers, many.again, strict=True)
    cases = [Case(many.problems.at(place), ask, None, None, *answers) for place, *answers in by_place]
    for law in AT_ONCE:
        for case, holds in zip(cases, law.at_once(many), strict=True):
            if holds:
                outcome = law.on(case)
                assert (outcome.status, outcome.verdict) == (Status.HELD, Verdict.RIGHT), f"{law.name}: {outcome.message}"


@each_law
def test_a_right_answer_is_right_at_once(law, seed_of_the_run):
    """Or hardly anything is judged at once."""
    said = [holds for step in range(10) for holds in law.at_once(answered(gradient, seed_of_the_run + step, values=law.values or "any")[0])]
    assert np.mean(said) > 0.5


def doubled(problem):
    return gradient(problem).mapped(lambda place, array: 2 * array)


def one_unit_off(problem):
    return gradient(problem).mapped(lambda place, array: np.nextafter(array, np.inf))


WRONG = {
    "it_answers": fails_where_x_is_positive,
    "shapes_and_dtypes_are_right": fails_where_x_is_positive,
    "inputs_are_left_alone": writes,
    "two_calls_agree": Unsteady(),
    "it_agrees_with_the_exact_gradient": doubled,
    "it_is_exact_where_nothing_rounds": one_unit_off,
}


@each_law
def test_what_is_broken_is_not_held_at_once(law, seed_of_the_run):
    broken = 0
    for step in range(30):
        if step >= 10 and broken:
            break
        many, ask = answered(WRONG[law.name], seed_of_the_run + step, values=law.values or "any")
        for i, holds in enumerate(law.at_once(many)):
            case = Case(many.problems.at(i), ask, None, None, many.answers[i], many.again[i])
            is_broken = law.on(case).status is Status.BROKEN
            broken += is_broken
            assert not (holds and is_broken)
    assert broken


@each_law
def test_some_of_a_block_are_judged_as_in_all_of_it(law, seed_of_the_run):
    some = [1, 4, 6]
    everything, _ = answered(in_two_dtypes, seed_of_the_run)
    picked, _ = answered(in_two_dtypes, seed_of_the_run, some)
    said = law.at_once(everything)
    assert list(law.at_once(picked)) == [said[place] for place in some]


def test_answers_are_judged_by_what_was_said_or_by_their_dtype(seed_of_the_run):
    def precisions(target, judged_by=None):
        return {precision and precision.name for precision in answered(target, seed_of_the_run, judged_by=judged_by)[0].precisions}

    assert precisions(in_two_dtypes) <= {"float32", "float64"}
    assert precisions(lambda problem: None) == {None}
    assert {precisions(gradient, name).pop() for name in PRECISIONS} == set(PRECISIONS)


def test_nothing_is_said_of_two_calls_where_there_was_one(seed_of_the_run):
    many, _ = answered(gradient, seed_of_the_run)
    once = Answered(many.problems, many.places, many.answers, [None] * len(many.answers))
    assert not any(the_same_twice(once))


def test_a_law_that_is_named_keeps_its_form_for_many():
    assert [law.at_once for law in laws_for((), [law.name for law in AT_ONCE])] == [law.at_once for law in AT_ONCE]


def test_a_law_needs_no_such_form():
    def stands(case: Case) -> Outcome:
        return HELD

    assert Law(stands).at_once is None
