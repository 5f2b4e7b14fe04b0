"""Laws of samples: what a batch is to its parts. They need no oracle; each allows for the rounding bounds of all its calls."""

import numpy as np

from properties.laws.law import Case, NotPosable, Outcome
from properties.laws.related_problems import Entries, Side, agree, first, pose, times, total
from properties.problems.values import rounded
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.problem import Problem


def batch_gradients_add(case: Case) -> Outcome:
    """The gradient of a batch is the sum of those of its parts; of a mean, weighed by their share of the samples.

    Cannot see: what is wrong with each sample alone. Needs: two samples.
    """
    problem = case.problem
    if problem.batch < 2:
        raise NotPosable("it needs two samples")
    half = problem.batch // 2
    parts = [pose(case, _samples(problem, range(half))), pose(case, _samples(problem, range(half, problem.batch)))]
    shares = [_share(problem, part.problem.batch) for part in parts]
    whole = total(times(share, part.side) for share, part in zip(shares, parts, strict=True))
    return agree(first(case).side, whole, "the gradient of the batch is not that of its two halves")


def the_mean_is_the_sum_over_the_batch_size(case: Case) -> Outcome:
    """The gradient of the mean over samples, times their number, is that of the sum.

    Cannot see: what is wrong with both. Needs: a target that supports both reductions.
    """
    problem = case.problem
    other = pose(case, problem.replaced(reduction="sum" if problem.reduction == "mean" else "mean"))
    factor = problem.batch if problem.reduction == "sum" else 1 / problem.batch
    return agree(first(case).side, times(factor, other.side), "mean and sum differ by more than the number of samples")


def a_duplicated_sample_counts_twice(case: Case) -> Outcome:
    """A sample that stands twice in a batch adds its own gradient once more.

    Cannot see: what is wrong with each sample alone. Needs: a target that takes one more sample, and one alone.
    """
    problem = case.problem
    more = pose(case, _samples(problem, [*range(problem.batch), 0]))
    alone = pose(case, _samples(problem, [0]))
    expected = total([times(_share(more.problem, problem.batch), first(case).side), times(_share(more.problem, 1), alone.side)])
    return agree(more.side, expected, "a sample that stands twice does not add its gradient once more")


def the_order_of_samples_does_not_matter(case: Case) -> Outcome:
    """The samples of a batch in another order have the same gradient.

    Cannot see: what is the same in any order. Needs: two samples.
    """
    problem = case.problem
    if problem.batch < 2:
        raise NotPosable("it needs two samples")
    turned = pose(case, _samples(problem, range(problem.batch - 1, -1, -1)))
    return agree(turned.side, first(case).side, "the samples in reverse order have another gradient")


def a_sample_without_error_adds_nothing(case: Case) -> Outcome:
    """A sample whose outputs are as expected adds nothing to the sum over samples.

    Cannot see: what is wrong with samples that have an error. Needs: a loss of differences, and one more sample.
    Rounding: the expected output is the reference's own, rounded; what that leaves is within the bound once more, so each counts twice.
    """
    problem = case.problem
    if not row_of(LOSSES, problem.loss).of_differences:
        raise NotPosable("its loss has no sample without an error")
    output = first(case).exact.passes.forward.activations[-1][:1]
    if not np.isfinite(output).all():
        raise NotPosable("its output leaves the range")
    x, y = np.vstack([problem.x, problem.x[:1]]), np.vstack([problem.y, rounded(output, case.precision.name)])
    more = pose(case, problem.replaced(x=x, y=y))
    share = _share(more.problem, problem.batch)
    return agree(_twice(more.side), _twice(times(share, first(case).side)), "a sample without an error adds to the gradient")


def _samples(problem: Problem, chosen: list[int] | range) -> Problem:
    return problem.replaced(x=problem.x[list(chosen)], y=problem.y[list(chosen)])


def _share(whole: Problem, samples: int) -> float:
    """How much some samples count in the loss of a whole batch."""
    return samples / whole.batch if whole.reduction == "mean" else 1.0


def _twice(side: Side) -> Side:
    return {place: Entries(entries.values, 2 * entries.allowed) for place, entries in side.items()}
