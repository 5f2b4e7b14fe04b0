"""What every report that people read says first, as plain data: what makes a verdict mean less, the place and cause, and what to change."""

import re
import shlex
from dataclasses import dataclass, replace
from itertools import zip_longest

from backproof.findings.causes import in_words
from backproof.findings.finding import Finding
from backproof.findings.known_laws import JUDGES
from backproof.findings.report import LawCount, Report
from backproof.findings.text import counted
from backproof.reports.chain import activation_named, factor_of
from backproof.reports.mathematics import RIGHT, Right, formula_of_activation, formula_of_loss, right_of, right_of_slope
from backproof.reports.values import capital
from properties.diagnosis.diagnosis import Diagnosis
from properties.diagnosis.sentences import listed
from properties.diagnosis.table import all_variants
from properties.verdict import Verdict
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import Choice, name_and_parameters
from reference.problem import Problem

LOW_SENSITIVITY = 1e-3
"""Where only a larger relative error would have been seen, a reader is told before the verdict."""

IN_PART = re.compile(r"in part it is as if (.+): that explains (\d+) of (\d+) wrong answers")
"""What a diagnosis says where a mistake explains some answers and not all."""

MOST = 0.9
"""Such a share of the wrong answers is most of them."""

SAYS_ITSELF = (Verdict.RAISES, Verdict.MALFORMED, Verdict.TIMES_OUT, Verdict.IMPURE)
"""Verdicts whose message says what to change."""

BADGES = {Verdict.RIGHT: "good", Verdict.LOSSY: "fair", Verdict.INCONCLUSIVE: "fair"}


@dataclass(frozen=True)
class Doubt:
    """Something that makes the verdict mean less. loud: whether it must be read before it; more: what is said of it at length."""

    said: str
    loud: bool = False
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class Headline:
    """Place and cause. where: "Equation 3, layer 1 (sigmoid)", or ""; what: one sentence; more: the sentences after it.

    right: what the factor must be, None where none is named; formula: of its loss or activation in letters, or ""; in_part: whether it
    explains most of what is wrong and not all, so that what was read of the first factor that is off is no evidence of it.
    """

    where: str
    what: str
    more: str = ""
    right: Right | None = None
    formula: str = ""
    in_part: bool = False


def doubts(report: Report) -> list[Doubt]:
    """What could make the verdict mean less, the gravest first."""
    told: list[Doubt] = []
    if report.disagreement:
        told.append(Doubt("The reference and ball arithmetic disagree: this is a mistake in backproof. Please report it.", True))
    if report.error:
        told.append(Doubt("Nothing could be run.", True, (report.error,)))
    if report.interrupted:
        told.append(Doubt(f"The run was cut short: this is the report after {counted(report.examples, 'problem')}.", True))
    if report.doubts:
        told.append(Doubt(f"Of {counted(report.doubts, 'problem')} nothing can be said before the precision of sums is named.", True))
    if report.unjudged:
        places = "; ".join(str(one.place) for one in report.unjudged)
        told.append(Doubt(f"Nothing could be said in any problem of {places}.", True, tuple(map(str, report.unjudged))))
    if not report.error and JUDGES not in report.laws:
        told.append(Doubt("No answer was held against the exact gradient: only some laws were asked for.", True))
    blunt = {name: size for name, size in report.sees.items() if size > LOW_SENSITIVITY}
    if blunt:
        said = ", ".join(f"in one {name} below {size:.0e}" for name, size in blunt.items())
        # of a target that is wrong it is no news that smaller errors would not have been seen
        told.append(Doubt(f"Low sensitivity: a relative error {said} would not have been seen.", report.verdict.passes()))
    if report.judged < report.examples:
        told.append(Doubt(f"{report.examples - report.judged} of {counted(report.examples, 'problem')} could not be judged"))
    never = [said for status, said in report.laws_told() if status == "not applicable"]
    count = sum(one.status == "not applicable" for one in report.laws.values())
    if count:
        told.append(Doubt(f"{count} of {len(report.laws)} laws never applied", more=tuple(_without_status(one) for one in never)))
    if report.blind:
        blind = next(line for line in report.summary() if line.startswith("blind"))
        told.append(Doubt(f"blind to some slopes in {report.precision}", more=(blind,)))
    if report.notes:
        told.append(Doubt(counted(len(report.notes), "note"), more=report.notes))
    return told


def headline(report: Report) -> Headline:
    """Place and cause in one sentence, and what to change."""
    if not report.findings:
        if report.error:
            return Headline("", "Nothing could be run.")
        return Headline("", f"{capital(report.meaning)}.")
    first, diagnosis = report.findings[0], report.findings[0].diagnosis
    why = first.message or (first.judgement.reason if first.judgement else "")
    # a place alone is no news beside an error that says what it is
    placed = diagnosis is not None and factor_of(diagnosis) in RIGHT and first.verdict not in SAYS_ITSELF
    known = diagnosis is not None and (diagnosis.cause or placed)
    if diagnosis is not None and known and (diagnosis.cause or first.verdict is not Verdict.LOSSY):
        told = of_diagnosis(diagnosis, first)
        # such a message says what was answered, and often how it is mended
        if first.verdict is Verdict.MALFORMED and why:
            # the shape is what the badge means
            return replace(told, more=f"{capital(why).rstrip('.')}. {told.more}".strip())
        return replace(told, more=f"{told.more} {capital(why)}".strip()) if why and first.verdict in SAYS_ITSELF else told
    if first.verdict in SAYS_ITSELF and why:
        advice = [f"{capital(note)}." for note in report.notes if note.startswith(("ended after", "each of"))]
        return Headline("", capital(why), " ".join([diagnosis.explanation if diagnosis else f"{capital(first.verdict.meaning)}.", *advice]))
    if first.verdict is Verdict.LOSSY and first.judgement:
        accurate = [f"{name}: {formula_of_activation(name)}" for name in first.judgement.functions if name in ACTIVATIONS]
        keeps = f" What keeps them: {'; '.join(accurate)}." if accurate else ""
        return Headline("", f"{capital(report.meaning)}.", f"{capital(why)}.{keeps}")
    each = dict(first.judgement.rows()).get("each", "") if first.judgement else ""
    if each:
        return Headline("", f"{capital(report.meaning)}.", "; ".join(said for said in (each, why) if said))
    return Headline("", f"{capital(report.meaning)}.", capital(why))


def of_diagnosis(diagnosis: Diagnosis, finding: Finding) -> Headline:
    """The headline of one diagnosis."""
    if (mostly := _in_part(diagnosis, finding.problem)) is not None:
        return mostly
    factor = factor_of(diagnosis)
    said = diagnosis.explanation
    where, colon, rest = said.partition(": ")
    placed = bool(colon) and where.startswith(("equation", "the definition", "the answer", "what the network", "the loss", "the network"))
    if not placed:
        where, rest = "", said
    if not diagnosis.cause and factor in RIGHT:
        where = _place(diagnosis)
    what, _, more = rest.partition(". ")
    if not placed and factor in RIGHT:
        # the place stands above it
        what = what.rpartition(": ")[0] or what
    of_softmax = "(softmax)" in where
    right = right_of(factor, finding.problem, of_softmax)
    if factor == "slope" and not of_softmax:
        right = right_of_slope(_activation(diagnosis, finding.problem))
    formula = "" if of_softmax and factor in ("slope", "delta") else _formula(factor, diagnosis, finding.problem)
    return Headline(capital(where), capital(what) + ("" if what.endswith(".") else "."), more, right, formula)


def _in_part(diagnosis: Diagnosis, problem: Problem) -> Headline | None:
    """What explains most of the wrong answers, where no cause gives all of them: that is where to look first."""
    found = IN_PART.search(diagnosis.explanation)
    if diagnosis.cause or found is None or int(found[2]) < MOST * int(found[3]):
        return None
    row = next((one for one in all_variants().values() if one.sentence.rstrip(".").lower() == found[1].lower()), None)
    if row is None:
        return None
    where = capital(listed(row.equations)) if row.equations else ""
    others = int(found[3]) - int(found[2])
    more = f"That explains {found[2]} of {found[3]} wrong answers. In the other {others} something else is off as well."
    return Headline(where, f"In part it is as if {found[1]}.", more, right_of(row.step, problem), in_part=True)


def _place(diagnosis: Diagnosis) -> str:
    equations = " and ".join(map(str, diagnosis.equations))
    if not equations:
        return ""
    return f"equation{'s' if len(diagnosis.equations) > 1 else ''} {equations}{f', layer {diagnosis.layer}' if diagnosis.layer else ''}"


def _activation(diagnosis: Diagnosis, problem: Problem) -> Choice:
    """The activation of the layer that is meant: as the diagnosis names it, which read it in a problem of its own."""
    if named := activation_named(diagnosis):
        return next((choice for choice in problem.activations if name_and_parameters(choice)[0] == named), named)
    return problem.activations[min(diagnosis.layer or 1, problem.depth) - 1]


def _formula(factor: str, diagnosis: Diagnosis, problem: Problem) -> str:
    """What stands behind the letters of the right equation, in the problem that was found."""
    if factor in ("output_error", "reduction"):
        told = formula_of_loss(problem)
        mean = ", over the batch size" if problem.reduction == "mean" else ""
        return f"dC_0/da_j = {told}{mean}, for {problem.loss if isinstance(problem.loss, str) else problem.loss[0]}" if told else ""
    if factor in ("slope", "activation"):
        choice = _activation(diagnosis, problem)
        return f"{choice if isinstance(choice, str) else choice[0]}: {formula_of_activation(choice)}"
    return ""


NUMBERS = {"entry": "entry", "got": "yours", "exact": "should be", "by law": "by law", "allowed": "allowed"}
"""Rows of a judgement that stand beside the verdict, and what they are called there."""


def facts(report: Report) -> list[tuple[str, str]]:
    """The numbers beside the verdict."""
    if report.error:
        return []
    rows = []
    if report.findings:
        first = report.findings[0]
        count = report.laws.get(first.law, LawCount())
        failed, of = (count.broken, count.held + count.broken) if count.broken else (first.seen, report.examples)
        rows.append(("fails in", f"{failed} of {counted(of, 'problem')}"))
        rows.append(("smallest that shows it", f"{'-'.join(map(str, first.problem.widths))}, {counted(first.problem.batch, 'sample')}"))
        numbers = first.judgement.rows() if first.judgement else ()
        rows += [(NUMBERS[name], said) for name, said in numbers if name in NUMBERS]
    else:
        rows.append(("judged", f"{report.judged} of {counted(report.examples, 'problem')}"))
        rows.append(("laws held", f"{sum(one.status == 'held' for one in report.laws.values())} of {len(report.laws)}"))
        rows.append(("also by ball arithmetic", str(report.audited)))
        rows += [(f"would have seen, in one {name}", f"a relative error of {size:.0e}") for name, size in report.sees.items()]
    return [*rows, ("judged by", f"{report.precision}{', strictly' if report.strict else ''}")]


def nearness(report: Report) -> list[tuple[str, str]]:
    """How near a passing target's answers are to the exact gradient, and others on the same problems: the median over the best possible."""
    return [(f"over the best rounding in {one.precision}", f"{one.who}: {one.median:.2g}") for one in report.nearness]


def again(report: Report) -> list[tuple[str, str]]:
    """How the run and its findings are had again: what is done, and the command."""
    # a report of before this was saved says no other option
    others = report.asked_by or ("--strict" if report.strict else "")
    options = " ".join(word for word in (report.drawn_by, others) if word)
    if ":" in report.target or report.error:
        seed = "" if report.error else f"--seed {report.seed}"
        command = " ".join(word for word in ("backproof check", shlex.quote(report.target), seed, options) if word)
    else:
        # no command finds what was given as an object of Python
        says = f" and what {options} says" if options else ""
        command = f"backproof.check(target, seed={report.seed}), {report.target} in the target's place{says}"
    rows = [("the whole run", command)]
    for i, (_, file) in enumerate(zip_longest(report.findings, report.saved[: len(report.findings)]), 1):
        if file:
            rows.append((f"finding {i}", f"backproof replay {shlex.quote(file)}"))
    return rows


MEANS = {
    Verdict.RIGHT: """Right means that on every problem of this run each entry was as near to the exact gradient as honest rounding allows.
        It does not mean that the training loop, the data, the optimiser or the learning rate are right, nor that other activations, losses
        or shapes than those asked would be; and an error smaller than what the run could see would have passed.""",
    Verdict.LOSSY: """Lossy means right, by a formula that loses digits for some numbers, which training rarely notices. It does not mean
        that the training loop, the data or the optimiser are right.""",
    Verdict.INCONCLUSIVE: """Inconclusive means that too little could be judged: it is no word for right, and none for wrong.""",
}
OTHERWISE = """The verdict is about dC/dW and dC/db for given weights and samples. Mending what is named here makes that right; whether the
    training loop, the data, the optimiser and the learning rate are, is another question that no gradient answers."""


def meaning_of_right(report: Report) -> str:
    """What the verdict does not say."""
    return " ".join(MEANS.get(report.verdict, OTHERWISE).split())


def findings_by_cause(report: Report) -> list[tuple[str, list[tuple[int, Finding]]]]:
    """Findings by cause, each with its number from 1: what a diagnosis may explain together, all else by its verdict."""
    first = report.findings[0] if report.findings else None
    groups: dict[str, list[tuple[int, Finding]]] = {}
    for i, finding in enumerate(report.findings, 1):
        explains = first is not None and first.diagnoses and finding.verdict in (Verdict.WRONG, Verdict.NONFINITE, first.verdict)
        name = finding.verdict.value.replace("_", " ")
        if explains and first is not None:
            name = in_words(first.cause) if first.cause else _place(first.diagnoses[0]) or "cause not known"
        groups.setdefault(name, []).append((i, finding))
    return list(groups.items())


def _without_status(said: str) -> str:
    return said.partition(": ")[2]
