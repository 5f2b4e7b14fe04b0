"""The law of exactness: where nothing rounds, right is equal, bit for bit."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from properties.judging.judgement import Judgement
from properties.laws.law import HELD, Answered, Case, Outcome, broken, not_applicable
from properties.problems.exact import NOTHING, exact_quantities, is_exact, unit_exponents
from properties.verdict import Verdict
from reference.arrays import AnyArray, Array
from reference.backward import gradient
from reference.forward import forward
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.gradient import Gradient, Place
from reference.passes import Passes
from reference.problem import Problem
from rounding.precisions import Precision

NOTHING_ROUNDS = "nothing rounds here, since every product and every sum, in any order, is a number of the precision (certain)"

WIDE = 53
"""In so many bits a number has more decimal digits than programs write without being asked; answers in fewer are seldom written."""

A_FEW = 4.0
"""So many u of each sample's share of a gradient are what a mean over samples or a norm of errors may round, however it is written."""

ASKED_AGAIN = 3
"""So many problems without either are posed before what is off by no more is said to come of them."""

ASKED_OF_DIGITS = 16
"""So many, where it is in a few decimal digits that what is off is right: by chance one unit too many is that once in three at most."""

SHIFTS = (0, *(sign * by for by in range(1, 9) for sign in (1, -1)))
"""By what powers of two the error of such a problem is multiplied, each with other decimals."""

LOOKED_THROUGH = 24
"""So many pairs of a sample and an output are looked through for them."""


def it_is_exact_where_nothing_rounds(case: Case) -> Outcome:
    """Where every product and every sum is a number of the precision, in any order, the answer is the exact gradient, bit for bit.

    Cannot see: the sign of zero, and what shows in numbers with many digits alone. Needs: a problem of small whole numbers, times powers
    of two, with layers and losses that are sums and products, over 2^k samples and outputs. Rounding: none; what is off by so little that
    a running mean or a norm of errors would explain it must be off without either, on a problem of one sample and one error.
    """
    if not case.support.exact:
        return not_applicable("the target rounds more than one pass, as it says by `exact`")
    exact = exact_quantities(case.problem, case.precision.name)
    if not exact["weights"]:
        return not_applicable("it needs a problem on which nothing rounds")
    if _has_digits_of_its_own(case):
        return not_applicable(f"its answers have more digits than {case.precision.name}, by which they are judged: it computes in another")
    entries = [_Bits(place, got, right, case.precision) for place, got, right in _pairs(case, exact)]
    if not any(entry.off.any() for entry in entries):
        return HELD
    worst = max(entries, key=lambda entry: float(entry.units.max(initial=0.0)))
    digits = _digits_written(entries, case.precision)
    if (digits or _is_small(case, entries)) and (reason := _explained(case, worst.place, worst.index, digits)):
        return not_applicable(reason)
    verdict = Verdict.WRONG if np.isfinite(worst.got[worst.index]) else Verdict.NONFINITE
    return broken(verdict, _message(worst, case.precision), _judgement(verdict, worst, entries, case.precision))


def equal_bit_for_bit(answered: Answered) -> Sequence[bool]:
    """Which answers to a stack of exact problems are equal to the exact gradient in all that they hold."""
    problems = answered.problems
    right = dict(gradient(problems).arrays())
    exact: dict[str, dict[str, AnyArray]] = {}
    said = []
    for place, answer, precision in zip(answered.places, answered.answers, answered.precisions, strict=True):
        if answer.gradient is None or precision is None:
            said.append(False)
            continue
        if precision.name not in exact:
            exact[precision.name] = exact_quantities(problems, precision.name)
        by_quantity = exact[precision.name]
        said.append(
            bool(by_quantity["weights"][place])
            and all(
                np.array_equal(array, right[where][place])
                for where, array in answer.gradient.arrays()
                if by_quantity[where.quantity][place]
            )
        )
    return said


@dataclass(frozen=True)
class _Bits:
    """One array of an answer beside the exact one."""

    place: Place
    got: Array
    right: Array
    precision: Precision

    @cached_property
    def off(self) -> AnyArray:
        """Where it is not equal; zeros of either sign are."""
        return ~(self.got == self.right)

    @cached_property
    def units(self) -> Array:
        """By how many units in the last place: of the exact number, or, where that is 0, of the unit of its array."""
        _, exponents = np.frexp(self.right)
        unit = int(unit_exponents(self.right))
        least = self.precision.least_exponent
        last = np.where(self.right == 0, least if unit == NOTHING else unit, np.maximum(exponents - self.precision.bits, least))
        with np.errstate(all="ignore"):
            units = np.abs(self.got - self.right) / np.ldexp(1.0, np.maximum(last, -1074))
        return np.where(self.off, np.where(np.isfinite(self.got), np.minimum(units, np.finfo(np.float64).max), np.inf), 0.0)

    def is_written_with(self, digits: int) -> bool:
        """Whether all of it is the exact number in so many decimal digits, what is off first."""

        def is_so(where: AnyArray) -> bool:
            written = np.array([float(f"{number:.{digits}g}") for number in self.right[where].tolist()])
            return bool((self.precision.held(written) == self.precision.held(self.got[where])).all())

        return is_so(self.off) and is_so(~self.off)

    @cached_property
    def index(self) -> tuple[int, ...]:
        """Of the entry that is off by most."""
        return tuple(int(i) for i in np.unravel_index(int(np.argmax(self.units)), self.units.shape))


def _pairs(case: Case, exact: dict[str, AnyArray]) -> Iterator[tuple[Place, Array, Array]]:
    """Each array of the answer on the way to which nothing rounds, and the exact one."""
    right = dict(case.exact.reference.arrays())
    for place, array in case.gradient.arrays():
        if exact[place.quantity]:
            yield place, np.asarray(array, dtype=np.float64), np.asarray(right[place])


def _has_digits_of_its_own(case: Case) -> bool:
    """Whether a wider dtype than the precision's holds digits that it has not: then it is not what the target computes in, but a tolerance.

    In 16 bits a wider dtype is what a kernel with such inputs may answer in.
    """
    row = case.precision
    return row.bits > 11 and any(not np.array_equal(row.held(array), array, equal_nan=True) for _, array in case.gradient.arrays())


def _digits_written(entries: Sequence[_Bits], precision: Precision) -> int:
    """With how many decimal digits the exact numbers are what was given, or 0: of float64 16 or 15.

    It takes 17 to tell all its numbers apart, and what is written for another program to read may have fewer.
    """
    own = math.ceil(precision.bits * math.log10(2))
    for digits in (own, own - 1) if precision.bits >= WIDE else ():
        if all(entry.is_written_with(digits) for entry in entries):
            return digits
    return 0


def _message(worst: _Bits, precision: Precision) -> str:
    if not np.isfinite(worst.got[worst.index]):
        return "infinite or NaN where nothing rounds and nothing leaves the range"
    right, units = float(worst.right[worst.index]), float(worst.units[worst.index])
    if right == 0:
        return "not 0, where the exact number is 0 and nothing rounds"
    count = f"{units:.0f} unit{'' if units == 1 else 's'}" if units < 1e6 else f"{units:.2g} units"
    if units < 1:
        count = f"{units:.2g} units"
    entries = f"{worst.off.sum()} of {worst.off.size} entries there"
    return f"off by {count} in the last place of {precision.name}, where nothing rounds; so are {entries}"


def _judgement(verdict: Verdict, worst: _Bits, entries: Sequence[_Bits], precision: Precision) -> Judgement:
    exact = float(worst.right[worst.index])
    return Judgement(
        verdict,
        precision.name,
        worst.place,
        worst.index,
        float(worst.got[worst.index]),
        (exact, exact),
        0.0,
        sum(int(entry.off.sum()) for entry in entries),
        sum(entry.off.size for entry in entries),
        bound=NOTHING_ROUNDS,
    )


def _is_small(case: Case, entries: Sequence[_Bits]) -> bool:
    """Whether nothing is off by more than an honest mean over samples, or a norm of errors, may round: a few u of what is added up."""
    allowed = dict(_shares(case.exact.passes).arrays())
    for entry in entries:
        if entry.place in allowed:
            with np.errstate(all="ignore"):
                near = np.abs(entry.got - entry.right) <= A_FEW * case.precision.unit * allowed[entry.place]
            if not (near | ~entry.off).all():
                return False
        elif not np.isfinite(entry.got).all():
            return False
    return True


def _shares(passed: Passes) -> Gradient:
    """Of each entry of dC/dW, dC/db and dC/dx a bound on the sum of the sizes of what each sample and output adds."""
    problem, back = passed.problem, passed.backward
    error = np.abs(back.errors[-1])
    weights: list[Any] = []
    biases: list[Any] = []
    for layer in reversed(range(problem.depth)):
        weight = np.abs(problem.weights[layer])
        delta = error * np.abs(back.slopes[layer])
        product = delta.T @ np.abs(passed.forward.activations[layer])
        weights.append(product if problem.penalised is None else product + problem.penalised.rate(problem.batch) * weight)
        biases.append(delta.sum(axis=0))
        error = delta @ weight
    return Gradient(weights[::-1], biases[::-1], x=error)


def _explained(case: Case, place: Place, index: tuple[int, ...], digits: int) -> str:
    """Why what is off by little proves nothing: it is not so on problems without a mean or a norm; or "".

    digits: with how many decimal digits all that is off is right, which must be so there too; 0 where it is not.
    """
    problem = case.problem
    # a sum over samples may be a mean times their number
    has_mean = row_of(LOSSES, problem.loss).of_differences or problem.batch > 1
    if not has_mean and not digits:
        return ""
    asked, enough = 0, ASKED_OF_DIGITS if digits else ASKED_AGAIN
    for simpler in _with_one_error(case, place, index, SHIFTS if digits else SHIFTS[:1]):
        answer = case.ask(simpler)
        if answer.gradient is None:
            continue
        right = dict(gradient(simpler).arrays())
        asked += 1
        pairs = [(at, np.asarray(got, dtype=np.float64)) for at, got in answer.gradient.arrays() if at.quantity != "loss"]
        entries = [_Bits(at, got, right[at], case.precision) for at, got in pairs]
        if any(entry.off.any() and not (digits and entry.is_written_with(digits)) for entry in entries):
            return ""
        if asked == enough:
            break
    if digits:
        return f"it is the exact gradient as written with {digits} decimal digits" if asked else ""
    if not asked:
        return "off by no more than a mean over samples or a norm of errors may round, and no problem without either can be asked"
    return "off by no more than a mean over samples or a norm of errors rounds, and right to the last bit on one sample with one error"


def _with_one_error(case: Case, place: Place, index: tuple[int, ...], shifts: Sequence[int]) -> Iterator[Problem]:
    """Exact problems of one sample, or where that cannot be asked of as many as there are, with an error in one output alone.

    That is a power of two, in the last sample: a mean that is carried along divides once, and a norm is the error itself. First those in
    which the entry that is off is not 0; then any in which something of its array is not; at last others, as of a layer where what
    comes back cancels, so that an entry that is not 0 is off. shifts: of the error's exponent.
    """
    later: tuple[list[Problem], list[Problem]] = [], []
    problem = case.problem
    output = forward(problem).activations[-1]
    sizes = np.abs(output - problem.y) if row_of(LOSSES, problem.loss).of_differences else np.abs(problem.y)
    looked = np.argsort(-sizes, axis=None, kind="stable")[:LOOKED_THROUGH]
    places = zip(*np.unravel_index(looked, sizes.shape), strict=True)
    for shift, (sample, node) in product(shifts, places):
        for chosen in ([int(sample)], [i for i in range(problem.batch) if i != sample] + [int(sample)]):
            simpler = _with_error(problem, output, chosen, int(node), shift)
            if case.support.refusal(simpler) or not is_exact(simpler, case.precision.name):
                continue
            right = dict(gradient(simpler).arrays())[place]
            # of quantities by sample the index is another one
            if (right[index] if place.quantity in ("weights", "biases") else right).any():
                yield simpler
            else:
                later[0 if right.any() else 1].append(simpler)
            break
    yield from later[0]
    yield from later[1]


def _with_error(problem: Problem, output: Array, chosen: list[int], node: int, shift: int) -> Problem:
    """Some samples, of which the last has one error, and the others none."""
    simpler = problem.of_samples(chosen)
    if not row_of(LOSSES, problem.loss).of_differences:
        y = np.zeros_like(simpler.y)
        y[-1, node] = np.ldexp(problem.y[chosen[-1], node], shift)
        return simpler.replaced(y=y)
    error = abs(float(output[chosen[-1], node] - problem.y[chosen[-1], node]))
    unit = int(unit_exponents(output[chosen]))
    exponent = int(np.frexp(error)[1]) - 1 if error else 0 if unit == NOTHING else unit
    y = output[chosen].copy()
    y[-1, node] -= 2.0 ** (exponent + shift)
    return simpler.replaced(y=y)
