"""A network with mistakes is held against the answers of a target: in some places alone, with others, where it raises or is misshapen."""

from functools import partial

import numpy as np
import pytest

from backproof import Gradient
from backproof.targets.target import InProcess
from properties.diagnosis.asked import Asked
from properties.diagnosis.conditions import Condition, Place
from properties.diagnosis.explanation import Layer, Reading
from properties.diagnosis.fitted import fitted
from properties.diagnosis.ladder import Rung
from properties.diagnosis.misshapen import misshapes
from properties.diagnosis.reproduction import conditioned, places_where_it_shows, reproduces, reproduces_all, together
from properties.diagnosis.table import all_variants
from properties.diagnosis.variant import named
from properties.faults.fault import STEPS, Network
from rounding.precisions import PRECISIONS
from tests import posed_networks

posed = partial(posed_networks.posed, last="tanh", signed=False)


def asked(problem, changed=None):
    network = Network(changed or {}, ("weights", "biases"))
    return Asked(Rung(problem, "network"), InProcess(network)(problem), PRECISIONS["float64"])


def raises(*given):
    raise ValueError("no such shape")


DOUBLED = named("weight_gradient", "doubled", "dC/dW is doubled", lambda p, layer: 2 * STEPS["weight_gradient"](p, layer))
SQUARED = named("posed", "squared", "x is squared", lambda problem: problem.replaced(x=problem.x**2))
RAISED = named("weight_gradient", "raised", "it raises", raises)


def test_a_problem_that_is_taken_otherwise_in_some_places_is_right_in_others():
    row = conditioned(SQUARED, Condition("in batches of two samples or more", lambda problem, layer: problem.batch > 1))
    assert row.where == "in batches of two samples or more"
    answers = [asked(posed(2, 3, batch=batch), changed) for batch in (1, 2) for changed in ({}, SQUARED.changed)]
    assert reproduces(answers, row.changed).tolist() == [True, False, False, True]
    assert not reproduces_all(answers, row.changed)
    assert reproduces_all([answers[0], answers[3]], row.changed)


def test_of_two_mistakes_in_one_step_the_first_has_its_way_where_its_shape_is_another():
    transposed = named("weight_gradient", "transposed", "dC/dW is transposed", lambda p, layer: STEPS["weight_gradient"](p, layer).T.copy())
    problem = posed(2, 3)
    (exact,) = Network()(problem).weights
    (first,) = Network(together([transposed, DOUBLED]))(problem).weights
    assert first == pytest.approx(exact.T)
    # and where the first does not show, the second does
    right = named("weight_gradient", "right", "", lambda p, layer: STEPS["weight_gradient"](p, layer) * 1.0)
    (second,) = Network(together([right, DOUBLED]))(problem).weights
    assert second == pytest.approx(2 * exact)


def test_a_mistake_shows_in_the_layers_where_it_changes_something_or_raises():
    problem = posed(2, 3, 2)
    one = asked(problem)
    everywhere = [Place(problem, 1), Place(problem, 2)]
    assert places_where_it_shows(DOUBLED, [one], {}) == everywhere
    assert places_where_it_shows(RAISED, [one], {}) == everywhere
    below = named("error_below", "raised", "it raises", raises)
    assert places_where_it_shows(below, [one], {}) == [Place(problem, 2)]
    assert places_where_it_shows(named("weight_gradient", "right", "", STEPS["weight_gradient"]), [one], {}) == []


def test_beside_a_known_mistake_that_raises_nothing_shows():
    assert places_where_it_shows(DOUBLED, [asked(posed(2, 3))], RAISED.changed) == []


def test_answers_of_a_wrong_shape_are_those_of_a_mistake_of_the_table_alone():
    row, problem = all_variants()["answered_biases_as_columns"], posed(2, 3, 2)
    message = InProcess(Network(row.changed, ("weights", "biases")))(problem).message
    assert misshapes([row.name], problem, message)
    assert misshapes([row.name], problem, f"{message}; a hint")
    assert not misshapes([row.name], problem, f"another {message}")
    assert not misshapes(["doubled_the_error"], problem, message)
    # what is fitted is no row of the table, and nothing at all misshapes nothing
    assert not misshapes([row.name, "multiplied_dw_by_3"], problem, message)
    assert not misshapes([], problem, message)


def test_a_mask_may_leave_0_where_a_product_is_nan():
    """ReLU's 0 times NaN is 0 to those who write `error[z <= 0] = 0`; what is no 0 by rights must be NaN."""
    problem = posed(2, 3, 2)
    problem = problem.replaced(activations=["relu", "tanh"], weights=[-np.abs(problem.weights[0]), problem.weights[1]], x=abs(problem.x))
    network = Network({"output_error": lambda p: p.a[p.depth] * np.nan}, ("weights", "biases"))

    def masked(problem):
        given = network(problem)
        return Gradient([np.nan_to_num(given.weights[0]), given.weights[1]], [np.nan_to_num(given.biases[0]), given.biases[1]])

    def of(target, problem):
        return Asked(Rung(problem, "network"), InProcess(target)(problem), PRECISIONS["float64"])

    assert reproduces_all([of(masked, problem), of(network, problem)], network.changed)
    alive = problem.replaced(weights=[-problem.weights[0], problem.weights[1]])
    assert reproduces([of(masked, alive), of(network, alive)], network.changed).tolist() == [False, True]


def test_of_a_layer_with_none_read_above_a_factor_is_fitted_and_no_rate():
    one = asked(posed(2, 3, 2))
    right = one.exact.passes.backward.deltas[0]
    reading = Reading(one, [Layer(1, "off", own=3 * right, right=right)])
    assert {row.name for row in fitted([reading] * 3)} == {"multiplied_the_error_below_by_3", "multiplied_the_slope_by_3"}
    # a number is believed that is read often
    assert fitted([reading] * 2) == []
