"""The factors of right targets come back within the error of reading, those of wrong ones as they are; else nothing is read."""

import numpy as np
import pytest

from backproof import Gradient, Problem
from backproof.targets.target import InProcess
from properties.answers.answer import Answer
from properties.diagnosis.asked import Asked, Simulated, asked_all
from properties.diagnosis.explanation import Layer, Reader, _is_within, raw_delta
from properties.diagnosis.ladder import Rung
from properties.diagnosis.placing import boxes
from properties.diagnosis.read_outs import crossing, matrix, own_delta, samples, shown
from properties.diagnosis.table import Table
from properties.diagnosis.variant import named
from properties.faults.fault import STEPS, Network
from properties.faults.table import FAULTS
from properties.verdict import Verdict
from rounding.precisions import PRECISIONS
from tests.posed_networks import posed

FLOAT64 = PRECISIONS["float64"]
RIGHT = Network(answers=("weights", "biases"))


def asked(target, problem):
    return Asked(Rung(problem, "network"), InProcess(target)(problem), FLOAT64)


def fault(name):
    return FAULTS[name].answering(("weights", "biases"))


def reading(target, problem, without=()):
    return Reader(Table(without), Network()).read(asked(target, problem))


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("biased", [True, False])
def test_delta_of_each_sample_is_read_off_the_products(batch, biased):
    one = asked(RIGHT, posed(4, 3, 2, batch=batch, biased=biased))
    for layer, exact in enumerate(one.exact.passes.backward.deltas, 1):
        inputs = one.problem.widths[layer - 1]
        read = own_delta(one, layer)
        if inputs + biased > batch:
            assert read == pytest.approx(exact, rel=1e-10)
        else:
            assert read is None


def test_as_many_equations_as_samples_are_not_read():
    # with as many, every dC/dW is explained by some delta: a wrong index in equation 4 would be read as a wrong delta
    rng = np.random.default_rng(1)
    a, delta = rng.normal(size=(3, 2)), rng.normal(size=(3, 2))
    weights, bias = delta.T @ a, delta.sum(axis=0)
    assert raw_delta(a, weights, bias, 1e-13) is None
    assert raw_delta(a[:2], delta[:2].T @ a[:2], delta[:2].sum(axis=0), 1e-13) == pytest.approx(delta[:2])


def test_products_that_no_delta_has_are_not_read_as_one():
    rng = np.random.default_rng(1)
    a, delta = rng.normal(size=(1, 3)), rng.normal(size=(1, 2))
    weights = delta.T @ a
    weights[0, 1] *= 1 + 1e-9
    assert raw_delta(a, weights, delta[0], 1e-13) is None


def test_the_matrix_of_a_right_target_is_w():
    read = matrix(InProcess(RIGHT), posed(3, 3, 3), FLOAT64)
    assert read.note == ""
    assert 0 < read.error < 1e-10
    assert all(abs(exact - got) <= read.error for _, _, exact, got in read.rows)


def test_the_matrix_of_w_untransposed_is_its_transpose():
    problem = posed(3, 3, 3)
    read = matrix(InProcess(fault("forgot_transpose")), problem, FLOAT64)
    assert len(read.rows) == 8
    for j, k, _, got in read.rows:
        assert got == pytest.approx(problem.weights[-1][int(k), int(j)], abs=read.error)


def test_updated_weights_are_no_matrix():
    assert matrix(InProcess(fault("used_updated_weights")), posed(3, 3, 3), FLOAT64).note.startswith("it is no matrix")


def test_each_sample_of_a_right_target_counts_one():
    for reduction in ("sum", "mean"):
        read = samples(InProcess(RIGHT), posed(3, 3, 2, batch=4, reduction=reduction), FLOAT64)
        assert [row[1:] for row in read.rows] == [pytest.approx((1.0, 1.0, 1.0), abs=1e-12)] * 4


def test_a_dropped_sample_counts_nothing():
    read = samples(InProcess(fault("dropped_the_last_sample")), posed(3, 3, 2, batch=4), FLOAT64)
    assert [row[2] for row in read.rows] == pytest.approx([1, 1, 1, 0], abs=1e-12)


def family(target, problem):
    rng = np.random.default_rng(3)
    others = [problem.replaced(y=problem.y + rng.uniform(0.2, 0.9, problem.y.shape)) for _ in range(2)]
    return [asked(target, each) for each in (problem, *others)]


def test_the_outputs_of_a_right_forward_pass_are_read_where_the_error_crosses_zero():
    found = crossing(family(RIGHT, posed(3, 3, 2)))
    assert found.linear
    assert not found.off
    assert found.read == pytest.approx(found.exact, rel=1e-10)
    assert found.factors == pytest.approx([1, 1])


@pytest.mark.parametrize(
    ("name", "off"), [("forgot_the_bias_in_the_forward_pass", True), ("doubled_the_error", False), ("forgot_transpose", False)]
)
def test_a_wrong_forward_pass_is_seen_and_a_wrong_factor_is_none(name, off):
    found = crossing(family(fault(name), posed(3, 3, 3)))
    assert found.linear
    assert found.off == off


def test_an_error_that_does_not_know_y_says_nothing_of_the_outputs():
    found = crossing(family(fault("forgot_the_expected_outputs"), posed(3, 2)))
    assert not found.linear
    assert not found.off


def test_what_lies_below_a_mistake_is_no_consequence():
    read = reading(fault("doubled_the_error"), posed(3, 3, 3, 2, batch=2))
    assert [layer.delta for layer in read.layers] == ["off", "ok", "ok"]
    assert "doubled_the_error" in [row.name for row in read.layers[0].by_delta]
    assert boxes(read, "output_error", 3)[:3] == [("loss", "X"), ("samples", "ok"), ("g'3", "ok")]


def test_two_mistakes_separate_by_themselves():
    network = Network(FAULTS["doubled_the_error"].changed | FAULTS["left_out_the_last_row"].changed, ("weights", "biases"))
    read = reading(network, posed(3, 3, 2))
    assert [(layer.delta, layer.weights, layer.biases) for layer in read.layers] == [("off", "off", "ok"), ("ok", "off", "ok")]


def test_a_right_target_has_no_factor_that_is_off():
    for batch in (1, 2, 3):
        read = reading(RIGHT, posed(3, 4, 2, batch=batch, activations=["relu", "sigmoid"]))
        assert read.off == 0
        assert {said for _, said in boxes(read, "", 0)} == {"ok"}


def test_what_no_variant_explains_is_read_by_itself():
    problem = posed(3, 3, 2, activations=["tanh", "identity"])
    changed = {"slope": lambda p, layer: np.cos(p.z[layer]) if layer == 1 else np.ones_like(p.z[layer])}
    read = reading(Network(changed, ("weights", "biases")), problem)
    hidden = read.layers[1]
    assert (hidden.delta, hidden.by_delta) == ("off", [])
    table = shown(read.asked, hidden, "slope", hidden.error)
    for z, right, got in table.rows:
        assert right == pytest.approx(1 / np.cosh(z) ** 2)
        assert abs(got - np.cos(z)) <= table.error


def test_a_softmax_whose_jacobian_is_taken_as_diagonal_shows_what_is_lost():
    # its diagonal alone would look right
    problem = posed(2, 3, activations=["softmax"])
    read = reading(fault("took_a_diagonal_jacobian_for_softmax"), problem)
    table = shown(read.asked, read.layers[0], "slope", read.layers[0].error)
    p, error = read.asked.exact.passes.forward.activations[1][0], read.asked.exact.passes.backward.errors[0][0]
    order = np.argsort(read.asked.exact.passes.forward.pre_activations[0][0])
    assert [right for _, right, _ in table.rows] == pytest.approx((p * (error - p @ error))[order])
    assert [got for _, _, got in table.rows] == pytest.approx((p * (1 - p) * error)[order])


def test_a_sample_without_an_error_is_given_one_to_show_what_it_counts():
    problem = Problem([[[1.0]]], activations=["identity"], x=[[0.0], [1.0]], y=[[0.0], [0.0]], biases=[[0.0]], reduction="mean")
    read = samples(InProcess(fault("averaged_twice")), problem, FLOAT64)
    assert [row[3] for row in read.rows] == pytest.approx([0.5, 0.5])


def test_where_nothing_is_claimed_every_prediction_agrees():
    """Where a probability is 1 within rounding, the loss's derivative is no number, and no mistake is ruled out by it."""
    saturated = Problem(
        [[[-0.82, -0.33], [1.09, -0.87], [1.03, -0.82]], [[30.0, 27.0, -47.0], [-35.0, -58.0, -39.0]]],
        activations=["tanh", "sigmoid"],
        biases=[[0.24, -0.21, -0.37], [0.25, 0.25]],
        x=[[-0.95, 1.13], [0.55, -1.2]],
        y=[[0.25, 0.5], [0.25, 0.5]],
        loss="binary_cross_entropy_of_probabilities",
    )
    answer = InProcess(lambda problem: Gradient([0 * w for w in problem.weights], [0 * b for b in problem.biases]))(saturated)
    one = Asked(Rung(saturated, "network"), answer, FLOAT64, learning_rate=0.5)
    assert np.isnan(one.right).any()
    assert one.agrees(one.simulate({}))
    assert one.agrees(one.simulate(FAULTS["forgot_the_slope_of_hidden_layers"].changed))


def raises(*given):
    raise ValueError("no such shape")


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("output_error", []),
        ("delta", [("unread", "unread", "unread")]),
        # the products are off, whatever explains them, and delta goes on down
        ("weight_gradient", [("ok", "off", "off"), ("ok", "off", "off")]),
        # off the products of the first layer, beside an error that is NaN
        ("error_below", [("ok", "ok", "ok"), ("off", "ok", "ok")]),
    ],
)
def test_beside_a_step_that_raises_what_needs_it_is_off_or_not_read(step, said):
    read = Reader(Table(), Network({step: raises})).read(asked(RIGHT, posed(2, 3, 2, batch=3)))
    assert [(layer.delta, layer.weights, layer.biases) for layer in read.layers] == said


def test_a_product_of_another_shape_is_not_what_was_answered():
    base = Network({"weight_gradient": lambda p, layer: STEPS["weight_gradient"](p, layer).T})
    (layer,) = Reader(Table(), base).read(asked(RIGHT, posed(2, 3, batch=4))).layers
    assert (layer.weights, layer.biases) == ("off", "ok")


@pytest.mark.parametrize("step", ["slope", "delta"])
def test_a_variant_that_raises_explains_nothing_and_the_next_is_tried(step):
    class Raising(Table):
        def of(self, of, function=""):
            return [*([named(of, "raised", "it raises", raises)] if of == step else ()), *super().of(of, function)]

    one = asked(fault("used_activation_for_pre_activation"), posed(3, 2, activations=["tanh"]))
    (layer,) = Reader(Raising(), Network()).read(one).layers
    names = [row.name for row in layer.by_delta]
    assert "used_activation_for_pre_activation" in names
    assert "raised" not in names


def test_biases_that_were_not_answered_are_not_within_rounding():
    right, without = (asked(target, posed(3, 2, biased=biased)) for target, biased in ((RIGHT, True), (RIGHT, False)))
    assert _is_within(right, "biases", 1)
    assert not _is_within(without, "biases", 1)


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        (RIGHT, posed(3, 3)),
        (RIGHT, posed(3, 3, 3, batch=2)),
        (raises, posed(3, 3, 3)),
        # delta of a layer with one input and no biases
        (RIGHT, posed(1, 3, 3, biased=False)),
    ],
    ids=["one layer", "two samples", "no answer", "delta unread"],
)
def test_no_matrix_is_read(target, problem):
    assert matrix(InProcess(target), problem, FLOAT64) is None


CLASSES = posed(3, 2, batch=2).replaced(loss="softmax_cross_entropy", y=np.eye(2))


@pytest.mark.parametrize(
    ("target", "problem"),
    [(RIGHT, posed(3, 2)), (RIGHT, CLASSES), (raises, posed(3, 2, batch=2))],
    ids=["one sample", "a loss of no differences", "no answer"],
)
def test_what_samples_count_is_not_read(target, problem):
    assert samples(InProcess(target), problem, FLOAT64) is None


def test_a_factor_without_a_delta_or_an_error_has_no_picture():
    one = asked(RIGHT, posed(3, 2))
    delta = own_delta(one, 1)
    assert shown(one, Layer(1, "off", own=delta, right=delta), "slope", None) is None
    assert shown(one, Layer(1, "off", right=delta), "slope", delta) is None


def test_a_refused_answer_is_neither_off_nor_what_a_network_answers():
    one = asked(raises, posed(3, 2))
    assert one.refused
    assert not one.is_off
    assert not one.agrees(one.simulate({}))
    # and without an answer nothing is known of how far a prediction must be off
    doubled = one.simulate(FAULTS["doubled_the_error"].changed)
    assert not one.is_wrong(doubled)
    assert one.is_wrong(Simulated(None))
    answered = asked(RIGHT, posed(3, 2))
    assert answered.is_wrong(doubled)
    assert not answered.is_wrong(answered.simulate({}))


def test_an_answer_leaves_the_range_where_a_number_is_not_finite_that_must_be():
    def infinite(problem):
        given = RIGHT(problem)
        return Gradient([w * np.inf for w in given.weights], given.biases)

    assert asked(infinite, posed(3, 2)).leaves_the_range
    assert not asked(RIGHT, posed(3, 2)).leaves_the_range
    assert not asked(raises, posed(3, 2)).leaves_the_range


def test_a_prediction_with_fewer_numbers_is_not_what_was_answered():
    one = asked(RIGHT, posed(3, 2))
    right = one.simulate({})
    assert one.agrees(right)
    assert not one.agrees(Simulated(right.numbers[:-1]))


def test_a_network_that_leaves_out_what_the_target_answers_is_malformed():
    one = asked(Network(answers=("weights", "biases", "deltas")), posed(3, 2))
    bare = one.simulate({"answer": lambda p: Gradient([p.weights[1]], [p.biases[1]])})
    assert (bare.numbers, bare.verdict) == (None, Verdict.MALFORMED)
    assert one.simulate({}).numbers is not None


@pytest.mark.parametrize("last", [Answer(None, Verdict.RAISES, gone=True), Answer(None, Verdict.TIMES_OUT)], ids=["gone", "late"])
def test_what_is_declined_is_left_out_and_a_target_that_is_gone_is_asked_no_more(last):
    problems = [posed(3, 2, seed=seed) for seed in range(4)]
    answers = [Answer(None, None, "not this"), InProcess(RIGHT)(problems[1]), last]
    found = asked_all(lambda problem: answers.pop(0), [Rung(problem, "network") for problem in problems], lambda _: FLOAT64, lambda: True)
    assert [one.problem for one in found] == problems[1:3]
    assert [one.refused for one in found] == [False, True]


def test_what_is_off_in_the_gradient_by_x_alone_is_shown_there():
    """With NaN in it, and all above as it should be."""
    right = Network(answers=("weights", "biases", "x"))

    def target(problem):
        given = right(problem)
        return Gradient(given.weights, given.biases, x=np.where(np.arange(given.x.shape[1]) == 1, np.nan, given.x))

    problem = posed(3, 2, batch=2).replaced(wants=("x",))
    read = reading(target, problem)
    (layer,) = read.layers
    table = shown(read.asked, layer, "error_below", layer.error)
    exact = read.asked.exact.reference.x
    assert [row[:2] for row in table.rows if not np.isfinite(row[3])] == [(0.0, 1.0), (1.0, 1.0)]
    assert [row[2] for row in table.rows] == pytest.approx(exact.ravel(), rel=1e-12)


def test_of_what_is_0_by_itself_a_prediction_may_be_off_by_some_units_of_the_largest_of_its_array():
    """A sample without a weight: nothing says how far off its error is, that another network does not multiply by 0."""
    one = asked(RIGHT, posed(3, 2, batch=1, sample_weights=[0.0], loss="half_squared_error"))
    right = one.simulate({}).numbers
    off = np.zeros_like(right)
    assert not right.any()
    off[0] = 1.0
    within, beyond = off.copy(), off.copy()
    within[1], beyond[1] = 8e-16, 8e-14
    one.__dict__["got"] = off
    assert one.agrees(Simulated(within))
    assert not one.agrees(Simulated(beyond))
    # dC/db is another array
    within[1], within[-1] = 0.0, 8e-16
    assert not one.agrees(Simulated(within))


def test_what_is_no_number_is_apart_from_what_is_one():
    one = asked(RIGHT, posed(3, 2))
    right = one.simulate({})
    assert one.are_apart(right, Simulated(right.numbers * np.nan))
    assert not one.are_apart(Simulated(right.numbers * np.nan), Simulated(right.numbers * np.nan))
