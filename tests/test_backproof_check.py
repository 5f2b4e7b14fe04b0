"""check puts problem after problem to a target, and reports what it found, the worst first."""

import json
import threading
import time

import numpy as np
import pytest

import backproof
from backproof import Gradient, OracleError, SupportError, TargetError, Verdict, assert_right, check, enclosure, gradient
from backproof.doors.law_items import judge_item
from backproof.runs import run as run_module
from properties.judging import judgement as judgement_module
from properties.laws.law import Cadence
from properties.laws.table import LAWS, LawError
from properties.problems.blocks import Block
from reference.problem import PARTS


def doubled(problem):
    return [2 * w for w in gradient(problem).weights], gradient(problem).biases


def raises(problem):
    raise ValueError("not today")


def writes(problem):
    answer = gradient(problem)
    problem.x[:] = 7.5
    return answer


def saturating(problem):
    """tanh' as 1 - a a, in one layer of one activation."""
    z = problem.x @ problem.weights[0].T
    a = np.tanh(z)
    delta = (a - problem.y) * (1 - a * a)
    return [delta.T @ problem.x], None


saturating.supports = {"activations": ["tanh"], "depth": 1, "biases": False, "losses": ["half_squared_error"], "reductions": ["sum"]}


def counted(report):
    return {name: (count.held, count.broken, count.not_applicable) for name, count in report.laws.items()}


def without_seconds(report):
    return json.loads(report.to_json()) | {"seconds": 0}


@pytest.mark.wheel
def test_the_reference_is_right():
    report = check(gradient, max_examples=100, seed=5)
    assert (report.verdict, report.passed, report.findings, report.notes) == ("right", True, (), ())
    assert (report.judged, report.seed, report.precision, report.target) == (100, 5, "float64", "gradient")
    assert 100 <= report.examples <= 120
    assert report.audited > 0
    assert list(report.laws) == list(LAWS)
    of_each = {name: law for name, law in LAWS.items() if law.cadence is Cadence.EVERY_PROBLEM}
    assert all(sum(counted(report)[name]) == report.examples for name, law in of_each.items() if not law.values)
    # one problem in eight is of the value class of another one
    assert [sum(counted(report)[name]) for name, law in of_each.items() if law.values] == [13]
    # no target is asked samples with weights, or a batch without samples, unless it says so
    unasked = ("equal_sample_weights_are_a_factor", "an_empty_batch_has_no_gradient")
    rotated = [name for name, law in LAWS.items() if law.cadence is Cadence.ROTATED and name not in unasked]
    in_turn = [counted(report)[name][0] for name in rotated]
    assert 1.5 * report.examples < sum(in_turn) <= 2 * report.examples
    assert min(in_turn) > 0
    assert max(in_turn) <= 20
    assert counted(report)["it_answers"] == (report.examples, 0, 0)
    assert counted(report)["it_agrees_with_the_exact_gradient"][0] == report.judged


WRONG = [
    ("doubled", doubled, "wrong", "it_agrees_with_the_exact_gradient"),
    ("raises", raises, "raises", "it_answers"),
    ("writes", writes, "impure", "inputs_are_left_alone"),
    ("None", lambda problem: None, "malformed", "shapes_and_dtypes_are_right"),
]


@pytest.mark.wheel
@pytest.mark.parametrize(("target", "verdict", "law"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_is_not_right_is_found(target, verdict, law):
    report = check(target, max_examples=8, seed=1, shrink_seconds=0)
    assert (report.verdict, report.passed) == (verdict, False)
    assert report.findings[0].law == law
    assert report.findings[0].seed == 1
    assert report.laws[law].broken == report.findings[0].seen > 0
    assert report.laws[law].status == "broken"


def test_findings_stand_the_worst_first():
    calls = [0]

    def target(problem):
        calls[0] += 1
        if problem.batch == 1:
            raise ValueError("one sample")
        if problem.batch == 2:
            return None
        if problem.batch == 3:
            problem.y += 1
        return doubled(problem)

    report = check(target, max_examples=12, seed=2, batch=(1, 4), shrink_seconds=0)
    verdicts = [finding.verdict for finding in report.findings]
    assert verdicts == ["raises", "malformed", "impure", "wrong"]
    assert report.verdict is Verdict.RAISES


def test_lossy_passes_but_not_strictly():
    report = check(saturating, max_examples=20, seed=1)
    assert (report.verdict, report.passed) == ("lossy", True)
    (finding,) = report.findings
    assert finding.judgement.functions == ("tanh",)
    assert finding.judgement.passed
    strict = check(saturating, max_examples=20, seed=1, strict=True)
    assert (strict.verdict, strict.passed, strict.strict) == ("lossy", False, True)
    assert not strict.findings[0].judgement.passed
    assert strict.laws["it_agrees_with_the_exact_gradient"].broken == finding.seen
    assert report.laws["it_agrees_with_the_exact_gradient"].broken == 0


def test_what_is_lossy_is_not_told_where_something_is_wrong():
    def target(problem):
        weights, _ = saturating(problem)
        return [2 * weights[0] if problem.batch == 1 else weights[0]], None

    target.supports = saturating.supports
    assert [finding.verdict for finding in check(target, max_examples=30, seed=1).findings] == ["wrong"]


def test_the_same_seed_gives_the_same_report():
    def reported(seed):
        return without_seconds(check(doubled, max_examples=5, seed=seed, width=2, depth=1, losses=["half_squared_error"]))

    assert reported(8) == reported(8)
    assert reported(8) != reported(9)


def test_each_run_draws_new_problems(monkeypatch):
    monkeypatch.setattr("backproof.runs.check.forced_seed", lambda: None)
    seeds = {check(gradient, max_examples=1).seed for _ in range(4)}
    assert len(seeds) == 4


def test_a_test_run_with_a_seed_draws_the_same_problems(monkeypatch):
    monkeypatch.setattr("backproof.runs.check.forced_seed", lambda: 77)
    assert check(gradient, max_examples=1).seed == 77
    assert check(gradient, max_examples=1, seed=3).seed == 3


@pytest.mark.parametrize("forced", ["monday", -5])
def test_a_test_run_may_have_any_text_for_a_seed(monkeypatch, forced):
    monkeypatch.setattr("backproof.runs.check.forced_seed", lambda: forced)
    seed = check(gradient, max_examples=1).seed
    assert check(gradient, max_examples=1).seed == seed
    assert check(gradient, max_examples=1, seed=seed).seed == seed


def test_only_what_was_asked_for_is_drawn():
    asked = []

    def target(problem):
        asked.append(problem)
        return gradient(problem)

    target.supports = {"activations": ["relu", "tanh"], "depth": 3}
    limits = {"activations": ["tanh", "elu"], "losses": ["huber"], "biases": True, "depth": (2, 5), "width": 2, "batch": (2, 2)}
    assert check(target, max_examples=20, **limits).passed
    for problem in asked:
        assert set(problem.activations) == {"tanh"}
        assert problem.loss == "huber"
        assert problem.depth in (2, 3)
        assert problem.batch == 2
        assert max(problem.widths) <= 2
        assert all(b is not None for b in problem.biases)


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_precision_is_given_to_the_target_and_judged_by(precision):
    dtypes = set()

    def target(problem):
        dtypes.update(array.dtype.name for _, array in problem.arrays())
        return Gradient(*([a.astype(precision) for a in part] for part in (gradient(problem).weights, gradient(problem).biases)))

    target.supports = {"activations": ["identity", "relu"], "losses": ["half_squared_error"]}
    asked = check(target, max_examples=8, seed=1, precision=precision)
    assert (asked.verdict, asked.precision, dtypes) == ("right", precision, {precision})
    dtypes.clear()
    told = check(target, max_examples=8, seed=1)
    assert (told.verdict, told.precision, dtypes) == ("right", precision, {"float64"})
    target.precision = precision
    dtypes.clear()
    assert check(target, max_examples=2, seed=1).precision == precision
    assert dtypes == {precision}


def test_oracles_are_laws_too():
    report = check(doubled, max_examples=4, seed=1, oracles=["finite_differences", "balls"], depth=1, shrink_seconds=0)
    assert {finding.law for finding in report.findings} >= {"it_agrees_with_balls", "it_agrees_with_the_exact_gradient"}
    assert report.findings[0].oracles == ("finite_differences", "balls")
    assert list(report.laws)[len(LAWS) :] == ["it_agrees_with_finite_differences", "it_agrees_with_balls"]


def test_progress_is_told():
    told = []
    check(doubled, max_examples=5, seed=1, shrink_seconds=0.5, progress=lambda *step: told.append(step))
    assert ("judging", 5, 5) in told
    assert any(step[:2] == ("shrinking", 0) for step in told)


def unclear(problem):
    return [w * np.inf for w in gradient(problem).weights], None


def test_nothing_judged_is_inconclusive(monkeypatch):
    huge = backproof.Problem([[[1e200]]], activations=["identity"], x=[[1e200]], y=[[0.0]])
    stack = backproof.Problem.unchecked(**{name: getattr(huge, name) for name in PARTS}).at(np.newaxis)
    monkeypatch.setattr(run_module, "block_at", lambda index, *place: Block(0, index, stack))
    report = check(unclear, max_examples=20, seed=1)
    assert (report.verdict, report.passed, report.judged, report.examples) == ("inconclusive", False, 0, 140)
    assert report.notes == ("ended after 140 problems, 0 of 20 judged: too few answers can be held against the exact gradient",)
    (reason,) = report.laws["it_agrees_with_the_exact_gradient"].reasons
    assert "leaves the range" in reason


@pytest.fixture
def disagreement(monkeypatch):
    """Ball arithmetic that has other expected outputs."""
    monkeypatch.setattr(judgement_module, "enclosure", lambda problem, near: enclosure(problem.replaced(y=problem.y + 1), near))


@pytest.mark.usefixtures("disagreement")
def test_an_audit_that_fails_is_a_finding():
    report = check(gradient, max_examples=10, seed=1, shrink_seconds=0, losses=["half_squared_error"])
    assert (report.verdict, report.passed, report.disagreement) == ("inconclusive", False, True)
    assert "a mistake in backproof" in report.findings[0].message
    assert "a mistake in backproof" in report.meaning
    data = report.data()
    assert (data["disagreement"], data["findings"][0]["disagreement"], data["findings"][0]["judgement"]["disagreement"]) == (True,) * 3


@pytest.mark.usefixtures("disagreement")
def test_a_disagreement_is_told_before_what_is_wrong():

    def target(problem):
        return gradient(problem) if problem.depth > 1 else None

    laws = ["shapes_and_dtypes_are_right", "what_is_right_stands_an_audit"]
    report = check(target, max_examples=40, seed=1, shrink_seconds=0, losses=["half_squared_error"], laws=laws)
    assert [finding.disagreement for finding in report.findings] == [True, False]
    assert (report.verdict, report.disagreement) == ("malformed", True)


def test_without_a_disagreement_none_is_told():
    report = check(doubled, max_examples=10, seed=1, shrink_seconds=0)
    data = report.data()
    assert (data["disagreement"], data["findings"][0]["disagreement"], data["findings"][0]["judgement"]["disagreement"]) == (False,) * 3


@pytest.mark.usefixtures("disagreement")
def test_a_pytest_item_fails_with_what_disagrees(request):
    law = "what_is_right_stands_an_audit"
    with pytest.raises(pytest.fail.Exception, match=r"^the reference and ball arithmetic disagree: a mistake in backproof"):
        judge_item(gradient, law, request, max_examples=1, seed=1, shrink_seconds=0, losses=["half_squared_error"])


@pytest.mark.parametrize("at", [1, 2, 9])
def test_an_interrupt_gives_the_report_so_far(at):
    calls = [0]

    def target(problem):
        calls[0] += 1
        if calls[0] == at:
            raise KeyboardInterrupt
        return doubled(problem)

    report = check(target, max_examples=50, seed=1)
    assert report.interrupted
    assert (report.examples > 0) == (at > 1)
    assert report.examples < 9
    assert "interrupted: this is the report so far" in report.notes
    assert not report.passed


def test_an_interrupt_while_shrinking_gives_the_report_so_far():
    state = []

    def progress(step, done, total):
        state.append(step)

    def target(problem):
        if "shrinking" in state:
            raise KeyboardInterrupt
        return doubled(problem)

    report = check(target, max_examples=10, seed=1, progress=progress)
    assert report.interrupted
    assert (report.verdict, report.examples) == ("wrong", 10)


def test_a_target_that_hangs_ends_the_run():
    report = check(lambda problem: time.sleep(30), max_examples=50, seed=1, time_limit=0.05, load_limit=0.05)
    assert (report.verdict, report.examples) == ("times_out", 1)
    assert report.findings[0].message == "no answer within 0.05 s"
    assert report.notes == ("ended after 1 problem, 0 of 50 judged: the target gave no answer in time",)


def slow_at_first(seconds):
    """A target whose first call imports or compiles: others take no time."""
    calls = []

    def target(problem):
        calls.append(problem)
        time.sleep(seconds if len(calls) == 1 else 0)
        return gradient(problem)

    return target


def test_the_first_call_has_a_limit_of_its_own():
    assert check(slow_at_first(0.5), max_examples=3, seed=1, time_limit=0.2, load_limit=20).verdict == "right"
    report = check(slow_at_first(30), max_examples=3, seed=1, time_limit=0.05, load_limit=0.1)
    assert (report.verdict, report.examples) == ("times_out", 1)
    said = "no answer within 0.1 s in the first call, which may import and compile (--load-limit allows more)"
    assert report.findings[0].message == said


def test_a_longer_limit_of_all_calls_holds_for_the_first_too():
    assert check(slow_at_first(0.3), max_examples=3, seed=1, time_limit=20, load_limit=0.1).verdict == "right"


def test_a_target_that_hangs_the_second_time_ends_the_run():
    calls = [0]

    def target(problem):
        calls[0] += 1
        if calls[0] > 2:
            time.sleep(30)
        return gradient(problem)

    report = check(target, max_examples=50, seed=1, time_limit=0.05)
    # the third call is the first of a law that asks further problems
    assert (report.verdict, report.examples) == ("times_out", 1)
    assert report.findings[0].message == "asked a related problem: no answer within 0.05 s"


def test_a_run_ends_when_its_time_is_over():
    report = check(lambda problem: time.sleep(0.02) or gradient(problem), max_examples=10_000, seed=1, max_seconds=0.3)
    assert report.passed
    assert 1 <= report.judged < 100
    assert report.notes == (f"ended after {report.examples} problems, {report.judged} of 10000 judged: the time is over",)


def test_a_long_run_of_a_wrong_target_ends_when_more_would_tell_nothing():
    report = check(lambda problem: None, max_examples=100_000, seed=1, shrink_seconds=0, laws=["shapes_and_dtypes_are_right"])
    assert report.verdict == "malformed"
    assert report.findings[0].seen == 200
    assert "200 problems failed in the same way" in report.notes[0]


@pytest.mark.wheel
def test_it_runs_in_a_thread_too():
    reports = []
    thread = threading.Thread(target=lambda: reports.append(check(gradient, max_examples=3, seed=1)))
    thread.start()
    thread.join()
    assert reports[0].passed


REFUSED = [
    ("max_examples", {"max_examples": 0}, SupportError, "max_examples is 0: expected a whole number, at least 1"),
    ("precision", {"precision": "half"}, SupportError, "precision is 'half': expected one of float64, float32, tf32, float16/float32"),
    ("longdouble", {"precision": "longdouble"}, SupportError, "precision is 'longdouble'"),
    ("time_limit", {"time_limit": 0}, SupportError, "time_limit is 0: expected seconds, more than 0"),
    ("load_limit", {"load_limit": 0}, SupportError, "load_limit is 0: expected seconds, more than 0"),
    ("time_limit NaN", {"time_limit": float("nan")}, SupportError, "time_limit is nan: expected seconds"),
    ("no laws", {"laws": []}, LawError, "laws is []: expected at least one of"),
    ("max_seconds", {"max_seconds": 0}, SupportError, "max_seconds is 0: expected seconds, more than 0"),
    ("seed", {"seed": -1}, SupportError, "seed is -1: expected a whole number, at least 0"),
    ("one oracle", {"oracles": "torch"}, OracleError, "oracles is 'torch': expected a list of names"),
    ("oracle", {"oracles": ["crystal"]}, OracleError, "oracle 'crystal' is not known"),
    ("activations", {"activations": ["rleu"]}, SupportError, "activation 'rleu' is not known"),
    ("losses", {"losses": []}, SupportError, "losses is []"),
    ("depth", {"depth": 0}, SupportError, "depth is 0"),
]


@pytest.mark.parametrize(("options", "error", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_run_that_cannot_begin_is_refused(options, error, message):
    with pytest.raises(error) as refused:
        check(gradient, **options)
    assert message in str(refused.value)


@pytest.mark.parametrize("target", [3, None, gradient(backproof.Problem([[[1.0]]], activations=["relu"], x=[[1.0]], y=[[1.0]]))])
def test_what_cannot_be_called_is_refused(target):
    with pytest.raises(TargetError, match=r"target is a .*: expected a function of a problem"):
        check(target)


def test_assert_right_passes_or_tells_the_report():
    assert assert_right(gradient, max_examples=5) is None
    with pytest.raises(AssertionError) as told:
        assert_right(doubled, max_examples=3, seed=6)
    lines = [line.split()[0] for line in str(told.value).splitlines() if line.strip()]
    assert str(told.value).startswith("\nwrong: doubled (further from the exact gradient")
    assert {"law", "entry", "got", "exact", "allowed", "problem", "shrunk", "seed"} <= set(lines)


def test_a_run_without_the_law_of_agreement_does_not_say_that_the_gradient_is_right():
    def wrong(problem):
        answer = gradient(problem)
        return [2 * weight for weight in answer.weights], answer.biases

    report = check(wrong, laws=["it_answers", "two_calls_agree"], max_examples=10, seed=1)
    assert (report.verdict, report.passed) == ("right", True)
    assert report.meaning == "2 laws asked for, held; no answer was held against the exact gradient"
    assert report.meaning in str(report)
