"""Posing: a law puts related problems to the target, and compares its answers with one another.

No exact gradient is needed: each answer may be off by the rounding bound of its own problem, so that two may differ by the sum.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from properties.judging.judgement import ALL_CALLS, Exact, Judgement
from properties.laws.law import HELD, Case, NotAnswered, NotPosable, Outcome, broken
from properties.verdict import Verdict
from reference.arrays import Array
from reference.gradient import Gradient, Place
from reference.problem import Problem
from rounding.precisions import PRECISIONS, Precision

OWN_ROUNDING = 2.0**-50
"""What a law's own sums of a few terms may round, relative to the sum of their sizes."""

LEAST = PRECISIONS["float64"].least_normal
"""What a product of the law's own may lose by underflow."""


@dataclass(frozen=True)
class Entries:
    """One array of an answer, or of a sum of answers: values, and how far each may be from the exact one."""

    values: Array
    allowed: Array

    def scaled(self, factor: float) -> "Entries":
        """Both times a factor."""
        return Entries(self.values * factor, self.allowed * abs(factor) + OWN_ROUNDING * np.abs(self.values * factor))

    def plus(self, other: "Entries") -> "Entries":
        """The sum of two arrays."""
        rounding = OWN_ROUNDING * (np.abs(self.values) + np.abs(other.values))
        return Entries(self.values + other.values, self.allowed + other.allowed + rounding)

    def times(self, other: "Entries") -> "Entries":
        """The product, entry by entry."""
        a, b = np.abs(self.values), np.abs(other.values)
        allowed = a * other.allowed + b * self.allowed + self.allowed * other.allowed
        return Entries(self.values * other.values, allowed + OWN_ROUNDING * a * b + LEAST)

    def summed(self, axis: int) -> "Entries":
        """The sum along an axis."""
        rounding = OWN_ROUNDING * self.values.shape[axis] * np.abs(self.values).sum(axis=axis)
        return Entries(self.values.sum(axis=axis), self.allowed.sum(axis=axis) + rounding)

    def mapped(self, function: Callable[[Array], Array]) -> "Entries":
        """A selection or another order of the entries."""
        return Entries(function(self.values), function(self.allowed))


Side: TypeAlias = dict[Place, Entries]
"""One side of a comparison: arrays by their places."""


@dataclass(frozen=True)
class Posed:
    """A problem, and what the target answered.

    exact: the reference's passes and bounds; only its forward pass is used, how far answers may be off, and, where one is further off
        than that, by how much: a wrong answer is allowed more, never less.
    """

    problem: Problem
    gradient: Gradient
    precision: Precision
    exact: Exact

    @cached_property
    def given(self) -> Side:
        """All that was answered."""
        return self.entries(self.exact.bound(self.precision, None, jumps=True))

    def entries(self, bound: Gradient) -> Side:
        """All that was answered, with a bound, and what a wrong answer may be off besides."""
        more = own_rounding(self.gradient, self.exact.reference, bound, self.precision)
        return {
            place: Entries(entries.values, entries.allowed + more[place]) for place, entries in entries_of(self.gradient, bound).items()
        }

    @cached_property
    def side(self) -> Side:
        """The gradient of weights and biases, and the loss where it is given: what is a sum over samples."""
        return {place: entries for place, entries in self.given.items() if place.quantity in ("weights", "biases", "loss")}

    def inputs(self, layer: int) -> Entries:
        """a^{l-1}, what layer l is given, by the reference's forward pass: (batch, n_{l-1}); layer from 1."""
        values = self.exact.passes.forward.activations[layer - 1]
        if layer == 1:
            return Entries(values, np.zeros_like(values))
        return Entries(values, np.asarray((self.exact.own_bound.activations or ())[layer - 2]))


def entries_of(gradient: Gradient, bound: Gradient) -> Side:
    """An answer beside its bound."""
    allowed = dict(bound.arrays())
    return {place: Entries(np.asarray(array, dtype=np.float64), allowed[place]) for place, array in gradient.arrays()}


def own_rounding(answer: Gradient, reference: Gradient, bound: Gradient, precision: Precision) -> dict[Place, float]:
    """What an answer that is wrong may round, array by array: nobody knows what it computes, so a law asks half the digits of what is off.

    0 for an answer within the bound. What is off beyond it is taken by its largest entry: others may be differences of such. Where
    rounding decides on the gradient itself, as on a kink or on the sign of a difference in Huber's loss, it decides on as large a share
    of the answer.
    """
    right, allowed = dict(reference.arrays()), dict(bound.arrays())
    off: dict[Place, float] = {}
    with np.errstate(all="ignore"):
        for place, got in answer.arrays():
            beyond = np.abs(np.asarray(got, dtype=np.float64) - right[place]) - allowed[place]
            most = float(np.max(beyond, where=np.isfinite(beyond), initial=0.0))
            share = np.max(allowed[place], initial=0.0) / max(np.max(np.abs(right[place]), initial=0.0), LEAST)
            off[place] = max(math.sqrt(precision.unit), min(float(share), 1.0)) * most
    return off


def pose(case: Case, problem: Problem) -> Posed:
    """The target's answer to one more problem. Raises NotPosable where it cannot be asked, NotAnswered where it does not answer."""
    refusal = case.support.refusal(problem)
    if refusal:
        raise NotPosable(f"the target does not support {refusal}")
    answer = case.ask(problem)
    if answer.declined:
        raise NotPosable(answer.message)
    if answer.gradient is None:
        raise NotAnswered(answer)
    return Posed(problem, answer.gradient, case.precision, Exact(problem))


def samples(problem: Problem, chosen: Sequence[int]) -> Problem:
    """Some of a problem's samples. Raises NotPosable where they have no weight, so that there is no mean of them."""
    counts = problem.sample_weights
    if problem.reduction == "mean" and counts is not None and not counts[list(chosen)].any():
        raise NotPosable("it needs samples whose weights are not all 0")
    return problem.of_samples(list(chosen))


def first(case: Case) -> Posed:
    """The problem of the case, and the first answer to it."""
    return Posed(case.problem, case.gradient, case.precision, case.exact)


def total(sides: Iterable[Side]) -> Side:
    """The sum of several sides, place by place."""
    summed: Side = {}
    for side in sides:
        for place, entries in side.items():
            summed[place] = summed[place].plus(entries) if place in summed else entries
    return summed


def times(factor: float, side: Side) -> Side:
    """A side times a factor."""
    return {place: entries.scaled(factor) for place, entries in side.items()}


def agree(left: Side, right: Side, statement: str) -> Outcome:
    """Whether both sides are equal at every place that both hold, but for what both allow.

    statement: what is broken where they are not. NaN and infinity against NaN and infinity says nothing.
    """
    worst: tuple[float, Judgement | None] = (1.0, None)
    judged = 0
    for place in left:
        if place not in right:
            continue
        a, b = left[place], right[place]
        claimed, finite = np.isfinite(a.allowed) & np.isfinite(b.allowed), np.isfinite(a.values) & np.isfinite(b.values)
        with np.errstate(all="ignore"):
            allowed = a.allowed + b.allowed + np.where(finite, OWN_ROUNDING * (np.abs(a.values) + np.abs(b.values)), 0.0)
            ratio = np.where(claimed & finite, np.abs(a.values - b.values) / allowed, 0.0)
        one_sided = claimed & ~finite & (np.isfinite(a.values) | np.isfinite(b.values))
        judged += int((claimed & finite | one_sided).sum())
        # what is infinite or NaN comes before all that is off, which may be its consequence
        ratio = np.where(one_sided, np.inf, np.minimum(np.where(np.isnan(ratio), 0.0, ratio), np.finfo(np.float64).max))
        index = tuple(int(i) for i in np.unravel_index(int(np.argmax(ratio)), ratio.shape))
        if ratio[index] > worst[0]:
            expected = float(b.values[index])
            verdict = Verdict.WRONG if finite[index] else Verdict.NONFINITE
            numbers = (float(a.values[index]), (expected, expected), float(allowed[index]))
            worst = (float(ratio[index]), Judgement(verdict, "", place, index, *numbers, bound=ALL_CALLS))
    if not judged:
        raise NotPosable("no entry that can be compared")
    return HELD if worst[1] is None else broken(worst[1].verdict, statement, worst[1])


def zeros_like(entries: Entries) -> Entries:
    """Exactly nothing, in the shape of some entries."""
    return Entries(np.zeros_like(entries.values), np.zeros_like(entries.values))
