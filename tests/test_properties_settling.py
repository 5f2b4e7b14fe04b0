"""A suspicion of a float64 answer is settled by ball arithmetic: on all entries, on some rows, or not at all, and then it says so."""

from dataclasses import replace
from unittest.mock import MagicMock

import numpy as np
import pytest

from properties.judging import settling
from properties.judging.answer_in_sigmas import beside_reference
from properties.judging.by_second_moment import judge_by_deviation, suspects
from properties.judging.judgement import AGGREGATE, DISAGREEMENT, Exact, Judgement
from properties.judging.measures import LINE_SPREAD
from properties.verdict import Verdict
from reference.backward import gradient
from reference.gradient import Gradient, Place
from reference.passes import passes
from reference.problem import Problem
from rounding.precisions import PRECISIONS

FLOAT64 = PRECISIONS["float64"]
ROWS = 4


@pytest.fixture
def too_large(monkeypatch):
    """Makes a small network count as one of which all entries are too many; gives the rows that were asked for."""
    asked = []

    def enclosure(problem, near, rows=None):
        asked.append(rows)
        return of_all(problem, near, rows)

    of_all = settling.enclosure
    monkeypatch.setattr(settling, "enclosure", enclosure)
    monkeypatch.setattr(settling, "LARGEST_SETTLED", 1000)
    monkeypatch.setattr(settling, "ROWS", ROWS)
    return asked


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(8)
    weights = [rng.normal(size=(n, m)) / np.sqrt(m) for m, n in ((40, 70), (70, 30))]
    return Problem(weights, activations=["identity", "identity"], x=rng.normal(size=(64, 40)), y=rng.normal(size=(64, 30)))


@pytest.fixture
def exact(problem):
    return Exact(problem)


def moved(exact, layer, rows, sigmas):
    """The reference's gradient, some rows of a layer's dC/dW off by so many sigma, and each row as a whole by nearly nothing."""
    sigma = np.asarray(exact.deviation(FLOAT64, None, None).sigma.weights[layer])
    weights = [np.array(weight) for weight in exact.reference.weights]
    for row in rows:
        along = sigma[row] * weights[layer][row]
        signs = np.sign(along)
        signs[np.argsort(np.abs(along))[::2]] *= -1
        weights[layer][row] += sigmas * sigma[row] * signs
    return Gradient(weights, exact.reference.biases)


def test_an_entry_that_is_off_is_wrong_by_the_rows_that_look_so(exact, too_large):
    judged = judge_by_deviation(exact, moved(exact, 0, [13], 20), FLOAT64)
    assert (judged.verdict, judged.index[0], judged.outside) == ("wrong", 13, 40)
    assert "layer 1: dC/dW: 40 of 2800, in row 13 and all columns" in judged.reason
    (rows,) = too_large
    assert rows[0].tolist() == [0, 13, 23, 46, 69]
    assert rows[1].tolist() == [0, 9, 19, 29]


def test_a_factor_common_to_a_layer_is_wrong_by_some_of_its_rows(exact, too_large):
    right = exact.reference
    judged = judge_by_deviation(exact, Gradient([right.weights[0], right.weights[1] * (1 + 4e-15)], right.biases), FLOAT64)
    assert (judged.verdict, judged.entry) == ("wrong", "all of layer 2: dC/dW")
    assert [len(rows) for rows in too_large[0]] == [ROWS, ROWS]


def off_between(exact, rows):
    """An answer that is off by 10 sigma from a reference that is off itself, each by 5 sigma from the exact numbers."""
    answer = moved(exact, 0, rows, 5)
    exact.by_rows = replace(exact.by_rows, weights=moved(exact, 0, rows, -5).weights)
    return answer


def test_what_only_the_reference_made_look_wrong_is_right(exact, too_large):
    judged = judge_by_deviation(exact, off_between(exact, [13, 14]), FLOAT64)
    assert judged.verdict == "right"
    assert (judged.index[0] in (13, 14), judged.outside, judged.judged) == (True, 0, 4900 + 100)


@pytest.mark.parametrize("largest", [1000, 10_000], ids=["by some rows", "by all entries"])
def test_what_is_right_by_textbook_formulas_alone_is_lossy(problem, too_large, monkeypatch, largest):
    """5 sigma of a tanh' by 1 - a a are more than accurate formulas explain."""
    monkeypatch.setattr(settling, "LARGEST_SETTLED", largest)
    exact = Exact(problem.replaced(activations=["tanh", "identity"]))
    judged = judge_by_deviation(exact, off_between(exact, [13, 14]), FLOAT64)
    assert (judged.verdict, judged.functions) == ("lossy", ("tanh",))


def test_what_other_rows_show_is_inconclusive(exact, too_large):
    judged = judge_by_deviation(exact, off_between(exact, np.arange(20, 40)), FLOAT64)
    assert judged.verdict == "inconclusive"
    reason = "a suspicion that can not be settled: outside are layer 1: dC/dW: 800 of 2800, in 20 of 70 rows and all columns; 12 rows that "
    assert (
        judged.reason == f"{reason}ball arithmetic was asked for are as they should be, and all rows of 4,900 weights are too many for it"
    )


def test_rows_that_are_wrong_on_the_whole_do_not_settle_an_entry(exact, too_large, monkeypatch):
    by_layer = Judgement(Verdict.WRONG, "float64", bound=AGGREGATE)
    monkeypatch.setattr(settling._Balls, "judgement", lambda *given: by_layer)
    judged = judge_by_deviation(exact, moved(exact, 0, [13], 10), FLOAT64)
    assert judged.verdict == "inconclusive"
    assert "; 9 rows that ball arithmetic was asked for show something else, and all rows of 4,900 weights" in judged.reason


def test_errors_too_large_in_a_row_are_asked_for(exact, too_large):
    judged = judge_by_deviation(exact, moved(exact, 0, [13], LINE_SPREAD + 1), FLOAT64)
    assert (judged.verdict, judged.entry) == ("wrong", "all of layer 1: dC/dW")
    assert 13 in too_large[0][0]


@pytest.mark.parametrize("largest", [1000, 10_000])
def test_a_reference_at_fault_is_told(exact, too_large, monkeypatch, largest):
    monkeypatch.setattr(settling, "LARGEST_SETTLED", largest)
    right = moved(exact, 0, [], 0)
    certain = np.max(exact.own_bound.weights[0][13] / np.asarray(exact.deviation(FLOAT64, None, None).sigma.weights[0])[13])
    exact.by_rows = replace(exact.by_rows, weights=moved(exact, 0, [13], 2 * certain).weights)
    judged = judge_by_deviation(exact, right, FLOAT64)
    assert (judged.verdict, judged.reason, judged.disagreement, judged.index[0]) == ("inconclusive", DISAGREEMENT, True, 13)


@pytest.mark.parametrize("largest", [1000, 10_000])
def test_a_reference_within_its_worst_case_is_not_at_fault(exact, too_large, monkeypatch, largest):
    monkeypatch.setattr(settling, "LARGEST_SETTLED", largest)
    right = moved(exact, 0, [], 0)
    certain = np.min(exact.own_bound.weights[0][13] / np.asarray(exact.deviation(FLOAT64, None, None).sigma.weights[0])[13])
    assert certain > 20
    exact.by_rows = replace(exact.by_rows, weights=moved(exact, 0, [13], 20).weights)
    judged = judge_by_deviation(exact, right, FLOAT64)
    assert (judged.verdict, judged.disagreement) == ("right", False)


def test_all_entries_are_asked_for_where_they_are_not_too_many(exact, too_large, monkeypatch):
    monkeypatch.setattr(settling, "LARGEST_SETTLED", 4900)
    assert judge_by_deviation(exact, moved(exact, 0, [13], 20), FLOAT64).verdict == "wrong"
    assert judge_by_deviation(exact, off_between(exact, np.arange(20, 40)), FLOAT64).verdict == "right"
    assert too_large == [None, None]


def test_a_network_too_large_for_ball_arithmetic_is_inconclusive(exact, too_large, monkeypatch):
    monkeypatch.setattr(settling, "LARGEST_PASSED", 4900 * 64 - 1)
    assert judge_by_deviation(exact, moved(exact, 0, [13], 20), FLOAT64).verdict == "wrong"
    judged = judge_by_deviation(exact, moved(exact, 0, [13], 10), FLOAT64)
    assert (judged.verdict, judged.outside) == ("inconclusive", 40)
    assert judged.reason.endswith("; 4,900 weights and 64 samples are too many for ball arithmetic, which alone could settle it")
    assert not too_large


def test_rows_chosen_for_what_is_legal_in_them_prove_nothing(too_large, monkeypatch):
    """Where weights have one sign errors do not average out, and rows of 7 sigma are legal; one entry looks wrong."""
    monkeypatch.setattr(settling, "ROWS", 64)
    rng = np.random.default_rng(8)
    weights = [np.abs(rng.normal(size=(n, m))) / np.sqrt(m) / scale for m, n, scale in ((40, 1400, 6), (1400, 30, 30))]
    problem = Problem(weights, activations=["identity", "identity"], x=rng.normal(size=(64, 40)), y=rng.normal(size=(64, 30)))
    exact = Exact(problem)
    answer = moved(exact, 0, np.arange(0, 1400, 14)[:64], 6.8)
    sigma = np.asarray(exact.deviation(FLOAT64, None, None).sigma.weights[1])[3, 5]
    off = [np.array(weight) for weight in exact.reference.weights]
    answer.weights[1][3, 5] += 5 * sigma
    off[1][3, 5] -= 5 * sigma
    exact.by_rows = replace(exact.by_rows, weights=off)
    assert judge_by_deviation(exact, answer, FLOAT64).verdict == "right"


def near_a_kink():
    """A node whose pre-activations, t - t + 4 u t, are nearer to ReLU's kink than rounding tells, in each of 64 samples."""
    rng = np.random.default_rng(0)
    t = rng.uniform(1, 1.9, size=64)
    x = np.stack([t, -t, 4 * FLOAT64.unit * t, np.ones(64)], axis=1)
    weights = [[[1, 1, 1, 0], [0, 0, 0, 1], [0.5, -0.25, 0, 1]], [[1, 0.5, -0.5]]]
    return Problem(weights, activations=["relu", "identity"], x=x, y=-rng.uniform(1, 2, size=(64, 1)))


def test_balls_are_told_how_near_to_a_kink_rounding_may_come():
    """An honest pass in which all of them are on the kink's other side is further off than likely, and right."""
    problem = near_a_kink()
    passed = passes(problem)
    delta = passed.backward.errors[0] * passed.backward.slopes[0] * [0, 1, 1]
    answer = Gradient([delta.T @ problem.x, gradient(problem).weights[1]])
    assert suspects(Exact(problem), answer, FLOAT64)
    assert judge_by_deviation(Exact(problem), answer, FLOAT64).verdict == "right"


def test_some_of_many_suspect_rows_settle_nothing(exact, too_large):
    """Ten rows of 70, of which ball arithmetic is asked for four: too few to show in the layer as a whole."""
    judged = judge_by_deviation(exact, off_between(exact, np.arange(20, 30)), FLOAT64)
    assert judged.verdict == "inconclusive"
    assert "; 11 rows that ball arithmetic was asked for are as they should be" in judged.reason


def test_what_is_unjudged_is_not_settled_either():
    """Linear regression whose dC/db cancels to nothing: the reference's is off itself there, and so is the answer's."""
    rng = np.random.default_rng(1)
    x, weight = rng.normal(size=(64, 5)), rng.normal(size=(16, 5))
    problem = Problem([0.9 * weight], biases=[np.zeros(16)], activations=["identity"], x=x, y=x @ weight.T + rng.normal(size=(64, 16)))
    problem = problem.replaced(biases=[-gradient(problem).biases[0] / 64])
    exact, right = Exact(problem), gradient(problem)
    sigma = exact.deviation(FLOAT64, None, None).sigma
    off = right.biases[0] + 12 * sigma.biases[0] * (np.arange(16) == 3)
    apart = 5 * sigma.weights[0] * (np.arange(16) == 7)[:, None] * (np.arange(5) == 2)
    exact.by_rows = replace(exact.by_rows, weights=[right.weights[0] - apart], biases=[off])
    judged = judge_by_deviation(exact, Gradient([right.weights[0] + apart], [off]), FLOAT64, peers=False)
    assert (judged.verdict, judged.judged) == ("right", 16 * 5)
    assert [str(one.place) for one in judged.unjudged] == ["layer 1: dC/db"]


def test_some_rows_do_not_settle_what_is_common_to_all(exact, too_large):
    """The reference is off by a common factor, of which a few right rows are no proof."""
    right = exact.reference
    exact.by_rows = replace(exact.by_rows, weights=[right.weights[0], right.weights[1] * (1 - 2e-15)])
    judged = judge_by_deviation(exact, moved(exact, 0, [], 0), FLOAT64)
    assert judged.verdict == "inconclusive"
    assert "its projection on the gradient is off" in judged.reason
    assert "are as they should be" in judged.reason


def test_what_accurate_formulas_explain_is_not_lossy_though_textbook_ones_would_do(problem, too_large, monkeypatch):
    """A reference that is off alone made it look wrong."""
    monkeypatch.setattr(settling, "LARGEST_SETTLED", 10_000)
    exact = Exact(problem.replaced(activations=["tanh", "identity"]))
    answer = gradient(exact.problem)
    exact.by_rows = replace(exact.by_rows, weights=moved(exact, 0, [13, 14], 20).weights)
    beside = beside_reference(exact, answer, FLOAT64, None)
    judged = settling.settle(exact, Gradient(answer.weights), beside.of({Place("weights", 1), Place("weights", 2)}), MagicMock())
    assert exact.textbook_activations
    assert (judged.verdict, judged.functions) == ("right", ())
