"""What is planted, and what a diagnosis must say of it: where it may be placed, and what may be told as its cause."""

from collections.abc import Mapping, Sequence
from typing import Any

from properties.diagnosis.diagnosis import Diagnosis
from properties.diagnosis.equals import are_equal
from properties.diagnosis.formula import Formula
from properties.diagnosis.table import is_conduct
from properties.diagnosis.variant import EQUATIONS
from properties.faults.fault import STEPS, Fault, Passes, Step

CONDUCT = {
    "left_dropout_on": "differs_from_call_to_call",
    "differed_from_call_to_call": "differs_from_call_to_call",
    "added_to_the_gradient_of_the_call_before": "adds_to_the_answer_before",
    "answered_the_problem_before": "answers_the_problem_before",
    "kept_the_first_answer_for_the_same_inputs": "keeps_its_answers",
    "was_right_for_the_first_ten_calls": "changes_after_some_calls",
    "updated_the_weights_in_place": "writes_to_its_inputs",
    "wrote_the_error_over_the_expected_outputs": "writes_to_its_inputs",
    "returned_a_shared_buffer": "shares_memory_between_answers",
    "read_fortran_order_as_c": "depends_on_the_memory_layout",
    "ignored_the_strides": "depends_on_the_memory_layout",
}
"""What the faults of conduct do, as a diagnosis says it."""


def equations_of(fault: Fault) -> tuple[int, ...]:
    """Where a fault may rightly be placed; () for the definitions of z and a, conduct, and the answer as a whole."""
    if fault.equations or "activation" in fault.changed or is_conduct(fault):
        return fault.equations
    return EQUATIONS.get(next(iter(fault.changed)), ())


def is_placed(diagnosis: Diagnosis, fault: Fault) -> bool:
    """Whether the place is one of the right ones."""
    equations = () if is_conduct(fault) else equations_of(fault)
    return diagnosis.equation in equations if equations else diagnosis.equation is None


def said_of_cause(diagnoses: Sequence[Diagnosis], fault: Fault) -> str:
    """ "right", "equal" (written down so), "same numbers" (listed beside the cause), "none", or "other": one that is not the fault."""
    if not diagnoses or diagnoses[0].cause is None:
        return "none"
    first = diagnoses[0]
    cause = first.cause or ""
    if len(diagnoses) > 1:
        return "other"
    if cause == CONDUCT.get(fault.name, fault.name):
        return "right"
    if are_equal(cause, fault.name):
        return "equal"
    return "same numbers" if fault.name in first.same_as else "other"


def steps_by(formula: Formula) -> Mapping[str, Step]:
    """The step of a network that computes one quantity of one function by a formula, all else as accurately as is known."""

    def of_activation(name: str) -> Step:
        def step(p: Passes, layer: int) -> Any:
            chosen, given = p.activation_choice(layer)
            return formula.as_it_stands(p.z[layer], **given) if chosen == formula.of else STEPS[name](p, layer)

        return step

    def output_error(p: Passes) -> Any:
        chosen, given = p.loss_choice
        return formula.as_it_stands(p.a[p.depth], p.problem.y, **given) if chosen == formula.of else STEPS["output_error"](p)

    def behind_the_sigmoid(p: Passes, layer: int) -> Any:
        if layer < p.depth or p.loss_choice[0] != formula.of:
            return STEPS["delta"](p, layer)
        return STEPS["reduction"](p, formula.as_it_stands(p.z[layer], p.problem.y))

    if "of_probabilities" in formula.of:
        return {"delta": behind_the_sigmoid}
    steps = {"value": ("activation", of_activation("activation")), "slope": ("slope", of_activation("slope"))}
    return dict([steps.get(formula.quantity, ("output_error", output_error))])
