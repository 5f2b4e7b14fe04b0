"""Each law that needs no oracle holds on honest targets over drawn problems, and some fault breaks it."""

import functools

import pytest

from backproof import Problem, gradient
from backproof.targets.target import InProcess
from properties.faults.fault import EMPTY, EXPANDED, LINEAR, OWN_UPSTREAM, Network
from properties.faults.table import FAULTS
from properties.laws.law import Cadence, Case, Status
from properties.laws.table import LAWS
from properties.problems.blocks import draw_problems
from properties.problems.support import Support

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
