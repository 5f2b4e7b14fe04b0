"""A planted formula that loses digits is named by what it gives; of accurate ones nothing is said; what is in no table is not named."""

import numpy as np
import pytest

from backproof.targets.target import InProcess
from benchmarks.textbook import Textbook
from properties.diagnosis.along_errors import AlongErrors
from properties.diagnosis.along_z import AlongZ
from properties.diagnosis.expected_of_faults import steps_by
from properties.diagnosis.lossy import LossyAnswer, diagnose_lossy
from properties.diagnosis.lost import Digits, digits_of, lost, sentences
from properties.diagnosis.textbook_formulas import FORMULAS
from properties.faults.fault import STEPS, Network
from properties.problems.support import Support
from reference.functions.activation import Joint
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.problem import Problem
from rounding.activations import ROUNDED_ACTIVATIONS
from rounding.losses import ROUNDED_LOSSES
from rounding.precisions import PRECISIONS

FLOAT64 = PRECISIONS["float64"]

TOO_FEW_DIGITS = (
    "took_the_slope_of_silu_by_one_less_s",
    "took_the_slope_of_silu_off_a",
    "took_exp_of_z_less_a_for_the_slope_of_softplus",
)
"""What these lose is no more than a digit and a half, by which no formula is told from another."""

ELEMENTWISE = [name for name in ACTIVATIONS if not isinstance(row_of(ACTIVATIONS, name), Joint)]


def planted(formula):
    """A network that computes by a formula."""
    return Network(steps_by(formula), answers=("weights", "biases"))


def read(target, function, support=None, precision=FLOAT64):
    """What is said of each quantity of a function."""
    with np.errstate(all="ignore"):
        digits = digits_of(InProcess(lambda problem: target(problem)), Support.of(support), precision, function, function)
        return [one for each in digits for one in lost(each, precision)]


@pytest.mark.parametrize("name", [name for name in FORMULAS if name not in TOO_FEW_DIGITS])
def test_a_planted_formula_is_named(name):
    formula = FORMULAS[name]
    (said,) = [one for one in read(planted(formula), formula.of) if one.digits.quantity == formula.quantity]
    assert said.formula is not None
    assert name in (said.formula.name, *said.same_as)
    gives, of = said.gives
    assert 5 <= gives <= of <= 1.05 * gives
    sentence = sentences(said, FLOAT64, 2)
    assert said.formula.written in sentence
    assert f"Write {said.formula.instead}." in sentence
    assert sentence.startswith(
        {"value": "the definition of a, layer 2", "slope": "equation 3, layer 2", "loss": "equation 2"}[formula.quantity]
    )


@pytest.mark.parametrize("name", TOO_FEW_DIGITS)
def test_a_formula_that_loses_few_digits_is_not_taken_for_another(name):
    for said in read(planted(FORMULAS[name]), FORMULAS[name].of):
        assert said.digits.quantity == FORMULAS[name].quantity
        assert said.formula is None or name in (said.formula.name, *said.same_as)


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_is_of_a_function_whose_digits_are_known_to_be_lost(name):
    formula = FORMULAS[name]
    rounded = row_of(ROUNDED_LOSSES if formula.quantity == "loss" else ROUNDED_ACTIVATIONS, formula.of)
    assert rounded.lossy
    assert formula.instead


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("function", [*ELEMENTWISE, *LOSSES])
def test_nothing_is_said_of_accurate_formulas(function, precision):
    def target(problem):
        right = Network(answers=("weights", "biases"))(problem)
        return (
            [w.astype(precision) for w in right.weights],
            [None if b is None else b.astype(precision) for b in right.biases],
        )

    assert read(target, function, precision=PRECISIONS[precision]) == []


LIMITED = {
    "no biases": {"biases": False},
    "one shape": {"widths": [2, 3, 2]},
    "one shape without biases": {"widths": [2, 3, 2], "biases": False},
    "one layer": {"depth": 1},
    "narrow": {"width": 2},
    "logits": {"losses": ["softmax_cross_entropy"], "output_activations": ["identity"]},
    "deep": {"depth": [3, 3], "same_hidden": True},
}


@pytest.mark.parametrize("limits", LIMITED.values(), ids=LIMITED)
def test_a_formula_is_named_within_what_a_target_supports(limits):
    formula = FORMULAS["took_one_less_a_squared_for_the_slope_of_tanh"]
    (said,) = read(planted(formula), "tanh", {"activations": ["tanh", "identity"], **limits})
    assert said.formula is formula


def test_a_formula_in_float32_is_named():
    found = read(Textbook("float32"), "tanh", precision=PRECISIONS["float32"])
    assert [one.formula.name for one in found] == ["took_one_less_a_squared_for_the_slope_of_tanh"]
    assert "of 7 digits" in sentences(found[0], PRECISIONS["float32"], 1)


def test_what_no_formula_gives_is_told_without_one():
    def slope(p, layer):
        right = STEPS["slope"](p, layer)
        return right * (1 + 1e-11 * np.sin(1e3 * p.z[layer])) if p.activation_choice(layer)[0] == "tanh" else right

    (said,) = read(Network({"slope": slope}, ("weights", "biases")), "tanh")
    assert said.formula is None
    assert "Formula not known" in sentences(said, FLOAT64, 1)
    assert "g' loses digits" in sentences(said, FLOAT64, 1)


def test_two_formulas_of_one_quantity_are_told_by_the_sign_of_z():
    def value(p, layer):
        z = p.z[layer]
        both = [FORMULAS[name].as_it_stands(z) for name in ("took_tanh_by_e_to_2z", "took_tanh_from_its_rest")]
        return np.where(z > 0, *both) if p.activation_choice(layer)[0] == "tanh" else STEPS["activation"](p, layer)

    found = read(Network({"activation": value}, ("weights", "biases")), "tanh")
    assert [(one.formula.name, one.side) for one in found] == [("took_tanh_by_e_to_2z", "z > 0"), ("took_tanh_from_its_rest", "z < 0")]


PROBLEM = Problem([[[5.0]], [[1.0]]], activations=["tanh", "identity"], x=[[1.5]], y=[[3.0]])
ASKED = Support.of({"activations": ["tanh", "identity"], "losses": ["half_squared_error"]})


def test_a_lossy_answer_is_diagnosed():
    session = InProcess(lambda problem: Textbook("float64")(problem))
    ((one,),) = diagnose_lossy(session, ASKED, [LossyAnswer(PROBLEM, ["tanh"])])
    assert one.cause == "took_one_less_a_squared_for_the_slope_of_tanh"
    assert (one.equation, one.layer) == (3, 1)
    given, of = one.reproduced
    assert given == of > 50
    (table,) = one.evidence["tables"]
    assert table["columns"] == ["z", "g'(z)", "read", "digits"]
    # how many digits are right follows from the two numbers beside it
    for _, exact, got, kept in table["rows"]:
        assert kept == pytest.approx(-np.log10(abs(got - exact) / abs(exact)), abs=0.06)
    assert "It is 0 for z from" in one.explanation


def test_a_function_is_told_once():
    session = InProcess(lambda problem: Textbook("float64")(problem))
    first, second = diagnose_lossy(session, ASKED, [LossyAnswer(PROBLEM, ["tanh"]), LossyAnswer(PROBLEM, ["tanh"])])
    assert len(first) == 1
    assert second == ()


def test_no_time_is_no_diagnosis():
    session = InProcess(lambda problem: Textbook("float64")(problem))
    assert diagnose_lossy(session, ASKED, [LossyAnswer(PROBLEM, ["tanh"])], seconds=0.0) == [()]


def test_what_cannot_be_read_is_told_by_its_place():
    problem = Problem([[[5.0], [1.0]]], activations=["softmax"], x=[[1.5]], y=[[1.0, 0.0]], loss="cross_entropy_of_probabilities")
    session = InProcess(lambda posed: Textbook("float64")(posed))
    ((one,),) = diagnose_lossy(session, Support(), [LossyAnswer(problem, ["softmax"])])
    assert (one.layer, one.cause, one.equations) == (1, None, ())
    assert one.explanation.startswith("layer 1 (softmax): digits are lost there")
    assert one.explanation.endswith("its nodes depend on one another, so that no formula is certain.")
    of_loss = Problem([[[5.0]]], activations=["softmax"], x=[[1.5]], y=[[1.0]], loss="cross_entropy_of_probabilities")
    ((one,),) = diagnose_lossy(session, Support(), [LossyAnswer(of_loss, ["cross_entropy_of_probabilities"])])
    assert one.explanation.startswith("the loss (cross_entropy_of_probabilities): digits are lost there")


def test_what_cannot_be_read_of_a_loss_is_told_with_the_formulas_that_lose_as_much():
    problem = Problem([[[5.0], [1.0]]], activations=["identity"], x=[[1.5]], y=[[1.0, 0.0]], loss="softmax_cross_entropy")
    ((one,),) = diagnose_lossy(
        InProcess(lambda posed: Textbook("float64")(posed)), Support(depth=(2, 2)), [LossyAnswer(problem, ["softmax_cross_entropy"])]
    )
    assert "as in softmax cross-entropy by p - y (p near 1)" in one.explanation


@pytest.mark.parametrize(("off", "batch", "layer"), [(2, 1, 2), (1, 1, 1), (None, 1, 1), (2, 2, 1)])
def test_of_several_layers_of_one_function_that_which_the_answer_shows_is_told(off, batch, layer):
    """Where it shows none, or more samples hide it, the first is."""
    weights = [[[5.0], [1.0]], [[0.5, -1.0], [2.0, 0.25]]]
    x, y = [[1.5]] * batch, [[1.0, 0.0]] * batch
    problem = Problem(weights, activations=["softmax", "softmax"], x=x, y=y, loss="cross_entropy_of_probabilities")
    answer = Network()(problem).mapped(lambda place, a: a + 1e-6 * (place.quantity == "activations" and place.layer == off))
    session = InProcess(lambda posed: Network()(posed))
    ((one,),) = diagnose_lossy(session, Support(), [LossyAnswer(problem, ["softmax"], answer)])
    assert one.layer == layer
    assert one.explanation.startswith(f"layer {layer} (softmax): digits are lost there")


UNREAD = {
    # within what -> what can be read of tanh in a hidden layer, and what of relu
    "one node, which the error above is read by": ({"width": 1, "biases": False}, False, False),
    "one layer": ({"widths": [2, 3]}, False, False),
    "another activation": ({"widths": [3, 2, 1], "layer_activations": ["relu", "identity"]}, False, True),
    "two nodes": ({"width": 2, "biases": False}, True, True),
}


@pytest.mark.parametrize("case", UNREAD)
def test_a_hidden_layer_is_read_where_a_target_supports_a_problem_for_it(case):
    limits, *read_of = UNREAD[case]
    session = InProcess(Network(answers=("weights", "biases")))
    along = [AlongZ.of(session, Support.of(limits), FLOAT64, name, hidden=True) for name in ("tanh", "relu")]
    assert [each is not None for each in along] == read_of


def test_a_loss_is_read_with_as_many_outputs_as_a_target_of_one_shape_has():
    limits = {"widths": [2, 5], "losses": ["softmax_cross_entropy"], "output_activations": ["identity"]}
    target = Network(answers=("weights", "biases"))
    along = AlongErrors(InProcess(target), Support.of(limits), FLOAT64, "softmax_cross_entropy")
    assert along.outputs == 5
    ((_, read_off, exact, *_),) = along.read()
    assert read_off == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(("precision", "named"), [("float64", True), ("bfloat16", False)])
def test_of_a_precision_that_no_formula_is_computed_in_none_gives_the_numbers(precision, named):
    formula, z = FORMULAS["took_one_less_a_squared_for_the_slope_of_tanh"], np.linspace(3.0, 9.0, 12)
    read_off, exact = formula.as_it_stands(z), 1 / np.cosh(z) ** 2
    digits = Digits("tanh", "slope", {}, z, read_off, exact, 1e-14 * exact, 1e-16, (z,))
    hit, chance = digits.given_by(formula, PRECISIONS[precision])
    assert hit.tolist() == [named] * 12
    assert (chance == 1).all() != named
    (said,) = lost(digits, PRECISIONS[precision])
    assert said.formula is (formula if named else None)
