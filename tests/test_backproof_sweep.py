"""A sweep names the ranges in which a planted fault shows, and passes what is right in every format."""

import json
import re
from importlib import import_module

import ml_dtypes
import numpy as np
import pytest
from scipy.special import erf, expit

import backproof
from backproof import Gradient, ProblemError, SupportError, TargetError, Verdict, gradient
from properties.problems.support import Support
from properties.sweeps.numbers import has_all, swept
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import row_of
from rounding.precisions import PRECISIONS

FEW = 1500
"""Numbers of a wide format."""

STORED = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


def wide(function):
    """A function of arrays, computed in float64 and rounded once to what it was given."""
    return lambda z: function(z.astype(np.float64)).astype(z.dtype)


def pair(name, slope=None):
    """g and g' of the table, or with another slope."""
    row = row_of(ACTIVATIONS, name)
    return wide(row.value), wide(slope or row.derivative)


def slope_of(name):
    return row_of(ACTIVATIONS, name).derivative


def of_slope(sweep):
    return next(one for one in sweep.quantities if one.quantity == "slope")


def ranges(sweep, kind):
    return [each for each in of_slope(sweep).ranges if each.kind == kind]


ELU = ("elu", {"alpha": -2.0})
RIGHT = {
    "gelu": ("float64", "float32", "bfloat16"),
    "tanh": ("float64", "float32"),
    "hardtanh": ("float64", "float32", "float16"),
    ELU[0]: ("float64", "float32", "float16"),
}
"""Formats by activation: each in the wide ones, and in one of 16 bits what is smooth, has kinks, or parameters."""


@pytest.fixture
def some_of_16_bits(monkeypatch):
    """Of a format of 16 bits all numbers from 1/4 to 8 alone, of either sign: at every one it is enough that what is right passes."""

    def some(row, *drawn):
        z = swept(row, *drawn)
        return z[(np.abs(z) >= 0.25) & (np.abs(z) <= 8)] if has_all(row) else z

    monkeypatch.setattr(import_module("backproof.runs.sweep"), "swept", some)


@pytest.mark.parametrize(("name", "precision"), [(name, precision) for name, formats in RIGHT.items() for precision in formats])
def test_the_right_one_passes_in_its_formats(name, precision):
    name = ELU if name == ELU[0] else name
    sweep = backproof.sweep(pair(name), activation=name, precision=precision, seed=3, numbers=FEW, strict=True)
    assert sweep.verdict is Verdict.RIGHT, str(sweep)
    assert sweep.passed and not sweep.unanswered
    assert [one.quantity for one in sweep.quantities] == ["slope", "value"]
    assert sweep.every == (precision in STORED)
    if sweep.every:
        finite = np.isfinite(np.arange(1 << 16, dtype=np.uint16).view(STORED[precision]).astype(np.float32))
        assert sweep.numbers == finite.sum() - 1  # both zeros are one number
    assert not [each for one in sweep.quantities for each in one.ranges if each.verdict != "right"]


def test_wrong_sign_in_a_range_is_named(some_of_16_bits):
    def slope(z):
        return np.where((z > -3.8) & (z < -3.6), -1.0, 1.0) * slope_of("gelu")(z)

    sweep = backproof.sweep(pair("gelu", slope), activation="gelu", precision="bfloat16/float32/float32")
    (found,) = ranges(sweep, "of the wrong sign")
    assert (found.low, found.high) == (-3.796875, -3.609375)  # the numbers of bfloat16 next to both ends
    assert found.count == found.numbers == 13
    assert sweep.verdict is Verdict.WRONG and found.verdict == "wrong"
    # steps of bfloat16 allow a textbook formula that much there; the range is told all the same
    (coarse,) = ranges(backproof.sweep(pair("gelu", slope), activation="gelu", precision="bfloat16"), "of the wrong sign")
    assert (coarse.low, coarse.high, coarse.verdict) == (found.low, found.high, "lossy")


def test_flushed_tails_are_named_and_are_wrong_where_they_matter():
    def slope(z):
        return np.where(np.abs(z) > 3, 0.0, slope_of("tanh")(z))

    sweep = backproof.sweep(pair("tanh", slope), activation="tanh", precision="float32", seed=1, numbers=FEW)
    low, high = ranges(sweep, "flushed to zero")
    assert -100 < low.low < -40 and low.high == -np.nextafter(np.float32(3), np.float32(4))
    assert high.low == np.nextafter(np.float32(3), np.float32(4)) and 40 < high.high < 100
    assert sweep.verdict is Verdict.WRONG and low.verdict == high.verdict == "wrong"


def test_a_formula_that_loses_digits_is_lossy_in_its_tail():
    def slope(z):
        return (1 + erf(z * np.float32(0.5**0.5))) / 2 + z * np.exp(-z * z / 2) / np.float32(np.sqrt(2 * np.pi))

    sweep = backproof.sweep((pair("gelu")[0], slope), activation="gelu", precision="float32", seed=1, numbers=4 * FEW)
    assert sweep.verdict is Verdict.LOSSY
    found = [each for each in of_slope(sweep).ranges if each.verdict == "lossy"]
    assert all(-15 < each.low <= each.high < -2 for each in found) and found
    strict = backproof.sweep((pair("gelu")[0], slope), activation="gelu", precision="float32", seed=1, numbers=FEW, strict=True)
    assert not strict.passed


def test_an_exponential_that_overflows_is_not_finite_from_there_on():
    def slope(z):
        e = np.exp(z)
        return e / (1 + e)

    sweep = backproof.sweep((pair("softplus")[0], slope), activation="softplus", precision="float32", seed=1, numbers=FEW)
    (found,) = ranges(sweep, "not finite")
    assert 88 < found.low <= 89 and found.high > 1e37
    assert sweep.verdict is Verdict.NONFINITE and np.isnan(found.worst.got)
    assert json.loads(sweep.to_json())["quantities"][0]["ranges"][0]["worst"]["got"] == "NaN"


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_one_unit_in_the_last_place_is_allowed_and_told(precision, some_of_16_bits):
    """Honest functions are off by more, in float64 this one is; what is told is the size."""
    row = PRECISIONS[precision]

    def slope(z):
        exact = slope_of("sigmoid")(z.astype(np.float64))
        return row.held(exact) + np.where(np.abs(z - 1) < 0.25, row.last_place(exact), 0.0)

    sweep = backproof.sweep((pair("sigmoid")[0], slope), activation="sigmoid", precision=precision, seed=1, numbers=FEW)
    assert sweep.verdict is Verdict.RIGHT
    worst = of_slope(sweep).by_units
    assert 0.75 <= worst.z <= 1.25
    assert 1 <= worst.units <= 1.6


@pytest.mark.parametrize("precision", ["float64", "float32", "bfloat16"])
def test_one_unit_in_the_last_place_is_wrong_where_nothing_is_rounded(precision, some_of_16_bits):
    """A slope of 1 is 1."""

    def slope(z):
        one = (np.abs(z) < 1).astype(np.float64)
        return one + np.where((z > 0.25) & (z < 0.5), 2.0 ** (1 - PRECISIONS[precision].bits), 0.0)

    sweep = backproof.sweep((pair("hardtanh")[0], slope), activation="hardtanh", precision=precision, seed=1, numbers=FEW)
    (found,) = ranges(sweep, "wrong")
    assert 0.25 < found.low < found.high < 0.5 and found.count == found.numbers > 10
    assert found.worst.units == 1


def test_a_kink_may_have_any_slope_and_no_other():
    def relu(z):
        return np.maximum(z, 0)

    for at_zero, verdict in ((0.0, Verdict.RIGHT), (0.5, Verdict.RIGHT), (1.0, Verdict.RIGHT), (-0.5, Verdict.WRONG)):
        sweep = backproof.sweep(
            (relu, lambda z, s=at_zero: np.where(z == 0, s, z > 0)), activation="relu", precision="float32", numbers=FEW
        )
        assert sweep.verdict is verdict, at_zero
    (found,) = ranges(sweep, "wrong")
    assert found.low == found.high == 0.0


@pytest.mark.wheel
def test_g_is_judged_as_well():
    sweep = backproof.sweep((lambda z: np.tanh(z) * 1.1, pair("tanh")[1]), activation="tanh", precision="float32", seed=1, numbers=FEW)
    assert [one.verdict for one in sweep.quantities] == [Verdict.RIGHT, Verdict.WRONG]
    assert sweep.verdict is Verdict.WRONG


FORMULA = "z * tanh(softplus(z))"


def mish(z):
    return z * np.tanh(np.logaddexp(0, z))


def slope_of_mish(z):
    t = np.tanh(np.logaddexp(0, z))
    return t + z * (1 - t) * (1 + t) * expit(z)


@pytest.mark.parametrize("precision", ["float64", "float32", "float16"])
def test_an_activation_of_ones_own_is_swept_against_its_formula(precision, monkeypatch, seed_of_the_run):
    if precision in STORED:  # every eighth number, of another run other ones
        some = swept(PRECISIONS[precision], 0)[seed_of_the_run % 8 :: 8]
        monkeypatch.setattr(import_module("backproof.runs.sweep"), "swept", lambda *drawn: some)
    right = backproof.sweep((mish, slope_of_mish), formula=FORMULA, precision=precision, seed=1, numbers=FEW)
    assert right.passed, str(right)


@pytest.mark.wheel
def test_a_slope_of_ones_own_that_is_a_thousandth_too_large_is_wrong():
    wrong = backproof.sweep((mish, lambda z: slope_of_mish(z) * 1.001), formula=FORMULA, precision="float32", seed=1, numbers=FEW)
    assert wrong.verdict is Verdict.WRONG
    assert ranges(wrong, "wrong")[-1].high > 100


def by_upstream(problem):
    return gradient(problem)


def with_a_fault(problem):
    """Two layers with an upstream gradient, and the slope of silu is 0 below -2."""
    right = gradient(problem)
    z = problem.weights[0][:, :1]
    return Gradient([np.where(z < -2, 0.0, right.weights[0]), *right.weights[1:]], right.biases)


@pytest.mark.wheel
def test_a_target_is_read_exactly_where_it_takes_an_upstream_gradient():
    sweep = backproof.sweep(by_upstream, activation="silu", precision="float32", seed=1, numbers=FEW, strict=True)
    assert sweep.verdict is Verdict.RIGHT
    assert [one.quantity for one in sweep.quantities] == ["slope", "value"]
    assert all(one.nearest > one.judged / 2 and one.by_allowed.allowed < 0.5 for one in sweep.quantities)
    assert "two layers, with an upstream gradient of 1" in sweep.way
    wrong = backproof.sweep(with_a_fault, activation="silu", precision="float32", seed=1, numbers=FEW)
    (found,) = ranges(wrong, "flushed to zero")
    assert found.high == np.nextafter(np.float32(-2), np.float32(-3)) and wrong.verdict is Verdict.WRONG


LIMITS = [
    {"losses": ["upstream"], "activations": ["silu"], "output_activations": ["silu"], "depth": 1},
    {"losses": ["upstream"], "activations": ["silu"], "output_activations": ["identity"], "widths": [3, 7, 2], "biases": True},
    {"losses": ["half_squared_error"], "activations": ["silu"], "output_activations": ["identity"], "biases": True},
    {"losses": ["softmax_cross_entropy"], "activations": ["silu"], "output_activations": ["identity"], "biases": True, "width": 40},
]


@pytest.mark.parametrize("supports", LIMITS, ids=["one layer", "fixed widths", "squared error", "cross-entropy"])
def test_a_target_is_read_in_the_way_that_it_supports(supports):
    def target(problem):
        assert not Support.of(supports).refusal(problem)
        return gradient(problem)

    target.supports = supports
    right = backproof.sweep(target, precision="float32", seed=1, numbers=FEW)
    assert right.verdict is Verdict.RIGHT, str(right)
    assert right.activation == "silu"
    assert (right.quantities[0].quantity, len(right.quantities)) == ("slope", 1 if supports.get("depth") == 1 else 2)

    def half(problem):
        answer = gradient(problem)
        return Gradient([answer.weights[0] * 0.5, *answer.weights[1:]], [bias if i else bias * 0.5 for i, bias in enumerate(answer.biases)])

    half.supports = supports
    if supports["losses"] == ["upstream"] and "widths" in supports:
        assert backproof.sweep(half, precision="float32", seed=1, numbers=FEW).verdict is Verdict.WRONG


def test_one_number_that_is_not_finite_spoils_none_beside_it():
    """Under a squared error all nodes of a layer share an output."""

    def target(problem):
        answer = gradient(problem)
        if (np.abs(problem.weights[0] - 6.0) < 0.01).any():
            return Gradient([weight * np.nan for weight in answer.weights], [bias * np.nan for bias in answer.biases])
        return answer

    target.supports = LIMITS[2]
    sweep = backproof.sweep(target, precision="float32", seed=1, numbers=FEW)
    (found,) = ranges(sweep, "not finite")
    assert 5.99 < found.low <= found.high < 6.01


def test_a_target_that_gives_no_answer_is_inconclusive_and_says_why():
    def target(problem):
        raise ValueError("no upstream here")

    sweep = backproof.sweep(target, activation="tanh", precision="float32", seed=1, numbers=FEW)
    assert sweep.verdict is Verdict.INCONCLUSIVE and sweep.unanswered == sweep.numbers
    assert "no upstream here" in str(sweep)


def test_the_same_seed_draws_the_same_numbers_of_all_exponents():
    row = PRECISIONS["float32"]
    one, same, other = (swept(row, seed, FEW) for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    for sign in (1, -1):
        exponents = np.unique(np.frexp(one[sign * one > 0])[1]) - 1
        assert exponents[0] <= -148 and exponents[-1] == 127
        assert len(exponents) >= 270
    assert 0 in one and (row.held(one) == one).all()


@pytest.mark.parametrize(
    ("precision", "exact", "unit"),
    [
        ("bfloat16", 1.0, 2.0**-7),
        ("bfloat16", 255.9, 2.0),
        ("float16", 1e-7, 2.0**-24),
        ("float32", -3.0, 2.0**-22),
        ("float64", 0.0, 5e-324),
    ],
)
def test_a_unit_in_the_last_place_is_that_of_the_rounded_number(precision, exact, unit):
    assert PRECISIONS[precision].last_place(np.array([exact]))[0] == unit


def test_python_refuses_bad_options():
    both = pair("tanh")
    for options, error in (
        ({"activation": "tanh", "precision": "float8"}, SupportError),
        ({"activation": "tanh", "arrays": "lists"}, SupportError),
        ({"activation": "tanh", "numbers": 0}, SupportError),
        ({"activation": "tanh", "seed": -1}, SupportError),
        ({"activation": "tanh", "time_limit": 0}, SupportError),
        ({"activation": "tanh", "time_limit": "a"}, SupportError),
        ({"activation": "tanh", "precision": ["x"]}, SupportError),
        ({"activation": "tanh", "arrays": ["numpy"]}, SupportError),
        ({"formula": 3}, ProblemError),
        ({"activation": "sinh"}, ProblemError),
        ({}, SupportError),
    ):
        with pytest.raises(error):
            backproof.sweep(both, **options)
    with pytest.raises(TargetError):
        backproof.sweep((1, 2), activation="tanh")


def test_a_target_without_an_upstream_gradient_takes_no_formula():
    def target(problem):
        return gradient(problem)

    target.supports = LIMITS[2]
    with pytest.raises(SupportError, match="upstream"):
        backproof.sweep(target, formula="z / (1 + exp(-z))", precision="float32")


def test_a_target_is_held_against_a_formula_in_place_of_what_it_is_asked():
    sweep = backproof.sweep(by_upstream, activation="gelu", formula="z * sigmoid(1.702 * z)", precision="float32", seed=1, numbers=FEW)
    assert sweep.verdict is Verdict.WRONG
    assert backproof.sweep(by_upstream, activation="silu", formula="z * sigmoid(z)", precision="float32", seed=1, numbers=FEW).passed


def hard_swish_of(torch, last):
    """z min(max(z + 3, 0), 6) / 6, whose slope is 1 from `last` on; from 3, if it is right."""

    class HardSwish(torch.autograd.Function):
        @staticmethod
        def forward(context, z):
            context.save_for_backward(z)
            return z * torch.clamp(z + 3, 0, 6) / 6

        @staticmethod
        def backward(context, upstream):
            (z,) = context.saved_tensors
            return upstream * torch.where(z < -3, torch.zeros_like(z), torch.where(z < last, (2 * z + 3) / 6, torch.ones_like(z)))

    return HardSwish


def test_a_torch_function_and_a_module_are_activations(some_of_16_bits):
    torch = pytest.importorskip("torch")
    formula = "z * clip(z + 3, 0, 6) / 6"
    right = backproof.sweep(hard_swish_of(torch, 3), formula=formula, precision="float32", seed=1, numbers=FEW)
    wrong = backproof.sweep(hard_swish_of(torch, 3.5), formula=formula, precision="bfloat16")
    assert of_slope(right).verdict is Verdict.RIGHT
    (found,) = ranges(wrong, "wrong")
    assert 3 < found.low < found.high < 3.5
    assert [each.kind for each in of_slope(wrong).ranges if each.verdict != "right"] == ["wrong"]
    # z (z + 3) leaves the range where the result does not
    (beyond, *_) = [each for each in right.quantities[1].ranges if each.kind == "not finite"]
    assert beyond.low > 5e37 and right.verdict is Verdict.NONFINITE
    module = backproof.sweep(torch.nn.GELU(approximate="tanh"), activation="gelu_tanh", precision="float32", seed=1, numbers=FEW)
    assert module.verdict is Verdict.LOSSY
    assert "torch" in module.way


@pytest.mark.wheel
def test_jax_differentiates_a_function():
    jax = pytest.importorskip("jax")
    sweep = backproof.sweep(jax.nn.softplus, arrays="jax", activation="softplus", precision="float32", seed=1, numbers=FEW)
    assert sweep.passed and [one.judged > FEW / 2 for one in sweep.quantities] == [True, True]


def test_two_numbers_that_differ_are_told_by_digits_that_do():
    off = wide(lambda z: z**3), wide(lambda z: 3 * z**2 * (1 + 6e-6))
    sweep = backproof.sweep(off, formula="z ** 3", precision="float32", seed=1, numbers=FEW)
    pairs = re.findall(r"got (\S+), exact (\S+)$", str(sweep), re.MULTILINE)
    rows = [re.split(r"  +", line) for line in str(sweep).splitlines() if line.startswith("g'  ")]
    pairs += [(row[7], row[8]) for row in rows if len(row) > 9]
    assert len(pairs) > 4
    assert all(got != exact for got, exact in pairs), str(sweep)


def test_right_says_how_many_numbers_it_is_said_of():
    cube = wide(lambda z: z**3), wide(lambda z: 3 * z**2)
    sweep = backproof.sweep(cube, formula="z ** 3", precision="float32", seed=1, numbers=FEW)
    slope, value = sweep.quantities
    assert sweep.verdict is Verdict.RIGHT and slope.unclaimed and value.unclaimed
    said = f"at every number that was judged, as near to what is exact as honest rounding allows: g' at {slope.judged:,}, "
    assert f"({said}g at {value.judged:,} of {sweep.numbers:,})" in str(sweep)


def test_a_formula_whose_power_leaves_the_range_is_claimed_nothing_of_there():
    """As it is written, z / sqrt(1 + z z) is 0 from where z z is infinite: the pair is the formula's own, in float32 all along."""

    def value(z):
        return z / np.sqrt(1 + z * z)

    def slope(z):
        return 1 / np.power(1 + z * z, z.dtype.type(1.5))

    sweep = backproof.sweep((value, slope), formula="z / sqrt(1 + z * z)", precision="float32", seed=1, numbers=FEW)
    assert sweep.verdict is not Verdict.WRONG and sweep.verdict is not Verdict.NONFINITE, str(sweep)
    numbers = np.abs(swept(PRECISIONS["float32"], 1, FEW))
    beyond = int((numbers > np.sqrt(PRECISIONS["float32"].largest)).sum())
    assert beyond > 50
    assert [one.unclaimed for one in sweep.quantities] == [beyond] * 2
    # a branch that is not taken computes no power, and exp is none: what leaves the range there is claimed of
    for formula in ("z if z > -1e30 else z * z", "log1p(exp(z))"):
        right = wide(lambda z: z), wide(np.ones_like)
        found = backproof.sweep(right, formula=formula, precision="float32", seed=1, numbers=FEW)
        assert all(one.unclaimed < beyond for one in found.quantities)


def test_a_target_that_supports_no_problem_to_read_from_is_refused():
    """One of which the penalty is always a part."""

    def target(problem):
        return gradient(problem)

    target.supports = {"losses": ["upstream"], "activations": ["silu"], "penalties": ["l2"]}
    with pytest.raises(SupportError, match="target supports no problem from which silu can be read: name one that it has"):
        backproof.sweep(target, precision="float32", seed=1, numbers=FEW)


def test_a_target_of_one_layer_that_gives_no_answer_is_soon_asked_no_more():
    calls = []

    def target(problem):
        calls.append(problem.widths)
        raise ValueError("no upstream here")

    target.supports = LIMITS[0] | {"outputs": (1, 8)}
    sweep = backproof.sweep(target, precision="float32", seed=1, numbers=FEW)
    assert sweep.verdict is Verdict.INCONCLUSIVE and sweep.unanswered == sweep.numbers > 3 * 8
    assert "no upstream here" in str(sweep)
    assert calls == [(1, 8)] * 3
