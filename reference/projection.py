"""How far the projection of a layer's dC/dW on the exact gradient may be off: what all places of rounding add up to, to first order.

f = <dC/dW, G> / <G, G> with G the exact gradient is one number that depends on every rounding of both passes. Its derivatives by all that
is rounded (z, a, g', dC/da and the products) come from one more pair of passes: f is the derivative of C in the direction G, so that
they are a Hessian-vector product, carried up from the layer through equations 11, 3 and 2 and down again. docs/tolerance.md, section 7.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from reference.arrays import AnyArray, Array
from reference.choice import bind
from reference.losses import LOSSES
from reference.model import FUNCTION_ERROR, Noise
from reference.problem import Problem
from reference.rounding import Passes
from reference.variance import Variances

CONSTANTS = 3.0
"""Rounded constants, such as 1/B or 2/n, are common to all entries: so many u, where they are no powers of two."""

MANTISSAS = 0.6
"""The variance of one rounding is that of the worst mantissa, 1; the partial sums of many sums have all. On average it is 0.54 of that
where a sum wanders, and at most 0.604 where it drifts to its total, whatever that is. Sums over samples may be few that differ: for
them it is the worst."""

MANY = 6.0
"""f is one number for a layer, that adds up the roundings of many places: it stays within so many standard deviations, where the largest
of a billion entries needs MULTIPLE."""

BINADES = range(-4, 10)
"""Powers of 2 that are told apart, as frexp has them: |z| from 2^-5 to 2^9. Libraries compute a function in parts about as wide."""


@dataclass(frozen=True)
class Influences:
    """The derivatives of f by what the passes over one problem compute; each by layer, 0 where f does not depend on it.

    pre_activations, activations (l = 0, ..., L), errors, slopes: as in the passes, (batch, n_l).
    """

    pre_activations: list[Array]
    activations: list[Array]
    errors: list[Array]
    slopes: list[Array]


def influences(passed: Passes, layer: int, variances: Variances) -> Influences:
    """The derivatives of f for the layer of an index.

    passed.backward.products[layer] is G; the curvature of activations is taken from the table.
    """
    problem, forward, back = passed.problem, passed.forward, passed.backward
    depth = problem.depth
    exact = back.products[layer][:]
    size = float(np.vdot(exact, exact))
    found = Influences(*([np.zeros(())] * count for count in (depth, depth + 1, depth, depth)))
    up = forward.activations[layer] @ exact.T / size
    for above in range(layer, depth):
        if above > layer:
            up = up @ problem.weights[above].T
        found.slopes[above] = up * back.errors[above]
        up = found.errors[above] = up * back.slopes[above]
    share = problem.batch if problem.reduction == "mean" else 1
    down = bind(LOSSES, problem.loss).curvature(forward.activations[-1], problem.y, up) / share
    for below in reversed(range(depth)):
        found.activations[below + 1] = down
        moved = down * back.slopes[below]
        if below >= layer:
            moved = moved + found.slopes[below] * variances.activations[below].curvature(forward.pre_activations[below])
        found.pre_activations[below] = moved
        down = moved @ problem.weights[below]
        if below == layer:
            down = down + back.deltas[layer] @ exact / size
    found.activations[0] = down
    return found


def projection_bound(passed: Passes, noise: Noise, lossy: frozenset[str] | None, layer: int) -> float:
    """How far from 1 the projection f of two honest passes may be, for the layer of an index.

    lossy: as in deviation.
    """
    with np.errstate(all="ignore"):
        variances = Variances(passed, noise, lossy)
        variances.forward()  # what is within reach of a kink
        found = influences(passed, layer, variances)
        independent, systematic = _of_rounding(passed, variances, found, layer), _of_loss(passed, noise, found)
        functions, shifts = _of_functions(passed, variances, found)
        systematic += shifts
        return MANY * float(np.sqrt(noise.variance * (independent + functions))) + noise.unit * (systematic + _of_constants(passed.problem))


def _of_functions(passed: Passes, variances: Variances, found: Influences) -> tuple[float, float]:
    """What functions are off by at each z: as V(f) in units of v, and on the whole, in units of u.

    On the whole a function may be off by the same for all z of one sign and one power of 2, in whatever layer.
    """
    independent = 0.0
    shifts: dict[tuple[str, str], Array] = defaultdict(lambda: np.zeros(2 * len(BINADES)))
    for i, choice in enumerate(passed.problem.activations):
        alike, binades = variances.alike_pre_activations(i), _binades(passed.forward.pre_activations[i])
        places = {
            "g": (found.activations[i + 1], variances.value_error(i)[0]),
            "g'": (found.slopes[i], variances.slope_error(i)[0]),
        }
        for (what, (influence, size)), common in zip(places.items(), variances.common_errors(i), strict=True):
            independent += alike * _summed(influence, np.square(size))
            moved = np.broadcast_to(influence * common, passed.forward.pre_activations[i].shape)
            shifts[what, str(choice)] += np.bincount(binades, moved.ravel(), 2 * len(BINADES))
    return independent, float(sum(np.abs(shift).sum() for shift in shifts.values()))


def _binades(z: Array) -> Array:
    """A number for the sign and the power of 2 of each z, flat."""
    powers = np.frexp(np.ravel(z))[1]
    return np.clip(powers - BINADES.start, 0, len(BINADES) - 1) + len(BINADES) * (np.ravel(z) > 0)


def _of_rounding(passed: Passes, variances: Variances, found: Influences, layer: int) -> float:
    """V(f) of all but functions, in units of v: the square of each influence times the variance of the rounding at its place."""
    forward, back = passed.forward, passed.backward
    total = 0.0
    for i in range(passed.problem.depth):
        total += MANTISSAS * _summed(found.pre_activations[i], variances.rounding_forward(i))
        if i >= layer:
            # delta, which is rounded too, moves f as its factors do, and both may be off by more
            total += _summed(found.slopes[i], variances.other_side(i))
        if i > layer:
            total += MANTISSAS * _summed(found.errors[i - 1], variances.rounding_backward(i))
    outputs = forward.activations[-1]
    # what its functions are off by on the whole is apart
    total += _summed(found.errors[-1], variances.output_error(np.zeros_like(outputs), variances.outputs_alike))
    exact = back.products[layer][:]
    summed, _ = variances.rounding_over_samples(layer)
    # equal sums round alike, but for their sign
    rows, columns = variances.alike.look([np.abs(exact), np.abs(exact.T)])
    return total + rows.alike * columns.alike * _summed(exact / np.vdot(exact, exact), np.asarray(summed))


def _of_loss(passed: Passes, noise: Noise, found: Influences) -> float:
    """How far the functions within the loss shift f if they are off by the same on the whole, in units of u."""
    problem, outputs = passed.problem, passed.forward.activations[-1]
    share = problem.batch if problem.reduction == "mean" else 1
    ways = bind(LOSSES, problem.loss).common(outputs, problem.y)
    size = FUNCTION_ERROR * float(np.sqrt(noise.functions)) / share
    return size * max((abs(float(np.vdot(found.errors[-1], way))) for way in ways), default=0.0)


def _of_constants(problem: Problem) -> float:
    """How far rounded constants shift f, in units of u."""
    constants = bind(LOSSES, problem.loss).constants(problem.widths[-1])
    if problem.reduction == "mean":
        constants = [problem.batch, *constants]
    return CONSTANTS if any(np.frexp(constant)[0] != 0.5 for constant in constants) else 0.0


def _summed(influence: AnyArray, variance: AnyArray) -> float:
    return float(np.sum(np.square(influence) * variance, dtype=np.float64))
