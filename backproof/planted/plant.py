"""A fault in a process of a test: what it does to each answer of the target, and whether that answer is another one then."""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from .answer_faults import ANSWER_FAULTS, IN_ONE_OUTPUT, Memory, differ_or_unknown
from .answers import WithKept, arrays_in, form_of
from .arrays import LeftAlone
from .catalogue import Mistake, names
from .record import Record

NOTHING, NOTHING_OF_THE_CATALOGUE = "nothing", "nothing of the catalogue"
"""In place of a fault: all are tried on each answer, and none is left in it, so that it is known which can show at all."""

NO_ARGUMENTS: Mapping[str, Any] = MappingProxyType({})

LIBRARIES = ("numpy", "torch", "jax", "jaxlib")
"""Whose objects are arrays, and keep no answer of a method."""

CALLS_TRIED, OUTPUTS_TRIED = 50, 12
"""So many calls are tried, and of an answer so many arrays by themselves."""


class Planted:
    """A fault, in all arrays of an answer or in one alone: "multiplied_by_2", or "multiplied_by_1_5 [1]", with the path of the one."""

    def __init__(self, label: str, layout: Mapping[str, str] | None = None) -> None:
        name, _, only = label.partition(" ")
        self.label, self.only, self.memory = label, only or None, Memory()
        self.fault, self.mistake = ANSWER_FAULTS.get(name), None if name in ANSWER_FAULTS else Mistake(name, layout)

    def answer(self, answer: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] = NO_ARGUMENTS) -> Any:
        """The answer with the fault. Raises LeftAlone."""
        if self.mistake is not None:
            return self.mistake.planted(answer, args, dict(kwargs))
        assert self.fault is not None
        return self.fault.planted(answer, self.memory, self.only)


class Plant:
    """What is done to the answers of the target in one process.

    label: of a fault, or NOTHING; keeps: attributes that a method leaves a part of its answer in; layout: how the arguments are a problem.
    """

    def __init__(self, label: str, record: Record, keeps: Sequence[str] = (), layout: Mapping[str, str] | None = None) -> None:
        self.record, self.keeps, self.layout = record, keeps, layout
        self.label = label
        self.planted: Planted | None = None
        self.trials: dict[str, Planted] = {}
        self.held: dict[str, Any] | None = None
        self.begun = False
        self.paths: set[str] = set()
        self._unlock()
        if hasattr(os, "register_at_fork"):
            # a thread that held it is not there in a child
            os.register_at_fork(after_in_child=self._unlock)

    def _unlock(self) -> None:
        self.lock = threading.RLock()

    def _begin(self) -> None:
        """At the first call, when the test has imported all that it needs: what a known mistake needs is imported after that."""
        if self.label not in (NOTHING, NOTHING_OF_THE_CATALOGUE):
            self.planted = Planted(self.label, self.layout)
            return
        of_the_catalogue = names() if self.label == NOTHING_OF_THE_CATALOGUE else []
        self.trials = {name: Planted(name, self.layout) for name in (*ANSWER_FAULTS, *of_the_catalogue)}

    def answered(self, answer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the target's caller is given; and what the object that its method is of keeps, where that is a part of the answer."""
        if not self.keeps or not args:
            with self._ours("what is left"):
                self._tell_what_is_left(args)
            return self._answered(answer, args, kwargs)
        kept: dict[str, Any] = {}
        with self._ours("what is kept"):
            kept = {f".{name}": getattr(args[0], name) for name in self.keeps if hasattr(args[0], name)}
        held = WithKept({"returned": answer} | kept)
        made = self._answered(held, args, kwargs)
        for name in self.keeps if made is not held else ():
            if f".{name}" in made:
                # what the object does not take is told, and stays what it was
                with self._ours(f"{self.label}: .{name}"):
                    setattr(args[0], name, made[f".{name}"])
        return made["returned"]

    def asked(self, args: tuple[Any, ...]) -> None:
        """What the target is called with, before it answers: what its object holds, so that it can be told what it leaves there."""
        if self.label in (NOTHING, NOTHING_OF_THE_CATALOGUE) and not self.keeps and self.record.calls < CALLS_TRIED:
            with self._ours("what is held"):
                self.held = _attributes(args)

    def _tell_what_is_left(self, args: tuple[Any, ...]) -> None:
        """The attributes of an object that hold other arrays after a call: maybe a part of the answer that no fault is planted in."""
        held, self.held = self.held, None
        if held is None:
            return
        for name, value in _attributes(args).items():
            if held.get(name) is not value and arrays_in(value):
                self.record.tell_once("leaves", name)

    def _answered(self, answer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        form: list[list[str]] = []
        with self._ours("the form of the answer"):
            form = form_of(answer)
        with self.lock:
            paths = {path for path, *_ in form}
            self.record.tell_call(form if not self.begun or paths - self.paths else None)
            self.paths |= paths
            # all other threads wait until it is planted; what the target's own calls answer meanwhile is left as it is
            if not self.begun:
                self.begun = True
                with self._ours(self.label):
                    self._begin()
        if self.planted is not None:
            return self._made(self.planted, answer, args, kwargs, "changed")
        if self.trials and self.record.calls <= CALLS_TRIED:
            self._try_all(answer, form, args, kwargs)
        return answer

    def _try_all(self, answer: Any, form: list[list[str]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        paths = [path for path, _, _ in form]
        for path in paths[:OUTPUTS_TRIED] if len(paths) > 1 else ():
            label = f"{IN_ONE_OUTPUT} {path}"
            if ("possible", label) not in self.record.said:
                self.trials.setdefault(label, Planted(label))
        for label, planted in list(self.trials.items()):
            self._made(planted, answer, args, kwargs, "possible")
            if ("possible", label) in self.record.said:
                self.trials.pop(label, None)

    def _made(self, planted: Planted, answer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], event: str) -> Any:
        """The answer with a fault, and the event told where it is another one; the answer as it is where that cannot be."""
        with self._ours(planted.label):
            try:
                made = planted.answer(answer, args, kwargs)
            except LeftAlone as reason:
                self.record.tell_once("left_alone", f"{planted.label}: {reason}")
                return answer
            if (event, planted.label) not in self.record.said and _is_another(answer, made):
                self.record.tell_once(event, planted.label)
            return made
        return answer

    @contextmanager
    def _ours(self, what: str) -> Iterator[None]:
        """An error of ours, or of objects stranger than ours expect, is told: it must not look like a fault that the test sees."""
        try:
            yield
        except Exception as error:
            self.record.tell_once("failed", f"{what}: {type(error).__name__}: {error}")


def _attributes(args: tuple[Any, ...]) -> dict[str, Any]:
    """Those of the object that a method is called with; none of an array."""
    is_array = not args or type(args[0]).__module__.partition(".")[0] in LIBRARIES or isinstance(args[0], type)
    return {} if is_array else dict(getattr(args[0], "__dict__", {}))


def _is_another(answer: Any, made: Any) -> bool:
    before, after = arrays_in(answer), arrays_in(made)
    if [path for path, _ in before] != [path for path, _ in after]:
        return True
    return any(differ_or_unknown(one, other) for (_, one), (_, other) in zip(before, after, strict=True))
