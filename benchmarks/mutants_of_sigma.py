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
)
