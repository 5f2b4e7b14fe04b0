"""A grade, as plain data: the parts of a submission, how each fared by counts of calls, and the points by one written rule."""

from dataclasses import dataclass
from typing import Any

from backproof.findings.text import counted

ANSWERS, GRADIENT, LAWS = "answers", "gradient", "laws"

SHARES = {ANSWERS: 0.1, GRADIENT: 0.6, LAWS: 0.3}
"""What the three kinds of parts are worth, of all points; the parts of a kind are worth the same."""

HALF = 0.5


@dataclass(frozen=True)
class Part:
    """One part of a grade. kind: a key of SHARES; right: in how many calls or problems it was right, of how many; text: what is said of it.

    excused: whether it is spoilt by the one mistake that is named; void: whether it proves nothing, since no part of the gradient
    has any points.
    """

    name: str
    kind: str
    right: int
    of: int
    text: str = ""
    excused: bool = False
    void: bool = False

    @property
    def fraction(self) -> float:
        """All of its points where it is right each time, half of them where it is right at least every other time, else none.

        Half too where the one mistake that is named explains all that is wrong; none where it proves nothing.
        """
        if self.void or not self.of:
            return 0.0
        if self.right == self.of:
            return 1.0
        return HALF if self.excused or 2 * self.right >= self.of else 0.0

    @property
    def counts(self) -> str:
        """In how many problems it was right: "right in 12 of 40 problems"."""
        said = f"right in {self.right} of {counted(self.of, 'problem')}" if self.of else "nothing could be judged"
        if self.void:
            return f"{said}; no points, since no part of the gradient has any"
        return f"{said}; half the points, since one mistake explains it" if self.excused and self.right < self.of else said


@dataclass(frozen=True)
class Grade:
    """A grade. points: how many there are; parts: in the order in which they are told; seed: of the problems; error: why nothing could
    be asked, "" where it could; explanation: what to change, the student's text; calls: how often the submission was asked."""

    target: str
    points: float
    parts: tuple[Part, ...]
    seed: int
    explanation: str = ""
    error: str = ""
    calls: int = 0

    def worth(self, part: Part) -> float:
        """How many points a part is worth."""
        return self.points * SHARES[part.kind] / sum(one.kind == part.kind for one in self.parts)

    @property
    def score(self) -> float:
        """The points that it gets, to two digits: all of them where every part is right, and never more."""
        if self.parts and all(part.fraction == 1 for part in self.parts) and not self.error:
            return float(self.points)
        return min(self.points, round(sum(self.worth(part) * part.fraction for part in self.parts), 2))

    def text(self) -> str:
        """All of it, for a person."""
        lines = [f"{self.score:g} of {self.points:g} points"]
        lines += [
            f"  {self.worth(part) * part.fraction:5.2f} of {self.worth(part):5.2f}  {part.name}: {part.counts}" for part in self.parts
        ]
        lines += ["", self.error or self.explanation] if self.error or self.explanation else []
        return "\n".join(lines)

    def data(self) -> dict[str, Any]:
        """As plain data."""
        parts = [vars(part) | {"points": self.worth(part) * part.fraction, "worth": self.worth(part)} for part in self.parts]
        own = {name: getattr(self, name) for name in ("target", "points", "score", "seed", "explanation", "error", "calls")}
        return own | {"parts": parts}
