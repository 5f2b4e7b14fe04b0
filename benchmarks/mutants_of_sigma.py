"""Mutants of the second-moment bound, and of what settles its suspicions: their corrections dropped, one after another."""

from functools import partial

from benchmarks.mutant import Mutant, correction

of_sigma = partial(correction, of="tests/test_rounding_corrections_of_sigma.py::test_")

PLACES = "tests/test_rounding_projection.py::test_it_allows_for_every_place_of_rounding"


def of_place(place: str, before: str, after: str = "pass") -> Mutant:
    """A place of rounding that is left out of how far a projection may be off."""
    return Mutant(f"{place} left out of a projection", "rounding/projection.py", before, after, (f"{PLACES}[{place}]",))


def of_settling(name: str, before: str, after: str, test: str) -> Mutant:
    """A suspicion settled by less than proves it."""
    return Mutant(name, "properties/judging/settling.py", before, after, (f"tests/test_properties_settling.py::test_{test}",))


MUTANTS_OF_SIGMA = (
    of_sigma(
        "CHAOS 0",
        "rounding/second_moment.py",
        "CHAOS = 1 / 6",
        "CHAOS = 0",
        "errors_grow_by_more_than_on_average_in_some_networks_that_amplify",
    ),
    of_sigma(
        "what a sample's errors share not carried on",
        "rounding/sums.py",
        "summed += self._aligned(layer, variance, sizes, turned)[:, None] * product_squared",
        "pass",
        "what_a_sample_s_errors_share_is_carried_along_aligned_layers",
    ),
    of_sigma(
        "NOT_SMALL without end",
        "rounding/softmax.py",
        "NOT_SMALL = 2.0**-7",
        "NOT_SMALL = 1e99",
        "logits_that_are_off_by_more_than_a_little_move_a_softmax_by_more_than_to_first_order",
    ),
    of_place("z", 'yield "pre_activations", i, np.sqrt(MANTISSAS * variances.rounding_forward(i))'),
    of_place("slopes at kinks", 'yield "slopes", i, np.sqrt(variances.other_side(i))'),
    of_place("dC/da", 'yield "errors", i - 1, np.sqrt(MANTISSAS * variances.rounding_backward(i))'),
    of_place("dC/da of the loss", 'yield "errors", depth - 1, np.sqrt(variances.output_error(exact, variances.outputs_alike))'),
    of_place("dC/dW", "return rows.alike * columns.alike *", "return 0 *"),
    of_place("functions", 'yield "activations", i + 1, np.sqrt(alike) * variances.value_error(i)[0]'),
    of_place("slopes", 'yield "slopes", i, np.sqrt(alike) * variances.slope_error(i)[0]'),
    of_place("functions on the whole", "np.abs(shifts).sum() +", ""),
    Mutant(
        "layers not held beside one another",
        "properties/judging/measures.py",
        "if layer in sound and len(sound) > 1 and abs(factor.got - 1) > least:",
        "if False:",
        ("tests/test_properties_measures.py::test_a_factor_of_one_layer_is_told_beside_those_of_others",),
    ),
    Mutant(
        "rows not held to their own factor",
        "properties/judging/measures.py",
        "if far[worst] > WORTH_ASKING:",
        "if False:",
        ("tests/test_properties_measures.py::test_a_factor_of_one_row_is_told_before_any_of_its_entries",),
    ),
    Mutant(
        "what layers share left in",
        "rounding/projection.py",
        "taken.tolist()",
        "(0 * taken).tolist()",
        ("tests/test_properties_measures.py::test_a_factor_of_one_layer_is_told_beside_those_of_others",),
    ),
    Mutant(
        "what other layers are off by left out",
        "properties/judging/measures.py",
        "remains = factor.got - 1 +",
        "remains = factor.got - 1 + 0 *",
        ("tests/test_properties_measures.py::test_what_rounded_logits_do_to_all_layers_is_right",),
    ),
    of_place("constants", "CONSTANTS = 3.0", "CONSTANTS = 0.0"),
    of_settling(
        "some of the suspect rows settle all", "(all_asked and by_rows_alone)", "by_rows_alone", "some_of_many_suspect_rows_settle_nothing"
    ),
    of_settling(
        "rows settle what is common to all", "(all_asked and by_rows_alone)", "all_asked", "some_rows_do_not_settle_what_is_common_to_all"
    ),
    of_settling(
        "balls not told what is near a kink",
        "_reach(exact.deviation(precision, None, None)), rows)",
        "None, rows)",
        "balls_are_told_how_near_to_a_kink_rounding_may_come",
    ),
    of_settling(
        "what is unjudged settled all the same",
        "self.beside(answer, deviation, None).of(places)",
        "self.beside(answer, deviation, None)",
        "what_is_unjudged_is_not_settled_either",
    ),
    of_sigma(
        "what textbook formulas leave no digit of is lossy",
        "properties/judging/by_second_moment.py",
        "if blunt := widest.blunt & places:",
        "if blunt := set():",
        "what_textbook_formulas_leave_no_digit_of_is_unjudged",
    ),
    of_sigma(
        "one mistake taken for TF32",
        "properties/judging/judge.py",
        "everywhere = not row.product_unit or _off_everywhere(exact, answer, row.product_unit / FAR_LESS)",
        "everywhere = True",
        "a_mistake_in_one_entry_is_not_taken_for_products_in_few_bits",
    ),
    of_sigma(
        "sums in float32 not asked for",
        "properties/judging/judge.py",
        "if by_sums.verdict in (Verdict.RIGHT, Verdict.LOSSY):",
        "if False:",
        "what_is_right_to_sums_in_float32_is_right_where_sums_in_16_bits_say_nothing",
    ),
    Mutant(
        "sizes of a pass with another slope taken for the reference's",
        "rounding/worst_case.py",
        "sizes.raised(whole), jumps=False)",
        "sizes, jumps=False)",
        ("tests/test_properties_verdict.py::test_a_pass_that_takes_another_slope_than_the_reference_rounds_by_its_own_sizes",),
    ),
    Mutant(
        "what is alike counted among the numbers that are looked at alone",
        "rounding/repetition.py",
        "(np.maximum.reduceat(found, starts[:-1]) - 1) * (widths - 1) / np.maximum(looked_at - 1, 1)",
        "(np.maximum.reduceat(found, starts[:-1]) - 1)",
        tuple(f"tests/test_rounding_repetition.py::test_what_is_alike_is_estimated_from_a_sample[{times}-1000]" for times in (4, 10)),
    ),
    of_sigma(
        "CANCELS without end",
        "rounding/second_moment.py",
        "CANCELS = 32.0",
        "CANCELS = 1e99",
        "one_error_of_a_softmax_is_carried_down_as_it_stands",
    ),
    of_sigma(
        "weights rounded anew for each sample",
        "rounding/sums.py",
        "shared = self.problem.batch / 2 * noise.products",
        "shared = 0",
        "weights_that_a_product_rounds_are_rounded_once_for_all_samples",
    ),
)
