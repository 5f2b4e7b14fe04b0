"""The audit, and whose fault it is: the target's, nobody's, or that of a reference beyond its own worst case."""

from dataclasses import replace

import numpy as np
import pytest

from backproof import Gradient, Problem, gradient, verify
from backproof.targets.target import InProcess
from oracles.balls import enclosure as balls
from properties.judging import auditing, judgement, settling
from properties.judging.by_second_moment import judge_by_deviation
from properties.judging.judge import judge
from properties.judging.judgement import DISAGREEMENT, Exact
from properties.laws.law import Case
from properties.laws.table import LAWS
from rounding.precisions import PRECISIONS

FLOAT64 = PRECISIONS["float64"]
SATURATED = Problem([[[5.0]], [[1.0]]], activations=["tanh", "identity"], x=[[1.0]], y=[[0.25]])

CONFIDENT = Problem([[[12.0], [0.0]]], activations=["identity"], x=[[1.0]], y=[[1.0, 0.0]], loss="softmax_cross_entropy")


def audit(target, problem):
    return LAWS["what_is_right_stands_an_audit"].on(Case(problem, InProcess(target, precision=None)))


def many(problem, batch=64):
    """The same with its samples scaled a little, as a batch that is judged by the statistical bound."""
    scales = 1 + np.arange(batch)[:, np.newaxis] / 1024
    return problem.replaced(x=scales * problem.x, y=np.tile(problem.y, (batch, 1)))


def difference(problem):
    """p - y of a softmax, which loses the digits of the others where p is near 1: honest, and of one layer."""
    (weight,), x = problem.weights, problem.x
    p = np.exp(x @ weight.T)
    delta = p / p.sum(axis=1, keepdims=True) - problem.y
    return Gradient([delta.T @ x], [delta.sum(axis=0)])


def textbook(problem):
    """tanh' as 1 - a a, which loses five digits at z = 5: honest, and of two layers."""
    (one, two), x = problem.weights, problem.x
    a = np.tanh(x @ one.T)
    last = a @ two.T - problem.y
    first = last @ two * (1 - a * a)
    return Gradient([first.T @ x, last.T @ a], [first.sum(axis=0), last.sum(axis=0)])


def test_an_answer_is_audited_by_the_bound_it_was_judged_by():
    """p - y is right by the statistical bound, which knows one grade of a loss, and lossy by the worst case."""
    assert verify(CONFIDENT, difference(CONFIDENT)).verdict == "lossy"
    problem = many(CONFIDENT)
    assert verify(problem, difference(problem)).verdict == "right"
    outcome = audit(difference, problem)
    assert (outcome.status, outcome.verdict) == ("held", "right")


@pytest.mark.parametrize("problem", [SATURATED, many(SATURATED)], ids=["worst case", "statistical"])
def test_a_textbook_formula_is_lossy_at_every_size(problem):
    judged = verify(problem, textbook(problem))
    assert (judged.verdict, judged.functions) == ("lossy", ("tanh",))
    assert "1 - a a" in judged.reason


def edge(monkeypatch, problem):
    """An answer at the edge of what is allowed beside the reference, in dC/dW of layer 1, and an enclosure a little further away."""
    exact = Exact(problem)
    allowed = exact.bound(FLOAT64).weights[0]

    def moved(of, by):
        return replace(of, weights=(of.weights[0] + by * allowed, *of.weights[1:]))

    def enclosure(problem, near, rows=None):
        found = of_all(problem, near, rows)
        return balls.Enclosure(moved(found.lower, -0.375), moved(found.upper, -0.375))

    of_all = judgement.enclosure
    monkeypatch.setattr(judgement, "enclosure", enclosure)
    given = moved(exact.reference, 0.75)
    return Gradient(given.weights, given.biases)


def test_what_is_lossy_beside_ball_arithmetic_alone_is_no_disagreement(monkeypatch):
    answer = edge(monkeypatch, SATURATED)
    assert verify(SATURATED, answer).verdict == "right"
    outcome = audit(lambda problem: answer, SATURATED)
    assert (outcome.status, outcome.verdict, outcome.judgement.disagreement) == ("held", "lossy", False)
    assert outcome.judgement.functions == ("tanh",)


def test_what_no_formula_explains_beside_ball_arithmetic_is_wrong(monkeypatch):
    linear = SATURATED.replaced(activations=["identity", "identity"])
    answer = edge(monkeypatch, linear)
    assert verify(linear, answer).verdict == "right"
    outcome = audit(lambda problem: answer, linear)
    assert (outcome.status, outcome.verdict, outcome.judgement.disagreement) == ("broken", "wrong", False)


def test_a_suspicion_of_the_audit_alone_accuses_nobody(monkeypatch):
    """The answer 6 sigma from the reference, which is 3 from the enclosure on its other side."""
    problem = many(SATURATED.replaced(biases=[[0.5], [0.0]], activations=["identity", "identity"]))
    exact = Exact(problem)
    sigma = np.asarray(exact.deviation(FLOAT64).sigma.biases[0])

    def enclosure(problem, near, rows=None):
        found = of_all(problem, near, rows)
        lower, upper = (replace(end, biases=(end.biases[0] - 3 * sigma, *end.biases[1:])) for end in (found.lower, found.upper))
        return balls.Enclosure(lower, upper)

    of_all = settling.enclosure
    monkeypatch.setattr(settling, "enclosure", enclosure)
    right = exact.reference
    outcome = audit(lambda problem: Gradient(right.weights, [right.biases[0] + 6 * sigma, *right.biases[1:]]), problem)
    assert outcome.status == "not applicable"
    assert outcome.message.startswith("wrong beside ball arithmetic, by a statistical bound: outside are layer 1: dC/db")


def shared_low_bits(seed):
    """Two rows among 1024 samples, and expected outputs in float32: the terms of dC/db share their low bits, and round alike."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(2, 3))
    weights = [rng.normal(size=(2, 3))]
    x = rows[rng.integers(0, 2, 1024)]
    return Problem(weights, activations=["identity"], x=x, y=rng.normal(size=(1024, 2)).astype(np.float32))


def test_terms_that_share_their_low_bits_are_allowed_for():
    problem = shared_low_bits(1)
    exact, right = Exact(problem), balls.answer(problem).gradient
    off = np.abs(exact.reference.biases[0] - right.biases[0])
    assert np.all(off < 8 * exact.deviation(FLOAT64).sigma.biases[0])
    inexact = problem.replaced(y=problem.y * (1 + 2.0**-40))
    # it is the bits of what is expected that say so
    assert np.any(off > 8 * Exact(inexact).deviation(FLOAT64).sigma.biases[0])
    judged = judge_by_deviation(exact, Gradient(right.weights, right.biases), FLOAT64)
    assert (judged.verdict, judged.disagreement) == ("right", False)
    assert audit(gradient, problem).status == "held"


@pytest.mark.parametrize("problem", [SATURATED, many(SATURATED)], ids=["worst case", "statistical"])
def test_a_reference_beyond_its_worst_case_disagrees(problem, monkeypatch):
    def enclosure(problem, near, rows=None):
        return balls.enclosure(problem.replaced(y=problem.y + 2.0**-20), near, rows)

    monkeypatch.setattr(judgement, "enclosure", enclosure)
    monkeypatch.setattr(settling, "enclosure", enclosure)
    outcome = audit(gradient, problem)
    assert (outcome.status, outcome.verdict, outcome.message) == ("broken", "inconclusive", DISAGREEMENT)
    assert outcome.judgement.disagreement


def test_a_disagreement_is_told_where_the_answer_stands(monkeypatch):
    """The target is right, and the reference that suspected it is not."""
    exact, right = Exact(SATURATED), gradient(SATURATED)
    exact.reference = replace(exact.reference, weights=tuple(2 * weight for weight in exact.reference.weights))
    assert judge(exact, right, FLOAT64).disagreement


class TestCost:
    def test_what_costs_too_much_is_not_audited(self, monkeypatch):
        monkeypatch.setattr(auditing, "LARGEST_AUDITED", balls.cost(SATURATED) - 1)
        monkeypatch.setattr(judgement, "enclosure", None)
        outcome = audit(gradient, SATURATED)
        assert outcome.status == "not applicable"
        assert outcome.message == "2 weights, 2 nodes and 1 samples are too many for an audit by ball arithmetic"

    def test_more_digits_are_asked_for_while_they_are_cheap(self, monkeypatch):
        """1 + 2^-200 - 1 needs 200 bits."""
        problem = Problem([[[1.0, 1.0, -1.0]]], activations=["identity"], x=[[1.0, 2.0**-200, 1.0]], y=[[0.0]])
        assert balls.enclosure(problem).upper.pre_activations[0] == 2.0**-200
        monkeypatch.setattr(balls, "LARGEST_SHARPENED", 2 * balls.cost(problem) - 1)
        wider = balls.enclosure(problem)
        assert wider.lower.pre_activations[0] < 2.0**-200 < wider.upper.pre_activations[0] < 1e-30

    def test_digits_layers_and_samples_cost(self):
        assert balls.cost(many(SATURATED, 10)) == 10 * balls.cost(SATURATED) == 20
        assert balls.cost(SATURATED, 4400) == 50
