"""What is said of each quantity of a wrong answer: right, off by one factor, or off without one. All layers, not the worst alone."""

from collections.abc import Iterable

import numpy as np

from properties.judging.answer_in_sigmas import beside_reference
from properties.judging.array_verdict import ArrayVerdict
from properties.judging.by_second_moment import is_large
from properties.judging.judgement import Exact, measured
from reference.arrays import AnyArray, Array
from reference.gradient import Gradient, Place
from reference.problem import Problem
from rounding.arithmetic import SIGMAS_ALLOWED
from rounding.precisions import Precision

TWOS = {2.0: "twice", 0.5: "one half"}
"""Factors that need no size."""

MOST = 2_000_000
"""Of more weights nothing is said beyond the worst entry: all entries and their bounds would have to be held at once."""


def quantities(exact: Exact, answer: Gradient, precision: Precision) -> tuple[ArrayVerdict, ...]:
    """What is said of each array of an answer, by whatever formulas; () of a network that is too large."""
    if sum(weight.size for weight in exact.problem.weights) > MOST:
        return ()
    with np.errstate(all="ignore"):
        return tuple(_said(exact.problem, *entries) for entries in _entries(exact, answer, precision))


def _entries(exact: Exact, answer: Gradient, precision: Precision) -> Iterable[tuple[Place, AnyArray, Array, Array]]:
    """Each array, what is exact, and how far each entry may be from that."""
    if is_large(exact.problem):
        for one in beside_reference(exact, answer, precision, None).arrays:
            yield one.place, one.got, np.asarray(one.low), SIGMAS_ALLOWED * one.unit * np.sqrt(np.asarray(one.variance, dtype=np.float64))
        return
    for entry in measured(answer, exact.reference, exact.reference, exact.bound(precision, None, jumps=True)):
        yield entry.place, entry.got, entry.low, entry.allowed


def _said(problem: Problem, place: Place, got: AnyArray, right: Array, allowed: Array) -> ArrayVerdict:
    got = np.asarray(got, dtype=np.float64)
    claimed = np.isfinite(allowed)
    if not claimed.any():
        return ArrayVerdict(place, "unknown")
    got, right, allowed = got[claimed], right[claimed], allowed[claimed]
    if np.all(np.abs(got - right) <= allowed):
        return ArrayVerdict(place, "right")
    size = float(right @ right)
    factor = float(got @ right) / size if size else np.nan
    meanings = [(value, name) for value, name in _factors(problem) if np.all(np.abs(got - value * right) <= (1 + abs(value)) * allowed)]
    if meanings and np.any(right):
        named = [name for value, name in meanings if value == meanings[0][0] and name]
        # where a size is 2 by chance it may be a factor of 2 all the same
        named = [TWOS[meanings[0][0]], *named] if named and meanings[0][0] in TWOS else named
        return ArrayVerdict(place, "factor", meanings[0][0], ", or ".join(named))
    # one number is always off by some factor
    several = np.count_nonzero(np.abs(right) > allowed) > 1
    # any entry is within what an infinite one would allow
    if several and np.isfinite(factor) and np.all(np.abs(got - factor * right) <= (1 + abs(factor)) * allowed):
        return ArrayVerdict(place, "factor", factor)
    return ArrayVerdict(place, "off")


def _factors(problem: Problem) -> list[tuple[float, str]]:
    """The factors that mistakes have, and what they are."""
    batch, outputs = problem.batch, problem.widths[-1]
    sizes: list[tuple[float, str]] = [(batch, "the batch size"), (outputs, "the number of outputs")]
    if batch > 1 < outputs:
        sizes.append((batch * outputs, "the batch size times the number of outputs"))
    counted = problem.sample_weights is not None
    if counted:
        total = float(problem.total_weight)
        sizes = [(total, "the sum of the weights of samples"), (total / batch, "the mean weight of samples"), *sizes]
    named = [each for n, name in sizes if n > 0 and n != 1 for each in ((float(n), name), (1 / n, f"1 over {name}"))]
    # whoever takes the other reduction has no mistake, and has not said so
    over, name_of = (float(problem.total_weight), "weights of samples") if counted else (float(batch), "batch size")
    other = (over, "sum", "mean") if problem.reduction == "mean" else (1 / max(over, 1e-300), "mean", "sum")
    told = f": that of a {other[1]} over samples, where the {other[2]} is asked for (the reductions of `supports`)"
    named = [(value, name + told if value == other[0] and name.endswith(name_of) else name) for value, name in named]
    return [(0.0, "nothing is there"), (-1.0, "the other sign"), (2.0, ""), (0.5, ""), *named]
