"""Variants of the forward pass, of how the problem is taken, and of the answer as a whole: these are not read, only tried."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from properties.diagnosis.variant import Variant, named
from properties.faults.fault import Passes, answer, changed_problem, delta, error_below, penalty, pre_activation, slope, weight_gradient
from reference.arrays import Array
from reference.gradient import Gradient
from reference.problem import Problem


def _one_hot(y: Array) -> Array:
    return np.eye(y.shape[1])[np.argmax(y, axis=1)]


TAKEN: dict[str, tuple[str, Callable[[Problem], Problem]]] = {
    "left_out_the_biases": ("b is taken as 0", lambda q: changed_problem(q, biases=tuple(None if b is None else 0 * b for b in q.biases))),
    "took_y_as_one_hot": ("y is taken as the largest class alone", lambda q: changed_problem(q, y=_one_hot(q.y))),
    "rounded_x_to_float32": ("x is kept in float32", lambda q: changed_problem(q, x=q.x.astype(np.float32).astype(q.x.dtype))),
    "rounded_everything_to_float32": (
        "x, y and all weights are kept in float32",
        lambda q: changed_problem(
            q,
            x=q.x.astype(np.float32).astype(q.x.dtype),
            y=q.y.astype(np.float32).astype(q.y.dtype),
            weights=tuple(w.astype(np.float32).astype(w.dtype) for w in q.weights),
            biases=tuple(None if b is None else b.astype(np.float32).astype(b.dtype) for b in q.biases),
        ),
    ),
    "reversed_x": ("the inputs of a sample stand in reverse", lambda q: changed_problem(q, x=q.x[:, ::-1])),
    "reversed_y": ("the expected outputs of a sample stand in reverse", lambda q: changed_problem(q, y=q.y[:, ::-1])),
    "took_the_first_y_for_all": ("all samples are held against the first one's y", lambda q: changed_problem(q, y=q.y[:1] + 0 * q.y)),
}

Z: dict[str, tuple[str, Callable[[Passes, int], Array]]] = {
    "subtracted_the_bias": ("z is W a - b", lambda p, layer: p.a[layer - 1] @ p.weight(layer).T - _bias(p, layer)),
    "added_the_bias_twice": ("z holds b twice", lambda p, layer: pre_activation(p, layer) + _bias(p, layer)),
    "multiplied_by_w_untransposed": ("z is a W in place of a W^T", lambda p, layer: p.a[layer - 1] @ p.weight(layer) + _bias(p, layer)),
    "carried_z_forward": (
        "a layer is given z of the one below in place of its a",
        lambda p, layer: p.z.get(layer - 1, p.a[0]) @ p.weight(layer).T + _bias(p, layer),
    ),
    "gave_every_layer_x": (
        "a layer is given x in place of a of the one below",
        lambda p, layer: (p.a[0] if p.a[0].shape == p.a[layer - 1].shape else p.a[layer - 1]) @ p.weight(layer).T + _bias(p, layer),
    ),
}


def _bias(p: Passes, layer: int) -> Any:
    bias = p.bias(layer)
    return 0.0 if bias is None else bias


def _weights(function: Callable[[Passes, list[Array]], list[Any]]) -> Callable[[Passes], Gradient]:
    def step(p: Passes) -> Gradient:
        right = answer(p)
        return replace(right, weights=function(p, list(right.weights)))

    return step


def _biases(function: Callable[[Passes, list[Any]], list[Any]]) -> Callable[[Passes], Gradient]:
    def step(p: Passes) -> Gradient:
        right = answer(p)
        return replace(right, biases=function(p, list(right.biases or ())))

    return step


def _all(function: Callable[[Passes, Any], Any]) -> Callable[[Passes], Gradient]:
    def step(p: Passes) -> Gradient:
        right = answer(p)
        weights = [function(p, w) for w in right.weights]
        return replace(right, weights=weights, biases=[None if b is None else function(p, b) for b in right.biases or ()])

    return step


def _norm(p: Passes, biases: bool) -> float:
    parts = [*p.weights.values(), *(p.biases.values() if biases else ())]
    return float(np.sqrt(sum(np.sum(part * part) for part in parts)))


ANSWERS: dict[str, tuple[str, Callable[[Passes], Gradient]]] = {
    "answered_the_biases_in_reverse": ("dC/db are listed last layer first", _biases(lambda p, given: given[::-1])),
    "answered_both_in_reverse": (
        "dC/dW and dC/db are listed last layer first",
        lambda p: replace(answer(p), weights=answer(p).weights[::-1], biases=list(answer(p).biases or ())[::-1]),
    ),
    "answered_the_last_layer_alone": (
        "only the last layer's dC/dW is answered, all others are 0",
        _weights(lambda p, given: [*(0 * w for w in given[:-1]), given[-1]]),
    ),
    "answered_the_first_layer_for_all": (
        "dC/dW of the first layer is answered for all layers of its shape",
        _weights(lambda p, given: [given[0] if w.shape == given[0].shape else w for w in given]),
    ),
    "turned_the_sign_of_the_answer": ("the step of descent is answered, -dC/dW, in place of the gradient", _all(lambda p, g: -g)),
    "averaged_the_answer": ("all of the gradient is divided by the batch size once it is summed", _all(lambda p, g: g / p.batch)),
    "clipped_the_gradient_at_one": ("entries of the gradient beyond 1 are clipped", _all(lambda p, g: np.clip(g, -1, 1))),
    "clipped_the_gradient_at_five": ("entries of the gradient beyond 5 are clipped", _all(lambda p, g: np.clip(g, -5, 5))),
    "clipped_dw_at_one": ("entries of dC/dW beyond 1 are clipped", _weights(lambda p, given: [np.clip(w, -1, 1) for w in given])),
    "normalised_the_whole_gradient": (
        "the gradient is scaled to norm 1 at most",
        lambda p: _all(lambda q, g: g / max(_norm(q, True), 1.0))(p),
    ),
    "normalised_each_layer": (
        "dC/dW of each layer is scaled to norm 1 at most",
        _weights(lambda p, given: [w / max(float(np.linalg.norm(w)), 1.0) for w in given]),
    ),
    "answered_unit_vectors": ("the gradient is scaled to norm 1", lambda p: _all(lambda q, g: g / _norm(q, True))(p)),
}


INPUTS_FIRST: dict[str, Callable[[Passes, int], Array]] = {
    "pre_activation": Z["multiplied_by_w_untransposed"][1],
    "error_below": lambda p, layer: p.deltas[layer] @ p.weight(layer).T,
    "weight_gradient": lambda p, layer: p.a[layer - 1].T @ p.deltas[layer],
}
"""The steps of a network whose weights are (n_{l-1}, n_l)."""


def _is_gate(p: Passes) -> bool:
    """Whether it is g(z) u: a second layer of one output, whose weights are u."""
    return p.depth == 2 and len(p.weight(2)) == 1


def _dup_for_dgate(p: Passes, layer: int) -> Array:
    return p.deltas[2] * p.a[1] if layer == 1 and _is_gate(p) else delta(p, layer)


def _dgate_for_dup(p: Passes, layer: int) -> Array:
    swapped = layer == 2 and _is_gate(p)
    return np.sum(error_below(p, 2) * slope(p, 1), axis=0)[None] if swapped else weight_gradient(p, layer)


def whole_networks() -> Iterator[Variant]:
    """Variants of the problem as it is taken, of z, and of the answer; and of all that weights are used in."""
    yield Variant(
        "took_weights_as_inputs_by_outputs",
        "weights are taken, and dC/dW is answered, as (inputs, outputs), where they are (outputs, inputs): that is no wrong derivative, "
        'and backproof.adapt(f, weights="in_out") says it of code that is written so',
        INPUTS_FIRST,
        rank=218,
    )
    yield Variant(
        "swapped_dgate_and_dup",
        "dC/dz of the first layer and what each sample adds to dC/dW of the second, of a gate dgate and dup, are swapped",
        {"delta": _dup_for_dgate, "weight_gradient": _dgate_for_dup},
        equations=(3, 4),
        rank=219,
    )
    yield named(
        "penalty",
        "halved_the_penalty",
        "the penalty has half its factor: what it adds to dC/dW is half of what it should be, as where W^2 is derived without its 2",
        lambda p, layer: np.asarray(penalty(p, layer) / 2),
        rank=219,
    )
    for title, (said, function) in TAKEN.items():
        yield named("posed", title, said, function, rank=220)
    for title, (said, of_z) in Z.items():
        yield named("pre_activation", title, said, of_z, rank=222)
    for title, (said, given) in ANSWERS.items():
        yield named("answer", title, said, given, rank=224)
