"""A target in a process of its own, where it may hang or die; problems and answers go there and back as JSON, large ones as .npz."""

import io
import math
import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from backproof.targets.output import Output, into
from backproof.targets.target import LOAD_LIMIT, InProcess, TargetError, load_target, no_answer_within
from properties.answers.answer import Answer
from properties.problems.support import Support
from properties.verdict import Verdict
from reference.forms import npz_form
from reference.forms.json_form import dump, gradient_data, gradient_parts, parse, problem_data, problem_parts
from reference.gradient import Gradient
from reference.problem import Problem

LOADING_LIMIT = 120.0
"""Seconds that a target may take to be imported, or more where the first call may take more."""

LARGE = 10_000
"""A problem of so many numbers goes in the binary form: to write and read it as JSON would take longer than most targets do."""


class OwnProcess:
    """A target, named by "package.module:function" or "path/to/file.py:function", in a process of its own.

    A call that takes longer than time_limit seconds, or load_limit for the first one of a process, which may import or compile what
    others have then, is ended with its process, and a process that dies is replaced.
    Raises TargetError where the target cannot be loaded.
    """

    def __init__(self, spec: str, *, precision: str | None = None, time_limit: float = 10.0, load_limit: float = LOAD_LIMIT) -> None:
        self.name, self._time_limit, self._asked_precision = spec, time_limit, precision
        self._first_limit = self._next_limit = max(time_limit, load_limit)
        self.deaths = 0
        self._process: Any = None
        self._output = Output(spec)
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        printed = self._output.pipes(context)
        self._process = context.Process(target=_serve, args=(theirs, printed, self.name, self._asked_precision), daemon=True)
        with _main_left_out():
            self._process.start()
        for end in (theirs, *printed):
            end.close()
        limit = max(LOADING_LIMIT, self._first_limit)
        ready, _ = self._receive(limit) or (None, None)
        if ready is None or "error" in ready:
            died = not self._process.is_alive() or self._pipe_is_closed()
            self._end()
            why = "its process died" if died else f"it took over {limit:g} s"
            raise TargetError(ready["error"] if ready else f"target {self.name!r} did not load: {why}")
        self.supports, self.precision = ready["supports"], ready["precision"]
        self._next_limit = self._first_limit

    def __call__(self, problem: Problem, memory_layout: str = "contiguous") -> Answer:
        limit = self._time_limit
        try:
            if not self._process.is_alive():
                self._start()
            self._pipe.send_bytes(_PROBLEM.packed({"memory_layout": memory_layout}, problem, large=problem.size >= LARGE))
            limit, self._next_limit = self._next_limit, self._time_limit
            received = self._receive(limit)
        except (BrokenPipeError, ConnectionResetError):
            received = None
        except TargetError as error:
            return Answer(None, Verdict.RAISES, f"its process died, and a new one did not load it: {error}", gone=True)
        if received is not None:
            reply, gradient = received
            verdict = Verdict(reply["verdict"]) if "verdict" in reply else None
            return Answer(gradient, verdict, reply.get("message", ""), tuple(reply["changed"]), tuple(reply["overwritten"]))
        self.deaths += 1
        self._process.join(5.0 if self._pipe_is_closed() else 0.1)
        code = self._process.exitcode
        self._end()
        if code is None:
            return Answer(None, Verdict.TIMES_OUT, f"{no_answer_within(limit, self._time_limit)}; its process was ended", gone=True)
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return Answer(None, Verdict.RAISES, f"the target's process died with {how}", gone=True)

    def _pipe_is_closed(self) -> bool:
        """Whether the target's process has let go of the pipe, and so is about to end."""
        try:
            return self._pipe.poll(0) and not self._pipe.recv_bytes()
        except (EOFError, OSError):
            return True

    def _receive(self, seconds: float) -> tuple[Any, Any] | None:
        """What the target's process says, and its gradient, or None where it says nothing in time, or has died."""
        try:
            return _GRADIENT.unpacked(self._pipe.recv_bytes()) if self._pipe.poll(seconds) else None
        except (EOFError, OSError):  # it may die in the middle of a message
            return None

    def renew(self) -> bool:
        self._end()
        try:
            self._start()
        except TargetError:
            return False
        return True

    def _end(self) -> None:
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self._pipe.close()
        self._output.wait()

    def close(self) -> None:
        self._end()
        self._output.close()


@contextmanager
def _main_left_out() -> Iterator[None]:
    """The target's process needs nothing of the script that starts it, and must not run that script again."""
    main = vars(sys.modules["__main__"])
    kept: dict[str, Any] = {name: main[name] for name in ("__file__", "__spec__") if name in main}
    main.pop("__file__", None)
    main["__spec__"] = None
    try:
        yield
    finally:
        main.update(kept)


def _serve(pipe: Connection, printed: list[Connection], spec: str, precision: str | None) -> None:
    """The target's process: load it, then answer problem after problem until the pipe is closed."""
    into(printed)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # a process that is ended says no more what it has only buffered
        sys.stdout.reconfigure(line_buffering=True)
    # Ctrl-C goes to both processes: the other one ends the run, and this one with it
    signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        session = InProcess(load_target(spec), name=spec, precision=precision, time_limit=0)
        ready = {"supports": _plain(session.supports), "precision": session.precision}
    except TargetError as error:
        ready = {"error": str(error)}
    pipe.send_bytes(_GRADIENT.packed(ready))
    while "error" not in ready:
        try:
            asked, problem = _PROBLEM.unpacked(pipe.recv_bytes())
        except (EOFError, KeyboardInterrupt):
            return
        answer = session(problem, asked["memory_layout"])
        reply: dict[str, Any] = {"message": answer.message, "changed": answer.changed, "overwritten": answer.overwritten}
        if answer.verdict is not None:
            reply["verdict"] = answer.verdict.value
        pipe.send_bytes(_GRADIENT.packed(reply, answer.gradient, large=problem.size >= LARGE))


class _Form(NamedTuple):
    """How a problem or a gradient goes with a message: among its plain data, or after that where it is too large for JSON."""

    name: str
    of: Callable[..., Any]
    data: Callable[[Any], Any]
    parts: Callable[[Any], dict[str, Any]]
    save: Callable[[Any, io.BytesIO], None]
    parts_of_file: Callable[[io.BytesIO], dict[str, Any]]

    def packed(self, plain: Mapping[str, Any], given: Any = None, *, large: bool = False) -> bytes:
        after = io.BytesIO()
        if given is not None and large:
            self.save(given, after)
        elif given is not None:
            plain = {**plain, self.name: self.data(given)}
        return dump(plain).encode() + b"\n" + after.getvalue()

    def unpacked(self, message: bytes) -> tuple[Any, Any]:
        """The plain data, and what went with it or None."""
        line, _, after = message.partition(b"\n")
        plain = parse(line.decode())
        if after:
            return plain, self.of(**self.parts_of_file(io.BytesIO(after)))
        return plain, self.of(**self.parts(plain[self.name])) if self.name in plain else None


_PROBLEM = _Form("problem", Problem, problem_data, problem_parts, npz_form.save_problem, npz_form.problem_parts)
_GRADIENT = _Form("gradient", Gradient, gradient_data, gradient_parts, npz_form.save_gradient, npz_form.gradient_parts)


def _plain(supports: Any) -> Any:
    """`supports` as plain data; what is no plain data is refused where it is read."""
    if isinstance(supports, Support):
        supports = {name: value for name, value in vars(supports).items() if value is not None}
    if isinstance(supports, Mapping):
        return {str(key): _plain(value) for key, value in supports.items()}
    if isinstance(supports, (list, tuple)):
        return [_plain(value) for value in supports]
    plain = isinstance(supports, (str, int, bool, type(None))) or (isinstance(supports, float) and math.isfinite(supports))
    return supports if plain else repr(supports)
