"""The rounding bound holds every honest pass, bites on small mistakes, and says nothing where it cannot."""

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.special import erfc

from reference.activations import ACTIVATIONS, SELU_ALPHA, SELU_SCALE
from reference.backward import gradient, gradient_of_passes
from reference.choice import bind, split
from reference.losses import LOSSES
from reference.model import REFERENCE, K, Model, model_of
from reference.precisions import PRECISIONS
from reference.problem import Gradient, Problem
from reference.rounding import passes, rounding_bound


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield


# ---- honest implementations: one pass, in any precision, in any order, by accurate or by textbook formulas ----


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def by_float64(function):
    return lambda z: function(z.astype(np.float64)).astype(z.dtype)


ERFC = by_float64(erfc)


def constant(z, value):
    return z.dtype.type(value)


def Phi(z):
    return ERFC(-z * constant(z, 0.5**0.5)) / 2


def phi(z):
    return np.exp(-z * z / 2) * constant(z, (2 * np.pi) ** -0.5)


def twice_q(z):
    return 2 * constant(z, (2 / np.pi) ** 0.5) * (z + constant(z, 0.044715) * z * z * z)


def twice_q_slope(z):
    return 2 * constant(z, (2 / np.pi) ** 0.5) * (1 + constant(z, 3 * 0.044715) * z * z)


def exponential_linear(z, right, left):
    return np.where(z > 0, constant(z, right) * z, constant(z, left) * np.expm1(np.minimum(z, 0)))


def exponential_linear_slope(z, right, left):
    return np.where(z > 0, constant(z, right), constant(z, left) * np.exp(np.minimum(z, 0)))


ACCURATE = {
    # name: (g, g'), of z and the activation's parameters
    "identity": (lambda z: z, lambda z: np.ones_like(z)),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "tanh": (np.tanh, lambda z: 1 / (np.cosh(z) * np.cosh(z))),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(z.dtype)),
    "leaky_relu": (
        lambda z, slope=0.01: np.where(z > 0, z, constant(z, slope) * z),
        lambda z, slope=0.01: np.where(z > 0, constant(z, 1), constant(z, slope)),
    ),
    "elu": (lambda z, alpha=1.0: exponential_linear(z, 1, alpha), lambda z, alpha=1.0: exponential_linear_slope(z, 1, alpha)),
    "selu": (
        lambda z: exponential_linear(z, SELU_SCALE, SELU_SCALE * SELU_ALPHA),
        lambda z: exponential_linear_slope(z, SELU_SCALE, SELU_SCALE * SELU_ALPHA),
    ),
    "softplus": (lambda z: np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))), sigmoid),
    "gelu": (lambda z: z * Phi(z), lambda z: Phi(z) + z * phi(z)),
    "gelu_tanh": (
        lambda z: z * sigmoid(twice_q(z)),
        lambda z: sigmoid(twice_q(z)) + z * sigmoid(twice_q(z)) * sigmoid(-twice_q(z)) * twice_q_slope(z),
    ),
    "silu": (lambda z: z / (1 + np.exp(-z)), lambda z: sigmoid(z) * (1 + z * sigmoid(-z))),
    "softsign": (lambda z: z / (1 + np.abs(z)), lambda z: 1 / ((1 + np.abs(z)) * (1 + np.abs(z)))),
    "hardtanh": (lambda z: np.clip(z, -1, 1), lambda z: (np.abs(z) < 1).astype(z.dtype)),
    "relu6": (lambda z: np.clip(z, 0, 6), lambda z: ((z > 0) & (z < 6)).astype(z.dtype)),
}


def gelu_tanh_textbook_slope(z):
    t = np.tanh(twice_q(z) / 2)
    return (1 + t) / 2 + z / 2 * (1 - t * t) * twice_q_slope(z) / 2


TEXTBOOK = ACCURATE | {
    "sigmoid": (lambda z: (1 + np.tanh(z / 2)) / 2, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "tanh": (lambda z: 2 * sigmoid(2 * z) - 1, lambda z: 1 - np.tanh(z) * np.tanh(z)),
    "elu": (
        lambda z, alpha=1.0: np.where(z > 0, z, constant(z, alpha) * (np.exp(np.minimum(z, 0)) - 1)),
        lambda z, alpha=1.0: np.where(z > 0, constant(z, 1), constant(z, alpha) * np.expm1(np.minimum(z, 0)) + constant(z, alpha)),
    ),
    "softplus": (ACCURATE["softplus"][0], lambda z: 1 - np.exp(-ACCURATE["softplus"][0](z))),
    "gelu": (lambda z: z / 2 * (2 - 2 * Phi(-z)), lambda z: (2 - 2 * Phi(-z)) / 2 + z * phi(z)),
    "gelu_tanh": (lambda z: z / 2 * (1 + np.tanh(twice_q(z) / 2)), gelu_tanh_textbook_slope),
    "silu": (ACCURATE["silu"][0], lambda z: sigmoid(z) * (1 + z * (1 - sigmoid(z)))),
    "softsign": (ACCURATE["softsign"][0], lambda z: (1 - np.abs(z / (1 + np.abs(z)))) ** 2),
    "relu6": (lambda z: np.maximum(z, 0) - np.maximum(z - 6, 0), ACCURATE["relu6"][1]),
}


@dataclass
class Honest:
    """A pass as somebody may have written it.

    dtype: its precision; seed: of the order of every sum; flush: subnormal results and inputs become 0;
    side: the subgradient at a kink, from 0 (left slope) to 1 (right slope); mean: divides "first", "last" or by "share" (times 1/B).
    """

    dtype: type = np.float64
    seed: int | None = None
    flush: bool = False
    side: float = 0.0
    mean: str = "first"
    formulas: str = "accurate"

    def given(self, x):
        """A number of the problem."""
        return Honest.kept(self, x)

    def kept(self, x):
        """The result of one operation."""
        return np.where(np.abs(x) < np.finfo(self.dtype).tiny, 0, x).astype(self.dtype) if self.flush else x.astype(self.dtype)

    def total(self, terms):
        """The sum over the first axis, one addition after the other, in the order of the seed; None: as NumPy does it."""
        if self.seed is None and not self.flush:
            return terms.sum(axis=0, dtype=self.dtype)
        order = np.random.default_rng(self.seed).permutation(len(terms)) if self.seed else range(len(terms))[::-1]
        total = terms[order[0]]
        for i in order[1:]:
            total = self.kept(total + terms[i])
        return total

    def product(self, left, right):
        """left (m, n) @ right (n, p)"""
        if self.seed is None and not self.flush:
            return left @ right
        return self.total(self.kept(left.T[:, :, None] * right[:, None, :]))

    def gradient(self, problem):
        p = problem.copy(self.dtype)
        a, zs = [self.given(p.x)], []
        for w, b, choice in zip(p.weights, p.biases, p.activations, strict=True):
            z = self.product(a[-1], self.given(w).T)
            zs.append(z if b is None else self.kept(z + self.given(b)))
            a.append(self.function(choice, "value", zs[-1]))
        e = self.kept(self.output_error(problem.loss, a[-1], self.given(p.y)))
        batch = self.dtype(problem.batch)
        mean = self.mean if problem.reduction == "mean" else None
        if mean in ("first", "share"):
            e = self.kept(e / batch if mean == "first" else e * (self.dtype(1) / batch))
        last = (lambda x: self.kept(x / batch)) if mean == "last" else (lambda x: x)
        weights, biases, deltas = [], [], []
        for w, z, before, choice in reversed(list(zip(p.weights, zs, a, p.activations, strict=False))):
            slope = self.function(choice, "derivative", z)
            for kink, _ in bind(ACTIVATIONS, choice).kinks:
                left, right = (self.function(choice, "derivative", np.nextafter(np.full_like(z, kink), z.dtype.type(d))) for d in (-9, 9))
                slope = np.where(z == kink, left + self.dtype(self.side) * (right - left), slope)
            delta = self.kept(e * slope)
            deltas.append(last(delta))
            weights.append(last(self.product(delta.T, before)))
            biases.append(last(self.total(delta)))
            e = self.product(delta, self.given(w))
        return Gradient(weights[::-1], biases[::-1], x=last(e), pre_activations=zs, activations=a[1:], deltas=deltas[::-1])

    def function(self, choice, quantity, z):
        """g or g'"""
        name, parameters = split(choice)
        table = ACCURATE if self.formulas == "accurate" else TEXTBOOK
        return self.kept(table[name][("value", "derivative").index(quantity)](z, **parameters))

    def output_error(self, loss, a, y):
        name, parameters = split(loss)
        n = self.dtype(a.shape[1])
        r = a - y
        if name == "half_squared_error":
            return r
        if name == "squared_error":
            return 2 * r
        if name == "mean_squared_error":
            return 2 * r / n if self.formulas == "accurate" else 2 * a / n - 2 * y / n
        if name == "half_mean_squared_error":
            return r * (1 / n)
        if name == "huber":
            delta = self.dtype(parameters.get("delta", 1.0))
            return np.clip(r, -delta, delta) / n
        if name == "binary_cross_entropy_with_logits":
            right = (1 - y) * sigmoid(a) - y * sigmoid(-a)
            return (right if self.formulas == "accurate" else sigmoid(a) - y) / n
        exp = np.exp(a - a.max(axis=1, keepdims=True))
        p = exp / exp.sum(axis=1, keepdims=True)
        others = np.stack([np.delete(p, j, 1).sum(axis=1) for j in range(p.shape[1])], 1)
        return np.where((y == 1) & (self.formulas == "accurate"), -others, p - y).astype(self.dtype)


@dataclass
class Adverse(Honest):
    """A pass in which every operation errs by all that the model of rounding allows, u, and every function by K u of its scale.

    sign: all errors upwards (1), downwards (-1) or each at random (0). Computed in float64, whose own rounding comes on top.
    """

    unit: float = 2.0**-11
    sign: int = 0

    def __post_init__(self):
        self.seed, self.rng = 1, np.random.default_rng(0)

    def error(self, x):
        # a little less than u, for the rounding of float64
        return self.unit * (1 - 1e-6) * (self.sign or self.rng.choice([-1.0, 1.0], np.shape(x)))

    def kept(self, x):
        return x * (1 + self.error(x))

    def function(self, choice, quantity, z):
        row = bind(ACTIVATIONS, choice)
        scales = getattr(row, f"{quantity}_scales")
        scale = scales.right(z) if self.formulas == "accurate" else np.maximum(scales.right(z), scales.lossy(z))
        return getattr(row, quantity)(z) + K * self.error(z) * scale

    def output_error(self, loss, a, y):
        return bind(LOSSES, loss).derivative(a, y)


# ---- problems with all that is special ----

KINDS = ("plain", "zeros", "ties", "saturated", "tiny", "subnormal", "huge", "mixed")


def values(rng, kind, shape, dtype):
    info, x = np.finfo(dtype), rng.normal(0, 1, shape)
    if kind == "mixed":
        kind = rng.choice(KINDS[:-1])
    if kind == "zeros":
        x = np.where(rng.random(shape) < 0.6, 0.0, x)
    elif kind == "ties":
        x = rng.integers(-2, 3, shape).astype(float)
    elif kind == "saturated":
        x = 8 * x
    elif kind == "tiny":
        x = x * float(info.tiny) ** 0.4
    elif kind == "subnormal":
        x = x * float(info.tiny)
    elif kind == "huge":
        x = x * float(info.max) ** rng.choice([0.2, 0.45, 0.9])
    # representable in the target's precision: what is given to it is what the reference has
    return np.clip(x, -float(info.max) / 2, float(info.max) / 2).astype(dtype).astype(float)


PARAMETERS = {"elu": ("alpha", [-2.0, 0.5, 1.0, 0.1]), "leaky_relu": ("slope", [-0.5, 2.0, 0.0, 0.01]), "huber": ("delta", [0.1, 0.5, 2.0])}


def chosen(rng, table):
    name = str(rng.choice(sorted(table)))
    if name not in PARAMETERS or rng.random() < 0.4:
        return name
    parameter, given = PARAMETERS[name]
    return name, {parameter: float(rng.choice(given))}


def random_problem(seed, kind, dtype=np.float64):
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    widths, batch = rng.integers(1, 5, rng.integers(2, 5)), int(rng.integers(1, 5))
    weights = [values(rng, kind, (n, m), dtype) for m, n in itertools.pairwise(widths)]
    biases = [None if rng.random() < 0.3 else values(rng, kind, (len(w),), dtype) for w in weights]
    loss = chosen(rng, LOSSES)
    y = values(rng, kind, (batch, widths[-1]), dtype)
    if loss == "binary_cross_entropy_with_logits":
        y = rng.integers(0, 9, y.shape) / 8
    elif loss == "softmax_cross_entropy":
        y = (
            rng.multinomial(8, np.ones(widths[-1]) / widths[-1], size=batch) / 8
            if rng.random() < 0.5
            else np.eye(widths[-1])[rng.integers(widths[-1], size=batch)]
        )
    return Problem(
        weights,
        biases=biases,
        activations=[chosen(rng, ACTIVATIONS) for _ in weights],
        x=values(rng, kind, (batch, widths[0]), dtype),
        y=y,
        loss=loss,
        reduction=str(rng.choice(["sum", "mean"])),
    )


def judged(problem, model):
    """The reference's answer and the bound, by place."""
    passed = passes(problem)
    return dict(gradient_of_passes(passed.forward, passed.backward).arrays()), dict(rounding_bound(passed, model).arrays())


def outside(target, truth, bound):
    """The places where the target is outside the bound, with error and bound; what is infinite is no claim."""
    found = []
    for place, array in target.arrays():
        off, allowed = np.abs(np.asarray(array) - truth[place]), np.asarray(bound[place])
        bad = ~(off <= allowed) & ~np.isinf(allowed)
        if bad.any():
            found.append((str(place), off[bad], allowed[bad]))
    return found


def claims(bound):
    """The share of entries for which the bound makes a claim."""
    return np.isfinite(np.concatenate([np.ravel(array) for array in bound.values()])).mean()


DTYPES = {"float64": np.float64, "float32": np.float32, "float16": np.float16}
VARIANTS = {
    "NumPy": {},
    "reversed loops": {"seed": 0},
    "random order": {"seed": 7},
    "flushed to zero": {"flush": True, "seed": 3},
    "subgradient 1/2": {"side": 0.5},
    "subgradient 1": {"side": 1.0},
    "mean at the end": {"mean": "last"},
    "times 1/B": {"mean": "share", "seed": 5},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("formulas", ["accurate", "textbook"])
def test_holds_honest_passes(kind, precision, formulas):
    dtype = DTYPES[precision]
    model = model_of(PRECISIONS[precision], frozenset() if formulas == "accurate" else None)
    claimed = []
    for seed in range(25):
        problem = random_problem(seed, kind, dtype)
        truth, bound = judged(problem, model)
        claimed.append(claims(bound))
        for name, options in VARIANTS.items():
            found = outside(Honest(dtype=dtype, formulas=formulas, **options).gradient(problem), truth, bound)
            assert not found, f"{name}: {found} on {problem!r}"
    # the test is not idle: a claim is made nearly everywhere, but where numbers leave the range on purpose
    assert np.mean(claimed) > (0.1 if kind == "huge" else 0.6 if precision == "float16" or kind == "mixed" else 0.95)


@pytest.mark.parametrize("formulas", ["accurate", "textbook"])
@pytest.mark.parametrize("sign", [1, -1, 0])
@pytest.mark.parametrize("unit", [2.0**-8, 2.0**-11, 2.0**-24])
def test_holds_the_largest_errors_that_the_model_allows(unit, sign, formulas):
    float64 = PRECISIONS["float64"]
    model = Model(unit + float64.unit, 2 * float64.least_normal, float64.largest, frozenset() if formulas == "accurate" else None)
    for seed in range(20):
        for kind in ("plain", "zeros", "ties", "saturated", "mixed"):
            problem = random_problem(seed, kind)
            for mean in ("first", "last"):
                target = Adverse(unit=unit, sign=sign, mean=mean, formulas=formulas).gradient(problem)
                found = outside(target, *judged(problem, model))
                assert not found, f"{found} on {problem!r}"


def test_holds_a_pass_in_long_double():
    for seed in range(25):
        for kind in KINDS:
            problem = random_problem(seed, kind)
            target = Honest(dtype=np.longdouble, seed=1).gradient(problem)
            assert not outside(target, *judged(problem, model_of(PRECISIONS["float64"]))), repr(problem)
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
        assert not outside(target, *judged(problem, model_of(PRECISIONS["float64"])))


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
    truth, bound = judged(problem, model_of(PRECISIONS["float32"], frozenset() if formulas == "accurate" else None))
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
    model = model_of(PRECISIONS["float64"])
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
            assert outside(answer, *judged(NORMAL, model_of(PRECISIONS[precision]))), place


def test_a_model_without_rounding_allows_nothing_on_a_smooth_problem():
    bound = rounding_bound(passes(NORMAL), Model(0.0, 0.0, PRECISIONS["float64"].largest))
    for place, array in bound.arrays():
        assert np.all(np.asarray(array) == 0), place


def test_lossy_formulas_are_allowed_for_by_name():
    saturated = NORMAL.replaced(x=[[20.0, -30.0], [25.0, 30.0]])
    right, tanh, others, both = (
        rounding_bound(passes(saturated), model_of(PRECISIONS["float64"], names))
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
    bound = rounding_bound(passes(problem), model_of(PRECISIONS["float64"]))
    # dC/da = 1 (+ x), and its slope is anywhere from 0 to 1; times x = 3 in dC/dW; 1e-8: the inflation
    assert 1.0 <= bound.deltas[0][0, 0] < 1.0 + 1e-8
    assert 3.0 <= bound.weights[0][0, 0] < 3.0 + 1e-8


@pytest.mark.parametrize("x", [2.0**-40, -(2.0**-40)])
def test_nothing_is_given_away_beside_a_kink(x):
    problem = Problem([[[1.0, 1.0, -1.0]]], activations=["relu"], x=[[3.0, x, 3.0]], y=[[-1.0]])
    assert rounding_bound(passes(problem), model_of(PRECISIONS["float64"])).deltas[0][0, 0] < 1e-14


# ---- infinite where no claim is made; never NaN, never negative ----


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", DTYPES)
def test_is_never_nan_nor_negative(kind, precision):
    for seed in range(60):
        problem = random_problem(seed, kind)
        for names in (frozenset(), None):
            for place, array in rounding_bound(passes(problem), model_of(PRECISIONS[precision], names)).arrays():
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
    bound = rounding_bound(passes(OVERFLOWS[name]), model_of(PRECISIONS["float64"]))
    assert np.isinf(bound.weights[0]).all() and np.isinf(bound.deltas[0]).all()


def test_no_claim_is_made_for_a_softmax_with_a_logit_that_has_none():
    weights, y = [[[1e200, -1e200], [1.0, 0.0]]], [[0.0, 1.0]]
    problem = Problem(weights, activations=["tanh"], x=[[1e200, 1e200]], y=y, loss="softmax_cross_entropy")
    bound = rounding_bound(passes(problem), model_of(PRECISIONS["float64"]))
    assert np.isfinite(bound.activations[0]).tolist() == [[False, True]]
    assert np.isinf(bound.deltas[0]).all()


def test_claims_of_float64_are_none_of_float32():
    problem = Problem([[[1e20]]], activations=["identity"], x=[[1e20]], y=[[0.0]])
    assert np.isfinite(rounding_bound(passes(problem), model_of(PRECISIONS["float64"])).pre_activations[0]).all()
    assert np.isinf(rounding_bound(passes(problem), model_of(PRECISIONS["float32"])).pre_activations[0]).all()


def test_a_claim_is_made_for_what_does_not_depend_on_an_overflow():
    problem = Problem([np.diag([1.0, 2.0])], activations=["identity"], x=[[1.0, 3e38]], y=[[0.0, 0.0]])
    bound = rounding_bound(passes(problem), model_of(PRECISIONS["float32"]))
    assert np.isfinite(bound.pre_activations[0]).tolist() == [[True, False]]


# ---- its form ----


@pytest.mark.parametrize("kind", KINDS)
def test_grows_with_the_unit_and_the_underflow(kind):
    largest = PRECISIONS["float64"].largest
    for seed in range(40):
        passed = passes(random_problem(seed, kind))
        bounds = [
            rounding_bound(passed, Model(unit, eta, largest))
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
                activations=["gelu", "leaky_relu"],
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
    model = model_of(PRECISIONS["float32"], None)
    together = dict(gradient(stacked).arrays()), dict(rounding_bound(passes(stacked), model).arrays())
    for i, problem in enumerate(problems):
        alone = gradient(problem), rounding_bound(passes(problem), model)
        for all_of_them, one in zip(together, alone, strict=True):
            for place, array in one.arrays():
                # sums of a few terms in another order: a few u
                np.testing.assert_allclose(all_of_them[place][i], array, rtol=1e-14, atol=1e-15, err_msg=str(place))
