"""What of an answer is off, in words: which rows and columns of which arrays, which samples, and by how much."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from properties.judging.answer_in_sigmas import beside_reference
from properties.judging.by_worst_case import beyond_worst_case
from properties.judging.judgement import Exact
from reference.arrays import AnyArray, Array
from reference.gradient import Gradient, Place
from reference.problem import Problem
from rounding.precisions import PRECISIONS, Precision

LISTED = 4
"""So many indices are listed one by one."""

COUNTS = 1e-6
"""What a sample counts is told to such a part."""

MOST_EQUATIONS = 4000
"""So many entries of dC/dW are enough to tell what each sample counts."""


@dataclass(frozen=True)
class OffArray:
    """One array of which something is off. rows, columns: those with an entry that is, from 0; shape; relative: its error over its size."""

    place: Place
    rows: AnyArray
    columns: AnyArray
    shape: tuple[int, ...]
    relative: float

    @property
    def whole(self) -> bool:
        """Whether there is something in each row and each column."""
        return len(self.rows) == self.shape[0] and (len(self.shape) < 2 or len(self.columns) == self.shape[1])

    def __str__(self) -> str:
        """ "the last 4 of 36 columns of dC/dW of layer 1"."""
        noun = f"{'dC/dW' if self.place.quantity == 'weights' else 'dC/db'} of layer {self.place.layer}"
        parts = []
        if len(self.rows) < self.shape[0]:
            parts.append(those(self.rows, self.shape[0], "row" if len(self.shape) > 1 else "entry"))
        if len(self.shape) > 1 and len(self.columns) < self.shape[1]:
            parts.append(those(self.columns, self.shape[1], "column"))
        return f"{' and '.join(parts)} of {noun}" if parts else f"all of {noun}"


def those(indices: AnyArray, of: int, noun: str) -> str:
    """ "the last 4 of 36 columns", "row 512 of 513, from 0"."""
    plural = {"entry": "entries"}.get(noun, f"{noun}s")
    count = len(indices)
    if count == of:
        return f"all {plural}"
    if count and indices[-1] - indices[0] == count - 1 and (indices[0] == 0 or indices[-1] == of - 1):
        side = "first" if indices[0] == 0 else "last"
        return f"the {side} of {of} {plural}" if count == 1 else f"the {side} {count} of {of} {plural}"
    listed = ", ".join(map(str, indices[:LISTED]))
    more = f" and {count - LISTED} more" if count > LISTED else ""
    return f"{noun if count == 1 else plural} {listed}{more} of {of}, from 0"


def off_arrays(problem: Problem, answer: Gradient, precision: Precision) -> list[OffArray]:
    """The derivatives of which something is off, in the order in which they stand."""
    exact = Exact(problem)
    found = []
    with np.errstate(all="ignore"):
        for one in beside_reference(exact, answer, precision, None).arrays:
            if one.place.quantity not in ("weights", "biases"):
                continue
            got, right = np.asarray(one.got, dtype=np.float64), np.asarray(one.low, dtype=np.float64)
            mask = np.reshape(one.mask, got.shape)
            if mask.any():
                rows, columns = _lines_of(np.atleast_2d(mask.T).T, np.atleast_2d(right.T).T)
                size = float(np.linalg.norm(right))
                relative = float(np.linalg.norm(got - right)) / size if size else np.inf
                found.append(OffArray(one.place, rows, columns, got.shape, relative))
    return found


def _lines_of(mask: AnyArray, right: Array) -> tuple[AnyArray, AnyArray]:
    """The rows and the columns with an entry that is off; all of them, where the others are 0 by themselves and say nothing."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if (mask.any(axis=0) | ~right[rows].any(axis=0)).all():
        columns = np.arange(mask.shape[1])
    if (mask.any(axis=1) | ~right[:, columns].any(axis=1)).all():
        rows = np.arange(len(mask))
    return rows, columns


def as_in_float32(problem: Problem, answer: Gradient, precision: Precision, arrays: Sequence[OffArray]) -> bool:
    """Whether a float64 answer is as far off as sums in float32 would be, and no nearer."""
    if precision.name != "float64" or not all(2.0**-31 < one.relative < 2.0**-18 for one in arrays):
        return False
    return not beyond_worst_case(Exact(problem), answer, PRECISIONS["float32"])


def what_samples_count(problem: Problem, answer: Gradient, quantities: Collection[str] = ("weights", "biases")) -> Array | None:
    """What each sample counts in dC/dW, dC/db or both, over what it should, (batch,); None where the entries do not tell it.

    By least squares: dC/dW of a layer is the sum over samples of c_s times the exact product of its delta and a.
    """
    passes, rng = Exact(problem).passes, np.random.default_rng(0)
    columns, given = [], []
    for layer, weight in enumerate(answer.weights):
        delta, a = passes.backward.deltas[layer], passes.forward.activations[layer]
        got = np.asarray(weight, dtype=np.float64)
        chosen = rng.permutation(got.size)[:MOST_EQUATIONS]
        rows, cols = np.unravel_index(chosen, got.shape)
        terms = (delta[:, rows] * a[:, cols]).T
        scale = float(np.abs(terms).max(initial=0.0)) or 1.0
        if "weights" in quantities:
            columns.append(terms / scale)
            given.append(got[rows, cols] / scale)
        if "biases" in quantities and problem.biases[layer] is not None and answer.biases is not None:
            scale = float(np.abs(delta).max(initial=0.0)) or 1.0
            columns.append(delta.T / scale)
            given.append(np.asarray(answer.biases[layer], dtype=np.float64) / scale)
    if not columns:
        return None
    left, right = np.vstack(columns), np.concatenate(given)
    if problem.penalty is not None or not (np.isfinite(left).all() and np.isfinite(right).all()) or left.shape[0] <= left.shape[1]:
        return None
    counts, _, rank, _ = np.linalg.lstsq(left, right, rcond=None)
    if rank < left.shape[1] or np.linalg.norm(left @ counts - right) > COUNTS * np.linalg.norm(right):
        return None
    return np.asarray(counts)


def of_samples(counts: Array) -> str:
    """What is said of what samples count: "the last of 257 samples counts 0, and all others 1"."""
    odd = np.flatnonzero(np.abs(counts - 1) > 1e3 * COUNTS)
    if not odd.size or odd.size == len(counts):
        return ""
    values = np.unique(np.round(counts[odd], 4))
    if len(values) > 1:
        return ""
    verb = "counts" if odd.size == 1 else "count"
    return f"{those(odd, len(counts), 'sample')} {verb} {values[0] + 0.0:.4g}, and all others 1"
