"""A slip in the gradient of one layer alone, as a student makes it: named with its layer, whatever else of the network is right."""

import numpy as np
import pytest

from backproof import Gradient
from backproof.targets.target import InProcess
from properties.diagnosis.examination import diagnose
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
