"""The diagnosis of a lossy answer: of each function that loses digits which formula does, or that it is not known."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from properties.diagnosis.asked import Ask
from properties.diagnosis.budget import Budget, Spent
from properties.diagnosis.diagnosis import Diagnosis
from properties.diagnosis.lost import Lost, digits_of, layers_of, lost, sentences, table
from properties.judging.lost_digits import layer_that_loses, of_one_sample
from properties.problems.support import Support
from reference.functions.activation import Joint
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import Choice, name_and_parameters, row_of
from reference.gradient import Gradient
from reference.problem import Problem
from rounding.activations import ROUNDED_ACTIVATIONS
from rounding.losses import ROUNDED_LOSSES
from rounding.precisions import PRECISIONS, Precision

CALLS, SECONDS = 600, 3.0
"""How many calls of a target what it loses is worth, and how much time of a slow one."""

EQUATIONS: dict[str, tuple[int, ...]] = {"value": (), "slope": (3,), "loss": (2,)}


class LossyAnswer(NamedTuple):
    """A finding's problem, the names of what may lose digits there, and what the target gave."""

    problem: Problem
    functions: Sequence[str]
    answer: Gradient | None = None


def diagnose_lossy(
    ask: Ask,
    support: Support,
    lossy: Sequence[LossyAnswer],
    *,
    precision: str = "float64",
    seconds: float = SECONDS,
) -> list[tuple[Diagnosis, ...]]:
    """Of each lossy answer a diagnosis of each quantity that loses digits, once of each; precision: of its answers."""
    row = PRECISIONS[precision]
    budget, known, said = Budget(ask, CALLS, seconds), set[str](), list[tuple[Diagnosis, ...]]()
    with np.errstate(all="ignore"):
        for one in lossy:
            found, unread = list[Diagnosis](), list[Diagnosis]()
            for function in one.functions:
                choice = _choice(one.problem, function)
                if str(choice) in known:
                    continue
                known.add(str(choice))
                try:
                    digits = digits_of(budget, support, row, function, choice)
                except Spent:
                    break
                layer = _layer(one, function, row)
                if not digits:
                    unread.append(_unread(function, layer))
                found += [_told(each, layer, row) for quantity in digits for each in lost(quantity, row)]
            said.append(tuple(found or unread))
    return said


def _unread(function: str, layer: int | None) -> Diagnosis:
    """What is told of a function that cannot be read along z."""
    why = "its nodes depend on one another" if function in ACTIVATIONS and isinstance(row_of(ACTIVATIONS, function), Joint) else ""
    why = why or "the target supports no problem that tells its numbers one by one"
    place = f"layer {layer} ({function})" if function in ACTIVATIONS and layer is not None else f"the loss ({function})"
    formulas = row_of(ROUNDED_ACTIVATIONS, function).lossy if function in ACTIVATIONS else row_of(ROUNDED_LOSSES, function).lossy
    said = f"{place}: digits are lost there, as in {formulas}. At which numbers was not read, since {why}, so that no formula is certain."
    return Diagnosis(layer if function in ACTIVATIONS else None, None, (), None, "", said, {"boxes": [], "tables": []})


def _layer(one: LossyAnswer, function: str, precision: Precision) -> int | None:
    """The layer of an activation in which the answer loses digits; the first that has it, where that cannot be said."""
    layers, problem = layers_of(one.problem, function), one.problem
    if len(layers) > 1 and one.answer is not None and problem.batch == 1:
        place = layer_that_loses(of_one_sample(problem), one.answer, precision)
        if place in layers:
            return place
    return next(iter(layers), None)


def _choice(problem: Problem, function: str) -> Choice:
    """A function of a problem with its parameters."""
    choices = problem.activations if function in ACTIVATIONS else (problem.loss,)
    return next((choice for choice in choices if name_and_parameters(choice)[0] == function), function)


def _told(found: Lost, layer: int | None, precision: Precision) -> Diagnosis:
    digits = found.digits
    gives, of = found.gives
    equations = EQUATIONS[digits.quantity]
    return Diagnosis(
        layer if digits.quantity != "loss" else None,
        equations[0] if equations else None,
        equations,
        None if found.formula is None else found.formula.name,
        "",
        sentences(found, precision, layer),
        {"boxes": [], "tables": [table(found)]},
        found.same_as,
        (gives, of),
    )
