"""Misshapen answers: whether a mistake that makes numbers wrong gives arrays of a wrong shape elsewhere, and so is one of shape."""

from collections.abc import Sequence

from properties.answers.answer import Answer
from properties.diagnosis.asked import Asked
from properties.diagnosis.ladder import Rung
from properties.diagnosis.reproduction import together
from properties.diagnosis.table import all_variants
from properties.verdict import Verdict
from reference.problem import Problem
from rounding.precisions import PRECISIONS


def misshapes(causes: Sequence[str], problem: Problem, message: str) -> bool:
    """Whether a network with some mistakes answers a problem with the wrong shape that a target does.

    causes: names of variants; message: what is said of the target's answer, with hints behind a semicolon. Of other causes False.
    """
    table = all_variants()
    if not causes or not all(cause in table for cause in causes):
        return False
    asked = Asked(Rung(problem, "network"), Answer(None, Verdict.MALFORMED, message), PRECISIONS["float64"])
    simulated = asked.simulate(together([table[cause] for cause in causes]))
    return simulated.verdict is Verdict.MALFORMED and simulated.message.partition(";")[0] == message.partition(";")[0]
