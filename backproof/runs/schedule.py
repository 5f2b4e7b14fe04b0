"""A schedule: which laws are judged on which problems of a run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from backproof.findings.known_laws import CALLS, JUDGES, STATE
from backproof.findings.report import LawCount
from properties.laws.law import Cadence, Law
from properties.problems.blocks import Block

AUDITED_EACH = 16
"""In one block of so many one right answer is held against ball arithmetic as well."""

IN_TURN = 2
"""How many of the laws that ask further problems are judged on the first problem of a block."""

IN_TURN_EACH = 4
"""In one block of so many, that is, where blocks hold many problems: such laws cost as much as a hundred problems without them."""

MOST_TRIED = 10
"""So many of them are tried, where some do not apply to the problem."""

OFTEN = 4
"""For one problem in so many of a block two calls are compared: a further problem shows more than a further call."""


@dataclass(frozen=True)
class Schedule:
    """The laws of a run, by when they are judged."""

    laws: list[Law]

    @cached_property
    def judges(self) -> bool:
        """Whether answers are held against the exact gradient."""
        return any(law.name == JUDGES for law in self.laws)

    def of_one(self, value_class: str) -> list[Law]:
        """The laws that are judged on a problem by itself, of a value class; asked for with every problem."""
        if value_class not in self._of_one:
            cadences = (Cadence.EVERY_PROBLEM, Cadence.SAMPLED)
            self._of_one[value_class] = [law for law in self.laws if law.cadence in cadences and law.values in ("", value_class)]
        return self._of_one[value_class]

    @cached_property
    def _of_one(self) -> dict[str, list[Law]]:
        return {}

    def all_at_once(self, value_class: str) -> bool:
        """Whether each of these can judge many answers at once."""
        return all(law.at_once for law in self.of_one(value_class))

    def at(self, place: int, value_class: str) -> list[Law]:
        """Those of them that are judged at a place of any block, where the answer is plainly right."""
        laws = self.of_one(value_class)
        return [law for law in laws if law.cadence is Cadence.EVERY_PROBLEM] if place % OFTEN else laws

    @cached_property
    def _compares(self) -> tuple[bool, bool]:
        """Whether some law compares two calls at all places, and at some."""
        cadences = [law.cadence for law in self.laws if law.name == CALLS]
        return Cadence.EVERY_PROBLEM in cadences, Cadence.SAMPLED in cadences

    def compares_calls_at(self, place: int) -> bool:
        """Whether the problem at a place of any block is asked twice."""
        always, now_and_then = self._compares
        return always or (now_and_then and place % OFTEN == 0)

    def in_turn(self, block: Block, counts: Mapping[str, LawCount]) -> Iterator[Law]:
        """The laws for a block's first problem that ask further ones: those that were judged least often so far, until enough applied.

        counts: by name, how each fared; they go on meanwhile.
        """
        if len(block) > 1 and block.number % IN_TURN_EACH:
            return
        by_name = {law.name: law for law in self.laws if law.cadence is Cadence.ROTATED}
        judged = {name: counts[name].held + counts[name].broken for name in by_name}
        waiting = sorted(judged, key=lambda name: judged[name] + counts[name].not_applicable / MOST_TRIED)
        applied = 0
        for name in waiting[:MOST_TRIED]:
            yield by_name[name]
            applied += counts[name].held + counts[name].broken > judged[name]
            if applied == IN_TURN:
                return

    def held_back_by(self, law: Law, counts: Mapping[str, LawCount]) -> str:
        """The name of a law that is broken, so that this one, which compares calls, proves nothing; or ""."""
        return next((name for name in STATE if law.unless and name in counts and counts[name].broken), "")

    def audits(self, block: Block) -> list[Law]:
        """The laws that are judged now and then on a block's first problem."""
        return [] if block.number % AUDITED_EACH else [law for law in self.laws if law.cadence is Cadence.AUDIT]
