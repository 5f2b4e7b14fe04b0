"""The house: circles between modules, imports that go up, long files, and how often one call of `verify` goes from file to file.

    python -m benchmarks.house [--all]

Circles and imports up are read from the source of the five rooms, with what is imported inside functions and for types alone; the
floors are those of the contracts in pyproject.toml. Crossings are counted by a tracer over `backproof.verify` of a right answer at
4-8-3 and of a wrong one at 64-64-10: each call of a function whose file is another than that of its nearest caller in the rooms.
With --all every file that is entered is listed, not only those that are entered most.
Exits with 1 where there is a circle, an import up or a long file.
"""

import argparse
import ast
import inspect
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from backproof import Gradient, Problem, gradient, verify
from benchmarks.textbook import Textbook

ROOT = Path(__file__).parents[1]
ROOMS = ("backproof", "properties", "oracles", "rounding", "reference")
LONG = 400
"""Lines of a file, at most."""

TOLD = 3
"""Files that are told of those that are entered most."""

Graph = Mapping[str, Iterable[str]]
"""Module -> the modules that it imports."""


@dataclass(frozen=True)
class Floors:
    """Parts of the house that stand on one another: the uppermost first, on each floor one or more.

    container: the module whose parts they are, "" for the rooms; apart: the floors whose parts may not import one another.
    """

    container: str
    floors: tuple[tuple[str, ...], ...]
    apart: tuple[bool, ...]

    def floor(self, module: str) -> tuple[int, str] | None:
        """On which floor a module stands, counted from the top, and in which part of it; None where it stands on none."""
        prefix = f"{self.container}." if self.container else ""
        part = module.removeprefix(prefix).split(".")[0] if module.startswith(prefix) else ""
        return next(((i, part) for i, floor in enumerate(self.floors) if part in floor), None)

    def up(self, importer: str, imported: str) -> bool:
        """Whether an import goes up, or across a floor whose parts are kept apart."""
        start, end = self.floor(importer), self.floor(imported)
        if start is None or end is None or start[1] == end[1]:
            return False
        return end[0] < start[0] or (end[0] == start[0] and self.apart[start[0]])


def floors_of(contracts: Iterable[Mapping[str, Any]]) -> list[Floors]:
    """The floors of import-linter's contracts of layers: "a | b" are kept apart, "a : b" are not."""
    found = []
    for contract in contracts:
        if contract["type"] == "layers":
            lines = [str(line) for line in contract["layers"]]
            floors = tuple(tuple(part.strip(" ()") for part in line.replace("|", ":").split(":")) for line in lines)
            apart = tuple("|" in line for line in lines)
            found += [Floors(container, floors, apart) for container in contract.get("containers", [""])]
    return found


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Name -> file of each module of the rooms; a package is called by its folder."""
    files = sorted(path for room in ROOMS for path in (root / room).rglob("*.py"))
    return {".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


def imports(files: Mapping[str, Path]) -> dict[str, set[str]]:
    """What each module imports of the others, anywhere in its source."""
    return {name: set(_imported(path.read_text(encoding="utf-8"), files.keys())) - {name} for name, path in files.items()}


def _imported(source: str, known: Iterable[str]) -> Iterator[str]:
    known = frozenset(known)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from known.intersection(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            # of a package a module may be taken, or what the package itself defines
            yield from known & inner
            if node.module in known and not inner <= known:
                yield node.module


def circles(graph: Graph) -> list[list[str]]:
    """The modules that import one another, directly or by others: each circle once, its modules by name."""
    below = {name: reached(graph, name) for name in graph}
    together = {frozenset(other for other in below[name] if name in below.get(other, ())) for name in graph if name in below[name]}
    return sorted(sorted(circle) for circle in together)


def reached(graph: Graph, start: str) -> set[str]:
    """All that a module imports, directly or by others."""
    seen: set[str] = set()
    ahead = list(graph.get(start, ()))
    while ahead:
        name = ahead.pop()
        if name not in seen:
            seen.add(name)
            ahead += graph.get(name, ())
    return seen


def arrows_up(graph: Graph, house: Iterable[Floors]) -> list[tuple[str, str]]:
    """The imports that go up, as (importer, imported)."""
    pairs = [(name, other) for name, others in graph.items() for other in others]
    return sorted({pair for floors in house for pair in pairs if floors.up(*pair)})


def long_files(files: Iterable[Path]) -> list[tuple[Path, int]]:
    """The files of more than LONG lines, with their lines."""
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    return [(path, count) for path, count in lines.items() if count > LONG]


class Crossings:
    """Counts the calls that go from one of some files to another, in the block that it is entered for.

    A call of what stands in no such file, NumPy or a generated method say, is looked through: its nearest caller in the files counts.
    A generator is called once, however often it is resumed. entered: how often each file was entered so.
    """

    def __init__(self, files: Iterable[str]) -> None:
        self.files = frozenset(files)
        self.entered: Counter[str] = Counter()
        # kept, so that no other frame has the same id
        self._generators: dict[int, FrameType] = {}

    def __enter__(self) -> "Crossings":
        self._before = sys.getprofile()
        sys.setprofile(self._event)
        return self

    def __exit__(self, *error: object) -> None:
        sys.setprofile(self._before)
        self._generators.clear()

    def _event(self, frame: FrameType, event: str, argument: object) -> None:
        file = frame.f_code.co_filename
        if event != "call" or file not in self.files:
            return
        if frame.f_code.co_flags & inspect.CO_GENERATOR:
            if id(frame) in self._generators:
                return
            self._generators[id(frame)] = frame
        caller = frame.f_back
        while caller is not None and caller.f_code.co_filename not in self.files:
            caller = caller.f_back
        if caller is not None and caller.f_code.co_filename != file:
            self.entered[file] += 1


def posed(widths: Sequence[int], batch: int, seed: int) -> Problem:
    """A plain network: tanh in hidden layers, identity behind, half the squared error; every number one of float32."""
    rng = np.random.default_rng(seed)

    def numbers(*shape: int) -> Any:
        return rng.normal(size=shape).astype(np.float32).astype(np.float64)

    weights = [numbers(m, n) / np.float64(8) for n, m in pairwise(widths)]
    activations = [*["tanh"] * (len(weights) - 1), "identity"]
    biases = [numbers(m) for m in widths[1:]]
    return Problem(weights, biases=biases, activations=activations, x=numbers(batch, widths[0]), y=numbers(batch, widths[-1]))


def right(problem: Problem) -> Gradient:
    """The answer of the reference."""
    exact = gradient(problem)
    return Gradient(exact.weights, exact.biases)


def stale(problem: Problem) -> Gradient:
    """An answer in float32 of which one row of the first layer's dC/dW is 0."""
    answer = Textbook("float32")(problem)
    answer.weights[0][1] = 0
    return answer


VERIFIED = {"a right answer": (right, (4, 8, 3), 8), "a wrong answer": (stale, (64, 64, 10), 64)}
"""What is verified: how it is answered, on which widths, in which batch."""


def main() -> None:
    """Look, print, and say by the exit code whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="list every file that verify enters")
    options = parser.parse_args()
    files = modules()
    graph = imports(files)
    found = amiss(files, graph)
    print(f"{len(files)} modules, {sum(map(len, graph.values()))} imports between them")
    for name, lines in found.items():
        print("\n  ".join([f"{name}: {len(lines)}", *lines]))
    for name, (answered, widths, batch) in VERIFIED.items():
        told(name, answered, widths, batch, files.values(), None if options.all else TOLD)
    sys.exit(1 if any(found.values()) else 0)


def amiss(files: Mapping[str, Path], graph: Graph) -> dict[str, list[str]]:
    """What should not be in the house: all of it, by its kind."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    return {
        "circles": [" <-> ".join(circle) for circle in circles(graph)],
        "imports up": [f"{importer} -> {imported}" for importer, imported in arrows_up(graph, floors_of(contracts))],
        f"files over {LONG} lines": [f"{path.relative_to(ROOT)}: {lines}" for path, lines in long_files(files.values())],
    }


def told(name: str, answered: Any, widths: tuple[int, ...], batch: int, files: Iterable[Path], most: int | None) -> None:
    """What verify crosses on its way, once all is imported; of that many files that are entered most, or of all."""
    before, problem = (posed(widths, batch, seed) for seed in (1, 2))
    verify(before, answered(before))
    answer = answered(problem)
    with Crossings(map(str, files)) as crossings:
        judgement = verify(problem, answer)
    entered = crossings.entered.most_common()
    network = f"{'-'.join(map(str, widths))}, batch {batch}"
    print(
        f"verify of {name} at {network} ({judgement.verdict}): {crossings.entered.total()} calls from file to file, {len(entered)} files "
        f"entered, each at most {entered[0][1]} times"
    )
    for file, count in entered[:most]:
        print(f"  {Path(file).relative_to(ROOT)}: {count}")


if __name__ == "__main__":
    main()
