"""Honest passes as people may have written them, in any precision, and problems with all that is special to put them to."""

import itertools
from dataclasses import dataclass, field

import numpy as np
from scipy.special import erfc

from reference.backward import gradient_of_passes
from reference.functions.activations import ACTIVATIONS, SELU_ALPHA, SELU_SCALE
from reference.functions.expected_outputs import DISTRIBUTION, PROBABILITIES
from reference.functions.losses import LOSSES
from reference.functions.parametrised import name_and_parameters, row_of
from reference.gradient import Gradient
from reference.passes import passes
from reference.problem import Problem
from rounding.activations import ROUNDED_ACTIVATIONS
from rounding.arithmetic import K
from rounding.precisions import PRECISIONS, Precision
from rounding.worst_case import rounding_bound

# ---- functions, by accurate and by textbook formulas ----


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_by_logsumexp(z):
    largest = z.max(axis=1, keepdims=True)
    return np.exp(z - (largest + np.log(np.exp(z - largest).sum(axis=1, keepdims=True))))


def by_difference(z, p, e):
    return p * (e - (p * e).sum(axis=1, keepdims=True))


def by_two_products(z, p, e):
    return p * e - p * (p * e).sum(axis=1, keepdims=True)


def by_jacobian(z, p, e):
    jacobian = np.stack([np.diag(row) - row[:, None] * row[None, :] for row in p])
    return (jacobian * e[:, :, None]).sum(axis=1)


def by_the_chain(z, p, e):
    """Through the quotient, the sum and the exponential, one by one."""
    exp = np.exp(z - z.max(axis=1, keepdims=True))
    total = exp.sum(axis=1, keepdims=True)
    return (e / total - (e * exp / (total * total)).sum(axis=1, keepdims=True)) * exp


PULLBACKS = {function.__name__: function for function in (by_difference, by_two_products, by_jacobian, by_the_chain)}
"""The pullback of a softmax as it may be written, of z, p and dC/da."""


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def by_float64(function):
    return lambda z: function(z.astype(np.float64)).astype(z.dtype)


ERFC = by_float64(erfc)


def constant(z, value):
    return +np.full_like(z, value)  # an operation, so that what rounds its results rounds this one too


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
    "softmax": (softmax, None),
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
    "softmax": (softmax_by_logsumexp, None),
}


# ---- passes ----


@dataclass
class Honest:
    """A pass as somebody may have written it.

    dtype: its precision; seed: of the order of every sum; flush: subnormal results and inputs become 0;
    side: the subgradient at a kink, from 0 (left slope) to 1 (right slope); pullback: of a softmax, a key of PULLBACKS;
    mean: divides "first", "last" or by "share" (times 1/B); fused: whether a - y stands for equations 2 and 3 of the last layer, where the
    loss is of probabilities.
    """

    dtype: type = np.float64
    seed: int | None = None
    flush: bool = False
    side: float = 0.0
    mean: str = "first"
    formulas: str = "accurate"
    pullback: str = "by_difference"
    fused: bool = False

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
        shares = {"first": lambda x: self.kept(x / batch), "share": lambda x: self.kept(x * (self.dtype(1) / batch))}
        shared = shares.get(mean, lambda x: x)
        e = shared(e)
        last = (lambda x: self.kept(x / batch)) if mean == "last" else (lambda x: x)
        weights, biases, deltas = [], [], []
        for w, z, before, choice in reversed(list(zip(p.weights, zs, a, p.activations, strict=False))):
            fused = self.fused and not deltas and row_of(LOSSES, p.loss).behind
            delta = shared(self.fused_error(p.loss, a[-1], self.given(p.y))) if fused else self.kept(self.delta(choice, z, e))
            deltas.append(last(delta))
            weights.append(last(self.product(delta.T, before)))
            biases.append(last(self.total(delta)))
            e = self.product(delta, self.given(w))
        return Gradient(weights[::-1], biases[::-1], x=last(e), pre_activations=zs, activations=a[1:], deltas=deltas[::-1])

    def function(self, choice, quantity, z):
        """g or g'"""
        name, parameters = name_and_parameters(choice)
        table = ACCURATE if self.formulas == "accurate" else TEXTBOOK
        return self.kept(table[name][("value", "derivative").index(quantity)](z, **parameters))

    def delta(self, choice, z, e):
        """dC/dz of dC/da"""
        if choice == "softmax":
            return self.pulled_back(z, self.function(choice, "value", z), e)
        slope = self.function(choice, "derivative", z)
        for kink, _ in row_of(ACTIVATIONS, choice).kinks:
            left, right = (self.function(choice, "derivative", np.nextafter(np.full_like(z, kink), z.dtype.type(d))) for d in (-9, 9))
            slope = np.where(z == kink, left + self.dtype(self.side) * (right - left), slope)
        return e * slope

    def pulled_back(self, z, p, e):
        """dC/dz of a softmax"""
        return PULLBACKS[self.pullback](z, p, e)

    def fused_error(self, loss, a, y):
        """dC/dz of the last layer, as most people's code has it."""
        return self.kept((a - y) / self.dtype(a.shape[1]) if loss == "binary_cross_entropy_of_probabilities" else self.kept(a - y))

    def output_error(self, loss, a, y):
        name, parameters = name_and_parameters(loss)
        n = self.dtype(a.shape[1])
        r = a - y
        if name == "upstream":
            return y
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
        if name.startswith("summed"):
            n = self.dtype(1)
        if name.endswith("binary_cross_entropy_with_logits"):
            right = (1 - y) * sigmoid(a) - y * sigmoid(-a)
            return (right if self.formulas == "accurate" else sigmoid(a) - y) / n
        if name == "cross_entropy_of_probabilities":
            return -y / a
        if name.endswith("binary_cross_entropy_of_probabilities"):
            by_terms = -y / a + (1 - y) / (1 - a)
            return (by_terms if self.formulas == "accurate" else (a - y) / (a * (1 - a))) / n
        exp = np.exp(a - a.max(axis=1, keepdims=True))
        p = exp / exp.sum(axis=1, keepdims=True)
        others = np.stack([np.delete(p, j, 1).sum(axis=1) for j in range(p.shape[1])], 1)
        return np.where((y == 1) & (self.formulas == "accurate"), -others, p - y).astype(self.dtype)


REUSED = {
    # name: (where, the slope by a stored activation)
    "sigmoid": (np.isfinite, lambda a: a * (1 - a)),
    "tanh": (np.isfinite, lambda a: 1 - a * a),
    "elu": (lambda z: z <= 0, lambda a, alpha=1.0: a + constant(a, alpha)),
}


@dataclass
class Adverse(Honest):
    """A pass in which every operation errs by all that the model of rounding allows, u, and every function by K u of its scale.

    sign: all errors upwards (1), downwards (-1) or each at random (0). Computed in float64, whose own rounding comes on top.
    sum_unit: u of sums, if they are kept in another format; product_unit: of the factors of a product, if they are rounded once more;
    function_unit: of functions, if they are computed in another format and rounded once.
    """

    unit: float = 2.0**-11
    sign: int = 0
    sum_unit: float | None = None
    product_unit: float = 0.0
    function_unit: float | None = None

    def __post_init__(self):
        self.seed, self.rng = 1, np.random.default_rng(0)

    def error(self, x):
        # a little less than u, for the rounding of float64
        return self.unit * (1 - 1e-6) * (self.sign or self.rng.choice([-1.0, 1.0], np.shape(x)))

    def kept(self, x):
        return x * (1 + self.error(x))

    def total(self, terms):
        return super().total(terms) if self.sum_unit is None else self.kept(self.in_sums().total(terms))

    def product(self, left, right):
        left, right = (x * (1 + self.error(x) * self.product_unit / self.unit) for x in (left, right))
        return super().product(left, right) if self.sum_unit is None else self.kept(self.in_sums().product(left, right))

    def in_sums(self):
        """What adds up in another format, whose results are not yet stored."""
        return Adverse(unit=self.sum_unit, sign=self.sign)

    def function(self, choice, quantity, z):
        row = row_of(ACTIVATIONS, choice)
        if choice == "softmax":
            return self.softmax(z)
        scales = getattr(row_of(ROUNDED_ACTIVATIONS, choice), f"{quantity}_scales")
        scale = scales.right(z) if self.formulas == "accurate" else np.maximum(scales.right(z), scales.lossy(z))
        if self.function_unit is None:
            return getattr(row, quantity)(z) + K * self.error(z) * scale
        stored = scales.stored(z) if self.formulas == "textbook" else 0
        within = getattr(row, quantity)(z) + K * self.error(z) * self.function_unit / self.unit * scale
        return within + np.where(scale > 0, self.error(z) * (np.abs(within) + stored), 0)

    def softmax(self, z):
        unit = K * (self.unit if self.function_unit is None else self.function_unit) / self.unit
        shift = z.max(axis=1, keepdims=True)
        if self.formulas == "textbook":
            shift = shift + np.log(np.exp(z - shift).sum(axis=1, keepdims=True))
            shift = shift + unit * self.error(shift) * (1 + np.abs(shift))
        exp = np.exp(self.kept(z - shift))
        exp = exp * (1 + unit * self.error(exp))
        return self.kept(exp if self.formulas == "textbook" else exp / self.total(exp.T)[:, None])

    def pulled_back(self, z, p, e):
        return self.kept(p * self.kept(e - self.total(self.kept(p * e).T)[:, None]))

    def output_error(self, loss, a, y):
        return row_of(LOSSES, loss).derivative(a, y)


def factor(x, bits):
    """x rounded to so many bits."""
    significand, exponent = np.frexp(x)
    return np.ldexp(np.rint(significand * 2.0**bits), exponent - bits)


class Steps(np.ndarray):
    """Numbers in float64 of which every operation's result is rounded to what a precision stores."""

    def __array_finalize__(self, before):
        self.row = getattr(before, "row", None)

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        result = getattr(ufunc, method)(*(np.asarray(given) for given in inputs), **options)
        return result if result.dtype == bool else steps(self.row.held(result), self.row)


def steps(x, row):
    """x, with every operation on it rounded."""
    numbers = np.asarray(x).view(Steps)
    numbers.row = row
    return numbers


@dataclass
class Stored(Honest):
    """A pass whose numbers are stored as a row of PRECISIONS says, each result rounded when it is stored.

    Sums are kept in float32 by NumPy's @, their factors rounded first for tf32; or in the storage, one addition after the other, where
    there is a seed.
    by_steps: whether a function rounds after each of its own operations, or once at its end, as frameworks do.
    reuses: whether slopes are computed from activations that were stored.
    """

    row: Precision = field(default_factory=lambda: PRECISIONS["bfloat16/float32"])
    by_steps: bool = False
    reuses: bool = False

    @property
    def sums_apart(self):
        return bool(self.row.sum_bits or self.row.product_bits)

    def kept(self, x):
        return self.row.held(x)

    def total(self, terms):
        return self.kept(terms.astype(np.float32).sum(axis=0) if self.sums_apart else super().total(terms))

    def product(self, left, right):
        if not self.sums_apart:
            return self.kept(super().product(left, right))
        bits = self.row.product_bits or self.row.bits
        left, right = (factor(x, bits).astype(np.float32) for x in (left, right))
        return self.kept(left @ right)

    def function(self, choice, quantity, z):
        name, parameters = name_and_parameters(choice)
        if self.reuses and quantity == "derivative" and name in REUSED:
            stored = self.working(self.function(choice, "value", z))
            return np.asarray(self.kept(np.where(REUSED[name][0](z), REUSED[name][1](stored, **parameters), 1)))
        return np.asarray(super().function(choice, quantity, self.working(z)))

    def pulled_back(self, z, p, e):
        return np.asarray(super().pulled_back(*(self.working(x) for x in (z, p, e))))

    def output_error(self, loss, a, y):
        return np.asarray(super().output_error(loss, self.working(a), self.working(y)))

    def working(self, x):
        """What a function is given: numbers whose operations round as this pass does."""
        return steps(x, self.row) if self.by_steps else x.astype(np.float32)


class Slopeless(Stored):
    """Not honest: a pass without the activations' derivatives."""

    def function(self, choice, quantity, z):
        return super().function(choice, quantity, z) if quantity == "value" else np.ones_like(z)


# ---- problems with all that is special ----

KINDS = ("plain", "zeros", "ties", "saturated", "tiny", "subnormal", "huge", "mixed")


def values(rng, kind, shape, row):
    x = rng.normal(0, 1, shape)
    if kind == "mixed":
        kind = rng.choice(KINDS[:-1])
    if kind == "zeros":
        x = np.where(rng.random(shape) < 0.6, 0.0, x)
    elif kind == "ties":
        x = rng.integers(-2, 3, shape).astype(float)
    elif kind == "saturated":
        x = 8 * x
    elif kind == "tiny":
        x = x * row.least_normal**0.4
    elif kind == "subnormal":
        x = x * row.least_normal
    elif kind == "huge":
        x = x * row.largest ** rng.choice([0.2, 0.45, 0.9])
    # representable in the target's precision: what is given to it is what the reference has
    return row.held(np.clip(x, -row.largest / 2, row.largest / 2))


PARAMETERS = {"elu": ("alpha", [-2.0, 0.5, 1.0, 0.1]), "leaky_relu": ("slope", [-0.5, 2.0, 0.0, 0.01]), "huber": ("delta", [0.1, 0.5, 2.0])}


def chosen(rng, table):
    name = str(rng.choice(sorted(table)))
    if name not in PARAMETERS or rng.random() < 0.4:
        return name
    parameter, given = PARAMETERS[name]
    return name, {parameter: float(rng.choice(given))}


OF_ANY_NUMBERS = [name for name, make in LOSSES.items() if not make().behind]


def random_problem(seed, kind, precision="float64", activations=(), losses=()):
    """activations, losses: those to choose from, or all, but for losses of probabilities, which stand behind what gives them and make no
    claim of sure outputs: tests/test_rounding_probabilities.py asks those."""
    row, rng = PRECISIONS[precision], np.random.default_rng([seed, KINDS.index(kind)])
    widths, batch = rng.integers(1, 5, rng.integers(2, 5)), int(rng.integers(1, 5))
    weights = [values(rng, kind, (n, m), row) for m, n in itertools.pairwise(widths)]
    biases = [None if rng.random() < 0.3 else values(rng, kind, (len(w),), row) for w in weights]
    loss = chosen(rng, losses or OF_ANY_NUMBERS)
    y = values(rng, kind, (batch, widths[-1]), row)
    if row_of(LOSSES, loss).expected is PROBABILITIES:
        y = rng.integers(0, 9, y.shape) / 8 if rng.random() < 0.5 else rng.integers(0, 2, y.shape).astype(float)
    elif row_of(LOSSES, loss).expected is DISTRIBUTION:
        y = (
            rng.multinomial(8, np.ones(widths[-1]) / widths[-1], size=batch) / 8
            if rng.random() < 0.5
            else np.eye(widths[-1])[rng.integers(widths[-1], size=batch)]
        )
    chosen_activations = [chosen(rng, activations or ACTIVATIONS) for _ in weights]
    return Problem(
        weights,
        biases=biases,
        activations=[*chosen_activations[:-1], [*row_of(LOSSES, loss).behind, chosen_activations[-1]][0]],
        x=values(rng, kind, (batch, widths[0]), row),
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


def claims_where_all_hold(seeds, kind, precision, model, honest, activations=(), losses=()):
    """The share of entries claimed on drawn problems (so many, or of seeds), on which no honest pass, by name, is outside the bound."""
    claimed = []
    for seed in range(seeds) if isinstance(seeds, int) else seeds:
        problem = random_problem(seed, kind, precision, activations, losses)
        truth, bound = judged(problem, model)
        claimed.append(claims(bound))
        for name, one in honest.items():
            found = outside(one.gradient(problem), truth, bound)
            assert not found, f"{name}: {found} on {problem!r}"
    return np.mean(claimed)


def claims(bound):
    """The share of entries for which the bound makes a claim."""
    return np.isfinite(np.concatenate([np.ravel(array) for array in bound.values()])).mean()
