"""Numbers and text as reports show them: short, and harmless whatever they are."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from backproof.findings.text import printable
from reference.arrays import AnyArray

LONGEST_TEXT = 1200
"""Characters of a text from outside that a page shows."""

MOST_NUMBERS = 24
"""Numbers of one array that a page shows."""


def short(value: Any, digits: int = 4) -> str:
    """A number with few digits."""
    number = float(value)
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else "∞" if number > 0 else "−∞"
    return f"{number + 0.0:.{digits}g}".replace("-", "−")


def clean(said: str, most: int = LONGEST_TEXT) -> str:
    """Text from outside: without terminal controls, and no longer than somebody reads."""
    shown = printable(said)
    return shown if len(shown) <= most else f"{shown[:most]} … ({len(shown) - most:,} more characters)"


INDEXED = re.compile(r"\b(d?[A-Za-z])_([a-z]{1,2}|0)\b")
"""A letter with an index, as w_jk."""


def letters(said: str) -> Markup:
    """Text whose letters have their indices below the line."""
    return Markup(INDEXED.sub(r"\1<sub>\2</sub>", str(escape(said))))


NAMES = ("Huber", "Jacobian", "Hessian", "Nesterov", "Adam")
"""Words that are names, at the beginning of a sentence too."""


def capital(said: str) -> str:
    """A sentence's first letter large, all others as they are, and a letter that stands for a quantity too."""
    return said if re.match(r"(d?[a-zA-Z]\b|dC|dz|g')", said) else said[:1].upper() + said[1:]


def small(said: str) -> str:
    """A sentence that goes on with one before it: its first letter small, but that of a name or of a letter that stands for a quantity."""
    word = re.match(r"[A-Za-z]+", said)
    ordinary = word is not None and (word[0] == "A" or (len(word[0]) > 1 and word[0].istitle())) and word[0] not in NAMES
    # "ValueError: ..." and "Layer.py" are names too
    return said[:1].lower() + said[1:] if ordinary and re.match(r"[A-Za-z]+[\s,']", said) else said


def cells(exact: AnyArray, got: AnyArray | None) -> Iterator[Sequence[tuple[str, str, bool]]]:
    """The rows of an array: of each number the exact one, the target's, or "", and whether it is off; no more than fit."""
    right = np.atleast_2d(np.asarray(exact, dtype=np.float64))
    own = None if got is None else np.atleast_2d(np.asarray(got, dtype=np.float64))
    left = MOST_NUMBERS
    for i, row in enumerate(right):
        if left <= 0:
            break
        line = []
        for j, value in enumerate(row[:left]):
            if own is None or own.shape != right.shape:
                line.append((short(value), "", False))
                continue
            same = bool(np.isclose(own[i, j], value, rtol=1e-9, atol=0, equal_nan=True))
            line.append((short(value), digits_apart(own[i, j], value), not same))
        left -= len(line)
        yield line


def digits_apart(got: Any, exact: Any) -> str:
    """A number with as many digits as tell it from the exact one, from four on."""
    one, other = float(got), float(exact)
    if not (math.isfinite(one) and math.isfinite(other)) or one == other:
        return short(one)
    for digits in range(4, 18):
        if f"{one:.{digits}g}" != f"{other:.{digits}g}":
            return f"{one + 0.0:.{digits}g}".replace("-", "−")
    return repr(one)
