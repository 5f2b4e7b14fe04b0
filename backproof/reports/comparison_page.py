"""The page of a comparison: a row for each target, sorted by what is shared, a column for each law; a cell opens its finding."""

from typing import Any

from backproof.findings.text import printable
from backproof.reports.compared import Row, grouped, rows_of
from backproof.reports.page import finding_rows, template


def comparison_page(data: Any) -> str:
    """The page of a comparison, of the plain data that `backproof compare --json` writes. Raises ProblemError."""
    rows = rows_of(data)
    laws = list(dict.fromkeys(name for row in rows if row.report for name in row.report.laws))
    fared = [row.report.laws for row in rows if row.report]
    applied = [law for law in laws if any(law in counts and counts[law].status != "not applicable" for counts in fared)]
    return printable(
        template("comparison.html.j2").render(
            groups=grouped(rows),
            count=len(rows),
            laws=applied,
            left_out=len(laws) - len(applied),
            seed=data["seed"],
            rows=[row for row in rows if row.report is not None and row.report.findings],
            finding_rows=finding_rows,
            first_of=_first_of,
        )
    )


def _first_of(row: Row) -> dict[str, int]:
    """Law -> the number of its first finding, from 1."""
    found: dict[str, int] = {}
    for i, finding in enumerate(row.report.findings if row.report else (), 1):
        found.setdefault(finding.law, i)
    return found
