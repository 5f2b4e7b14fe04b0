"""What is said of one quantity of a wrong answer, and of all of them in a line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reference.gradient import Place
from reference.quantities import QUANTITIES


@dataclass(frozen=True)
class ArrayVerdict:
    """One array of an answer: "right", "factor" (off by one), "off" (by none), or "unknown" (no claim is made).

    factor: that by which all of its entries are off; NaN if there is none; meaning: what the factor may be, or "".
    """

    place: Place
    said: str
    factor: float = float("nan")
    meaning: str = ""

    @property
    def text(self) -> str:
        """In words, without the place."""
        if self.said == "factor":
            return f"off by a factor of {self.factor:.4g}{f' ({self.meaning})' if self.meaning else ''}"
        return {"right": "right", "off": "off, by no one factor", "unknown": "not judged"}[self.said]

    def data(self) -> dict[str, Any]:
        """As plain data."""
        factor = self.factor if self.said == "factor" else None
        return {"quantity": self.place.quantity, "layer": self.place.layer, "said": self.said, "factor": factor, "meaning": self.meaning}


def quantities_text(said: Sequence[ArrayVerdict]) -> str:
    """All in one line, the layers of a quantity together: "dC/dW: layer 1 off by a factor of 2, layer 2 right; dC/db: right"."""
    by_symbol: dict[str, list[ArrayVerdict]] = {}
    for one in said:
        by_symbol.setdefault(QUANTITIES[one.place.quantity].symbol, []).append(one)
    return "; ".join(f"{symbol}: {_of_layers(all_layers)}" for symbol, all_layers in by_symbol.items())


def _of_layers(said: Sequence[ArrayVerdict]) -> str:
    texts = dict.fromkeys(one.text for one in said)
    if len(said) > 1 and len(texts) == 1:
        return f"{said[0].text}, in every layer" if said[0].said != "right" else "right"
    if said[0].place.layer is None or (len(said) == 1 and said[0].place.layer == 1):
        return said[0].text
    grouped = ((text, [str(one.place.layer) for one in said if one.text == text]) for text in texts)
    return ", ".join(f"layer{'s' if len(layers) > 1 else ''} {' and '.join(layers)} {text}" for text, layers in grouped)
