"""Code that only updates its weights: adapt reads the gradient off the update, and says what the reading hides."""

import numpy as np
import pytest

from backproof import Gradient, Problem, TargetError, adapt, check, gradient, verify
from backproof.targets.target import InProcess
from backproof.targets.updates import DIGITS_KEPT, Rate, Reading, allowed_for
from properties.answers.answer import Declined

NARROW = ("float64", "float32", "float16", "bfloat16")


def derivatives(weights, biases, activations, x, y):
    """(list of dC/dW, list of dC/db), None where a layer has no biases."""
    answer = gradient(Problem(weights, biases=biases, activations=activations, x=x, y=y))
    return answer.weights, [None if b is None else db for b, db in zip(biases, answer.biases, strict=True)]


def less(parts, rate, slopes):
    return [None if part is None else (part - rate * slope).astype(part.dtype) for part, slope in zip(parts, slopes, strict=True)]


def in_place(weights, biases, activations, x, y, lr=0.1):
    dW, db = derivatives(weights, biases, activations, x, y)
    for part, slope in [*zip(weights, dW, strict=True), *zip(biases, db, strict=True)]:
        if part is not None:
            part -= lr * slope
    return 0.5 * np.sum(y**2)  # as people return the loss


def rebound_in_its_list(weights, biases, activations, x, y, lr=0.1):
    dW, db = derivatives(weights, biases, activations, x, y)
    weights[:], biases[:] = less(weights, lr, dW), less(biases, lr, db)


def returned(weights, biases, activations, x, y, lr=0.1):
    dW, db = derivatives(weights, biases, activations, x, y)
    return less(weights, lr, dW), less(biases, lr, db)


def returned_in_pairs(*parts, **rate):
    return list(zip(*returned(*parts, **rate), strict=True))


def fixed(weights, biases, activations, x, y):
    in_place(weights, biases, activations, x, y, 0.1)


def fixed_at_a_power_of_two(weights, biases, activations, x, y):
    return returned(weights, biases, activations, x, y, 0.5)


RIGHT = [
    (in_place, "lr"),
    (rebound_in_its_list, {"lr": 0.1}),
    (returned, "lr"),
    (returned_in_pairs, "lr"),
    (fixed, 0.1),
    (fixed_at_a_power_of_two, 0.5),
]


@pytest.mark.parametrize("precision", NARROW)
@pytest.mark.parametrize(("f", "rate"), RIGHT, ids=[f.__name__ for f, _ in RIGHT])
def test_right_updates_are_right(f, rate, precision):
    report = check(adapt(f, returns="updated", learning_rate=rate), max_examples=6, seed=2, precision=precision, shrink_seconds=0)
    assert report.verdict == "right", str(report)


def off_by(share):
    def f(weights, biases, activations, x, y, lr=0.1):
        return returned(weights, biases, activations, x, y, lr * (1 + share))

    return f


def upwards(weights, biases, activations, x, y, lr=0.1):
    return in_place(weights, biases, activations, x, y, -lr)


def biases_never_trained(weights, biases, activations, x, y, lr=0.1):
    return returned(weights, biases, activations, x, y, lr)[0], biases


@pytest.mark.parametrize(
    ("f", "rate"),
    [
        (upwards, "lr"),
        (biases_never_trained, "lr"),
        (biases_never_trained, 0.1),
        (off_by(1e-13), "lr"),
        # a reading at one rate allows at most 2^-20 of what is read
        (off_by(2.0**-19), 0.1),
    ],
    ids=["upwards", "biases never trained", "biases never trained at a fixed rate", "off by 1e-13", "off by 2e-6 at a fixed rate"],
)
def test_wrong_updates_are_wrong(f, rate):
    report = check(adapt(f, returns="updated", learning_rate=rate), max_examples=8, seed=2, shrink_seconds=0)
    assert "wrong" in {finding.verdict for finding in report.findings}


TWO_LAYERS = Problem([[[2.0]], [[4.0]]], activations=["identity", "identity"], x=[[1.0]], y=[[7.0]])


def in_the_wrong_order(weights, biases, activations, x, y, lr=0.1):
    """The last layer's weights are updated before the error goes down through them."""
    hidden = x @ weights[0].T
    error = hidden @ weights[1].T - y
    weights[1] -= lr * error.T @ hidden
    weights[0] -= lr * (error @ weights[1]).T @ x


@pytest.mark.parametrize(("rate", "own"), [("lr", 0.1), ({"lr": 0.5}, 0.5), (0.1, 0.1)])
def test_what_depends_on_the_rate_is_shown_at_the_users_own(rate, own):
    target = adapt(in_the_wrong_order, returns="updated", learning_rate=rate, supports={"biases": False})
    if rate == {"lr": 0.5}:
        assert "as it is at 0.5" in target.notes[0]
    elif rate == 0.1:
        target = adapt(lambda *parts: in_the_wrong_order(*parts), returns="updated", learning_rate=rate)
    answer = InProcess(target)(TWO_LAYERS).gradient
    # by hand: a1 = 2, a2 = 8, error 1, dC/dW2 = 2, and the error goes down through 4 - 2 rate
    np.testing.assert_allclose(answer.weights[0], 4 - 2 * own, rtol=1e-14)
    np.testing.assert_allclose(answer.weights[1], 2.0, rtol=1e-14)


@pytest.mark.parametrize("precision", NARROW)
def test_a_rate_that_is_a_parameter_gives_every_bit(precision):
    """W is lost beside the step, so that what is read is what f computed, with the smallest numbers too."""
    dtype = InProcess(lambda problem: problem, precision=precision)._dtype
    slope = np.array([1 / 3, -1e-3, 7.0, 0.0, 2.0**-9], dtype)

    def f(weights, biases, activations, x, y, lr):
        weights[0] -= dtype.type(lr) * slope

    problem = Problem([[[3.0, -1.0, 0.7, 0.3, 0.1]]], activations=["identity"], x=[[1.0] * 5], y=[[1.0]])
    target = adapt(f, returns="updated", learning_rate="lr")
    answer = InProcess(target, precision=precision)(problem).gradient.weights[0]
    if precision in ("float64", "float32"):
        assert answer.tolist() == [slope.astype(np.float64).tolist()]
    else:
        exact = gradient(problem).weights[0]
        off = np.abs(answer.astype(np.float64) - slope.astype(np.float64))
        assert (off <= np.abs(exact) * 2.0**-2 + 2.0**-6).all()


def test_of_a_reading_it_is_known_by_how_much_it_may_be_off():
    rng = np.random.default_rng(3)
    for rate in (0.1, 0.5, 3.0, 1e-3, 2.0**20):
        before, slope = rng.normal(size=200) * 2.0 ** rng.integers(-30, 30, 200), rng.normal(size=200)
        reading = Reading.at(rate, before, before - rate * slope)
        assert (np.abs(reading.value - slope) <= reading.error).all()
        # and not by far more: half an ulp of W' and of what is subtracted, over the rate
        size = np.maximum(np.abs(before), np.abs(rate * slope)) / rate
        assert (reading.error <= 8 * 2.0**-53 * (size + np.abs(slope))).all()


WIDE = Problem([[[2.0**40, 1.0]]], activations=["identity"], x=[[1.0, 1.0]], y=[[2.0**40]])


def test_nothing_is_said_where_rounding_hides_the_gradient():
    """dC/dW is (1, 1); beside a W of 2^40 a step of 0.001 keeps 2 digits of it: no right answer, and no wrong one."""
    session = InProcess(adapt(lambda *parts: returned(*parts, lr=0.001), returns="updated", learning_rate=0.001))
    answer = session(WIDE)
    assert answer.declined
    assert answer.message == "the update says too little of layer 1: dC/dW: rounding of the updated weights hides it"
    by_name = InProcess(adapt(returned, returns="updated", learning_rate="lr"))(WIDE)
    assert verify(WIDE, by_name.gradient).verdict == "right"


def test_what_is_allowed_hides_no_error_that_shows():
    problem = Problem([[[1.0, 1.0]]], activations=["identity"], x=[[1.0, 1.0]], y=[[1.0]])  # dC/dW is (1, 1)
    least = 2.0 ** -(DIGITS_KEPT * 53)

    def judged(read, off):
        return allowed_for(problem, Gradient([np.array([read])]), Gradient([np.array([off])])).weights[0].tolist()

    assert judged([1 + 1e-12, 1.0], [1e-11, 0.0]) == [[1.0, 1.0]]
    assert judged([1 + 3e-12, 1.0], [1e-12, 0.0]) == [[1 + 3e-12 - 1e-12, 1.0]]
    assert judged([1 + 1e-12, 2.0], [1e-3, 0.0]) == [[1.0, 2.0]]  # what is wrong beside it is told
    with pytest.raises(Declined):
        judged([1.0, 1.0], [2 * least, 0.0])
    assert judged([1.0, 1.0], [least / 2, 0.0]) == [[1.0, 1.0]]


def test_an_update_that_reaches_nothing_is_told():
    def f(weights, biases, activations, x, y, lr):
        weights = returned(weights, biases, activations, x, y, lr)[0]

    answer = InProcess(adapt(f, returns="updated", learning_rate="lr"))(TWO_LAYERS)
    assert answer.verdict == "malformed"
    assert answer.message.startswith("f leaves all weights and biases as they were: return the new ones, or write to what it is given")


def test_derivatives_in_place_of_updates_are_told():
    target = adapt(lambda *parts, lr: derivatives(*parts), returns="updated", learning_rate="lr")
    answer = InProcess(target)(TWO_LAYERS)
    assert answer.verdict == "malformed"
    assert answer.message == (
        "the update does not depend on lr: f leaves the same numbers whatever it is; use it in the update, or say learning_rate=0.1, the "
        'number that is fixed in the code; if f answers derivatives, leave returns="updated" out'
    )


@pytest.mark.parametrize("y", [7.0, 1e30], ids=["moderate", "so large that W is lost in the update"])
def test_a_rate_that_is_not_used_is_told(y):
    def f(weights, biases, activations, x, y, lr):
        return returned(weights, biases, activations, x, y, 0.1)

    answer = InProcess(adapt(f, returns="updated", learning_rate="lr"))(TWO_LAYERS.replaced(y=[[y]]))
    assert answer.verdict == "malformed"
    assert answer.message.startswith("the update does not depend on lr: ")


def by_turns(weights, biases, activations, x, y, lr=0.1):
    """One flat tuple, as people return W1, b1, W2, b2."""
    return tuple(part for pair in zip(*returned(weights, biases, activations, x, y, lr), strict=True) for part in pair if part is not None)


def weights_first(weights, biases, activations, x, y, lr=0.1):
    updated = returned(weights, biases, activations, x, y, lr)
    return (*updated[0], *(bias for bias in updated[1] if bias is not None), 0.25)  # and the loss


@pytest.mark.parametrize("f", [by_turns, weights_first])
def test_one_flat_tuple_is_read(f):
    target = adapt(f, returns="updated", learning_rate="lr")
    report = check(target, max_examples=8, seed=2, shrink_seconds=0)
    assert report.verdict == "right", str(report)
    wrong = adapt(lambda *parts, lr=0.1: f(*parts, 2 * lr), returns="updated", learning_rate="lr")
    assert check(wrong, max_examples=4, seed=2, shrink_seconds=0).verdict == "wrong"


def test_where_shapes_do_not_tell_the_order_nothing_is_guessed():
    def f(weights, biases, activations, x, y, lr):
        flat = by_turns(weights, [bias.reshape(-1) for bias in biases], activations, x, y, lr)
        return [part.reshape(1, 1) for part in flat]

    problem = TWO_LAYERS.replaced(biases=[[0.5], [0.25]])
    answer = InProcess(adapt(f, biases="column", returns="updated", learning_rate="lr"))(problem)
    assert answer.declined
    assert "the shapes do not tell whether f answers W1, b1, W2, b2 or W1, W2, b1, b2" in answer.message


def test_weights_of_another_shape_are_told():
    def f(weights, biases, activations, x, y, lr):
        weights[0] = np.ones((5, 5))

    answer = InProcess(adapt(f, returns="updated", learning_rate="lr"))(TWO_LAYERS)
    assert answer.message == (
        "f neither answers weights of the shapes [(1, 1), (1, 1)] nor leaves such in what it was given: expected updated weights"
    )


def test_a_report_says_how_the_gradient_was_read():
    (note,) = check(adapt(fixed, returns="updated", learning_rate=0.1), max_examples=2, seed=1).notes
    assert note.startswith(
        "the gradient was read off updates at the rate 0.1: half an ulp of each updated number over that rate is allowed"
    )
    assert Rate("lr", 0.1).note.startswith("the gradient was read off updates at several rates lr, powers of two")


UPDATES_FILE = """
from backproof import adapt
from tests.test_backproof_updates import fixed, WIDE
target = adapt(lambda *parts: fixed(*parts), returns="updated", learning_rate=0.1)
"""


def test_a_process_of_its_own_says_so_too(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(UPDATES_FILE)
    report = check(f"{file}:target", max_examples=20, seed=2)
    assert report.passed
    assert report.examples > report.judged  # of some the update says too little
    assert "at the rate 0.1" in report.notes[0]


REFUSED = [
    (
        {"returns": "updated"},
        "adapt: learning_rate is None: where returns is 'updated', expected the name of f's parameter (f takes weights, biases, "
        'activations, x, y, lr), such as "learning_rate", with the rate that you use as {"learning_rate": 0.1}, or the number that is '
        "fixed in the code",
    ),
    ({"returns": "updated", "learning_rate": "eta"}, "adapt: learning_rate is 'eta', but f takes weights, biases, activations, x, y, lr"),
    ({"returns": "updated", "learning_rate": 0.0}, "adapt: learning_rate is 0.0: where returns is 'updated', expected the name"),
    ({"learning_rate": 0.1}, "adapt: learning_rate is 0.1, but returns is 'weights_biases': expected 'updated'"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_a_rate_that_cannot_be_understood_is_refused(options, message):
    with pytest.raises(TargetError) as told:
        adapt(in_place, **options)
    assert str(told.value).startswith(message)


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize(("f", "rate"), [(in_place, "lr"), (fixed, 0.1)], ids=["lr", "0.1"])
def test_updates_of_real_sizes_are_right(f, rate, precision):
    target = adapt(f, returns="updated", learning_rate=rate)
    assert check(target, max_examples=4, seed=5, sizes="real", precision=precision, shrink_seconds=0).verdict == "right"


def test_what_is_off_at_a_fixed_rate_is_wrong_in_real_sizes_too():
    target = adapt(off_by(2.0**-18), returns="updated", learning_rate=0.1)
    report = check(target, max_examples=4, seed=5, sizes="real", shrink_seconds=0)
    assert report.findings[0].verdict == "wrong"


def test_who_forgets_to_say_that_f_updates_is_told():
    answer = InProcess(adapt(in_place))(TWO_LAYERS)
    assert answer.verdict == "malformed"
    assert 'say backproof.adapt(f, returns="updated", learning_rate=...)' in InProcess(adapt(rebound_in_its_list))(TWO_LAYERS).message
