"""A run of a check: problem after problem is put to a target, laws judge its answers, and what fails is shrunk to a finding."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from backproof.digits import meets
from backproof.failures import Failure, Failures, Way
from backproof.finding import Finding
from backproof.interrupts import remembered_interrupts
from backproof.known_laws import AUDITS, CALLS, JUDGES, PLAIN, STATE
from backproof.report import LawCount, Report, counted
from backproof.structures import Structures
from backproof.tally import Tally
from backproof.target import Asker
from backproof.unanswered import Unanswered
from properties.answer import Answer
from properties.blindness import Blind, blind_spots
from properties.drawing import Block, block_at
from properties.judgement import Exact, precision_of
from properties.judging import with_quantities
from properties.law import HELD, Law, Outcome, Status, Trial, Turn, not_applicable
from properties.same_kind import kind_of
from properties.sensitivity import smallest_seen
from properties.shrinking import shrink
from properties.statistical import is_real
from properties.support import SIZES, Support
from properties.verdict import Verdict
from properties.worst_case import beyond_suspicion
from reference.choice import split
from reference.precisions import PRECISIONS, Precision
from reference.problem import Gradient, Problem

AUDITED_EACH = 16
"""Of every so manieth block one right answer is held against ball arithmetic as well."""

IN_TURN = 2
"""How many of the laws that ask further problems are judged on the first problem of a block."""

IN_TURN_EACH = 4
"""Of every so manieth block, that is, where blocks hold many problems: such laws cost as much as a hundred problems without them."""

MOST_TRIED = 6
"""So many of them are tried, where some do not apply to the problem."""

OFTEN = 4
"""For every so manieth problem of a block two calls are compared: a further problem shows more than a further call."""

SECONDS_AT_ONCE = 0.25
"""After so long, answers are judged before further ones are asked for: nobody waits for a slow target's whole block."""

ENOUGH = 200
"""So many problems may fail in the same way before a run ends: further ones would tell no more."""

REMEMBERED = 20
"""So many problems that were answered rightly are kept, to measure what the run can see."""

LOOKED_AT = 4
"""For each activation so many small problems are kept, to say at which of its pre-activations the run is blind."""

DEATHS = 3
"""So many times a target's process may die before a run ends: each costs a new process."""

LOSSY_SECONDS = 3.0
"""The time limit for shrinking what is merely lossy, and fails nothing."""

Progress = Callable[[str, int, int], None]
"""What a run tells while it goes on: the step ("judging" or "shrinking"), how much is done, of how much."""


@dataclass(frozen=True)
class _Posed:
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

    def trial(self, run: "Run") -> Trial:
        """What laws are judged on, with the answers that were given."""
        return Trial(self.problem, run.asker, run.precision, run.support, self.answer, self.again)

    @property
    def ends_a_run(self) -> bool:
        """Whether the target gave no answer in time, or died."""
        return any(answer.verdict is Verdict.TIMES_OUT or answer.gone for answer in (self.answer, self.again) if answer is not None)


class _Enough(BaseException):
    """Ends the drawing; the message says why each further problem would cost too much."""


@dataclass
class Run:
    """One run of check; drawn_by: the options that ask for its problems, in words."""

    asker: Asker
    laws: list[Law]
    support: Support
    precision: str | None
    strict: bool
    progress: Progress
    drawn_by: str = ""
    wanted: int = 0
    deadline: float = math.inf
    drawn_in: str = "float64"
    seed: int = 0
    interrupted: bool = False
    right: list[tuple[Problem, Precision]] = field(default_factory=list)
    posed: dict[str, list[Problem]] = field(default_factory=dict)
    unanswered: Unanswered = field(default_factory=Unanswered)
    structures: Structures = field(default_factory=Structures)

    def __post_init__(self) -> None:
        self.started = time.monotonic()
        self.failures = Failures(self.strict)
        self.tally = Tally({law.name: LawCount() for law in self.laws})
        self._each = [law for law in self.laws if law.turn is Turn.ALWAYS]
        self._each_and_often = [law for law in self.laws if law.turn in (Turn.ALWAYS, Turn.OFTEN)]
        self._all_plain = {law.name for law in self._each_and_often} <= PLAIN
        self._judges = JUDGES in self.tally.laws
        self._furthest = 0
        self._raise_again: Callable[[], None] = lambda: None

    def judge_all(self, count: int, seed: int, seconds: float = math.inf) -> None:
        """Pose problems until so many are judged, or the time is over: first the simplest, which tells what the target computes in."""
        self.seed, self.wanted, self.deadline = seed, count, self.started + seconds
        self.drawn_in = self.precision or self.drawn_in
        # of some targets hardly any problem can be judged
        most = 2 * count + 100
        try:
            with remembered_interrupts() as raise_again:
                self._raise_again = raise_again
                self._judge_block(block_at(0, seed, self.support, self.drawn_in), most)
                self.drawn_in = self.precision or self.tally.narrowest or self.drawn_in
                index = 1
                while self.tally.judged < count and not self.interrupted:
                    if self.tally.examples >= most:
                        raise _Enough("too few answers can be held against the exact gradient")
                    index = self._next(index)
                    block = block_at(index, seed, self.support, self.drawn_in)
                    self._judge_block(block, min(count - self.tally.judged, most - self.tally.examples))
                    index = block.first + len(block)
        except _Enough as reason:
            self.tally.notes.append(
                f"ended after {counted(self.tally.examples, 'problem')}, {self.tally.judged} of {count} judged: {reason}"
            )
        except KeyboardInterrupt:
            self.interrupted = True

    def _next(self, index: int) -> int:
        """The index of the next block: not the one that follows, where each structure costs the target much."""
        following = self.structures.next(index)
        if following == index:
            return index
        each = len(block_at(following, self.seed, self.support, self.drawn_in))
        if each == 1:  # too large to be posed many at once
            return index
        self.tally.notes.append(
            f"a new structure costs the target {self.structures.cost():.2g} s more than a known one: after {index} problems, each of its "
            f"own, {each} of each were posed"
        )
        return following

    def _judge_block(self, block: Block, most: int) -> None:
        """Put the problems of a block to the target, and judge the answers, many at once."""
        posed: list[_Posed] = []
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

    def _pose(self, block: Block, place: int) -> "_Posed":
        """Ask the target, and once more where two calls are compared."""
        problem = block.problems.at(place)
        started = time.perf_counter()
        first, again = self.asker(problem), None
        seconds = time.perf_counter() - started
        compared = any(law.name == CALLS for law in self._of_each(place))
        if first.gradient is not None and (compared or (place == 0 and self.structures.worth_a_second_call(seconds))):
            try:
                started = time.perf_counter()
                again = self.asker(problem)
                if place == 0:
                    self.structures.remember(seconds, time.perf_counter() - started)
            except KeyboardInterrupt:
                self.interrupted = True
        return _Posed(place, problem, first, again)

    def _judge_posed(self, block: Block, posed: list["_Posed"]) -> None:
        """First the laws of each problem, so that an interrupt or the end of the run loses no answer; then those that ask further ones."""
        self._keep_posed(posed)
        plainly_right = self._plainly_right(block, posed)
        plain = [each for each in posed if each.place in plainly_right and each.place and self._all_plain]
        if plain:
            self.unanswered.remember(plain[0].problem, plain[0].answer, len(plain))
        for each in posed:
            right = each.place in plainly_right
            if right and each.place and self._all_plain:
                self.tally.count_right(self._of_each(each.place), each.problem, plainly_right[each.place])
            else:
                self._judge(each.trial(self), block, each.place, right)
        if posed and posed[0].place == 0 and not self.interrupted:
            self._judge_further(posed[0].trial(self), block)

    def _plainly_right(self, block: Block, posed: list["_Posed"]) -> dict[int, str]:
        """The places in a block of which no plain law has more to say, with the precision: all others are judged one by one."""
        alike: dict[Any, list[_Posed]] = {}
        for each in posed:
            if each.unremarkable and not is_real(each.problem):
                gradient = each.gradient
                precision = precision_of(gradient, self.precision)
                alike.setdefault((precision, *(place for place, _ in gradient.arrays())), []).append(each)
        right: dict[int, str] = {}
        for (precision, *_), each_alike in alike.items():
            places = [each.place for each in each_alike]
            if self._judges:
                problems = block.problems if len(places) == len(block) else block.problems.at(places)
                clear = beyond_suspicion(problems, [each.gradient for each in each_alike], precision)
                places = [place for place, is_clear in zip(places, clear.tolist(), strict=True) if is_clear]
            right.update(dict.fromkeys(places, precision.name))
            self._remember([each for each in each_alike if each.place in places], precision)
        return right

    def _remember(self, posed: list["_Posed"], precision: Precision) -> None:
        """Keep a few problems that were answered rightly, to measure on them what the run can see."""
        if self._judges and posed and len(self.right) < REMEMBERED:
            self.right.append((posed[0].problem, precision))

    def _keep_posed(self, posed: list["_Posed"]) -> None:
        """Keep a few small problems with each activation; at real sizes what adds up over samples shows a missing slope."""
        if self._judges and posed and not is_real(posed[0].problem):
            for name in {split(choice)[0] for choice in posed[0].problem.activations}:
                kept = self.posed.setdefault(name, [])
                if len(kept) < LOOKED_AT:
                    kept.append(posed[0].problem)

    def _blind(self, precision: str) -> tuple[Blind, ...]:
        """Where the run was blind to a missing slope; nothing can be said where no answer was judged."""
        if not self.tally.judged_by:
            return ()
        return blind_spots((problem for kept in self.posed.values() for problem in kept), PRECISIONS[precision], self.strict)

    def _sees(self) -> dict[str, float]:
        """The smallest relative error in one entry, row or layer that these problems would have shown."""
        seen: dict[str, float] = {}
        for problem, precision in self.right:
            for name, e in smallest_seen(problem, precision).items():
                seen[name] = min(e, seen.get(name, math.inf))
        return seen

    def _of_each(self, place: int) -> list[Law]:
        """The laws that are judged on a problem at a place of any block."""
        return self._each if place % OFTEN else self._each_and_often

    def _judge(self, trial: Trial, block: Block, place: int, plainly_right: bool) -> None:
        """The laws of each problem, on one."""
        applied = False
        try:
            for law in self._of_each(place) if plainly_right else self._each_and_often:
                outcome = HELD if plainly_right and law.name in PLAIN else law.on(trial)
                # a run that holds answers against the exact gradient has judged what it could hold against it
                applied |= outcome.status is not Status.NOT_APPLICABLE and (law.name == JUDGES or not self._judges)
                self._record(law, trial, outcome, block.first + place)
        finally:
            self.tally.examples += 1
            self.tally.judged += applied
        if trial.answer.gradient is not None:
            self.tally.judged_by[trial.precision.name] += 1
            if self._judges:
                self.tally.count_places(trial.problem, trial.judgement)
            if self._judges and trial.judgement.verdict is Verdict.RIGHT and is_real(trial.problem) and len(self.right) < 2:
                self.right.append((trial.problem, trial.precision))
        if self.asker.deaths >= DEATHS:
            raise _Enough(f"the target's process died {self.asker.deaths} times")
        self.unanswered.remember(trial.problem, trial.answer)
        if trial.answer.gradient is None and (apart := self.unanswered.told_apart_by(self.support)):
            raise _Enough(apart)

    def _judge_further(self, trial: Trial, block: Block) -> None:
        """The laws that ask further problems, some in turn, and now and then the audit."""
        if trial.answer.gradient is None:
            return
        if len(block) == 1 or block.number % IN_TURN_EACH == 0:
            for law in self._in_turn():
                if time.monotonic() > self.deadline:
                    return
                held_back = next((name for name in STATE if law.unless and name in self.tally.laws and self.tally.laws[name].broken), "")
                outcome = not_applicable(f"it compares calls, and {held_back} is broken") if held_back else law.on(trial)
                self._record(law, trial, outcome, block.first)
        if block.number % AUDITED_EACH == 0:
            for law in (law for law in self.laws if law.turn is Turn.AUDIT):
                self._record(law, trial, law.on(trial), block.first)

    def _record(self, law: Law, trial: Trial, outcome: Outcome, index: int) -> None:
        """Count how a law fared, and keep what failed."""
        self.tally.count(law, outcome, self.failures.fails(outcome))
        if outcome.judgement is not None and outcome.judgement.doubted_by and self.precision is None:
            self.tally.doubts[outcome.judgement.doubted_by] += 1
        if self.failures.fails(outcome) or outcome.verdict is Verdict.LOSSY:
            failure = self.failures.keep(law, trial.problem, outcome, index)
            if failure.count >= ENOUGH and self.failures.fails(outcome):
                raise _Enough(f"{failure.count} problems failed in the same way")
        if outcome.verdict is Verdict.TIMES_OUT:
            raise _Enough("the target gave no answer in time")

    def _in_turn(self) -> Iterator[Law]:
        """The laws in turn that were judged least often so far, until enough of them have applied."""
        counts = {law.name: self.tally.laws[law.name] for law in self.laws if law.turn is Turn.IN_TURN}
        judged = {name: count.held + count.broken for name, count in counts.items()}
        waiting = sorted(judged, key=lambda name: judged[name] + counts[name].not_applicable / MOST_TRIED)
        by_name = {law.name: law for law in self.laws}
        applied = 0
        for name in waiting[:MOST_TRIED]:
            yield by_name[name]
            applied += counts[name].held + counts[name].broken > judged[name]
            if applied == IN_TURN:
                return

    def shrink_all(self, seconds: float) -> None:
        """Make the problem of each failure as small as it can be; the worst first, all within one time limit."""
        told = self.failures.told()
        ways = sorted(told, key=lambda way: -way.verdict.severity)
        failing = [way for way in ways if self.failures.fails(told[way].outcome)]
        self._shrink_each(failing, seconds)
        self._shrink_each([way for way in ways if way not in failing], min(seconds, LOSSY_SECONDS))

    def _shrink_each(self, ways: list[Way], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for done, way in enumerate(ways):
            self.progress("shrinking", done, len(ways))
            # what one failure leaves of its share of the time is there for those after it
            failure, left = self.failures.by_way[way], (deadline - time.monotonic()) / (len(ways) - done)
            if self.interrupted or left <= 0 or failure.outcome.verdict is Verdict.TIMES_OUT or self.asker.deaths >= DEATHS:
                continue
            try:
                self._shrink(way, failure, left)
            except KeyboardInterrupt:
                self.interrupted = True

    def _shrink(self, way: Way, failure: Failure, seconds: float) -> None:
        def judged(problem: Problem, peers: bool) -> Outcome:
            return failure.law.on(Trial(problem, self.asker, self.precision, self._support_at(problem), peers=peers))

        def fails(problem: Problem) -> bool:
            outcome = judged(problem, peers=False)
            return Way.of(failure.law, outcome).narrows(way) and failure.kind.stays(kind_of(problem, outcome.judgement))

        # what is wrong would be so whatever the widths; of an error that is raised at others, nobody asked
        small = self._small() if way.verdict.severity <= Verdict.IMPURE.severity else replace(self._small(), widths=self.support.widths)
        shrunk = shrink(failure.problem, fails, small, self.drawn_in, seconds)
        outcome = judged(shrunk.problem, peers=True)
        # peers may acquit what is small
        if Way.of(failure.law, outcome).narrows(way):
            failure.problem, failure.outcome = shrunk.problem, outcome
            failure.shrunk = "in full" if shrunk.complete else "cut short"

    def _small(self) -> Support:
        """What small problems are drawn from: what only large networks show shrinks to small ones, of a target that takes others."""
        large = max(self.support.widths or (0,)) > SIZES["small"]["width"][1]
        fixed = Support.of(self.asker.supports).widths
        return replace(self.support, sizes="small", widths=fixed if large else self.support.widths)

    def _support_at(self, problem: Problem) -> Support:
        """What laws may ask beside a problem, which may have been shrunk below the widths that the run asked for."""
        as_asked = self.support.widths in (None, problem.widths)
        return self.support if as_asked else replace(self.support, widths=None)

    def report(self, oracles: tuple[str, ...]) -> Report:
        """What the run found."""
        told = list(self.failures.told().values())
        ordered = sorted(
            told,
            key=lambda failure: (not failure.disagreement, not failure.of_state, -failure.outcome.verdict.severity, failure.problem.size),
        )
        if self.interrupted:
            self.tally.notes.append("interrupted: this is the report so far")
        if len(self.tally.judged_by) > 1:
            by = ", ".join(f"{count} in {name}" for name, count in self.tally.judged_by.most_common())
            self.tally.notes.append(f"the target answers in several precisions: {by}")
        if any(failure.outcome.verdict is Verdict.RAISES for failure in self.failures.by_way.values()):
            self.tally.notes += self._why_it_may_raise()
        meets, said = self._meets(told)
        self.tally.notes += [said] if said else []
        self.tally.notes += [
            f"nothing can be said of {counted(count, 'problem')} with sums in the answers' dtype, and with sums in float32 "
            f"{'it is' if count == 1 else 'they are'} wrong: say --precision {name} if the target has sums in float32, as PyTorch and "
            f"JAX have, or --precision {name.split('/')[0]} if not"
            for name, count in self.tally.doubts.items()
        ]
        precision = self.tally.judged_by.most_common(1)[0][0] if self.tally.judged_by else self.drawn_in
        unjudged = self.tally.unjudged
        self.tally.notes += [f"nothing could be said in any problem of {one}" for one in unjudged]
        audit = self.tally.laws.get(AUDITS, LawCount())
        return Report(
            self.asker.name,
            tuple(self._finding(failure, oracles, meets) for failure in ordered),
            self.tally.laws,
            self.seed,
            self.tally.examples,
            self.tally.judged,
            audit.held + audit.broken,
            precision,
            self.strict,
            self.interrupted,
            time.monotonic() - self.started,
            tuple(self.tally.notes),
            self.tally.doubts.total(),
            {} if self.interrupted else self._sees(),
            () if self.interrupted else self._blind(precision),
            unjudged,
        )

    def _meets(self, told: list[Failure]) -> tuple[str, str]:
        """The narrower precision that the target meets, and what is said of it; "" unless all that was wrong in the run is right to one.

        Further problems must bear it out too.
        """
        # what is beyond the range of the narrower one shows as infinite or NaN besides
        failing = [failure for failure in told if self.failures.fails(failure.outcome) and failure.outcome.verdict is not Verdict.NONFINITE]
        names = set(PRECISIONS).intersection(*(failure.not_wrong_by for failure in failing))
        if (
            not failing
            or not names
            or any(2 * failure.meets < failure.count for failure in failing)
            or self.interrupted
            or self.asker.deaths
        ):
            return "", ""
        widest = min(names, key=list(PRECISIONS).index)
        said = meets(self.asker, self._small(), self.seed, widest, self.drawn_in)
        return (widest, said) if said else ("", "")

    def _why_it_may_raise(self) -> list[str]:
        if self.support.widths is None and (fixed := self.unanswered.fixed_widths()):
            return [fixed]
        if self.asker.supports is None:
            return ["the target has no `supports`, so it was asked every activation, loss and reduction, with and without biases"]
        if self.support.biases is None:
            return ["layers without biases were posed, as None: if there must be some, say supports = {'biases': True, ...}"]
        return []

    def _finding(self, failure: Failure, oracles: tuple[str, ...], meets: str) -> Finding:
        """meets: the narrower precision that the run bears out."""
        outcome, judgement = failure.outcome, failure.outcome.judgement
        if judgement is not None:
            judgement = replace(judgement, strict=self.strict, meets=meets if meets in judgement.not_wrong_by else "")
            if outcome.answer is not None and failure.law.name == JUDGES:
                judgement = with_quantities(judgement, Exact(failure.problem), outcome.answer)
        ended = self.interrupted or outcome.verdict is Verdict.TIMES_OUT or self.asker.deaths >= DEATHS
        fresh = ended or not self.asker.renew() or self._fails_alone(failure)
        return Finding(
            self.asker.name,
            outcome.verdict,
            failure.law.name,
            outcome.message,
            failure.problem,
            judgement,
            outcome.answer,
            self.precision,
            self.seed,
            failure.index,
            self.drawn_in,
            failure.count,
            failure.shrunk,
            oracles,
            fresh,
            self.drawn_by,
        )

    def _fails_alone(self, failure: Failure) -> bool:
        """Whether the law fares as badly on the problem alone, whatever was asked before."""
        outcome = failure.law.on(Trial(failure.problem, self.asker, self.precision, self._support_at(failure.problem)))
        return outcome.verdict is failure.outcome.verdict
