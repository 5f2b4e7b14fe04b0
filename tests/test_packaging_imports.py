"""`import backproof` stays light: what is heavy, or only sometimes there, is imported when it is used."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = {"flint", "hypothesis", "jax", "pytest", "torch"}

pytestmark = pytest.mark.slow


def heavy_modules_after(code: str) -> set[str]:
    """Those of HEAVY that a fresh process holds after the code."""
    command = [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"]
    return HEAVY.intersection(subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True).stdout.split())


def test_import_is_light() -> None:
    assert heavy_modules_after("import backproof") == set()


def test_what_is_imported_would_be_seen(tmp_path: Path) -> None:
    """By its name, so that a file of that name does for it, which takes no seconds to import."""
    for name in HEAVY:
        (tmp_path / f"{name}.py").write_text("")
    code = f"import backproof, sys; sys.path.insert(0, {str(tmp_path)!r}); import {', '.join(sorted(HEAVY))}"
    assert heavy_modules_after(code) == HEAVY


def test_a_check_needs_no_pytest_and_the_items_say_that_they_do() -> None:
    """Hypothesis, which a check imports, may import pytest where it is installed; it must do without."""
    code = """
import importlib.machinery, sys

class NoPytest(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.split(".")[0] in ("pytest", "_pytest"):
            return None
        return super().find_spec(name, path, target)

sys.meta_path = [NoPytest if finder is importlib.machinery.PathFinder else finder for finder in sys.meta_path]
import backproof
print(backproof.check(backproof.gradient, max_examples=3, seed=1).verdict)
try:
    backproof.law_tests(backproof.gradient)
except ModuleNotFoundError as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True).stdout.splitlines()
    assert said == ["right", "backproof.law_tests needs pytest: pip install pytest"]
