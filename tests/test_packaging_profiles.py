"""The suite's Hypothesis profile draws new problems in every run, in CI as well, and a seed gives a run back."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DRAWS = """
from hypothesis import given, settings, strategies

@settings(max_examples=20)
@given(strategies.integers(0, 2**64))
def test_draws(number):
    with open("draws", "a") as file:
        print(number, file=file)

def test_profile():
    print(settings.get_current_profile_name(), settings().derandomize, settings().max_examples)
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the profiles of this project and one test that writes down what it draws."""
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "test_draws.py").write_text(DRAWS)
    return tmp_path


def run(project: Path, *options: str) -> tuple[str, str]:
    """What the test draws in one run with CI set, and what the run prints."""
    command = [sys.executable, "-m", "pytest", "-q", "-s", "--rootdir", str(project), *options]
    done = subprocess.run(command, cwd=project, env=os.environ | {"CI": "true"}, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    file = project / "draws"
    drawn = file.read_text()
    file.unlink()
    return drawn, done.stdout


def draws(project: Path, *options: str, said: str = "default False 100") -> str:
    """What the test draws in one run with CI set."""
    drawn, printed = run(project, *options)
    assert said in printed
    return drawn


def test_thorough_profile_is_chosen_by_an_option(project: Path) -> None:
    assert draws(project, "--hypothesis-profile=thorough", said="thorough False 5000")


def test_draws_that_stay_the_same_would_be_seen(project: Path) -> None:
    ci = "ci True 100"
    assert draws(project, "--hypothesis-profile=ci", said=ci) == draws(project, "--hypothesis-profile=ci", said=ci)


def test_runs_in_ci_draw_anew_and_the_seed_that_is_printed_gives_the_draws_back(project: Path) -> None:
    met = []
    for workers in ("-n0", "-n1"):
        drawn, printed = run(project, workers)
        (line,) = [line for line in printed.splitlines() if line.startswith("to draw the same problems: ")]
        assert drawn == draws(project, line.split(": ")[1])
        met.append(drawn)
    assert met[0] != met[1]
