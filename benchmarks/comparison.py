"""backproof beside other gradient checkers: the same faults, right twins and problems for each, by each one's own rule.

    python -m benchmarks.comparison [--faults N] [--only NAME] [--seed S] [--json FILE]
    python -m benchmarks.comparison --markdown [--from FILE]

Each fault of properties/faults/ is put to each checker of benchmarks/checkers.py on the first 24 problems that show it, of 240 that are
drawn within its supports. It is caught where its answer is refused and right code, in its place on the same problem, is not. A fault of
conduct, of what only backproof reads, or that none of these problems shows, that is not caught "cannot be asked". A false alarm is a right
answer that is refused. Time is in plain passes, forward and back, of the same problem by the hand-written network. The last row is
`backproof check`, which draws problems of its own. Prints the tables of docs/comparison.md; --json writes all that was counted, and
--markdown prints the table of README.md alone, of --from's if given.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from backproof import Problem, check
from benchmarks.checkers import CHECKERS, Checker, Implementation, Target
from benchmarks.comparison_problems import TWINS, first, honest_problems, shown, twins_of
from benchmarks.diagnosis import examined, verdict_on
from benchmarks.faults_caught import found
from benchmarks.kind import single
from benchmarks.memory import remember_balls
from properties.diagnosis.table import is_conduct
from properties.faults.fault import SHAPES, Fault, Network
from properties.faults.table import FAULTS
from properties.problems.blocks import draw_problems
from properties.problems.support import Support
from properties.verdict import Verdict

DRAWN, POSED = 240, 24
"""Problems that are drawn for a fault, and how many that show it are put to each checker."""

HONEST = 24
"""Problems of each kind that right answers are given to."""

ASKED = {"float64": 3, "float32": 2}
"""So many right answers to each problem, in each precision."""

TIMED = 12
"""Problems of each size that a checker is timed on, with the best of three calls."""

LONGEST = 20_000
"""A checker that asks about each entry is not timed on more of them: it would take hours."""

CHECK = "backproof check"

TIMES = {"small": "time: small", "moderate": "8 to 24 wide", "784-128-10": "784-128-10"}
"""The columns of time, in plain passes."""


@dataclass
class Row:
    """What was counted of a checker. alarms: by kind and precision, refused and asked; passes: by size, its time in plain passes."""

    name: str
    caught: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    alarms: dict[str, list[int]] = field(default_factory=dict)
    passes: dict[str, float] = field(default_factory=dict)
    placed: int = 0
    caused: int = 0
    wrong_cause: list[str] = field(default_factory=list)

    def alarmed(self, kinds: Iterable[str]) -> tuple[int, int]:
        """Right answers of some kinds that were refused, and all of them."""
        counts = [self.alarms[kind] for kind in kinds if kind in self.alarms]
        return sum(refused for refused, _ in counts), sum(asked for _, asked in counts)


def faults_put(rows: Sequence[Row], checkers: Sequence[Checker], faults: Sequence[Fault], seed: int) -> None:
    """Put each fault to each checker; a checker that has caught it is asked no more."""
    controls: dict[Any, bool] = {}
    for fault in faults:
        indices, problems, in_compared = shown(fault, seed, DRAWN, POSED)
        own_loss = fault.changed.keys() == {"loss"}  # where the gradient is right, and the right loss would hide it
        for row, checker in zip(rows, checkers, strict=True):
            target, caught = fault.target, False
            for index, problem in zip(indices, problems, strict=True):
                if checker.passes(Implementation(problem, target, precision=fault.precision, with_x=True, own_loss=own_loss)):
                    continue
                key = (row.name, repr(fault.supports), fault.precision, index, own_loss)
                if key not in controls:
                    controls[key] = checker.passes(Implementation(problem, Network(), with_x=True, own_loss=own_loss))
                caught = controls[key]
                if caught:
                    break
            not_told = not (in_compared or checker.reads_all) or (checker.flat and fault.laws == (SHAPES,))
            beyond = is_conduct(fault) or not_told or not problems
            (row.caught if caught else row.unasked if beyond else row.missed).append(fault.name)
        print(f"{fault.name}: shown by {len(problems)}", file=sys.stderr, flush=True)


def faults_checked(row: Row, faults: Sequence[Fault], seed: int) -> None:
    """Put each fault to a check at its defaults, and to the diagnosis."""
    for fault in faults:
        # at its defaults a check passes what is lossy
        if not found(replace(fault, lossy=False), seed):
            row.missed.append(fault.name)
            continue
        row.caught.append(fault.name)
        told = examined(fault.target, fault.supports, fault.precision, seed, strict=fault.lossy)
        cause, placed = verdict_on(fault, told, seed)
        row.placed += placed
        row.caused += cause in ("right", "equal", "same numbers")
        row.wrong_cause += [fault.name] if cause == "WRONG" else []
        print(f"{fault.name}: {cause}, {'placed' if placed else 'not placed'}", file=sys.stderr, flush=True)


def twins_put(rows: Sequence[Row], checkers: Sequence[Checker], seed: int, count: int) -> None:
    """Put right answers to each checker."""
    for kind, problems in honest_problems(seed, count).items():
        for dtype, most in ASKED.items():
            for index, problem in enumerate(problems):
                for name, twin in twins_of(kind, dtype, index, most).items():
                    for row, checker in zip(rows, checkers, strict=True):
                        if dtype not in checker.dtypes:
                            continue
                        counts = row.alarms.setdefault(f"{kind}, {dtype}", [0, 0])
                        passed = checker.passes(Implementation(problem, twin, dtype, with_x=False))
                        counts[0], counts[1] = counts[0] + (not passed), counts[1] + 1
                        if not passed and row.name.startswith("backproof"):
                            print(f"ALARM: {row.name}, {name}, {dtype}, {kind} {index}: {problem!r}", file=sys.stderr, flush=True)
            print(f"{kind}, {dtype}: {[row.alarms.get(f'{kind}, {dtype}') for row in rows]}", file=sys.stderr, flush=True)


def twins_checked(row: Row, seed: int) -> None:
    """Put right code to a check at its defaults, of moderate numbers, as textbook formulas overflow."""
    for dtype, twins in TWINS.items():
        counts = row.alarms.setdefault(f"runs in {dtype}", [0, 0])
        for name, twin in twins.items():
            report = check(_function(twin), seed=seed, values="tame")
            refused = report.verdict not in (Verdict.RIGHT, Verdict.LOSSY, Verdict.INCONCLUSIVE)
            counts[0], counts[1] = counts[0] + refused, counts[1] + 1
            if refused:
                print(f"ALARM: check, {name}, {dtype}: {report.verdict}", file=sys.stderr, flush=True)


def _function(target: Target) -> Target:
    return lambda problem: target(problem)


# time


def seconds(ask: Callable[[], Any], times: int = 3) -> float:
    """The best of some calls, in seconds of this process."""
    best = np.inf
    for _ in range(times):
        began = time.process_time()
        ask()
        best = min(best, time.process_time() - began)
    return float(best)


def plain_seconds(problem: Problem) -> float:
    """One forward and backward pass by hand."""
    given, network = problem.copy(), Network(answers=("weights", "biases"))

    def passes() -> None:
        for _ in range(20):
            network(given)

    return seconds(passes) / 20


def real() -> Problem:
    """784-128-10, 64 samples."""
    rng = np.random.default_rng(1)
    widths = (784, 128, 10)
    return Problem(
        [single(rng.normal(size=(n, m)) / np.sqrt(m)) for m, n in pairwise(widths)],
        biases=[single(rng.normal(size=n) / 10) for n in widths[1:]],
        activations=["tanh", "identity"],
        x=single(rng.random((64, 784))),
        y=np.eye(10)[rng.integers(10, size=64)],
        loss="softmax_cross_entropy",
        reduction="mean",
    )


BY_ENTRY = ("gradcheck, slow", "SciPy", "CS231n")
"""How the names of those begin that take the loss twice, or once, for each entry."""


def timed(rows: Sequence[Row], checkers: Sequence[Checker], seed: int) -> None:
    """Time each checker on right code."""
    sizes = {size: first(TIMED, seed, size) for size in ("small", "moderate")} | {"784-128-10": [real()]}
    for size, problems in sizes.items():
        units = [plain_seconds(problem) for problem in problems]
        for row, checker in zip(rows, checkers, strict=True):
            entries = max(sum(weight.size for weight in problem.weights) for problem in problems)
            if row.name.startswith(BY_ENTRY) and entries > LONGEST:
                continue

            def ask(problem: Problem, checker: Checker = checker) -> None:
                checker.passes(Implementation(problem, Network(answers=("weights", "biases")), with_x=False))

            ask(problems[0])  # what is imported and compiled once
            ratios = [seconds(lambda p=problem: ask(p)) / unit for problem, unit in zip(problems, units, strict=True)]
            row.passes[size] = float(np.median(ratios))


def check_timed(row: Row, seed: int) -> None:
    """Time a run of right code, over one plain pass of each of its problems."""
    network = Network(answers=("weights", "biases"))
    run = seconds(lambda: check(_function(network), seed=seed), times=1)
    given = [problem.copy() for problem in draw_problems(200, seed, Support())]
    row.passes["small"] = run / seconds(lambda: [network(problem) for problem in given])


# what is printed


KINDS = {"moderate": ("moderate numbers, small", "moderate numbers, moderate sizes"), "trained": ("trained",)}
KINDS |= {"at kinks": ("beside kinks",), "all numbers": ("all numbers",)}
"""The columns of false alarms in float64, and the kinds of problems that each adds up."""


def markdown(rows: Sequence[Row]) -> str:
    """The table of the README."""
    columns = {title: [f"{kind}, float64" for kind in kinds] for title, kinds in KINDS.items()}
    columns["in float32"] = [key for key in dict.fromkeys(key for row in rows for key in row.alarms) if key.endswith("float32")]
    asked = {title: max(row.alarmed(keys)[1] for row in rows) for title, keys in columns.items()}
    of = [f"{title}, of {count}" for title, count in asked.items()]
    head = ["checker", "caught", "missed", "cannot be asked", f"false alarms: {of[0]}", *of[1:], *TIMES.values(), "place, cause"]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        counts = [row.alarmed(keys) for keys in columns.values()]
        alarms = [str(refused) if of_them else "" for refused, of_them in counts]
        if row.name == CHECK:
            refused, runs = row.alarmed(row.alarms)
            alarms[0] = f"{refused} of {runs} runs"
            alarms[1:] = [""] * len(alarms[1:])
        told = f"{row.placed}, {row.caused}" if row.name == CHECK else "no"
        passes = [f"{row.passes[size]:,.0f}" if size in row.passes else "" for size in TIMES]
        name = f"`{row.name}`" if row.name.startswith("backproof") else row.name
        lines.append([name, *(str(len(n)) for n in (row.caught, row.missed, row.unasked)), *alarms, *passes, told])
    return _table(lines)


def by_fault(rows: Sequence[Row], what: str) -> str:
    """Which faults were missed, or cannot be asked, and by whom; as a table, the most often first."""
    by = Counter(name for row in rows for name in getattr(row, what))
    lines = [["fault", "by"], ["---"] * 2]
    for fault, count in sorted(by.items(), key=lambda each: (-each[1], each[0])):
        most = 2 * count > len(rows)
        names = "; ".join(row.name for row in rows if (fault in getattr(row, what)) is not most)
        lines.append([f"`{fault}`", f"all but {names}" if most and names else names or "all"])
    return _table(lines)


def alarms_by_kind(rows: Sequence[Row]) -> str:
    """False alarms by kind, as a table."""
    kinds = list(dict.fromkeys(key for row in rows for key in row.alarms if row.name != CHECK))
    lines = [["checker", *kinds], ["---"] * (len(kinds) + 1)]
    lines += [[row.name, *(_of(row.alarmed([kind])) for kind in kinds)] for row in rows if row.name != CHECK]
    return _table(lines)


def in_short(rows: Sequence[Row]) -> str:
    """What each checker caught, and its false alarms in each precision; as a table."""
    heads = [f"false alarms in {precision}" for precision in ASKED]
    lines = [["checker", "caught", "missed", "cannot be asked", *heads], ["---"] * (4 + len(heads))]
    for row in rows:
        counts = [row.alarmed(key for key in row.alarms if key.endswith(precision)) for precision in ASKED]
        lines.append([row.name, *(str(len(names)) for names in (row.caught, row.missed, row.unasked)), *map(_of, counts)])
    return _table(lines)


def _of(count: tuple[int, int]) -> str:
    return f"{count[0]} of {count[1]}" if count[1] else ""


def _table(lines: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def compared(faults: Sequence[Fault], seed: int, honest: int) -> list[Row]:
    """All rows."""
    for name, checker in CHECKERS.items():
        if not checker.is_installed:
            print(f"LEFT OUT: {name}, since {checker.package} is not installed", file=sys.stderr, flush=True)
    asked = {name: checker for name, checker in CHECKERS.items() if checker.is_installed}
    rows, checkers = [Row(name) for name in asked], list(asked.values())
    last = Row(CHECK)
    timed(rows, checkers, seed)
    check_timed(last, seed)
    twins_put(rows, checkers, seed, honest)
    twins_checked(last, seed)
    faults_put(rows, checkers, faults, seed)
    faults_checked(last, faults, seed)
    return [*rows, last]


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, help="only so many faults, evenly from the table")
    parser.add_argument("--only", default="", help="only faults whose name holds this")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--honest", type=int, default=HONEST, help="problems of each kind that right answers are given to")
    parser.add_argument("--json", help="a file for all that was counted")
    parser.add_argument("--from", dest="known", help="such a file, in place of counting")
    parser.add_argument("--markdown", action="store_true", help="print the table of README.md alone")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    remember_balls()
    if options.known:
        rows = [Row(**row) for row in json.loads(Path(options.known).read_text(encoding="utf-8"))["rows"]]
    else:
        faults = [fault for name, fault in FAULTS.items() if options.only in name]
        faults = faults[:: max(1, len(faults) // options.faults)][: options.faults] if options.faults else faults
        rows = compared(faults, options.seed, options.honest)
    if options.json:
        told = {"seed": options.seed, "rows": [asdict(row) for row in rows]}
        Path(options.json).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(markdown(rows))
    if not options.markdown:
        tables = {"missed": by_fault(rows, "missed"), "cannot be asked": by_fault(rows, "unasked")}
        tables |= {"false alarms by kind": alarms_by_kind(rows), "in short": in_short(rows)}
        print("".join(f"\n{title}\n\n{table}\n" for title, table in tables.items()))
        print("".join(f"{row.name}: told a wrong cause of {', '.join(row.wrong_cause)}\n" for row in rows if row.wrong_cause), end="")


if __name__ == "__main__":
    main()
