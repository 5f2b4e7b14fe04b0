"""Mutants of the second-moment bound: its corrections dropped, one after another."""

from functools import partial

from benchmarks.mutant import correction

of_sigma = partial(correction, of="tests/test_reference_corrections_of_sigma.py::test_")

MUTANTS_OF_SIGMA = (
    of_sigma(
        "CHAOS 0",
        "reference/variance.py",
        "CHAOS = 1 / 6",
        "CHAOS = 0",
        "errors_grow_by_more_than_on_average_in_some_networks_that_amplify",
    ),
    of_sigma(
        "what a sample's errors share not carried on",
        "reference/variance.py",
        "summed += self._aligned(layer, variance, sizes, turned)[:, None] * product_squared",
        "pass",
        "what_a_sample_s_errors_share_is_carried_along_aligned_layers",
    ),
    of_sigma(
        "NOT_SMALL without end",
        "reference/losses.py",
        "NOT_SMALL = 2.0**-7",
        "NOT_SMALL = 1e99",
        "logits_that_are_off_by_more_than_a_little_move_a_softmax_by_more_than_to_first_order",
    ),
)
