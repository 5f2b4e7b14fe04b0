"""Mistakes from public threads, brought to check as their owners would, each with its mended twin beside it.

    python -m benchmarks.public_mistakes [--seeds 2] [--only NAME] [--examples N] [--json FILE]

Prints for each pair and seed the verdict on the mistaken one and whether it is what a true finding says, the hints that are told besides,
and the verdict on the twin; then what of this is false by the run's own evidence (see evidence.py): a precision that other problems of the
run are wrong by, a function called lossy that is computed accurately, a law called broken by nothing but rounding; and at the end the
counts. Exits with 1 if a twin is accused.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.public_mistakes.evidence import told
from benchmarks.public_mistakes.pair import Pair
from benchmarks.public_mistakes.pairs import PAIRS

EXAMPLES = 100
KINDS = ("right to", "lossy", "broken")
"""How hints begin."""


def main() -> None:
    """Run all pairs and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", default="", help="only pairs whose name or theme holds this")
    parser.add_argument("--examples", type=int, default=EXAMPLES)
    parser.add_argument("--json", help="a file for the table")
    options = parser.parse_args()
    pairs = [pair for pair in PAIRS.values() if options.only in pair.name or options.only in pair.theme]
    rows = [row(pair, seed, options.examples) for pair in pairs for seed in range(1, options.seeds + 1)]
    counts = summary(rows)
    print("\n".join(f"{name}: {count}" for name, count in counts.items()))
    if options.json:
        Path(options.json).write_text(json.dumps({"counts": counts, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if counts["twins accused"] else 0)


def row(pair: Pair, seed: int, examples: int) -> dict[str, Any]:
    """Print and return what is told of a pair with one seed."""
    mistaken, twin = (told(pair, mended, seed, examples) for mended in (False, True))
    accused = not twin.passed and twin.verdict != "inconclusive"
    caught = "caught" if mistaken.caught else "MISSED"
    print(
        f"{pair.theme}: {pair.name}, seed {seed}: {mistaken.finding or mistaken.verdict}, {caught}; twin {twin.verdict}"
        f"{', ACCUSED' if accused else ''}; {mistaken.seconds + twin.seconds:.1f} s"
    )
    for who, seen in (("mistaken", mistaken), ("twin", twin)):
        if seen.hints:
            print(f"    {who}, told besides: {'; '.join(seen.hints)}")
        for said in seen.false:
            print(f"    {who}, FALSE: {said}")
    if accused:
        print(f"    twin accused: {twin.finding}")
    sys.stdout.flush()
    return {
        "name": pair.name,
        "theme": pair.theme,
        "source": pair.source,
        "seed": seed,
        "caught": mistaken.caught,
        "accused": accused,
        "mistaken": vars(mistaken),
        "twin": vars(twin),
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, int]:
    """The counts over all pairs and seeds."""
    false = [said for row in rows for who in ("mistaken", "twin") for said in row[who]["false"]]
    hints = [said for row in rows for who in ("mistaken", "twin") for said in row[who]["hints"]]
    counts = {
        "runs of pairs": len(rows),
        "caught": sum(row["caught"] for row in rows),
        "twins accused": sum(row["accused"] for row in rows),
        "twins inconclusive": sum(row["twin"]["verdict"] == "inconclusive" for row in rows),
    }
    for kind in KINDS:
        counts[f"hints '{kind} ...'"] = sum(hint.startswith(kind) for hint in hints)
        counts[f"of these false: '{kind} ...'"] = sum(said.startswith(kind) for said in false)
    counts["findings that mislead otherwise"] = sum(not said.startswith(KINDS) for said in false)
    return counts


if __name__ == "__main__":
    main()
