"""Ball arithmetic encloses the exact gradient, tightly, at every size of numbers, and agrees with the reference."""

import time

import numpy as np
import pytest
from flint import ctx
from hypothesis import given

from backproof.doors.strategies import problems
from oracles.balls import enclosure as balls
from oracles.balls.directed_rounding import LARGEST
from oracles.balls.enclosure import answer, enclosure
from reference.backward import gradient
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.passes import passes
from reference.problem import Problem
from rounding.arithmetic import REFERENCE
from rounding.worst_case import rounding_bound

CHOICES = [*ACTIVATIONS, ("elu", {"alpha": -2.0}), ("leaky_relu", {"slope": -0.5})]
KINKS = [(choice, kink) for choice in CHOICES for kink, _ in row_of(ACTIVATIONS, choice).kinks]


def one_layer(choice, z, **parts):
    """One node with pre-activation z, and delta = g'(z): huber's slope is 1 far above y."""
    given = {"activations": [choice, "identity"], "x": [[1.0]], "y": [[-1e308]], "loss": "huber"}
    return Problem([[[z]], [[1.0]]], **(given | parts))


def ends(problem):
    """By place, lower and upper ends."""
    found = enclosure(problem)
    return {str(place): (lower, upper) for (place, lower), (_, upper) in zip(found.lower.arrays(), found.upper.arrays(), strict=True)}


def disagreements(problem, answered=None, found=None):
    """The places where an enclosure, that was found, leaves what the reference's own rounding bound allows, or an answer in its place."""
    bound = rounding_bound(passes(problem), REFERENCE)
    found = found or ends(problem)
    places = []
    with np.errstate(all="ignore"):
        for (place, value), (_, error) in zip((answered or gradient(problem)).arrays(), bound.arrays(), strict=True):
            lower, upper = found[str(place)]
            # ends are rounded outward by a unit in the last place, and a ball's radius has 30 bits
            slack = np.spacing(np.maximum(np.abs(lower), np.abs(upper))) + 1e-7 * (upper - lower)
            inside = (np.abs(value - lower) <= error + slack) & (np.abs(upper - value) <= error + slack)
            if not (inside | np.isinf(error)).all():
                places.append(str(place))
    return places


def is_sharp(lower, upper):
    """Whether no entry is wider than two units in the last place."""
    return (upper - lower <= 2 * np.spacing(np.maximum(np.abs(lower), np.abs(upper)))).all()


@given(problems())
def test_the_reference_and_the_balls_agree(problem):
    assert disagreements(problem) == []


@pytest.mark.parametrize("z", [-800.0, -40.0, -8.0, -1.25, -1e-8, -1e-300, 1e-300, 0.3, 2.0, 7.5, 40.0, 800.0])
@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_tails_keep_all_digits(choice, z):
    problem = one_layer(choice, z)
    found = ends(problem)
    assert disagreements(problem, found=found) == []
    for lower, upper in found.values():
        assert is_sharp(lower, upper)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_keep_all_digits(loss):
    x = [[1000.0, 1.0, -1000.0], [40.0, 0.0, 1e-9], [0.0, 0.0, 0.0], [1e300, -1e300, 1.0]]
    y = [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.25, 0.5, 0.25], [0.0, 0.0, 1.0]]
    last = [*LOSSES[loss]().behind, "identity"][0]
    x = np.clip(x, -300, 300) if last != "identity" else x  # so far out an output is 0 in float64
    problem = Problem([np.eye(3)], activations=[last], x=x, y=y, loss=loss, reduction="mean")
    assert disagreements(problem) == []
    assert is_sharp(*ends(problem)["layer 1: delta"])


@pytest.mark.parametrize("z", [1e30, 1e160, 1e300, 1.7e308])
@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_huge_numbers_are_enclosed_at_once(choice, z):
    started = time.perf_counter()
    for sign in (1, -1):
        problem = one_layer(choice, sign * z)
        found = ends(problem)
        assert disagreements(problem, found=found) == []
        for lower, upper in found.values():
            assert not (np.isinf(lower) & np.isinf(upper)).any()
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(("choice", "kink"), KINKS, ids=str)
def test_an_exact_kink_gives_the_hull_of_both_slopes(choice, kink):
    derivative = row_of(ACTIVATIONS, choice).derivative
    slopes = [float(derivative(np.array(kink + side * 1e-12))) for side in (-1, 1)]
    lower, upper = ends(one_layer(choice, kink, biases=[[0.0], None]))["layer 1: delta"]
    assert lower[0, 0] <= min(slopes) + 1e-11 and upper[0, 0] >= max(slopes) - 1e-11
    assert (lower[0, 0], upper[0, 0]) == pytest.approx((min(slopes), max(slopes)), abs=1e-7)


def test_a_pre_activation_that_only_cancels_exactly_straddles_the_kink():
    # tanh(0.3) - tanh(0.3) is 0, which no number of digits can tell
    problem = Problem([[[0.3], [0.3]], [[1.0, -1.0]]], activations=["tanh", "relu"], x=[[1.0]], y=[[-1.0]])
    found = ends(problem)
    assert found["layer 2: z"][0] <= 0 <= found["layer 2: z"][1]
    assert (found["layer 2: delta"][0], found["layer 2: delta"][1]) == pytest.approx((0, 1), abs=1e-7)


@pytest.mark.parametrize("tiny", [1.0, 1e-300])
def test_sums_of_products_that_cancel_are_exact(tiny):
    problem = Problem([[[1e300, tiny, -1e300]]], activations=["relu"], x=[[1e8, 1.0, 1e8]], y=[[0.0]])
    found = ends(problem)
    assert found["layer 1: z"] == (tiny, tiny)
    assert found["layer 1: delta"] == (tiny, tiny)


def test_what_leaves_the_range_is_enclosed_by_infinity():
    problem = Problem([[[1e200]]], activations=["identity"], x=[[1.0]], y=[[0.0]])
    assert ends(problem)["C"] == (LARGEST, np.inf)


def test_a_relative_mistake_of_a_trillionth_is_outside():
    problem = Problem([[[0.3, -0.2]]], activations=["tanh"], x=[[0.5, 1.5]], y=[[1.0]])
    wrong = gradient(problem)
    for array in wrong.weights:
        array *= 1 + 1e-12
    assert disagreements(problem, wrong) == ["layer 1: dC/dW"]


@given(problems(depth=2, width=3, batch=2))
def test_an_answer_holds_the_enclosure_within_its_error(problem):
    reply = answer(problem)
    for (place, middle), (_, error), (lower, upper) in zip(
        reply.gradient.arrays(), reply.error.arrays(), ends(problem).values(), strict=True
    ):
        with np.errstate(all="ignore"):
            assert ((np.isinf(error)) | ((middle - error <= lower) & (upper <= middle + error))).all(), place


def test_every_layer_has_biases_and_all_shapes_are_the_references():
    problem = Problem([[[0.3, -0.2], [0.1, 0.7]], [[1.0, 2.0]]], activations=["tanh", "relu"], x=[[0.5, 1.5]] * 3, y=[[1.0]] * 3)
    shapes = {str(place): np.shape(array) for place, array in gradient(problem).arrays()}
    assert {place: lower.shape for place, (lower, _) in ends(problem).items()} == shapes


def test_the_precision_of_flint_is_left_as_it_was(monkeypatch):
    problem = one_layer("tanh", 0.5)

    def fails(*_):
        raise RuntimeError

    with ctx.workprec(77):
        enclosure(problem)
        assert ctx.prec == 77
        monkeypatch.setattr(balls, "_passes", fails)
        with pytest.raises(RuntimeError):
            enclosure(problem)
        assert ctx.prec == 77


def test_more_digits_are_tried_where_nothing_is_known_at_first():
    """Two tied logits of 7e52: at 128 bits their difference is anything, and so is the softmax."""
    logits = [[[1.0], [1.0], [-1.0]]]
    problem = Problem(logits, activations=["silu"], x=[[7e52 / 3]], y=[[1.0, 0.0, 0.0]], loss="softmax_cross_entropy")
    problem = problem.replaced(weights=[[[3.0, 1.0], [3.0, 1.0], [-1.0, 1.0]]], x=[[7e52 / 3, 1e52 / 7]])
    found = enclosure(problem)
    assert found.lower.deltas[0][0, :2] == pytest.approx([-0.5, 0.5], abs=1e-15)
    assert found.upper.deltas[0][0, :2] == pytest.approx([-0.5, 0.5], abs=1e-15)
