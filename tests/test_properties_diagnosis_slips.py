"""A slip in the gradient of one layer alone, as a student makes it: named with its layer, whatever else of the network is right."""

import numpy as np
import pytest
from scipy.special import expit, ndtr

from backproof import Gradient
from backproof.targets.target import InProcess
from properties.diagnosis.examination import diagnose
from properties.faults.fault import Network
from properties.problems.support import Support

STUDENT = {"activations": ["tanh"], "losses": ["half_squared_error"], "reductions": ["mean"], "biases": True}


def slipping(slip, transposed=True):
    """A network of tanh by hand, whose answer is changed by slip(problem, list of dC/dW, list of dC/db)."""

    def target(problem):
        a = [problem.x]
        for w, b in zip(problem.weights, problem.biases, strict=True):
            a.append(np.tanh(a[-1] @ w.T + b))
        delta, weights, biases = (a[-1] - problem.y) / problem.batch * (1 - a[-1] ** 2), [], []
        for layer in range(problem.depth - 1, -1, -1):
            weights.insert(0, delta.T @ a[layer])
            biases.insert(0, delta.sum(axis=0))
            if layer:
                delta = (delta @ (problem.weights[layer] if transposed else problem.weights[layer].T)) * (1 - a[layer] ** 2)
        slip(problem, weights, biases)
        return Gradient(weights, biases)

    return target


def times(listed, layer, factor):
    listed[layer] = listed[layer] * factor


SLIPS = {
    "dW of the output layer": (lambda q, dw, db: times(dw, -1, 2), "doubled_dw", "in the output layer alone"),
    "dW of the first layer": (lambda q, dw, db: times(dw, 0, 2), "doubled_dw", "in "),
    "db of the first layer": (lambda q, dw, db: times(db, 0, 4), "multiplied_db_by_4", "in "),
    "1/batch of the first layer": (lambda q, dw, db: times(dw, 0, q.batch), "multiplied_by_the_batch_size_dw", "in "),
}


RIGHT = Network(answers=("weights", "biases"))


def of_some(problem, chosen):
    """dC/dW and dC/db of the first layer, of some samples and not divided by their number; 0 where there is none."""
    if not problem.batch - (chosen.start or 0):
        return 0 * problem.weights[0], 0 * problem.biases[0]
    some = problem.of_samples(chosen)
    given = RIGHT(some)
    return given.weights[0] * some.batch, given.biases[0] * some.batch


def put(listed, layer, array):
    listed[layer] = array + 0 * listed[layer]


WITHOUT_THE_FIRST, THE_FIRST = slice(1, None), slice(0, 1)

OF_THE_FIRST_LAYER = {
    # of tanh, where no weight of a saturated node tells whether the mistake is made there: such numbers are right with it too
    "forgot_the_bias_gradient": lambda q, dw, db: put(db, 0, 0.0),
    "took_one_sum_for_all_biases": lambda q, dw, db: put(db, 0, db[0].sum()),
    "took_the_first_sample_for_all_in_db": lambda q, dw, db: put(db, 0, of_some(q, THE_FIRST)[1]),
    "summed_dw_from_the_second_sample_on": lambda q, dw, db: put(dw, 0, of_some(q, WITHOUT_THE_FIRST)[0] / q.batch),
    "summed_db_from_the_second_sample_on": lambda q, dw, db: put(db, 0, of_some(q, WITHOUT_THE_FIRST)[1] / q.batch),
    "divided_dw_by_the_inputs_in_place_of_the_batch_size": lambda q, dw, db: times(dw, 0, q.batch / q.x.shape[1]),
    "divided_db_by_the_nodes_in_place_of_the_batch_size": lambda q, dw, db: times(db, 0, q.batch / len(q.weights[0])),
}


@pytest.mark.parametrize("cause", OF_THE_FIRST_LAYER)
def test_a_mistake_in_the_first_of_two_layers_is_named_by_itself(cause):
    target = slipping(OF_THE_FIRST_LAYER[cause])
    (told,) = diagnose(InProcess(target), Support.of(STUDENT | {"depth": (2, 2)}), seconds=600.0)
    assert (told.cause, told.layer, told.shows_when) == (cause, 1, "in hidden layers")


def test_a_right_answer_of_saturated_nodes_says_nothing_of_where_a_mistake_is_made():
    """delta of 1e-223 that is answered as 0 is right, and would be so with the mistake too."""

    def target(problem):
        given = RIGHT(problem)
        return Gradient(given.weights, [*(0 * b for b in given.biases[:-1]), given.biases[-1]])

    supports = STUDENT | {"losses": ["summed_binary_cross_entropy_of_probabilities"], "output_activations": ["sigmoid"], "depth": (2, 2)}
    (told,) = diagnose(InProcess(target), Support.of(supports), seconds=600.0)
    assert (told.cause, told.shows_when) == ("forgot_the_bias_gradient", "in hidden layers")


def test_the_simplest_mistake_leads_though_others_give_more_answers_where_they_are_made_everywhere():
    """dC/db of the last layer left at 0: behind a softmax the sum over its nodes is 0 too, and in hidden layers of one node it is right."""

    def target(problem):
        given = RIGHT(problem)
        return Gradient(given.weights, [*given.biases[:-1], 0 * given.biases[-1]])

    supports = {"activations": ["relu"], "output_activations": ["identity"], "losses": ["softmax_cross_entropy"], "reductions": ["mean"]}
    (told,) = diagnose(InProcess(target), Support.of(supports | {"depth": (2, 2), "biases": True}), seconds=600.0)
    assert (told.cause, told.shows_when) == ("forgot_the_bias_gradient", "in the output layer")
    assert "took_one_sum_for_all_biases" in told.same_as


def student(slope, error, activation):
    """A network of two layers by hand, whose hidden activation is some function with the slope given, and whose last layer is linear."""

    def target(problem):
        (w1, w2), (b1, b2) = problem.weights, problem.biases
        z = problem.x @ w1.T + b1
        a = activation(z)
        delta = error(a @ w2.T + b2, problem.y) / problem.batch
        below = (delta @ w2) * slope(z)
        return Gradient([below.T @ problem.x, delta.T @ a], [below.sum(axis=0), delta.sum(axis=0)])

    return target


def probabilities(a):
    e = np.exp(a - a.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def relu(z):
    return np.maximum(z, 0.0)


OF_A_FUNCTION = {
    "forgot_z_in_the_slope_of_silu": (
        "silu",
        lambda z: expit(z) + expit(z) * expit(-z),
        lambda z: z * expit(z),
        "half_squared_error",
        lambda a, y: a - y,
    ),
    "forgot_z_in_the_slope_of_gelu": (
        "gelu",
        lambda z: ndtr(z) + np.exp(-z * z / 2) / np.sqrt(2 * np.pi),
        lambda z: z * ndtr(z),
        "half_squared_error",
        lambda a, y: a - y,
    ),
    # p - y loses digits where p is near 1, which is no second mistake, though g' should be 0 there and is 1
    "took_an_inverted_step_for_the_slope_of_relu": (
        "relu",
        lambda z: (z <= 0) * 1.0,
        relu,
        "softmax_cross_entropy",
        lambda a, y: probabilities(a) - y,
    ),
    "took_softmax_and_y_for_the_derivative_of_softmax_cross_entropy": (
        "relu",
        lambda z: (z > 0) * 1.0,
        relu,
        "softmax_cross_entropy",
        lambda a, y: probabilities(a) + y,
    ),
}


@pytest.mark.parametrize("cause", OF_A_FUNCTION)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_mistake_in_one_function_is_named_by_itself(cause, seed):
    name, slope, activation, loss, error = OF_A_FUNCTION[cause]
    supports = {"activations": [name], "output_activations": ["identity"], "losses": [loss], "reductions": ["mean"], "biases": True}
    supports |= {"depth": (2, 2), "expected": "one_hot"} if loss == "softmax_cross_entropy" else {"depth": (2, 2)}
    (told,) = diagnose(InProcess(student(slope, error, activation)), Support.of(supports), seed=seed, seconds=600.0)
    assert told.cause == cause


@pytest.mark.parametrize(("factor", "cause"), [(0.5, "halved_the_penalty"), (0.75, "multiplied_the_penalty_by_0.75")])
def test_a_penalty_that_is_too_small_is_no_decay_that_was_not_asked_for(factor, cause):
    def target(problem):
        given = RIGHT(problem)
        rate = problem.penalised.rate(problem.batch)
        return Gradient([dw - (1 - factor) * rate * w for dw, w in zip(given.weights, problem.weights, strict=True)], given.biases)

    (told,) = diagnose(InProcess(target), Support.of(STUDENT | {"depth": 2, "penalties": [("l2", 0.1)]}), seconds=600.0)
    assert told.cause == cause
    assert not any("times_the_weights" in name for name in told.same_as)


ANY, ONE = {"depth": 2}, {"widths": (3, 4, 2)}
"""Networks of any sizes, and of one alone: of these fewer tell where it shows."""

OF_ANY = ("dW of the output layer", "db of the first layer")
OF_ONE = ("dW of the output layer", "dW of the first layer", "1/batch of the first layer")


@pytest.mark.parametrize(("slip", "sizes"), [*((slip, ANY) for slip in OF_ANY), *((slip, ONE) for slip in OF_ONE)], ids=str)
def test_a_slip_in_one_layer_is_named_with_its_layer(slip, sizes):
    made, cause, where = SLIPS[slip]
    (told,) = diagnose(InProcess(slipping(made)), Support.of(STUDENT | sizes), seconds=600.0)
    assert (told.cause, told.equation) == (cause, 4)
    assert f", {where}" in told.explanation
    assert "alone" in told.explanation
    assert told.reproduced[0] == told.reproduced[1]


def test_a_transpose_is_missed_where_only_the_first_layer_is_not_square():
    """dC/dx is not asked for, so that no product of the first layer is made, which would raise."""
    target = slipping(lambda problem, weights, biases: None, transposed=False)
    (told,) = diagnose(InProcess(target), Support.of(STUDENT | {"widths": (4, 3, 3)}), seconds=600.0)
    assert told.cause == "forgot_transpose"


def test_of_what_raises_alone_a_mistake_is_told_where_it_raises_the_same():
    """On layers none of which is square a transpose that was forgotten gives no number; nor does a graph that was cut."""
    supports = Support.of(STUDENT | {"widths": (3, 4, 2)})
    target = slipping(lambda problem, weights, biases: None, transposed=False)
    (told,) = diagnose(InProcess(target), supports, seconds=600.0)
    assert told.cause == "forgot_transpose"
    assert "fails in the same way" in told.explanation
    assert "used_the_inputs_of_the_network" not in told.same_as  # which raises at another product

    def cut(problem):
        raise RuntimeError("layer 1: .grad of its weight is None")

    (told,) = diagnose(InProcess(cut), supports, seconds=600.0)
    assert (told.cause, told.same_as) == (None, ())
    assert "It gives no answer to any of the" in told.explanation


def test_labels_are_left_as_they_are_where_it_is_tried_whether_an_answer_changes():
    """Half of a distribution is none, and no target is asked for it."""

    def target(problem):
        return Gradient([np.ones_like(w) for w in problem.weights], [None if b is None else np.ones_like(b) for b in problem.biases])

    supports = {"losses": ["softmax_cross_entropy"], "output_activations": ["identity"], "activations": ["tanh"], "depth": 1}
    assert diagnose(InProcess(target), Support.of(supports), seconds=600.0)


def test_of_a_network_of_two_layers_what_it_raises_at_others_is_no_second_mistake():
    """Any step that does not fit some shapes raises there, so that refusals are given by many a wrong step."""
    made = slipping(lambda problem, weights, biases: times(biases, 0, 1 / problem.batch))

    def of_two_layers(problem):
        if problem.depth != 2:
            raise IndexError("list index out of range")
        return made(problem)

    (told,) = diagnose(InProcess(of_two_layers), Support.of(STUDENT | {"depth": 3}), seconds=600.0)
    assert told.cause in ("averaged_the_bias_gradient", "divided_by_the_batch_size_db")
    assert "beside it" not in told.explanation
    assert "gives no answer that can be judged, which this does not explain" in told.explanation
