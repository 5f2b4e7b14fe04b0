"""What of the readings is shown: the problem whose picture says most, and the tables as plain data."""

from collections.abc import Sequence
from typing import Any

from properties.diagnosis.asked import Asked
from properties.diagnosis.explanation import Layer, Reading
from properties.diagnosis.read_outs import ROWS, ReadOut
from reference.problem import Problem


def pictured(readings: Sequence[Reading], problem: Problem, number: int) -> tuple[Asked, Layer] | None:
    """Of what was read the layer that shows a slope at most z, of a layer's activation, and output or hidden as that one is."""
    activation, top = problem.activations[number - 1], number == problem.depth
    shown_by = [
        (reading.asked, layer)
        for reading in readings
        for layer in reading.layers
        if layer.delta == "off" and layer.own is not None and reading.asked.problem.activations[layer.layer - 1] == activation
    ]

    def points(each: tuple[Asked, Layer]) -> tuple[bool, int]:
        of, layer = each
        # of two mistakes one may be made in the output layer, and the other below it
        return (layer.layer == of.problem.depth) == top, 0 if layer.own is None else min(layer.own.size, 2 * ROWS)

    return max((each for each in shown_by if points(each)[1] > 1), key=points, default=None)


def is_square(problem: Problem) -> bool:
    """Whether a problem tells the matrix that carries the error down: of two layers of one width, and one sample."""
    return problem.depth == 2 and problem.batch == 1 and min(problem.widths) > 1 and len(set(problem.widths)) == 1


def data_of(table: ReadOut) -> dict[str, Any]:
    """A table as plain data."""
    return {
        "kind": table.kind,
        "caption": table.caption,
        "columns": list(table.columns),
        "rows": [list(row) for row in table.rows],
        "error": table.error,
        "note": table.note,
    }
