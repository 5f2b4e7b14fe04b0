"""A session with a process that speaks the protocol, where a target may hang or die; how it is started is a matter of its kind."""

import subprocess
import weakref
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any

from backproof.protocol.messages import PROTOCOL, Message, NoMessageError, ProtocolError, gradient_of, packed, problem_message, shown
from backproof.targets.conversation import Conversation
from backproof.targets.output import Output
from backproof.targets.target import LOAD_LIMIT, TargetError, encodable, no_answer_within
from properties.answers.answer import Answer, Malformed, as_gradient
from properties.verdict import Verdict
from reference.errors import ProblemError
from reference.problem import Problem
from rounding.precisions import PRECISIONS

READY = ("kind", "protocol", "name", "supports", "precision", "notes", "binary")
"""What a `ready` may say."""

PRINTED = "what else a program prints goes to standard error"
"""What is said of a line that is no message."""

SECONDS_TO_END = 5.0
"""A process that says no more is waited for so long, to learn how it ended."""


class ProtocolSession(ABC):
    """A target in a process of its own, which is asked by the protocol.

    A call that takes longer than time_limit seconds, or load_limit for the first one of a process, which may import or compile what
    others have then, is ended with its process, and a process that dies is replaced.
    Raises TargetError where the process does not get ready.
    """

    binary = False
    """Whether large problems may go as .npz, if the other end says so too."""

    in_form = False
    """Whether the other end has seen to the shapes and types of an answer already."""

    advice_on_silence = ""
    """What is said besides, where no answer comes."""

    advice_on_an_end = ""
    """What is said besides, where the process ends as if all were well."""

    seconds_to_leave = 0.0
    """So long a process is waited for that was told, by the end of its standard input, that it is asked no more."""

    def __init__(
        self,
        name: str,
        *,
        precision: str | None = None,
        time_limit: float = 10.0,
        load_limit: float = LOAD_LIMIT,
        ready_limit: float | None = None,
    ) -> None:
        self.name, self._time_limit, self._asked_precision = name, time_limit, precision
        self._first_limit = self._next_limit = max(time_limit, load_limit)
        self._said_ready_limit = ready_limit
        self.deaths = 0
        self._output = Output(name)
        self._running = False
        self._start()

    @abstractmethod
    def _started(self) -> "subprocess.Popen[bytes]":
        """The process, anew, with pipes without buffers for its standard input and output. Raises TargetError."""

    @property
    def _ready_limit(self) -> float:
        """Seconds until a process must be ready: ready_limit, where it was said."""
        return self._first_limit if self._said_ready_limit is None else self._said_ready_limit

    def _greeting(self) -> dict[str, Any]:
        """What `start` says."""
        limits = {"time_limit": self._time_limit, "load_limit": self._first_limit}
        return {"kind": "start", "protocol": PROTOCOL, "precision": self._asked_precision, **limits}

    def _start(self) -> None:
        self._process = self._started()
        self._running, self._asked = True, 0
        # whoever forgets to close a session leaves no process behind
        self._killed = weakref.finalize(self, self._process.kill)
        self._conversation = Conversation(self._process, binary=self.binary)
        self._conversation.say(packed(self._greeting()))
        try:
            self._get_ready(self._conversation.hear(self._ready_limit))
        except (EOFError, TimeoutError, ProtocolError, TargetError) as error:
            begun, code = self._conversation.begun, self._exit_code()
            self._end()
            raise self._not_ready(error, begun, code) from None
        except KeyboardInterrupt:
            self._end()
            raise
        self._next_limit = self._first_limit

    def _get_ready(self, message: Message) -> None:
        """Read what the target supports. Raises ProtocolError and TargetError."""
        if message.kind == "errored":
            raise TargetError(encodable(str(message.data.get("message", "it said no reason"))))
        if message.kind != "ready":
            raise ProtocolError(message.shown)
        for name in message.data:
            if name not in READY:
                raise TargetError(f"{self.name}: its ready line has {name!r}: expected any of {', '.join(READY)}")
        if message.data.get("protocol", PROTOCOL) != PROTOCOL:
            raise TargetError(f"{self.name} speaks version {message.data['protocol']!r} of the protocol: expected {PROTOCOL}")
        self.supports, self.precision = message.data.get("supports"), message.data.get("precision")
        notes = message.data.get("notes", [])
        if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
            raise TargetError(f"{self.name}: its ready line has notes {notes!r}: expected a list of sentences")
        self.notes = tuple(map(encodable, notes))
        if self.precision is not None and self.precision not in list(PRECISIONS):  # a list, since JSON has values with no hash
            raise TargetError(f"precision of {self.name} is {self.precision!r}: expected one of {', '.join(PRECISIONS)}")
        self._binary = self.binary and message.data.get("binary") is True

    def _not_ready(self, error: Exception, begun: bytes, code: int | None) -> TargetError:
        """Why a process is not asked anything."""
        if isinstance(error, TargetError):
            return error
        expected = 'expected the line {"kind": "ready"} on its standard output'
        if isinstance(error, ProtocolError):
            said = f"it printed {error}: {expected}; {PRINTED}"
        elif isinstance(error, TimeoutError):
            said = f"it took over {self._ready_limit:g} s{_half(begun)}{self.advice_on_silence}"
        else:
            said = f"its process {_ended(code)}{_half(begun)}{self.advice_on_an_end and f': {expected}'}"
        return TargetError(f"target {self.name!r} did not load: {said}")

    def __call__(self, problem: Problem, memory_layout: str = "contiguous") -> Answer:
        if not self._running:
            try:
                self._start()
            except TargetError as error:
                return Answer(None, Verdict.RAISES, f"its process died, and a new one did not load it: {error}", gone=True)
        self._asked += 1
        self._conversation.say(problem_message(self._asked, problem, memory_layout, binary=self._binary))
        limit, self._next_limit = self._next_limit, self._time_limit
        try:
            return self._answer(self._conversation.hear(limit), problem)
        except (EOFError, TimeoutError, ProtocolError) as error:
            return self._no_answer(error, limit)
        except KeyboardInterrupt:
            self._end()  # its answer would be taken for that to the next problem
            raise

    def _answer(self, message: Message, problem: Problem) -> Answer:
        """The answer that a message holds. Raises ProtocolError."""
        data, number = message.data, message.data.get("id")
        if message.kind not in ("answer", "skipped", "errored"):
            raise ProtocolError(f'{message.shown}: expected "kind" to be answer, skipped or errored')
        if number != self._asked or isinstance(number, bool):
            again = isinstance(number, int) and 0 < number < self._asked
            said = f"an answer to problem {number} again" if again else f"an answer with the id {number!r}"
            raise ProtocolError(f"{said}, and was asked problem {self._asked}: expected one line for each problem, with its id")
        wrote = _names(data, "changed"), _names(data, "overwritten")
        if message.kind == "skipped":
            reason = encodable(str(data.get("reason", "it said no reason")))
            return Answer(None, None, f"the target says that it does not support the problem: {reason}", *wrote)
        if message.kind == "errored":
            if data.get("verdict") not in (None, *ERRORED):
                raise ProtocolError(f'{message.shown}: expected "verdict" to be {" or ".join(ERRORED)}')
            return Answer(
                None, Verdict(data.get("verdict") or ERRORED[0]), encodable(str(data.get("message", "it said no reason"))), *wrote
            )
        try:
            gradient = gradient_of(message)
            return Answer(gradient if self.in_form else as_gradient(gradient, problem), None, "", *wrote)
        except (ProblemError, Malformed) as error:
            return Answer(None, Verdict.MALFORMED, f"its answer cannot be read: {encodable(str(error))}", *wrote)

    def _no_answer(self, error: Exception, limit: float) -> Answer:
        """What is said where the process gave none; it is ended, if it has not ended itself."""
        self.deaths += 1
        begun, code = self._conversation.begun, self._exit_code()
        self._end()
        if isinstance(error, ProtocolError):
            advice = f": {PRINTED}" if isinstance(error, NoMessageError) else ""
            return Answer(None, Verdict.MALFORMED, encodable(f"it printed {error}; its process was ended{advice}"), gone=True)
        if code is None and isinstance(error, TimeoutError):
            said = f"{no_answer_within(limit, self._time_limit)}{_half(begun)}; its process was ended{self.advice_on_silence}"
            return Answer(None, Verdict.TIMES_OUT, encodable(said), gone=True)
        said = f"the target's process {_ended(code)}{_half(begun)}{'' if code else self.advice_on_an_end}"
        return Answer(None, Verdict.RAISES, encodable(said), gone=True)

    def _exit_code(self) -> int | None:
        """How the process ended, None where it lives."""
        try:
            return self._process.wait(SECONDS_TO_END if self._conversation.over else 0.1)
        except subprocess.TimeoutExpired:
            return None

    def renew(self) -> bool:
        self._end()
        try:
            self._start()
        except TargetError:
            return False
        return True

    def _end(self) -> None:
        self._running = False
        self._killed()
        self._process.wait()
        self._conversation.close()
        self._output.wait()

    def close(self) -> None:
        if self._running and self.seconds_to_leave:
            self._conversation.say_no_more()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(self.seconds_to_leave)
        self._end()
        self._output.close()


PIPES: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}
"""How a process is started that a conversation is held with."""

ERRORED = (Verdict.RAISES.value, Verdict.MALFORMED.value)
"""The verdicts that a target may give itself; without one it raised an error."""


def _names(data: Any, key: str) -> tuple[str, ...]:
    """A list of names of arrays, where there is one."""
    given = data.get(key)
    return tuple(map(str, given)) if isinstance(given, list) else ()


def _ended(code: int | None) -> str:
    if code is None:
        return "closed its standard output, and goes on"
    return f"died with signal {-code}" if code < 0 else f"died with exit code {code}"


def _half(begun: bytes) -> str:
    """What is said of half a line."""
    return f", in the middle of a line, {shown(begun)}" if begun else ""
