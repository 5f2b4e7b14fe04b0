"""Read-outs: the target's own factors, by formulas of its answers alone, each with the error of reading.

Needs no table of mistakes: what is read stands beside what is exact, whatever made it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from properties.diagnosis.asked import SAFETY, Ask, Asked
from properties.diagnosis.explanation import Layer, raw_delta, relative_errors
from properties.diagnosis.ladder import Rung
from reference.arrays import Array
from reference.functions.activation import Joint
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.problem import Problem
from rounding.precisions import Precision

ROWS = 8
"""Rows of a table, at most."""


@dataclass(frozen=True)
class ReadOut:
    """One factor that was read: a small table, the exact one beside it.

    kind: "slope", "matrix", "samples", "loss" or "product"; caption: what is shown; columns, rows: numbers; error: how far one may be off.
    """

    kind: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]
    error: float
    note: str = ""


def _rows(*columns: Array, worst: Array | None = None) -> tuple[tuple[float, ...], ...]:
    """Some rows, in the order of the first column: where worst is told, those that are off the most."""
    flat = [np.ravel(np.asarray(column, dtype=np.float64)) for column in columns]
    chosen = np.arange(len(flat[0]))
    if len(chosen) > ROWS:
        order = np.argsort(-np.nan_to_num(np.ravel(worst), nan=np.inf), kind="stable") if worst is not None else chosen
        chosen = order[:ROWS]
    chosen = chosen[np.argsort(flat[0][chosen], kind="stable")]
    return tuple(tuple(float(column[i]) for column in flat) for i in chosen)


def _indices(array: Array) -> tuple[Array, Array]:
    """The row and the column of each entry of a matrix, in its shape."""
    rows, columns = np.indices(array.shape).astype(np.float64)
    return np.asarray(rows), np.asarray(columns)


def own_delta(asked: Asked, layer: int) -> Array | None:
    """delta of a layer, (batch, n_l), off its own products alone; None where they do not tell it."""
    assert asked.gradient is not None
    a = asked.exact.passes.forward.activations[layer - 1]
    bias = None if asked.gradient.biases is None else asked.gradient.biases[layer - 1]
    weights = asked.products(layer)
    relative = SAFETY * float(relative_errors(asked, layer).max())
    return raw_delta(a, weights, None if bias is None else np.asarray(bias, dtype=np.float64), relative)


def slopes(asked: Asked, layer: int, error: Array, delta: Array) -> ReadOut:
    """Equation 3: delta over dC/da of the target's own, beside g'. error, delta: (batch, n_l)."""
    exact = asked.exact.passes
    z, right = exact.forward.pre_activations[layer - 1], exact.backward.slopes[layer - 1]
    with np.errstate(all="ignore"):
        read = delta / error
    relative = float(relative_errors(asked, layer).max())
    largest = float(np.max(np.abs(read[np.isfinite(read)]), initial=0.0))
    caption = f"what the target multiplies by in layer {layer}, at each z, beside g'"
    with np.errstate(all="ignore"):
        worst = np.abs(read - right)
    return ReadOut("slope", caption, ("z", "g'(z)", "read"), _rows(z, right, read, worst=worst), SAFETY * relative * largest)


def joint_deltas(asked: Asked, layer: int, right: Array, delta: Array) -> ReadOut:
    """Equation 3 with a Jacobian that is not diagonal, which has no slope of one node: delta beside that of the target's own dC/da.

    right, delta: (batch, n_l).
    """
    z = asked.exact.passes.forward.pre_activations[layer - 1]
    with np.errstate(all="ignore"):
        worst = np.abs(delta - right)
    relative = float(relative_errors(asked, layer).max())
    largest = float(np.max(np.abs(delta[np.isfinite(delta)]), initial=0.0))
    caption = f"dC/dz of layer {layer}, at each z, beside what the Jacobian makes of the target's own dC/da"
    return ReadOut("slope", caption, ("z", "dC/dz", "read"), _rows(z, right, delta, worst=worst), SAFETY * relative * largest)


def errors_of_outputs(asked: Asked, delta: Array) -> ReadOut:
    """Equation 2: dC/da of the output layer over the exact g', beside a, y and what it should be."""
    exact = asked.exact.passes
    a, y = exact.forward.activations[-1], asked.problem.y
    slope, right = exact.backward.slopes[-1], exact.backward.errors[-1]
    with np.errstate(all="ignore"):
        read = delta / slope
        worst = np.abs(read - right)
    relative = float(relative_errors(asked, asked.problem.depth).max())
    largest = float(np.max(np.abs(read[np.isfinite(read)]), initial=0.0))
    caption = "dC/da of the output layer, by output and sample"
    return ReadOut("loss", caption, ("a", "y", "dC/da", "read"), _rows(a, y, right, read, worst=worst), SAFETY * relative * largest)


def product(asked: Asked, layer: int, delta: Array) -> ReadOut:
    """Equation 4: dC/dW beside the product of the target's own delta and a."""
    assert asked.gradient is not None
    a = asked.exact.passes.forward.activations[layer - 1]
    got, right = asked.products(layer), delta.T @ a
    j, k = _indices(got)
    with np.errstate(all="ignore"):
        worst = np.abs(got - right)
    relative = float(relative_errors(asked, layer).max())
    error = SAFETY * relative * float((np.abs(delta).T @ np.abs(a)).max())
    caption = f"dC/dW of layer {layer} beside the product of the target's own delta and a"
    order = j * got.shape[1] + k
    rows = _rows(order, j, k, right, got, worst=worst)
    return ReadOut("product", caption, ("j", "k", "delta a", "answered"), tuple(row[1:] for row in rows), error)


def biases(asked: Asked, layer: int, delta: Array) -> ReadOut:
    """Equation 4 for a node that is always 1: dC/db beside the sum of the target's own delta."""
    assert asked.gradient is not None
    assert asked.gradient.biases is not None
    got, right = np.asarray(asked.gradient.biases[layer - 1], dtype=np.float64), delta.sum(axis=0)
    error = SAFETY * float((relative_errors(asked, layer) * np.abs(delta).sum(axis=0)).max())
    caption = f"dC/db of layer {layer} beside the sum of the target's own delta"
    return ReadOut("product", caption, ("j", "sum of delta", "answered"), _rows(np.arange(len(got), dtype=np.float64), right, got), error)


def passed_down(asked: Asked, layer: int, error: Array, delta: Array) -> ReadOut:
    """Equation 11: what the target passes down to a layer, delta over the exact g', beside W^T delta of its own from above."""
    slope = asked.exact.passes.backward.slopes[layer - 1]
    with np.errstate(all="ignore"):
        read = delta / slope
        worst = np.abs(read - error)
    relative = float(relative_errors(asked, layer).max())
    largest = float(np.max(np.abs(read[np.isfinite(read)]), initial=0.0))
    sample, node = _indices(read)
    caption = f"the error that comes to layer {layer}, by sample and node, beside W^T delta of the target's own delta above"
    rows = _rows(sample * read.shape[1] + node, sample, node, error, read, worst=worst)
    return ReadOut("matrix", caption, ("sample", "node", "W^T delta", "read"), tuple(row[1:] for row in rows), SAFETY * relative * largest)


def to_the_inputs(asked: Asked, delta: Array) -> ReadOut:
    """Equation 11 of the first layer: dC/dx beside W^T delta of the target's own. delta: (batch, n_1)."""
    assert asked.gradient is not None
    weights, got = np.asarray(asked.problem.weights[0], dtype=np.float64), np.asarray(asked.gradient.x, dtype=np.float64)
    with np.errstate(all="ignore"):
        right, sizes = delta @ weights, np.abs(delta) @ np.abs(weights)
        worst = np.abs(got - right)
    error = SAFETY * float(relative_errors(asked, 1).max()) * float(sizes.max(initial=0.0))
    sample, node = _indices(got)
    rows = _rows(sample * got.shape[1] + node, sample, node, right, got, worst=worst)
    caption = "dC/dx, by sample and input, beside W^T delta of the target's own delta of layer 1"
    return ReadOut("matrix", caption, ("sample", "node", "W^T delta", "answered"), tuple(row[1:] for row in rows), error)


def matrix(ask: Ask, problem: Problem, precision: Precision) -> ReadOut | None:
    """Equations 7 and 11: M of dC/da^{L-1} = M delta^L, off answers that differ in y alone, beside W^T.

    The layer below the last must have slopes that are known. None where M is not determined, or not a matrix: then the note says so.
    """
    if problem.depth < 2 or problem.batch != 1 or row_of(LOSSES, problem.loss).expected.labels is not None:
        return None
    outputs, rng = problem.widths[-1], np.random.default_rng(5)
    above, below, one = [], [], None
    for _ in range(outputs + 2):
        y = precision.held(problem.y + rng.uniform(0.2, 0.9, problem.y.shape) * rng.choice([-1.0, 1.0], problem.y.shape))
        answer = ask(problem.replaced(y=y))
        if answer.gradient is None:
            return None
        one = Asked(Rung(problem.replaced(y=y), "network"), answer, precision)
        deltas = own_delta(one, problem.depth), own_delta(one, problem.depth - 1)
        if deltas[0] is None or deltas[1] is None:
            return None
        above.append(deltas[0][0])
        with np.errstate(all="ignore"):
            below.append(deltas[1][0] / one.exact.passes.backward.slopes[-2][0])
    assert one is not None
    left, right = np.array(above), np.array(below)
    if not (np.isfinite(left).all() and np.isfinite(right).all()) or np.linalg.matrix_rank(left) < outputs:
        return None
    read, *_ = np.linalg.lstsq(left, right, rcond=None)
    exact = problem.weights[-1]
    error = (
        float(np.linalg.cond(left)) * SAFETY * float(relative_errors(one, problem.depth - 1).max()) * float(np.abs(read).max(initial=0.0))
    )
    off = float(np.abs(left @ read - right).max())
    note = "" if off <= error * np.abs(left).sum(axis=1).max() else f"it is no matrix: it depends on the error, by {off:.1g}"
    j, k = _indices(exact)
    rows = _rows(j * exact.shape[1] + k, j, k, exact, read, worst=np.abs(read - exact))
    caption = "the matrix that carries delta of the output layer down, beside W"
    return ReadOut("matrix", caption, ("j", "k", "W", "read"), tuple(row[1:] for row in rows), error, note)


def samples(ask: Ask, problem: Problem, precision: Precision) -> ReadOut | None:
    """The sum over samples: what each counts in dC/dW and dC/db, where only one has an error and all others y = a."""
    if problem.batch < 2 or not row_of(LOSSES, problem.loss).of_differences:
        return None
    a = Asked(Rung(problem, "network"), ask(problem), precision).exact.passes.forward.activations[-1]
    counts, error = [], 0.0
    for s in range(problem.batch):
        y = a.copy()
        # a sample without an error would not show what it counts
        y[s] = problem.y[s] if (problem.y[s] != a[s]).any() else precision.held(a[s] + 1)
        posed = problem.replaced(y=y)
        answer = ask(posed)
        if answer.gradient is None:
            return None
        one = Asked(Rung(posed, "network"), answer, precision)
        exact = one.exact.reference
        pairs = [(answer.gradient.weights, exact.weights), (answer.gradient.biases or (), exact.biases or ())]
        read = []
        for got, right in pairs:
            listed = [
                (np.ravel(np.asarray(g, dtype=np.float64)), np.ravel(np.asarray(r)))
                for g, r in zip(got, right, strict=False)
                if g is not None
            ]
            size = sum(float(r @ r) for _, r in listed)
            read.append(sum(float(g @ r) for g, r in listed) / size if size else np.nan)
        counts.append((float(s), 1.0, *read))
        error = max(error, SAFETY * float(relative_errors(one, problem.depth).max()))
    caption = "what each sample counts, where it alone has an error, over what it should count"
    return ReadOut("samples", caption, ("sample", "should be", "in dC/dW", "in dC/db"), tuple(counts), error)


@dataclass(frozen=True)
class Crossing:
    """a^L as the target has it, read where dC/dz is 0 over y.

    read, exact: (n_L,); factors: c s of each output; linear: whether a third y lies on the line, so that anything can be said;
    off: whether what is read is not a^L.
    """

    read: Array
    exact: Array
    factors: Array
    linear: bool
    off: bool


def crossing(family: Sequence[Asked]) -> Crossing | None:
    """a^L = y + delta/(c s) with c s = (delta(y1) - delta(y2)) / (y2 - y1), of one sample and a loss of a - y; a third y checks it."""
    if len(family) < 3 or not row_of(LOSSES, family[0].problem.loss).of_differences or family[0].problem.batch != 1:
        return None
    if any(one.gradient is None for one in family):
        return None
    depth = family[0].problem.depth
    deltas = [own_delta(one, depth) for one in family[:3]] if depth == 1 else [_of_bias(one) for one in family[:3]]
    if any(delta is None for delta in deltas):
        return None
    (d1, d2, d3), (y1, y2, y3) = [np.asarray(delta)[0] for delta in deltas], [one.problem.y[0] for one in family[:3]]
    exact = family[0].exact.passes.forward.activations[-1][0]
    with np.errstate(all="ignore"):
        factors = (d1 - d2) / (y2 - y1)
        read = y1 + d1 / factors
        size = np.abs(d1) + np.abs(d2) + np.abs(d3)
        relative = SAFETY * float(relative_errors(family[0], depth).max())
        slack = relative * size * (1 + np.abs(y3 - y1) / np.abs(y2 - y1))
        linear = bool(
            (np.abs(d1 - factors * (y3 - y1) - d3) <= 4 * slack).all() and (np.abs(factors) * np.abs(y2 - y1) > 1e3 * slack).all()
        )
        off = linear and not bool((np.abs(read - exact) <= 16 * slack / np.abs(factors) + 16 * relative * np.abs(exact)).all())
    return Crossing(read, exact, factors, linear, off)


def _of_bias(one: Asked) -> Array | None:
    """delta of the last layer of one sample, which dC/db is."""
    assert one.gradient is not None
    bias = None if one.gradient.biases is None else one.gradient.biases[-1]
    return None if bias is None else np.asarray(bias, dtype=np.float64)[None]


def shown(asked: Asked, layer: Layer, step: str, error: Array | None) -> ReadOut | None:
    """The picture of the factor that is off, of one problem that was read. error: the target's own dC/da, (batch, n_l)."""
    own, right = layer.own, layer.right
    if step == "bias_gradient" and right is not None and asked.gradient is not None and asked.gradient.biases is not None:
        return biases(asked, layer.layer, right if own is None else own)
    if step == "weight_gradient" and right is not None:
        return product(asked, layer.layer, right if own is None else own)
    if own is None or error is None:
        return None
    if step in ("slope", "delta"):
        if right is not None and isinstance(row_of(ACTIVATIONS, asked.problem.activations[layer.layer - 1]), Joint):
            return joint_deltas(asked, layer.layer, right, own)
        return slopes(asked, layer.layer, error, own)
    if step in ("output_error", "reduction"):
        return errors_of_outputs(asked, own)
    if step != "error_below":
        return None
    return to_the_inputs(asked, own) if layer.below == "off" and layer.delta == "ok" else passed_down(asked, layer.layer, error, own)
