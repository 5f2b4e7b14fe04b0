"""The judgement of one answer to one problem: no arbitrary tolerance.

An entry is right within the rounding bound of the most accurate formulas, lossy within that of textbook formulas, and
wrong beyond both; a suspicion by the reference is settled by ball arithmetic before it is told.
"""

import math
from collections.abc import Iterator, Sequence
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

COMPUTED_BY = {
    "weights": "equations 1, 5, 8 and 10",
    "biases": "equation 10, for a weight from a node that is always 1",
    "x": "equation 11, carried to layer 0",
    "loss": "the loss itself",
    "pre_activations": "the definition of z",
    "activations": "the definition of a",
    "deltas": "equations 2, 3 and 11",
}
"""Which equation of the note says what a quantity must be."""

WORST_CASE = "worst-case rounding bound (certain)"
DISAGREEMENT = "the reference and ball arithmetic disagree: a mistake in backproof, please report this problem"
BLUNT = 1e-3
"""A bound as wide as the gradient says nothing, unless it is narrow beside the sizes of the problem: below this part of them."""


@dataclass(frozen=True, repr=False)
class Judgement:
    """What is said of one answer.

    place, index: the entry that is worst, by its distance from the exact value over the distance allowed;
    got: the target's number there; exact: the interval that holds the exact number, or the reference's number where nothing was
    suspected; allowed: the largest distance that honest rounding explains; outside, judged: how many entries are outside, and how
    many a claim is made for; disagreement: whether the reference and ball arithmetic disagree, a mistake of our own;
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
    disagreement: bool = False
    strict: bool = False

    @property
    def passed(self) -> bool:
        """Whether the answer is good enough: right, or lossy unless judged strictly."""
        return self.verdict.passes(self.strict)

    @property
    def entry(self) -> str:
        """Where the worst entry stands: "layer 1: dC/dW[0, 1]"."""
        return f"{self.place or ''}{list(self.index) if self.index else ''}"

    def rows(self) -> list[tuple[str, str]]:
        """What a person wants to know of it: why, and the worst entry, got, exact, off by, allowed and why so much."""
        rows = [("why", self.reason)]
        if self.place is not None:
            low, high = self.exact
            rows += [
                ("entry", f"{self.entry}, computed by {COMPUTED_BY[self.place.quantity]}"),
                ("got", repr(self.got)),
                ("exact", repr(low) if high - low <= 2 * math.ulp(low) else f"from {low!r} to {high!r}"),
                ("off by", f"{self.distance:.3g}"),
                ("allowed", f"{self.allowed:.3g}: {self.bound}{', ' if self.precision else ''}{self.precision}"),
            ]
            if self.judged:
                rows.append(("outside", f"{self.outside} of {self.judged} entries"))
        return [(name, said) for name, said in rows if said]

    def __repr__(self) -> str:
        return f"<Judgement {self}>"

    def __str__(self) -> str:
        lines = [f"{self.verdict.value} ({self.verdict.meaning})", *(f"  {name:<9}{said}" for name, said in self.rows())]
        return "\n".join(lines)

    @property
    def distance(self) -> float:
        """How far the worst entry is from the exact value; infinite for NaN."""
        return float(_distance(*map(np.asarray, (self.got, *self.exact))))


class Exact:
    """What is known of the exact gradient of one problem: computed when first asked for, and kept."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._bounds: dict[Any, Gradient] = {}
        self._enclosures: dict[str, Enclosure] = {}

    @cached_property
    def passes(self) -> Passes:
        """The reference's passes."""
        return passes(self.problem)

    @cached_property
    def reference(self) -> Gradient:
        """The reference's gradient."""
        return gradient_of_passes(self.passes.forward, self.passes.backward)

    def enclosure(self, precision: Precision) -> Enclosure:
        """Lower and upper bounds of the exact gradient, by ball arithmetic, with every slope that is legal in a precision.

        A pre-activation within E(z) of a kink may be computed on either side of it.
        """
        if precision.name not in self._enclosures:
            near = self.bound(precision, None).pre_activations
            self._enclosures[precision.name] = enclosure(self.problem, [np.asarray(array) for array in near or ()])
        return self._enclosures[precision.name]

    def bound(self, precision: Precision, lossy: frozenset[str] | None = frozenset(), *, jumps: bool = False) -> Gradient:
        """How far a target in this precision may be from the reference; with jumps also on the other side of a kink."""
        key = (precision.name, lossy, jumps)
        if key not in self._bounds:
            self._bounds[key] = rounding_bound(self.passes, model_of(precision, lossy), jumps=jumps)
        return self._bounds[key]

    @cached_property
    def own_bound(self) -> Gradient:
        """How far the reference may be from the exact gradient."""
        return rounding_bound(self.passes, REFERENCE, jumps=False)

    def confirmed(self, precision: Precision) -> bool:
        """Whether ball arithmetic holds that the reference is as near to the exact gradient as it claims."""
        found = self.enclosure(precision)
        return not any(entry.outside.any() for entry in measured(self.reference, found.lower, found.upper, self.own_bound))

    def agrees(self, answer: Gradient, precision: Precision) -> bool:
        """Whether ball arithmetic holds that an answer is right, and the reference too."""
        found = self.enclosure(precision)
        entries = measured(answer, found.lower, found.upper, self.bound(precision))
        return not any(entry.outside.any() for entry in entries) and self.confirmed(precision)

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
    def ratio(self) -> Array:
        """The distance over the distance allowed; 0 where no claim is made."""
        with np.errstate(all="ignore"):
            ratio = np.where(np.isinf(self.allowed), 0.0, self.distance / self.allowed)
        return np.where(np.isnan(ratio), 0.0, ratio)

    @cached_property
    def outside(self) -> AnyArray:
        """Where a claim is made, and the distance is more than allowed; NaN compares false, so it is asked the other way round."""
        return np.isfinite(self.allowed) & ~(self.distance <= self.allowed)


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
    reason = _says_nothing(exact, entries, precision)
    if reason:
        return Judgement(Verdict.INCONCLUSIVE, precision.name, reason=reason)
    if not any(entry.outside.any() for entry in entries):
        return _judgement(Verdict.RIGHT, entries, precision, judged)
    return _settle(exact, answer, precision, judged)


def _says_nothing(exact: Exact, entries: list[Measured], precision: Precision) -> str:
    """Why the bound says nothing of any derivative, or "": no claim is made, or it is wider than the gradient itself."""
    claims, tells = told(exact, entries, precision)
    if tells:
        return ""
    if claims:
        return "the worst-case bound is wider than the gradient itself: this network is too deep or too wide for the precision"
    return "a needed sum or product leaves the range of the precision, so that any answer would do"


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


def _settle(exact: Exact, answer: Gradient, precision: Precision, judged: int) -> Judgement:
    """A suspicion, settled by ball arithmetic: right after all, lossy, nonfinite or wrong."""
    found = exact.enclosure(precision)
    entries = list(measured(answer, found.lower, found.upper, exact.bound(precision)))
    if not any(entry.outside.any() for entry in entries):
        return _judgement(Verdict.RIGHT, entries, precision, judged)
    if not exact.confirmed(precision):
        return replace(_judgement(Verdict.INCONCLUSIVE, entries, precision, judged, DISAGREEMENT), disagreement=True)
    if names := _explanation(exact, answer, precision):
        lossy = _judgement(Verdict.LOSSY, entries, precision, judged, _lossy_reason(exact, names, entries, precision))
        return replace(lossy, functions=names)
    entries = list(measured(answer, found.lower, found.upper, exact.bound(precision, None)))
    if any((entry.outside & np.isfinite(entry.got)).any() for entry in entries):
        return _judgement(Verdict.WRONG, entries, precision, judged, _narrower(exact, answer, precision))
    reason = "infinite or NaN, where the exact number is finite and needs no sum or product that leaves the range"
    return _judgement(Verdict.NONFINITE, entries, precision, judged, reason)


def _narrower(exact: Exact, answer: Gradient, precision: Precision) -> str:
    """Whether a wrong answer would be right in a narrower precision: the commonest cause of small errors."""
    for name in list(PRECISIONS)[list(PRECISIONS).index(precision.name) + 1 :]:
        found = exact.enclosure(PRECISIONS[name])
        if not any(entry.outside.any() for entry in measured(answer, found.lower, found.upper, exact.bound(PRECISIONS[name], None))):
            return f"right to {name}, though its answers are judged by {precision.name}: if it computes in {name}, say precision={name}"
    return ""


def _explanation(exact: Exact, answer: Gradient, precision: Precision) -> tuple[str, ...]:
    """The textbook functions that explain an answer: the fewest, and of as many those that the answer comes nearest to using up.

    One function, two, or all of them; () if not even all explain it.
    """
    functions, found = exact.textbook_functions(), exact.enclosure(precision)
    for count in sorted({1, min(2, len(functions)), len(functions)}):
        used: dict[tuple[str, ...], float] = {}
        for names in combinations(functions, count):
            entries = list(measured(answer, found.lower, found.upper, exact.bound(precision, frozenset(names))))
            if not any(entry.outside.any() for entry in entries):
                used[names] = max(float(entry.ratio.max()) for entry in entries)
        if used:
            return max(used, key=lambda names: used[names])
    return ()


def beyond_suspicion(problems: Problem, answers: Sequence[Gradient], precision: Precision) -> AnyArray:
    """Which answers to a stack of problems are right by the reference alone, so that judge would say no more: (count,) of bool.

    answers: one for each problem, all with the same quantities. All of them cost a few products of stacked matrices.
    """
    exact = Exact(problems)
    stacked = [np.stack(arrays).astype(np.float64) for arrays in zip(*([array for _, array in a.arrays()] for a in answers), strict=True)]
    reference, allowed = dict(exact.reference.arrays()), dict(exact.bound(precision).arrays())
    places = [place for place, _ in answers[0].arrays()]
    entries = [Measured(place, got, reference[place], reference[place], allowed[place]) for place, got in zip(places, stacked, strict=True)]
    with np.errstate(all="ignore"):
        _, clear = told(exact, entries, precision)
    for entry in entries:
        clear = clear & ~entry.outside.reshape(len(answers), -1).any(axis=-1)
    return clear


def _judgement(verdict: Verdict, entries: list[Measured], precision: Precision, judged: int, reason: str = "") -> Judgement:
    entry, index = _worst_entry(entries, finite_first=verdict is Verdict.WRONG)
    return Judgement(
        verdict,
        precision.name,
        entry.place,
        index,
        float(entry.got[index]),
        (float(entry.low[index]), float(entry.high[index])),
        float(entry.allowed[index]),
        sum(int(e.outside.sum()) for e in entries),
        judged,
        reason=reason,
    )


def _worst_entry(entries: list[Measured], finite_first: bool) -> tuple[Measured, tuple[int, ...]]:
    """The entry with the largest distance over the distance allowed; gradients before intermediates where equal."""
    best: tuple[float, Measured, tuple[int, ...]] = (-1.0, entries[0], (0,) * entries[0].got.ndim)
    for entry in entries:
        ratio = np.where(np.isfinite(entry.got), entry.ratio, 0.0) if finite_first else entry.ratio
        index = tuple(int(i) for i in np.unravel_index(int(np.argmax(ratio)), ratio.shape))
        if ratio[index] > best[0]:
            best = (float(ratio[index]), entry, index)
    return best[1], best[2]


def _lossy_reason(exact: Exact, names: tuple[str, ...], entries: list[Measured], precision: Precision) -> str:
    entry, index = _worst_entry(entries, finite_first=False)
    digits, distance = -math.log10(precision.unit), float(entry.distance[index])
    size = max(abs(float(entry.low[index])), abs(float(entry.high[index])))
    kept = max(0.0, -math.log10(distance / size)) if 0 < distance < math.inf and size else 0.0
    used = [_use_of(exact, name) for name in names]
    formulas, where = "; ".join(formulas for formulas, _ in used), ", ".join(where for _, where in used)
    return f"{formulas}; here {where}, and {kept:.0f} of {digits:.0f} digits are left"


def _use_of(exact: Exact, name: str) -> tuple[str, str]:
    """The textbook formulas of a function that lose digits on a problem, and where: of an activation, at which z."""
    if name in LOSSES:
        return bind(LOSSES, name).lossy, f"{name} sees outputs {_range(exact.passes.forward.activations[-1])}"
    formulas: dict[str, None] = {}
    seen, losing = [], []
    for choice, z in zip(exact.problem.activations, exact.passes.forward.pre_activations, strict=True):
        if split(choice)[0] != name:
            continue
        seen.append(z.ravel())
        row = bind(ACTIVATIONS, choice)
        for scales in (row.value_scales, row.derivative_scales):
            worse = z[scales.lossy(z) > 2 * scales.right(z)]
            if worse.size:
                losing.append(worse)
                formulas[scales.textbook] = None
    where = np.concatenate(losing or seen)
    return ", ".join(formulas) or bind(ACTIVATIONS, name).lossy, f"{name} sees z {_range(where)}"


def _range(values: Array) -> str:
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    return f"= {low}" if low == high else f"from {low} to {high}"


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
    with np.errstate(all="ignore"):
        return replace(judge(Exact(problem), gradient, judged_by), strict=strict)
