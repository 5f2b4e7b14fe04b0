"""The figures of docs/challenge.md: `python -m benchmarks.challenged` prints them in some minutes, and `--write` puts them into the page.

`--faults` writes the table of faults alone.
"""

import argparse
import shlex
import sys
from pathlib import Path

from backproof.findings.challenged import Outcome
from backproof.planted.answer_faults import ANSWER_FAULTS
from backproof.runs.challenge import challenge
from benchmarks.challenged.rules import RULES

PAGE = Path(__file__).parents[2] / "docs" / "challenge.md"
BEGIN, END = "<!-- figures: python -m benchmarks.challenged --write -->\n", "<!-- end of the figures -->\n"
BEGIN_FAULTS, END_FAULTS = "<!-- faults: python -m benchmarks.challenged --faults -->\n", "<!-- end of the faults -->\n"


def table(jobs: int = 1, only: str = "") -> str:
    """A row for each rule whose name holds a word: how many faults it sees, and which it misses."""
    lines = ["| rule | sees | misses | changes nothing, so not counted |", "| --- | --- | --- | --- |"]
    for name in filter(lambda name: only in name, RULES):
        target = RULES[name][1]
        done = challenge(f"{{python}} -m benchmarks.challenged.rules {shlex.quote(name)}", target, jobs=jobs)
        missed, left = ([planting.label for planting in done.having(outcome)] for outcome in (Outcome.MISSED, Outcome.NOT_COUNTED))
        names = f"all but {_listed([one.label for one in done.having(Outcome.SEEN)])}" if len(missed) > done.seen else _listed(missed)
        lines.append(f"| {name} | {done.seen} of {done.counted} | {names} | {_listed(left)} |")
        print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines) + "\n"


def _listed(labels: list[str]) -> str:
    """Names."""
    return ", ".join(f"`{label}`" for label in labels)


def fault_table() -> str:
    """A row for each fault of answers."""
    lines = ["| fault | in place of the answer | what it would do to a training |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(f"| `{name}` | {one.explanation} | {one.consequence} |" for name, one in ANSWER_FAULTS.items())]) + "\n"


def written(page: str, begin: str, end: str, table: str) -> str:
    """The page with another table between two marks."""
    before, _, rest = page.partition(begin)
    return before + begin + "\n" + table + "\n" + end + rest.partition(end)[2]


def with_faults(page: str) -> str:
    """The page with the table of faults as it is now."""
    return written(page, BEGIN_FAULTS, END_FAULTS, fault_table())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write both tables into the page")
    parser.add_argument("--faults", action="store_true", help="write the table of faults alone")
    parser.add_argument("--only", default="", help="rules whose name holds this; nothing is written of them")
    parser.add_argument("--jobs", type=int, default=1, help="how many runs go on at a time")
    given = parser.parse_args()
    page = with_faults(PAGE.read_text(encoding="utf-8"))
    if not given.faults:
        figures = table(given.jobs, given.only)
        print(figures)
        page = page if given.only else written(page, BEGIN, END, figures)
    if given.faults or given.write:
        PAGE.write_text(page, encoding="utf-8")
