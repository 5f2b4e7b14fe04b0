"""The check: problem after problem is put to a target, laws judge its answers, and what fails is shrunk to a finding."""

import math
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from backproof.finding import Finding
from backproof.process import OwnProcess
from backproof.report import LawCount, Report
from backproof.target import Asker, InProcess, Target
from properties.drawing import draw_problems, simplest_problem
from properties.judgement import measured, precision_named, precision_of
from properties.law import Law, Outcome, Status, Trial
from properties.laws import laws_for
from properties.shrinking import shrink
from properties.support import Support
from properties.verdict import Verdict
from reference.problem import Problem, ProblemError

AUDITED_EACH = 20
"""Every so manieth right answer is held against ball arithmetic as well."""

LOSSY_SECONDS = 3.0
"""The time limit for shrinking what is merely lossy, and fails nothing."""

Progress = Callable[[str, int, int], None]
"""What a run tells while it goes on: the step ("judging" or "shrinking"), how much is done, of how much."""


def check(
    target: Target | str,
    *,
    max_examples: int = 200,
    seed: int | None = None,
    activations: Sequence[Any] | None = None,
    losses: Sequence[Any] | None = None,
    biases: bool | None = None,
    depth: int | tuple[int, int] | None = None,
    width: int | tuple[int, int] | None = None,
    batch: int | tuple[int, int] | None = None,
    precision: str | None = None,
    strict: bool = False,
    oracles: Sequence[str] = (),
    time_limit: float = 10.0,
    shrink_seconds: float = 10.0,
    progress: Progress | None = None,
) -> Report:
    """Check a target on random problems.

    target: a callable, called in this process; or "package.module:function" or "path/to/file.py:function", called in a process
        of its own, where it may hang or die.
    max_examples: how many problems; seed: from 0, None for a new one in every run.
    activations, losses, biases, depth, width, batch: which problems, within what the target supports (see strategies.problems).
    precision: "float64", "float32", "float16"; None for what the answers' dtype says.
    strict: whether lossy fails too. oracles: "jax", "torch", "finite_differences", "balls": agreement with them is a law as well.
    time_limit: seconds for one call; shrink_seconds: for shrinking all findings. progress: told how the run goes on.

    Raises TargetError, SupportError, OracleError and ProblemError where the run cannot begin. Ctrl-C ends the run, with the report so far.
    """
    if max_examples < 1:
        raise ValueError(f"max_examples is {max_examples}: expected at least 1")
    if not 0 < time_limit < math.inf:
        raise ProblemError(f"time_limit is {time_limit}: expected seconds, more than 0")
    if precision is not None:
        precision_named(precision)
    laws = laws_for(oracles)
    asker = _asker(target, precision, time_limit)
    try:
        support = Support.of(asker.supports).limited(
            activations=activations, losses=losses, biases=biases, depth=depth, width=width, batch=batch
        )
        run = Run(asker, laws, support, precision or asker.precision, strict, progress or (lambda *told: None))
        run.judge_all(max_examples, secrets.randbelow(2**32) if seed is None else seed)
        run.shrink_all(shrink_seconds)
        return run.report(tuple(oracles))
    finally:
        asker.close()


def assert_right(target: Target | str, **options: Any) -> None:
    """Raise AssertionError, with the report as its message, unless check passes. options: those of check."""
    report = check(target, **options)
    if not report.passed:
        raise AssertionError(f"\n{report}")


def replay(finding: Finding, *, target: Target | str | None = None, time_limit: float = 10.0) -> Finding | None:
    """Put a finding's problem to its target again: the finding as it is now, or None if the law holds.

    target: another one to ask. Raises TargetError, OracleError, and ProblemError where the law is not known.
    """
    laws = {law.name: law for law in laws_for(finding.oracles)}
    if finding.law not in laws:
        raise ProblemError(f"law {finding.law!r} is not known: expected one of {', '.join(laws)}")
    asker = _asker(target or finding.target, finding.precision, time_limit)
    try:
        outcome = laws[finding.law].on(Trial(finding.problem, asker, finding.precision))
        if outcome.status is not Status.BROKEN and outcome.verdict is not Verdict.LOSSY:
            return None
        return replace(
            finding,
            target=asker.name,
            verdict=outcome.verdict,
            message=outcome.message,
            judgement=outcome.judgement,
            answer=outcome.answer,
            seen=1,
        )
    finally:
        asker.close()


def _asker(target: Target | str, precision: str | None, time_limit: float) -> Asker:
    if isinstance(target, str):
        return OwnProcess(target, precision=precision, time_limit=time_limit)
    return InProcess(target, precision=precision, time_limit=time_limit)


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


AUDIT = _Way("audit", Verdict.INCONCLUSIVE)
"""The way to fail of backproof itself."""


class _Enough(BaseException):
    """Ends the drawing: the target hangs, and each further problem would cost the whole time limit."""


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
    audited: int = 0
    seed: int = 0
    interrupted: bool = False
    judged_by: str = "float64"

    def __post_init__(self) -> None:
        self.started = time.monotonic()
        self.counts = {law.name: LawCount() for law in self.laws}

    def judge_all(self, count: int, seed: int) -> None:
        """Draw problems and judge the target on each."""
        self.seed = seed

        def visit(problem: Problem) -> None:
            self._judge(problem)
            self.progress("judging", self.examples, count)

        try:
            self.judged_by = self.precision or self._precision_of_target()
            draw_problems(visit, self.support, self.judged_by, seed, count)
        except _Enough:
            self.notes.append(f"ended after {self.examples} of {count} problems: the target gave no answer in time")
        except KeyboardInterrupt:
            self.interrupted = True

    def _precision_of_target(self) -> str:
        """What the target's answer to the simplest problem says that it computes in."""
        gradient = self.asker(simplest_problem(self.support)).gradient
        return "float64" if gradient is None else precision_of(gradient).name

    def _judge(self, problem: Problem) -> None:
        trial = Trial(problem, self.asker, self.precision)
        self.examples += 1
        for law in self.laws:
            outcome = law.on(trial)
            self._count(law, outcome)
            if self._fails(outcome) or outcome.verdict is Verdict.LOSSY:
                seen = self.failures.setdefault(_way_to_fail(law, outcome), _Seen(law, problem, outcome))
                seen.count += 1
                if _size(problem) < _size(seen.problem):
                    seen.problem, seen.outcome = problem, outcome
            if outcome.verdict is Verdict.TIMES_OUT:
                raise _Enough
        if trial.answer.gradient is not None and trial.judgement.verdict is not Verdict.INCONCLUSIVE:
            self.judged += 1
            if self.judged % AUDITED_EACH == 1 and trial.judgement.verdict is Verdict.RIGHT:
                self._audit(trial)

    def _audit(self, trial: Trial) -> None:
        """Hold a right answer against ball arithmetic: it must agree, and confirm the reference too."""
        exact, allowed = trial.exact, trial.exact.bound(trial.precision)
        self.audited += 1
        inside = all(not e.outside.any() for e in measured(trial.gradient, exact.enclosure.lower, exact.enclosure.upper, allowed))
        if not (inside and exact.confirmed()):
            message = "the reference and ball arithmetic disagree: a mistake in backproof, please report this problem"
            outcome = Outcome(Status.BROKEN, Verdict.INCONCLUSIVE, message)
            law = next(law for law in self.laws if law.name == "it_agrees_with_the_exact_gradient")
            self.failures.setdefault(AUDIT, _Seen(law, trial.problem, outcome)).count += 1

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
        ways = sorted(self.failures, key=lambda way: -self.failures[way].outcome.verdict.severity)
        failing = [way for way in ways if self._fails(self.failures[way].outcome)]
        self._shrink_each(failing, seconds)
        self._shrink_each([way for way in ways if way not in failing], min(seconds, LOSSY_SECONDS))

    def _shrink_each(self, ways: list[_Way], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for done, way in enumerate(ways):
            self.progress("shrinking", done, len(ways))
            # what one failure leaves of its share of the time is there for those after it
            seen, left = self.failures[way], (deadline - time.monotonic()) / (len(ways) - done)
            if self.interrupted or left <= 0 or way == AUDIT or seen.outcome.verdict is Verdict.TIMES_OUT:
                continue
            try:
                self._shrink(way, seen, left)
            except KeyboardInterrupt:
                self.interrupted = True

    def _shrink(self, way: _Way, seen: _Seen, seconds: float) -> None:
        def judged(problem: Problem) -> Outcome:
            return seen.law.on(Trial(problem, self.asker, self.precision))

        shrunk = shrink(seen.problem, lambda p: _way_to_fail(seen.law, judged(p)) == way, self.support, self.judged_by, seconds)
        outcome = judged(shrunk.problem)
        if _way_to_fail(seen.law, outcome) == way:
            seen.problem, seen.outcome = shrunk.problem, outcome
        seen.shrunk = "in full" if shrunk.complete else "cut short"

    def report(self, oracles: tuple[str, ...]) -> Report:
        """What the run found."""
        ordered = sorted(self._told(), key=lambda seen: (-seen.outcome.verdict.severity, _size(seen.problem)))
        if self.interrupted:
            self.notes.append("interrupted: this is the report so far")
        return Report(
            self.asker.name,
            tuple(self._finding(seen, oracles) for seen in ordered),
            self.counts,
            self.seed,
            self.examples,
            self.judged,
            self.audited,
            self.judged_by,
            self.strict,
            self.interrupted,
            time.monotonic() - self.started,
            tuple(self.notes),
        )

    def _told(self) -> list[_Seen]:
        """What is worth telling: of lossy answers only those of a target that is right otherwise, each function by itself if it can."""
        if any(self._fails(seen.outcome) and seen.outcome.verdict is not Verdict.LOSSY for seen in self.failures.values()):
            return [seen for seen in self.failures.values() if self._fails(seen.outcome)]
        alone = {way.functions[0] for way in self.failures if len(way.functions) == 1}
        return [seen for way, seen in self.failures.items() if len(way.functions) < 2 or not alone.issuperset(way.functions)]

    def _finding(self, seen: _Seen, oracles: tuple[str, ...]) -> Finding:
        outcome = seen.outcome
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
        )


def _way_to_fail(law: Law, outcome: Outcome) -> _Way:
    return _Way(law.name, outcome.verdict, outcome.judgement.functions if outcome.judgement else ())


def _size(problem: Problem) -> int:
    return sum(array.size for _, array in problem.arrays())
