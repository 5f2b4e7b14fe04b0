"""The second-moment bound: honest passes at real sizes are within it, for each activation and loss; what is off is outside."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from properties.judging import by_second_moment as statistical
from properties.judging.by_second_moment import judge_by_deviation, posed_again
from properties.judging.in_sigmas import arrays_in_sigmas
from properties.judging.judgement import AGGREGATE, STATISTICAL, Exact, Judgement, Unjudged
from properties.problems.support import Support
from properties.problems.values import held_in, without_near_kinks
from properties.verdict import Verdict
from reference.backward import gradient
from reference.functions.activations import ACTIVATIONS
from reference.functions.expected_outputs import DISTRIBUTION, PROBABILITIES
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.gradient import Gradient, Place
from reference.passes import passes
from reference.problem import Problem
from rounding.arithmetic import SIGMAS_ALLOWED, typical_rounding
from rounding.precisions import PRECISIONS
from rounding.repetition import RepetitionSampler
from rounding.second_moment import Variances, near_kinks

FLOAT32 = PRECISIONS["float32"]
WIDTHS = (96, 80, 64, 10)


def network(seed, activation="tanh", loss="half_squared_error", batch=64, widths=WIDTHS, sign=False, reduction="sum"):
    """A network of real size, its numbers exact in float32, with no pre-activation near a kink."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(n, m)) / np.sqrt(m) for m, n in pairwise(widths)]
    biases, x, y = [rng.normal(size=n) / 4 for n in widths[1:]], rng.normal(size=(batch, widths[0])), rng.normal(size=(batch, widths[-1]))
    if sign:
        weights, x = [np.abs(w) / np.sqrt(w.shape[1]) for w in weights], np.abs(x)
    row = row_of(LOSSES, loss)
    if row.expected is DISTRIBUTION:
        y = np.eye(widths[-1])[rng.integers(widths[-1], size=batch)]
    if row.expected is PROBABILITIES:
        y = rng.integers(0, 2, y.shape).astype(float)
    weights, biases, (x, y) = ([a.astype(np.float32).astype(float) for a in arrays] for arrays in (weights, biases, (x, y)))
    activations = [*[activation] * (len(weights) - 1), [*row.behind, "identity"][0]]
    problem = Problem(weights, biases=biases, activations=activations, x=x, y=y, loss=loss, reduction=reduction)
    return without_near_kinks(problem, "float32")


def narrow(problem, dtype=np.float32, order=None):
    """An honest pass in which every array is of a narrow dtype; order: of the terms of sums."""

    def product(left, right):
        if order is None:
            return left @ right
        total = np.zeros((len(left), right.shape[1]), dtype)
        for k in order(left.shape[1]):
            total = total + left[:, k, None] * right[k]
        return total

    given = problem.copy(dtype)
    a, z = [given.x], []
    for weight, bias, choice in zip(given.weights, given.biases, given.activations, strict=True):
        z.append(product(a[-1], weight.T) + bias)
        a.append(row_of(ACTIVATIONS, choice).value(z[-1]).astype(dtype))
    error = row_of(LOSSES, given.loss).derivative(a[-1], given.y).astype(dtype)
    error = error / dtype(given.batch) if given.reduction == "mean" else error
    weights, biases = [], []
    for layer in reversed(range(given.depth)):
        delta = row_of(ACTIVATIONS, given.activations[layer]).pullback(z[layer], error).astype(dtype)
        weights.insert(0, product(delta.T, a[layer]))
        biases.insert(0, delta.sum(axis=0))
        error = product(delta, given.weights[layer])
    return Gradient(weights, biases)


def judged(problem, answer, precision="float32"):
    return judge_by_deviation(Exact(problem), answer, PRECISIONS[precision])


CHOICES = [pytest.param(choice, id=str(choice)) for choice in Support().activation_choices]
ORDERS = {"BLAS": None, "backwards": lambda n: range(n - 1, -1, -1), "random": lambda n: np.random.default_rng(n).permutation(n)}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("activation", CHOICES)
def test_honest_passes_are_right(activation, order, times):
    for seed in range(2 * times):
        problem = network(seed, activation)
        assert judged(problem, narrow(problem, order=ORDERS[order])).verdict == "right"


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("loss", [pytest.param(choice, id=str(choice)) for choice in Support().loss_choices])
def test_every_loss_has_its_rule(loss, reduction):
    for seed in range(2):
        problem = network(seed, "gelu", loss, batch=200, reduction=reduction)
        assert judged(problem, narrow(problem)).verdict == "right"


ALIKE = {
    "equal samples": lambda p: p.replaced(x=np.repeat(p.x[:1], p.batch, axis=0), y=np.repeat(p.y[:1], p.batch, axis=0)),
    "equal weights": lambda p: p.replaced(weights=[np.full_like(w, 0.015625 * 1.1) for w in p.weights], x=np.full_like(p.x, 1.1)),
    "each sample eight times": lambda p: p.replaced(x=np.repeat(p.x[:8], 8, axis=0), y=np.repeat(p.y[:8], 8, axis=0)),
    "many zeros": lambda p: p.replaced(x=p.x * (np.random.default_rng(0).random(p.x.shape) < 0.2)),
}


def alike(change):
    held = ALIKE[change](network(3))
    return held.replaced(weights=[weight.astype(np.float32).astype(float) for weight in held.weights], x=held.x.astype(np.float32))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("change", ALIKE)
def test_what_is_alike_rounds_alike(change, order):
    held = alike(change)
    assert judged(held, narrow(held, order=ORDERS[order])).verdict == "right"


@pytest.mark.parametrize("change", ALIKE)
def test_where_nothing_is_taken_to_be_alike_every_variance_is_the_least(change):
    exact = Exact(alike(change))
    least, whole = (exact.deviation(FLOAT32, apart=apart) for apart in (True, False))
    pairs = list(zip(least.sigma.arrays(), whole.sigma.arrays(), strict=True))
    for (_, some), (_, more) in pairs:
        assert (some <= more * (1 + 1e-6)).all()
    if change != "many zeros":
        assert any((some < more / 2).all() for (_, some), (_, more) in pairs)


def test_what_is_alike_is_looked_for_only_where_an_answer_needs_it(monkeypatch):
    looks, look = [], RepetitionSampler.look
    plain, equal = network(3), alike("equal samples")
    monkeypatch.setattr(RepetitionSampler, "look", lambda *given: looks.append(1) or look(*given))
    for problem, needs in ((plain, False), (equal, True)):
        assert judged(problem, narrow(problem)).verdict == "right"
        assert bool(looks) is needs


def test_terms_of_one_sign_drift():
    for loss in ("half_squared_error", "softmax_cross_entropy"):
        problem = network(4, "identity", loss, batch=256, widths=(64, 64, 64, 10), sign=True)
        assert judged(problem, narrow(problem, order=ORDERS["backwards"])).verdict == "right"


def test_it_is_far_sharper_than_the_worst_case():
    problem = network(5)
    found, exact = Variances(passes(problem), typical_rounding(FLOAT32)).deviation(x=True, loss=True), Exact(problem)
    for place, sigma in found.sigma.arrays():
        if place.quantity == "weights":
            size = np.linalg.norm(dict(exact.reference.arrays())[place])
            assert np.linalg.norm(SIGMAS_ALLOWED * sigma) < 5e-5 * size
            assert np.linalg.norm(SIGMAS_ALLOWED * sigma) < 0.05 * np.linalg.norm(dict(exact.bound(FLOAT32).arrays())[place])


def off(answer, layer, change):
    weights = [np.array(weight, dtype=np.float64) for weight in answer.weights]
    weights[layer] = change(weights[layer])
    return Gradient([weight.astype(np.float32) for weight in weights], answer.biases)


def in_one_row(weight):
    weight[3] *= 1.0001
    return weight


WRONG = {
    "one entry": (lambda w: w + 0.02 * np.sqrt(np.mean(w**2)) * (np.arange(w.size).reshape(w.shape) == 70), "dC/dW"),
    "a row": (in_one_row, "row 3"),
    "a direction": (lambda w: w + 1e-4 * np.random.default_rng(0).normal(size=w.shape) * np.sqrt(np.mean(w**2)), "all rows"),
    "a factor": (lambda w: w * (1 + 1.5e-6), "projection"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_what_is_off_is_outside(name, layer):
    problem = network(6)
    change, said = WRONG[name]
    judgement = judged(problem, off(narrow(problem), layer, change))
    assert judgement.verdict == "wrong"
    assert judgement.bound in (STATISTICAL, AGGREGATE)
    assert said in f"{judgement.entry} {judgement.reason}"
    assert f"layer {layer + 1}" in judgement.entry


@pytest.mark.parametrize(("line", "said"), [(np.s_[3], "row 3"), (np.s_[:, 7], "column 7")])
def test_many_small_errors_in_a_row_or_column_are_caught(line, said):
    """Each is within 8 sigma, as its neighbours are, and no honest rounding is off by so much in all of them."""
    problem = network(6)
    exact = Exact(problem)
    sigma = dict(exact.deviation(FLOAT32, None, None).sigma.arrays())[Place("weights", 1)]
    weights = [np.array(weight) for weight in exact.reference.weights]
    weights[0][line] += 7 * sigma[line] * np.random.default_rng(1).choice([-1.0, 1.0], sigma[line].shape)
    judgement = judged(problem, Gradient(weights))
    assert judgement.verdict == "wrong"
    assert judgement.entry == "all of layer 1: dC/dW"
    assert f"the errors of {said} over sigma have a root mean square of 7" in judgement.reason
    assert judgement.outside == 0


def test_nan_is_nonfinite_and_a_range_that_is_left_is_inconclusive():
    problem = network(7)
    assert judged(problem, off(narrow(problem), 1, lambda w: w * np.nan)).verdict == "nonfinite"
    huge = network(7, "identity")
    said = judged(huge.replaced(x=huge.x * 2.0**120), narrow(huge))
    assert said.verdict == "inconclusive"
    assert "may leave the range of float32" in said.reason


def test_long_sums_in_few_bits_are_not_judged():
    problem = network(8, widths=(5000, 4, 2), batch=1)
    said = judged(problem, narrow(problem, np.float16), "float16")
    assert (said.verdict, "stagnate" in said.reason) == ("inconclusive", True)


def near_a_kink():
    """A ReLU network of which node 5 of sample 2 is at the kink."""
    problem = network(9, "relu")
    biases = [bias.copy() for bias in problem.biases]
    biases[0][5] -= np.float32(passes(problem).forward.pre_activations[0][2, 5])
    return problem.replaced(biases=[np.float32(bias) for bias in biases])


def test_either_side_of_a_near_kink_is_right():
    near = near_a_kink()
    assert near_kinks(passes(near), typical_rounding(FLOAT32))[2]
    for shift in (-2e-7, 2e-7):
        moved = [bias.copy() for bias in near.biases]
        moved[0][5] += shift
        answer = narrow(near.replaced(biases=moved))
        assert (passes(near.replaced(biases=moved)).forward.pre_activations[0][2, 5] > 0) == (shift > 0)
        assert judged(near, answer).verdict == "right"


def test_one_flip_at_a_near_kink_is_within_and_one_elsewhere_is_not():
    near = near_a_kink()
    honest, exact = narrow(near), passes(near)
    for sample, verdict in ((2, "right"), (7, "wrong")):
        e = exact.backward.errors[0][sample, 5]
        change = e * near.x[sample] * (-1 if exact.forward.pre_activations[0][sample, 5] > 0 else 1)
        weights = [np.array(weight, dtype=np.float64) for weight in honest.weights]
        weights[0][5] += change
        assert judged(near, Gradient([weight.astype(np.float32) for weight in weights], honest.biases)).verdict == verdict


def test_samples_near_a_kink_can_be_left_out():
    problem = network(10, "relu")
    tied = problem.replaced(x=np.vstack([problem.x, 0 * problem.x[:3]]), y=np.vstack([problem.y, problem.y[:3]]), biases=None)
    assert without_near_kinks(tied, "float32").batch <= problem.batch


def test_no_claim_is_made_where_the_sum_of_all_deltas_may_leave_the_range():
    """dC/db of 442 errors of 150 is beyond float16, though no sum of products with small activations is."""
    rng = np.random.default_rng(5)
    weights = [rng.normal(size=(64, 10)) / 50, np.zeros((1, 64))]
    x, y = rng.normal(size=(442, 10)), np.full((442, 1), -150.0)
    problem = held_in(Problem(weights, biases=[np.zeros(64), np.zeros(1)], activations=["tanh", "identity"], x=x, y=y), "float16")
    right = gradient(problem)
    assert right.biases[1][0] > 65504 > max(np.abs(right.weights[1]).max(), np.abs(right.weights[0]).max())
    with np.errstate(over="ignore"):
        answer = Gradient([np.float16(weight) for weight in right.weights], [np.float16(bias) for bias in right.biases])
    said = judged(problem, answer, "float16/float32")
    assert (said.verdict, "may leave the range of float16/float32" in said.reason) == ("inconclusive", True)


def test_a_suspicion_is_confirmed_on_a_problem_whose_sums_round_anew():
    problem = network(11)
    again = posed_again(problem, FLOAT32)
    assert sorted(again.weights[0].ravel()) == sorted(problem.weights[0].ravel())
    assert not np.array_equal(again.weights[0], problem.weights[0])
    assert judged(again, narrow(again)).verdict == "right"


def test_the_multiple_is_the_one_that_was_fixed_before_the_final_measurements():
    assert SIGMAS_ALLOWED == 8


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "gelu", "elu"])
def test_float16_is_judged_where_the_bound_says_something(activation):
    problem = network(12, activation, batch=32, widths=(96, 64, 10), reduction="mean")
    held = problem.replaced(
        weights=[weight.astype(np.float16) for weight in problem.weights],
        biases=[bias.astype(np.float16) for bias in problem.biases],
        x=problem.x.astype(np.float16),
        y=problem.y.astype(np.float16),
    )
    answer = narrow(held, np.float16)
    assert judged(held, answer, "float16").verdict == "right"
    without_mean = Gradient([weight * np.float16(held.batch) for weight in answer.weights], answer.biases)
    assert judged(held, without_mean, "float16").verdict == "wrong"
    stale = [weight.copy() for weight in answer.weights]
    stale[0][5] = 0
    assert "in row 5" in judged(held, Gradient(stale, answer.biases), "float16").reason


def test_a_bound_wider_than_the_gradient_of_a_layer_is_inconclusive():
    deep = network(13, "tanh", batch=64, widths=(256, *12 * (256,)))
    held = deep.replaced(weights=[3 * weight.astype(np.float16) for weight in deep.weights])
    said = judged(held, Gradient([np.zeros_like(weight) for weight in held.weights]), "float16")
    assert said.verdict == "inconclusive"
    assert said.reason == "the second-moment bound is wider than the gradient: zero would pass for it, in every layer"


@pytest.mark.parametrize("row", [5, 200, 299])
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_one_number_that_is_not_finite_is_told_in_whichever_block_of_rows(row, number):
    problem = network(7, widths=(40, 300, 8))
    answer = narrow(problem)
    answer.weights[0][row, 3] = number
    judgement = judged(problem, answer)
    assert (judgement.verdict, judgement.index) == ("nonfinite", (row, 3))


def test_a_layer_is_judged_by_all_of_its_rows():
    """The first block of rows has a gradient of 0, by which zero would pass."""
    problem = network(7, "relu", widths=(40, 300, 8))
    problem = problem.replaced(biases=[problem.biases[0] - 100 * (np.arange(300) < 150), problem.biases[1]])
    right = narrow(problem)
    assert judged(problem, right).verdict == "right"
    assert judged(problem, off(right, 0, lambda weight: weight * 0)).verdict == "wrong"
    dead = problem.replaced(biases=[problem.biases[0] - 100, problem.biases[1]])
    assert judged(dead, narrow(dead)).verdict == "right"


def test_nothing_is_said_of_a_gradient_whose_squares_are_lost():
    """The other layers are judged all the same, and where there is none the answer is inconclusive."""
    problem = network(7, "identity", widths=(96, 80, 10))
    tiny = problem.replaced(x=problem.x * 2.0**-700)
    right = passes(tiny).backward.weights
    said = judged(tiny, Gradient([0 * right[0], right[1]]), "float64")
    assert said.verdict == "right"
    assert [str(one) for one in said.unjudged] == [
        "layer 1: dC/dW: the second-moment bound is wider than the gradient: zero would pass for it"
    ]
    assert judged(tiny, Gradient([0 * right[0], right[1] * 1.01]), "float64").verdict == "wrong"
    alone = tiny.replaced(weights=tiny.weights[:1], biases=tiny.biases[:1], activations=["identity"], y=np.zeros((tiny.batch, 80)))
    assert judged(alone, Gradient([np.zeros((80, 96))]), "float64").verdict == "inconclusive"


def test_nothing_is_said_where_a_variance_is_infinite():
    problem = network(7, widths=(80, 70, 8))
    exact = Exact(problem)
    found = exact.deviation(FLOAT32)
    left = np.array(found.variance.weights[0].summed.left)
    left[0, 3] = np.inf
    factored = replace(found.variance.weights[0], summed=replace(found.variance.weights[0].summed, left=left))
    unknown = replace(found, variance=replace(found.variance, weights=[factored, found.variance.weights[1]]))
    blunt = [one.is_blunt for one in arrays_in_sigmas(narrow(problem), exact.by_rows, exact.by_rows, unknown)]
    assert blunt[:2] == [True, False]


def test_products_as_large_as_float32_holds_leave_every_variance_finite():
    """TF32's factors are rounded by 2^13 u each, which is squared, and added up over samples."""
    problem = network(7, "identity", widths=(400, 400, 64, 10))
    for size in (1.0, 1e3, 5e6):
        large = problem.replaced(x=np.float32(problem.x * size), y=np.float32(problem.y * size))
        found = Exact(large).deviation(PRECISIONS["tf32"])
        assert all(np.isfinite(np.asarray(variance)).all() for variance in found.variance.weights)


def test_a_problem_whose_numbers_the_target_must_round_is_judged_as_it_is_rounded():
    """A node is at ReLU's kink once its weights are rounded, and before it is far from it, as rounding in the passes goes."""
    drawn, held = network(11, "relu", widths=(96, 80, 10)), PRECISIONS["bfloat16"].held
    half = np.abs(held(drawn.x[:, :48]))
    weights, biases = [held(weight) for weight in drawn.weights], [held(bias) for bias in drawn.biases]
    row = np.abs(weights[0][0, :48])
    weights[0][0], biases[0][0] = np.concatenate([row, -row]), 0.0
    rounded = drawn.replaced(weights=weights, biases=biases, x=np.concatenate([half, half], axis=1), y=held(drawn.y))
    weights[0][0] = np.concatenate([row * (1 + 2.0**-10), -row])
    given, right = rounded.replaced(weights=weights), narrow(rounded)
    said = judged(given, right, "bfloat16/float32")
    assert (said.verdict, "rounded to bfloat16" in said.reason) == ("right", True)
    assert judged(rounded, right, "bfloat16/float32").reason == ""
    assert judged(given, off(right, 1, lambda weight: weight * 1.5), "bfloat16/float32").verdict == "wrong"


def test_a_problem_as_it_is_rounded_acquits_of_nothing_that_it_leaves_unjudged(monkeypatch):
    given = network(11, "relu", widths=(96, 80, 10))
    wrong = off(narrow(held_in(given, "bfloat16")), 0, lambda weight: weight * 1.5)
    assert judged(given, wrong, "bfloat16/float32").verdict == "wrong"
    place = Place("weights", 1)
    acquitted = Judgement(Verdict.RIGHT, "bfloat16/float32", unjudged=(Unjudged(place, "why"),))
    asked, judge = [], statistical.judge_by_deviation
    monkeypatch.setattr(statistical, "judge_by_deviation", lambda *given, **options: asked.append(options) or acquitted)
    assert judge(Exact(given), wrong, PRECISIONS["bfloat16/float32"]).verdict == "wrong"
    assert asked == [{"peers": False}]


def test_a_number_beyond_the_range_is_not_rounded_to_infinity():
    """Weights and errors are so small that no sum of products leaves the range of float16, though an input does."""
    drawn = network(12, "identity")
    x, small = np.array(drawn.x), 2.0**-20
    x[3, 4] = 1e5
    weights, biases = [drawn.weights[0] * small, *drawn.weights[1:]], [bias * small for bias in drawn.biases]
    problem = drawn.replaced(x=x, weights=weights, biases=biases, y=drawn.y * small)
    answer = off(passes(problem).backward, 0, lambda weight: weight * 2)
    assert judged(problem, answer, "float16/float32").verdict == "wrong"


def test_no_claim_is_made_of_a_loss_that_leaves_the_range():
    problem = network(13, "identity", reduction="mean")
    large = problem.replaced(y=problem.y + 90.0)
    right = narrow(large, np.float16)
    assert Exact(large).passes.forward.loss * large.batch > 65504
    for loss, precision, verdict in ((np.inf, "float16/float32", "right"), (np.inf, "float32", "nonfinite"), (1.0, "float32", "wrong")):
        answer = replace(right if precision != "float32" else narrow(large), loss=np.float32(loss))
        assert judged(large, answer, precision).verdict == verdict


def test_a_penalty_beyond_what_float32_squares_leaves_an_honest_answer_right():
    """A factor of 2^64 at 65,696 weights, whose variances would be computed in float32."""
    rng = np.random.default_rng(0)
    weights = [rng.choice([-1, 1], (16, 4096)) * rng.uniform(0.5, 1, (16, 4096)) / 32, rng.uniform(-1, 1, (10, 16)) / 9]
    weights = [weight.astype(np.float32).astype(float) for weight in weights]
    x, y = (rng.normal(size=(64, n)).astype(np.float32).astype(float) for n in (4096, 10))
    penalty = ("l2", {"factor": 2.0**64 * (1 + 0.98 * 2.0**-24)})
    problem = Problem(weights, activations=["tanh", "identity"], x=x, y=y, penalty=penalty)
    w1, w2, a0 = (array.astype(np.float32) for array in (*weights, x))
    a1 = np.tanh(a0 @ w1.T)
    above = a1 @ w2.T - y.astype(np.float32)
    below = (above @ w2) * (1 - a1 * a1)
    rate = np.float32(problem.penalised.rate(64))
    answer = Gradient([below.T @ a0 + rate * w1, above.T @ a1 + rate * w2])
    assert judge_by_deviation(Exact(problem), answer, FLOAT32, peers=False).verdict == "right"


def test_the_loss_is_rounded_by_the_size_of_its_penalty_too():
    """What u moves in sum over w of factor/2 w^2 is of its own size, which outweighs all else here."""
    problem = network(2, widths=(4, 3, 2), batch=4)
    plain, penalised = (
        float(Variances(passes(each), typical_rounding(FLOAT32)).deviation(x=False, loss=True).sigma.loss)
        for each in (problem, problem.replaced(penalty=("l2", 1e6)))
    )
    penalty = 1e6 / 2 * sum(float(np.square(weight).sum()) for weight in problem.weights)
    assert plain < 1e-3 * penalised
    assert FLOAT32.unit / 2 < penalised / penalty < 10 * FLOAT32.unit
