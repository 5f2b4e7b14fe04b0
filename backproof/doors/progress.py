"""The progress of a run, on standard error."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

LINE_EACH = 30.0
"""Seconds between two lines of a log."""


@contextmanager
def progress_told() -> Iterator[Callable[[str, int, int], None]]:
    """What a run tells its progress to: a bar where standard error is a terminal; elsewhere, in a log say, a line now and then."""
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        yield _Lines().tell
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda step, done, total: bar.update(task, description=step, completed=done, total=total)


class _Lines:
    """Progress as lines, at most one in LINE_EACH seconds."""

    def __init__(self) -> None:
        self.started = self.told = time.monotonic()

    def tell(self, step: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self.told >= LINE_EACH:
            self.told = now
            click.echo(f"backproof: {step}, {done} of {total} after {now - self.started:.0f} s", err=True)
