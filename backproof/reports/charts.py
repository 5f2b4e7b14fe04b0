"""What a diagnosis read, as pictures: the factor as the target has it beside the exact one."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from backproof.reports.svg import element, line, picture, text
from backproof.reports.values import digits_apart, short
from reference.arrays import Array
from reference.functions.activation import Joint
from reference.functions.activations import ACTIVATIONS

WIDTH, HEIGHT = 460.0, 300.0
LARGEST = 1e150
"""Of a number in a picture."""

LEFT, RIGHT, TOP, BOTTOM = 56.0, 16.0, 18.0, 42.0
TICKS = 5
POINTS = 120
"""Of a curve."""

DIGITS = (3, 8, 16)
"""Decimal digits of what a target computes in, at most."""

CELL = 78.0
LARGEST_GRID = 6


def evidence_picture(table: dict[str, Any]) -> Markup:
    """The picture of one table of a diagnosis."""
    rows = np.array(table["rows"], dtype=np.float64)
    columns, caption = table["columns"], str(table["caption"])
    if rows.size == 0:
        return Markup("")
    if table["kind"] == "slope":
        return _scatter(rows[:, 0], rows[:, 1], rows[:, 2], ("z", "g'(z)"), caption, curve=_slope_through(rows[:, 0], rows[:, 1]))
    if table["kind"] == "loss" and len(rows) > 1:
        return _scatter(rows[:, 0] - rows[:, 1], rows[:, 2], rows[:, 3], ("a − y", "∂C/∂a"), caption)
    if table["kind"] == "digits":
        return _digits(rows, str(columns[0]), caption)
    if rows.shape[1] == 2 and set(rows[:, 1]) <= {0.0, 1.0}:
        return _strip(rows, str(columns[0]), caption)
    if table["kind"] == "conduct":
        return _dumbbells([f"call {row[0]:g}" for row in rows], np.ones(len(rows)), rows[:, 1], ("the first call", "answered"), caption)
    if table["kind"] == "samples":
        labels = [f"sample {row[0] + 1:g}, {name}" for row in rows for name in ("dC/dW", "dC/db")]
        read, right = rows[:, 2:4].ravel(), np.repeat(rows[:, 1], 2)
        known = ~np.isnan(read)
        return _dumbbells(
            [name for name, is_known in zip(labels, known, strict=True) if is_known], right[known], read[known], None, caption
        )
    if len(columns) == 4 and table["kind"] in ("matrix", "product") and _is_a_matrix(rows):
        return _grids(rows, (str(columns[2]), str(columns[3])), caption)
    labels = [", ".join(f"{name} {short(value)}" for name, value in zip(columns, row[:-2], strict=False)) for row in rows]
    return _dumbbells(labels, rows[:, -2], rows[:, -1], (str(columns[-2]), str(columns[-1])), caption)


def _slope_through(z: Array, slopes: Array) -> Any:
    """g' of the activation whose slopes these are, for a curve; None where it is none of the table as it stands."""
    for make in ACTIVATIONS.values():
        activation = make()
        if isinstance(activation, Joint):
            continue
        with np.errstate(all="ignore"):
            if np.allclose(activation.derivative(z), slopes, rtol=1e-9, atol=1e-300):
                return activation.derivative
    return None


def _scatter(x: Array, exact: Array, read: Array, names: tuple[str, str], title: str, curve: Any = None) -> Markup:
    """Points that were read, each with a line to where it should be; "" where there is no number to show."""
    x, exact, read = (values[np.isfinite(x)] for values in (x, _drawable(exact), _drawable(read)))
    if not np.isfinite(exact).any() and not np.isfinite(read).any():
        return Markup("")
    finite = np.concatenate([values[np.isfinite(values)] for values in (exact, read)])
    low_x, high_x = _widened(float(x.min()), float(x.max()))
    along = np.linspace(low_x, high_x, POINTS)
    with np.errstate(all="ignore"):
        heights = np.full(POINTS, np.nan) if curve is None else np.asarray(curve(along))
    shown = heights[np.isfinite(heights)]
    if np.ptp(np.concatenate([shown, finite])) <= 4 * np.ptp(finite):
        finite = np.concatenate([finite, shown])
    low, high = _widened(float(min(finite.min(initial=0.0), 0.0)), float(finite.max(initial=0.0)))
    if not (np.isfinite(exact).all() and np.isfinite(read).all()):
        high += 0.14 * (high - low)  # above all is room for what is no number

    def px(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * ((value - low_x) / (high_x - low_x))

    def py(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * ((value - low) / (high - low))

    parts = []
    for tick in _ticks(low, high):
        parts += [line(LEFT, py(tick), WIDTH - RIGHT, py(tick), "grid"), text(LEFT - 7, py(tick) + 4, short(tick), "tick", "end")]
    for tick in _ticks(low_x, high_x):
        parts += [line(px(tick), HEIGHT - BOTTOM, px(tick), HEIGHT - BOTTOM + 4, "axis")]
        parts.append(text(px(tick), HEIGHT - BOTTOM + 17, short(tick), "tick"))
    parts.append(line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "axis"))
    within = np.isfinite(heights) & (heights >= low) & (heights <= high)
    # it ends where it leaves the picture, and begins anew where it comes back
    for piece in np.split(np.arange(POINTS), np.flatnonzero(np.diff(within)) + 1):
        if within[piece[0]]:
            drawn = " ".join(f"{px(float(along[i])):.1f},{py(float(heights[i])):.1f}" for i in piece)
            parts.append(element("polyline", points=drawn, class_="curve"))
    lost: dict[str, float] = {}
    for each, right, own in zip(x, exact, read, strict=True):
        near = bool(np.isclose(own, right, rtol=1e-6, atol=1e-9 * (high - low)))
        parts.append(element("circle", cx=px(float(each)), cy=py(float(right)), r=3.5, class_="point exact"))
        if not math.isfinite(own):
            parts += [text(px(float(each)), TOP + 14, "×", "wrong"), line(px(each), TOP + 18, px(each), py(float(right)), "apart")]
            lost.setdefault(short(own), px(float(each)))
        elif not near:
            parts.append(line(px(float(each)), py(float(right)), px(float(each)), py(float(own)), "apart"))
            parts.append(element("circle", cx=px(float(each)), cy=py(float(own)), r=5.0, class_="point wrong"))
    parts += [text(at - 8, TOP + 13, said, "wrong", "end") for said, at in lost.items()]
    parts += [
        text(WIDTH - RIGHT, HEIGHT - 6, names[0], "heading", "end"),
        *_key(names[1], "yours"),
    ]
    return picture(WIDTH, HEIGHT, title, *parts, class_="picture chart")


def _digits(rows: Array, along: str, title: str) -> Markup:
    """How many digits are right at each number: a bar for each, so that it is seen where they are lost."""
    height, left, room = 52.0 + 26 * len(rows), 110.0, 96.0
    digits = np.where(np.isfinite(rows[:, -1]), rows[:, -1], 0.0)
    full = next((most for most in DIGITS if digits.max() <= most), DIGITS[-1])
    parts = [text(left, 18, f"digits that are right, of {full}", "heading", "start")]
    for i, (value, kept) in enumerate(zip(rows[:, 0], digits, strict=True)):
        y, wide = 32.0 + 26 * i, WIDTH - left - room
        parts += [
            text(left - 12, y + 12, f"{along} = {short(value)}", "tick", "end"),
            element("rect", x=left, y=y, width=wide, height=14, rx=3, class_="cell empty"),
            element("rect", x=left, y=y, width=max(wide * min(kept / full, 1.0), 2.0), height=14, rx=3, class_="bar-of-digits"),
            text(left + wide + 10, y + 12, short(kept, 3), "wrong" if kept < full / 2 else "tick", "start"),
        ]
    return picture(WIDTH, height, title, *parts, class_="picture chart")


def _strip(rows: Array, along: str, title: str) -> Markup:
    """At which numbers something shows, and at which not: a box for each, marked where it does."""
    wide, tall, across = 108.0, 30.0, 4
    parts = [text(0, 18, f"{along}: marked where it shows", "heading", "start")]
    for i, (value, shows) in enumerate(rows):
        x, y = (i % across) * wide, 28 + (i // across) * (tall + 4)
        parts.append(element("rect", x=x + 1, y=y, width=wide - 6, height=tall, rx=3, class_="cell off" if shows else "cell"))
        parts.append(text(x + wide / 2 - 2, y + tall / 2 + 4, short(value, 7), "wrong" if shows else "inside"))
    return picture(across * wide, 34 + (tall + 4) * -(-len(rows) // across), title, *parts, class_="picture chart")


def _key(right: str, wrong: str) -> list[Markup]:
    """What the two colours are."""
    x, y = LEFT, HEIGHT - 10
    return [
        element("circle", cx=x + 4, cy=y - 4, r=3.5, class_="point exact"),
        text(x + 14, y, f"{right}, should be", "key", "start"),
        element("circle", cx=x + 152, cy=y - 4, r=5.0, class_="point wrong"),
        text(x + 163, y, wrong, "key", "start"),
    ]


def _dumbbells(labels: Sequence[str], exact: Array, read: Array, names: tuple[str, str] | None, title: str) -> Markup:
    """A row for each number: where it should be, and where it is."""
    height = 60.0 + 34 * len(labels)
    exact, read = _drawable(exact), _drawable(read)
    finite = np.concatenate([values[np.isfinite(values)] for values in (exact, read)])
    low, high = _widened(float(min(finite.min(initial=0.0), 0.0)), float(max(finite.max(initial=0.0), 0.0)))
    left = 40.0 + 6.4 * max(map(len, labels))

    def px(value: float) -> float:
        return left + (WIDTH - left - 92) * ((value - low) / (high - low))

    parts: list[Markup] = [line(px(0.0), 26, px(0.0), height - 34, "grid")] if low <= 0 <= high else []
    for i, (label, right, own) in enumerate(zip(labels, exact, read, strict=True)):
        y = 44.0 + 34 * i
        near = bool(np.isclose(own, right, rtol=1e-6, atol=1e-9 * (high - low)))
        parts += [text(left - 14, y + 4, label, "tick", "end"), line(left, y, WIDTH - 92, y, "grid")]
        if math.isfinite(right):
            parts.append(element("circle", cx=px(float(right)), cy=y, r=4.0, class_="point exact"))
        if near:
            parts.append(text(WIDTH - 82, y + 4, short(right), "exact", "start"))
            continue
        parts.append(text(WIDTH - 82, y - 4, short(right), "exact", "start"))
        parts.append(text(WIDTH - 82, y + 11, digits_apart(own, right), "wrong", "start"))
        if math.isfinite(own):
            parts.append(line(px(float(right)), y, px(float(own)), y, "apart"))
            parts.append(element("circle", cx=px(float(own)), cy=y, r=5.0, class_="point wrong"))
    right_name = "should be" if names is None else f"{names[0]}, should be"
    wrong_name = names[1] if names is not None and names[1] not in ("read", "answered") else "yours"
    x, y = 40.0, height - 10
    parts += [
        element("circle", cx=x, cy=y - 4, r=4.0, class_="point exact"),
        text(x + 10, y, right_name, "key", "start"),
        element("circle", cx=x + 180, cy=y - 4, r=5.0, class_="point wrong"),
        text(x + 191, y, wrong_name, "key", "start"),
    ]
    return picture(WIDTH, height, title, *parts, class_="picture chart")


def _is_a_matrix(rows: Array) -> bool:
    """Whether the rows are most of a matrix that can be shown as one."""
    shape = rows[:, 0].max() + 1, rows[:, 1].max() + 1
    return bool(shape[0] * shape[1] > 1 and max(shape) <= LARGEST_GRID and 2 * len(rows) > shape[0] * shape[1])


def _grids(rows: Array, names: tuple[str, str], title: str) -> Markup:
    """Two matrices side by side, what is off in the second marked; of entries that are not told the cells are empty."""
    down, across = int(rows[:, 0].max()) + 1, int(rows[:, 1].max()) + 1
    tall = 34.0
    wide = 2 * across * CELL + 40
    told = {(int(j), int(k)) for j, k in rows[:, :2]}
    empty = [(j, k) for j in range(down) for k in range(across) if (j, k) not in told]
    size = float(np.abs(rows[:, 2:][np.isfinite(rows[:, 2:])]).max(initial=0.0))
    parts = [
        text(across * CELL / 2, 18, f"{names[0]}, should be", "heading"),
        text(across * CELL * 1.5 + 40, 18, "yours", "heading"),
    ]
    for j, k in empty:
        for side in (0, 1):
            x, y = side * (across * CELL + 40) + k * CELL, 30 + j * tall
            parts.append(element("rect", x=x + 1, y=y + 1, width=CELL - 2, height=tall - 2, rx=3, class_="cell empty"))
    for j, k, right, own in rows:
        same = bool(np.isclose(own, right, rtol=1e-6, atol=1e-9 * size, equal_nan=True))
        for side, value, class_ in ((0, right, "cell"), (1, own, "cell" if same else "cell off")):
            x, y = side * (across * CELL + 40) + k * CELL, 30 + j * tall
            parts.append(element("rect", x=x + 1, y=y + 1, width=CELL - 2, height=tall - 2, rx=3, class_=class_))
            shown = 0.0 if abs(value) <= 1e-9 * size else value
            parts.append(text(x + CELL / 2, y + tall / 2 + 4, short(shown), "wrong" if "off" in class_ else "inside"))
    return picture(wide, 34 + down * tall, title, *parts, class_="picture chart")


def _drawable(values: Array) -> Array:
    """The numbers of a picture: what is beside the end of the range has no room of its own, and is shown as infinite."""
    with np.errstate(all="ignore"):
        return np.where(np.abs(values) > LARGEST, np.copysign(np.inf, values), values)


def _widened(low: float, high: float) -> tuple[float, float]:
    """A range with some room on both sides."""
    room = 0.06 * (high - low) or max(abs(high), 1.0) * 0.5
    return low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high."""
    step = 10.0 ** math.floor(math.log10((high - low) / TICKS))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= TICKS + 1)
    first = math.ceil(low / step)
    return [step * i for i in range(first, math.floor(high / step) + 1)]
