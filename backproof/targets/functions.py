"""Adapters for the common shapes of hand-written code: f(weights, biases, activations, x, y)."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from backproof.targets.layouts import LAYOUTS, Given, Layout
from backproof.targets.signatures import positional, taken_by
from backproof.targets.target import Target, TargetError
from backproof.targets.updates import Rate, allowed_for, rate_of, read_off, should_change
from properties.answers.answer import Declined, Malformed
from properties.problems.limits import SupportError
from properties.problems.support import Support
from reference.arrays import AnyArray
from reference.dtypes import as_array
from reference.functions.penalties import normal_penalty
from reference.gradient import Gradient
from reference.nearest import did_you_mean
from reference.problem import Problem


def adapt(
    f: Callable[..., Any],
    *,
    samples: str = "rows",
    weights: str = "out_in",
    biases: str = "vector",
    returns: str = "weights_biases",
    layers: str = "lists",
    expected: str = "rows",
    order: str = "layers_first",
    activations: bool = True,
    learning_rate: Any = None,
    penalty: Any = None,
    sample_weights: str = "",
    supports: Mapping[str, Any] | None = None,
) -> Target:
    """A target from a function f(weights, biases, activations, x, y) in a layout of its own.

    samples: "rows" if x is (batch, n_0), "columns" if it is (n_0, batch), "one" if f takes one sample at a time, (n_0,), whose
        gradients are then added up.
    weights: "out_in" if a weight is (n_l, n_{l-1}), "in_out" if it is the transpose of that.
    biases: "vector" if a bias is (n_l,), "column" if it is (n_l, 1), "row" if (1, n_l); "folded_first" if a weight is (n_l, 1 + n_{l-1})
        and holds the bias as its first column, "folded_last" if as its last (rows, where the weights are "in_out"): f is then given a
        list of None as its biases, and whatever it returns as dC/db is left alone.
    returns: "weights_biases" for (list of dC/dW, list of dC/db), "biases_weights" for the other order, "pairs" for a list with
        one (dC/dW, dC/db) for each layer; "updated" if f gives no derivatives, and returns new weights and biases or writes to those that
        it is given.
    layers: "lists" if f takes a list of weights and one of biases; "pairs" if one list of (W, b); "dicts" if one of {"W": ..., "b": ...};
        "dict" if one dict {"W1": ..., "b1": ..., "W2": ...}; "arguments" if each W and each b is an argument of its own, as in
        f(W1, b1, W2, b2, x, y), whose names say how many layers there are and in which order; "numbers" if each weight, layer by layer
        and row by row, and then each bias is one. It answers in the same form; in dicts by the names dW or W, and db or b. A number before
        or after that, the loss, is left out.
    expected: "rows" if y is as x, "class_index" if it is the number of each sample's class, from 0; then y is one-hot in every problem.
    order: "layers_first" if x and y come last, "samples_first" if they come first.
    activations: whether f is told the activations, after the weights and biases.
    learning_rate: of returns="updated": the name of f's parameter, or {its name: the rate that you use}; or a number that is fixed in f.
    penalty: what f's loss has for large weights: ("l2", lambda) where it adds lambda W to dC/dW, ("l2_over_batch", lambda) where it is
        lambda W over the number of samples; biases are left out. All problems have it then.
    sample_weights: the name of f's parameter that takes weights of samples, (batch,), for C = sum of w_s C_s; "" if it has none.
    supports: what f can do, f.supports if not given. As f is told no loss, its losses are half_squared_error (softmax_cross_entropy where
        expected is "class_index") and its reductions sum, unless said there; with samples="one", a mean over samples is taken here.
    Raises TargetError.
    """
    words: dict[str, Any] = {
        "samples": samples,
        "weights": weights,
        "biases": biases,
        "returns": returns,
        "layers": layers,
        "expected": expected,
        "order": order,
    }
    for name, value in words.items():
        if value not in LAYOUTS[name]:
            raise TargetError(f"adapt: {name} is {value!r}: {did_you_mean(value, LAYOUTS[name])}expected one of {', '.join(LAYOUTS[name])}")
    if layers != "lists" and returns not in ("weights_biases", "updated"):
        raise TargetError(
            f"adapt: returns is {returns!r}, but where layers is {layers!r} f answers in that form: leave it out, or 'updated'"
        )
    if learning_rate is not None and returns != "updated":
        raise TargetError(f"adapt: learning_rate is {learning_rate!r}, but returns is {returns!r}: expected 'updated'")
    if samples == "one" and (penalty is not None or sample_weights):
        raise TargetError(
            "adapt: samples is 'one', and penalty or sample_weights is given: a sample alone has neither, so adapt what takes the batch"
        )
    if sample_weights and (known := _parameters(f)) and sample_weights not in known:
        raise TargetError(f"adapt: sample_weights is {sample_weights!r}, but f takes {', '.join(known)}")
    try:
        penalty = normal_penalty(penalty)
    except ValueError as error:
        raise TargetError(f"adapt: {error}") from None
    rate = rate_of(learning_rate, f, _parameters(f)) if returns == "updated" else None
    layout, said = Layout(**words, activations=activations), getattr(f, "supports", None) if supports is None else supports
    by_name = [name for name in (rate.name if rate else "", sample_weights) if name]
    taken = taken_by(_parameters(f), layout, by_name, dict(said or {}))
    layout = replace(layout, by_turns=taken.by_turns)
    as_said = _adapted(f, layout, rate, sample_weights)

    def target(problem: Problem) -> Gradient:
        if problem.sample_weights is not None and not sample_weights:
            raise Declined("f is told no weights of samples: say adapt(f, sample_weights='...'), the name of its parameter")
        if problem.penalty not in penalties:
            raise Declined(f"f is said to have no penalty {problem.penalty}: say adapt(f, penalty=...)")
        try:
            return as_said(problem)
        except (Malformed, Declined):
            raise
        except Exception as error:
            if options := _answers_by(f, layout, rate, problem, sample_weights):
                error.add_note(f"with {options} it answers: say backproof.adapt(f, {options})")
            raise

    usual: dict[str, Any] = {"losses": ["half_squared_error"], "reductions": ["sum"]}
    if expected == "class_index":
        usual |= {"losses": ["softmax_cross_entropy"], "expected": "one_hot"}
    if penalty is not None:
        usual |= {"penalties": [penalty]}
    if sample_weights:
        usual |= {"sample_weights": True}
    if rate is not None:
        # what is read out of updated weights was rounded with them
        usual |= {"learning_rate": rate.own, "exact": False}
    target.supports = {**usual, **taken.supports, **(said or {})}  # type: ignore[attr-defined]
    penalties: tuple[Any, ...] = (penalty,)
    with suppress(SupportError):  # what cannot be understood is told where the target is asked
        penalties = Support.of(target.supports).penalties  # type: ignore[attr-defined]
    target.precision = getattr(f, "precision", None)  # type: ignore[attr-defined]
    target.notes = (*([taken.note] if taken.note else []), *([rate.note] if rate else []))  # type: ignore[attr-defined]
    target.__qualname__ = getattr(f, "__qualname__", "adapted")
    return target


def _parameters(f: Callable[..., Any]) -> Mapping[str, Any]:
    """The parameters of f, by their names; none where nothing is known of them."""
    with suppress(TypeError, ValueError):
        return inspect.signature(f).parameters
    return {}


def _answers_by(f: Callable[..., Any], layout: Layout, rate: Rate | None, problem: Problem, counts: str) -> str:
    """The options of adapt by which f answers a problem that it raises at, with arrays of the right shapes; or ""."""
    with suppress(Exception):
        _adapted(f, layout, rate, counts)(problem.copy())
        return ""  # it raised once, for another reason
    changes: list[dict[str, Any]] = [
        {name: value} for name in ("samples", "weights", "biases", "order", "expected") for value in LAYOUTS[name]
    ]
    pairs = [{**one, **other} for one, other in combinations(changes, 2) if one.keys() != other.keys()]
    for change in changes + pairs:
        with suppress(Exception):
            # a copy: where f reads a scalar it is given a view here, which it may add to
            answer = _adapted(f, replace(layout, **change), rate, counts)(problem.copy())
            if [np.shape(weight) for weight in answer.weights] == [weight.shape for weight in problem.weights]:
                return ", ".join(f'{name}="{value}"' for name, value in change.items() if getattr(layout, name) != value)
    return ""


def _adapted(f: Callable[..., Any], layout: Layout, rate: Rate | None, counts: str) -> Callable[[Problem], Gradient]:
    """What asks f by a layout. counts: the name of its parameter that takes weights of samples, or ""."""
    names = positional(_parameters(f))

    def asked(problem: Problem, given: Given, x: AnyArray, y: Any, **named: Any) -> Any:
        if counts:
            named[counts] = problem.sample_weights
        told = (list(problem.activations),) if layout.activations else ()
        arguments = layout.arguments(given.held, told, x, y)
        for place, name in enumerate(names):
            if name in named and place <= len(arguments):
                arguments.insert(place, named.pop(name))
        return f(*arguments, **named)

    def answered(problem: Problem, x: AnyArray, y: Any) -> Gradient:
        given = layout.given(problem)
        return layout.gradient(asked(problem, given, x, y), given)

    def read(problem: Problem, x: AnyArray, y: Any, rate: Rate) -> tuple[Gradient, Gradient]:
        """The gradient that an update shows, and by how much each entry of it may be off."""

        def step(chosen: float) -> list[AnyArray]:
            given = layout.given(problem, copied=True)
            weights, biases = layout.updated(asked(problem, given, x, y, **({rate.name: chosen} if rate.name else {})), given)
            return [*weights, *(biases[i] for i in biased)]

        before = layout.given(problem)
        biased = [i for i, bias in enumerate(before.biases) if bias is not None]
        readings = read_off(step, [*before.weights, *(bias for bias in before.biases if bias is not None)], rate)

        def back(arrays: Sequence[AnyArray]) -> Gradient:
            biases: list[AnyArray | None] = [None] * problem.depth
            for i, array in zip(biased, arrays[problem.depth :], strict=True):
                biases[i] = array
            return layout.turned_back(list(arrays[: problem.depth]), biases, before)

        values = [reading.value.astype(reading.after.dtype) for reading in readings]
        return back(values), back([reading.error for reading in readings])

    def target(problem: Problem) -> Gradient:
        share = 1 / problem.batch if layout.samples == "one" and problem.reduction == "mean" else 1.0
        calls = layout.calls(problem)
        if rate is None:
            return _added([answered(problem, x, y) for x, y in calls], share)
        gradients, errors = zip(*(read(problem, x, y, rate) for x, y in calls), strict=True)
        answer, error = _added(list(gradients), share), _added(list(errors), share)
        if not any(array.any() for _, array in answer.arrays()) and should_change(problem, answer, error):
            raise Malformed(
                "f leaves all weights and biases as they were: return the new ones, or write to what it is given, as in "
                'weights[i] = ... or weights[i] -= ...; if it answers derivatives, leave returns="updated" out'
            )
        return allowed_for(problem, answer, error) if any(array.any() for _, array in error.arrays()) else answer

    return target


def _added(gradients: list[Gradient], share: float) -> Gradient:
    """The sum over samples, each with its share: added up in float64, in the dtype of what is added."""
    if len(gradients) == 1 and share == 1:
        return gradients[0]

    def total(parts: Sequence[Any]) -> Any:
        if parts[0] is None:
            return None
        arrays = [as_array(part) for part in parts]
        return (np.sum(arrays, axis=0, dtype=np.float64) * share).astype(arrays[0].dtype)

    weights = [total(parts) for parts in zip(*(g.weights for g in gradients), strict=True)]
    if gradients[0].biases is None:
        return Gradient(weights)
    return Gradient(weights, [total(parts) for parts in zip(*(g.biases or () for g in gradients), strict=True)])
