"""The judgement of one answer to one problem: no arbitrary tolerance.

An entry is right within the rounding bound of the most accurate formulas, lossy within that of textbook formulas, and
wrong beyond both; a suspicion by the reference is settled by ball arithmetic before it is told.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from oracles.balls import Enclosure, enclosure
from properties.answer import Malformed, as_gradient
from properties.verdict import Verdict
from reference.activations import ACTIVATIONS
from reference.arrays import AnyArray, Array
from reference.backward import gradient_of_passes
from reference.choice import bind, split
from reference.json_form import narrowest_dtype
from reference.losses import LOSSES
from reference.model import REFERENCE, model_of
from reference.precisions import PRECISIONS, Precision
from reference.problem import Gradient, Place, Problem, ProblemError
from reference.rounding import Passes, passes, rounding_bound

WORST_CASE = "worst-case rounding bound (certain)"


@dataclass(frozen=True)
class Judgement:
    """What is said of one answer.

    place, index: the entry that is worst, by its distance from the exact value over the distance allowed;
    got: the target's number there; exact: the interval that holds the exact number; allowed: the largest distance
    that honest rounding explains; outside, judged: how many entries are outside, and how many a claim is made for;
    precision: what was judged by; bound: what the verdict rests on; reason: in words, where there is more to say;
    functions: the activations and losses that lose digits, where the answer is lossy.
    """

    verdict: Verdict
    precision: str
    place: Place | None = None
    index: tuple[int, ...] = ()
    got: float = math.nan
    exact: tuple[float, float] = (math.nan, math.nan)
    allowed: float = math.nan
    outside: int = 0
    judged: int = 0
    bound: str = WORST_CASE
    reason: str = ""
    functions: tuple[str, ...] = ()
    strict: bool = False

    @property
    def passed(self) -> bool:
        """Whether the answer is good enough: right, or lossy unless judged strictly."""
        return self.verdict.passes(self.strict)

    @property
    def distance(self) -> float:
        """How far the worst entry is from the exact value; infinite for NaN."""
        return float(_distance(*map(np.asarray, (self.got, *self.exact))))


class Exact:
    """What is known of the exact gradient of one problem: computed when first asked for, and kept."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._bounds: dict[Any, Gradient] = {}

    @cached_property
    def passes(self) -> Passes:
        """The reference's passes."""
        return passes(self.problem)

    @cached_property
    def reference(self) -> Gradient:
        """The reference's gradient."""
        return gradient_of_passes(self.passes.forward, self.passes.backward)

    @cached_property
    def enclosure(self) -> Enclosure:
        """Lower and upper bounds of the exact gradient, by ball arithmetic."""
        return enclosure(self.problem)

    def bound(self, precision: Precision, lossy: frozenset[str] | None = frozenset()) -> Gradient:
        """How far a target in this precision may be from the reference."""
        key = (precision.name, lossy)
        if key not in self._bounds:
            self._bounds[key] = rounding_bound(self.passes, model_of(precision, lossy))
        return self._bounds[key]

    @cached_property
    def own_bound(self) -> Gradient:
        """How far the reference may be from the exact gradient."""
        return rounding_bound(self.passes, REFERENCE)

    def confirmed(self) -> bool:
        """Whether ball arithmetic holds that the reference is as near to the exact gradient as it claims."""
        lower, upper = dict(self.enclosure.lower.arrays()), dict(self.enclosure.upper.arrays())
        allowed = dict(self.own_bound.arrays())
        return all(
            bool((_distance(array, lower[place], upper[place]) <= allowed[place]).all() or np.isinf(allowed[place]).any())
            for place, array in self.reference.arrays()
        )

    def textbook_functions(self) -> list[str]:
        """The activations and losses of this problem that have textbook formulas that lose digits."""
        names = list(dict.fromkeys(split(choice)[0] for choice in self.problem.activations))
        lossy = [name for name in names if bind(ACTIVATIONS, name).lossy]
        loss = split(self.problem.loss)[0]
        return [*lossy, loss] if bind(LOSSES, self.problem.loss).lossy else lossy


@dataclass(frozen=True)
class Measured:
    """An answer's entries beside what is allowed for each: the one loop over places that every comparison uses."""

    place: Place
    got: Array
    low: Array
    high: Array
    allowed: Array

    @cached_property
    def distance(self) -> Array:
        return _distance(self.got, self.low, self.high)

    @cached_property
    def outside(self) -> AnyArray:
        """Where the distance is more than allowed; NaN compares false, so the question is asked the other way round."""
        return ~(self.distance <= self.allowed)


def measured(answer: Gradient, low: Gradient, high: Gradient, allowed: Gradient) -> Iterator[Measured]:
    """Each array that the answer gives, beside the interval of the exact values and the distance allowed."""
    lows, highs, distances = dict(low.arrays()), dict(high.arrays()), dict(allowed.arrays())
    for place, array in answer.arrays():
        yield Measured(place, np.asarray(array, dtype=np.float64), lows[place], highs[place], distances[place])


def _distance(got: AnyArray, low: AnyArray, high: AnyArray) -> Array:
    with np.errstate(all="ignore"):
        distance: Array = np.maximum(np.maximum(low - got, got - high), 0.0)
        same = (got == low) | (got == high)
    return np.where(same, 0.0, np.where(np.isnan(got), np.inf, distance))


def judge(exact: Exact, answer: Gradient, precision: Precision) -> Judgement:
    """The verdict of one well-formed answer."""
    reference = exact.reference
    entries = list(measured(answer, reference, reference, exact.bound(precision)))
    judged = sum(int(np.isfinite(entry.allowed).sum()) for entry in entries)
    if not judged:
        reason = "a needed sum or product leaves the range of the precision, so that any answer would do"
        return Judgement(Verdict.INCONCLUSIVE, precision.name, reason=reason)
    if not any(entry.outside.any() for entry in entries):
        return _judgement(Verdict.RIGHT, entries, precision, judged)
    return _settle(exact, answer, precision, judged)


def _settle(exact: Exact, answer: Gradient, precision: Precision, judged: int) -> Judgement:
    """A suspicion, settled by ball arithmetic: right after all, lossy, nonfinite or wrong."""
    lower, upper = exact.enclosure.lower, exact.enclosure.upper
    entries = list(measured(answer, lower, upper, exact.bound(precision)))
    if not any(entry.outside.any() for entry in entries):
        return _judgement(Verdict.RIGHT, entries, precision, judged)
    if not exact.confirmed():
        reason = "the reference and ball arithmetic disagree: a mistake in backproof, please report this problem"
        return _judgement(Verdict.INCONCLUSIVE, entries, precision, judged, reason)
    for names in _subsets(exact.textbook_functions()):
        allowed = exact.bound(precision, frozenset(names))
        if not any(entry.outside.any() for entry in measured(answer, lower, upper, allowed)):
            lossy = _judgement(Verdict.LOSSY, entries, precision, judged, _lossy_reason(exact, names, entries, precision))
            return replace(lossy, functions=names)
    entries = list(measured(answer, lower, upper, exact.bound(precision, None)))
    finite = [entry for entry in entries if (entry.outside & np.isfinite(entry.got)).any()]
    if finite:
        return _judgement(Verdict.WRONG, entries, precision, judged)
    reason = "an intermediate that can be avoided overflows (exp of a large number, say)"
    return _judgement(Verdict.NONFINITE, entries, precision, judged, reason)


def _subsets(names: list[str]) -> Iterator[tuple[str, ...]]:
    """Single functions first, then all pairs, then all together: the fewest that explain the answer."""
    yield from ((name,) for name in names)
    yield from combinations(names, 2)
    if len(names) > 2:
        yield tuple(names)


def _judgement(verdict: Verdict, entries: list[Measured], precision: Precision, judged: int, reason: str = "") -> Judgement:
    place, index = _worst_entry(entries, finite_first=verdict is Verdict.WRONG)
    entry = next(entry for entry in entries if entry.place == place)
    return Judgement(
        verdict,
        precision.name,
        place,
        index,
        float(entry.got[index]),
        (float(entry.low[index]), float(entry.high[index])),
        float(entry.allowed[index]),
        sum(int(e.outside.sum()) for e in entries),
        judged,
        reason=reason,
    )


def _worst_entry(entries: list[Measured], finite_first: bool) -> tuple[Place, tuple[int, ...]]:
    """The entry with the largest distance over the distance allowed; gradients before intermediates where equal."""
    best: tuple[float, Place, tuple[int, ...]] = (-1.0, entries[0].place, (0,) * entries[0].got.ndim)
    for entry in entries:
        with np.errstate(all="ignore"):
            ratio = np.where(np.isinf(entry.allowed), 0.0, entry.distance / entry.allowed)
        ratio = np.where(np.isnan(ratio), 0.0, ratio)
        if finite_first:
            ratio = np.where(np.isfinite(entry.got), ratio, 0.0)
        index = tuple(int(i) for i in np.unravel_index(int(np.argmax(ratio)), ratio.shape))
        if ratio[index] > best[0]:
            best = (float(ratio[index]), entry.place, index)
    return best[1], best[2]


def _lossy_reason(exact: Exact, names: tuple[str, ...], entries: list[Measured], precision: Precision) -> str:
    worst = _judgement(Verdict.LOSSY, entries, precision, 1)
    digits = -math.log10(precision.unit)
    size = max(abs(worst.exact[0]), abs(worst.exact[1]))
    kept = max(0.0, -math.log10(worst.distance / size)) if 0 < worst.distance < math.inf and size else 0.0
    formulas, ranges = [], []
    for name in names:
        row = bind(ACTIVATIONS, name) if name in ACTIVATIONS else bind(LOSSES, name)
        formulas.append(row.lossy)
        zs = _arguments(exact, name)
        ranges.append(f"{name} sees {'z' if name in ACTIVATIONS else 'logits or outputs'} from {zs.min():.4g} to {zs.max():.4g}")
    return f"{'; '.join(formulas)}; here {', '.join(ranges)}, and {kept:.0f} of {digits:.0f} digits are left"


def _arguments(exact: Exact, name: str) -> Array:
    if name in LOSSES:
        return exact.passes.forward.activations[-1].ravel()
    layers = [i for i, choice in enumerate(exact.problem.activations) if split(choice)[0] == name]
    return np.concatenate([exact.passes.forward.pre_activations[i].ravel() for i in layers])


def precision_of(answer: Gradient, precision: str | None = None) -> Precision:
    """The precision to judge by: the one that is named, or the narrowest of the answer's own dtypes."""
    return precision_named(precision or narrowest_dtype(answer))


def precision_named(name: str) -> Precision:
    """The row of PRECISIONS. Raises ProblemError."""
    if name not in PRECISIONS:
        raise ProblemError(f"precision is {name!r}: expected one of {', '.join(PRECISIONS)}")
    return PRECISIONS[name]


def verify(problem: Problem, answer: Any, *, precision: str | None = None, strict: bool = False) -> Judgement:
    """Judge one answer to one problem.

    answer: a Gradient, or a pair (list of dC/dW, list of dC/db or None).
    precision: "float64", "float32", "float16", or None for what the answer's dtype says (the lowest of mixed ones).
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
    return replace(judge(Exact(problem), gradient, judged_by), strict=strict)
