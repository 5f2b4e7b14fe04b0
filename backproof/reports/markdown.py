"""Markdown for a pull request or the step summary of a CI: the same words as the page, with nothing of the target's that is markup."""

import re
from typing import Any

from backproof.findings.finding import Finding
from backproof.findings.report import Report, report_of
from backproof.findings.shown_problem import problem_text
from backproof.reports.chain import FITS, chain
from backproof.reports.compared import Row, grouped, rows_of
from backproof.reports.explained import chain_rows
from backproof.reports.told import again, doubts, facts, findings_by_cause, headline, meaning_of_right
from backproof.reports.values import capital, clean
from properties.verdict import Verdict

MARKS = {Verdict.RIGHT: "✅", Verdict.LOSSY: "⚠️", Verdict.INCONCLUSIVE: "⚠️"}

TICKS = {"ok": "✓", "X": "✗"}

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#!|~$&@])")
"""What Markdown, or the HTML in it, could read as markup."""

LINK = re.compile(r"(?i)\b(https?|ftp|mailto|xmpp)(:)|\b(www)(\.)")
"""Where GitHub begins a link in text that is not marked as one."""

LINE_START = re.compile(r"^(?:[-+](?=\s|$)|[-=]+$|\d{1,9}[.)](?=\s|$))")
"""What makes a list, a heading or a rule of a line that it begins."""

NO_WIDTH = "\u200b"
"""Stands between letters and is not seen."""

LONGEST_CELL = 400


def markdown(report: Report) -> str:
    """A run as Markdown."""
    # what is saved and read again says the same
    report = report_of(report.to_json())
    told = headline(report)
    lines = [f"## {MARKS.get(report.verdict, '❌')} {report.verdict.value.replace('_', ' ')}: {code(report.target)}", ""]
    for doubt in doubts(report):
        if doubt.loud:
            lines += [f"> **{plain(doubt.said)}** {' '.join(plain(one) for one in doubt.more)}".rstrip(), ""]
    where = f"{plain(told.where)}: " if told.where else ""
    lines += [f"**{where}{plain(told.what, LONGEST_CELL)}**", ""]
    if told.right is not None:
        lines += [f"What it should be: {code(told.right.code)}{f' {plain(told.right.note)}' if told.right.note else ''}", ""]
    if told.more:
        lines += [plain(told.more), ""]
    boxes = report.findings[0].evidence.get("boxes", ()) if report.findings else ()
    if boxes:
        lines += [" · ".join(f"{plain(name)} {TICKS.get(said, '?')}" for name, said in boxes), ""]
    lines += ["| | |", "| --- | --- |", *(f"| {plain(name)} | {plain(said, LONGEST_CELL)} |" for name, said in facts(report)), ""]
    for said in report.nearness_told():
        lines += [f"{plain(capital(said))}.", ""]
    for doubt in doubts(report):
        if not doubt.loud:
            lines += _folded(doubt.said, [f"- {plain(one)}" for one in doubt.more]) if doubt.more else [f"{plain(doubt.said)}.", ""]
    if report.findings:
        lines += _of_first(report.findings[0])
        for name, listed in findings_by_cause(report):
            rows = [f"- {finding.verdict.value}: {code(finding.law)}, in {finding.seen} problems" for _, finding in listed]
            lines += _folded(f"Findings: {name}", rows)
    lines += _folded("To have it again", [block("\n".join(command for _, command in again(report)))])
    return "\n".join([*lines, plain(meaning_of_right(report)), ""])


def comparison_markdown(data: Any) -> str:
    """A comparison as Markdown, of the plain data that `backproof compare --json` writes. Raises ProblemError."""
    rows = rows_of(data)
    lines = [f"## {len(rows)} targets on the same problems", "", "| | verdict | what they share |", "| --- | --- | --- |"]
    for shared, listed in grouped(rows):
        lines.append(f"| {len(listed)} of {len(rows)} | {_verdict(listed[0])} | {plain(shared, LONGEST_CELL)} |")
    lines += ["", "| target | verdict | place and cause | right | time |", "| --- | --- | --- | --- | --- |"]
    for _, listed in grouped(rows):
        lines += [
            f"| {code(row.target)} | {_verdict(row)} | {plain(row.place_and_cause, LONGEST_CELL)} | {row.accuracy} | {row.seconds:.1f} s |"
            for row in listed
        ]
    return "\n".join([*lines, "", f"All on the problems of seed {data['seed']}.", ""])


def _verdict(row: Row) -> str:
    return f"{'❌' if row.verdict is None else MARKS.get(row.verdict, '❌')} {row.verdict_in_words}"


def plain(said: str, most: int = 1200) -> str:
    """Text that is shown as it is, in one line: no markup, no link and nobody who is called."""
    shown = SPECIAL.sub(r"\\\1", " ".join(clean(said, most).split()))
    shown = shown.replace("\\@", f"@{NO_WIDTH}").replace("\\<", "&lt;").replace("\\&", "&amp;")
    shown = LINK.sub(lambda found: f"{found[1] or found[3]}{NO_WIDTH}{found[2] or found[4]}", shown)
    begun = LINE_START.match(shown)
    if begun is None:
        return shown
    at = begun.end() - 1 if shown[0].isdigit() else 0
    return f"{shown[:at]}\\{shown[at:]}"


def code(said: str, most: int = 300) -> str:
    """Text as code, in one line, whatever backticks are in it."""
    shown = " ".join(clean(said, most).split()).replace("|", "∣")
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    pad = " " if "`" in shown else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def block(said: str, most: int = 6000) -> str:
    """Text as a block of code, whatever backticks are in it."""
    shown = clean(said, most)
    fence = "`" * max(3, max(map(len, re.findall("`+", shown)), default=0) + 1)
    return f"{fence}text\n{shown}\n{fence}"


def _folded(summary: str, lines: list[str]) -> list[str]:
    said = summary.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return [f"<details><summary>{said}</summary>", "", *lines, "", "</details>", ""]


def _of_first(finding: Finding) -> list[str]:
    """The smallest problem, and its equations where they fit."""
    lines = _folded("The smallest problem that shows it", [block(problem_text(finding.problem))])
    if finding.answer is not None and finding.problem.size <= FITS:
        rows = chain_rows(chain(finding.problem, finding.answer, finding.precision, finding.diagnosis))
        said = "\n".join(f"{name} {line}" if name else f"  {line}" for name, line in rows)
        lines += _folded("Its equations from the loss down: what they should be, and yours", [block(said)])
    return lines
