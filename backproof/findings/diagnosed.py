"""How a diagnosis is written: as rows for a person, and as plain data that is read again."""

from typing import Any

from backproof.findings.causes import in_words
from properties.diagnosis.diagnosis import Diagnosis
from reference.forms.json_form import numbers

FIELDS = ("layer", "equation", "equations", "cause", "shows_when", "explanation", "evidence", "same_as", "reproduced")
"""What a diagnosis holds, in the order in which it is written."""

SHOWN = 5
"""Rows of the evidence that are shown; the file of the finding holds all."""

MOST_SAME = 4
"""Variants with the same numbers that are shown."""


def diagnosis_rows(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """The row of boxes, the sentences, what has the same numbers, and a small table."""
    rows = [("factors", boxes_text(diagnosis)), ("cause", diagnosis.explanation)]
    if diagnosis.same_as:
        more = len(diagnosis.same_as) - MOST_SAME
        rows.append(("same as", "; ".join(map(in_words, diagnosis.same_as[:MOST_SAME])) + (f"; and {more} more" if more > 0 else "")))
    for table in diagnosis.evidence.get("tables", ())[:1]:
        rows += [
            ("evidence", f"{table['caption']}{'; ' + table['note'] if table['note'] else ''}"),
            *(("", line) for line in _table(table)),
        ]
    rows.append(("unasked", diagnosis.evidence.get("not_asked", "")))
    return [(name, said) for name, said in rows if said]


def boxes_text(diagnosis: Diagnosis) -> str:
    """The network from the loss down: "loss ok | g'2 X | dW2 ok"."""
    return " | ".join(" ".join(box) for box in diagnosis.evidence.get("boxes", ()))


def headings(table: dict[str, Any]) -> list[str]:
    """What stands over the columns of a table: of two that are compared, which is right and which is the target's."""
    columns = list(table["columns"])
    if table["kind"] == "samples":
        return [*columns[:2], *(f"yours {name}" for name in columns[2:])]
    if columns[-1] in ("read", "answered") and len(columns) > 2:
        return [*columns[:-2], f"{columns[-2]}, should be", "yours"]
    return ["yours" if name == "read" else name for name in columns]


def _table(table: dict[str, Any]) -> list[str]:
    """The lines of a table, its columns one below the other."""
    cells = [headings(table), *([_number(value) for value in row] for row in table["rows"][:SHOWN])]
    widths = [max(len(row[i]) for row in cells) for i in range(len(table["columns"]))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    error = table["error"]
    return [*lines, f"each read within {error:.1g}"] if error and error < 1 else lines


def _number(value: Any) -> str:
    return f"{float(value):.7g}"


def diagnosis_data(diagnosis: Diagnosis) -> dict[str, Any]:
    """A diagnosis as plain data."""
    data = {name: getattr(diagnosis, name) for name in FIELDS}
    tables = [table | {"rows": numbers(table["rows"]), "error": numbers(table["error"])} for table in diagnosis.evidence.get("tables", ())]
    evidence = {"boxes": diagnosis.evidence.get("boxes", []), "tables": tables, "not_asked": diagnosis.evidence.get("not_asked", "")}
    listed = {name: list(data[name]) for name in ("equations", "same_as", "reproduced")}
    return data | listed | {"evidence": evidence}


def diagnosis_of(data: dict[str, Any]) -> Diagnosis:
    """The diagnosis that diagnosis_data wrote. Raises KeyError, TypeError and ValueError."""
    given, wrong_answers = data["reproduced"]
    tables = [table | {"rows": [[float(value) for value in row] for row in table["rows"]]} for table in data["evidence"]["tables"]]
    return Diagnosis(
        data["layer"],
        data["equation"],
        tuple(data["equations"]),
        data["cause"],
        str(data["shows_when"]),
        str(data["explanation"]),
        data["evidence"] | {"tables": tables},
        tuple(data["same_as"]),
        (int(given), int(wrong_answers)),
    )
