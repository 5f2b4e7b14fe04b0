"""The exact numbers of one activation: g and g' at many z, by ball arithmetic, as pairs of float64 that hold 100 bits and more.

Trust: as the enclosure's. What is off by less than a unit in the last place of float64 is told, which an enclosure's ends cannot.
Limit: at an exact kink g' is every slope between both sides. flint is imported when numbers are asked for, not with this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from oracles.balls.formula import Formula
from oracles.balls.functions import BALL_ACTIVATIONS
from oracles.balls.jets import Jet
from reference.arrays import AnyArray, Array
from reference.functions.parametrised import Choice, row_of

if TYPE_CHECKING:
    from flint import arb

BITS = (128, 320, 1400, 4400)
"""The precisions that are tried; float64's largest numbers need 1,100 bits below an exponential."""

KNOWN = 2.0**-75
"""What is known to such a part of itself needs no more digits."""

EACH = 2048
"""Progress is told after so many numbers."""


@dataclass(frozen=True)
class ExactNumbers:
    """What is exact at each z, (n,): high + low, at most radius away; NaN where nothing is known. All legal slopes at a kink lie within."""

    high: Array
    low: Array
    radius: Array

    def distance(self, answer: Array) -> Array:
        """How far an answer is off, at least, (n,); 0 within the radius."""
        with np.errstate(all="ignore"):
            return np.maximum(np.abs((answer - self.high) - self.low) - self.radius, 0.0)


@dataclass(frozen=True)
class Curve:
    """What an activation is at some numbers, by a named one or a formula: each has g and g'.

    Of a formula besides: bend, g'', and power, the largest power of z that it computes on its way as it is written, or the slope of one;
    (n,) each, 0 of none.
    """

    value: ExactNumbers
    slope: ExactNumbers
    bend: Array
    power: Array


def curve(of: Choice | Formula, z: Array, widened: Array, least: float, tell: Callable[[int], None] = lambda done: None) -> Curve:
    """g and g' of an elementwise activation at each z, (n,).

    widened: by how much each z may be off besides, (n,); least: what is smaller than this is known well enough; tell: how many are done.
    """
    from flint import arb, ctx

    points = [arb(number, radius) if radius else arb(number) for number, radius in zip(z.tolist(), widened.tolist(), strict=True)]
    rows = np.zeros((8, len(points)))
    evaluate = _evaluator(of)
    for i, point in enumerate(points):
        best: list[float] = []
        for bits in BITS:
            with ctx.workprec(bits):
                value, slope, bend, power = evaluate(point)
                found = [*_parts(value), *_parts(slope), float(bend), power]
            sharper = not best or not all(new >= old / 2 for new, old in zip((found[2], found[5]), (best[2], best[5]), strict=True))
            best = found if sharper else best
            if not sharper or (_known(found[:3], least) and _known(found[3:6], least)):
                break
        rows[:, i] = best
        if i % EACH == 0:
            tell(i)
    return Curve(ExactNumbers(*rows[:3]), ExactNumbers(*rows[3:6]), rows[6], rows[7])


def roundings(of: Formula, z: Array) -> tuple[Array, Array]:
    """How far g and g' may be off, in units of u, of an evaluation of the formula as it is written, step by step; (n,) each."""
    from flint import arb, ctx

    with ctx.workprec(BITS[1]):
        made = [of.jet(arb(number)) for number in z.tolist()]
        return _floats(made, lambda jet: jet.value_error), _floats(made, lambda jet: jet.slope_error)


def _floats(made: list[Jet], field: Callable[[Jet], arb]) -> Array:
    return np.array([abs(float(field(jet))) for jet in made], dtype=np.float64)


def _evaluator(of: Choice | Formula) -> Callable[[arb], tuple[arb, arb, arb, float]]:
    """g, g', g'' and the largest power of a ball; those of a named activation are not asked for, and 0."""
    if isinstance(of, Formula):
        formula = of

        def by_formula(z: arb) -> tuple[arb, arb, arb, float]:
            jet, powers = formula.jet_and_powers(z)
            sizes = [float(abs(each)) for one in powers for each in (one.value, one.slope)]
            return jet.value, jet.slope, jet.bend, float(np.fmax.reduce([0.0, *sizes]))

        return by_formula
    row = row_of(BALL_ACTIVATIONS, of)

    def by_name(z: arb) -> tuple[arb, arb, arb, float]:
        return row.value([z])[0], row.pullback([z], [type(z)(1)])[0], type(z)(0), 0.0

    return by_name


def _parts(ball: arb) -> Iterator[float]:
    """A ball as high + low and a radius, rounded up."""
    high = float(ball)
    if not np.isfinite(high):
        yield from (high, 0.0, 0.0 if ball.is_finite() else np.nan)
        return
    rest = ball - high
    yield high
    yield float(rest.mid())
    yield float(rest.rad()) * (1 + 2.0**-20)


def _known(parts: list[float], least: float) -> bool:
    high, _, radius = parts
    return bool(radius <= KNOWN * abs(high) or abs(high) + radius <= least)


def is_known(exact: ExactNumbers) -> AnyArray:
    """Where something is known, (n,) of bool."""
    return np.asarray(np.isfinite(exact.high) & np.isfinite(exact.radius))
