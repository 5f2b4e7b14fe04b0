"""The calls that show a finding: the problems to ask, in their order, and of each what is exact and how far an answer may be from it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from backproof.findings.finding import Finding
from properties.answers.answer import Answer
from properties.judging.answer_in_sigmas import beside_reference
from properties.judging.by_second_moment import is_large
from properties.judging.judgement import Exact, precision_named, precision_of
from properties.laws.law import Case
from properties.laws.table import laws_for
from properties.verdict import Verdict
from reference.arrays import Array
from reference.gradient import Gradient, Place
from reference.problem import Problem
from rounding.arithmetic import SIGMAS_ALLOWED
from rounding.precisions import Precision


@dataclass(frozen=True)
class Call:
    """One call. memory_layout: a row of MEMORY_LAYOUTS; expected: of each array what is exact, and how far the answer may be from it.

    Both have the array's own shape; where no claim is made, infinite is allowed. Near a kink what is exact is the middle of what is legal.
    """

    problem: Problem
    memory_layout: str
    expected: dict[Place, tuple[Array, Array]]


def calls(finding: Finding) -> list[Call]:
    """What the finding's law asks, of a target that answers exactly: one that breaks it is further off in one of these calls."""
    precision = _precision(finding)
    posed: list[tuple[Problem, str]] = []

    def ask(problem: Problem, memory_layout: str = "contiguous") -> Answer:
        posed.append((problem, memory_layout))
        return Answer(_narrowed(Exact(problem).reference, precision))

    laws = {law.name: law for law in laws_for()}
    if finding.law in laws:
        laws[finding.law].on(Case(finding.problem, ask, finding.precision))
    posed = posed or [(finding.problem, "contiguous")]
    known: dict[int, dict[Place, tuple[Array, Array]]] = {}
    made = []
    for problem, layout in posed:
        if id(problem) not in known:
            known[id(problem)] = _expected(problem, finding, precision)
        made.append(Call(problem, layout, known[id(problem)]))
    return made


def _precision(finding: Finding) -> Precision:
    if finding.judgement is not None and finding.judgement.precision:
        return precision_named(finding.judgement.precision)
    return precision_named(finding.precision or "float64") if finding.answer is None else precision_of(finding.answer, finding.precision)


def _narrowed(gradient: Gradient, precision: Precision) -> Gradient:
    return gradient.mapped(lambda place, array: np.asarray(array, dtype=precision.given))


def _expected(problem: Problem, finding: Finding, precision: Precision) -> dict[Place, tuple[Array, Array]]:
    """What is exact, and how far honest rounding may be from it: by accurate formulas where the finding is lossy, else by any."""
    exact = Exact(problem)
    formulas: frozenset[str] | None = frozenset() if finding.verdict is Verdict.LOSSY else None
    given = {place.quantity for place, _ in finding.answer.arrays()} if finding.answer is not None else {"weights", "biases"}
    asked = Gradient(**{name: held for name, held in vars(exact.reference).items() if name in {"weights", "biases"} | given})
    with np.errstate(all="ignore"):
        if is_large(problem):
            return {
                one.place: _told(one.low, SIGMAS_ALLOWED * one.unit * np.sqrt(np.asarray(one.variance, dtype=np.float64)))
                for one in beside_reference(exact, asked, precision, formulas).arrays
            }
        enclosure, bound = exact.enclosure(precision), dict(exact.bound(precision, formulas).arrays())
        lower, upper = dict(enclosure.lower.arrays()), dict(enclosure.upper.arrays())
        expected = {}
        for place, reference in asked.arrays():
            if place.quantity == "biases" and problem.biases[(place.layer or 0) - 1] is None:
                continue  # of a layer without biases nothing is asked
            low, high = lower[place], upper[place]
            # of an interval of neighbours the reference's own number is told, which is as exact as a float64 can be
            right = np.where(high - low <= 4 * np.spacing(np.abs(reference)), reference, low + (high - low) / 2)
            half = np.maximum(np.maximum(high - right, right - low), 0.0)
            expected[place] = _told(np.where(np.isfinite(right), right, reference), half + bound[place])
        return expected


def _told(right: Any, allowed: Any) -> tuple[Array, Array]:
    """What is exact, and how far an answer may be from it: however far, where what is exact is beyond the range."""
    right, allowed = np.asarray(right, dtype=np.float64), np.asarray(allowed, dtype=np.float64)
    return right, np.where(np.isfinite(right) & ~np.isnan(allowed), allowed, np.inf)
