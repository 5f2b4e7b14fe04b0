"""How much a run can see is measured on the exact gradient: what is said to be seen is seen, and half of it is not."""

import numpy as np
import pytest

from backproof import Gradient, Problem, check, gradient, verify
from backproof.reports.terminal import report_text
from properties.judging.sensitivity import CHANGES, smallest_seen
from rounding.precisions import PRECISIONS

RNG = np.random.default_rng(1)
PROBLEM = Problem(
    [RNG.normal(size=(3, 4)), RNG.normal(size=(2, 3))],
    activations=["softplus", "identity"],
    x=RNG.normal(size=(5, 4)),
    y=RNG.normal(size=(5, 2)),
)


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_what_is_said_to_be_seen_is_seen(name, precision):
    answer = gradient(PROBLEM)
    e = smallest_seen(PROBLEM, PRECISIONS[precision])[name]
    assert PRECISIONS[precision].unit < e < 1000 * PRECISIONS[precision].unit

    def off(by):
        return Gradient([CHANGES[name](answer.weights[0].copy(), by), answer.weights[1]], answer.biases)

    assert verify(PROBLEM, off(2 * e), precision=precision).verdict == "wrong"
    assert verify(PROBLEM, off(e / 2), precision=precision).verdict == "right"


def test_at_real_sizes_a_layer_and_a_row_are_seen_before_their_entries():
    rng = np.random.default_rng(2)
    problem = Problem([rng.normal(size=(90, 80)) / 9], activations=["tanh"], x=rng.normal(size=(64, 80)), y=rng.normal(size=(64, 90)))
    seen = smallest_seen(problem, PRECISIONS["float32"])
    assert seen["layer"] <= seen["row"] < seen["entry"] < 1e-3


def test_what_has_no_gradient_shows_nothing():
    dead = Problem([[[-1.0]]], activations=["relu"], x=[[1.0]], y=[[1.0]])
    assert smallest_seen(dead, PRECISIONS["float64"]) == {}


def test_a_report_says_what_the_run_would_have_seen():
    report = check(gradient, max_examples=40, seed=1)
    assert set(report.sees) == set(CHANGES)
    assert max(report.sees.values()) < 1e-13
    assert report.data()["sees"] == report.sees
    assert "smallest detectable relative error: entry " in report_text(report)


@pytest.mark.parametrize(("precision", "e"), [("float32", 2.0**-21), ("bfloat16/float32", 2.0**-6)])
def test_an_error_that_is_there_already_does_not_make_a_run_see_more(precision, e):
    """A layer 1.6 % off in bfloat16, unseen, used up what is allowed, so that half a percent more was said to be seen."""
    row = PRECISIONS[precision]

    def off_by(e):
        def target(problem):
            right = gradient(problem)
            weights = [row.held(weight * (1 + e)) for weight in right.weights]
            return Gradient([weight.astype(row.given) for weight in weights], right.biases)

        target.supports = {"activations": ["tanh"], "losses": ["half_squared_error"], "biases": False, "depth": 2, "width": 4, "batch": 4}
        return target

    def seen(target):
        report = check(target, precision=precision, max_examples=6, seed=5, laws=["it_agrees_with_the_exact_gradient"])
        assert report.verdict == "right"
        return report.sees

    right = seen(off_by(0))
    assert seen(off_by(e)) == right
    assert right["layer"] > e
