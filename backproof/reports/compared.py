"""The targets of a comparison as rows, from its plain data: what every form of it tells, sorted by what is shared."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backproof.findings.report import Report, report_of_data
from backproof.reports.told import BADGES, SAYS_ITSELF, Headline, headline
from backproof.reports.values import capital, small
from properties.verdict import Verdict
from reference.errors import ProblemError

VERSION = 1


@dataclass(frozen=True)
class Row:
    """How one target fared.

    number: from 1; report: None where its check gave none; where: the place, "" where none is known; why: what is wrong, or why it could
    not be checked, in a sentence without its stop, "" of one that is right; shared: what its group shares, in a sentence.
    """

    number: int
    target: str
    report: Report | None
    verdict: Verdict | None
    where: str
    why: str
    shared: str
    accuracy: str
    seconds: float

    @property
    def place_and_cause(self) -> str:
        """Both in one line, or why it could not be checked."""
        return f"{self.where}: {small(self.why)}" if self.where and self.why else self.where or self.why

    @property
    def verdict_in_words(self) -> str:
        """Its verdict, or that there is none."""
        return "not checked" if self.verdict is None else self.verdict.value.replace("_", " ")

    @property
    def badge(self) -> str:
        """The colour of its verdict."""
        return "bad" if self.verdict is None else BADGES.get(self.verdict, "bad")


def rows_of(data: Any) -> list[Row]:
    """A row for each target, of the plain data that `backproof compare --json` writes. Raises ProblemError."""
    if not isinstance(data, Mapping) or data.get("version") != VERSION:
        version = data.get("version") if isinstance(data, Mapping) else None
        raise ProblemError(f"version is {version!r}: this backproof reads version {VERSION} of a comparison")
    try:
        int(data["seed"])
        return [_row(i, one) for i, one in enumerate(data["targets"], 1)]
    except KeyError as error:
        raise ProblemError(f"no comparison: {error.args[0]!r} is missing") from None
    except (AttributeError, TypeError, ValueError) as error:
        raise ProblemError(f"no comparison: {error}") from None


def _row(number: int, one: Mapping[str, Any]) -> Row:
    report = report_of_data(one["report"]) if one["report"] else None
    passed, failed, seconds = int(one["problems_passed"]), int(one["problems_failed"]), float(one["seconds"])
    target = str(one["target"])
    accuracy = f"{passed} of {passed + failed}" if passed + failed else ""
    verdict = None if one["verdict"] is None else Verdict(one["verdict"])
    if report is None or report.error:
        return Row(number, target, report, None, "", str(one["why"]), "It could not be checked.", accuracy, seconds)
    told = headline(report)
    first = report.findings[0] if report.findings else None
    # one place may be that of many mistakes
    alike = first is None or first.cause
    shared = told.what if alike else f"{capital(report.verdict.meaning)}. The cause is not known."
    return Row(number, target, report, verdict, told.where, _why(report, told), shared, accuracy, seconds)


def _why(report: Report, told: Headline) -> str:
    """What is wrong, as far as it is known."""
    first = report.findings[0] if report.findings else None
    if first is None:
        return "" if report.verdict is Verdict.RIGHT else told.what.rstrip(".")
    if first.cause or told.in_part or first.verdict in SAYS_ITSELF:
        return told.what.rstrip(".")
    if first.verdict is Verdict.LOSSY and not told.where:
        return told.more.partition(". ")[0].rstrip(".")
    return "Cause not known" if told.where else "Place and cause not known"


def grouped(rows: list[Row]) -> list[tuple[str, list[Row]]]:
    """Rows that share cause or verdict, the largest groups first; those that are right last."""
    groups: dict[tuple[bool, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.verdict is Verdict.RIGHT, row.shared), []).append(row)
    ordered = sorted(groups.items(), key=lambda each: (each[0][0], -len(each[1]), each[1][0].number))
    return [(shared, listed) for (_, shared), listed in ordered]
