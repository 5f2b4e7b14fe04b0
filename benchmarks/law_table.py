"""The table of laws, written to docs/laws.md.

    python -m benchmarks.law_table [--check]

With --check nothing is written: exits with 1 where the page is not what the table says.
"""

import argparse
import inspect
import re
import sys
from pathlib import Path

from properties.laws.law import Law
from properties.laws.of_agreement import ORACLE_LAWS
from properties.laws.table import LAWS

PAGE = Path(__file__).parents[1] / "docs" / "laws.md"

HEAD = """# Laws

A law is a sentence that holds of every right gradient. {count} are judged in a run, and those of the oracles that are asked for
(`--oracle`). `backproof laws` lists them, and `--laws` asks some alone, on every problem.

This page is written by `python -m benchmarks.law_table`, from the docstrings of `properties/laws/of_*.py`; change those in its place.
[faults.md](faults.md) has the mistakes that they are measured by.

- Judged: on *every problem*; *sampled*, of problems that are alike; *rotated*, some laws on each first problem of a block, since they ask
  further ones; *audit*, on a sample of right answers.
- A law that compares calls proves nothing where two calls differ, and is held back there. Those marked *no penalty* do not hold where a
  penalty is added to dC/dW, and *of values exact* is one that is judged on problems on which nothing rounds ([exact.md](exact.md)).

| law | statement | cannot see | needs | judged |
| --- | --- | --- | --- | --- |
"""

PARTS = re.compile(r"(Cannot see|Needs|Rounding): ")


def parts(law: Law) -> dict[str, str]:
    """What a law's docstring says after its statement, by the word before it: "Cannot see", "Needs", "Rounding"."""
    text = " ".join(inspect.cleandoc(law.judge.__doc__ or "").split("\n\n", 1)[-1].split())
    pieces = PARTS.split(text)
    return dict(zip(pieces[1::2], (piece.strip() for piece in pieces[2::2]), strict=True))


def row(law: Law) -> str:
    said = parts(law)
    rounding = f" Rounding: {said['Rounding']}" if "Rounding" in said else ""
    judged = law.cadence.value + (f", *of values {law.values}*" if law.values else "") + ("" if law.with_penalty else ", *no penalty*")
    cells = [f"`{law.name}`", law.statement, said["Cannot see"], said["Needs"] + rounding, judged]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def page() -> str:
    """The whole page."""
    laws = {law.name: law for law in (*LAWS.values(), *ORACLE_LAWS.values())}
    return HEAD.format(count=len(LAWS)) + "".join(row(law) for law in laws.values())


def main() -> None:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        same = PAGE.exists() and PAGE.read_text(encoding="utf-8") == page()
        print(f"{PAGE.name} is {'up to date' if same else 'out of date: run python -m benchmarks.law_table'}")
        sys.exit(0 if same else 1)
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{len(LAWS)} laws written to {PAGE}")


if __name__ == "__main__":
    main()
