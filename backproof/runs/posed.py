"""Problems that were posed, with the target's answers, and which of these are plainly right: many are judged at once."""

from dataclasses import dataclass
from typing import Any

from properties.answers.answer import Answer
from properties.judging.by_second_moment import is_real
from properties.judging.by_worst_case import beyond_suspicion
from properties.judging.judgement import precision_of
from properties.problems.blocks import Block
from properties.verdict import Verdict
from reference.gradient import Gradient
from reference.problem import Problem
from rounding.precisions import Precision


@dataclass(frozen=True)
class Posed:
    """A problem of a block, and what the target answered: twice, where two calls are compared."""

    place: int
    problem: Problem
    answer: Answer
    again: Answer | None

    @property
    def unremarkable(self) -> bool:
        """Whether there is an answer, the same each time bit by bit, and the inputs were left alone."""
        if self.answer.gradient is None or self.answer.changed:
            return False
        return self.again is None or (self.answer.same_as(self.again) and not self.again.changed)

    @property
    def gradient(self) -> Gradient:
        """The first answer's gradient; only where there is one."""
        assert self.answer.gradient is not None
        return self.answer.gradient

    @property
    def ends_a_run(self) -> bool:
        """Whether the target gave no answer in time, or died."""
        return any(answer.verdict is Verdict.TIMES_OUT or answer.gone for answer in (self.answer, self.again) if answer is not None)


def plainly_right(block: Block, posed: list[Posed], precision: str | None, judges: bool) -> list[tuple[Precision, list[Posed]]]:
    """Those of a block of which no plain law has more to say, by what they are judged by: all others are judged one by one.

    precision: None for what the answers' dtype says; judges: whether they are held against the exact gradient.
    """
    alike: dict[Any, list[Posed]] = {}
    for each in posed:
        if each.unremarkable and not is_real(each.problem):
            by = precision_of(each.gradient, precision)
            alike.setdefault((by, *(place for place, _ in each.gradient.arrays())), []).append(each)
    right: list[tuple[Precision, list[Posed]]] = []
    for (by, *_), group in alike.items():
        clear = group
        if judges:
            problems = block.problems if len(group) == len(block) else block.problems.at([each.place for each in group])
            beyond = beyond_suspicion(problems, [each.gradient for each in group], by)
            clear = [each for each, is_clear in zip(group, beyond.tolist(), strict=True) if is_clear]
        if clear:
            right.append((by, clear))
    return right
