"""What was asked of a target and what it answered, beside what is exact, and how far a prediction of its answer may be off."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from properties.answers.answer import Answer, Malformed, as_gradient, expected
from properties.diagnosis.ladder import Rung
from properties.diagnosis.variant import FORWARD
from properties.faults.fault import Network, Passes, Step
from properties.judging.judge import judge
from properties.judging.judgement import Exact
from properties.verdict import Verdict
from reference.arrays import Array
from reference.gradient import Gradient, Place
from reference.problem import WANTS
from rounding.precisions import Precision

SAFETY = 4.0
"""A target with a mistake rounds as the right one does, but for other numbers: so many times the bound is allowed for a prediction."""

DIGITS_LEFT = 2.0**23
"""However bad an entry's bound is, a prediction must agree to as many units of u: a factor in the ninth digit is seen in float64."""

_FLOAT = np.dtype(np.float64)

Ask = Callable[..., Answer]


@dataclass(frozen=True)
class Simulated:
    """What a network answers: all its numbers in a row, or None, the verdict and the message where it raises or is malformed."""

    numbers: Array | None
    verdict: Verdict | None = None
    message: str = ""


class Asked:
    """One problem of the ladder, put to the target.

    places, got, right, allowed: of all arrays that were answered, one after the other: the target's numbers, the exact ones, and how far
    honest rounding may be off; relative: that over each number. strict: whether formulas that lose digits
    are off as well. learning_rate: that of the updates which the answer was read off, None where it was given itself.
    """

    def __init__(self, rung: Rung, answer: Answer, precision: Precision, strict: bool = False, learning_rate: float | None = None) -> None:
        self.rung, self.answer, self.precision = rung, answer, precision
        self.problem = rung.problem
        self.formulas: frozenset[str] | None = frozenset() if strict else None
        self.gradient = answer.gradient
        self.learning_rate = learning_rate
        self._forward: dict[Any, Passes] = {}

    @property
    def refused(self) -> bool:
        """Whether it raised, or gave what is no gradient."""
        return self.gradient is None and not self.answer.declined

    @property
    def structure(self) -> tuple[Any, ...]:
        """What is alike in problems that are of one kind."""
        return self.problem.widths, self.problem.batch, self.problem.activations, self.problem.loss

    @cached_property
    def exact(self) -> Exact:
        return Exact(self.problem)

    @cached_property
    def bound(self) -> Gradient:
        """E, by whatever formulas unless strictly; on the other side of a kink too, but where kinks are hit by intent. With what an
        updated number loses beside the gradient: half an ulp of it over the rate."""
        bound = self.exact.bound(self.precision, self.formulas, jumps=not self.rung.special)
        if self.learning_rate is None:
            return bound
        rate, parameters = abs(self.learning_rate), {"weights": self.problem.weights, "biases": self.problem.biases}
        exact = dict(self.exact.reference.arrays())

        def with_reading(place: Place, allowed: Array) -> Array:
            listed = parameters.get(place.quantity)
            before = None if listed is None or place.layer is None else listed[place.layer - 1]
            if before is None:
                return allowed
            return np.asarray(allowed + self.precision.unit * (np.abs(before) / rate + np.abs(exact[place])))

        return bound.mapped(with_reading)

    @cached_property
    def places(self) -> list[Place]:
        assert self.gradient is not None
        return [place for place, _ in self.gradient.arrays()]

    @cached_property
    def got(self) -> Array:
        assert self.gradient is not None
        return _in_a_row(array for _, array in self.gradient.arrays())

    def products(self, layer: int) -> Array:
        """dC/dW of a layer that was answered, without what a penalty adds: what is left is (delta^l)^T a^{l-1}."""
        assert self.gradient is not None
        answered, penalty = np.asarray(self.gradient.weights[layer - 1], dtype=np.float64), self.problem.penalised
        return answered if penalty is None else answered - penalty.derivative(self.problem.weights[layer - 1], self.problem.batch)

    @cached_property
    def right(self) -> Array:
        arrays = dict(self.exact.reference.arrays())
        return _in_a_row(arrays[place] for place in self.places)

    @property
    def _fails(self) -> tuple[Verdict, ...]:
        """The verdicts that are off."""
        return (Verdict.WRONG, Verdict.NONFINITE) if self.formulas is None else (Verdict.WRONG, Verdict.NONFINITE, Verdict.LOSSY)

    @cached_property
    def _with_jumps(self) -> Array:
        """E, on the other side of a kink too."""
        bounds = dict(self.exact.bound(self.precision, self.formulas, jumps=True).arrays())
        return _in_a_row(bounds[place] for place in self.places)

    @cached_property
    def _allowances(self) -> tuple[Array, Array]:
        bounds, exact = dict(self.bound.arrays()), dict(self.exact.reference.arrays())
        allowed: list[Array] = []
        relative: list[Array] = []
        none: list[bool] = []
        cap = DIGITS_LEFT * self.precision.unit if self.precision.unit < 1e-12 else 64 * self.precision.unit
        for place in self.places:
            limits, sizes = np.ravel(bounds[place]), np.abs(np.ravel(exact[place]))
            known = np.isfinite(limits) & (sizes > 0)
            with np.errstate(all="ignore"):
                shares = np.minimum(limits / sizes, cap)
            none.append(not known.any())
            allowed.append(limits)
            # of an entry that is 0 by itself the largest of its array
            relative.append(np.where(known, shares, np.max(shares[known], initial=0.0)))
        # of an array that is 0 by itself no scale can be taken
        least = 64 * self.precision.unit
        others = max((float(r.max()) for r, nothing in zip(relative, none, strict=True) if not nothing and r.size), default=least)
        relative = [np.full(r.shape, others) if nothing else r for r, nothing in zip(relative, none, strict=True)]
        return np.concatenate(allowed), np.concatenate(relative)

    @cached_property
    def _shares(self) -> Array:
        """E over the size of each entry; of one that is 0 by itself, as behind a node with g' = 0, the largest that there is."""
        limits, sizes = self._allowances[0], np.abs(self.right)
        with np.errstate(all="ignore"):
            shares: Array = limits / sizes
        return np.where(sizes > 0, shares, np.max(shares[np.isfinite(limits) & (sizes > 0)], initial=0.0))

    def _unseen(self, predicted: Array) -> Array:
        """How far an entry of a prediction may be off that is 0 by itself, as behind a weight of 0 of a sample: some units of the largest
        of its array. Nothing says how far off is what was multiplied by 0. In 16 bits, where units are large, that would hide mistakes."""
        assert self.gradient is not None
        zeros = self.right == 0
        if self.precision.unit >= 1e-6 or not zeros.any():
            return np.zeros_like(predicted)
        sizes = [np.size(array) for _, array in self.gradient.arrays()]
        finite = np.where(np.isfinite(predicted), np.abs(predicted), 0.0)
        largest = [np.max(part, initial=0.0) for part in np.split(finite, np.cumsum(sizes)[:-1])]
        return np.asarray(8 * self.precision.unit * zeros * np.repeat(largest, sizes))

    @cached_property
    def is_off(self) -> bool:
        """Whether the answer is further from the exact one than honest rounding explains."""
        if self.gradient is None:
            return False
        allowed, _ = self._allowances
        with np.errstate(all="ignore"):
            outside = np.isfinite(allowed) & ~(np.abs(self.got - self.right) <= allowed)
            # what is beyond the jump of every kink is off without a trial
            if self.rung.special and bool(outside.any()) and bool((np.abs(self.got - self.right) <= self._with_jumps).all()):
                return judge(self.exact, self.gradient, self.precision, peers=False).verdict in self._fails
        return bool(outside.any())

    @cached_property
    def differs_from_right(self) -> bool:
        """Whether the right network answers otherwise."""
        return not self.agrees(self.simulate({}))

    def agrees(self, simulated: Simulated) -> bool:
        """Whether a prediction is what the target answered, as far as rounding tells."""
        if self.gradient is None or simulated.numbers is None:
            same = self.gradient is None and simulated.numbers is None and self.answer.verdict is simulated.verdict
            # what a wrong step raises is said in words of its own
            return same and (simulated.verdict is not Verdict.MALFORMED or simulated.message == self.answer.message)
        predicted = simulated.numbers
        if predicted.shape != self.got.shape:
            return False
        allowed, relative = self._allowances
        with np.errstate(all="ignore"):
            distance = np.abs(self.got - predicted)
            near = distance <= SAFETY * (allowed + relative * np.abs(predicted) + self._unseen(predicted))
        if near.all():
            return True
        # 0 times NaN is 0 to those who mask what they multiply
        masked = np.isnan(predicted) & (np.isnan(self.got) | (self.got == 0) & (self.right == 0))
        near |= (self.got == predicted) | masked | ~np.isfinite(allowed)
        if near.all():
            return True
        if self.rung.special and not self.is_off:
            # at a kink every legal slope is right: a prediction that is right as well says the same
            with np.errstate(all="ignore"):
                return bool((np.abs(predicted - self.right) <= self._with_jumps).all())
        return False

    def are_apart(self, one: Simulated, other: Simulated) -> bool:
        """Whether two predictions differ by more than a right answer may be off, formulas that lose digits included unless strictly."""
        if one.numbers is None or other.numbers is None:
            return one.numbers is not other.numbers or one.verdict is not other.verdict
        if self.gradient is None:
            return False
        # what a formula loses is a share of what it is multiplied by, which may be wrong, and larger
        with np.errstate(all="ignore"):
            bounds = self._allowances[0]
            allowed = bounds + self._shares * np.maximum(np.abs(one.numbers), np.abs(other.numbers))
            near = (np.abs(one.numbers - other.numbers) <= SAFETY * allowed) | ~np.isfinite(bounds)
        return not bool((near | (one.numbers == other.numbers) | (np.isnan(one.numbers) & np.isnan(other.numbers))).all())

    def raises_the_same(self, simulated: Simulated) -> bool:
        """Whether a prediction fails in the words of the target: that both raise is said of many wrong steps, and of what is no step."""
        return self.refused and bool(simulated.message) and simulated.message in self.answer.message

    def is_wrong(self, simulated: Simulated) -> bool:
        """Whether a prediction is no right answer by any formula, those that lose digits included unless strictly."""
        if self.gradient is None or simulated.numbers is None:
            return simulated.numbers is None
        allowed = self._with_jumps if self.rung.special else self._allowances[0]
        with np.errstate(all="ignore"):
            near = np.abs(simulated.numbers - self.right) <= SAFETY * allowed
        return not bool((near | (simulated.numbers == self.right) | ~np.isfinite(allowed)).all())

    @cached_property
    def leaves_the_range(self) -> bool:
        """Whether an answered number is infinite or NaN, where honest rounding gives none that is."""
        return self.gradient is not None and bool((np.isfinite(self._allowances[0]) & ~np.isfinite(self.got)).any())

    def near(self, one: Array, other: Array) -> bool:
        """Whether two rows of numbers are the same, as far as rounding tells."""
        allowed, relative = self._allowances
        with np.errstate(all="ignore"):
            return bool((np.abs(one - other) <= SAFETY * (allowed + relative * np.abs(other)) + SAFETY * allowed).all())

    def simulate(self, changed: Mapping[str, Step], key: Any = None) -> Simulated:
        """What a network with some steps changed answers; key: of the changes of its forward pass, so that it is computed once."""
        answers_x = self.gradient is not None and self.gradient.x is not None
        network = Network(changed, tuple(name for name in WANTS if name != "x" or answers_x))
        try:
            with np.errstate(all="ignore"):
                p = self.forward(changed, key)
                given = network.step("answer")(network.carried_back(p))
                numbers = self._numbers(given)
                if numbers is None:
                    as_gradient(given, self.problem)
                    return Simulated(None, Verdict.MALFORMED)
        except Malformed as error:
            return Simulated(None, Verdict.MALFORMED, str(error))
        except Exception as error:  # what a network with a wrong step raises is its answer
            return Simulated(None, Verdict.RAISES, str(error))
        return Simulated(numbers)

    def _numbers(self, given: Gradient) -> Array | None:
        """What a network answers at the places that the target answers, in a row; None where it does not fit."""
        parts = []
        for place, shape in self._shapes:
            listed = getattr(given, place.quantity)
            if place.layer is None:
                array = listed
            elif listed is None or len(listed) != self.problem.depth:
                return None
            else:
                array = listed[place.layer - 1]
            if np.shape(array) != shape or getattr(array, "dtype", _FLOAT).kind != "f":
                return None
            parts.append(array)
        return _in_a_row(parts)

    @cached_property
    def _shapes(self) -> list[tuple[Place, tuple[int, ...]]]:
        """What is compared, in order, with the shape that it must have; of one that was refused, what a gradient must hold."""
        if self.gradient is not None:
            return [(place, np.shape(array)) for place, array in self.gradient.arrays()]
        shapes, wanted = expected(self.problem)
        return [(place, shapes[place]) for place in wanted]

    def forward(self, changed: Mapping[str, Step], key: Any = None) -> Passes:
        """The forward pass of a network with some steps changed, fresh dicts each time."""
        if key is None:
            key = tuple((name, changed[name]) for name in FORWARD if name in changed)
        if key not in self._forward:
            self._forward[key] = Network(changed).carried_forward(self.problem)
        p = self._forward[key]
        empty: dict[str, Any] = {name: {} for name in ("errors", "slopes", "deltas", "weights", "biases", "memory")}
        return replace(p, z=dict(p.z), a=dict(p.a), **empty)


def _in_a_row(arrays: Any) -> Array:
    return np.concatenate([np.ravel(np.asarray(array, dtype=np.float64)) for array in arrays])


def asked_all(
    ask: Ask,
    rungs: Sequence[Rung],
    precision: Callable[[Gradient], Precision],
    more: Callable[[], bool],
    strict: bool = False,
    learning_rate: float | None = None,
) -> list[Asked]:
    """The answers to the rungs, in their order, as long as there is time for more; without those that the target declines."""
    found: list[Asked] = []
    known: Precision | None = None
    for rung in rungs:
        if not more():
            break
        answer = ask(rung.problem)
        if answer.declined:
            continue
        if answer.gradient is not None:
            known = precision(answer.gradient)
        if known is not None:
            found.append(Asked(rung, answer, known, strict, learning_rate))
        elif answer.gradient is None:
            found.append(Asked(rung, answer, precision(Gradient([np.zeros(1)])), strict))
        if answer.gone or answer.verdict is Verdict.TIMES_OUT:
            break
    return found
