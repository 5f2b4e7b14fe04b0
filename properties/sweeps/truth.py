"""What is exact at each number of a sweep, and how far an honest answer may be from it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from oracles.balls.formula import Formula
from oracles.balls.numbers import Curve, ExactNumbers, curve, is_known, roundings
from reference.arrays import AnyArray, Array
from reference.functions.parametrised import Choice
from rounding.activations import elementwise
from rounding.arithmetic import WorstCaseRounding
from rounding.precisions import Precision
from rounding.worst_case import slope_bound, value_bound_of

AS_WRITTEN = 4.0
"""A step of a formula as it is written, an operation or a function, may be off by so many u of its own result."""

QUANTITIES = ("slope", "value")
"""g' and g, in the order in which they are told."""


@dataclass(frozen=True)
class Truth:
    """One quantity at each z, (n,).

    exact; right: how far an accurate formula may be off, infinite where no claim is made: where something leaves the range; textbook: how
    far a formula that loses digits may be, of those z that are asked for, (n,) of bool, an array of as many; known: where anything is
    known at all.
    """

    exact: ExactNumbers
    right: Array
    textbook: Callable[[AnyArray], Array]

    @property
    def known(self) -> AnyArray:
        """(n,) of bool."""
        return is_known(self.exact)


def truths(of: Choice | Formula, z: Array, precision: Precision, tell: Callable[[int], None]) -> dict[str, Truth]:
    """g' and g of an activation, by QUANTITIES, at numbers that the precision holds, (n,).

    A number below the least normal one may be flushed to zero, where engines do so: both are right.
    """
    widened = np.where(np.abs(z) < precision.least_normal, precision.least_normal, 0.0) if precision.flushes else np.zeros_like(z)
    # what is smaller than a part of the least number of the format is 0 to it
    found = curve(of, z, widened, float(np.ldexp(1.0, precision.least_exponent - 20)), tell)
    with np.errstate(all="ignore"):
        bounds = _by_formula(of, z, found, precision) if isinstance(of, Formula) else _by_name(of, z, widened, precision)
    return {name: Truth(getattr(found, name), *bounds[name]) for name in QUANTITIES}


Bounds = dict[str, tuple[Array, Callable[[AnyArray], Array]]]
"""Of each quantity what is allowed to an accurate formula, and to one that loses digits."""


def model_of(precision: Precision, lossy: frozenset[str] | None = frozenset(), largest: float | None = None) -> WorstCaseRounding:
    """The rounding of one pass alone: what it is held against is exact."""
    return WorstCaseRounding(
        unit=precision.unit,
        underflow=precision.least_normal,
        largest=precision.largest if largest is None else largest,
        lossy=lossy,
        dtype=precision.storage,
        sum_unit=precision.sum_unit if precision.sum_bits else None,
        function_unit=precision.function_unit if precision.function_bits else None,
    )


def _by_name(choice: Choice, z: Array, widened: Array, precision: Precision) -> Bounds:
    """The bounds of a named activation: those of the tables, at a z that is off by nothing but a flush."""
    row, rounding = elementwise(choice)
    # z itself is held, whatever a sum before it might do: only a power of it, which the definition computes, leaves the range
    largest = np.inf if rounding.reach == 1 else precision.largest
    models = model_of(precision, frozenset(), largest), model_of(precision, None, largest)
    value, slope = np.abs(row.value(z)), np.abs(row.derivative(z))
    values = [_claimed(value, value_bound_of(choice, z, value, widened, model), precision) for model in models]
    slopes = [_claimed(slope, slope_bound(choice, z, widened, model, jumps=False), precision) for model in models]
    return {"value": (values[0], lambda which: values[1][which]), "slope": (slopes[0], lambda which: slopes[1][which])}


def _claimed(size: Array, bound: Array, precision: Precision) -> Array:
    """A bound, infinite where the number with it leaves the range."""
    return np.where(size + bound <= precision.largest, bound, np.inf)


def _by_formula(of: Formula, z: Array, found: Curve, precision: Precision) -> Bounds:
    """The bounds of a formula: K u of what z and the result rounded once would do, and what its own steps lose, as it is written."""
    model = model_of(precision)
    leaves = found.power > precision.largest
    value, slope, bend = (np.abs(each) for each in (found.value.high, found.slope.high, found.bend))

    def bounds(size: Array, moved: Array, quantity: int) -> tuple[Array, Callable[[AnyArray], Array]]:
        scale = size + np.abs(z) * np.where(np.isfinite(moved), moved, 0.0)
        right = _claimed(size, model.function(scale, size) + model.underflow * (1 + np.abs(z)), precision)
        # as of a named activation: a power on the way is infinite there, whoever computes it as it is written
        right = np.where(leaves, np.inf, right)

        def textbook(which: AnyArray) -> Array:
            # a walk through the formula for each number, so only of those that need it
            steps = roundings(of, z[which])[quantity]
            return right[which] + AS_WRITTEN * precision.function_unit * np.nan_to_num(steps, nan=0.0, posinf=0.0)

        return right, textbook

    return {"value": bounds(value, slope, 0), "slope": bounds(slope, bend, 1)}
