"""Laws of layers: what the gradient of one layer is to its own inputs, outputs and neighbours. They need no oracle."""

from collections.abc import Iterator

import numpy as np

from properties.law import NotPosable, Outcome, Trial
from properties.posing import Entries, Posed, Side, agree, first, pose, zeros_like
from properties.values import rounded
from reference.activations import ACTIVATIONS
from reference.arrays import Array
from reference.choice import bind, split
from reference.problem import Place, Problem

HOMOGENEOUS = ("identity", "relu", "leaky_relu")
"""The activations with g(z) = g'(z) z."""


def a_weight_gradient_is_an_outer_product(trial: Trial) -> Outcome:
    """Of one sample, dC/dW is an outer product with the layer's input: dC/dw_jk a_m = dC/dw_jm a_k.

    Cannot see: the other factor, delta. Needs: an input that is not 0. The input is taken from the forward pass.
    """
    alone = _one_sample(trial)
    left: Side = {}
    right: Side = {}
    for layer, place in _places("weights", alone):
        a, dW = alone.inputs(layer), alone.given[place]
        m = int(np.argmax(np.abs(a.values[0])))
        left[place] = dW.times(a.mapped(lambda array, m=m: array[:, m : m + 1]))  # type: ignore[misc]
        right[place] = dW.mapped(lambda array, m=m: array[:, m : m + 1]).times(a)  # type: ignore[misc]
    return agree(left, right, "dC/dW of one sample, times one input, is not the same product for all inputs")


def a_bias_gradient_is_delta(trial: Trial) -> Outcome:
    """Of one sample, dC/db is the delta of the outer product: dC/db_j a_k = dC/dw_jk; of a batch, the sum of deltas where they are given.

    Cannot see: a delta that is wrong in both. Needs: biases.
    """
    alone = _one_sample(trial)
    left: Side = {}
    right: Side = {}
    for layer, place in _places("biases", alone):
        weights = Place("weights", layer)
        left[weights] = alone.given[place].mapped(lambda array: array[:, None]).times(alone.inputs(layer))
        right[weights] = alone.given[weights]
        whole = first(trial).given
        if Place("deltas", layer) in whole:
            left[place], right[place] = whole[place], whole[Place("deltas", layer)].summed(0)
    if not left:
        raise NotPosable("it needs biases")
    return agree(left, right, "dC/db is not the delta of dC/dW")


def a_dead_node_has_no_gradient(trial: Trial) -> Outcome:
    """A node whose slope is 0 for every sample has no gradient.

    Cannot see: live nodes. Needs: relu, relu6, hardtanh or a slope of 0. A node of the first such layer that has a bias is made dead.
    """
    problem = trial.problem
    able = [i for i in range(problem.depth) if _is_flat_below(problem, i) and problem.biases[i] is not None]
    if not able:
        raise NotPosable("it needs a layer with biases that is flat below a kink")
    layer = able[problem.batch % len(able)]
    weights, biases = [w.copy() for w in problem.weights], [None if b is None else b.copy() for b in problem.biases]
    weights[layer][0] = 0.0
    bias = biases[layer]
    assert bias is not None
    bias[0] = -2.0
    dead = pose(trial, problem.replaced(weights=weights, biases=biases))
    rows = {place: dead.given[place].mapped(lambda array: array[:1]) for place in (Place("weights", layer + 1), Place("biases", layer + 1))}
    return agree(rows, {place: zeros_like(entries) for place, entries in rows.items()}, f"a dead node of layer {layer + 1} has a gradient")


def what_comes_in_goes_out(trial: Trial) -> Outcome:
    """In piecewise linear layers, sum of w dC/dw and b dC/db over what comes into a node equals sum of w dC/dw over what goes out.

    Cannot see: a factor that both layers share. Needs: a hidden layer with identity, relu or leaky_relu.
    """
    given, problem = first(trial).given, trial.problem
    left: Side = {}
    right: Side = {}
    for i in range(problem.depth - 1):
        bias, place = problem.biases[i], Place("biases", i + 1)
        if split(problem.activations[i])[0] not in HOMOGENEOUS or (bias is not None and place not in given):
            continue
        incoming = given[Place("weights", i + 1)].times(_exactly(problem.weights[i])).summed(1)
        if bias is not None:
            incoming = incoming.plus(given[place].times(_exactly(bias)))
        left[place] = incoming
        right[place] = given[Place("weights", i + 2)].times(_exactly(problem.weights[i + 1])).summed(0)
    if not left:
        raise NotPosable("it needs a hidden layer with identity, relu or leaky_relu")
    return agree(left, right, "what comes into a node is not what goes out of it")


def softmax_deltas_sum_to_zero(trial: Trial) -> Outcome:
    """Behind a last layer of logits, softmax cross-entropy's deltas sum to 0: so do the columns of dC/dW, and dC/db.

    Cannot see: layers below. Needs: softmax_cross_entropy behind the identity.
    """
    problem = trial.problem
    if problem.loss != "softmax_cross_entropy" or problem.activations[-1] != "identity":
        raise NotPosable("it needs softmax_cross_entropy behind the identity")
    given = first(trial).given
    places = [place for place in (Place("weights", problem.depth), Place("biases", problem.depth)) if place in given]
    sums = {place: given[place].summed(0) for place in places}
    return agree(sums, {place: zeros_like(entries) for place, entries in sums.items()}, "the last layer's deltas do not sum to 0")


def the_loss_changes_as_the_gradient_says(trial: Trial) -> Outcome:
    """Between two points of a line through the weights, the loss that is given changes as the gradients that are given say.

    Cannot see: errors below the square of the step. Needs: the loss value, and no kink between. Rounding: Simpson's rule over
    three gradients is off by less than its distance from the rule of two, once the step is small.
    """
    if trial.gradient.loss is None:
        raise NotPosable("it needs the loss value, which the target does not give")
    problem, steps = trial.problem, (-1, 0, 1)
    rng = np.random.default_rng(problem.batch)
    direction = [rng.choice([-1.0, 1.0], w.shape) * (np.abs(w) + 2.0**-4) for w in problem.weights]
    weights = [
        [rounded(w + step * 2.0**-8 * d, trial.precision.name) for w, d in zip(problem.weights, direction, strict=True)] for step in steps
    ]
    points = [first(trial) if step == 0 else pose(trial, problem.replaced(weights=w)) for step, w in zip(steps, weights, strict=True)]
    _no_kink_between(points)
    moved = [_exactly(after - before) for before, after in zip(weights[0], weights[2], strict=True)]
    low, middle, high = (_along(point, moved) for point in points)
    ends = low.plus(high).scaled(0.5)
    simpson = ends.scaled(1 / 3).plus(middle.scaled(2 / 3))
    place = Place("loss", None)
    change = points[2].given[place].plus(points[0].given[place].scaled(-1.0))
    truncated = Entries(simpson.values, simpson.allowed + np.abs(ends.values - simpson.values))
    return agree({place: change}, {place: truncated}, "the loss does not change along a line as its gradient says")


def _along(point: Posed, moved: list[Entries]) -> Entries:
    """The sum of dC/dw times the move of w."""
    parts = [point.given[Place("weights", i)].times(move).summed(1).summed(0) for i, move in enumerate(moved, 1)]
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.plus(part)
    return whole


def _no_kink_between(points: list[Posed]) -> None:
    for layer, choice in enumerate(points[0].problem.activations):
        for kink, _ in bind(ACTIVATIONS, choice).kinks:
            sides = [np.sign(point.exact.passes.forward.pre_activations[layer] - kink) for point in points]
            if not all((side == sides[0]).all() and (side != 0).all() for side in sides):
                raise NotPosable(f"a kink of layer {layer + 1} lies on the line")


def _one_sample(trial: Trial) -> Posed:
    problem = trial.problem
    return first(trial) if problem.batch == 1 else pose(trial, problem.replaced(x=problem.x[:1], y=problem.y[:1]))


def _places(quantity: str, posed: Posed) -> Iterator[tuple[int, Place]]:
    """The layers, from 1, of which a quantity is given, with its place."""
    for place in posed.given:
        if place.quantity == quantity and place.layer is not None:
            yield place.layer, place


def _is_flat_below(problem: Problem, layer: int) -> bool:
    """Whether g' is 0 at z = -2, and a kink lies between there and 0."""
    activation = bind(ACTIVATIONS, problem.activations[layer])
    return bool(activation.kinks) and not activation.derivative(np.array(-2.0)).any()


def _exactly(values: Array) -> Entries:
    return Entries(values, np.zeros_like(values))
