"""What is said to a process, and what it says: neither end can hold up the other, and nothing is waited for beyond a limit."""

import os
import queue
import select
import subprocess
import threading
import time
from io import FileIO
from typing import cast

from backproof.protocol.messages import Incoming, Message

CAN_POLL = hasattr(select, "poll")
"""Whether a pipe can be asked if there is something to read, or room to write; if not, a thread waits for each."""

PIPE_SIZE = 2**18
"""Bytes that a pipe is to hold, where that can be said: most problems and answers are then written at once, and read at once."""

LONGEST_WAIT = 1e6
"""Seconds, beyond which systems refuse to wait."""


class Conversation:
    """The messages to a process and from it. process: with unbuffered pipes; binary: whether bytes may follow a line."""

    def __init__(self, process: "subprocess.Popen[bytes]", *, binary: bool) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        for pipe in (process.stdin, process.stdout):
            widen(pipe.fileno())
        self._to = Writing(cast(FileIO, process.stdin))
        self._from = (Polled if CAN_POLL else ByThread)(cast(FileIO, process.stdout))
        self._incoming = Incoming(self._from, binary=binary)

    def say(self, message: bytes) -> None:
        """Have a message written; whether it is read shows in hear."""
        self._to.write(message)

    def hear(self, seconds: float) -> Message:
        """The next message. Raises TimeoutError, EOFError where the process says no more, and ProtocolError."""
        self._from.until = time.monotonic() + min(seconds, LONGEST_WAIT)
        message = self._incoming.message()
        if message is None:
            raise EOFError
        return message

    @property
    def begun(self) -> bytes:
        """What has come of a line that has not ended."""
        return self._incoming.begun

    @property
    def over(self) -> bool:
        """Whether the process says no more; some of what it said and was not heard is lost."""
        self._from.until = 0.0
        try:
            return any(not self._from.read(2**16) for _ in range(64))
        except TimeoutError:
            return False

    def say_no_more(self) -> None:
        """End what the process reads, once it has read what was said."""
        self._to.close()

    def close(self) -> None:
        """Say and hear no more."""
        self._to.close()
        self._from.close()


def widen(pipe: int) -> None:
    """Let a pipe hold more than the 64 KiB that are usual, where the system can and will."""
    try:
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
    except (ImportError, AttributeError, OSError):
        return


class Writing:
    """A pipe that is written to: what it has room for at once, and the rest by a thread, as the process reads."""

    def __init__(self, pipe: FileIO) -> None:
        self._pipe, self._closed = pipe, False
        self._thread: threading.Thread | None = None
        if CAN_POLL:
            os.set_blocking(pipe.fileno(), False)

    def write(self, message: bytes) -> None:
        """Begin to write a message."""
        before = self._thread if self._thread is not None and self._thread.is_alive() else None
        try:
            written = (self._pipe.write(message) or 0) if CAN_POLL and before is None else 0
        except OSError:  # nobody reads it any more, which shows where an answer is waited for
            return
        if written < len(message):
            self._thread = threading.Thread(target=self._write_on, args=(memoryview(message)[written:], before), daemon=True)
            self._thread.start()

    def _write_on(self, unwritten: memoryview, before: threading.Thread | None) -> None:
        if before is not None:
            before.join()
        try:
            while unwritten:
                if CAN_POLL:
                    room = select.poll()
                    room.register(self._pipe, select.POLLOUT)
                    room.poll()
                unwritten = unwritten[self._pipe.write(unwritten) or 0 :]
        except (OSError, ValueError):  # ValueError: it was closed
            return
        finally:
            if self._closed and self._thread is threading.current_thread():
                self._pipe.close()

    def close(self) -> None:
        """Write no more; a thread that still does closes the pipe, so that its number is not another file's."""
        self._closed = True
        if self._thread is None or not self._thread.is_alive():
            self._pipe.close()


class Polled:
    """A pipe that is read where it is asked for, until a time of the monotonic clock."""

    def __init__(self, pipe: FileIO) -> None:
        self._pipe, self.until = pipe, 0.0
        self._poll = select.poll()
        self._poll.register(pipe, select.POLLIN)

    def read(self, size: int) -> bytes | None:
        """What there is, b"" at the end. Raises TimeoutError."""
        if not self._poll.poll(max(0.0, self.until - time.monotonic()) * 1000):
            raise TimeoutError
        return self._pipe.read(size)

    def close(self) -> None:
        """Read no more."""
        self._pipe.close()


class ByThread:
    """The same where a pipe cannot be polled: a thread reads it ahead."""

    def __init__(self, pipe: FileIO) -> None:
        self._pipe, self.until = pipe, 0.0
        self._parts: queue.Queue[bytes] = queue.Queue(maxsize=64)
        self._ended = False
        threading.Thread(target=self._read_ahead, daemon=True).start()

    def read(self, size: int) -> bytes:
        """What there is, b"" at the end. Raises TimeoutError."""
        if self._ended:
            return b""
        try:
            part = self._parts.get(timeout=max(1e-3, self.until - time.monotonic()))
        except queue.Empty:
            raise TimeoutError from None
        self._ended = not part
        return part

    def _read_ahead(self) -> None:
        with self._pipe:
            while part := self._pipe.read(2**16):
                self._parts.put(part)
        self._parts.put(b"")

    def close(self) -> None:
        """Nothing: the thread closes the pipe when the process has ended."""
