"""A problem without samples: C is a sum over none of them, and its gradient is 0, of the right shape, in every room."""

import json

import jsonschema
import numpy as np
import pytest

from backproof import Gradient, Problem, Verdict, enclosure, gradient, verify
from backproof.findings.schema import schema
from backproof.targets.target import InProcess
from properties.faults.fault import Network
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of

EMPTY = Problem(
    [[[0.5, -1.0], [2.0, 0.25], [1.0, 3.0]], [[1.0, 2.0, 3.0]]],
    biases=[[0.0, 1.0, 2.0], None],
    activations=["gelu", "identity"],
    x=[],
    y=[],
    loss="upstream",
    wants=["x", "deltas"],
)


def zeros(problem):
    return Gradient([np.zeros_like(w) for w in problem.weights], [None if b is None else np.zeros_like(b) for b in problem.biases])


def test_its_batch_is_0_and_its_widths_are_those_of_its_weights():
    assert (EMPTY.batch, EMPTY.widths, EMPTY.x.shape, EMPTY.y.shape) == (0, (2, 3, 1), (0, 2), (0, 1))


@pytest.mark.parametrize("target", [gradient, Network()], ids=["reference", "network"])
def test_the_gradient_is_0_of_the_right_shape(target):
    answer = InProcess(target)(EMPTY).gradient
    assert [array.shape for array in answer.weights] == [(3, 2), (1, 3)]
    assert answer.x.shape == (0, 2)
    assert not any(array.any() for _, array in answer.arrays())


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ["identity", "softmax", "sigmoid"])
def test_of_every_loss(loss, activation):
    if (row_of(LOSSES, loss).behind or (activation,)) != (activation,):
        pytest.skip("this loss stands behind another activation")
    problem = Problem([[[0.5, -1.0]] * 2], activations=[activation], x=[], y=[], loss=loss)
    assert verify(problem, zeros(problem)).verdict is Verdict.RIGHT
    assert float(gradient(problem).loss) == 0


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_of_every_activation(activation):
    problem = Problem([[[0.5, -1.0]] * 2], activations=[activation], x=[], y=[], loss="upstream")
    assert verify(problem, gradient(problem)).verdict is Verdict.RIGHT


def test_ball_arithmetic_says_0():
    found = enclosure(EMPTY)
    for ends in (found.lower, found.upper):
        assert not any(array.any() for _, array in ends.arrays())


@pytest.mark.parametrize("number", [5e-324, np.inf, np.nan])
def test_any_number_but_0_is_wrong(number):
    answer = zeros(EMPTY)
    answer.weights[1][0, 2] = number
    judgement = verify(EMPTY.replaced(wants=[]), answer)
    assert judgement.verdict is (Verdict.WRONG if np.isfinite(number) else Verdict.NONFINITE)
    assert judgement.entry == "layer 2: dC/dW[0, 2]"
    assert judgement.outside == 1
    assert "a batch without samples has a gradient that is not 0" in str(judgement)


def test_what_is_missing_or_of_another_shape_is_malformed():
    assert verify(EMPTY.replaced(wants=[]), ([np.zeros((3, 2)), np.zeros(0)], None)).verdict is Verdict.MALFORMED


def test_it_is_saved_and_read(tmp_path):
    assert Problem.from_json(EMPTY.to_json()) == EMPTY
    EMPTY.save(tmp_path / "empty.npz")
    assert Problem.load(tmp_path / "empty.npz") == EMPTY
    assert eval(repr(EMPTY), {"Problem": Problem}) == EMPTY


def test_its_answer_is_saved_and_read():
    answer = gradient(EMPTY)
    jsonschema.validate(json.loads(answer.to_json()), schema("gradient"))
    assert verify(EMPTY, Gradient.from_json(answer.to_json())).verdict is Verdict.RIGHT


def test_it_fits_its_schema():
    jsonschema.validate(json.loads(EMPTY.to_json()), schema("problem"))
    jsonschema.validate(json.loads(EMPTY.replaced(sample_weights=[]).to_json()), schema("problem"))


def test_weights_of_no_samples():
    problem = EMPTY.replaced(sample_weights=[])
    assert problem.sample_weights.shape == (0,)
    assert verify(problem, gradient(problem)).verdict is Verdict.RIGHT
