"""The place of what is off, of answers to a few problems made by hand and of no variant that explains them."""

import numpy as np
import pytest

from backproof import Gradient
from backproof.targets.target import InProcess
from properties.diagnosis.asked import Asked
from properties.diagnosis.explanation import Reader
from properties.diagnosis.ladder import Rung
from properties.diagnosis.placing import place
from properties.diagnosis.table import Table, all_variants
from properties.faults.fault import STEPS, Network
from rounding.precisions import PRECISIONS
from tests.posed_networks import posed

NOTHING = Table(all_variants())
"""A table without rows: what is off is read by itself."""


def placed(target, *problems, family=-1):
    """The place by the answers to some problems, those that are right too."""
    asked = [Asked(Rung(problem, "network", family), InProcess(target)(problem), PRECISIONS["float64"]) for problem in problems]
    return place(asked, [Reader(NOTHING, Network()).read(one) for one in asked if one.is_off])


def network(answers=("weights", "biases"), **changed):
    return Network(changed, answers)


def reduction(factors):
    """Samples of batches count so many times as much as they should, a single one as it should."""
    return lambda p, error: STEPS["reduction"](p, error) * (np.resize(factors, p.batch)[:, None] if p.batch > 1 else 1.0)


SLOPE = "batches of two samples or more, in layers that are not linear"


@pytest.mark.parametrize(
    ("factors", "parts", "equations", "shows_when"),
    [
        ([2.0], {}, (2, 10), "batches of two samples or more"),
        ([2.0], {"reduction": "mean"}, (2, 10), "means over two samples or more"),
        ([2.0, 1.0], {}, (10, 2), "batches of two samples or more"),
        ([2.0, 1.0], {"reduction": "mean"}, (10, 2), "means over two samples or more"),
    ],
)
def test_what_is_off_in_batches_alone_is_what_the_samples_count(factors, parts, equations, shows_when):
    """Factors of samples' own are of the sum over samples, one of all may be of the loss."""
    target = network(reduction=reduction(factors))
    found = placed(target, posed(4, 2, **parts), posed(4, 2, batch=2, **parts))
    assert (found.step, found.layer, found.equations, found.shows_when) == ("reduction", 1, equations, shows_when)


@pytest.mark.parametrize(("factors", "step", "equations"), [([np.inf, 1.0], "reduction", (2, 10)), ([2.0, 1.0], "", ())])
def test_of_samples_whose_delta_cannot_be_read_none_is_said_to_count_otherwise(factors, step, equations):
    found = placed(network(reduction=reduction(factors)), posed(1, 2, biased=False), posed(1, 2, batch=3, biased=False))
    assert (found.step, found.layer, found.equations) == (step, 1, equations)


def test_samples_whose_outputs_have_factors_of_their_own_are_not_what_counts():
    def by_output(p):
        return STEPS["output_error"](p) * np.where(np.arange(p.problem.widths[-1]) == p.batch - 2, 2.0, 1.0)

    found = placed(network(output_error=by_output), posed(4, 2), posed(4, 2, batch=2))
    assert (found.step, found.equations) == ("reduction", (2, 10))


def test_what_is_off_in_batches_alone_and_right_in_linear_ones_is_the_slope():
    def slope(p, layer):
        return STEPS["slope"](p, layer) * (1 + (p.batch > 1) * (p.problem.activations[layer - 1] == "tanh"))

    tanh = [posed(4, 2, batch=batch, activations=["tanh"]) for batch in (1, 2)]
    found = placed(network(slope=slope), *tanh, posed(4, 2, batch=2))
    assert (found.step, found.layer, found.equations, found.shows_when) == ("slope", 1, (3, 2), SLOPE)
    # where no linear one was asked, it may be what the samples count
    assert placed(network(slope=slope), *tanh).step == "reduction"


def test_factors_of_outputs_that_are_their_own_are_of_a_linear_layer_s_slope():
    def slope(p, layer):
        return STEPS["slope"](p, layer) * np.arange(1.0, 3.0)

    problem = posed(4, 2)
    family = [problem.replaced(y=problem.y + each) for each in (0.0, 0.5, 1.25)]
    found = placed(network(slope=slope), *family, family=0)
    assert (found.step, found.layer, found.equations) == ("slope", 1, (3, 2))
    doubled = network(slope=lambda p, layer: 2 * STEPS["slope"](p, layer))
    assert placed(doubled, *family, family=0).step == "output_error"


def test_what_a_linear_layer_is_off_by_at_large_z_alone_is_its_slope():
    def slope(p, layer):
        return np.where(np.abs(p.z[layer]) > 3.2, 2.0, 1.0)

    far = posed(4, 2, size=64.0)
    found = placed(network(slope=slope), far, posed(4, 2))
    assert (found.step, found.layer, found.equations) == ("slope", 1, (3, 2))
    # a loss is off there too, where nothing says that it is right elsewhere
    assert placed(network(slope=slope), far).step == "output_error"


def test_behind_one_activation_alone_the_loss_is_named_before_the_slope():
    problem = posed(4, 2, activations=["softmax"], loss="cross_entropy_of_probabilities", y=np.array([[0.25, 0.75]]))
    found = placed(network(output_error=lambda p: STEPS["output_error"](p) * [1.0, 2.0]), problem)
    assert (found.step, found.layer, found.equations) == ("output_error", 1, (2, 3))
    assert found.shows_when == "the loss cross_entropy_of_probabilities"


@pytest.mark.parametrize(("activation", "equations"), [("identity", (11, 7)), ("tanh", (11, 7, 3))])
def test_what_is_off_below_the_output_is_no_slope_where_all_is_linear(activation, equations):
    target = network(error_below=lambda p, layer: 2 * STEPS["error_below"](p, layer))
    found = placed(target, posed(4, 3, 2, activations=[activation, "identity"]))
    assert (found.step, found.layer, found.equations, found.shows_when) == ("error_below", 1, equations, "")


@pytest.mark.parametrize(("layer", "equations", "shows_when"), [(1, (3, 11), "hidden layers of tanh"), (2, (3,), "layers of tanh")])
def test_beside_a_linear_network_that_is_right_it_is_the_slope(layer, equations, shows_when):
    def slope(p, at):
        return STEPS["slope"](p, at) * (2 if (at, p.problem.activations[at - 1]) == (layer, "tanh") else 1)

    found = placed(network(slope=slope), posed(4, 3, 2, activations=["tanh", "tanh"]), posed(4, 3, 2, activations=["identity"] * 2))
    assert (found.step, found.layer, found.equations, found.shows_when) == ("slope", layer, equations, shows_when)


def test_what_is_off_below_the_first_layer_shows_in_x_alone():
    target = network(("weights", "biases", "x"), error_below=lambda p, layer: (1 + (layer == 1)) * STEPS["error_below"](p, layer))
    found = placed(target, posed(4, 3, 2, activations=["identity"] * 2))
    assert (found.step, found.layer, found.equations, found.shows_when) == ("error_below", 1, (11, 7), "dC/dx alone")


@pytest.mark.parametrize("answers", ["right", "wrong", "none"])
def test_where_delta_itself_is_answered_rightly_the_products_are_off(answers):
    def answer(p):
        given = STEPS["answer"](p)
        deltas = {"right": given.deltas, "wrong": [2 * delta for delta in given.deltas], "none": None}[answers]
        return Gradient([2 * w for w in given.weights], [2 * b for b in given.biases], deltas=deltas)

    found = placed(lambda problem: Network({"answer": answer}, ("weights", "biases", "deltas"))(problem), posed(4, 2))
    assert (found.step, found.layer) == ("weight_gradient" if answers == "right" else "output_error", 1)
    assert found.equations == ((4, 10) if answers == "right" else (2,))
