"""What a test sees of planted faults, as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from backproof.planted.answer_faults import ANSWER_FAULTS
from backproof.version import VERSION
from properties.faults.table import FAULTS
from reference.errors import ProblemError
from reference.forms.json_form import dump

SCHEMA, SCHEMA_VERSION = "backproof.challenge", 1

OF_EQUATIONS = {
    2: "every layer is moved along the gradient of another loss",
    3: "a layer, and all below it, learns by a slope that is not its own",
    4: "the weights or the biases of a layer go another way than down the loss",
    7: "the error that goes down is another one: all layers below are moved wrongly",
}
"""What a fault of the catalogue does to a training, by the first equation that it breaks."""

OF_OTHERS = "what is trained is another network, or another loss, than the one that is meant"


class Outcome(StrEnum):
    """Of a fault what the test made of it."""

    SEEN = "seen"
    MISSED = "missed"
    NOT_COUNTED = "not counted"


@dataclass(frozen=True)
class Planting:
    """One fault, planted. label: its name, and where it is in one array of the answer alone, that array's path, as "multiplied_by_1_5 [1]".

    how: how the test failed, or why the fault is not counted, or "" where the test passes. seconds: of the test's run.
    """

    label: str
    outcome: Outcome
    how: str = ""
    seconds: float = 0.0

    @property
    def fault(self) -> str:
        """Its name."""
        return self.label.partition(" ")[0]

    @property
    def output(self) -> str:
        """The path of the one array that it is in, or ""."""
        return self.label.partition(" ")[2]

    @property
    def explanation(self) -> str:
        """What stands in place of the answer."""
        if self.fault in ANSWER_FAULTS:
            said = ANSWER_FAULTS[self.fault].explanation
            return f"{said}, in {self.output} alone" if self.output else said
        return FAULTS[self.fault].explanation.rstrip(".") if self.fault in FAULTS else ""

    @property
    def consequence(self) -> str:
        """What it would do to a training."""
        if self.output:
            return f"the test does not look at {self.output}, or hardly, and whatever is wrong there reaches the training"
        if self.fault in ANSWER_FAULTS:
            return ANSWER_FAULTS[self.fault].consequence
        equations = FAULTS[self.fault].equations if self.fault in FAULTS else ()
        return next((OF_EQUATIONS[number] for number in equations if number in OF_EQUATIONS), OF_OTHERS)

    def data(self) -> dict[str, Any]:
        """As plain data."""
        about = {"fault": self.fault, "output": self.output or None, "outcome": self.outcome.value, "how": self.how}
        return about | {"explanation": self.explanation, "consequence": self.consequence, "seconds": self.seconds}


@dataclass(frozen=True, kw_only=True)
class Challenged:
    """What a test sees.

    command, target: as they were said; error: why nothing could be planted, or "".
    calls: how often the test calls the target, 0 where that is not known; form: of each array of the first answer its path, type and shape.
    leaves: the attributes of its object that a method leaves other arrays in, and no fault was planted in.
    plain_seconds: of the test as it is; plantings: each fault; waiting: how many were not planted, since the run was interrupted.
    """

    command: str
    target: str
    error: str = ""
    calls: int = 0
    form: tuple[tuple[str, str, str], ...] = ()
    leaves: tuple[str, ...] = ()
    plain_seconds: float = 0.0
    plantings: tuple[Planting, ...] = ()
    waiting: int = 0
    interrupted: bool = False
    seconds: float = 0.0

    def having(self, outcome: Outcome) -> list[Planting]:
        """The faults of an outcome."""
        return [planting for planting in self.plantings if planting.outcome is outcome]

    @property
    def seen(self) -> int:
        """How many faults the test sees."""
        return len(self.having(Outcome.SEEN))

    @property
    def counted(self) -> int:
        """How many faults changed an answer that the test was given."""
        return self.seen + len(self.having(Outcome.MISSED))

    @property
    def passed(self) -> bool:
        """Whether all are seen, and there are some."""
        return not self.error and not self.interrupted and 0 < self.seen == self.counted

    def with_plantings(self, plantings: Sequence[Planting], **parts: Any) -> "Challenged":
        """The same with other faults, and other parts."""
        return replace(self, plantings=tuple(plantings), **parts)

    def data(self) -> dict[str, Any]:
        """As plain data."""
        said = {"schema": SCHEMA, "version": SCHEMA_VERSION, "backproof": VERSION, "command": self.command, "target": self.target}
        form = [dict(zip(("path", "type", "shape"), one, strict=True)) for one in self.form]
        counts = {"seen": self.seen, "counted": self.counted, "waiting": self.waiting, "interrupted": self.interrupted}
        said |= {"passed": self.passed, "error": self.error or None, "calls": self.calls, "answer": form}
        said |= {"leaves": list(self.leaves), **counts}
        times = {"plain_seconds": self.plain_seconds, "seconds": self.seconds}
        return said | times | {"faults": [planting.data() for planting in self.plantings]}

    def to_json(self) -> str:
        """As JSON."""
        return dump(self.data())


def challenged_of(data: Mapping[str, Any]) -> Challenged:
    """What `data` gave. Raises ProblemError."""
    try:
        plantings = [
            Planting(" ".join(filter(None, (one["fault"], one["output"]))), Outcome(one["outcome"]), one["how"], one["seconds"])
            for one in data["faults"]
        ]
        form = tuple((one["path"], one["type"], one["shape"]) for one in data["answer"])
        kept = {name: data[name] for name in ("command", "target", "calls", "plain_seconds", "waiting", "interrupted", "seconds")}
        return Challenged(**kept, error=data["error"] or "", form=form, leaves=tuple(data["leaves"]), plantings=tuple(plantings))
    except (KeyError, TypeError, ValueError) as error:
        raise ProblemError(f"no challenge: {type(error).__name__}: {error}") from None
