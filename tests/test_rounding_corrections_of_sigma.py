"""Each correction of sigma has a small problem that needs it: without it honest passes at real sizes are accused, or mistakes excused.

benchmarks/mutants.py drops one after another. Judged without peers, which would excuse much of what the model forgets.
"""

from itertools import pairwise

import numpy as np

from backproof import verify
from properties.judging.peers import answers, textbook_peers
from reference.dtypes import DTYPES
from reference.gradient import Gradient
from reference.passes import passes
from reference.problem import Problem
from rounding.precisions import PRECISIONS
from tests.honest_passes import Honest, Stored
from tests.test_rounding_corrections import judged, network


def in_float32(problem):
    """The same problem with numbers that float32 holds."""
    weights, x, y = [np.float32(weight) for weight in problem.weights], np.float32(problem.x), np.float32(problem.y)
    return problem.replaced(weights=weights, x=x, y=y)


def one_by_one(problem, formulas="accurate"):
    """dC/dW and dC/dx of an honest pass in float32, whose sums are taken one addition after the other in an order of their own."""
    answer = Honest(np.float32, seed=1, formulas=formulas).gradient(problem)
    return Gradient(answer.weights, x=answer.x)


def test_errors_grow_by_more_than_on_average_in_some_networks_that_amplify():
    """CHAOS: along eight layers of weights five times as large an honest pass comes to 18 sigma without it."""
    problem = network(36, "hardtanh", widths=(32,) * 9)
    problem = in_float32(problem.replaced(weights=[5 * weight for weight in problem.weights]))
    assert judged(problem, one_by_one(problem)) == "right"


def test_what_a_sample_s_errors_share_is_carried_along_aligned_layers():
    """_aligned: each layer's weights are of rank one, along what the layer before gives; dC/dx is at 41 sigma without it."""
    rng = np.random.default_rng(4)
    along = [direction / np.linalg.norm(direction) for direction in (rng.normal(size=n) for n in (24, 24, 24, 24, 1))]
    weights = [np.outer(to, of) for of, to in pairwise(along)]
    problem = in_float32(Problem(weights, activations=["identity"] * 4, x=rng.normal(size=(64, 24)), y=np.zeros((64, 1))))
    problem = problem.replaced(y=np.float32(0.7 * passes(problem).forward.activations[-1]))
    assert judged(problem, one_by_one(problem)) == "right"


def test_logits_that_are_off_by_more_than_a_little_move_a_softmax_by_more_than_to_first_order():
    """NOT_SMALL: logits of 3991 and 3961 are 3984 and 3968 in bfloat16, and e^-30 is e^-16; the other columns are as usual."""
    rng, bfloat16 = np.random.default_rng(0), PRECISIONS["bfloat16/float32"]
    x = np.hstack([np.zeros((4, 2)), rng.normal(size=(4, 20))])
    weight = np.hstack([np.zeros((5, 2)), rng.normal(size=(5, 20)) / 4])
    x[0], x[0, :2], weight[:2, :2] = 0, 1, [[3984, 7], [3968, -7]]
    y = np.eye(5)[[0, 4, 2, 1]]
    held = [bfloat16.held(weight)], bfloat16.held(x)
    problem = Problem(held[0], activations=["identity"], x=held[1], y=y, loss="softmax_cross_entropy")
    assert passes(problem).forward.activations[-1][0, :2].tolist() == [3991, 3961]
    answer = Stored(np.float32, row=bfloat16).gradient(problem)
    assert judged(problem, Gradient(answer.weights), bfloat16.name) == "right"


def test_what_textbook_formulas_leave_no_digit_of_is_unjudged():
    """TEXTBOOK_TOO_WIDE: GELU' by 1 + erf at z near -8 in float32 is 0 or noise; called lossy, it would be called right."""
    problem = network(9, "gelu", widths=(70, 64, 8))
    problem = in_float32(problem.replaced(biases=[np.full(64, -8.0), np.zeros(8)]))
    ((_, answer),) = answers(problem, PRECISIONS["float32"], textbook_peers(frozenset({"gelu"}))[:1])
    judgement = verify(problem, Gradient(answer.weights, answer.biases))
    assert judgement.verdict == "inconclusive"
    said = {str(one.place): one.reason for one in judgement.unjudged}
    assert "textbook formulas would leave no digit of it" in said["layer 1: dC/dW"]


def test_a_mistake_in_one_entry_is_not_taken_for_products_in_few_bits():
    """_off_everywhere: TF32's bound would hold it, but its errors are in every layer."""
    problem = in_float32(network(2))
    weights = one_by_one(problem).weights
    weights[0][3, 4] += np.float32(0.001) * np.sqrt(np.mean(np.square(weights[0])))
    judgement = verify(problem, Gradient(weights))
    assert (judgement.verdict, judgement.meets) == ("wrong", "")


def test_what_is_right_to_sums_in_float32_is_right_where_sums_in_16_bits_say_nothing():
    """by_sums: sums of 300 terms stagnate in bfloat16, and the answer's dtype does not say that it has them in float32."""
    problem, row = network(3, widths=(300, 8, 4), batch=8), PRECISIONS["bfloat16/float32"]
    weights = [row.held(weight) for weight in problem.weights]
    problem = problem.replaced(weights=weights, x=row.held(problem.x), y=row.held(problem.y))
    answer = Stored(np.float32, row=row).gradient(problem)
    for times, said in ((1, ("right", "bfloat16/float32")), (2, ("inconclusive", "bfloat16"))):
        judgement = verify(problem, Gradient([(times * weight).astype(DTYPES["bfloat16"]) for weight in answer.weights]))
        assert (judgement.verdict, judgement.precision) == said


def test_one_error_of_a_softmax_is_carried_down_as_it_stands():
    """CANCELS: p - y near p = 1 is off by one number, where what the sample itself makes below cancels: 11 sigma in dC/dx."""
    rng = np.random.default_rng(3)
    (u, d), (v, e), (z, f) = (np.linalg.qr(rng.normal(size=(96, 2)))[0].T for _ in range(3))
    weights = [np.outer(v, z) + np.outer(e, f), np.outer(u, v) + np.outer(d, e), np.stack([u + 0.1 * d, u - 0.1 * d])]
    x = np.outer(rng.normal(size=64), z) + np.outer(20 * (1 + rng.random(64)), f)
    y = np.tile([1.0, 0.0], (64, 1))
    problem = in_float32(Problem(weights, activations=["identity"] * 3, x=x, y=y, loss="softmax_cross_entropy"))
    assert judged(problem, one_by_one(problem, formulas="textbook")) == "right"


def test_weights_that_a_product_rounds_are_rounded_once_for_all_samples():
    """Of 512 samples that are nearly the same TF32 rounds the weights alike: 18 sigma where each is taken to round them anew."""
    problem, row = network(4, "identity", batch=512, widths=(8, 8, 4)), PRECISIONS["tf32"]
    problem = in_float32(problem.replaced(x=1 + 0.01 * problem.x, y=np.ones((512, 4))))
    answer = Stored(np.float32, row=row).gradient(problem)
    assert judged(problem, Gradient(answer.weights, x=answer.x), "tf32") == "right"
