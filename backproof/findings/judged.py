"""A judgement as plain data, and read again."""

from typing import Any

from properties.judging.array_verdict import ArrayVerdict
from properties.judging.judgement import ALL_CALLS, Judgement, Unjudged
from properties.verdict import Verdict
from reference.forms.json_form import STRINGS, numbers
from reference.gradient import Place
from reference.quantities import QUANTITIES


def judgement_data(judgement: Judgement) -> dict[str, Any]:
    """A judgement as plain data."""
    place = judgement.place
    return {
        "verdict": judgement.verdict.value,
        "precision": judgement.precision,
        "quantity": None if place is None else place.quantity,
        "layer": None if place is None else place.layer,
        "index": list(judgement.index),
        "got": numbers(judgement.got),
        "exact": None if judgement.compares_calls else numbers(judgement.exact),
        "by_law": numbers(judgement.exact) if judgement.compares_calls else None,
        "distance": numbers(judgement.distance),
        "allowed": numbers(judgement.allowed),
        "outside": judgement.outside,
        "judged": judgement.judged,
        "bound": judgement.bound,
        "reason": judgement.reason,
        "functions": list(judgement.functions),
        "one_of": judgement.one_of,
        "meets": judgement.meets,
        "quantities": [one.data() for one in judgement.quantities],
        "unjudged": [one.data() for one in judgement.unjudged],
        "left_out": list(judgement.left_out),
        "disagreement": judgement.disagreement,
    }


def judgement_of(data: Any, strict: bool = False) -> Judgement:
    """The judgement that judgement_data wrote; strict: whether lossy fails, which it does not say.

    Raises KeyError, TypeError and ValueError.
    """
    low, high = data["by_law"] if data["exact"] is None else data["exact"]
    if (data["exact"] is None) != (data["bound"] == ALL_CALLS):
        raise ValueError("a judgement has by_law where calls are compared, and exact elsewhere")
    return Judgement(
        Verdict(data["verdict"]),
        str(data["precision"]),
        place=None if data["quantity"] is None else place_of(data),
        index=tuple(int(i) for i in data["index"]),
        got=_number(data["got"]),
        exact=(_number(low), _number(high)),
        allowed=_number(data["allowed"]),
        outside=int(data["outside"]),
        judged=int(data["judged"]),
        bound=str(data["bound"]),
        reason=str(data["reason"]),
        functions=tuple(str(name) for name in data["functions"]),
        one_of=bool(data["one_of"]),
        meets=str(data["meets"]),
        quantities=tuple(_array_verdict(one) for one in data["quantities"]),
        unjudged=tuple(unjudged_of(one) for one in data["unjudged"]),
        left_out=tuple(str(said) for said in data["left_out"]),
        disagreement=bool(data["disagreement"]),
        strict=strict,
    )


def unjudged_of(data: Any) -> Unjudged:
    """What Unjudged.data wrote. Raises KeyError, TypeError and ValueError."""
    return Unjudged(place_of(data), str(data["reason"]))


def place_of(data: Any) -> Place:
    """The array that a quantity and a layer name. Raises KeyError, TypeError and ValueError."""
    if data["quantity"] not in QUANTITIES:
        raise ValueError(f"{data['quantity']!r} is no quantity: expected one of {', '.join(QUANTITIES)}")
    return Place(data["quantity"], None if data["layer"] is None else int(data["layer"]))


def _array_verdict(data: Any) -> ArrayVerdict:
    factor = float("nan") if data["factor"] is None else float(data["factor"])
    return ArrayVerdict(place_of(data), str(data["said"]), factor, str(data["meaning"]))


def _number(value: Any) -> float:
    return STRINGS[value] if isinstance(value, str) else float(value)
