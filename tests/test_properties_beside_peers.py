"""The trial by peers: our own honest passes are honest, they excuse what they would suffer as well, and nothing that is far off."""

from itertools import pairwise
from unittest.mock import MagicMock

import numpy as np
import pytest

from backproof import check
from backproof.findings.judged import judgement_data
from backproof.targets.target import InProcess
from properties.judging import beside_peers as case
from properties.judging import by_second_moment as statistical
from properties.judging import judge as judging
from properties.judging import measures
from properties.judging.by_second_moment import TOO_WIDE, judge_by_deviation
from properties.judging.in_sigmas import ArrayInSigmas
from properties.judging.judgement import STATISTICAL, Exact, Judgement, Unjudged
from properties.judging.peers import ACCURATE, TEXTBOOK, answers, textbook_peers
from properties.judging.sensitivity import smallest_seen
from properties.laws import of_agreement as laws_of_agreement
from properties.laws.law import Case
from properties.laws.of_agreement import it_agrees_with_the_exact_gradient
from properties.problems.support import Support
from properties.problems.values import held_in, without_near_kinks
from properties.verdict import Verdict
from reference.backward import gradient
from reference.functions.activations import ACTIVATIONS
from reference.functions.expected_outputs import DISTRIBUTION
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.gradient import Gradient, Place
from reference.problem import Problem
from rounding.activations import ROUNDED_ACTIVATIONS
from rounding.precisions import PRECISIONS

FLOAT32 = PRECISIONS["float32"]


def network(seed, activation="tanh", loss="half_squared_error", widths=(70, 20, 10), batch=64, reduction="mean"):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(n, m)) / np.sqrt(m) for m, n in pairwise(widths)]
    biases, x, y = [rng.normal(size=n) / 4 for n in widths[1:]], rng.normal(size=(batch, widths[0])), rng.random((batch, widths[-1]))
    row = row_of(LOSSES, loss)
    if row.expected is DISTRIBUTION:
        y = np.eye(widths[-1])[rng.integers(widths[-1], size=batch)]
    activations = [*[activation] * (len(weights) - 1), [*row.behind, "identity"][0]]
    problem = Problem(weights, biases=biases, activations=activations, x=x, y=y, loss=loss, reduction=reduction)
    return without_near_kinks(held_in(problem, "float16"), "float32")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_peers_are_honest_in_every_precision(precision):
    problem = held_in(network(1), precision)
    for peer, answer in answers(problem, PRECISIONS[precision], ACCURATE):
        judged = judge_by_deviation(Exact(problem), answer, PRECISIONS[precision], peers=False)
        assert judged.verdict in ("right", "inconclusive"), (peer, judged)


@pytest.mark.parametrize("activation", [pytest.param(choice, id=str(choice)) for choice in Support().activation_choices])
def test_peers_are_honest_with_every_activation(activation):
    problem, name = network(2, activation), activation if isinstance(activation, str) else activation[0]
    peers = ACCURATE + (textbook_peers(frozenset({name})) if name in TEXTBOOK else ())
    for peer, answer in answers(problem, FLOAT32, peers):
        judged = judge_by_deviation(Exact(problem), answer, FLOAT32, peers=False)
        assert judged.verdict == "right" or (peer.textbook and judged.verdict == "lossy"), (peer, judged)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("loss", [pytest.param(choice, id=str(choice)) for choice in Support().loss_choices])
def test_peers_are_honest_with_every_loss(loss, reduction):
    problem = network(3, "sigmoid", loss, reduction=reduction)
    for peer, answer in answers(problem, FLOAT32, ACCURATE):
        judged = judge_by_deviation(Exact(problem), answer, FLOAT32, peers=False)
        assert judged.verdict == "right", (peer, judged)


def test_every_textbook_formula_of_the_tables_has_a_peer():
    assert {name for name in ACTIVATIONS if row_of(ROUNDED_ACTIVATIONS, name).lossy} == set(TEXTBOOK)


def test_peers_round_in_ways_of_their_own_and_the_same_each_time():
    problem = network(4)
    given = [answer.weights[0].tobytes() for _, answer in answers(problem, FLOAT32, ACCURATE)]
    assert len(set(given)) == len(ACCURATE)
    assert given == [answer.weights[0].tobytes() for _, answer in answers(problem, FLOAT32, ACCURATE)]


def honest(problem):
    """A pass in float32 of which no peer does just the same: another order of nodes."""
    order = np.random.default_rng(9).permutation(problem.widths[0])
    turned = problem.replaced(x=problem.x[:, order], weights=[problem.weights[0][:, order], *problem.weights[1:]])
    ((_, answer),) = answers(turned, FLOAT32, ACCURATE[:1])
    first = np.empty_like(answer.weights[0])
    first[:, order] = answer.weights[0]
    return Gradient([first, *answer.weights[1:]], answer.biases)


def test_what_peers_would_suffer_as_well_is_no_accusation(monkeypatch):
    """A model that allows a hundredth of what it should, in two measures, accuses no honest answer."""
    monkeypatch.setattr(measures, "SPREAD", measures.SPREAD / 100)
    monkeypatch.setattr(measures, "LINE_SPREAD", measures.LINE_SPREAD / 100)
    problem = network(5)
    answer = honest(problem)
    assert judge_by_deviation(Exact(problem), answer, FLOAT32, peers=False).verdict == "wrong"
    judged = judge_by_deviation(Exact(problem), answer, FLOAT32)
    assert judged.verdict == "right"
    assert {said.split(":")[0] for said in judged.left_out} == {"layer 1", "layer 2"}
    assert "the worst of our own honest passes (" in judged.left_out[0]
    assert "left out" in str(judged)


def without_projection(exact):
    """One that allows for no more of a common factor than the constant."""
    exact.projection = lambda precision, lossy=frozenset(), apart=False: lambda: MagicMock(bound=lambda layer, row=None: 0.0)
    return exact


def test_a_layer_that_peers_fail_by_every_measure_is_unjudged(monkeypatch):
    monkeypatch.setattr(measures, "SPREAD", measures.SPREAD / 100)
    monkeypatch.setattr(measures, "LINE_SPREAD", measures.LINE_SPREAD / 100)
    monkeypatch.setattr(measures, "COMMON", measures.COMMON / 1e4)
    monkeypatch.setattr(measures, "SIGMAS_ALLOWED", measures.SIGMAS_ALLOWED / 100)
    problem = network(5)
    judged = judge_by_deviation(without_projection(Exact(problem)), honest(problem), FLOAT32)
    assert judged.verdict == "inconclusive"
    assert "honest passes of our own are as far off in every layer" in judged.reason
    assert {str(one.place) for one in judged.unjudged} >= {"layer 1: dC/dW", "layer 2: dC/dW"}


def test_what_is_much_farther_than_the_worst_peer_is_told_all_the_same(monkeypatch):
    monkeypatch.setattr(measures, "SPREAD", measures.SPREAD / 100)
    problem = network(6)
    answer = honest(problem)
    off = Gradient([answer.weights[0] * np.float32(1.01), *answer.weights[1:]], answer.biases)
    judged = judge_by_deviation(Exact(problem), off, FLOAT32)
    assert judged.verdict == "wrong"
    assert "; the worst of our own honest passes (" in judged.reason


def test_a_mistake_is_told_with_how_far_the_worst_peer_came():
    problem = network(7)
    answer = honest(problem)
    off = Gradient([answer.weights[0] * np.float32(1.0001), *answer.weights[1:]], answer.biases)
    judged = judge_by_deviation(Exact(problem), off, FLOAT32)
    assert judged.verdict == "wrong"
    assert judged.left_out == ()
    assert "of what is allowed" in judged.reason


def test_textbook_formulas_are_lossy_and_named():
    """silu' by s (1 + z (1 - s)) and tanh' by 1 - a a, far out."""
    for activation in ("tanh", "gelu"):
        problem = network(8, activation)
        problem = problem.replaced(biases=[problem.biases[0] - 6, problem.biases[1]])
        ((_, answer), *_) = answers(problem, FLOAT32, textbook_peers(frozenset({activation})))
        judged = judge_by_deviation(Exact(problem), answer, FLOAT32)
        assert (judged.verdict, judged.functions) == ("lossy", (activation,))


@pytest.mark.parametrize("quantity", ["weights", "biases"])
def test_a_layer_that_no_problem_of_a_run_judged_makes_it_inconclusive(quantity, monkeypatch):
    monkeypatch.setattr(ArrayInSigmas, "is_blunt", property(lambda one: one.place == Place(quantity, 2)))

    def with_biases(problem):
        return gradient(problem)

    with_biases.supports = {"biases": True}
    report = check(with_biases, widths=[70, 20, 10], max_examples=3, seed=1, laws=["it_agrees_with_the_exact_gradient"])
    assert (report.verdict, report.unjudged) == ("inconclusive", (Unjudged(Place(quantity, 2), TOO_WIDE),))
    assert report.data()["unjudged"] == [{"quantity": quantity, "layer": 2, "reason": TOO_WIDE}]
    symbol = {"weights": "dC/dW", "biases": "dC/db"}[quantity]
    assert f"nothing could be said of layer 2: {symbol} in any problem: see the note" in str(report)
    assert f"nothing could be said in any problem of layer 2: {symbol}: the second-moment bound is wider than the gradient" in str(report)
    monkeypatch.undo()
    assert check(gradient, widths=[70, 20, 10], max_examples=3, seed=1, laws=["it_agrees_with_the_exact_gradient"]).verdict == "right"


def test_peers_are_not_asked_for_while_a_problem_shrinks(monkeypatch):
    asked, judged = [], []
    monkeypatch.setattr(statistical, "beyond_worst_case", lambda *given: set())
    beside_peers, judge = statistical.beside_peers, statistical.judge_by_deviation
    monkeypatch.setattr(statistical, "beside_peers", lambda *given: asked.append(1) or beside_peers(*given))
    monkeypatch.setattr(judging, "judge_by_deviation", lambda *given, **options: judged.append(1) or judge(*given, **options))

    def off(problem):
        answer = gradient(problem)
        return Gradient([answer.weights[0] * (1.01 if max(problem.widths) > 64 else 1), *answer.weights[1:]], answer.biases)

    report = check(off, widths=[70, 4, 3], max_examples=2, seed=1, laws=["it_agrees_with_the_exact_gradient"], shrink_seconds=3)
    assert report.verdict == "wrong"
    assert len(judged) > 4 * len(asked) > 0
    assert "the worst of our own honest passes (" in report.findings[0].message


def test_what_could_not_be_judged_stands_in_the_data():
    judgement = Judgement(Verdict.RIGHT, "float32", unjudged=(Unjudged(Place("weights", 2), "why"),), left_out=("what",))
    assert judgement_data(judgement)["unjudged"] == [{"quantity": "weights", "layer": 2, "reason": "why"}]
    assert judgement_data(judgement)["left_out"] == ["what"]
    assert "  unjudged layer 2: dC/dW: why\n  left out what" in str(judgement)


def at_its_minimum(seed=1):
    """Linear regression whose bias is at the least squares: dC/db cancels to nothing."""
    rng = np.random.default_rng(seed)
    x, weight = rng.normal(size=(64, 5)), rng.normal(size=(3, 5))
    y = x @ weight.T + 0.5 + rng.normal(size=(64, 3))
    problem = Problem([weight * 0.9], biases=[np.zeros(3)], activations=["identity"], x=x, y=y)
    return problem.replaced(biases=[-gradient(problem).biases[0] / 64])


def test_nothing_is_said_of_a_gradient_that_cancels_but_what_is_far_off_is_wrong():
    problem = at_its_minimum()
    right = gradient(problem)
    judged = judge_by_deviation(Exact(problem), Gradient(right.weights, right.biases), PRECISIONS["float64"])
    assert (judged.verdict, [str(one.place) for one in judged.unjudged]) == ("right", ["layer 1: dC/db"])
    off = judge_by_deviation(Exact(problem), Gradient(right.weights, [right.biases[0] + 1e6]), PRECISIONS["float64"])
    assert (off.verdict, off.outside) == ("wrong", 3)


@pytest.mark.parametrize("times", [1000, -50])
def test_what_is_beyond_textbook_formulas_too_is_wrong(times):
    problem = network(9, "gelu", widths=(70, 64, 8))
    problem = problem.replaced(biases=[problem.biases[0] - 6.5, problem.biases[1]])
    ((_, answer), *_) = answers(problem, FLOAT32, ACCURATE)
    off = Gradient([answer.weights[0] * np.float32(times), answer.weights[1]], answer.biases)
    assert judge_by_deviation(Exact(problem), off, FLOAT32).verdict == "wrong"


def test_a_peer_that_leaves_the_range_excuses_nothing():
    """log(1 + e^z) is infinite at z = 118 in float32."""
    problem = network(10, "softplus", widths=(70, 64, 1))
    x = np.array(problem.x)
    x[3] *= 80
    problem = problem.replaced(x=x)
    assert max(z.max() for z in gradient(problem).pre_activations) > 100
    ((_, answer), *_) = answers(problem, FLOAT32, ACCURATE)
    off = Gradient(answer.weights, [answer.biases[0] * np.float32(1.1), answer.biases[1]])
    assert judge_by_deviation(Exact(problem), off, FLOAT32).verdict == "wrong"


def test_the_second_problem_acquits_of_nothing_that_it_leaves_unjudged(monkeypatch):
    monkeypatch.setattr(statistical, "beyond_worst_case", lambda *given: set())  # what is certain needs no second problem
    problem = network(10)
    off = Gradient([gradient(problem).weights[0] * 1.01, *gradient(problem).weights[1:]], gradient(problem).biases)
    unjudged = Judgement(Verdict.RIGHT, "float64", unjudged=(Unjudged(Place("weights", 1), "why"),))
    for again, status in ((unjudged, "broken"), (Judgement(Verdict.RIGHT, "float64"), "not applicable")):
        monkeypatch.setattr(laws_of_agreement, "judge", lambda *given, again=again, **options: again)
        outcome = it_agrees_with_the_exact_gradient(Case(problem, InProcess(lambda problem: (off.weights, off.biases))))
        assert outcome.status == status


def test_what_a_run_would_have_seen_knows_of_peers(monkeypatch):
    problem = network(11)
    assert set(smallest_seen(problem, FLOAT32)) == {"entry", "row", "layer"}
    monkeypatch.setattr(statistical, "beside_peers", lambda exact, beside, suspected: [MagicMock(near=True)] * len(suspected))
    assert smallest_seen(problem, FLOAT32) == {}


def test_peers_are_not_asked_for_where_the_worst_case_is_certain(monkeypatch):
    """Whatever an honest pass rounds, it comes no further; of two arrays that are suspected both must be beyond it."""
    monkeypatch.setattr(statistical, "beside_peers", lambda *given: pytest.fail("a peer was asked"))
    problem = network(12)
    answer, exact = honest(problem), Exact(problem)
    off = Gradient([answer.weights[0] * np.float32(1.01), *answer.weights[1:]], answer.biases)
    judged = judge_by_deviation(exact, off, FLOAT32)
    assert judged.verdict == "wrong"
    assert judged.reason.endswith(f"; {statistical.CERTAIN}")
    # which no further call is asked to bear out
    assert judged.bound == STATISTICAL
    assert not judged.statistical
    # and which shrinking, which asks no peers, must find again
    assert judge_by_deviation(exact, off, FLOAT32, peers=False).certain
    monkeypatch.undo()
    both = Gradient([off.weights[0], answer.weights[1] * np.float32(1 + 2e-5)], answer.biases)
    assert "of what is allowed" in judge_by_deviation(exact, both, FLOAT32).reason


@pytest.mark.parametrize(("kind", "at_once"), [("factor", True), ("row factor", False)])
def test_where_a_row_was_worth_asking_the_whole_bound_picks_it(kind, at_once, monkeypatch):
    """By less than V another row may stand out, and the one that is wrong is not asked."""
    measure = measures.Measure(Place("weights", 1), kind, 1.0, 1.0, 1e-6, "")
    beside = MagicMock(arrays=[], blunt=set(), suspected=[], measures=(measure,))
    monkeypatch.setattr(statistical, "beside_reference", lambda *given, **options: beside)
    problem = network(12)
    assert (statistical._right_at_once(Exact(problem), honest(problem), FLOAT32) is not None) == at_once


def test_peers_pass_once_over_a_problem(monkeypatch):
    passed = []
    monkeypatch.setattr(statistical, "beyond_worst_case", lambda *given: set())
    monkeypatch.setattr(case, "answers", lambda *given: passed.append(1) or answers(*given))
    problem = network(12)
    exact, answer = Exact(problem), honest(problem)
    for factor in (1.01, 1.02):
        off = Gradient([answer.weights[0] * np.float32(factor), *answer.weights[1:]], answer.biases)
        assert judge_by_deviation(exact, off, FLOAT32).verdict == "wrong"
    assert len(passed) == 1


def fails(*given):
    raise RuntimeError("not implemented for 'Half'")


@pytest.mark.parametrize("why", ["not installed", "no such function"])
def test_who_has_no_pytorch_to_be_held_beside_is_told_as_before(why, monkeypatch):
    problem = network(13, widths=(4, 3), batch=4)
    if why == "not installed":
        monkeypatch.setattr(case, "missing", lambda oracle: "it is")
    else:
        monkeypatch.setattr(case, "torch_autograd", MagicMock(answer=fails))
    # of an answer that is as near as can be: beside PyTorch it would be excused
    heard = [MagicMock(near=False, measure=MagicMock(place=Place("weights", 1)))]
    assert case.beside_framework(Exact(problem), gradient(problem), MagicMock(precision=FLOAT32), heard) == heard


def test_a_suspicion_that_the_second_problem_gets_no_answer_to_stands():
    problem = network(10)
    off = Gradient([gradient(problem).weights[0] * 1.01, *gradient(problem).weights[1:]], gradient(problem).biases)

    def target(posed):
        if posed != problem:
            raise ValueError("not that one")
        return off

    outcome = it_agrees_with_the_exact_gradient(Case(problem, InProcess(target), peers=False))
    assert (outcome.status, outcome.verdict) == ("broken", "wrong")


def of_two_layers(**changes):
    problem = Problem([[[0.5, -1.0]], [[2.0]]], activations=["tanh", "identity"], x=[[1.0, 0.5]], y=[[0.25]])
    return Exact(problem.replaced(**changes))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"x": [[1e200, 0.0]], "weights": [[[1e200, 0.0]], [[2.0]]]}, "a number of the exact passes leaves the range of float64"),
        ({"sample_weights": [1e-35], "reduction": "mean"}, "a mean over weights of samples that add up to 1e-35, in float32"),
        ({"penalty": ("l2", 1e39)}, "the penalty's factor leaves the range of float32"),
        ({"x": [[1e30, 0.0]], "activations": ["identity"] * 2}, "a needed sum or product may leave the range of float32"),
    ],
    ids=["nothing", "float64", "weights of samples", "penalty", "float32"],
)
def test_it_is_told_why_nothing_can_be_said_of_a_problem(changes, why):
    assert statistical.says_nothing(of_two_layers(**changes), FLOAT32) == (f"nothing can be said: {why}" if why else "")
