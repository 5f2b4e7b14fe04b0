"""How many numbers of a row, or samples, are alike: they round alike, so that their errors add up and do not average out."""

from collections.abc import Sequence

import numpy as np

from reference.arrays import AnyArray, Array

ROWS, COLUMNS = 8, 256
"""So many rows and columns of a matrix are looked at."""

REACH = 32
"""Numbers are alike that are apart by less than so many u of the norm of their row."""

FEW = 1.1
"""Below this nothing is gained by looking further."""

SPAN = 3.0**0.5
"""Uniform numbers between -SPAN and SPAN have a variance of 1."""


class Likeness:
    """Looks at some rows and columns, the same ones of all matrices of one shape; unit: u of the sums."""

    def __init__(self, unit: float, seed: int) -> None:
        self.unit = unit
        self.rng = np.random.default_rng(seed)
        self.picked: dict[tuple[int, int], AnyArray] = {}

    def some(self, matrix: AnyArray) -> AnyArray:
        """Some of the rows and columns of a matrix."""
        rows, columns = (self._pick(*pair) for pair in zip(matrix.shape, (ROWS, COLUMNS), strict=True))
        return matrix[rows[:, None], columns]

    def numbers(self, matrix: Array, reach: float = 0.0) -> float:
        """How many numbers of a row are alike, on average over the row; the largest of some rows. 1 where all differ.

        reach: how near two numbers are that are alike, over the root mean square of the row's.
        """
        return self.among(self.some(matrix), matrix.shape[1], reach)

    def among(self, rows: Array, n: int, reach: float = 0.0) -> float:
        """The same, of rows of n numbers of which some have been picked."""
        looked_at = rows.shape[1]
        norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        found = float(alike(rows, (reach or REACH * self.unit * np.sqrt(n)) / np.sqrt(looked_at) * norms).max())
        # of all others as many are alike as of those that were looked at
        return found if looked_at == n else 1 + (found - 1) * (n - 1) / (looked_at - 1)

    def samples(self, arrays: Sequence[Array], squares: Sequence[Array]) -> list[float]:
        """How many samples of each array are alike, on average over the samples, by a random projection of each.

        squares: the squared norms of samples.
        """
        directions = {n: self.rng.uniform(-SPAN, SPAN, n) for n in dict.fromkeys(array.shape[1] for array in arrays)}
        projected = np.stack([array @ directions[array.shape[1]] for array in arrays])
        median = np.sort(np.stack(squares), axis=1)[:, len(squares[0]) // 2]
        found: list[float] = alike(projected, REACH * self.unit * np.sqrt(median)).tolist()
        return found

    def _pick(self, of: int, count: int) -> AnyArray:
        if (of, count) not in self.picked:
            self.picked[of, count] = self.rng.permutation(of)[:count]
        return self.picked[of, count]


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
