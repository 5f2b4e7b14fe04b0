"""Laws of conduct: a target answers, in the right shape, leaves its inputs alone and says the same twice."""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from properties.judging.judgement import measured
from properties.laws.law import HELD, Answered, Case, NotPosable, Outcome, broken, not_applicable
from properties.laws.posing import own_rounding, samples
from properties.problems.memory_layouts import OF_ANY_NUMBERS
from properties.verdict import Verdict
from reference.gradient import Gradient


def it_answers(case: Case) -> Outcome:
    """The target answers every problem that it supports: no error, no hang.

    Cannot see: whether the answer is right. Needs: nothing.
    """
    answer = case.answer
    if answer.verdict in (Verdict.RAISES, Verdict.TIMES_OUT):
        return broken(answer.verdict, answer.message)
    return not_applicable(answer.message) if answer.declined else HELD


def with_a_gradient(answered: Answered) -> Sequence[bool]:
    """Which answers are gradients, so that the target answered, in the right form."""
    return [answer.gradient is not None for answer in answered.answers]


def shapes_and_dtypes_are_right(case: Case) -> Outcome:
    """Each array has the shape of what it is the derivative by, and holds floating-point numbers; nothing is missing.

    Cannot see: numbers. Needs: an answer.
    """
    answer = case.answer
    if answer.verdict is Verdict.MALFORMED:
        return broken(answer.verdict, answer.message)
    return HELD if answer.gradient is not None else not_applicable("the target gave no answer")


def inputs_are_left_alone(case: Case) -> Outcome:
    """The target does not write to what it is given.

    Cannot see: writes that put the same numbers back, or to what the problem does not hold. Needs: a target that outlives the call.
    """
    if case.answer.gone:
        return not_applicable("the target's process is gone, and its inputs with it")
    changed = case.answer.changed
    return broken(Verdict.IMPURE, f"it wrote to {', '.join(changed)}") if changed else HELD


def with_inputs_left_alone(answered: Answered) -> Sequence[bool]:
    """Which calls wrote to nothing, and were outlived."""
    return [not answer.changed and not answer.gone for answer in answered.answers]


def two_calls_agree(case: Case) -> Outcome:
    """Two calls with the same problem agree within the rounding bound of two passes.

    Cannot see: what is the same each time. Needs: two answers. Rounding: some engines sum in an order that changes from
    call to call, so each call may be off by the bound of its own.
    """
    again = case.again
    if again.gradient is None:
        return broken(again.verdict or Verdict.UNSTABLE, f"it answers the first time, but not the second: {again.message}")
    if again.changed and not case.answer.changed:
        return broken(Verdict.IMPURE, f"the second time it wrote to {', '.join(again.changed)}")
    return _same_but_for_rounding(case, again.gradient, "the second time")


def the_same_twice(answered: Answered) -> Sequence[bool]:
    """Which second answers are the first ones, bit by bit, and wrote to nothing; of what was asked once nothing is said."""
    pairs = zip(answered.answers, answered.again, strict=True)
    return [again is not None and not again.changed and answer.same_as(again) for answer, again in pairs]


def the_memory_layout_does_not_matter(case: Case) -> Outcome:
    """Inputs in Fortran order, strided, with negative strides and read-only have the same gradient, or are refused with an error.

    Cannot see: which layouts are refused, which is a target's right. Needs: an answer to some other layout, and a first
    one that is not wrong: nobody knows how far rounding moves what a wrong pass computes, which may be on a kink of its own.
    """
    if case.judgement.verdict is Verdict.WRONG:
        return not_applicable("the answer is wrong in any layout")
    refused = []
    for memory_layout in OF_ANY_NUMBERS:
        again = case.ask(case.problem, memory_layout)
        if again.gradient is None:
            refused.append(f"{memory_layout} ({again.message})")
        elif (outcome := _same_but_for_rounding(case, again.gradient, f"with inputs that are {memory_layout}")) is not HELD:
            return outcome
    return not_applicable(f"it refuses all layouts: {'; '.join(refused)}") if len(refused) == len(OF_ANY_NUMBERS) else HELD


def the_problem_before_does_not_matter(case: Case) -> Outcome:
    """The answer to a problem is the same whichever problem came before it, and stays as it is when others come after it.

    Cannot see: what is kept from the very first problem on. Needs: answers to two problems.
    """
    problem = case.problem
    others = [problem.replaced(x=-problem.x)]
    if problem.batch > 1:
        with suppress(NotPosable):
            others.append(samples(problem, range(problem.batch - 1)))
    posed = [other for other in others if not case.support.refusal(other)]
    if not posed:
        raise NotPosable("it needs another problem that the target supports")
    case.ask(problem)
    for other in posed:
        overwritten = case.ask(other).overwritten
        if overwritten:
            return broken(Verdict.IMPURE, f"another problem's answer overwrote {', '.join(overwritten)} of this one: they share memory")
    again = case.ask(problem)
    if again.gradient is None:
        return broken(again.verdict or Verdict.UNSTABLE, f"after another problem it gives no answer: {again.message}")
    return _same_but_for_rounding(case, again.gradient, "after another problem")


def _same_but_for_rounding(case: Case, again: Gradient, when: str) -> Outcome:
    """Whether a first and a later answer to the same problem are within twice the bound: each may be off by it, a wrong one by more."""
    first = case.gradient
    if [place for place, _ in first.arrays()] != [place for place, _ in again.arrays()]:
        return broken(Verdict.UNSTABLE, f"it gives other quantities {when}")
    if all(np.array_equal(a, b, equal_nan=True) for (_, a), (_, b) in zip(first.arrays(), again.arrays(), strict=True)):
        return HELD
    bound = case.exact.bound(case.precision, None, jumps=True)
    more = own_rounding(first, case.exact.reference, bound, case.precision)
    for entry in measured(again, first, first, bound):
        no_number = ~np.isfinite(entry.got) & ~np.isfinite(entry.low)
        apart = ~(entry.distance <= 2 * (entry.allowed + more[entry.place])) & ~no_number & np.isfinite(entry.allowed)
        if apart.any():
            index = tuple(int(i) for i in np.argwhere(apart)[0])
            numbers = f"{float(entry.low[index])!r} the first time and {float(entry.got[index])!r} {when}"
            return broken(Verdict.UNSTABLE, f"{entry.place}{list(index)} is {numbers}")
    return HELD
