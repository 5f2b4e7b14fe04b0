"""What a new structure costs a target against a known one: where it compiles each, more problems of each are posed."""

from dataclasses import dataclass, field
from statistics import median

from properties.problems.blocks import first_of_doubled

STRUCTURES = 32
"""So many problems are posed, each of a structure of its own, before any is posed more often: they hold every activation and loss."""

DOUBLED = 3
"""Then each structure is posed with 2 to the power of this problems."""

DEAR, TIMES = 0.05, 10.0
"""Seconds that a first call takes where it compiles, and how many times as long as a second one."""


@dataclass
class Structures:
    """How long the first call with a structure took, and the second."""

    _seconds: list[tuple[float, float]] = field(default_factory=list)

    def remember(self, first: float, second: float) -> None:
        """The seconds of two calls with one problem, the first of its structure."""
        self._seconds.append((first, second))

    def worth_a_second_call(self, first: float) -> bool:
        """Whether a first call took so long that a second one is worth it, to tell a slow target from one that compiles."""
        return first > DEAR and len(self._seconds) < STRUCTURES

    def cost(self) -> float:
        """How many seconds more a new structure costs; 0 where that is little, or not known yet."""
        if len(self._seconds) < STRUCTURES // 2:
            return 0.0
        first, second = (median(seconds) for seconds in zip(*self._seconds, strict=True))
        return first - second if first > DEAR and first > TIMES * second else 0.0

    def next(self, index: int) -> int:
        """The index that is posed after those before an index: of blocks of more problems where each structure is dear."""
        doubled = first_of_doubled(DOUBLED)
        return doubled if STRUCTURES <= index < doubled and self.cost() else index
