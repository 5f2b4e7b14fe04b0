"""The chain of equations of one problem, from the loss down: exact, and of the target as its answer tells it; plain data for reports."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from properties.answers.answer import Answer
from properties.diagnosis.asked import Asked
from properties.diagnosis.diagnosis import Diagnosis
from properties.diagnosis.explanation import Layer, Reader
from properties.diagnosis.ladder import Rung
from properties.diagnosis.table import Table, all_variants
from properties.faults.fault import Network
from properties.judging.judgement import precision_of
from reference.arrays import AnyArray, Array
from reference.functions.activation import Joint
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import Choice, name_and_parameters, row_of
from reference.gradient import Gradient
from reference.problem import Problem

FITS = 120
"""Numbers of a problem whose chain of equations fits a screen."""

OK, OFF, FOLLOWS, UNREAD = "ok", "off", "follows", "unread"
"""What is said of a step: it is right; it is the mistake; it is the right step, from numbers that are off already; it cannot be read."""

BY_EQUATION = {2: "output_error", 3: "slope", 7: "error_below", 11: "error_below"}
"""The factor of delta that an equation says."""

OF_ERROR = ("output_error", "reduction", "error_below")


@dataclass(frozen=True)
class Step:
    """One step of one layer.

    layer: from 1; equation: of the note, "" for delta, a product; factor: "output_error", "error_below", "slope", "delta", "below",
    "weight_gradient" or "bias_gradient"; name: in letters; exact: the exact numbers, got: the target's own, None where its answer does not
    tell them; state: of OK, OFF, FOLLOWS, UNREAD; activation: of the layer.
    """

    layer: int
    equation: str
    factor: str
    name: str
    exact: Array
    got: Array | None
    state: str
    activation: Choice

    @property
    def differs(self) -> bool:
        """Whether the target's numbers are others."""
        return self.got is not None and not _alike(self.got, self.exact, 1e-9)


def chain(problem: Problem, answer: Gradient, precision: str | None, diagnosis: Diagnosis | None = None) -> list[Step]:
    """The steps of a problem from the loss down, in each layer.

    precision: that the answer is judged by, None for what its dtype says; diagnosis: of the target, which says which factor of a delta that
    is off is meant.
    """
    asked = Asked(Rung(problem, "found"), Answer(answer), precision_of(answer, precision))
    with np.errstate(all="ignore"):
        own = {layer.layer: layer for layer in Reader(Table(), Network()).read(asked).layers}
        steps: list[Step] = []
        for layer in range(problem.depth, 0, -1):
            steps += _of_layer(asked, answer, own.get(layer, Layer(layer, "unread", "unread", "unread")), diagnosis)
    return steps


def first_off(steps: Sequence[Step]) -> Step | None:
    """The first step that is the mistake, from the loss down; the first of those that are off, where no one is told."""
    return next((step for step in steps if step.state == OFF), next((step for step in steps if step.state == FOLLOWS), None))


def factor_of(diagnosis: Diagnosis) -> str:
    """The factor that a diagnosis says is off, of STEPS of a network; "" where it says none."""
    if diagnosis.cause in all_variants():
        return all_variants()[diagnosis.cause].step
    kinds = {"slope": "slope", "matrix": "error_below", "samples": "reduction", "loss": "output_error"}
    for table in diagnosis.evidence.get("tables", ()):
        if table["kind"] == "product":
            return "bias_gradient" if "sum of delta" in table["columns"] else "weight_gradient"
        if table["kind"] in kinds:
            return kinds[table["kind"]]
    return BY_EQUATION.get(diagnosis.equation or 0, "")


def _of_layer(asked: Asked, answer: Gradient, read: Layer, diagnosis: Diagnosis | None) -> Iterator[Step]:
    problem, layer, i = asked.problem, read.layer, read.layer - 1
    back, below = asked.exact.passes.backward, asked.exact.passes.forward.activations[i]
    exact_error, exact_slope, exact_delta = back.errors[i], back.slopes[i], back.deltas[i]
    relative = max(1e-9, 256 * asked.precision.unit)
    top = layer == problem.depth
    joint = isinstance(row_of(ACTIVATIONS, problem.activations[i]), Joint)  # it has no one slope for each node
    blamed = _blamed(read, top, problem.activations[i], diagnosis) if read.delta == "off" else ""
    error, slope, own = read.error, None, read.own
    if joint:
        blamed = blamed and "delta"
    elif read.own is not None and read.error is not None:
        slope = np.where(read.error == 0, exact_slope, read.own / read.error) if blamed == "slope" else exact_slope
        if blamed in OF_ERROR:
            error = np.where(exact_slope == 0, read.error, read.own / exact_slope)

    def step(equation: str, factor: str, name: str, exact: AnyArray, got: AnyArray | None, off: bool) -> Step:
        known = None if got is None else np.asarray(got, dtype=np.float64)
        state = OFF if off else UNREAD if known is None else OK if _alike(known, exact, relative) else FOLLOWS
        return Step(layer, equation, factor, name, exact, known, state, problem.activations[i])

    of_weights = read.delta == "off" and read.weights != "off" and _is_of_weights(diagnosis, answer, i)
    if of_weights:
        # delta of a layer without biases is read off dC/dW, which is the mistake itself
        error, slope, own = None, None, None
    yield step(
        "2" if top else "11", "output_error" if top else "error_below", "dC/da", exact_error, error, blamed in OF_ERROR and not of_weights
    )
    if not joint:
        yield step("3", "slope", "g'(z)", exact_slope, slope, blamed == "slope" and not of_weights)
    yield step("3" if joint else "", "delta", "delta", exact_delta, own, blamed == "delta" and not of_weights)
    yield step("4", "below", "a below", below, below, False)
    weights = np.asarray(answer.weights[i])
    yield step("10", "weight_gradient", "dC/dW", back.weights[i], weights, read.weights == "off" or of_weights)
    if answer.biases is not None and answer.biases[i] is not None:
        yield step("10", "bias_gradient", "dC/db", back.biases[i], np.asarray(answer.biases[i]), read.biases == "off")


def _is_of_weights(diagnosis: Diagnosis | None, answer: Gradient, i: int) -> bool:
    """Whether it is certain that dC/dW is the mistake, in a layer whose dC/dW alone is known."""
    told = diagnosis is not None and diagnosis.cause is not None and factor_of(diagnosis) == "weight_gradient"
    return told and (answer.biases is None or answer.biases[i] is None)


def _blamed(read: Layer, top: bool, activation: Choice, diagnosis: Diagnosis | None) -> str:
    """Which factor of a delta that is off is meant; "delta" where that is not told."""
    said = factor_of(diagnosis) if diagnosis is not None else ""
    if said == "slope" and diagnosis is not None and not diagnosis.cause and not _is_named(activation, diagnosis):
        said = ""  # where the cause is not known, it is not known of other activations
    named = {row.step for row in read.by_delta}
    if not said and len(named) == 1:
        said = named.pop()
    fits = said == "slope" or said == ("error_below" if not top else said if said in ("output_error", "reduction") else "")
    return said if fits else "delta"


def _is_named(activation: Choice, diagnosis: Diagnosis) -> bool:
    """Whether a diagnosis is of this activation, or names none."""
    named = activation_named(diagnosis)
    return not named or named == name_and_parameters(activation)[0]


def activation_named(diagnosis: Diagnosis) -> str:
    """The activation whose layer a diagnosis names, as in "equation 3, layer 1 (sigmoid)"; "" where it names none."""
    found = re.search(r"layer \d+ \((\w+)\)", diagnosis.explanation)
    return found[1] if found and found[1] in ACTIVATIONS else ""


def _alike(one: Array, other: AnyArray, relative: float) -> bool:
    return one.shape == np.shape(other) and np.allclose(one, other, rtol=relative, atol=0, equal_nan=True)
