"""A gradient: what an implementation answers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from reference.arrays import AnyArray
from reference.errors import ProblemError
from reference.forms import npz_form
from reference.forms.json_form import dump, gradient_data, gradient_parts, parse
from reference.quantities import QUANTITIES

BY_LAYER = [(name, quantity.by_layer) for name, quantity in QUANTITIES.items()]
"""Each quantity, and whether there is one of each layer."""


class Place(NamedTuple):
    """One array of a gradient: a quantity, and its layer from 1, or None for dC/dx and C."""

    quantity: str
    layer: int | None

    def __str__(self) -> str:
        symbol = QUANTITIES[self.quantity].symbol
        return symbol if self.layer is None else f"layer {self.layer}: {symbol}"


@cache
def _places(name: str, depth: int | None) -> tuple[Place, ...]:
    """The places of the arrays of a quantity, one for each layer, or of one that is not by layer. Asked for all the time."""
    return (Place(name, None),) if depth is None else tuple(Place(name, layer) for layer in range(1, depth + 1))


@dataclass(frozen=True, eq=False)
class Gradient:
    """What an implementation answers: dC/dW and dC/db for each layer, and what else it gives is judged too.

    weights: for each layer an array (n_l, n_{l-1}); biases: for each layer an array (n_l,) or None.
    x: dC/dx, (batch, n_0); loss: C, a scalar.
    pre_activations z, activations a, deltas dC/dz: for each layer an array (batch, n_l).
    """

    weights: Sequence[AnyArray]
    biases: Sequence[AnyArray | None] | None = None
    x: AnyArray | None = None
    loss: Any = None
    pre_activations: Sequence[AnyArray] | None = None
    activations: Sequence[AnyArray] | None = None
    deltas: Sequence[AnyArray] | None = None

    def arrays(self) -> Iterator[tuple["Place", AnyArray]]:
        """Each array that is given, with its place."""
        given: list[tuple[Place, AnyArray]] = []
        for name, by_layer in BY_LAYER:
            held = getattr(self, name)
            if held is None:
                continue
            if by_layer:
                given += [pair for pair in zip(_places(name, len(held)), held, strict=True) if pair[1] is not None]
            else:
                given.append((*_places(name, None), held))
        return iter(given)

    def mapped(self, function: Callable[["Place", Any], Any]) -> "Gradient":
        """A gradient of what a function makes of each array that is given, and its place; what is not given stays so."""
        made: dict[str, Any] = {}
        for name, quantity in QUANTITIES.items():
            held = getattr(self, name)
            if held is None:
                continue
            if quantity.by_layer:
                made[name] = [None if array is None else function(Place(name, i), array) for i, array in enumerate(held, 1)]
            else:
                made[name] = function(Place(name, None), held)
        return Gradient(**made)

    def to_json(self) -> str:
        """The gradient as JSON, by layer and exact to the bit."""
        return dump(gradient_data(self))

    @staticmethod
    def from_data(data: Any) -> "Gradient":
        """The gradient of plain data, as to_json writes it. Raises ProblemError."""
        return Gradient(**gradient_parts(data))

    @staticmethod
    def from_json(text: str) -> "Gradient":
        """The gradient that to_json wrote. Raises ProblemError."""
        return Gradient.from_data(parse(text))

    def save(self, path: str | Path) -> None:
        """Write to_json to a file; to one whose name ends in .npz, the binary form, for arrays too large for JSON."""
        if Path(path).suffix == npz_form.SUFFIX:
            npz_form.save_gradient(self, Path(path))
        else:
            Path(path).write_text(self.to_json() + "\n", encoding="utf-8")

    @staticmethod
    def load(path: str | Path) -> "Gradient":
        """Read what save wrote. Raises ProblemError, with the file's name, and OSError."""
        try:
            if Path(path).suffix == npz_form.SUFFIX:
                return Gradient(**npz_form.gradient_parts(Path(path)))
            return Gradient.from_json(Path(path).read_text(encoding="utf-8"))
        except (ProblemError, UnicodeDecodeError) as error:
            raise ProblemError(f"{path}: {error}") from None
