"""Laws of agreement: the answer is near the exact gradient, and near what each oracle says."""

from oracles.available import ORACLES
from oracles.oracle import NotApplicable, Oracle
from properties.judgement import measured
from properties.law import HELD, Law, Outcome, Status, Trial, broken, not_applicable
from properties.verdict import Verdict
from reference.precisions import PRECISIONS
from reference.problem import Gradient, Place


def it_agrees_with_the_exact_gradient(trial: Trial) -> Outcome:
    """Every entry lies within the rounding bound of the exact gradient: the reference says where, ball arithmetic confirms.

    Cannot see: mistakes below the bound. Needs: an answer. Rounding: the worst-case bound of each entry.
    """
    judgement = trial.judgement
    if judgement.verdict is Verdict.INCONCLUSIVE:
        return not_applicable(judgement.reason)
    if judgement.verdict in (Verdict.RIGHT, Verdict.LOSSY):
        return Outcome(Status.HELD, judgement.verdict, judgement.reason, judgement)
    return broken(judgement.verdict, judgement.reason, judgement)


def agreement_with(oracle: Oracle) -> Law:
    """The law that the answer agrees with one oracle, as far as both may be trusted."""

    def agrees(trial: Trial) -> Outcome:
        try:
            reply = oracle.answer(trial.problem)
        except NotApplicable as reason:
            return not_applicable(f"{oracle.name}: {reason}")
        # the oracle may use textbook formulas and be off by a bound of its own, as may the target
        trust = reply.error or trial.exact.bound(PRECISIONS["float64"], None)
        allowed = trial.exact.bound(trial.precision, None)
        places = {place for place, _ in reply.gradient.arrays()}
        shared = only(trial.gradient, places)
        margins = dict(trust.arrays())
        for entry in measured(shared, only(reply.gradient, places), only(reply.gradient, places), only(allowed, places)):
            if not (entry.distance <= entry.allowed + margins[entry.place]).all():
                if trial.judgement.verdict in (Verdict.RIGHT, Verdict.LOSSY):
                    return not_applicable(f"{oracle.name} itself is off: ball arithmetic agrees with the target at {entry.place}")
                return broken(trial.judgement.verdict, f"{entry.place} differs from {oracle.name}", trial.judgement)
        return HELD

    agrees.__name__ = f"it_agrees_with_{oracle.name}"
    agrees.__doc__ = f"""Every entry agrees with {oracle.name}, as far as both may be trusted.

    Cannot see: mistakes below the bounds of both. Needs: an answer, and {oracle.module or "nothing more"}. {oracle.trust}
    """
    return Law(agrees)


def only(gradient: Gradient, places: set[Place]) -> Gradient:
    """The arrays of a gradient at some places."""
    kept: dict[str, object] = {}
    for place, array in gradient.arrays():
        if place not in places:
            continue
        if place.layer is None:
            kept[place.quantity] = array
        else:
            listed = kept.setdefault(place.quantity, [None] * len(gradient.weights))
            listed[place.layer - 1] = array  # type: ignore[index]
    return Gradient(**({"weights": ()} | kept))  # type: ignore[arg-type]


ORACLE_LAWS: dict[str, Law] = {name: agreement_with(oracle) for name, oracle in ORACLES.items()}
"""The laws that are judged where their oracle is asked for."""
