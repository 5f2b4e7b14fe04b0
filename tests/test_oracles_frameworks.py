"""PyTorch and JAX agree with the reference within the rounding bound, and leave everything as it was.

All problems have the same sizes, 16 samples of 2 numbers and layers of 4 nodes: JAX compiles each operation for each shape and dtype.
"""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from backproof import verify
from oracles import jax_autodiff, torch_autograd
from properties.problems.blocks import one_of_each_block
from properties.problems.support import Support
from reference.backward import gradient
from reference.dtypes import DTYPES
from reference.functions.activations import ACTIVATIONS
from reference.functions.expected_outputs import DISTRIBUTION, PROBABILITIES
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.passes import passes
from reference.problem import Problem
from rounding.arithmetic import worst_case_rounding
from rounding.precisions import PRECISIONS
from rounding.worst_case import rounding_bound

# 21 lies beyond PyTorch's own threshold of softplus, -1, 0, 1 and 6 are kinks
GRID = [-40.0, -6.5, -3.0, -1.0, -0.5, -0.125, -1e-8, 0.0, 1e-300, 0.25, 1.0, 1.5, 3.0, 6.0, 21.0, 800.0]
MORE_ACTIVATIONS = [("elu", {"alpha": -2.0}), ("elu", {"alpha": 0.5}), ("leaky_relu", {"slope": -0.5}), ("leaky_relu", {"slope": 0.0})]
MORE_LOSSES = [("huber", {"delta": 0.5})]
# beyond 16 gelu_tanh has no claim in float16, where it needs the cube
NARROW = {"x": [[z, 0.0] for z in np.clip(GRID, -15.5, 15.5)]}
LABELS = {
    PROBABILITIES: [[0.0, 1.0, 0.25, 0.5]],
    DISTRIBUTION: [[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.25, 0.25, 0.5, 0.0], [0.0, 0.5, 0.25, 0.25]],
}


@pytest.fixture(autouse=True)
def what_is_compiled_is_kept(monkeypatch):
    """From test to test: JAX is told to forget after so many answers, and none of these gives as many."""
    monkeypatch.setattr(jax_autodiff, "_answers", itertools.count(1))


@pytest.fixture(params=["torch", "jax"])
def answer(request):
    pytest.importorskip(request.param)
    return {"torch": torch_autograd, "jax": jax_autodiff}[request.param].answer


def problem_of_activation(choice, **parts):
    """Two layers, the first node's pre-activations are the grid."""
    given = {
        "activations": [choice, "identity"],
        "biases": [None, [0.25, -0.5, 0.0, 1.0]],
        "x": [[z, 0.0] for z in GRID],
        "y": [[0.5, -0.25, 1.0, 0.0]] * len(GRID),
        "loss": "half_squared_error",
    }
    first = [[1.0, 0.0], [0.5, 1.0], [-0.25, 2.0], [-1.0, 0.5]]
    second = [[0.75, -1.5, 0.5, 1.0], [-0.5, 0.25, 1.25, -1.0], [1.0, 0.5, -0.75, 0.25], [0.5, 1.0, -1.0, -0.25]]
    return Problem([first, second], **(given | parts))


def problem_of_loss(choice, reduction):
    row = row_of(LOSSES, choice)
    y = LABELS.get(row.expected, [[0.0, 1.0, 0.5, 2.0], [2.0, -1.0, 0.25, 0.0], [0.0, 0.0, 0.0, 0.0], [0.75, -40.0, 1e-8, -0.5]])
    x = [[0.3, -1.2], [0.0, 0.0], [30.0, 20.0], [1e-9, 2.0]]
    weight = [[0.7, -0.4], [-1.1, 0.2], [0.5, 0.9], [0.3, -0.8]]
    last = [*row.behind, "identity"][0]
    x = [[0.25 * q for q in row] for row in x] if row.behind else x  # so far out an output is 0 or 1
    x, y = np.resize(x, (len(GRID), 2)), np.resize(y, (len(GRID), 4))
    return Problem([weight], activations=[last], biases=[[0.1, -0.2, 0.0, 0.3]], x=x, y=y, loss=choice, reduction=reduction)


def outside(answered, problem, precision="float64"):
    """The places where an answer is farther from the reference than rounding can explain."""
    bound = dict(items(rounding_bound(passes(problem), worst_case_rounding(PRECISIONS[precision], None))))
    exact = dict(items(gradient(problem)))
    off = {place: np.abs(array.astype(float) - exact[place]) for place, array in items(answered)}
    return [place for place in off if not ((off[place] <= bound[place]) | np.isinf(bound[place])).all()]


def items(answered):
    return [(str(place), np.asarray(array)) for place, array in answered.arrays()]


@pytest.mark.parametrize("choice", [*ACTIVATIONS, *MORE_ACTIVATIONS], ids=str)
def test_activations_agree(answer, choice):
    problem = problem_of_activation(choice)
    assert outside(answer(problem).gradient, problem) == []


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("choice", [*LOSSES, *MORE_LOSSES], ids=str)
def test_losses_agree(answer, choice, reduction):
    problem = problem_of_loss(choice, reduction)
    assert outside(answer(problem).gradient, problem) == []


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_narrow_dtype_agrees_in_its_own_rounding(answer, dtype):
    problem = problem_of_activation("tanh", **NARROW)
    answered = answer(problem, dtype=dtype).gradient
    assert {array.dtype for _, array in items(answered)} == {DTYPES[dtype]}
    assert outside(answered, problem, dtype) == []
    assert outside(answered, problem)


IN_16_BITS = [("torch", "float16"), ("torch", "bfloat16"), ("jax", "float16")]
"""JAX compiles each function for each dtype: all activations in float16, whose range is narrow, and two in bfloat16; losses otherwise."""


@pytest.mark.parametrize(
    ("answer", "dtype", "choice"),
    [
        *((*one, choice) for one in IN_16_BITS for choice in [*ACTIVATIONS, *MORE_ACTIVATIONS]),
        *(("jax", "bfloat16", choice) for choice in ["gelu", MORE_ACTIVATIONS[0]]),
    ],
    indirect=["answer"],
    ids=str,
)
def test_activations_agree_in_16_bits_with_sums_in_float32(answer, choice, dtype):
    problem = problem_of_activation(choice, **NARROW)
    assert outside(answer(problem, dtype=dtype).gradient, problem, f"{dtype}/float32") == []


@pytest.mark.parametrize(
    ("answer", "dtype", "reduction", "choice"),
    [
        *(
            (*one, choice)
            for one in [("torch", "float16", "sum"), ("torch", "bfloat16", "mean"), ("jax", "bfloat16", "mean")]
            for choice in [*LOSSES, *MORE_LOSSES]
        ),
        *(("jax", "float16", "sum", choice) for choice in ["softmax_cross_entropy", MORE_LOSSES[0]]),
    ],
    indirect=["answer"],
    ids=str,
)
def test_losses_agree_in_16_bits_with_sums_in_float32(answer, choice, reduction, dtype):
    problem = problem_of_loss(choice, reduction)
    assert outside(answer(problem, dtype=dtype).gradient, problem, f"{dtype}/float32") == []


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_drawn_problems_agree_in_16_bits(answer, dtype):
    for problem in one_of_each_block(2, 6, Support(wants=("x", "loss"), width=(4, 4), batch=(16, 16)), dtype):
        answered = answer(problem, dtype=dtype).gradient
        for precision in (dtype, f"{dtype}/float32"):
            assert verify(problem, answered, precision=precision).verdict in ("right", "lossy", "inconclusive"), problem


def test_biases_are_given_where_the_problem_has_them(answer):
    answered = answer(problem_of_activation("tanh")).gradient
    assert answered.biases[0] is None
    assert answered.biases[1].shape == (4,)


def test_torch_gives_what_lies_between():
    pytest.importorskip("torch")
    answered = torch_autograd.answer(problem_of_activation("tanh")).gradient
    for by_layer in (answered.pre_activations, answered.activations, answered.deltas):
        assert [array.shape for array in by_layer] == [(len(GRID), 4)] * 2


def test_a_relative_mistake_of_a_billionth_is_seen(answer):
    problem = problem_of_activation("tanh")
    answered = answer(problem).gradient
    wrong = replace(answered, weights=[answered.weights[0] * (1 + 1e-9), *answered.weights[1:]])
    assert outside(wrong, problem) == ["layer 1: dC/dW"]


def test_jax_keeps_its_own_configuration():
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    assert jax_autodiff.answer(problem_of_activation("tanh")).gradient.x.dtype == np.float64
    assert jax.config.jax_enable_x64 == before


def test_jax_forgets_what_it_compiled_now_and_then(monkeypatch):
    jax = pytest.importorskip("jax")
    forgotten = []
    monkeypatch.setattr(jax, "clear_caches", lambda: forgotten.append(1))
    monkeypatch.setattr(jax_autodiff, "_answers", iter([48, 49, 50, 51]))
    for expected in (0, 0, 1, 1):
        jax_autodiff.answer(problem_of_activation("identity"))
        assert len(forgotten) == expected


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_samples_with_weights_agree(answer, reduction):
    problem = problem_of_loss("half_squared_error", reduction).replaced(sample_weights=np.resize([1.0, 0.0, 2.5], len(GRID)))
    assert outside(answer(problem).gradient, problem) == []
