"""The page of a comparison: a row for each target, sorted by what is shared, a column for each law; a cell opens its finding."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backproof.findings.report import Report, report_of_data
from backproof.findings.text import printable
from backproof.reports.page import finding_rows, template
from backproof.reports.told import BADGES, headline
from backproof.reports.values import capital
from properties.verdict import Verdict


@dataclass(frozen=True)
class Row:
    """How one target fared. number: from 1; report: None where its check gave none; why: in a sentence; shared: what its group shares."""

    number: int
    target: str
    report: Report | None
    verdict: Verdict | None
    where: str
    why: str
    shared: str
    cause: str
    accuracy: str
    seconds: float

    @property
    def badge(self) -> str:
        """The colour of its verdict."""
        return "bad" if self.verdict is None else BADGES.get(self.verdict, "bad")


def comparison_page(data: Mapping[str, Any]) -> str:
    """The page of a comparison, of the plain data that `backproof compare --json` writes."""
    rows = [_row(i, one) for i, one in enumerate(data["targets"], 1)]
    laws = list(dict.fromkeys(name for row in rows if row.report for name in row.report.laws))
    fared = [row.report.laws for row in rows if row.report]
    applied = [law for law in laws if any(law in counts and counts[law].status != "not applicable" for counts in fared)]
    return printable(
        template("comparison.html.j2").render(
            groups=_grouped(rows),
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


def _row(number: int, one: Mapping[str, Any]) -> Row:
    report = report_of_data(one["report"]) if one["report"] else None
    passed, failed = one["problems_passed"], one["problems_failed"]
    accuracy = f"{passed} of {passed + failed}" if passed + failed else ""
    verdict = None if one["verdict"] is None else Verdict(one["verdict"])
    if report is None or report.error:
        why = str(one["why"])
        return Row(number, one["target"], report, None, "", why, "could not be checked", "", accuracy, one["seconds"])
    told = headline(report)
    first = report.findings[0] if report.findings else None
    cause = (first.cause or "") if first is not None else ""
    shared = told.what if first is None or cause else f"{capital(report.verdict.meaning)}{f': {told.where}' if told.where else ''}."
    return Row(number, one["target"], report, verdict, told.where, told.what, shared, cause.replace("_", " "), accuracy, one["seconds"])


def _grouped(rows: list[Row]) -> list[tuple[str, list[Row]]]:
    """Rows that share cause or verdict, the largest groups first; those that are right last."""
    groups: dict[tuple[bool, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.verdict is Verdict.RIGHT, row.shared), []).append(row)
    ordered = sorted(groups.items(), key=lambda each: (each[0][0], -len(each[1]), each[1][0].number))
    return [(shared, listed) for (_, shared), listed in ordered]
