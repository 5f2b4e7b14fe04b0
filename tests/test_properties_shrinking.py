"""What fails is shrunk to a tiny problem, within the support and the time limit, and a flaky target does no harm."""

import time

import numpy as np
import pytest

from backproof import Problem, check, gradient
from properties.problems import shrinking
from properties.problems.architecture import Architecture
from properties.problems.hypothesis_internals import forced_seed
from properties.problems.shrinking import shrink
from properties.problems.shrinking_structure import reduce
from properties.problems.support import Support
from properties.problems.values import SHORT, ValuePlan, problem_of_seed
from reference.forward import forward
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import name_and_parameters, row_of


def passes(problem, turned=None, summed=None, slope=None):
    """A backward pass of its own, in which a part can be replaced by a faulty one."""
    passed = forward(problem)
    error = row_of(LOSSES, problem.loss).derivative(passed.activations[-1], problem.y)
    if problem.reduction == "mean":
        error = error / problem.batch
    weights, biases = [], []
    for layer in reversed(range(problem.depth)):
        z, choice = passed.pre_activations[layer], problem.activations[layer]
        delta = row_of(ACTIVATIONS, choice).pullback(z, error) if slope is None or choice == "softmax" else error * slope(choice, z)
        weights.insert(0, delta.T @ passed.activations[layer])
        biases.insert(0, (summed or (lambda delta: delta.sum(axis=0)))(delta))
        error = delta @ (turned or (lambda w: w))(problem.weights[layer])
    return weights, biases


def forgot_transpose(problem):
    return passes(problem, turned=lambda w: w.T if w.shape[0] == w.shape[1] else w)


def forgot_batch_sum(problem):
    return passes(problem, summed=lambda delta: delta[0])


def lost_the_sign(problem):
    """As PyTorch's in-place leaky ReLU once did: slope 1 below 0, where the slope is negative."""

    def slope(choice, z):
        right = row_of(ACTIVATIONS, choice).derivative(z)
        name, parameters = name_and_parameters(choice)
        return np.where(z < 0, 1.0, right) if name == "leaky_relu" and parameters.get("slope", 0.01) < 0 else right

    return passes(problem, slope=slope)


def wrong_far_out(problem):
    return passes(problem, slope=lambda choice, z: row_of(ACTIVATIONS, choice).derivative(z) * np.where(np.abs(z) > 30, 2, 1))


def wrong_in_softmax(problem):
    weights, biases = passes(problem)
    return ([-w for w in weights] if problem.loss == "softmax_cross_entropy" else weights), biases


AGREES = ["it_agrees_with_the_exact_gradient"]
LEAKY = [("leaky_relu", {"slope": -0.5}), ("leaky_relu", {"slope": 0.5}), "identity"]
FAULTS = [
    ("forgot_transpose", forgot_transpose, {"activations": ["identity", "tanh"], "width": 3}, 9, 2),
    ("forgot_batch_sum", forgot_batch_sum, {}, 6, 1),
    ("lost_the_sign", lost_the_sign, {"activations": LEAKY}, 3, 1),
    ("wrong_far_out", wrong_far_out, {"activations": ["identity", "relu", "softsign"]}, 3, 1),
]


def size(problem):
    return sum(array.size for _, array in problem.arrays())


@pytest.mark.parametrize(("target", "options", "entries", "depth"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_a_planted_fault_shrinks_to_a_tiny_problem(target, options, entries, depth):
    report = check(target, max_examples=50, seed=1, shrink_seconds=20, losses=["half_squared_error"], laws=AGREES, **options)
    (finding,) = report.findings
    assert (finding.verdict, finding.shrunk) == ("wrong", "in full")
    assert size(finding.problem) <= entries
    assert finding.problem.depth == depth
    assert finding.problem.reduction == "sum"
    assert 0 < finding.seen <= 50
    assert finding.answer.weights[0].shape == finding.problem.weights[0].shape


def test_numbers_shrink_to_plain_ones():
    options = {"activations": ["identity"], "losses": ["half_squared_error"], "laws": AGREES}
    (finding,) = check(wrong_far_out, max_examples=20, seed=2, **options).findings
    assert all(float(value).is_integer() for _, array in finding.problem.arrays() for value in array.ravel())


def test_the_passes_without_a_fault_are_right():
    assert check(passes, max_examples=60, seed=1, activations=["identity", "relu", "leaky_relu"], laws=AGREES).verdict == "right"


def test_a_problem_of_labels_shrinks_and_keeps_its_labels():
    options = {"activations": ["identity"], "losses": ["softmax_cross_entropy"], "laws": AGREES}
    (finding,) = check(wrong_in_softmax, max_examples=20, seed=1, **options).findings
    assert (finding.problem.depth, finding.problem.batch, finding.problem.widths) == (1, 1, (1, 2))


SUPPORTED = {"depth": (2, 3), "batch": (2, 4), "width": (2, 3), "biases": True, "reductions": ["mean"], "same_hidden": True}
SUPPORTED |= {"activations": ["tanh", "elu"], "output_activations": ["sigmoid"], "losses": ["mean_squared_error"]}


def test_shrinking_stays_within_the_support():
    asked = []

    def target(problem):
        asked.append(problem)
        return [1 + w for w in gradient(problem).weights], gradient(problem).biases

    target.supports = SUPPORTED
    (finding,) = check(target, max_examples=4, seed=1).findings
    for problem in asked:
        assert 2 <= problem.depth <= 3
        assert 2 <= problem.batch <= 4
        assert all(2 <= n <= 3 for n in problem.widths)
        assert all(b is not None for b in problem.biases)
        assert (problem.reduction, problem.loss, problem.activations[-1]) == ("mean", "mean_squared_error", "sigmoid")
        assert len(set(problem.activations[:-1])) == 1
    assert (finding.problem.depth, finding.problem.batch, finding.problem.widths) == (2, 2, (2, 2, 2))
    assert finding.problem.activations == ("tanh", "sigmoid")


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_what_is_shrunk_is_exact_in_the_precision(precision):
    options = {"activations": ["identity"], "losses": ["half_squared_error"], "laws": AGREES, "precision": precision}
    (finding,) = check(wrong_far_out, max_examples=30, seed=3, **options).findings
    for _, array in finding.problem.arrays():
        assert np.array_equal(array.astype(precision).astype(np.float64), array)


def test_the_time_limit_cuts_shrinking_short():
    def slow(problem):
        time.sleep(0.03)
        return [1 + w for w in gradient(problem).weights], gradient(problem).biases

    (finding,) = check(slow, max_examples=3, seed=1, shrink_seconds=0.1, depth=(4, 6), width=(3, 6)).findings
    assert finding.shrunk == "cut short"


def test_no_time_is_no_shrinking():
    (finding,) = check(forgot_batch_sum, max_examples=20, seed=1, shrink_seconds=0).findings
    assert finding.shrunk == "not at all"


def test_a_flaky_target_does_not_crash_shrinking():
    for period in (2, 3):
        calls = [0]

        def flaky(problem, calls=calls, period=period):
            calls[0] += 1
            answer = gradient(problem)
            return [w + (calls[0] % period == 0) for w in answer.weights], answer.biases

        report = check(flaky, max_examples=12, seed=1, shrink_seconds=1)
        assert report.findings
        for finding in report.findings:
            # what is told is what was seen on this very problem
            assert finding.answer is None or finding.answer.weights[0].shape == finding.problem.weights[0].shape


START = problem_of_seed(
    Architecture((3, 4, 4, 2), 4, ("tanh", "elu", "relu"), (True, False, True), "huber", "mean"), ValuePlan("normal"), seed=5
)

GOALS = [
    ("depth 2", lambda p: p.depth >= 2, 3 + 2),
    ("a square layer", lambda p: any(w.shape[0] == w.shape[1] > 1 for w in p.weights), 4 + 4),
    ("two samples", lambda p: p.batch >= 2, 1 + 4),
    ("a bias", lambda p: any(b is not None for b in p.biases), 4),
    ("elu and huber", lambda p: "elu" in p.activations and p.loss == "huber", 3),
    ("a negative weight", lambda p: any((w < 0).any() for w in p.weights), 3),
    ("the mean of an output of two", lambda p: p.reduction == "mean" and p.y.shape[1] == 2, 2 + 1 + 2),
]


@pytest.mark.parametrize(("fails", "entries"), [row[1:] for row in GOALS], ids=[row[0] for row in GOALS])
def test_shrinking_leaves_only_what_matters(fails, entries):
    shrunk = shrink(START, fails, Support(), "float64", seconds=20)
    assert fails(shrunk.problem)
    assert shrunk.complete
    assert size(shrunk.problem) <= entries
    assert all(value in (*SHORT, -4.0) for _, array in shrunk.problem.arrays() for value in array.ravel())


def test_reducing_ends_where_no_part_can_go():
    smallest = reduce(START, lambda problem: True, Support())
    assert (smallest.depth, smallest.batch, smallest.widths, smallest.biases) == (1, 1, (1, 1), (None,))
    assert (smallest.activations, smallest.loss, smallest.reduction) == (("identity",), Support().loss_choices[0], "sum")


def test_what_cannot_be_recorded_keeps_its_structure():
    problem = Problem([[[1.0]]], activations=["identity"], x=[[1.0]], y=[[0.3]], loss="binary_cross_entropy_with_logits")
    shrunk = shrink(problem, lambda p: row_of(LOSSES, p.loss).expected.labels, Support(), "float64")
    assert not shrunk.complete
    assert shrunk.problem == problem


def test_a_problem_that_never_fails_stays_as_it_is():
    shrunk = shrink(START, lambda problem: False, Support(), "float64")
    assert shrunk.problem == START
    assert not shrunk.complete


def test_more_numbers_than_hypothesis_has_room_for_keep_their_structure():
    sizes = {"activations": ["identity"], "losses": ["upstream"], "depth": (1, 1), "batch": (512, 512), "reductions": ["sum"]}
    large = Architecture((3, 2), 512, ("identity",), (True,), "upstream", "sum")
    shrunk = shrink(problem_of_seed(large, ValuePlan("normal"), seed=5), lambda problem: problem.batch == 512, Support.of(sizes), "float64")
    assert not shrunk.complete
    assert shrunk.problem.batch == 512


def test_hidden_layers_that_must_be_alike_become_simpler_together():
    """One alone would be of another kind, which such a target does not support."""
    support = Support(same_hidden=True, depth=(3, 3))
    problem = START.replaced(activations=["tanh", "tanh", "relu"])
    assert reduce(problem, lambda problem: True, support).activations == ("identity",) * 3
    assert reduce(problem, lambda problem: problem.activations[0] == "tanh", support).activations == ("tanh", "tanh", "identity")


def test_of_more_numbers_than_are_drawn_the_structure_alone_shrinks(monkeypatch):
    monkeypatch.setattr(shrinking, "MOST_NUMBERS", 3)
    asked = []
    shrunk = shrink(START, lambda problem: asked.append(problem) or problem.batch >= 2, Support(), "float64")
    assert not shrunk.complete
    assert (shrunk.problem.batch, shrunk.problem.widths) == (2, (1, 1))
    # its numbers are those that were there
    assert set(shrunk.problem.x.ravel()) <= set(START.x.ravel())


def test_the_same_problems_are_asked_each_time(monkeypatch):
    monkeypatch.setattr("hypothesis.core.global_force_seed", None)

    def asked():
        problems = []
        shrink(START, lambda problem: problems.append(problem) or problem.y.shape[1] >= 2, Support(), "float64")
        return problems

    assert asked() == asked(), "what a target does while a problem shrinks would be a matter of chance"
    assert forced_seed() is None, "no seed is left behind"
