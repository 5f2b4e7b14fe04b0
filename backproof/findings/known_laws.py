"""The laws that a run knows by name, and what for."""

from properties.laws.of_agreement import it_agrees_with_the_exact_gradient, what_is_right_stands_an_audit
from properties.laws.of_conduct import the_problem_before_does_not_matter, two_calls_agree
from properties.laws.of_exactness import it_is_exact_where_nothing_rounds

JUDGES = it_agrees_with_the_exact_gradient.__name__
"""The law that says what is right."""

AUDITS = what_is_right_stands_an_audit.__name__
"""The law that holds what is right against ball arithmetic as well."""

EXACT = it_is_exact_where_nothing_rounds.__name__
"""The law that says it to the last bit: what it alone is broken by is no wrong equation."""

CALLS = two_calls_agree.__name__
"""The law that asks twice."""

STATE = (CALLS, the_problem_before_does_not_matter.__name__)
"""The laws that show what a target keeps from call to call: others that compare calls say nothing beside them."""
