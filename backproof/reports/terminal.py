"""The report for a person at a terminal: rich where it is one, plain text elsewhere."""

import io
from itertools import zip_longest
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.text import Text

from backproof.findings.finding import Finding
from backproof.findings.report import Report
from backproof.findings.shown_problem import problem_text
from backproof.findings.text import label, printable
from backproof.reports.explained import explained
from properties.judging.judgement import Judgement
from properties.verdict import Verdict

STYLES = {Verdict.RIGHT: "bold green", Verdict.LOSSY: "bold yellow", Verdict.INCONCLUSIVE: "bold yellow"}

COPIED = ("problem", "seed", "replay", "got", "exact", "")
"""The rows of a finding that stay in one line however long: what is copied, and the lines of a table."""

CONTINUED, LEAST_ROOM = 4, 20
"""How far a line is indented that goes on with the one before, and how many columns text has in the narrowest terminal."""


def report_text(report: Report, width: int | None = None) -> str:
    """The report as plain text."""
    console = Console(file=io.StringIO(), width=100, color_system=None, force_terminal=False)
    console.print(report_view(report, width), soft_wrap=True)
    return str(console.file.getvalue()).rstrip()  # type: ignore[attr-defined]


def report_view(report: Report, width: int | None = None) -> RenderableType:
    """The report, for rich to print.

    width: of the terminal, in which what is read is broken between words, and what is copied is not; None to break nothing.
    """
    parts: list[RenderableType] = [_wrapped(_headline(report), width)]
    for finding, saved in zip_longest(report.findings, report.saved[: len(report.findings)]):
        parts.append(finding_view(finding, Path(saved) if saved else None, width))
    parts += [Text(), *(_wrapped(line, width) for line in _laws(report))]
    parts += [Text(), *(_wrapped(Text(line), width) for line in report.summary())]
    parts += [_wrapped(Text(printable(f"note: {note}")), width) for note in report.notes]
    return Group(*parts)


def _wrapped(text: Text, width: int | None, indent: int = CONTINUED) -> Text:
    """The text, broken between words; from its second line on indented."""
    if width is None:
        return text
    room = max(width - indent, LEAST_ROOM)
    lines = text.wrap(Console(width=room), room)
    for line in lines:
        line.rstrip()
    return Text("\n" + " " * indent).join(lines)


def _headline(report: Report) -> Text:
    verdict = report.verdict
    text = Text.assemble((f"{verdict.value}", _style(verdict)), f": {printable(report.target)}")
    return text.append(f" ({report.meaning})", style="dim")


def finding_view(finding: Finding, saved: Path | None = None, width: int | None = None) -> RenderableType:
    """One finding, a line for each thing that is said; what is copied is left to the terminal as one line."""
    return Group(Text(), Text(finding.verdict.value, style=_style(finding.verdict)), _lines(finding.rows(saved), width))


def judgement_view(judgement: Judgement, width: int | None = None) -> RenderableType:
    """The judgement of one answer."""
    headline = Text.assemble((judgement.verdict.value, _style(judgement.verdict)), (f" ({judgement.verdict.meaning})", "dim"))
    return Group(_wrapped(headline, width), _lines(judgement.rows(), width))


def explained_view(finding: Finding, width: int | None = None) -> RenderableType:
    """A finding explained: where and why, and its equations one by one."""
    headline = Text.assemble((finding.verdict.value, _style(finding.verdict)), f": {printable(finding.target)}")
    return Group(_wrapped(headline, width), _lines(explained(finding), width))


def stored_view(finding: Finding, judgement: Judgement, width: int | None = None) -> RenderableType:
    """The judgement of the answer that a finding holds, and what it cannot say of the finding."""
    parts = [judgement_view(judgement, width), _lines([("problem", problem_text(finding.problem))])]
    if judgement.verdict is not finding.verdict:
        why = f"{finding.verdict.value} by the law {finding.law}, which one stored answer cannot show: ask the target, by a replay"
        parts.append(_lines([("found", why)], width))
    return Group(*parts)


def _lines(rows: list[tuple[str, str]], width: int | None = None) -> Text:
    """A line for each row."""
    said = []
    for name, value in rows:
        start, text = label(name), Text(printable(value))
        said.append(Text.assemble((start, "dim"), text if name in COPIED else _wrapped(text, width, len(start))))
    return Text("\n").join(said)


def _style(verdict: Verdict) -> str:
    return STYLES.get(verdict, "bold red")


def _laws(report: Report) -> list[Text]:
    """How the laws fared: what is broken stands out, what is not applicable stands back."""
    lines = []
    for status, said in report.laws_told():
        text = Text(printable(said), style="dim" if status == "not applicable" else "")
        if status == "broken":
            text.stylize("bold red", 0, len(status))
        lines.append(text)
    return lines
