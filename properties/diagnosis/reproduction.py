"""Reproduction: what a network with some mistakes answers, beside what the target answered; it disposes of what read-outs propose."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from properties.diagnosis.asked import Asked
from properties.diagnosis.conditions import Condition, Holds, Place
from properties.diagnosis.variant import Variant
from properties.faults.fault import STEPS, Network, Passes, Step
from reference.arrays import AnyArray

SHOWS = 1e-9
"""A variant shows at a place where it changes some number by more than this part of it."""


def conditioned(row: Variant, condition: Condition) -> Variant:
    """A variant whose step is done wrongly in some places alone."""
    changed = {step: _guarded(step, function, condition.holds) for step, function in row.changed.items()}
    return replace(row, changed=changed, where=condition.text, condition=condition.holds)


def _guarded(step: str, function: Step, holds: Holds) -> Step:
    right = STEPS[step]
    if step == "reduction":
        return lambda p, error: (function if holds(p.problem, p.depth) else right)(p, error)
    if step in ("output_error", "loss", "answer"):
        return lambda p: (function if holds(p.problem, p.depth) else right)(p)
    if step == "posed":
        return lambda problem: (function if holds(problem, problem.depth) else right)(problem)
    return lambda p, layer: (function if holds(p.problem, layer) else right)(p, layer)


def together(rows: Sequence[Variant]) -> dict[str, Step]:
    """The steps of a network that makes several mistakes; of two in one step the first has its way where it shows."""
    changed: dict[str, Step] = {}
    for row in rows:
        for step, function in row.changed.items():
            changed[step] = _after(step, changed[step], function) if step in changed else function
    return changed


def _after(step: str, first: Step, then: Step) -> Step:
    right = STEPS[step]

    def done(*given: Any) -> Any:
        result = first(*_copies(given))
        return result if _differs(result, right(*_copies(given))) else then(*given)

    return done


def _copies(given: tuple[Any, ...]) -> tuple[Any, ...]:
    # some reductions write to the error that they are given
    return tuple(each.copy() if isinstance(each, np.ndarray) else each for each in given)


def _differs(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        if one.shape != other.shape:
            return True
        with np.errstate(all="ignore"):
            same = (np.abs(one - other) <= SHOWS * np.abs(other)) | (one == other) | (np.isnan(one) & np.isnan(other))
        return not same.all()
    return one is not other


def reproduces(asked: Sequence[Asked], changed: Mapping[str, Step]) -> AnyArray:
    """Which answers a network with these steps gives as well, (asked,) of bool."""
    return np.array([one.agrees(one.simulate(changed)) for one in asked], dtype=bool)


def reproduces_all(asked: Sequence[Asked], changed: Mapping[str, Step]) -> bool:
    """Whether it gives all of them."""
    return all(one.agrees(one.simulate(changed)) for one in asked)


def places_where_it_shows(row: Variant, asked: Sequence[Asked], base: Mapping[str, Step]) -> list[Place]:
    """The layers of problems where a variant of one step would change it, with all else as in a network that is known."""
    network, found = Network(base), []
    for one in asked:
        with np.errstate(all="ignore"):
            try:
                p = network.carried_back(one.forward(base))
            except Exception:
                continue
            layers = [layer for layer in range(1, p.depth + 1) if _shows(row, p, layer, network)]
            right = one.simulate(base)
            # what it changes by less than rounding may, as of a saturated node, nobody sees
            found += [Place(one.problem, layer) for layer in layers if one.are_apart(right, one.simulate(_beside(base, row, layer)))]
    return found


def _beside(base: Mapping[str, Step], row: Variant, layer: int) -> dict[str, Step]:
    """The steps of a network that is known, with a variant of one step in one layer alone."""
    step = row.step
    alone = _guarded(step, row.changed[step], lambda problem, at: at == layer)
    return {**base, step: _after(step, base[step], alone) if step in base else alone}


def _shows(row: Variant, p: Passes, layer: int, network: Network) -> bool:
    step, function = row.step, row.changed[row.step]
    pairs: dict[str, Callable[[], tuple[Any, Any]]] = {
        "output_error": lambda: (function(p), network.step("output_error")(p)),
        "reduction": lambda: (function(p, network.step("output_error")(p)), p.errors[p.depth]),
        "error_below": lambda: (function(p, layer), p.errors[layer - 1]),
        "slope": lambda: (function(p, layer), p.slopes[layer]),
        "delta": lambda: (function(p, layer), p.deltas[layer]),
        "weight_gradient": lambda: (function(p, layer), p.weights[layer]),
        "bias_gradient": lambda: (function(p, layer), p.biases[layer]),
    }
    at_the_top = step in ("output_error", "reduction")
    if step not in pairs or (at_the_top and layer != p.depth) or (step == "error_below" and layer == 1):
        return False
    try:
        return _differs(*(np.asarray(each) for each in pairs[step]()))
    except Exception:  # where it would raise, it shows
        return True
