"""A problem as a person is shown it: Python to paste where that is short, else its shapes and a few entries of each array."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from reference.arrays import AnyArray
from reference.problem import Problem

LONGEST = 2000
"""Characters of a problem that are shown where there is room; of a longer one what it is, and the replay file holds all of it."""

LONGEST_ROW = 400
"""The same among the rows of a finding: five lines of a terminal."""

FEW = 4
"""Entries of a large array that are shown."""


def problem_text(problem: Problem) -> str:
    """The problem as Python to paste; of one that is too long for that what it is."""
    shown = repr(problem)
    if len(shown) <= LONGEST:
        return shown
    return f"{_network(problem)}, {_choices(problem)}: {problem.size:,} numbers, too many to show"


def problem_rows(problem: Problem) -> list[tuple[str, str]]:
    """The rows of a finding that show its problem: one to paste, or a few lines that say what it holds."""
    shown = repr(problem)
    if len(shown) <= LONGEST_ROW:
        return [("problem", shown)]
    whole = "backproof show FILE" if len(shown) <= LONGEST else "backproof script FILE, as a script"
    lines = [_choices(problem), *_arrays(problem), f"all of it: {whole}"]
    return [("problem", f"{_network(problem)}, {problem.size:,} numbers; in short:"), *(("", line) for line in lines)]


def _network(problem: Problem) -> str:
    return f"{'-'.join(map(str, problem.widths))}, batch {problem.batch}"


def _choices(problem: Problem) -> str:
    penalty = "" if problem.penalty is None else f", penalty {problem.penalty!r}"
    return f"activations {list(problem.activations)}, loss {problem.loss!r}, reduction {problem.reduction!r}{penalty}"


def _arrays(problem: Problem) -> Iterator[str]:
    for layer, (weight, bias) in enumerate(zip(problem.weights, problem.biases, strict=True), 1):
        yield f"W{layer} {array_text(weight)}"
        if bias is not None:
            yield f"b{layer} {array_text(bias)}"
    yield f"x {array_text(problem.x)}"
    yield f"y {array_text(problem.y)}"
    if problem.sample_weights is not None:
        yield f"sample_weights {array_text(problem.sample_weights)}"


def array_text(array: AnyArray) -> str:
    """An array in a line: all of it where it is small, else its shape, and where it is not what most of it is, or its first entries."""
    numbers = np.asarray(array, dtype=np.float64)
    if numbers.size <= 2 * FEW:
        return repr(numbers.tolist())
    shape, flat = "x".join(map(str, numbers.shape)), numbers.ravel()
    most = Counter(flat.tolist()).most_common(1)[0][0]
    others = np.argwhere(~((numbers == most) | (np.isnan(numbers) & np.isnan(most))))
    if not len(others):
        return f"({shape}): all {most!r}"
    if 2 * len(others) < numbers.size:
        said = ", ".join(f"[{', '.join(map(str, at))}] {float(numbers[tuple(at)])!r}" for at in others[:FEW])
        more = f" and {len(others) - FEW:,} more" if len(others) > FEW else ""
        return f"({shape}): {most!r}, but {said}{more}"
    return f"({shape}): {', '.join(repr(value) for value in flat[:FEW].tolist())}, ..., {flat.tolist()[-1]!r}"
