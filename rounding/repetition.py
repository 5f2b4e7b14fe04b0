"""How many numbers of a row, or samples, are alike: they round alike, so that their errors add up and do not average out."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from reference.arrays import AnyArray, Array

ROWS, COLUMNS = 8, 128
"""So many rows and columns of a matrix are looked at."""

REACH = 32
"""Numbers are alike that are apart by less than so many u of the norm of their row."""

FEW = 1.1
"""Below this nothing is gained by looking further."""

SPAN = 3.0**0.5
"""Uniform numbers between -SPAN and SPAN have a variance of 1."""


@dataclass(frozen=True)
class Repetition:
    """What some rows of a matrix are like.

    alike: how many numbers of a row are, on average over the row; the largest of the rows. 1 where all differ.
    one_sign: whether the numbers of a row are mostly of one sign, on average over the rows, so that what they multiply hardly cancels.
    """

    alike: float
    one_sign: bool


class RepetitionSampler:
    """Looks at some rows and columns, the same ones of all matrices of one shape; unit: u of the sums."""

    def __init__(self, unit: float, seed: int) -> None:
        self.unit = unit
        self.seed = seed
        self.asked: dict[tuple[str, int], int] = {}
        """What was drawn, and as which of all draws of this seed."""

    def some(self, matrix: AnyArray) -> AnyArray:
        """Some of the rows and columns of a matrix."""
        rows, columns = map(self._shuffled, matrix.shape)
        return matrix[rows[:ROWS, None], columns[:COLUMNS]]

    def look(self, matrices: Sequence[AnyArray], reach: float = 0.0) -> list[Repetition]:
        """At each matrix; reach: how near two numbers are that are alike, over the root mean square of their row."""
        picked = [self.some(matrix) for matrix in matrices]
        starts = np.cumsum([0, *map(len, picked)])
        rows = np.zeros((starts[-1], max(some.shape[1] for some in picked)))
        for start, some in zip(starts, picked, strict=False):
            rows[start : start + len(some), : some.shape[1]] = some
        widths = np.array([matrix.shape[1] for matrix in matrices])
        looked_at = np.minimum(widths, COLUMNS)
        near = (reach or REACH * self.unit * np.sqrt(widths)) / np.sqrt(looked_at)
        found = alike(rows, np.repeat(near, np.diff(starts)) * np.sqrt(np.einsum("ij,ij->i", rows, rows)))
        # of all others as many are alike as of those that were looked at
        most = 1 + (np.maximum.reduceat(found, starts[:-1]) - 1) * (widths - 1) / np.maximum(looked_at - 1, 1)
        summed, absolute = (np.add.reduceat(a, starts[:-1]) for a in (np.abs(rows.sum(axis=1)), np.abs(rows).sum(axis=1)))
        return [Repetition(*row) for row in zip(most.tolist(), (summed > absolute / 2).tolist(), strict=True)]

    def least(self, look: Repetition, other: AnyArray) -> float:
        """How many products of a sum are alike: at most as many as of either factor; other: the rows of the second."""
        return look.alike if look.alike < FEW else min(look.alike, self.look([other])[0].alike)

    def samples(self, arrays: Sequence[Array], squares: Sequence[Array]) -> list[float]:
        """How many samples of each array are alike, on average over the samples, by a random projection of each.

        squares: the squared norms of samples.
        """
        directions = {n: self._drawn("direction", n) for n in dict.fromkeys(array.shape[1] for array in arrays)}
        projected = np.stack([array @ directions[array.shape[1]] for array in arrays])
        median = np.sort(np.stack(squares), axis=1)[:, len(squares[0]) // 2]
        found: list[float] = alike(projected, REACH * self.unit * np.sqrt(median)).tolist()
        return found

    def _shuffled(self, n: int) -> AnyArray:
        return self._drawn("permutation", n)

    def _drawn(self, kind: str, n: int) -> AnyArray:
        at = self.asked.setdefault((kind, n), len(self.asked))
        return _draws(self.seed, tuple(self.asked)[: at + 1])


class NothingAlike(RepetitionSampler):
    """Says of every matrix that all its numbers are apart, and of either sign, without a look at it: less than is so."""

    def look(self, matrices: Sequence[AnyArray], reach: float = 0.0) -> list[Repetition]:
        """1 of each."""
        return [Repetition(1.0, False)] * len(matrices)

    def samples(self, arrays: Sequence[Array], squares: Sequence[Array]) -> list[float]:
        """1 of each."""
        return [1.0] * len(arrays)


@lru_cache(maxsize=64)
def _draws(seed: int, asked: tuple[tuple[str, int], ...]) -> AnyArray:
    """The last of some draws of a seed, one after another: problems of the same shape ask for the same ones."""
    rng = np.random.default_rng(seed)
    for kind, n in asked:
        drawn = rng.permutation(n) if kind == "permutation" else rng.uniform(-SPAN, SPAN, n)
    drawn.flags.writeable = False
    return drawn


def alike(rows: Array, reach: Array) -> Array:
    """For each row the mean, over its numbers that are not 0, of how many follow one another within reach; 1 where all are apart.

    rows: (m, n); reach: (m,).
    """
    ordered = np.sort(np.where(rows == 0, np.nan, rows), axis=1)
    follows = ordered[:, 1:] - ordered[:, :-1] <= reach[:, None]
    count = follows.sum(axis=1)
    if not count.any():
        return np.ones(len(rows))
    zeros = np.isnan(ordered).sum(axis=1)
    numbers = np.maximum(rows.shape[1] - zeros, 1)
    if count.max() <= 2:  # pairs, or one run of three
        return 1 + 2 * (count + (follows[:, 1:] & follows[:, :-1]).sum(axis=1)) / numbers
    last = np.ones(rows.shape, dtype=bool)  # of its run, as NaN always are
    np.logical_not(follows, out=last[:, :-1])
    ends = np.flatnonzero(last)
    lengths = ends.copy()
    lengths[1:] -= ends[:-1]
    lengths[0] += 1
    squares = np.bincount(ends // rows.shape[1], lengths * lengths)
    return np.maximum((squares - zeros) / numbers, 1.0)
