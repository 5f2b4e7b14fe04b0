"""Grades: points by layer and law by a written rule, in Gradescope's form, as a float, and whatever is wrong with a submission."""

import json
import logging
import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

import backproof
from backproof import SupportError, grade, gradient
from backproof.doors.command_line import cli
from backproof.findings.grade import ANSWERS, GRADIENT, LAWS, SHARES, Grade, Part
from backproof.findings.history import history
from backproof.reports.gradescope import LONGEST_OUTPUT, VISIBILITIES, gradescope
from backproof.runs.grading import graded, where_it_begins
from properties.faults.table import FAULTS
from reference.forward import forward

ROOT = Path(__file__).parent.parent
SCHEMA = Draft202012Validator(json.loads((ROOT / "tests" / "gradescope_results.json").read_text()))
FEW = {"max_examples": 15, "losses": ["half_squared_error"], "activations": ["identity", "tanh"], "depth": 2, "width": 3}
RULE = {"points": 10.0, "seed": None, "precision": None, "strict": False, "time_limit": 2.0, "load_limit": 8.0}


def run(*arguments):
    return CliRunner().invoke(cli, [str(a) for a in arguments])


def answering(change):
    """A target whose right lists of dC/dW and dC/db are changed."""

    def target(problem):
        right = gradient(problem)
        return change(list(right.weights), list(right.biases))

    return target


def each(factor):
    return answering(lambda W, b: ([factor * w for w in W], [one if one is None else factor * one for one in b]))


last_layer_off = answering(lambda W, b: ([*W[:-1], W[-1] + 1], b))
hidden_layers_off = answering(lambda W, b: ([*(2 * w for w in W[:-1]), W[-1]], b))
no_bias = answering(lambda W, b: (W, [None if one is None else one + 1 for one in b]))
nothing_computed = each(0.0)


def by_kind(result, kind):
    return sum(result.worth(part) * part.fraction for part in result.parts if part.kind == kind)


class TestTheRule:
    """The fractions, and what they add up to."""

    @pytest.mark.parametrize(
        ("right", "of", "fraction"), [(4, 4, 1.0), (3, 4, 0.5), (2, 4, 0.5), (1, 4, 0.0), (0, 4, 0.0), (0, 0, 0.0), (1, 1, 1.0)]
    )
    def test_all_half_or_none(self, right, of, fraction):
        assert Part("p", LAWS, right, of).fraction == fraction

    def test_one_named_mistake_costs_half_and_what_proves_nothing_all(self):
        assert Part("p", GRADIENT, 0, 4, excused=True).fraction == 0.5
        assert Part("p", GRADIENT, 4, 4, excused=True).fraction == 1.0
        void = Part("p", LAWS, 4, 4, void=True)
        assert (void.fraction, void.counts) == (0.0, "right in 4 of 4 problems; no points, since no part of the gradient has any")

    def test_shares_add_up(self):
        assert sum(SHARES.values()) == pytest.approx(1)
        parts = [
            Part("a", ANSWERS, 1, 1),
            *[Part(f"g{i}", GRADIENT, 1, 1) for i in range(3)],
            *[Part(f"l{i}", LAWS, 1, 1) for i in range(7)],
        ]
        full = Grade("t", 7.0, tuple(parts), 1)
        assert full.score == 7.0
        assert sum(full.worth(part) for part in parts) == pytest.approx(7)

    def test_the_page_says_the_rule(self):
        page = (ROOT / "docs" / "courses.md").read_text(encoding="utf-8")
        for kind, share in SHARES.items():
            assert f"| `{kind}` | {share:.0%} |" in page


def test_a_right_submission_has_all_points_and_nothing_is_printed(capfd):
    points = grade(gradient, points=7, **FEW)
    assert points == 7.0
    assert type(points) is float
    assert capfd.readouterr() == ("", "")


def test_points_are_lost_where_it_is_wrong_and_nowhere_else():
    result = graded(last_layer_off, **RULE, **FEW)
    lost = {part.name for part in result.parts if part.kind == GRADIENT and part.fraction < 1}
    assert lost == {"dC/dW of the output layer"}
    assert by_kind(result, ANSWERS) == 1.0
    result = graded(no_bias, **RULE, **FEW)
    lost = {part.name for part in result.parts if part.kind == GRADIENT and part.fraction < 1}
    assert lost == {"dC/db of the output layer", "dC/db of the layers below"}


def test_one_mistake_that_is_named_costs_half_of_what_it_spoils():
    result = graded(FAULTS["used_activation_for_pre_activation"].target, **RULE, **FEW)
    assert "g' is taken at a in place of z" in result.explanation
    assert all(part.fraction >= 0.5 for part in result.parts)
    assert any(part.excused and part.right < part.of for part in result.parts if part.kind == GRADIENT)
    assert 5.0 < result.score < 10.0


def test_a_mistake_that_raises_in_most_networks_is_named_all_the_same():
    """W in place of its transpose: the shapes fit in square layers alone."""

    def untransposed(problem):
        passed = forward(problem)
        delta, weights, biases = passed.activations[-1] - problem.y, [], []
        for layer in reversed(range(problem.depth)):
            a = passed.activations[layer + 1]
            delta = delta * (1 - a * a)
            weights.insert(0, delta.T @ passed.activations[layer])
            biases.insert(0, delta.sum(axis=0))
            delta = delta @ problem.weights[layer].T
        return weights, biases

    few = FEW | {"max_examples": 40, "activations": ["tanh"], "reductions": ["sum"], "biases": True, "depth": (1, 3), "width": (1, 4)}
    result = graded(untransposed, **RULE, **few)
    (answers, *parts) = result.parts
    assert 2 * answers.right < answers.of, "it must raise in most"
    assert "takes W in place of its transpose" in result.explanation
    assert "not known" not in result.explanation
    assert all(part.fraction >= 0.5 for part in parts if part.kind == GRADIENT)


def test_zeros_hold_most_laws_and_get_no_points_for_them():
    result = graded(nothing_computed, **RULE, **FEW)
    assert any(part.kind == LAWS and part.right == part.of for part in result.parts)
    assert by_kind(result, LAWS) == 0.0
    assert result.score <= 1.0 + 0.5 * 6.0 / 2  # what is zero in many problems is right there


def test_the_same_seed_gives_the_same_grade_and_the_clock_none():
    slow_calls = []

    def slow(problem):
        slow_calls.append(1)
        if len(slow_calls) % 40 == 0:
            sum(i * i for i in range(300_000))
        return last_layer_off(problem)

    slow.__qualname__ = last_layer_off.__qualname__
    few = FEW | {"max_examples": 8}
    one = graded(last_layer_off, **RULE, **few).data()
    assert graded(slow, **RULE, **few).data() == one
    assert graded(last_layer_off, **RULE | {"seed": 1}, **few).data() == one
    assert graded(last_layer_off, **RULE | {"seed": 2}, **few).data()["parts"] != one["parts"]


def prints(problem):
    import warnings

    warnings.warn("careful", stacklevel=1)
    print("to standard error", file=sys.stderr)
    os.write(2, b"from below\n")
    subprocess.run(["sh", "-c", "echo of another process >&2"], check=True)
    return no_bias(problem)


class Cell(StringIO):
    """What stands for standard error in a notebook: no file, so that nothing below Python leads to it."""

    name = "stderr"


def test_who_held_standard_error_before_writes_nothing_to_it_either(capfd, monkeypatch):
    """A log's handler keeps the stream that it was made with; to nbgrader one word there is a wrong cell."""
    stream = Cell()
    monkeypatch.setattr(sys, "stderr", stream)
    log = logging.getLogger("a student's own")
    handler = logging.StreamHandler()
    log.addHandler(handler)
    held = print_to = sys.stderr

    def logs(problem):
        log.warning("of the log")
        print("of who held it", file=print_to)
        held.writelines(["and of", " lines"])
        return gradient(problem)

    try:
        assert grade(logs, **FEW) == 10.0
        log.warning("it is there again")
    finally:
        log.removeHandler(handler)
    assert stream.getvalue() == "it is there again\n"
    assert capfd.readouterr() == ("", "")


def test_nothing_goes_to_standard_error(capfd):
    before = sys.stderr
    points = grade(prints, **FEW | {"max_examples": 2})
    printed = capfd.readouterr()
    assert printed.err == ""
    assert printed.out.startswith(f"{points:g} of 10 points\n")
    assert sys.stderr is before
    os.write(2, b"it is there again\n")
    assert capfd.readouterr().err == "it is there again\n"


def raises(problem):
    raise ValueError("\x1b[31mno\x1b[0m <b>")


def leaves(problem):
    raise SystemExit(3)


def wrong_shapes(problem):
    return [w.T[None] for w in gradient(problem).weights], None


def hangs(problem):
    while True:
        pass


FAILURES = {
    raises: "ValueError: \\x1b[31mno\\x1b[0m <b>",
    leaves: "SystemExit: 3",
    wrong_shapes: "has shape",
    (lambda problem: None): "the answer is None",
    hangs: "no answer within 0.2 s",
}


@pytest.mark.parametrize("target", FAILURES, ids=["raises", "leaves", "shapes", "None", "hangs"])
def test_what_gives_no_answer_has_no_points_and_is_told(target, capfd):
    assert grade(target, **FEW | {"max_examples": 3, "time_limit": 0.2, "load_limit": 0.2}) == 0.0
    printed = capfd.readouterr()
    assert FAILURES[target] in printed.out
    assert "Traceback" not in printed.out
    assert printed.err == ""


def test_limits_that_allow_nothing_are_refused():
    with pytest.raises(SupportError):
        grade(gradient, activations=["no such"])


@pytest.mark.parametrize("supports", [{"activations": ["no such"]}, {"losses": ["huber"]}, 7], ids=["unknown", "others", "no dict"])
def test_what_a_submission_says_of_itself_is_its_own_mistake(supports, capfd):
    def target(problem):
        return gradient(problem)

    target.supports = supports
    assert grade(target, **FEW) == 0.0
    assert "0 of 10 points" in capfd.readouterr().out


def test_a_mistake_in_the_diagnosis_costs_no_grade(monkeypatch, capfd):
    def broken(*arguments, **options):
        raise RuntimeError("a mistake in backproof")

    monkeypatch.setattr("backproof.runs.grading.diagnose", broken)
    assert 0.0 < grade(no_bias, **FEW) < 10.0
    printed = capfd.readouterr()
    assert "a mistake in backproof" not in printed.out + printed.err


def of(value, passed, failed):
    return {"value": value, "passed": passed, "failed": failed, "unjudged": 0}


def test_a_student_is_told_where_it_begins():
    by = {
        "depth": [of(1, 12, 0), of(2, 3, 9), of(3, 0, 16)],
        "width": [of(1, 5, 5), of(2, 10, 20)],
        "batch": [of(1, 0, 10), of(2, 15, 15)],
        "reduction": [of("sum", 15, 0), of("mean", 5, 20)],
        "loss": [of("half_squared_error", 15, 25)],
    }
    assert where_it_begins(by) == [
        "it begins at depth 2: all 12 right below, 25 of 28 wrong from there on",
        "by reduction: all 15 right with sum, 20 of 25 wrong with others",
    ]
    assert where_it_begins({}) == []
    assert where_it_begins({"width": [of(1, 1, 0), of(2, 3, 0), of(3, 3, 8)]}) == [], "four may be right by chance"
    assert where_it_begins({"depth": [of(1, 0, 4), of(2, 4, 0)]}) == [], "what fails in small networks alone begins nowhere"


def test_the_text_of_a_grade_says_where_it_begins():
    # no law inserts an identity layer into a network of one layer, which is right
    text = graded(hidden_layers_off, **RULE, **FEW | {"max_examples": 40, "activations": ["tanh", "sigmoid"]}).text()
    assert re.search(r"^yours: \S+\nshould be: \S+$", text, re.MULTILINE), text
    assert re.search(r"^it begins at depth 2: all \d+ right below, \d+ of \d+ wrong from there on$", text, re.MULTILINE), text


def test_it_is_a_public_name():
    assert backproof.grade is grade
    assert "grade" in dir(backproof)


SUBMISSIONS = """
import os, sys, time
from backproof import gradient

def right(problem):
    return gradient(problem)

def doubled(problem):
    return [2 * w for w in gradient(problem).weights], gradient(problem).biases

def dies(problem):
    os._exit(0)

def dies_once(problem):
    if problem.batch > 1 and not os.path.exists("died"):
        open("died", "w").close()
        os._exit(9)
    return doubled(problem)

right.supports = {"losses": ["half_squared_error"], "activations": ["tanh", "identity"], "depth": 2, "width": 3}
doubled.supports = dies_once.supports = right.supports
"""
AT_IMPORT = {
    "raises": "raise ValueError('at import')",
    "leaves": "import sys; sys.exit('bye')",
    "syntax": "def gradient(problem:",
    "missing": "x = 1",
    "hangs": "import time; time.sleep(60)",
    "dies": "import os; os._exit(0)",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.py").write_text(SUBMISSIONS)
    return tmp_path


@pytest.mark.slow
class TestTheCommand:
    """backproof grade, and the file that it writes."""

    def test_it_writes_what_the_documentation_says(self, folder):
        done = run("grade", "t.py:doubled", "--points", 20, "--gradescope", "results.json", "--max-examples", 5)
        assert (done.exit_code, done.stderr) == (1, "")
        results = json.loads(Path("results.json").read_text())
        SCHEMA.validate(results)
        assert done.stdout.startswith(f"{results['score']:g} of 20 points\n")
        assert sum(test["max_score"] for test in results["tests"]) == pytest.approx(20, abs=0.01)
        assert sum(test["score"] for test in results["tests"]) == pytest.approx(results["score"], abs=0.01)
        output = {test["name"]: test for test in results["tests"]}["dC/dW of the output layer"]
        assert output["status"] == "failed"
        assert "right in" in output["output"]
        assert "equation" in output["output"], "the explanation is the student's text"
        (remembered,) = history(Path(".backproof"))
        assert (remembered["command"], remembered["verdict"]) == ("grade", f"{results['score']:g} of 20")
        before = json.loads(Path("results.json").read_text())
        run("grade", "t.py:doubled", "--points", 20, "--gradescope", "results.json", "--max-examples", 5)
        assert json.loads(Path("results.json").read_text()) == before

    def test_a_right_one_passes_all(self, folder):
        done = run("grade", "t.py:right", "--gradescope", "-", "--max-examples", 10)
        results = json.loads(done.stdout)
        SCHEMA.validate(results)
        assert (done.exit_code, results["score"], {test["status"] for test in results["tests"]}) == (0, 10.0, {"passed"})

    @pytest.mark.parametrize("how", AT_IMPORT)
    def test_what_cannot_be_imported_is_graded_too(self, folder, how):
        (folder / "bad.py").write_text(AT_IMPORT[how])
        done = run("grade", "bad.py:gradient", "--gradescope", "results.json", "--load-limit", 1.5, "--time-limit", 0.5)
        results = json.loads(Path("results.json").read_text())
        SCHEMA.validate(results)
        assert (done.exit_code, results["score"], sum(test["max_score"] for test in results["tests"])) == (2, 0.0, 10.0)
        assert "bad.py" in results["output"]
        assert "Traceback" not in done.output + results["output"]

    def test_one_that_dies_is_graded_too(self, folder):
        done = run("grade", "t.py:dies", "--max-examples", 3, "--gradescope", "-")
        results = json.loads(done.stdout)
        SCHEMA.validate(results)
        assert (done.exit_code, results["score"]) == (1, 0.0)

    def test_one_that_died_once_is_told_where_and_why_all_the_same(self, folder):
        done = run("grade", "t.py:dies_once", "--max-examples", 10)
        assert "dC/dW is twice what it should be" in done.stdout

    @pytest.mark.parametrize("word", ["sometimes", "nothing:hidden", "laws:", "laws:hidden:hidden"])
    def test_another_visibility_is_refused(self, folder, word):
        done = run("grade", "t.py:right", "--visibility", word)
        assert done.exit_code == 2
        assert "expected one of visible, hidden, after_due_date, after_published" in done.output.replace("\n", " ")


def example():
    parts = (
        Part("a", ANSWERS, 1, 1),
        Part("g", GRADIENT, 0, 3, "what to change"),
        Part("l", LAWS, 3, 3, "statement"),
    )
    return Grade("t", 10.0, parts, 1, "what to change")


@pytest.mark.parametrize("word", VISIBILITIES)
def test_hidden_parts_are_told_nowhere_else(word):
    results = gradescope(example(), {"gradient": word})
    SCHEMA.validate(results)
    assert [test["visibility"] for test in results["tests"]] == ["visible", word, "visible"]
    seen = json.dumps([results["output"], *(test["output"] for test in results["tests"] if test["visibility"] == "visible")])
    assert ("what to change" in seen) == (word == "visible")
    assert ("4 of 10" in seen) == (word == "visible")


def test_names_and_messages_are_shown_harmlessly():
    nasty = "\x1b[31m<script>alert(1)</script>" + "x" * 20_000
    results = gradescope(Grade(nasty, 10.0, (Part("a", ANSWERS, 0, 0, nasty),), 1, error=nasty))
    SCHEMA.validate(results)
    outputs = [results["output"], results["tests"][0]["output"]]
    assert all("\x1b" not in text and len(text) < LONGEST_OUTPUT + 100 for text in outputs)
    assert {results["output_format"], results["tests"][0]["output_format"]} == {"text"}, "markup is shown, not read"


@pytest.mark.parametrize(
    "spoilt", [{"score": "ten"}, {"visibility": "nobody"}, {"more": 1}, {"output_format": "rtf"}, {"tests": [{"score": 1, "status": "ok"}]}]
)
def test_the_schema_refuses_what_the_documentation_does(spoilt):
    results = gradescope(example())
    assert SCHEMA.is_valid(results)
    assert not SCHEMA.is_valid(results | spoilt)
    assert not SCHEMA.is_valid({"output": "neither a score nor tests"})


def test_digits_that_are_left_away_are_no_excuse_unless_they_are_not_asked_for():
    """Differences in float32 would pass for a gradient in float32, whatever was derived."""
    target = answering(lambda W, b: ([w.astype(np.float32) for w in W], [one if one is None else one.astype(np.float32) for one in b]))
    few = FEW | {"max_examples": 5}
    assert graded(target, **RULE, **few).score < 5.0
    assert graded(target, **RULE | {"precision": "float32"}, **few).score == 10.0


@pytest.mark.parametrize("points", [3.333, 1 / 3, 0.125, 0.001])
def test_all_points_are_all_and_none_has_more(points):
    parts = (Part("a", ANSWERS, 1, 1), Part("g", GRADIENT, 3, 3))
    assert Grade("t", points, parts, 1).score == points
    some = Grade("t", points, (*parts, Part("l", LAWS, 0, 3)), 1)
    assert some.score <= points


def test_a_mistake_that_only_hidden_parts_show_is_told_nowhere_else():
    parts = (Part("a", ANSWERS, 1, 1), Part("g", GRADIENT, 3, 3), Part("l", LAWS, 0, 3))
    results = gradescope(Grade("t", 10.0, parts, 1, "it wrote to x"), {"laws": "hidden"})
    assert "it wrote to x" not in results["output"]
    assert "it wrote to x" in gradescope(Grade("t", 10.0, parts, 1, "it wrote to x"))["output"]


@pytest.mark.parametrize("points", ["nan", "inf"])
def test_points_that_are_no_number_are_refused(points):
    done = run("grade", "nothing.py:gradient", "--points", points)
    assert done.exit_code == 2
    assert f"--points is {points}: expected a number of points" in done.output
