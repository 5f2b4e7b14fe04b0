"""What a target prints, in a process of its own: the first lines go to standard error, and the others are counted."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

FIRST_LINES = 40
"""So many lines of what a target prints are shown, and so many of what it writes to standard error, where a crash says why, and late."""

LONGEST_LINE = 4096
"""Bytes of what is taken for a line where none ends, as in a bar that is drawn over itself."""

SECONDS_FOR_THE_REST = 1.0
"""What a process said before it ended is waited for so long: one that it left behind may hold the pipe open."""


class Output:
    """What the processes of one target print and write to standard error, one process after another."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown = {1: 0, 2: 0}
        self._left_out = 0
        self._readers: list[threading.Thread] = []

    @contextmanager
    def pipes(self, *descriptors: int) -> Iterator[list[int]]:
        """The ends that a new process writes to in place of some descriptors, 1 and 2, and which are closed here once it has them."""
        theirs: list[int] = []
        for descriptor in descriptors if os.name != "nt" else ():  # where a descriptor cannot be handed on
            ours, end = os.pipe()
            theirs.append(end)
            reader = threading.Thread(target=self._read, args=(ours, descriptor), daemon=True)
            reader.start()
            self._readers.append(reader)
        try:
            yield theirs
        finally:
            for end in theirs:
                os.close(end)

    def _read(self, pipe: int, descriptor: int) -> None:
        with open(pipe, "rb") as stream:
            while line := stream.readline(LONGEST_LINE):
                if self._shown[descriptor] < FIRST_LINES:
                    self._shown[descriptor] += 1
                    _write(line)
                else:
                    self._left_out += 1

    def wait(self) -> None:
        """Until all is read that a process wrote, now that it has ended."""
        for reader in self._readers:
            reader.join(SECONDS_FOR_THE_REST)
        self._readers = []

    def close(self) -> None:
        """Say how many lines were left out."""
        if self._left_out:
            lines = f"{self._left_out:,} further line{'' if self._left_out == 1 else 's'}"
            _write(f"backproof: {self._name} printed {lines}, which are not shown\n".encode(errors="backslashreplace"))
            self._left_out = 0


def _write(text: bytes) -> None:
    try:
        os.write(2, text)
    except OSError:  # nobody reads it
        return
