"""The projection of a layer's gradient: its derivatives are those of finite differences, and honest passes stay within the bound."""

from itertools import pairwise

import numpy as np
import pytest

from properties.support import Support
from reference.backward import gradient
from reference.losses import LOSSES
from reference.model import noise_of
from reference.precisions import PRECISIONS
from reference.problem import Problem
from reference.projection import influences, projection_bound
from reference.rounding import passes
from reference.variance import Variances

FLOAT32 = noise_of(PRECISIONS["float32"])
SMOOTH = ["identity", "sigmoid", "tanh", "softplus", "gelu", "gelu_tanh", "silu", "elu", "softsign"]


def network(seed, activation="tanh", loss="half_squared_error", reduction="mean", batch=5, last="identity"):
    rng = np.random.default_rng(seed)
    widths = (4, 3, 5, 3)
    weights = [rng.normal(size=(n, m)) for m, n in pairwise(widths)]
    biases = [rng.normal(size=n) for n in widths[1:]]
    y = rng.random((batch, 3))
    if loss == "softmax_cross_entropy":
        y = y / y.sum(axis=1, keepdims=True)
    x = rng.normal(size=(batch, 4))
    return Problem(weights, biases=biases, activations=[activation, activation, last], x=x, y=y, loss=loss, reduction=reduction)


def projected(problem, layer, on):
    return float(np.vdot(gradient(problem).weights[layer], on) / np.vdot(on, on))


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize(
    ("activation", "loss", "reduction"),
    [*((activation, "half_squared_error", "sum") for activation in SMOOTH), *(("tanh", loss, "mean") for loss in LOSSES)],
)
def test_its_derivatives_are_those_of_finite_differences(activation, loss, reduction, layer):
    """By the inputs, which everything else depends on: through equations 1 to 11, up to the loss and down again."""
    problem = network(1, activation, loss, reduction, last="tanh")
    passed = passes(problem)
    found = influences(passed, layer, Variances(passed, FLOAT32))
    on, direction, step = gradient(problem).weights[layer], np.random.default_rng(2).normal(size=problem.x.shape), 1e-5
    above, below = (projected(problem.replaced(x=problem.x + sign * step * direction), layer, on) for sign in (1, -1))
    assert np.vdot(found.activations[0], direction) == pytest.approx((above - below) / (2 * step), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("loss", [pytest.param(choice, id=str(choice)) for choice in Support().loss_choices])
def test_the_curvature_of_a_loss_is_how_its_derivative_changes(loss):
    from reference.choice import bind

    rng, row = np.random.default_rng(3), bind(LOSSES, loss)
    a, direction, y = rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), np.eye(3)[[0, 1, 2, 0]]
    step = 1e-6
    change = (row.derivative(a + step * direction, y) - row.derivative(a - step * direction, y)) / (2 * step)
    np.testing.assert_allclose(row.curvature(a, y, direction), change, rtol=1e-6, atol=1e-9)


def regression(rows, seed=1):
    """Linear regression, float32 inputs, its weights near the least squares: the sum over samples cancels."""
    rng = np.random.default_rng(seed)
    x = np.round(rng.normal(size=(64, 2)), 2)
    y = x @ [[1.0], [-1.0]] + np.round(0.5 * rng.normal(size=(64, 1)), 2)
    weight = np.linalg.lstsq(x, y, rcond=None)[0].T
    return Problem([np.round(weight, rows)], activations=["identity"], x=x, y=y)


def test_it_is_wide_where_the_sum_over_samples_cancels_and_nowhere_else():
    """Rounding is relative to the terms of a sum, not to the sum."""
    u = PRECISIONS["float32"].unit
    far, near, nearer = (projection_bound(passes(regression(digits)), FLOAT32, None, 0) / u for digits in (0, 2, 4))
    assert far < 100
    assert near > 3 * far
    assert nearer > 20 * near


def test_a_textbook_formula_counts_where_it_is_allowed_for():
    problem = network(4).replaced(x=20 + network(4).x)
    passed = passes(problem)
    right, textbook = (projection_bound(passed, FLOAT32, lossy, 0) for lossy in (frozenset(), frozenset({"tanh"})))
    assert textbook > 10 * right
