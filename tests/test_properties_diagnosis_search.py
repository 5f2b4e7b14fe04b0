"""The search for causes, of a few answers and a table of a few rows."""

from functools import partial

import numpy as np
import pytest

from backproof import Gradient, Problem
from backproof.targets.target import InProcess
from properties.diagnosis.asked import Asked
from properties.diagnosis.examination import Examination
from properties.diagnosis.explanation import Reader
from properties.diagnosis.ladder import Rung
from properties.diagnosis.search import Search
from properties.diagnosis.table import Table, all_variants
from properties.faults.fault import STEPS, Network
from properties.problems.support import Support
from rounding.precisions import PRECISIONS
from tests import posed_networks

posed = partial(posed_networks.posed, last="tanh", signed=False, seed=0)


def search_of(target, rungs, *rows):
    """The search by a table of these rows alone."""
    asked = [Asked(rung, InProcess(target)(rung.problem), PRECISIONS["float64"]) for rung in rungs]
    return Search(Table(all_variants().keys() - set(rows)), asked)


def doubled_in_batches(problem):
    given, factor = Network()(problem), 1 + (problem.batch > 1)
    return Gradient([factor * w for w in given.weights], given.biases)


RUNGS = [Rung(posed(3, 2, batch=batch, seed=seed), "network") for batch in (1, 2) for seed in range(4)]


@pytest.mark.parametrize("seed", [None, 4])
def test_a_condition_that_a_right_answer_at_an_edge_denies_is_no_cause(seed):
    """Edges tell no condition, and still must be given by it."""
    edges = [] if seed is None else [Rung(posed(3, 2, batch=2, seed=seed), "edge")]
    right = [rung.problem for rung in edges]

    def target(problem):
        is_edge = any(np.array_equal(problem.x, each.x) for each in right)
        return Network(answers=("weights", "biases"))(problem) if is_edge else doubled_in_batches(problem)

    search = search_of(target, [*RUNGS, *edges], "doubled_dw")
    search.run()
    assert [(row.name, row.where) for row in search.causes] == ([] if edges else [("doubled_dw", "in batches of two samples or more")])
    assert search.complete == (not edges)


def test_a_cause_that_explains_nothing_beside_the_others_is_left_out():
    rows = [all_variants()[name] for name in ("doubled_dw", "summed_the_bias_gradient_twice")]
    search = search_of(Network(rows[0].changed, ("weights",)), RUNGS[:2], "doubled_dw")
    search.causes, search.gives = rows, np.ones(2, dtype=bool)
    search.run()
    assert [row.name for row in search.causes] == ["doubled_dw"]
    assert search.complete


@pytest.mark.parametrize(
    ("quantity", "said"),
    [
        ("loss", "The answered loss"),
        ("pre_activations", "What is answered as z"),
        ("activations", "What is answered as a"),
        ("deltas", "What is answered as delta"),
    ],
)
def test_what_is_off_beside_a_right_gradient_is_named(quantity, said):
    assert_is_off_alone(quantity, said, RUNGS[:3])


def test_what_is_off_beside_a_gradient_that_nothing_is_claimed_of_is_named():
    """a is 1, where dC/da is infinite."""
    sure = Problem([[[1000.0]]], activations=["sigmoid"], x=[[1.0]], y=[[0.5]], loss="binary_cross_entropy_of_probabilities")
    assert_is_off_alone("pre_activations", "What is answered as z", [Rung(sure, "network")])


def assert_is_off_alone(quantity, said, rungs):
    def answer(p):
        given = STEPS["answer"](p)
        return given.mapped(lambda place, array: 2 * np.asarray(array) if place.quantity == quantity else array)

    target = Network({"answer": answer}, ("weights", "biases", quantity))
    search = search_of(target, rungs)
    search.readings = [Reader(search.table, Network()).read(one) for one in search.asked]
    told = Examination(InProcess(target), Support(), "float64", 0, 600.0, None)._of_place(search)
    assert told.explanation == f"{said} is off, and the gradient is right. Cause not known."
    assert (told.layer, told.equation, told.reproduced) == (None, None, (0, len(rungs)))
