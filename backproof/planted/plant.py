"""A fault in a process of a test: what it does to each answer of the target, and whether that answer is another one then."""

from typing import Any

from .answers import arrays_in, form_of
from .arrays import LeftAlone
from .faults import ANSWER_FAULTS, IN_ONE_OUTPUT, Memory, differ_or_unknown
from .record import Record

NOTHING = "nothing"
"""In place of a fault: all are tried on each answer, and none is left in it, so that it is known which can show at all."""

CALLS_TRIED, OUTPUTS_TRIED = 50, 12
"""So many calls are tried, and of an answer so many arrays by themselves."""


class Planted:
    """A fault, in all arrays of an answer or in one alone: "multiplied_by_2", or "multiplied_by_1_5 [1]", with the path of the one."""

    def __init__(self, label: str) -> None:
        name, _, only = label.partition(" ")
        self.label, self.fault, self.only, self.memory = label, ANSWER_FAULTS[name], only or None, Memory()

    def answer(self, answer: Any) -> Any:
        """The answer with the fault. Raises LeftAlone."""
        return self.fault.planted(answer, self.memory, self.only)


class Plant:
    """What is done to the answers of the target in one process. label: of a fault, or NOTHING."""

    def __init__(self, label: str, record: Record) -> None:
        self.record = record
        self.planted = None if label == NOTHING else Planted(label)
        self.trials: dict[str, Planted] = {name: Planted(name) for name in ANSWER_FAULTS} if label == NOTHING else {}

    def answered(self, answer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the target's caller is given."""
        form = form_of(answer)
        self.record.tell_call(form if self.record.calls == 0 else None)
        if self.planted is None:
            if self.record.calls <= CALLS_TRIED:
                self._try_all(answer, form)
            return answer
        return self._made(self.planted, answer, "changed")

    def _try_all(self, answer: Any, form: list[list[str]]) -> None:
        paths = [path for path, _, _ in form]
        for path in paths[:OUTPUTS_TRIED] if len(paths) > 1 else ():
            label = f"{IN_ONE_OUTPUT} {path}"
            if ("possible", label) not in self.record.said:
                self.trials.setdefault(label, Planted(label))
        for label, planted in list(self.trials.items()):
            self._made(planted, answer, "possible")
            if ("possible", label) in self.record.said:
                del self.trials[label]

    def _made(self, planted: Planted, answer: Any, event: str) -> Any:
        """The answer with a fault, and the event told where it is another one; the answer as it is where that cannot be."""
        try:
            made = planted.answer(answer)
            if (event, planted.label) not in self.record.said and _is_another(answer, made):
                self.record.tell_once(event, planted.label)
        except LeftAlone as reason:
            self.record.tell_once("left_alone", f"{planted.label}: {reason}")
        except Exception as error:  # of ours, which must not look like a fault that the test sees
            self.record.tell_once("failed", f"{planted.label}: {type(error).__name__}: {error}")
        else:
            return made
        return answer


def _is_another(answer: Any, made: Any) -> bool:
    pairs = zip(arrays_in(answer), arrays_in(made), strict=True)
    return any(differ_or_unknown(one, other) for (_, one), (_, other) in pairs)
