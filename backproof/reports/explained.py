"""A finding explained: the diagnosis, and the chain of equations of its problem, with the target's numbers beside the exact ones."""

from collections.abc import Iterator, Sequence

import numpy as np

from backproof.findings.diagnosed import diagnosis_rows
from backproof.findings.finding import Finding
from backproof.findings.shown_problem import problem_text
from backproof.reports.chain import FITS, OFF, Step, chain
from reference.arrays import AnyArray

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
    return [*rows, *chain_rows(chain(finding.problem, finding.answer, finding.precision, finding.diagnosis))]


def chain_rows(steps: Sequence[Step]) -> list[Row]:
    """The equations of a problem from the loss down, in each layer: exact, and of the target where its numbers are others."""
    rows: list[Row] = []
    layer = 0
    for step in steps:
        if step.layer != layer:
            layer, activation = step.layer, step.activation
            rows.append(("layer", f"{layer}, {activation if isinstance(activation, str) else f'{activation[0]} {activation[1]}'}"))
        rows += _compared(step)
    return rows


def _compared(step: Step) -> Iterator[Row]:
    """A line of what should be, and one of the target's own where it is another."""
    name = f"{step.equation}: {step.name}" if step.equation else step.name
    yield "", f"{name:<12} should be  {numbers_text(step.exact)}"
    if step.got is not None and step.differs:
        yield "", f"{'':<12} yours      {numbers_text(step.got)}{'   <- off' if step.state == OFF else ''}"


def numbers_text(array: AnyArray) -> str:
    """The numbers of an array in one line, its rows apart."""
    rows = np.atleast_2d(np.asarray(array, dtype=np.float64))
    return "; ".join(" ".join(f"{value:.6g}" for value in row) for row in rows)
