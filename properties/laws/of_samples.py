"""Laws of samples: what a batch is to its parts. They need no oracle; each allows for the rounding bounds of all its calls."""

import numpy as np

from properties.laws.law import Case, NotPosable, Outcome
from properties.laws.posing import Entries, Side, agree, first, pose, samples, times, total
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
    parts = [pose(case, samples(problem, range(half))), pose(case, samples(problem, range(half, problem.batch)))]
    shares = [share_of(problem, part.problem) for part in parts]
    whole = total(times(share, part.side) for share, part in zip(shares, parts, strict=True))
    return agree(first(case).side, whole, "the gradient of the batch is not that of its two halves")


def the_mean_is_the_sum_over_the_batch_size(case: Case) -> Outcome:
    """The gradient of the mean over samples, times their number or the sum of their weights, is that of the sum.

    Cannot see: what is wrong with both. Needs: a target that supports both reductions.
    """
    problem = case.problem
    if problem.sample_weights is not None and not 0 < problem.total_weight < np.inf:
        raise NotPosable("it needs samples whose weights are not all 0")
    other = pose(case, problem.replaced(reduction="sum" if problem.reduction == "mean" else "mean"))
    factor = float(problem.total_weight if problem.reduction == "sum" else 1 / problem.total_weight)
    return agree(
        first(case).side, times(factor, other.side), "mean and sum differ by more than the number of samples, or the sum of their weights"
    )


def a_duplicated_sample_counts_twice(case: Case) -> Outcome:
    """A sample that stands twice in a batch adds its own gradient once more.

    Cannot see: what is wrong with each sample alone. Needs: a target that takes one more sample, and one alone.
    """
    problem = case.problem
    more = pose(case, samples(problem, [*range(problem.batch), 0]))
    alone = pose(case, samples(problem, [0]))
    expected = total([times(share_of(more.problem, problem), first(case).side), times(share_of(more.problem, alone.problem), alone.side)])
    return agree(more.side, expected, "a sample that stands twice does not add its gradient once more")


def the_order_of_samples_does_not_matter(case: Case) -> Outcome:
    """The samples of a batch in another order have the same gradient.

    Cannot see: what is the same in any order. Needs: two samples.
    """
    problem = case.problem
    if problem.batch < 2:
        raise NotPosable("it needs two samples")
    turned = pose(case, samples(problem, range(problem.batch - 1, -1, -1)))
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
    y = np.vstack([problem.y, rounded(output, case.precision.name)])
    more = pose(case, problem.of_samples([*range(problem.batch), 0]).replaced(y=y))
    share = share_of(more.problem, problem)
    return agree(_twice(more.side), _twice(times(share, first(case).side)), "a sample without an error adds to the gradient")


def equal_sample_weights_are_a_factor(case: Case) -> Outcome:
    """Where all samples have the same weight, a sum over them is that many times as large, and a mean is the mean without weights.

    Cannot see: weights that are given to the wrong samples. Needs: a target that takes samples with weights and without.
    """
    problem = case.problem
    if problem.sample_weights is None:
        raise NotPosable("its samples have no weights")
    if not any(np.any(weight) for weight in case.gradient.weights):
        # two calls that differ, by which all laws of related problems are held back, do not show where all is 0
        raise NotPosable("it needs a gradient that is not 0")
    equal = pose(case, problem.replaced(sample_weights=np.full(problem.batch, 2.0)))
    without = pose(case, problem.replaced(sample_weights=None))
    factor = 1.0 if problem.reduction == "mean" else 2.0
    return agree(equal.side, times(factor, without.side), "equal weights of samples are not a factor of a sum, or change a mean")


def share_of(whole: Problem, part: Problem) -> float:
    """How much some samples count in the loss of a whole batch."""
    return float(part.total_weight / whole.total_weight) if whole.reduction == "mean" else 1.0


def _twice(side: Side) -> Side:
    return {place: Entries(entries.values, 2 * entries.allowed) for place, entries in side.items()}
