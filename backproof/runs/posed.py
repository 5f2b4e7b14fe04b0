"""Problems that were posed, with the target's answers, and which of these are right at a glance: many are judged at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from backproof.runs.schedule import Schedule
from properties.answers.answer import Answer
from properties.judging.judgement import Exact
from properties.laws.law import Answered
from properties.problems.blocks import Block
from properties.verdict import Verdict
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
    def ends_a_run(self) -> bool:
        """Whether the target gave no answer in time, or died."""
        return any(answer.verdict is Verdict.TIMES_OUT or answer.gone for answer in (self.answer, self.again) if answer is not None)


def right_at_once(
    block: Block, posed: Sequence[Posed], judged_by: str | None, schedule: Schedule
) -> tuple[dict[int, Precision], dict[int, Exact]]:
    """The places of a block at which each law that judges many answers at once holds, and what their answers are judged by; and, by place,
    what is known of the exact gradients of others.

    judged_by: None for what the answers' dtype says.
    """
    places, answers, again = ([getattr(each, name) for each in posed] for name in ("place", "answer", "again"))
    answered = Answered(block.problems, places, answers, again, judged_by)
    holds = {law.name: law.at_once(answered) for law in schedule.of_one(block.value_class) if law.at_once}
    right = {
        place: precision
        for i, (place, precision) in enumerate(zip(places, answered.precisions, strict=True))
        if precision is not None and all(holds[law.name][i] for law in schedule.at(place, block.value_class) if law.at_once)
    }
    return right, answered.known
