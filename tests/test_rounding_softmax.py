"""A softmax as the activation of a layer: both bounds hold every honest pass, and bite on a Jacobian that is taken as diagonal."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.textbook import Textbook
from properties.judging.judge import verify
from reference.backward import gradient_of_passes
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES, softmax
from reference.gradient import Gradient
from reference.passes import passes
from reference.problem import Problem
from rounding.arithmetic import FUNCTION_ERROR, REFERENCE, SHARED, typical_rounding, worst_case_rounding
from rounding.losses import ROUNDED_LOSSES
from rounding.precisions import PRECISIONS
from rounding.projection import Projections, influences
from rounding.second_moment import Variances
from tests.honest_passes import (
    KINDS,
    PULLBACKS,
    Adverse,
    Honest,
    Stored,
    claims_where_all_hold,
    judged,
    outside,
    random_problem,
    softmax_by_logsumexp,
)

LAYERS = ("softmax", "softmax", "tanh", "relu", "identity")
"""Half of them are softmax, hidden or last."""

WAYS = {"NumPy": {}, "random order": {"seed": 7}, "flushed to zero": {"flush": True, "seed": 3}, "mean at the end": {"mean": "last"}}


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize("formulas", ["accurate", "textbook"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", ["float64", "float32", "float16"])
def test_the_worst_case_holds_every_way_to_write_it(precision, kind, formulas, seed_of_the_run):
    model = worst_case_rounding(PRECISIONS[precision], frozenset() if formulas == "accurate" else None)
    dtype = np.dtype(precision).type
    seeds = np.random.default_rng(seed_of_the_run).integers(2**31, size=(len(WAYS), 2))
    for way, of_way in zip(WAYS.values(), seeds, strict=True):
        honest = {f"{pullback}, {way}": Honest(dtype=dtype, formulas=formulas, pullback=pullback, **way) for pullback in PULLBACKS}
        claims_where_all_hold(of_way, kind, precision, model, honest, LAYERS)


@pytest.mark.parametrize("formulas", ["accurate", "textbook"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", ["float64", "float32", "float16"])
def test_a_claim_is_made_nearly_everywhere(precision, kind, formulas):
    """On the same problems in every run: how much of a few drawn ones leaves the range is chance."""
    model = worst_case_rounding(PRECISIONS[precision], frozenset() if formulas == "accurate" else None)
    # but where numbers leave the range on purpose
    least = 0.05 if kind == "huge" else 0.6 if precision == "float16" or kind == "mixed" else 0.95
    assert claims_where_all_hold(20, kind, precision, model, {}, LAYERS) > least


@pytest.mark.parametrize("kind", ["plain", "zeros", "saturated"])
@pytest.mark.parametrize("name", [name for name in PRECISIONS if name not in ("float64", "float32")])
def test_the_worst_case_holds_what_is_stored_in_between(name, kind, seed_of_the_run):
    row = PRECISIONS[name]
    for seed in np.random.default_rng(seed_of_the_run).integers(2**31, size=8):
        problem = random_problem(seed, kind, name, LAYERS)
        for pullback in PULLBACKS:
            # where functions are computed in float32 and rounded once, a pullback by steps is none of theirs
            target = Stored(dtype=np.float64, row=row, by_steps=not row.function_bits, pullback=pullback).gradient(problem)
            assert not outside(target, *judged(problem, worst_case_rounding(row))), f"{pullback} on {problem!r}"


@pytest.mark.parametrize("formulas", ["accurate", "textbook"])
@pytest.mark.parametrize("sign", [1, -1, 0])
def test_the_worst_case_holds_the_largest_errors_that_the_model_allows(sign, formulas, seed_of_the_run):
    row, float64 = PRECISIONS["float32"], PRECISIONS["float64"]
    model = worst_case_rounding(row, frozenset() if formulas == "accurate" else None)
    # in the range of float64
    model = replace(model, underflow=2 * float64.least_normal, largest=float64.largest, dtype="float64")
    target = Adverse(unit=row.unit, sign=sign, formulas=formulas)
    for seed in np.random.default_rng(seed_of_the_run).integers(2**31, size=12):
        for kind in ("plain", "zeros", "ties", "saturated"):
            problem = random_problem(seed, kind, activations=LAYERS)
            assert not outside(target.gradient(problem), *judged(problem, model)), repr(problem)


def test_the_reference_alone_stays_within_its_own_half(seed_of_the_run):
    for seed in np.random.default_rng(seed_of_the_run).integers(2**31, size=25):
        problem = random_problem(seed, "saturated", activations=LAYERS)
        assert not outside(Honest(dtype=np.longdouble, seed=1).gradient(problem), *judged(problem, REFERENCE)), repr(problem)


def layers(rng, widths, activations, scale, loss):
    """Numbers that float32 holds, 64 samples."""
    weights = [np.float32(rng.normal(0, scale / np.sqrt(m), (n, m))) for m, n in itertools.pairwise(widths)]
    outputs = widths[-1]
    y = np.eye(outputs)[rng.integers(outputs, size=64)] if "cross" in loss else np.float32(rng.normal(size=(64, outputs)))
    x = np.float32(rng.normal(size=(64, widths[0])))
    return Problem(weights, activations=activations, x=x, y=y, loss=loss, reduction="mean")


REAL = [
    ((100, 70, 64, 10), ["tanh", "relu", "softmax"]),
    ((100, 70, 64, 10), ["softmax", "tanh", "identity"]),
    ((64, 96, 96, 30), ["relu", "softmax", "softmax"]),
]


@pytest.mark.parametrize("loss", ["half_squared_error", "softmax_cross_entropy"])
@pytest.mark.parametrize("scale", [1, 4, 12])
@pytest.mark.parametrize(("widths", "activations"), REAL, ids=[" ".join(activations) for _, activations in REAL])
def test_the_second_moment_holds_honest_passes_at_real_sizes(widths, activations, scale, loss, seed_of_the_run):
    row = PRECISIONS["float32"]
    problem = layers(np.random.default_rng(seed_of_the_run), widths, activations, scale, loss)
    passed = passes(problem)
    truth = dict(gradient_of_passes(passed.forward, passed.backward).arrays())
    sigma = dict(Variances(passed, typical_rounding(row)).deviation(x=True, loss=True).sigma.arrays())
    for pullback in PULLBACKS:
        answer = Honest(dtype=np.float32, pullback=pullback).gradient(problem)
        for place, array in answer.arrays():
            assert (np.abs(array - truth[place]) <= 8 * sigma[place]).all(), (pullback, str(place))
        assert verify(problem, Gradient(answer.weights, answer.biases)).verdict == "right"


@pytest.mark.parametrize(("widths", "activations"), REAL, ids=[" ".join(activations) for _, activations in REAL])
def test_a_diagonal_jacobian_is_wrong_at_real_sizes(widths, activations, seed_of_the_run):
    class Diagonal(Honest):
        def pulled_back(self, z, p, e):
            return p * (1 - p) * e

    problem = layers(np.random.default_rng(seed_of_the_run), widths, activations, 2, "half_squared_error")
    answer = Diagonal(dtype=np.float32).gradient(problem)
    assert verify(problem, Gradient(answer.weights, answer.biases)).verdict == "wrong"


def test_an_error_of_a_few_units_is_seen_in_float64():
    problem = Problem([[[0.5, -1.0], [1.0, 0.25], [-0.5, 0.5]]], activations=["softmax"], x=[[1.0, 2.0]], y=[[0.5, 0.0, 0.25]])
    answer = Honest().gradient(problem)
    assert verify(problem, answer).verdict == "right"
    answer.weights[0][1, 0] *= 1 + 1e-11
    assert verify(problem, answer).verdict == "wrong"


def test_exp_of_z_less_its_logsumexp_is_lossy_where_z_is_large():
    problem = Problem([[[1.0], [1.0]]], biases=[[0.0, -5.0]], activations=["softmax"], x=[[3000.25]], y=[[0.0, 0.0]])
    answer = Honest(formulas="textbook").gradient(problem)
    judgement = verify(problem, answer)
    assert (judgement.verdict, judgement.functions) == ("lossy", ("softmax",))
    assert judgement.reason.startswith("as far off as softmax by exp(z - logsumexp(z)) (large z) would be, ")


@pytest.mark.parametrize("shift", [-800.0, 0.0, 800.0])
def test_what_all_z_have_in_common_changes_nothing(shift):
    z, e = np.array([[0.5, -1.0, 2.0]]), np.array([[1.0, 3.0, -2.0]])
    row = ACTIVATIONS["softmax"]()
    np.testing.assert_array_equal(row.value(z + shift), row.value(z))
    np.testing.assert_array_equal(row.pullback(z + shift, e), row.pullback(z, e))


def test_no_claim_is_made_of_a_softmax_with_a_z_beyond_the_range():
    problem = Problem([[[1.0], [1e39]]], activations=["softmax"], x=[[1.0]], y=[[0.0, 0.0]])
    _, bound = judged(problem, worst_case_rounding(PRECISIONS["float32"]))
    assert all(np.isinf(array).all() for place, array in bound.items() if place.quantity in ("activations", "deltas", "weights"))


def behind_a_softmax(activations=("softmax", "identity"), widths=(4, 5, 3), batch=16, scale=1.0, seed=0):
    """A network with layers of softmax, whose numbers float32 holds."""
    rng = np.random.default_rng(seed)
    weights = [np.float32(scale * rng.normal(size=(n, m))) for m, n in itertools.pairwise(widths)]
    x, y = np.float32(rng.normal(size=(batch, widths[0]))), np.float32(rng.normal(size=(batch, widths[-1])))
    return Problem(weights, activations=list(activations), x=x, y=y)


def projected(problem, layer, weight):
    exact = passes(problem).backward.products[layer][:]
    return float(np.vdot(weight, exact) / np.vdot(exact, exact))


def with_roundings(problem, layer, exponentials=0.0, sums=0.0, subtracted=0.0, products=0.0):
    """f of a pass in which what a softmax rounds is off, by shares of it: exponentials, their sum, sum p e, products."""
    (first, second), x = problem.weights, problem.x
    p = softmax(x @ first.T + exponentials) * (1 + sums)
    error = p @ second.T - problem.y
    e = error @ second
    size = np.sum(p * np.abs(e), axis=1, keepdims=True)
    delta = p * (e - np.sum(p * e, axis=1, keepdims=True) - subtracted * size) + products * p * (np.abs(e) + size)
    return projected(problem, layer, (error.T @ p, delta.T @ x)[1 - layer])


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("place", ["exponentials", "sums", "subtracted", "products"])
def test_every_place_where_a_softmax_rounds_moves_a_projection_as_is_said(place, layer):
    """Beside what a pass comes to where only that place is off, by a little."""
    problem = behind_a_softmax()
    passed, number = passes(problem), ["exponentials", "sums", "subtracted", "products"].index(place)
    variances = Variances(passed, typical_rounding(PRECISIONS["float32"]))
    z, e, found = passed.forward.pre_activations[0], passed.backward.errors[0], influences(passed, layer, variances)
    by = [np.broadcast_to(each, z.shape) for each in (found.pre_activations[0], found.activations[1], found.deltas[0])]
    moved, shift = variances.joint[0].moved_by(z, e, *by)[number], np.log(np.exp(z).sum(axis=1))
    size = {
        "exponentials": np.sqrt((z - shift[:, None]) ** 2 + FUNCTION_ERROR**2 + 2),
        "sums": np.sqrt(5 / 3 + SHARED + shift**2),
        "subtracted": -np.sqrt(5 + SHARED),
        "products": np.sqrt(5 + SHARED),
    }[place]
    off, step = np.random.default_rng(1).normal(size=moved.shape), 1e-5
    above, below = (with_roundings(problem, layer, **{place: sign * step * off.reshape(16, -1)}) for sign in (1, -1))
    assert np.vdot(moved / size, off) == pytest.approx((above - below) / (2 * step), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("sure", [30.0, 50.0, 60.0])
def test_an_entry_of_a_jacobian_that_underflows_accuses_nobody(sure):
    """The class that is expected has a p of 1e-13 to 1e-26, and e is one over that: p_i p_j e_j is p_i, where it does not underflow."""
    rng = np.random.default_rng(1)
    weight = np.float32(np.vstack([np.full((1, 8), sure / 8), rng.normal(size=(63, 8)) / 8]))
    x, y = np.float32(1 + rng.normal(size=(32, 8)) / 16), np.eye(64)[rng.integers(1, 64, size=32)]
    problem = Problem([weight], activations=["softmax"], x=x, y=y, loss="cross_entropy_of_probabilities")
    assert not verify(problem, Textbook("float32")(problem)).failed


@pytest.mark.parametrize("spread", [250.0, 340.0, 360.0, 420.0, 700.0])
def test_a_p_of_which_the_square_leaves_the_range_has_a_v(spread):
    """In float64 V of p = 1e-150 was as good as 0, and what an honest pass makes of it far outside."""
    problem = behind_a_softmax(["softmax"], (6, 64), batch=32)
    z = passes(problem).forward.pre_activations[0]
    problem = problem.replaced(weights=[problem.weights[0] * spread / (z.max() - z.min())])
    passed = passes(problem)
    found = Variances(passed, typical_rounding(PRECISIONS["float64"])).deviation(x=False, loss=False)
    z = Honest(seed=3).product(problem.x, problem.weights[0].T)
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    e = passed.backward.errors[0]
    delta = p * (e - np.sum(p * e, axis=1, keepdims=True))
    for got, exact, variance in (
        (p, passed.forward.activations[1], found.variance.activations[0]),
        (delta, passed.backward.deltas[0], found.variance.deltas[0]),
    ):
        assert (np.abs(got - exact) <= 8 * found.unit * np.sqrt(variance)).all()


NETWORKS = {
    "hidden": (("softmax", "identity"), (6, 40, 3)),
    "twice": (("softmax", "softmax", "identity"), (8, 30, 20, 5)),
    "last": (("tanh", "softmax"), (8, 20, 12)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("network", NETWORKS)
def test_a_projection_holds_honest_passes_and_says_something(network, way, seed_of_the_run):
    (activations, widths), float32 = NETWORKS[network], PRECISIONS["float32"]
    for seed in range(8):
        problem = behind_a_softmax(activations, widths, batch=32, seed=[seed_of_the_run, seed])
        answer, bounds = (
            Honest(np.float32, **WAYS[way]).gradient(problem),
            Projections(Variances(passes(problem), typical_rounding(float32))),
        )
        allowed = [bounds.bound(layer) for layer in range(problem.depth)]
        off = [abs(projected(problem, layer, weight) - 1) for layer, weight in enumerate(answer.weights)]
        assert all(each <= most for each, most in zip(off, allowed, strict=True))
        assert max(allowed) < 1e-3


def test_nothing_is_said_of_a_projection_where_logits_are_off_by_more_than_a_little_or_p_is_stored_in_16_bits():
    def bound(problem, precision):
        return Projections(Variances(passes(problem), typical_rounding(PRECISIONS[precision]))).bound(0)

    assert bound(behind_a_softmax(), "float32") < 1e-3
    assert bound(behind_a_softmax(scale=2000.0), "float32") == np.inf
    assert bound(behind_a_softmax(), "bfloat16/float32") == np.inf


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_the_loss_allows_for_what_logsumexp_leaves_in_p(precision, seed_of_the_run):
    """p of a sure and wrong answer, as exp(a - logsumexp(a)), was off by up to 77 times what the lossy grade allowed."""
    dtype, model, loss = np.dtype(precision).type, worst_case_rounding(PRECISIONS[precision], None), "softmax_cross_entropy"
    y, rng, beyond = np.eye(3)[[1]], np.random.default_rng(seed_of_the_run), 0
    for _ in range(200):
        a = np.abs(3000 * rng.normal(size=(1, 3))).astype(dtype)  # so that another is near the largest
        a[:, 0] = a.max() + dtype(rng.choice([2, 4, 6]))
        off = np.abs(softmax_by_logsumexp(a) - y - LOSSES[loss]().derivative(a.astype(float), y))
        rounding, zero = ROUNDED_LOSSES[loss](), np.zeros((1, 3))
        assert (off <= rounding.derivative_error(a.astype(float), y, zero, model)).all(), a
        beyond += (off > rounding.derivative_error(a.astype(float), y, zero, worst_case_rounding(PRECISIONS[precision]))).any()
    assert beyond > 100  # it is lossy, not right
