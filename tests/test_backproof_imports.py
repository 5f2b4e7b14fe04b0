"""Every module can be imported without a warning, in a clone and from an installed wheel."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

from oracles.available import missing

ROOT = Path(__file__).parent.parent
PLACE = missing.__module__.removesuffix("oracles.available")
"""Where the rooms stand: "" in a clone, "backproof." in an installed wheel."""

PACKAGES = ["backproof", *(f"{PLACE}{room}" for room in ("oracles", "properties", "reference", "rounding"))]
MODULES = sorted({module.name for package in PACKAGES for module in walk_packages(import_module(package).__path__, f"{package}.")})

pytestmark = [pytest.mark.slow, pytest.mark.wheel]


def imported(folder: Path, *modules: str) -> subprocess.CompletedProcess[str]:
    """A fresh process in which a warning is an error, and which imports them one after the other."""
    code = "import importlib, sys\nfor module in sys.argv[1:]:\n    importlib.import_module(module)"
    return subprocess.run([sys.executable, "-W", "error", "-c", code, *modules], cwd=folder, text=True, capture_output=True)


def test_every_module_is_imported_without_a_warning() -> None:
    assert all(any(name.startswith(f"{package}.") for name in MODULES) for package in PACKAGES)
    done = imported(ROOT, *PACKAGES, *MODULES)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_warning_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "warns.py").write_text("import warnings\n\nwarnings.warn('old')\n")
    assert "UserWarning: old" in imported(tmp_path, "warns").stderr


def test_a_report_has_its_forms_wherever_it_is_imported_from(tmp_path: Path) -> None:
    """By no other module that happens to be imported before."""
    program = (
        "from backproof.report import Report\n"
        "report = Report('t', (), {}, 0, 0, 0, 0, 'float64')\n"
        "assert 'Nothing could be judged.' in report.html()\n"
        "assert 'inconclusive' in Report.from_json(report.to_json()).markdown()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path if PLACE else ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
