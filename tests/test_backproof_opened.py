"""Saved files, opened: each kind is shown, the first finding of a run explained, and what is damaged or empty is told so."""

import json
import re
from dataclasses import replace

import pytest
from click.testing import CliRunner

from backproof import Gradient, gradient, verify
from backproof.doors.command_line import cli
from backproof.findings.judged import judgement_data
from backproof.runs.comparison import Compared, Comparison
from properties.verdict import Verdict
from tests.saved_runs import CHALLENGED, run


def shown(*words):
    done = CliRunner().invoke(cli, list(map(str, words)))
    return done.exit_code, done.output


def saved(folder):
    """A file of each kind, and what must be shown of it."""
    report = run("equation 3")
    problem = report.findings[0].problem
    answer = gradient(problem)
    comparison = Comparison((Compared("t.py:f", json.loads(report.to_json())),), 1)
    texts = {
        "report": (report.to_json(), "problems, "),
        "finding": (report.findings[0].to_json(), "10: dC/dW"),
        "problem": (problem.to_json(), "half_squared_error"),
        "gradient": (answer.to_json(), "layer 1: dC/dW"),
        "judgement": (json.dumps(judgement_data(verify(problem, Gradient([2 * w for w in answer.weights], answer.biases)))), "allowed"),
        "comparison": (comparison.to_json(), "t.py:f"),
        "tally": (json.dumps(report.tally), "failed, by activation: "),
        "challenge": (CHALLENGED.to_json(), "sees 1 of 2 planted faults, 50 %: mine:backward"),
    }
    for kind, (text, said) in texts.items():
        file = folder / f"{kind}.json"
        file.write_text(text)
        yield kind, file, said
    problem.save(folder / "problem.npz")
    answer.save(folder / "gradient.npz")
    yield "problem", folder / "problem.npz", "half_squared_error"
    yield "gradient", folder / "gradient.npz", "layer 1: dC/dW"


def test_any_saved_file_is_shown(tmp_path):
    for kind, file, said in saved(tmp_path):
        code, output = shown("show", file)
        assert (code, said in output) == (0, True), (kind, output)
    for kind, file, _ in saved(tmp_path):
        code, output = shown("report", file)
        assert code == (0 if kind in ("report", "comparison") else 2), (kind, output)
        code, output = shown("explain", file)
        assert code == (0 if kind in ("report", "finding") else 2), (kind, output)
    shown("report", tmp_path / "comparison.json", "--html", tmp_path / "c.html")
    assert "1 of 1" in (tmp_path / "c.html").read_text()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": "report"}', '{"schema": "backproof.other"}', '{"schema": "backproof.report"}', "\x00"]
)
def test_what_is_no_saved_file_is_refused(text, tmp_path):
    file = tmp_path / "f.json"
    file.write_text(text)
    code, output = shown("show", file)
    assert (code, str(file) in output) == (2, True)


@pytest.mark.parametrize("command", ["show", "explain", "script", "replay", "report"])
@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_file_is_told_to_be_empty(text, command, tmp_path):
    (tmp_path / "f.json").write_text(text)
    code, output = shown(command, tmp_path / "f.json")
    assert code == 2
    assert "f.json: the file is empty: what wrote it may have been cut short" in " ".join(output.split())


@pytest.mark.parametrize(("text", "given"), [("[]", "it says no schema"), ('{"schema": "other"}', "its schema is 'other'")])
def test_a_file_of_something_else_is_told_what_it_says(text, given, tmp_path):
    (tmp_path / "f.json").write_text(text)
    code, output = shown("show", tmp_path / "f.json")
    assert code == 2
    assert f"nothing that backproof saves: {given}; expected backproof.report, backproof.finding, " in " ".join(output.split())


DAMAGES = [
    lambda data: data.pop("version"),
    lambda data: data.pop("seed"),
    lambda data: data.pop("targets"),
    lambda data: data.update(version=2),
    lambda data: data.update(targets=None),
    lambda data: data.update(targets=[1]),
    lambda data: data["targets"][0].pop("seconds"),
    lambda data: data["targets"][0].update(verdict="good"),
    lambda data: data["targets"][0].update(problems_passed=None),
    lambda data: data["targets"][0]["report"].pop("laws"),
    lambda data: data["targets"][0].update(report=[1]),
]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("form", [(), ("--html", "-"), ("--markdown", "-")], ids=["terminal", "page", "Markdown"])
def test_a_damaged_comparison_is_refused_and_no_bug(damage, form, tmp_path):
    data = json.loads(Comparison((Compared("t.py:f", json.loads(run("right").to_json())),), 1).to_json())
    damage(data)
    (tmp_path / "c.json").write_text(json.dumps(data))
    for command in [("report", tmp_path / "c.json", *form)] + ([] if form else [("show", tmp_path / "c.json")]):
        code, output = shown(*command)
        assert code == 2, output
        assert re.search("no comparison|no report|version is", output), output


def test_of_a_run_the_first_finding_is_explained_or_that_of_a_number(tmp_path):
    report = run("equation 3")
    first = report.findings[0]
    both = replace(report, findings=(first, replace(first, law="it_answers", verdict=Verdict.RAISES, message="two samples", answer=None)))
    (tmp_path / "run.json").write_text(both.to_json())
    (tmp_path / "one.json").write_text(first.to_json())
    (tmp_path / "right.json").write_text(run("right").to_json())
    assert shown("explain", tmp_path / "run.json") == shown("explain", tmp_path / "one.json")
    assert shown("script", tmp_path / "run.json") == shown("script", tmp_path / "one.json")
    assert "two samples" in shown("explain", tmp_path / "run.json", "--finding", 2)[1]
    assert "by the law it_answers" in shown("script", tmp_path / "run.json", "--finding", 2)[1]
    for words, said in {
        ("run.json", "--finding", 3): "there is no finding 3: the run has 2",
        ("one.json", "--finding", 2): "it holds one finding",
        ("right.json",): "the run found nothing: it is right",
    }.items():
        code, output = shown("explain", tmp_path / words[0], *words[1:])
        assert (code, said in " ".join(output.split())) == (2, True), output
