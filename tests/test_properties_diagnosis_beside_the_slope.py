"""Below the output g' is told from the error that comes down, where no row of the table has the mistake."""

from dataclasses import replace

import numpy as np
import pytest

from backproof import Gradient, Problem
from backproof.targets.target import InProcess
from properties.diagnosis.asked import Asked
from properties.diagnosis.beside_the_slope import is_slope
from properties.diagnosis.examination import Examination, diagnose
from properties.diagnosis.explanation import Reader
from properties.diagnosis.ladder import Rung
from properties.diagnosis.placing import place
from properties.diagnosis.search import Search
from properties.diagnosis.table import Table, all_variants
from properties.faults.fault import Network, error_below, slope
from properties.problems.support import Support
from rounding.precisions import PRECISIONS

LIMITS = {"activations": ["silu"], "output_activations": ["identity"], "losses": ["half_squared_error"], "depth": 3, "values": "tame"}
GRADIENT = ("weights", "biases")


def told_of(steps, **limits):
    return diagnose(InProcess(Network(steps, GRADIENT)), Support.of(LIMITS | limits), seconds=600.0)


def boxes_of(diagnosis):
    return dict(map(tuple, diagnosis.evidence["boxes"]))


def bent_slope(p, layer):
    return slope(p, layer) + 0.05 * p.z[layer] ** 2 if layer < p.depth else slope(p, layer)


def bent_error(p, layer):
    return error_below(p, layer) + 0.1 * p.deltas[layer] @ np.abs(p.weight(layer)) ** 2


NOTHING = Table(all_variants())
"""A table without rows: what is off is read by itself."""


def read(steps, problem):
    """An answer, its reading, and what is read of the first layer."""
    one = Asked(Rung(problem, "network"), InProcess(Network(steps, GRADIENT))(problem), PRECISIONS["float64"])
    reading = Reader(NOTHING, Network()).read(one)
    return one, reading, reading.layers[-1]


def read_of(steps, nodes=3):
    """The same of a problem of two layers."""
    rng = np.random.default_rng(1)
    weights = [rng.uniform(0.3, 1.2, (m, n)) for n, m in ((2, nodes), (nodes, 2))]
    problem = Problem(weights, activations=["silu", "identity"], x=rng.uniform(0.3, 1.2, (1, 2)), y=[[1.5, 2.0]])
    return read(steps, problem)


@pytest.mark.parametrize("biases", [True, None])
def test_a_slope_that_no_row_has_is_placed_in_hidden_layers(biases):
    (diagnosis,) = told_of({"slope": bent_slope}, biases=biases)
    assert (diagnosis.cause, diagnosis.equations) == (None, (3,))
    said = boxes_of(diagnosis)
    assert said[f"g'{diagnosis.layer}"] == "X"
    assert said[f"W{diagnosis.layer + 1}^T"] == "ok"
    (table, *_) = diagnosis.evidence["tables"]
    assert table["columns"][0] == "z"


def test_an_error_that_no_row_has_is_no_slope():
    (diagnosis,) = told_of({"error_below": bent_error}, biases=True)
    assert (diagnosis.cause, diagnosis.equations) == (None, (11, 7))
    assert boxes_of(diagnosis)[f"g'{diagnosis.layer}"] == "ok"


@pytest.mark.parametrize(
    ("steps", "nodes", "said"),
    [
        ({"slope": bent_slope}, 3, True),
        ({"error_below": bent_error}, 3, False),
        ({"error_below": lambda p, layer: 2 * error_below(p, layer)}, 3, None),  # one factor of all
        ({"slope": bent_slope}, 1, None),  # of a single node every factor is one
    ],
    ids=["slope", "error", "one factor", "one node"],
)
def test_it_is_the_slope_where_the_weights_above_change_nothing_of_it(steps, nodes, said):
    one, _, layer = read_of(steps, nodes)
    assert layer.delta == "off"
    assert is_slope(lambda problem: read(steps, problem)[-1], one, layer) is said


@pytest.mark.parametrize("quantity", ["own", "error"])
def test_what_cannot_be_read_of_either_problem_is_not_told_from_the_slope(quantity):
    one, _, layer = read_of({"slope": bent_slope})
    unread, asked = replace(layer, **{quantity: None}), []
    assert is_slope(lambda problem: asked.append(problem), one, unread) is None
    assert asked == []
    assert is_slope(lambda problem: unread, one, layer) is None
    assert is_slope(lambda problem: asked.append(problem), one, layer) is None
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("steps", "step", "equations"),
    [({"slope": bent_slope}, "slope", (3,)), ({"error_below": bent_error}, "error_below", (11, 7)), (None, "error_below", (11, 7, 3))],
    ids=["slope", "error", "no answer"],
)
def test_the_place_is_told_from_the_slope_where_further_problems_are_answered(steps, step, equations):
    def target(problem):
        if steps is None:
            raise ValueError("enough")
        return Network(steps, GRADIENT)(problem)

    one, reading, _ = read_of(steps or {"slope": bent_slope})
    examination = Examination(InProcess(target), Support.of(LIMITS), "float64", 0, 600.0, None)
    examination.search = Search(NOTHING, [one], readings=[reading])
    at = place([one], [reading])
    assert (at.step, at.layer, at.equations) == ("error_below", 1, (11, 7, 3))
    told = examination._told_from_the_slope(at)
    assert (told.step, told.layer, told.equations) == (step, 1, equations)
    assert examination.calls == (1 if steps is None else 3)


def test_a_loss_near_its_minimum_in_float32_is_not_blamed_for_a_slope_below():
    """Where a is near y, a - y keeps few digits, as honest rounding allows: what is off is g' of the layer below."""

    def network(problem):
        f = np.float32
        w, b = [x.astype(f) for x in problem.weights], [x.astype(f) for x in problem.biases]
        z = problem.x.astype(f) @ w[0].T + b[0]
        a = np.tanh(z)
        out = a @ w[1].T + b[1]
        delta = (out - problem.y.astype(f)) / f(len(a))
        below = (delta @ w[1]) * (1 - a * a + f(0.05) * a**3)
        return Gradient([below.T @ problem.x.astype(f), delta.T @ a], [below.sum(axis=0), delta.sum(axis=0)])

    limits = {
        "widths": [4, 5, 2],
        "layer_activations": ["tanh", "identity"],
        "biases": True,
        "losses": ["half_squared_error"],
        "reductions": ["mean"],
        "values": "tame",
    }
    for seed in range(3):
        (diagnosis,) = diagnose(InProcess(network), Support.of(limits), precision="float32", seconds=600.0, seed=seed)
        assert diagnosis.equations == (3,), diagnosis.explanation
        assert boxes_of(diagnosis)["loss"] == "ok"
