"""The laws that a run knows by name, and what for."""

from properties.laws.of_agreement import it_agrees_with_the_exact_gradient, what_is_right_stands_an_audit
from properties.laws.of_conduct import (
    inputs_are_left_alone,
    it_answers,
    shapes_and_dtypes_are_right,
    the_problem_before_does_not_matter,
    two_calls_agree,
)

JUDGES = it_agrees_with_the_exact_gradient.__name__
"""The law that says what is right."""

AUDITS = what_is_right_stands_an_audit.__name__
"""The law that holds what is right against ball arithmetic as well."""

CALLS = two_calls_agree.__name__
"""The law that asks twice."""

STATE = (CALLS, the_problem_before_does_not_matter.__name__)
"""The laws that show what a target keeps from call to call: others that compare calls say nothing beside them."""

PLAIN = {law.__name__ for law in (it_answers, shapes_and_dtypes_are_right, inputs_are_left_alone)} | {CALLS, JUDGES}
"""The laws that a problem obeys whose answers are all well-formed, the same bit by bit and beyond suspicion."""
