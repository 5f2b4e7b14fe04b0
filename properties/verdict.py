"""The verdicts, in a written order: the last is the worst."""

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """What is said of a target, of one answer, or of one law on one problem."""

    RIGHT = "right"
    LOSSY = "lossy"
    INCONCLUSIVE = "inconclusive"
    UNSTABLE = "unstable"
    NONFINITE = "nonfinite"
    WRONG = "wrong"
    IMPURE = "impure"
    MALFORMED = "malformed"
    RAISES = "raises"
    TIMES_OUT = "times_out"

    @property
    def severity(self) -> int:
        """0 for right, rising to the worst."""
        return list(Verdict).index(self)

    @property
    def meaning(self) -> str:
        """One sentence for a person who reads the verdict."""
        return MEANINGS[self]

    def passes(self, strict: bool = False) -> bool:
        """Whether a check may pass: right always, lossy unless strict."""
        return self is Verdict.RIGHT or (self is Verdict.LOSSY and not strict)


MEANINGS: dict[Verdict, str] = {
    Verdict.RIGHT: "every entry is as near to the exact gradient as honest rounding allows",
    Verdict.LOSSY: "right, by a textbook formula that loses digits somewhere",
    Verdict.INCONCLUSIVE: "nothing could be judged",
    Verdict.UNSTABLE: "two calls with the same problem differ by more than rounding",
    Verdict.NONFINITE: "infinite or NaN where the exact gradient is finite and can be computed",
    Verdict.WRONG: "further from the exact gradient than any honest rounding",
    Verdict.IMPURE: "it writes to its inputs, or to an answer that it gave before",
    Verdict.MALFORMED: "the answer has a wrong shape or type, or something is missing",
    Verdict.RAISES: "it raised an error, or its process died",
    Verdict.TIMES_OUT: "it gave no answer within the time limit",
}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of some verdicts; inconclusive if there are none, since nothing judged is never right."""
    return max(verdicts, key=lambda verdict: verdict.severity, default=Verdict.INCONCLUSIVE)
