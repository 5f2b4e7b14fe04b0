"""A Hypothesis strategy for whole problems, for somebody's own @given."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from properties.judging.judge import verify
from properties.problems.limits import SupportError
from properties.problems.strategies import problems_of
from properties.problems.support import Support
from properties.verdict import Verdict
from reference.backward import gradient
from reference.nearest import did_you_mean
from reference.problem import Problem
from rounding.precisions import PRECISIONS


def problems(
    *,
    activations: Sequence[Any] | None = None,
    output_activations: Sequence[Any] | None = None,
    losses: Sequence[Any] | None = None,
    reductions: Sequence[str] | None = None,
    biases: bool | None = None,
    depth: int | tuple[int, int] | None = None,
    width: int | tuple[int, int] | None = None,
    batch: int | tuple[int, int] | None = None,
    wants: Sequence[str] | None = None,
    values: str | None = None,
    sample_weights: bool | None = None,
    penalties: Sequence[Any] | None = None,
    precision: str | None = None,
    supports: Any = None,
) -> st.SearchStrategy[Problem]:
    """A Hypothesis strategy for whole problems, for your own @given: those of which something can be said in their precision.

    activations, losses: names, or (name, parameters); None for all. output_activations: those of the last layer, None for the same.
    reductions: over samples, "sum" or "mean". biases: True for always, False for never, None for both.
    depth, width, batch: the most, or (least, most). wants: what some of the problems ask for, beside weights and biases: "x", "loss",
    "pre_activations", "activations", "deltas". values: "any", "tame" for moderate numbers alone, or "exact" for such on which nothing
    rounds. sample_weights: whether samples have weights; penalties: on large weights, each None, "l2" or ("l2", factor). precision: the
    numbers are exact in it; float64 if None. supports: what a target supports.
    Raises SupportError.
    """
    precision = precision or "float64"
    if precision not in PRECISIONS:
        raise SupportError(f"precision is {precision!r}: {did_you_mean(precision, PRECISIONS)}expected one of {', '.join(PRECISIONS)}")
    support = Support.of(supports).limited(
        activations=activations,
        output_activations=output_activations,
        losses=losses,
        reductions=reductions,
        biases=biases,
        depth=depth,
        width=width,
        batch=batch,
        wants=wants,
        values=values,
        sample_weights=sample_weights,
        penalties=penalties,
    )
    return problems_of(support, precision).filter(lambda problem: _can_be_judged(problem, precision))


def _can_be_judged(problem: Problem, precision: str) -> bool:
    """Whether something can be said of an answer: of most that Hypothesis draws freely, numbers leave the range."""
    return verify(problem, gradient(problem), precision=precision).verdict is not Verdict.INCONCLUSIVE
