"""The ladder: generic problems within what a target supports, the simplest first, from whose answers its own factors are read.

No number is special: no input is 0 or 1, no two are equal, no pre-activation is near a kink, no error is small; but on the edges, which
are special by intent.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, cycle, pairwise
from typing import Any

import numpy as np

from properties.problems.limits import EXPECTED
from properties.problems.support import Support
from reference.arrays import Array
from reference.errors import ProblemError
from reference.forward import forward
from reference.functions.activation import Joint
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import Choice, row_of
from reference.problem import Problem
from rounding.precisions import PRECISIONS

BESIDE = 0.04
"""So far a pre-activation of a generic problem is from a kink."""

SCAN = 18
"""Pre-activations of a scan, where a layer may be as wide."""

LARGEST = 20_000
"""Weights of a problem: of fixed widths beyond it, only a few are posed."""


@dataclass(frozen=True)
class Rung:
    """One problem of the ladder.

    kind: "one layer", "output scan", "hidden scan", "network", "samples", "edge" or "found"; family: those of one number differ in y alone.
    """

    problem: Problem
    kind: str
    family: int = -1

    @property
    def special(self) -> bool:
        """Whether its numbers are special, so that a kink or the end of the range may be hit."""
        return self.kind in ("edge", "found")


def ladder(support: Support, seed: int, precision: str = "float64", found: Sequence[Problem] = ()) -> list[Rung]:
    """The problems, simplest first; found: those of a run's findings, which come before all."""
    drawing = Drawing(support, np.random.default_rng(seed), precision)
    made = [
        *drawing.one_layer(),
        *drawing.output_scans(),
        *drawing.hidden_scans(),
        *drawing.networks(),
        *drawing.samples(),
        *drawing.edges(),
    ]
    return [*(Rung(problem, "found") for problem in found), *(rung for rung in made if not support.refusal(rung.problem))]


@dataclass
class Drawing:
    """Draws the problems of a support, in a precision."""

    support: Support
    rng: np.random.Generator
    precision: str
    families: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        support = self.support
        self.hidden = support.activation_choices
        self.outputs = support.output_choices
        self.losses = support.loss_choices
        self.linear = "identity" if "identity" in self.outputs else self.outputs[0]
        self.linear_hidden = "identity" if "identity" in self.hidden else self.hidden[0]
        self.loss = next((loss for loss in self.losses if row_of(LOSSES, loss).of_differences and isinstance(loss, str)), self.losses[0])
        self.reductions = cycle(support.reductions)
        self.turns = cycle(self.hidden)
        self.output_turns = cycle(self.outputs)
        self.loss_turns = cycle(self.losses)
        # of lengths without a common divisor, so that each comes with each
        self.biased = cycle([support.biases] if support.biases is not None else [True, True, False, True, False])
        self.fixed = support.widths
        self.penalties = cycle(support.penalties)
        self.weighted = cycle({None: (False, True, False, True, True, False, True), True: (True,), False: (False,)}[support.sample_weights])

    # what is drawn

    def number(self, shape: tuple[int, ...], low: float, high: float) -> Array:
        """Numbers of either sign, low to high in size, as the precision holds them."""
        drawn = self.rng.uniform(low, high, shape) * self.rng.choice([-1.0, 1.0], shape)
        return PRECISIONS[self.precision].held(drawn)

    def problem(
        self,
        widths: Sequence[int],
        batch: int,
        activations: Sequence[Choice],
        loss: Choice | None = None,
        reduction: str | None = None,
        biased: bool | None = None,
        **parts: Any,
    ) -> Problem | None:
        """A generic problem; parts: what is given in place of what is drawn. None where it cannot be."""
        loss = loss or next(self.loss_turns)
        reduction = reduction or next(self.reductions)
        biased = next(self.biased) if biased is None else biased
        listed = list(activations)
        if self.support.same_hidden and len(listed) > 2:
            listed[1:-1] = [listed[0]] * (len(listed) - 2)
        if self.support.layer_activations and len(self.support.layer_activations) == len(listed):
            listed = list(self.support.layer_activations)
        each: tuple[Any, ...] = self.support.layer_biases or (biased,) * len(listed)
        penalty, problem = next(self.penalties), None
        counts = self.counts(batch) if next(self.weighted) else None
        for _ in range(30):
            weights: list[Array] = parts.get("weights") or [
                PRECISIONS[self.precision].held(self.number((m, n), 0.3, 1.2) * 1.3 / np.sqrt(n)) for n, m in pairwise(widths)
            ]
            biases = parts.get("biases") or [self.number((m,), 0.1, 0.5) if has else None for m, has in zip(widths[1:], each, strict=False)]
            x = parts["x"] if "x" in parts else self.number((batch, widths[0]), 0.3, 1.2)
            try:
                problem = Problem(
                    weights,
                    biases=biases,
                    activations=listed,
                    x=x,
                    y=self.expected(loss, np.zeros((batch, widths[-1]))),
                    loss=loss,
                    reduction=reduction,
                    sample_weights=counts,
                    penalty=penalty,
                )
            except ProblemError:
                return None
            if "weights" in parts or not self.at_a_kink(problem):
                break
        assert problem is not None
        with np.errstate(all="ignore"):
            a = forward(problem).activations[-1]
        y = parts["y"] if "y" in parts else self.expected(loss, a)
        try:
            return problem.replaced(y=y)
        except ProblemError:
            return None

    def counts(self, batch: int) -> Array:
        """Weights of samples, of three or more one that is 0."""
        drawn = np.abs(self.number((batch,), 0.4, 2.0))
        drawn[: int(batch > 2)] = 0.0
        return drawn

    def expected(self, loss: Choice, a: Array) -> Array:
        """y of a loss: 0.4 to 1.1 beside a, or what it takes for labels."""
        batch, n = a.shape
        labels = EXPECTED[self.support.expected]
        if labels is not None:
            rows = labels(n)
            return np.array(rows, dtype=np.float64)[self.rng.integers(len(rows), size=batch)]
        expected = row_of(LOSSES, loss).expected
        if expected.labels is None:
            return PRECISIONS[self.precision].held(np.where(np.isfinite(a), a, 0.0) + self.number(a.shape, 0.4, 1.1))
        if len(expected.labels(n)[0]) == 1:
            return np.round(self.rng.uniform(0.1, 0.9, a.shape) * 64) / 64
        # sixteenths that add up to 1, none of them 0
        parts = np.ones((batch, n)) + np.array([self.rng.multinomial(max(64 - n, 0), np.full(n, 1 / n)) for _ in range(batch)])
        return parts / parts.sum(axis=1, keepdims=True)

    @staticmethod
    def at_a_kink(problem: Problem) -> bool:
        with np.errstate(all="ignore"):
            passed = forward(problem)
        near = [
            np.abs(z - kink).min() < BESIDE
            for z, choice in zip(passed.pre_activations, problem.activations, strict=True)
            for kink, _ in row_of(ACTIVATIONS, choice).kinks
        ]
        return any(near)

    def all_choices(self) -> list[Choice]:
        """Every activation that a layer may have."""
        return [*self.outputs, *(choice for choice in self.hidden if choice not in self.outputs)]

    # the rungs

    def rung(self, kind: str, family: int, *about: Any, **parts: Any) -> Iterator[Rung]:
        problem = self.problem(*about, **parts)
        if problem is not None:
            yield Rung(problem, kind, family)

    def one_layer(self) -> Iterator[Rung]:
        """One layer, linear where it may be, for each loss, reduction, number of outputs and of samples."""
        if self.fixed and len(self.fixed) != 2:
            return
        many = len(self.losses) > 2
        sizes = [(2, 1), (3, 1), (1, 1), (2, 3), (3, 2), (1, 2)]
        for i, loss in enumerate(self.losses):
            for reduction in self.support.reductions:
                for outputs, batch in sizes[: 4 if many and i > 1 else 6]:
                    widths = self.fixed or (2 if outputs < 3 else 3, outputs)
                    yield from self.rung("one layer", -1, widths, batch, [self.linear], loss, reduction)
            # y and all else again, so that only the error differs
            yield from self.of_one_family("one layer", self.fixed or (2, 2), 1, [self.linear], loss)

    def of_one_family(self, kind: str, widths: Sequence[int], batch: int, activations: Sequence[Choice], loss: Choice) -> Iterator[Rung]:
        """Three problems that differ in y alone."""
        first = self.problem(widths, batch, activations, loss, self.support.reductions[0])
        if first is None:
            return
        family = next(self.families)
        with np.errstate(all="ignore"):
            a = forward(first).activations[-1]
        for problem in (first, *(first.replaced(y=self.expected(loss, a)) for _ in range(2))):
            yield Rung(problem, kind, family)

    def room(self) -> int:
        """How wide a scan may be."""
        limits = [self.support.width[1]] if self.support.width else []
        limits += [self.support.outputs[1]] if self.support.outputs else []
        return min([SCAN, *limits])

    def z(self, low: float, high: float, n: int) -> Array:
        """Pre-activations of both signs, evenly by size, in an order of their own."""
        sizes = np.linspace(low, high, n) + self.rng.uniform(0, (high - low) / (4 * n), n)
        signs = np.where(np.arange(n) % 2, 1.0, -1.0)
        return PRECISIONS[self.precision].held(self.rng.permutation(sizes * signs))

    def output_scans(self, low: float = 0.12, high: float = 2.9) -> Iterator[Rung]:
        """One layer of one input, which is 1: each output is g at a weight."""
        if self.fixed:
            return
        for choice in self.outputs:
            if isinstance(row_of(ACTIVATIONS, choice), Joint):
                yield from self.rung("one layer", -1, (3, 3), 1, [choice], self.loss)
                yield from self.rung("one layer", -1, (3, 3), 2, [choice], self.loss)
                continue
            yield from self.scan("output scan", choice, self.clear_of_kinks(choice, self.z(low, high, self.room())), self.loss)
            if choice != self.linear:
                yield from self.of_one_family("one layer", (2, 2), 1, [choice], self.loss)

    def clear_of_kinks(self, choice: Choice, z: Array) -> Array:
        for kink, _ in row_of(ACTIVATIONS, choice).kinks:
            z = np.where(np.abs(z - kink) < BESIDE, z + 2.5 * BESIDE, z)
        return PRECISIONS[self.precision].held(z)

    def scan(self, kind: str, choice: Choice, z: Array, loss: Choice) -> Iterator[Rung]:
        """One layer, or a hidden one, whose nodes have these pre-activations."""
        n = len(z)
        if kind == "output scan":
            biases = [None] if self.support.biases is False else [np.zeros(n)]
            yield from self.rung(kind, -1, (1, n), 1, [choice], loss, None, None, weights=[z[:, None]], biases=biases, x=np.ones((1, 1)))
            return
        # of one output alone the gradient of a softmax is 0
        least, most = self.support.outputs or self.support.width or (1, 2)
        outputs = min(max(2, least), most)
        weights = [z[:, None], PRECISIONS[self.precision].held(self.number((outputs, n), 0.3, 1.2) * 1.3 / np.sqrt(n))]
        biases = [None, None] if self.support.biases is False else [np.zeros(n), self.number((outputs,), 0.1, 0.5)]
        about = (1, n, outputs), 1, [choice, self.linear], loss
        yield from self.rung(kind, -1, *about, None, None, weights=weights, biases=biases, x=np.ones((1, 1)))

    def hidden_scans(self, low: float = 0.12, high: float = 2.9) -> Iterator[Rung]:
        """One input, a wide hidden layer, one output."""
        if self.fixed:
            return
        for choice in self.hidden:
            if not isinstance(row_of(ACTIVATIONS, choice), Joint):
                yield from self.scan("hidden scan", choice, self.clear_of_kinks(choice, self.z(low, high, self.room())), self.loss)

    STRUCTURES = (
        (1, 1, 1),
        (2, 3, 2),
        (3, 3, 3),
        (4, 3, 2),
        (2, 1, 2),
        (2, 2, 4, 3),
        (3, 3, 3, 3),
        (1, 1, 1, 1),
        (2, 3, 1, 2, 3),
        (3, 3, 3, 3, 3),
        (3, 2, 4, 3, 2, 3),
        (3, 3, 3, 3, 3, 3),
    )

    SHALLOW = ((2, 2), (3, 2), (2, 3), (3, 3), (1, 1))
    """Widths of one layer, where no more are supported."""

    def structures(self) -> Sequence[tuple[int, ...]]:
        """The widths of networks within what is supported, as near to those above as may be; at least one."""
        if self.fixed:
            return (self.fixed,)
        depth = self.support.depth or (1, 9)
        low, high = self.support.width or (1, 9)
        last = self.support.outputs or (low, high)
        fitted = []
        for widths in self.STRUCTURES if depth[1] > 1 else self.SHALLOW:
            *others, outputs = widths
            within = [*(min(max(n, low), high) for n in others), min(max(outputs, last[0], low), last[1], high)]
            if depth[0] <= len(others) <= depth[1]:
                fitted.append(tuple(within))
        # of deeper networks than any of these, one of the least depth
        return tuple(dict.fromkeys(fitted)) or ((min(max(3, low), high),) * depth[0] + (min(max(2, last[0], low), last[1], high),),)

    def networks(self) -> Iterator[Rung]:
        """Networks of two layers and more, linear and with all activations by turns."""
        again = 4 if self.fixed else 1
        if self.fixed and sum(np.prod(pair) for pair in zip(self.fixed, self.fixed[1:], strict=False)) > LARGEST:
            again = 1
        for widths in [*self.structures()] * again:
            layers = len(widths) - 1
            for batch in (1, 2, 3):
                for mixed in (False, True, True):
                    hidden = [next(self.turns) if mixed else self.linear_hidden for _ in range(layers - 1)]
                    last = next(self.output_turns) if mixed else self.linear
                    yield from self.rung("network", -1, widths, batch, [*hidden, last], None if mixed else self.loss)
            if layers in (1, 2, 3):
                hidden = [next(self.turns) for _ in range(layers - 1)]
                yield from self.of_one_family("network", widths, 1, [*hidden, self.linear], self.loss)

    def samples(self) -> Iterator[Rung]:
        """More samples than a block has, and equal ones."""
        widths = self.fixed or next((w for w in self.structures() if len(w) <= 3 and min(w) > 1), self.structures()[0])
        layers = len(widths) - 1
        for batch in (5, 6, 9):
            for reduction in self.support.reductions:
                hidden = [next(self.turns) for _ in range(layers - 1)]
                yield from self.rung("samples", -1, widths, batch, [*hidden, self.linear], self.loss, reduction)
                if not self.fixed:
                    # with more inputs than samples, delta of each sample is read; a support that has no such layer refuses it
                    yield from self.rung("samples", -1, (batch + 2, min(widths)), batch, [self.linear], self.loss, reduction)
        for batch in (3, 4, 3):
            made = self.problem(widths, batch, [*[self.linear_hidden] * (layers - 1), self.linear], self.loss)
            if made is not None:
                x, y = made.x.copy(), made.y.copy()
                x[-1], y[-1] = x[0], y[0]
                yield Rung(made.replaced(x=x, y=y), "edge")

    def edges(self) -> Iterator[Rung]:
        """Large and tiny pre-activations, kinks, large and small errors, outputs of which e^a leaves the range."""
        if not self.fixed and self.support.values != "tame":
            elementwise = [choice for choice in self.all_choices() if not isinstance(row_of(ACTIVATIONS, choice), Joint)]
            for choice in elementwise:
                kind = "output scan" if choice in self.outputs else "hidden scan"
                for z in self.far(choice):
                    yield from self.scan(kind, choice, z, self.loss)
                for z in self.kinks(choice):
                    yield from (Rung(rung.problem, "edge") for rung in self.scan(kind, choice, z, self.loss))
        widths = next((w for w in self.structures() if len(w) <= 3 and min(w) > 1), self.structures()[0])
        layers = len(widths) - 1
        choices = [*[self.linear_hidden] * (layers - 1), self.linear]
        for loss in self.losses:
            for factor in (8.0, 64.0, 2.0**-10, 2.0**-27, 2.0**14, 2.0**15):
                made = self.problem(widths, 1 + (factor in (64.0, 2.0**15)), choices, loss)
                if made is None:
                    continue
                with np.errstate(all="ignore"):
                    a = forward(made).activations[-1]
                if row_of(LOSSES, loss).expected.labels is None:
                    yield Rung(made.replaced(y=PRECISIONS[self.precision].held(a + (made.y - a) * factor)), "edge")
                elif factor > 1:
                    yield Rung(made.replaced(weights=[*made.weights[:-1], made.weights[-1] * factor]), "edge")
        yield from self.sure()

    def sure(self) -> Iterator[Rung]:
        """One layer whose outputs are so far apart that exp overflows, or 0 is left of a probability."""
        if self.fixed or self.support.values == "tame":
            return
        top = np.log(PRECISIONS[self.precision].largest)
        for loss in self.losses:
            if row_of(LOSSES, loss).expected.labels is not None:
                for size in (18.0, 40.0, 1.02 * top, 1.3 * top, 3 * top):
                    for batch in (1, 2, 3):
                        n = 2 + batch
                        x, w = np.array([[1.0], [2.0**-7], [-(2.0**-5)]])[:batch], size / np.array([1.0, -2.0, 4.0, -8.0, 16.0])[:n, None]
                        b = [None] if self.support.biases is False else [np.zeros(n)]
                        held = PRECISIONS[self.precision].held(w)
                        yield from self.rung("edge", -1, (1, n), batch, [self.linear], loss, None, None, weights=[held], biases=b, x=x)

    def far(self, choice: Choice) -> Iterator[Array]:
        """Pre-activations beyond the generic ones, a scan each."""
        row = PRECISIONS[self.precision]
        top, n = np.log(row.largest), max(min(self.room(), 12) - int(self.rng.integers(3)), 1)
        yield row.held(self.z(3.2, 13.0, n))
        yield row.held(self.z(13.0, 40.0, n))
        yield row.held(self.z(0.9 * top, 1.3 * top, n))
        exponents = np.linspace(8, min(2.2 * row.bits, np.log2(row.largest) / 4), n)
        yield row.held(self.rng.permutation(np.where(np.arange(n) % 2, 1.0, -1.0) * 2.0**exponents))
        yield row.held(self.rng.permutation(np.where(np.arange(n) % 2, 1.0, -1.0) * 2.0 ** -np.linspace(8, 0.45 * -row.least_exponent, n)))

    def kinks(self, choice: Choice) -> Iterator[Array]:
        """Pre-activations on the kinks of an activation, and at 0, where a quotient has none."""
        kinks = dict.fromkeys([*(kink for kink, _ in row_of(ACTIVATIONS, choice).kinks), 0.0])
        for further in (1, 2, 3) if len(kinks) > 1 or row_of(ACTIVATIONS, choice).kinks else (1,):
            yield np.array([*kinks, *self.number((further,), 0.3, 0.9)])[: self.room()]
