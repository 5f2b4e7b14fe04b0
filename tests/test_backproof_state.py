"""Where two calls differ, that comes first; laws that compare calls are held back, and blame nothing else for it."""

import numpy as np
import pytest

from backproof import check, gradient
from backproof.findings.judged import judgement_data
from backproof.targets.target import InProcess
from properties.faults.table import FAULTS
from properties.laws.law import Cadence, Case, Status
from properties.laws.table import LAWS
from properties.problems.blocks import draw_problems
from properties.problems.support import Support

COMPARE_CALLS = {law.name for law in LAWS.values() if law.unless}


def accumulates():
    """As PyTorch without zero_grad: what was computed is added to what is there, if the shapes are the same."""
    kept = {}

    def target(problem):
        answer = gradient(problem)
        before = kept.get(problem.widths, [0.0] * problem.depth)
        kept[problem.widths] = [weight + old for weight, old in zip(answer.weights, before, strict=True)]
        return kept[problem.widths], answer.biases

    return target


def noisy(size):
    rng = np.random.default_rng(0)

    def target(problem):
        answer = gradient(problem)
        return [weight * (1 + size * rng.normal(size=weight.shape)) for weight in answer.weights], answer.biases

    return target


def kept_from_the_problem_before(problem, kept={}):  # noqa: B006
    """Right as long as the same problem is asked: the first layer's gradient is that of the problem before, if it has the same shape."""
    answer = gradient(problem)
    key, now = problem.to_json(), [weight.copy() for weight in answer.weights]
    if kept.get("key") != key:
        kept["stale"], kept["key"], kept["fresh"] = kept.get("fresh"), key, now[0]
    stale = kept["stale"]
    return [stale if stale is not None and stale.shape == now[0].shape else now[0], *now[1:]], answer.biases


TARGETS = [("accumulates", accumulates, 1), ("noise", lambda: noisy(1e-3), 1), ("little noise", lambda: noisy(1e-11), 2)]


@pytest.mark.parametrize(("make", "seed"), [row[1:] for row in TARGETS], ids=[row[0] for row in TARGETS])
def test_two_calls_that_differ_come_first_and_hold_other_laws_back(make, seed):
    report = check(make(), max_examples=20, seed=seed, shrink_seconds=0)
    assert report.findings[0].law == "two_calls_agree"
    assert report.findings[0].verdict == "unstable"
    assert {finding.law for finding in report.findings} <= {"two_calls_agree", "it_agrees_with_the_exact_gradient"}
    assert not report.passed
    assert {name for name in COMPARE_CALLS if report.laws[name].broken} == set()
    assert any("two_calls_agree is broken" in reason for name in COMPARE_CALLS for reason in report.laws[name].reasons)


def test_what_comes_of_gradients_that_add_up_is_not_told_beside_it():
    """Not even by laws of one answer alone, such as that dC/dW is an outer product: the headline is what the target does."""
    report = check(accumulates(), max_examples=30, seed=1, shrink_seconds=0)
    assert (report.verdict, [finding.law for finding in report.findings]) == ("unstable", ["two_calls_agree"])
    assert report.laws["a_weight_gradient_is_an_outer_product"].broken


def test_what_is_kept_from_the_problem_before_comes_first():
    report = check(kept_from_the_problem_before, max_examples=25, seed=1, shrink_seconds=0, depth=2, width=2, batch=3)
    assert report.findings[0].law == "the_problem_before_does_not_matter"
    assert {finding.law for finding in report.findings} & COMPARE_CALLS == set()


@pytest.mark.parametrize("name", sorted(COMPARE_CALLS))
def test_a_law_that_compares_calls_says_nothing_of_noise(name):
    session, law, seen = InProcess(noisy(1e-2)), LAWS[name], set()
    counted = None if name == "equal_sample_weights_are_a_factor" else False
    loss = "upstream" if "upstream" in name else "half_squared_error"
    drawn = {"activations": ["identity", "tanh"], "losses": [loss], "wants": ["x", "loss"], "sample_weights": counted}
    support = Support.of(drawn)
    for problem in draw_problems(40, 1, support):
        outcome = law.on(Case(problem, session, support=support))
        assert outcome.status is not Status.BROKEN
        seen.add(outcome.message)
    assert "it compares calls, and two_calls_agree is broken" in seen or name in (
        "a_split_network_chains",
        "the_loss_changes_as_the_gradient_says",
        "the_memory_layout_does_not_matter",  # of what is wrong it is not asked
        "an_expanded_upstream_gradient_is_read_as_it_is",
    )


def test_the_laws_that_compare_calls_are_those_that_pose_related_problems():
    within_one_answer = {"a_weight_gradient_is_an_outer_product", "a_bias_gradient_is_delta", "a_dead_node_has_no_gradient"}
    within_one_answer |= {"what_comes_in_goes_out", "softmax_deltas_sum_to_zero", "the_problem_before_does_not_matter"}
    within_one_answer |= {"an_empty_batch_has_no_gradient"}  # whose gradient is known without any call
    assert {law.name for law in LAWS.values() if law.cadence is Cadence.ROTATED} - within_one_answer == COMPARE_CALLS


def test_what_the_targets_own_answers_come_to_is_not_called_exact():
    fault = FAULTS["averaged_the_slope_over_the_batch"]
    outcomes = [LAWS["batch_gradients_add"].on(Case(problem, InProcess(fault.target))) for problem in draw_problems(60, 1, Support())]
    judgement = next(outcome.judgement for outcome in outcomes if outcome.status is Status.BROKEN)
    said = dict(judgement.rows())
    assert "exact" not in said
    assert said["by law"] == f"{judgement.exact[0]!r}, of what the target answers itself"
    data = judgement_data(judgement)
    assert (data["exact"], data["by_law"]) == (None, [judgement.exact[0]] * 2)


def test_what_is_exact_is_called_so():
    (finding, *_) = check(lambda p: ([2 * w for w in gradient(p).weights], gradient(p).biases), max_examples=10, seed=1).findings
    assert dict(finding.judgement.rows())["exact"] == repr(finding.judgement.exact[0])
    assert (judgement_data(finding.judgement)["exact"] is None, judgement_data(finding.judgement)["by_law"]) == (False, None)


def in_float32(problem):
    """Computed in float32, in the order of memory, and given as float64."""
    x = np.asarray(problem.x, np.float32)
    z = x @ np.asarray(problem.weights[0], np.float32).T + (0 if problem.biases[0] is None else np.asarray(problem.biases[0], np.float32))
    delta = z - np.asarray(problem.y, np.float32)
    order = slice(None) if problem.x.flags.c_contiguous else slice(None, None, -1)
    return [(delta[order].T @ x[order]).astype(np.float64)], [delta[order].sum(axis=0).astype(np.float64)]


def test_what_is_computed_in_float32_is_not_unstable_as_float32_rounds():
    in_float32.supports = {"activations": ["identity"], "losses": ["half_squared_error"], "reductions": ["sum"], "depth": 1, "biases": True}
    laws = ["it_agrees_with_the_exact_gradient", "the_memory_layout_does_not_matter"]
    report = check(in_float32, max_examples=20, seed=2, shrink_seconds=0, batch=(8, 20), width=(3, 8), laws=laws)
    assert "wrong" in {finding.verdict for finding in report.findings}
    assert report.laws["the_memory_layout_does_not_matter"].broken == 0
