"""Nearness: what is correctly rounded is at most 1, one unit in the last place is 2, and who is nearer than PyTorch is not accused."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproof import Gradient, Problem, check, gradient, strategies, verify
from backproof.findings.report import Report
from oracles import torch_autograd
from oracles.balls.enclosure import exact_parts
from properties.judging import measures
from properties.judging.by_second_moment import judge_by_deviation
from properties.judging.judgement import Exact
from properties.judging.nearness import OWN, is_measured, nearness
from properties.judging.peers import ACCURATE, answers
from properties.verdict import Verdict
from rounding.precisions import PRECISIONS
from tests.test_properties_beside_peers import honest, network

FORMATS = ("float64", "float32", "float16", "bfloat16")


def moderate(precision, seed):
    rng = np.random.default_rng(seed)

    def numbers(*shape):
        return PRECISIONS[precision].held(rng.uniform(0.3, 1.2, shape) * rng.choice([-1, 1], shape))

    return Problem(
        [numbers(4, 3), numbers(2, 4)], biases=[numbers(4), None], activations=["tanh", "identity"], x=numbers(5, 3), y=numbers(5, 2)
    )


def rounded(problem, precision):
    """The exact gradient, correctly rounded."""
    near, _ = exact_parts(problem)
    return near.mapped(lambda place, array: PRECISIONS[precision].held(array))


@pytest.mark.parametrize("precision", FORMATS)
def test_what_is_correctly_rounded_is_at_most_1_and_one_unit_more_about_2(precision):
    row = PRECISIONS[precision]
    problems = [moderate(precision, seed) for seed in range(8)]
    assert all(is_measured(problem, row) for problem in problems)
    right = [rounded(problem, precision) for problem in problems]
    target = nearness([(problem, answer, row) for problem, answer in zip(problems, right, strict=True)])[0]
    assert (target.who, target.precision, target.arrays, target.nearer) == ("the target", precision, 24, None)
    assert 0.2 < target.median < target.largest <= 1
    off = [answer.mapped(lambda place, array: array + row.last_place(array)) for answer in right]
    target = nearness([(problem, answer, row) for problem, answer in zip(problems, off, strict=True)])[0]
    assert 1.5 < target.median < 2.5


def test_balls_tell_less_than_a_unit_of_float64():
    """(1 + 2^-40)^2 has 81 bits: what is left of it is 2^-80."""
    a = 1 + 2.0**-40
    near, rest = exact_parts(Problem([[[a]]], activations=["identity"], x=[[a]], y=[[0.0]], loss="half_squared_error"))
    # dC/dW = (w x) x, of which float64 holds 1 + 3 2^-40
    assert near.weights[0][0, 0] == 1 + 3 * 2.0**-40
    assert rest.weights[0][0, 0] == 3 * 2.0**-80 + 2.0**-120


def test_an_entry_near_0_counts_by_its_size_and_an_array_of_zeros_not_at_all():
    """Beside 1000, what is off by 1e-5 in float32 is next to nothing, however small the number it stands in."""
    problem = Problem([[[1.0, 1.0]]], activations=["identity"], x=[[1000.0, 2.0**-20]], y=[[0.0]], loss="upstream").replaced(y=[[1.0]])
    answer = Gradient([np.array([[1000.0, 2.0**-20 + 1e-5]])])
    (target, *_) = nearness([(problem, answer, PRECISIONS["float32"])])
    assert 0 < target.largest < 1
    zeros = problem.replaced(y=[[0.0]])
    assert nearness([(zeros, gradient(zeros), PRECISIONS["float32"])]) == []


def test_others_are_measured_on_the_same_arrays():
    row = PRECISIONS["float32"]
    problems = [moderate("float32", seed) for seed in range(6)]
    answered = [(problem, next(iter(answers(problem, row, ACCURATE[1:2])))[1], row) for problem in problems]
    told = nearness(answered, oracles=("torch",))
    assert [one.who.split(" ")[0] for one in told] == ["the", "a", "PyTorch"]
    assert told[1].who == OWN and len({one.arrays for one in told}) == 1
    assert all(0 < one.nearer < one.arrays for one in told[1:])
    worse = [(problem, answer.mapped(lambda place, array: array * (1 + 1e-5)), row) for problem, answer, _ in answered]
    assert nearness(worse, oracles=("torch",))[2].nearer <= 1


@pytest.mark.parametrize(("factor", "told"), [(1.0, True), (1.001, False)])
def test_a_report_says_how_near_a_target_is_that_passes(factor, told):
    def target(problem):
        right = gradient(problem)
        return Gradient([factor * weight for weight in right.weights], right.biases)

    report = check(target, max_examples=30, seed=4, shrink_seconds=0, no_diagnosis=True)
    assert bool(report.nearness) == told
    lines = [line for line in report.summary() if line.startswith("rounding in float64, where the best possible is 1: the target ")]
    assert len(lines) == told
    again = Report.from_json(report.to_json())
    assert again.nearness == report.nearness and again.summary() == report.summary()
    older = json.loads(report.to_json())
    del older["nearness"]
    assert Report.from_json(json.dumps(older)).nearness == ()


def no_further(exact, theirs, shares):
    """An answer that is nearer to the exact gradient than another in each entry."""
    return theirs.mapped(
        lambda place, array: np.asarray(right := dict(exact.arrays())[place]) + shares(np.asarray(array, dtype=np.float64) - right)
    )


@given(problem=strategies.problems(depth=3, width=4, batch=3, values="tame"), data=st.data())
def test_who_is_nearer_than_pytorch_on_a_small_problem_is_not_accused(problem, data):
    """By the worst case, a bound for each entry: where PyTorch is inside, so is who is nearer. Away from kinks, where sides differ."""
    with np.errstate(all="ignore"):
        theirs = torch_autograd.answer(problem, "float64").gradient
        if verify(problem, theirs).verdict not in (Verdict.RIGHT, Verdict.LOSSY):
            return
        share = data.draw(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]))
        nearer = no_further(gradient(problem), theirs, lambda off: share * off)
        assert verify(problem, nearer).verdict is not Verdict.WRONG


SHARES = {
    "half as far": lambda off: off / 2,
    "to the other side": lambda off: -off,
    "all to one side": np.abs,
    "every second entry": lambda off: off * (np.arange(off.size).reshape(off.shape) % 2),
}


@pytest.mark.parametrize("precision", ["float32", "bfloat16/float32/float32"])
@pytest.mark.parametrize("shares", SHARES.values(), ids=SHARES)
def test_who_is_nearer_than_pytorch_on_a_large_problem_is_not_accused(shares, precision):
    """By statistical bounds, also with all errors to one side, which no measure expects of many entries."""
    row = PRECISIONS[precision]
    for seed, activation in ((1, "tanh"), (2, "gelu"), (3, "silu")):
        problem = network(seed, activation)
        theirs = torch_autograd.answer(problem, row.storage).gradient
        exact = Exact(problem)
        nearer = no_further(exact.reference, Gradient(theirs.weights, theirs.biases), shares)
        assert judge_by_deviation(exact, nearer, row).verdict is not Verdict.WRONG


def test_a_measure_by_which_pytorch_is_further_off_in_each_entry_proves_nothing(monkeypatch):
    """A model that allows a hundredth of what it should, and no peers of our own that say so."""
    monkeypatch.setattr(measures, "SPREAD", measures.SPREAD / 1000)
    monkeypatch.setattr(measures, "LINE_SPREAD", measures.LINE_SPREAD / 1000)
    monkeypatch.setattr("properties.judging.beside_peers.NEAR_OF_OTHERS", 1e9)
    monkeypatch.setattr("properties.judging.beside_peers.NEAR", {})
    problem = network(5)
    exact, row = Exact(problem), PRECISIONS["float32"]
    assert judge_by_deviation(exact, honest(problem), row).verdict is Verdict.WRONG
    theirs = torch_autograd.answer(problem, "float32").gradient
    nearer = no_further(exact.reference, Gradient(theirs.weights, theirs.biases), lambda off: 0.9 * off)
    judged = judge_by_deviation(exact, nearer, row)
    assert judged.verdict is Verdict.RIGHT
    assert any("PyTorch" in said and "further in each entry" in said for said in judged.left_out)
    # one entry that is further off than PyTorch's, and it is accused
    wrong = nearer.mapped(lambda place, array: np.where(np.arange(array.size).reshape(array.shape) == 0, array * 1.01, array))
    assert judge_by_deviation(Exact(problem), wrong, row).verdict is Verdict.WRONG


def test_a_framework_that_has_no_such_function_is_left_out(monkeypatch):
    def fails(problem, dtype):
        raise RuntimeError("not implemented for 'Half'")

    row, problem = PRECISIONS["float32"], moderate("float32", 1)
    answered = [(problem, rounded(problem, "float32"), row)]
    assert [one.who.split(" ")[0] for one in nearness(answered, oracles=("torch",))] == ["the", "a", "PyTorch"]
    monkeypatch.setattr(torch_autograd, "answer", fails)
    assert [one.who for one in nearness(answered, oracles=("torch",))] == ["the target", OWN]
