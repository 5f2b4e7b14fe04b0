"""Shrinkage: the problem of each failure of a run is made as small as it can be."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from backproof.runs.failures import Failure, Failures, Way
from backproof.runs.inquiry import Inquiry, Progress
from properties.laws.failure_kind import kind_of
from properties.laws.law import Outcome
from properties.problems.shrinking import shrink
from properties.verdict import Verdict
from reference.problem import Problem

LOSSY_SECONDS = 3.0
"""The time limit for shrinking what is merely lossy, and fails nothing."""


@dataclass
class Shrinkage:
    """The shrinking of failures. drawn_in: the precision that all numbers are exact in; interrupted: by Ctrl-C, before or meanwhile."""

    inquiry: Inquiry
    failures: Failures
    drawn_in: str
    progress: Progress
    interrupted: bool

    def shrink_all(self, seconds: float) -> None:
        """The worst first, all within one time limit."""
        told = sorted(self.failures.told().items(), key=lambda each: -each[0].verdict.severity)
        failing = [each for each in told if self.failures.fails(each[1].outcome)]
        lossy = [each for each in told if not self.failures.fails(each[1].outcome)]
        self._shrink_each(failing, seconds)
        self._shrink_each(lossy, min(seconds, LOSSY_SECONDS))

    def _shrink_each(self, told: Sequence[tuple[Way, Failure]], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for done, (way, failure) in enumerate(told):
            self.progress("shrinking", done, len(told))
            # what one failure leaves of its share of the time is there for those after it
            left = (deadline - time.monotonic()) / (len(told) - done)
            if self.interrupted or left <= 0 or failure.outcome.verdict is Verdict.TIMES_OUT or self.inquiry.died_too_often:
                continue
            try:
                self._shrink(way, failure, left)
            except KeyboardInterrupt:
                self.interrupted = True

    def _shrink(self, way: Way, failure: Failure, seconds: float) -> None:
        def judged(problem: Problem, told: bool) -> Outcome:
            return failure.law.on(self.inquiry.case(problem, peers=told, narrower=told))

        def fails(problem: Problem) -> bool:
            outcome = judged(problem, told=False)
            return Way.of(failure.law, outcome).narrows(way) and failure.kind.stays(kind_of(problem, outcome.judgement))

        small = self.inquiry.small
        # what is wrong would be so whatever the widths; of an error that is raised at others, nobody asked
        if way.verdict.severity > Verdict.IMPURE.severity:
            small = replace(small, widths=self.inquiry.support.widths)
        shrunk = shrink(failure.problem, fails, small, self.drawn_in, seconds)
        outcome = judged(shrunk.problem, told=True)
        # peers may acquit what is small
        if Way.of(failure.law, outcome).narrows(way):
            failure.problem, failure.outcome = shrunk.problem, outcome
            failure.shrunk = "in full" if shrunk.complete else "cut short"
