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


@pytest.mark.parametrize("module", sorted(HEAVY))
def test_what_is_imported_would_be_seen(module: str) -> None:
    assert module in heavy_modules_after(f"import backproof; import {module}")
