"""What the signature of somebody's function says of the layout that it takes: told before it is called, where it cannot be called so."""

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backproof.targets.layouts import Layout
from backproof.targets.target import TargetError

HELD = {"lists": ("weights", "biases"), "pairs": ("layers",), "dicts": ("layers",), "dict": ("parameters",)}
"""What f is given of the layers in each form, but for those that are as many arguments as the network has arrays or numbers."""

RATES = ("lr", "eta", "alpha", "learning_rate", "rate", "step_size")
"""What a learning rate is called."""

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True)
class Taken:
    """What f takes. by_turns: as of Layout; supports: which networks alone fit its arguments; note: what a report says of that, or ""."""

    by_turns: bool = True
    supports: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


def positional(parameters: Mapping[str, Any]) -> list[str]:
    """The names of those that are given by their place; none where there may be any number of them."""
    if any(p.kind is p.VAR_POSITIONAL for p in parameters.values()):
        return []
    return [name for name, p in parameters.items() if p.kind in POSITIONAL]


def taken_by(parameters: Mapping[str, Any], layout: Layout, by_name: Sequence[str], said: Mapping[str, Any]) -> Taken:
    """What f takes by its signature, where it has one that says. by_name: its parameters given by name; said: its `supports`.

    Raises TargetError where it cannot be called by the layout.
    """
    names = [name for name in positional(parameters) if name not in by_name]
    if not names or layout.layers == "numbers":
        return Taken()
    needed = [name for name in names if parameters[name].default is inspect.Parameter.empty]
    if layout.layers != "arguments":
        given = layout.arguments(HELD[layout.layers], ("activations",) if layout.activations else (), "x", "y")  # type: ignore[arg-type]
        if not len(needed) <= len(given) <= len(names):
            raise TargetError(
                f"adapt: f takes {', '.join(parameters)}, and is given {', '.join(given)}: {_way_in(needed or names, layout)}"
            )
        return Taken()
    first, last = (2, len(needed) - layout.activations) if layout.order == "samples_first" else (0, len(needed) - 2 - layout.activations)
    held = needed[first:last]
    if not held:
        raise TargetError(f"adapt: f takes {', '.join(parameters)}: of the layers nothing is left beside x and y{_told(layout)}")
    numbers = [[int(number) for number in re.findall(r"\d+", name)[-1:]] for name in held]
    by_kind = [
        [n for name, n in zip(held, numbers, strict=True) if n and name.lower().startswith("b") == biases] for biases in (True, False)
    ]
    if any(kind != sorted(kind) for kind in by_kind):
        raise TargetError(f"adapt: f takes {', '.join(held)}: expected the layers in their order, the first one first")
    if layout.is_folded:
        return _posed(f"{', '.join(held)}, with the biases in them", len(held), biased=True, by_turns=True)
    return _of(held, said)


def _of(held: Sequence[str], said: Mapping[str, Any]) -> Taken:
    """Which networks fit arguments of these names."""
    are_biases = [name.lower().startswith("b") for name in held]
    half = len(held) // 2
    if said.get("biases") is True and len(held) == 2 * half and not any(are_biases):
        are_biases = [i % 2 == 1 for i in range(len(held))]  # names that say nothing
    if not any(are_biases):
        depth, by_turns = len(held), True
    elif are_biases == [i % 2 == 1 for i in range(2 * half)]:
        depth, by_turns = half, True
    elif are_biases == [False] * half + [True] * half:
        depth, by_turns = half, False
    else:
        raise TargetError(f"adapt: f takes {', '.join(held)} for its layers: expected names as W1, b1, W2, b2 or W1, W2, b1, b2, or W1, W2")
    return _posed(", ".join(held), depth, biased=any(are_biases), by_turns=by_turns)


def _posed(held: str, depth: int, *, biased: bool, by_turns: bool) -> Taken:
    """That networks of one depth alone are posed, as what f takes for its layers says."""
    networks = f"networks of {depth} {'layer' if depth == 1 else 'layers'} {'with' if biased else 'without'} biases"
    return Taken(by_turns, {"depth": (depth, depth), "biases": biased}, f"f takes {held}: {networks} alone are posed")


def _way_in(names: Sequence[str], layout: Layout) -> str:
    """Which options fit the names that f takes."""
    rates = [name for name in names if name.lower() in RATES]
    told = any(name.lower().startswith("act") for name in names)
    plain = [name for name in names if name not in rates and not name.lower().startswith("act")]
    first = len(plain) > 1 and plain[0].lower().startswith("x") and plain[1].lower().startswith(("y", "t"))
    held = plain[2:] if first else plain[:-2]
    options = [] if layout.activations == told else [f"activations={told}"]
    options += ['order="samples_first"'] if first and layout.order != "samples_first" else []
    if len(held) > 2 or (len(held) == 2 and all(name[-1:].isdigit() for name in held)):
        options.append('layers="arguments"')
    elif len(held) == 1 and layout.layers == "lists":
        options.append('layers="pairs", or "dicts", or "dict"')
    options += [f'returns="updated", learning_rate="{rates[0]}"'] if rates and layout.returns != "updated" else []
    return f"say {', '.join(options)}" if options else "say by options of adapt how it takes them"


def _told(layout: Layout) -> str:
    return " and the activations: say activations=False, if it is not told them" if layout.activations else ""
