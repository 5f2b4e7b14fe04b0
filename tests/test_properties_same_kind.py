"""A problem that shrinks stays of its kind: as gross, off the kinks, and with numbers that say something."""

import numpy as np

from backproof import Problem, check
from properties.judging.judgement import Judgement
from properties.laws.failure_kind import Kind, kind_of
from properties.verdict import Verdict
from reference.backward import output_error
from reference.forward import forward
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import row_of
from reference.gradient import Place

AGREES = ["it_agrees_with_the_exact_gradient"]


def test_kinds():
    gross, small = Kind(1e6, False, False), Kind(10.0, False, False)
    assert gross.stays(Kind(1e3, False, False))
    assert not gross.stays(small)
    assert small.stays(gross)
    assert not small.stays(Kind(10.0, True, False))
    assert not small.stays(Kind(10.0, False, True))
    assert Kind(10.0, True, True).stays(small)
    assert gross.tells_more(small)
    assert not gross.tells_more(Kind(1e4, False, False))
    assert small.tells_more(Kind(1e6, True, False))
    assert not Kind(1e6, True, False).tells_more(small)
    assert small.tells_more(Kind(1e6, False, True))
    assert small.tells_more(Kind(10.0, False, False, nothing=True))
    assert not small.stays(Kind(1e6, False, False, nothing=True))


def test_the_kind_of_a_problem():
    problem = Problem([[[1.0]]], activations=["relu"], x=[[1.0]], y=[[0.0]])
    judgement = Judgement(Verdict.WRONG, "float64", Place("weights", 1), (0, 0), 3.0, (1.0, 1.0), 0.5)
    assert kind_of(problem, judgement) == Kind(4.0, False, False)
    assert kind_of(problem.replaced(x=[[0.0]]), None) == Kind(1.0, True, True)
    assert kind_of(problem, Judgement(Verdict.WRONG, "float32", Place("weights", 1), (0, 0), 3.0, (1.0, 1.0), 1e-9)).excess == 2.0**12


def answer(problem, slope, weights=None):
    """dC/dW and dC/db with the slope of each layer's own, and other weights on the way back."""
    passed, found, biases = forward(problem), [], []
    delta = output_error(problem, passed.activations[-1])
    for layer in reversed(range(problem.depth)):
        delta = delta * slope(problem.activations[layer], passed.pre_activations[layer])
        found.insert(0, delta.T @ passed.activations[layer])
        biases.insert(0, None if problem.biases[layer] is None else delta.sum(axis=0))
        delta = delta @ (weights(found, problem) if weights else problem.weights)[layer - len(problem.weights)]
    return found, biases


def test_a_wrong_slope_below_0_is_not_told_at_0():
    def wrong(problem):
        return answer(problem, lambda choice, z: np.where(z > 0, 1.0, -0.5))

    wrong.supports = {"activations": ["relu"]}
    (finding,) = check(wrong, max_examples=100, seed=1, laws=AGREES).findings
    z = forward(finding.problem).pre_activations
    assert all(np.all(array != 0) for array in z)
    assert any(np.any(array < 0) for array in z)


def test_weights_that_are_updated_too_early_are_no_rounding_error():
    def updated(problem):
        def right(choice, z):
            return row_of(ACTIVATIONS, choice).derivative(z)

        # each layer's weights have moved by a step when the error goes back through them
        return answer(
            problem, right, lambda found, problem: [w - 0.1 * g for w, g in zip(problem.weights[-len(found) :], found, strict=True)]
        )

    updated.supports = {"activations": ["tanh"], "losses": ["half_squared_error"]}
    (finding,) = check(updated, max_examples=100, seed=1, laws=AGREES).findings
    assert finding.judgement.meets == ""
    assert finding.judgement.distance > 1000 * finding.judgement.allowed


def test_numbers_of_a_finding_say_something():
    def at_the_activation(problem):
        passed = forward(problem)
        slopes = [row_of(ACTIVATIONS, choice).derivative(a) for choice, a in zip(problem.activations, passed.activations[1:], strict=True)]
        return answer(problem, lambda choice, z: slopes.pop())

    at_the_activation.supports = {"activations": ["sigmoid"], "depth": (1, 2)}
    (finding,) = check(at_the_activation, max_examples=60, seed=1, laws=AGREES).findings
    assert (finding.problem.depth, finding.problem.weights[0].item(), finding.problem.x.item()) == (1, 1.0, 1.0)


def test_another_nodes_weight_is_not_told_as_a_missing_term():
    """The weights back through a layer are those of the node before: where shrinking makes them 0 it looks as if nothing came back."""

    def rolled(found, problem):
        return [np.roll(weight, 1, axis=1) for weight in problem.weights[-len(found) :]]

    def target(problem):
        return answer(problem, lambda choice, z: row_of(ACTIVATIONS, choice).derivative(z), rolled)

    target.supports = {"activations": ["tanh"], "losses": ["half_squared_error"], "widths": [2, 2, 1]}
    (finding,) = check(target, max_examples=60, seed=1, laws=AGREES).findings
    assert finding.judgement.got != 0
