"""Tame problems: on moderate numbers code that is right is right however it is written, and what is wrong shows."""

import numpy as np
import pytest

from backproof import Problem, adapt, check, strategies
from properties.problems.blocks import draw_problems
from properties.problems.support import Support
from properties.problems.tame import DRAWN, are_tame, tamed
from reference.forward import forward
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import row_of

SMOOTH = [name for name in ACTIVATIONS if not row_of(ACTIVATIONS, name).kinks]


@pytest.mark.parametrize("precision", ["float64", "float32", "bfloat16"])
def test_drawn_problems_are_tame(precision):
    drawn = list(draw_problems(300, 1, Support.of({"values": "tame", "activations": SMOOTH}), precision))
    assert all(map(are_tame, drawn))
    assert max(np.abs(z).max() for problem in drawn for z in forward(problem).pre_activations) > DRAWN / 4
    assert all(np.abs(z).max() <= DRAWN for problem in drawn for z in forward(problem).pre_activations)


def test_hardly_any_is_on_a_kink():
    drawn = list(draw_problems(300, 1, Support.of({"values": "tame"})))
    assert sum(map(are_tame, drawn)) > 280


def test_hypothesis_draws_tame_problems():
    from hypothesis import given, settings

    @settings(max_examples=20, database=None)
    @given(strategies.problems(values="tame", activations=["tanh"]))
    def test(problem):
        assert are_tame(problem)

    test()


def problem(x, bias=0.5):
    return Problem([[[1.0]]], biases=[[bias]], activations=["relu"], x=[[x]], y=[[1.0]])


@pytest.mark.parametrize(
    ("posed", "tame"),
    [(problem(1.0), True), (problem(-0.5), False), (problem(40.0), False), (problem(2.0**-30), False), (problem(0.0), True)],
    ids=["moderate", "on a kink", "large", "tiny", "zero"],
)
def test_what_is_tame(posed, tame):
    assert bool(are_tame(posed)) == tame


def test_each_layer_is_halved_as_often_as_it_takes():
    big = Problem([[[32.0]], [[1.0]]], activations=["identity", "identity"], x=[[2.0]], y=[[1.0]])
    stack = Problem.unchecked(
        weights=tuple(w[None] for w in big.weights),
        biases=big.biases,
        activations=big.activations,
        x=big.x[None],
        y=big.y[None],
        loss=big.loss,
        reduction=big.reduction,
        wants=big.wants,
    )
    # 32 * 2 = 64 is 8 times too large, and what follows is then 8
    assert [w.ravel().tolist() for w in tamed(stack).weights] == [[4.0], [1.0]]


def fragile(factor=1.0):
    """One layer of softplus as it is often written, whose exp overflows."""

    def f(weights, biases, activations, x, y):
        z = x @ weights[0].T + biases[0]
        delta = factor * (np.log(1 + np.exp(z)) - y) * np.exp(z) / (1 + np.exp(z))
        return [delta.T @ x], [delta.sum(axis=0)]

    return adapt(f, supports={"activations": ["softplus"], "biases": True, "depth": 1})


def test_what_is_right_for_moderate_numbers_alone_is_told_so():
    report = check(fragile(), max_examples=100, seed=1, shrink_seconds=0)
    assert report.verdict == "nonfinite"
    assert str(report).split("\n")[0].endswith("; right for moderate numbers: see the note)")
    assert report.notes[-1] == (
        "right for moderate numbers, |z| up to 8, on 30 further problems (--values tame): what fails above fails beyond them"
    )
    assert check(fragile(), max_examples=100, seed=1, values="tame").verdict == "right"


def test_what_is_wrong_is_wrong_for_moderate_numbers_too():
    report = check(fragile(1.001), max_examples=100, seed=1, shrink_seconds=0.5)
    assert "right for moderate numbers" not in str(report)
    report = check(fragile(1.001), max_examples=100, seed=1, values="tame", shrink_seconds=0.5)
    assert report.verdict == "wrong"
    assert are_tame(report.findings[0].problem)
    assert report.findings[0].drawn_by == "--values tame"
