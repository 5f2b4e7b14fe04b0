"""The table of laws, in the order in which they are judged."""

from collections.abc import Sequence

from oracles.available import ORACLES, missing
from properties.law import Law
from properties.laws_of_agreement import ORACLE_LAWS, it_agrees_with_the_exact_gradient
from properties.laws_of_conduct import inputs_are_left_alone, it_answers, shapes_and_dtypes_are_right, two_calls_agree

LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        Law(it_answers, needs_answer=False),
        Law(shapes_and_dtypes_are_right, needs_answer=False),
        Law(inputs_are_left_alone, needs_answer=False),
        Law(two_calls_agree),
        Law(it_agrees_with_the_exact_gradient),
    )
}


class OracleError(ValueError):
    """An oracle that is not known, or cannot run here; the message says what to do."""


def laws_for(oracles: Sequence[str] = ()) -> list[Law]:
    """All laws, and those of the oracles that are asked for. Raises OracleError."""
    for name in oracles:
        if name not in ORACLES:
            raise OracleError(f"oracle {name!r} is not known: expected one of {', '.join(ORACLES)}")
        reason = missing(ORACLES[name])
        if reason:
            raise OracleError(f"oracle {name!r} cannot run here: {reason}")
    return [*LAWS.values(), *(ORACLE_LAWS[name] for name in dict.fromkeys(oracles))]
