"""Of every quantity of a wrong answer it is said whether it is right, off by one factor, and by which, or off by none."""

import numpy as np
import pytest

from backproof import Gradient, Problem, check, gradient, verify

RNG = np.random.default_rng(5)
PROBLEM = Problem(
    [RNG.normal(size=(4, 3)), RNG.normal(size=(2, 4))],
    biases=[RNG.normal(size=4), RNG.normal(size=2)],
    activations=["tanh", "identity"],
    x=RNG.normal(size=(5, 3)),
    y=RNG.normal(size=(5, 2)),
    reduction="mean",
)
RIGHT = gradient(PROBLEM)


def said(problem, weights, biases):
    return dict(verify(problem, Gradient(weights, biases)).rows())["each"]


FACTORS = [
    (2.0, "off by a factor of 2 (twice, or the number of outputs)"),
    (0.5, "off by a factor of 0.5 (one half, or 1 over the number of outputs)"),
    (-1.0, "off by a factor of -1 (the other sign)"),
    (5.0, "off by a factor of 5 (the batch size: that of a sum over samples, where the mean is asked for (the reductions of `supports`))"),
    (0.2, "off by a factor of 0.2 (1 over the batch size)"),
    (10.0, "off by a factor of 10 (the batch size times the number of outputs)"),
    (0.0, "off by a factor of 0 (nothing is there)"),
    (1.01, "off by a factor of 1.01"),
]


@pytest.mark.parametrize(("factor", "text"), FACTORS, ids=[str(factor) for factor, _ in FACTORS])
def test_a_factor_is_named(factor, text):
    everywhere = [factor * weight for weight in RIGHT.weights]
    assert said(PROBLEM, everywhere, RIGHT.biases) == f"dC/dW: {text}, in every layer; dC/db: right"
    first = [everywhere[0], RIGHT.weights[1]]
    assert said(PROBLEM, first, RIGHT.biases) == f"dC/dW: layer 1 {text}, layer 2 right; dC/db: right"


def test_a_mean_where_the_sum_is_asked_for_is_told():
    problem = PROBLEM.replaced(reduction="sum")
    right = gradient(problem)
    why = "that of a mean over samples, where the sum is asked for (the reductions of `supports`)"
    text = f"off by a factor of 0.2 (1 over the batch size: {why})"
    assert said(problem, [weight / 5 for weight in right.weights], right.biases) == f"dC/dW: {text}, in every layer; dC/db: right"


def test_what_is_off_by_no_one_factor_is_said_to_be_so():
    weights = [np.array(RIGHT.weights[0]), RIGHT.weights[1]]
    weights[0][0, 0] *= 1.01
    assert said(PROBLEM, weights, RIGHT.biases) == "dC/dW: layer 1 off, by no one factor, layer 2 right; dC/db: right"


def test_a_factor_beyond_all_numbers_is_none():
    """It was said to be off by a factor of infinity, which JSON has no number for: the report could not be written."""
    problem = Problem([[[1.5], [3.0]]], activations=["identity"], x=[[-8.2e-143]], y=[[0.5, 0.5]])
    assert said(problem, [np.full((2, 1), 1e300)], None) == "dC/dW: off, by no one factor"


def test_one_number_is_off_by_no_factor_that_means_nothing():
    problem = Problem([[[0.5]]], activations=["tanh"], x=[[1.0]], y=[[0.0]])
    right = gradient(problem).weights[0]
    assert said(problem, [1.01 * right], None) == "dC/dW: off, by no one factor"
    assert said(problem, [2 * right], None) == "dC/dW: off by a factor of 2"


def test_where_no_claim_is_made_nothing_is_said():
    problem = Problem([[[1.0]]], biases=[[0.0]], activations=["identity"], x=[[1e200]], y=[[0.0]])
    assert said(problem, [np.array([[1.0]])], [np.array([0.0])]) == "dC/dW: not judged; dC/db: off by a factor of 0 (nothing is there)"


def test_at_real_sizes_too():
    rng = np.random.default_rng(6)
    weights = [rng.normal(size=(80, 70)) / 8, rng.normal(size=(10, 80)) / 9]
    problem = Problem(weights, activations=["tanh", "identity"], x=rng.normal(size=(64, 70)), y=rng.normal(size=(64, 10)))
    right = gradient(problem)
    given = [np.float32(2 * right.weights[0]), np.float32(right.weights[1])]
    assert said(problem, given, None) == "dC/dW: layer 1 off by a factor of 2, layer 2 right"


def test_a_finding_says_it_and_so_does_its_json():
    def twice(problem):
        answer = gradient(problem)
        return [2 * weight for weight in answer.weights], answer.biases

    (finding,) = check(twice, max_examples=20, seed=1, laws=["it_agrees_with_the_exact_gradient"]).findings
    assert dict(finding.judgement.rows())["each"].startswith("dC/dW: off by a factor of 2")
    first = finding.data()["judgement"]["quantities"][0]
    assert (first["quantity"], first["layer"], first["said"], first["factor"]) == ("weights", 1, "factor", 2.0)


def test_a_right_answer_is_told_nothing_of():
    assert verify(PROBLEM, Gradient(RIGHT.weights, RIGHT.biases)).quantities == ()
