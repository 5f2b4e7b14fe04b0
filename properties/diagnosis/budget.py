"""A budget: how many calls, and how much time, an inquiry may take of a target."""

import time
from dataclasses import dataclass

from properties.answers.answer import Answer
from properties.diagnosis.asked import Ask
from properties.verdict import Verdict
from reference.problem import Problem


class Spent(Exception):
    """No further problem is asked: the calls or the time are used up, or the target answers no more."""


@dataclass
class Budget:
    """A target that is asked so many times, and so long in all. ask: the target; calls: how many are left; seconds: how much time is."""

    ask: Ask
    calls: int
    seconds: float

    def __call__(self, problem: Problem) -> Answer:
        if self.calls <= 0 or self.seconds <= 0:
            raise Spent
        self.calls -= 1
        began = time.monotonic()
        try:
            answer = self.ask(problem)
        finally:
            self.seconds -= time.monotonic() - began
        if answer.gone or answer.verdict is Verdict.TIMES_OUT:
            raise Spent
        return answer
