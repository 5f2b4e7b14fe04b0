"""The table of quantities: all that a gradient may hold."""

from collections.abc import Callable
from dataclasses import dataclass

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Quantity:
    """One of the quantities that an implementation may answer.

    symbol: how it is written in messages; equation: of docs/note.md that says what it is; shape: of (widths, batch, layer from 1);
    by_layer: whether there is one for each layer; always: whether every problem asks for it.
    """

    symbol: str
    equation: int
    shape: Callable[[Shape, int, int], Shape]
    by_layer: bool = True
    always: bool = False


QUANTITIES = {
    "weights": Quantity("dC/dW", 11, lambda widths, batch, layer: (widths[layer], widths[layer - 1]), always=True),
    "biases": Quantity("dC/db", 4, lambda widths, batch, layer: (widths[layer],), always=True),
    "x": Quantity("dC/dx", 7, lambda widths, batch, layer: (batch, widths[0]), by_layer=False),
    "loss": Quantity("C", 1, lambda widths, batch, layer: (), by_layer=False),
    "pre_activations": Quantity("z", 8, lambda widths, batch, layer: (batch, widths[layer])),
    "activations": Quantity("a", 9, lambda widths, batch, layer: (batch, widths[layer])),
    "deltas": Quantity("delta", 3, lambda widths, batch, layer: (batch, widths[layer])),
}
"""Name of a field of Gradient -> what it is."""

BY_LAYER = tuple(name for name, quantity in QUANTITIES.items() if quantity.by_layer)
SINGLE = tuple(name for name, quantity in QUANTITIES.items() if not quantity.by_layer)
