"""Every loss of the table against its definition in 80 digits, and its rounding bound against honest float32 losses."""

from functools import cache

import numpy as np
import pytest
from mpmath import mp, mpf

from reference.errors import ProblemError
from reference.functions.activations import ACTIVATIONS
from reference.functions.expected_outputs import DISTRIBUTION, PROBABILITIES
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.problem import Problem
from rounding.arithmetic import REFERENCE, K, WorstCaseRounding, worst_case_rounding
from rounding.losses import ROUNDED_LOSSES
from rounding.precisions import PRECISIONS

STEP = mpf(10) ** -40
CHOICES = [*(name for name in LOSSES if name != "huber"), *(("huber", {"delta": delta}) for delta in (1.0, 0.25, 3.0))]


def named(choice):
    return choice if isinstance(choice, str) else choice[0] + "".join(f"({value:g})" for value in choice[1].values())


each_loss = pytest.mark.parametrize("choice", CHOICES, ids=named)


@pytest.fixture(autouse=True)
def many_digits():
    with mp.workdps(900), np.errstate(all="ignore"):
        yield


# ---- the definitions, for lists of mpf ----


def squares(factor, mean):
    return lambda a, y: mpf(factor) * sum((p - q) ** 2 for p, q in zip(a, y, strict=True)) / (len(a) if mean else 1)


def huber(delta):
    def h(r):
        return r * r / 2 if r <= delta else delta * (r - delta / 2)

    return lambda a, y: sum(h(abs(p - q)) for p, q in zip(a, y, strict=True)) / len(a)


@cache
def log(p):
    """Kept, since a difference moves one output and leaves the others as they are. All are taken in as many digits."""
    return mp.log(p)


def binary_cross_entropy(a, y):
    # from the probabilities: 1 / (1 + e^-a) and its complement
    return sum(q * log(1 + mp.exp(-p)) + (1 - q) * log(1 + mp.exp(p)) for p, q in zip(a, y, strict=True)) / len(a)


def softmax_cross_entropy(a, y):
    total = sum(mp.exp(p) for p in a)
    return -sum(q * log(mp.exp(p) / total) for p, q in zip(a, y, strict=True) if q)


def of_probabilities(a, y):
    return -sum(q * log(p) for p, q in zip(a, y, strict=True) if q)


def binary_of_probabilities(a, y):
    return of_probabilities(a, y) + of_probabilities([1 - p for p in a], [1 - q for q in y])


DEFINITIONS = {
    "half_squared_error": lambda: squares(0.5, mean=False),
    "squared_error": lambda: squares(1, mean=False),
    "mean_squared_error": lambda: squares(1, mean=True),
    "half_mean_squared_error": lambda: squares(0.5, mean=True),
    "huber": lambda delta: huber(mpf(delta)),
    "upstream": lambda: lambda a, y: sum(p * q for p, q in zip(a, y, strict=True)),
    "binary_cross_entropy_with_logits": lambda: binary_cross_entropy,
    "softmax_cross_entropy": lambda: softmax_cross_entropy,
    "summed_binary_cross_entropy_with_logits": lambda: lambda a, y: len(a) * binary_cross_entropy(a, y),
    "cross_entropy_of_probabilities": lambda: of_probabilities,
    "binary_cross_entropy_of_probabilities": lambda: lambda a, y: binary_of_probabilities(a, y) / len(a),
    "summed_binary_cross_entropy_of_probabilities": lambda: binary_of_probabilities,
}


def definition(choice):
    name, parameters = (choice, {}) if isinstance(choice, str) else choice
    return DEFINITIONS[name](**parameters)


def exactly(numbers):
    return [mpf(float(x)) for x in numbers]


def exact_value(choice, a, y):
    return definition(choice)(exactly(a), exactly(y))


def exact_derivative(choice, a, y):
    """A central difference: its error, 1e-80, is nothing beside any number of the tests."""
    value, a, y = definition(choice), exactly(a), exactly(y)
    moved = [[p + (STEP * side if i == j else 0) for i, p in enumerate(a)] for j in range(len(a)) for side in (1, -1)]
    values = [value(m, y) for m in moved]
    return [(above - below) / (2 * STEP) for above, below in zip(values[::2], values[1::2], strict=True)]


# ---- cases ----

RNG = np.random.default_rng(0)
OUTPUTS = {
    "plain": RNG.normal(0, 1, (3, 4)),
    "equal": np.full((1, 3), 0.5),
    "zero": np.zeros((1, 3)),
    "one output": np.array([[0.7]]),
    "tiny": RNG.normal(0, 1e-20, (2, 3)),
    "far to one side": np.array([[40.0, -30.0, 2.0]]),
    "far to the other": np.array([[-45.0, 20.0, 60.0]]),
    "large logits": np.array([[600.0, 598.5, -20.0], [-700.0, -701.0, -699.0]]),
    "kink of huber": np.array([[1.0, -1.0, 0.25, 3.0]]),
}
each_output = pytest.mark.parametrize("outputs", OUTPUTS)


def given(choice, a):
    """What the last layer may give: any numbers, or of a loss of probabilities those of such logits, over 20."""
    behind = row_of(LOSSES, choice).behind
    return row_of(ACTIVATIONS, behind[0]).value(a / 20) if behind else a


def expected(choice, shape, kind="soft"):
    """Expected outputs that the loss takes; dyadic, so that a distribution sums to 1 exactly."""
    rng = np.random.default_rng(shape[1])
    takes = row_of(LOSSES, choice).expected
    if takes is DISTRIBUTION:
        if kind == "hard":
            return np.eye(shape[1])[rng.integers(shape[1], size=shape[0])]
        return rng.multinomial(64, np.ones(shape[1]) / shape[1], size=shape[0]) / 64
    if takes is PROBABILITIES:
        return rng.integers(0, 2, shape).astype(float) if kind == "hard" else rng.integers(0, 65, shape) / 64
    return np.zeros(shape) if kind == "hard" else rng.integers(-64, 65, shape) / 64


each_kind = pytest.mark.parametrize("kind", ["soft", "hard"])


@each_loss
@each_output
@each_kind
def test_value_and_derivative_are_those_of_the_definition(choice, outputs, kind):
    row, a = row_of(LOSSES, choice), given(choice, OUTPUTS[outputs])
    rounded = row_of(ROUNDED_LOSSES, choice)
    y = expected(choice, a.shape, kind)
    value, derivative = row.value(a, y), row.derivative(a, y)
    assert value.shape == a.shape[:-1] and derivative.shape == a.shape
    value_bound = rounded.value_error(a, y, np.zeros_like(a), REFERENCE)
    derivative_bound = rounded.derivative_error(a, y, np.zeros_like(a), REFERENCE)
    for i in range(len(a)):
        assert abs(mpf(value[i]) - exact_value(choice, a[i], y[i])) <= value_bound[i]
        truth = exact_derivative(choice, a[i], y[i])
        for j, exact in enumerate(truth):
            # at Huber's corners the difference is off by up to a step
            assert abs(mpf(derivative[i, j]) - exact) <= mpf(derivative_bound[i, j]) + 2 * STEP, (a[i], y[i], j)


HARD_TO_GET = [
    # loss, a, y: entries that lose all digits in the textbook form
    ("softmax_cross_entropy", [40.0, 0.0, -3.0], [1.0, 0.0, 0.0]),
    ("softmax_cross_entropy", [-700.0, 0.0, 30.0], [0.0, 0.0, 1.0]),
    ("softmax_cross_entropy", [700.0, 0.0, 0.0], [1.0, 0.0, 0.0]),
    ("binary_cross_entropy_with_logits", [40.0, -40.0, 300.0, -700.0], [1.0, 0.0, 1.0, 0.0]),
    ("mean_squared_error", [1e10 + 2, 1e10, 3.0], [1e10, 1e10 + 2, 3.0]),
]


@pytest.mark.parametrize(("choice", "a", "y"), HARD_TO_GET)
def test_derivative_keeps_its_digits(choice, a, y):
    derivative = row_of(LOSSES, choice).derivative(np.array([a]), np.array([y]))[0]
    for computed, exact in zip(derivative, exact_derivative(choice, a, y), strict=True):
        # 16 K u: a handful of elementary functions and products; 1e-307: what is subnormal
        assert abs(mpf(computed) - exact) <= 16 * REFERENCE.unit * abs(exact) + mpf("1e-307")


# ---- the bound: an honest target, whose a is anywhere within E(a) ----


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def others(x):
    return np.stack([np.delete(x, j, -1).sum(-1, dtype=x.dtype) for j in range(x.shape[-1])], -1)


def softmax(a):
    e = np.exp(a - a.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_by_logsumexp(a):
    m = a.max(-1, keepdims=True)
    return np.exp(a - (m + np.log(np.exp(a - m).sum(-1, keepdims=True))))


def softmax_right(a, y):
    p = softmax(a)
    return np.where(y == 1, -others(p), p - y)


def n_of(a):
    return a.dtype.type(a.shape[-1])


RIGHT = {
    # loss: formulas of the derivative, in the precision of a
    "half_squared_error": [lambda a, y: a - y],
    "squared_error": [lambda a, y: 2 * (a - y)],
    "mean_squared_error": [lambda a, y: 2 * (a - y) / n_of(a), lambda a, y: (a.dtype.type(2) / n_of(a)) * (a - y)],
    "half_mean_squared_error": [lambda a, y: (a - y) / n_of(a), lambda a, y: (a.dtype.type(1) / n_of(a)) * (a - y)],
    "huber": [
        lambda a, y: np.clip(a - y, -1, 1) / n_of(a),
        lambda a, y: np.where(np.abs(a - y) < 1, a - y, np.sign(a - y)) * (a.dtype.type(1) / n_of(a)),
    ],
    "binary_cross_entropy_with_logits": [lambda a, y: ((1 - y) * sigmoid(a) - y * sigmoid(-a)) / n_of(a)],
    "softmax_cross_entropy": [softmax_right],
    "summed_binary_cross_entropy_with_logits": [lambda a, y: (1 - y) * sigmoid(a) - y * sigmoid(-a)],
    "cross_entropy_of_probabilities": [lambda a, y: -y / a],
    "binary_cross_entropy_of_probabilities": [
        lambda a, y: (-y / a + (1 - y) / (1 - a)) / n_of(a),
        lambda a, y: (a - y) / (a * (1 - a)) * (a.dtype.type(1) / n_of(a)),
    ],
    "summed_binary_cross_entropy_of_probabilities": [lambda a, y: -y / a + (1 - y) / (1 - a), lambda a, y: (a - y) / (a * (1 - a))],
}


def huber_by_clipping(a, y):
    """The derivative, by automatic differentiation, of m^2/2 + (|r| - m) with m = min(|r|, 1)."""
    r = np.abs(a - y)
    inside = (r <= 1).astype(a.dtype)
    return np.sign(a - y) * ((np.minimum(r, 1) - 1) * inside + 1) / n_of(a)


LOSSY = {
    "huber": [huber_by_clipping],
    "mean_squared_error": [lambda a, y: (2 / n_of(a)) * a - (2 / n_of(a)) * y],
    "half_mean_squared_error": [lambda a, y: a / n_of(a) - y / n_of(a)],
    "binary_cross_entropy_with_logits": [lambda a, y: (sigmoid(a) - y) / n_of(a)],
    "summed_binary_cross_entropy_with_logits": [lambda a, y: sigmoid(a) - y],
    "softmax_cross_entropy": [lambda a, y: softmax(a) - y, lambda a, y: softmax_by_logsumexp(a) - y],
}
VALUES = {
    # loss: formulas of C_0
    "half_squared_error": [lambda a, y: 0.5 * np.sum((a - y) ** 2, -1)],
    "squared_error": [lambda a, y: np.sum((a - y) ** 2, -1)],
    "mean_squared_error": [lambda a, y: np.mean((a - y) ** 2, -1), lambda a, y: np.sum((a - y) ** 2 / n_of(a), -1)],
    "half_mean_squared_error": [lambda a, y: np.mean((a - y) ** 2, -1) / 2],
    "huber": [lambda a, y: np.mean(np.where(np.abs(a - y) <= 1, (a - y) ** 2 / 2, np.abs(a - y) - a.dtype.type(0.5)), -1)],
    "binary_cross_entropy_with_logits": [
        lambda a, y: np.mean(np.maximum(a, 0) - a * y + np.log1p(np.exp(-np.abs(a))), -1),
        lambda a, y: np.mean(y * np.logaddexp(a.dtype.type(0), -a) + (1 - y) * np.logaddexp(a.dtype.type(0), a), -1),
    ],
    "softmax_cross_entropy": [
        lambda a, y: -np.sum(y * (a - a.max(-1, keepdims=True) - np.log(np.exp(a - a.max(-1, keepdims=True)).sum(-1, keepdims=True))), -1)
    ],
}
VALUES |= {
    "cross_entropy_of_probabilities": [lambda a, y: -np.sum(y * np.log(a), -1)],
    "binary_cross_entropy_of_probabilities": [lambda a, y: -np.mean(y * np.log(a) + (1 - y) * np.log(1 - a), -1)],
    "summed_binary_cross_entropy_of_probabilities": [lambda a, y: -np.sum(y * np.log(a) + (1 - y) * np.log1p(-a), -1)],
}
FORMULAS = [(name, grade, i) for grade, table in (("right", RIGHT), ("lossy", LOSSY)) for name in table for i in range(len(table[name]))]
DTYPES = {"float16": np.float16, "float32": np.float32}


def draws(name, dtype, count=60):
    """a of the reference, its E(a) and a target's a within it, in its own precision: corners of the box, its inside, no error."""
    rng = np.random.default_rng([len(name), np.dtype(dtype).itemsize])
    for _ in range(count):
        shape = (rng.integers(1, 4), rng.integers(1, 6))
        a = given(name, rng.normal(0, rng.choice([1e-6, 1, 1, 8, 60]), shape)).astype(dtype).astype(float)
        y = expected(name, shape, rng.choice(["soft", "hard"]))
        if rng.random() < 0.2 and "entropy" not in name:
            a = y + rng.choice([-1.0, 0.0, 1.0], shape)
        error = np.abs(a) * float(np.finfo(dtype).eps) * rng.choice([0, 1, 4]) + rng.choice([0, 1e-4, 1e-2, 1, 8])
        error = np.minimum(error, 8 * a) if row_of(LOSSES, name).behind else error
        side = rng.choice([-1.0, 1.0], shape) if rng.random() < 0.6 else rng.uniform(-1, 1, shape)
        moved = a + side * error
        target = moved.astype(dtype)
        error = np.maximum(error, np.abs(target.astype(float) - a))
        yield a, y, error, target


def test_huber_by_clipping_loses_digits():
    row, a, y = row_of(LOSSES, "huber"), np.array([[np.float32(1e-5)]]), np.array([[np.float32(0)]])
    rounded = row_of(ROUNDED_LOSSES, "huber")
    off = np.abs(huber_by_clipping(a, y).astype(float) - row.derivative(a.astype(float), y.astype(float)))
    wide = (a.astype(float), y.astype(float), np.zeros((1, 1)))
    bounds = [rounded.derivative_error(*wide, allowed("float32", grade)) for grade in ("right", "lossy")]
    assert bounds[0] < off < bounds[1]


def allowed(precision, grade):
    return worst_case_rounding(PRECISIONS[precision], None if grade == "lossy" else frozenset())


@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize(("name", "grade", "formula"), FORMULAS, ids=lambda v: str(v))
def test_derivative_bound_holds_an_honest_target(name, grade, formula, precision):
    row, dtype = row_of(LOSSES, name), DTYPES[precision]
    rounded = row_of(ROUNDED_LOSSES, name)
    compute = {"right": RIGHT, "lossy": LOSSY}[grade][name][formula]
    worst = 0.0
    for a, y, error, target in draws(name, dtype):
        answer = compute(target, y.astype(dtype))
        assert answer.dtype == dtype
        off = np.abs(answer.astype(float) - row.derivative(a, y))
        bound = rounded.derivative_error(a, y, error, allowed(precision, grade))
        no_claim = ~np.isfinite(bound)
        assert bool(row_of(LOSSES, name).behind) or not no_claim.any()
        assert ((off <= bound) | no_claim).all(), (a, y, error, target, answer, off / bound)
        worst = max(worst, np.max(off / bound, where=~no_claim, initial=0.0))
    # the bound is not idle: some draw, with a in a corner of its box, comes to a good part of it
    assert worst > 0.1


@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize(("name", "formula"), [(name, i) for name in VALUES for i in range(len(VALUES[name]))], ids=lambda v: str(v))
def test_value_bound_holds_an_honest_target(name, formula, precision):
    row, dtype = row_of(LOSSES, name), DTYPES[precision]
    rounded = row_of(ROUNDED_LOSSES, name)
    for a, y, error, target in draws(name, dtype):
        answer = VALUES[name][formula](target, y.astype(dtype)).astype(float)
        bound = rounded.value_error(a, y, error, allowed(precision, "right"))
        held = np.abs(answer - row.value(a, y)) <= bound
        assert (held | (~np.isfinite(bound) & bool(row.behind))).all() or not np.isfinite(answer).all()


@each_loss
def test_bound_without_rounding_holds_the_whole_box(choice):
    """With u = 0 what remains is how far the exact derivative and value move while a moves by E(a)."""
    row, rng = row_of(LOSSES, choice), np.random.default_rng(5)
    rounded = row_of(ROUNDED_LOSSES, choice)
    model = WorstCaseRounding(unit=0.0, underflow=0.0, largest=1e308, lossy=None)
    for _ in range(200):
        shape = (1, rng.integers(1, 5))
        a, error = given(choice, rng.normal(0, rng.choice([1, 5, 30]), shape)), 10.0 ** rng.uniform(-8, 1.5, shape)
        y = expected(choice, shape, rng.choice(["soft", "hard"]))
        derivative_bound, value_bound = rounded.derivative_error(a, y, error, model), rounded.value_error(a, y, error, model)
        # 1e-14: the reference's own rounding; the corners of the box, and its inside
        for side in (*(np.where(np.eye(shape[1])[j] == 1, s, -s) for j in range(shape[1]) for s in (1, -1)), rng.uniform(-1, 1, shape)):
            moved = a + side * error
            slack = 1e-14 * (1 + np.abs(a) + error)
            slack = slack * (1 + np.abs(row.derivative(a, y)))
            off = np.abs(row.derivative(moved, y) - row.derivative(a, y))
            # what is no probability is beyond the ends, where no claim is made
            assert ((off <= derivative_bound + slack) | ~np.isfinite(derivative_bound)).all(), (a, y, error, side)
            off = np.abs(row.value(moved, y) - row.value(a, y))
            sizes = sum(np.abs(row.value(point, y)) + row.terms(point, y) for point in (moved, a))
            assert ((off <= value_bound + 1e-14 * (1 + sizes)) | ~np.isfinite(value_bound)).all(), (a, y, error, side)


FAR = [
    ("a far label", [[0.0, -800.0]], [[1e-10, 1000.0]], [[0.0, 1000.0]]),
    ("beyond the range of exp", [[0.0, -750.0]], [[1e-10, 280.0]], [[0.0, 280.0]]),
]


@pytest.mark.parametrize(("a", "error", "move"), [row[1:] for row in FAR], ids=[row[0] for row in FAR])
@pytest.mark.parametrize("y", [[[1.0, 0.0]], [[0.5, 0.5]]], ids=["hard", "soft"])
def test_softmax_bound_holds_where_probabilities_are_below_the_range(a, error, move, y):
    row, a, y = row_of(LOSSES, "softmax_cross_entropy"), np.array(a), np.array(y)
    rounded = row_of(ROUNDED_LOSSES, "softmax_cross_entropy")
    off = np.abs(row.derivative(a + np.array(move), y) - row.derivative(a, y))
    assert (off <= rounded.derivative_error(a, y, np.array(error), REFERENCE)).all(), off


def test_softmax_bound_holds_a_distribution_that_is_summed_in_another_order():
    # ten times 0.1 is 1 or 0.99..9, by the order of the sum: p sum(y) - y moves by u p, where p is near 1
    y = np.array([[1 - 9 * 2.0**-10, *[2.0**-10] * 9]])
    rounded = row_of(ROUNDED_LOSSES, "softmax_cross_entropy")
    a = np.log(y)
    n, unit = y.shape[1], REFERENCE.unit
    bound = rounded.derivative_error(a, y, np.zeros_like(a), REFERENCE)
    # softmax itself may be off by n u, its product with the sum by u, and the sum by (n - 1) u
    assert bound[0, 0] >= 2 * n * unit * y[0, 0] * (1 - 1e-3)


def test_huber_bound_holds_when_both_sides_are_clipped():
    row = row_of(LOSSES, ("huber", {"delta": 0.1}))
    rounded = row_of(ROUNDED_LOSSES, ("huber", {"delta": 0.1}))
    model = worst_case_rounding(PRECISIONS["float32"])
    a, y, error = np.array([[5.0]]), np.array([[0.0]]), np.array([[20.0]])
    target = -float(np.float32(0.1))
    assert abs(target - row.derivative(a, y)[0, 0]) <= rounded.derivative_error(a, y, error, model)[0, 0]


@each_loss
def test_a_difference_that_is_flushed_to_zero_is_honest(choice):
    model = worst_case_rounding(PRECISIONS["float32"])
    a, y = np.full((1, 1), 2.0**-126 * 1.5), np.full((1, 1), 2.0**-126)
    if "squared" in named(choice) or "huber" in named(choice):
        row = row_of(LOSSES, choice)
        rounded = row_of(ROUNDED_LOSSES, choice)
        assert abs(row.derivative(a, y)) <= rounded.derivative_error(a, y, np.zeros_like(a), model)


# ---- what a loss refuses ----

REFUSED = [
    ("binary_cross_entropy_with_logits", [[0.0, 1.5]], ["'binary_cross_entropy_with_logits'", "from 0 to 1"]),
    ("binary_cross_entropy_with_logits", [[-1e-9, 1.0]], ["y does not fit", "probabilities"]),
    ("softmax_cross_entropy", [[0.5, 0.6]], ["distribution", "row 0 sums to 1.1"]),
    ("softmax_cross_entropy", [[-0.5, 1.5]], ["distribution", "below 0"]),
    ("softmax_cross_entropy", [[0.0, 0.0]], ["distribution", "row 0 sums to 0"]),
]


@pytest.mark.parametrize(("loss", "y", "lines"), REFUSED)
def test_refuses_expected_outputs_that_do_not_fit(loss, y, lines):
    with pytest.raises(ProblemError) as raised:
        Problem([np.eye(2)], activations=["identity"], x=[[1.0, 2.0]], y=y, loss=loss)
    for line in lines:
        assert line in str(raised.value)


def test_names_the_row_that_is_no_distribution():
    y = [[0.0, 1.0], [0.5, 0.5], [1.0, 2.0]]
    with pytest.raises(ProblemError, match="row 2 sums to 3"):
        Problem([np.eye(2)], activations=["identity"], x=np.ones((3, 2)), y=y, loss="softmax_cross_entropy")


OF_PROBABILITIES = [
    ("cross_entropy_of_probabilities", "softmax", "sigmoid"),
    ("binary_cross_entropy_of_probabilities", "sigmoid", "softmax"),
    ("summed_binary_cross_entropy_of_probabilities", "sigmoid", "identity"),
]


@pytest.mark.parametrize(("loss", "behind", "other"), OF_PROBABILITIES)
def test_a_loss_of_probabilities_stands_behind_what_gives_them(loss, behind, other):
    parts = {"x": [[1.0, 2.0]], "y": [[0.0, 1.0]], "loss": loss}
    assert Problem([np.eye(2)], activations=[behind], **parts).loss == loss
    with pytest.raises(ProblemError, match=f"of probabilities, but the last layer has '{other}': expected {behind}"):
        Problem([np.eye(2)], activations=[other], **parts)


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize(("loss", "end"), [*((row[0], 0) for row in OF_PROBABILITIES), *((row[0], 1) for row in OF_PROBABILITIES[1:])])
def test_no_claim_is_made_where_an_output_is_an_end_within_rounding(loss, end, precision):
    rounded, model = row_of(ROUNDED_LOSSES, loss), worst_case_rounding(PRECISIONS[precision])
    near = model.underflow / 2 if end == 0 else 1 - model.unit / 2
    for y in ([[1.0, 0.0]], [[0.0, 1.0]]):
        for a, claimed in ((near, False), (0.25, True)):
            bound = rounded.derivative_error(np.array([[a, 0.5]]), np.array(y), np.full((1, 2), K * model.unit * a), model)
            assert np.isfinite(bound[0, 0]) == claimed, (a, y)
            assert np.isfinite(bound[0, 1])


@pytest.mark.parametrize("delta", [0.0, -1.0])
def test_refuses_a_delta_that_is_not_above_0(delta):
    with pytest.raises(ProblemError, match=rf"loss 'huber': delta is {delta}, expected a number above 0"):
        Problem([np.eye(1)], activations=["identity"], x=[[1.0]], y=[[1.0]], loss=("huber", {"delta": delta}))


@pytest.mark.parametrize(
    ("loss", "y"),
    [("binary_cross_entropy_with_logits", [[0.0, 1.0]]), ("softmax_cross_entropy", [[1.0, 0.0]]), ("softmax_cross_entropy", [[0.3, 0.7]])],
)
def test_takes_the_ends_of_what_is_allowed(loss, y):
    assert Problem([np.eye(2)], activations=["identity"], x=[[1.0, 2.0]], y=y, loss=loss).loss == loss
