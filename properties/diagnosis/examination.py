"""A diagnosis: where a target is wrong and why. The read-out proposes, the table of wrong steps names, reproduction disposes.

A cause is told only where a network with that mistake gives every answer of the target, failing and passing, and those to fresh problems
too. Else the place is told, and that the cause is not known.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np

from properties.answers.answer import Answer
from properties.diagnosis.asked import Ask, Asked, asked_all
from properties.diagnosis.beside_the_slope import CALLS as CALLS_BESIDE_THE_SLOPE
from properties.diagnosis.beside_the_slope import is_slope
from properties.diagnosis.conduct import Conduct, conduct, numbers_of, told
from properties.diagnosis.diagnosis import Diagnosis
from properties.diagnosis.edges_on_z import CALLS as CALLS_OF_EDGES
from properties.diagnosis.edges_on_z import Extent, extent_of
from properties.diagnosis.explanation import Layer, Reader, Reading
from properties.diagnosis.ladder import Rung, ladder
from properties.diagnosis.pictures import data_of, is_square, pictured
from properties.diagnosis.placing import Place, boxes, place, place_of
from properties.diagnosis.read_outs import matrix, samples, shown
from properties.diagnosis.reproduction import reproduces, reproduces_all, together
from properties.diagnosis.search import Search
from properties.diagnosis.sentences import of_cause, of_nothing_read, of_place, where
from properties.diagnosis.table import OF_RANGE, Table, all_variants
from properties.diagnosis.variant import OF_DELTA
from properties.faults.fault import Network
from properties.judging.judgement import precision_of
from properties.problems.blocks import one_of_each_block
from properties.problems.support import Support
from reference.problem import Problem
from rounding.precisions import PRECISIONS

FAILING, STRUCTURES = 5, 2
"""A cause is certain only where it gives so many wrong answers as well, to problems of so many structures."""

FURTHER = 6
"""Of what shows seldom so many further ladders are drawn, for the rungs alone that show it."""

DRAWN, MOST_DRAWN = 400, 150
"""Where a condition was learnt, so many problems are drawn, and so many posed at most of those in which it matters."""

GRADIENT = ("weights", "biases")

CALLS = {False: 600, True: 1200}
"""How many calls a diagnosis may make of a target: of one with one loss, and of one with several."""

SECONDS = 5.0
"""So long a slow target may take for its answers; a fast one has given all in a fraction of a second."""


def diagnose(
    ask: Ask,
    support: Support,
    *,
    precision: str | None = None,
    drawn_in: str | None = None,
    found: Sequence[Problem] = (),
    seed: int = 0,
    seconds: float = SECONDS,
    strict: bool = False,
    without: Collection[str] = (),
) -> tuple[Diagnosis, ...]:
    """What is wrong with a target: a diagnosis of each mistake, the output-most first; () where nothing is off.

    ask: the target; support: what it may be asked; precision: what its answers are judged by, None for what their dtype says; drawn_in:
    that which all numbers are exact in, if it is another one; found: those of a run's findings; seconds: how long its answers may take;
    strict: whether formulas that lose digits are off; without: names of variants that are not told.
    """
    held = drawn_in or precision or "float64"
    examination = Examination(ask, support, held, seed, seconds, precision, strict)
    with np.errstate(all="ignore"):
        return examination.diagnosed(found, without)


@dataclass
class Examination:
    """One diagnosis of a target: what was asked, and what was found out.

    drawn_in: the precision that all numbers are exact in; seconds: how long its answers may take in all; calls, not_asked: how many
    problems were asked, and how many were not for want of time; search: what was found, None before anything was; first: the first answer.
    """

    ask: Ask
    support: Support
    drawn_in: str
    seed: int
    seconds: float
    precision: str | None
    strict: bool = False
    calls: int = 0
    not_asked: int = 0
    search: Search | None = None
    first: Asked | None = None

    def __post_init__(self) -> None:
        self.most = CALLS[len(self.support.loss_choices) > 1]

    def asks(self, problem: Problem, *layout: str) -> Any:
        """The target's answer, counted."""
        self.calls += 1
        began = time.monotonic()
        try:
            answer = self.ask(problem, *layout)
        finally:
            self.seconds -= time.monotonic() - began
        if self.first is None and answer.gradient is not None:
            precision = precision_of(answer.gradient, self.precision)
            self.first = Asked(Rung(problem, "network"), answer, precision, learning_rate=self.support.learning_rate)
            self.first.got.flags.writeable = False  # read now: what is answered may be written over
        return answer

    def asked(self, rungs: Sequence[Rung], share: float) -> list[Asked]:
        """The answers to some rungs, within a share of the time and the calls that are left."""
        kept = (1 - share) * max(self.seconds, 0)
        numbers = count()

        def more() -> bool:
            return (self.seconds >= kept > 0 or next(numbers) < 20) and self.calls < self.most

        before, rate = self.calls, self.support.learning_rate
        answers = asked_all(self.asks, rungs, lambda gradient: precision_of(gradient, self.precision), more, self.strict, rate)
        self.not_asked += len(rungs) - (self.calls - before)
        return answers

    def diagnosed(self, found: Sequence[Problem], without: Collection[str] = ()) -> tuple[Diagnosis, ...]:
        """A diagnosis of each mistake; found: the problems of findings; without: names of variants that are not told."""
        rungs = ladder(self.support, self.seed, self.drawn_in, found)
        if conducted := conduct(self.asks, rungs, self.precision, self.support.learning_rate):
            return (_of_conduct(conducted),)
        asked = self.asked(rungs, 0.5)
        # what shows by NaN alone is no cause where nothing is
        untold = without if any(one.leaves_the_range for one in asked) else {*without, *OF_RANGE}
        self.search = search = Search(Table(untold), asked)
        if search.gives.all():
            return ()
        if self._changes():
            return (_of_conduct(told("changes_after_some_calls", f"at most {self.calls - 1}")),)
        search.run()
        return self._told(search)

    def _changes(self) -> bool:
        """Whether the first problem has another answer after all the others."""
        if self.first is None:
            return False
        again, first = numbers_of(self.asks(self.first.problem)), self.first.got
        if again is None or again.shape != first.shape:
            return False
        return not np.array_equal(again, first, equal_nan=True) and not self.first.near(again, first)

    def _told(self, search: Search) -> tuple[Diagnosis, ...]:
        certain, fresh = False, list[Asked]()
        if search.causes and search.complete:
            fresh = self._fresh(search)
            # a condition that was learnt may fit the structures of the ladder alone
            if any(row.where for row in search.causes):
                fresh += self._drawn(search)
            certain = self._is_certain(search, fresh)
        if certain:
            return self._of_causes(search, fresh)
        return (self._of_place(search),)

    def _fresh(self, search: Search) -> list[Asked]:
        """The same ladder with other numbers, and of the rungs that show what is wrong more, where they are few."""
        fresh = self.asked(ladder(self.support, self.seed + 1, self.drawn_in)[self.seed % 2 :: 2], 0.7)
        wrong = [one for one, off in zip(search.asked, search.wrong, strict=True) if off]
        if len(wrong) >= 2 * FAILING:
            return fresh
        kinds = {_kind(one.rung) for one in wrong}
        for further in range(2, 2 + FURTHER):
            if len(wrong) + sum(one.differs_from_right for one in fresh) >= 2 * FAILING:
                break
            rungs = [rung for rung in ladder(self.support, self.seed + further, self.drawn_in) if _kind(rung) in kinds]
            fresh += self.asked(rungs, 0.5)
        return fresh

    def _drawn(self, search: Search) -> list[Asked]:
        """Problems of other structures, as a run draws them, in which what was learnt to show somewhere would show, there or elsewhere."""
        stated = all_variants()
        everywhere = together([stated.get(row.name, row) for row in search.causes])
        rungs = []
        number, tame = len(search.asked) if self.support.widths else DRAWN, self.support.limited(values="tame")
        for problem in one_of_each_block(number, self.seed, tame, self.drawn_in):
            with np.errstate(all="ignore"):
                apart = Asked(Rung(problem, "network"), Answer(Network(answers=GRADIENT)(problem)), PRECISIONS[self.drawn_in])
                if not apart.agrees(apart.simulate(everywhere)):
                    rungs.append(Rung(problem, "network"))
        return self.asked(rungs[:MOST_DRAWN], 0.9)

    def _is_certain(self, search: Search, fresh: Sequence[Asked]) -> bool:
        """Whether every answer to fresh problems is given too, and enough wrong ones are, of problems that are not all alike."""
        changed = together(search.causes)
        wrong_answers = bool((search.wrong & search.answered).any())
        of_fresh = [one for one in fresh if one.gradient is not None or not wrong_answers]
        if not of_fresh or not reproduces_all(of_fresh, changed):
            return False
        wrong = [
            one for one, off in zip(search.asked, search.wrong, strict=True) if off and (one.gradient is not None or not wrong_answers)
        ]
        wrong += [one for one in of_fresh if one.differs_from_right]
        # without a wrong number the words of what is raised are all that tells
        if not wrong_answers and not all(one.raises_the_same(one.simulate(changed)) for one in wrong):
            return False
        return len(wrong) >= FAILING and len({str(one.structure) for one in wrong}) >= STRUCTURES

    def _of_causes(self, search: Search, fresh: Sequence[Asked]) -> tuple[Diagnosis, ...]:
        given = [one for one in (*search.asked, *fresh) if one.gradient is not None]
        wrong = int((search.wrong & search.answered).sum()) + sum(one.differs_from_right for one in fresh if one.gradient is not None)
        refused = sum(one.refused for one in (*search.asked, *fresh))
        unexplained = int((~reproduces(search.asked, together(search.causes)) & ~search.answered).sum())
        found, causes = [], search.told()
        for row in causes:
            same = search.same_numbers(row, fresh)
            read = place_of(row, search.readings)
            at = read[2] if read else None
            layer = None if read is None else read[1].layer
            others = [other for other in causes if other is not row]
            shows = row.where or row.shows_when
            named = where(row.step, row.equations, layer, read[0] if read else None)
            said = of_cause(row, named, shows, (len(given), wrong, refused), others, unexplained, len(causes) < len(search.causes))
            diagnosis = Diagnosis(
                layer,
                row.equations[0] if row.equations else None,
                row.equations,
                row.name,
                shows,
                said,
                self._evidence(search, row.step, read, at, self._extent(row.step, read[0] if read else None, layer)),
                tuple(same),
                (len(given), len(given)),
            )
            # from the loss down; what is no factor of the backward pass last
            depth = read[0].asked.problem.depth if read else 0
            found.append(
                ((0, depth - layer, OF_DELTA.index(row.step) if row.step in OF_DELTA else 9) if layer is not None else (1, 0, 0), diagnosis)
            )
        return tuple(diagnosis for _, diagnosis in sorted(found, key=lambda each: each[0]))

    def _of_place(self, search: Search) -> Diagnosis:
        wrong = search.wrong & search.answered
        of = int(wrong.sum())
        refused = sum(one.refused for one in search.asked)
        at = self._told_from_the_slope(place(search.asked, search.readings))
        if at.reading is None and not at.step:
            quantity = _beside_the_gradient(search)
            said = (
                f"{quantity} is off, and the gradient is right. Cause not known."
                if quantity
                else of_nothing_read(of, refused, int(search.answered.sum()))
            )
            return Diagnosis(
                None,
                None,
                (),
                None,
                "",
                said,
                self._evidence(search, "", None, None),
                (),
                (int(search.gives[search.answered].sum()), int(search.answered.sum())),
            )
        hint = search.hint(of)
        layer = next((each for each in at.reading.layers if each.layer == at.layer), None) if at.reading is not None else None
        edged = self._extent(at.step, at.reading, at.layer)
        if edged and edged.quantity == "value":
            # g' is right along z, and all above is made of a
            at = replace(at, step="activation", equations=(), layer=None)
        named = where(at.step, at.equations, at.layer, at.reading)
        read = (at.reading, layer, 0) if at.reading is not None and layer is not None else None
        return Diagnosis(
            at.layer,
            at.equations[0] if at.equations else None,
            at.equations,
            None,
            at.shows_when,
            of_place(at, named, hint, edged.sentence if edged else ""),
            self._evidence(search, at.step, read, (at.layer or 0) + (at.step == "error_below"), edged, 3 in at.equations),
            (),
            (int(search.gives[search.answered].sum()), int(search.answered.sum())),
        )

    def _told_from_the_slope(self, at: Place) -> Place:
        """The place of what is off below the output, told from g' by further problems."""
        if at.step != "error_below" or 3 not in at.equations or at.reading is None or at.layer is None:
            return at
        of, layer = pictured(self.readings, at.reading.asked.problem, at.layer) or (None, None)
        if of is None or layer is None or self.calls + CALLS_BESIDE_THE_SLOPE > self.most:
            return at

        def read(problem: Problem) -> Layer | None:
            answer = self.asks(problem)
            if answer.gradient is None:
                return None
            asked = Asked(Rung(problem, "network"), answer, of.precision, learning_rate=self.support.learning_rate)
            return next((each for each in self.read(asked).layers if each.layer == layer.layer), None)

        said = is_slope(read, of, layer)
        if said is None:
            return at
        reading = next(each for each in self.readings if each.asked is of)
        return Place("slope", layer.layer, (3,), reading) if said else replace(at, equations=(11, 7))

    def read(self, asked: Asked) -> Reading:
        """The factors of an answer, beside the right network."""
        assert self.search is not None
        return Reader(self.search.table, Network({})).read(asked)

    @property
    def readings(self) -> list[Reading]:
        """Of the wrong answers, beside the right network."""
        return [] if self.search is None else self.search.readings

    def _extent(self, step: str, reading: Reading | None, layer: int | None) -> Extent | None:
        """From which z on g' or a is off, or up to which, if it is right elsewhere."""
        spent = self.calls + CALLS_OF_EDGES > self.most or self.seconds <= 0
        return None if reading is None or spent else extent_of(self.asks, self.support, step, reading, layer)

    def _evidence(
        self,
        search: Search,
        step: str,
        read: tuple[Reading, Layer, int] | None,
        at: int | None,
        edged: Extent | None = None,
        slope_too: bool = False,
    ) -> dict[str, Any]:
        """The row of boxes, the picture of the factor that is off, and where on z it begins to be off."""
        of_edges = [edged.data()] if edged else []
        evidence: dict[str, Any] = {"boxes": [], "tables": of_edges}
        if self.not_asked:
            evidence["not_asked"] = f"{self.not_asked} further problems were not asked for want of time or calls"
        if read is None:
            return evidence
        reading, layer, _ = read
        evidence["boxes"] = [list(box) for box in boxes(reading, step, at or layer.layer, slope_too)]
        one = reading.asked
        most_points = pictured(search.readings, one.problem, layer.layer) if step in ("slope", "delta") else None
        of, at_layer = most_points or (one, layer)
        tables = [shown(of, at_layer, step, at_layer.error)]
        if self.calls < self.most and self.seconds > 0:
            if step == "reduction" and one.problem.batch > 1:
                tables.insert(0, samples(self.asks, one.problem, one.precision))
            elif step == "error_below":
                square = next((each.problem for each in search.asked if is_square(each.problem)), None)
                tables.insert(0, None if square is None else matrix(self.asks, square, one.precision))
        evidence["tables"] = [data_of(table) for table in tables if table is not None] + of_edges
        return evidence


def _kind(rung: Rung) -> str:
    problem = rung.problem
    widths = "" if "scan" in rung.kind else str(problem.widths)
    return f"{rung.kind}{widths}{problem.activations}{problem.loss}{problem.reduction}{problem.batch}"


def _of_conduct(found: Conduct) -> Diagnosis:
    rows = [[float(i), ratio] for i, ratio in enumerate(found.ratios, 1)]
    caption = "the same problem asked again and again: how large its answers are, over the first"
    tables = [{"kind": "conduct", "caption": caption, "columns": ["call", "size"], "rows": rows, "error": 0.0, "note": ""}] if rows else []
    return Diagnosis(None, None, (), found.cause, "", found.explanation, {"boxes": [], "tables": tables})


def _beside_the_gradient(search: Search) -> str:
    """What is off where dC/dW and dC/db are right."""
    names = {
        "loss": "The answered loss",
        "pre_activations": "What is answered as z",
        "activations": "What is answered as a",
        "deltas": "What is answered as delta",
        "x": "dC/dx",
    }
    for one, off in zip(search.asked, search.wrong, strict=True):
        if off and one.gradient is not None:
            exact, bound = dict(one.exact.reference.arrays()), dict(one.bound.arrays())
            for place_, array in one.gradient.arrays():
                within = np.abs(np.asarray(array, dtype=np.float64) - exact[place_]) <= bound[place_]
                if place_.quantity in names and not (within | ~np.isfinite(bound[place_])).all():
                    return names[place_.quantity]
    return ""
