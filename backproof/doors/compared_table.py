"""The table of a comparison at a terminal: a row for each target, or, where columns would not fit, a few lines for each."""

from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from backproof.doors.output import console, is_read_by_lines, table_in_lines, tried
from backproof.findings.text import printable
from backproof.reports.compared import Row, grouped, rows_of
from backproof.reports.values import clean
from backproof.runs.comparison import Compared

HEADINGS = ("target", "verdict", "right", "time", "place and cause")
"""What is long comes last: a line that is read without a terminal is no longer than what it says."""

LEAST_LAST = 44
"""Columns that place and cause need; where fewer are left, each target has lines of its own."""

LONGEST = 500
"""Characters of place and cause that are shown; of what is longer it is said how much is not."""

INDENT, BETWEEN = 4, 2


def compared_table(data: Mapping[str, Any]) -> None:
    """A row for each target of a comparison, those that share something together; no name is broken, and nothing is cut in silence."""
    rows = tried(lambda: [_cells(row) for _, listed in grouped(rows_of(data)) for row in listed])
    printer = console()
    if is_read_by_lines(printer):
        table_in_lines(HEADINGS, rows)
        return
    widths = [max(map(len, column)) for column in list(zip(HEADINGS, *rows, strict=True))[:-1]]
    if sum(widths) + BETWEEN * len(widths) + LEAST_LAST > printer.width:
        _in_blocks(printer, rows)
        return
    made = Table(box=None, padding=(0, BETWEEN, 0, 0), header_style="dim")
    for heading in HEADINGS:
        made.add_column(heading, overflow="fold", no_wrap=heading != HEADINGS[-1])
    for row in rows:
        made.add_row(*row)
    printer.print(made)


def _cells(row: Row) -> tuple[str, ...]:
    return printable(row.target), row.verdict_in_words, row.accuracy, f"{row.seconds:.1f} s", clean(row.place_and_cause, LONGEST)


def _in_blocks(printer: Console, rows: Sequence[tuple[str, ...]]) -> None:
    """Each target's name by itself, never broken, since it is copied; below it what is said, broken between words."""
    for name, verdict, right, seconds, said in rows:
        printer.print(name, soft_wrap=True)
        fared = "; ".join(part for part in (verdict, f"right on {right} problems" if right else "", seconds) if part)
        for text in filter(None, (fared, said)):
            printer.print(Padding(text, (0, 0, 0, INDENT)))


def compared_whys(compared: Sequence[Compared]) -> None:
    """Of each target that was checked the worst entry, or what it raised; why one was not stands in the table."""
    printer = console()
    for one in compared:
        if one.verdict is not None and one.why:
            click.echo()
            printer.print(f"{printable(one.target)}: {clean(one.why)}", soft_wrap=not printer.is_terminal)
