"""What is said of an answer that textbook formulas explain: which of them lose digits, and where."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from properties.judging.judgement import Exact, Judgement
from reference.arrays import Array
from reference.functions.parametrised import name_and_parameters, row_of
from rounding.activations import ROUNDED_ACTIVATIONS
from rounding.losses import ROUNDED_LOSSES
from rounding.scales import ElementwiseRounding


def textbook_reason(exact: Exact, names: Sequence[str]) -> str:
    """The formulas of some activations and losses that give such numbers, and which they see on a problem.

    What the code computes nobody knows: a library's own function may lose as many digits.
    """
    used = [_use_of(exact, name) for name in names]
    formulas, where = "; ".join(formulas for formulas, _ in used), ", ".join(where for _, where in used)
    return f"as far off as {formulas} would be, whatever the code computes it by; here {where}"


def explanations(names: Sequence[str], counts: Collection[int], explains: Callable[[frozenset[str]], bool]) -> list[tuple[str, ...]]:
    """The functions of which each, or each few, explain an answer by their textbook formulas, where fewer do not; [] if none do.

    counts: how many are tried together; explains: whether some do.
    """
    for count in sorted({count for count in counts if 0 < count <= len(names)}):
        if explaining := [some for some in combinations(names, count) if explains(frozenset(some))]:
            return explaining
    return []


def explained(judgement: Judgement, exact: Exact, by: Sequence[Sequence[str]]) -> Judgement:
    """A judgement of lossy, with the functions of which each, or each few, explain the answer; several are told as one of them."""
    names = tuple(dict.fromkeys(name for each in by for name in each))
    several = f"one of {', '.join(names)}: " if len(by) > 1 else ""
    return replace(judgement, functions=names, one_of=bool(several), reason=f"{several}{textbook_reason(exact, names)}")


def _use_of(exact: Exact, name: str) -> tuple[str, str]:
    """The textbook formulas of a function that lose digits on a problem, and where: of an activation, at which z."""
    if name in ROUNDED_LOSSES:
        return row_of(ROUNDED_LOSSES, name).lossy, f"{name} sees outputs {_range(exact.passes.forward.activations[-1])}"
    formulas: dict[str, None] = {}
    seen, losing = [], []
    for choice, z in zip(exact.problem.activations, exact.passes.forward.pre_activations, strict=True):
        if name_and_parameters(choice)[0] != name:
            continue
        seen.append(z.ravel())
        row = row_of(ROUNDED_ACTIVATIONS, choice)
        for scales in (row.value_scales, row.derivative_scales) if isinstance(row, ElementwiseRounding) else ():
            worse = z[scales.lossy(z) > 2 * scales.right(z)]
            if worse.size:
                losing.append(worse)
                formulas[scales.textbook] = None
    where = np.concatenate(losing or seen)
    return ", ".join(formulas) or row_of(ROUNDED_ACTIVATIONS, name).lossy, f"{name} sees z {_range(where)}"


def _range(values: Array) -> str:
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    return f"= {low}" if low == high else f"from {low} to {high}"
