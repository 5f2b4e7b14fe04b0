"""The reference obeys every law, and agrees with every oracle: one item for each."""

from backproof import gradient, law_tests
from oracles import available

INSTALLED = [name for name, oracle in available.ORACLES.items() if not available.missing(oracle)]

test_reference = law_tests(gradient, oracles=[name for name in INSTALLED if name != "jax"], max_examples=20)
test_reference_and_jax = law_tests(
    gradient, oracles=[name for name in INSTALLED if name == "jax"], max_examples=3
)  # each problem costs seconds
