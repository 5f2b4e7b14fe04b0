"""pytest as a door: one item for each law, of a target that is named, or in a test file of the user's own."""

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

import backproof
from backproof import Problem
from properties.laws.table import LAWS
from tests.pytest_runs import ENVIRONMENT, EXAMPLES, ROOT, Run, command, forked_pytests

pytestmark = pytest.mark.slow

MINE = """
import sys

import backproof
from hypothesis import given, settings

from numpy_mistakes import bias_of_the_first_sample
from numpy_network import gradient

settings.register_profile("mine", max_examples=7, derandomize=True)
settings.load_profile("mine")
test_right = backproof.law_tests(gradient, max_examples=8)
test_wrong = backproof.law_tests(bias_of_the_first_sample, max_examples=8, shrink_seconds=0.3, no_diagnosis=True)
seen = []

@given(backproof.strategies.problems(activations=["relu"], losses=["half_squared_error"]))
def test_own(problem):
    seen.append(problem)
    judgement = backproof.verify(problem, backproof.gradient(problem))
    assert not judgement.failed, str(judgement)
    if len(seen) == 1:
        backproof.assert_right(gradient, max_examples=2)

def test_profile():
    assert settings().max_examples == 7
    assert len(seen) == 7
"""

WRITING = """
import backproof

def gradient(problem):
    with open("posed", "a") as file:
        print(problem.to_json(), file=file)
    return backproof.gradient(problem)
"""

LOSSY = """
import numpy as np
import backproof

def saturating(problem):
    "tanh' as 1 - a a, in one layer: it loses digits where it saturates."
    a = np.tanh(problem.x @ problem.weights[0].T)
    return [((a - problem.y) * (1 - a * a)).T @ problem.x], None

saturating.supports = {"activations": ["tanh"], "depth": 1, "biases": False, "losses": ["half_squared_error"], "reductions": ["sum"]}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """What pytest prints in a folder of the user's."""
    with forked_pytests(tmp_path_factory.mktemp("printed")) as forked:
        yield forked


SUITE = ("--pyargs", "backproof.suite")


@pytest.mark.wheel
def test_one_item_for_each_law(run: Run, tmp_path: Path) -> None:
    target = f"{EXAMPLES / 'numpy_network.py'}:gradient"
    collected = run(tmp_path, f"--backproof-target={target}", *SUITE, "-q", "--collect-only")
    assert all(f"test_law[{name}]" in collected for name in LAWS)
    # each starts a process of its own; a target in this one is judged by all laws below
    few = (f"--backproof-target={target}", "--backproof-max-examples=3", "-v", "-k", "it_answers or batch_gradients_add or audit")
    # and nothing is imported before pytest is, as where a user calls it
    pytest_itself = [sys.executable, "-m", "pytest", *command(tmp_path, *few, *SUITE)]
    done = subprocess.run(pytest_itself, cwd=tmp_path, env=os.environ | ENVIRONMENT, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
    assert f"backproof: target {target}, seed " in done.stdout
    assert "draws the same problems" in done.stdout


PROGRAM = """
import json, sys

for line in sys.stdin:
    asked = json.loads(line)
    errored = {"kind": "errored", "id": asked.get("id"), "message": "sqrt of -1"}
    print(json.dumps({"kind": "ready", "supports": SMALL} if asked["kind"] == "start" else errored), flush=True)
"""
SMALL = {"losses": ["half_squared_error"], "reductions": ["sum"], "activations": ["identity"], "depth": 1, "width": 2, "batch": 2}
"""Limits within which a diagnosis has little to search."""

BIAS_OF_THE_FIRST_SAMPLE = """
import backproof

def gradient(problem):
    error = problem.x @ problem.weights[0].T + problem.biases[0] - problem.y
    return [error.T @ problem.x], [error[0]]

gradient.supports = SMALL | {"biases": True}
"""


def test_a_program_is_named_as_a_target(run: Run, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM.replace("SMALL", repr(SMALL)))
    few = ("-k", "it_answers", "--backproof-max-examples=2", "--backproof-shrink-seconds=0")
    printed = run(tmp_path, f"--backproof-target=run: {sys.executable} program.py", *few, *SUITE, code=1)
    assert "sqrt of -1" in printed


def test_a_broken_law_is_named_with_its_finding_and_no_traceback(run: Run, tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text(BIAS_OF_THE_FIRST_SAMPLE.replace("SMALL", repr(SMALL)))
    laws_asked = ("-k", "it_answers or exact_gradient or order_of_samples")
    few = ("--hypothesis-seed=1", "--backproof-max-examples=15", "--backproof-shrink-seconds=0")
    printed = run(tmp_path, "--backproof-target=first.py:gradient", "--junitxml=j.xml", *few, *laws_asked, *SUITE, code=1)
    assert "FAILED" in printed
    assert "  problem  Problem([" in printed
    assert "Traceback" not in printed
    failed = [case for case in ElementTree.parse(tmp_path / "j.xml").iter("testcase") if case.find("failure") is not None]
    laws = {p.get("value") for case in failed for p in case.iter("property") if p.get("name") == "backproof_law"}
    assert laws == {"it_agrees_with_the_exact_gradient", "the_order_of_samples_does_not_matter"}
    assert {f"test_law[{law}]" for law in laws} == {case.get("name") for case in failed}


def test_the_same_seed_judges_the_same_problems(run: Run, tmp_path: Path) -> None:
    (tmp_path / "test_writing.py").write_text(f"{WRITING}\ntest_it = backproof.law_tests(gradient, max_examples=5)\n")

    def posed(seed: int, *workers: str) -> str:
        """What the target was asked, problem after problem."""
        printed = run(tmp_path, "-k", "batch_gradients_add", f"--hypothesis-seed={seed}", *workers)
        assert f"backproof: --hypothesis-seed={seed} draws the same problems" in printed
        problems = (tmp_path / "posed").read_text()
        (tmp_path / "posed").unlink()
        return problems

    assert posed(5) == posed(5, "-n1") != posed(6)


def test_settings_of_the_project_are_read(run: Run, tmp_path: Path) -> None:
    lines = [
        "[tool.pytest.ini_options]",
        'backproof_target = "first.py:gradient"',
        'backproof_max_examples = "15"',
        'backproof_shrink_seconds = "0"',
    ]
    expected = ["it_agrees_with_the_exact_gradient", "the_order_of_samples_does_not_matter"]
    lines.append(f"backproof_xfail = {[f'{law}: known mistake' for law in expected]}")
    (tmp_path / "pyproject.toml").write_text("\n".join(lines))
    (tmp_path / "first.py").write_text(BIAS_OF_THE_FIRST_SAMPLE.replace("SMALL", repr(SMALL)))
    printed = run(tmp_path, *SUITE, "--hypothesis-seed=1", "-k", " or ".join([*expected, "it_answers"]))
    assert "1 passed" in printed
    assert "2 xfailed" in printed


def test_what_is_expected_to_be_broken_may_fail_in_no_other_way(run: Run, tmp_path: Path) -> None:
    law = "it_agrees_with_the_exact_gradient"
    (tmp_path / "absent.py").write_text("import a_module_that_is_absent")
    lines = ["[tool.pytest.ini_options]", 'backproof_target = "absent.py:gradient"', f"backproof_xfail = ['{law}: known mistake']"]
    (tmp_path / "pyproject.toml").write_text("\n".join(lines))
    printed = run(tmp_path, *SUITE, "-k", law, code=1)
    assert "1 failed" in printed
    assert "xfailed" not in printed
    assert "absent.py" in printed


def test_limits_are_heeded_by_the_suite_and_by_items_of_your_own(run: Run, tmp_path: Path) -> None:
    (tmp_path / "writing.py").write_text(WRITING)
    (tmp_path / "test_mine.py").write_text("import backproof\nfrom writing import gradient\ntest_mine = backproof.law_tests(gradient)\n")
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\nbackproof_activations = "tanh"\nbackproof_time_limit = "9"\n')
    limits = ("--backproof-depth=2,2", "--backproof-biases=yes", "--backproof-max-examples=15", "-k", "it_answers")
    printed = run(tmp_path, *limits, "--backproof-target=writing.py:gradient", *SUITE, "test_mine.py", "--import-mode=prepend")
    assert "2 passed" in printed
    posed = [Problem.from_json(line) for line in (tmp_path / "posed").read_text().splitlines()]
    assert len(posed) >= 2 * 15
    assert {(problem.activations, len([b for b in problem.biases if b is not None])) for problem in posed} == {(("tanh", "tanh"), 2)}


REFUSED = [
    (
        "no size",
        ["--backproof-target=a.py:f", "--backproof-depth=two"],
        "--backproof-depth: 'two' is no size",
    ),
    (
        "no seconds",
        ["--backproof-target=a.py:f", "--backproof-time-limit=x"],
        "--backproof-time-limit: could",
    ),
    ("no file", ["--backproof-target=a.py:f"], "backproof: there is no file 'a.py'"),
    ("no name", ["--backproof-target=a.py"], "backproof: target is 'a.py': expected"),
    (
        "no activation",
        ["--backproof-target=a.py:f", "--backproof-activations=tahn"],
        "backproof: activations: activation 'tahn' is not known",
    ),
    ("no command", ["--backproof-target=run: "], "target is 'run: ': expected run: and a command"),
    ("no target", [], "backproof.suite needs a target: pytest --backproof-target"),
    (
        "no number",
        ["--backproof-target=a.py:f", "--backproof-max-examples=many"],
        "--backproof-max-examples is 'many'",
    ),
    ("oracle", ["--backproof-target=a.py:f", "--backproof-oracle=crystal"], "oracle 'crystal' is not known"),
    ("no reason", ["-o", "backproof_xfail=it_answers", "--backproof-target=a.py:f"], "expected `law: why"),
    (
        "no law",
        ["-o", "backproof_xfail=it_shines: so", "--backproof-target=a.py:f"],
        "law 'it_shines' is not known",
    ),
]


@pytest.mark.parametrize(("options", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_cannot_be_run_is_refused(run: Run, tmp_path: Path, options: list[str], message: str) -> None:
    assert message in run(tmp_path, *options, *SUITE, "--tb=line", code=2)


def test_two_lines_of_a_test_file_do_the_same_and_leave_the_users_own_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(MINE)
    few = ("-k", "batch_gradients_add or it_agrees_with_the_exact_gradient or it_answers or test_own or test_profile")
    printed = run(tmp_path, "test_mine.py", "-v", "-p", "no:randomly", "--hypothesis-seed=1", *few, code=1)
    assert f"{2 * (len(LAWS) - 3)} deselected" in printed, "each has an item for every law"
    assert "test_right[batch_gradients_add] PASSED" in printed
    assert "test_wrong[batch_gradients_add] FAILED" in printed
    assert "test_own PASSED" in printed
    assert "test_profile PASSED" in printed


def test_expected_failures_need_a_law_and_a_reason() -> None:
    with pytest.raises(ValueError, match="law 'it_shines' is not known"):
        backproof.law_tests(backproof.gradient, xfail={"it_shines": "so"})
    with pytest.raises(ValueError, match="law 'it_answers' has no reason"):
        backproof.law_tests(backproof.gradient, xfail={"it_answers": " "})


def test_the_plugin_is_light() -> None:
    heavy = ["numpy", "scipy", "hypothesis", "flint", "rich", "click"]
    code = f"import sys, backproof.doors.pytest_plugin; print(sorted(set({heavy}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_nothing_is_said_where_no_target_is_named(run: Run, tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "numpy_network.py", tmp_path)
    (tmp_path / "test_plain.py").write_text("def test_plain():\n    pass\n")
    assert "backproof:" not in run(tmp_path)


def test_items_of_your_own_heed_the_options_that_they_are_not_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "test_lossy.py").write_text(
        f"{LOSSY}\n"
        "few = {'max_examples': 60, 'shrink_seconds': 0, 'no_diagnosis': True}\n"
        "test_default = backproof.law_tests(saturating, **few)\n"
        "test_told = backproof.law_tests(saturating, strict=False, seed=3, **few)\n"
    )
    printed = run(tmp_path, "-k", "exact_gradient", "--backproof-strict", "--hypothesis-seed=1", code=1)
    assert "test_default[it_agrees_with_the_exact_gradient]" in printed
    assert "1 failed, 1 passed" in printed
    alone = run(tmp_path, "-k", "it_answers and told")
    assert "draws the same problems" not in alone


BROKEN = """
import backproof
from numpy_mistakes import bias_of_the_first_sample as wrong
few = {"max_examples": 8, "shrink_seconds": 0}
"""
"""A target by which several laws are broken."""

IN_ORDER = ("-p", "no:randomly", "--hypothesis-seed=1")


def test_where_and_why_is_told_once_for_each_target(run: Run, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        f"{BROKEN}test_one = backproof.law_tests(wrong, **few)\ntest_two = backproof.law_tests(wrong, **few)\n"
    )
    printed = run(tmp_path, "-k", "exact_gradient or duplicated_sample or batch_gradients_add", *IN_ORDER, code=1)
    # where CI is set, pytest repeats what failed in its summary
    assert printed.partition(" short test summary ")[0].count("  cause    ") == 2
    for test in ("test_one", "test_two"):
        assert f"{test}[it_agrees_with_the_exact_gradient] says where and why" in printed


def test_an_expected_failure_does_not_say_where_and_why_for_others(run: Run, tmp_path: Path) -> None:
    known = {"it_agrees_with_the_exact_gradient": "known"}
    (tmp_path / "test_mine.py").write_text(f"{BROKEN}test_one = backproof.law_tests(wrong, xfail={known}, **few)\n")
    printed = run(tmp_path, "-k", "exact_gradient or batch_gradients_add", *IN_ORDER, code=1)
    assert "says where and why" not in printed
    assert "  cause    " in printed
