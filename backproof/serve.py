"""The Python end of the protocol: `python -m backproof.serve TARGET` answers problem after problem for a target.

This is a program, which no other module imports: so it may know targets, which know the protocol.
"""

import io
import math
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

from backproof.protocol.messages import LARGE, PROTOCOL, Incoming, Message, answer_message, packed, problem_of
from backproof.targets.frameworks import target_of
from backproof.targets.target import InProcess, TargetError, load_target
from properties.problems.support import Support

USAGE = "usage: python -m backproof.serve TARGET [DESCRIPTOR that what the target prints goes to]"


def main(arguments: list[str]) -> None:
    """Serve the target that the arguments name until standard input ends."""
    if len(arguments) not in (1, 2):
        sys.exit(USAGE)
    # Ctrl-C goes to both processes: the other one ends the run, and this one with it
    signal.signal(signal.SIGINT, lambda number, frame: None)
    incoming, outgoing = ends_of_its_own(*map(int, arguments[1:]))
    with open(incoming, "rb", buffering=0) as read, open(outgoing, "wb") as written:

        def say(message: bytes) -> None:
            written.write(message)
            written.flush()

        try:
            serve(arguments[0], Incoming(read, binary=True), say)
        except BrokenPipeError:
            os._exit(0)  # nobody listens, and to flush what is left would raise again


def ends_of_its_own(printed_to: int = 2) -> tuple[int, int]:
    """Descriptors for the protocol alone: what the target reads is empty, and what it prints gets between no two messages."""
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(printed_to, 1)
    if printed_to > 2:
        os.close(printed_to)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # a process that is ended says no more what it has only buffered
        sys.stdout.reconfigure(line_buffering=True)
    return incoming, outgoing


def serve(spec: str, incoming: Incoming, say: Callable[[bytes], None]) -> None:
    """Load a target, then answer every problem that comes in."""
    start = incoming.message() or Message({})
    if start.kind != "start" or start.data.get("protocol") != PROTOCOL:
        said = f'the first line is {start.shown}: expected {{"kind": "start", "protocol": {PROTOCOL}}}'
        say(packed({"kind": "errored", "message": said}))
        return
    as_started_by(start.data)
    try:
        session = InProcess(target_of(load_target(spec)), name=spec, precision=start.data.get("precision"), time_limit=0)
    except TargetError as error:
        say(packed({"kind": "errored", "message": str(error)}))
        return
    session.interruptible = False  # Ctrl-C is the other end's, and raises nothing here
    binary = start.data.get("binary") is True
    ready = {"kind": "ready", "name": spec, "supports": plain(session.supports), "precision": session.precision, "binary": binary}
    say(packed(ready | ({"notes": session.notes} if session.notes else {})))
    while (asked := incoming.message()) is not None:
        problem, number = problem_of(asked), asked.data["id"]
        answer = session(problem, asked.data["memory_layout"])
        extra = {"changed": answer.changed, "overwritten": answer.overwritten}
        if answer.gradient is not None:
            say(answer_message(number, answer.gradient, extra, large=binary and problem.size >= LARGE))
        elif answer.verdict is None:
            say(packed({"kind": "skipped", "id": number, "reason": answer.message, **extra}))
        else:
            say(packed({"kind": "errored", "id": number, "message": answer.message, "verdict": answer.verdict.value, **extra}))


def as_started_by(start: Mapping[str, Any]) -> None:
    """The path on which modules are found, as it is where the run is; and the environment as it was before that path was put into it."""
    if "path" in start:
        sys.path[:] = start["path"]
        if start.get("pythonpath") is None:
            os.environ.pop("PYTHONPATH", None)
        else:
            os.environ["PYTHONPATH"] = start["pythonpath"]


def plain(supports: Any) -> Any:
    """`supports` as plain data; what is no plain data is refused where it is read."""
    if isinstance(supports, Support):
        supports = {name: value for name, value in vars(supports).items() if value is not None}
    if isinstance(supports, Mapping):
        return {str(key): plain(value) for key, value in supports.items()}
    if isinstance(supports, (list, tuple)):
        return [plain(value) for value in supports]
    is_plain = isinstance(supports, (str, int, bool, type(None))) or (isinstance(supports, float) and math.isfinite(supports))
    return supports if is_plain else repr(supports)


if __name__ == "__main__":
    main(sys.argv[1:])
