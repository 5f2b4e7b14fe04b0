"""The table of faults is complete, the unchanged network is right, and each fault is caught."""

import dataclasses
from collections.abc import Iterator
from itertools import islice, tee

import numpy as np
import pytest

from backproof import Problem
from backproof.targets.target import InProcess
from properties.faults.fault import STEPS, Fault, Network, changed_problem, fault
from properties.faults.table import FAULTS
from properties.judging.judgement import Exact
from properties.laws.law import Case, Status
from properties.laws.table import LAWS
from properties.problems.blocks import draw_problems
from properties.problems.support import Support
from properties.verdict import Verdict
from reference.problem import WANTS

CHECKED = [pytest.param(f, id=name) for name, f in FAULTS.items() if f.laws]
EXACT = LAWS["it_agrees_with_the_exact_gradient"]
DEAREST = LAWS["the_loss_changes_as_the_gradient_says"]
"""Asked where the answer is wrong alone: where it is right, this law holds, and takes longer than all others."""

PROBLEM = Problem(
    [[[0.5, -1.0], [2.0, 0.25]], [[1.5, -0.5]]],
    biases=[[0.125, -0.25], None],
    activations=["tanh", "identity"],
    x=[[1.0, 0.5], [-1.0, 2.0]],
    y=[[0.0], [1.0]],
)


def drawn(support, seed, count, precision="float64"):
    return list(draw_problems(count, seed, Support.of(support), precision))


def test_the_unchanged_network_is_right(times, seed_of_the_run):
    session = InProcess(Network())
    outcomes = [(problem, EXACT.on(Case(problem, session))) for problem in drawn(None, seed_of_the_run, 200 * times)]
    assert [problem for problem, o in outcomes if o.status is Status.BROKEN or o.verdict is Verdict.LOSSY] == []
    assert sum(o.status is Status.HELD for _, o in outcomes) > 150


def test_the_unchanged_network_obeys_all_laws(times, seed_of_the_run):
    session = InProcess(Network())
    for problem in drawn(None, seed_of_the_run + 1, 20 * times):
        case = Case(problem, session)
        assert not [law.name for law in LAWS.values() if law.on(case).status is Status.BROKEN]


@pytest.mark.parametrize("answers", [("weights", "biases"), ("weights", "biases", "x"), WANTS])
def test_a_network_answers_what_it_is_told_to(answers):
    gradient = Network(answers=answers)(PROBLEM)
    assert {name for name, value in vars(gradient).items() if value is not None} == set(answers)
    assert gradient.biases[1] is None


def test_a_network_answers_what_the_problem_asks_for():
    gradient = Network(answers=("weights", "biases"))(PROBLEM.replaced(wants=["loss", "deltas"]))
    assert gradient.loss is not None
    assert gradient.deltas is not None
    assert gradient.x is None


def test_there_are_faults_of_every_equation_that_can_be_wrong_by_itself():
    assert len(FAULTS) >= 40
    assert {number for f in FAULTS.values() for number in f.equations} >= {2, 3, 4, 7, 10, 11}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_says_what_it_is(name):
    f = FAULTS[name]
    assert f.name == name
    assert name.islower()
    assert name.isidentifier()
    assert f.explanation.endswith(".")
    assert 1 <= f.explanation.count(". ") + 1 <= 3
    assert all(1 <= number <= 11 for number in f.equations)
    assert set(f.changed) <= set(STEPS)
    assert f.laws or f.blind
    assert len(set(f.laws)) == len(f.laws)
    assert set(f.laws) <= set(LAWS)
    assert Support.of(f.supports)
    assert f.thread == "" or any(mark.isdigit() for mark in f.thread)


def test_explanations_differ():
    assert len({f.explanation for f in FAULTS.values()}) == len(FAULTS)


def test_a_fault_carries_its_name_supports_and_precision():
    f = FAULTS["forgot_transpose"]
    session = InProcess(dataclasses.replace(f, precision="float32").target)
    assert (session.name, session.supports, session.precision) == ("forgot_transpose", dict(f.supports), "float32")


def test_each_target_of_a_fault_has_a_memory_of_its_own():
    f = FAULTS["added_to_the_gradient_of_the_call_before"]
    right = Network()(PROBLEM).weights[0]
    first, second = f.target, f.target
    assert np.array_equal(first(PROBLEM).weights[0], right)
    assert np.array_equal(first(PROBLEM).weights[0], 2 * right)
    assert np.array_equal(second(PROBLEM).weights[0], right)


def test_a_changed_problem_keeps_nothing_that_was_computed_of_the_old_one():
    weighed = PROBLEM.replaced(sample_weights=[1.0, 3.0], reduction="mean")
    assert weighed.total_weight == 4.0
    assert changed_problem(weighed, sample_weights=None).total_weight == 2


def test_a_step_that_there_is_not_is_refused():
    with pytest.raises(AssertionError, match="expected one of posed, pre_activation"):
        fault("sideways_pass")


_drawn: dict[tuple[str, str], Iterator[Exact]] = {}


def posed(support: Support, precision: str) -> Iterator[Exact]:
    """Problems of one seed and what is known of their gradients, once for all faults that are put the same."""
    kept = _drawn.get((repr(support), precision)) or map(Exact, draw_problems(10_000, 1, support, precision))
    _drawn[repr(support), precision], problems = tee(kept)
    return problems


def broken_laws(f: Fault, target, laws, count: int) -> dict[str, Verdict]:
    """Which of some laws a target breaks on the problems of a fault, with the verdict; lossy counts where the fault is lossy."""
    session, support, found = InProcess(target, precision=f.precision), Support.of(f.supports), {}
    for exact in islice(posed(support, f.precision or "float64"), count):
        case = Case(exact.problem, session, f.precision, support)
        case.exact = exact
        for law in (LAWS[name] for name in laws if name not in found):
            if law is DEAREST and EXACT.on(case).status is not Status.BROKEN:
                continue
            outcome = law.on(case)
            if outcome.status is Status.BROKEN or (f.lossy and outcome.verdict is Verdict.LOSSY):
                found[law.name] = outcome.verdict
        if len(found) == len(laws):
            break
    return found


@pytest.mark.parametrize("f", CHECKED)
def test_a_fault_is_caught_by_every_law_that_must_catch_it(f, times):
    found = broken_laws(f, f.target, f.laws, 400 * times)
    assert set(found) == set(f.laws)
    assert Verdict.RIGHT not in found.values()


POSED_ALIKE = {(repr(Support.of(f.supports)), f.precision, f.lossy): f for f in FAULTS.values() if f.supports or f.precision}
"""Of the faults that are put the same problems, judged in the same way, one."""


@pytest.mark.parametrize("f", POSED_ALIKE.values(), ids=lambda f: f.name)
def test_the_unchanged_network_is_right_on_the_problems_of_a_fault(f, times):
    assert broken_laws(f, Network(), [EXACT.name], 30 * times) == {}


KINKS = [("relu6", 0.0), ("relu6", 6.0), ("hardtanh", -1.0), ("hardtanh", 1.0)]


@pytest.mark.parametrize(("activation", "z"), KINKS)
def test_a_slope_that_is_not_legal_at_a_kink_is_caught(activation, z):
    problem = Problem([[[1.0]]], biases=[[0.0]], activations=[activation], x=[[z]], y=[[3.0]])
    outcome = EXACT.on(Case(problem, InProcess(FAULTS["left_the_legal_slopes_at_kinks"].target)))
    assert outcome.status is Status.BROKEN
