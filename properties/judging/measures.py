"""What an answer is measured by at real sizes: each array's worst entry, and what is common to a layer, a row or a column of its dC/dW.

What is common to all entries of a layer shows in their projection on the gradient long before it shows in one of them, and many
small errors show in their root mean square.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from properties.judging.in_sigmas import ArrayInSigmas
from reference.arrays import AnyArray
from reference.gradient import Place
from rounding.arithmetic import SIGMAS_ALLOWED
from rounding.deviation import Deviation
from rounding.precisions import PRECISIONS, Precision
from rounding.projection import Projections

COMMON = 8.0
"""A factor common to a whole layer may be off by so many u; by more only as far as the roundings of both passes, carried on to it,
explain (rounding/projection.py)."""

SPREAD, LINE_SPREAD = 4.0, 6.0
"""The root mean square of error over sigma of an honest answer stays below this, in one layer, and in one row or column of a
layer over which errors average out."""

WORTH_ASKING = 2.0
"""A row whose factor is off by so many sigma, by V(delta), is asked for what rounding adds up to in it: only a screen."""

Projection = Callable[[], Projections]
"""How far the factors common to the dC/dW of the layers may be from 1."""


@dataclass(frozen=True)
class Measure:
    """One number by which an array of an answer is judged.

    kind: "entries", "factor", "factor beside others", "row factor", "layer", "row" or "column"; got, exact: what it is, and would be
    without rounding; allowed: how far it may be from that; reason: in words; of entries empty, of which where_outside says more.
    """

    place: Place
    kind: str
    got: float
    exact: float
    allowed: float
    reason: str

    @property
    def share(self) -> float:
        """How far it is off, over what is allowed; infinite for NaN."""
        share = abs(self.got - self.exact) / self.allowed if self.allowed else math.inf
        return math.inf if math.isnan(share) else share

    def share_of(self, other: "Measure") -> float:
        """How far it is off, over what another answer's measure of the same kind is allowed; of rows, which may be two, its own share."""
        return self.share if self.kind == "row factor" else abs(self.got - self.exact) / other.allowed

    @property
    def is_suspect(self) -> bool:
        """Whether it is further off than that."""
        return not abs(self.got - self.exact) <= self.allowed


def measures(compared: Sequence[ArrayInSigmas], found: Deviation, precision: Precision, projection: Projection) -> Iterator[Measure]:
    """All by which an answer is judged; entries first.

    compared: the answer beside what is exact; found: the bound that it was compared by; projection: asked where a factor is beyond COMMON.
    """
    for one in compared:
        yield Measure(one.place, "entries", one.ratio, 0.0, SIGMAS_ALLOWED, "")
    unit = math.hypot(precision.unit, precision.product_unit, PRECISIONS["float64"].unit)
    least = COMMON * unit
    layers = {one.place.layer: one for one in compared if one.place.quantity == "weights" and one.place.layer and one.size}
    factors = {layer: _factor(one, layer, projection, least) for layer, one in layers.items()}
    # a layer that is off by itself says nothing of others
    sound = {layer: factor for layer, factor in factors.items() if not factor.is_suspect}
    for layer, one in layers.items():
        place, factor = one.place, factors[layer]
        yield factor
        if layer in sound and len(sound) > 1 and abs(factor.got - 1) > least:
            yield _beside_others(factor, layer, sound, projection())
        yield from _of_a_row(one, layer, found, projection, least)
        yield Measure(place, "layer", one.spread, 0.0, SPREAD, f"its errors over sigma have a root mean square of {one.spread:.3g}")
        # where errors do not average out, those of a row or column are much the same
        for kind, spreads in (("row", one.rows), ("column", one.columns)) if found.averages[layer - 1] else ():
            worst = int(np.argmax(spreads))
            spread = float(spreads[worst])
            reason = f"the errors of {kind} {worst} over sigma have a root mean square of {spread:.3g}"
            yield Measure(place, kind, spread, 0.0, LINE_SPREAD, reason)


def _factor(one: ArrayInSigmas, layer: int, projection: Projection, least: float) -> Measure:
    """A layer's own factor."""
    allowed = least if abs(one.factor - 1) <= least else max(least, projection().bound(layer - 1))
    reason = f"its projection on the gradient is off by a factor of 1 {one.factor - 1:+.2g}"
    return Measure(one.place, "factor", one.factor, 1.0, allowed, reason)


def _of_a_row(one: ArrayInSigmas, layer: int, found: Deviation, projection: Projection, least: float) -> Iterator[Measure]:
    """The factor of the row that is furthest off by its own sigma, where it is so far off that it is worth to be asked."""
    beyond = np.flatnonzero((np.abs(one.along) > least * one.sizes) & (one.sizes > 0))
    if not len(beyond):
        return
    bounds = projection()
    if len(one.along) != bounds.passed.problem.widths[layer]:
        return  # rows that were asked for alone
    off = one.along[beyond] / one.sizes[beyond]
    with np.errstate(all="ignore"):
        far = np.abs(off) / bounds.of_rows(layer - 1, found, beyond, one.sizes[beyond])
    worst = int(np.argmax(np.where(np.isnan(far), 0.0, far)))
    if far[worst] > WORTH_ASKING:
        row, factor = int(beyond[worst]), 1 + float(off[worst])
        allowed = max(least, bounds.bound(layer - 1, row))
        reason = f"the projection of row {row} on the gradient's is off by a factor of 1 {off[worst]:+.2g}"
        yield Measure(one.place, "row factor", factor, 1.0, allowed, reason)


def _beside_others(factor: Measure, layer: int, factors: dict[int, Measure], projections: Projections) -> Measure:
    """A layer's factor, without what the factors of other layers share with it."""
    weighed, allowed = projections.beside(layer - 1, [other - 1 for other in factors if other != layer])
    remains = factor.got - 1 + sum(share * (factors[other + 1].got - 1) for other, share in weighed.items())
    reason = f"{factor.reason}, and, beside what those of the other layers are off by, by 1 {remains:+.2g}"
    return Measure(factor.place, "factor beside others", 1 + remains, 1.0, allowed, reason)


def where_outside(compared: Sequence[ArrayInSigmas]) -> str:
    """How many entries are outside, and in which rows, columns and layers."""
    said = []
    for one in compared:
        if not one.outside:
            continue
        outside = one.mask
        text = f"{one.place}: {int(outside.sum())} of {outside.size}"
        if outside.ndim == 2:
            rows, columns = (np.flatnonzero(outside.any(axis=axis)) for axis in (1, 0))
            text += f", in {_listed(rows, len(outside), 'row')} and {_listed(columns, outside.shape[1], 'column')}"
        said.append(text)
    return "outside are " + "; ".join(said)


def _listed(numbers: AnyArray, of: int, name: str) -> str:
    if len(numbers) == of:
        return f"all {name}s"
    if len(numbers) <= 3:
        return f"{name}{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers.tolist()))}"
    return f"{len(numbers)} of {of} {name}s"
