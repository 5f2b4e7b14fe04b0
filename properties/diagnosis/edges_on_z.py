"""Edges on z: from which pre-activation on, or up to which, g or g' of a target is off, narrowed by further scans."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from properties.diagnosis.along_z import AlongZ
from properties.diagnosis.asked import SAFETY, Ask
from properties.diagnosis.explanation import Reading
from properties.diagnosis.lost import points
from properties.problems.support import Support
from reference.arrays import AnyArray, Array
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import Choice, name_and_parameters, row_of
from rounding.activations import ROUNDED_ACTIVATIONS
from rounding.arithmetic import K
from rounding.precisions import Precision
from rounding.scales import ElementwiseRounding

MOST = 2
"""So many ranges of z may be off, and no more: what is off here and there has no edges."""

ROUNDS = 4
"""So often an edge is narrowed, each time by a whole scan."""

NEAR_ZERO = 1e-6
"""An edge nearer to 0 than this is at 0."""

KNOWN = 2.0**-10
"""A number says something where accurate formulas and those of textbooks agree to such a part of it."""

JUMP = 1e-6
"""At an edge a number is off by such a part of it at least."""

CALLS = 60
"""So many calls it may take."""


@dataclass(frozen=True)
class Extent:
    """Where a quantity is off.

    quantity: "value" or "slope"; ranges: (low, high) of each range of z, None where it has no end; z, exact, read: around the edges, (n,).
    """

    function: str
    quantity: str
    ranges: tuple[tuple[float | None, float | None], ...]
    z: Array
    exact: Array
    read: Array
    error: float

    def __str__(self) -> str:
        """ "from z = 6 on", "for z below -3 and above 3"."""
        if len(self.ranges) == 2:
            (low, below), (above, high) = self.ranges
            if low is None and high is None and below is not None and above is not None:
                same = abs(above + below) <= 1e-3 * above
                return f"for |z| above {_number(above)}" if same else f"for z below {_number(below)} and above {_number(above)}"
        return " and ".join(_of_range(*each) for each in self.ranges)

    @property
    def sentence(self) -> str:
        """What is said of it beside the place."""
        of = "It" if self.quantity == "slope" else f"Along z, a of {self.function}"
        return f"{of} is off {self}, and right at every other z that was asked."

    def data(self) -> dict[str, Any]:
        """The table of what was read on both sides of each edge."""
        noun = "g(z)" if self.quantity == "value" else "g'(z)"
        rows = [[float(z), float(exact), float(read)] for z, exact, read in zip(self.z, self.exact, self.read, strict=True)]
        caption = f"{noun} of {self.function} on both sides of where it begins to be off"
        return {
            "kind": "edge",
            "caption": caption,
            "columns": ["z", noun, "read"],
            "rows": rows,
            "error": self.error,
            "note": f"off {self}",
        }


def _of_range(low: float | None, high: float | None) -> str:
    if low is None:
        return f"up to z = {_number(high)}"
    return f"from z = {_number(low)} on" if high is None else f"for z from {_number(low)} to {_number(high)}"


def _number(value: float | None) -> str:
    return f"{value:.4g}"


def extent_of(ask: Ask, support: Support, step: str, reading: Reading, layer: int | None) -> Extent | None:
    """Where a step is off that was read: g' of its layer, or a of any layer; None where it is another step, or has no edge.

    Where g' was blamed, and along z is right, a of its layer is looked at as well: of that all that lies above is made.
    """
    problem, precision = reading.asked.problem, reading.asked.precision

    def found(quantity: str, each: int) -> Extent | None:
        return extent(ask, support, precision, problem.activations[each - 1], quantity, each < problem.depth)

    if step in ("slope", "delta") and layer is not None:
        choice, hidden = problem.activations[layer - 1], layer < problem.depth
        slope = found("slope", layer)
        return slope or (found("value", layer) if is_right(ask, support, precision, choice, "slope", hidden) else None)
    names = [str(choice) for choice in problem.activations]
    first = [each for each, name in enumerate(names, 1) if names.index(name) == each - 1] if step == "activation" else []
    return next((one for each in first if (one := found("value", each)) is not None), None)


def is_right(ask: Ask, support: Support, precision: Precision, choice: Choice, quantity: str, hidden: bool) -> bool:
    """Whether g or g' is right at all z that are asked first, in a hidden layer or in the last."""
    along = AlongZ.of(ask, support, precision, choice, hidden=hidden)
    if along is None:
        return False
    with np.errstate(all="ignore"):
        _, off = _told(along, _coarse(along), quantity)
    return bool(off.size) and not off.any()


def extent(ask: Ask, support: Support, precision: Precision, choice: Choice, quantity: str, hidden: bool) -> Extent | None:
    """Where g or g' of an activation is off, if it is right elsewhere; None where it is off, or right, at all z, or cannot be read.

    hidden: whether it was seen in a hidden layer, and is read there if it can be.
    """
    for where in (hidden, not hidden):
        along = AlongZ.of(ask, support, precision, choice, hidden=where)
        if along is not None and (found := _extent(along, quantity)) is not None:
            return found
    return None


def _coarse(along: AlongZ) -> Array:
    """The z that are asked first, more of them where activations bend and are cut off more often than elsewhere."""
    dense = np.linspace(0.13, 7.1, 36)
    z = np.unique(along.precision.held(np.concatenate([points(along.precision), dense, -dense])))
    return z[np.abs(z) < 200]


def _extent(along: AlongZ, quantity: str) -> Extent | None:
    z = _coarse(along)
    with np.errstate(all="ignore"):
        z, off = _told(along, z, quantity)
        if not off.any() or off.all():
            return None
        changes = [int(i) for i in np.flatnonzero(off[1:] != off[:-1])]
        if len(changes) > 2 * MOST or sum(1 for _ in _runs(off)) > MOST:
            return None
        edges = {i: _narrowed(along, (float(z[i]), float(z[i + 1])), bool(off[i + 1]), quantity) for i in changes}
        ranges = tuple(
            (None if first == 0 else _middle(*edges[first - 1]), None if last == len(off) - 1 else _middle(*edges[last]))
            for first, last in _runs(off)
        )
        read = along.read(np.array(sorted(each for edge in edges.values() for each in edge)))
    row = row_of(ACTIVATIONS, along.choice)
    exact = row.value(read.z) if quantity == "value" else row.derivative(read.z)
    got = read.value if quantity == "value" else read.slope
    # what only becomes too small to be seen has no edge there
    if any(not _jumps(got[i : i + 2], exact[i : i + 2]) for i in range(0, len(got), 2)):
        return None
    return Extent(name_and_parameters(along.choice)[0], quantity, ranges, read.z, exact, got, read.error)


def _jumps(got: Array, exact: Array) -> bool:
    """Whether, between two numbers beside one another, the error changes by a part that is seen at once."""
    with np.errstate(all="ignore"):
        error = np.abs(got - exact)
        return not bool(np.max(error) <= JUMP * np.max(np.abs(exact)))


def _runs(off: AnyArray) -> Iterator[tuple[int, int]]:
    """The first and the last place of each run of what is off."""
    padded = np.concatenate([[False], off, [False]]).astype(int)
    starts, ends = np.flatnonzero(np.diff(padded) == 1), np.flatnonzero(np.diff(padded) == -1)
    yield from ((int(first), int(last) - 1) for first, last in zip(starts, ends, strict=True))


def _told(along: AlongZ, z: Array, quantity: str) -> tuple[Array, AnyArray]:
    """Of some z those that say something, and whether the quantity is off at each."""
    read, row, rounded = along.read(z), row_of(ACTIVATIONS, along.choice), row_of(ROUNDED_ACTIVATIONS, along.choice)
    assert isinstance(rounded, ElementwiseRounding)
    value = quantity == "value"
    exact = row.value(read.z) if value else row.derivative(read.z)
    scales = rounded.value_scales if value else rounded.derivative_scales
    got, unit = read.value if value else read.slope, along.precision.unit
    allowed = SAFETY * (read.error * np.abs(exact) + K * unit * np.maximum(scales.right(read.z), scales.lossy(read.z)))
    tells = read.answered & (allowed <= KNOWN * np.abs(exact)) & (np.abs(exact) >= along.precision.least_normal / unit)
    # what is 0 far out in a tail may be anything small; of a function with kinks it is 0
    tells |= read.answered & (exact == 0) & bool(row.kinks)
    off = ~(np.abs(got - exact) <= allowed)
    return read.z[tells], np.asarray(off[tells])


def _narrowed(along: AlongZ, between: tuple[float, float], rises: bool, quantity: str) -> tuple[float, float]:
    """Two z between which it begins, or ends, to be off."""
    low, high = between
    if max(abs(low), abs(high)) < NEAR_ZERO:
        return low, high
    for _ in range(ROUNDS if along.room > 4 else 3 * ROUNDS):
        z, off = _told(along, np.linspace(low, high, max(along.room, 1) + 2)[1:-1], quantity)
        if not z.size:
            break
        right = z[off == rises]
        left = z[off != rises]
        low, high = float(max([low, *left])), float(min([high, *right]))
        if high - low <= 1e-5 * max(abs(low), abs(high)) or low > high:
            break
    return low, high


def _middle(low: float, high: float) -> float:
    """Where an edge is told to be: at 0, or between what is right and what is off."""
    return 0.0 if max(abs(low), abs(high)) < NEAR_ZERO else (low + high) / 2
