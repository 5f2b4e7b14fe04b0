"""What is right at a glance is right: the bound at a glance lies on both sides of E, and says nothing where E makes no claim."""

import numpy as np
import pytest

from properties.judging import by_worst_case
from properties.judging.by_worst_case import judge_by_worst_case, right_at_a_glance
from properties.judging.judge import verify
from properties.judging.judgement import Exact
from properties.problems.support import Support
from reference.functions.losses import LOSSES as TABLE
from reference.functions.parametrised import row_of
from reference.gradient import Gradient, Place
from reference.passes import passes
from reference.problem import Problem
from rounding.arithmetic import worst_case_rounding
from rounding.glance import at_a_glance
from rounding.precisions import PRECISIONS
from rounding.worst_case import rounding_bound
from tests.honest_passes import KINDS, Honest, random_problem

ONE_KIND_OF_SUMS = [name for name, row in PRECISIONS.items() if not row.sum_bits and not row.function_bits]
ELEMENTWISE = [choice for choice in Support().activation_choices if choice != "softmax"]
LOSSES = Support().loss_choices


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield


def glances(precision, kind, seeds, **changes):
    """Of problems at which there is a glance: the problem, what it says, and E."""
    model = worst_case_rounding(PRECISIONS[precision])
    for seed in seeds:
        passed = passes(random_problem(seed, kind, precision).replaced(**changes))
        if (glance := at_a_glance(passed, model)) is not None:
            yield passed.problem, glance, rounding_bound(passed, model, jumps=False)


def is_on_both_sides(glance, bound):
    for name in ("weights", "biases"):
        for some, all_of_it in zip(getattr(glance, name), getattr(bound, name), strict=True):
            assert np.isfinite(all_of_it).all()
            assert (some <= all_of_it).all()
    for most, all_of_it in zip(glance.widest, bound.weights, strict=True):
        assert np.max(all_of_it) <= most


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", ONE_KIND_OF_SUMS)
def test_it_lies_on_both_sides_of_the_bound(precision, kind, seed_of_the_run):
    for _, glance, bound in glances(precision, kind, np.random.default_rng(seed_of_the_run).integers(2**31, size=30)):
        is_on_both_sides(glance, bound)


def test_nothing_is_said_where_a_difference_may_leave_the_range():
    """a - y, which no derivative of Huber's loss shows: -32,752 is half of the largest number of float16."""
    problem = Problem([np.ones((1, 1))], activations=["identity"], loss=("huber", {"delta": 0.1}), x=[[0.5]], y=[[-32_752.0]])
    model = worst_case_rounding(PRECISIONS["float16"])
    assert np.isinf(rounding_bound(passes(problem), model).weights[0]).all()
    assert at_a_glance(passes(problem), model) is None
    assert at_a_glance(passes(problem.replaced(y=[[-32_000.0]])), model) is not None


@pytest.mark.parametrize("choice", [pytest.param(choice, id=str(choice)) for choice in ELEMENTWISE])
def test_it_does_with_every_activation(choice):
    seen = 0
    for seed in range(25):
        problem = random_problem(seed, "plain", "float64")
        for _, glance, bound in glances("float64", "plain", [seed], activations=[choice] * problem.depth):
            is_on_both_sides(glance, bound)
            seen += 1
    assert seen > 10


@pytest.mark.parametrize("choice", [pytest.param(choice, id=str(choice)) for choice in LOSSES])
def test_it_does_with_every_loss(choice):
    seen = 0
    for seed in range(25):
        problem = random_problem(seed, "plain", "float64")
        outputs = np.full(problem.y.shape, 1 / problem.y.shape[1])  # what every loss may expect
        behind = row_of(TABLE, choice).behind
        last = behind[0] if behind else problem.activations[-1]
        changes = {"loss": choice, "y": outputs, "activations": [*problem.activations[:-1], last]}
        for _, glance, bound in glances("float64", "plain", [seed], **changes):
            is_on_both_sides(glance, bound)
            seen += 1
    assert seen > 10 or (behind == ("softmax",) and not seen)  # no layer with softmax is seen at a glance


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_most_honest_passes_are_right_at_a_glance(precision):
    row, at_once = PRECISIONS[precision], []
    for seed in range(80):
        exact = Exact(random_problem(seed, "plain", precision))
        answer = Honest(dtype=np.dtype(precision).type, seed=seed).gradient(exact.problem)
        at_once.append(right_at_a_glance(exact, Gradient(answer.weights, answer.biases), row) is not None)
    assert np.mean(at_once) > 0.6


@pytest.mark.parametrize("factor", [1, 1 + 1e-15, 1 + 1e-14, 1 + 1e-12])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_right_at_a_glance_is_right(kind, factor, seed_of_the_run, monkeypatch):
    row = PRECISIONS["float64"]
    for seed in np.random.default_rng(seed_of_the_run).integers(2**31, size=25):
        exact = Exact(random_problem(seed, kind, "float64"))
        answer = Honest(seed=seed).gradient(exact.problem)
        answer = Gradient([factor * weight for weight in answer.weights], answer.biases)
        said = right_at_a_glance(exact, answer, row)
        if said is not None:
            with monkeypatch.context() as patched:
                patched.setattr(by_worst_case, "right_at_a_glance", lambda *given: None)
                whole = judge_by_worst_case(exact, answer, row)
            assert (whole.verdict, whole.judged) == (said.verdict, said.judged)


PLAIN = Problem(
    [[[0.5, -1.0], [1.0, 0.25]], [[2.0, -0.5]]], activations=["tanh", "identity"], x=[[1.0, 2.0], [0.5, -1.0]], y=[[0.5], [1.0]]
)


def test_it_shows_the_entry_that_is_worst():
    right = Honest().gradient(PLAIN)
    weights = [np.array(weight) for weight in right.weights]
    weights[0][1, 0] *= 1 + 4e-16
    said = right_at_a_glance(Exact(PLAIN), Gradient(weights, right.biases), PRECISIONS["float64"])
    assert (said.place, said.index, said.got) == (Place("weights", 1), (1, 0), weights[0][1, 0])
    assert 0 < said.distance < said.allowed


@pytest.mark.parametrize("number", [np.nan, np.inf, 1.0])
def test_what_is_off_is_not_right_at_a_glance(number):
    right = Honest().gradient(PLAIN)
    right.weights[0][0, 0] = number
    assert right_at_a_glance(Exact(PLAIN), Gradient(right.weights, right.biases), PRECISIONS["float64"]) is None
    assert not verify(PLAIN, Gradient(right.weights, right.biases)).passed


def test_nothing_is_said_at_a_glance_where_the_bound_says_nothing():
    """The reference's own answer to a network that loses all digits: zero would pass for it."""
    depth = 30
    problem = Problem([[[1e3, -1e3 * (1 - 1e-9)], [1e3, -1e3]]] * depth, activations=["identity"] * depth, x=[[1.0, 1.0]], y=[[0.0, 0.0]])
    answer = Honest().gradient(problem)
    assert right_at_a_glance(Exact(problem), Gradient(answer.weights, answer.biases), PRECISIONS["float64"]) is None


@pytest.mark.parametrize(
    "problem",
    [PLAIN.replaced(activations=["softmax", "identity"]), PLAIN.replaced(activations=["relu", "identity"], x=[[2.0, 1.0], [0.5, -1.0]])],
    ids=["softmax", "a kink"],
)
def test_what_takes_more_than_a_glance(problem):
    assert at_a_glance(passes(problem), worst_case_rounding(PRECISIONS["float64"])) is None


def test_nothing_is_said_where_a_derivative_over_all_weights_of_samples_may_leave_the_range():
    """A share of a half is moderate, but not what is divided by the total first: 512 by 2^-124."""
    problem = PLAIN.replaced(sample_weights=[2.0**-125, 2.0**-125], reduction="mean")
    model = worst_case_rounding(PRECISIONS["float32"])
    assert at_a_glance(passes(problem), model) is not None
    far = passes(problem.replaced(y=[[512.0], [512.0]]))
    assert np.isinf(rounding_bound(far, model).weights[0]).all()
    assert at_a_glance(far, model) is None
