"""What a cause is called in words: its name in findings is that of a row of a table, which no reader has seen."""

from properties.diagnosis.conduct import IN_SHORT
from properties.diagnosis.formulas_beyond_range import BEYOND_RANGE
from properties.diagnosis.lost import QUANTITIES
from properties.diagnosis.table import all_variants
from properties.diagnosis.textbook_formulas import FORMULAS


def in_words(cause: str) -> str:
    """A cause as a sentence without its stop: of a variant, a formula or a conduct what is known of it, of another its name in words."""
    if (variant := all_variants().get(cause)) is not None:
        return variant.sentence.rstrip(".")
    if cause in IN_SHORT:
        return IN_SHORT[cause]
    formula = FORMULAS.get(cause) or next((row for row in BEYOND_RANGE if row.name == cause), None)
    if formula is not None:
        return f"{QUANTITIES[formula.quantity][0]} of {formula.of} is computed as {formula.written}"
    # of an older or a newer release
    return cause.replace("_", " ")
