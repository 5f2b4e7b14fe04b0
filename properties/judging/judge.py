"""Judging one answer to one problem: by the worst case where that is sharp, else by the second-moment bound."""

from dataclasses import replace
from typing import Any

import numpy as np

from properties.answers.answer import Malformed, as_gradient
from properties.judging.by_second_moment import is_large, judge_by_deviation
from properties.judging.by_worst_case import TOO_WIDE, beyond_worst_case, judge_by_worst_case
from properties.judging.decimals import printed
from properties.judging.each_array import quantities
from properties.judging.judgement import Exact, Judgement, precision_named, precision_of
from properties.judging.of_no_sample import judge_of_no_sample
from properties.verdict import Verdict
from reference.errors import ProblemError
from reference.gradient import Gradient
from reference.problem import Problem
from rounding.precisions import PRECISIONS, Precision

FAR_LESS = 16
"""What is rounded in its products is off, over its norm, by more than u over this, in every layer."""

BEYOND_DOUBT = 10 / 8
"""One answer that is off by so many times what the statistical bound allows is called wrong; between, a run asks the target again."""


def judge(exact: Exact, answer: Gradient, precision: Precision, *, peers: bool = True, narrower: bool = False) -> Judgement:
    """The verdict of one well-formed answer; one of WRONG by a statistical bound is a suspicion, to be confirmed.

    peers: whether a suspicion is held beside honest passes of our own, which costs some twenty passes; narrower: whether it is asked by
    which narrower precisions what is wrong would be right, each of which costs a bound.
    Where nothing can be said of sums in few bits, an answer that is right even to sums in float32 is right.
    """
    if not exact.problem.batch:
        return judge_of_no_sample(exact, answer, precision)
    judgement = _judged(exact, answer, precision, peers)
    if judgement.verdict is Verdict.WRONG:
        if by_digits := printed(exact, answer, precision):
            return replace(judgement, reason=by_digits)
        if not narrower:
            return judgement
        meets, not_wrong = _narrower(exact, answer, precision)
        return replace(judgement, meets=meets, not_wrong_by=not_wrong)
    sharper = None if precision.sum_bits else PRECISIONS.get(f"{precision.name}/float32")
    passes = judgement.verdict in (Verdict.RIGHT, Verdict.LOSSY)
    incomplete = judgement.verdict is Verdict.INCONCLUSIVE or (passes and judgement.unjudged)
    if not incomplete or judgement.disagreement or sharper is None:
        return judgement
    by_sums = _judged(exact, answer, sharper, peers)
    if by_sums.verdict in (Verdict.RIGHT, Verdict.LOSSY):
        return by_sums
    if by_sums.verdict is Verdict.INCONCLUSIVE:
        return judgement
    said = judgement.reason or "; ".join(map(str, judgement.unjudged))
    hint = f"{said}; with sums in float32 it is {by_sums.verdict.value}: if it has them, say precision={sharper.name}"
    return replace(judgement, verdict=Verdict.INCONCLUSIVE, reason=hint, doubted_by=sharper.name)


def _narrower(exact: Exact, answer: Gradient, precision: Precision) -> tuple[str, tuple[str, ...]]:
    """The narrower precision by which a wrong answer is right, or "", and all by which it is not wrong: a common cause of small errors.

    One answer proves little: what is off at a kink, or by what underflows there, is right to it as well.
    """
    meets, not_wrong = "", []
    for name in list(PRECISIONS)[list(PRECISIONS).index(precision.name) + 1 :]:
        row = PRECISIONS[name]
        # what is computed in float32 may be finished in float64; coarser bounds hold much that is wrong
        if name != "float32" and not all(np.array_equal(row.held(array), array) for _, array in answer.arrays()):
            continue
        if beyond_worst_case(exact, answer, row):
            continue
        judged = _judged(exact, answer, row, peers=False)
        right = judged.verdict in (Verdict.RIGHT, Verdict.LOSSY)
        if right or judged.verdict is Verdict.INCONCLUSIVE:
            not_wrong.append(name)
        everywhere = not row.product_unit or _off_everywhere(exact, answer, row.product_unit / FAR_LESS)
        if right and not judged.unjudged and not meets and everywhere:
            meets = name
    return meets, tuple(not_wrong)


def _off_everywhere(exact: Exact, answer: Gradient, relative: float) -> bool:
    """Whether each layer's dC/dW is off by so much, over its norm: what is computed in few bits is, and a mistake in one place is not."""
    pairs = zip(answer.weights, exact.reference.weights, strict=True)
    return all(np.linalg.norm(np.subtract(got, right)) >= relative * np.linalg.norm(right) for got, right in pairs)


def _judged(exact: Exact, answer: Gradient, precision: Precision, peers: bool) -> Judgement:
    if is_large(exact.problem):
        return judge_by_deviation(exact, answer, precision, peers=peers)
    judgement = judge_by_worst_case(exact, answer, precision)
    return judge_by_deviation(exact, answer, precision, peers=peers) if judgement.reason == TOO_WIDE else judgement


def verify(problem: Problem, answer: Any, *, precision: str | None = None, strict: bool = False) -> Judgement:
    """Judge one answer to one problem.

    answer: a Gradient, or a pair (list of dC/dW, list of dC/db or None).
    precision: a name of PRECISIONS, or None for what the answer's dtype says (the lowest of mixed ones).
    strict: whether lossy fails too. Raises ProblemError for an unknown precision.
    """
    if not isinstance(problem, Problem):
        raise ProblemError(f"problem is a {type(problem).__name__}: expected a backproof.Problem")
    if precision is not None:
        precision_named(precision)
    try:
        gradient = as_gradient(answer, problem)
    except Malformed as error:
        return Judgement(Verdict.MALFORMED, precision or "float64", reason=str(error), strict=strict)
    judged_by = precision_of(gradient, precision)
    exact = Exact(problem)
    with np.errstate(all="ignore"):
        judgement = judge(exact, gradient, judged_by, narrower=True)
    if judgement.verdict is Verdict.WRONG and judgement.statistical and judgement.distance < BEYOND_DOUBT * judgement.allowed:
        # nobody can be asked again
        reason = f"a suspicion that one answer does not settle, since honest rounding does that once in a long while: {judgement.reason}"
        judgement = replace(judgement, verdict=Verdict.INCONCLUSIVE, reason=reason)
    told = with_quantities(judgement, exact, gradient)
    return replace(told, strict=True) if strict else told


def with_quantities(judgement: Judgement, exact: Exact, answer: Gradient) -> Judgement:
    """A judgement that is told: of one that is wrong, or not finite, with what is said of each quantity."""
    if judgement.verdict not in (Verdict.WRONG, Verdict.NONFINITE):
        return judgement
    return replace(judgement, quantities=quantities(exact, answer, precision_named(judgement.precision)))
