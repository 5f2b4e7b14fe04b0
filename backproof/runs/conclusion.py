"""The conclusion of a run: a report made of what it counted and kept, and of what the target answers once more."""

import time
from dataclasses import dataclass, replace

from backproof.findings.environment import environment
from backproof.findings.finding import Finding
from backproof.findings.known_laws import AUDITS, EXACT, JUDGES
from backproof.findings.report import LawCount
from backproof.findings.text import counted
from backproof.report import Report
from backproof.runs.failures import Failure, Failures
from backproof.runs.inquiry import Inquiry
from backproof.runs.precision_met import meets
from backproof.runs.sight import Sight
from backproof.runs.tally import Tally
from backproof.runs.tame_met import right_if_tame
from backproof.runs.unanswered import Unanswered
from properties.diagnosis.at_sizes import diagnose_at_sizes
from properties.diagnosis.diagnosis import Diagnosis
from properties.diagnosis.examination import diagnose
from properties.diagnosis.lossy import LossyAnswer, diagnose_lossy
from properties.diagnosis.misshapen import misshapes
from properties.diagnosis.nonfinite import diagnose_nonfinite, is_of_range, with_edges
from properties.judging.judge import with_quantities
from properties.judging.judgement import Exact
from properties.judging.nearness import Nearness
from properties.problems.tame import are_tame
from properties.verdict import Verdict
from rounding.precisions import PRECISIONS

LARGEST_READ = 2_000
"""Numbers of a finding's problem that is read beside small ones."""


OF_BITS = (
    "no diagnosis, and the cause is not known: it shows only where nothing rounds, as a changed entry, a sum or a product in fewer digits "
    "or a factor next to 1 would; of a gradient that is read out of updates, differences or complex steps say supports = {'exact': False}"
)
"""What is said where numbers are within rounding, and not equal where nothing rounds: no wrong equation is looked for."""

DIED_MEANWHILE = "the target's process died while it was asked where and why: it was not asked all of that"

INTERRUPTED = "interrupted before it was found where and why: this is the report without"


@dataclass(frozen=True)
class Conclusion:
    """All that a report is made of. started: by the clock that only goes on; drawn_in: the precision that all numbers are exact in."""

    inquiry: Inquiry
    tally: Tally
    failures: Failures
    sight: Sight
    unanswered: Unanswered
    seed: int
    drawn_in: str
    started: float
    interrupted: bool

    def report(self, oracles: tuple[str, ...], diagnoses: bool = True) -> Report:
        """What the run found; oracles: those that it asked, so that a replay asks them too; diagnoses: whether it is said where and why."""
        told = list(self.failures.told().values())
        meets, said = self._meets(told)
        precision = self._judged_by
        tame = self._right_if_tame(told)
        findings = [self._finding(failure, oracles, meets) for failure in sorted(told, key=_rank)]
        formulas, unread = self._formulas(sorted(told, key=_rank)) if diagnoses and not meets else ([], "")
        # a formula that gives the digits is the cause
        known = bool(formulas) and all(one.cause for found in formulas for one in found) and bool(formulas[0])
        made, undiagnosed = self._diagnoses(told) if findings and diagnoses and not meets and not known else ((), "")
        findings = [replace(each, diagnoses=found) for each, found in zip(findings, formulas or [()] * len(findings), strict=True)]
        if findings and findings[0].cause is None and (any(one.cause for one in made) or not findings[0].diagnoses):
            findings = _explained(findings, made)
            findings = _of_range_apart(findings)
        audit = self.tally.laws.get(AUDITS, LawCount())
        return Report(
            target=self.inquiry.session.name,
            findings=tuple(findings),
            laws=self.tally.laws,
            seed=self.seed,
            examples=self.tally.examples,
            judged=self.tally.judged,
            audited=audit.held + audit.broken,
            precision=precision,
            strict=self.failures.strict,
            interrupted=self.interrupted or INTERRUPTED in (undiagnosed, unread),
            seconds=time.monotonic() - self.started,
            notes=(*self._notes(said), *dict.fromkeys(note for note in (tame, undiagnosed, unread) if note)),
            right_if_tame=bool(tame),
            doubts=self.tally.doubts.total(),
            sees={} if self.interrupted else self.sight.smallest_seen(),
            # nothing can be said where no answer was judged
            blind=self.sight.blind_spots(precision, self.failures.strict) if self.tally.judged_by and not self.interrupted else (),
            nearness=self._nearness(oracles),
            unjudged=self.tally.unjudged,
            tally=self.tally.to_data(),
            drawn_by=self.inquiry.drawn_by,
            environment=environment(),
        )

    def _nearness(self, oracles: tuple[str, ...]) -> tuple[Nearness, ...]:
        """How near the answers are that pass; nothing of a target that fails, whose mistake is no rounding."""
        fails = any(self.failures.fails(way.outcome) for way in self.failures.told().values())
        return () if self.interrupted or fails else self.sight.nearness(oracles, time.monotonic() - self.started)

    @property
    def _judged_by(self) -> str:
        """The precision that most answers were judged by."""
        return self.tally.judged_by.most_common(1)[0][0] if self.tally.judged_by else self.drawn_in

    def _diagnoses(self, told: list[Failure]) -> tuple[tuple[Diagnosis, ...], str]:
        """Where the target is wrong, and why, of a run that fails; or none, and a note that says why."""
        failing = [one for one in told if self.failures.fails(one.outcome) and not one.disagreement]
        readable = [one for one in failing if one.outcome.verdict is not Verdict.TIMES_OUT]
        if not readable or self.interrupted:
            return (), ""
        wrong = any(one.law.name == JUDGES for one in readable)
        if self.inquiry.died_too_often:
            return (), self._died_too_often if wrong else ""
        if all(one.law.name == EXACT for one in readable):
            return (), OF_BITS
        deaths = self.inquiry.session.deaths
        found = [one.problem for one in readable if one.law.name == JUDGES and one.problem.size <= LARGEST_READ]
        try:
            made = diagnose(
                self.inquiry.session,
                self.inquiry.small,
                precision=self.inquiry.precision,
                drawn_in=self.drawn_in,
                found=found,
                seed=self.seed,
                strict=self.failures.strict,
            )
            made = self._with_sizes(self._with_range(made, readable), readable)
        except KeyboardInterrupt:
            return (), INTERRUPTED
        except Exception as error:
            return (), _mistake(error)
        if self.inquiry.session.deaths > deaths and not any(one.cause for one in made):
            return made, DIED_MEANWHILE
        nothing = "no factor is off on small generic problems: what fails shows in problems as large, or as special, as the one found"
        return made, "" if made or not wrong else nothing

    @property
    def _died_too_often(self) -> str:
        """Why there is no diagnosis, of a target that is asked no more."""
        return f"no diagnosis: the target's process died {self.inquiry.session.deaths} times, and is asked no more"

    def _with_sizes(self, made: tuple[Diagnosis, ...], readable: list[Failure]) -> tuple[Diagnosis, ...]:
        """What was found, or, where that has no cause and what fails shows at real sizes alone, at which it begins."""
        wrong = [one for one in readable if one.law.name == JUDGES and one.outcome.verdict is Verdict.WRONG]
        if not wrong or any(one.cause for one in made):
            return made
        inquiry = self.inquiry
        # what was shrunk in full may be of numbers that are special, and the largest shows it too
        largest = max(wrong, key=lambda one: one.problem.size).problem
        asked = diagnose_at_sizes(inquiry.session, inquiry.small, largest, precision=inquiry.precision, drawn_in=self.drawn_in)
        return asked or made

    def _with_range(self, made: tuple[Diagnosis, ...], readable: list[Failure]) -> tuple[Diagnosis, ...]:
        """What was found, and, where something is not finite, of which function, from which number on."""
        beyond = [one for one in readable if one.outcome.verdict is Verdict.NONFINITE and one.law.name == JUDGES]
        if not beyond:
            return made
        inquiry = self.inquiry
        problems = [one.problem for one in beyond]
        seen = diagnose_nonfinite(inquiry.session, inquiry.small, problems, precision=self._judged_by)
        return with_edges(made, seen, alone=len(beyond) == len(readable))

    def _formulas(self, told: list[Failure]) -> tuple[list[tuple[Diagnosis, ...]], str]:
        """Of a run of which nothing is worse than lossy, for each finding the formulas that lose digits there; or none, and a note why."""
        lossy = [one for one in told if one.outcome.judgement is not None and one.outcome.verdict is Verdict.LOSSY]
        if len(lossy) < len(told) or self.interrupted:
            return [], ""
        if self.inquiry.died_too_often:
            return [], self._died_too_often if lossy else ""
        answers = [LossyAnswer(one.problem, one.outcome.judgement.functions, one.outcome.answer) for one in lossy if one.outcome.judgement]
        inquiry = self.inquiry
        try:
            return diagnose_lossy(inquiry.session, inquiry.small, answers, precision=self._judged_by), ""
        except KeyboardInterrupt:
            return [], INTERRUPTED
        except Exception as error:
            return [], _mistake(error)

    def _meets(self, told: list[Failure]) -> tuple[str, str]:
        """The narrower precision that the target meets, and what is said of it; "" unless all that was wrong in the run is right to one.

        Further problems must bear it out too.
        """
        # what is beyond the range of the narrower one shows as infinite or NaN besides
        failing = [one for one in told if self.failures.fails(one.outcome) and one.outcome.verdict is not Verdict.NONFINITE]
        names = set(PRECISIONS).intersection(*(failure.not_wrong_by for failure in failing))
        if not failing or not names or any(2 * failure.meets < failure.count for failure in failing):
            return "", ""
        if self.interrupted or self.inquiry.died_too_often:
            return "", ""
        widest = min(names, key=list(PRECISIONS).index)
        said = meets(self.inquiry.session, self.inquiry.small, self.seed, widest, self.drawn_in)
        return (widest, said) if said else ("", "")

    def _right_if_tame(self, told: list[Failure]) -> str:
        """What is said where the target fails, on fewer problems than not, and is right for moderate numbers.

        Not where one of what is told, which shrinking made as plain as it could, is of moderate numbers itself.
        """
        failing = [one for one in told if self.failures.fails(one.outcome)]
        beyond = (Verdict.NONFINITE, Verdict.RAISES, Verdict.WRONG)
        if not failing or any(one.of_state or one.outcome.verdict not in beyond or 2 * one.count > self.tally.examples for one in failing):
            return ""
        if self.interrupted or self.inquiry.died_too_often or self.inquiry.support.values == "tame" or JUDGES not in self.tally.laws:
            return ""
        if any(one.law.name == EXACT or are_tame(one.problem) for one in failing):
            return ""
        inquiry, strict = self.inquiry, self.failures.strict
        return right_if_tame(inquiry.session, inquiry.small, self.seed, inquiry.precision, self.drawn_in, strict=strict)

    def _notes(self, of_digits: str) -> tuple[str, ...]:
        """What else a reader should know; of_digits: what is said of the precision that the target meets, or ""."""
        notes = [*self.inquiry.session.notes, *self.tally.notes]
        if self.interrupted:
            notes.append("interrupted: this is the report so far")
        if len(self.tally.judged_by) > 1:
            by = ", ".join(f"{count} in {name}" for name, count in self.tally.judged_by.most_common())
            notes.append(f"the target answers in several precisions: {by}")
        if any(way.verdict is Verdict.RAISES for way in self.failures.by_way) and not (self.unanswered.explained or self.unanswered.left):
            notes += self._why_it_may_raise()
        notes += [of_digits] if of_digits else []
        notes += [
            f"nothing can be said of {counted(count, 'problem')} with sums in the answers' dtype, and with sums in float32 "
            f"{'it is' if count == 1 else 'they are'} wrong: say --precision {name} if the target has sums in float32, as PyTorch and "
            f"JAX have, or --precision {name.split('/')[0]} if not"
            for name, count in self.tally.doubts.items()
        ]
        return (*notes, *(f"nothing could be said in any problem of {one}" for one in self.tally.unjudged))

    def _why_it_may_raise(self) -> list[str]:
        support = self.inquiry.support
        if support.widths is None and (fixed := self.unanswered.fixed_widths()):
            return [fixed]
        if self.inquiry.session.supports is None:
            return ["the target has no `supports`, so it was asked every activation, loss and reduction, with and without biases"]
        if support.biases is None:
            return ["layers without biases were posed, as None: if there must be some, say supports = {'biases': True, ...}"]
        return []

    def _finding(self, failure: Failure, oracles: tuple[str, ...], meets: str) -> Finding:
        """meets: the narrower precision that the run bears out."""
        outcome, judgement = failure.outcome, failure.outcome.judgement
        if judgement is not None:
            judgement = replace(judgement, strict=self.failures.strict, meets=meets if meets in judgement.not_wrong_by else "")
            if outcome.answer is not None and failure.law.name == JUDGES:
                judgement = with_quantities(judgement, Exact(failure.problem), outcome.answer)
        ended = self.interrupted or outcome.verdict is Verdict.TIMES_OUT or self.inquiry.died_too_often
        return Finding(
            target=self.inquiry.session.name,
            verdict=outcome.verdict,
            law=failure.law.name,
            message=outcome.message,
            problem=failure.problem,
            judgement=judgement,
            answer=outcome.answer,
            precision=self.inquiry.precision,
            seed=self.seed,
            index=failure.index,
            drawn_in=self.drawn_in,
            seen=failure.count,
            shrunk=failure.shrunk,
            oracles=oracles,
            fresh=ended or not self.inquiry.session.renew() or self._fails_alone(failure),
            drawn_by=self.inquiry.drawn_by,
        )

    def _fails_alone(self, failure: Failure) -> bool:
        """Whether the law fares as badly on the problem alone, whatever was asked before."""
        return failure.law.on(self.inquiry.case(failure.problem)).verdict is failure.outcome.verdict


def _mistake(error: Exception) -> str:
    """What is said where a diagnosis fails: what was found is worth more than why, and is not to be lost with it."""
    return f"no diagnosis, by a mistake in backproof, please report it: {type(error).__name__}: {error}"


def _explained(findings: list[Finding], made: tuple[Diagnosis, ...]) -> list[Finding]:
    """The findings, the first with the diagnoses: one that shows wrong numbers, where these are what is explained, and not what raises.

    Where the same mistake makes a wrong shape, that is first: where it has none, it fits by chance.
    """
    of_numbers = any(one.cause and one.reproduced[1] for one in made)
    if not any(one.cause for one in made):
        # a place alone, which was read off numbers, says nothing of what is raised, and goes before nothing
        shows = next((i for i, each in enumerate(findings) if each.verdict in (Verdict.WRONG, Verdict.NONFINITE)), 0)
        return [replace(each, diagnoses=made) if i == shows else each for i, each in enumerate(findings)]
    shows = next((i for i, each in enumerate(findings) if of_numbers and each.verdict is Verdict.WRONG), 0)
    # a wrong shape that fits by chance at some sizes is a wrong shape
    causes = [one.cause for one in made if one.cause]
    shows = next(
        (i for i, one in enumerate(findings) if one.verdict is Verdict.MALFORMED and misshapes(causes, one.problem, one.message)), shows
    )
    first = replace(findings[shows], diagnoses=made)
    return [first, *findings[:shows], *findings[shows + 1 :]]


def _of_range_apart(findings: list[Finding]) -> list[Finding]:
    """The findings, where the first shows wrong numbers in more problems than what is not finite: that is explained where it shows."""
    first = findings[0]
    beyond = next((i for i, each in enumerate(findings) if each.verdict is Verdict.NONFINITE), 0)
    own = tuple(one for one in first.diagnoses if not is_of_range(one))
    if not beyond or not own or first.verdict is not Verdict.WRONG or first.seen < findings[beyond].seen:
        return findings
    of_range = tuple(one for one in first.diagnoses if is_of_range(one))
    findings[beyond] = replace(findings[beyond], diagnoses=of_range)
    return [replace(first, diagnoses=own), *findings[1:]]


def _rank(failure: Failure) -> tuple[bool, bool, int, int]:
    """The worst first; before all, what is no fault of the target's, and what explains the rest."""
    return not failure.disagreement, not failure.of_state, -failure.outcome.verdict.severity, failure.problem.size
