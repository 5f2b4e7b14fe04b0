"""The problem that a call poses is the one whose arrays it was given, in each layout that `adapt` has."""

import numpy as np
import pytest

from backproof import Problem
from backproof.planted.layout import WORDS, problem_of, words_of
from backproof.targets.layouts import LAYOUTS, Layout

RNG = np.random.default_rng(0)
PROBLEM = Problem(
    [RNG.normal(size=(4, 3)), RNG.normal(size=(2, 4))],
    biases=[RNG.normal(size=4), RNG.normal(size=2)],
    activations=["tanh", "sigmoid"],
    x=RNG.normal(size=(5, 3)),
    y=RNG.normal(size=(5, 2)),
)
ONE_HOT = Problem(
    PROBLEM.weights,
    biases=PROBLEM.biases,
    activations=["tanh", "identity"],
    x=PROBLEM.x,
    y=np.eye(2)[[0, 1, 1, 0, 1]],
    loss="softmax_cross_entropy",
)
EACH = [(name, value) for name in ("samples", "weights", "biases", "layers", "order") for value in WORDS[name] if value != "one"]


def called(problem, activations, **words):
    """What a function of this layout is called with."""
    layout = Layout(**words, activations=activations)
    ((x, y),) = layout.calls(problem)
    return tuple(layout.arguments(layout.given(problem).held, (list(problem.activations),) if activations else (), x, y))


@pytest.mark.parametrize("told", [True, False], ids=["told the activations", "not told"])
@pytest.mark.parametrize(("name", "value"), EACH)
def test_the_problem_is_had_again(name, value, told):
    said = {name: value} | ({} if told else {"activations": "tanh sigmoid"})
    assert problem_of(called(PROBLEM, told, **{name: value}), {}, said) == PROBLEM


def test_classes_by_their_numbers_and_one_sample():
    said = {"expected": "class_index", "loss": "softmax_cross_entropy"}
    assert problem_of(called(ONE_HOT, True, expected="class_index"), {}, said) == ONE_HOT
    args = called(PROBLEM, True)
    one = problem_of((*args[:-2], PROBLEM.x[1], PROBLEM.y[1]), {}, {"samples": "one"})
    assert np.array_equal(one.x, PROBLEM.x[1:2])


def test_one_activation_stands_for_all_and_arguments_may_be_named():
    args = called(PROBLEM, False)
    given = problem_of(args[:2], {"x": args[2], "y": args[3]}, words_of("activations=tanh, loss=mean_squared_error, reduction=mean"))
    assert (list(given.activations), given.loss, given.reduction) == (["tanh", "tanh"], "mean_squared_error", "mean")


def test_words_are_those_of_adapt():
    for name, values in WORDS.items():
        assert set(values) <= set(LAYOUTS.get(name, values))
    with pytest.raises(ValueError, match="samples is 'column': expected one of rows, columns, one"):
        words_of("samples=column")
    with pytest.raises(ValueError, match="expected name=value"):
        words_of("layout")
