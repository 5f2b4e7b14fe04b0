"""check tells the best precision that a target meets, and the layer where the digits go."""

import numpy as np
import pytest

from backproof import Problem, check, gradient
from properties.judging.lost_digits import layer_that_loses, of_one_sample
from reference.backward import output_error
from reference.forward import forward
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.gradient import Gradient
from rounding.precisions import PRECISIONS

AGREES = ["it_agrees_with_the_exact_gradient"]
"""The law by whose findings the precision is told."""


def to_float32(array):
    return array.astype(np.float32).astype(np.float64)


def target(forward=(), back=(), product=(), told=False):
    """A float64 target that rounds to float32 the pre-activations, deltas or dC/dW of some layers; told: whether it gives intermediates."""

    def passes(problem):
        a, z, weights, biases = [problem.x], [], [], []
        for layer, (weight, bias, choice) in enumerate(zip(problem.weights, problem.biases, problem.activations, strict=True), 1):
            summed = a[-1] @ weight.T + (0 if bias is None else bias)
            z.append(to_float32(summed) if layer in forward else summed)
            a.append(row_of(ACTIVATIONS, choice).value(z[-1]))
        error = row_of(LOSSES, problem.loss).derivative(a[-1], problem.y) / (problem.batch if problem.reduction == "mean" else 1)
        for layer in range(problem.depth, 0, -1):
            delta = row_of(ACTIVATIONS, problem.activations[layer - 1]).pullback(z[layer - 1], error)
            delta = to_float32(delta) if layer in back else delta
            weight = delta.T @ a[layer - 1]
            weights.insert(0, to_float32(weight) if layer in product else weight)
            biases.insert(0, delta.sum(axis=0))
            error = delta @ problem.weights[layer - 1]
        return Gradient(weights, biases, pre_activations=z if told else None)

    return passes


WAYS = {
    "all of it": (1, target((1, 2, 3), (1, 2, 3), (1, 2, 3))),
    **{f"z of layer {layer}": (layer, target(forward=(layer,))) for layer in (2, 3)},
    "delta of layer 2": (2, target(back=(2,))),
    **{f"dC/dW of layer {layer}": (layer, target(product=(layer,))) for layer in (1, 2)},
    "z of layer 2, told": (2, target(forward=(2,), told=True)),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_layer_where_digits_go_is_told(way):
    layer, loses = WAYS[way]
    report = check(loses, seed=1, max_examples=8, depth=(3, 3), laws=AGREES, shrink_seconds=0)
    assert report.verdict == "wrong"
    assert report.notes[-1] == (
        f"right to float32, on 30 further problems; its answers claim float64: the layer where the digits go is {layer}"
    )
    assert "  hint     right to float32: if that is what it computes in, say precision=float32" in str(report)
    assert report.findings[0].data()["judgement"]["meets"] == "float32"


def test_what_is_wrong_in_every_precision_meets_none():
    def twice(problem):
        answer = target()(problem)
        return Gradient([2 * weight for weight in answer.weights], answer.biases)

    report = check(twice, seed=1, max_examples=25, laws=AGREES, shrink_seconds=0)
    assert report.verdict == "wrong"
    assert not any("right to" in note for note in report.notes)


def test_what_is_wrong_on_few_problems_is_no_precision():
    """A slope of 0 next to ReLU's kink, and numbers below 1e-150 that are lost, are right to float32 wherever they show."""

    def flushed(problem):
        answer = target()(problem)
        return Gradient([np.where(np.abs(weight) < 1e-150, 0.0, weight) for weight in answer.weights], answer.biases)

    def blunt(problem):
        passed = forward(problem)
        slope = passed.pre_activations[-1] > 1e-9
        delta = output_error(problem, passed.activations[-1]) * slope
        return Gradient([delta.T @ problem.x], [None if problem.biases[0] is None else delta.sum(axis=0)])

    blunt.supports = {"activations": ["relu"], "depth": (1, 1)}
    for wrong, seed in ((flushed, 4), (blunt, 1)):  # by which one of the first 13 problems shows it
        report = check(wrong, seed=seed, max_examples=30, laws=AGREES, shrink_seconds=0)
        assert report.verdict == "wrong"
        assert "right to" not in str(report)


def test_now_and_then_wrong_is_no_precision():
    """Most of its answers are right to float32, but not those where the first output is above its label."""
    right, loses = target(), target(forward=(1,))

    def odd(problem):
        answer = loses(problem)
        if right(problem).biases[-1] is not None and np.sum(right(problem).biases[-1]) > 0:
            answer = Gradient([weight * 1.01 for weight in answer.weights], answer.biases)
        return answer

    report = check(odd, seed=1, max_examples=40, biases=True, laws=AGREES, shrink_seconds=0)
    assert report.verdict == "wrong"
    assert not any("right to" in note for note in report.notes)


def test_a_right_answer_loses_digits_nowhere():
    problem = Problem(
        [np.ones((2, 3)) / 3, np.ones((1, 2)) / 7], activations=["tanh", "identity"], x=np.ones((2, 3)) / 9, y=np.zeros((2, 1))
    )
    one = of_one_sample(problem)
    assert layer_that_loses(one, target()(one), PRECISIONS["float64"]) is None
    assert layer_that_loses(one, target(forward=(1,))(one), PRECISIONS["float64"]) in (1, 2)


def test_of_a_problem_with_a_penalty_no_layer_is_named():
    """Its dC/dW are no multiples of the inputs, by which a layer is told."""
    problem = Problem([np.full((2, 3), 1 / 3)], activations=["tanh"], x=np.full((1, 3), 1 / 9), y=np.zeros((1, 2)))
    loses = gradient(problem).mapped(lambda place, array: to_float32(np.asarray(array)))
    assert layer_that_loses(problem, loses, PRECISIONS["float64"]) == 1
    penalised = problem.replaced(penalty=("l2", 0.1))
    loses = gradient(penalised).mapped(lambda place, array: to_float32(np.asarray(array)))
    assert layer_that_loses(penalised, loses, PRECISIONS["float64"]) is None
