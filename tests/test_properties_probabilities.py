"""Losses of probabilities: drawn behind what gives them, and no honest form of their gradient is accused."""

from collections import Counter
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from backproof import check
from backproof.targets.target import InProcess
from oracles import torch_autograd
from properties.faults.fault import Network
from properties.judging.by_second_moment import judge_by_deviation
from properties.judging.judge import BEYOND_DOUBT, judge, verify
from properties.judging.judgement import Exact
from properties.judging.peers import ACCURATE, answers
from properties.laws.law import Case, Status
from properties.laws.table import LAWS
from properties.problems.blocks import draw_problems, one_of_each_block
from properties.problems.limits import SupportError
from properties.problems.shrinking_structure import reduce
from properties.problems.support import Support
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.problem import Problem
from rounding.precisions import PRECISIONS
from tests.honest_passes import Honest

BEHIND = {name: make().behind[0] for name, make in LOSSES.items() if make().behind}
ALL = Support.of({"losses": list(BEHIND)})
DTYPES = {"float64": np.float64, "float32": np.float32}

# how people write dC/dz of the last layer: the product of equations 2 and 3, by either quotient, or a - y
FORMS = {
    "the product": lambda dtype: Honest(dtype),
    "a - y": lambda dtype: Honest(dtype, fused=True),
    "a - y, summed in another order": lambda dtype: Honest(dtype, seed=3, mean="last", fused=True),
}


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield


@cache
def drawn(count, seed, precision):
    """Problems and what is known of their gradients, the same for each form."""
    return [Exact(problem) for problem in draw_problems(count, seed, ALL, precision)]


@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("form", FORMS)
def test_no_honest_form_is_accused_on_drawn_problems(form, precision, times, seed_of_the_run):
    verdicts = Counter()
    for exact in drawn(80 * times, seed_of_the_run, precision):
        judgement = judge(exact, FORMS[form](DTYPES[precision]).gradient(exact.problem), PRECISIONS[precision])
        verdicts[judgement.verdict.value] += 1
        assert judgement.verdict in ("right", "lossy", "inconclusive"), f"{form}: {judgement} on {exact.problem!r}"
    assert verdicts["right"] > verdicts.total() / 2, verdicts


def large(rng, loss, size):
    """A network of real size whose outputs are spread, but not all sure."""
    widths, n = (48, 64, 10), 10
    weights = [rng.normal(0, size / np.sqrt(m), (k, m)).astype(np.float32) for m, k in pairwise(widths)]
    labels = np.eye(n)[rng.integers(n, size=64)] if BEHIND[loss] == "softmax" else rng.integers(0, 2, (64, n))
    x, biases = rng.normal(size=(64, 48)).astype(np.float32), [np.zeros(64), np.zeros(n)]
    return Problem(weights, biases=biases, activations=["tanh", BEHIND[loss]], x=x, y=labels, loss=loss, reduction="mean")


@cache
def of_real_sizes(loss, seed):
    """Three problems and what is known of their gradients, the same for each form and precision."""
    rng = np.random.default_rng(seed)
    return [Exact(large(rng, loss, size)) for size in (0.5, 1, 2)]


@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("loss", BEHIND)
@pytest.mark.parametrize("form", FORMS)
def test_no_honest_form_is_accused_at_real_sizes_and_a_wrong_row_is_seen(form, loss, precision, seed_of_the_run):
    for exact in of_real_sizes(loss, seed_of_the_run):
        gradient = FORMS[form](DTYPES[precision]).gradient(exact.problem)
        judgement = judge(exact, gradient, PRECISIONS[precision])
        assert judgement.verdict in ("right", "lossy"), f"{judgement}"
        assert "statistical" in judgement.bound
        gradient.weights[1][3] *= 1 + 1e-3
        wrong = judge(exact, gradient, PRECISIONS[precision])
        assert wrong.verdict == "wrong" and wrong.distance >= BEYOND_DOUBT * wrong.allowed


def test_they_are_drawn_behind_what_gives_probabilities():
    seen = Counter((str(problem.loss), str(problem.activations[-1])) for problem in one_of_each_block(400, 4, Support()))
    of_probabilities = {pair: count for pair, count in seen.items() if pair[0] in BEHIND}
    assert set(of_probabilities) == set(BEHIND.items())
    assert all(count > 10 for count in of_probabilities.values())


@pytest.mark.parametrize(("loss", "behind"), BEHIND.items())
def test_a_target_that_says_its_loss_need_not_say_what_is_behind_it(loss, behind):
    support = Support.of({"activations": ["relu"], "losses": [loss]})
    for problem in one_of_each_block(20, 1, support):
        assert problem.activations[-1] == behind
        assert set(problem.activations[:-1]) <= {"relu"}
        assert not support.refusal(problem)


def test_a_run_that_asks_for_the_loss_need_not_either():
    support = Support().limited(activations=["relu"], losses=["cross_entropy_of_probabilities"])
    assert (support.activation_choices, support.output_choices) == (("relu",), ("softmax",))
    # what a target says of its activations holds
    with pytest.raises(SupportError, match="needs softmax"):
        Support.of({"activations": ["relu"]}).limited(losses=["cross_entropy_of_probabilities"])


def test_a_target_without_softmax_and_sigmoid_is_asked_none_of_them():
    support = Support.of({"activations": ["relu", "tanh"]})
    assert not set(map(str, support.loss_choices)) & set(BEHIND)
    assert "softmax_cross_entropy" in support.loss_choices


def test_a_loss_that_nothing_stands_before_is_refused():
    with pytest.raises(SupportError, match=r"the last layer has \['identity'\]: cross_entropy_of_probabilities needs softmax"):
        Support.of({"losses": ["cross_entropy_of_probabilities"], "output_activations": ["identity"]})
    with pytest.raises(SupportError, match="binary_cross_entropy_of_probabilities needs sigmoid"):
        Support.of({"activations": ["relu"]}).limited(losses=["binary_cross_entropy_of_probabilities"])


def test_all_laws_hold_with_them(times, seed_of_the_run):
    session, posed = InProcess(Network()), Counter()
    for problem in draw_problems(30 * times, seed_of_the_run, Support.of({"losses": list(BEHIND), "wants": ["x", "loss"]}), "float64"):
        case = Case(problem, session)
        outcomes = {law.name: law.on(case) for law in LAWS.values()}
        assert not [name for name, outcome in outcomes.items() if outcome.status is Status.BROKEN], problem
        posed += Counter(name for name, outcome in outcomes.items() if outcome.status is Status.HELD)
    assert posed["an_inserted_identity_layer_changes_nothing"]
    assert posed["a_split_network_chains"]


def test_shrinking_leaves_what_is_behind_the_loss():
    problem = next(iter(draw_problems(1, 1, Support.of({"losses": list(BEHIND)[:1], "depth": (3, 3), "width": (3, 3), "batch": (3, 3)}))))
    small = reduce(problem, lambda smaller: smaller.loss == problem.loss, Support())
    assert (small.depth, small.batch, small.activations) == (1, 1, ("softmax",))


@pytest.mark.parametrize("loss", BEHIND)
@pytest.mark.parametrize("share", [1.0, 0.5], ids=["right", "wrong"])
def test_code_of_people_is_judged_as_it_stands(loss, share):
    """delta = a - y, of code whose last layer is softmax or sigmoid, and of the same with half of it."""

    def backprop(problem):
        a = [problem.x]
        for weight, bias, name in zip(problem.weights, problem.biases, problem.activations, strict=True):
            z = a[-1] @ weight.T + bias
            exp = np.exp(z - z.max(axis=1, keepdims=True))
            a.append({"tanh": np.tanh(z), "sigmoid": 1 / (1 + np.exp(-z)), "softmax": exp / exp.sum(axis=1, keepdims=True)}[name])
        delta = share * (a[-1] - problem.y) / (problem.y.shape[1] if loss.startswith("binary") else 1)
        dW, db = [], []
        for layer in reversed(range(problem.depth)):
            dW.insert(0, delta.T @ a[layer])
            db.insert(0, delta.sum(axis=0))
            delta = (delta @ problem.weights[layer]) * (1 - a[layer] ** 2)
        return dW, db

    backprop.supports = {"activations": ["tanh"], "losses": [loss], "reductions": ["sum"], "biases": True}
    report = check(backprop, max_examples=20, seed=1, shrink_seconds=0)
    assert report.verdict in ({"right", "lossy"} if share == 1 else {"wrong"})
    assert report.passed == (share == 1)
    assert row_of(LOSSES, loss).behind


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("loss", BEHIND)
def test_peers_are_honest_where_samples_have_weights(loss, reduction):
    problem = large(np.random.default_rng(2), loss, 1).replaced(reduction=reduction, sample_weights=np.arange(64) / 32)
    precision = PRECISIONS["float32"]
    for peer, answer in answers(problem, precision, ACCURATE):
        judged = judge_by_deviation(Exact(problem), answer, precision, peers=False)
        assert judged.verdict == "right", (peer, judged)


@pytest.mark.parametrize("y", [[0.0, 0.5], [1.0, 0.5]])
def test_nothing_is_claimed_where_a_probability_is_one_within_rounding(y):
    """1 - 1e-4 is 1 in float16, so that the logarithm and the quotient of 1 - a are infinite there: C as well as its derivative."""
    loss = "binary_cross_entropy_of_probabilities"
    problem = Problem([[[-0.032562255859375], [0.0]]], activations=["sigmoid"], x=[[-283.0]], y=[y], loss=loss)
    answer = torch_autograd.answer(problem, "float16").gradient
    assert not np.isfinite(answer.weights[0]).all() or y[0] == 1.0
    judgement = verify(problem, answer, precision="float16/float32")
    assert judgement.verdict in ("right", "inconclusive"), judgement
    wrong = answer.mapped(lambda place, array: np.where(np.isfinite(array), array + np.float16(1), array))
    assert verify(problem, wrong, precision="float16/float32").verdict == "wrong"
