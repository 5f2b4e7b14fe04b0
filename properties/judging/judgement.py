"""What a judgement says of one answer to one problem, and what is known of the exact gradient: no arbitrary tolerance."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from oracles.balls.enclosure import Enclosure, enclosure
from properties.judging.array_verdict import ArrayVerdict, quantities_text
from properties.verdict import Verdict
from reference.arrays import AnyArray, Array, keep_freed_memory
from reference.backward import gradient_of_passes
from reference.errors import ProblemError
from reference.forms.json_form import narrowest_dtype
from reference.functions.parametrised import name_and_parameters, row_of
from reference.gradient import Gradient, Place
from reference.nearest import did_you_mean
from reference.passes import Passes, passes
from reference.problem import Problem
from rounding.activations import ROUNDED_ACTIVATIONS
from rounding.arithmetic import REFERENCE, SIGMAS_ALLOWED, typical_rounding, worst_case_rounding
from rounding.deviation import Deviation
from rounding.losses import ROUNDED_LOSSES
from rounding.precisions import PRECISIONS, Precision
from rounding.projection import Projections
from rounding.second_moment import Variances
from rounding.worst_case import rounding_bound

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
STATISTICAL = f"{SIGMAS_ALLOWED:g} sigma of the second-moment bound (statistical)"
ALL_CALLS = "the rounding bounds of all calls that are compared (certain)"
AGGREGATE = "what honest rounding does to a whole layer (statistical)"
DISAGREEMENT = "the reference and ball arithmetic disagree: a mistake in backproof, please report this problem"


class Unjudged(NamedTuple):
    """An array of an answer of which nothing could be said, and why."""

    place: Place
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"

    def data(self) -> dict[str, Any]:
        """As plain data."""
        return {"quantity": self.place.quantity, "layer": self.place.layer, "reason": self.reason}


@dataclass(frozen=True, repr=False)
class Judgement:
    """What is said of one answer.

    place, index: the entry that is worst, by its distance from the exact value over the distance allowed;
    got: the target's number there; exact: the interval that holds the exact number, or the reference's number where nothing was
    suspected; allowed: the largest distance that honest rounding explains; outside, judged: how many entries are outside, and how
    many a claim is made for; disagreement: whether the reference and ball arithmetic disagree, a mistake of our own;
    precision: what was judged by; bound: what the verdict rests on; reason: in words, where there is more to say;
    unjudged: of which arrays nothing could be said, and why; left_out: which measures prove nothing here, since honest passes of our own
    come as far or nearly, and how far; functions: the activations and losses that lose digits, where the answer is lossy; one_of: whether
    only some of them need do so;
    meets: the narrower precision by which a wrong answer would be right, or ""; not_wrong_by: all by which it would not be wrong;
    quantities: what is said of each array of a wrong answer that is told;
    certain: whether the worst case shows it too, where the bound is a statistical one: known while it is judged, and not saved;
    doubted_by: that with sums in float32 by which one of which nothing can be said would be wrong, or "".
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
    unjudged: tuple[Unjudged, ...] = ()
    left_out: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    one_of: bool = False
    meets: str = ""
    not_wrong_by: tuple[str, ...] = ()
    quantities: tuple[ArrayVerdict, ...] = ()
    doubted_by: str = ""
    disagreement: bool = False
    strict: bool = False
    certain: bool = field(default=False, compare=False)

    @property
    def passed(self) -> bool:
        """Whether the answer is good enough: right, or lossy unless judged strictly."""
        return self.verdict.passes(self.strict)

    @property
    def failed(self) -> bool:
        """Whether something is not right with the answer: where nothing can be said of it, it has neither passed nor failed."""
        return not self.passed and self.verdict is not Verdict.INCONCLUSIVE

    @property
    def entry(self) -> str:
        """Where the worst entry stands: "layer 1: dC/dW[0, 1]"."""
        whole = "all of " if self.bound == AGGREGATE else ""
        return f"{whole}{self.place or ''}{list(self.index) if self.index else ''}"

    @property
    def without(self) -> set[Place]:
        """The arrays of which nothing could be said."""
        return {one.place for one in self.unjudged}

    @property
    def statistical(self) -> bool:
        """Whether it rests on a bound that honest rounding passes once in a long while, so that an alarm is to be confirmed."""
        return self.bound in (STATISTICAL, AGGREGATE) and not self.certain

    @property
    def compares_calls(self) -> bool:
        """Whether it is the target's answers that are compared with one another, so that `exact` is what they come to by a law."""
        return self.bound == ALL_CALLS

    @staticmethod
    def of_disagreement(entries: "list[Measured]", precision: Precision) -> "Judgement":
        """That the reference is outside its own certain bound around the enclosure; entries: the reference's."""
        judged = sum(int(np.isfinite(entry.allowed).sum()) for entry in entries)
        return replace(judgement_of(Verdict.INCONCLUSIVE, entries, precision, judged, DISAGREEMENT), disagreement=True)

    def rows(self) -> list[tuple[str, str]]:
        """What a person wants to know of it: why, and the worst entry, got, exact, off by, allowed and why so much."""
        rows = [("why", self.reason)]
        if self.place is not None:
            low, high = self.exact
            exact = repr(low + 0.0) if high - low <= 2 * math.ulp(low) else f"from {low!r} to {high!r}"
            rows += [
                ("entry", f"{self.entry}, computed by {COMPUTED_BY[self.place.quantity]}"),
                ("got", repr(self.got + 0.0)),  # JSON keeps no sign of zero
                ("by law", f"{exact}, of what the target answers itself") if self.compares_calls else ("exact", exact),
                ("off by", f"{self.distance:.3g}"),
                ("allowed", f"{self.allowed:.3g}: {self.bound}{', ' if self.precision else ''}{self.precision}"),
            ]
            if self.judged:
                rows.append(("outside", f"{self.outside} of {self.judged} entries"))
        rows += [("unjudged", str(one)) for one in self.unjudged] + [("left out", said) for said in self.left_out]
        if self.quantities:
            rows.append(("each", quantities_text(self.quantities)))
        if self.meets:
            said = f"right to {self.meets}: if that is what it computes in, say precision={self.meets} (--precision {self.meets})"
            rows.append(("hint", said))
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
        keep_freed_memory()
        self.problem = problem
        self._bounds: dict[Any, Gradient] = {}
        self._enclosures: dict[str, Enclosure] = {}
        self._variances: dict[Any, Variances] = {}
        self._deviations: dict[Any, Deviation] = {}
        self._projections: dict[Any, Projections] = {}
        self.peers: dict[Any, Any] = {}
        """How far honest passes of our own are off, kept by properties/judging/beside_peers.py: they are the same for each answer."""

    def at(self, index: int) -> "Exact":
        """What is known of one problem of a stack: the reference and bounds, as far as they were worked out."""

        def of_one(gradient: Gradient) -> Gradient:
            return gradient.mapped(lambda place, arrays: arrays[index])

        one = Exact(self.problem.at(index))
        one.reference = of_one(self.reference)
        one._bounds = {key: of_one(bound) for key, bound in self._bounds.items()}
        return one

    @cached_property
    def passes(self) -> Passes:
        """The reference's passes."""
        return passes(self.problem)

    @cached_property
    def reference(self) -> Gradient:
        """The reference's gradient."""
        with np.errstate(all="ignore"):  # the products of layers are computed here
            return gradient_of_passes(self.passes.forward, self.passes.backward)

    @cached_property
    def by_rows(self) -> Gradient:
        """The same, of which rows of dC/dW and dC/dx are computed when they are asked for."""
        return gradient_of_passes(self.passes.forward, self.passes.backward, by_rows=True)

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
            self._bounds[key] = rounding_bound(self.passes, worst_case_rounding(precision, lossy), jumps=jumps)
        return self._bounds[key]

    def deviation(
        self,
        precision: Precision,
        answer: Gradient | None = None,
        lossy: frozenset[str] | None = frozenset(),
        *,
        apart: bool = False,
    ) -> Deviation:
        """The second-moment bound of a target in this precision beside the reference; of dC/dx and C only where the answer gives them.

        apart: as in Variances.
        """
        x, loss = answer is None or answer.x is not None, answer is None or answer.loss is not None
        lossy = self._losing(lossy)
        key = precision.name, x, loss, lossy, apart
        if key not in self._deviations:
            with np.errstate(all="ignore"):
                self._deviations[key] = self._variances_of(precision, lossy, apart).deviation(x, loss)
        return self._deviations[key]

    def projection(
        self, precision: Precision, lossy: frozenset[str] | None = frozenset(), *, apart: bool = False
    ) -> Callable[[], Projections]:
        """How far the factors that are common to the dC/dW of a layer may be from 1; worked out when it is asked for."""

        def projections() -> Projections:
            losing = self._losing(lossy)
            key = precision.name, losing, apart
            if key not in self._projections:
                self._projections[key] = Projections(self._variances_of(precision, losing, apart))
            return self._projections[key]

        return projections

    def _losing(self, lossy: frozenset[str] | None) -> frozenset[str]:
        """Those of some activations, or of all, that lose digits by textbook formulas in this problem."""
        losing = frozenset(self.textbook_activations)
        return losing if lossy is None else losing & lossy

    def _variances_of(self, precision: Precision, lossy: frozenset[str], apart: bool) -> Variances:
        key = precision.name, lossy, apart
        if key not in self._variances:
            self._variances[key] = Variances(self.passes, typical_rounding(precision), lossy, apart=apart)
        return self._variances[key]

    @cached_property
    def own_bound(self) -> Gradient:
        """How far the reference may be from the exact gradient."""
        return rounding_bound(self.passes, REFERENCE, jumps=False)

    @cached_property
    def own_bound_with_jumps(self) -> Gradient:
        """The same of one that may take another slope, where an enclosure holds those of fewer pre-activations near a kink."""
        return rounding_bound(self.passes, REFERENCE, jumps=True)

    def disagreement(self, precision: Precision) -> Judgement | None:
        """What ball arithmetic says where the reference is not as near to the exact gradient as is certain of it: a mistake of our own."""
        found = self.enclosure(precision)
        entries = list(measured(self.reference, found.lower, found.upper, self.own_bound))
        return Judgement.of_disagreement(entries, precision) if any(entry.outside.any() for entry in entries) else None

    @cached_property
    def textbook_activations(self) -> list[str]:
        """The activations of this problem that have textbook formulas that lose digits."""
        names = list(dict.fromkeys(name_and_parameters(choice)[0] for choice in self.problem.activations))
        return [name for name in names if row_of(ROUNDED_ACTIVATIONS, name).lossy]

    def textbook_functions(self) -> list[str]:
        """The same, and the loss if it has one."""
        loss = name_and_parameters(self.problem.loss)[0]
        return [*self.textbook_activations, *([loss] if row_of(ROUNDED_LOSSES, self.problem.loss).lossy else [])]


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


def judgement_of(verdict: Verdict, entries: list[Measured], precision: Precision, judged: int, reason: str = "") -> Judgement:
    """A judgement that shows the entry which is worst."""
    entry, index = worst_entry(entries)
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


def worst_entry(entries: list[Measured]) -> tuple[Measured, tuple[int, ...]]:
    """The entry with the largest distance over the distance allowed; gradients before intermediates where equal.

    One that is infinite or NaN where it should be finite comes before all that are off, which may be its consequence.
    """
    best: tuple[float, Measured, tuple[int, ...]] = (-1.0, entries[0], (0,) * entries[0].got.ndim)
    for entry in entries:
        ratio = np.where(entry.outside & ~np.isfinite(entry.got), np.inf, np.minimum(entry.ratio, np.finfo(np.float64).max))
        index = tuple(int(i) for i in np.unravel_index(int(np.argmax(ratio)), ratio.shape))
        if ratio[index] > best[0]:
            best = (float(ratio[index]), entry, index)
    return best[1], best[2]


def precision_of(answer: Gradient, precision: str | None = None) -> Precision:
    """The precision to judge by: the one that is named, or the narrowest of the answer's own dtypes."""
    return precision_named(precision or narrowest_dtype(answer))


def precision_named(name: str) -> Precision:
    """The row of PRECISIONS. Raises ProblemError."""
    if name not in PRECISIONS:
        raise ProblemError(f"precision is {name!r}: {did_you_mean(name, PRECISIONS)}expected one of {', '.join(PRECISIONS)}")
    return PRECISIONS[name]
