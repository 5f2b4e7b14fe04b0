"""Targets from a class of networks: an object is made for each problem, given the problem's weights, and asked."""

import copy
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from backproof.targets.functions import adapt
from backproof.targets.layouts import Layout, is_number, without_loss
from backproof.targets.target import Target, TargetError
from backproof.targets.weight_names import (
    BESIDE_THE_LOSS,
    METHODS,
    READ_AS,
    UPDATING,
    Holder,
    Names,
    attributes_told,
    forms_of,
    names_of,
    slopes_of,
)
from properties.answers.answer import Malformed
from properties.answers.other_forms import WANTED
from reference.problem import Problem

PROBE = (2, 3, 4, 1)
"""The widths of the network that is made to look at, of a class that takes any; of one that takes three numbers the last three."""


def from_class(
    given: Any,
    *,
    make: Callable[[list[int]], Any] | None = None,
    set_weights: Callable[[Any, list[Any], list[Any]], Any] | None = None,
    gradient: Callable[..., Any] | str | None = None,
    supports: Mapping[str, Any] | None = None,
    **layout: Any,
) -> Target:
    """A target from a class of networks, or from one network, of which a copy is asked each time.

    make: make(widths) is a network; if not given, Network(widths) where it must be given one thing, Network(inputs, hidden, outputs)
        where three, and Network() where none, which has one architecture alone.
    set_weights: set_weights(network, weights, biases), lists by layer; if not given, they are put where the network holds them: in
        weights and biases, W1, W2, ... and b1, b2, ..., or names like these, or in a dict params by such names.
    gradient: gradient(network, x, y), or a method's name; if not given, the one method that is named like backprop, or else like loss. It
        returns the derivatives, alone or beside the loss, or leaves them in the network, as dW1 and db1, nabla_w and nabla_b, or grads.
        Of returns="updated" the weights are read where they are held, and gradient takes the rate as well, by the name that learning_rate
        says.
    supports: what the network can do, its activations at least; its widths, depth and biases are found where the object says them.
    layout: of adapt: samples, expected, returns, learning_rate; weights and biases where the shapes do not tell them.
    What was found is told in the report. Raises TargetError.
    """
    name = getattr(given, "__qualname__", type(given).__name__)
    if supports is None or "activations" not in supports:
        raise TargetError(f"from_class: say which activations {name} has: supports={{'activations': ['sigmoid'], ...}}")
    making = _Making(given, make)
    probe = making.probe
    of_weights, of_biases = (None, None) if set_weights else (names_of(probe, "weights"), names_of(probe, "biases"))
    if set_weights is None and of_weights is None:
        raise TargetError(
            f"from_class: {name} holds no weights by a name that is known (it has {attributes_told(probe)}): "
            "say set_weights=lambda net, weights, biases: ..."
        )
    updated = layout.get("returns") == "updated"
    if updated and of_weights is None:
        raise TargetError("from_class: returns is 'updated', so set_weights must be left out: new weights are read where they are held")
    known = (UPDATING,) if updated else (METHODS, BESIDE_THE_LOSS)
    ask, asked, method = _question(probe, gradient, known, layout.get("learning_rate"))
    beside_the_loss = gradient is None and method in BESIDE_THE_LOSS
    notes = [making.told]
    found: dict[str, Any] = {}
    if of_weights is not None:
        found, said = _found_in(probe, of_weights, of_biases, layout, making)
        notes.append(said)
    if beside_the_loss and of_weights is not None and _is_loss_alone(probe, ask, of_weights, {**layout, **found}):
        raise TargetError(
            f"from_class: {method} returns a number alone, and no other method is known by its name to give a gradient: "
            "say gradient='name', or gradient=lambda net, x, y: ..."
        )
    form: Form | None = None
    if of_weights is not None and not updated and "returns" not in layout:
        form, why = _form(making, ask, of_weights, of_biases, {**layout, **found})
        asked += f", read as {form.name}" if form else why
    notes.append(asked)

    def f(weights: list[Any], biases: list[Any], x: Any, y: Any, **rate: Any) -> Any:
        in_out, folded = layout.get("weights") == "in_out", str(layout.get("biases")).startswith("folded")
        shapes = [np.shape(w)[::-1] if in_out else np.shape(w) for w in weights]
        network = making([shapes[0][1] - folded, *(shape[0] for shape in shapes)])
        if set_weights is not None:
            set_weights(network, weights, biases)
        elif of_weights is not None:
            of_weights.write(network, weights)
            if of_biases is not None:
                of_biases.write(network, biases)
        answer = ask(network, x, y, **rate)
        if updated and of_weights is not None:
            depth = len(weights)
            return of_weights.read(network, depth), of_biases.read(network, depth) if of_biases else biases
        held = [b for b in biases if b is not None]
        if form is not None:
            return form.read(answer)
        if is_number(answer) and not beside_the_loss:
            answer = None  # the derivatives are left in the network
        elif isinstance(alone := without_loss(answer), Mapping):
            answer = alone
        if answer is None or isinstance(answer, Mapping):
            read = slopes_of(network if answer is None else Holder(grads=answer), weights, held)
            if read is not None:
                return read
        if answer is None:
            raise Malformed(
                f"{asked} and returns no derivatives, and {name} then holds none by a name that is known: "
                "say gradient=lambda net, x, y: ..."
            )
        return answer

    layout = {**layout, **{key: value for key, value in found.items() if key in ("weights", "biases")}}
    limits = {key: value for key, value in found.items() if key not in ("weights", "biases")}
    limits_biases = {} if "bias" not in limits else {"biases": limits.pop("bias")}
    target = adapt(f, activations=False, supports={**limits, **limits_biases, **supports}, **layout)
    target.notes = (f"of {name}: {'; '.join(notes)}", *target.notes)  # type: ignore[attr-defined]
    target.__qualname__ = name
    return _told_of_class(target, name)


def _told_of_class(target: Target, name: str) -> Target:
    """A target whose errors name the options as those of from_class, which has them too."""

    def said(text: str) -> str:
        return text.replace("backproof.adapt(f, ", f"backproof.from_class({name.rpartition('.')[2]}, ")

    @functools.wraps(target)
    def of_class(problem: Problem) -> Any:
        try:
            return target(problem)
        except Malformed as error:
            raise Malformed(said(str(error))) from None
        except Exception as error:
            if notes := getattr(error, "__notes__", None):
                notes[:] = map(said, notes)
            raise

    return of_class


class _Making:
    """How a network is made. widths: where there is one architecture alone; three: whether it takes three numbers."""

    def __init__(self, given: Any, make: Callable[[list[int]], Any] | None) -> None:
        self.three = self.fixed = False
        if make is not None:
            self.call, self.told = make, "made by make"
        elif not isinstance(given, type):
            self.fixed, self.call, self.told = True, lambda widths: copy.deepcopy(given), "a copy of the object that was given"
        else:
            self._by_signature(given)
        sizes = list(PROBE[1:] if self.three else PROBE)
        try:
            self.probe = self.call(sizes)
        except Exception as error:
            raise TargetError(
                f"from_class: {given!r} cannot be made of the widths {sizes} ({type(error).__name__}: {error}): say make=lambda widths: ..."
            ) from error

    def _by_signature(self, given: type) -> None:
        takes = [p for p in inspect.signature(given).parameters.values() if p.default is p.empty and p.kind in (0, 1, 3)]
        name = given.__name__
        if not takes:
            self.fixed, self.call, self.told = True, lambda widths: given(), f"made by {name}()"
        elif len(takes) == 1:
            self.call, self.told = given, f"made by {name}([n_0, ..., n_L])"
        elif len(takes) == 3:
            self.three, self.call, self.told = True, lambda widths: given(*widths), f"made by {name}(n_0, n_1, n_2)"
        else:
            said = ", ".join(parameter.name for parameter in takes)
            raise TargetError(f"from_class: {name} must be given {said}: say make=lambda widths: {name}(...)")

    def __call__(self, widths: list[int]) -> Any:
        return self.call([int(width) for width in widths])


def _found_in(
    probe: Any, of_weights: Names, of_biases: Names | None, layout: Mapping[str, Any], making: _Making
) -> tuple[dict[str, Any], str]:
    """What the arrays of a network say of its layout and limits, and the same in words. Raises TargetError."""
    shapes = [np.shape(array) for array in of_weights.read(probe)]
    folded = str(layout.get("biases")).startswith("folded")
    ways = [way for way in ("out_in", "in_out") if layout.get("weights") in (None, way) and _chains(shapes, way, folded)]
    if len(ways) != 1:
        said = "fit both ways: say weights='out_in' or 'in_out'" if ways else "do not follow one another: say set_weights="
        raise TargetError(f"from_class: {of_weights} have the shapes {shapes}, which {said}")
    turned = [shape[::-1] if ways[0] == "in_out" else shape for shape in shapes]
    widths = [turned[0][1] - folded, *(shape[0] for shape in turned)]
    found: dict[str, Any] = {"weights": ways[0], "bias": folded or of_biases is not None}
    if making.fixed:
        found["widths"] = widths
    elif making.three:
        found["depth"] = (2, 2)
    told = f"weights in {of_weights} as {'(outputs, inputs)' if ways[0] == 'out_in' else '(inputs, outputs)'}"
    if of_biases is None:
        return found, f"{told}, {'biases among them' if folded else 'no biases'}"
    bias_shapes = [np.shape(bias) for bias in of_biases.read(probe)]
    forms = {"vector": [(n,) for n in widths[1:]], "column": [(n, 1) for n in widths[1:]], "row": [(1, n) for n in widths[1:]]}
    fitting = [form for form, expected in forms.items() if bias_shapes == expected]
    if len(fitting) != 1 and "biases" not in layout:
        raise TargetError(
            f"from_class: {of_biases} have the shapes {bias_shapes}: say biases=, one of vector, column, row, or set_weights="
        )
    found["biases"] = layout.get("biases", fitting[0] if fitting else None)
    return found, f"{told}, biases in {of_biases} as {found['biases']}s"


@dataclass(frozen=True)
class Form:
    """How a method answers: name: of READ_AS; beside_the_loss: whether a number stands before or after that."""

    name: str
    beside_the_loss: bool

    def read(self, answer: Any) -> Any:
        """(List of dC/dW, list of dC/db)."""
        return READ_AS[self.name](without_loss(answer) if self.beside_the_loss else answer)


def _form(
    making: _Making, ask: Callable[..., Any], of_weights: Names, of_biases: Names | None, layout: Mapping[str, Any]
) -> tuple[Form | None, str]:
    """In which form a method answers, by what it answers of one network; None where it answers nothing, and why, if it raises.

    Raises TargetError.
    """
    forms, error = _forms(making.probe, ask, of_weights, of_biases, layout)
    if error is not None and not (making.fixed or making.three):
        # what is wrong between layers does not raise where there is one; not every class can be made so
        with suppress(Exception):
            one_layer = (replace(of_weights, count=1), of_biases and replace(of_biases, count=1))
            of_one_layer, _ = _forms(making([3, 2]), ask, *one_layer, layout)
            forms = of_one_layer if len(of_one_layer) == 1 else []
    if len(forms) > 1:
        said = " or ".join(form.name for form in forms)
        raise TargetError(f"from_class: what it answers may be {said}: say returns=, or gradient=lambda net, x, y: ...")
    if forms or error is None:
        return forms[0] if forms else None, ""
    return None, f", which raised {type(error).__name__} when it was tried: if it does not return {WANTED}, say returns="


def _forms(
    probe: Any, ask: Callable[..., Any], of_weights: Names, of_biases: Names | None, layout: Mapping[str, Any]
) -> tuple[list[Form], Exception | None]:
    """The forms that fit what one network answers, and what it raised."""
    weights, biases = of_weights.read(probe), of_biases.read(probe) if of_biases else []
    try:
        answer = _answered(probe, ask, weights, layout)
    except Exception as error:  # it is told when a problem is put to it
        return [], error
    # a number at the end may be dC/db of one node
    if whole := forms_of(answer, weights, biases):
        return [Form(name, beside_the_loss=False) for name in whole], None
    return [Form(name, beside_the_loss=True) for name in forms_of(without_loss(answer), weights, biases)], None


def _is_loss_alone(probe: Any, ask: Callable[..., Any], of_weights: Names, layout: Mapping[str, Any]) -> bool:
    """Whether a method answers a number, of one network; not where it raises, which is told when a problem is put to it."""
    with suppress(Exception):
        return is_number(_answered(probe, ask, of_weights.read(probe), layout))
    return False


def _answered(probe: Any, ask: Callable[..., Any], weights: Sequence[Any], layout: Mapping[str, Any]) -> Any:
    """What one network answers to a problem of five samples. Raises whatever it raises."""
    in_out, folded = layout.get("weights") == "in_out", str(layout.get("biases")).startswith("folded")
    inputs, outputs = np.shape(weights[0])[0 if in_out else 1] - folded, np.shape(weights[-1])[1 if in_out else 0]
    problem = Problem([np.ones((outputs, inputs))], activations=["identity"], x=np.full((5, inputs), 0.5), y=np.eye(5, outputs))
    chosen = Layout(samples=layout.get("samples", "rows"), expected=layout.get("expected", "rows"))
    x, y = chosen.calls(problem)[0]
    with np.errstate(all="ignore"):
        return ask(copy.deepcopy(probe), x, y)


def _chains(shapes: Sequence[Any], way: str, folded: bool) -> bool:
    turned = [shape if way == "out_in" else shape[::-1] for shape in shapes]
    return all(len(shape) == 2 for shape in turned) and all(one[0] == other[1] - folded for one, other in pairwise(turned))


def _question(
    probe: Any, gradient: Callable[..., Any] | str | None, known: Sequence[Sequence[str]], learning_rate: Any = None
) -> tuple[Callable[..., Any], str, str]:
    """What asks a network, the same in words, and the method. Raises TargetError.

    known: names of methods, those that are looked for first; learning_rate: as adapt takes it.
    """
    if callable(gradient):
        return gradient, "asked by gradient", ""
    methods = [name for name in dir(probe) if not name.startswith("_") and callable(getattr(probe, name))]
    named = ([name for name in names if name in methods] for names in known)
    chosen = next(filter(None, named), []) if gradient is None else [gradient]
    if len(chosen) != 1 or chosen[0] not in methods:
        has = f"it has {', '.join(methods) or 'no methods'}"
        meant = f"no method is known by its name to give a gradient ({has})"
        if chosen:
            meant = f"the method to be asked may be {' or '.join(chosen)}" if gradient is None else f"there is no method {gradient} ({has})"
        raise TargetError(f"from_class: {meant}: say gradient='name', or gradient=lambda net, x, y: ...")
    rate_named = next(iter(learning_rate), None) if isinstance(learning_rate, Mapping) else learning_rate
    taken = inspect.signature(getattr(probe, chosen[0])).parameters if isinstance(rate_named, str) else {}
    if taken and rate_named not in taken and not any(p.kind is p.VAR_KEYWORD for p in taken.values()):
        raise TargetError(
            f"from_class: {chosen[0]} takes {', '.join(taken)}, and no {rate_named}: say learning_rate=0.1, the number that the network "
            f"has, or gradient=lambda net, x, y, {rate_named}: ..., which sets it first"
        )
    return lambda network, x, y, **rate: getattr(network, chosen[0])(x, y, **rate), f"asked by {chosen[0]}(x, y)", chosen[0]
