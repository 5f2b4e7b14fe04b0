"""Each correction of the model has a small problem that needs it: without it, right code is accused, or what is wrong passes.

benchmarks/mutants.py drops one after another. Judged without peers, which would excuse much of what the model forgets.
"""

from itertools import pairwise

import numpy as np
import pytest

from backproof import verify
from backproof.target import InProcess
from properties.judgement import Exact
from properties.judging import judge
from properties.law import Trial
from properties.laws import LAWS
from properties.statistical import judge_by_deviation
from properties.support import Support
from properties.worst_case import judge_by_worst_case
from reference.activations import ACTIVATIONS
from reference.backward import gradient
from reference.choice import bind
from reference.precisions import PRECISIONS
from reference.problem import Gradient, Problem
from reference.rounding import passes

FLOAT32 = PRECISIONS["float32"]


def network(seed, activation="tanh", loss="half_squared_error", widths=(70, 20, 10), batch=64, reduction="sum"):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(n, m)) / np.sqrt(m) for m, n in pairwise(widths)]
    x, y = rng.normal(size=(batch, widths[0])), rng.normal(size=(batch, widths[-1]))
    activations = [*[activation] * (len(weights) - 1), "identity"]
    return Problem(weights, activations=activations, x=x, y=y, loss=loss, reduction=reduction)


def judged(problem, answer, precision="float32"):
    """By the second-moment bound alone."""
    return judge_by_deviation(Exact(problem), answer, PRECISIONS[precision], peers=False).verdict


# ---- expected outputs, activations and laws ----


def softmax_by_difference(problem):
    """The gradient with p - y in place of p sum(y) - y, which is right of a distribution."""
    a = passes(problem).forward.activations[-1]
    p = np.exp(a - a.max(axis=1, keepdims=True))
    delta = p / p.sum(axis=1, keepdims=True) - problem.y
    return Gradient([delta.T @ problem.x])


def labelled(batch):
    rng = np.random.default_rng(1)
    y = np.tile([0.3, 0.3, 0.397], (batch, 1))
    return Problem([rng.normal(size=(3, 4))], activations=["identity"], x=rng.normal(size=(batch, 4)), y=y, loss="softmax_cross_entropy")


def test_labels_that_sum_to_nearly_1_are_allowed_for_in_the_worst_case():
    """p |sum y - 1|: without it p - y is wrong where a distribution is rounded to few digits."""
    problem = labelled(2)
    assert judge_by_worst_case(Exact(problem), softmax_by_difference(problem), PRECISIONS["float64"]).verdict == "right"


def test_labels_that_sum_to_nearly_1_are_allowed_for_at_real_sizes():
    """The same in the variance of the loss."""
    problem = labelled(64)
    assert judged(problem, softmax_by_difference(problem)) == "right"


def test_hidden_layers_of_different_activations_are_refused_where_they_must_be_the_same():
    """same_hidden: without it a target that builds all hidden layers alike is asked what it cannot do."""
    problem = network(1, widths=(2, 2, 2, 1), batch=1)
    mixed = problem.replaced(activations=["tanh", "relu", "identity"])
    same = Support(same_hidden=True)
    assert (same.refusal(problem), same.refusal(mixed)) == ("", "different hidden activations")
    assert Support().refusal(mixed) == ""


def off_by(sizes, when):
    """A target whose first weight is off by so many times what a law may allow of one answer, where a problem is of a kind."""

    def target(problem):
        answer = gradient(problem)
        if when(problem):
            bound = Exact(problem).bound(PRECISIONS["float64"], None, jumps=True).weights[0][0, 0]
            answer.weights[0][0, 0] += sizes * bound
        return answer

    return target


COMPARING = [
    ("batch_gradients_add", lambda problem: problem.batch > 1),
    ("the_mean_is_the_sum_over_the_batch_size", lambda problem: problem.reduction == "sum"),
    ("a_duplicated_sample_counts_twice", lambda problem: problem.batch > 2),
    ("permuted_nodes_permute_the_gradient", lambda problem: problem.weights[0][0, 0] == 0.5),
    ("an_inserted_identity_layer_changes_nothing", lambda problem: problem.depth > 2),
]


@pytest.mark.parametrize(("law", "when"), COMPARING, ids=[row[0] for row in COMPARING])
def test_a_law_allows_what_its_calls_may_be_off_and_no_more(law, when):
    """The sum of all bounds: ten times one of them is broken, though a law that allows 100 times more would hold."""
    problem = Problem(
        [[[0.5, -1.0], [2.0, 0.25]], [[1.5, -0.5]]],
        activations=["tanh", "identity"],
        x=[[1.0, 0.5], [-1.0, 2.0]],
        y=[[0.0], [1.0]],
    )
    assert LAWS[law].on(Trial(problem, InProcess(off_by(10, when)))).status == "broken"
    assert LAWS[law].on(Trial(problem, InProcess(off_by(0.9, when)))).status == "held"


def test_the_textbook_function_that_is_used_most_is_named():
    """tanh' by 1 - a a, above a GELU whose textbook formula would explain far more: naming the least used one sends people astray."""
    problem = Problem([[[2.0]], [[-6.0]], [[3.0]]], activations=["tanh", "gelu", "identity"], x=[[3.0]], y=[[1.0]])
    answer, a = gradient(problem), np.tanh(6.0)
    answer.weights[0][:] *= (1 - a * a) * np.cosh(6.0) ** 2
    judgement = judge_by_worst_case(Exact(problem), answer, PRECISIONS["float64"])
    assert (judgement.verdict, judgement.functions) == ("lossy", ("tanh",))


def test_two_small_errors_of_a_product_multiply():
    """The cross term of delta = dC/da g': at a zero of both nothing else is left."""
    z, row = np.float64(-0.7517915246935645), bind(ACTIVATIONS, "gelu")
    problem = Problem([[[z / 1.1]]], activations=["gelu"], x=[[1.1]], y=row.value(np.array([[z]])))
    given = problem.copy(np.float32)
    seen = given.x @ given.weights[0].T
    error = row.value(seen).astype(np.float32) - given.y
    delta = error * row.derivative(seen.astype(np.float64)).astype(np.float32)
    assert error != 0 and delta != 0
    assert judge(Exact(problem), Gradient([delta * given.x]), FLOAT32).verdict == "right"


def test_a_suspicion_that_nobody_can_confirm_is_told_from_10_sigma_on():
    """BEYOND_DOUBT: verify has one answer, and among millions of entries honest rounding comes to 8 sigma once."""
    problem = network(2)
    sigma = Exact(problem).deviation(FLOAT32, None, None).sigma.weights[0][3, 4]
    for sigmas, verdict in ((9, "inconclusive"), (11, "wrong")):
        answer = gradient(problem)
        answer.weights[0][3, 4] += sigmas * sigma
        assert verify(problem, answer, precision="float32").verdict == verdict
