"""The search for causes: candidates from what is read and from what is tried, one mistake after the other, until all is reproduced."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

import numpy as np

from properties.diagnosis.asked import Asked
from properties.diagnosis.conditions import PLACES, Condition, Place, learnt
from properties.diagnosis.equals import written_equals
from properties.diagnosis.explanation import Reader, Reading
from properties.diagnosis.fitted import fitted
from properties.diagnosis.reproduction import conditioned, places_where_it_shows, reproduces, reproduces_all, together
from properties.diagnosis.table import Table
from properties.diagnosis.variant import OF_DELTA, Variant
from properties.faults.fault import Network, Step
from properties.verdict import Verdict
from reference.arrays import AnyArray
from reference.functions.parametrised import name_and_parameters

READ = 40
"""So many wrong answers are read, of each kind the simplest."""

MISTAKES = 4
"""So many mistakes are looked for, one after the other."""

STARTS = 6
"""So many candidates, those that explain most, are tried as the first of several mistakes."""

TRIED = 24
"""So many candidates are tried on all problems: those that explain most."""


@dataclass
class Candidate:
    """A variant that explains something.

    at: the places where it explains what was read; gives: which answers a network with it, beside the mistakes known, gives.
    """

    row: Variant
    at: list[tuple[int, int]] = field(default_factory=list)
    gives: AnyArray | None = None

    @property
    def parts(self) -> set[tuple[int, int, str]]:
        """What it explains: of a layer its delta, dC/dW and dC/db may be off each by itself."""
        return {(i, layer, "delta" if self.row.step in OF_DELTA else self.row.step) for i, layer in self.at}

    @property
    def order(self) -> tuple[bool, int, int]:
        """What is simplest to say comes first."""
        return bool(self.row.where), self.row.rank, self.row.number


@dataclass
class Search:
    """What was found out of the answers.

    causes: the mistakes, the first found first; gives: which answers a network with all of them gives; readings: of wrong answers, beside
    the right network; hint: the variant that explains most of what is wrong, where causes are not complete.
    """

    table: Table
    asked: Sequence[Asked]
    causes: list[Variant] = field(default_factory=list)
    gives: AnyArray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    readings: list[Reading] = field(default_factory=list)
    rivals: dict[str, list[Variant]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.answered = np.array([one.gradient is not None for one in self.asked], dtype=bool)
        self.gives = np.array([not one.differs_from_right for one in self.asked], dtype=bool)
        self.wrong = ~self.gives
        # beside wrong answers what raises is explained by nothing: any step that does not fit some shapes raises there
        raises = np.array([one.refused and one.answer.verdict is Verdict.RAISES for one in self.asked], dtype=bool)
        self.raises = raises if (self.wrong & self.answered).any() else np.zeros(len(raises), dtype=bool)

    @property
    def complete(self) -> bool:
        """Whether every answer is reproduced; where none was wrong, every refusal too."""
        wrong_answers = self.wrong & self.answered
        return bool(self.gives[self.answered].all() if wrong_answers.any() else self.gives.all())

    def run(self) -> None:
        """Look for causes until all is reproduced, or nothing more is explained."""
        # what is refused may be a mistake of its own
        while self._is_open and len(self.causes) < MISTAKES:
            if not self._one_more():
                break
        self._leave_out_what_is_not_needed()

    @property
    def _is_open(self) -> bool:
        """Whether something is unexplained."""
        return bool((~self.gives & ~self.raises).any())

    def _given_by(self, rows: Sequence[Variant]) -> AnyArray:
        """Which answers a network with some mistakes gives."""
        return reproduces(self.asked, together(rows)) & ~self.raises

    def _leave_out_what_is_not_needed(self) -> None:
        """What was found first may explain nothing beside what was found later; what is the hardest to say goes first."""
        for row in sorted(self.causes, key=lambda each: (each.rank, each.number), reverse=True):
            others = [each for each in self.causes if each is not row]
            if others and (gives := self._given_by(others)).sum() >= self.gives.sum():
                self.causes, self.gives = others, gives

    def told(self) -> list[Variant]:
        """The causes by which an answer would be off; not those that lose digits alone, as a formula by which no answer is wrong."""
        if len(self.causes) < 2:
            return self.causes
        told = [row for row in self.causes if any(one.is_wrong(one.simulate(row.changed)) for one in self.asked)]
        return told or self.causes

    def _one_more(self) -> bool:
        base = together(self.causes)
        chosen = _simplest_of_each_kind([int(i) for i in np.flatnonzero(~self.gives) if self.answered[i]], self.asked)
        reader = Reader(self.table, Network(base))
        readings = {i: reader.read(self.asked[i]) for i in chosen}
        if not self.causes:
            self.readings = list(readings.values())
        candidates: dict[str, Candidate] = {}
        for i, reading in readings.items():
            for layer, row in reading.candidates():
                places = candidates.setdefault(row.name, Candidate(row)).at
                if (i, layer) not in places:
                    places.append((i, layer))
        tried = sorted(candidates.values(), key=lambda each: (-len(each.at), each.order))[:TRIED]
        tried += self._whole(chosen)
        tried += [Candidate(row, _where_off(row, readings)) for row in fitted(list(readings.values()))]
        found: list[Candidate] = []
        complete: Candidate | None = None
        for each in tried:
            # beside one that gives all answers, only others that do so matter
            one = self._tried(each) if complete is None else self._complete_too(each, complete.row)
            if one is not None:
                found.append(one)
                complete = complete or (one if self._completes(one) else None)
        if not found:
            return self._jointly(list(candidates.values()))
        if complete is None:
            # what is done in some places alone gives the fewer answers, the more others there are
            found.sort(key=_most_given)
            narrowed = [self._narrowed(each) for each in found[:STARTS]]
            first = min(narrowed, key=_most_given)
            # one that gives few answers, made everywhere, may give them all where the first is made
            others = found[STARTS:] if self._completes(first) else []
            found = [*narrowed, *(one for each in others if (one := self._complete_too(each, first.row)) is not None)]
        best = min(found, key=_most_given)
        assert best.gives is not None
        alike = [each for each in found if each.gives is not None and np.array_equal(each.gives, best.gives)]
        if not self._completes(best) and (joint := self._joint_rows(list(candidates.values()))) is not None:
            rows, gives = joint
            if gives.sum() > best.gives.sum():
                self.causes += rows
                self.gives = gives
                return True
        self.causes.append(best.row)
        self.rivals[best.row.name] = [each.row for each in alike if each is not best]
        self.gives = best.gives
        return True

    def _completes(self, candidate: Candidate) -> bool:
        assert candidate.gives is not None
        return bool(candidate.gives[self.answered].all())

    def _tried(self, candidate: Candidate) -> Candidate | None:
        """A candidate that gives more answers, and loses none that are given already; by a condition, where it can only be so."""
        if self._loses(candidate.row):
            narrowed = self._conditioned(candidate)
            if narrowed is None:
                return None
            candidate = Candidate(narrowed, candidate.at)
            if self._loses(narrowed):
                return None
        gives = self._with(candidate.row)
        if not gives[~self.gives].any():
            return self._where_it_explains(candidate)
        candidate.gives = gives
        return candidate

    def _where_it_explains(self, candidate: Candidate) -> Candidate | None:
        """The same by a condition, of what is done in some layers alone, so that it gives no answer where it is done in all."""
        if (narrowed := self._conditioned(candidate)) is None:
            return None
        gives = self._with(narrowed)
        return Candidate(narrowed, candidate.at, gives) if gives[~self.gives].any() and gives[self.gives].all() else None

    def _narrowed(self, candidate: Candidate) -> Candidate:
        """The same by a condition, where that gives more answers."""
        if (narrowed := self._conditioned(candidate)) is None:
            return candidate
        gives = self._with(narrowed)
        assert candidate.gives is not None
        return Candidate(narrowed, candidate.at, gives) if gives.sum() > candidate.gives.sum() and gives[self.gives].all() else candidate

    def _complete_too(self, candidate: Candidate, other: Variant) -> Candidate | None:
        """A candidate that gives all answers too, everywhere or where another one does; the first that it does not give ends it."""
        rows = [candidate.row]
        if other.condition is not None and candidate.row.local:
            rows.append(conditioned(candidate.row, Condition(other.where, other.condition)))
        for row in rows:
            if reproduces_all(self._wrong_first(), together([*self.causes, row])):
                return Candidate(row, candidate.at, self._with(row))
        return None

    def _wrong_first(self) -> list[Asked]:
        """What was answered, the wrong answers before the right ones."""
        order = np.argsort(self.gives, kind="stable")
        return [self.asked[i] for i in order if self.answered[i]]

    def _loses(self, row: Variant) -> bool:
        """Whether it loses an answer that is given already."""
        changed = together([*self.causes, row])
        return any(not one.agrees(one.simulate(changed)) for one, given in zip(self.asked, self.gives, strict=True) if given)

    def _with(self, row: Variant) -> AnyArray:
        return self._given_by([*self.causes, row])

    def _conditioned(self, candidate: Candidate) -> Variant | None:
        """The variant where it explains, and not where the target is right though it would show; None where no condition can be learnt."""
        row = candidate.row
        if not row.local or len(candidate.at) < PLACES:
            return None
        where = [Place(self.asked[i].problem, layer) for i, layer in candidate.at]
        base, changed = together(self.causes), together([*self.causes, row])
        # an answer that is right with the mistake too, where digits are few, says nothing of it
        right = [
            one
            for one, given in zip(self.asked, self.gives, strict=True)
            if given and one.gradient is not None and not one.rung.special and not one.agrees(one.simulate(changed))
        ]
        not_there = [*places_where_it_shows(row, right, base), *self._places_read_right(row, base)]
        condition = learnt(where, not_there)
        return None if condition is None else conditioned(row, condition)

    def _places_read_right(self, row: Variant, base: Mapping[str, Step]) -> list[Place]:
        """The layers of wrong answers of which all was read as right, though a variant would show there."""
        found = []
        for reading in self.readings:
            # below a delta that is off otherwise, what is right by it may be right by another reading alone
            layers = takewhile(lambda layer: layer.delta == "ok" or row in layer.by_delta, reading.layers)
            fine = {layer.layer + (row.step == "error_below") for layer in layers if not layer.off}
            if fine and not reading.asked.rung.special:
                found += [place for place in places_where_it_shows(row, [reading.asked], base) if place.layer in fine]
        return found

    def _whole(self, chosen: Sequence[int]) -> list[Candidate]:
        """The variants that cannot be read, where they explain one of the first wrong answers."""
        looked_at = [self.asked[i] for i in chosen[:: max(len(chosen) // 8, 1)]] or [
            self.asked[i] for i in np.flatnonzero(~self.gives)[:: max(int((~self.gives).sum()) // 8, 1)]
        ]
        present = {name_and_parameters(choice)[0] for one in looked_at for choice in one.problem.activations}
        found = []
        # what only raises is read nowhere, so that every row may be it
        rows = self.table.whole if chosen else list(self.table.rows.values())
        for row in rows:
            if row.of and row.of not in present:
                continue
            changed = together([*self.causes, row])
            hits = sum(one.agrees(one.simulate(changed)) for one in looked_at if not row.of or row.of in _activations(one))
            if hits:
                found.append((hits, Candidate(row)))
        return [candidate for _, candidate in sorted(found, key=lambda each: (-each[0], each[1].order))[:TRIED]]

    def _jointly(self, candidates: list[Candidate]) -> bool:
        joint = self._joint_rows(candidates)
        if joint is None:
            return False
        rows, self.gives = joint
        self.causes += rows
        return True

    def _joint_rows(self, candidates: list[Candidate]) -> tuple[list[Variant], AnyArray] | None:
        """Several variants that together explain what was read, where none gives whole answers by itself."""
        best: tuple[list[Variant], AnyArray] | None = None
        rivals: dict[str, list[Variant]] = {}
        # of what explains as much as another one, and is made in other layers too, no network gives the answers
        for first in sorted(candidates, key=lambda each: (-len(each.at), each.order))[:STARTS]:
            rows, alike = self._covering(first, candidates)
            # the last of them may explain no more than what was read amiss
            for number in range(2, len(rows) + 1):
                gives = self._given_by([*self.causes, *rows[:number]])
                more = gives.sum() > (self.gives if best is None else best[1]).sum()
                if more and gives[self.gives].all():
                    best, rivals = (rows[:number], gives), alike
            if best is not None and best[1][self.answered].all():
                break
        self.rivals |= rivals
        return best

    def _covering(self, first: Candidate, candidates: Sequence[Candidate]) -> tuple[list[Variant], dict[str, list[Variant]]]:
        """Variants that between them explain all places, one first and then each that explains most of the rest; and the rivals of each."""
        left = {part for candidate in candidates for part in candidate.parts}
        rows: list[Variant] = []
        rivals: dict[str, list[Variant]] = {}
        remaining = list(candidates)
        while left and remaining and len(rows) < MISTAKES - len(self.causes):
            best = min(remaining, key=lambda each: (-len(left & each.parts), each.order)) if rows else first
            covered = left & best.parts
            if not covered:
                break
            rows.append(best.row)
            rivals[best.row.name] = [each.row for each in remaining if each is not best and covered <= each.parts]
            left -= covered
            remaining.remove(best)
        return rows, rivals

    def hint(self, of: int) -> tuple[Variant, int, int] | None:
        """The variant that explains most of what was read, where that is more than half of so many wrong answers."""
        explained = int((self.gives & self.wrong & self.answered).sum())
        return (self.causes[0], explained, of) if len(self.causes) == 1 and 2 * explained > of else None

    def same_numbers(self, cause: Variant, fresh: Sequence[Asked]) -> list[str]:
        """The variants that give all answers as well in the place of a cause, on all problems."""
        every = [one for one in (*self.asked, *fresh) if one.gradient is not None]
        refused = [] if (self.wrong & self.answered).any() else [one for one in self.asked if one.refused]
        named = []
        written = [self.table.rows[name] for name in written_equals(cause) if name in self.table.rows]
        rivals = {row.name: row for row in (*self.rivals.get(cause.name, []), *written)}
        for row in rivals.values():
            beside = together([row if each is cause else each for each in self.causes])
            if reproduces_all(every, beside) and all(one.raises_the_same(one.simulate(beside)) for one in refused):
                named.append(row.name)
        return named


def _most_given(candidate: Candidate) -> tuple[int, tuple[bool, int, int]]:
    """The order of candidates: those that give the most answers first, and of them what is simplest to say."""
    assert candidate.gives is not None
    return -int(candidate.gives.sum()), candidate.order


def _where_off(row: Variant, readings: dict[int, Reading]) -> list[tuple[int, int]]:
    """The places where the part that a fitted variant is of is off, which it may explain."""
    part = {"weight_gradient": "weights", "bias_gradient": "biases"}.get(row.step, "delta")
    off = [
        (i, layer.layer, layer.layer == reading.asked.problem.depth)
        for i, reading in readings.items()
        for layer in reading.layers
        if getattr(layer, part) == "off"
    ]
    if row.step == "error_below":  # which is done at the layer above, and at none of the output's delta
        return [(i, layer + 1) for i, layer, top in off if not top]
    return [(i, layer) for i, layer, top in off if top or row.step != "output_error"]


def _activations(one: Asked) -> set[str]:
    return {name_and_parameters(choice)[0] for choice in one.problem.activations}


def _simplest_of_each_kind(places: Sequence[int], asked: Sequence[Asked]) -> list[int]:
    """Some of the wrong answers: by turns of each kind of problem, the simplest first."""
    kinds: dict[object, list[int]] = {}
    for i in places:
        one = asked[i]
        kinds.setdefault((one.rung.kind, str(one.problem.activations[-1]) if one.problem.depth == 1 else one.problem.widths), []).append(i)
    chosen: list[int] = []
    turn = 0
    while len(chosen) < READ and any(turn < len(listed) for listed in kinds.values()):
        chosen += [listed[turn] for listed in kinds.values() if turn < len(listed)]
        turn += 1
    return sorted(chosen[:READ])
