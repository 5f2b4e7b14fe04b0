"""The report for a person at a terminal: rich where it is one, plain text elsewhere."""

import io
import shlex
import unicodedata
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.text import Text

from backproof.findings.finding import Finding
from backproof.findings.report import Report, counted
from properties.judging.judgement import Judgement
from properties.verdict import Verdict
from reference.problem import Problem
from rounding.precisions import PRECISIONS

STYLES = {Verdict.RIGHT: "bold green", Verdict.LOSSY: "bold yellow", Verdict.INCONCLUSIVE: "bold yellow"}
LONGEST = 2000
"""Characters of a problem that are shown; of a longer one what it is, and the replay file holds all of it."""

MOST_BLIND = 3
"""Of so many functions it is told where a run is blind to their slopes; the report as JSON has all."""

COPIED = ("problem", "seed", "replay", "got", "exact")
"""The rows of a finding that are copied, and so stay in one line however long."""

CONTINUED, LEAST_ROOM = 4, 20
"""How far a line is indented that goes on with the one before, and how many columns text has in the narrowest terminal."""


def printable(text: str) -> str:
    """Text from outside without terminal controls: what is no printable character is shown by its number."""
    return "".join(c if c == "\n" or unicodedata.category(c)[0] != "C" else f"\\x{ord(c):02x}" for c in text)


def report_text(report: Report, saved: dict[int, Path] | None = None, width: int | None = None) -> str:
    """The report as plain text."""
    console = Console(file=io.StringIO(), width=100, color_system=None, force_terminal=False)
    console.print(report_view(report, saved, width), soft_wrap=True)
    return str(console.file.getvalue()).rstrip()  # type: ignore[attr-defined]


def report_view(report: Report, saved: dict[int, Path] | None = None, width: int | None = None) -> RenderableType:
    """The report, for rich to print; saved: by the finding's place in the list, the file that replays it.

    width: of the terminal, in which what is read is broken between words, and what is copied is not; None to break nothing.
    """
    parts: list[RenderableType] = [_wrapped(_headline(report), width)]
    parts += [finding_view(finding, (saved or {}).get(i), width) for i, finding in enumerate(report.findings)]
    parts += [Text(), *(_wrapped(line, width) for line in _laws(report))]
    parts += [Text(), *(_wrapped(Text(line), width) for line in _summary(report))]
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
    rows: list[tuple[str, str]] = [("law", finding.law), ("why", finding.message)]
    if finding.judgement is not None:
        rows += [row for row in finding.judgement.rows() if row != ("why", finding.message)]
    rows.append(("problem", _shown(finding.problem)))
    more = " (--shrink-seconds allows more)" if finding.shrunk == "cut short" else ""
    rows.append(("shrunk", f"{finding.shrunk}{more}; seen in {counted(finding.seen, 'problem')} of the run"))
    if not finding.fresh:
        rows.append(
            ("state", "it does not show in a fresh process: the target keeps something from call to call, and a replay cannot show it")
        )
    rows.append(("seed", f"{finding.seed}; before shrinking: {_drawn_again(finding)}"))
    if saved is not None:
        rows.append(("replay", f"backproof replay {shlex.quote(str(saved))}"))
    return Group(Text(), Text(finding.verdict.value, style=_style(finding.verdict)), _lines(rows, width))


def _drawn_again(finding: Finding) -> str:
    """How the problem is had again: a command, or a call where the target's name is none that a command could find."""
    if ":" not in finding.target:
        precision = "" if finding.drawn_in == "float64" else f", precision={finding.drawn_in!r}"
        limits = f" and what {finding.drawn_by} says" if finding.drawn_by else ""
        return f"backproof.problem_at({finding.index}, {finding.seed}, target=...{precision}), the target in its place{limits}"
    options = f"{'' if finding.drawn_in == 'float64' else f' --precision {finding.drawn_in}'} {finding.drawn_by}".rstrip()
    return f"backproof draw {shlex.quote(finding.target)} --seed {finding.seed} --index {finding.index}{options}"


def _shown(problem: Problem) -> str:
    """The problem as Python to paste; of one that is too long for that what it is."""
    shown = repr(problem)
    if len(shown) <= LONGEST:
        return shown
    widths = "-".join(map(str, problem.widths))
    choices = f"activations {list(problem.activations)}, loss {problem.loss!r}, reduction {problem.reduction!r}"
    return f"{widths}, batch {problem.batch}, {choices}: {problem.size:,} numbers, too many to show"


def judgement_view(judgement: Judgement, width: int | None = None) -> RenderableType:
    """The judgement of one answer."""
    headline = Text.assemble((judgement.verdict.value, _style(judgement.verdict)), (f" ({judgement.verdict.meaning})", "dim"))
    return Group(_wrapped(headline, width), _lines(judgement.rows(), width))


def stored_view(finding: Finding, judgement: Judgement, width: int | None = None) -> RenderableType:
    """The judgement of the answer that a finding holds, and what it cannot say of the finding."""
    parts = [judgement_view(judgement, width), _lines([("problem", _shown(finding.problem))])]
    if judgement.verdict is not finding.verdict:
        why = f"{finding.verdict.value} by the law {finding.law}, which one stored answer cannot show: ask the target, by a replay"
        parts.append(_lines([("found", why)], width))
    return Group(*parts)


def _lines(rows: list[tuple[str, str]], width: int | None = None) -> Text:
    """A line for each row that has something to say."""
    said = []
    for name, value in rows:
        if value:
            label = f"  {name:<9}"
            text = Text(printable(value))
            said.append(Text.assemble((label, "dim"), text if name in COPIED else _wrapped(text, width, len(label))))
    return Text("\n").join(said)


def _style(verdict: Verdict) -> str:
    return STYLES.get(verdict, "bold red")


def _laws(report: Report) -> list[Text]:
    """How many laws were held, and of the others how each fared: broken, or never applicable, and why."""
    held = [name for name, count in report.laws.items() if count.status == "held"]
    lines = [Text(f"{len(held)} of {len(report.laws)} laws held wherever they applied")]
    for name, count in report.laws.items():
        if count.broken:
            posed = count.held + count.broken
            lines.append(Text.assemble(("broken", "bold red"), f": {name}, in {count.broken} of {posed} problems"))
        elif not count.held:
            why = "; ".join(count.reasons) or "no problem came to it"
            lines.append(Text(printable(f"not applicable: {name}: {why}"), style="dim"))
    return lines


def _summary(report: Report) -> list[str]:
    audited = f"{report.audited} of them held against ball arithmetic too"
    sees = ", ".join(f"one {name} by {e:.0e}" for name, e in report.sees.items())
    lines = [
        f"{counted(report.examples, 'problem')}, {report.judged} judged, {audited}; judged by {report.precision}"
        f"{', strictly' if report.strict else ''}; seed {report.seed}; {report.seconds:.1f} s",
        f"smallest relative errors that it would have seen: {sees}" if sees else "",
        f"blind in {report.precision}, where a slope of 0 would pass: {_blind(report)}" if report.blind else "",
    ]
    return [line for line in lines if line]


def _blind(report: Report) -> str:
    """The functions whose slopes are seen least, each with its ranges of z: "gelu' for z from -16 to -1.9 and from -0.97 to -0.61"."""
    ranges: dict[str, list[str]] = {}
    for blind in report.blind:
        ranges.setdefault(blind.function, []).append(f"from {blind.low:.2g} to {blind.high:.2g}")
    told = [f"{function} for z {' and '.join(found)}" for function, found in ranges.items()]
    more = f", and {len(told) - MOST_BLIND} more" if len(told) > MOST_BLIND else ""
    sharper = f"{PRECISIONS[report.precision].storage}/float32/float32"
    hint = f" (--precision {sharper} sees more, of a target whose functions are computed in float32, as PyTorch's are)"
    return ", ".join(told[:MOST_BLIND]) + more + (hint if sharper in PRECISIONS and sharper != report.precision else "")
