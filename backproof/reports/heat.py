"""Heat maps: of each gradient how far its entries are off, over what is allowed for each."""

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from backproof.reports.svg import element, picture
from properties.judging.by_second_moment import is_large
from properties.judging.judgement import Exact, measured, precision_of
from reference.arrays import AnyArray, Array
from reference.gradient import Gradient
from reference.problem import Problem
from rounding.arithmetic import SIGMAS_ALLOWED

MOST = 24
"""Rows and columns of a map; larger arrays are shown by the worst entry of each block."""

CLASSES = (0.1, 1.0, 1e2, 1e4, 1e8)
"""Where one colour ends and the next begins: up to 1 all is as it should be."""

QUANTITIES = ("weights", "biases", "x")


@dataclass(frozen=True)
class Heat:
    """One map. name: of the array; shape: of the array; outside, judged: entries beyond what is allowed, of how many; worst: the ratio."""

    name: str
    shape: tuple[int, ...]
    outside: int
    judged: int
    worst: float
    map: Markup


def heat_maps(problem: Problem, answer: Gradient, precision: str | None) -> list[Heat]:
    """A map for each gradient that was answered."""
    exact, by = Exact(problem), precision_of(answer, precision)
    with np.errstate(all="ignore"):
        if is_large(problem):
            sigma = exact.deviation(by, answer).sigma
            allowed = sigma.mapped(lambda place, array: SIGMAS_ALLOWED * np.asarray(array))
        else:
            allowed = exact.bound(by, frozenset(), jumps=True)
        asked = Gradient(answer.weights, answer.biases, answer.x)
        maps = []
        for one in measured(asked, exact.reference, exact.reference, allowed):
            ratio = one.ratio
            ratio = np.where(np.isnan(one.got) & np.isfinite(one.allowed), np.inf, ratio)
            claimed = np.isfinite(one.allowed)
            outside, judged = int((one.outside & claimed).sum()), int(claimed.sum())
            worst = float(np.max(ratio, initial=0.0))
            drawn = _drawn(ratio, f"{one.place}: {outside} of {judged} entries are further off than is allowed")
            maps.append(Heat(str(one.place), tuple(np.shape(one.got)), outside, judged, worst, drawn))
    return maps


def _drawn(ratio: AnyArray, title: str) -> Markup:
    """The map as one path for each colour."""
    blocks = _worst_of_blocks(np.atleast_2d(np.asarray(ratio, dtype=np.float64)))
    rows, columns = blocks.shape
    kinds = np.searchsorted(CLASSES, blocks, side="left")
    paths = []
    for kind in np.unique(kinds):
        runs = []
        for y in range(rows):
            x = 0
            while x < columns:
                start = x
                while x < columns and kinds[y, x] == kind:
                    x += 1
                if x > start:
                    runs.append(f"M{start} {y}h{x - start}v1h-{x - start}z")
                x += x == start
        paths.append(element("path", d="".join(runs), class_=f"heat{int(kind)}"))
    side = max(7.0, min(26.0, 260.0 / max(rows, columns)))
    inner = element("g", *paths, transform=f"scale({side:.1f})")
    return picture(columns * side, rows * side, title, inner, class_="picture heat")


def _worst_of_blocks(ratio: Array) -> Array:
    for axis in (0, 1):
        size = ratio.shape[axis]
        if size > MOST:
            edges = np.linspace(0, size, MOST + 1).astype(int)[:-1]
            ratio = np.maximum.reduceat(ratio, edges, axis=axis)
    return ratio
