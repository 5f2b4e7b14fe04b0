"""A report in every format that there is, as files of one folder."""

from collections.abc import Callable
from pathlib import Path

from backproof.findings.finding import Finding
from backproof.findings.report import Report, report_of
from backproof.findings.saved import file_name, save_finding
from backproof.reports.markdown import markdown
from backproof.reports.page import page
from backproof.reports.standalone import standalone_script
from backproof.reports.terminal import report_text
from reference.errors import ProblemError

FORMATS: dict[str, Callable[[Report], str]] = {
    "report.json": Report.to_json,
    "report.txt": report_text,
    "report.html": page,
    "report.md": markdown,
}
"""File -> how the whole report is told in it."""


def write_reports(report: Report, folder: Path) -> list[Path]:
    """Write a report in all FORMATS, and of each finding the file that replays it and its script; the files.

    A finding that no script can show has none. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _remove_earlier(folder)
    written = []
    for name, told in FORMATS.items():
        written.append(folder / name)
        written[-1].write_text(told(report).rstrip("\n") + "\n", encoding="utf-8")
    for place, finding in enumerate(report.findings):
        written.append(save_finding(finding, place, folder))
        try:
            script = standalone_script(finding)
        except ProblemError:
            continue
        written.append(folder / _script_name(finding, place))
        written[-1].write_text(script, encoding="utf-8")
    return written


def _script_name(finding: Finding, place: int) -> str:
    """No name that pytest collects."""
    return f"script-{Path(file_name(finding, place)).with_suffix('.py').name}"


def _remove_earlier(folder: Path) -> None:
    """Remove the files of the findings of an earlier report there, which this one may not have; nothing else. Raises OSError."""
    try:
        earlier = report_of((folder / "report.json").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ProblemError):
        return
    for place, finding in enumerate(earlier.findings):
        for name in (file_name(finding, place), _script_name(finding, place)):
            (folder / name).unlink(missing_ok=True)
