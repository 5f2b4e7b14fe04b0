"""What may be said of each field of `supports`, and how it is read."""

from collections.abc import Mapping, Sequence
from typing import Any

from reference.functions.activations import ACTIVATIONS
from reference.functions.expected_outputs import Labels, one_hot
from reference.functions.losses import LOSSES
from reference.functions.parametrised import Choice, normal_choice
from reference.functions.penalties import PENALTIES, normal_penalty
from reference.nearest import did_you_mean
from reference.problem import REDUCTIONS, WANTS

SIZES = {
    "small": {"depth": (1, 6), "batch": (1, 5), "width": (1, 6)},
    "real": {"depth": (1, 4), "batch": (8, 64), "width": (10, 512)},
}
"""What is drawn where a target sets no limit: small networks show most mistakes, and are read at a glance; some show in real ones alone."""


CHOSEN = ("activations", "output_activations", "losses", "reductions")
LIMITS = (*CHOSEN, "biases", "depth", "width", "batch", "wants", "sizes", "widths", "values", "sample_weights", "penalties")
"""What a run may ask for, within what the target supports."""


EXPECTED: dict[str, Labels | None] = {"any": None, "one_hot": one_hot}
"""What is drawn for y in place of what the loss says: of n outputs the rows, simplest first."""


VALUES = ("any", "tame", "exact")
"""The numbers that are drawn: with all that floating-point numbers may be, moderate, or such that nothing rounds."""


class SupportError(ValueError):
    """`supports` of a target, or what check was asked for, cannot be understood; the message says what is allowed."""


def read(name: str, value: Any) -> Any:
    """What is said of a field of Support, as it holds it; not None. Raises SupportError."""
    if name == "penalties":
        return _penalties(value)
    if name == "learning_rate":
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < abs(value) < float("inf"):
            raise SupportError(f"learning_rate is {value!r}: expected a number, not 0")
        return float(value)
    if name == "layer_biases":
        if not isinstance(value, Sequence) or not all(isinstance(item, bool) for item in value):
            raise SupportError(f"layer_biases is {value!r}: expected for each layer True or False")
        return tuple(value)
    if name in ("activations", "output_activations", "losses", "layer_activations"):
        table, noun = (LOSSES, "loss") if name == "losses" else (ACTIVATIONS, "activation")
        if isinstance(value, str) or not isinstance(value, Sequence) or not value:
            raise SupportError(f"{name} is {value!r}: expected a list of names, any of {', '.join(table)}")
        try:
            return tuple(normal_choice(table, item, noun) for item in value)
        except ValueError as error:
            raise SupportError(f"{name}: {error}") from None
    if name in ("depth", "batch", "width", "outputs"):
        pair = (1, value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not (isinstance(pair, Sequence) and len(pair) == 2 and all(isinstance(n, int) for n in pair) and 1 <= pair[0] <= pair[1]):
            raise SupportError(f"{name} is {value!r}: expected the most allowed, or a pair (least, most), from 1")
        return tuple(pair)
    if name == "sizes":
        if value not in list(SIZES):
            raise SupportError(f"sizes is {value!r}: {did_you_mean(value, SIZES)}expected one of {', '.join(SIZES)}")
        return value
    if name in ("expected", "values"):
        known = EXPECTED if name == "expected" else VALUES
        if value not in list(known):
            raise SupportError(f"{name} is {value!r}: {did_you_mean(value, known)}expected one of {', '.join(known)}")
        return value
    if name == "widths":
        if (
            isinstance(value, str)
            or not isinstance(value, Sequence)
            or len(value) < 2
            or not all(isinstance(n, int) and n > 0 for n in value)
        ):
            raise SupportError(f"widths is {value!r}: expected the widths of all layers, inputs first, such as [784, 128, 10]")
        return tuple(value)
    if name == "wants":
        if isinstance(value, str) or not isinstance(value, Sequence) or not all(item in WANTS[2:] for item in value):
            raise SupportError(f"wants is {value!r}: {_meant(value, WANTS[2:])}expected a list of {', '.join(WANTS[2:])}")
        return tuple(value)
    if name == "reductions":
        if isinstance(value, str) or not isinstance(value, Sequence) or not value or not all(item in REDUCTIONS for item in value):
            raise SupportError(f"reductions is {value!r}: {_meant(value, REDUCTIONS)}expected a list of sum and mean")
        return tuple(value)
    if not isinstance(value, bool):
        raise SupportError(f"{name} is {value!r}: expected True, False{' or None' if name in ('biases', 'sample_weights') else ''}")
    return value


def _meant(value: Any, names: Sequence[str]) -> str:
    """What may be meant by the first of a list that is none of some names; by one that is no list too."""
    listed = [value] if isinstance(value, str) or not isinstance(value, Sequence) else value
    return next((did_you_mean(item, names) for item in listed if item not in names), "")


def _penalties(value: Any) -> tuple[Choice | None, ...]:
    slip = isinstance(value, Sequence) and len(value) == 2 and value[0] in list(PENALTIES) and isinstance(value[1], (int, float))
    if slip or isinstance(value, (str, Mapping)) or not isinstance(value, Sequence) or not value:
        raise SupportError(
            f"penalties is {value!r}: expected a list of None, {', '.join(PENALTIES)}, or a name and a factor: [('l2', 0.1)]"
        )
    try:
        return tuple(normal_penalty(item) for item in value)
    except ValueError as error:
        raise SupportError(f"penalties: {error}") from None
