"""A condition is learnt from places on both sides, the simplest first, and never from a few."""

from itertools import pairwise

import numpy as np
import pytest

from backproof import Problem
from properties.diagnosis.conditions import PLACES, PREDICATES, Place, learnt


def problem(*widths, batch=1, activations=None, loss="half_squared_error", reduction="sum", biased=True):
    rng = np.random.default_rng(1)
    layers = list(pairwise(widths))
    return Problem(
        [rng.normal(size=(m, n)) for n, m in layers],
        biases=[rng.normal(size=m) if biased else None for _, m in layers],
        activations=activations or ["tanh"] * len(layers),
        x=rng.normal(size=(batch, widths[0])),
        y=rng.normal(size=(batch, widths[-1])),
        loss=loss,
        reduction=reduction,
    )


SQUARE, WIDE, DEEP = problem(3, 3), problem(3, 2), problem(3, 3, 3, 3)
MIXED = problem(3, 3, 3, activations=["relu", "tanh"])


@pytest.mark.parametrize(
    ("where", "not_there", "text"),
    [
        ([Place(SQUARE, 1)] * 4, [Place(WIDE, 1)] * 4, "where the layer is square"),
        ([Place(DEEP, 3)] * 4, [Place(DEEP, 1), Place(DEEP, 2)] * 2, "in the output layer"),
        ([Place(DEEP, 1), Place(DEEP, 2)] * 2, [Place(DEEP, 3)] * 4, "in hidden layers"),
        ([Place(DEEP, 1)] * 4, [Place(DEEP, 2), Place(DEEP, 3)] * 2, "in the first layer"),
        ([Place(problem(3, 3, batch=2), 1)] * 4, [Place(SQUARE, 1)] * 4, "in batches of two samples or more"),
        ([Place(problem(3, 3, reduction="mean"), 1)] * 4, [Place(SQUARE, 1)] * 4, "for means over samples"),
        ([Place(problem(3, 3, biased=False), 1)] * 4, [Place(SQUARE, 1)] * 4, "in layers without biases"),
        ([Place(MIXED, 1), Place(problem(3, 3, activations=["relu"]), 1)] * 2, [Place(MIXED, 2), Place(DEEP, 1)] * 2, "in layers of relu"),
        ([Place(problem(3, 3, loss="huber"), 1)] * 4, [Place(SQUARE, 1)] * 4, "for huber"),
    ],
)
def test_the_simplest_condition_is_learnt(where, not_there, text):
    condition = learnt(where, not_there)
    assert condition is not None
    assert condition.text == text
    assert all(condition.holds(*place) for place in where)
    assert not any(condition.holds(*place) for place in not_there)


@pytest.mark.parametrize(("there", "elsewhere"), [(PLACES - 1, PLACES), (PLACES, PLACES - 1)])
def test_nothing_is_learnt_from_a_few_places(there, elsewhere):
    assert learnt([Place(SQUARE, 1)] * there, [Place(WIDE, 1)] * elsewhere) is None


def test_nothing_is_learnt_where_both_sides_are_alike():
    assert learnt([Place(SQUARE, 1)] * 4, [Place(SQUARE, 1)] * 4) is None


@pytest.mark.parametrize("text", PREDICATES)
def test_every_condition_holds_somewhere_and_not_everywhere(text):
    problems = [
        problem(*widths, batch=batch, reduction=reduction, biased=biased)
        for widths in ((1, 1), (3, 3), (3, 2), (2, 1, 3), (3, 3, 3, 3), (2, 2, 2, 2, 2))
        for batch in (1, 2, 3, 5)
        for reduction in ("sum", "mean")
        for biased in (True, False)
    ]
    said = {PREDICATES[text](each, layer) for each in problems for layer in range(1, each.depth + 1)}
    assert said == {True, False}
