"""How far the projection of a layer's dC/dW on the exact gradient may be off: what all places of rounding add up to, to first order.

f = <dC/dW, G> / <G, G> with G the exact gradient is one number that depends on every rounding of both passes. Its derivatives by all that
is rounded (z, a, g', dC/da and the products) come from one more pair of passes: f is the derivative of C in the direction G, so that
they are a Hessian-vector product, carried up from the layer through equations 11, 3 and 2 and down again. docs/tolerance.md, section 7.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from reference.arrays import AnyArray, Array
from reference.functions.activation import Joint
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.passes import Passes
from reference.problem import Problem
from rounding.arithmetic import FUNCTION_ERROR, SIGMAS_ALLOWED
from rounding.deviation import Deviation
from rounding.losses import ROUNDED_LOSSES
from rounding.second_moment import Variances
from rounding.softmax import NOT_SMALL

CONSTANTS = 3.0
"""Rounded constants, such as 1/B or 2/n, are common to all entries: so many u, where they are no powers of two."""

MANTISSAS = 0.6
"""The variance of one rounding is that of the worst mantissa, 1; the partial sums of many sums have all. On average it is 0.54 of that
where a sum wanders, and at most 0.604 where it drifts to its total, whatever that is. Sums over samples may be few that differ: for
them it is the worst."""

MANY = 6.0
"""f is one number for a layer, that adds up the roundings of many places: it stays within so many standard deviations, where the largest
of a billion entries needs SIGMAS_ALLOWED."""

REMAINS, LARGEST = 0.1, 50_000_000
"""So much of how far a layer's f may be off is allowed for beside those of other layers too: what is not of first order, and places whose
errors are not as independent as is said. Layers are held beside one another where their influences are so many numbers, or fewer."""

POWERS = range(-4, 10)
"""The powers of 2 that are told apart, as frexp has them: |z| from 2^-5 to 2^9."""

PARTS = 2 * 4 * len(POWERS)
"""A quarter of a power of 2, of either sign, is a part: libraries compute a function in parts that are wider."""


@dataclass(frozen=True)
class Influences:
    """The derivatives of f by what the passes over one problem compute; each by layer, 0 where f does not depend on it.

    pre_activations, activations (l = 0, ..., L), errors, slopes, deltas: as in the passes, (batch, n_l); slopes of elementwise
    activations alone, deltas but for the rounding of their factors.
    """

    pre_activations: list[Array]
    activations: list[Array]
    errors: list[Array]
    slopes: list[Array]
    deltas: list[Array]


def influences(passed: Passes, layer: int, variances: Variances, row: int | None = None) -> Influences:
    """The derivatives of f for the layer of an index, or for one row of it.

    passed.backward.products[layer] is G; the curvature of activations is taken from the table.
    """
    problem, forward, back = passed.problem, passed.forward, passed.backward
    depth = problem.depth
    exact = _direction(passed, layer, row)
    size = float(np.vdot(exact, exact))
    found = Influences(*([np.zeros(())] * count for count in (depth, depth + 1, depth, depth, depth)))
    up = forward.activations[layer] @ exact.T / size
    for above in range(layer, depth):
        if above > layer:
            up = up @ problem.weights[above].T
        found.deltas[above] = up
        activation = variances.activations[above]
        if isinstance(activation, Joint):  # its Jacobian is symmetric
            up = activation.pullback(forward.pre_activations[above], up)
        else:
            found.slopes[above] = up * back.errors[above]
            up = up * back.slopes[above]
        found.errors[above] = up
    down = row_of(LOSSES, problem.loss).curvature(forward.activations[-1], problem.y, up) * problem.shares
    for below in reversed(range(depth)):
        z, activation = forward.pre_activations[below], variances.activations[below]
        if isinstance(activation, Joint):
            if below >= layer:
                down = down + activation.bent(z, back.errors[below], found.deltas[below])
            moved = activation.pullback(z, down)
        else:
            moved = down * back.slopes[below]
            if below >= layer:
                moved = moved + found.slopes[below] * variances.elementwise(below)[0].curvature(z)
        found.activations[below + 1] = down
        found.pre_activations[below] = moved
        down = moved @ problem.weights[below]
        if below == layer:
            down = down + back.deltas[layer] @ exact / size
    found.activations[0] = down
    return found


@dataclass(frozen=True)
class Errors:
    """What moves the f of one layer.

    random: what each place of rounding moves it by, as a standard deviation in units of sqrt(v), arrays or 0; own: V(f) of its own sums
    over samples, which move no other layer's; shifts, ways: what functions of the layers, by parts of z, and those of the
    loss move it by if they are off on the whole, in units of u.
    """

    random: list[Array]
    own: float
    shifts: Array
    ways: Array


Key: TypeAlias = tuple[int, int | None]
"""The index of a layer, and of one of its rows, or None for all."""


class Projections:
    """How far the projections of two honest passes over one problem may be off: that of each layer, alone and beside the others'.

    variances: the second-moment bound of the same passes.
    """

    def __init__(self, variances: Variances) -> None:
        self.passed, self.noise, self.variances = variances.passed, variances.noise, variances
        with np.errstate(all="ignore"):
            variances.forward()  # what is within reach of a kink
        self._errors: dict[Key, Errors] = {}
        self._together: dict[tuple[Key, Key], float] = {}

    @cached_property
    def places(self) -> list[tuple[str, int, AnyArray]]:
        """All places of rounding but the sums over samples."""
        with np.errstate(all="ignore"):
            return list(self._places())

    def of_rows(self, layer: int, found: Deviation, rows: AnyArray, sizes: Array) -> Array:
        """The standard deviation of the f of some rows of a layer's dC/dW by V(delta), (rows,): a screen for bound.

        rows: their indices; sizes: the squared norms of these rows of dC/dW. Samples move a row as a whole, each by its delta; beside that
        its own sums round to little.
        """
        a, delta = self.passed.forward.activations[layer], self.passed.backward.deltas[layer][:, rows]
        # a . dC/dW for each sample and row
        along = (a @ a.T) @ delta if len(a) <= a.shape[1] else a @ (a.T @ delta)
        if (added := self.passed.backward.products[layer].added) is not None:
            along = along + a @ added[rows].T
        with np.errstate(all="ignore"):
            variances = found.variance.deltas[layer][:, rows] if found.variance.deltas else np.zeros(())
            sigmas: Array = found.unit * np.sqrt(np.sum(np.square(along) * variances, axis=0)) / sizes
        return sigmas

    @cached_property
    def joint(self) -> list[int]:
        """The layers of which the nodes depend on one another."""
        return [layer for layer, row in enumerate(self.variances.joint) if row is not None]

    @cached_property
    def first_order(self) -> bool:
        """Whether what moves a layer whose nodes depend on one another is small, and its numbers are computed in the format of its sums."""
        v, (z_variances, _) = self.noise.variance, self.variances.forward()
        small = all(SIGMAS_ALLOWED * np.sqrt(v * z_variances[layer].max()) <= NOT_SMALL for layer in self.joint)
        return not self.joint or (small and not self.noise.functions_apart)

    def bound(self, layer: int, row: int | None = None) -> float:
        """How far from 1 f may be, for the layer of an index, or for one row of it; infinite where nothing is worked out."""
        return self._bound({(layer, row): 1.0}) if self.first_order else np.inf

    def beside(self, layer: int, others: Sequence[int]) -> tuple[dict[int, float], float]:
        """By what the f - 1 of each other layer is multiplied to be added to that of a layer; and how far the sum may be from 0.

        Most of what moves one f, such as a rounded logit, moves those of other layers too, and falls out of the sum: it shows the factor
        of one layer alone long before that layer's f does.
        """
        values = self.passed.problem.batch * sum(self.passed.problem.widths)
        if self.joint or values * (1 + len(others)) > LARGEST:
            return {}, np.inf
        with np.errstate(all="ignore"):
            keys: list[Key] = [(other, None) for other in others]
            among = np.array([[self.together(one, other) for other in keys] for one in keys])
            beside = np.array([self.together((layer, None), other) for other in keys])
            if not (np.isfinite(among).all() and np.isfinite(beside).all()):
                return {}, np.inf
            taken = np.linalg.lstsq(among, -beside)[0]
        weighed = dict(zip(others, taken.tolist(), strict=True))
        allowed = self._bound({(layer, None): 1.0, **dict(zip(keys, weighed.values(), strict=True))})
        return weighed, allowed + REMAINS * self.bound(layer)

    def _bound(self, weighed: dict[Key, float]) -> float:
        """How far from 0 the sum of the f - 1 of some layers may be, each times a number."""
        with np.errstate(all="ignore"):
            variance = sum(c * d * self.together(one, other) for one, c in weighed.items() for other, d in weighed.items())
            shifts, ways = (
                np.sum([c * getattr(self._of(layer), what) for layer, c in weighed.items()], axis=0) for what in ("shifts", "ways")
            )
            on_the_whole = np.abs(shifts).sum() + np.abs(ways).max(initial=0.0)
            constants = _of_constants(self.passed.problem) * sum(map(abs, weighed.values()))
            random = MANY * np.sqrt(self.noise.variance * np.maximum(variance, 0.0))
            return float(random + self.noise.unit * (on_the_whole + constants))

    def together(self, one: Key, other: Key) -> float:
        """The covariance of two layers' f, in units of v; of one with itself its variance."""
        if (one, other) not in self._together:
            # of a deep network each layer asks again for those of all the others
            pairs = zip(self._of(one).random, self._of(other).random, strict=True)
            found = sum(float(np.vdot(a, b)) for a, b in pairs if a.ndim and b.ndim) + (self._of(one).own if one == other else 0.0)
            self._together[one, other] = self._together[other, one] = found
        return self._together[one, other]

    def _of(self, key: Key) -> Errors:
        if key not in self._errors:
            layer, row = key
            found = influences(self.passed, layer, self.variances, row)
            random = [getattr(found, what)[i] * sigma for what, i, sigma in self.places]
            random += [moved for i in self.joint for moved in self._own_of_joint(found, i)]
            self._errors[key] = Errors(random, self._own(layer, row), self._shifts(found), self._ways(found))
        return self._errors[key]

    def _own_of_joint(self, found: Influences, layer: int) -> list[Array]:
        """What a function of several nodes, and its pullback, moves f by."""
        z, e = self.passed.forward.pre_activations[layer], self.passed.backward.errors[layer]
        influences = (found.pre_activations[layer], found.activations[layer + 1], found.deltas[layer])
        by_z, by_a, by_delta = (np.broadcast_to(influence, z.shape) for influence in influences)
        row, alike = self.variances.joint[layer], np.sqrt(self.variances.alike_pre_activations(layer))
        assert row is not None
        return [alike * moved for moved in row.moved_by(z, e, by_z, by_a, by_delta)]

    def _shifts(self, found: Influences) -> Array:
        """By g and g' of each activation, and by parts of z: there it may be off by the same, in whatever layer.

        Of exponentials of differences of z it is not known in which parts they are: their errors add up.
        """
        shifts: dict[tuple[str, str], Array] = {}
        problem, forward = self.passed.problem, self.passed.forward
        for i, (choice, z) in enumerate(zip(problem.activations, forward.pre_activations, strict=True)):
            if i in self.joint:
                size = FUNCTION_ERROR * np.sqrt(self.noise.functions)
                shifts.setdefault(("g", str(choice)), np.zeros(PARTS))[0] += size * np.abs(found.pre_activations[i]).sum()
                continue
            parts = _parts(z)
            influenced = (found.activations[i + 1], found.slopes[i])
            for what, influence, common in zip("gs", influenced, self.variances.common_errors(i), strict=True):
                moved = np.ravel(np.broadcast_to(influence * common, z.shape))
                shift = shifts.setdefault((what, str(choice)), np.zeros(PARTS))
                shift += np.bincount(parts, moved, PARTS)
        return np.stack(list(shifts.values()))

    def _ways(self, found: Influences) -> Array:
        """By the ways in which functions of the loss may be off on the whole."""
        problem, outputs = self.passed.problem, self.passed.forward.activations[-1]
        size = FUNCTION_ERROR * float(np.sqrt(self.noise.functions))
        ways = row_of(ROUNDED_LOSSES, problem.loss).common(outputs, problem.y)
        return size * np.array([np.vdot(found.errors[-1], way * problem.shares) for way in ways])

    def _own(self, layer: int, row: int | None) -> float:
        """V(f) by the sums of a layer's dC/dW, in units of v."""
        exact = _direction(self.passed, layer, row)
        summed, _ = self.variances.rounding_over_samples(layer)
        # equal sums round alike, but for their sign
        rows, columns = self.variances.alike.look([np.abs(exact), np.abs(exact.T)])
        return rows.alike * columns.alike * float(np.sum(np.square(exact / np.vdot(exact, exact)) * np.asarray(summed)))

    def _places(self) -> Iterator[tuple[str, int, AnyArray]]:
        """Of which influences, of which index, and the standard deviation of what is rounded there, in units of sqrt(v)."""
        variances, depth = self.variances, self.passed.problem.depth
        for i in range(depth):
            alike = variances.alike_pre_activations(i)
            yield "pre_activations", i, np.sqrt(MANTISSAS * variances.rounding_forward(i))
            if i:
                yield "errors", i - 1, np.sqrt(MANTISSAS * variances.rounding_backward(i))
            if i in self.joint:
                continue
            yield "activations", i + 1, np.sqrt(alike) * variances.value_error(i)[0]
            # delta, which is rounded too, moves f as its factors do, and both may be off by more
            yield "slopes", i, np.sqrt(alike) * variances.slope_error(i)[0]
            yield "slopes", i, np.sqrt(variances.other_side(i))
        # what functions of the loss are off by on the whole is apart
        exact = np.zeros_like(self.passed.forward.activations[-1])
        yield "errors", depth - 1, np.sqrt(variances.output_error(exact, variances.outputs_alike))


def _direction(passed: Passes, layer: int, row: int | None) -> Array:
    """G, or one row of it and else 0."""
    exact = passed.backward.products[layer][:]
    if row is None:
        return exact
    alone = np.zeros_like(exact)
    alone[row] = exact[row]
    return alone


def _parts(z: Array) -> Array:
    """A number for each z, flat, that those of one sign and one part of one power of 2 share."""
    mantissas, powers = np.frexp(np.ravel(z))
    inside = (8 * np.abs(mantissas)).astype(int) - 4
    return np.clip(4 * (powers - POWERS.start) + inside, 0, PARTS // 2 - 1) + PARTS // 2 * (np.ravel(z) > 0)


def _of_constants(problem: Problem) -> float:
    """How far rounded constants shift f, in units of u, and the sum of the weights of samples."""
    constants = row_of(ROUNDED_LOSSES, problem.loss).constants(problem.widths[-1])
    if problem.reduction == "mean":
        constants = [problem.total_weight, *constants]
    if problem.penalised is not None:
        constants = [problem.penalised.rate(problem.batch), *constants]
    by_weights = MANY * np.sqrt(problem.batch) / 3 if problem.has_weighted_mean else 0.0
    return by_weights + (CONSTANTS if any(np.frexp(constant)[0] != 0.5 for constant in constants) else 0.0)
