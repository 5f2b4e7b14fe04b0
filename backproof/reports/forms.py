"""The forms of a report that `Report` offers by name; what they need is imported when one is asked for."""

from collections.abc import Mapping
from typing import Any

from backproof.findings.report import FORMS, Report


def html(report: Report) -> str:
    """One HTML file."""
    from backproof.reports.page import page

    return page(report)


def markdown(report: Report) -> str:
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


FORMS |= {"html": html, "markdown": markdown, "comparison html": comparison_html, "comparison markdown": comparison_markdown}
