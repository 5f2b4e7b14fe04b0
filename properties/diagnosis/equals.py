"""Equals: what gives the same numbers on every problem, so that no answer tells them apart; written down before any measurement."""

from collections.abc import Iterable

from properties.diagnosis.variant import Variant

PAIRS: tuple[tuple[str, str, str], ...] = (
    ("doubled_the_error", "doubled_the_derivative", "the same in other words"),
    ("turned_the_sign_of_the_error", "turned_the_sign_the_derivative", "the same in other words"),
    ("doubled_the_error", "doubled_all_samples", "only the product of the loss's derivative and what a sample counts reaches delta"),
    ("forgot_transpose", "reshaped_in_place_of_transposing", "on square layers, where alone W untransposed fits, it is W reshaped"),
    ("forgot_transpose", "passed_the_error_through_w_transposed", "the same in other words"),
    ("averaged_in_place_of_summing", "divided_by_the_batch_size_all_samples", "where only sums are asked for"),
    ("averaged_in_place_of_summing", "averaged_the_answer", "a mean at the end is a mean at the start, where all else is linear"),
    ("averaged_twice", "divided_by_the_batch_size_all_samples", "where only means are asked for"),
    ("averaged_twice", "averaged_the_answer", "where only means are asked for"),
    ("summed_in_place_of_averaging", "multiplied_by_the_batch_size_all_samples", "where only means are asked for"),
    ("averaged_in_every_layer", "divided_by_the_batch_size_the_error_below", "where only means are asked for"),
    ("summed_the_bias_gradient_twice", "doubled_db", "the same in other words"),
    ("averaged_the_bias_gradient", "divided_by_the_batch_size_db", "the same in other words"),
    ("averaged_over_the_nodes_of_the_layer_above", "divided_by_the_nodes_the_error_below", "the same in other words"),
    ("divided_by_the_number_of_inputs", "divided_by_the_inputs_dw", "the same in other words"),
    ("used_the_inputs_of_the_network", "multiplied_delta_and_x", "where all widths are one"),
    ("used_the_pre_activations_of_the_layer_below", "multiplied_delta_and_the_pre_activations_below", "the same in other words"),
    ("used_the_activations_of_the_layer_above", "multiplied_delta_and_the_outputs_of_the_layer", "the same in other words"),
    ("used_the_weights_of_the_layer_above", "passed_the_error_through_w_of_the_layer_above", "the same in other words"),
    ("used_the_weights_of_the_layer_below", "passed_the_error_through_w_of_the_layer_below", "the same in other words"),
    ("answered_the_error_for_delta", "took_one_for_every_slope", "delta is dC/da times 1"),
    ("answered_the_slope_for_delta", "dropped_the_incoming_error", "where all layers are relu or sigmoid"),
    ("took_the_slope_of_sigmoid_for_tanh", "took_the_slope_of_sigmoid_for_every_activation", "where tanh is the only activation"),
    ("took_the_sigmoid_for_the_slope_of_silu", "took_the_value_of_sigmoid_for_the_slope_of_silu", "the same in other words"),
    ("took_the_sigmoid_for_the_slope_of_silu", "took_the_slope_of_softplus_for_silu", "softplus' is the sigmoid"),
    ("took_the_sigmoid_for_the_slope_of_silu", "took_a_over_z_for_the_slope_of_silu", "silu is z s(z); but at z = 0"),
    ("left_the_density_out_of_the_slope_of_gelu", "took_a_over_z_for_the_slope_of_gelu", "gelu is z times the distribution; but at z = 0"),
    ("let_relu_leak", "took_a_leak_of_a_hundredth_for_the_slope_of_relu", "the same in other words"),
    ("let_relu_leak", "took_the_slope_of_leaky_relu_for_relu", "the default slope of leaky relu is 0.01"),
    ("forgot_the_upper_kink_of_relu6", "took_the_slope_of_relu_for_relu6", "the same in other words"),
    ("left_out_the_biases", "forgot_the_bias_in_the_forward_pass", "b that is 0 and b that is left out"),
    ("skipped_layers_without_biases", "left_dw_at_zero", "in layers without biases; but for NaN times 0"),
    ("cut_the_gradient_where_a_bias_was_added", "passed_nothing_down", "in layers with biases; but for NaN times 0"),
    ("dropped_the_last_sample", "dropped_the_last_sample_of_several", "where no problem has one sample alone"),
    ("answered_transposed_weights", "transposed_dw_where_it_is_square", "where all layers are square"),
    ("exchanged_the_indices_of_the_weight_gradient", "answered_transposed_weights", "where all layers are square"),
    ("wrote_the_flat_gradient_in_fortran_order", "exchanged_the_indices_of_the_weight_gradient", "where all layers are square"),
    ("wrote_the_flat_gradient_in_fortran_order", "answered_transposed_weights", "where all layers are square"),
    ("took_one_over_n_for_two_over_n", "halved_the_derivative_of_mean_squared_error", "the same in other words"),
    ("took_one_over_n_for_two_over_n", "took_the_derivative_of_half_mean_squared_error_for_mean_squared_error", "the same in other words"),
    (
        "took_one_over_n_for_two_over_n",
        "took_the_difference_over_the_outputs_for_the_derivative_of_mean_squared_error",
        "the same in other words",
    ),
    ("left_the_last_sample_out_of_dw", "summed_dw_up_to_the_last_sample", "where no problem has one sample alone"),
    ("left_the_first_sample_out_of_dw", "summed_dw_from_the_second_sample_on", "where no problem has one sample alone"),
    ("left_the_last_sample_out_of_db", "summed_db_up_to_the_last_sample", "where no problem has one sample alone"),
    ("left_the_first_sample_out_of_db", "summed_db_from_the_second_sample_on", "where no problem has one sample alone"),
    ("weighed_the_loss_alone", "forgot_the_sample_weights", "where only sums are asked for, and no loss"),
    ("forgot_the_sample_weights", "divided_unweighed_samples_by_their_number", "where only means are asked for, and no loss"),
    ("took_the_largest_label_alone", "took_y_as_one_hot", "where classes are all that is asked for"),
    ("ignored_the_upstream_gradient", "took_one_for_the_derivative_of_upstream", "the same in other words"),
    ("ignored_the_upstream_gradient", "took_one_for_every_derivative", "where an upstream gradient is all that is asked for"),
    ("read_the_upstream_gradient_of_the_first_sample", "took_the_first_y_for_all", "where an upstream gradient is all that is asked for"),
    ("read_the_upstream_gradient_of_the_first_sample", "gave_all_samples_the_error_of_the_first", "where it is all that is asked for"),
    ("took_relu_of_the_incoming_error", "took_relu_of_the_error_of_relu", "the same in other words"),
    ("let_positive_errors_through_relu_alone", "masked_the_error_by_its_own_sign_of_relu", "the same in other words"),
    ("forgot_alpha_in_the_slope_of_elu", "took_an_exponential_tail_for_the_slope_of_elu", "the same in other words"),
    ("took_a_less_one_for_one_less_a", "turned_the_sign_the_slope_of_sigmoid", "the same in other words"),
    ("took_a_hundredth_for_the_slope_of_leaky_relu", "took_a_leak_of_a_hundredth_for_the_slope_of_leaky_relu", "the same again"),
    ("averaged_over_samples_and_outputs", "averaged_over_the_outputs_as_well", "where only means are asked for"),
    ("averaged_over_samples_and_outputs", "divided_by_the_outputs_the_derivative", "where only means are asked for"),
    ("averaged_the_means_of_micro_batches", "averaged_the_means_of_blocks_of_four", "the same in other words"),
    ("averaged_the_weight_gradient_alone", "averaged_dw", "the same in other words"),
    ("averaged_the_weight_gradient_alone", "divided_by_the_batch_size_dw", "the same in other words"),
    ("took_the_row_sums_of_the_weight_gradient_for_the_bias", "took_the_rows_of_dw_for_db", "the same in other words"),
    ("added_the_bias_after_the_activation", "forgot_the_bias_in_the_forward_pass", "where the layer is linear, both leave dC/db alone"),
)
"""(the one, the other, why). Of sets with one activation, one loss, one reduction or one width many more are the same: these are found by
trial, each time, and told as `same_as`."""


def are_equal(one: str, other: str) -> bool:
    """Whether two variants are written down as the same."""
    return one == other or any({one, other} == {a, b} for a, b, _ in PAIRS)


def written_equals(row: Variant) -> Iterable[str]:
    """The variants that are written down as the same as one."""
    return [b if a == row.name else a for a, b, _ in PAIRS if row.name in (a, b) and a != b]
