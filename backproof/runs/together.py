"""Several reports of one target as one: what test items found, each by a law of its own."""

import re
from collections.abc import Sequence
from dataclasses import replace

from backproof.findings.report import Report
from backproof.runs.tally import Tally
from properties.laws.table import laws_for
from properties.verdict import Verdict


def together(reports: Sequence[Report]) -> Report:
    """One report of all. reports: of one target, at least one, in the order in which they are told; findings have that of a run."""
    first = reports[0]
    tallies = [Tally.from_data(report.tally) for report in reports if report.tally is not None]
    tally = tallies[0] if tallies else None
    for other in tallies[1:]:
        assert tally is not None
        tally = tally.merged(other)
    laws = dict(first.laws) if tally is None else tally.laws
    ordered = sorted(
        [
            (finding, report.saved[place] if place < len(report.saved) else "")
            for report in reports
            for place, finding in enumerate(report.findings)
        ],
        # as in a run: one that a cause explains, and then the worst
        key=lambda each: (not (each[0].verdict in (Verdict.WRONG, Verdict.MALFORMED) and each[0].cause), -each[0].verdict.severity),
    )
    files = tuple(file for _, file in ordered)
    sees: dict[str, float] = {}
    for report in reports:
        sees |= report.sees
    return replace(
        first,
        findings=tuple(finding for finding, _ in ordered),
        laws=laws,
        examples=sum(report.examples for report in reports),
        judged=sum(report.judged for report in reports),
        audited=sum(report.audited for report in reports),
        strict=any(report.strict for report in reports),
        interrupted=any(report.interrupted for report in reports),
        seconds=sum(report.seconds for report in reports),
        notes=_notes(reports),
        doubts=sum(report.doubts for report in reports),
        sees=sees,
        blind=tuple({(b.function, b.low, b.high): b for report in reports for b in report.blind}.values()),
        unjudged=tally.unjudged if tally is not None else first.unjudged,
        tally=None if tally is None else tally.to_data(),
        asked_by=_asked_by(first, list(laws)) if len(reports) > 1 else first.asked_by,
        right_if_tame=any(report.right_if_tame for report in reports),
        saved=files if all(files) else (),
    )


def _notes(reports: Sequence[Report]) -> tuple[str, ...]:
    """The notes of all; one that not all of them have says of which law it is."""
    everywhere = [note for note in reports[0].notes if all(note in report.notes for report in reports)]
    own = [f"{', '.join(report.laws)}: {note}" for report in reports for note in report.notes if note not in everywhere]
    return (*everywhere, *own)


def _asked_by(first: Report, laws: list[str]) -> str:
    """The options that ask for all of them at once: each was asked for one law of its own."""
    words = re.sub(r"--laws \S+", "", first.asked_by).split()
    every = {law.name for law in laws_for()} <= set(laws)
    return " ".join(words + ([] if every else ["--laws", ",".join(laws)]))
