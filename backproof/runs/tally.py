"""A tally: what a run has counted, as a value that adds up with those of other runs."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from backproof.findings.report import LawCount
from backproof.version import VERSION
from properties.judging.judgement import Judgement, Unjudged
from properties.laws.law import Law, Outcome, Status
from properties.problems.blocks import OTHER_CLASS
from properties.verdict import Verdict
from reference.errors import ProblemError
from reference.functions.parametrised import Choice, name_and_parameters
from reference.gradient import Place
from reference.problem import Problem
from reference.quantities import QUANTITIES
from rounding.precisions import PRECISIONS

SCHEMA, SCHEMA_VERSION = "backproof.tally", 1

REASONS = 20
"""So many different reasons are kept why a law did not apply."""


class Fared(StrEnum):
    """How one problem fared: passed where it was judged and no law of it fails, failed where one does, judged or not."""

    PASSED = "passed"
    FAILED = "failed"
    UNJUDGED = "unjudged"


Sort = int | str
"""One value of what problems are told apart by: a depth, the name of a loss."""

SORTS: dict[str, Callable[[Problem], set[Sort]]] = {
    "depth": lambda problem: {problem.depth},
    "width": lambda problem: {max(problem.widths)},
    "batch": lambda problem: {problem.batch},
    "activation": lambda problem: {_in_words(choice) for choice in problem.activations},
    "loss": lambda problem: {_in_words(problem.loss)},
}
"""What problems are told apart by, beside the value class; width is the largest, and a problem counts once for each activation in it."""

VALUE_CLASS = "value_class"


def sorts_of(problem: Problem, value_class: str = OTHER_CLASS) -> dict[str, set[Sort]]:
    """What a problem counts for, or any of a stack; value_class: how its numbers were drawn."""
    return {name: sorts(problem) for name, sorts in SORTS.items()} | {VALUE_CLASS: {value_class}}


def _counts_by_sort() -> dict[str, dict[Sort, Counter[str]]]:
    return {name: {} for name in (*SORTS, VALUE_CLASS)}


@dataclass
class Tally:
    """What is counted of the problems that a target was asked.

    laws: by name, how each fared; examples: problems that were posed; judged: those whose gradient was judged; judged_by: answers, by
    the precision that they were judged by; doubts: problems of which nothing can be said, by the precision in which they would be
    wrong; places: the layers' dC/dW and dC/db that were judged in some problem; reasons: why others, or the same, could not be in one;
    notes: what else a reader should know; by: of each depth, width and so on how many problems passed, failed, or neither.
    """

    laws: dict[str, LawCount]
    examples: int = 0
    judged: int = 0
    judged_by: Counter[str] = field(default_factory=Counter)
    doubts: Counter[str] = field(default_factory=Counter)
    places: set[Place] = field(default_factory=set)
    reasons: dict[Place, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    by: dict[str, dict[Sort, Counter[str]]] = field(default_factory=_counts_by_sort)

    def count(self, law: Law, outcome: Outcome, fails: bool) -> None:
        """Count how a law fared on one problem; fails: whether that fails the run, where a lossy answer may or may not."""
        count = self.laws[law.name]
        if fails:
            count.broken += 1
        elif outcome.status is Status.HELD:
            count.held += 1
        else:
            count.not_applicable += 1
            _count_reasons(count, {outcome.message: 1})

    def count_problem(self, sorts: Mapping[str, set[Sort]], fared: Fared, judged: bool) -> None:
        """Count a problem that was posed. sorts: as sorts_of says; judged: whether its gradient was."""
        self.examples += 1
        self.judged += judged
        self._add(sorts, fared, 1)

    def count_anew(self, sorts: Mapping[str, set[Sort]], before: Fared, now: Fared) -> None:
        """Count a problem otherwise than before: a further law was judged on it."""
        self._add(sorts, before, -1)
        self._add(sorts, now, 1)

    def count_right(self, laws: Iterable[Law], problem: Problem, sorts: Mapping[str, set[Sort]], precision: str) -> None:
        """Count a problem that was judged, of which all these laws hold."""
        for law in laws:
            self.laws[law.name].held += 1
        self.judged_by[precision] += 1
        self.count_all_places(problem)
        self.count_problem(sorts, Fared.PASSED, judged=True)

    def count_all_places(self, problem: Problem) -> None:
        """Remember that each layer's dC/dW and dC/db was judged."""
        self.places.update(_parameters(problem))

    def count_places(self, problem: Problem, judgement: Judgement) -> None:
        """Remember which layers' dC/dW and dC/db were judged, and which could not be."""
        if judgement.verdict is Verdict.INCONCLUSIVE:
            return
        reasons = dict(judgement.unjudged)
        for place in _parameters(problem):
            if place in reasons:
                self.reasons.setdefault(place, reasons[place])
            else:
                self.places.add(place)

    @property
    def unjudged(self) -> tuple[Unjudged, ...]:
        """The layers' dC/dW and dC/db that could be judged in no problem."""
        return tuple(Unjudged(place, reason) for place, reason in self.reasons.items() if place not in self.places)

    @property
    def narrowest(self) -> str:
        """The narrowest precision that the target has answered in, or ""."""
        return next((name for name in reversed(PRECISIONS) if name in self.judged_by), "")

    def merged(self, other: "Tally") -> "Tally":
        """What was counted in two runs together."""
        laws = {name: LawCount() for name in (*self.laws, *other.laws)}
        for name, fared in (*self.laws.items(), *other.laws.items()):
            count = laws[name]
            count.held += fared.held
            count.broken += fared.broken
            count.not_applicable += fared.not_applicable
            _count_reasons(count, fared.reasons)
        by = _counts_by_sort()
        for name, counts in (*self.by.items(), *other.by.items()):
            for sort, fared_of in counts.items():
                by[name][sort] = by[name].get(sort, Counter()) + fared_of
        return Tally(
            laws,
            self.examples + other.examples,
            self.judged + other.judged,
            self.judged_by + other.judged_by,
            self.doubts + other.doubts,
            self.places | other.places,
            other.reasons | self.reasons,
            self.notes + other.notes,
            by,
        )

    def to_data(self) -> dict[str, Any]:
        """The tally as plain data."""
        return {
            "schema": SCHEMA,
            "version": SCHEMA_VERSION,
            "backproof": VERSION,
            "examples": self.examples,
            "judged": self.judged,
            "judged_by": dict(self.judged_by),
            "doubts": dict(self.doubts),
            "laws": {name: asdict(count) for name, count in self.laws.items()},
            "places": [place._asdict() for place in sorted(self.places, key=lambda place: (place.quantity, place.layer or 0))],
            "reasons": [Unjudged(place, reason).data() for place, reason in self.reasons.items()],
            "notes": list(self.notes),
            "by": {
                name: [{"value": sort} | {fared.value: counts[sort][fared] for fared in Fared} for sort in sorted(counts, key=_order)]
                for name, counts in self.by.items()
            },
        }

    @staticmethod
    def from_data(data: Any) -> "Tally":
        """The tally that to_data wrote. Raises ProblemError."""
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise ProblemError(f"no tally: expected an object with schema {SCHEMA!r}, as Tally.to_data writes it")
        if data.get("version") != SCHEMA_VERSION or isinstance(data["version"], bool):
            raise ProblemError(f"version is {data.get('version')!r}: this backproof reads version {SCHEMA_VERSION} of {SCHEMA}")
        try:
            return _read(data)
        except KeyError as error:
            raise ProblemError(f"no tally: {error.args[0]!r} is missing") from None
        except (AttributeError, TypeError, ValueError) as error:
            raise ProblemError(f"no tally: {error}") from None

    def _add(self, sorts: Mapping[str, set[Sort]], fared: Fared, times: int) -> None:
        for name, values in sorts.items():
            counts = self.by[name]
            for sort in values:
                counts.setdefault(sort, Counter())[fared] += times


def _count_reasons(count: LawCount, reasons: Mapping[str, int]) -> None:
    for reason, times in reasons.items():
        if reason in count.reasons or len(count.reasons) < REASONS:
            count.reasons[reason] = count.reasons.get(reason, 0) + times


def _parameters(problem: Problem) -> list[Place]:
    """The places of dC/dW, and of dC/db where there are biases."""
    layers = range(1, problem.depth + 1)
    biases = [Place("biases", layer) for layer in layers if problem.biases[layer - 1] is not None]
    return [*(Place("weights", layer) for layer in layers), *biases]


def _in_words(choice: Choice) -> str:
    """An activation or a loss: "elu", "elu(alpha=-2.0)"."""
    name, parameters = name_and_parameters(choice)
    return f"{name}({', '.join(f'{key}={value}' for key, value in parameters.items())})" if parameters else name


def _order(sort: Sort) -> tuple[int, str]:
    """Numbers by size, names by letters."""
    return (sort, "") if isinstance(sort, int) else (0, sort)


def _read(data: Mapping[str, Any]) -> Tally:
    """Raises KeyError, TypeError and ValueError."""
    laws = {}
    for name, fared in data["laws"].items():
        held, broken, not_applicable = (_whole(fared[key]) for key in ("held", "broken", "not_applicable"))
        laws[name] = LawCount(held, broken, not_applicable, _counts(fared["reasons"]))
    by = _counts_by_sort()
    for name, rows in by.items():
        for row in data["by"][name]:
            rows[_sort(row["value"])] = Counter({fared: count for fared in Fared if (count := _whole(row[fared]))})
    return Tally(
        laws,
        _whole(data["examples"]),
        _whole(data["judged"]),
        Counter(_counts(data["judged_by"])),
        Counter(_counts(data["doubts"])),
        {_place(place) for place in data["places"]},
        {_place(one): _text(one["reason"]) for one in data["reasons"]},
        [_text(note) for note in data["notes"]],
        by,
    )


def _counts(data: Mapping[str, Any]) -> dict[str, int]:
    return {name: _whole(count) for name, count in data.items()}


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is no count: expected a whole number, at least 0")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value


def _sort(value: Any) -> Sort:
    return value if isinstance(value, str) else _whole(value)


def _place(data: Mapping[str, Any]) -> Place:
    if data["quantity"] not in QUANTITIES:
        raise ValueError(f"{data['quantity']!r} is no quantity: expected one of {', '.join(QUANTITIES)}")
    return Place(data["quantity"], None if data["layer"] is None else _whole(data["layer"]))
