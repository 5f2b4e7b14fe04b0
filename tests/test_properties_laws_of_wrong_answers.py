"""A law that compares a target's answers with one another blames no wrong one for its own rounding, and sees what is gross all the same."""

from functools import cache

import numpy as np
import pytest

from backproof import Problem, check, gradient
from backproof.targets.target import InProcess
from properties.faults.table import FAULTS
from properties.judging.judgement import Exact
from properties.laws.law import Case, Status
from properties.laws.table import LAWS
from properties.problems.blocks import draw_problems
from properties.problems.support import Support

SAME_FOR_EACH_SAMPLE = (
    "batch_gradients_add",
    "a_duplicated_sample_counts_twice",
    "the_order_of_samples_does_not_matter",
    "permuted_nodes_permute_the_gradient",
    "the_memory_layout_does_not_matter",
)
"""Laws that every target obeys which is wrong in each entry by itself."""

ELEMENTWISE = (
    "used_activation_for_pre_activation",
    "forgot_the_slope_of_hidden_layers",
    "took_the_activation_for_its_slope",
    "took_the_slope_of_sigmoid_for_every_activation",
    "took_the_slope_of_tanh_for_every_activation",
    "took_the_derivative_by_the_probability",
)
"""Faults that are wrong in each entry by itself; with seed 5, all but the first broke one of these laws by two units in the last place."""


@cache
def drawn(count, seed):
    """Problems and what is known of their gradients, the same for each fault."""
    return tuple(map(Exact, draw_problems(count, seed, Support())))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_wrong_answer_breaks_no_law_by_its_own_rounding(name, times, seed_of_the_run):
    for seed, count in ((5, 30), (seed_of_the_run, 10 * times)):
        target = InProcess(FAULTS[name].target)
        for exact in drawn(count, seed):
            case = Case(exact.problem, target)
            case.exact = exact
            for law in SAME_FOR_EACH_SAMPLE:
                outcome = LAWS[law].on(case)
                assert outcome.status is not Status.BROKEN, (law, outcome.message, outcome.judgement, exact.problem)


WHERE_ROUNDING_DECIDES = [
    ("on a kink of hardtanh", 70007, 27, "forgot_the_slope_of_hidden_layers", "batch_gradients_add"),
    ("huber, of no error", 70015, 7, "took_the_activation_for_its_slope", "a_duplicated_sample_counts_twice"),
]
"""A pre-activation of 1, which one sample and two may round to other sides, and an output of 1e45 that is expected to the last digit."""


@pytest.mark.parametrize(
    ("seed", "index", "name", "law"), [row[1:] for row in WHERE_ROUNDING_DECIDES], ids=[row[0] for row in WHERE_ROUNDING_DECIDES]
)
def test_a_wrong_answer_may_jump_where_the_gradient_does_and_by_as_large_a_share(seed, index, name, law):
    problem = list(draw_problems(index + 1, seed, Support()))[index]
    assert LAWS[law].on(Case(problem, InProcess(FAULTS[name].target))).status is not Status.BROKEN


def larger(problem):
    """Wrong by large terms that cancel, added up in the order of memory: it rounds as these do, not as the gradient does."""
    answer = gradient(problem)
    terms = np.ravel(problem.x * 1e6, order="K")
    return [weight + 1.0 + (terms.sum() - 1e6 * problem.x.sum()) for weight in answer.weights], answer.biases


def test_a_wrong_answer_may_differ_by_memory_layout():
    x = np.random.default_rng(1).normal(size=(6, 5))
    problem = Problem([x[:2]], activations=["identity"], x=x, y=x[:, :2])
    answers = {layout: InProcess(larger)(problem, layout).gradient.weights[0] for layout in ("contiguous", "fortran")}
    apart = np.abs(answers["contiguous"] - answers["fortran"]).max()
    assert 1e-11 < apart < 1e-8
    outcome = LAWS["the_memory_layout_does_not_matter"].on(Case(problem, InProcess(larger)))
    assert (outcome.status, outcome.message) == (Status.NOT_APPLICABLE, "the answer is wrong in any layout")


def test_a_wrong_answer_may_be_on_a_kink_of_its_own_in_another_layout():
    def jumps(problem):
        answer = gradient(problem)
        return [2 * weight if problem.x.flags.c_contiguous else 0 * weight for weight in answer.weights], answer.biases

    problem = Problem([[[1.0, 2.0]]], activations=["relu"], x=[[1.0, -2.0], [0.5, 0.25]], y=[[1.0], [0.0]])
    assert LAWS["the_memory_layout_does_not_matter"].on(Case(problem, InProcess(jumps))).status is Status.NOT_APPLICABLE


GROSS = [
    ("averaged_the_loss_and_summed_the_gradient", "a_duplicated_sample_counts_twice"),
    ("read_past_the_upstream_gradient", "the_order_of_samples_does_not_matter"),
    ("averaged_the_slope_over_the_batch", "batch_gradients_add"),
    ("took_z_of_the_layer_below", "permuted_nodes_permute_the_gradient"),
    ("took_softmax_over_the_batch", "batch_gradients_add"),
]


@pytest.mark.parametrize(("name", "law"), GROSS)
def test_a_wrong_answer_that_breaks_a_law_too_shows_it(name, law):
    fault = FAULTS[name]
    outcomes = (LAWS[law].on(Case(problem, InProcess(fault.target))) for problem in draw_problems(60, 5, Support.of(fault.supports)))
    assert any(outcome.status is Status.BROKEN for outcome in outcomes)


def test_an_answer_that_is_off_by_little_is_asked_nearly_as_many_digits_as_one_that_is_right():
    """Half the digits of what is off, and not of the answer."""

    def by_batch(problem):
        answer = gradient(problem)
        return [weight * (1 + 1e-11 * problem.batch) for weight in answer.weights], answer.biases

    problem = Problem([[[1.5, 0.5]]], activations=["tanh"], x=[[1.0, -2.0], [0.5, 0.25]], y=[[1.0], [0.0]])
    assert LAWS["batch_gradients_add"].on(Case(problem, InProcess(by_batch))).status is Status.BROKEN


@pytest.mark.parametrize("seed", [1, 5])
def test_a_target_that_is_only_wrong_is_told_to_be_wrong_alone(seed):
    target = FAULTS["used_activation_for_pre_activation"].target
    report = check(target, max_examples=40, seed=seed, shrink_seconds=0.5, activations=["tanh", "sigmoid"], losses=["half_squared_error"])
    assert {finding.verdict for finding in report.findings} == {"wrong"}
    broken = {name for name, count in report.laws.items() if count.broken}
    assert broken <= {"it_agrees_with_the_exact_gradient", *FAULTS["used_activation_for_pre_activation"].laws}
