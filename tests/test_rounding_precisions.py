"""The table of precisions says what the formats are, and the rounding bound holds honest passes in each, sees small mistakes in each."""

from dataclasses import replace
from itertools import pairwise

import ml_dtypes
import numpy as np
import pytest

from properties.problems.blocks import one_of_each_block
from properties.problems.support import Support
from reference.backward import gradient
from reference.dtypes import DTYPES
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.gradient import Gradient, Place
from reference.passes import passes
from reference.problem import Problem
from rounding.arithmetic import worst_case_rounding
from rounding.losses import ROUNDED_LOSSES
from rounding.precisions import PRECISIONS
from rounding.worst_case import rounding_bound, slope_bound, value_bound
from tests.honest_passes import KINDS, OF_ANY_NUMBERS, Slopeless, Stored, claims_where_all_hold, factor, judged, outside, random_problem

NEW = [name for name in PRECISIONS if name not in ("float64", "float32")]
"""Rows of numbers that NumPy's own passes do not cover."""


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield


# ---- the table ----


@pytest.mark.parametrize("name", PRECISIONS)
def test_a_row_is_its_format(name):
    row = PRECISIONS[name]
    info = ml_dtypes.finfo(DTYPES[row.storage])
    assert row.unit == float(info.eps) / 2
    assert row.least_normal == float(info.smallest_normal)
    assert 2.0**row.least_exponent == float(info.smallest_subnormal)
    assert row.largest == float(info.max)
    assert row.name.split("/")[0] in (row.storage, "tf32")
    assert row.name.split("/")[1:] == ["float32"] * (bool(row.sum_bits) + bool(row.function_bits))


def test_what_sums_products_and_functions_keep():
    units = {name: (row.unit, row.sum_unit, row.function_unit, row.product_unit) for name, row in PRECISIONS.items()}
    assert units == {
        "float64": (2.0**-53, 2.0**-53, 2.0**-53, 0.0),
        "float32": (2.0**-24, 2.0**-24, 2.0**-24, 0.0),
        "tf32": (2.0**-24, 2.0**-24, 2.0**-24, 2.0**-11),
        "float16/float32/float32": (2.0**-11, 2.0**-24, 2.0**-24, 0.0),
        "float16/float32": (2.0**-11, 2.0**-24, 2.0**-11, 0.0),
        "float16": (2.0**-11, 2.0**-11, 2.0**-11, 0.0),
        "bfloat16/float32/float32": (2.0**-8, 2.0**-24, 2.0**-24, 0.0),
        "bfloat16/float32": (2.0**-8, 2.0**-24, 2.0**-8, 0.0),
        "bfloat16": (2.0**-8, 2.0**-8, 2.0**-8, 0.0),
    }


@pytest.mark.parametrize("name", PRECISIONS)
def test_what_is_held_are_the_nearest_numbers_of_the_storage(name):
    row, rng = PRECISIONS[name], np.random.default_rng(1)
    x = rng.normal(size=1000) * row.largest ** rng.uniform(-0.9, 0.9, size=1000)
    x = np.concatenate([x, [0.0, row.largest, -row.least_normal, 2.0**row.least_exponent]])
    held, dtype = row.held(x), DTYPES[row.storage]
    assert np.array_equal(held, x.astype(dtype).astype(np.float64))
    assert np.array_equal(held, row.held(held))
    normal = np.abs(x) >= row.least_normal
    assert (np.abs(held - x) <= row.unit * np.abs(x))[normal].all()
    assert (np.abs(held - x) <= 2.0 ** (row.least_exponent - 1)).all(where=~normal)
    # a target is given a dtype that every framework reads, and that holds them all
    assert np.array_equal(held.astype(row.given).astype(np.float64), held)
    if name != "float64":
        assert row.held([2 * row.largest, -2 * row.largest]).tolist() == [np.inf, -np.inf]


@pytest.mark.parametrize(("bits", "dtype"), [(11, np.float16), (8, ml_dtypes.bfloat16), (24, np.float32)])
def test_rounding_a_factor_is_rounding_to_a_format_of_as_many_bits(bits, dtype):
    rng = np.random.default_rng(2)
    x = (rng.uniform(-2, 2, size=5000) * 2.0 ** rng.integers(-4, 10, size=5000)).astype(np.float32).astype(np.float64)
    x = x[np.abs(x) > 2.0**-14]  # where float16 keeps its digits
    x = np.concatenate([x, [0.0, 1 + 2.0**-bits, 1 + 3 * 2.0**-bits, -2.0 + 2.0**-bits]])
    assert np.array_equal(factor(x, bits), x.astype(dtype).astype(np.float64))


# ---- honest passes are inside ----

VARIANTS = {
    "functions in float32": {},
    "in random order, subgradient 1": {"by_steps": True, "seed": 7, "side": 1.0},
    "one after the other, subgradient 1/2, mean at the end": {"seed": 0, "side": 0.5, "mean": "last"},
    "every operation rounded, times 1/B": {"by_steps": True, "mean": "share"},
}


def stored(row, by_steps=False, formulas="accurate", **options):
    """An honest pass, which does not round each step of a function where the precision says that it is rounded once.

    There one that goes by steps computes slopes from stored activations in their place: a textbook formula.
    """
    once = bool(row.function_bits)
    return Stored(
        row=row, by_steps=by_steps and not once, reuses=by_steps and once and formulas == "textbook", formulas=formulas, **options
    )


@pytest.mark.parametrize("formulas", ["accurate", "textbook"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", NEW)
def test_holds_honest_passes(precision, kind, formulas):
    row = PRECISIONS[precision]
    model = worst_case_rounding(row, frozenset() if formulas == "accurate" else None)
    honest = {name: stored(row, formulas=formulas, **options) for name, options in VARIANTS.items()}
    assert claims_where_all_hold(12, kind, precision, model, honest) > (0.1 if kind == "huge" else 0.6)


@pytest.mark.parametrize("precision", NEW)
def test_holds_honest_passes_on_wide_networks(precision):
    row = PRECISIONS[precision]
    for problem in one_of_each_block(6, 3, Support.of({"width": (30, 60), "batch": (30, 60), "depth": (1, 3)}), precision):
        truth, bound = judged(problem, worst_case_rounding(row, None))
        for by_steps in (False, True):
            assert not outside(stored(row, by_steps, "textbook", seed=1).gradient(problem), truth, bound), problem


WAYS = [(formulas, by_steps) for formulas in ("accurate", "textbook") for by_steps in (False, True)]


@pytest.mark.parametrize("precision", ["float32", *NEW])
def test_honest_passes_stay_well_inside_on_drawn_problems(precision):
    row = PRECISIONS[precision]
    shares, sharp = [], 0
    # those of probabilities make no claim of sure outputs: tests/test_rounding_probabilities.py
    for problem in one_of_each_block(40, 11, Support.of({"losses": OF_ANY_NUMBERS}), precision):
        truth, bound = judged(problem, worst_case_rounding(row, None))
        parts = [place for place in truth if place.quantity in ("weights", "biases") and np.isfinite(bound[place]).all()]
        answers = [stored(row, s, f, seed=1 if s else None).gradient(problem) for f, s in WAYS]
        assert not any(outside(answer, truth, bound) for answer in answers), problem
        # near a kink the jump is allowed, and another slope uses it up
        first = rounding_bound(passes(problem), worst_case_rounding(row, None), jumps=False).weights[0] if parts else None
        if parts and np.array_equal(first, bound[Place("weights", 1)]):
            off = [np.nanmax(np.abs(dict(answer.arrays())[place] - truth[place]) / bound[place]) for answer in answers for place in parts]
            shares.append(max(off))
            sharp += all(np.max(bound[place]) < np.max(np.abs(truth[place])) / 2 for place in parts if place.quantity == "weights")
    told = f"largest {max(shares):.2f}, median {np.median(shares):.3f}; below half the gradient in {sharp} of {len(shares)}"
    print(f"measured: {precision}: {told}")
    assert np.quantile(shares, 0.9) < (0.6 if precision == "tf32" else 0.3)


# ---- mistakes are outside ----


def doubled(row, problem):
    found = Stored(row=row).gradient(problem)
    return Gradient([2 * weight for weight in found.weights], found.biases)


def without_slopes(row, problem):
    found = Slopeless(row=row).gradient(problem)
    return Gradient(found.weights, found.biases)


def without_mean(row, problem):
    found = Stored(row=row).gradient(problem.replaced(reduction="sum"))
    return Gradient(found.weights, found.biases)


MISTAKES = {
    # mistake: which problems it shows on
    doubled: lambda problem: True,
    without_slopes: lambda problem: any(not row_of(ACTIVATIONS, choice).kinks for choice in problem.activations if choice != "identity"),
    without_mean: lambda problem: problem.reduction == "mean" and problem.batch > 1,
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
@pytest.mark.parametrize("precision", NEW)
def test_mistakes_are_outside(precision, mistake):
    row = PRECISIONS[precision]
    drawn = (random_problem(seed, "plain", precision) for seed in range(50))
    # of a layer with softmax the bound says less in so few bits: test_rounding_softmax.py
    posed = [problem for problem in drawn if MISTAKES[mistake](problem) and "softmax" not in problem.activations]
    found = [bool(outside(mistake(row, problem), *judged(problem, worst_case_rounding(row)))) for problem in posed]
    assert len(found) > 10
    # the rest are networks so deep, for so few bits, that the bound says nothing, or gradients that are 0
    assert np.mean(found) > 0.8


@pytest.mark.parametrize("precision", NEW)
def test_sums_kept_apart_allow_less(precision):
    row = PRECISIONS[precision]
    together = replace(row, sum_bits=0)
    for terms in (1, 2, 3, 100, 10**6):
        apart, alike = (worst_case_rounding(each).sum(terms) for each in (row, together))
        assert apart < alike if row.sum_bits and terms > 2 else apart >= alike
    if row.sum_bits:
        assert worst_case_rounding(row).sum(10**4) < 2.2 * row.unit + 2 * 10**4 * row.sum_unit


def test_a_sum_of_too_many_terms_has_no_bound():
    assert worst_case_rounding(PRECISIONS["bfloat16"]).sum(10**6) == np.inf
    problem = Problem([[[1.0]]], activations=["identity"], x=np.ones((200_000, 1)), y=np.zeros((200_000, 1)))
    bound = rounding_bound(passes(problem), worst_case_rounding(PRECISIONS["bfloat16"]))
    assert np.isinf(bound.weights[0]).all()
    assert np.isfinite(bound.pre_activations[0]).all()


# ---- functions in float32, rounded once ----

ROUNDED_ONCE = [name for name, row in PRECISIONS.items() if row.function_bits]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", ROUNDED_ONCE)
def test_holds_pytorch(precision, kind):
    """Its functions are computed in float32; sigmoid' and tanh' from stored activations, and log p of a softmax is stored."""
    torch_autograd = pytest.importorskip("torch") and pytest.importorskip("oracles.torch_autograd")
    row = PRECISIONS[precision]
    for seed in range(25):
        problem = random_problem(seed, kind, precision)
        found = torch_autograd.answer(problem, row.storage).gradient
        answer = replace(found, x=None, loss=None)
        assert not outside(answer, *judged(problem, worst_case_rounding(row, None))), problem


@pytest.mark.parametrize("precision", ROUNDED_ONCE)
def test_holds_pytorch_at_every_number_of_its_format(precision):
    """g and g' of all activations, at all z of the format up to 60."""
    torch = pytest.importorskip("torch")
    table = pytest.importorskip("oracles.torch_autograd").TORCH_ACTIVATIONS
    row = PRECISIONS[precision]
    z = np.arange(2**16, dtype=np.uint16).view(DTYPES[row.storage]).astype(np.float64)
    z = z[np.abs(z) < 60][:, None]
    for name, function in table.items():
        problem = Problem([[[1.0]]], activations=[name], x=z, y=np.zeros_like(z))
        given = torch.tensor(z, dtype=getattr(torch, row.storage), requires_grad=True)
        values = function(torch.nn.functional, given)
        values.backward(torch.ones_like(values))
        model = worst_case_rounding(row, None)
        exact = passes(problem)
        if name == "softmax":  # of one number: 1, and 0
            continue
        # z itself is exact
        allowed = value_bound(exact, 0, np.zeros_like(z), model)
        assert (np.abs(values.detach().double().numpy() - exact.forward.activations[1]) <= allowed).all(), name
        slopes = slope_bound(name, z, np.zeros_like(z), model, jumps=True)
        # the product with dC/da, here 1, is rounded too
        slopes = slopes + row.unit * (np.abs(exact.backward.slopes[0]) + slopes)
        assert (np.abs(given.grad.double().numpy() - exact.backward.slopes[0]) <= slopes).all(), name


def test_what_is_stored_within_binary_cross_entropy_is_allowed_for():
    """s(5), which is 1 but for 1.7 units of bfloat16, is stored before 1 is taken away."""
    torch_autograd = pytest.importorskip("torch") and pytest.importorskip("oracles.torch_autograd")
    row, loss = PRECISIONS["bfloat16/float32/float32"], "binary_cross_entropy_with_logits"
    problem = Problem([[[1.0]]], activations=["identity"], x=[[5.0]], y=[[1.0]], loss=loss)
    answer = replace(torch_autograd.answer(problem, row.storage).gradient, x=None, loss=None)
    assert not outside(answer, *judged(problem, worst_case_rounding(row, None)))
    assert outside(answer, *judged(problem, worst_case_rounding(row)))


@pytest.mark.parametrize("precision", ROUNDED_ONCE)
def test_what_is_stored_within_a_softmax_is_allowed_for(precision):
    """The sum, its logarithm and log p are each off by all of u, in one direction: with equal logits no other error hides it."""
    row, n = PRECISIONS[precision], 63
    a, y = np.zeros((1, n)), np.eye(n)[:1]
    loss, u = row_of(ROUNDED_LOSSES, "softmax_cross_entropy"), row.unit * (1 - 1e-6)
    for sign in (1, -1):
        p = np.exp(sign * u * (1 + 2 * np.log(n))) / n * (1 + sign * u)
        off = np.abs((p - y) - row_of(LOSSES, "softmax_cross_entropy").derivative(a, y))
        assert (off <= loss.derivative_error(a, y, np.zeros_like(a), worst_case_rounding(row, None))).all()


class WithoutLeftTail(Stored):
    """Not honest: GELU' is 0 for all z below -0.75."""

    def function(self, choice, quantity, z):
        found = super().function(choice, quantity, z)
        return np.where(z < -0.75, 0.0, found) if quantity == "derivative" and choice == "gelu" else found


@pytest.mark.parametrize(("precision", "least", "most"), [("bfloat16/float32", 0.0, 0.25), ("bfloat16/float32/float32", 0.6, 1.0)])
def test_a_missing_tail_of_gelu_is_seen_where_functions_are_rounded_once(precision, least, most):
    row, rng = PRECISIONS[precision], np.random.default_rng(3)
    seen = []
    for _ in range(150):
        widths = (4, 4, 2)
        weights = [row.held(rng.normal(size=(n, m)) / np.sqrt(m)) for m, n in pairwise(widths)]
        x, y = row.held(rng.normal(size=(3, 4))), row.held(3 * rng.normal(size=(3, 2)))
        problem = Problem(weights, activations=["gelu", "identity"], x=x, y=y)
        assert not outside(Stored(row=row).gradient(problem), *judged(problem, worst_case_rounding(row, None)))
        off = WithoutLeftTail(row=row).gradient(problem)
        first = gradient(problem).weights[0]
        if np.abs(off.weights[0] - first).max() > 0.05 * np.abs(first).max():
            seen.append(bool(outside(Gradient(off.weights, off.biases), *judged(problem, worst_case_rounding(row, None)))))
    assert len(seen) > 20
    print(f"measured: GELU' = 0 below -0.75, {precision}: seen in {sum(seen)} of {len(seen)}")
    assert least <= np.mean(seen) <= most


@pytest.mark.parametrize(("name", "left"), [("float32", 1 + 2.0**-11), ("tf32", 1.0)])
def test_a_product_takes_its_factors_as_they_are_but_where_it_rounds_them(name, left):
    """11 bits of 1 + 2^-11 are 1: half of a unit in their last place goes to the even side."""
    array = np.array([1 + 2.0**-11])
    assert PRECISIONS[name].factor(array).tolist() == [left]
