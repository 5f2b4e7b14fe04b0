"""A grade in the form of Gradescope's results.json, as its documentation of autograders has it."""

from collections.abc import Mapping
from typing import Any

from backproof.findings.grade import SHARES, Grade
from backproof.findings.text import printable
from backproof.version import VERSION

VISIBILITIES = ("visible", "hidden", "after_due_date", "after_published")
"""Who sees a test, and when: the words of Gradescope's documentation."""

LONGEST_OUTPUT = 10_000
"""Characters of one output."""


def gradescope(grade: Grade, visibility: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The results, as plain data. visibility: of the parts of a kind, a key of SHARES; visible where nothing is said.

    All texts are shown as they are: their format is text, so that no name of a target is markup. The explanation is in the first part that
    students see, and in none where they see none.
    """
    seen = {kind: (visibility or {}).get(kind, "visible") for kind in SHARES}
    tests = []
    for i, part in enumerate(grade.parts, 1):
        said = [part.counts, part.text if part.fraction < 1 or part.kind == "laws" else ""]
        tests.append(
            {
                "name": part.name,
                "name_format": "text",
                "number": str(i),
                "score": round(grade.worth(part) * part.fraction, 4),
                "max_score": round(grade.worth(part), 4),
                "status": "passed" if part.fraction == 1 else "failed",
                "output": _shown("\n".join(line for line in said if line)),
                "output_format": "text",
                "visibility": seen[part.kind],
            }
        )
    hidden = any(word != "visible" for word in seen.values())
    told = f"{grade.score:g} of {grade.points:g} points" if not hidden else "some parts are not shown yet"
    explained = grade.error or ("" if any(seen[part.kind] != "visible" for part in grade.parts if part.fraction < 1) else grade.explanation)
    return {
        "score": grade.score,
        "output": _shown("\n\n".join(line for line in (told, explained) if line)),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
        "extra_data": {"backproof": VERSION, "seed": grade.seed, "calls": grade.calls},
    }


def _shown(text: str) -> str:
    """Text that is shown harmlessly, and is not longer than anybody reads."""
    safe = printable(text)
    return safe if len(safe) <= LONGEST_OUTPUT else f"{safe[:LONGEST_OUTPUT]}... ({len(safe):,} characters in all)"
