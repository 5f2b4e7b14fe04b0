"""What is infinite or NaN is told with the number from which on it is so, and the formula that leaves the range there."""

from functools import cache

import numpy as np
import pytest

from backproof import check
from backproof.findings.finding import finding_of
from backproof.reports.terminal import report_text
from backproof.targets.target import InProcess
from benchmarks.textbook import Textbook
from properties.diagnosis.budget import Budget
from properties.diagnosis.examination import diagnose
from properties.diagnosis.expected_of_faults import steps_by
from properties.diagnosis.formulas_beyond_range import BEYOND_RANGE
from properties.diagnosis.nonfinite import _alongs, diagnose_nonfinite
from properties.faults.fault import STEPS, Network
from properties.faults.table import FAULTS
from properties.problems.support import Support
from reference.functions.activation import Joint
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.problem import Problem
from rounding.precisions import PRECISIONS

ROWS = {row.name: row for row in BEYOND_RANGE}
TOP = float(np.log(np.finfo(np.float64).max))


ELEMENTWISE = [name for name in ACTIVATIONS if not isinstance(row_of(ACTIVATIONS, name), Joint)]


def planted(formula):
    """A network that computes by a formula."""
    return Network(steps_by(formula), answers=("weights", "biases"))


def told(target, of, precision="float64", **limits):
    support = {"activations": [of, "identity"]} if of in ACTIVATIONS else {"losses": [of], "activations": ["identity"]}
    activation, loss = (of, "half_squared_error") if of in ACTIVATIONS else ("identity", of)
    problem = Problem([[[1.0]]], activations=[activation], x=[[1.0]], y=[[1.0]], loss=loss)
    return diagnose_nonfinite(InProcess(lambda p: target(p)), Support.of(support | limits), [problem], precision=precision)


@cache
def told_of(name):
    """What is told of a formula of the table."""
    return told(planted(ROWS[name]), ROWS[name].of)


@pytest.mark.parametrize("name", ROWS)
def test_a_planted_formula_is_named_with_where_it_leaves_the_range(name):
    row = ROWS[name]
    found = told_of(name)
    assert found
    for one in found:
        assert one.cause is not None
        assert name in (one.cause, *one.same_as)
        assert one.equations == {"value": (), "slope": (3,), "loss": (2,)}[row.quantity]
        assert f"Write {next(r for r in BEYOND_RANGE if r.name == one.cause).instead}." in one.explanation


EDGES = {
    # name -> the numbers from which on it is not finite, by the range of float64
    "overflowed_softplus": [TOP],
    "overflowed_the_slope_of_sigmoid": [-TOP],
    "overflowed_the_slope_of_tanh": [-TOP, TOP],
    "overflowed_the_slope_of_silu": [TOP / 2],
    "overflowed_softmax": [TOP],
}


@pytest.mark.parametrize("name", EDGES)
def test_the_edge_is_where_the_range_ends(name):
    found = told_of(name)
    rows = [row for one in found for row in one.evidence["tables"][0]["rows"]]
    beyond, fine = ([z for z, is_beyond in rows if is_beyond == side] for side in (1.0, 0.0))
    assert {round(z, 1) for z in beyond} == {round(z, 1) for z in EDGES[name]}
    for z, edge in zip(sorted(fine, key=abs), sorted(EDGES[name], key=abs), strict=False):
        assert abs(z) <= abs(edge)
    assert all(any(abs(z) > abs(edge) for edge in EDGES[name]) for z in beyond)


def test_at_0_alone():
    (one,) = told_of("took_a_over_z_for_the_slope_of_relu")
    assert one.shows_when == "NaN at z = 0"


def test_in_float32_the_edge_is_another_one():
    row = ROWS["overflowed_softplus"]

    def target(problem):
        def slope(p, layer):
            right = STEPS["slope"](p, layer)
            return (
                row.as_it_stands(p.z[layer].astype(np.float32)).astype(np.float64)
                if p.problem.activations[layer - 1] == "softplus"
                else right
            )

        given = Network({"slope": slope}, ("weights", "biases"))(problem)
        return [w.astype(np.float32) for w in given.weights], [None if b is None else b.astype(np.float32) for b in given.biases]

    (one,) = told(target, "softplus", "float32")
    assert one.cause == "overflowed_softplus"
    (fine, _), (beyond, _) = one.evidence["tables"][0]["rows"]
    assert fine < float(np.log(np.finfo(np.float32).max)) < beyond


def test_what_no_formula_gives_is_told_with_what_leaves_the_range_there():
    def slope(p, layer):
        right = STEPS["slope"](p, layer)
        return np.where(np.abs(p.z[layer]) > TOP / 2, np.nan, right) if p.activation_choice(layer)[0] == "gelu" else right

    found = told(Network({"slope": slope}, ("weights", "biases")), "gelu")
    assert [one.cause for one in found] == [None, None]
    assert all("Formula not known" in one.explanation for one in found)
    assert all("the square of e^|z|, leave the range there" in one.explanation for one in found)


@pytest.mark.parametrize("of", [*ELEMENTWISE, *LOSSES])
def test_nothing_is_told_of_what_is_in_range(of):
    if row := [loss for loss in (of,) if "of_probabilities" in loss]:
        support = {"losses": row, "activations": ["tanh"]}
        assert diagnose_nonfinite(InProcess(lambda p: Network(answers=("weights", "biases"))(p)), Support.of(support), []) == ()
        return
    assert told(Network(answers=("weights", "biases")), of) == ()


@pytest.mark.parametrize("of", ["relu", "tanh", "elu"])
def test_textbook_formulas_that_lose_digits_alone_are_told_nothing(of):
    assert told(Textbook("float64"), of) == ()


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_softmax_that_overflows_is_told_of_no_activation_below_it(activation):
    """Behind a hidden layer alone the logits are as large as a, which is finite."""
    supports = {"activations": [activation], "output_activations": ["identity"], "losses": ["softmax_cross_entropy"], "depth": (2, 2)}
    weights = [[[1.0]], [[1000.0], [-1000.0]]]
    problem = Problem(weights, activations=[activation, "identity"], x=[[1.0]], y=[[1.0, 0.0]], loss="softmax_cross_entropy")
    target, support = planted(ROWS["overflowed_softmax"]), Support.of(supports)
    assert diagnose_nonfinite(InProcess(lambda p: target(p)), support, [problem]) == ()
    (one,) = diagnose(InProcess(lambda p: target(p)), support, found=[problem], seconds=600.0)
    assert (one.cause, one.equation) == ("overflowed_softmax", 2)


def test_an_activation_is_told_where_its_value_leaves_the_range_below_a_softmax():
    limits = {"output_activations": ["identity"], "losses": ["softmax_cross_entropy"], "depth": (2, 2)}
    (one,) = told(planted(ROWS["overflowed_the_sigmoid"]), "sigmoid", **limits)
    assert one.cause == "overflowed_the_sigmoid"


def test_no_time_is_no_diagnosis():
    problem = Problem([[[1.0]]], activations=["softplus"], x=[[1.0]], y=[[1.0]])
    target = planted(ROWS["overflowed_softplus"])
    assert diagnose_nonfinite(InProcess(lambda p: target(p)), Support(), [problem], seconds=0.0) == ()


def test_a_run_tells_where_the_range_is_left():
    fault = FAULTS["overflowed_softplus"].answering(("weights", "biases"))

    def target(problem):
        return fault(problem)

    target.supports = dict(FAULTS["overflowed_softplus"].supports) | {"losses": ["half_squared_error"]}
    report = check(target, max_examples=10, seed=2, shrink_seconds=0.2)  # of which the third shows it
    first = report.findings[0]
    assert first.verdict == "nonfinite"
    assert first.cause == "overflowed_softplus"
    assert "NaN from z = 709.78" in report_text(report)
    assert finding_of(first.to_json()).explanation == first.explanation


@pytest.mark.parametrize(("choice", "axes"), [("tanh", ["z"]), ("softmax", []), ("huber", ["a"])])
def test_nodes_that_depend_on_one_another_have_no_axis_to_ask_along(choice, axes):
    asks = Budget(InProcess(Network(answers=("weights", "biases"))), 9, 9.0)
    assert [along.axis for along in _alongs(asks, Support(), PRECISIONS["float64"], choice)] == axes


def test_an_edge_is_told_as_near_as_the_target_answers():
    asked = []

    def slope(p, layer):
        z, right = p.z[layer], STEPS["slope"](p, layer)
        if p.activation_choice(layer)[0] != "tanh":
            return right
        asked.append(float(z[0, 0]))
        if 100 < z[0, 0] < 600:
            raise OverflowError("too large for this")
        return np.where(z > 600, np.nan, right)

    (one,) = told(Network({"slope": slope}, ("weights", "biases")), "tanh", width=1, biases=True)
    (fine, _), (beyond, _) = one.evidence["tables"][0]["rows"]
    assert fine == max(z for z in asked if z < 100)
    assert beyond == min(z for z in asked if z > 600)
    assert f"NaN from z = {beyond:.7g} on (at {fine:.7g} it is finite)" in one.explanation


def test_of_a_precision_that_no_formula_is_computed_in_none_is_named():
    (one,) = told(planted(ROWS["overflowed_softplus"]), "softplus", "bfloat16")
    assert one.cause is None
    assert one.explanation.endswith("Formula not known.")
    assert one.shows_when.startswith("NaN from z = ")
