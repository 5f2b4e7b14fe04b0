"""The gradient of code that only updates its weights, W' = W - rate dC/dW, read off W before and after.

Where the rate is a parameter, powers of two are tried of it: at one that is large enough W is lost beside rate dC/dW, and W' is
-rate dC/dW to the last bit. At a rate that is fixed, dC/dW loses the digits that W' has not: the reading is off by at most half an ulp
of W' over the rate, and that much is allowed for.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backproof.targets.target import TargetError
from properties.answers.answer import Declined, Malformed
from properties.problems.tame import are_tame
from reference.arrays import AnyArray, Array
from reference.backward import gradient
from reference.dtypes import DTYPES, as_array
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import row_of
from reference.gradient import Gradient
from reference.problem import Problem
from rounding.precisions import PRECISIONS

DIGITS_KEPT = 3 / 8
"""This part of the bits must be left of the largest entry of an array, or nothing is said: in float64 it may be off by 2^-20."""

SHARES = (1 / 2, 0.999, 0.0, 1 / 4, 3 / 4)
"""The exponents of the rates that are tried, as parts of the largest that the precision has; below 1 derivatives would only vanish."""

GROSS = 2.0**-8
"""Readings at two rates that differ by more of the largest entry are of different gradients, whatever rounds."""

Step = Callable[[float], Sequence[AnyArray]]
"""step(rate): the arrays after an update, of weights that were the same before."""


@dataclass(frozen=True)
class Rate:
    """The learning rate of an update. name: of f's parameter, "" where it is fixed; own: the one at which findings are shown."""

    name: str
    own: float

    @property
    def note(self) -> str:
        """How the gradient was read, as a report says it."""
        if self.name:
            return (
                f"the gradient was read off updates at several rates {self.name}, powers of two at which no digit of it drowns in W, "
                f"and is shown as it is at {self.own:g} where it depends on the rate"
            )
        return (
            f"the gradient was read off updates at the rate {self.own:g}: half an ulp of each updated number over that rate is allowed "
            "for, so that no smaller error is seen, and of problems nothing is said where that is much beside the gradient"
        )


def rate_of(said: Any, f: Callable[..., Any], parameters: Mapping[str, Any]) -> Rate:
    """The rate that adapt's learning_rate says: a parameter's name, {name: the user's own rate}, or a number. Raises TargetError."""
    name: Any
    own: Any
    name, own = next(iter(said.items())) if isinstance(said, Mapping) and len(said) == 1 else (said, None)
    if isinstance(name, str):
        if parameters and name not in parameters and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            raise TargetError(f"adapt: learning_rate is {name!r}, but f takes {', '.join(parameters)}")
        default = parameters[name].default if name in parameters else None
        own = own if own is not None else default if _is_number(default) else 1.0
    else:
        name, own = "", said
    if not _is_number(own) or not 0 < abs(own) < np.inf:
        names = f" (f takes {', '.join(parameters)})" if parameters else ""
        raise TargetError(
            f"adapt: learning_rate is {said!r}: where returns is 'updated', expected the name of f's parameter{names}, such as "
            '"learning_rate", with the rate that you use as {"learning_rate": 0.1}, or the number that is fixed in the code'
        )
    return Rate(name, float(own))


def _is_number(given: Any) -> bool:
    return isinstance(given, (int, float, np.floating)) and not isinstance(given, bool)


@dataclass
class Reading:
    """(W - W') / rate of one array, and by how much each entry may be off.

    before, after: W and W'; error is infinite where W' is not finite.
    """

    before: AnyArray
    after: AnyArray
    value: Array
    error: Array

    @staticmethod
    def at(rate: float, before: AnyArray, after: AnyArray) -> "Reading":
        """The reading at one rate."""
        row = PRECISIONS[_name(after)]
        old, new = before.astype(np.float64), after.astype(np.float64)
        with np.errstate(all="ignore"):
            # a W of under a quarter of the ulp of W' = W - rate g is lost in it, and no digit of g is
            lost = np.abs(new) > np.abs(old) * 2.0 ** (row.bits + 2)
            difference = np.where(lost, -new, old - new)
            value = difference / rate
            rounding = np.maximum(np.abs(new) * row.unit, 2.0**row.least_exponent / 2) + np.abs(difference) * 2.0**-53
            error = np.where(lost, 0.0, rounding / abs(rate))
            if abs(np.frexp(rate)[0]) != 0.5:  # no power of two: rate times g is rounded, and so is the quotient
                error = error + 3 * row.unit * np.abs(value)
        return Reading(before, after, value, np.where(np.isfinite(new), error, np.inf))

    def sharpened(self, other: "Reading") -> "Reading":
        """Of each entry the reading that is sharper."""
        better = other.error < self.error
        value, error = np.where(better, other.value, self.value), np.where(better, other.error, self.error)
        return Reading(self.before, self.after, value, error)

    def contradicts(self, other: "Reading") -> bool:
        """Whether two readings are of gradients that differ grossly: then the gradient depends on the rate."""
        both = np.isfinite(self.error) & np.isfinite(other.error)
        size = np.max(np.abs(other.value), where=both, initial=0.0)
        with np.errstate(all="ignore"):
            off = np.abs(self.value - other.value) > self.error + other.error + GROSS * size
        return bool((off & both).any())

    @property
    def is_clear(self) -> bool:
        """Whether all of it is as exact as can be: of zeros nothing is known below what the precision holds."""
        least = np.where(self.value == 0, PRECISIONS[_name(self.after)].least_normal, 0.0)
        return bool((self.error <= least).all())

    @property
    def is_unchanged(self) -> bool:
        """Whether the update changed nothing."""
        return np.array_equal(self.before, self.after)


def read_off(step: Step, before: Sequence[AnyArray], rate: Rate) -> list[Reading]:
    """The gradient of each array, by as many updates as it takes. Raises Malformed."""

    def at(chosen: float) -> list[Reading]:
        return [Reading.at(chosen, old, new) for old, new in zip(before, _in_shape(step(chosen), before), strict=True)]

    own = at(rate.own)
    if not rate.name:
        return own
    sharp = own
    largest = min(np.log2(PRECISIONS[_name(one.after)].largest) for one in own)
    for share in SHARES:
        # one further rate at least: numbers in which W is lost do not tell whether they depend on it
        if sharp is not own and all(one.is_clear for one in sharp):
            break
        further, chosen = at(tried := 2.0 ** int(share * largest)), tried
        if chosen != rate.own and _ignore_the_rate(own, further):
            raise Malformed(
                f"the update does not depend on {rate.name}: f leaves the same numbers whatever it is; use it in the update, or say "
                'learning_rate=0.1, the number that is fixed in the code; if f answers derivatives, leave returns="updated" out'
            )
        sharp = [one.sharpened(other) for one, other in zip(sharp, further, strict=True)]
    return own if any(one.contradicts(other) for one, other in zip(own, sharp, strict=True)) else sharp


def _ignore_the_rate(own: list[Reading], further: list[Reading]) -> bool:
    """Whether two rates give the same numbers, and these are not those before."""
    same = all(np.array_equal(one.after, other.after) for one, other in zip(own, further, strict=True))
    return same and not all(one.is_unchanged for one in own) and all(bool(np.isfinite(one.after).all()) for one in own)


def _name(array: AnyArray) -> str:
    """The precision of an array's dtype."""
    return next(name for name, dtype in DTYPES.items() if dtype == array.dtype)


def _in_shape(after: Iterable[Any], before: Sequence[AnyArray]) -> list[AnyArray]:
    """Arrays of floating-point numbers, which are the shape of those before. Raises Malformed."""
    arrays = [as_array(array) for array in after]
    for new, old in zip(arrays, before, strict=True):
        if new.size != old.size or new.dtype not in DTYPES.values():
            raise Malformed(
                f"f leaves an array of shape {new.shape} and dtype {new.dtype} where there was one of {old.shape} and {old.dtype}: "
                "expected updated weights and biases"
            )
    return [np.array(new).reshape(old.shape) for new, old in zip(arrays, before, strict=True)]


def should_change(problem: Problem, answer: Gradient, error: Gradient) -> bool:
    """Whether an update that was read as none is beyond doubt a mistake.

    No legal slope is 0, none is lost by a formula for large z, and rounding of the weights hides none.
    """
    held = problem.copy(np.float64)
    if any(row_of(ACTIVATIONS, choice).kinks for choice in held.activations) or not are_tame(held):
        return False
    right = max(np.abs(array).max() for array in gradient(held).weights)
    hidden = max(float(np.max(off)) for _, off in error.arrays())
    unit = max(PRECISIONS[_name(array)].unit for _, array in answer.arrays())
    return bool(right > max(4 * hidden, np.sqrt(unit)))


def allowed_for(problem: Problem, answer: Gradient, error: Gradient) -> Gradient:
    """The answer that is nearest to the exact gradient among those that the reading cannot tell apart.

    A verdict on it is the verdict on what was read with just the reading's error allowed besides. Raises Declined where that error is
    more than a small part of the largest entry of its array, so that a wrong number could pass, and nothing else is wrong.
    """
    exact = gradient(problem.copy(np.float64))
    exacts, errors = dict(exact.arrays()), dict(error.arrays())
    whole = max(float(np.abs(exacts[place]).max()) for place, _ in answer.arrays())
    drowned, wrong, nearest = [], False, {}
    for place, read in answer.arrays():
        row = PRECISIONS[_name(read)]
        right, off = exacts[place], np.nan_to_num(errors[place], nan=0.0, posinf=0.0)
        size = float(np.abs(right).max()) or whole
        with np.errstate(all="ignore"):
            nearest[place] = np.clip(right, read - off, read + off)
            wrong = wrong or not (np.abs(nearest[place] - right) <= GROSS * size).all()
        if (off > max(2.0 ** -(DIGITS_KEPT * row.bits) * size, row.least_normal)).any():
            drowned.append(str(place))
    if drowned and not wrong:
        raise Declined(f"the update says too little of {', '.join(drowned)}: rounding of the updated weights hides it")
    return answer.mapped(lambda place, read: np.where(np.isfinite(read), nearest[place], read).astype(read.dtype))
