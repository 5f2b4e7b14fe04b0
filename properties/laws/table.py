"""The table of laws, in the order in which they are judged."""

from collections.abc import Sequence
from dataclasses import replace

from oracles.available import ORACLES, missing
from properties.laws.law import Cadence, Law
from properties.laws.of_agreement import (
    ORACLE_LAWS,
    beyond_all_suspicion,
    it_agrees_with_the_exact_gradient,
    what_is_right_stands_an_audit,
)
from properties.laws.of_conduct import (
    inputs_are_left_alone,
    it_answers,
    shapes_and_dtypes_are_right,
    the_memory_layout_does_not_matter,
    the_problem_before_does_not_matter,
    the_same_twice,
    two_calls_agree,
    with_a_gradient,
    with_inputs_left_alone,
)
from properties.laws.of_exactness import equal_bit_for_bit, it_is_exact_where_nothing_rounds
from properties.laws.of_layers import (
    a_bias_gradient_is_delta,
    a_dead_node_has_no_gradient,
    a_weight_gradient_is_an_outer_product,
    softmax_deltas_sum_to_zero,
    the_loss_changes_as_the_gradient_says,
    what_comes_in_goes_out,
)
from properties.laws.of_samples import (
    a_duplicated_sample_counts_twice,
    a_sample_without_error_adds_nothing,
    batch_gradients_add,
    equal_sample_weights_are_a_factor,
    the_mean_is_the_sum_over_the_batch_size,
    the_order_of_samples_does_not_matter,
)
from properties.laws.of_structure import (
    a_node_without_outgoing_weights_changes_nothing,
    a_split_network_chains,
    an_inserted_identity_layer_changes_nothing,
    permuted_nodes_permute_the_gradient,
)
from properties.laws.of_upstream import (
    an_empty_batch_has_no_gradient,
    an_expanded_upstream_gradient_is_read_as_it_is,
    each_sample_has_its_own_upstream_gradient,
    it_is_linear_in_the_upstream_gradient,
)
from properties.problems.blocks import EXACT_CLASS
from reference.nearest import did_you_mean

COMPARE_CALLS = (two_calls_agree, the_problem_before_does_not_matter)
"""Without these, laws that compare calls prove nothing."""

HOLD_WITH_PENALTY = (
    the_order_of_samples_does_not_matter,
    permuted_nodes_permute_the_gradient,
    a_split_network_chains,
    the_loss_changes_as_the_gradient_says,
    the_memory_layout_does_not_matter,
    an_expanded_upstream_gradient_is_read_as_it_is,
)
"""Of the laws of related problems: a penalty does not grow with samples, nor is it the same for another network of the same function."""

LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        Law(it_answers, needs_answer=False, at_once=with_a_gradient),
        Law(shapes_and_dtypes_are_right, needs_answer=False, at_once=with_a_gradient),
        Law(inputs_are_left_alone, needs_answer=False, at_once=with_inputs_left_alone),
        Law(two_calls_agree, cadence=Cadence.SAMPLED, at_once=the_same_twice),
        Law(it_agrees_with_the_exact_gradient, at_once=beyond_all_suspicion),
        Law(it_is_exact_where_nothing_rounds, at_once=equal_bit_for_bit, values=EXACT_CLASS),
        Law(what_is_right_stands_an_audit, cadence=Cadence.AUDIT),
        *(
            Law(judge, cadence=Cadence.ROTATED, unless=COMPARE_CALLS, with_penalty=judge in HOLD_WITH_PENALTY)
            for judge in (
                batch_gradients_add,
                the_mean_is_the_sum_over_the_batch_size,
                a_duplicated_sample_counts_twice,
                the_order_of_samples_does_not_matter,
                a_sample_without_error_adds_nothing,
                permuted_nodes_permute_the_gradient,
                a_node_without_outgoing_weights_changes_nothing,
                an_inserted_identity_layer_changes_nothing,
                a_split_network_chains,
                the_loss_changes_as_the_gradient_says,
                the_memory_layout_does_not_matter,
                equal_sample_weights_are_a_factor,
                it_is_linear_in_the_upstream_gradient,
                each_sample_has_its_own_upstream_gradient,
                an_expanded_upstream_gradient_is_read_as_it_is,
            )
        ),
        *(
            Law(judge, cadence=Cadence.ROTATED, with_penalty=False)
            for judge in (
                a_weight_gradient_is_an_outer_product,
                a_bias_gradient_is_delta,
                a_dead_node_has_no_gradient,
                what_comes_in_goes_out,
                softmax_deltas_sum_to_zero,
            )
        ),
        Law(an_empty_batch_has_no_gradient, cadence=Cadence.ROTATED),
        Law(the_problem_before_does_not_matter, cadence=Cadence.ROTATED),
    )
}


class OracleError(ValueError):
    """An oracle that is not known, or cannot run here; the message says what to do."""


class LawError(ValueError):
    """A law that is not known; the message says which there are."""


def laws_for(oracles: Sequence[str] = (), names: Sequence[str] | None = None) -> list[Law]:
    """All laws, and those of the oracles that are asked for; or only those named, each for every problem. Raises OracleError, LawError."""
    if isinstance(oracles, str):
        raise OracleError(f"oracles is {oracles!r}: expected a list of names")
    for name in oracles:
        if name not in ORACLES:
            raise OracleError(f"oracle {name!r} is not known: {did_you_mean(name, ORACLES)}expected one of {', '.join(ORACLES)}")
        reason = missing(ORACLES[name])
        if reason:
            raise OracleError(f"oracle {name!r} cannot run here: {reason}")
    laws = [*LAWS.values(), *(ORACLE_LAWS[name] for name in dict.fromkeys(oracles))]
    if names is None:
        return laws
    known = {law.name: law for law in laws}
    unknown = [names] if isinstance(names, str) else [name for name in names if name not in known]
    if unknown:
        raise LawError(f"law {unknown[0]!r} is not known: {did_you_mean(unknown[0], known)}expected a list of {', '.join(known)}")
    if not names:
        raise LawError(f"laws is {names!r}: expected at least one of {', '.join(known)}")
    return [replace(known[name], cadence=Cadence.EVERY_PROBLEM, values="") for name in dict.fromkeys(names)]
