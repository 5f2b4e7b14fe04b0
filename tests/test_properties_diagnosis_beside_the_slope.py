"""Below the output g' is told from the error that comes down, where no row of the table has the mistake."""

import numpy as np
import pytest

from backproof import Gradient
from backproof.targets.target import InProcess
from properties.diagnosis.diagnosis import diagnose
from properties.faults.fault import Network, error_below, slope
from properties.problems.support import Support

LIMITS = {"activations": ["silu"], "output_activations": ["identity"], "losses": ["half_squared_error"], "depth": 3, "values": "tame"}
GRADIENT = ("weights", "biases")


def told_of(steps, **limits):
    return diagnose(InProcess(Network(steps, GRADIENT)), Support.of(LIMITS | limits), seconds=600.0)


def boxes_of(diagnosis):
    return dict(map(tuple, diagnosis.evidence["boxes"]))


@pytest.mark.parametrize("biases", [True, None])
def test_a_slope_that_no_row_has_is_placed_in_hidden_layers(biases):
    def bent(p, layer):
        right = slope(p, layer)
        return right + 0.05 * p.z[layer] ** 2 if layer < p.depth else right

    (diagnosis,) = told_of({"slope": bent}, biases=biases)
    assert (diagnosis.cause, diagnosis.equations) == (None, (3,))
    said = boxes_of(diagnosis)
    assert said[f"g'{diagnosis.layer}"] == "X"
    assert said[f"W{diagnosis.layer + 1}^T"] == "ok"
    (table, *_) = diagnosis.evidence["tables"]
    assert table["columns"][0] == "z"


def test_an_error_that_no_row_has_is_no_slope():
    def bent(p, layer):
        return error_below(p, layer) + 0.1 * p.deltas[layer] @ np.abs(p.weight(layer)) ** 2

    (diagnosis,) = told_of({"error_below": bent}, biases=True)
    assert (diagnosis.cause, diagnosis.equations) == (None, (11, 7))
    assert boxes_of(diagnosis)[f"g'{diagnosis.layer}"] == "ok"


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
