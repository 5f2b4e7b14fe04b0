"""Lost digits in words: which textbook formula loses them, over which z, how many, and what to write instead.

What the target has is read off its answers along z; the table of formulas names; and a formula is told only where it gives the numbers
that were read, where they are off, as nearly as they were read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from properties.answers.answer import Answer
from properties.diagnosis.along_errors import AlongErrors
from properties.diagnosis.along_z import AlongZ
from properties.diagnosis.formula import Formula
from properties.diagnosis.textbook_formulas import formulas_of
from properties.problems.support import Support
from reference.arrays import AnyArray, Array
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import Choice, name_and_parameters, row_of
from reference.problem import Problem
from rounding.activations import ROUNDED_ACTIVATIONS
from rounding.arithmetic import K
from rounding.precisions import Precision
from rounding.scales import ElementwiseRounding

BY_CHANCE = 1e-6
"""A formula is named where another one of the same size would give all of its numbers so seldom."""

MOST = 0.95
"""So large a part of the numbers that are off on one side of 0 must a formula give."""

FURTHER = 24
"""So many further z are read on each side of 0, where some digits are lost."""

SHOWN = 8
"""Rows of a table."""

DTYPES = {"float64": np.float64, "float32": np.float32, "tf32": np.float32, "float16": np.float16}
"""In what a formula is computed that a target of a precision may have; of others no formula is told."""

QUANTITIES = {"value": ("a", "the definition of a"), "slope": ("g'", "equation 3"), "loss": ("dC/da of the output layer", "equation 2")}


@dataclass(frozen=True)
class Digits:
    """One quantity of one function as it was read: which numbers lose digits.

    z: where, (n,); read, exact, (n,); allowed: how far an accurate formula may be off, by rounding and reading; given: what a formula is
    computed of, arrays of n, or of (n, outputs), of which at, (n,), says the column that was read. along: what z is called.
    """

    function: str
    quantity: str
    parameters: dict[str, float]
    z: Array
    read: Array
    exact: Array
    allowed: Array
    error: float
    given: tuple[Array, ...]
    at: Array | None = None
    along: str = "z"

    @property
    def off(self) -> AnyArray:
        """Which of them are further off than accurate formulas are, (n,) of bool."""
        with np.errstate(all="ignore"):
            return np.asarray(np.isfinite(self.read) & ~(np.abs(self.read - self.exact) <= self.allowed))

    def given_by(self, formula: Formula, precision: Precision) -> tuple[AnyArray, Array]:
        """Which of them a formula gives, as nearly as they were read, (n,) of bool; and how likely each would be by chance, (n,)."""
        dtype = DTYPES.get(precision.name)
        if dtype is None:
            return np.zeros(len(self.z), dtype=bool), np.ones(len(self.z))
        given = [array.astype(dtype) for array in self.given]
        near = self.error * np.abs(self.read) + self.error * np.minimum(np.abs(self.exact), self.allowed) + precision.least_normal
        with np.errstate(all="ignore"):
            results = np.array(list(formula.results(*given, **self.parameters)), dtype=np.float64)
            results = results if self.at is None else results[:, np.arange(len(self.z)), self.at]
            hit = np.asarray((np.abs(self.read - results) <= near).any(axis=0))
            # of what lies between the exact number and all that rounding makes of the formula, how much is near one of these
            ends = np.vstack([results, self.exact[None]])
            room = np.ptp(ends, axis=0) + 2 * near
            chance = np.where(hit & (self.read != 0) & np.isfinite(room), np.minimum(len(results) * 2 * near / room, 1.0), 1.0)
        return hit, chance


@dataclass(frozen=True)
class Lost:
    """What is said of the digits of one quantity.

    formula: that gives them, None where none is known to; same_as: others that do so too; digits: what was read; side: "" for all z,
    "z > 0" or "z < 0"; gives: how many numbers that are off it gives, of how many.
    """

    digits: Digits
    formula: Formula | None
    same_as: tuple[str, ...]
    side: str
    off: AnyArray
    gives: tuple[int, int]


def points(precision: Precision) -> Array:
    """Pre-activations of both signs, from very small to very large, none of them a round number."""
    sizes = np.concatenate([np.geomspace(2e-9, 0.3, 12), np.linspace(0.45, 39.0, 30), [63.0, 117.0, 1.3e3, 2.1e4, 1.7e6, 1.9e8]])
    sizes = np.concatenate([sizes, np.geomspace(1.1, 30.0, 8) / precision.unit])
    sizes = sizes[sizes < precision.largest / 64]
    uneven = 1 + 0.013 * np.sin(1 + np.arange(2 * len(sizes)))
    return precision.held(np.concatenate([-sizes[::-1], sizes]) * uneven)


def digits_of(asks: Callable[[Problem], Answer], support: Support, precision: Precision, function: str, choice: Choice) -> list[Digits]:
    """What is read of an activation or a loss: each of its quantities; [] where none can be read."""
    parameters = name_and_parameters(choice)[1]
    if function in LOSSES:
        along = AlongErrors(asks, support, precision, choice)
        return [
            Digits(function, "loss", parameters, z, read, exact, allowed, along.error, (a, y), at, along.axis)
            for z, read, exact, allowed, a, y, at in along.read()
        ]
    of_z = AlongZ.of(asks, support, precision, choice)
    if of_z is None:
        return []
    coarse = points(precision)
    first = _of_read(of_z, function, choice, precision, coarse)
    between = [z for digits in first for z in _between(digits, precision)]
    # the few that lose some digits, and not all, tell formulas apart
    return _of_read(of_z, function, choice, precision, np.concatenate([coarse, *between])) if between else first


def _of_read(of_z: AlongZ, function: str, choice: Choice, precision: Precision, z: Array) -> list[Digits]:
    """g and g' at some z, beside what is exact."""
    read, row = of_z.read(z), row_of(ACTIVATIONS, choice)
    rounded, parameters = row_of(ROUNDED_ACTIVATIONS, choice), name_and_parameters(choice)[1]
    assert isinstance(rounded, ElementwiseRounding)
    found = []
    with np.errstate(all="ignore"):
        for quantity, got, exact, scales in (
            ("value", read.value, row.value(read.z), rounded.value_scales),
            ("slope", read.slope, row.derivative(read.z), rounded.derivative_scales),
        ):
            allowed = read.error * np.abs(exact) + K * precision.unit * scales.right(read.z) + K * precision.least_normal
            # what is small beside the least number, digits or not, is lost to any formula
            allowed = np.where(np.abs(exact) < precision.least_normal / precision.unit, np.inf, allowed)
            if of_z.hidden or quantity == "slope":
                found.append(Digits(function, quantity, parameters, read.z, got, exact, allowed, read.error, (read.z,)))
    return found


def _between(digits: Digits, precision: Precision) -> list[Array]:
    """Further z where digits are lost, but not all of them, on each side of 0."""
    with np.errstate(all="ignore"):
        some = digits.off & (kept(digits) > 0.3)
    found = []
    for sign in (-1.0, 1.0):
        sizes = np.abs(digits.z[some & (digits.z * sign > 0)])
        if sizes.size:
            low, high = 0.9 * sizes.min(), 1.1 * sizes.max()
            spread = np.geomspace(low, high, FURTHER) if high > 30 * low else np.linspace(low, high, FURTHER)
            found.append(precision.held(sign * spread * (1 + 0.003 * np.sin(np.arange(FURTHER)))))
    return found


def lost(digits: Digits, precision: Precision) -> list[Lost]:
    """What is said of a quantity: of each formula that gives its numbers on one side of 0 or both, and of those that none gives."""
    left, said = digits.off.copy(), list[Lost]()
    formulas = formulas_of(digits.function, digits.quantity)
    given = {row.name: digits.given_by(row, precision) for row in formulas}
    for side, where in (("", np.ones(len(left), dtype=bool)), (f"{digits.along} > 0", digits.z > 0), (f"{digits.along} < 0", digits.z < 0)):
        of = left & where
        fits = [
            row
            for row in formulas
            if of.any() and (given[row.name][0] & of).sum() >= MOST * of.sum() and given[row.name][1][of].prod() < BY_CHANCE
        ]
        if fits:
            best = max(fits, key=lambda row: int((given[row.name][0] & of).sum()))
            same = tuple(row.name for row in fits if row is not best)
            both_sides = digits.off[digits.z > 0].any() and digits.off[digits.z < 0].any()
            said.append(Lost(digits, best, same, side if both_sides else "", of, (int((given[best.name][0] & of).sum()), int(of.sum()))))
            left &= ~of
    if left.any():
        said.append(Lost(digits, None, (), "", left, (0, int(left.sum()))))
    return said


def kept(digits: Digits) -> Array:
    """How many digits of each number are left, (n,)."""
    with np.errstate(all="ignore"):
        relative = np.abs(digits.read - digits.exact) / np.abs(digits.exact)
        return np.asarray(np.maximum(-np.log10(relative), 0.0))


def sentences(found: Lost, precision: Precision, layer: int | None) -> str:
    """What a person is told: where, which formula, which digits, and what to write."""
    digits, formula = found.digits, found.formula
    of = round(-np.log10(precision.unit))
    least = int(np.floor(kept(digits)[found.off].min()))
    noun, equation = QUANTITIES[digits.quantity]
    place = f"{equation}{'' if layer is None or digits.quantity == 'loss' else f', layer {layer}'} ({digits.function})"
    left = "none" if least < 1 else f"{least}"
    zeros = found.off & (digits.read == 0)
    nothing = f" It is 0 for {ranges(digits.z[zeros], digits.along)}." if zeros.any() and (found.off & ~zeros).any() else ""
    are = "is" if left == "1" else "are"
    extent = f"For {ranges(digits.z[found.off], digits.along)}, {left} of {of} digits {are} left at the worst.{nothing}"
    if formula is None:
        return f"{place}: {noun} loses digits. {extent} Formula not known: none of those that are known gives these numbers."
    gives, all_of = found.gives
    return (
        f"{place}: {noun} is computed as {formula.written}: {formula.why}. {extent} Write {formula.instead}. "
        f"That formula gives {gives} of the {all_of} numbers that were read there, to the digits in which they are off."
    )


def ranges(z: Array, along: str = "z") -> str:
    """Where some z lie: "z from -3.2 to -1", of both signs each by itself."""
    parts = []
    for side in (z[z < 0], z[z >= 0]):
        if side.size:
            low, high = f"{side.min():.3g}", f"{side.max():.3g}"
            parts.append(f"= {low}" if low == high else f"from {low} to {high}")
    return f"{along} {' and '.join(parts)}"


def table(found: Lost) -> dict[str, Any]:
    """What was read beside what is exact, evenly over where digits are lost."""
    digits = found.digits
    some = found.off & (digits.read != 0)
    where = np.flatnonzero(some if some.sum() >= SHOWN / 2 else found.off)
    where = where[np.argsort(digits.z[where], kind="stable")]
    where = where[np.unique(np.linspace(0, len(where) - 1, min(SHOWN, len(where))).round().astype(int))]
    left = kept(digits)
    noun = {"value": "g(z)", "slope": "g'(z)", "loss": "dC/da"}[digits.quantity]
    rows = [[float(digits.z[i]), float(digits.exact[i]), float(digits.read[i]) + 0.0, round(min(float(left[i]), 17.0), 1)] for i in where]
    caption = f"{noun} of {digits.function} as the target has it, and how many digits of it are right"
    columns = [digits.along.replace("the ", ""), noun, "read", "digits"]
    return {"kind": "digits", "caption": caption, "columns": columns, "rows": rows, "error": digits.error, "note": ""}


def layers_of(problem: Problem, function: str) -> Sequence[int]:
    """The layers of a problem, from 1, that have an activation."""
    return [layer for layer, choice in enumerate(problem.activations, 1) if name_and_parameters(choice)[0] == function]
