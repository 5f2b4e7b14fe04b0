"""What is infinite or NaN in words: which function, from which number on, which formula leaves the range there, and what to write instead.

Where it begins is narrowed by asking the target; the table of formulas names; and a formula is told only where it is in range at every
number at which the target is, and out of it at every other that was asked.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from properties.diagnosis.along_errors import AlongErrors
from properties.diagnosis.along_z import AlongZ
from properties.diagnosis.asked import Ask
from properties.diagnosis.budget import Budget, Spent
from properties.diagnosis.diagnosis import Diagnosis
from properties.diagnosis.formula import Formula
from properties.diagnosis.formulas_beyond_range import BEYOND_RANGE
from properties.diagnosis.lost import DTYPES, layers_of
from properties.diagnosis.textbook_formulas import FORMULAS
from properties.judging.judge import judge
from properties.judging.judgement import Exact, precision_of
from properties.problems.support import Support
from properties.verdict import Verdict
from reference.arrays import Array
from reference.functions.activation import Joint
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import Choice, name_and_parameters, row_of
from reference.problem import Problem
from rounding.precisions import PRECISIONS, Precision

CALLS, SECONDS = 400, 3.0
"""How many calls of a target what is not finite is worth, and how much time of a slow one."""

NARROW = 2.0**-17
"""So near to one another are the last number that is finite and the first that is not, over their size."""

NOUNS = {"value": "a", "slope": "g'", "loss": "dC/da of the output layer"}
EQUATIONS: dict[str, tuple[int, ...]] = {"value": (), "slope": (3,), "loss": (2,)}


@dataclass(frozen=True)
class Seen:
    """What was answered at one number. quantity: that is not finite, "" where all is; number: what the target has there."""

    quantity: str
    number: float = 0.0


@dataclass
class Along:
    """One function of a target along one axis. at: what is answered at a number, None for nothing; given: what a formula is of there."""

    function: str
    choice: Choice
    axis: str
    at: Callable[[float], Seen | None]
    given: Callable[[float], tuple[Array, ...]]
    asked: dict[float, Seen] = field(default_factory=dict)

    def seen(self, z: float) -> Seen | None:
        """What is answered at a number, asked once."""
        if z not in self.asked and (found := self.at(z)) is not None:
            self.asked[z] = found
        return self.asked.get(z)


@dataclass(frozen=True)
class Edge:
    """Where something begins to be not finite: fine is the last number at which it is, beyond the first at which it is not."""

    along: Along
    quantity: str
    number: float
    fine: float | None
    beyond: float


def thresholds(precision: Precision) -> dict[str, float]:
    """Sizes of z at which something leaves the range, or is rounded off: by what is said of them."""
    top, unit = float(np.log(precision.largest)), precision.unit
    return {
        f"e^|z| leaves the range of {precision.name} there": top,
        "e^(2 |z|), and the square of e^|z|, leave the range there": top / 2,
        "e^-|z| is 0 from there on": -(precision.least_exponent - 1) * float(np.log(2)),
        "e^-|z| is no normal number from there on": -float(np.log(precision.least_normal)),
        "z z leaves the range there": float(np.sqrt(precision.largest)),
        "z z z leaves the range there": float(np.cbrt(precision.largest)),
        "1 + e^-|z| is rounded to 1 from there on": -float(np.log(unit)),
        "the sigmoid is rounded to 1 from there on": -float(np.log(unit / 2)),
        "tanh is rounded to 1 from there on": -float(np.log(unit / 4)) / 2,
    }


def sizes(precision: Precision) -> list[float]:
    """At which sizes it is asked, the smallest first: on both sides of each threshold."""
    largest = precision.largest
    points = [each * by for each in thresholds(precision).values() for by in (0.985, 1.015)]
    points += [float(largest**power) for power in (0.02, 0.1, 0.25, 0.6, 0.8, 0.9)]
    return sorted({float(precision.held(np.array(each))) for each in points if 8 < each < largest / 8})


def diagnose_nonfinite(
    ask: Ask,
    support: Support,
    problems: Sequence[Problem],
    *,
    precision: str = "float64",
    seconds: float = SECONDS,
) -> tuple[Diagnosis, ...]:
    """A diagnosis of each function that is not finite where it must be; problems: of the findings; precision: of its answers."""
    row, found = PRECISIONS[precision], list[Edge]()
    budget = Budget(ask, CALLS, seconds)
    # of what is not finite behind a loss that is not, the loss is the cause: losses first
    used = [*(problem.loss for problem in problems), *(choice for problem in problems for choice in problem.activations)]
    others = [*support.loss_choices, *support.activation_choices]
    with np.errstate(all="ignore"):
        try:
            for choices in (used, others):
                for choice in dict.fromkeys(map(_key, choices)):
                    for along in _alongs(budget, support, row, _choice(choice)):
                        found += edges(along, row)
                if found:
                    break
        except Spent:
            pass
        by_loss = any(edge.quantity == "loss" for edge in found)
        kept = [edge for edge in found if not by_loss or edge.quantity != "value" or formulas_at(edge, row)]
        groups: dict[tuple[str, str], list[Edge]] = {}
        for edge in kept:
            groups.setdefault((edge.along.function, edge.quantity), []).append(edge)
        return tuple(_told(group, problems, row) for several in groups.values() for group in _by_formula(several, row))


def _by_formula(several: list[Edge], precision: Precision) -> list[list[Edge]]:
    """The edges of one quantity together where one formula has them all, else each by itself."""
    common = set.intersection(*({row.name for row in formulas_at(edge, precision)} for edge in several))
    return [several] if common else [[edge] for edge in several]


def _key(choice: Choice) -> tuple[str, tuple[tuple[str, float], ...]]:
    name, parameters = name_and_parameters(choice)
    return name, tuple(parameters.items())


def _choice(key: tuple[str, tuple[tuple[str, float], ...]]) -> Choice:
    name, parameters = key
    return (name, dict(parameters)) if parameters else name


def edges(along: Along, precision: Precision) -> Iterator[Edge]:
    """Where it begins, to the left of 0, at 0, and to the right of it."""
    at_zero = along.seen(0.0)
    if at_zero is not None and at_zero.quantity:
        yield Edge(along, at_zero.quantity, at_zero.number, None, 0.0)
        return
    for sign in (-1.0, 1.0):
        fine = 0.0
        for size in sizes(precision):
            seen = along.seen(sign * size)
            if seen is None:
                continue
            if seen.quantity:
                fine, beyond, seen = _narrowed(along, fine, sign * size, seen, precision)
                yield Edge(along, seen.quantity, seen.number, fine, beyond)
                break
            fine = sign * size


def _narrowed(along: Along, fine: float, beyond: float, seen: Seen, precision: Precision) -> tuple[float, float, Seen]:
    """The same edge between two numbers that are as near to one another as is told."""
    while abs(beyond - fine) > NARROW * abs(beyond):
        middle = fine + (beyond - fine) / 2 if abs(beyond) < 4 * abs(fine) or not fine else float(np.sign(fine) * np.sqrt(fine * beyond))
        middle = float(precision.held(np.array(middle)))
        if middle in (fine, beyond) or (found := along.seen(middle)) is None:
            break
        if found.quantity:
            beyond, seen = middle, found
        else:
            fine = middle
    return fine, beyond, seen


def _alongs(asks: Budget, support: Support, precision: Precision, choice: Choice) -> Iterator[Along]:
    """The axes of an activation or a loss along which it is asked."""
    name, _ = name_and_parameters(choice)
    if name in LOSSES:
        errors = AlongErrors(asks, support, precision, choice)
        if errors.last != "identity" or errors.posed(np.zeros(errors.outputs), np.eye(errors.outputs)[0]) is None:
            return
        for label, axis in ((0, "the label's logit"), (1, "a logit beside the label's")) if "cross" in name else ((0, "a"),):

            def given(z: float, label: int = label) -> tuple[Array, Array]:
                a = np.concatenate([[z], np.linspace(0.0, -1.0, errors.outputs)[1:]])
                return a, np.eye(errors.outputs)[min(label, errors.outputs - 1)] if "cross" in name else np.zeros(errors.outputs)

            def at(z: float, given: Callable[[float], tuple[Array, Array]] = given) -> Seen | None:
                return _seen_of_loss(asks, errors.posed(*given(z)), precision)

            yield Along(name, choice, axis, at, given)
        return
    if isinstance(row_of(ACTIVATIONS, choice), Joint):
        return
    of_z = AlongZ.of(asks, support, precision, choice)
    if of_z is not None:
        yield Along(name, choice, "z", lambda z: _seen_along_z(of_z, z, precision), lambda z: (np.array([z]),))


def _seen_of_loss(asks: Budget, problem: Problem | None, precision: Precision) -> Seen | None:
    found = None if problem is None else _not_finite(asks, problem, precision)
    return None if found is None else Seen("loss", _first(found[-1])) if found else Seen("")


def _seen_along_z(of_z: AlongZ, z: float, precision: Precision) -> Seen | None:
    problem = of_z.posed_beside(z)
    found = None if problem is None else _not_finite(of_z.asks, problem, precision)
    if not found:
        return None if found is None else Seen("")
    first, *above = found
    # what is not finite above the layer is made of its a
    if of_z.hidden and any(not np.isfinite(array).all() for array in above):
        return Seen("value", _first(above[0]))
    return Seen("slope", _first(first))


def _not_finite(asks: Callable[[Problem], Any], problem: Problem, precision: Precision) -> list[Array] | None:
    """dC/dW of each layer where it is not finite though it must be, [] where it is, None where nothing is answered."""
    answer = asks(problem)
    if answer.gradient is None:
        return None
    arrays = [np.asarray(array, dtype=np.float64) for array in answer.gradient.weights]
    if all(np.isfinite(array).all() for array in arrays):
        return []
    verdict = judge(Exact(problem), answer.gradient, precision_of(answer.gradient, precision.name), peers=False).verdict
    return arrays if verdict is Verdict.NONFINITE else None


def _first(array: Array) -> float:
    """A number that is not finite."""
    flat = array[~np.isfinite(array)]
    return float(flat[0]) if flat.size else float("nan")


def formulas_at(edge: Edge, precision: Precision) -> list[Formula]:
    """The formulas that are in range wherever the target is on that side, and out of it wherever the target is not."""
    dtype, along = DTYPES.get(precision.name), edge.along
    if dtype is None:
        return []
    rows = [row for row in (*BEYOND_RANGE, *FORMULAS.values()) if row.of == along.function and row.quantity == edge.quantity]
    side = {z: seen for z, seen in along.asked.items() if _of_side(edge, z)}
    parameters = name_and_parameters(along.choice)[1]

    def in_range(row: Formula, z: float) -> bool:
        return bool(np.isfinite(row.as_it_stands(*(array.astype(dtype) for array in along.given(z)), **parameters)).all())

    return [row for row in rows if all(in_range(row, z) == (not seen.quantity) for z, seen in side.items())]


def _told(several: Sequence[Edge], problems: Sequence[Problem], precision: Precision) -> Diagnosis:
    """The edges of one quantity: one formula, or none that is known."""
    edge, along = several[0], several[0].along
    rows = [row for row in formulas_at(edge, precision) if all(row in formulas_at(other, precision) for other in several)]
    layer = next((layer for problem in problems for layer in layers_of(problem, along.function)), None)
    equations = EQUATIONS[edge.quantity]
    place = f"equation {equations[0]}" if equations else "the definition of a"
    of_layer = "" if layer is None or edge.quantity == "loss" else f", layer {layer}"
    shows = " and ".join(begins(each) for each in several)
    first = f"{place}{of_layer} ({along.function}): {NOUNS[edge.quantity]} is {shows}"
    asked = sum(_of_side(each, z) for each in several for z in each.along.asked)
    if rows:
        named = rows[0]
        said = f"{first}. {named.written} does so there: {named.why}. Write {named.instead}."
        if edge.fine is not None:
            said += f" That formula leaves the range at the same of the {asked} numbers that were asked."
    else:
        why = next((said for said, size in thresholds(precision).items() if abs(abs(edge.beyond) - size) <= 2e-3 * size), "")
        said = f"{first}{': ' + why if why else ''}. Formula not known."
    return Diagnosis(
        layer if edge.quantity != "loss" else None,
        equations[0] if equations else None,
        equations,
        rows[0].name if rows else None,
        shows,
        said,
        {"boxes": [], "tables": [_table(several)]},
        tuple(row.name for row in rows[1:]),
        (asked, asked) if rows else (0, asked),
    )


def _of_side(edge: Edge, z: float) -> bool:
    """Whether a number lies on the side of 0 of an edge, or at 0 where it is there."""
    return z * edge.beyond >= 0 if edge.fine is not None else z == 0


def begins(edge: Edge) -> str:
    """ "NaN from z = 709.783 on (at 709.782 it is finite)"."""
    what = "NaN" if np.isnan(edge.number) else "infinite"
    if edge.fine is None:
        return f"{what} at {edge.along.axis} = 0"
    side = "on" if edge.beyond > 0 else "down"
    return f"{what} from {edge.along.axis} = {edge.beyond:.7g} {side} (at {edge.fine:.7g} it is finite)"


def _table(several: Sequence[Edge]) -> dict[str, Any]:
    """The numbers around each edge, in their order: 1 where the quantity is not finite."""
    edge = several[0]
    rows = sorted([float(z), float(z == each.beyond)] for each in several for z in (each.fine, each.beyond) if z is not None)
    caption = f"where {NOUNS[edge.quantity]} of {edge.along.function} is infinite or NaN (1), and where it is not (0)"
    return {"kind": "edge", "caption": caption, "columns": [edge.along.axis, "not finite"], "rows": rows, "error": 0.0, "note": ""}


def is_of_range(one: Diagnosis) -> bool:
    """Whether a diagnosis says from which number on something is not finite, and no more."""
    tables = one.evidence.get("tables", ())
    return bool(tables) and not one.evidence.get("boxes") and all(table["kind"] == "edge" for table in tables)


def with_edges(made: Sequence[Diagnosis], seen: Sequence[Diagnosis], alone: bool) -> tuple[Diagnosis, ...]:
    """What was found of a target, with what was found of its range. alone: whether nothing but what is not finite fails."""
    if not any(one.cause for one in made):
        return (*seen, *(made if not (alone and seen) else ()))
    first, *others = made
    edged = [one for one in seen if one.equations == first.equations]
    tables = [*first.evidence.get("tables", ()), *(table for one in edged for table in one.evidence["tables"])]
    explanation = " ".join([first.explanation, *(f"It is {one.shows_when}." for one in edged)])
    return (replace(first, explanation=explanation, evidence=first.evidence | {"tables": tables}), *others)
