"""What a diagnosis says, as plain data: where a target is wrong, and why."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Diagnosis:
    """Where a target is wrong, and why, as plain data.

    layer: from 1, in the problem that the evidence is of, None where no one is meant; equation: of the note, None where it breaks none;
    equations: all that it may sit in; cause: the variant's name, where it is certain, else None; shows_when: in words, "" where unknown;
    explanation: one to three sentences; evidence: plain data, {"boxes": [[name, "ok", "X" or "?"], ...], "tables": [...]};
    same_as: what gives the same numbers; reproduced: (answers that a network with the causes gives, of how many).
    """

    layer: int | None
    equation: int | None
    equations: tuple[int, ...]
    cause: str | None
    shows_when: str
    explanation: str
    evidence: dict[str, Any] = field(default_factory=dict)
    same_as: tuple[str, ...] = ()
    reproduced: tuple[int, int] = (0, 0)
