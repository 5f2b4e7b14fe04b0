"""The table of faults, written to docs/faults.md.

    python -m benchmarks.fault_table [--check]

With --check nothing is written: exits with 1 where the page is not what the table says.
"""

import argparse
import sys
from pathlib import Path

from properties.faults.fault import Fault
from properties.faults.table import FAULTS

PAGE = Path(__file__).parents[1] / "docs" / "faults.md"

HEAD = """# Faults

A fault is a known mistake, planted into a right forward and backward pass (`properties/faults/fault.py`) by doing one step wrongly. The
{count} faults measure the laws, which are written apart from them: each law that is claimed to catch one must do so.

This page is written by `python -m benchmarks.fault_table`; change `properties/faults/of_*.py` in its place.

- Equations: those of [the note](note.md) that the mistake may be placed in; none where it breaks none: forward pass, memory, rounding.
- Thread: a public report of the same mistake.
- *Blind*: no law can see it that knows nothing of the exact gradient; the comparison with the exact gradient does.
- *Lossy*: right by a formula that loses digits, so that a check passes it unless it is strict.
- *Posed*: shown only the problems named, since others give it away or are none of its business.

| fault | what was done, and when it shows | equations | thread |
| --- | --- | --- | --- |
"""


def row(fault: Fault) -> str:
    marks = [f"*Blind*: {fault.blind}."] if fault.blind else []
    marks += ["*Lossy*."] if fault.lossy else []
    marks += [f"*Posed*: {', '.join(f'{key} {value}' for key, value in fault.supports.items())}."] if fault.supports else []
    text = " ".join([fault.explanation, *marks]).replace("|", "\\|")
    return f"| `{fault.name}` | {text} | {', '.join(map(str, fault.equations))} | {fault.thread} |\n"


def page() -> str:
    """The whole page."""
    return HEAD.format(count=len(FAULTS)) + "".join(row(fault) for fault in FAULTS.values())


def main() -> None:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        same = PAGE.exists() and PAGE.read_text(encoding="utf-8") == page()
        print(f"{PAGE.name} is {'up to date' if same else 'out of date: run python -m benchmarks.fault_table'}")
        sys.exit(0 if same else 1)
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{len(FAULTS)} faults written to {PAGE}")


if __name__ == "__main__":
    main()
