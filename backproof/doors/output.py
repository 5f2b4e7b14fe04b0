"""What commands write, and how: to a terminal, as JSON, and a line where something cannot be done."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table

from backproof.doors.group import COULD_NOT_RUN, NOT_RIGHT, RIGHT
from backproof.findings.text import printable
from backproof.targets.target import TargetError
from properties.laws.table import LawError, OracleError
from properties.problems.limits import SupportError
from properties.verdict import Verdict
from reference.errors import ProblemError

ROOM_BESIDE = 50
"""Columns that a table needs beside its names; where there are fewer, what is said stands below each name."""


class Failure(click.ClickException):
    """What was asked for cannot be done; the message says what to do."""

    exit_code = COULD_NOT_RUN

    def show(self, file: Any = None) -> None:
        click.echo(f"backproof: {printable(self.format_message())}", err=True)


json_option = click.option("--json", "json_file", metavar="FILE", help="Write the result as JSON to FILE, or to standard output for -.")

finding_option = click.option(
    "--finding",
    "number",
    type=click.IntRange(1),
    metavar="N",
    help="Of a run's findings that with this number, or the first.",
)


def table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """A table; where it would leave what is said no room beside the names, each name on a line of its own, and what is said below."""
    printer = console()
    if is_read_by_lines(printer):
        table_in_lines(headings, rows)
        return
    if printer.width < max(len(row[0]) for row in rows) + ROOM_BESIDE:
        for name, *cells in rows:
            said = [cell if len(cells) == 1 else f"{heading}: {cell}" for heading, cell in zip(headings[1:], cells, strict=True) if cell]
            printer.print(name, *(Padding(text, (0, 0, 0, 4)) for text in said), sep="\n")
        return
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        # a name that is broken over two lines cannot be copied
        made.add_column(heading, overflow="fold", no_wrap=heading == headings[0])
    for row in rows:
        made.add_row(*row)
    printer.print(made)


def is_read_by_lines(printer: Console) -> bool:
    """Whether nobody looks at columns, as in a pipe: a line for each row then, however long."""
    return not printer.is_terminal and "COLUMNS" not in os.environ


def table_in_lines(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """The table where nobody looks at columns: a line for each row, however long, for what reads lines."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    for row in (headings, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def console() -> Console:
    """Standard output; plain where it is no terminal, or where NO_COLOR is set. Text is printed as it is, and :key: is no picture."""
    return Console(highlight=False, markup=False, emoji=False)


def width() -> int | None:
    """The columns of the terminal; None where there is none, and a line is as long as it is."""
    printer = console()
    return printer.width if printer.is_terminal else None


def show(view: RenderableType) -> None:
    """Print to standard output."""
    console().print(view, soft_wrap=True)


def tried(action: Callable[[], Any]) -> Any:
    """What an action comes to; what cannot be done is a Failure."""
    try:
        return action()
    except (TargetError, SupportError, OracleError, LawError, ProblemError) as error:
        raise Failure(str(error)) from None
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from None


def check_writable(file: str | None) -> None:
    """What cannot be written in the end is refused before a long run, not after it."""
    if file in (None, "-"):
        return
    path = Path(str(file)).resolve()
    if path.is_dir():
        raise Failure(f"the result cannot be written to {file}: it is a folder")
    if not path.parent.is_dir():
        raise Failure(f"the result cannot be written to {file}: there is no such folder")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise Failure(f"the result cannot be written to {file}: it must not be written to")


def write_json(file: str | None, text: str) -> None:
    """Write to a file, to standard output for -, or nowhere for None."""
    if file == "-":
        click.echo(text)
    elif file is not None:
        try:
            Path(file).write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise Failure(f"the result cannot be written to {file}: {error.strerror}") from None


def exit_code(verdict: Verdict, strict: bool) -> int:
    """What a command exits with, of a verdict."""
    if verdict is Verdict.INCONCLUSIVE:
        return COULD_NOT_RUN
    return RIGHT if verdict.passes(strict) else NOT_RIGHT
