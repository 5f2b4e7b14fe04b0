"""The engine: blocks of problems are judged at once, and lose neither a failure nor shrinking, replay or the way back to any problem."""

import time

import pytest

from backproof import Gradient, check, gradient, problem_at
from backproof.checking import replay
from properties.faults import FAULTS
from properties.verdict import Verdict

SMALL = {"depth": 3, "width": 4, "batch": 3, "losses": ["half_squared_error"], "activations": ["tanh", "identity"]}


def shows(problem):
    return problem.depth == 2 and problem.batch > 1 and 1 < problem.x[0, 0] < 1.1 and problem.weights[0][0, 0] > 0.5


def rarely_wrong(problem):
    """Wrong in one entry, where two numbers are as they seldom are."""
    answer = gradient(problem)
    weights = [weight.copy() for weight in answer.weights]
    if shows(problem):
        weights[0][0, 0] += 0.5 + abs(weights[0][0, 0])
    return Gradient(weights, answer.biases)


def test_what_shows_seldom_is_found_shrunk_and_replayed():
    report = check(rarely_wrong, max_examples=2500, seed=3, **SMALL)
    (finding,) = report.findings
    assert finding.verdict == "wrong"
    assert finding.seen < 40
    assert finding.index > 100
    assert finding.shrunk == "in full"
    assert (finding.problem.depth, finding.problem.batch, finding.problem.widths) == (2, 2, (1, 1, 1))
    assert replay(finding, target=rarely_wrong) is not None
    assert replay(finding, target=gradient) is None


def test_the_problem_that_failed_can_be_had_again():
    report = check(rarely_wrong, max_examples=2500, seed=4, shrink_seconds=0, **SMALL)
    (finding,) = report.findings
    assert problem_at(finding.index, finding.seed, precision=report.precision, **SMALL) == finding.problem
    assert shows(finding.problem)


def test_a_run_poses_the_problems_by_their_index():
    posed = []
    check(lambda problem: posed.append(problem.to_json()) or gradient(problem), max_examples=400, seed=8, laws=["it_answers"], **SMALL)
    assert posed == [problem_at(index, 8, **SMALL).to_json() for index in range(400)]


def test_many_at_once_are_counted_as_one_by_one():
    report = check(gradient, max_examples=1500, seed=5, **SMALL)
    counts = report.laws
    for name in ("it_answers", "shapes_and_dtypes_are_right", "inputs_are_left_alone"):
        assert (counts[name].held, counts[name].not_applicable) == (report.examples, 0)
    assert counts["it_agrees_with_the_exact_gradient"].held == report.judged == 1500
    # of 128 single problems each is asked twice, of the others one in four
    assert report.examples / 4 < counts["two_calls_agree"].held < report.examples / 2
    assert 5 < report.audited < 50


def test_a_law_that_is_named_is_judged_on_every_problem():
    report = check(gradient, max_examples=600, seed=5, laws=["two_calls_agree"], **SMALL)
    assert report.laws["two_calls_agree"].held == report.examples == 600


@pytest.mark.parametrize("name", ["forgot_transpose", "was_off_in_one_entry", "accumulated_in_float32", "updated_the_weights_in_place"])
def test_a_fault_in_the_middle_of_a_block_is_found(name):
    fault, calls = FAULTS[name].target, [0]

    def later(problem):
        calls[0] += 1
        return fault(problem) if calls[0] > 700 else gradient(problem)

    report = check(later, max_examples=400, seed=6, shrink_seconds=0, **SMALL)
    assert not report.passed
    assert report.findings[0].index > 128


def test_noise_that_comes_late_is_unstable():
    calls = [0]

    def noisy(problem):
        calls[0] += 1
        answer, noise = gradient(problem), 1e-9 * calls[0] if calls[0] > 700 else 0.0
        return [weight * (1 + noise) for weight in answer.weights], answer.biases

    report = check(noisy, max_examples=300, seed=6, shrink_seconds=0, **SMALL)
    assert Verdict.UNSTABLE in {finding.verdict for finding in report.findings}


def test_what_was_answered_before_an_interrupt_is_judged():
    calls = [0]

    def target(problem):
        calls[0] += 1
        if calls[0] == 1500:
            raise KeyboardInterrupt
        return gradient(problem)

    report = check(target, max_examples=5000, seed=7, **SMALL)
    assert report.interrupted
    assert report.examples - 5 <= report.judged <= report.examples
    # beside what the laws in turn asked, every call but the last was a problem's first or second
    assert report.examples + report.laws["two_calls_agree"].held > 900


def test_a_slow_target_is_judged_as_it_goes():
    told = []

    def slow(problem):
        time.sleep(0.01)
        return gradient(problem)

    report = check(slow, max_examples=300, seed=9, max_seconds=4, progress=lambda *step: told.append(step), **SMALL)
    assert report.judged < 300
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert report.seconds < 10


def test_reasons_why_a_law_does_not_apply_are_few():
    def other(problem):
        raise ValueError(f"no {problem.x.tolist()}")

    def right_alone(problem):
        return gradient(problem) if problem.batch == 1 else other(problem)

    report = check(right_alone, max_examples=120, seed=1, shrink_seconds=0, losses=["half_squared_error"], batch=2)
    assert all(len(count.reasons) <= 20 for count in report.laws.values())
    assert max(sum(count.reasons.values()) for count in report.laws.values()) > 20
