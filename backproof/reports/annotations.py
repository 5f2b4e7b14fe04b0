"""Annotations of a CI: a line for each finding that GitHub shows beside the target's code, where its file is known."""

import ast
import re
from pathlib import Path

from backproof.findings.report import Report
from backproof.reports.told import headline
from backproof.reports.values import clean
from properties.verdict import Verdict

LEVELS = {Verdict.LOSSY: "warning", Verdict.INCONCLUSIVE: "warning"}

LONGEST = 800


def annotations(report: Report) -> list[str]:
    """A line of a GitHub workflow for a run that is not right; none for one that is."""
    if report.verdict is Verdict.RIGHT:
        return []
    told = headline(report)
    said = " ".join(each for each in (f"{told.where}:" if told.where else "", told.what, told.more, report.error) if each)
    if told.right is not None:
        said = f"{said} It should be: {told.right.code}"
    file, line = place_of(report.target)
    if file and report.findings and (raised := _raised_at(report.findings[0].message, file)):
        line = raised
    properties = {"file": file, "line": str(line) if line else "", "title": f"backproof: {report.verdict.value.replace('_', ' ')}"}
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value)
    return [f"::{LEVELS.get(report.verdict, 'error')} {listed}::{_message(said)}"]


def place_of(target: str) -> tuple[str, int]:
    """The file and the line at which a target is defined, as far as its name and the file tell; nothing is run. ("", 0) where unknown."""
    module, _, function = target.rpartition(":")
    file = Path(module if module.endswith(".py") else f"{module.replace('.', '/')}.py")
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError):  # a name that no file can have, too
        return "", 0
    try:
        body: list[ast.stmt] = ast.parse(text).body
    except (SyntaxError, ValueError):
        return file.as_posix(), 0
    line = 0
    for name in function.split("."):
        found = next((node for node in body if name in _names_of(node)), None)
        if found is None:
            break
        line = found.lineno
        body = found.body if isinstance(found, ast.ClassDef) else []
    return file.as_posix(), line


def _names_of(node: ast.stmt) -> list[str]:
    """What a statement defines."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _raised_at(message: str, file: str) -> int:
    """The last line of the target's own file that a message names; 0 where there is none."""
    lines = re.findall(rf"{re.escape(Path(file).name)}:(\d+) in ", message)
    return int(lines[-1]) if lines else 0


def _message(said: str) -> str:
    return clean(said, LONGEST).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(said: str) -> str:
    return _message(said).replace(":", "%3A").replace(",", "%2C")
