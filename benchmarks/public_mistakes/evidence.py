"""What a run of check tells of a pair, and which of it is false by the run's own evidence."""

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from unittest.mock import patch

import numpy as np

from backproof import Problem, ProblemError, Report, check, problem_at, verify
from backproof.findings.finding import Finding
from backproof.targets.target import InProcess
from benchmarks.public_mistakes.pair import Pair, Target
from properties.judging.judgement import Judgement, precision_of
from properties.laws.law import Case, Law, Outcome, Status
from properties.verdict import Verdict
from rounding.precisions import PRECISIONS

AGREEMENT = "it_agrees_with_the_exact_gradient"
PLAIN = (AGREEMENT, "it_answers", "shapes_and_dtypes_are_right", "inputs_are_left_alone")
RIGHT_TO = re.compile(r"right to ([a-z0-9]+(?:/[a-z0-9]+)*)")
ROUNDINGS = 1024
"""So many units in the last place of the largest number of its own that a target is off by are called rounding here."""


@dataclass
class Told:
    """What check says of one target, with one seed.

    caught: whether it says what is so, of the mistaken one; hints: what it says besides; false: which of that is not so, and why.
    """

    verdict: str
    passed: bool
    seconds: float
    caught: bool = False
    finding: str = ""
    hints: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)


def told(pair: Pair, mended: bool, seed: int, examples: int) -> Told:
    """Run check as the target's owner would, and hold what it says against the target itself."""
    started = time.monotonic()
    options = {"max_examples": examples, "seed": seed, "precision": pair.precision} | pair.options
    broken: dict[str, list[Outcome]] = defaultdict(list)
    with patch.object(Law, "on", _remembering(Law.on, broken)):
        report = check(pair.make(mended), **options)
    seen = Told(report.verdict.value, report.passed, time.monotonic() - started)
    findings = report.findings
    # merely lossy is told, and passes: it is caught if that is all that a true finding may say
    seen.caught = bool(findings) and findings[0].verdict.value in pair.verdicts and (not report.passed or "lossy" in pair.verdicts)
    for finding in findings[:1]:
        place = finding.judgement.place if finding.judgement else None
        where = "" if place is None else f" {place.quantity} of {place.layer}/{finding.problem.depth}"
        seen.finding = f"{finding.verdict.value}{where}"
    for say in (_precisions(pair, mended, report), _functions(pair, report), _laws(pair, report, broken)):
        for hint, why_false in say:
            seen.hints.append(hint)
            if why_false:
                seen.false.append(f"{hint}: {why_false}")
    if not mended:
        seen.false += [said for finding in findings for said in _misleading(pair, finding, report)]
    return seen


def _remembering(on: Callable[[Law, Case], Outcome], broken: dict[str, list[Outcome]]) -> Callable[[Law, Case], Outcome]:
    """Law.on, which remembers by how much a law was broken: a report has only the count."""

    def remembered(law: Law, case: Case) -> Outcome:
        outcome = on(law, case)
        if outcome.status is Status.BROKEN:
            broken[law.name].append(outcome)
        return outcome

    return remembered


def _precisions(pair: Pair, mended: bool, report: Report) -> Iterator[tuple[str, str]]:
    """Each narrower precision that the report says the target is right to; false if further problems of the run are wrong by it."""
    for name in sorted(set(RIGHT_TO.findall(str(report))) & PRECISIONS.keys()):
        target, twin = pair.make(mended), pair.make(True)
        posed = [problem_at(index, report.seed, target=target, precision=pair.precision) for index in range(report.examples)]
        wrong = [problem for problem in posed if _is_wrong(target, twin, problem, name, pair.textbook)]
        yield (
            f"right to {name}",
            f"{len(wrong)} of {len(posed)} problems are wrong by it, or excused by a formula it has not" if wrong else "",
        )


def _is_wrong(target: Target, twin: Target, problem: Problem, precision: str, textbook: tuple[str, ...]) -> bool:
    """Whether an answer is wrong by a precision, or excused by a formula that the target has not; or not finite, where the twin's is,
    computed in that precision."""
    with np.errstate(all="ignore"):
        try:
            judgement = verify(problem, target(problem.copy()), precision=precision)
            if judgement.verdict is Verdict.LOSSY:
                return not set(judgement.functions) <= set(textbook)
            if judgement.verdict is not Verdict.NONFINITE:
                return judgement.verdict is Verdict.WRONG
            narrow = InProcess(twin, precision=precision)(problem).gradient
        except ProblemError:
            return False
    return narrow is not None and all(np.isfinite(np.asarray(array, dtype=np.float64)).all() for _, array in narrow.arrays())


def _functions(pair: Pair, report: Report) -> Iterator[tuple[str, str]]:
    """Each set of functions that a lossy finding names; false if the target computes one of them accurately."""
    named = {finding.judgement.functions: None for finding in report.findings if finding.judgement and finding.verdict is Verdict.LOSSY}
    for functions in named:
        accurate = [name for name in functions if name not in pair.textbook]
        yield f"lossy {'+'.join(functions)}", f"{' and '.join(accurate)} accurate" if accurate else ""


def _laws(pair: Pair, report: Report, broken: dict[str, list[Outcome]]) -> Iterator[tuple[str, str]]:
    """Each further law that is called broken; false if the answers that it compares differ by no more than their own rounding."""
    for name, count in report.laws.items():
        if name in PLAIN or not count.broken:
            continue
        if "unstable" in pair.verdicts:
            # whatever was asked before is in its answers, so that any law may break by any amount
            yield f"broken {name}", ""
            continue
        if all(outcome.verdict is Verdict.UNSTABLE for outcome in broken[name]):
            yield f"broken {name}", "it keeps nothing and reads no strides, so that its answers differ by rounding, and by a kink's jump"
            continue
        largest = max(_in_units(outcome, pair.precision) for outcome in broken[name])
        yield f"broken {name}", "" if largest > ROUNDINGS else f"by {largest:.2g} units of its own numbers at most"


def _in_units(outcome: Outcome, precision: str | None) -> float:
    """How far two answers are apart, in units in the last place of the largest number that the target gives in the same array."""
    judgement, answer = outcome.judgement, outcome.answer
    if judgement is None or answer is None or not np.isfinite(judgement.distance):
        return np.inf
    arrays = {place: np.abs(np.asarray(array, dtype=np.float64)) for place, array in answer.arrays()}
    largest = max(float(np.max(arrays.get(judgement.place, 0.0), initial=0.0)), abs(judgement.got), *map(abs, judgement.exact))
    return judgement.distance / (precision_of(answer, precision).unit * largest) if largest else np.inf


def _misleading(pair: Pair, finding: Finding, report: Report) -> Iterator[str]:
    """What a finding of the mistaken target shows that leads its reader astray."""
    judgement, problem = finding.judgement, finding.problem
    widths = pair.make(False).supports.get("widths")
    if widths is not None and list(problem.widths) != list(widths):
        shown, supported = ("-".join(map(str, sizes)) for sizes in (problem.widths, widths))
        yield f"{finding.verdict.value} on {shown}, where the target supports {supported} alone"
    if judgement is None or finding.verdict is Verdict.LOSSY:
        return
    place = judgement.place
    if place is not None and finding.law == AGREEMENT:
        if pair.quantities and place.quantity not in pair.quantities:
            yield f"blames {place.quantity}: it is {' or '.join(pair.quantities)}"
        if pair.layers == "below the last" and place.layer == problem.depth:
            yield f"blames the last layer: it is {pair.layers}"
    if place is not None and finding.law != AGREEMENT and "exact" in dict(judgement.rows()):
        yield f"calls a number of the target's own exact ({finding.law})"
    arrays = [] if finding.answer is None else [np.asarray(array, dtype=np.float64) for _, array in finding.answer.arrays()]
    if finding.verdict is Verdict.WRONG and not all(np.isfinite(array).all() for array in arrays):
        yield f"got {judgement.got:g} is told, and NaN or infinity stands beside it"
    if judgement.got == 0.0 and not any(np.any(array) for _, array in problem.arrays()):
        yield "got 0.0, where all numbers of the problem are 0"
    if finding.law == AGREEMENT and finding.verdict is Verdict.WRONG:
        before = problem_at(finding.index, finding.seed, target=pair.make(False), precision=pair.precision)
        try:
            with np.errstate(all="ignore"):
                gross = verify(before, pair.make(False)(before.copy()), precision=pair.precision)
        except ProblemError:
            return
        if gross.verdict is Verdict.WRONG and _relative(gross) > 1e-3 and _relative(judgement) < 1e-6:
            yield f"shrunk from an error of {_relative(gross):.0e} to one of {_relative(judgement):.0e}"
    if any(name in ("two_calls_agree", "the_problem_before_does_not_matter") for name in _first_broken(report)) and (
        finding.verdict is Verdict.WRONG
    ):
        yield "wrong is told of a target whose calls differ"


def _first_broken(report: Report) -> list[str]:
    return [name for name, count in report.laws.items() if count.broken and name == "two_calls_agree"]


def _relative(judgement: Judgement) -> float:
    largest = max(abs(judgement.got), *map(abs, judgement.exact))
    return judgement.distance / largest if largest else 0.0
