"""The audit: a right answer, and the reference with it, beside ball arithmetic, by the rule that the answer was judged by."""

from oracles.balls.enclosure import cost
from properties.judging.by_worst_case import judge_by_enclosure
from properties.judging.judgement import Exact, Judgement, precision_named
from properties.judging.settling import audited_by_sigma
from reference.gradient import Gradient
from reference.problem import Problem

LARGEST_AUDITED = 200_000
"""What costs ball arithmetic more is not audited: it would take more than some ten seconds, or half a minute with more digits."""


def too_large(problem: Problem) -> str:
    """Why a problem is not audited, or ""."""
    if cost(problem) <= LARGEST_AUDITED:
        return ""
    weights = sum(weight.size for weight in problem.weights)
    return (
        f"{weights:,} weights, {sum(problem.widths[1:]):,} nodes and {problem.batch:,} samples are too many for an audit by ball arithmetic"
    )


def audited(exact: Exact, answer: Gradient, judgement: Judgement) -> Judgement:
    """What ball arithmetic says of an answer that was judged to be right; by the statistical bound, one of WRONG is a suspicion."""
    precision = precision_named(judgement.precision)
    by_rule = audited_by_sigma if judgement.statistical else judge_by_enclosure
    return by_rule(exact, answer, precision)
