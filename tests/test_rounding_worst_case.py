"""The rounding bound holds every honest pass, bites on small mistakes, and says nothing where it cannot."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from properties.judging.judge import verify
from reference.backward import gradient
from reference.functions.losses import LOSSES
from reference.gradient import Gradient
from reference.passes import passes
from reference.problem import Problem
from rounding.arithmetic import REFERENCE, WorstCaseRounding, worst_case_rounding
from rounding.precisions import PRECISIONS
from rounding.worst_case import rounding_bound
from tests.honest_passes import KINDS, Adverse, Honest, claims_where_all_hold, judged, outside, random_problem


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield


DTYPES = {"float64": np.float64, "float32": np.float32, "float16": np.float16}
VARIANTS = {
    "NumPy": {},
    "reversed loops": {"seed": 0},
    "random order, subgradient 1": {"seed": 7, "side": 1.0},
    "flushed to zero": {"flush": True, "seed": 3},
    "mean at the end, subgradient 1/2": {"mean": "last", "side": 0.5},
    "times 1/B": {"mean": "share", "seed": 5},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("formulas", ["accurate", "textbook"])
def test_holds_honest_passes(kind, precision, formulas):
    dtype = DTYPES[precision]
    model = worst_case_rounding(PRECISIONS[precision], frozenset() if formulas == "accurate" else None)
    honest = {name: Honest(dtype=dtype, formulas=formulas, **options) for name, options in VARIANTS.items()}
    # the test is not idle: a claim is made nearly everywhere, but where numbers leave the range on purpose
    assert claims_where_all_hold(15, kind, precision, model, honest) > (
        0.1 if kind == "huge" else 0.6 if precision == "float16" or kind == "mixed" else 0.95
    )


@pytest.mark.parametrize("formulas", ["accurate", "textbook"])
@pytest.mark.parametrize("precision", [name for name in PRECISIONS if name != "float64"])
def test_holds_the_largest_errors_that_the_model_allows(precision, formulas):
    # in the range of float64
    row, float64 = PRECISIONS[precision], PRECISIONS["float64"]
    model = replace(
        worst_case_rounding(row, frozenset() if formulas == "accurate" else None),
        underflow=2 * float64.least_normal,
        largest=float64.largest,
        dtype="float64",
    )
    units = {"unit": row.unit, "product_unit": row.product_unit}
    units |= {name: getattr(row, name) for name in ("sum_unit", "function_unit") if getattr(row, f"{name[:-5]}_bits")}
    for seed in range(12):
        for kind in ("plain", "zeros", "ties", "saturated", "mixed"):
            problem = random_problem(seed, kind)
            truth, bound = judged(problem, model)
            for sign in (1, -1, 0):
                # each sign with each of them, by turns
                mean = "last" if problem.reduction == "mean" and (seed + sign) % 2 else "first"
                target = Adverse(**units, sign=sign, mean=mean, formulas=formulas).gradient(problem)
                found = outside(target, truth, bound)
                assert not found, f"{found} by sign {sign} on {problem!r}"


def test_holds_a_pass_in_long_double():
    for seed in range(25):
        for kind in KINDS:
            problem = random_problem(seed, kind)
            target = Honest(dtype=np.longdouble, seed=1).gradient(problem)
            assert not outside(target, *judged(problem, worst_case_rounding(PRECISIONS["float64"]))), repr(problem)
            # long double is as good as exact: the reference alone stays within its own half of the bound
            assert not outside(target, *judged(problem, REFERENCE)), repr(problem)


def test_holds_permuted_nodes():
    for seed in range(60):
        problem = random_problem(seed, "plain")
        rng = np.random.default_rng(seed)
        orders = [rng.permutation(n) for n in problem.widths]
        moved = Problem(
            [w[np.ix_(after, before)] for w, before, after in zip(problem.weights, orders, orders[1:], strict=False)],
            biases=[None if b is None else b[after] for b, after in zip(problem.biases, orders[1:], strict=True)],
            activations=problem.activations,
            x=problem.x[:, orders[0]],
            y=problem.y[:, orders[-1]],
            loss=problem.loss,
            reduction=problem.reduction,
        )
        back = [np.argsort(order) for order in orders]
        found = gradient(moved)
        target = Gradient(
            [w[np.ix_(after, before)] for w, before, after in zip(found.weights, back, back[1:], strict=False)],
            [b[after] for b, after in zip(found.biases, back[1:], strict=True)],
            x=found.x[:, back[0]],
            loss=found.loss,
        )
        assert not outside(target, *judged(problem, worst_case_rounding(PRECISIONS["float64"])))


# ---- each of these was, or would be, a wrong alarm ----

TINY32 = 2.0**-126
SPECIAL = {
    "an activation that leaves the range, then a small weight": Problem(
        [[[1.0]], [[2.0**-60]]], activations=[("leaky_relu", {"slope": 64.0}), "identity"], x=[[-(2.0**123)]], y=[[0.0]]
    ),
    "a slope that leaves the range": Problem([[[1.0]]], activations=[("leaky_relu", {"slope": 1e39})], x=[[-1e-10]], y=[[0.0]]),
    "an input that leaves the range": Problem([[[1e-20]]], activations=["identity"], x=[[1e39]], y=[[0.0]]),
    "a sum that fits, but not with its rounding, from the last term to the first": Problem(
        [[[1.0] * 8]], activations=["identity"], x=[[2.0**127 - 11 * 2.0**103, *[2.0**103 + 2.0**80] * 6, 2.0**127 + 2.0**104]], y=[[0.0]]
    ),
    "a difference that is flushed": Problem([[[1.0]]], activations=["identity"], x=[[1.5 * TINY32]], y=[[TINY32]]),
    "inputs that are not representable": Problem(
        [[[0.1, 0.7]], [[0.3]]], activations=["tanh", "sigmoid"], biases=[[0.1], [0.2]], x=[[0.1, 1 / 3]], y=[[0.7]]
    ),
    "labels that are not representable": Problem(
        [np.eye(3)], activations=["identity"], x=[[1.0, 2.0, 30.0]], y=[[0.1, 0.3, 0.7]], loss="binary_cross_entropy_with_logits"
    ),
    "a saturated label that is not representable": Problem(
        [[[1.0]]], activations=["identity"], x=[[40.0]], y=[[0.7]], loss="binary_cross_entropy_with_logits"
    ),
    "a label that rounds to 1": Problem(
        [[[1.0]]], activations=["identity"], x=[[40.0]], y=[[1 - 2.0**-30]], loss="binary_cross_entropy_with_logits"
    ),
    "a distribution that rounds to one label": Problem(
        [np.eye(2)], activations=["identity"], x=[[40.0, 0.0]], y=[[1 - 2.0**-30, 2.0**-30]], loss="softmax_cross_entropy"
    ),
    "a distribution that is not representable": Problem(
        [np.eye(3)], activations=["identity"], x=[[40.0, 2.0, 3.0]], y=[[0.1, 0.3, 0.6]], loss="softmax_cross_entropy"
    ),
}


@pytest.mark.parametrize("formulas", ["accurate", "textbook"])
@pytest.mark.parametrize("name", SPECIAL)
def test_holds_in_float32(name, formulas):
    problem = SPECIAL[name]
    truth, bound = judged(problem, worst_case_rounding(PRECISIONS["float32"], frozenset() if formulas == "accurate" else None))
    for variant, options in VARIANTS.items():
        found = outside(Honest(dtype=np.float32, formulas=formulas, **options).gradient(problem), truth, bound)
        assert not found, f"{variant}: {found}"


# ---- it bites ----

NORMAL = Problem(
    [[[0.5, -0.25], [1.25, 0.75], [-0.5, 1.0]], [[0.75, -1.5, 0.5]]],
    activations=["tanh", "sigmoid"],
    biases=[[0.125, -0.25, 0.5], [0.25]],
    x=[[1.0, -0.5], [0.25, 0.75]],
    y=[[0.5], [0.25]],
)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("quantity", ["weights", "biases"])
def test_a_relative_error_of_1e_11_is_outside_in_every_entry(quantity, layer):
    model = worst_case_rounding(PRECISIONS["float64"])
    answer = gradient(NORMAL)
    for entry in np.ndindex(getattr(answer, quantity)[layer].shape):
        arrays = [array.copy() for array in getattr(answer, quantity)]
        arrays[layer][entry] *= 1 + 1e-11
        found = outside(replace(answer, **{quantity: arrays}), *judged(NORMAL, model))
        assert [place for place, _, _ in found] == [f"layer {layer + 1}: dC/d{'W' if quantity == 'weights' else 'b'}"]


@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("quantity", ["x", "loss", "pre_activations", "activations", "deltas"])
def test_a_relative_error_of_a_thousand_units_is_outside(quantity, precision):
    unit = PRECISIONS[precision].unit
    for place, array in gradient(NORMAL).arrays():
        if place.quantity == quantity:
            moved = np.asarray(array) * (1 + 1000 * unit)
            answer = Gradient([], **{quantity: moved if place.layer is None else {1: [moved], 2: [None, moved]}[place.layer]})
            assert outside(answer, *judged(NORMAL, worst_case_rounding(PRECISIONS[precision]))), place


def test_a_model_without_rounding_allows_nothing_on_a_smooth_problem():
    bound = rounding_bound(passes(NORMAL), WorstCaseRounding(unit=0.0, underflow=0.0, largest=PRECISIONS["float64"].largest))
    for place, array in bound.arrays():
        assert np.all(np.asarray(array) == 0), place


def test_lossy_formulas_are_allowed_for_by_name():
    saturated = NORMAL.replaced(x=[[20.0, -30.0], [25.0, 30.0]])
    right, tanh, others, both = (
        rounding_bound(passes(saturated), worst_case_rounding(PRECISIONS["float64"], names))
        for names in (frozenset(), frozenset({"tanh"}), frozenset({"gelu"}), None)
    )
    assert (tanh.weights[0] > 100 * right.weights[0]).any()
    for a, b in zip(others.arrays(), right.arrays(), strict=True):
        assert np.array_equal(a[1], b[1])
    for a, b in zip(both.arrays(), tanh.arrays(), strict=True):
        assert np.all(a[1] >= b[1])


# ---- kinks: the whole jump within E(z) of one, nothing elsewhere ----


@pytest.mark.parametrize("x", [0.0, 2.0**-60])
def test_any_slope_is_allowed_at_a_kink(x):
    # 3 x - 3 x in three terms: exactly 0, though its rounding is not
    problem = Problem([[[1.0, 1.0, -1.0]]], activations=["relu"], x=[[3.0, x, 3.0]], y=[[-1.0]])
    bound = rounding_bound(passes(problem), worst_case_rounding(PRECISIONS["float64"]))
    # dC/da = 1 (+ x), and its slope is anywhere from 0 to 1; times x = 3 in dC/dW; 1e-8: the inflation
    assert 1.0 <= bound.deltas[0][0, 0] < 1.0 + 1e-8
    assert 3.0 <= bound.weights[0][0, 0] < 3.0 + 1e-8


@pytest.mark.parametrize("x", [2.0**-40, -(2.0**-40)])
def test_nothing_is_given_away_beside_a_kink(x):
    problem = Problem([[[1.0, 1.0, -1.0]]], activations=["relu"], x=[[3.0, x, 3.0]], y=[[-1.0]])
    assert rounding_bound(passes(problem), worst_case_rounding(PRECISIONS["float64"])).deltas[0][0, 0] < 1e-14


# ---- infinite where no claim is made; never NaN, never negative ----


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", DTYPES)
def test_is_never_nan_nor_negative(kind, precision):
    for seed in range(20):
        problem = random_problem(seed, kind)
        passed = passes(problem)
        for names in (frozenset(), None):
            for place, array in rounding_bound(passed, worst_case_rounding(PRECISIONS[precision], names)).arrays():
                assert np.all(np.asarray(array) >= 0), (place, problem)


OVERFLOWS = {
    "z overflows": Problem([[[1e200]]], activations=["tanh"], x=[[1e200]], y=[[0.0]]),
    "a product in z overflows and cancels": Problem([[[1e200, 1e200]]], activations=["tanh"], x=[[1e200, -1e200]], y=[[0.0]]),
    "gelu_tanh's cube overflows": Problem([[[1.0]]], activations=["gelu_tanh"], x=[[1e150]], y=[[0.0]]),
    "the error overflows": Problem([[[1.0]]], activations=["identity"], x=[[1e308]], y=[[-1e308]]),
    "the error times z overflows": Problem([[[1.0]]], activations=["silu"], x=[[1e160]], y=[[0.0]]),
}


@pytest.mark.parametrize("name", OVERFLOWS)
def test_is_infinite_where_numbers_leave_the_range(name):
    bound = rounding_bound(passes(OVERFLOWS[name]), worst_case_rounding(PRECISIONS["float64"]))
    assert np.isinf(bound.weights[0]).all() and np.isinf(bound.deltas[0]).all()


@pytest.mark.parametrize(("z", "verdict"), [(-10.25, "right"), (-9.75, "lossy")])
def test_what_underflows_in_the_tail_of_gelu_tanh_is_multiplied(z, verdict):
    """s(2q) is below the least normal number of float32 at the first z, so that g' may become 0; at the second it is not."""
    problem = Problem([[[1.0]]], activations=["gelu_tanh"], x=[[z]], y=[[1.0]])
    flushed = Gradient([np.zeros((1, 1), dtype=np.float32)], [np.zeros(1, dtype=np.float32)])
    assert verify(problem, flushed).verdict == verdict


def test_no_claim_is_made_for_a_softmax_with_a_logit_that_has_none():
    weights, y = [[[1e200, -1e200], [1.0, 0.0]]], [[0.0, 1.0]]
    problem = Problem(weights, activations=["tanh"], x=[[1e200, 1e200]], y=y, loss="softmax_cross_entropy")
    bound = rounding_bound(passes(problem), worst_case_rounding(PRECISIONS["float64"]))
    assert np.isfinite(bound.activations[0]).tolist() == [[False, True]]
    assert np.isinf(bound.deltas[0]).all()


def test_claims_of_float64_are_none_of_float32():
    problem = Problem([[[1e20]]], activations=["identity"], x=[[1e20]], y=[[0.0]])
    assert np.isfinite(rounding_bound(passes(problem), worst_case_rounding(PRECISIONS["float64"])).pre_activations[0]).all()
    assert np.isinf(rounding_bound(passes(problem), worst_case_rounding(PRECISIONS["float32"])).pre_activations[0]).all()


def test_a_claim_is_made_for_what_does_not_depend_on_an_overflow():
    problem = Problem([np.diag([1.0, 2.0])], activations=["identity"], x=[[1.0, 3e38]], y=[[0.0, 0.0]])
    bound = rounding_bound(passes(problem), worst_case_rounding(PRECISIONS["float32"]))
    assert np.isfinite(bound.pre_activations[0]).tolist() == [[True, False]]


# ---- its form ----


@pytest.mark.parametrize("kind", KINDS)
def test_grows_with_the_unit_and_the_underflow(kind):
    largest = PRECISIONS["float64"].largest
    for seed in range(20):
        passed = passes(random_problem(seed, kind))
        bounds = [
            rounding_bound(passed, WorstCaseRounding(unit=unit, underflow=eta, largest=largest))
            for unit, eta in ((2.0**-53, 1e-307), (2.0**-40, 1e-307), (2.0**-40, 1e-40), (2.0**-10, 1e-5))
        ]
        for less, more in itertools.pairwise(bounds):
            for (place, a), (_, b) in zip(less.arrays(), more.arrays(), strict=True):
                assert np.all(np.asarray(a) <= np.asarray(b) * (1 + 1e-9)), place


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("loss", LOSSES)
def test_many_problems_in_one_array_are_as_one_by_one(loss, reduction):
    rng = np.random.default_rng(4)
    problems = []
    for _ in range(3):
        y = rng.random((2, 3))
        problems.append(
            Problem(
                [rng.normal(size=(4, 2)), rng.normal(size=(3, 4))],
                activations=["gelu", [*LOSSES[loss]().behind, "leaky_relu"][0]],
                biases=[rng.normal(size=4), None],
                x=rng.normal(size=(2, 2)),
                y=y / y.sum(axis=1, keepdims=True),
                loss=loss,
                reduction=reduction,
            )
        )
    stacked = problems[0].copy()
    stacked.weights = tuple(np.stack(w) for w in zip(*(p.weights for p in problems), strict=True))
    stacked.biases = (np.stack([p.biases[0] for p in problems]), None)
    stacked.x, stacked.y = np.stack([p.x for p in problems]), np.stack([p.y for p in problems])
    assert (stacked.batch, stacked.widths) == (2, (2, 4, 3))
    model = worst_case_rounding(PRECISIONS["float32"], None)
    together = dict(gradient(stacked).arrays()), dict(rounding_bound(passes(stacked), model).arrays())
    for i, problem in enumerate(problems):
        alone = gradient(problem), rounding_bound(passes(problem), model)
        for all_of_them, one in zip(together, alone, strict=True):
            for place, array in one.arrays():
                # sums of a few terms in another order: a few u
                np.testing.assert_allclose(all_of_them[place][i], array, rtol=1e-14, atol=1e-15, err_msg=str(place))
