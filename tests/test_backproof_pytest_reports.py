"""pytest's items: a failing one shows the finding and saves it, and --backproof-report writes every format, once."""

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from backproof.findings.finding import Finding
from backproof.findings.report import LawCount, Report, report_of
from backproof.findings.saved import load_finding
from backproof.findings.schema import schema
from backproof.reports.formats import FORMATS, write_reports
from backproof.reports.terminal import report_text
from backproof.runs.check import check
from backproof.runs.together import together
from properties.diagnosis.diagnosis import Diagnosis
from properties.verdict import Verdict
from reference.problem import Problem
from tests.pytest_runs import forked_pytests

MINE = """
import backproof

def doubled(problem):
    return [2 * w for w in backproof.gradient(problem).weights], backproof.gradient(problem).biases

doubled.supports = {"losses": ["half_squared_error"], "activations": ["identity", "tanh"], "depth": 2, "width": 2}
few = {"max_examples": 4, "shrink_seconds": 0, "no_diagnosis": True}
test_wrong = backproof.law_tests(doubled, **few)
test_right = backproof.law_tests(backproof.gradient, **few)
test_known = backproof.law_tests(doubled, xfail={"it_agrees_with_the_exact_gradient": "known"}, **few)
"""
LAWS = "batch_gradients_add or it_agrees_with_the_exact_gradient or it_answers"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What pytest prints in a folder of the user's."""
    with forked_pytests(tmp_path_factory.mktemp("printed")) as forked:
        yield forked


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["one process", "two workers"])
def test_every_format_is_written_once_for_each_target(workers, run, tmp_path):
    (tmp_path / "test_mine.py").write_text(MINE)
    printed = run(tmp_path, "-k", LAWS, "--backproof-report=told", "--hypothesis-seed=1", "--junitxml=j.xml", *workers, code=1)
    assert printed.count(" files of doubled in ") == 2
    assert printed.count(" files of gradient in ") == 1
    folders = sorted(path.name for path in (tmp_path / "told").iterdir())
    assert folders == [
        "test_known-doubled",
        "test_right-gradient",
        "test_wrong-doubled",
    ]
    wrong = tmp_path / "told" / "test_wrong-doubled"
    assert {path.name for path in wrong.iterdir()} >= FORMATS.keys()
    report = report_of((wrong / "report.json").read_text())
    Draft202012Validator(schema("report")).validate(report.data())
    assert set(report.laws) == {"batch_gradients_add", "it_agrees_with_the_exact_gradient", "it_answers"}
    assert (report.verdict, report.seed, report.examples >= 12) == (Verdict.WRONG, 1, True)
    assert (wrong / "report.txt").read_text() == report_text(report) + "\n"
    (finding,) = [load_finding(path) for path in wrong.glob("doubled-*.json")]
    assert finding.law == "it_agrees_with_the_exact_gradient"
    (script,) = wrong.glob("*.py")
    compile(script.read_text(), script.name, "exec")
    # the failing item shows its finding, and how to have it again from the file that it saved
    (saved,) = (tmp_path / ".backproof").glob("*.json")
    assert f"  replay   backproof replay {saved}" in printed
    assert "  law      it_agrees_with_the_exact_gradient" in printed
    failed = [case for case in ElementTree.parse(tmp_path / "j.xml").iter("testcase") if case.find("failure") is not None]
    assert len(failed) == 1
    assert "it_agrees_with_the_exact_gradient" in failed[0].get("name", "")
    laws = [p.get("value") for p in failed[0].iter("property") if p.get("name") == "backproof_law"]
    assert laws == ["it_agrees_with_the_exact_gradient"]


@pytest.mark.slow
def test_without_the_option_nothing_is_written_but_the_finding(run, tmp_path):
    (tmp_path / "test_mine.py").write_text(MINE)
    printed = run(tmp_path, "-k", f"test_wrong and ({LAWS})", code=1)
    assert "files of" not in printed
    assert {path.name for path in tmp_path.iterdir()} <= {"test_mine.py", ".backproof", "__pycache__", ".hypothesis"}
    assert len(list((tmp_path / ".backproof").iterdir())) >= 1


def test_what_items_found_adds_up_to_one_report():
    def wrong(problem):
        return [2 * w for w in problem.weights], None

    few = {"max_examples": 3, "seed": 1, "shrink_seconds": 0, "no_diagnosis": True, "depth": 1, "width": 2}
    reports = [check(wrong, laws=[law], **few) for law in ("it_answers", "it_agrees_with_the_exact_gradient", "two_calls_agree")]
    whole = together(reports)
    assert list(whole.laws) == ["it_answers", "it_agrees_with_the_exact_gradient", "two_calls_agree"]
    assert whole.examples == sum(report.examples for report in reports)
    assert whole.findings == reports[1].findings
    assert (whole.verdict, whole.seed) == (Verdict.WRONG, 1)
    assert report_text(report_of(whole.to_json())) == report_text(whole)
    assert together(reports[:1]).data() == reports[0].data()


def test_what_is_explained_comes_first_as_in_a_run():
    problem = Problem([[[1.0]]], activations=["identity"], x=[[1.0]], y=[[0.0]])
    wrong = Finding("t", Verdict.WRONG, "it_agrees_with_the_exact_gradient", "", problem, None, None, None, 1)
    raises = replace(wrong, verdict=Verdict.RAISES, law="it_answers")
    explained = replace(wrong, diagnoses=(Diagnosis(1, 3, (3,), "used_activation_for_pre_activation", "", "equation 3: g' at a"),))
    base = Report("t", (), {"it_answers": LawCount(0, 1)}, 1, 1, 1, 0, "float64")
    for first, verdict in ((wrong, Verdict.RAISES), (explained, Verdict.WRONG)):
        whole = together([replace(base, findings=(raises,)), replace(base, findings=(first,))])
        assert (whole.verdict, whole.findings[0].verdict) == (verdict, verdict)


def test_a_note_of_one_law_says_which_it_is():
    base = Report("t", (), {"it_answers": LawCount(1)}, 1, 1, 1, 0, "float64", notes=("of all", "ended after 3 problems"))
    other = replace(base, laws={"two_calls_agree": LawCount(1)}, notes=("of all",))
    assert together([base, other]).notes == ("of all", "it_answers: ended after 3 problems")
    assert together([base]).notes == base.notes


def test_an_earlier_report_s_findings_do_not_stay_in_its_folder(tmp_path):
    problem = Problem([[[1.0]]], activations=["identity"], x=[[1.0]], y=[[0.0]])
    finding = Finding("t", Verdict.WRONG, "it_agrees_with_the_exact_gradient", "", problem, None, None, None, 1)
    report = Report("t", (finding, replace(finding, law="it_answers")), {}, 1, 1, 1, 0, "float64")
    (tmp_path / "mine.json").write_text("{}")
    assert len(write_reports(report, tmp_path)) == len(FORMATS) + 4
    later = replace(report, findings=(replace(finding, seed=2),))
    written = write_reports(later, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in written} | {"mine.json"}


TWICE = """
import backproof

def my_gradient(problem):
    return [FACTOR * w for w in backproof.gradient(problem).weights], backproof.gradient(problem).biases

my_gradient.supports = {"losses": ["half_squared_error"], "activations": ["identity"], "depth": 1, "width": 1, "batch": 1}
test_it = backproof.law_tests(my_gradient, max_examples=2, shrink_seconds=0, no_diagnosis=True, seed=1)
"""


@pytest.mark.slow
def test_functions_of_one_name_in_two_files_keep_their_own_findings(run, tmp_path):
    """And a report's folder is meant from where pytest is called, as that of --junitxml is."""
    for factor in (2, 3):
        (tmp_path / f"test_{factor}.py").write_text(TWICE.replace("FACTOR", str(factor)))
    (tmp_path / "sub").mkdir()
    run(tmp_path, str(tmp_path), "-k", "it_agrees", "--backproof-report=told", code=1, cwd=tmp_path / "sub")
    saved = [load_finding(path) for path in (tmp_path / ".backproof").glob("*it_agrees_with*.json")]
    ratios = {float(one.answer.weights[0][0, 0]) / one.judgement.exact[0] for one in saved}
    assert {round(ratio) for ratio in ratios} == {2, 3}
    assert (tmp_path / "sub" / "told").is_dir()
    assert not (tmp_path / "told").exists()


def test_a_finding_that_no_script_can_show_is_written_without(tmp_path):
    problem = Problem([[[1.0]]], activations=["identity"], x=[[1.0]], y=[[0.0]])
    finding = Finding("t", Verdict.IMPURE, "it_answers", "", problem, None, None, None, 1, fresh=False)
    report = Report("t", (finding,), {"it_answers": LawCount(broken=1)}, 1, 1, 1, 0, "float64")
    written = write_reports(report, tmp_path / "new" / "folder")
    assert [path.suffix for path in written].count(".py") == 0
    assert all(path.exists() for path in written)
    assert json.loads(written[0].read_text())["target"] == "t"
