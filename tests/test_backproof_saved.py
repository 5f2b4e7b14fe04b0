"""Saved findings: no other target's overwrites one, one says enough without the code, and a replay says what it met."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from backproof import Problem, check, gradient, verify
from backproof.doors.command_line import cli
from backproof.findings.finding import Finding, finding_of
from backproof.findings.saved import file_name, load_finding, save_finding
from backproof.runs.check import replay, stored

PROBLEM = Problem([[[1.0, 2.0]]], biases=[[0.5]], activations=["tanh"], x=[[1.0, -1.0]], y=[[0.0]])


def doubled(problem):
    return [2 * w for w in gradient(problem).weights], gradient(problem).biases


def found(**changes):
    answer = gradient(PROBLEM)
    answer = replace(answer, weights=[2 * w for w in answer.weights])
    law = "it_agrees_with_the_exact_gradient"
    return replace(Finding("gone/hw3.py:f", verify(PROBLEM, answer).verdict, law, "", PROBLEM, None, answer, None, 1), **changes)


def run(*arguments):
    return CliRunner().invoke(cli, [str(a) for a in arguments])


TWO = [
    ("folders", "a/hw3.py:f", "b/hw3.py:f"),
    ("a folder and a dash", "a/hw3.py:f", "a-hw3.py:f"),
    ("a folder above", "../a/hw3.py:f", "a/hw3.py:f"),
    ("methods", "a.b:C.f", "a:b.C.f"),
    ("long folders", f"{'x' * 300}a/hw3.py:f", f"{'x' * 300}b/hw3.py:f"),
    ("letters", "é.py:f", "è.py:f"),
]


@pytest.mark.parametrize(("one", "other"), [row[1:] for row in TWO], ids=[row[0] for row in TWO])
def test_findings_of_two_targets_are_two_files(tmp_path, one, other):
    files = {save_finding(found(target=target), 0, tmp_path) for target in (one, other)}
    assert {load_finding(file).target for file in files} == {one, other}
    assert all(len(file.name) <= 255 and file.parent == tmp_path for file in files)


def test_the_name_of_a_file_can_be_read():
    name = file_name(found(target="a/hw3.py:f"), 2)
    assert name.startswith("a-hw3.py-f-")
    assert name.endswith("-it_agrees_with_the_exact_gradient-1-2.json")


def test_two_checks_with_one_seed_leave_two_findings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b"):
        Path(folder).mkdir()
        Path(folder, "hw3.py").write_text("def f(problem):\n    return None\n")
        assert run("check", f"{folder}/hw3.py:f", "--seed", 1, "--max-examples", 2, "--shrink-seconds", 0).exit_code == 1
    assert {load_finding(file).target for file in Path(".backproof").glob("*.json")} == {"a/hw3.py:f", "b/hw3.py:f"}


class TestWithoutTheCode:
    """A finding that was sent to somebody else."""

    @pytest.fixture(autouse=True)
    def file(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        Path("f.json").write_text(found().to_json())

    def test_a_replay_says_what_to_name_and_judges_the_stored_answer(self):
        told = run("replay", "f.json", "--json", "j.json")
        assert told.exit_code == 2
        assert told.stderr == (
            "backproof: there is no file 'gone/hw3.py': expected path/to/file.py:function; if gone/hw3.py:f lies elsewhere, say "
            "--target path/to/file.py:function; what it answered then is judged here, as `backproof verify FILE` does\n"
        )
        assert told.stdout.startswith("wrong (further from the exact gradient than any honest rounding)\n  entry    layer 1: dC/dW[0, ")
        assert f"\n  problem  {PROBLEM!r}\n" in told.stdout
        written = json.loads(Path("j.json").read_text())
        assert (written["reproduced"], written["finding"], written["stored"]["verdict"]) == (None, None, "wrong")
        assert written["error"].startswith("there is no file 'gone/hw3.py'")

    def test_a_target_that_was_named_is_not_asked_for_again(self):
        told = run("replay", "f.json", "--target", "nowhere.py:f")
        assert told.exit_code == 2
        assert told.stderr.startswith("backproof: there is no file 'nowhere.py': expected path/to/file.py:function; what it answered then")

    def test_the_stored_answer_is_judged_by_itself(self):
        told = run("verify", "f.json")
        assert (told.exit_code, told.stdout.splitlines()[0].split()[0]) == (1, "wrong")
        assert json.loads(run("verify", "f.json", "--json", "-").stdout)["verdict"] == "wrong"

    def test_it_is_judged_by_the_precision_of_the_finding(self):
        assert stored(found(precision="float32")).precision == "float32"
        assert stored(found(precision="float32"), precision="bfloat16").precision == "bfloat16"

    def test_what_one_answer_cannot_show_is_said(self):
        right = found(answer=gradient(PROBLEM), law="the_order_of_samples_does_not_matter")
        Path("f.json").write_text(right.to_json())
        told = run("verify", "f.json")
        assert told.exit_code == 0
        assert told.stdout.splitlines()[-1] == (
            "  found    wrong by the law the_order_of_samples_does_not_matter, which one stored answer cannot show: "
            "ask the target, by a replay"
        )

    @pytest.mark.parametrize("command", ["verify", "replay"])
    def test_a_finding_without_an_answer_says_what_was_found(self, command):
        Path("f.json").write_text(found(answer=None, verdict=verify(PROBLEM, None).verdict, message="the answer is None").to_json())
        told = run(command, "f.json", "--json", "j.json")
        assert (told.exit_code, told.stdout) == (2, "")
        assert told.stderr.endswith("the finding holds no answer that could be judged: malformed: the answer is None\n")

    def test_what_is_no_finding_is_told_to_need_two_files(self):
        PROBLEM.save("problem.json")
        told = run("verify", "problem.json")
        assert told.exit_code == 2
        assert told.stderr == (
            "backproof: problem.json: no finding: expected an object with schema 'backproof.finding', as a run saves it; "
            "one answer to one problem is two files: backproof verify PROBLEM ANSWER\n"
        )


def leaves(problem):
    raise ValueError("out of order")


INSTEAD = [
    ("None", lambda problem: None, "malformed", "shapes_and_dtypes_are_right", "the answer is None: expected a Gradient"),
    ("an error", leaves, "raises", "it_answers", "ValueError: out of order"),
]


@pytest.mark.parametrize("law", ["it_agrees_with_the_exact_gradient", "batch_gradients_add", "it_answers", "shapes_and_dtypes_are_right"])
@pytest.mark.parametrize(("target", "verdict", "instead", "message"), [row[1:] for row in INSTEAD], ids=[row[0] for row in INSTEAD])
def test_a_replay_without_an_answer_is_no_pass(target, verdict, instead, message, law):
    again = replay(found(law=law), target=target)
    assert (again.verdict, again.law) == (verdict, instead)
    assert message in again.message


def test_an_answer_that_breaks_the_law_no_more_is_a_pass_even_where_it_cannot_be_judged():
    """In 16 bits say: what was wrong is mended, and of the right answer to this problem nothing can be said."""
    huge = Problem([[[1e200]]], activations=["identity"], x=[[1e200]], y=[[0.0]])
    assert verify(huge, gradient(huge)).verdict == "inconclusive"
    assert replay(found(problem=huge), target=gradient) is None
    assert replay(found(law="softmax_deltas_sum_to_zero"), target=gradient) is None


def test_json_is_written_where_the_target_cannot_be_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = run("check", "nope.py:f", "--json", "j.json", "--seed", 3, "--precision", "float32")
    written = json.loads(Path("j.json").read_text())
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr == f"backproof: {written['error']}\n" == "backproof: there is no file 'nope.py': expected path/to/file.py:function\n"
    shown = {name: written[name] for name in ("schema", "target", "verdict", "passed", "seed", "precision", "judged", "findings")}
    assert shown == {
        "schema": "backproof.report",
        "target": "nope.py:f",
        "verdict": "inconclusive",
        "passed": False,
        "seed": 3,
        "precision": "float32",
        "judged": 0,
        "findings": [],
    }
    assert json.loads(run("check", "nope.py:f", "--json", "-").stdout)["seed"] is None


def test_the_report_of_a_run_has_no_error_and_the_same_keys(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("check", "nope.py:f", "--json", "j.json")
    data = json.loads(check(doubled, max_examples=2, seed=1, shrink_seconds=0).to_json())
    assert data["error"] is None
    assert data.keys() == json.loads(Path("j.json").read_text()).keys()
    assert finding_of(json.dumps(data["findings"][0])).verdict == "wrong"
