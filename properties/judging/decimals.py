"""Answers that were printed with few decimal digits, and read back: right but for that."""

from collections.abc import Iterable

import numpy as np

from properties.judging.judgement import Exact, measured
from reference.arrays import AnyArray
from reference.gradient import Gradient
from rounding.precisions import Precision

DIGITS_OF_CHANCE = 3
"""Numbers of so many digits, 0.5 or 0.125, say nothing of how they were printed."""

FORMATS = {
    "6g": ("every number has at most six significant decimal digits, as C's %g prints them", 5e-6, 0.0),
    "6f": ("every number has at most six decimals, as C's %f prints them", 0.0, 5e-7),
}
"""What is said of each format, and how far it may take a number: relative to that, and absolutely."""


def printed(exact: Exact, answer: Gradient, precision: Precision) -> str:
    """What to do where an answer is right to the decimal digits that it was printed with, and has no more; "" where it is not.

    Numbers of 16 bits have no more digits than that.
    """
    arrays = [np.asarray(array) for _, array in answer.arrays()]
    if precision.bits < 24 or all(_kept(array, f"{DIGITS_OF_CHANCE}g") for array in arrays):
        return ""
    for name, (said, relative, absolute) in FORMATS.items():
        if all(_kept(array, name) for array in arrays):
            entries = measured(answer, exact.reference, exact.reference, exact.bound(precision, None, jumps=True))
            if all((entry.distance <= entry.allowed + relative * np.abs(entry.low) + absolute).all() for entry in entries):
                digits = 17 if precision.storage == "float64" else 9
                return f"{said}, and is right to these: print {digits} (%.{digits}g)"
    return ""


def _kept(array: AnyArray, name: str) -> bool:
    """Whether a format keeps every number of an array, in its dtype."""
    numbers: Iterable[float] = array.astype(np.float64).flat
    return all(array.dtype.type(float(format(number, f".{name}"))) == array.dtype.type(number) for number in numbers)
