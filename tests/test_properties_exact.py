"""Exact problems: nothing rounds, in any order and any precision, so that right is equal bit for bit."""

import numpy as np
import pytest

from backproof import gradient
from properties.problems.architecture import Architecture
from properties.problems.exact import is_exact
from properties.problems.exact_numbers import exact_problems_of_seed
from reference.dtypes import DTYPES
from tests.exact_passes import PRODUCTS, honest_pass

ACTIVATIONS = ["identity", "relu", ("leaky_relu", {"slope": -0.5}), ("leaky_relu", {"slope": 2.0}), "hardtanh", "relu6"]
LOSSES = ["half_squared_error", "squared_error", "mean_squared_error", "half_mean_squared_error", "huber", "upstream"]


def architecture(rng, penalty=None, biased=True):
    depth = int(rng.integers(1, 5))
    widths = (*map(int, rng.integers(1, 7, depth)), int(rng.choice([1, 2, 4])))
    activations = tuple(ACTIVATIONS[i] for i in rng.integers(len(ACTIVATIONS), size=depth))
    loss, reduction = str(rng.choice(LOSSES)), str(rng.choice(["sum", "mean"]))
    return Architecture(widths, int(rng.choice([1, 2, 4])), activations, (biased,) * depth, loss, reduction, penalty=penalty)


def drawn(rng, precision, **parts):
    return exact_problems_of_seed(architecture(rng, **parts), (int(rng.integers(2**30)), 0), precision, 1, ("x",)).at(0)


@pytest.mark.parametrize("precision", DTYPES)
def test_what_is_drawn_is_exact_and_tells_something(precision, seed_of_the_run):
    rng = np.random.default_rng(seed_of_the_run)
    problems = [drawn(rng, precision) for _ in range(60)]
    assert all(is_exact(problem, precision) for problem in problems)
    # a node of relu may be dead in all samples, and so may be a layer of them
    assert sum(any(weight.any() for weight in gradient(problem).weights) for problem in problems) >= 40


@pytest.mark.parametrize("penalty", [None, ("l2", {"factor": 0.5})], ids=["plain", "penalty"])
@pytest.mark.parametrize("precision", DTYPES)
def test_honest_passes_agree_bit_by_bit_in_any_order(precision, penalty, seed_of_the_run):
    rng = np.random.default_rng(seed_of_the_run)
    levels = {"float64": 3, "float32": 2}.get(precision, 1)
    names = [name for i, name in enumerate(PRODUCTS) if i - 3 <= levels]
    for _ in range(60):
        problem = drawn(rng, precision, penalty=penalty, biased=bool(rng.integers(2)))
        if not is_exact(problem, precision):
            continue
        right = gradient(problem)
        for name in names:
            for mean in ("first", "last"):
                dW, db, dx = honest_pass(problem, precision, PRODUCTS[name], mean)
                for got, expected in zip([*dW, *db, dx], [*right.weights, *right.biases, right.x], strict=True):
                    assert np.array_equal(got.astype(np.float64), expected), (name, mean, problem)
