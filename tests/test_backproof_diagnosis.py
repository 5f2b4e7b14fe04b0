"""A run that fails says where and why, in its first finding; one that passes, or is told not to, asks nothing more."""

import json
from functools import partial
from itertools import count

import jsonschema
import pytest
from click.testing import CliRunner

from backproof import Gradient, check, gradient
from backproof.doors.command_line import cli
from backproof.findings.diagnosed import diagnosis_data, diagnosis_of, diagnosis_rows
from backproof.findings.finding import finding_of
from backproof.findings.saved import save_finding
from backproof.findings.schema import schema
from backproof.reports.terminal import report_text
from backproof.runs import conclusion, self_test
from backproof.runs.check import replay
from backproof.targets.target import InProcess
from benchmarks.textbook import Textbook
from properties.answers.answer import Answer
from properties.faults.table import FAULTS
from properties.verdict import Verdict

LIMITS = {"max_examples": 12, "seed": 1, "shrink_seconds": 0.2}
SUPPORTS = {"activations": ["tanh", "identity"], "losses": ["half_squared_error"], "reductions": ["sum"], "depth": 2}


def supported(target):
    target.supports = SUPPORTS
    return target


def mistaken(calls=None):
    """A target with one mistake, which counts its calls."""
    fault = FAULTS["used_activation_for_pre_activation"].answering(("weights", "biases"))

    def target(problem):
        if calls is not None:
            calls.append(problem)
        return fault(problem)

    return supported(target)


@pytest.fixture(scope="module")
def report():
    return check(mistaken(), **LIMITS)


def test_the_first_finding_says_where_and_why(report):
    first, *others = report.findings
    assert (first.equation, first.equations, first.cause) == (3, (3,), "used_activation_for_pre_activation")
    assert first.layer in (1, 2)
    assert first.shows_when.startswith("for every activation whose slope changes")
    assert first.explanation.startswith(f"equation 3, layer {first.layer} (tanh): g' is taken at a in place of z.")
    given, of = first.reproduced
    assert given == of > 50
    assert first.evidence["tables"][0]["columns"] == ["z", "g'(z)", "read"]
    assert isinstance(first.same_as, tuple)
    assert all(other.diagnoses == () and other.cause is None and other.evidence == {} for other in others)


def test_the_report_shows_boxes_sentences_and_a_small_table(report):
    lines = report_text(report).splitlines()
    said = {line[:11].strip(): line[11:] for line in lines if line.startswith("  ")}
    assert "g'" in said["factors"]
    assert said["factors"].startswith("loss ok | ")
    assert " X" in said["factors"]
    assert said["cause"] == report.findings[0].explanation
    assert said["evidence"].startswith("what the target multiplies by in layer ")
    place = next(i for i, line in enumerate(lines) if line.startswith("  evidence"))
    assert lines[place + 1].split() == ["z", "g'(z),", "should", "be", "yours"]
    assert len(lines[place + 2].split()) == 3
    assert lines[place + 1].startswith(" " * 11)


def test_nothing_is_asked_where_it_is_told_so():
    with_it, without = [], []
    check(mistaken(with_it), **LIMITS)
    told = check(mistaken(without), **LIMITS, no_diagnosis=True)
    assert told.findings[0].diagnoses == ()
    assert "factors" not in report_text(told)
    assert len(without) < len(with_it) <= len(without) + 600


def test_nothing_more_is_asked_of_what_passes():
    counts = []
    for no_diagnosis in (False, True):
        calls = []
        right = supported(lambda problem, calls=calls: calls.append(problem) or gradient(problem))
        assert check(right, **LIMITS, no_diagnosis=no_diagnosis).passed
        counts.append(len(calls))
    assert counts[0] == counts[1]


def test_conduct_is_told_in_words():
    fault = FAULTS["added_to_the_gradient_of_the_call_before"].target
    first = check(supported(lambda problem: fault(problem)), **LIMITS).findings[0]
    assert first.cause == "adds_to_the_answer_before"
    assert first.equation is None
    assert "A buffer is never set to 0." in first.explanation


def textbook(activations, loss="half_squared_error", dtype="float64"):
    """A target by textbook formulas, lossy in one of them."""
    target = Textbook(dtype)

    def textbook_formulas(problem):
        return target(problem)

    textbook_formulas.supports = {"activations": activations, "losses": [loss], "depth": 2, "values": "any", "reductions": ["sum"]}
    return textbook_formulas


@pytest.mark.parametrize("strict", [False, True])
def test_the_finding_of_a_lossy_run_says_which_formula_loses_digits(strict):
    report = check(textbook(["tanh", "identity"]), max_examples=60, seed=1, shrink_seconds=0.2, strict=strict)
    assert report.verdict == "lossy"
    assert report.passed is not strict
    first = report.findings[0]
    assert first.cause == "took_one_less_a_squared_for_the_slope_of_tanh"
    assert first.equation == 3
    assert first.problem.activations[first.layer - 1] == "tanh"
    text = report_text(report)
    assert "g' is computed as 1 - a a" in text
    assert "Write 4 s(2z) s(-2z)" in text
    again = finding_of(first.to_json())
    assert diagnosis_rows(again.diagnoses[0]) == diagnosis_rows(first.diagnoses[0])
    validator = jsonschema.Draft202012Validator(schema("finding"))
    assert list(validator.iter_errors(json.loads(first.to_json()))) == []


def test_of_answers_in_float32_its_digits_are_read():
    report = check(textbook(["tanh", "identity"], dtype="float32"), max_examples=60, seed=1, shrink_seconds=0.2)
    assert report.precision == "float32"
    assert report.verdict == "lossy"
    assert report.findings[0].cause == "took_one_less_a_squared_for_the_slope_of_tanh"


def test_nothing_is_read_of_a_lossy_run_where_it_is_told_so():
    told = check(textbook(["tanh", "identity"]), max_examples=60, seed=1, shrink_seconds=0.2, no_diagnosis=True)
    assert told.verdict == "lossy"
    assert told.findings[0].diagnoses == ()


def test_a_diagnosis_is_saved_and_read_again(report, tmp_path):
    first = report.findings[0]
    again = finding_of(save_finding(first, 0, tmp_path).read_text())
    assert [diagnosis_data(one) for one in again.diagnoses] == [diagnosis_data(one) for one in first.diagnoses]
    assert diagnosis_rows(again.diagnoses[0]) == diagnosis_rows(first.diagnoses[0])
    assert diagnosis_of(json.loads(json.dumps(diagnosis_data(first.diagnoses[0])))) == again.diagnoses[0]


def test_a_replay_tells_nothing_that_was_found_of_the_target_before(report):
    again = replay(report.findings[0], target=mistaken())
    assert again.verdict == "wrong"
    assert again.diagnoses == ()


def test_a_finding_from_before_there_were_diagnoses_is_read(report):
    data = json.loads(report.findings[0].to_json())
    del data["diagnoses"]
    assert finding_of(json.dumps(data)).diagnoses == ()


def test_a_saved_finding_is_explained(report, tmp_path):
    path = save_finding(report.findings[0], 0, tmp_path)
    done = CliRunner().invoke(cli, ["explain", str(path)])
    assert done.exit_code == 0
    assert "g' is taken at a in place of z" in " ".join(done.output.split())
    assert "10: dC/dW" in done.output
    assert "should be" in done.output
    lines = done.output.splitlines()
    exact, own = (next(line for line in lines[i:] if word in line) for i, word in ((0, "10: dC/dW"), (0, "   yours ")))
    assert "should be" in exact
    assert own.split("yours")[1].strip()


def test_a_finding_without_a_diagnosis_is_explained_by_its_equations(tmp_path):
    def doubled(problem):
        right = gradient(problem)
        return Gradient([2 * w for w in right.weights], right.biases)

    finding = check(supported(doubled), **LIMITS, no_diagnosis=True).findings[0]
    done = CliRunner().invoke(cli, ["explain", str(save_finding(finding, 0, tmp_path))])
    assert "this file holds no diagnosis" in done.output
    assert "10: dC/dW" in done.output


def test_a_mistake_of_our_own_loses_no_finding(monkeypatch):
    def broken(*given, **options):
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr(conclusion, "diagnose", broken)
    report = check(mistaken(), **LIMITS)
    assert report.findings[0].verdict == "wrong"
    assert report.notes[-1] == "no diagnosis, by a mistake in backproof, please report it: ZeroDivisionError: of ours"


def test_a_mistake_of_our_own_loses_no_lossy_finding(monkeypatch):
    def broken(*given, **options):
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr(conclusion, "diagnose_lossy", broken)
    report = check(textbook(["tanh", "identity"]), max_examples=60, seed=1, shrink_seconds=0.2)
    assert report.verdict == "lossy"
    assert report.notes[-1] == "no diagnosis, by a mistake in backproof, please report it: ZeroDivisionError: of ours"


def test_an_interrupt_while_it_is_asked_where_and_why_is_one(monkeypatch):
    def interrupted(*given, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(conclusion, "diagnose", interrupted)
    report = check(mistaken(), **LIMITS)
    assert report.interrupted
    assert report.findings[0].verdict == "wrong"
    assert report.notes[-1] == "interrupted before it was found where and why: this is the report without"


@pytest.fixture
def dying(monkeypatch):
    """The target's process dies in the calls of these numbers, or from the first call of the diagnosis on."""
    answers, asks = InProcess.__call__, conclusion.diagnose
    calls, meanwhile = count(1), []

    def dies_in(numbers=(), of_diagnosis=False):
        def called(session, problem, *layout):
            if next(calls) in numbers or meanwhile:
                session.deaths += 1
                return Answer(None, Verdict.RAISES, "it died", gone=True)
            return answers(session, problem, *layout)

        def diagnoses(*given, **options):
            meanwhile.extend([True] * of_diagnosis)
            return asks(*given, **options)

        monkeypatch.setattr(InProcess, "__call__", called)
        monkeypatch.setattr(conclusion, "diagnose", diagnoses)

    return dies_in


def test_one_death_of_the_process_costs_no_diagnosis(dying):
    dying([5])
    report = check(mistaken(), **LIMITS)
    assert report.findings[0].cause == "used_activation_for_pre_activation"
    assert {finding.verdict for finding in report.findings} == {"wrong", "raises"}


def test_where_the_process_died_too_often_it_is_said_that_there_is_no_diagnosis(dying):
    dying([5, 10, 15])
    report = check(mistaken(), **LIMITS)
    assert all(finding.diagnoses == () for finding in report.findings)
    assert report.notes[-1] == "no diagnosis: the target's process died 3 times, and is asked no more"


def test_where_the_process_dies_meanwhile_that_is_said(dying):
    dying(of_diagnosis=True)
    report = check(mistaken(), **LIMITS)
    assert report.findings[0].cause is None
    assert report.notes[-1] == "the target's process died while it was asked where and why: it was not asked all of that"


def test_the_suite_tests_itself(monkeypatch):
    # whether every fault is caught at the defaults is looked at beside the table: here few and small problems will do
    few = {"max_examples": 10, "depth": 2, "losses": ["half_squared_error"], "activations": ["tanh", "identity"]}
    monkeypatch.setattr(self_test, "check", partial(check, **few))
    done = CliRunner().invoke(cli, ["faults", "--only", "forgot_the_bias_gradient"])
    assert done.exit_code == 0, done.output
    first, _, total = done.output.splitlines()
    assert first.startswith("forgot_the_bias_gradient: caught, placed, cause right, ")
    assert total == "1 of 1 caught; place right 1; cause, or its equal, 1; another cause 0"


def test_a_fault_that_there_is_not_is_refused():
    done = CliRunner().invoke(cli, ["faults", "--only", "nobody_did_this"])
    assert done.exit_code == 2
    assert "docs/faults.md lists them" in done.output
