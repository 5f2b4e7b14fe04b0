"""The table of variants: the faults by their steps, and what loops make of each step's parts."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cache

from properties.diagnosis.variant import EQUATIONS, Variant
from properties.diagnosis.variants_of_activations import slopes, values
from properties.diagnosis.variants_of_errors import errors, reductions
from properties.diagnosis.variants_of_networks import whole_networks
from properties.diagnosis.variants_of_products import products
from properties.faults.fault import BEFORE, BITS, CALLS, INPUTS, LAYOUT, Fault
from properties.faults.table import FAULTS

OF_CONDUCT = frozenset({CALLS, BEFORE, INPUTS, LAYOUT})
"""The laws that a fault breaks which is no step of one call done wrongly."""

OF_MEMORY = frozenset({"kept_the_first_answer_for_the_same_inputs", "was_right_for_the_first_ten_calls"})
"""Faults of memory that no law of conduct sees."""

OF_RANGE = frozenset(
    {
        "overflowed_softmax",
        "shifted_softmax_by_the_largest_of_the_batch",
        "multiplied_the_branch_not_taken_by_zero",
        "took_sigmoid_through_its_logarithm",
        "overflowed_softplus",
        "overflowed_silu",
        "divided_and_then_masked",
    }
)
"""Faults by which answers are NaN, and right as far as digits go elsewhere: where nothing is NaN a right formula has their numbers."""


def is_conduct(fault: Fault) -> bool:
    """Whether a fault is one of state or conduct: its answer to a problem is not a function of the problem's numbers."""
    return bool(OF_CONDUCT.intersection(fault.laws)) or fault.name in OF_MEMORY


def _of_fault(fault: Fault) -> Variant:
    sentence, _, shows = fault.explanation.rstrip(".").partition(": it shows ")
    if not shows:
        sentence, _, shows = sentence.partition(". It shows ")
    # the step that is read comes first
    steps = sorted(fault.changed.items(), key=lambda each: each[0] in ("activation", "loss"))
    step = steps[0][0]
    whole = step in ("posed", "answer")
    equations = fault.equations or (() if "activation" in fault.changed else EQUATIONS.get(step, ()))
    reaches = fault.name == "shared_one_buffer_between_layers"
    return Variant(fault.name, sentence, dict(steps), equations, 50 if whole else 0, shows_when=shows, reaches=reaches)


def _rows() -> Iterator[Variant]:
    # what shows in single bits alone is, on other problems, the right network
    yield from (_of_fault(fault) for fault in FAULTS.values() if not is_conduct(fault) and fault.laws != (BITS,))
    yield from slopes()
    yield from errors()
    yield from reductions()
    yield from products()
    yield from values()
    yield from whole_networks()


@cache
def all_variants() -> dict[str, Variant]:
    """Every variant by its name; of two with one name the first."""
    table: dict[str, Variant] = {}
    for row in _rows():
        table.setdefault(row.name, replace(row, number=len(table)))
    return table


class Table:
    """The variants that a diagnosis may name: all but some, by their steps."""

    def __init__(self, without: Collection[str] = ()) -> None:
        self.rows = {name: row for name, row in all_variants().items() if name not in without}
        self._local: dict[tuple[str, str], list[Variant]] = {}
        for row in self.rows.values():
            if row.local:
                self._local.setdefault((row.step, row.of), []).append(row)
        self.whole = [row for row in self.rows.values() if not row.local]

    def of(self, step: str, function: str = "") -> list[Variant]:
        """The variants of a step, those of an activation or loss only where it has this name."""
        return [*self._local.get((step, ""), ()), *(self._local.get((step, function), ()) if function else ())]
