"""The table of textbook formulas that lose digits, or leave the range: one row each, with what to write instead.

A row computes what the formula gives in a dtype, so that what was read of a target is held against it number by number.
"""

from properties.diagnosis.formula import Formula
from properties.diagnosis.formulas_of_activations import OF_ACTIVATIONS
from properties.diagnosis.formulas_of_losses import OF_LOSSES

FORMULAS: dict[str, Formula] = {row.name: row for row in (*OF_ACTIVATIONS, *OF_LOSSES)}
"""Name -> the formula."""


def formulas_of(function: str, quantity: str) -> list[Formula]:
    """The formulas of an activation or loss, for its value, its slope, or the derivative of a loss."""
    return [row for row in FORMULAS.values() if (row.of, row.quantity) == (function, quantity)]
