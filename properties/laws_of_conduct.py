"""Laws of conduct: a target answers, in the right shape, leaves its inputs alone and says the same twice."""

import numpy as np

from properties.judgement import measured
from properties.law import HELD, Outcome, Trial, broken, not_applicable
from properties.verdict import Verdict


def it_answers(trial: Trial) -> Outcome:
    """The target answers every problem that it supports: no error, no hang.

    Cannot see: whether the answer is right. Needs: nothing.
    """
    answer = trial.answer
    if answer.verdict in (Verdict.RAISES, Verdict.TIMES_OUT):
        return broken(answer.verdict, answer.message)
    return HELD


def shapes_and_dtypes_are_right(trial: Trial) -> Outcome:
    """Each array has the shape of what it is the derivative by, and holds floating-point numbers; nothing is missing.

    Cannot see: numbers. Needs: an answer.
    """
    answer = trial.answer
    if answer.verdict is Verdict.MALFORMED:
        return broken(answer.verdict, answer.message)
    return HELD if answer.gradient is not None else not_applicable("the target gave no answer")


def inputs_are_left_alone(trial: Trial) -> Outcome:
    """The target does not write to what it is given, nor to an answer that it gave before.

    Cannot see: writes that put the same numbers back, or to what the problem does not hold. Needs: nothing.
    """
    changed = trial.answer.changed
    return broken(Verdict.IMPURE, f"it wrote to {', '.join(changed)}") if changed else HELD


def two_calls_agree(trial: Trial) -> Outcome:
    """Two calls with the same problem agree within the rounding bound of two passes.

    Cannot see: what is the same each time. Needs: two answers. Rounding: some engines sum in an order that changes from
    call to call, so each call may be off by the bound of its own.
    """
    first, again = trial.gradient, trial.ask(trial.problem)
    if again.changed and not trial.answer.changed:
        return broken(Verdict.IMPURE, f"the second call wrote to {', '.join(again.changed)}")
    if again.gradient is None:
        return broken(again.verdict or Verdict.UNSTABLE, f"it answers the first time, but not the second: {again.message}")
    pairs = list(zip(first.arrays(), again.gradient.arrays(), strict=False))
    if [place for place, _ in first.arrays()] != [place for place, _ in again.gradient.arrays()]:
        return broken(Verdict.UNSTABLE, "it gives other quantities the second time")
    if all(np.array_equal(a, b, equal_nan=True) for (_, a), (_, b) in pairs):
        return HELD
    for entry in measured(again.gradient, first, first, trial.exact.bound(trial.precision, None)):
        # each call is within the bound, so both are within twice the bound of each other
        apart = ~(entry.distance <= 2 * entry.allowed) & ~(np.isnan(entry.got) & np.isnan(entry.low)) & np.isfinite(entry.allowed)
        if apart.any():
            index = tuple(int(i) for i in np.argwhere(apart)[0])
            numbers = f"{float(entry.low[index])!r} the first time and {float(entry.got[index])!r} the second"
            return broken(Verdict.UNSTABLE, f"{entry.place}{list(index)} is {numbers}")
    return HELD
