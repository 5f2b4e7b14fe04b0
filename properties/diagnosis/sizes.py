"""Sizes: the problem of a finding cut down, dimension by dimension, to the least sizes at which it still shows."""

import time
from dataclasses import dataclass, field

import numpy as np

from properties.diagnosis.budget import Budget, Spent
from properties.diagnosis.ladder import Drawing
from properties.judging.by_second_moment import is_large, suspects
from properties.judging.by_worst_case import beyond_worst_case
from properties.judging.judgement import Exact, precision_of
from properties.problems.support import Support
from reference.errors import ProblemError
from reference.gradient import Gradient
from reference.problem import Problem

SMALL = 6
"""Sizes up to this are those of small problems, of which nothing is told: there all was right."""

LARGE = 200
"""Sizes beyond this are not made larger."""

STEP = 8
"""Of what shows at some sizes alone, each multiple of this is asked."""

MOST_OF_PATTERN = 24
"""So many sizes are asked to see at which it shows."""

Sizes = tuple[int, ...]
"""Samples, inputs, nodes of each layer."""


@dataclass(frozen=True)
class Trial:
    """One cut problem and its answer. off: whether it is further off than honest rounding."""

    problem: Problem
    answer: Gradient | None
    off: bool


@dataclass
class Cutting:
    """Problems cut out of one, which are asked once each.

    asks: the target; deadline: until when, by the clock that only goes on; precision: what answers are judged by, None for their dtype.
    """

    whole: Problem
    asks: Budget
    support: Support
    deadline: float
    precision: str | None = None
    asked: dict[Sizes, Trial] = field(default_factory=dict)

    @property
    def sizes(self) -> Sizes:
        """Those of the whole."""
        return (self.whole.batch, *self.whole.widths)

    def names(self) -> list[str]:
        """What each size counts."""
        hidden = [f"nodes in layer {layer}" for layer in range(1, self.whole.depth)]
        return ["samples", "inputs", *hidden, "outputs"]

    def cut(self, sizes: Sizes) -> Problem | None:
        """The first so many samples, inputs and nodes of the whole; None where that is no problem, or one that is not supported."""
        batch, *widths = sizes
        whole = self.whole
        weights = [w[:m, :n] for w, n, m in zip(whole.weights, widths, widths[1:], strict=False)]
        biases = [None if b is None else b[:m] for b, m in zip(whole.biases, widths[1:], strict=True)]
        y = whole.y[:batch, : widths[-1]]
        labels = self.support.labels(whole.loss)
        if widths[-1] < whole.widths[-1] and labels is not None and len(labels(2)[0]) > 1:
            y = np.eye(widths[-1])[np.arange(batch) % widths[-1]]
        shares = None if whole.sample_weights is None else whole.sample_weights[:batch]
        try:
            made = whole.replaced(weights=weights, biases=biases, x=whole.x[:batch, : widths[0]], y=y, sample_weights=shares)
        except ProblemError:
            return None
        return None if self.support.refusal(made) else made

    def trial(self, sizes: Sizes) -> Trial | None:
        """A cut problem and whether it is off; None where it is not supported or not answered. Raises Spent."""
        if sizes not in self.asked:
            if time.monotonic() > self.deadline:
                raise Spent
            problem = self.cut(sizes)
            if problem is None:
                return None
            answer = self.asks(problem).gradient
            self.asked[sizes] = Trial(problem, answer, answer is not None and self.is_off(problem, answer))
        found = self.asked[sizes]
        return found if found.answer is not None else None

    def is_off(self, problem: Problem, answer: Gradient) -> bool:
        """Whether an answer is further off than honest rounding, by whatever formulas."""
        precision, exact = precision_of(answer, self.precision), Exact(problem)
        with np.errstate(all="ignore"):
            if is_large(problem):
                return suspects(exact, answer, precision)
            return bool(beyond_worst_case(exact, answer, precision))

    def shows(self, sizes: Sizes) -> bool:
        """Whether it still shows."""
        found = self.trial(sizes)
        return found is not None and found.off

    def is_cut(self, sizes: Sizes, dimension: int) -> bool:
        """Whether with one less of a dimension it is asked, and right."""
        try:
            found = self.trial((*sizes[:dimension], sizes[dimension] - 1, *sizes[dimension + 1 :]))
        except Spent:
            return False
        return found is not None and not found.off


def grown(problem: Problem, support: Support, precision: str) -> Problem | None:
    """A generic problem of the same kind, larger where it is not very large, so that there is something to cut; None if there is none."""

    def size(n: int) -> int:
        return 4 * n if SMALL < n <= LARGE else n

    widths = tuple(map(size, problem.widths)) if support.widths is None else problem.widths
    limited = support.width or (1, max(widths))
    widths = tuple(min(n, max(limited[1], old)) for n, old in zip(widths, problem.widths, strict=True))
    batch = min(size(problem.batch), max((support.batch or (1, 4 * LARGE))[1], problem.batch))
    made = Drawing(support, np.random.default_rng(0), precision).problem(
        widths,
        batch,
        problem.activations,
        problem.loss,
        problem.reduction,
        # beside dC/db delta and dC/dW are told apart
        biased=support.biases is not False,
    )
    return None if made is None or support.refusal(made) else made


def least(cutting: Cutting, sizes: Sizes, dimension: int) -> Sizes:
    """The least size of one dimension at which it shows, by halving and then between the last two; sizes: at which it does."""

    def at(size: int) -> Sizes:
        return (*sizes[:dimension], size, *sizes[dimension + 1 :])

    shown, right = sizes[dimension], 0
    while shown > 1:
        half = shown // 2
        if not cutting.shows(at(half)):
            right = half
            break
        shown = half
    while shown - right > 1:
        middle = (shown + right) // 2
        shown, right = (middle, right) if cutting.shows(at(middle)) else (shown, middle)
    return at(shown)


def smallest(cutting: Cutting) -> Sizes:
    """The sizes to which it can be cut, each as small as it can be with the others as they are; as far as time allows."""
    sizes = cutting.sizes
    try:
        for _ in range(2):
            before = sizes
            for dimension in range(len(sizes)):
                sizes = least(cutting, sizes, dimension)
            if sizes == before:
                break
    except Spent:
        shown = [each for each, trial in cutting.asked.items() if trial.off]
        sizes = min(shown, key=lambda each: float(np.prod(each)), default=sizes)
    return sizes


@dataclass(frozen=True)
class Pattern:
    """At which sizes of one dimension it shows.

    begins: the least; tile: it shows where the size is no multiple of this, 0 where it shows from begins on at all that were asked;
    asked: each size that was asked, and whether it shows there.
    """

    dimension: int
    name: str
    begins: int
    tile: int
    asked: tuple[tuple[int, bool], ...]

    def __str__(self) -> str:
        """ "from 257 samples on"."""
        begins = f"from {self.begins} {self.name} on"
        return f"{begins}, where their number is no multiple of {self.tile}" if self.tile else begins


def pattern(cutting: Cutting, sizes: Sizes, dimension: int) -> Pattern:
    """At which sizes of a dimension it shows, all others as they are; sizes: the least."""

    def shows(size: int) -> bool:
        return cutting.shows((*sizes[:dimension], size, *sizes[dimension + 1 :]))

    begins, most = sizes[dimension], cutting.sizes[dimension]
    known: dict[int, bool] = {begins: True}
    multiples = range(begins + (-begins) % STEP, most + 1, STEP)
    try:
        if begins > 1:
            known[begins - 1] = shows(begins - 1)
        for size in [*range(begins + 1, min(begins + 6, most + 1)), *list(multiples)[:MOST_OF_PATTERN]]:
            known[size] = shows(size)
        tile = _tile(known, begins)
        for size in range(begins + (-begins) % max(tile, 1), min(most, begins + 4 * tile) + 1, max(tile, 1)):
            known[size] = known[size] if size in known else shows(size)
        tile = _tile(known, begins)
    except Spent:
        tile = _tile(known, begins)
    return Pattern(dimension, cutting.names()[dimension], begins, tile, tuple(sorted(known.items())))


def _tile(known: dict[int, bool], begins: int) -> int:
    """The least number of which all sizes at which it is right, and none of the others, are multiples; 0 where there is none."""
    right = [size for size, shown in known.items() if size > begins and not shown]
    common = int(np.gcd.reduce(right)) if right else 0
    divisors = (part for part in range(2, common + 1) if common % part == 0)
    return next((part for part in divisors if all(size % part for size, shown in known.items() if shown)), 0)
