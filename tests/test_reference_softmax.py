"""A softmax as the activation of a layer: its value, its Jacobian and its pullback, by definition, by equations and by other oracles."""

import numpy as np
import pytest
from mpmath import exp, mp, mpf

from oracles.balls.enclosure import enclosure
from reference.backward import gradient
from reference.equations import gradient_by_equations
from reference.functions.activations import ACTIVATIONS
from reference.passes import passes
from reference.problem import Problem
from rounding.arithmetic import REFERENCE, worst_case_rounding
from rounding.precisions import PRECISIONS
from rounding.worst_case import rounding_bound

ROWS = [[0.5, -1.0, 2.0], [0.0, 0.0, 0.0], [700.0, -700.0, 699.0], [30.0, -30.0, 1e-9], [1e5, -1e5, 0.0]]
SOFTMAX = ACTIVATIONS["softmax"]()


def definition(z):
    """p and the Jacobian dp_i/dz_j = p_i (d_ij - p_j), in 900 digits."""
    e = [exp(mpf(x) - mpf(max(z))) for x in z]
    p = [x / sum(e) for x in e]
    return p, [[p[i] * ((i == j) - p[j]) for j in range(len(z))] for i in range(len(z))]


@pytest.mark.parametrize("z", ROWS, ids=str)
def test_it_is_its_definition(z):
    with mp.workdps(900):
        p, jacobian = definition(z)
        e = [1.5, -0.25, 3.0]
        delta = [sum(e[i] * jacobian[i][j] for i in range(3)) for j in range(3)]
        terms = [p[j] * (abs(e[j]) + sum(p[k] * abs(e[k]) for k in range(3))) for j in range(3)]
        value, pulled = SOFTMAX.value(np.array([z]))[0], SOFTMAX.pullback(np.array([z]), np.array([e]))[0]
        for j in range(3):
            spread = max(z) - z[j]
            assert abs(value[j] - p[j]) <= 8 * (1 + spread) * 2.0**-53 * p[j] + 2.0**-1074
            assert abs(pulled[j] - delta[j]) <= 16 * (1 + spread) * 2.0**-53 * terms[j] + 2.0**-1074
            for i in range(3):
                assert abs(SOFTMAX.partial(np.array(z), i, j) - jacobian[i][j]) <= 1e-12 * p[i] + 2.0**-1074
            assert abs(SOFTMAX.derivative(np.array([z]))[0, j] - jacobian[j][j]) <= 1e-12 * p[j] + 2.0**-1074


@pytest.mark.parametrize("activations", [["softmax"] * 3, ["tanh", "softmax", "identity"], ["softmax", "relu", "softmax"]], ids=str)
def test_the_equations_and_ball_arithmetic_agree(activations):
    rng = np.random.default_rng(3)
    problem = Problem(
        [rng.normal(size=shape) for shape in ((3, 2), (4, 3), (3, 4))],
        activations=activations,
        biases=[rng.normal(size=3), None, rng.normal(size=3)],
        x=rng.normal(size=(4, 2)),
        y=rng.normal(size=(4, 3)),
        reduction="mean",
    )
    exact, passed = dict(gradient(problem).arrays()), passes(problem)
    bound = dict(rounding_bound(passed, worst_case_rounding(PRECISIONS["float64"])).arrays())
    for place, array in gradient_by_equations(problem).arrays():
        assert (np.abs(array - exact[place]) <= bound[place]).all(), str(place)
    found, own = enclosure(problem), dict(rounding_bound(passed, REFERENCE).arrays())
    for (place, lower), (_, upper) in zip(found.lower.arrays(), found.upper.arrays(), strict=True):
        assert (upper - lower <= 4 * np.spacing(np.maximum(np.abs(lower), np.abs(upper)))).all(), str(place)
        assert ((lower - own[place] <= exact[place]) & (exact[place] <= upper + own[place])).all(), str(place)


def test_a_wrong_index_of_its_jacobian_is_outside():
    """da_j/dz_i in place of da_i/dz_j is the same: the Jacobian is symmetric; a sign of the other outputs is not."""
    problem = Problem([[[0.5], [1.0], [-1.0]]], activations=["softmax"], x=[[1.0]], y=[[1.0, 0.0, 0.5]])
    wrong = gradient_by_equations(problem, joint_activation_derivative=lambda activation, z, i, j: abs(activation.partial(z, i, j)))
    right, bound = gradient(problem), rounding_bound(passes(problem), worst_case_rounding(PRECISIONS["float64"]))
    assert (np.abs(wrong.weights[0] - right.weights[0]) > bound.weights[0]).any()


def test_one_node_is_always_1_and_has_no_gradient():
    problem = Problem([[[2.0]], [[3.0]]], activations=["softmax", "identity"], x=[[5.0]], y=[[1.0]])
    found = gradient(problem)
    assert found.activations[0].tolist() == [[1.0]]
    assert found.weights[0].tolist() == [[0.0]]
    assert found.weights[1].tolist() == [[2.0]]
