"""A finding explained: the diagnosis, and the chain of equations of its problem, with the target's numbers beside the exact ones."""

from collections.abc import Iterator

import numpy as np

from backproof.findings.diagnosed import diagnosis_rows
from backproof.findings.finding import Finding, problem_text
from properties.answers.answer import Answer
from properties.diagnosis.asked import Asked
from properties.diagnosis.explanation import Layer, Reader
from properties.diagnosis.ladder import Rung
from properties.diagnosis.steps import Table
from properties.faults.fault import Network
from properties.judging.judgement import precision_of
from reference.arrays import AnyArray
from reference.gradient import Gradient
from reference.problem import Problem

FITS = 120
"""Numbers of a problem whose chain of equations fits a screen."""

Row = tuple[str, str]


def explained(finding: Finding) -> list[Row]:
    """What is known of a finding, a row for each thing: where and why, the problem, and its equations from the loss down."""
    rows = [row for diagnosis in finding.diagnoses for row in diagnosis_rows(diagnosis)]
    if not rows:
        rows.append(("cause", "this file holds no diagnosis: the first finding of a run does, unless it was run with --no-diagnosis"))
    rows.append(("problem", problem_text(finding.problem)))
    if finding.answer is None:
        return [*rows, ("answer", finding.message or "none that could be judged")]
    if finding.problem.size > FITS:
        return [*rows, ("chain", f"{finding.problem.size:,} numbers, too many to show equation by equation")]
    return [*rows, *chain(finding.problem, finding.answer, finding.precision)]


def chain(problem: Problem, answer: Gradient, precision: str | None) -> list[Row]:
    """The equations of a problem from the loss down, in each layer: exact, and of the target where its answer tells it."""
    asked = Asked(Rung(problem, "found"), Answer(answer), precision_of(answer, precision))
    own = {layer.layer: layer for layer in Reader(Table(), Network()).read(asked).layers}
    back, passed = asked.exact.passes.backward, asked.exact.passes.forward
    rows: list[Row] = []
    for layer in range(problem.depth, 0, -1):
        i = layer - 1
        activation = problem.activations[i]
        read = own.get(layer, Layer(layer, "unread"))
        rows.append(("layer", f"{layer}, {activation if isinstance(activation, str) else f'{activation[0]} {activation[1]}'}"))
        rows += _compared(f"{'2' if layer == problem.depth else '11'}: dC/da", back.errors[i], read.error)
        rows += _compared("3: g'(z)", back.slopes[i], None)
        rows += _compared("delta", back.deltas[i], read.own if read.own is not None else None)
        rows += _compared("4: a below", passed.activations[i], None)
        rows += _compared("10: dC/dW", back.weights[i], np.asarray(answer.weights[i]))
        if answer.biases is not None and answer.biases[i] is not None:
            rows += _compared("10: dC/db", back.biases[i], np.asarray(answer.biases[i]))
    return rows


def _compared(name: str, exact: AnyArray, own: AnyArray | None) -> Iterator[Row]:
    """A line of the exact numbers, and one of the target's where they are others; what lies above in the target's own numbers counts."""
    yield "", f"{name:<12} exact   {_numbers(exact)}"
    if own is not None and not np.allclose(own, exact, rtol=1e-9, atol=0, equal_nan=True):
        yield "", f"{'':<12} target  {_numbers(own)}"


def _numbers(array: AnyArray) -> str:
    rows = np.atleast_2d(np.asarray(array, dtype=np.float64))
    return "; ".join(" ".join(f"{value:.6g}" for value in row) for row in rows)
