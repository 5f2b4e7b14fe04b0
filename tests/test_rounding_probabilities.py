"""Losses of probabilities: the bound holds honest passes in every precision, by the product and by a - y, and stays sharp."""

from dataclasses import replace

import numpy as np
import pytest

from reference.functions.losses import LOSSES
from rounding.arithmetic import worst_case_rounding
from rounding.precisions import PRECISIONS
from tests.honest_passes import KINDS, Honest, Stored, claims_where_all_hold, judged, outside, random_problem

BEHIND = {name: make().behind[0] for name, make in LOSSES.items() if make().behind}
DTYPES = {"float64": np.float64, "float32": np.float32}
VARIANTS = [{}, {"seed": 7, "mean": "last"}, {"flush": True, "seed": 3, "mean": "share"}]

ORDINARY = ("plain", "zeros", "ties", "tiny", "subnormal")
"""The kinds of problems of which few outputs are sure."""


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield


def passes_in(precision, formulas, **options):
    if precision in DTYPES:
        return Honest(dtype=DTYPES[precision], formulas=formulas, **options)
    return Stored(row=PRECISIONS[precision], formulas=formulas, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("formulas", ["accurate", "textbook"])
def test_holds_honest_passes(formulas, precision, kind):
    """By a - y it holds the passes that compute activations by textbook formulas, and of the accurate ones those with a lossy loss."""
    textbook = worst_case_rounding(PRECISIONS[precision], None)
    fused = {f"a - y {options}": passes_in(precision, formulas, fused=True, **options) for options in VARIANTS}
    claims_where_all_hold(6, kind, precision, textbook, fused, losses=list(BEHIND))
    if formulas == "accurate":
        of_product = {f"product {options}": passes_in(precision, formulas, **options) for options in VARIANTS}
        model = worst_case_rounding(PRECISIONS[precision])
        claimed = claims_where_all_hold(6, kind, precision, model, of_product, losses=list(BEHIND))
        # the test is not idle
        assert kind not in ORDINARY or claimed > 0.8


def test_a_minus_y_is_as_accurate_as_the_product_behind_a_softmax():
    model = worst_case_rounding(PRECISIONS["float32"])
    honest = {"a - y": Honest(dtype=np.float32, fused=True), "summed backwards": Honest(dtype=np.float32, fused=True, seed=2)}
    for kind in KINDS:
        claims_where_all_hold(25, kind, "float32", model, honest, losses=["cross_entropy_of_probabilities"])


@pytest.mark.parametrize("loss", BEHIND)
@pytest.mark.parametrize("precision", DTYPES)
def test_a_relative_error_of_some_hundred_units_is_seen(precision, loss):
    """The bound is not idle: in most problems with plain numbers dC/dW of the last layer may be off by little."""
    model, seen = worst_case_rounding(PRECISIONS[precision]), []
    for seed in range(30):
        problem = random_problem(seed, "plain", precision, activations=["tanh"], losses=[loss])
        truth, bound = judged(problem, model)
        gradient = Honest(dtype=DTYPES[precision]).gradient(problem)
        if not all(np.isfinite(array).all() for array in bound.values()) or not np.any(gradient.weights[-1]):
            continue
        assert not outside(gradient, truth, bound)
        off = replace(gradient, weights=[*gradient.weights[:-1], gradient.weights[-1] * (1 + 1000 * PRECISIONS[precision].unit)])
        seen.append(bool(outside(off, truth, bound)))
    assert len(seen) > 15
    assert np.mean(seen) > 0.6
