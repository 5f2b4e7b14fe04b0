"""The report that a run gives: its plain data, and how that is written for people, which is imported when it is asked for."""

from collections.abc import Mapping
from typing import Any

from backproof.findings.report import Report as Data
from backproof.findings.report import report_of as data_of


class Report(Data):
    """What a run of check found, and how it is written."""

    def html(self) -> str:
        """The report as one HTML file, which needs no other and no network."""
        return html(self)

    def markdown(self) -> str:
        """The report as Markdown, for a pull request or a step summary."""
        return markdown(self)


def report_of(text: str) -> Report:
    """The report that to_json wrote. Raises ProblemError."""
    return Report(**vars(data_of(text)))


def html(report: Data) -> str:
    """One HTML file."""
    from backproof.reports.page import page

    return page(report)


def markdown(report: Data) -> str:
    """Markdown, for a pull request or a step summary."""
    from backproof.reports.markdown import markdown as written

    return written(report)


def comparison_html(data: Mapping[str, Any]) -> str:
    """One HTML file of a comparison, of its plain data. Raises ProblemError."""
    from backproof.reports.comparison_page import comparison_page

    return comparison_page(data)


def comparison_markdown(data: Mapping[str, Any]) -> str:
    """Markdown of a comparison, of its plain data. Raises ProblemError."""
    from backproof.reports.markdown import comparison_markdown as written

    return written(data)
