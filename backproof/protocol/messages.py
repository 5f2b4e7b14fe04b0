"""The messages between a run and the process of a target: one line of JSON each (docs/protocol.md).

Keys stand in the order in which they are written here, and a problem's sizes before its numbers, so that a program can read them
without a library for JSON. Between two ends that both said `binary`, a large problem and its gradient follow their line as .npz.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

from reference.errors import ProblemError
from reference.forms import npz_form
from reference.forms.json_form import GRADIENT, VERSION, dump, gradient_data, gradient_parts, parse, problem_data, problem_parts
from reference.gradient import Gradient
from reference.problem import Problem

PROTOCOL = 1
"""The version of the protocol, which `start` names and `ready` may name."""

LARGE = 10_000
"""A problem of so many numbers goes in the binary form: to write and read it as JSON would take longer than most targets do."""

LONGEST_LINE = 2**30
"""Bytes of a line, beyond which no end of it is waited for."""

SURROGATES = "surrogatepass"
"""Paths and names may hold what is no text: it goes there and back."""

SHOWN = 80
"""Characters that are shown of a line that is no message."""


UNQUOTED = re.compile(r'"(?:[^"\\]|\\.)*"?|(?<=[\s\[,:])([+-]?)(nan|inf)(?:inity|\([^()"]*\))?(?=[\s\],}])', re.IGNORECASE)
"""A string, or what begins as one, or a NaN or an infinity as printf and its like write it: nan, -nan, nan(ind), +Inf, -Infinity."""


class ProtocolError(Exception):
    """What the other end says is not what the protocol has; the message says what was given and what is expected."""


class NoMessageError(ProtocolError):
    """A line that is no message at all, such as one that was printed to find a mistake."""


@dataclass(frozen=True)
class Message:
    """One message. data: the object of its line; after: the bytes that followed, where it says `binary`; line: as it was read."""

    data: Mapping[str, Any]
    after: bytes = b""
    line: bytes = b""

    @property
    def kind(self) -> str:
        """What the message is: "start", "ready", "problem", "answer", "skipped" or "errored"."""
        return str(self.data.get("kind"))

    @property
    def shown(self) -> str:
        """The beginning of its line."""
        return shown(self.line)


class Readable(Protocol):
    """Where bytes come from: read gives what there is, up to so many bytes, and nothing at the end."""

    def read(self, size: int, /) -> bytes | None:
        """What there is, at least a byte; b"" at the end."""
        ...


class Incoming:
    """The messages that come in, one after another. binary: whether bytes may follow a line, as both ends said."""

    def __init__(self, stream: Readable, *, binary: bool) -> None:
        self._stream, self._binary = stream, binary
        self._held = bytearray()

    @property
    def begun(self) -> bytes:
        """What has come of a line that has not ended."""
        return bytes(self._held[: 4 * SHOWN])

    def message(self) -> Message | None:
        """The next message, None where there are no more. Raises ProtocolError."""
        line = self._line()
        if line is None:
            return None
        try:
            data = _parsed(line.decode(errors=SURROGATES))
        except (ProblemError, UnicodeDecodeError) as error:
            raise NoMessageError(f"{shown(line)} ({error})") from None
        if not isinstance(data, dict) or not isinstance(data.get("kind"), str):
            raise NoMessageError(f'{shown(line)}, which is no JSON object with a "kind"')
        after = self._exactly(data["binary"]) if self._binary and isinstance(data.get("binary"), int) and data["kind"] in CARRIERS else b""
        return Message(data, after, line[: 4 * SHOWN])

    def _line(self) -> bytes | None:
        searched = 0
        while (end := self._held.find(b"\n", searched)) < 0:
            searched = len(self._held)
            if searched > LONGEST_LINE:
                raise ProtocolError(f"{shown(self.begun)}, a line of over {LONGEST_LINE:,} bytes")
            if not self._more():
                return None
        line = bytes(self._held[:end])
        del self._held[: end + 1]
        return line

    def _exactly(self, size: int) -> bytes:
        while len(self._held) < size and self._more():
            pass
        after = bytes(self._held[:size])
        del self._held[:size]
        return after

    def _more(self) -> bool:
        read = self._stream.read(2**16)
        self._held += read or b""
        return bool(read)


CARRIERS = ("problem", "answer")
"""The kinds of messages that bytes may follow."""


def _parsed(text: str) -> Any:
    """Plain data of a line; a NaN or an infinity that is no string, as JSON would have it, is what it says. Raises ProblemError."""
    try:
        return parse(text)
    except ProblemError:
        quoted = UNQUOTED.sub(_quoted, text)
        if quoted == text:
            raise
    return parse(quoted)


def _quoted(found: re.Match[str]) -> str:
    """What JSON has for a NaN or an infinity; a string stays as it is."""
    sign, word = found.groups()
    if word is None:
        return found[0]
    return '"NaN"' if word.lower() == "nan" else '"-Infinity"' if sign == "-" else '"Infinity"'


def shown(line: bytes) -> str:
    """The beginning of a line, in quotes."""
    text = line.decode(errors="backslashreplace")
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")


def packed(data: Mapping[str, Any], after: bytes = b"") -> bytes:
    """A message as it goes out. after: the bytes that follow its line."""
    return dump({**data, "binary": len(after)} if after else data).encode(errors=SURROGATES) + b"\n" + after


def problem_message(number: int, problem: Problem, memory_layout: str, *, binary: bool) -> bytes:
    """The message that asks for a gradient. number: by which the answer is known; binary: whether a large one goes as .npz."""
    head = {"kind": "problem", "id": number, "memory_layout": memory_layout, "widths": problem.widths, "batch": problem.batch}
    if binary and problem.size >= LARGE:
        return packed(head, _saved(npz_form.save_problem, problem))
    return packed(head | {"problem": problem_data(problem)})


def problem_of(message: Message) -> Problem:
    """The problem that a message asks about. Raises ProblemError."""
    if message.after:
        return Problem(**npz_form.problem_parts(io.BytesIO(message.after)))
    return Problem(**problem_parts(message.data.get("problem")))


def answer_message(number: int, gradient: Gradient, extra: Mapping[str, Any], *, large: bool) -> bytes:
    """The message that answers a problem. extra: what else it says; large: whether the gradient goes as .npz."""
    head = {"kind": "answer", "id": number, **extra}
    if large:
        return packed(head, _saved(npz_form.save_gradient, gradient))
    return packed(head | {"gradient": gradient_data(gradient)})


def gradient_of(message: Message) -> Gradient:
    """The gradient of an answer, whose schema and version the protocol's own version implies. Raises ProblemError."""
    if message.after:
        return Gradient(**npz_form.gradient_parts(io.BytesIO(message.after)))
    data = message.data.get("gradient")
    return Gradient(**gradient_parts({"schema": GRADIENT, "version": VERSION, **data} if isinstance(data, dict) else data))


def _saved(save: Any, given: Any) -> bytes:
    file: BinaryIO = io.BytesIO()
    save(given, file)
    file.seek(0)
    return file.read()
