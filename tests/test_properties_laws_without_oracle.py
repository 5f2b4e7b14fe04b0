"""Each law that needs no oracle holds on honest targets over drawn problems, and some fault breaks it."""

import functools

import numpy as np
import pytest

from backproof import Gradient, Problem, gradient
from backproof.targets.target import InProcess
from properties.answers.answer import Answer, Declined
from properties.faults.fault import EMPTY, EXPANDED, LINEAR, OWN_UPSTREAM, Network
from properties.faults.table import FAULTS
from properties.laws.law import Cadence, Case, Law, NotPosable, Status, broken
from properties.laws.table import LAWS
from properties.problems.blocks import draw_problems
from properties.problems.support import Support
from properties.verdict import Verdict

IN_TURN = [law for law in LAWS.values() if law.cadence is Cadence.ROTATED]
NEEDS = {
    "equal_sample_weights_are_a_factor": {"sample_weights": None},
    "softmax_deltas_sum_to_zero": {"losses": ["softmax_cross_entropy"], "output_activations": ["identity"]},
    **{name: {"losses": ["upstream"], "wants": ["x"]} for name in (LINEAR, OWN_UPSTREAM, EXPANDED)},
    EMPTY: {"empty_batch": True},
}
"""What a law's problems are drawn from, where few others would do."""

CORNER = Problem(
    [
        [[0.0, 0.2746988717215849, 0.0, 0.28530366115389666, 0.0]],
        [[-9.21857802166675e-310], [0.0], [4.581262892135e-310], [0.0], [0.0], [-9.21857802166675e-310]],
        [[-0.054796366719136194, 0.9816931384618285, 0.415126363484989, 0.0, 0.42948325486524097, -0.5214178417304434]],
        [[0.0], [-1.085494439754186], [-1.4475937887893802], [0.8487150619687553], [0.0]],
    ],
    activations=["leaky_relu", "tanh", "softsign", "sigmoid"],
    x=[
        [-1.8880664944289514, 1.2962902647133725, -0.376451976563403, 0.0, -0.815699194905159],
        [0.0, -0.16691984722296835, 0.0, 0.1329824568527909, 0.21221038849073115],
        [0.0, -1.032386732522313, 0.0, 0.0, 0.0],
    ],
    y=[
        [0.0, 0.0, 0.14657650512504727, -1.1963110050647074, 0.0],
        [0.0, 0.0, 0.0, 0.20025750026612502, -1.858174350629655],
        [0.0, -1.5297820382395504, 0.0, -0.7444514644150116, 0.0],
    ],
    reduction="mean",
)
"""On the line through its weights the slopes of softsign have a corner, whose part in the error of Simpson's rule others cancel."""


@functools.cache
def drawn(law, count, seed):
    support = Support.of(NEEDS.get(law))
    return support, tuple(draw_problems(count, seed, support))


@pytest.mark.parametrize("target", [gradient, Network()], ids=["reference", "network"])
@pytest.mark.parametrize("law", IN_TURN, ids=lambda law: law.name)
def test_a_law_holds_on_an_honest_target(law, target, times, seed_of_the_run):
    session, (support, problems) = InProcess(target), drawn(law.name if law.name in NEEDS else None, 30 * times, seed_of_the_run)
    fared = [(law.on(Case(problem, session, support=support)), problem) for problem in problems]
    assert [(outcome.message, problem) for outcome, problem in fared if outcome.status is Status.BROKEN] == []
    assert any(outcome.status is Status.HELD for outcome, _ in fared)


def test_a_corner_of_a_slope_on_the_line_accuses_nobody():
    law = LAWS["the_loss_changes_as_the_gradient_says"]
    assert law.on(Case(CORNER, InProcess(Network()))).status is Status.HELD


def test_every_law_is_broken_by_a_fault():
    of_the_target = {name for name, law in LAWS.items() if law.cadence is not Cadence.AUDIT}
    assert {name for fault in FAULTS.values() for name in fault.laws} == of_the_target


TWO = Problem(
    [[[0.5, -1.0], [2.0, 0.25]], [[1.5, -0.5]]],
    biases=[[0.125, -0.25], [0.375]],
    activations=["relu", "identity"],
    x=[[1.0, 0.5], [-1.0, 2.0]],
    y=[[0.5], [1.0]],
)
EMPTY_TOO = Support(empty_batch=True)


def declines(where):
    """The reference, which takes no problem of which something is so."""

    def target(problem):
        if where(problem):
            raise Declined("not such a one")
        return gradient(problem)

    return target


def no_samples(problem):
    return problem.batch == 0


NOT_POSED = [
    ("an upstream gradient beyond doubling", LINEAR, {"loss": "upstream", "y": [[1e308], [0.0]]}, "too large to be doubled"),
    (
        "pre-activations beyond a bias",
        "a_dead_node_has_no_gradient",
        {"weights": [np.full((2, 2), 2.0**511), [[1.0, 1.0]]], "x": [[2.0**511, 0.0]] * 2},
        "its pre-activations are too large for a bias beyond them",
    ),
    (
        "samples without weight",
        "the_mean_is_the_sum_over_the_batch_size",
        {"sample_weights": [0.0, 0.0]},
        "it needs samples whose weights are not all 0",
    ),
    (
        "an infinite activation",
        "a_split_network_chains",
        {"weights": [np.full((2, 2), 1e200), [[1.0, 1.0]]], "x": [[1e200, 0.0]] * 2, "wants": ["x"]},
        "an activation leaves the range",
    ),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("law", "changes", "why"), [row[1:] for row in NOT_POSED], ids=[row[0] for row in NOT_POSED])
def test_a_law_says_why_it_cannot_be_judged(law, changes, why):
    outcome = LAWS[law].on(Case(TWO.replaced(**changes), InProcess(gradient)))
    assert outcome.status is Status.NOT_APPLICABLE
    assert why in outcome.message


def fails_on_no_samples(problem):
    if not problem.batch:
        raise ValueError("nothing there")
    return gradient(problem)


def test_a_batch_without_samples_may_be_declined_and_may_not_raise():
    declined = LAWS[EMPTY].on(Case(TWO, InProcess(declines(no_samples)), support=EMPTY_TOO))
    assert (declined.status, declined.message) == (Status.NOT_APPLICABLE, "not such a one")
    raised = LAWS[EMPTY].on(Case(TWO, InProcess(fails_on_no_samples), support=EMPTY_TOO))
    assert (raised.status, raised.verdict) == (Status.BROKEN, Verdict.RAISES)
    assert raised.message.startswith("asked a related problem: ValueError: nothing there")


def equal_samples(problem):
    return (problem.x == problem.x[0]).all()


class Expanded:
    """A target that makes something else of expanded arrays."""

    def __init__(self, target, made):
        self.session, self.made = InProcess(target), made

    def __call__(self, problem, memory_layout="contiguous"):
        answer = self.session(problem)
        return self.made(answer) if memory_layout == "expanded" else answer


def refused(answer):
    return Answer(None, Verdict.RAISES, "a stride of 0")


def doubled(answer):
    return Answer(answer.gradient.mapped(lambda place, array: 2 * array))


@pytest.mark.parametrize("where", [equal_samples, lambda problem: False], ids=["equal samples", "nothing"])
def test_a_target_that_refuses_all_expanded_arrays_is_asked_nothing_of_them(where):
    """Neither where it declines to answer to equal samples at all."""
    outcome = LAWS[EXPANDED].on(Case(TWO.replaced(loss="upstream"), Expanded(declines(where), refused)))
    assert (outcome.status, outcome.message) == (Status.NOT_APPLICABLE, "the target refuses expanded inputs")


def test_expanded_arrays_that_are_read_as_other_numbers_break_the_law():
    case = Case(TWO.replaced(loss="upstream"), Expanded(gradient, doubled))
    outcome = LAWS[EXPANDED].on(case)
    assert (outcome.status, outcome.verdict) == (Status.BROKEN, Verdict.WRONG)
    assert outcome.message == "an array with a stride of 0 is read as if it were contiguous (one upstream number for all)"


def test_a_target_that_answers_no_more_after_another_problem_breaks_the_law():
    met = []

    def target(problem):
        if met and problem == TWO and met[-1] != TWO:
            raise ValueError("once was enough")
        met.append(problem)
        return gradient(problem)

    outcome = LAWS["the_problem_before_does_not_matter"].on(Case(TWO, InProcess(target)))
    assert (outcome.status, outcome.verdict) == (Status.BROKEN, Verdict.RAISES)
    assert outcome.message.startswith("after another problem it gives no answer: ValueError: once was enough")


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_what_only_one_of_two_answers_holds_is_not_compared(factor):
    """C of two samples, but not of one; all else is."""

    def target(problem):
        right = gradient(problem)
        whole = problem.batch > 1
        return Gradient([(factor if whole else 1.0) * w for w in right.weights], right.biases, loss=right.loss if whole else None)

    outcome = LAWS["batch_gradients_add"].on(Case(TWO, InProcess(target)))
    assert outcome.status is (Status.HELD if factor == 1 else Status.BROKEN)


def test_a_law_that_would_prove_nothing_beside_another_is_broken_where_that_one_cannot_be_posed():
    def breaks(case):
        return broken(Verdict.WRONG, "so it is")

    def cannot_be_posed(case):
        raise NotPosable("not here")

    def breaks_first(case):
        return broken(Verdict.WRONG, "before")

    assert Law(breaks, unless=(cannot_be_posed,)).on(Case(TWO, InProcess(gradient))).message == "so it is"
    both = Law(breaks, unless=(cannot_be_posed, breaks_first)).on(Case(TWO, InProcess(gradient)))
    assert (both.status, both.message) == (Status.NOT_APPLICABLE, "it compares calls, and breaks_first is broken")
