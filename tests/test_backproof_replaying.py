"""A replay of all: each saved finding is FIXED, FAILED or NOT ASKED, and what is fixed is deleted once its whole law holds again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from backproof import check, gradient, problem_at
from backproof.doors.command_line import cli
from backproof.findings.saved import load_finding, save_finding
from backproof.runs import replaying
from backproof.runs.options import LIMITS, in_words, limits_in
from backproof.runs.replaying import findings_in

BROKEN = """
from backproof import gradient

def doubled(problem):
    return [2 * w for w in gradient(problem).weights], gradient(problem).biases

def wrong_in_two_layers(problem):
    factor = 2 if problem.depth == 2 else 1
    return [factor * w for w in gradient(problem).weights], gradient(problem).biases

KEPT = []
def counts(problem):
    KEPT.append(1)
    return [w + len(KEPT) - 1 for w in gradient(problem).weights], gradient(problem).biases

doubled.supports = wrong_in_two_layers.supports = counts.supports = {
    "losses": ["half_squared_error"], "activations": ["identity", "tanh"], "depth": 2, "width": 2, "batch": 2}
"""
MENDED = BROKEN.replace("2 * w", "w").replace("2 if", "1 if").replace("w + len(KEPT) - 1", "w")

KEEPS = ("--time-limit", 60)
"""On a machine with much to do a call of a moment may take seconds: what times out is another finding."""


def run(*arguments):
    return CliRunner().invoke(cli, [str(a) for a in arguments])


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(replaying, "EXAMPLES", 20)  # as many problems as the runs here have
    (tmp_path / "t.py").write_text(BROKEN)
    return tmp_path


def found(name, folder):
    """Saves what `backproof check t.py:NAME` saves, in which a process of its own need not be asked."""
    names = {}
    exec(BROKEN, names)
    law = ["it_agrees_with_the_exact_gradient"]
    report = check(names[name], max_examples=20, seed=1, laws=law, shrink_seconds=0, no_diagnosis=True)
    return save_finding(replace(report.findings[0], target=f"t.py:{name}"), 0, folder / ".backproof")


def states(text):
    return [line.split("  ")[0].strip() for line in text.splitlines()[:-1]]


@pytest.mark.slow
def test_each_finding_is_told_fixed_or_failed(folder):
    found("doubled", folder)
    failed = found("wrong_in_two_layers", folder)
    (folder / "t.py").write_text(BROKEN.replace("2 * w", "w"))
    done = run("replay", "--json", "j.json")
    assert (done.exit_code, states(done.stdout)) == (1, ["FIXED", "FAILED"])
    _, told, last = done.stdout.splitlines()
    assert told.startswith("FAILED     t.py:wrong_in_two_layers: it_agrees_with_the_exact_gradient (layer 1: dC/dW")
    assert told.endswith(f"  .backproof/{failed.name}")
    assert last == "2 findings in .backproof: 1 FIXED, 1 FAILED"
    told = json.loads(Path("j.json").read_text())["findings"]
    assert [(one["state"], one["target"], one["dropped"]) for one in told] == [
        ("fixed", "t.py:doubled", False),
        ("failed", "t.py:wrong_in_two_layers", False),
    ]
    (folder / "t.py").write_text(MENDED)
    done = run("replay", "--drop")
    assert (done.exit_code, states(done.stdout)) == (0, ["FIXED", "FIXED"])
    assert all(", deleted  " in line for line in done.stdout.splitlines()[:-1])
    assert findings_in(folder / ".backproof") == []
    assert run("replay").stdout == "0 findings in .backproof\n"


@pytest.mark.slow
def test_what_is_fixed_on_one_problem_alone_is_not_deleted(folder):
    """A finding whose own problem is right now, while its law is broken elsewhere."""
    file = found("wrong_in_two_layers", folder)
    single = problem_at(0, 1, depth=(1, 1), activations=["tanh"], losses=["half_squared_error"])
    save_finding(replace(load_finding(file), problem=single), 5, folder / ".backproof")
    file.unlink()
    done = run("replay", "--drop")
    assert done.exit_code == 0
    assert done.stdout.startswith("FIXED      t.py:wrong_in_two_layers: it_agrees_with_the_exact_gradient (not deleted: it_agrees_with")
    assert len(findings_in(folder / ".backproof")) == 1


@pytest.mark.slow
def test_what_is_kept_from_call_to_call_is_asked_by_its_whole_law(folder):
    few = ("--max-examples", 20, "--shrink-seconds", 0, "--no-diagnosis", "--laws", "it_agrees_with_the_exact_gradient")
    assert run("check", "t.py:counts", "--seed", 1, *few, *KEEPS).exit_code == 1
    (file,) = findings_in(folder / ".backproof")
    # the first call of a fresh process is right
    assert not load_finding(file).fresh
    done = run("replay")
    assert (done.exit_code, set(states(done.stdout))) == (1, {"FAILED"}), done.output
    assert "is broken in" in done.stdout
    (folder / "t.py").write_text(MENDED)
    done = run("replay", "--drop")
    assert done.exit_code == 0
    assert findings_in(folder / ".backproof") == []


@pytest.mark.slow
def test_what_cannot_be_asked_or_read_is_told_and_the_rest_is_asked(folder):
    file = found("doubled", folder)
    finding = load_finding(file)
    save_finding(replace(finding, target="gone.py:f"), 0, folder / ".backproof")
    save_finding(replace(finding, target="my_gradient"), 0, folder / ".backproof")
    save_finding(replace(finding, law="no_such_law"), 0, folder / ".backproof")
    (folder / ".backproof" / "broken.json").write_text('{"schema": "backproof.finding"')
    (folder / ".backproof" / "run.json").write_text('{"schema": "backproof.report"}')
    done = run("replay", "--drop")
    assert done.exit_code == 1
    assert sorted(states(done.stdout)) == ["FAILED", *["NOT ASKED"] * 4]
    assert "there is no file 'gone.py'" in done.stdout
    assert "'no_such_law' is not known" in done.stdout
    assert "NOT ASKED  no finding (.backproof/broken.json: " in done.stdout
    assert "run.json" not in done.stdout
    file.unlink()
    assert run("replay").exit_code == 2


def test_what_makes_no_sense_for_all_or_for_one_is_refused(folder):
    assert "--target is for the replay of one FILE" in run("replay", "--target", "t.py:doubled").output
    assert "--drop is for the replay of all" in run("replay", "f.json", "--drop").output


def test_names_of_targets_are_shown_harmlessly(folder):
    report = check(lambda problem: None, max_examples=2, seed=1, shrink_seconds=0, no_diagnosis=True)
    save_finding(replace(report.findings[0], target="\x1b[31mred\x1b[0m:f"), 0, folder / ".backproof")
    done = run("replay")
    assert "\x1b" not in done.stdout
    assert "\\x1b[31mred" in done.stdout


LIMITED = [
    {"depth": (1, 2), "width": 3, "losses": ["huber", "half_squared_error"]},
    {"biases": False, "widths": [4, 3, 2], "values": "tame"},
    {"penalties": [None, ("l2", 0.25)], "sample_weights": True, "wants": ["x", "loss"], "reductions": ["mean"], "sizes": "small"},
]


@pytest.mark.parametrize("limits", LIMITED)
def test_limits_are_read_from_the_words_that_a_finding_holds(limits):
    assert limits_in(in_words(limits)) == limits
    assert set().union(*LIMITED) - LIMITS.keys() == set()


@pytest.mark.parametrize("words", ["--nothing 1", "--depth", "--depth 0", "depth 2"])
def test_other_words_are_refused(words):
    with pytest.raises(ValueError, match="is no"):
        limits_in(words)


def test_the_script_of_a_finding_is_written_by_a_command(folder):
    report = check(lambda problem: [2 * w for w in gradient(problem).weights], max_examples=2, seed=1, shrink_seconds=0, no_diagnosis=True)
    file = save_finding(replace(report.findings[0], target="t.py:doubled"), 0, folder / "saved")
    done = run("script", file)
    assert (done.exit_code, done.stderr) == (0, "")
    compile(done.stdout, "script.py", "exec")
    assert "from t import doubled as gradient" in done.stdout
    assert run("script", file, "--save", "s.py").exit_code == 0
    assert Path("s.py").read_text() == done.stdout
    refused = run("script", save_finding(replace(report.findings[0], fresh=False), 1, folder / "saved"))
    assert refused.exit_code == 2
    assert refused.output.startswith("backproof: no script can show this finding: it does not show in a fresh process")
