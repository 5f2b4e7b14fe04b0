"""What is marked `wheel`, and so put to the installed wheel too, has a part of each room and comes in by each door."""

import subprocess
import sys
from pathlib import Path

import pytest

from hatch_build import PACKAGE, ROOMS

ROOT = Path(__file__).parent.parent
DOORS = {
    "import": "test_backproof_imports.py",
    "Python": "test_backproof_check.py",
    "command line": "test_backproof_command_line.py",
    "pytest": "test_backproof_pytest.py",
}


@pytest.mark.slow
def test_every_room_and_every_door_has_a_part_that_is_marked() -> None:
    # of the others none can be marked, and importing them takes long; one of them is asked nevertheless
    files = [path for path in (ROOT / "tests").glob("test_*.py") if "mark.wheel" in path.read_text(encoding="utf-8")]
    files.append(ROOT / "tests" / "test_backproof_digits.py")
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "wheel", "-p", "no:cacheprovider", *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    marked = {Path(line.split("::")[0]).name for line in done.stdout.splitlines() if "::" in line}
    assert [room for room in (PACKAGE, *ROOMS) if not any(name.startswith(f"test_{room}_") for name in marked)] == []
    assert [door for door, file in DOORS.items() if file not in marked] == []
    assert [name for name in marked if name.startswith("test_packaging_")] == [], "they need the repository"
    assert "test_backproof_digits.py" not in marked, "all of it is taken for marked"
