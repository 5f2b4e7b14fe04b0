"""The grading of one submission: its laws and each array of its gradient, on problems of a seed, by counts and never by the clock."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backproof.findings.diagnosed import boxes_text
from backproof.findings.finding import Finding
from backproof.findings.grade import ANSWERS, GRADIENT, LAWS, Grade, Part
from backproof.findings.known_laws import AUDITS, JUDGES
from backproof.findings.shown_problem import problem_text
from backproof.report import Report
from backproof.runs.check import WITHOUT_ANSWER, opened
from backproof.runs.inquiry import Inquiry
from backproof.runs.run import Run
from backproof.runs.structures import Structures
from backproof.targets.target import Session, Target, TargetError
from properties.answers.answer import Answer
from properties.diagnosis.diagnosis import Diagnosis
from properties.diagnosis.examination import diagnose
from properties.judging.each_array import quantities
from properties.judging.judge import judge
from properties.judging.judgement import Exact, precision_of
from properties.laws.table import LAWS as ALL_LAWS
from properties.laws.table import laws_for
from properties.problems.blocks import problem_at
from properties.problems.limits import SupportError
from properties.problems.support import Support
from properties.verdict import Verdict
from reference.gradient import Gradient, Place
from reference.problem import Problem

SEED = 1
"""The problems of all who say no seed: the same for each submission."""

NAMES = {
    ("weights", True): "dC/dW of the output layer",
    ("biases", True): "dC/db of the output layer",
    ("weights", False): "dC/dW of the layers below",
    ("biases", False): "dC/db of the layers below",
}
"""The parts of the gradient, by quantity and whether it is the output layer's."""

NUMBERS = {"entry": "entry", "got": "yours", "exact": "should be", "by law": "by law"}
"""Rows of a judgement that a student is told, and what they are called there."""

ENOUGH = 5
"""So many problems that are right are no chance, and say where a mistake begins."""

UNGRADED = (*WITHOUT_ANSWER, JUDGES, AUDITS)
"""The laws that are parts of their own already."""


class _NoClock(Structures):
    """No second look at how long calls took: which problems are posed depends on their seed alone."""

    def worth_a_second_call(self, first: float) -> bool:
        return False

    def cost(self) -> float:
        return 0.0


class _Counted:
    """A session that counts its calls, and asks no more after one that gave no answer in time."""

    def __init__(self, session: Session) -> None:
        self.session, self.calls, self.hangs = session, 0, False

    def __call__(self, problem: Problem, memory_layout: str = "contiguous") -> Answer:
        if self.hangs:
            return Answer(None, Verdict.TIMES_OUT, "a call before gave no answer in time: it is asked no more")
        self.calls += 1
        answer = self.session(problem, memory_layout)
        self.hangs = answer.verdict is Verdict.TIMES_OUT
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)


def graded(
    target: Target | str,
    *,
    points: float,
    max_examples: int,
    seed: int | None,
    precision: str | None,
    strict: bool,
    time_limit: float,
    load_limit: float,
    **limits: Any,
) -> Grade:
    """The grade of one submission. points: how many there are; the others: as check has them, values tame where nothing is said.

    Raises SupportError where the limits allow no problem, and whatever is a mistake of backproof; what is wrong with the submission,
    one that cannot be loaded too, is in the grade.
    """
    seed = SEED if seed is None else seed
    try:
        # a submission that never ends its import costs no more than one whose first call does not
        session = opened(target, precision, time_limit, load_limit, ready_limit=load_limit)
    except TargetError as error:
        return _without_session(target if isinstance(target, str) else "", points, seed, str(error))
    counting = _Counted(session)
    limits = limits | {"values": limits.get("values") or "tame"}
    # limits that allow nothing are whoever's who said them; what the submission says of itself is its own
    Support().limited(**limits)
    try:
        support = Support.of(session.supports).limited(**limits)
    except (SupportError, TargetError) as error:
        session.close()
        return _without_session(counting.name, points, seed, str(error))
    try:
        # who answers in fewer digits than are asked for gets no points for it: a course in float32 says so
        inquiry = Inquiry(counting, support, precision or session.precision or "float64")
        return _graded(inquiry, counting, points, max_examples, seed, strict)
    finally:
        session.close()


def _graded(inquiry: Inquiry, counting: _Counted, points: float, count: int, seed: int, strict: bool) -> Grade:
    run = Run(inquiry, laws_for(), strict, lambda *told: None)
    run.structures = _NoClock()
    run.judge_all(count, seed)
    if run.interrupted:
        raise KeyboardInterrupt
    report = run.report((), diagnoses=False)
    arrays = _Arrays(inquiry, run.drawn_in, strict)
    for index in range(count):
        arrays.count(problem_at(index, seed, inquiry.support, run.drawn_in))
    wrong = any(not finding.verdict.passes(strict) for finding in report.findings)
    asked_on = arrays.answered and not counting.hangs and not inquiry.died_too_often
    made = _diagnoses(inquiry, report, run.drawn_in, seed, strict) if wrong and asked_on else ()
    # what is kept from call to call is no mistake in an equation, and of zeros alone nothing was computed
    named = len(made) == 1 and made[0].cause is not None and made[0].equation is not None and arrays.computes
    explanation = _explanation(report.findings, made, strict)
    if wrong and explanation:
        explanation = "\n".join([explanation, *where_it_begins((report.tally or {}).get("by", {}))])
    parts = [Part("it answers, in the right shapes", ANSWERS, arrays.answered, count, arrays.unanswered)]
    parts += [
        Part(name, GRADIENT, arrays.right[name], arrays.of[name], "" if arrays.right[name] == arrays.of[name] else explanation, named)
        for name in NAMES.values()
        if arrays.of[name]
    ] or [Part("the gradient", GRADIENT, 0, 0, explanation)]
    void = not any(part.fraction for part in parts if part.kind == GRADIENT)
    return Grade(counting.name, points, (*parts, *_laws(report, named, void)), seed, explanation, "", counting.calls)


def _laws(report: Report, named: bool, void: bool) -> list[Part]:
    """A part for each law that applied; void: whether no part of the gradient has points, so that they prove nothing."""
    parts = []
    for name, law in ALL_LAWS.items():
        fared = report.laws[name]
        if name not in UNGRADED and fared.held + fared.broken:
            parts.append(Part(name, LAWS, fared.held, fared.held + fared.broken, law.statement, named, void))
    return parts or [Part("laws of the gradient", LAWS, 0, 0, "none could be judged")]


def _diagnoses(inquiry: Inquiry, report: Report, drawn_in: str, seed: int, strict: bool) -> tuple[Diagnosis, ...]:
    """Where and why; without a limit on time, which would make points of it: its calls are counted."""
    try:
        return diagnose(
            inquiry.session,
            inquiry.small,
            precision=inquiry.precision,
            drawn_in=drawn_in,
            found=[finding.problem for finding in report.findings if finding.law == JUDGES],
            seed=seed,
            seconds=math.inf,
            strict=strict,
        )
    except Exception:  # a mistake of backproof's costs nobody a grade: what was counted holds without
        return ()


def _explanation(findings: tuple[Finding, ...], made: tuple[Diagnosis, ...], strict: bool) -> str:
    """What is wrong and what to change, for whoever wrote it; "" where nothing is."""
    failing = [finding for finding in findings if not finding.verdict.passes(strict)]
    if not failing:
        return ""
    lines = []
    for one in made:
        lines += [one.explanation, f"the network from the loss down: {boxes_text(one)}" if boxes_text(one) else ""]
    first = failing[0]
    if first.message or not made:
        lines.insert(0, first.message or first.verdict.meaning)
    rows = dict(first.judgement.rows()) if first.judgement is not None else {}
    lines += [f"{said}: {rows[name]}" for name, said in NUMBERS.items() if name in rows]
    lines.append(f"for example on {problem_text(first.problem)}")
    return "\n".join(line for line in lines if line)


def where_it_begins(by: Mapping[str, Any]) -> list[str]:
    """From which depth, width and batch on problems fail, and with which choices none does; by: of each sort of problems its counts."""
    told = []
    for name in ("depth", "width", "batch", "reduction", "loss", "activation"):
        counts = [one for one in by.get(name, ()) if one["passed"] + one["failed"]]
        right = [one for one in counts if not one["failed"]]
        if len(right) == len(counts):
            continue
        if all(isinstance(one["value"], int) for one in counts):
            first = min(one["value"] for one in counts if one["failed"])
            right = [one for one in right if one["value"] < first]
            if _asked(right) >= ENOUGH:
                told.append(f"it begins at {name} {first}: {_counts(right, True)} below, {_counts(counts, False, first)} from there on")
            continue
        if _asked(right) < ENOUGH:
            continue
        choices = ", ".join(str(one["value"]).replace("_", " ") for one in right)
        told.append(f"by {name}: {_counts(right, True)} with {choices}, {_counts(counts, False)} with others")
    return told


def _asked(counts: Sequence[Mapping[str, Any]]) -> int:
    """How many problems were judged."""
    return sum(one["passed"] + one["failed"] for one in counts)


def _counts(counts: Sequence[Mapping[str, Any]], right: bool, least: int | None = None) -> str:
    """ "all 12 right", or "25 of 28 wrong" of those that have failed, or of a number from least on."""
    chosen = [one for one in counts if right or (one["failed"] if least is None else one["value"] >= least)]
    of = _asked(chosen)
    return f"all {of} right" if right else f"{sum(one['failed'] for one in chosen)} of {of} wrong"


class _Arrays:
    """In how many problems each part of the gradient is right; computes: whether any number of an answer is not 0."""

    def __init__(self, inquiry: Inquiry, drawn_in: str, strict: bool) -> None:
        self.inquiry, self.drawn_in, self.strict = inquiry, drawn_in, strict
        self.answered, self.unanswered, self.computes = 0, "", False
        self.right: Counter[str] = Counter()
        self.of: Counter[str] = Counter()

    def count(self, problem: Problem) -> None:
        """Ask a problem, and count what is right of the answer; what is not answered is right nowhere."""
        answer = Answer(None) if self.inquiry.died_too_often else self.inquiry.session(problem)
        places = [Place("weights", layer) for layer in range(1, problem.depth + 1)]
        places += [Place("biases", layer) for layer, bias in enumerate(problem.biases, 1) if bias is not None]
        if answer.gradient is None:
            self.unanswered = self.unanswered or answer.message
            self._add(problem, dict.fromkeys(places, False))
            return
        self.answered += 1
        self.computes |= any(bool(np.any(weight)) for weight in answer.gradient.weights)
        self._add(problem, _right(problem, answer.gradient, places, self.inquiry.precision, self.strict))

    def _add(self, problem: Problem, right: Mapping[Place, bool]) -> None:
        """Count a problem once for each part, which is right there if it is in all of its layers."""
        by_part: dict[str, bool] = {}
        for place, good in right.items():
            name = NAMES[place.quantity, place.layer == problem.depth]
            by_part[name] = by_part.get(name, True) and good
        self.of.update(list(by_part))
        self.right.update(name for name, good in by_part.items() if good)


def _right(problem: Problem, gradient: Gradient, places: list[Place], precision: str | None, strict: bool) -> dict[Place, bool]:
    """Which arrays of an answer are right; those of which nothing can be said are left out."""
    exact, judged_by = Exact(problem), precision_of(gradient, precision)
    with np.errstate(all="ignore"):
        judgement = judge(exact, gradient, judged_by, peers=False)
    if judgement.verdict is Verdict.INCONCLUSIVE:
        return {}
    if judgement.verdict.passes(strict):
        return dict.fromkeys(places, True)
    said = {one.place: one.said for one in quantities(exact, gradient, judged_by)}
    given = dict(gradient.arrays())
    return {place: place in given and said.get(place) == "right" for place in places if said.get(place) != "unknown"}


def _without_session(target: str, points: float, seed: int, error: str) -> Grade:
    """The grade of what cannot be asked at all."""
    names = [("it answers, in the right shapes", ANSWERS), ("the gradient", GRADIENT), ("laws of the gradient", LAWS)]
    return Grade(target, points, tuple(Part(name, kind, 0, 0, error) for name, kind in names), seed, error=error)
