"""What a diagnosis must say of what is planted: the places that are right, and the causes."""

import numpy as np
import pytest

from properties.diagnosis.diagnosis import Diagnosis
from properties.diagnosis.equals import are_equal, written_equals
from properties.diagnosis.expected_of_faults import equations_of, is_placed, said_of_cause, steps_by
from properties.diagnosis.table import all_variants
from properties.diagnosis.textbook_formulas import FORMULAS
from properties.faults.fault import Network
from properties.faults.table import FAULTS
from reference.problem import Problem

BEHIND = "binary_cross_entropy_of_probabilities"
LOSSY = FORMULAS[f"took_a_less_y_for_{BEHIND}"]


def diagnosis(cause=None, equation=None, same_as=()):
    return Diagnosis(None, equation, () if equation is None else (equation,), cause, "", "", same_as=same_as)


EXPECTED = {
    # its own, those of its step, and none of a definition, of the whole answer and of conduct
    "forgot_transpose": (7, 11),
    "accumulated_in_float32": (4, 10),
    "forgot_the_bias_in_the_forward_pass": (),
    "answered_z_for_a": (),
    "left_dropout_on": (),
    "updated_the_weights_in_place": (),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_fault_is_placed_in_its_equations_or_those_of_its_step(name):
    fault, equations = FAULTS[name], EXPECTED[name]
    assert equations_of(fault) == equations
    assert [n for n in range(1, 12) if is_placed(diagnosis(equation=n), fault)] == sorted(equations)
    assert is_placed(diagnosis(), fault) == (not equations)


@pytest.mark.parametrize(
    ("name", "told", "said"),
    [
        ("forgot_transpose", [], "none"),
        ("forgot_transpose", [diagnosis()], "none"),
        ("forgot_transpose", [diagnosis("forgot_transpose")], "right"),
        ("forgot_transpose", [diagnosis("forgot_transpose"), diagnosis("doubled_dw")], "other"),
        ("forgot_transpose", [diagnosis("passed_the_error_through_w_transposed")], "equal"),
        ("forgot_transpose", [diagnosis("doubled_dw", same_as=("forgot_transpose",))], "same numbers"),
        ("forgot_transpose", [diagnosis("doubled_dw", same_as=("halved_dw",))], "other"),
        ("left_dropout_on", [diagnosis("differs_from_call_to_call")], "right"),
    ],
)
def test_what_is_said_of_a_cause_is_beside_the_fault(name, told, said):
    assert said_of_cause(told, FAULTS[name]) == said


def test_equals_are_written_down_either_way():
    one, other = "forgot_transpose", "passed_the_error_through_w_transposed"
    assert [are_equal(one, other), are_equal(other, one), are_equal(one, one), are_equal(one, "doubled_dw")] == [True, True, True, False]
    assert one in written_equals(all_variants()[other])
    assert other in written_equals(all_variants()[one])


@pytest.mark.parametrize("loss", [BEHIND, "half_squared_error"])
def test_a_formula_behind_the_sigmoid_is_of_the_output_of_its_loss_alone(loss):
    """Elsewhere, and below, delta is as it should be."""
    weights, biases = [[[0.5, -1.0], [2.0, 0.25]], [[1.0, 3.0]]], [None, [20.0]]
    problem = Problem(weights, biases=biases, activations=["tanh", "sigmoid"], x=[[1.0, 0.5]], y=[[1.0]], loss=loss)
    p, right = Network(steps_by(LOSSY)).passed(problem), Network().passed(problem)
    lossy = LOSSY.as_it_stands(right.z[2], problem.y)
    assert p.deltas[2] == (lossy if loss == BEHIND else right.deltas[2])
    assert (p.deltas[2] == right.deltas[2]) == (loss != BEHIND)
    assert p.deltas[1] == pytest.approx((p.deltas[2] @ np.array(weights[1])) / np.cosh(right.z[1]) ** 2, rel=1e-12)
