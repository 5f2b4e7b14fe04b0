"""The reference obeys every law, and agrees with every oracle: one item for each, and one for JAX, which compiles each problem."""

import pytest

from backproof import check, gradient, law_tests
from oracles import available

INSTALLED = [name for name, oracle in available.ORACLES.items() if not available.missing(oracle)]

test_reference = law_tests(gradient, oracles=[name for name in INSTALLED if name != "jax"], max_examples=10)


@pytest.mark.skipif("jax" not in INSTALLED, reason="needs jax")
def test_reference_and_jax():
    report = check(gradient, oracles=["jax"], laws=["it_agrees_with_jax"], max_examples=3)
    counts = report.laws["it_agrees_with_jax"]
    assert counts.held and not counts.broken, str(report)
