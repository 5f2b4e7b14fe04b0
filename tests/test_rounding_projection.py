"""The projection of a layer's gradient: its derivatives are those of finite differences, and honest passes stay within the bound."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.special import expit

from properties.problems.support import Support
from reference.backward import gradient
from reference.functions.activations import ACTIVATIONS
from reference.functions.expected_outputs import DISTRIBUTION
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.passes import passes
from reference.problem import Problem
from rounding import projection
from rounding.arithmetic import typical_rounding
from rounding.losses import ROUNDED_LOSSES
from rounding.precisions import PRECISIONS
from rounding.projection import MANTISSAS, Projections, influences
from rounding.second_moment import Variances
from tests.honest_passes import Honest

pytestmark = pytest.mark.wheel

FLOAT32 = typical_rounding(PRECISIONS["float32"])
U = PRECISIONS["float32"].unit
SMOOTH = ["identity", "sigmoid", "tanh", "softplus", "gelu", "gelu_tanh", "silu", "elu", "softsign"]


def network(seed, activation="tanh", loss="half_squared_error", reduction="mean", batch=5, last="identity"):
    rng = np.random.default_rng(seed)
    widths = (4, 3, 5, 3)
    weights = [rng.normal(size=(n, m)) for m, n in pairwise(widths)]
    biases = [rng.normal(size=n) for n in widths[1:]]
    y = rng.random((batch, 3))
    if row_of(LOSSES, loss).expected is DISTRIBUTION:
        y = y / y.sum(axis=1, keepdims=True)
    x = rng.normal(size=(batch, 4))
    return Problem(weights, biases=biases, activations=[activation, activation, last], x=x, y=y, loss=loss, reduction=reduction)


def projected(problem, layer, on):
    return float(np.vdot(gradient(problem).weights[layer], on) / np.vdot(on, on))


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize(
    ("activation", "loss", "reduction"),
    [*((activation, "half_squared_error", "sum") for activation in [*SMOOTH, "softmax"]), *(("tanh", loss, "mean") for loss in LOSSES)],
)
def test_its_derivatives_are_those_of_finite_differences(activation, loss, reduction, layer):
    """By the inputs, which everything else depends on: through equations 1 to 11, up to the loss and down again."""
    problem = network(1, activation, loss, reduction, last=[*LOSSES[loss]().behind, "tanh"][0])
    passed = passes(problem)
    found = influences(passed, layer, Variances(passed, FLOAT32))
    on, direction, step = gradient(problem).weights[layer], np.random.default_rng(2).normal(size=problem.x.shape), 1e-5
    above, below = (projected(problem.replaced(x=problem.x + sign * step * direction), layer, on) for sign in (1, -1))
    assert np.vdot(found.activations[0], direction) == pytest.approx((above - below) / (2 * step), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("loss", [pytest.param(choice, id=str(choice)) for choice in Support().loss_choices])
def test_the_curvature_of_a_loss_is_how_its_derivative_changes(loss):
    rng, row = np.random.default_rng(3), row_of(LOSSES, loss)
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
    far, near, nearer = (Projections(Variances(passes(regression(digits)), FLOAT32, None)).bound(0) / U for digits in (0, 2, 4))
    assert far < 100
    assert near > 3 * far
    assert nearer > 20 * near


def test_a_textbook_formula_counts_where_it_is_allowed_for():
    problem = network(4).replaced(x=20 + network(4).x)
    passed = passes(problem)
    right, textbook = (Projections(Variances(passed, FLOAT32, lossy)).bound(0) for lossy in (frozenset(), frozenset({"tanh"})))
    assert textbook > 10 * right


# ---- each place of rounding has a problem in which it outweighs all others ----


def uneven(weights, x, y, activations, loss="half_squared_error", reduction="sum", biases=None):
    """A problem whose numbers float32 holds."""
    weights, x, y = [np.float32(weight) for weight in weights], np.float32(x), np.float32(y)
    return Problem(weights, biases=biases, activations=activations, x=x, y=y, loss=loss, reduction=reduction)


def one_by_one(problem, layer=0, formulas="accurate"):
    """dC/dW of an honest pass in float32, whose sums are taken one addition after the other."""
    return Honest(np.float32, seed=1, formulas=formulas).gradient(problem).weights[layer]


def with_functions(problem, layer, value=lambda i, a: a, slope=lambda i, s: s):
    """dC/dW of a pass that is exact but for its functions: what becomes of g and g' of the layer of an index."""
    a, slopes = [problem.x], []
    for i, (weight, bias, choice) in enumerate(zip(problem.weights, problem.biases, problem.activations, strict=True)):
        z = a[-1] @ weight.T + bias
        a.append(value(i, row_of(ACTIVATIONS, choice).value(z)))
        slopes.append(slope(i, row_of(ACTIVATIONS, choice).derivative(z)))
    delta = row_of(LOSSES, problem.loss).derivative(a[-1], problem.y) * slopes[-1]
    for i in reversed(range(layer, problem.depth - 1)):
        delta = delta @ problem.weights[i + 1] * slopes[i]
    return delta.T @ a[layer]


def z_that_cancels():
    """Inputs of mean 10,000 into sigmoids, whose weights sum to nearly 0."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(8, 20)), rng.normal(size=(3, 8))
    first -= first.mean(axis=1, keepdims=True)
    x, y = 1e4 + rng.normal(size=(64, 20)), rng.normal(size=(64, 3))
    problem = uneven([first, second], x, y, ["sigmoid", "identity"])
    return problem, 0, one_by_one(problem)


def a_kink():
    """A node of one of 16 samples is at ReLU's kink, and the pass takes the other slope."""
    x = np.random.default_rng(0).normal(size=(16, 2))
    x[0] = 1, -1
    problem = uneven([[[1, 1], [0.5, -0.25]], [[1, 2]]], x, np.ones((16, 1)), ["relu", "identity"], biases=[np.zeros(2), np.zeros(1)])
    assert passes(problem).forward.pre_activations[0][0, 0] == 0
    jump = np.zeros((16, 2))
    jump[0, 0] = 1
    return problem, 0, with_functions(problem, 0, slope=lambda i, s: abs(s - jump) if i == 0 else s)


def products_that_cancel_below():
    """delta of the last layer is along what its weights make least of, so that W^T delta cancels."""
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.normal(size=(n, n)))[0] for n in (8, 6))
    second = np.float32((left[:, :6] * [1, 1, 1, 1, 1, 1e-5]) @ right.T)
    least = np.linalg.svd(second.astype(float), full_matrices=False)[0][:, 5]
    problem = uneven([rng.normal(size=(6, 5)), second], rng.normal(size=(64, 5)), np.zeros((64, 8)), ["identity"] * 2)
    a = passes(problem).forward.activations[-1]
    problem = problem.replaced(y=np.float32(a - np.outer(10 + 10 * rng.random(64), least)))
    return problem, 0, one_by_one(problem)


def softmax_that_is_sure():
    """p near 1, from which 1 is taken; half of the samples move f up and half down, so that nothing is left of what is off in all."""
    rng = np.random.default_rng(0)
    y, side = np.eye(4)[np.arange(64) % 4], np.repeat([[1.0], [-1.0]], 32, axis=0)
    x = np.hstack([(12 + side / 2) * y + rng.normal(size=(64, 4)) / 4, 1000 * side])
    problem = uneven([np.eye(4, 5)], x, y, ["identity"], "softmax_cross_entropy")
    return problem, 0, one_by_one(problem, formulas="textbook")


def samples_that_cancel():
    """Regression near its minimum: the residual is along what the inputs make least of."""
    x = np.stack([np.ones(64), 1 + 1e-3 * np.random.default_rng(0).normal(size=64)], axis=1)
    least = np.linalg.svd(np.float32(x).astype(float), full_matrices=False)[0][:, 1:]
    problem = uneven([[[0.5, 0.5]]], x, np.zeros((64, 1)), ["identity"])
    problem = problem.replaced(y=np.float32(passes(problem).forward.activations[-1] - 8 * least))
    return problem, 0, one_by_one(problem)


def off_by_2_u(layer, share):
    """A function that is 2 u too large at a share of 256 arguments and too small at the others; at a second node the other way round."""
    signs = np.where(np.random.default_rng(1).random((256, 1)) < share, 1, -1)
    return lambda i, values: values * (1 + 2 * U * signs * np.array([1, -1])) if i == layer else values


def values_that_cancel():
    """Two sigmoids whose weighted sum is a 300th of either, of 256 samples."""
    x = np.random.default_rng(0).uniform([0.51, 0.57], [0.56, 0.62], size=(256, 2))
    a = 1 / (1 + np.exp(-x.mean(axis=0)))
    weights, biases = [np.eye(2), [[1 / a[0], -0.997 / a[1]]]], [np.zeros(2), np.zeros(1)]
    problem = uneven(weights, x, np.zeros((256, 1)), ["sigmoid", "identity"], biases=biases)
    return problem, 1, with_functions(problem, 1, value=off_by_2_u(0, 0.57))


def slopes_that_cancel():
    """Two sigmoids whose deltas cancel on their way down, but for a 500th."""
    rng = np.random.default_rng(0)
    weight, x = np.array([[1.0], [1.1]]), rng.uniform(0.02, 0.03, size=(256, 1))
    biases = [np.zeros(1), np.zeros(2)]
    problem = uneven([[[1.0]], weight], x, np.zeros((256, 2)), ["identity", "sigmoid"], biases=biases)
    a = passes(problem).forward.activations[-1]
    error = [1, -0.998] / (a * (1 - a) * weight.T) * rng.uniform(5, 15, size=(256, 1))
    problem = problem.replaced(y=np.float32(a - error))
    return problem, 0, with_functions(problem, 0, slope=off_by_2_u(1, 0.62))


def a_function_that_is_off_by_the_same():
    """sigmoid' 2 u too large everywhere, in ten layers."""
    rng = np.random.default_rng(0)
    weights, biases = [rng.uniform(0.5, 1.5, size=(64, 64)) / 16 for _ in range(10)], [np.full(64, -2.0)] * 10
    problem = uneven(weights, rng.random((64, 64)), np.zeros((64, 64)), ["sigmoid"] * 10, biases=biases)
    return problem, 0, with_functions(problem, 0, slope=lambda i, s: s * (1 + 2 * U))


def rounded_constants():
    """1/122 and 2/61, each of which float32 rounds by nearly u, and downwards."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(122, 64)), rng.normal(size=(122, 61))
    problem = uneven([rng.normal(size=(61, 64)) / 8], x, y, ["identity"], "mean_squared_error", "mean")
    share, factor = float(np.float32(1 / 122)) * 122, float(np.float32(2 / 61)) * 61 / 2
    assert (share * factor - 1) / U < -1.8
    return problem, 0, gradient(problem).weights[0] * share * factor


PLACES = {
    "z": z_that_cancels,
    "slopes at kinks": a_kink,
    "dC/da": products_that_cancel_below,
    "dC/da of the loss": softmax_that_is_sure,
    "dC/dW": samples_that_cancel,
    "functions": values_that_cancel,
    "slopes": slopes_that_cancel,
    "functions on the whole": a_function_that_is_off_by_the_same,
    "constants": rounded_constants,
}


@pytest.mark.parametrize("place", PLACES)
def test_it_allows_for_every_place_of_rounding(place):
    """Each is the one that tells: without it the pass is outside (benchmarks/mutants.py)."""
    problem, layer, answer = PLACES[place]()
    exact = gradient(problem).weights[layer]
    off = abs(float(np.vdot(answer, exact) / np.vdot(exact, exact)) - 1)
    assert U < off <= Projections(Variances(passes(problem), FLOAT32, frozenset())).bound(layer)


def test_inputs_that_are_0_do_not_widen_it():
    """What is added to a sum without rounding counts for nothing."""
    rng = np.random.default_rng(6)
    x, weight, more = rng.normal(size=(64, 4)), rng.normal(size=(1, 4)), rng.normal(size=(1, 396))
    problem = Problem([weight], activations=["identity"], x=x, y=x @ weight.T + rng.normal(size=(64, 1)) / 100)
    padded = problem.replaced(weights=[np.hstack([weight, more])], x=np.hstack([x, np.zeros((64, 396))]))
    few, many = (Projections(Variances(passes(each), FLOAT32, frozenset())).bound(0) for each in (problem, padded))
    assert many < 1.1 * few


@pytest.mark.parametrize(
    ("loss", "reduction", "batch", "outputs", "rounded"),
    [
        ("softmax_cross_entropy", "mean", 64, 3, False),
        ("softmax_cross_entropy", "mean", 63, 3, True),
        ("softmax_cross_entropy", "sum", 63, 3, False),
        ("squared_error", "mean", 64, 3, False),
        ("mean_squared_error", "sum", 64, 4, False),
        ("mean_squared_error", "sum", 64, 3, True),
        ("binary_cross_entropy_with_logits", "sum", 64, 1, False),
        ("binary_cross_entropy_with_logits", "sum", 64, 3, True),
        ("huber", "sum", 64, 1, False),
        (("huber", {"delta": 0.3}), "sum", 64, 1, True),
    ],
)
def test_constants_count_where_they_are_rounded(monkeypatch, loss, reduction, batch, outputs, rounded):
    rng = np.random.default_rng(10)
    y = np.eye(3)[rng.integers(3, size=batch)][:, :outputs] if outputs < 4 else rng.random((batch, 4))
    weights, x = [rng.normal(size=(outputs, 5))], rng.normal(size=(batch, 5))
    passed = passes(Problem(weights, activations=["identity"], x=x, y=y, loss=loss, reduction=reduction))
    before = Projections(Variances(passed, FLOAT32, frozenset())).bound(0)
    monkeypatch.setattr(projection, "CONSTANTS", 1 + projection.CONSTANTS)
    more = Projections(Variances(passed, FLOAT32, frozenset())).bound(0) - before
    assert more / FLOAT32.unit == pytest.approx(float(rounded), abs=1e-6)


def test_roundings_of_a_sum_that_drifts_are_as_large_as_is_said():
    """Whatever the mantissa of its total: in float32, one by one, over n/3 roundings of the worst mantissa of the total."""
    rng, terms, found = np.random.default_rng(7), 400, []
    for total in np.linspace(1, 2, 9):
        parts = rng.uniform(0.5, 1.5, (4000, terms))
        parts = np.float32(parts * total / parts.sum(axis=1, keepdims=True))
        summed = np.zeros(len(parts), np.float32)
        for k in range(terms):
            summed += parts[:, k]
        error = summed - parts.sum(axis=1, dtype=np.float64)
        found.append(np.mean(error**2) / (PRECISIONS["float32"].unit ** 2 / 3 * terms / 3 * total**2))
    assert 0.85 * MANTISSAS < max(found) < 1.1 * MANTISSAS


def softmax(exponentials):
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def test_a_softmax_moves_as_is_said_when_its_exponentials_are_off_by_the_same():
    rng, d = np.random.default_rng(8), 1e-6
    a, y = rng.normal(size=(6, 4)), np.eye(4)[rng.integers(4, size=6)]
    shifted = np.exp(a - a.max(axis=1, keepdims=True))
    off = np.where(shifted < 1, shifted * (1 + d), 1.0)
    of_largest, of_logarithm = ROUNDED_LOSSES["softmax_cross_entropy"]().common(a, y)
    np.testing.assert_allclose(of_largest, (softmax(off) - softmax(shifted)) / d, rtol=1e-4, atol=1e-8)
    np.testing.assert_allclose(of_logarithm, softmax(shifted))


def off_by(problem, d):
    """dC/dW of one layer, with the exponentials of its loss off by d of themselves, all by the same."""
    a, y = problem.x @ problem.weights[0].T, problem.y
    moved = expit(a) * (1 + d) if y.shape[1] == 1 else softmax(np.exp(a)) * (1 + d)
    return (moved - y).T @ problem.x / problem.batch


@pytest.mark.parametrize(("loss", "outputs"), [("softmax_cross_entropy", 3), ("binary_cross_entropy_with_logits", 1)])
def test_it_holds_exponentials_that_are_off_by_the_same_for_all_samples(loss, outputs):
    """Near a minimum, and over inputs and samples so many that all other roundings average out."""
    rng, batch = np.random.default_rng(9), 2000
    weights, x = rng.normal(size=(outputs, 256)) / 20, 1 + rng.normal(size=(batch, 256)) / 4
    weights[0] += 0.01
    p = expit(x @ weights.T) if outputs == 1 else softmax(np.exp(x @ weights.T))
    y = p + rng.uniform(0.005, 0.015, (batch, 1)) * np.array([-1, 0.5, 0.5])[:outputs]
    problem = Problem([weights], activations=["identity"], x=x, y=y, loss=loss, reduction="mean")
    passed, u = passes(problem), PRECISIONS["float32"].unit
    exact = gradient(problem).weights[0]
    f = np.vdot(off_by(problem, 2 * u), exact) / np.vdot(exact, exact)
    allowed = Projections(Variances(passed, FLOAT32, frozenset())).bound(0)
    assert 0.5 * allowed < abs(f - 1) < allowed


# ---- layers beside one another ----


def near_a_minimum(seed, activation="identity"):
    """A classifier whose expected outputs are nearly its own: what rounding does to its logits moves all layers below alike."""
    rng = np.random.default_rng(seed)
    weights = [np.float32(rng.normal(size=(64, 64)) / 8) for _ in range(3)]
    parts = {"x": np.float32(rng.normal(size=(64, 64))), "y": np.eye(64), "loss": "softmax_cross_entropy", "reduction": "mean"}
    problem = Problem(weights, activations=[activation] * 2 + ["identity"], **parts)
    p = softmax(np.exp(passes(problem).forward.activations[-1]))
    return problem.replaced(y=np.float32(0.98 * p + 0.02 * problem.y))


def factors(problem, answer):
    """f of each layer."""
    return [float(np.vdot(got, exact) / np.vdot(exact, exact)) for got, exact in zip(answer, gradient(problem).weights, strict=True)]


@pytest.mark.parametrize("activation", ["identity", "relu", "tanh", "gelu"])
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_beside_other_layers_an_honest_pass_stays_within_a_narrower_bound(activation, layer):
    others = [other for other in range(3) if other != layer]
    for seed in range(4):
        problem = near_a_minimum(seed, activation)
        bounds = Projections(Variances(passes(problem), FLOAT32, None))
        weighed, allowed = bounds.beside(layer, others)
        assert layer != 1 or allowed < 0.8 * bounds.bound(layer)
        f = factors(problem, Honest(np.float32, seed=seed, formulas="textbook").gradient(problem).weights)
        assert abs(f[layer] - 1 + sum(weighed[other] * (f[other] - 1) for other in others)) <= allowed


def test_layers_are_not_held_beside_one_another_where_that_takes_too_much_memory(monkeypatch):
    monkeypatch.setattr(projection, "LARGEST", 1000)
    assert Projections(Variances(passes(near_a_minimum(0)), FLOAT32)).beside(0, [1, 2]) == ({}, np.inf)


def test_a_penalty_is_a_part_of_what_samples_move_the_rows_along():
    """a . dC/dW counts the penalty's share of dC/dW as well; at a factor of 0 there is none."""
    problem = network(11, batch=3)
    for penalised in (problem.replaced(penalty=("l2", 0.0)), problem.replaced(penalty=("l2", 3.0))):
        passed = passes(penalised)
        variances = Variances(passed, FLOAT32)
        found, rows = variances.deviation(x=False, loss=False), np.array([0, 2])
        exact = gradient(penalised).weights[1][rows]
        along = passed.forward.activations[1] @ exact.T
        sizes = np.sum(np.square(exact), axis=1)
        right = found.unit * np.sqrt(np.sum(np.square(along) * found.variance.deltas[1][:, rows], axis=0)) / sizes
        np.testing.assert_allclose(Projections(variances).of_rows(1, found, rows, sizes), right, rtol=1e-5)


def test_a_rounded_factor_of_a_penalty_is_a_constant():
    """0.3 is rounded, 0.5 is not; all other constants here are powers of 2."""
    problem = network(12, reduction="sum")
    exact, rounded = (projection._of_constants(problem.replaced(penalty=("l2", factor))) for factor in (0.5, 0.3))
    assert (exact, rounded) == (0.0, projection.CONSTANTS)


def test_layers_whose_covariances_leave_the_range_are_not_told_beside_one_another():
    problem = network(13)
    weighed, allowed = Projections(Variances(passes(problem), FLOAT32)).beside(0, [1, 2])
    assert set(weighed) == {1, 2} and np.isfinite(allowed)
    huge = problem.replaced(weights=[problem.weights[0], 1e250 * problem.weights[1], 1e250 * problem.weights[2]])
    with np.errstate(all="ignore"):
        assert Projections(Variances(passes(huge), FLOAT32)).beside(0, [1, 2]) == ({}, np.inf)
