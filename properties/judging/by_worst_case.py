"""Judging by the worst case: certain, and sharp for small networks.

An entry is right within the rounding bound of the most accurate formulas, lossy within that of textbook formulas, and
wrong beyond both; a suspicion by the reference is settled by ball arithmetic before it is told.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from properties.judging.judgement import Exact, Judgement, Measured, judgement_of, measured, worst_entry
from properties.judging.textbook import explained, explanations
from properties.verdict import Verdict
from reference.arrays import AnyArray, Array
from reference.gradient import Gradient, Place
from rounding.arithmetic import worst_case_rounding
from rounding.glance import at_a_glance
from rounding.precisions import Precision

BLUNT = 1e-3
"""A bound as wide as the gradient says nothing, unless it is narrow beside the sizes of the problem: below this part of them."""

TOO_WIDE = "the worst-case bound is wider than the gradient itself: this network is too deep or too wide for the precision"


def judge_by_worst_case(exact: Exact, answer: Gradient, precision: Precision) -> Judgement:
    """The verdict of one well-formed answer."""
    if at_once := right_at_a_glance(exact, answer, precision):
        return at_once
    reference = exact.reference
    entries = list(measured(answer, reference, reference, exact.bound(precision)))
    judged = sum(int(np.isfinite(entry.allowed).sum()) for entry in entries)
    reason = _says_nothing(exact, entries, precision)
    if reason:
        return Judgement(Verdict.INCONCLUSIVE, precision.name, reason=reason)
    if not any(entry.outside.any() for entry in entries):
        return judgement_of(Verdict.RIGHT, entries, precision, judged)
    return judge_by_enclosure(exact, answer, precision)


def right_at_a_glance(exact: Exact, answer: Gradient, precision: Precision) -> Judgement | None:
    """A verdict of RIGHT on dC/dW and dC/db that are within a part of the bound, where that is known to say something; else None."""
    arrays = list(answer.arrays())
    if not all(place.quantity in ("weights", "biases") for place, _ in arrays):
        return None
    with np.errstate(all="ignore"):
        glance, back = at_a_glance(exact.passes, worst_case_rounding(precision)), exact.passes.backward
    if glance is None or not any(most < np.abs(right).max() for most, right in zip(glance.widest, back.weights, strict=True)):
        return None
    got, right, allowed = (
        np.concatenate([getattr(given, place.quantity)[(place.layer or 0) - 1].ravel() for place, _ in arrays])
        for given in (answer, back, glance)
    )
    distance = np.abs(got - right)
    if not (distance <= allowed).all():
        return None
    worst = int(np.argmax(distance / np.where(allowed > 0, allowed, 1.0)))
    ends = np.cumsum([array.size for _, array in arrays])
    at = int(np.searchsorted(ends, worst, side="right"))
    place, array = arrays[at]
    index = tuple(int(i) for i in np.unravel_index(worst - int(ends[at]) + array.size, array.shape))
    exactly = float(right[worst])
    ends_of_exact, off_at_most = (exactly, exactly), float(allowed[worst])
    return Judgement(Verdict.RIGHT, precision.name, place, index, float(got[worst]), ends_of_exact, off_at_most, 0, len(got))


def _says_nothing(exact: Exact, entries: list[Measured], precision: Precision) -> str:
    """Why the bound says nothing of any derivative, or "": no claim is made, or it is wider than the gradient itself."""
    claims, tells = told(exact, entries, precision)
    if tells:
        return ""
    if claims:
        return TOO_WIDE
    return "nothing can be said: a needed sum or product leaves the range of the precision"


def told(exact: Exact, entries: list[Measured], precision: Precision) -> tuple[AnyArray, AnyArray]:
    """Whether the bound makes a claim for any derivative, and whether it makes one that says something; of a stack, for each problem."""
    passed, problem = exact.passes.forward, exact.problem
    stacked = problem.x.shape[:-2]
    inputs = np.max([_largest(np.abs(a), np.isfinite(a), stacked) for a in passed.activations], axis=0)
    outputs = np.max(np.abs(passed.activations[-1]) + np.abs(problem.y), axis=(-2, -1))
    with np.errstate(all="ignore"):
        size = BLUNT * inputs * outputs + math.sqrt(precision.least_normal)
    claims, tells = np.zeros(stacked, dtype=bool), np.zeros(stacked, dtype=bool)
    for entry in entries:
        if entry.place.quantity in ("weights", "biases"):
            where = np.isfinite(entry.allowed)
            allowed, exact_size = (_largest(np.abs(array), where, stacked) for array in (entry.allowed, entry.low))
            claimed = where.reshape(*stacked, -1).any(axis=-1)
            claims |= claimed
            tells |= claimed & ~((allowed >= exact_size) & (allowed >= size))
    return claims, tells


def _largest(sizes: Array, where: AnyArray, stacked: tuple[int, ...]) -> Array:
    """The largest of some sizes, 0 if there are none; of a stack, for each problem."""
    flat = (*stacked, -1)
    largest: Array = np.max(sizes.reshape(flat), axis=-1, where=where.reshape(flat), initial=0.0)
    return largest


def judge_by_enclosure(exact: Exact, answer: Gradient, precision: Precision) -> Judgement:
    """A suspicion, settled by ball arithmetic: right after all, lossy, nonfinite or wrong; or an audit of what is right."""
    if disagreement := exact.disagreement(precision):
        return disagreement
    found = exact.enclosure(precision)
    entries = list(measured(answer, found.lower, found.upper, exact.bound(precision)))
    judged = sum(int(np.isfinite(entry.allowed).sum()) for entry in entries)
    if not any(entry.outside.any() for entry in entries):
        return judgement_of(Verdict.RIGHT, entries, precision, judged)

    def explains(names: frozenset[str]) -> bool:
        return not any(entry.outside.any() for entry in measured(answer, found.lower, found.upper, exact.bound(precision, names)))

    functions = exact.textbook_functions()
    by_all = list(measured(answer, found.lower, found.upper, exact.bound(precision, None)))
    # what all textbook formulas together do not explain, fewer do not
    explained_by_all = not any(entry.outside.any() for entry in by_all)
    if explained_by_all and (by := explanations(functions, (1, 2, len(functions)), explains)):
        lossy = explained(judgement_of(Verdict.LOSSY, entries, precision, judged), exact, by)
        return replace(lossy, reason=f"{lossy.reason}, and {_digits_left(entries, precision)} are left")
    entries = by_all
    if not any((entry.outside & ~np.isfinite(entry.got)).any() for entry in entries):
        return judgement_of(Verdict.WRONG, entries, precision, judged)
    reason = "infinite or NaN, where the exact number is finite and needs no sum or product that leaves the range"
    return judgement_of(Verdict.NONFINITE, entries, precision, judged, reason)


def beyond_worst_case(exact: Exact, answer: Gradient, precision: Precision) -> set[Place]:
    """The arrays of an answer that are outside the bound of a precision beside the reference, by whatever formulas and on either side of
    a kink.

    What is outside is wrong; what is not may still have a slope that no side of a kink has.
    """
    reference = exact.reference
    entries = measured(answer, reference, reference, exact.bound(precision, None, jumps=True))
    return {entry.place for entry in entries if entry.outside.any()}


def beyond_suspicion(exact: Exact, answers: Sequence[Gradient], precision: Precision) -> AnyArray:
    """Which answers to a stack of problems are right by the reference alone, so that judge would say no more: (count,) of bool.

    exact: of the stack; answers: one for each problem, all with the same quantities. All of them cost a few products of stacked matrices.
    """
    stacked = [np.stack(arrays).astype(np.float64) for arrays in zip(*([array for _, array in a.arrays()] for a in answers), strict=True)]
    reference, allowed = dict(exact.reference.arrays()), dict(exact.bound(precision).arrays())
    places = [place for place, _ in answers[0].arrays()]
    entries = [Measured(place, got, reference[place], reference[place], allowed[place]) for place, got in zip(places, stacked, strict=True)]
    with np.errstate(all="ignore"):
        _, clear = told(exact, entries, precision)
    for entry in entries:
        clear = clear & ~entry.outside.reshape(len(answers), -1).any(axis=-1)
    return clear


def _digits_left(entries: list[Measured], precision: Precision) -> str:
    """How many digits the worst entry still has: "3 of 16 digits"."""
    entry, index = worst_entry(entries)
    digits, distance = -math.log10(precision.unit), float(entry.distance[index])
    size = max(abs(float(entry.low[index])), abs(float(entry.high[index])))
    kept = max(0.0, -math.log10(distance / size)) if 0 < distance < math.inf and size else 0.0
    return f"{kept:.0f} of {digits:.0f} digits"
