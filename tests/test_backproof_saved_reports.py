"""A report that is read again says the same as the one that was written, to the bit."""

import json
import shlex
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from backproof import Gradient, ProblemError, check, gradient
from backproof.doors.command_line import cli
from backproof.findings.report import LawCount, Report, report_of
from backproof.reports.terminal import report_text
from backproof.reports.told import again
from backproof.runs.together import together
from properties.laws.table import laws_for

pytestmark = pytest.mark.wheel


def doubled(problem):
    right = gradient(problem)
    return Gradient([2 * weight for weight in right.weights], right.biases)


def nan_and_minus_zero(problem):
    return gradient(problem).mapped(lambda place, array: np.where(np.asarray(array) > 0, np.nan, -0.0))


def in_float32(problem):
    return gradient(problem).mapped(lambda place, array: np.asarray(2 * np.asarray(array), dtype=np.float32))


def raises_now_and_then(problem):
    if problem.batch > 1:
        raise ValueError("two samples")
    return doubled(problem)


def unstable(problem, calls=[]):  # noqa: B006
    calls.append(None)
    return gradient(problem).mapped(lambda place, array: np.asarray(array) + len(calls))


def without_null_biases(report):
    """Its JSON; an answer without any biases may be told as a list of nulls, and is read as none."""
    return report.to_json().replace(', "biases": null', "")


TARGETS = [gradient, doubled, nan_and_minus_zero, in_float32, raises_now_and_then, unstable, lambda problem: None]
NAMES = ["right", "wrong", "nonfinite", "float32", "raises", "unstable", "malformed"]


@pytest.mark.parametrize("target", TARGETS, ids=NAMES)
def test_a_report_that_is_read_says_the_same(target, seed_of_the_run):
    limits = {"max_examples": 12, "shrink_seconds": 0, "depth": 2, "width": 3}
    # a diagnosis, which most of the time goes into, is the same for all
    report = check(target, seed=seed_of_the_run, strict=target is in_float32, no_diagnosis=target is not doubled, **limits)
    again = report_of(report.to_json())
    assert without_null_biases(again) == without_null_biases(report)
    assert report_of(again.to_json()).to_json() == again.to_json()
    assert (again.verdict, again.passed, again.meaning) == (report.verdict, report.passed, report.meaning)
    assert report_text(again) == report_text(report)
    assert report_text(again, 60) == report_text(report, 60)
    assert [str(one.judgement) for one in again.findings] == [str(one.judgement) for one in report.findings]


def test_the_environment_and_the_limits_of_a_run_are_told():
    report = check(gradient, max_examples=3, seed=1, batch=1)
    assert report.drawn_by == "--batch 1"
    assert {"backproof", "python", "numpy", "system"} <= set(report.environment)
    assert report_of(report.to_json()).environment == report.environment


OPTIONS = """--seed 5 --depth 1,2 --losses half_squared_error --precision float32 --strict --oracle finite_differences --no-diagnosis
    --laws it_answers,two_calls_agree --max-examples 7 --time-limit 4.5 --shrink-seconds 0.25"""


def test_the_line_that_gives_the_whole_run_again_gives_it(tmp_path, monkeypatch):
    """All that a run was told, and not the limits of its problems alone."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my net.py").write_text("def f(problem):\n    return [w * 0 for w in problem.weights], None\n")
    reports = []
    words = ["check", "my net.py:f", *OPTIONS.split()]
    for _ in range(2):
        CliRunner().invoke(cli, [*words, "--json", "run.json", "--html", "run.html"])
        reports.append(Report.load("run.json"))
        said = dict(again(reports[-1]))["the whole run"]
        assert said in (tmp_path / "run.html").read_text().replace("&#39;", "'")
        command, *words = shlex.split(said)
        assert command == "backproof"
    one, other = (report.data() | {"seconds": 0} for report in reports)
    assert one == other
    assert one["asked_by"] == (
        "--max-examples 7 --precision float32 --strict --oracle finite_differences --no-diagnosis --laws it_answers,two_calls_agree "
        "--time-limit 4.5 --shrink-seconds 0.25"
    )


def test_what_no_command_finds_is_had_again_from_python():
    report = check(doubled, max_examples=3, seed=5, depth=1, shrink_seconds=0, no_diagnosis=True)
    said = dict(again(report))["the whole run"]
    assert said.startswith("backproof.check(target, seed=5), doubled in the target's place and what --depth 1 --max-examples 3 ")
    assert "backproof check" not in said


def test_items_of_some_laws_are_had_again_by_these_alone():
    few = {"max_examples": 3, "seed": 5, "shrink_seconds": 0, "no_diagnosis": True}
    reports = [check(doubled, laws=[law], **few) for law in ("it_answers", "two_calls_agree")]
    assert "--laws it_answers,two_calls_agree" in dict(again(together(reports)))["the whole run"]
    names = [law.name for law in laws_for()]
    all_laws = [replace(reports[0], laws={name: LawCount(1)}, tally=None) for name in names]
    assert "--laws" not in dict(again(together([replace(all_laws[0], laws=dict.fromkeys(names, LawCount(1))), *all_laws])))["the whole run"]


EMPTY = Report("t", (), {}, 0, 0, 0, 0, "float64")


def test_an_older_report_lacks_what_came_later():
    data = {k: v for k, v in EMPTY.data().items() if k not in ("right_if_tame", "drawn_by", "asked_by", "environment", "saved", "tally")}
    assert report_of(json.dumps(data)).saved == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "backproof.finding"}, "no report: expected an object with schema 'backproof.report'"),
        ({"version": 99}, "version is 99: this backproof reads version 1"),
        ({"laws": []}, "no report: "),
        ({"findings": [{}]}, "no finding: "),
        ({"unjudged": [{"quantity": "w", "layer": 1, "reason": ""}]}, "'w' is no quantity"),
    ],
)
def test_what_is_no_report_is_refused(change, message):
    with pytest.raises(ProblemError, match=message):
        report_of(json.dumps(EMPTY.data() | change))


def test_a_report_is_loaded_from_its_file(tmp_path):
    file = tmp_path / "run.json"
    file.write_text(EMPTY.to_json())
    assert Report.load(file) == Report.from_json(EMPTY.to_json()) == EMPTY
    file.write_text("{}")
    with pytest.raises(ProblemError, match=r"run\.json: no report"):
        Report.load(file)


def test_a_report_without_a_field_is_refused():
    data = EMPTY.data()
    del data["judged"]
    with pytest.raises(ProblemError, match="'judged' is missing"):
        report_of(json.dumps(data))
