"""Laws of structure: networks that are the same function have the same gradient. They need no oracle."""

from typing import Any

import numpy as np

from properties.laws.law import Case, NotPosable, Outcome
from properties.laws.posing import Entries, Side, agree, first, pose, zeros_like
from properties.problems.values import rounded
from reference.arrays import AnyArray, Array
from reference.functions.activation import Elementwise
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.gradient import Place
from reference.problem import Problem
from rounding.arithmetic import worst_case_rounding
from rounding.worst_case import rounding_bound


def permuted_nodes_permute_the_gradient(case: Case) -> Outcome:
    """A hidden layer's nodes in another order have their gradient in that order, and all else is the same.

    Cannot see: what is wrong with every node alike. Needs: a hidden layer of two nodes.
    """
    problem = case.problem
    wide = [layer for layer in range(1, problem.depth) if problem.widths[layer] > 1]
    if not wide:
        raise NotPosable("it needs a hidden layer of two nodes")
    layer = wide[len(wide) // 2]
    order = np.roll(np.arange(problem.widths[layer]), 1)
    permuted = pose(case, problem.replaced(**_with_nodes(problem, layer, order)))
    expected = dict(first(case).side)
    for place, axis in ((Place("weights", layer), 0), (Place("biases", layer), 0), (Place("weights", layer + 1), 1)):
        if place in expected:
            expected[place] = expected[place].mapped(lambda array, axis=axis: np.take(array, order, axis))  # type: ignore[misc]
    return agree(permuted.side, expected, f"with the nodes of layer {layer} in another order, the gradient is another one")


def a_node_without_outgoing_weights_changes_nothing(case: Case) -> Outcome:
    """One more node in a hidden layer, with outgoing weights of 0, has no gradient itself and leaves all others as they are.

    Cannot see: what is wrong with all nodes alike. Needs: a hidden layer, elementwise, and a target that takes one more node.
    """
    problem = case.problem
    able = [layer for layer in range(1, problem.depth) if isinstance(row_of(ACTIVATIONS, problem.activations[layer - 1]), Elementwise)]
    if not able:
        raise NotPosable("it needs a hidden layer whose nodes do not depend on one another")
    layer = able[problem.batch % len(able)]
    change = _with_nodes(problem, layer, np.append(np.arange(problem.widths[layer]), 0))
    change["weights"][layer] = np.hstack([problem.weights[layer], np.zeros((problem.widths[layer + 1], 1))])
    more = dict(pose(case, problem.replaced(**change)).side)
    expected = dict(first(case).side)
    for place, axis in ((Place("weights", layer), 0), (Place("biases", layer), 0), (Place("weights", layer + 1), 1)):
        if place not in expected:
            continue
        grown, same = more[place], expected[place]
        if axis == 0:
            nothing = zeros_like(grown).mapped(lambda array: array[-1:])
            joined = [np.concatenate(pair) for pair in ((same.values, nothing.values), (same.allowed, nothing.allowed))]
            expected[place] = Entries(*joined)
        else:
            more[place] = grown.mapped(lambda array: array[:, :-1])
    return agree(more, expected, f"a node of layer {layer} without outgoing weights changes the gradient, or has one")


def an_inserted_identity_layer_changes_nothing(case: Case) -> Outcome:
    """A layer with the identity as weights and as activation, put between two layers, leaves all other gradients as they are.

    Cannot see: what is wrong in every layer alike. Needs: a target that takes one more layer, with the identity.
    """
    problem = case.problem
    # a loss of probabilities needs the last layer that it has
    at = problem.batch % (problem.depth + (0 if row_of(LOSSES, problem.loss).behind else 1))
    width = problem.widths[at]
    bias = np.zeros(width) if all(b is not None for b in problem.biases) else None
    longer = pose(
        case,
        problem.replaced(
            weights=[*problem.weights[:at], np.eye(width), *problem.weights[at:]],
            biases=[*problem.biases[:at], bias, *problem.biases[at:]],
            activations=[*problem.activations[:at], "identity", *problem.activations[at:]],
        ),
    )
    shorter: Side = {}
    for place, entries in longer.side.items():
        if place.layer is None or place.layer <= at:
            shorter[place] = entries
        elif place.layer > at + 1:
            shorter[Place(place.quantity, place.layer - 1)] = entries
    return agree(shorter, first(case).side, f"an identity layer between layers {at} and {at + 1} changes the gradient")


def a_split_network_chains(case: Case) -> Outcome:
    """A network split at a layer has the same gradient: the upper part's dC/dx is the lower part's dC/da.

    Cannot see: what is wrong in both parts alike. Needs: dC/dx, two layers, half_squared_error and sums over samples.
    Rounding: what joins the parts is rounded, which counts as one more honest pass of the whole.
    """
    problem = case.problem
    if case.gradient.x is None:
        raise NotPosable("it needs dC/dx, which the target does not give")
    if problem.depth < 2:
        raise NotPosable("it needs two layers")
    whole = first(case)
    at = 1 + problem.batch % (problem.depth - 1)
    middle = whole.exact.passes.forward.activations[at]
    if not np.isfinite(middle).all():
        raise NotPosable("an activation leaves the range")
    joint = rounded(middle, case.precision.name)
    # one that gives dC/dx unasked need not understand being asked
    wants = ["x"] if "x" in case.support.wants else []
    upper = pose(case, _layers(problem, at, problem.depth).replaced(x=joint, wants=wants))
    if upper.gradient.x is None or not np.isfinite(upper.gradient.x).all():
        raise NotPosable("dC/dx leaves the range")
    error = np.asarray(upper.gradient.x, dtype=np.float64)
    expected = rounded(joint - error, case.precision.name)
    lower = pose(case, _layers(problem, 0, at).replaced(y=expected, loss="half_squared_error", reduction="sum", sample_weights=None))
    apart = _apart(upper.given[Place("x", None)].allowed, joint, error, expected, case)
    bound = rounding_bound(lower.exact.passes, worst_case_rounding(case.precision, None), apart=apart)
    parts = {place: entries for place, entries in lower.entries(bound).items() if place.quantity in ("weights", "biases")}
    for place, entries in upper.side.items():
        if place.layer is not None:
            parts[Place(place.quantity, place.layer + at)] = entries
    twice = {place: Entries(entries.values, 2 * entries.allowed) for place, entries in whole.side.items()}
    return agree(parts, twice, f"the parts below and above layer {at} do not chain to the whole")


def _apart(allowed: Array, joint: Array, error: Array, expected: Array, case: Case) -> Array:
    """How far the lower part's a - y may be from the exact dC/da: the upper part's own bound, and the rounding of a, of dC/da and of y."""
    return allowed + 2 * case.precision.unit * (np.abs(joint) + np.abs(error) + np.abs(expected)) + case.precision.least_normal


def _layers(problem: Problem, start: int, stop: int) -> Problem:
    """Some layers of a problem; x or y still have to be put in, where it does not begin or end with the whole."""
    parts: dict[str, Any] = {
        "weights": problem.weights[start:stop],
        "biases": problem.biases[start:stop],
        "activations": problem.activations[start:stop],
        "x": problem.x if start == 0 else np.zeros((problem.batch, problem.widths[start])),
        "y": problem.y if stop == problem.depth else np.zeros((problem.batch, problem.widths[stop])),
    }
    return problem.replaced(**parts) if stop == problem.depth else problem.replaced(loss="half_squared_error", **parts)


def _with_nodes(problem: Problem, layer: int, nodes: AnyArray) -> dict[str, Any]:
    """A hidden layer with some of its nodes, in some order: rows of its weights, columns of those above; layer from 1."""
    weights, biases = list(problem.weights), list(problem.biases)
    bias = biases[layer - 1]
    weights[layer - 1] = weights[layer - 1][nodes]
    biases[layer - 1] = None if bias is None else bias[nodes]
    weights[layer] = weights[layer][:, nodes]
    return {"weights": weights, "biases": biases}
