"""Laws of layers: what the gradient of one layer is to its own inputs, outputs and neighbours. They need no oracle."""

from collections.abc import Iterator

import numpy as np

from properties.laws.law import Case, NotPosable, Outcome
from properties.laws.posing import Entries, Posed, Side, agree, entries_of, first, pose, samples, zeros_like
from properties.problems.values import rounded
from reference.arrays import Array
from reference.forward import forward
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import name_and_parameters, row_of
from reference.gradient import Place
from reference.problem import Problem

SHORT_MOVE = 2.0**-4
"""So far may a pre-activation move along the line of the loss."""

HOMOGENEOUS = ("identity", "relu", "leaky_relu")
"""The activations with g(z) = g'(z) z."""


def a_weight_gradient_is_an_outer_product(case: Case) -> Outcome:
    """Of one sample, dC/dW is an outer product with the layer's input: dC/dw_jk a_m = dC/dw_jm a_k.

    Cannot see: the other factor, delta. Needs: an input that is not 0. The input is taken from the forward pass.
    """
    alone = _one_sample(case)
    left: Side = {}
    right: Side = {}
    for layer, place in _places("weights", alone):
        a, dW = alone.inputs(layer), alone.given[place]
        m = int(np.argmax(np.abs(a.values[0])))
        left[place] = dW.times(a.mapped(lambda array, m=m: array[:, m : m + 1]))  # type: ignore[misc]
        right[place] = dW.mapped(lambda array, m=m: array[:, m : m + 1]).times(a)  # type: ignore[misc]
    return agree(left, right, "dC/dW of one sample, times one input, is not the same product for all inputs")


def a_bias_gradient_is_delta(case: Case) -> Outcome:
    """Of one sample, dC/db is the delta of the outer product: dC/db_j a_k = dC/dw_jk; of a batch, the sum of deltas where they are given.

    Cannot see: a delta that is wrong in both. Needs: biases.
    """
    alone = _one_sample(case)
    left: Side = {}
    right: Side = {}
    for layer, place in _places("biases", alone):
        weights = Place("weights", layer)
        left[weights] = alone.given[place].mapped(lambda array: array[:, None]).times(alone.inputs(layer))
        right[weights] = alone.given[weights]
        whole = first(case).given
        if Place("deltas", layer) in whole:
            left[place], right[place] = whole[place], whole[Place("deltas", layer)].summed(0)
    if not left:
        raise NotPosable("it needs biases")
    return agree(left, right, "dC/db is not the delta of dC/dW")


def a_dead_node_has_no_gradient(case: Case) -> Outcome:
    """A node whose slope is 0 for every sample has no gradient.

    Cannot see: live nodes. Needs: relu, relu6, hardtanh or a slope of 0, and a bias, by which one node is made dead.
    """
    problem = case.problem
    able = [(i, side) for i in range(problem.depth) for side in (-1.0, 1.0) if problem.biases[i] is not None and _is_flat(problem, i, side)]
    if not able:
        raise NotPosable("it needs a layer with biases that is flat beyond a kink")
    layer, side = able[(problem.batch + problem.depth) % len(able)]
    biases = [None if b is None else b.copy() for b in problem.biases]
    bias = biases[layer]
    assert bias is not None
    # far beyond the kink, whatever the inputs: a power of two, exact in every precision
    reach = float(np.max(np.abs(first(case).inputs(layer + 1).values @ problem.weights[layer][0])))
    if not reach < case.precision.largest / 32:
        raise NotPosable("its pre-activations are too large for a bias beyond them")
    bias[0] = side * 2.0 ** np.ceil(np.log2(2 * reach + 16))
    dead = pose(case, problem.replaced(biases=biases))
    rows = {place: dead.given[place].mapped(lambda array: array[:1]) for place in (Place("weights", layer + 1), Place("biases", layer + 1))}
    return agree(rows, {place: zeros_like(entries) for place, entries in rows.items()}, f"a dead node of layer {layer + 1} has a gradient")


def what_comes_in_goes_out(case: Case) -> Outcome:
    """In piecewise linear layers, sum of w dC/dw and b dC/db over what comes into a node equals sum of w dC/dw over what goes out.

    Cannot see: a factor that both layers share. Needs: a hidden layer with identity, relu or leaky_relu.
    """
    given, problem = first(case).given, case.problem
    left: Side = {}
    right: Side = {}
    for i in range(problem.depth - 1):
        bias, place = problem.biases[i], Place("biases", i + 1)
        if name_and_parameters(problem.activations[i])[0] not in HOMOGENEOUS or (bias is not None and place not in given):
            continue
        incoming = given[Place("weights", i + 1)].times(_exactly(problem.weights[i])).summed(1)
        if bias is not None:
            incoming = incoming.plus(given[place].times(_exactly(bias)))
        left[place] = incoming
        right[place] = given[Place("weights", i + 2)].times(_exactly(problem.weights[i + 1])).summed(0)
    if not left:
        raise NotPosable("it needs a hidden layer with identity, relu or leaky_relu")
    return agree(left, right, "what comes into a node is not what goes out of it")


def softmax_deltas_sum_to_zero(case: Case) -> Outcome:
    """A softmax leaves out what all z have in common: its layer's deltas sum to 0, and so do the columns of dC/dW, and dC/db.

    Cannot see: other layers. Needs: a layer with softmax, or softmax_cross_entropy behind a last layer with the identity.
    """
    problem = case.problem
    layers = [layer for layer, choice in enumerate(problem.activations, 1) if choice == "softmax"]
    if problem.loss == "softmax_cross_entropy" and problem.activations[-1] == "identity":
        layers.append(problem.depth)
    if not layers:
        raise NotPosable("it needs a layer with softmax, or softmax_cross_entropy behind the identity")
    given = first(case).given
    places = [Place(quantity, layer) for layer in layers for quantity in ("weights", "biases")]
    sums = {place: given[place].summed(0) for place in places if place in given}
    return agree(sums, {place: zeros_like(entries) for place, entries in sums.items()}, "the deltas of a softmax do not sum to 0")


def the_loss_changes_as_the_gradient_says(case: Case) -> Outcome:
    """Between two points of a line through the weights, the loss that is given changes as the gradients that are given say.

    Cannot see: errors below the square of the step. Needs: the loss value, and no kink between. Rounding: that of all calls, and what
    Simpson's rule over three gradients leaves out, which is as much as it leaves out of the reference's own.
    """
    if case.gradient.loss is None:
        raise NotPosable("it needs the loss value, which the target does not give")
    step = 2.0**-8
    while not _is_short(case.problem, case.precision.name, step):
        step /= 16
        if step < 2.0**-40:
            raise NotPosable("no step is short enough")
    points = [pose(case, _moved(case.problem, case.precision.name, way * step)) if way else first(case) for way in (-1, 0, 1)]
    _no_kink_between(points)
    before, after = dict(points[0].problem.arrays()), dict(points[2].problem.arrays())
    moved = {name: after[name] - array for name, array in before.items() if name.startswith("layer")}
    place = Place("loss", None)
    change = points[2].given[place].plus(points[0].given[place].scaled(-1.0))
    expected = _by_simpson([_along(point.given, moved) for point in points])
    own = [entries_of(point.exact.reference, point.exact.bound(point.precision, None, jumps=True)) for point in points]
    left_out = np.abs(own[2][place].values - own[0][place].values - _by_simpson([_along(side, moved) for side in own]).values)
    # what the reference leaves out is itself known but for its rounding
    rounding = 2 * expected.allowed + change.allowed
    allowed = Entries(expected.values, rounding + left_out)
    return agree({place: change}, {place: allowed}, "the loss does not change along a line as its gradient says")


def _by_simpson(along: list[Entries]) -> Entries:
    """The integral of three values at the ends and in the middle of a step."""
    low, middle, high = along
    return low.plus(high).scaled(1 / 6).plus(middle.scaled(2 / 3))


def _moved(problem: Problem, precision: str, step: float) -> Problem:
    """The problem with all its weights and biases a step along a line, which is the same for both ways."""
    rng = np.random.default_rng(problem.batch)

    def move(array: Array) -> Array:
        return rounded(array + step * rng.choice([-1.0, 1.0], array.shape) * (np.abs(array) + 2.0**-4), precision)

    weights = [move(w) for w in problem.weights]
    return problem.replaced(weights=weights, biases=[None if b is None else move(b) for b in problem.biases])


def _is_short(problem: Problem, precision: str, step: float) -> bool:
    """Whether pre-activations move so little that three points say what is between."""
    ends = [forward(_moved(problem, precision, way * step)).pre_activations for way in (-1, 1)]
    return all(not (np.abs(high - low) > SHORT_MOVE).any() for low, high in zip(*ends, strict=True))


def _along(side: Side, moved: dict[str, Array]) -> Entries:
    """The sum of dC/dw times the move of w, and of dC/db times that of b."""
    nothing = np.zeros(())
    whole = Entries(nothing, nothing)
    for name, move in moved.items():
        place = Place("biases" if name.endswith("bias") else "weights", int(name.split()[1].rstrip(":")))
        whole = whole.plus(side[place].times(_exactly(move)).mapped(np.ravel).summed(0))
    return whole


def _no_kink_between(points: list[Posed]) -> None:
    for layer, choice in enumerate(points[0].problem.activations):
        for kink, _ in row_of(ACTIVATIONS, choice).kinks:
            sides = [np.sign(point.exact.passes.forward.pre_activations[layer] - kink) for point in points]
            if not all((side == sides[0]).all() and (side != 0).all() for side in sides):
                raise NotPosable(f"a kink of layer {layer + 1} lies on the line")


def _one_sample(case: Case) -> Posed:
    problem = case.problem
    return first(case) if problem.batch == 1 else pose(case, samples(problem, [0]))


def _places(quantity: str, posed: Posed) -> Iterator[tuple[int, Place]]:
    """The layers, from 1, of which a quantity is given, with its place."""
    for place in posed.given:
        if place.quantity == quantity and place.layer is not None:
            yield place.layer, place


def _is_flat(problem: Problem, layer: int, side: float) -> bool:
    """Whether g' is 0 beyond all kinks, on one side."""
    activation = row_of(ACTIVATIONS, problem.activations[layer])
    return bool(activation.kinks) and not activation.derivative(np.array(side * 8.0)).any()


def _exactly(values: Array) -> Entries:
    return Entries(values, np.zeros_like(values))
