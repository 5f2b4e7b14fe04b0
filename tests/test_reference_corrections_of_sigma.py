"""Each correction of sigma has a small problem that needs it: without it honest passes at real sizes are accused.

benchmarks/mutants.py drops one after another. Judged without peers, which would excuse much of what the model forgets.
"""

import numpy as np

from reference.problem import Gradient
from tests.honest_passes import Honest
from tests.test_reference_corrections import judged, network


def in_float32(problem):
    """The same problem with numbers that float32 holds."""
    weights, x, y = [np.float32(weight) for weight in problem.weights], np.float32(problem.x), np.float32(problem.y)
    return problem.replaced(weights=weights, x=x, y=y)


def one_by_one(problem, seed=1):
    """dC/dW of an honest pass in float32, whose sums are taken one addition after the other in an order of their own."""
    return Gradient(Honest(np.float32, seed=seed).gradient(problem).weights)


def test_errors_grow_by_more_than_on_average_in_some_networks_that_amplify():
    """CHAOS: along eight layers of weights five times as large an honest pass comes to 18 sigma without it."""
    problem = network(36, "hardtanh", widths=(32,) * 9)
    problem = in_float32(problem.replaced(weights=[5 * weight for weight in problem.weights]))
    assert judged(problem, one_by_one(problem)) == "right"
