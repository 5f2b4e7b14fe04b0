"""Every activation of the table against its definition in 720 digits, and the scales and peaks that the bound rests on.

The figures of docs/tolerance.md, section 4: pytest tests/test_reference_activations.py -rP | grep measured
"""

import itertools
from functools import cache

import numpy as np
import pytest
from flint import arb, ctx
from scipy.special import erf, erfc

from reference.functions.activation import Elementwise, largest_between
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import row_of
from rounding.activations import ROUNDED_ACTIVATIONS
from rounding.arithmetic import REFERENCE, K

BITS = 2400
"""720 digits: enough for a first difference (step 1e-100) of a number that is 1 but for its 300th digit."""
STEP = arb(2.0**-332)
CHOICES = [
    *(name for name, make in ACTIVATIONS.items() if isinstance(make(), Elementwise) and name not in ("elu", "leaky_relu")),
    *(("elu", {"alpha": alpha}) for alpha in (1.0, -2.0, 0.5, 0.0)),
    *(("leaky_relu", {"slope": slope}) for slope in (0.01, -0.5, 2.0, 0.0, 1.0)),
]


def named(choice):
    return choice if isinstance(choice, str) else choice[0] + "".join(f"({value:g})" for value in choice[1].values())


each_activation = pytest.mark.parametrize("choice", CHOICES, ids=named)


@pytest.fixture(autouse=True)
def many_digits():
    before, ctx.prec = ctx.prec, BITS
    with np.errstate(all="ignore"):
        yield
    ctx.prec = before


# ---- the definitions, each written once, by branch: (largest z of the branch, g); the derivatives are differences of these ----


def clipped(z, limit=10**4):
    """z where it matters: beyond, an exponential is nothing beside any number of float64."""
    return max(min(z, arb(limit)), arb(-limit))


def exp(z):
    return clipped(z).exp()


def s(z):
    return 1 / (1 + exp(-z))


def gelu_tanh(z):
    c = clipped(z, 50)
    return z * s(2 * (2 / arb.pi()).sqrt() * (c + arb("0.044715") * c**3))


def phi_below(z):
    return (-clipped(z, 1000) / arb(2).sqrt()).erfc() / 2


def exponential_linear(right, left):
    return [(0, lambda z: left * (exp(z) - 1)), (np.inf, lambda z: right * z)]


SELU_SCALE, SELU_ALPHA = "1.0507009873554804934193349852946", "1.6732632423543772848170429916717"


def always(g):
    return [(np.inf, g)]


DEFINITIONS = {
    "identity": lambda: always(lambda z: z),
    "sigmoid": lambda: always(s),
    "tanh": lambda: always(lambda z: 2 * s(2 * z) - 1),
    "relu": lambda: [(0, lambda z: 0 * z), (np.inf, lambda z: z)],
    "leaky_relu": lambda slope: [(0, lambda z: arb(slope) * z), (np.inf, lambda z: z)],
    "elu": lambda alpha: exponential_linear(arb(1), arb(alpha)),
    "selu": lambda: exponential_linear(arb(SELU_SCALE), arb(SELU_SCALE) * arb(SELU_ALPHA)),
    "softplus": lambda: always(lambda z: (1 + exp(z)).log() + (z - clipped(z) if z > 0 else 0)),
    "gelu": lambda: always(lambda z: z * phi_below(z)),
    "gelu_tanh": lambda: always(gelu_tanh),
    "silu": lambda: always(lambda z: z * s(z)),
    "softsign": lambda: [(0, lambda z: z / (1 - z)), (np.inf, lambda z: z / (1 + z))],
    "hardtanh": lambda: [(-1, lambda z: arb(-1) + 0 * z), (1, lambda z: z), (np.inf, lambda z: arb(1) + 0 * z)],
    "relu6": lambda: [(0, lambda z: 0 * z), (6, lambda z: z), (np.inf, lambda z: arb(6) + 0 * z)],
}


def branches(choice):
    name, parameters = (choice, {}) if isinstance(choice, str) else choice
    return DEFINITIONS[name](**parameters)


def branch(choice, z):
    return next(g for end, g in branches(choice) if z <= end)


def first(g, z):
    return (g(z + STEP) - g(z - STEP)) / (2 * STEP)


def second(g, z):
    return (g(z + STEP) - 2 * g(z) + g(z - STEP)) / STEP**2


@cache
def points():
    """A few hundred: both tails, near 0, saturation, kinks and their neighbours, zeros and peaks of the derivatives."""
    special = [0.5, 1.0, 6.0, 0.6584789, 0.7517916, 1.2784645, 1.3169579, 2**0.5, 1.418504, 2.0, 2.399357, 3.435841, 8.3, 16.6, 17.3]
    special += [36.7, 37.5, 38.4, 88.7, 355.0, 709.5, 745.0, 5e-324, 1e-310, 2.0**-1022]
    near = [np.nextafter(p, p + d) for p in (1.0, 6.0) for d in (-1, 1)]
    sizes = np.concatenate([special, near, np.logspace(-300, 300, 61), np.logspace(-18, 3.2, 64), np.linspace(0.05, 45, 90)])
    return np.concatenate([[0.0], sizes, -sizes])


EXACT = {"value": lambda g, z: g(z), "derivative": first, "curvature": second}


@cache
def exact(choice_name, quantity):
    choice = next(c for c in CHOICES if named(c) == choice_name)
    return [EXACT[quantity](branch(choice, z), arb(float(z))) for z in points()]


def distance(computed, truth):
    return np.array([float(abs(arb(float(c)) - t)) for c, t in zip(computed, truth, strict=True)])


def kinked(choice):
    return np.isin(points(), [kink for kink, _ in row_of(ACTIVATIONS, choice).kinks])


# ---- g, g', g'' ----


@each_activation
@pytest.mark.parametrize("quantity", ["value", "derivative"])
def test_is_within_k_units_of_its_right_scale(choice, quantity):
    row, z = row_of(ACTIVATIONS, choice), points()
    z = np.where(kinked(choice), 0.3, z) if quantity == "derivative" else z
    computed = getattr(row, quantity)(z)
    error = distance(computed, exact(named(choice), quantity) if z is points() else [first(branch(choice, p), arb(p)) for p in z])
    beyond = np.maximum(error - REFERENCE.underflow * (1 + np.abs(z)), 0.0)
    worst = units(beyond, REFERENCE.unit * getattr(row_of(ROUNDED_ACTIVATIONS, choice), f"{quantity}_scales").right(z))
    print(f"measured: {named(choice)} {quantity}: {worst:.2f} u scale")
    assert worst <= K


@each_activation
def test_curvature_is_the_second_derivative(choice):
    # 1e-9: curvature only bounds a first-order effect, and the bound is inflated by as much; absolute where terms cancel
    z, row = points(), row_of(ACTIVATIONS, choice)
    truth = exact(named(choice), "curvature")
    size = np.array([float(abs(t)) for t in truth])
    error = distance(row.curvature(z), truth)
    smooth = ~kinked(choice) & ((z != 0) | (named(choice) != "softsign"))
    assert (error <= 1e-9 * size + 1e-13 * np.exp(-np.abs(z) / 2) + 1e-200)[smooth].all(), z[smooth & (error > 1e-9 * size)]


@each_activation
@pytest.mark.parametrize("quantity", ["value", "derivative", "curvature"])
def test_gives_finite_numbers_of_its_argument_shape(choice, quantity):
    function = getattr(row_of(ACTIVATIONS, choice), quantity)
    z = points()
    assert np.isfinite(function(z)[np.abs(z) < 1e299]).all()
    for shape in ((), (1,), (2, 3), (2, 1, 2)):
        given = np.full(shape, -0.25)
        assert np.shape(function(given)) == shape
        assert (given == -0.25).all()
    answer = function(given)
    assert answer is not given


# ---- kinks ----


@each_activation
def test_kinks_are_the_jumps_of_the_derivative_and_all_of_them(choice):
    kinks, pieces = dict(row_of(ACTIVATIONS, choice).kinks), branches(choice)
    for (end, left), (_, right) in itertools.pairwise(pieces):
        jump = float(abs(first(right, arb(end)) - first(left, arb(end))))
        # 4e-16: the product of SELU's two constants is rounded
        assert kinks.pop(end, 0.0) == pytest.approx(jump, rel=4e-16, abs=1e-90)
    assert not kinks


@each_activation
def test_derivative_at_a_kink_is_a_legal_slope(choice):
    row, pieces = row_of(ACTIVATIONS, choice), branches(choice)
    for kink, _ in row.kinks:
        i = [end for end, _ in pieces].index(kink)
        slopes = sorted(float(first(g, arb(kink))) for _, g in pieces[i : i + 2])
        assert slopes[0] <= row.derivative(np.array(kink)) <= slopes[1]


# ---- suprema over an interval ----

SUPREMA = {"derivative": "steepest", "curvature": "most_bent"}


def intervals(count, seed):
    """Random [low, high]: wide, narrow, around the peaks and the kinks."""
    rng = np.random.default_rng(seed)
    middle = np.where(rng.random(count) < 0.5, rng.normal(0, 4, count), rng.choice([0, 1, -1, 6, 2, -2, -1.4, -2.4, -3.4, 0.7, 1.3], count))
    radius = 10.0 ** rng.uniform(-6, 1, count)
    return middle - radius * rng.random(count), middle + radius * rng.random(count)


@each_activation
@pytest.mark.parametrize("quantity", SUPREMA)
def test_nothing_inside_an_interval_is_larger_than_the_supremum(choice, quantity):
    row = row_of(ACTIVATIONS, choice)
    low, high = intervals(2000, seed=1)
    inside = low + np.linspace(0, 1, 101)[:, None] * (high - low)
    function = getattr(row, quantity)
    found = np.abs(function(inside)).max(axis=0)
    bound = largest_between(function, getattr(row, SUPREMA[quantity]), low, high)
    # a few u: the functions' own rounding; the bound is inflated by 1e-9 for it
    assert (found <= bound * (1 + 1e-12) + 1e-15).all(), (low[found > bound], high[found > bound])


@each_activation
@pytest.mark.parametrize("quantity", SUPREMA)
def test_peaks_are_at_least_the_local_maxima_and_not_far_above(choice, quantity):
    row = row_of(ACTIVATIONS, choice)
    exactly = {"derivative": first, "curvature": second}[quantity]
    for at, peak in getattr(row, SUPREMA[quantity]):
        near = at + np.array([-1e-3, -1e-6, -1e-9, 0.0, 1e-9, 1e-6, 1e-3])
        if at == 0 or any(kink == at for kink, _ in row.kinks):
            sides = [end for end, _ in branches(choice)]
            i = sides.index(at) if at in sides else len(sides) - 1
            around = [g for _, g in branches(choice)[i : i + 2]]
        else:
            around = [branch(choice, at)]
        largest = max(float(abs(exactly(g, arb(at)))) for g in around)
        # the bound is inflated by 1e-9, so more may not be missing; too large by the last digits is harmless
        assert largest * (1 - 1e-9) <= peak <= largest * (1 + 1e-5), (at, peak, largest)
        found = np.abs(getattr(row, quantity)(near))
        assert (found <= peak * (1 + 1e-12)).all(), (at, peak, found.max())


@each_activation
@pytest.mark.parametrize("which", ["value", "derivative"])
@pytest.mark.parametrize("grade", ["right", "lossy"])
def test_scale_at_the_ends_of_an_interval_is_enough(choice, which, grade):
    """The rule E(g) = sup|g'| E(z) + K u s takes s at the ends of [z - E(z), z + E(z)] and nearest 0 (docs/tolerance.md, section 2)."""
    row = row_of(ACTIVATIONS, choice)
    slope, peaks = (row.derivative, row.steepest) if which == "value" else (row.curvature, row.most_bent)
    scale = getattr(getattr(row_of(ROUNDED_ACTIVATIONS, choice), f"{which}_scales"), grade)
    low, high = intervals(1000, seed=2)
    z, radius = (low + high) / 2, (high - low) / 2
    inside = low + np.linspace(0, 1, 101)[:, None] * (high - low)
    for unit in (2.0**-8, 2.0**-11, 2.0**-24, 2.0**-53):
        change = np.abs(getattr(row, which)(inside) - getattr(row, which)(z))
        jumps = sum((np.where((low <= kink) & (kink <= high), jump, 0.0) for kink, jump in row.kinks), np.zeros_like(z))
        rule = largest_between(slope, peaks, low, high) * radius + (jumps if which == "derivative" else 0)
        rule = rule + K * unit * np.maximum.reduce([scale(point) for point in (low, high, np.clip(0.0, low, high))])
        # the difference of two values is known to their own rounding only
        noise = 4 * 2.0**-53 * np.abs(getattr(row, which)(inside))
        assert (change + K * unit * scale(inside) <= rule * (1 + 1e-9) + noise).all()


@each_activation
@pytest.mark.parametrize("which", ["value_scales", "derivative_scales"])
def test_scales_are_finite_and_not_negative(choice, which):
    scales, z = getattr(row_of(ROUNDED_ACTIVATIONS, choice), which), points()[np.abs(points()) < 1e299]
    for scale in (scales.right(z), scales.lossy(z)):
        assert (scale >= 0).all() and np.isfinite(scale).all()


# ---- formulas as others write them: accurate ones within the right scale, textbook ones within the lossy scale and not the right ----


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def Phi(z):
    return (1 + erf(z * z.dtype.type(0.5**0.5))) / 2


def phi(z):
    return np.exp(-z * z / 2) * z.dtype.type(1 / (2 * np.pi) ** 0.5)


def q(z):
    return z.dtype.type((2 / np.pi) ** 0.5) * (z + z.dtype.type(0.044715) * z**3)


def q_slope(z):
    return z.dtype.type((2 / np.pi) ** 0.5) * (1 + z.dtype.type(3 * 0.044715) * z * z)


def softplus(z):
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def of_negative(formula, otherwise=None):
    return lambda z: np.where(z > 0, z if otherwise is None else otherwise, formula(np.minimum(z, 0)))


TEXTBOOK = {
    # name: (activation, quantity, formula); |z| is at most 80, where no exponential leaves float32's range
    "sigmoid by tanh": ("sigmoid", "value", lambda z: (1 + np.tanh(z / 2)) / 2),
    "sigmoid' as a (1 - a)": ("sigmoid", "derivative", lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "sigmoid' as a (1 - a), a by tanh": ("sigmoid", "derivative", lambda z: (1 + np.tanh(z / 2)) / 2 * (1 - (1 + np.tanh(z / 2)) / 2)),
    "tanh by exponentials": ("tanh", "value", lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))),
    "tanh by sigmoid": ("tanh", "value", lambda z: 2 * sigmoid(2 * z) - 1),
    "tanh' as 1 - a a": ("tanh", "derivative", lambda z: 1 - np.tanh(z) ** 2),
    "tanh' as (1 - a) (1 + a)": ("tanh", "derivative", lambda z: (1 - np.tanh(z)) * (1 + np.tanh(z))),
    "tanh' as 1 - a a, a by exponentials": (
        "tanh",
        "derivative",
        lambda z: 1 - ((np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))) ** 2,
    ),
    "elu by exp(z) - 1": ("elu", "value", of_negative(lambda z: np.exp(z) - 1)),
    "elu' as a + alpha": ("elu", "derivative", of_negative(lambda z: np.expm1(z) + 1, 1)),
    "elu' as a + alpha, a by exp(z) - 1": ("elu", "derivative", of_negative(lambda z: (np.exp(z) - 1) + 1, 1)),
    "selu by exp(z) - 1": (
        "selu",
        "value",
        lambda z: z.dtype.type(SELU_SCALE) * np.where(z > 0, z, z.dtype.type(SELU_ALPHA) * (np.exp(np.minimum(z, 0)) - 1)),
    ),
    "softplus by log(1 + exp(z))": ("softplus", "value", lambda z: np.log(1 + np.exp(z))),
    "softplus' as 1 - exp(-a)": ("softplus", "derivative", lambda z: 1 - np.exp(-softplus(z))),
    "softplus' as exp(z - a)": ("softplus", "derivative", lambda z: np.exp(z - softplus(z))),
    "gelu by 1 + erf": ("gelu", "value", lambda z: z * Phi(z)),
    "gelu' by 1 + erf": ("gelu", "derivative", lambda z: Phi(z) + z * phi(z)),
    "gelu_tanh by 1 + tanh": ("gelu_tanh", "value", lambda z: z / 2 * (1 + np.tanh(q(z)))),
    "gelu_tanh' by 1 + tanh": (
        "gelu_tanh",
        "derivative",
        lambda z: (1 + np.tanh(q(z))) / 2 + z / 2 * (1 - np.tanh(q(z)) ** 2) * q_slope(z),
    ),
    "silu' as s (1 + z (1 - s))": ("silu", "derivative", lambda z: sigmoid(z) * (1 + z * (1 - sigmoid(z)))),
    "silu' as a + s (1 - a)": ("silu", "derivative", lambda z: z * sigmoid(z) + sigmoid(z) * (1 - z * sigmoid(z))),
    "softsign' as (1 - |a|)^2": ("softsign", "derivative", lambda z: (1 - np.abs(z / (1 + np.abs(z)))) ** 2),
    "softsign' by the quotient rule": (
        "softsign",
        "derivative",
        lambda z: 1 / (1 + np.abs(z)) - z * np.sign(z) / (1 + np.abs(z)) ** 2,
    ),
    "relu6 as a difference of relus": ("relu6", "value", lambda z: np.maximum(z, 0) - np.maximum(z - 6, 0)),
}


def upper(z):
    """Phi by erfc: no digits cancel in the left tail."""
    return erfc(-z * z.dtype.type(0.5**0.5)) / 2


ACCURATE = {
    "sigmoid by exp(-z)": ("sigmoid", "value", sigmoid),
    "sigmoid by exp(z)": ("sigmoid", "value", lambda z: np.exp(z) / (1 + np.exp(z))),
    "sigmoid' as s(z) s(-z)": ("sigmoid", "derivative", lambda z: sigmoid(z) * sigmoid(-z)),
    "tanh": ("tanh", "value", np.tanh),
    "tanh' as 1 / cosh^2": ("tanh", "derivative", lambda z: 1 / np.cosh(z) ** 2),
    "tanh' as 4 s(2z) s(-2z)": ("tanh", "derivative", lambda z: 4 * sigmoid(2 * z) * sigmoid(-2 * z)),
    "elu by expm1": ("elu", "value", of_negative(np.expm1)),
    "elu' by exp": ("elu", "derivative", of_negative(np.exp, 1)),
    "softplus by log1p": ("softplus", "value", softplus),
    "softplus' as s(z)": ("softplus", "derivative", sigmoid),
    "gelu by erfc": ("gelu", "value", lambda z: z * upper(z)),
    "gelu' by erfc": ("gelu", "derivative", lambda z: upper(z) + z * phi(z)),
    "gelu_tanh as z s(2q)": ("gelu_tanh", "value", lambda z: z * sigmoid(2 * q(z))),
    "gelu_tanh' by s(2q)": (
        "gelu_tanh",
        "derivative",
        lambda z: sigmoid(2 * q(z)) + z * sigmoid(2 * q(z)) * sigmoid(-2 * q(z)) * 2 * q_slope(z),
    ),
    "silu as z s(z)": ("silu", "value", lambda z: z * sigmoid(z)),
    "silu as z / (1 + exp(-z))": ("silu", "value", lambda z: z / (1 + np.exp(-z))),
    "silu' as s (1 + z s(-z))": ("silu", "derivative", lambda z: sigmoid(z) * (1 + z * sigmoid(-z))),
    "softsign": ("softsign", "value", lambda z: z / (1 + np.abs(z))),
    "softsign' as 1 / (1 + |z|)^2": ("softsign", "derivative", lambda z: 1 / (1 + np.abs(z)) ** 2),
}


def sizes_for(activation):
    rng = np.random.default_rng(3)
    sizes = np.concatenate([np.logspace(-6, 0, 60), rng.uniform(0, 40, 120), rng.uniform(40, 80, 20)])
    # a difference of relus loses digits from 1 / u on: 2^24, 2^53
    return np.concatenate([sizes, np.logspace(2, 18, 60)]) if activation in ("relu6", "softsign") else sizes


def judged(activation, quantity, formula, dtype):
    """z, the error of a formula beyond underflow, the unit and the scales."""
    sizes = sizes_for(activation)
    z = np.concatenate([sizes, -sizes]).astype(dtype)
    computed = formula(z)
    assert computed.dtype == dtype
    choice = next(c for c in CHOICES if named(c) in (activation, f"{activation}(1)"))
    error = distance(computed, [EXACT[quantity](branch(choice, p), arb(float(p))) for p in z])
    z, info = z.astype(float), np.finfo(dtype)
    beyond = np.maximum(error - float(info.tiny) * (1 + np.abs(z)), 0.0)
    return z, beyond, float(info.eps) / 2, getattr(row_of(ROUNDED_ACTIVATIONS, choice), f"{quantity}_scales")


def units(beyond, allowed):
    return np.max(np.divide(beyond, allowed, out=np.where(beyond > 0, np.inf, 0.0), where=allowed > 0))


each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


@each_dtype
@pytest.mark.parametrize("name", ACCURATE)
def test_accurate_formula_is_right(name, dtype):
    z, beyond, unit, scales = judged(*ACCURATE[name], dtype)
    worst = units(beyond, unit * scales.right(z))
    print(f"measured: {name} {np.dtype(dtype).name}: {worst:.2f} u right scale")
    assert worst <= K


# the loss grows as u |z|, until e^-|z| is less than u: |z| < 17 in float32, so that it stays below K u there
MILD_IN_FLOAT32 = ("softplus' as exp(z - a)", "silu' as s (1 + z (1 - s))", "silu' as a + s (1 - a)")


@each_dtype
@pytest.mark.parametrize("name", TEXTBOOK)
def test_textbook_formula_is_lossy_and_no_worse(name, dtype):
    z, beyond, unit, scales = judged(*TEXTBOOK[name], dtype)
    worst = units(beyond, unit * scales.lossy(z))
    print(f"measured: {name} {np.dtype(dtype).name}: {worst:.2f} u lossy scale")
    assert worst <= K
    loses_digits = (beyond > K * unit * scales.right(z)).any()
    assert loses_digits == (dtype is np.float64 or name not in MILD_IN_FLOAT32)


@pytest.mark.parametrize("library", ["numpy", "torch", "jax.numpy"])
def test_the_slope_of_tanh_from_its_value_is_within_k_units_in_every_library(library):
    """1 - a a in float32: what is allowed for it can be little tighter, since one library's tanh takes more than half of it."""
    z = np.linspace(-10, 10, 400_001, dtype=np.float32)
    module = pytest.importorskip(library)
    a = np.asarray(module.tanh(module.asarray(z)))
    right = row_of(ACTIVATIONS, "tanh").derivative(z.astype(np.float64))
    worst = float(np.max(np.abs((1 - a * a).astype(np.float64) - right))) / 2.0**-24
    print(f"measured: tanh' as 1 - a a by {library}, float32: {worst:.2f} u lossy scale")
    assert 1 < worst <= K
