"""A run of a check: problem after problem is put to a target, laws judge its answers, and what fails is shrunk to a finding."""

import math
import time
from collections.abc import Callable

from backproof.findings.known_laws import EXACT, JUDGES
from backproof.findings.report import LawCount
from backproof.findings.text import counted
from backproof.report import Report
from backproof.runs.conclusion import Conclusion
from backproof.runs.failures import Failures
from backproof.runs.inquiry import Inquiry, Progress
from backproof.runs.interrupts import remembered_interrupts
from backproof.runs.posed import Posed, right_at_once
from backproof.runs.schedule import Schedule
from backproof.runs.shrinking_failures import Shrinkage
from backproof.runs.sight import Sight
from backproof.runs.structures import Structures
from backproof.runs.tally import Fared, Tally, sorts_of
from backproof.runs.unanswered import Unanswered
from properties.judging.by_second_moment import is_large
from properties.judging.judgement import Exact
from properties.laws.law import HELD, Case, Law, Outcome, Status, not_applicable
from properties.problems.blocks import Block, block_at
from properties.verdict import Verdict
from rounding.precisions import Precision

SECONDS_AT_ONCE = 0.25
"""After so long, answers are judged before further ones are asked for: nobody waits for a slow target's whole block."""

FAILURES_THAT_END_A_RUN = 200
"""So many problems may fail in the same way before a run ends: further ones would tell no more."""


class _Enough(BaseException):
    """Ends the drawing; the message says why each further problem would cost too much."""


class Run:
    """One run of check: what is asked, by which laws it is judged, and what came of it so far."""

    def __init__(self, inquiry: Inquiry, laws: list[Law], strict: bool, progress: Progress) -> None:
        self.inquiry, self.schedule, self.progress = inquiry, Schedule(laws), progress
        self.tally = Tally({law.name: LawCount() for law in laws})
        self.failures = Failures(strict)
        self.sight, self.unanswered, self.structures = Sight(), Unanswered(), Structures()
        self.seed, self.drawn_in = 0, "float64"
        self.wanted, self.deadline = 0, math.inf
        self.started, self.interrupted = time.monotonic(), False
        self._furthest = 0
        self._raise_again: Callable[[], None] = lambda: None

    def judge_all(self, count: int, seed: int, seconds: float = math.inf) -> None:
        """Pose problems until so many are judged, or the time is over: first the simplest, which tells what the target computes in."""
        self.seed, self.wanted, self.deadline = seed, count, self.started + seconds
        self.drawn_in = self.inquiry.precision or self.drawn_in
        # of some targets hardly any problem can be judged
        most = 2 * count + 100
        try:
            with remembered_interrupts() as raise_again:
                self._raise_again = raise_again
                self._judge_block(self._block_at(0), most)
                self.drawn_in = self.inquiry.precision or self.tally.narrowest or self.drawn_in
                index = 1
                while self.tally.judged < count and not self.interrupted:
                    if self.tally.examples >= most:
                        raise _Enough("too few answers can be held against the exact gradient")
                    block = self._block_at(self._next(index))
                    self._judge_block(block, min(count - self.tally.judged, most - self.tally.examples))
                    index = block.first + len(block)
        except _Enough as reason:
            posed = counted(self.tally.examples, "problem")
            self.tally.notes.append(f"ended after {posed}, {self.tally.judged} of {count} judged: {reason}")
        except KeyboardInterrupt:
            self.interrupted = True

    def shrink_all(self, seconds: float) -> None:
        """Make the problem of each failure as small as it can be; the worst first, all within one time limit."""
        shrinkage = Shrinkage(self.inquiry, self.failures, self.drawn_in, self.progress, self.interrupted)
        shrinkage.shrink_all(seconds)
        self.interrupted = shrinkage.interrupted

    def report(self, oracles: tuple[str, ...], diagnoses: bool = True) -> Report:
        """What the run found; diagnoses: whether a target that fails is asked further problems, which say where and why."""
        return Conclusion(
            self.inquiry,
            self.tally,
            self.failures,
            self.sight,
            self.unanswered,
            self.seed,
            self.drawn_in,
            self.started,
            self.interrupted,
        ).report(oracles, diagnoses)

    def _block_at(self, index: int) -> Block:
        return block_at(index, self.seed, self.inquiry.support, self.drawn_in)

    def _next(self, index: int) -> int:
        """The index of the next block: not the one that follows, where each structure costs the target much."""
        following = self.structures.next(index)
        if following == index:
            return index
        each = len(self._block_at(following))
        if each == 1:  # too large to be posed many at once
            return index
        self.tally.notes.append(
            f"a new structure costs the target {self.structures.cost():.2g} s more than a known one: after {index} problems, each of its "
            f"own, {each} of each were posed"
        )
        return following

    def _judge_block(self, block: Block, most: int) -> None:
        """Put the problems of a block to the target, and judge the answers, many at once."""
        posed: list[Posed] = []
        since, last = time.monotonic(), min(len(block), most) - 1
        for i in range(last + 1):
            try:
                self._raise_again()
                posed.append(self._pose(block, i))
                self._tell(self.tally.judged + len(posed))
            except KeyboardInterrupt:
                self.interrupted = True
            now = time.monotonic()
            if i == last or now - since > SECONDS_AT_ONCE or (posed and posed[-1].ends_a_run) or now > self.deadline or self.interrupted:
                self._judge_posed(block, posed)
                posed, since = [], time.monotonic()
            if self.interrupted:
                return
            if now > self.deadline and self.tally.judged < self.wanted:
                raise _Enough("the time is over")

    def _tell(self, done: int) -> None:
        """Progress, which never goes back: what was posed may turn out not to be judged."""
        self._furthest = max(self._furthest, min(done, self.wanted))
        self.progress("judging", self._furthest, self.wanted)

    def _pose(self, block: Block, place: int) -> Posed:
        """Ask the target, and once more where two calls are compared."""
        ask, problem = self.inquiry.session, block.problems.at(place)
        started = time.perf_counter()
        first, again = ask(problem), None
        seconds = time.perf_counter() - started
        compared = self.schedule.compares_calls_at(place)
        if first.gradient is not None and (compared or (place == 0 and self.structures.worth_a_second_call(seconds))):
            try:
                started = time.perf_counter()
                again = ask(problem)
                if place == 0:
                    self.structures.remember(seconds, time.perf_counter() - started)
            except KeyboardInterrupt:
                self.interrupted = True
        return Posed(place, problem, first, again)

    def _judge_posed(self, block: Block, posed: list[Posed]) -> None:
        """First the laws of each problem, so that an interrupt or the end of the run loses no answer; then those that ask further ones."""
        if not posed:
            return
        right, known = self._right_at_once(block, posed)
        at_once = [each for each in posed if each.place and each.place in right] if self.schedule.all_at_once(block.value_class) else []
        if at_once:
            self.unanswered.remember(at_once[0].problem, at_once[0].answer, len(at_once))
        places, of_first = {each.place for each in at_once}, Fared.UNJUDGED
        sorts = sorts_of(block.problems, block.value_class)
        for each in posed:
            if each.place in places:
                self.tally.count_right(self.schedule.at(each.place, block.value_class), each.problem, sorts, right[each.place].name)
            else:
                case = self._case(each, known.get(each.place))
                fared = self._judge(case, block, each.place, each.place in right)
                of_first = of_first if each.place else fared
        if posed[0].place == 0 and not self.interrupted:
            self._judge_further(self._case(posed[0], known.get(0)), block, of_first)

    def _case(self, posed: Posed, exact: Exact | None) -> Case:
        narrower = self.failures.may_meet_narrower
        return self.inquiry.case(posed.problem, posed.answer, posed.again, narrower=narrower, exact=exact)

    def _right_at_once(self, block: Block, posed: list[Posed]) -> tuple[dict[int, Precision], dict[int, Exact]]:
        """The places in a block of which laws that judge many answers at once have no more to say, with what they judged by; and what is
        known of others.
        """
        right, known = right_at_once(block, posed, self.inquiry.precision, self.schedule)
        if self.schedule.judges:
            self.sight.remember_posed(posed[0].problem)
            firsts: dict[Precision, int] = {}
            for place, precision in right.items():
                firsts.setdefault(precision, place)
            for precision, place in firsts.items():
                self.sight.remember_right(block.problems.at(place), precision)
            for each in posed:
                if each.place in right and each.answer.gradient is not None:
                    self.sight.remember_answer(each.problem, each.answer.gradient, right[each.place])
        return right, known

    def _judge(self, case: Case, block: Block, place: int, right: bool) -> Fared:
        """The laws of each problem, on one; right: whether those that judge many answers at once hold of it."""
        applied = failed = False
        try:
            of_class = block.value_class
            for law in self.schedule.at(place, of_class) if right else self.schedule.of_one(of_class):
                outcome = HELD if right and law.at_once else law.on(case)
                # a run that holds answers against the exact gradient has judged what it could hold against it
                applied |= outcome.status is not Status.NOT_APPLICABLE and (law.name in (JUDGES, EXACT) or not self.schedule.judges)
                failed |= self.failures.fails(outcome)
                self._record(law, case, outcome, block.first + place)
        finally:
            fared = Fared.FAILED if failed else Fared.PASSED if applied else Fared.UNJUDGED
            self.tally.count_problem(sorts_of(case.problem, block.value_class), fared, judged=applied)
        if case.answer.gradient is not None:
            self.tally.judged_by[case.precision.name] += 1
            if self.schedule.judges and right:
                self.tally.count_all_places(case.problem)
            elif self.schedule.judges:
                self.tally.count_places(case.problem, case.judgement)
                if case.judgement.verdict in (Verdict.RIGHT, Verdict.LOSSY):
                    self.sight.remember_answer(case.problem, case.answer.gradient, case.precision)
                if case.judgement.verdict is Verdict.RIGHT and is_large(case.problem):
                    self.sight.remember_right(case.problem, case.precision)
        if self.inquiry.died_too_often:
            raise _Enough(f"the target's process died {self.inquiry.session.deaths} times")
        self.unanswered.remember(case.problem, case.answer)
        if case.answer.gradient is None and (apart := self.unanswered.told_apart_by(self.inquiry.support)):
            raise _Enough(apart)
        return fared

    def _judge_further(self, case: Case, block: Block, fared: Fared) -> None:
        """The laws that ask further problems, some in turn, and now and then the audit; fared: how the problem is counted so far."""
        if case.answer.gradient is None:
            return
        for law in self.schedule.in_turn(block, self.tally.laws):
            if time.monotonic() > self.deadline:
                return
            held_back = self.schedule.held_back_by(law, self.tally.laws)
            outcome = not_applicable(f"it compares calls, and {held_back} is broken") if held_back else law.on(case)
            fared = self._record_further(law, case, outcome, block, fared)
        for law in self.schedule.audits(block):
            fared = self._record_further(law, case, law.on(case), block, fared)

    def _record_further(self, law: Law, case: Case, outcome: Outcome, block: Block, fared: Fared) -> Fared:
        """What a law of a problem that is counted already says: the problem may fail by it alone."""
        if fared is not Fared.FAILED and self.failures.fails(outcome):
            self.tally.count_anew(sorts_of(case.problem, block.value_class), fared, Fared.FAILED)
            fared = Fared.FAILED
        self._record(law, case, outcome, block.first)
        return fared

    def _record(self, law: Law, case: Case, outcome: Outcome, index: int) -> None:
        """Count how a law fared, and keep what failed."""
        fails = self.failures.fails(outcome)
        self.tally.count(law, outcome, fails)
        if outcome.judgement is not None and outcome.judgement.doubted_by and self.inquiry.precision is None:
            self.tally.doubts[outcome.judgement.doubted_by] += 1
        if fails or outcome.verdict is Verdict.LOSSY:
            failure = self.failures.keep(law, case.problem, outcome, index)
            if fails and failure.count >= FAILURES_THAT_END_A_RUN:
                raise _Enough(f"{failure.count} problems failed in the same way, by {law.name}")
        if outcome.verdict is Verdict.TIMES_OUT:
            raise _Enough("the target gave no answer in time")
