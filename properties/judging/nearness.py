"""Nearness: how far an answer is from the exact gradient, over how far the best possible rounding of it may be; and how far others are.

Of each array of dC/dW and dC/db: the root of the sum of squared errors, over that of squared halves of a unit in the last place of the
exact numbers. Correctly rounded it is at most 1, and about 0.6 as a rule. In this norm an entry near 0 counts by its size: it may be off by
what the large ones beside it are off, as sums are. What correct rounding happens to be off would be 0 of an array of whole numbers, so half
units stand in its place.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from oracles import jax_autodiff, torch_autograd
from oracles.available import ORACLES, missing, version
from oracles.balls.enclosure import cost, exact_parts
from properties.judging.peers import ACCURATE, answers
from properties.problems.tame import are_tame
from reference.arrays import Array
from reference.backward import gradient
from reference.gradient import Gradient
from reference.problem import Problem
from rounding.precisions import PRECISIONS, Precision

WORTH_BALLS = 600
"""What a problem may cost in balls, which float64 needs: a few hundredths of a second."""

FRAMEWORKS = {"torch": "PyTorch", "jax": "JAX"}

WORTH_ASKING = {"torch": 60.0, "jax": 600.0}
"""A framework that nobody has imported is asked after a run of so many seconds: to import PyTorch costs two, and JAX compiles each
problem."""

COMPILED = 3
"""So many problems are put to JAX."""

OWN = "a plain pass of our own"


@dataclass(frozen=True)
class Nearness:
    """How near some answers are, in units of what the best rounding may be off.

    who: whose they are; arrays: how many were measured; median, largest: over these; nearer: at how many of them the target is at least as
    near, None of the target itself.
    """

    who: str
    precision: str
    arrays: int
    median: float
    largest: float
    nearer: int | None = None

    def data(self) -> dict[str, Any]:
        """Plain data."""
        return dict(vars(self))


Answered = tuple[Problem, Gradient, Precision]


def is_measured(problem: Problem, precision: Precision) -> bool:
    """Whether a problem is one to measure nearness on: of moderate numbers, whose exact gradient costs little."""
    if precision.name == "float64" and cost(problem) > WORTH_BALLS:
        return False
    return bool(are_tame(problem))


def nearness(answered: Sequence[Answered], oracles: Sequence[str] = (), seconds: float = 0.0) -> list[Nearness]:
    """The target's, then that of a plain pass of our own and of frameworks, on the same problems; of each precision by itself.

    answered: problems with the target's answers, all passing; oracles: those that the run asks; seconds: how long it took. A framework is
    asked where it is one of them, or costs little beside the run.
    """
    told = []
    for name in dict.fromkeys(precision.name for _, _, precision in answered):
        row, some = PRECISIONS[name], [(problem, answer) for problem, answer, precision in answered if precision.name == name]
        exact = [_exact(problem, row) for problem, _ in some]
        mine = [_shares(problem, answer, *parts, row) for (problem, answer), parts in zip(some, exact, strict=True)]
        told += [one for one in [_told("the target", row, mine, mine)] if one is not None]
        others: dict[str, list[Gradient | None]] = {OWN: [next(iter(answers(problem, row, ACCURATE[:1])))[1] for problem, _ in some]}
        for framework, called in FRAMEWORKS.items():
            if _is_asked(framework, oracles, seconds):
                most = COMPILED if framework == "jax" else len(some)
                theirs = [_of_framework(framework, problem, row) if i < most else None for i, (problem, _) in enumerate(some)]
                others[f"{called} {version(ORACLES[framework])}"] = theirs
        for who, theirs in others.items():
            rows = zip(some, theirs, exact, strict=True)
            shares = [None if each is None else _shares(problem, each, *parts, row) for (problem, _), each, parts in rows]
            told += [one for one in [_told(who, row, shares, mine)] if one is not None and told]
    return told


def _is_asked(framework: str, oracles: Sequence[str], seconds: float) -> bool:
    at_hand = framework == "torch" and framework in sys.modules
    return (at_hand or framework in oracles or seconds >= WORTH_ASKING[framework]) and not missing(ORACLES[framework])


def _exact(problem: Problem, precision: Precision) -> tuple[Gradient, Gradient | None]:
    """The exact gradient: by balls where float64's own digits count, else the reference's, which is a million times nearer."""
    return exact_parts(problem) if precision.name == "float64" else (gradient(problem), None)


def _of_framework(name: str, problem: Problem, precision: Precision) -> Gradient | None:
    """What a framework answers in this storage; None where it has no such function there."""
    answer = {"torch": torch_autograd.answer, "jax": jax_autodiff.answer}[name]
    try:
        return answer(problem, precision.storage).gradient
    except Exception:
        return None


def _shares(problem: Problem, answer: Gradient, near: Gradient, rest: Gradient | None, precision: Precision) -> list[float]:
    """Of each array that is not 0 its distance over half units in the last place; infinite where something is not finite."""
    shares = []
    with np.errstate(all="ignore"):
        for got, exact, left in zip(*(_parameters(each, problem) for each in (answer, near, rest or near)), strict=True):
            if np.any(exact):
                off = np.linalg.norm((got - exact) - (0.0 if rest is None else left))
                share = float(off / np.linalg.norm(precision.last_place(exact) / 2))
                shares.append(share if np.isfinite(share) else np.inf)
    return shares


def _parameters(given: Gradient, problem: Problem) -> list[Array]:
    """dC/dW of all layers, and dC/db of those that have biases, as float64."""
    layers = [i for i, bias in enumerate(problem.biases) if bias is not None]
    biases = given.biases or ()
    return [np.asarray(array, dtype=np.float64) for array in (*given.weights, *(biases[i] for i in layers))]


def _told(who: str, precision: Precision, theirs: Sequence[list[float] | None], mine: Sequence[list[float]]) -> Nearness | None:
    pairs = [pair for their, my in zip(theirs, mine, strict=True) if their is not None for pair in zip(their, my, strict=True)]
    # a pass that leaves the range somewhere is no measure there
    pairs = [pair for pair in pairs if np.isfinite(pair).all()]
    if not pairs:
        return None
    sizes = [their for their, _ in pairs]
    nearer = None if theirs is mine else sum(my <= their for their, my in pairs)
    return Nearness(who, precision.name, len(pairs), float(np.median(sizes)), float(max(sizes)), nearer)
