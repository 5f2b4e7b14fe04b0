"""What a law is: a statement that every right target obeys, and how one is judged on one problem."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

import numpy as np

from properties.answers.answer import Answer, Ask
from properties.judging.judge import judge
from properties.judging.judgement import Exact, Judgement, precision_of
from properties.problems.support import Support
from properties.verdict import Verdict
from reference.gradient import Gradient
from reference.problem import Problem
from rounding.precisions import Precision


class Status(StrEnum):
    """How a law fared on one problem."""

    HELD = "held"
    BROKEN = "broken"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Outcome:
    """How one law fared on one problem.

    verdict: right where it held, lossy where it held by a textbook formula, what is wrong where it is broken;
    message: why it is broken or not applicable; judgement: the entries, where entries were compared;
    answer: what the target gave, if it gave a gradient.
    """

    status: Status
    verdict: Verdict = Verdict.RIGHT
    message: str = ""
    judgement: Judgement | None = None
    answer: Gradient | None = None


HELD = Outcome(Status.HELD)


def not_applicable(reason: str) -> Outcome:
    """The law cannot be judged on this problem, and why."""
    return Outcome(Status.NOT_APPLICABLE, message=reason)


def broken(verdict: Verdict, message: str, judgement: Judgement | None = None) -> Outcome:
    """The law is broken, in which way, and why."""
    return Outcome(Status.BROKEN, verdict, message, judgement)


class NotPosable(Exception):
    """A law cannot be judged on this problem; the message says why."""


class NotAnswered(Exception):
    """The target gives no answer to a further problem that it supports."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.message)
        self.verdict = answer.verdict or Verdict.RAISES


class Case:
    """One problem put to one target: what several laws ask of it is computed once.

    support: what else the target may be asked; precision: what its answers are judged by, None for what their dtype says;
    answer, again: the target's first answer and its second, where it was asked before; exact: what is known of the gradient already;
    peers, narrower: as in judge.
    """

    def __init__(
        self,
        problem: Problem,
        ask: Ask,
        precision: str | None = None,
        support: Support | None = None,
        answer: Answer | None = None,
        again: Answer | None = None,
        *,
        peers: bool = True,
        narrower: bool = True,
        exact: Exact | None = None,
    ) -> None:
        support = support or Support()
        # what a problem asks for, a related one may ask for as well
        more = tuple(want for want in problem.wants[2:] if want not in support.wants)
        self.problem, self.ask, self.support = problem, ask, replace(support, wants=support.wants + more) if more else support
        self._precision, self._answer, self._again = precision, answer, again
        self.peers, self._narrower, self._exact = peers, narrower, exact

    @cached_property
    def answer(self) -> Answer:
        """The target's first answer."""
        return self._answer or self.ask(self.problem)

    @cached_property
    def again(self) -> Answer:
        """The target's second answer."""
        return self._again or self.ask(self.problem)

    @property
    def gradient(self) -> Gradient:
        """The gradient of the first answer; only where there is one."""
        assert self.answer.gradient is not None
        return self.answer.gradient

    @cached_property
    def exact(self) -> Exact:
        """What is known of the exact gradient."""
        return self._exact or Exact(self.problem)

    @cached_property
    def precision(self) -> Precision:
        """What the answer is judged by."""
        return precision_of(self.gradient, self._precision)

    @cached_property
    def judgement(self) -> Judgement:
        """The answer against the exact gradient."""
        return judge(self.exact, self.gradient, self.precision, peers=self.peers, narrower=self._narrower)


@dataclass(frozen=True)
class Answered:
    """What a target answered to problems of one stack.

    problems: the stack; places: those of it that were posed; answers: one for each; again: a second one, None where it was asked once;
    judged_by: a key of PRECISIONS, None for what each answer's dtype says; known: by place, what is known of the exact gradients of those
    that are not right at once.
    """

    problems: Problem
    places: Sequence[int]
    answers: Sequence[Answer]
    again: Sequence[Answer | None]
    judged_by: str | None = None
    known: dict[int, Exact] = field(default_factory=dict)

    @cached_property
    def precisions(self) -> list[Precision | None]:
        """What each answer is judged by; None where there is no gradient."""
        gradients = [answer.gradient for answer in self.answers]
        return [None if gradient is None else precision_of(gradient, self.judged_by) for gradient in gradients]


class Cadence(StrEnum):
    """On which problems of a run a law is judged."""

    EVERY_PROBLEM = "every problem"
    SAMPLED = "sampled"
    ROTATED = "rotated"
    AUDIT = "audit"


@dataclass(frozen=True)
class Law:
    """A row of LAWS. A law may assume that the target answered, unless it says otherwise.

    judge: how it fares on one case; its docstring says the statement, what the law cannot see and what it needs;
    cadence: EVERY_PROBLEM; SAMPLED, for a law that asks once more, so that of many problems alike only some pay for it;
        ROTATED, for a law that asks the target further problems, so that a run judges only some of them on each; AUDIT, for a sample
        of the right answers;
    with_penalty: whether it holds where a penalty is added to dC/dW as well;
    unless: laws without which this one proves nothing: it compares calls, and where one of these is broken too, it is not applicable;
    values: the value class on whose problems alone a run judges it, "" for all;
    at_once: of which of many answers it holds, with no more to say; of all others judge decides, one by one. None where it decides on each.
    """

    judge: Callable[[Case], Outcome]
    needs_answer: bool = True
    cadence: Cadence = Cadence.EVERY_PROBLEM
    with_penalty: bool = True
    unless: tuple[Callable[[Case], Outcome], ...] = ()
    at_once: Callable[[Answered], Sequence[bool]] | None = None
    values: str = ""

    @property
    def name(self) -> str:
        return self.judge.__name__

    @property
    def statement(self) -> str:
        """The first line of the docstring."""
        return (self.judge.__doc__ or "").strip().splitlines()[0]

    def on(self, case: Case) -> Outcome:
        """How the law fares on one case."""
        if self.needs_answer and case.answer.gradient is None:
            return not_applicable("the target gave no answer that can be judged")
        if case.problem.penalty is not None and not self.with_penalty:
            return not_applicable("with a penalty on the weights it does not hold")
        try:
            with np.errstate(all="ignore"):
                outcome = replace(self.judge(case), answer=case.answer.gradient)
                broken_first = self._broken_first(case) if outcome.status is Status.BROKEN else ""
            return not_applicable(f"it compares calls, and {broken_first} is broken") if broken_first else outcome
        except NotPosable as reason:
            return not_applicable(str(reason))
        except NotAnswered as failure:
            return broken(failure.verdict, f"asked a related problem: {failure}")

    def _broken_first(self, case: Case) -> str:
        """The name of a law that is broken, without which this one proves nothing, or ""."""
        for first in self.unless:
            try:
                if first(case).status is Status.BROKEN:
                    return first.__name__
            except NotPosable:
                continue
        return ""
