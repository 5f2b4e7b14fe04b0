"""A factor that is common to one layer is seen beside the other layers', and one of a row before that of an entry."""

import numpy as np
import pytest

from properties.judging.by_second_moment import judge_by_deviation, suspects
from properties.judging.judgement import Exact
from properties.verdict import Verdict
from reference.backward import gradient
from reference.gradient import Gradient
from reference.passes import passes
from reference.problem import Problem
from rounding.arithmetic import typical_rounding
from rounding.precisions import PRECISIONS
from rounding.projection import Projections
from rounding.second_moment import Variances
from tests.honest_passes import Honest
from tests.test_rounding_projection import near_a_minimum

FLOAT32 = PRECISIONS["float32"]


def off_by(problem, shares):
    """The exact dC/dW, each layer's times a factor, in float32."""
    weights = [np.float32(weight * (1 + share)) for weight, share in zip(gradient(problem).weights, shares, strict=True)]
    return judge_by_deviation(Exact(problem), Gradient(weights, [None] * 3), FLOAT32)


def test_a_factor_of_one_layer_is_told_beside_those_of_others():
    problem = near_a_minimum(0)
    alone = Projections(Variances(passes(problem), typical_rounding(FLOAT32))).bound(1)
    judgement = off_by(problem, [0, 0.9 * alone, 0])
    assert (judgement.verdict, judgement.place.layer) == (Verdict.WRONG, 2)
    assert "its projection on the gradient is off by a factor of 1 +" in judgement.reason
    assert ", and, beside what those of the other layers are off by, by 1 +" in judgement.reason


def test_what_rounded_logits_do_to_all_layers_is_right():
    """As large, along what one rounding moves all layers by."""
    problem = near_a_minimum(0)
    bounds = Projections(Variances(passes(problem), typical_rounding(FLOAT32)))
    of_second = bounds.bound(1)
    shares = [bounds.together((layer, None), (1, None)) / bounds.together((1, None), (1, None)) * 0.9 * of_second for layer in range(3)]
    assert off_by(problem, shares).verdict is Verdict.RIGHT


def test_a_factor_of_one_row_is_told_before_any_of_its_entries():
    rng = np.random.default_rng(0)
    weights = [np.float32(rng.normal(size=(64, 64)) / 8) for _ in range(2)]
    x, y = (np.float32(rng.normal(size=(64, 64))) for _ in range(2))
    exact = Exact(Problem(weights, activations=["relu", "identity"], x=x, y=y))
    right = [np.float32(weight) for weight in exact.reference.weights]
    of_row = np.asarray(exact.deviation(FLOAT32).sigma.weights[0])[5] / np.sqrt(np.mean(right[0][5] ** 2))
    off = [right[0].copy(), right[1]]
    off[0][5] *= np.float32(1 + 2 * np.median(of_row))
    judgement = judge_by_deviation(exact, Gradient(off, [None] * 2), FLOAT32)
    assert judgement.verdict is Verdict.WRONG
    assert judgement.reason.startswith("the projection of row 5 on the gradient's is off by a factor of 1 +")
    assert judge_by_deviation(exact, Gradient(right, [None] * 2), FLOAT32).verdict is Verdict.RIGHT


@pytest.mark.parametrize("activation", ["identity", "relu", "tanh", "gelu"])
def test_rows_of_an_honest_pass_stay_within_their_bound(activation):
    for seed in range(3):
        problem = near_a_minimum(seed, activation)
        bounds = Projections(Variances(passes(problem), typical_rounding(FLOAT32), None))
        answer = Honest(np.float32, seed=seed, formulas="textbook").gradient(problem)
        for layer, (got, exact) in enumerate(zip(answer.weights, gradient(problem).weights, strict=True)):
            factors = np.einsum("ij,ij->i", got - exact, exact) / np.einsum("ij,ij->i", exact, exact)
            for row in np.argsort(np.abs(factors))[-3:]:
                assert abs(factors[row]) <= bounds.bound(layer, int(row))


def test_a_layer_that_is_off_by_itself_says_nothing_of_others():
    problem = near_a_minimum(0)
    bounds = Projections(Variances(passes(problem), typical_rounding(FLOAT32)))
    judgement = off_by(problem, [bounds.bound(0) / 2, 3 * bounds.bound(1), 0])
    assert (judgement.verdict, judgement.place.layer) == (Verdict.WRONG, 2)


def test_one_layer_alone_is_held_beside_none():
    """The other one's factor is NaN."""
    problem = near_a_minimum(0)
    right = gradient(problem)
    weights = [np.float32(weight) for weight in right.weights]
    weights[0] = weights[0] * np.float32(1 + Projections(Variances(passes(problem), typical_rounding(FLOAT32))).bound(0) / 2)
    weights[1] = np.full_like(weights[1], np.nan)
    weights[2] = np.full_like(weights[2], np.nan)
    assert suspects(Exact(problem), Gradient(weights, [None] * 3), FLOAT32)
