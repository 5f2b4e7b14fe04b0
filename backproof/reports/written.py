"""A report in every format that there is, as files of one folder."""

from collections.abc import Callable
from pathlib import Path

from backproof.findings.report import Report
from backproof.findings.saved import file_name, save_finding
from backproof.reports.forms import html, markdown
from backproof.reports.standalone import standalone_script
from backproof.reports.terminal import report_text
from reference.errors import ProblemError

FORMATS: dict[str, Callable[[Report], str]] = {
    "report.json": Report.to_json,
    "report.txt": report_text,
    "report.html": html,
    "report.md": markdown,
}
"""File -> how the whole report is told in it."""


def write_reports(report: Report, folder: Path) -> list[Path]:
    """Write a report in all FORMATS, and of each finding the file that replays it and its script; the files.

    A finding that no script can show has none. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
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
        # no name that pytest collects
        written.append((folder / f"script-{file_name(finding, place)}").with_suffix(".py"))
        written[-1].write_text(script, encoding="utf-8")
    return written
