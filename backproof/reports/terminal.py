"""The report for a person at a terminal: rich where it is one, plain text elsewhere."""

import io
import math
import unicodedata
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from backproof.finding import COMPUTED_BY, Finding, entry_of
from backproof.report import Report
from properties.judgement import Judgement
from properties.verdict import Verdict

STYLES = {Verdict.RIGHT: "bold green", Verdict.LOSSY: "bold yellow", Verdict.INCONCLUSIVE: "bold yellow"}
LONGEST = 2000
"""Characters of a problem that are shown; the replay file holds all of them."""


def printable(text: str) -> str:
    """Text from outside without terminal controls: what is no printable character is shown by its number."""
    return "".join(c if c == "\n" or unicodedata.category(c)[0] != "C" else f"\\x{ord(c):02x}" for c in text)


def report_text(report: Report, saved: dict[int, Path] | None = None) -> str:
    """The report as plain text."""
    console = Console(file=io.StringIO(), width=100, color_system=None, force_terminal=False)
    console.print(report_view(report, saved), soft_wrap=True)
    return str(console.file.getvalue()).rstrip()  # type: ignore[attr-defined]


def report_view(report: Report, saved: dict[int, Path] | None = None) -> RenderableType:
    """The report, for rich to print; saved: by the finding's place in the list, the file that replays it."""
    parts: list[RenderableType] = [_headline(report)]
    parts += [finding_view(finding, (saved or {}).get(i)) for i, finding in enumerate(report.findings)]
    parts += [_laws(report), Text(_summary(report))]
    parts += [Text(printable(f"note: {note}")) for note in report.notes]
    return Group(*parts)


def _headline(report: Report) -> Text:
    verdict = report.verdict
    text = Text.assemble((f"{verdict.value}", _style(verdict)), f": {printable(report.target)}")
    return text.append(f" ({verdict.meaning})", style="dim")


def finding_view(finding: Finding, saved: Path | None = None) -> RenderableType:
    """One finding, a line for each thing that is said; long lines are left to the terminal, so that they can be copied."""
    rows: list[tuple[str, str]] = [("law", finding.law), ("why", finding.message)]
    if finding.judgement is not None:
        rows += judgement_rows(finding.judgement)
    shown = repr(finding.problem)
    rows.append(("problem", shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}... ({len(shown)} characters in all)"))
    rows.append(("shrunk", f"{finding.shrunk}; seen in {finding.seen} problem{'s' if finding.seen != 1 else ''} of the run"))
    rows.append(("seed", str(finding.seed)))
    if saved is not None:
        rows.append(("replay", f"backproof replay {saved}"))
    return Group(Text(), Text(finding.verdict.value, style=_style(finding.verdict)), _lines(rows))


def judgement_rows(judgement: Judgement) -> list[tuple[str, str]]:
    """The worst entry: where, got, exact, allowed and why so much."""
    if judgement.place is None:
        return []
    low, high = judgement.exact
    return [
        ("entry", f"{entry_of(judgement)}, computed by {COMPUTED_BY[judgement.place.quantity]}"),
        ("got", repr(judgement.got)),
        ("exact", repr(low) if high - low <= 2 * math.ulp(low) else f"from {low!r} to {high!r}"),
        ("off by", f"{judgement.distance:.3g}"),
        ("allowed", f"{judgement.allowed:.3g}: {judgement.bound}, {judgement.precision}"),
        ("outside", f"{judgement.outside} of {judgement.judged} entries"),
    ]


def judgement_view(judgement: Judgement) -> RenderableType:
    """The judgement of one answer."""
    headline = Text.assemble((judgement.verdict.value, _style(judgement.verdict)), (f" ({judgement.verdict.meaning})", "dim"))
    return Group(headline, _lines([("why", judgement.reason), *judgement_rows(judgement)]))


def _lines(rows: list[tuple[str, str]]) -> Text:
    """A line for each row that has something to say."""
    said = [Text.assemble((f"  {name:<9}", "dim"), printable(value)) for name, value in rows if value]
    return Text("\n").join(said)


def _style(verdict: Verdict) -> str:
    return STYLES.get(verdict, "bold red")


def _laws(report: Report) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("law", "held", "broken", "not applicable"):
        table.add_column(heading, justify="left" if heading == "law" else "right")
    for name, count in report.laws.items():
        broken = Text(str(count.broken), style="bold red" if count.broken else "")
        table.add_row(name, str(count.held), broken, str(count.not_applicable))
    reasons = [
        Text(printable(f"not applicable: {name}, in {times} of {report.examples} problems: {reason}"), style="dim")
        for name, count in report.laws.items()
        for reason, times in count.reasons.items()
    ]
    return Group(Text(), table, *reasons[:8])


def _summary(report: Report) -> str:
    audited = f"{report.audited} of them held against ball arithmetic too"
    return (
        f"\n{report.examples} problems, {report.judged} judged, {audited}; judged by {report.precision}"
        f"{', strictly' if report.strict else ''}; seed {report.seed}; {report.seconds:.1f} s"
    )
