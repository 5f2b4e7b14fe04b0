"""The history of a folder: a line of JSON for each run, of which the last are kept."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from backproof.findings.grade import Grade
from backproof.findings.report import Report
from backproof.findings.saved import make_folder

try:
    import fcntl
except ImportError:  # Windows: two runs that end at once may lose a line there
    fcntl = None  # type: ignore[assignment]

NAME = "history.jsonl"

MOST = 1000
"""Lines that are kept."""

FIELDS = ("when", "command", "target", "verdict", "seed", "examples", "judged", "findings", "law", "layer", "equation", "cause")
"""What a line holds: of the first finding law, layer, equation and cause, None where there is none."""


def remember(report: Report, folder: Path, command: str = "check") -> None:
    """Add the line of a run. Raises OSError."""
    first = report.findings[0] if report.findings else None
    line = dict.fromkeys(FIELDS) | {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "target": report.target,
        "verdict": None if report.error else report.verdict.value,
        "seed": report.seed,
        "examples": report.examples,
        "judged": report.judged,
        "findings": len(report.findings),
    }
    if first is not None:
        line |= {"law": first.law, "layer": first.layer, "equation": first.equation, "cause": first.cause}
    add_line(json.dumps(line), folder / NAME)


def remember_grade(grade: Grade, folder: Path) -> None:
    """Add the line of a grade. Raises OSError."""
    line = dict.fromkeys(FIELDS) | {"when": datetime.now(UTC).isoformat(timespec="seconds"), "command": "grade", "target": grade.target}
    line |= {"verdict": f"{grade.score:g} of {grade.points:g}", "seed": grade.seed, "examples": max(part.of for part in grade.parts)}
    add_line(json.dumps(line), folder / NAME)


def add_line(line: str, path: Path) -> None:
    """Add a line, whole or not at all, whoever else adds one; of too many the oldest are dropped. Raises OSError."""
    make_folder(path.parent)
    new, shorter = line.encode("utf-8", "backslashreplace") + b"\n", path.with_name(f"{path.name}.{os.getpid()}")
    with _locked(path) as file:
        before = file.read()
        # what was cut short, by a full disk say, spoils no line but its own
        lines = before.splitlines(keepends=True)
        ended = b"" if not before or before.endswith(b"\n") else b"\n"
        too_many = len(lines) >= MOST
        if not too_many:
            file.write(ended + new)
        elif fcntl is not None:
            _replace(path, shorter, b"".join(lines[1 - MOST :]) + ended + new)
    if too_many and fcntl is None:
        # Windows replaces no file that is open
        _replace(path, shorter, b"".join(lines[1 - MOST :]) + ended + new)


def _replace(path: Path, beside: Path, text: bytes) -> None:
    """Another text in place of a file's, at once; nothing is left beside it where that cannot be. Raises OSError."""
    try:
        beside.write_bytes(text)
        os.replace(beside, path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """The file, open to read all and to append, while nobody else adds to it."""
    while True:
        with open(path, "a+b") as file:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
            # it may have been replaced by a shorter one meanwhile
            if _is_at(file, path):
                file.seek(0)
                yield file
                return


def _is_at(file: BinaryIO, path: Path) -> bool:
    """Whether an open file is the one that has this name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def history(folder: Path) -> list[dict[str, Any]]:
    """The runs that a folder remembers, the oldest first; lines that cannot be read are left out. Raises OSError."""
    path = folder / NAME
    runs = []
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            run = json.loads(line)
        except ValueError:
            continue
        if isinstance(run, dict) and isinstance(run.get("target"), str) and isinstance(run.get("when"), str):
            runs.append({name: run.get(name) for name in FIELDS})
    return runs
