"""Equations 1 to 11: complete, the same as the backward pass, and the note's misprints taken literally are found out."""

import inspect
import itertools
from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mpmath import mp, mpf

from reference import equations
from reference.backward import gradient
from reference.equations import EQUATIONS, gradient_by_equations
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import name_and_parameters
from reference.passes import passes
from reference.problem import Problem
from rounding.arithmetic import worst_case_rounding
from rounding.precisions import PRECISIONS
from rounding.worst_case import rounding_bound

MODEL = worst_case_rounding(PRECISIONS["float64"])
pytestmark = pytest.mark.wheel


def test_there_are_equations_1_to_11():
    assert list(EQUATIONS) == list(range(1, 12)) == [row.number for row in EQUATIONS.values()]


@pytest.mark.parametrize("number", EQUATIONS)
def test_an_equation_says_its_number_and_what_it_states(number):
    row = EQUATIONS[number]
    assert row.function.__doc__.startswith(f"Equation {number}: ")
    assert row.statement and getattr(equations, row.function.__name__) is row.function


def test_each_equation_is_a_function_of_its_own():
    assert len({row.function for row in EQUATIONS.values()}) == 11


# ---- all equations together are the backward pass ----


@st.composite
def problems(draw, square=False):
    """Depth 1 to 4, widths 1 to 4 (all equal if square), 1 to 3 samples; the numbers are NumPy's, of a drawn seed."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    depth = draw(st.integers(1, 4))
    widths = (
        [draw(st.integers(2, 4))] * (depth + 1) if square else draw(st.lists(st.integers(1, 4), min_size=depth + 1, max_size=depth + 1))
    )
    batch = draw(st.integers(1, 3))
    loss = draw(st.sampled_from(sorted(LOSSES)))
    y = rng.random((batch, widths[-1]))
    return Problem(
        [rng.normal(size=(n, m)) for m, n in itertools.pairwise(widths)],
        biases=[rng.normal(size=n) if draw(st.booleans()) else None for n in widths[1:]],
        activations=[
            *(draw(st.sampled_from(sorted(ACTIVATIONS))) for _ in widths[2:]),
            draw(st.sampled_from(sorted(LOSSES[loss]().behind or ACTIVATIONS))),
        ],
        x=rng.normal(size=(batch, widths[0])),
        y=y / y.sum(axis=1, keepdims=True),
        loss=loss,
        reduction=draw(st.sampled_from(["sum", "mean"])),
    )


def within_the_bound(answer, problem):
    truth = dict(gradient(problem).arrays())
    bound = dict(rounding_bound(passes(problem), MODEL).arrays())
    return all(np.all(np.abs(array - truth[place]) <= bound[place]) for place, array in answer.arrays())


@given(problems())
def test_the_equations_agree_with_the_backward_pass(problem):
    if LOSSES[name_and_parameters(problem.loss)[0]]().behind:
        # equation 2 by itself is infinite where a probability is 0 or 1 within rounding, and g' is 0
        outputs = passes(problem).forward.activations[-1]
        assume(bool(((outputs > 0) & (outputs < 1)).all()))
    answer = gradient_by_equations(problem)
    assert {place.quantity for place, _ in answer.arrays()} == {"weights", "biases", "x"}
    assert within_the_bound(answer, problem)


# ---- the note's misprints ----


def literal_equation_4(a, j, k):
    """As printed, dz_j/dw_jk ends in a_j^(L-1), not a_k. Where layer L-1 has no node j, its last one stands in."""
    return float(a[min(j, len(a) - 1)])


class InPlace:
    """As printed, z_j^(L) = sum_i w_ji a_i^(L): the activations that are summed are those of layer L itself.

    Taken strictly this defines a^(L) by itself, z = w g(z), an equation in which x never appears. The reading that a program
    could follow is a layer computed in place: entry i holds a_i^(L-1) until node i of layer L is computed, and a_i^(L) from then
    on. Here for layers of one width with the identity as activation, where a_i^(L) = z_i^(L).
    """

    def __init__(self):
        self.a = None

    def __call__(self, w, a, j, bias=None):
        self.a = a.copy() if j == 0 else self.a
        self.a[j] = sum(w[j, i] * self.a[i] for i in range(len(self.a))) + (0.0 if bias is None else bias[j])
        return float(self.a[j])


SQUARE = Problem(
    [[[0.5, -0.25], [1.25, 0.75]], [[0.75, -1.5], [0.5, 1.0]], [[-0.5, 1.0], [0.25, 2.0]]],
    activations=["identity"] * 3,
    x=[[1.0, -0.5]],
    y=[[0.5, 0.25]],
)
SMOOTH = Problem(
    [[[0.5, -0.25], [1.25, 0.75], [-0.5, 1.0]], [[0.75, -1.5, 0.5], [0.25, 1.0, -0.75]], [[1.0, 0.5]]],
    activations=["tanh", "sigmoid", "identity"],
    biases=[[0.125, -0.25, 0.5], None, [0.25]],
    x=[[1.0, -0.5], [0.25, 0.75]],
    y=[[0.5], [0.25]],
    reduction="mean",
)
MISPRINTS = {
    "equation 4 ends in a_j": (SMOOTH, {"pre_activation_by_weight": literal_equation_4}),
    "z sums the activations of its own layer": (SQUARE, {"pre_activation": InPlace()}),
}


@pytest.mark.parametrize("name", MISPRINTS)
def test_a_misprint_taken_literally_is_outside_the_bound(name):
    problem, instead = MISPRINTS[name]
    assert within_the_bound(gradient_by_equations(problem), problem)
    assert not within_the_bound(gradient_by_equations(problem, **instead), problem)


@given(problems(square=True))
def test_a_literal_equation_4_is_found_out_on_nearly_every_problem(problem):
    # entry (j, k) with j != k changes unless its delta is 0, as a dead ReLU's is
    deltas = gradient(problem).deltas
    bound = rounding_bound(passes(problem), MODEL)
    alive = any(np.abs(delta).max() > 1e3 * error.max() + 1e-6 for delta, error in zip(deltas[:1], bound.deltas[:1], strict=True))
    found = not within_the_bound(gradient_by_equations(problem, pre_activation_by_weight=literal_equation_4), problem)
    assert found or not alive


def test_a_name_that_is_no_equation_is_refused():
    with pytest.raises((TypeError, ValueError), match="no_equation"):
        gradient_by_equations(SQUARE, no_equation=lambda: 0.0)


# ---- the mended equations are the derivatives of C: central differences in 60 digits ----


def cost(weights, biases, x, y):
    """C of SMOOTH, by the definitions alone."""
    functions = [mp.tanh, lambda z: 1 / (1 + mp.exp(-z)), lambda z: z]
    total = mpf(0)
    for sample, expected in zip(x, y, strict=True):
        a = sample
        for w, b, g in zip(weights, biases, functions, strict=True):
            a = [g(sum(p * q for p, q in zip(row, a, strict=True)) + (b[j] if b else 0)) for j, row in enumerate(w)]
        total += sum((p - q) ** 2 for p, q in zip(a, expected, strict=True)) / 2
    return total / len(x)


def exactly(array):
    return None if array is None else [exactly(row) for row in array] if np.ndim(array) else mpf(float(array))


def test_central_differences_confirm_the_mended_equations():
    answer, bound = gradient_by_equations(SMOOTH), rounding_bound(passes(SMOOTH), MODEL)
    parts = {"weights": [exactly(w) for w in SMOOTH.weights], "biases": [exactly(b) for b in SMOOTH.biases], "x": exactly(SMOOTH.x)}
    with mp.workdps(60):
        step = mpf(10) ** -20

        def difference(row, i):
            """dC by row[i], an entry somewhere inside parts; its error is of the order of 1e-40."""
            held, values = row[i], []
            for side in (1, -1):
                row[i] = held + side * step
                values.append(cost(parts["weights"], parts["biases"], parts["x"], exactly(SMOOTH.y)))
            row[i] = held
            return (values[0] - values[1]) / (2 * step)

        checked = 0
        for layer, w in enumerate(parts["weights"]):
            for j, k in np.ndindex(np.shape(SMOOTH.weights[layer])):
                assert abs(difference(w[j], k) - answer.weights[layer][j, k]) <= bound.weights[layer][j, k]
                checked += 1
            for j in range(len(parts["biases"][layer] or ())):
                assert abs(difference(parts["biases"][layer], j) - answer.biases[layer][j]) <= bound.biases[layer][j]
                checked += 1
        for s, k in np.ndindex(SMOOTH.x.shape):
            assert abs(difference(parts["x"][s], k) - answer.x[s, k]) <= bound.x[s, k]
            checked += 1
    assert checked == 14 + 4 + 4


# ---- which function computes which layer ----


@pytest.mark.parametrize(
    ("depth", "called"),
    [(1, {1, 2, 3, 4, 6, 7}), (2, {1, 2, 3, 4, 5, 6, 7, 9}), (3, {1, 2, 3, 4, 5, 6, 7, 8, 9, 11}), (4, set(range(1, 12)))],
)
def test_each_layer_goes_by_the_equation_of_its_depth(depth, called):
    seen = set()

    def noted(row, *arguments):
        seen.add(row.number)
        return row.function(*arguments)

    problem = Problem([[[0.5]]] * depth, activations=["tanh"] * depth, x=[[1.0]], y=[[0.0]])
    gradient_by_equations(problem, **{row.function.__name__: partial(noted, row) for row in EQUATIONS.values()})
    assert seen == called


def test_the_module_says_where_the_misprints_are_told():
    assert "docs/note.md" in inspect.getdoc(equations)
