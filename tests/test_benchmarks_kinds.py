"""The problems that the benchmarks draw: what is measured on them means something only if they can be had again."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from backproof import Gradient, Problem, gradient
from benchmarks.kinds import KINDS
from benchmarks.textbook import FORMULAS, SLOPES, MicroBatches, Textbook
from benchmarks.trained_kinds import begun, trained
from benchmarks.wrong_passes import LARGE, WRONG, Case, Given, passes
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES

CHEAP = [kind for kind in KINDS.values() if not kind.name.startswith("trained")]
"""Not those that train a network, which takes seconds."""


@pytest.mark.parametrize("kind", CHEAP, ids=lambda kind: kind.name)
def test_a_kind_draws_what_seed_and_index_say(kind):
    last = kind.count + 1
    drawn = kind.problem(3, last)
    # another object, so that nothing is kept from the first drawing
    again = dataclasses.replace(kind, draw=lambda rng: kind.draw(rng))
    assert again.problem(3, last) == drawn
    assert any(kind.problem(4, index) != kind.problem(3, index) for index in range(3))


def test_a_training_is_a_function_of_its_generator():
    def weights(seed):
        rng, x = np.random.default_rng(seed), np.linspace(-1, 1, 9)[:, None]
        found = trained(rng, begun(rng, (1, 3, 1)), "tanh", "half_squared_error", x, x**2, (0, 5), rate=0.1, batch=4)
        return [np.concatenate([part.ravel() for part in parts]).tolist() for parts in found]

    at_first, then = weights(3)
    assert at_first != then
    assert weights(3) == [at_first, then]
    assert weights(4)[0] != at_first


def test_some_kinds_of_each_sort_are_held_out():
    for from_training in (False, True):
        held_out = [kind.held_out for kind in KINDS.values() if kind.trained is from_training]
        assert 0.2 < np.mean(held_out) < 0.35


def test_textbook_formulas_exist_for_all():
    assert FORMULAS.keys() == ACTIVATIONS.keys()
    assert SLOPES.keys() == LOSSES.keys()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("target", [Textbook("float64"), MicroBatches("float64", 2)], ids=lambda target: type(target).__name__)
def test_honest_passes_are_right_where_no_digits_are_lost(target, activation):
    rng = np.random.default_rng(5)
    for loss in LOSSES:
        y = np.eye(3)[[0, 1, 2, 0, 1]] if "cross" in loss else rng.normal(size=(5, 3))
        weights = [rng.normal(size=(4, 2)), rng.normal(size=(3, 4))]
        biases = [rng.normal(size=4), None]
        activations = [activation, [*LOSSES[loss]().behind, "identity"][0]]
        problem = Problem(weights, biases=biases, activations=activations, x=rng.normal(size=(5, 2)), y=y, loss=loss, reduction="mean")
        exact = gradient(problem)
        for got, right in zip(target(problem).weights, exact.weights, strict=True):
            np.testing.assert_allclose(got, right, rtol=1e-9, atol=1e-12)


def small_case():
    rng = np.random.default_rng(7)
    widths = (6, 5, 5, 3)
    weights = [0.5 * rng.normal(size=(m, n)) for n, m in pairwise(widths)]
    biases = [rng.random(m) for m in widths[1:]]
    given, before = (Given(weights, biases, rng.random((8, 6)), np.eye(3)[rng.integers(3, size=8)]) for _ in range(2))
    return Case(given, before, rng)


def test_the_pass_that_mistakes_are_made_in_is_right():
    given = small_case().given
    problem = Problem(
        given.weights,
        biases=given.biases,
        activations=["relu", "relu", "identity"],
        x=given.x,
        y=given.y,
        loss="softmax_cross_entropy",
        reduction="mean",
    )
    right, exact = passes(given), gradient(problem)
    for got, expected in zip([*right.weights, *right.biases], [*exact.weights, *exact.biases], strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-15)


# of a small network with no z near 0 these change nothing
RARE = {"g' is 1 from z = -1e-3 on", "g' is 1 from z = -1e-5 on", "p kept from 1e-7 to 1 - 1e-7", "dC/dz below 1e-6 flushed to 0"}


@pytest.mark.parametrize("name", sorted({**WRONG, **LARGE}.keys() - RARE))
def test_a_mistake_changes_the_gradient_and_not_what_was_given(name):
    case, untouched = small_case(), small_case()
    wrong, right = ({**WRONG, **LARGE}[name](case), passes(untouched.given))
    assert isinstance(wrong.weights[0], np.ndarray)
    pairs = [*zip(wrong.weights, right.weights, strict=True), *zip(wrong.biases, right.biases, strict=True)]
    assert any(not np.array_equal(got, expected) for got, expected in pairs)
    for given, kept in zip(
        [*case.given.weights, case.given.x, case.given.y], [*untouched.given.weights, untouched.given.x, untouched.given.y], strict=True
    ):
        assert np.array_equal(given, kept)
    assert Gradient(wrong.weights, wrong.biases)
