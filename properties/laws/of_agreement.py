"""Laws of agreement: the answer is near the exact gradient, and near what each oracle says."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from oracles.available import ORACLES
from oracles.oracle import NotApplicable, Oracle
from properties.judging.auditing import audited, too_large
from properties.judging.by_second_moment import is_large, posed_again
from properties.judging.by_worst_case import beyond_suspicion
from properties.judging.judge import judge
from properties.judging.judgement import Exact
from properties.laws.law import HELD, Answered, Case, Law, Outcome, Status, broken, not_applicable
from properties.verdict import Verdict
from reference.gradient import Place
from rounding.precisions import PRECISIONS


def it_agrees_with_the_exact_gradient(case: Case) -> Outcome:
    """Every entry lies within the rounding bound of the exact gradient: the reference says where, ball arithmetic confirms.

    Cannot see: mistakes below the bound. Needs: an answer. Rounding: the worst-case bound of each entry; at real sizes the second-moment
    bound, whose alarm is confirmed on a permuted problem with other numbers.
    """
    judgement = case.judgement
    if judgement.verdict is Verdict.INCONCLUSIVE and not judgement.disagreement:
        return Outcome(Status.NOT_APPLICABLE, message=judgement.reason, judgement=judgement)
    if judgement.verdict in (Verdict.RIGHT, Verdict.LOSSY):
        return Outcome(Status.HELD, judgement.verdict, judgement.reason, judgement)
    if judgement.verdict is Verdict.WRONG and judgement.statistical and not _confirmed(case, judgement.place):
        return not_applicable("a suspicion of the statistical bound that did not show again, on a permuted problem with other numbers")
    return broken(judgement.verdict, judgement.reason, judgement)


def beyond_all_suspicion(answered: Answered) -> Sequence[bool]:
    """Which answers are right by the reference and its worst-case bound alone; at real sizes none, where another bound serves best."""
    beyond = np.zeros(len(answered.answers), dtype=bool)
    alike: dict[Any, list[int]] = {}
    for i, (answer, precision) in enumerate(zip(answered.answers, answered.precisions, strict=True)):
        if answer.gradient is not None and not is_large(answered.problems):
            alike.setdefault((precision, *(place for place, _ in answer.gradient.arrays())), []).append(i)
    for (precision, *_), group in alike.items():
        all_of_them = len(group) == len(answered.problems.x)
        problems = answered.problems if all_of_them else answered.problems.at([answered.places[i] for i in group])
        gradients = [gradient for i in group if (gradient := answered.answers[i].gradient) is not None]
        exact = Exact(problems)
        beyond[group] = clear = beyond_suspicion(exact, gradients, precision)
        answered.known.update({answered.places[group[at]]: exact.at(at) for at in np.flatnonzero(~clear).tolist()})
    return beyond.tolist()


def _confirmed(case: Case, place: Place | None) -> bool:
    """Whether the target is off on a permuted problem as well: honest rounding would hardly be so twice.

    place: the array that is suspected: one that is right but for that acquits of nothing.
    """
    problem = posed_again(case.problem, case.precision)
    again = case.ask(problem)
    if again.gradient is None:
        return True
    judgement = judge(Exact(problem), again.gradient, case.precision, peers=case.peers)
    return judgement.verdict not in (Verdict.RIGHT, Verdict.LOSSY) or place in judgement.without


def what_is_right_stands_an_audit(case: Case) -> Outcome:
    """A right answer lies within the bound of ball arithmetic's enclosure too, and so does the reference.

    Cannot see: mistakes of the target; it is backproof that is audited here. Needs: a right answer, on a problem that ball arithmetic has
    done with in seconds. Rounding: the bound that the answer was judged by; the reference's own worst case.
    """
    judgement = case.judgement
    if judgement.verdict is not Verdict.RIGHT:
        return not_applicable(f"it needs an answer that is right, not {judgement.verdict.value}")
    if reason := too_large(case.problem):
        return not_applicable(reason)
    audit = audited(case.exact, case.gradient, judgement)
    if audit.verdict in (Verdict.RIGHT, Verdict.LOSSY):
        return Outcome(Status.HELD, audit.verdict, audit.reason, audit)
    if audit.statistical:
        # right beside the reference, which is confirmed: no more than a suspicion
        return not_applicable(f"{audit.verdict.value} beside ball arithmetic, by a statistical bound: {audit.reason}")
    return broken(audit.verdict, audit.reason, audit)


def agreement_with(oracle: Oracle) -> Law:
    """The law that the answer agrees with one oracle, as far as both may be trusted."""

    def agrees(case: Case) -> Outcome:
        try:
            reply = oracle.answer(case.problem)
        except NotApplicable as reason:
            return not_applicable(f"{oracle.name}: {reason}")
        # the oracle may use textbook formulas, be off by a bound of its own and take another slope at a kink, as may the target
        trust = reply.error or case.exact.bound(PRECISIONS["float64"], None, jumps=True)
        allowed, margins = dict(case.exact.bound(case.precision, None, jumps=True).arrays()), dict(trust.arrays())
        said = dict(reply.gradient.arrays())
        shared = [(place, np.asarray(array, dtype=np.float64)) for place, array in case.gradient.arrays() if place in said]
        compared = 0
        for place, got in shared:
            margin = np.asarray(allowed[place] + margins[place])
            # nothing is said where no claim is made, nor where the oracle itself gives no number
            claimed = np.isfinite(margin) & np.isfinite(said[place])
            compared += int(claimed.sum())
            with np.errstate(all="ignore"):
                apart = claimed & ~(np.abs(got - said[place]) <= margin)
            if apart.any():
                return _who_is_off(oracle, case, place)
        return HELD if compared else not_applicable(f"{oracle.name}: no entry for which a claim is made")

    agrees.__name__ = f"it_agrees_with_{oracle.name}"
    agrees.__doc__ = f"""Every entry agrees with {oracle.name}, as far as both may be trusted.

    Cannot see: mistakes below the bounds of both. Needs: an answer, and {oracle.module or "nothing more"}. {oracle.trust}
    """
    return Law(agrees)


def _who_is_off(oracle: Oracle, case: Case, place: Place) -> Outcome:
    """Where target and oracle are apart, ball arithmetic decides."""
    judgement = case.judgement
    if judgement.verdict in (Verdict.RIGHT, Verdict.LOSSY):
        return not_applicable(f"{oracle.name} itself is off: ball arithmetic agrees with the target at {place}")
    if judgement.verdict is Verdict.INCONCLUSIVE and not judgement.disagreement:
        return not_applicable(judgement.reason)
    return broken(judgement.verdict, f"{place} differs from {oracle.name}", judgement)


ORACLE_LAWS: dict[str, Law] = {name: agreement_with(oracle) for name, oracle in ORACLES.items()}
"""The laws that are judged where their oracle is asked for."""
