"""A run of a check: problem after problem is put to a target, laws judge its answers, and what fails is shrunk to a finding."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from backproof.finding import Finding
from backproof.interrupts import remembered_interrupts
from backproof.report import LawCount, Report
from backproof.target import Asker
from properties.drawing import draw_problems, simplest_problem
from properties.law import Law, Outcome, Status, Trial, Turn
from properties.laws_of_agreement import it_agrees_with_the_exact_gradient, what_is_right_stands_an_audit
from properties.shrinking import shrink
from properties.support import Support
from properties.verdict import Verdict
from reference.precisions import PRECISIONS
from reference.problem import Problem

AUDITED_EACH = 20
"""Every so manieth right answer is held against ball arithmetic as well."""

IN_TURN = 2
"""How many of the laws that ask further problems are judged on each problem."""

JUDGES = it_agrees_with_the_exact_gradient.__name__
"""The law that says what is right."""

DEATHS = 3
"""So many times a target's process may die before a run ends: each costs a new process."""

LOSSY_SECONDS = 3.0
"""The time limit for shrinking what is merely lossy, and fails nothing."""

Progress = Callable[[str, int, int], None]
"""What a run tells while it goes on: the step ("judging" or "shrinking"), how much is done, of how much."""


@dataclass
class _Seen:
    """One way to fail: the first problem that showed it, and how many did."""

    law: Law
    problem: Problem
    outcome: Outcome
    count: int = 0
    shrunk: str = "not at all"


class _Way(NamedTuple):
    """A way to fail: a law, a verdict, and the functions that lose digits, if that is why."""

    law: str
    verdict: Verdict
    functions: tuple[str, ...] = ()


class _Enough(BaseException):
    """Ends the drawing; the message says why each further problem would cost too much."""


@dataclass
class Run:
    """One run of check."""

    asker: Asker
    laws: list[Law]
    support: Support
    precision: str | None
    strict: bool
    progress: Progress
    counts: dict[str, LawCount] = field(default_factory=dict)
    failures: dict[_Way, _Seen] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    examples: int = 0
    judged: int = 0
    right: int = 0
    deaths: int = 0
    seed: int = 0
    interrupted: bool = False
    judged_by: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.started = time.monotonic()
        self.counts = {law.name: LawCount() for law in self.laws}

    def judge_all(self, count: int, seed: int) -> None:
        """Draw problems and judge the target on each: first the simplest, which tells what the target computes in."""
        self.seed = seed

        def visit(problem: Problem) -> None:
            self._judge(problem)
            self.progress("judging", self.examples, count)
            raise_again()

        try:
            with remembered_interrupts() as raise_again:
                visit(simplest_problem(self.support))
                if count > 1:
                    draw_problems(visit, self.support, self.exact_in, seed, count - 1)
        except _Enough as reason:
            self.notes.append(f"ended after {self.examples} of {count} problems: {reason}")
        except KeyboardInterrupt:
            self.interrupted = True

    @property
    def exact_in(self) -> str:
        """The precision in which the problems' numbers are exact: the narrowest that the target has answered in."""
        narrowest = [name for name in PRECISIONS if name in self.judged_by][-1:]
        return self.precision or (narrowest[0] if narrowest else "float64")

    def _judge(self, problem: Problem) -> None:
        trial = Trial(problem, self.asker, self.precision, self.support)
        applied = set()
        for law in self._laws_of(trial):
            outcome = law.on(trial)
            self._count(law, outcome)
            if outcome.status is not Status.NOT_APPLICABLE:
                applied.add(law.name)
            if self._fails(outcome) or outcome.verdict is Verdict.LOSSY:
                seen = self.failures.setdefault(_way_to_fail(law, outcome), _Seen(law, problem, outcome))
                seen.count += 1
                if _size(problem) < _size(seen.problem):
                    seen.problem, seen.outcome = problem, outcome
            if outcome.verdict is Verdict.TIMES_OUT:
                self.examples += 1
                raise _Enough("the target gave no answer in time")
        self.examples += 1
        # a run that holds answers against the exact gradient has judged what it could hold against it
        self.judged += bool(applied & {JUDGES} if JUDGES in self.counts else applied)
        self.deaths += trial.answer.gone
        if self.deaths >= DEATHS:
            raise _Enough(f"the target's process died {self.deaths} times")

    def _laws_of(self, trial: Trial) -> Iterator[Law]:
        """The laws to judge on one problem: those of each problem, some in turn, and now and then the audit."""
        yield from (law for law in self.laws if law.turn is Turn.ALWAYS)
        in_turn = [law for law in self.laws if law.turn is Turn.IN_TURN]
        for i in range(min(IN_TURN, len(in_turn))):
            yield in_turn[(IN_TURN * self.examples + i) % len(in_turn)]
        if trial.answer.gradient is None:
            return
        self.judged_by[trial.precision.name] += 1
        audits = [law for law in self.laws if law.turn is Turn.AUDIT]
        if audits and trial.judgement.verdict is Verdict.RIGHT:
            self.right += 1
            yield from audits if self.right % AUDITED_EACH == 1 else ()

    def _count(self, law: Law, outcome: Outcome) -> None:
        count = self.counts[law.name]
        if self._fails(outcome):
            count.broken += 1
        elif outcome.status is Status.HELD:
            count.held += 1
        else:
            count.not_applicable += 1
            count.reasons[outcome.message] = count.reasons.get(outcome.message, 0) + 1

    def _fails(self, outcome: Outcome) -> bool:
        return outcome.status is Status.BROKEN or (self.strict and outcome.verdict is Verdict.LOSSY)

    def shrink_all(self, seconds: float) -> None:
        """Make the problem of each failure as small as it can be; the worst first, all within one time limit."""
        ways = sorted(self._told(), key=lambda way: -way.verdict.severity)
        failing = [way for way in ways if self._fails(self.failures[way].outcome)]
        self._shrink_each(failing, seconds)
        self._shrink_each([way for way in ways if way not in failing], min(seconds, LOSSY_SECONDS))

    def _shrink_each(self, ways: list[_Way], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for done, way in enumerate(ways):
            self.progress("shrinking", done, len(ways))
            # what one failure leaves of its share of the time is there for those after it
            seen, left = self.failures[way], (deadline - time.monotonic()) / (len(ways) - done)
            if self.interrupted or left <= 0 or seen.outcome.verdict is Verdict.TIMES_OUT or self.deaths >= DEATHS:
                continue
            try:
                self._shrink(way, seen, left)
            except KeyboardInterrupt:
                self.interrupted = True

    def _shrink(self, way: _Way, seen: _Seen, seconds: float) -> None:
        def judged(problem: Problem) -> Outcome:
            return seen.law.on(Trial(problem, self.asker, self.precision, self.support))

        shrunk = shrink(seen.problem, lambda p: _way_to_fail(seen.law, judged(p)) == way, self.support, self.exact_in, seconds)
        outcome = judged(shrunk.problem)
        if _way_to_fail(seen.law, outcome) == way:
            seen.problem, seen.outcome = shrunk.problem, outcome
        seen.shrunk = "in full" if shrunk.complete else "cut short"

    def report(self, oracles: tuple[str, ...]) -> Report:
        """What the run found."""
        told = [self.failures[way] for way in self._told()]
        ordered = sorted(told, key=lambda seen: (-seen.outcome.verdict.severity, _size(seen.problem)))
        if self.interrupted:
            self.notes.append("interrupted: this is the report so far")
        if len(self.judged_by) > 1:
            by = ", ".join(f"{count} in {name}" for name, count in self.judged_by.most_common())
            self.notes.append(f"the target answers in several precisions: {by}")
        if any(seen.outcome.verdict is Verdict.RAISES for seen in self.failures.values()):
            self.notes += self._why_it_may_raise()
        audit = self.counts.get(what_is_right_stands_an_audit.__name__, LawCount())
        return Report(
            self.asker.name,
            tuple(self._finding(seen, oracles) for seen in ordered),
            self.counts,
            self.seed,
            self.examples,
            self.judged,
            audit.held + audit.broken,
            self.exact_in,
            self.strict,
            self.interrupted,
            time.monotonic() - self.started,
            tuple(self.notes),
        )

    def _why_it_may_raise(self) -> list[str]:
        if self.asker.supports is None:
            return ["the target has no `supports`, so it was asked every activation, loss and reduction, with and without biases"]
        if self.support.biases is None:
            return ["layers without biases were posed, as None: if there must be some, say supports = {'biases': True, ...}"]
        return []

    def _told(self) -> list[_Way]:
        """What is worth telling: the same mistake once, by the law that says most of it.

        Where the exact gradient is broken, laws that compare answers with one another say no more; where something fails, what is
        merely lossy says nothing; and a lossy answer of two functions says nothing where each is lossy by itself.
        """
        failing = {way: seen for way, seen in self.failures.items() if self._fails(seen.outcome)}
        plain = [way for way, seen in failing.items() if seen.law.turn is not Turn.IN_TURN or way.verdict is not Verdict.WRONG]
        if any(way.verdict is not Verdict.LOSSY for way in failing):
            return plain if any(way.verdict is Verdict.WRONG for way in plain) else list(failing)
        alone = {way.functions[0] for way in self.failures if len(way.functions) == 1}
        return [way for way in self.failures if len(way.functions) < 2 or not alone.issuperset(way.functions)]

    def _finding(self, seen: _Seen, oracles: tuple[str, ...]) -> Finding:
        outcome = seen.outcome
        ended = self.interrupted or outcome.verdict is Verdict.TIMES_OUT or self.deaths >= DEATHS
        fresh = ended or not self.asker.renew() or self._fails_alone(seen)
        return Finding(
            self.asker.name,
            outcome.verdict,
            seen.law.name,
            outcome.message,
            seen.problem,
            outcome.judgement and replace(outcome.judgement, strict=self.strict),
            outcome.answer,
            self.precision,
            self.seed,
            seen.count,
            seen.shrunk,
            oracles,
            fresh,
        )

    def _fails_alone(self, seen: _Seen) -> bool:
        """Whether the law fares as badly on the problem alone, whatever was asked before."""
        outcome = seen.law.on(Trial(seen.problem, self.asker, self.precision, self.support))
        return outcome.verdict is seen.outcome.verdict


def _way_to_fail(law: Law, outcome: Outcome) -> _Way:
    return _Way(law.name, outcome.verdict, outcome.judgement.functions if outcome.judgement else ())


def _size(problem: Problem) -> int:
    return sum(array.size for _, array in problem.arrays())
