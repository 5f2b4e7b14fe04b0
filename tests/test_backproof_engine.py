"""The engine: blocks of problems are judged at once, and lose neither a failure nor shrinking, replay or the way back to any problem."""

import signal
import threading
import time
from contextlib import suppress

import numpy as np
import pytest

from backproof import Gradient, check, gradient, problem_at
from backproof.runs.check import replay
from properties.faults.table import FAULTS
from properties.laws.law import Cadence
from properties.laws.table import LAWS
from properties.problems import blocks
from properties.verdict import Verdict

AGREES = ["it_agrees_with_the_exact_gradient"]
SMALL = {"depth": 3, "width": 4, "batch": 3, "losses": ["half_squared_error"], "activations": ["tanh", "identity"]}


@pytest.fixture(autouse=True)
def blocks_grow_soon(monkeypatch):
    """After each 8 blocks, not 64, a block holds twice as many problems: a short run comes to those of many."""
    monkeypatch.setattr(blocks, "STEP", 3)


def shows(problem):
    return problem.depth == 2 and problem.batch > 1 and 1 < problem.x[0, 0] < 1.1 and problem.weights[0][0, 0] > 0.5


def rarely_wrong(problem):
    """Wrong in one entry, where two numbers are as they seldom are."""
    answer = gradient(problem)
    weights = [weight.copy() for weight in answer.weights]
    if shows(problem):
        weights[0][0, 0] += 0.5 + abs(weights[0][0, 0])
    return Gradient(weights, answer.biases)


def doubled(problem):
    answer = gradient(problem)
    return [2 * weight for weight in answer.weights], answer.biases


@pytest.fixture
def interruptible():
    """A test run that was started in the background ignores Ctrl-C, and so would what it calls."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_what_shows_seldom_is_found_shrunk_and_replayed():
    report = check(rarely_wrong, max_examples=600, seed=9, **SMALL)
    (finding,) = report.findings
    assert finding.verdict == "wrong"
    assert finding.seen < 40
    assert finding.index > 100
    assert finding.shrunk == "in full"
    assert (finding.problem.depth, finding.problem.batch, finding.problem.widths) == (2, 2, (1, 1, 1))
    assert replay(finding, target=rarely_wrong) is not None
    assert replay(finding, target=gradient) is None


def test_the_problem_that_failed_can_be_had_again():
    report = check(rarely_wrong, max_examples=600, seed=11, shrink_seconds=0, laws=AGREES, **SMALL)
    (finding,) = report.findings
    assert problem_at(finding.index, finding.seed, precision=report.precision, **SMALL) == finding.problem
    assert shows(finding.problem)


def test_a_run_poses_the_problems_by_their_index():
    posed = []
    check(lambda problem: posed.append(problem.to_json()) or gradient(problem), max_examples=400, seed=8, laws=["it_answers"], **SMALL)
    assert posed == [problem_at(index, 8, **SMALL).to_json() for index in range(400)]


def test_many_at_once_are_counted_as_one_by_one():
    report = check(gradient, max_examples=700, seed=5, **SMALL)
    counts = report.laws
    for name in ("it_answers", "shapes_and_dtypes_are_right", "inputs_are_left_alone"):
        assert (counts[name].held, counts[name].not_applicable) == (report.examples, 0)
    assert counts["it_agrees_with_the_exact_gradient"].held == report.judged == 700
    # of 16 single problems each is asked twice, of the others one in four
    assert report.examples / 4 < counts["two_calls_agree"].held < report.examples / 2
    assert 2 < report.audited < 10


def test_a_law_that_is_named_is_judged_on_every_problem():
    report = check(gradient, max_examples=600, seed=5, laws=["two_calls_agree"], **SMALL)
    assert report.laws["two_calls_agree"].held == report.examples == 600


@pytest.mark.parametrize("name", ["was_off_in_one_entry", "accumulated_in_float32", "updated_the_weights_in_place"])
def test_a_fault_in_the_middle_of_a_block_is_found(name):
    fault, calls = FAULTS[name].target, [0]

    def later(problem):
        calls[0] += 1
        return fault(problem) if calls[0] > 300 else gradient(problem)

    laws = ["two_calls_agree", "inputs_are_left_alone", *AGREES]
    report = check(later, max_examples=180, seed=6, shrink_seconds=0, laws=laws, **SMALL)
    assert not report.passed
    assert report.findings[0].index > 128


def test_noise_that_comes_late_is_unstable():
    calls = [0]

    def noisy(problem):
        calls[0] += 1
        answer, noise = gradient(problem), 1e-9 * calls[0] if calls[0] > 300 else 0.0
        return [weight * (1 + noise) for weight in answer.weights], answer.biases

    report = check(noisy, max_examples=180, seed=6, shrink_seconds=0, laws=["two_calls_agree", *AGREES], **SMALL)
    assert Verdict.UNSTABLE in {finding.verdict for finding in report.findings}


@pytest.mark.parametrize("wrong_before", [1, 5])
def test_what_was_answered_before_an_interrupt_is_judged(wrong_before):
    calls = [0]

    def target(problem):
        calls[0] += 1
        if calls[0] == 412:
            raise KeyboardInterrupt
        answer = gradient(problem)
        return [1.5 * weight for weight in answer.weights] if 412 - wrong_before <= calls[0] else answer.weights, answer.biases

    report = check(target, max_examples=5000, seed=7, shrink_seconds=0, laws=["it_answers", *AGREES], **SMALL)
    assert report.interrupted
    assert report.findings
    assert report.laws["it_answers"].held == report.examples > 300


def test_an_interrupt_in_a_law_that_asks_further_loses_no_failure_of_the_block():
    posed, wrong = [], set()

    def target(problem):
        posed.append(problem)
        answer = gradient(problem)
        if len(posed) > 1 and problem.batch > posed[-2].batch and len(posed) > 700:
            raise KeyboardInterrupt  # a law duplicates a sample
        # the same each time: two calls agree
        wrong.update([problem.to_json()] if 690 < len(posed) < 700 else [])
        return [1.5 * weight for weight in answer.weights] if problem.to_json() in wrong else answer.weights, answer.biases

    report = check(target, max_examples=5000, seed=7, shrink_seconds=0, **SMALL)
    assert report.interrupted
    assert "it_agrees_with_the_exact_gradient" in {finding.law for finding in report.findings}


def test_an_interrupt_stays_one_where_the_run_would_have_ended_anyway():
    calls = [0]

    def target(problem):
        calls[0] += 1
        if calls[0] == 300:
            raise KeyboardInterrupt
        return doubled(problem)

    assert check(target, max_examples=5000, seed=7, shrink_seconds=0, depth=1, width=1).interrupted


def test_an_interrupt_that_a_target_swallows_ends_the_run(interruptible):
    calls = [0]

    def target(problem):
        calls[0] += 1
        if calls[0] == 20:
            with suppress(BaseException):
                signal.raise_signal(signal.SIGINT)
        return gradient(problem)

    report = check(target, max_examples=50, seed=1)
    assert report.interrupted
    assert 0 < report.examples < 50


def test_a_second_answer_that_differs_is_unstable():
    calls = [0]

    def target(problem):
        calls[0] += 1
        answer = gradient(problem)
        off = 1e-6 if calls[0] % 2 == 0 else 0.0
        return [weight * (1 + off) for weight in answer.weights], answer.biases

    report = check(target, max_examples=20, seed=1, shrink_seconds=0, laws=["two_calls_agree", "it_agrees_with_the_exact_gradient"])
    assert (report.verdict, report.findings[0].law) == ("unstable", "two_calls_agree")


def test_a_second_call_that_writes_to_its_inputs_is_impure():
    calls = [0]

    def target(problem):
        calls[0] += 1
        answer = gradient(problem)
        if calls[0] % 2 == 0:
            problem.x[:] = 7.0
        return answer

    report = check(target, max_examples=20, seed=1, shrink_seconds=0, laws=["two_calls_agree", "inputs_are_left_alone"])
    assert (report.verdict, report.findings[0].message) == ("impure", "the second time it wrote to x")


@pytest.mark.parametrize("first", ["batch_gradients_add", "a_node_without_outgoing_weights_changes_nothing"])
def test_laws_may_be_named_in_any_order(first):
    laws = [first, "two_calls_agree", "it_agrees_with_the_exact_gradient"]
    assert check(gradient, max_examples=40, seed=1, laws=laws).verdict == "right"


def test_a_law_named_twice_is_judged_once():
    report = check(gradient, max_examples=20, seed=1, laws=["it_answers", "it_answers"])
    assert report.laws["it_answers"].held == report.examples == 20


def test_a_run_that_came_to_its_end_does_not_say_that_its_time_was_over():
    assert check(gradient, max_examples=1, seed=1, max_seconds=1e-9).notes == ()


def test_a_related_problem_without_an_answer_is_told(monkeypatch):
    monkeypatch.setattr(blocks, "STEP", 6)  # as usual: batches get large with the number of the block

    def target(problem):
        if problem.batch > 5:
            raise ValueError("too many samples")
        return gradient(problem)

    law = ["a_duplicated_sample_counts_twice"]
    report = check(target, max_examples=100, seed=1, shrink_seconds=0, losses=["half_squared_error"], activations=["tanh"], laws=law)
    assert report.verdict == "raises"
    assert report.findings[0].message.startswith("asked a related problem: ValueError: too many samples")


def test_what_a_float32_target_was_asked_can_be_had_again():
    posed = {}

    def target(problem):
        posed.setdefault(len(posed), problem.to_json())
        if len(posed) == 1:
            raise ValueError("not the first")
        answer = gradient(problem)
        return [weight.astype(np.float32) for weight in answer.weights], [b if b is None else b.astype(np.float32) for b in answer.biases]

    report = check(target, max_examples=4, seed=3, laws=["it_answers"], shrink_seconds=0, **SMALL)
    (finding,) = report.findings
    assert (finding.index, finding.drawn_in) == (0, "float64")
    assert problem_at(0, 3, precision=finding.drawn_in, **SMALL) == finding.problem


def test_a_slow_target_is_judged_as_it_goes():
    told = []

    def slow(problem):
        time.sleep(0.01)
        return gradient(problem)

    report = check(slow, max_examples=300, seed=9, max_seconds=2, progress=lambda *step: told.append(step), **SMALL)
    assert report.judged < 300
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert report.seconds < 10


def test_laws_that_ask_further_problems_are_left_out_when_the_time_is_over():
    slow_down = threading.Event()

    def slow(problem):
        time.sleep(0.5 if slow_down.is_set() else 0)
        slow_down.set()
        return gradient(problem)

    report = check(slow, max_examples=300, seed=9, max_seconds=0.3, **SMALL)
    further = [count for name, count in report.laws.items() if LAWS[name].cadence is Cadence.ROTATED]
    assert report.judged and not sum(count.held + count.not_applicable for count in further)


def test_a_report_names_the_precision_that_answers_were_judged_by():
    def narrow(problem):
        answer = gradient(problem)
        return [weight.astype(np.float32) for weight in answer.weights], [b if b is None else b.astype(np.float32) for b in answer.biases]

    # all of them in the first block, whose numbers are drawn before the target's precision is known
    assert check(narrow, max_examples=3, seed=9, **SMALL).precision == "float32"


def test_reasons_why_a_law_does_not_apply_are_few():
    def other(problem):
        raise ValueError(f"no {problem.x.tolist()}")

    def right_alone(problem):
        return gradient(problem) if problem.x[0, 0] > 0 else other(problem)

    report = check(right_alone, max_examples=60, seed=1, shrink_seconds=0, losses=["half_squared_error"], batch=2)
    assert all(len(count.reasons) <= 20 for count in report.laws.values())
    assert max(sum(count.reasons.values()) for count in report.laws.values()) > 20


def a_row_is_stale(problem):
    """The row of a node beyond the twentieth keeps what was in memory: it shows in wide layers alone."""
    answer = gradient(problem)
    weights = [weight.astype(np.float32) for weight in answer.weights]
    if len(weights[0]) > 20:
        weights[0][20] = 0.0
    return weights, [None if bias is None else bias.astype(np.float32) for bias in answer.biases]


def test_what_shows_at_real_sizes_alone_is_found_there_and_shrunk():
    assert check(a_row_is_stale, max_examples=100, seed=1, width=20, laws=AGREES).passed
    report = check(a_row_is_stale, max_examples=8, seed=1, sizes="real", shrink_seconds=15, laws=AGREES)
    (finding,) = report.findings
    assert finding.verdict == "wrong"
    assert finding.judgement.entry.startswith("layer 1: dC/dW[20,")
    assert finding.problem.batch == 1
    assert replay(finding, target=a_row_is_stale) is not None


@pytest.mark.parametrize("sizes", [{"sizes": "real"}, {"widths": [100, 64, 10]}], ids=["real", "given"])
def test_right_targets_are_right_at_real_sizes(sizes):
    report = check(gradient, max_examples=12, seed=2, **sizes)
    assert (report.verdict, report.judged) == ("right", 12)
    assert set(report.sees) == {"entry", "row", "layer"}


def test_a_suspicion_that_does_not_show_again_accuses_nobody():
    calls = [0]

    def off_once(problem):
        calls[0] += 1
        answer = gradient(problem)
        weights = [weight.copy() for weight in answer.weights]
        if calls[0] == 1:
            weights[0][0, 0] += 1e-3
        return [weight.astype(np.float32) for weight in weights], [None if b is None else b.astype(np.float32) for b in answer.biases]

    report = check(off_once, max_examples=1, seed=3, laws=AGREES, widths=[80, 10])
    (reason,) = [reason for count in report.laws.values() for reason in count.reasons if "suspicion" in reason]
    assert "did not show again" in reason
    assert report.passed
