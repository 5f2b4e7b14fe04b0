"""The limits of a run in words: a row for each, from which the command line and pytest take their options, so that neither lacks one.

pytest imports this in every run of whoever has backproof installed, so it imports nothing of the other rooms.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Limit:
    """How a limit is given in words: what stands for its value, what it does, and how the value is read (ValueError where it cannot be)."""

    metavar: str
    text: str
    read: Callable[[str], Any]


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _numbers(text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise ValueError(f"{text!r} is no list of whole numbers, such as 784,128,10") from None


def _size(text: str) -> int | tuple[int, int]:
    numbers = [int(part) if part.strip().isdigit() else 0 for part in text.split(",")]
    if not 1 <= len(numbers) <= 2 or not 1 <= numbers[0] <= numbers[-1]:
        raise ValueError(f"{text!r} is no size: expected the most, or the least and the most, such as 1,3 (2,2 for exactly 2)")
    return (numbers[0], numbers[1]) if len(numbers) == 2 else numbers[0]


def _yes_or_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError(f"{text!r} is not yes or no")
    return text == "yes"


LIMITS: dict[str, Limit] = {
    "activations": Limit("NAMES", "only these activations, separated by commas", _names),
    "output_activations": Limit("NAMES", "only these activations in the last layer", _names),
    "losses": Limit("NAMES", "only these losses, separated by commas", _names),
    "reductions": Limit("NAMES", "only these reductions over samples: sum, mean", _names),
    "biases": Limit("yes|no", "networks with biases in all layers, or in none", _yes_or_no),
    "depth": Limit("N[,N]", "the most layers, or the least and the most: 2,2 for exactly 2", _size),
    "width": Limit("N[,N]", "the widest layer, or the narrowest and the widest", _size),
    "batch": Limit("N[,N]", "the most samples, or the least and the most", _size),
    "wants": Limit("NAMES", "ask for these as well: x, loss, pre_activations, activations, deltas", _names),
    "sizes": Limit("small|real", "real: widths to 512, batches to 64; small is the default", str),
    "widths": Limit("N,N,...", "networks of these widths alone, inputs first: 784,128,10", _numbers),
}


def in_words(limits: Mapping[str, Any]) -> str:
    """The options of the command line that ask for the same problems; what no option can say, a parameter of a function, is left out."""
    words = {name: _in_words(limits[name]) for name in LIMITS if limits.get(name) is not None}
    return " ".join(f"--{name.replace('_', '-')} {word}" for name, word in words.items() if word)


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Sequence) and not isinstance(value, str):
        words = [_in_words(item) if isinstance(item, (int, str)) else "" for item in value]
        return ",".join(words) if all(words) else ""
    return str(value)
