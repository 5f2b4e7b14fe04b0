"""What became of a fault, a line of JSON for each event, in one file for all processes of a test's command."""

import json
import os
from typing import Any

CALLS_TOLD = 1000
"""So many calls of each process are told one by one."""


class Record:
    """A file that many processes add lines to; each line is written at once, since a test may end its process in any way."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.said: set[tuple[str, str]] = set()
        self.calls = 0

    def tell(self, event: str, what: Any = "") -> None:
        """An event (started, planted, missing, elsewhere, called, possible, changed, left_alone, failed), and what is said of it."""
        line = json.dumps({"event": event, "what": what, "process": os.getpid()}) + "\n"
        descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def tell_once(self, event: str, what: str = "") -> None:
        """The same, where it was not told by this process."""
        if (event, what) not in self.said:
            self.said.add((event, what))
            self.tell(event, what)

    def tell_call(self, form: list[list[str]] | None) -> None:
        """A call of the target, and the form of its answer: path, type and shape of each array."""
        self.calls += 1
        if self.calls <= CALLS_TOLD:
            self.tell("called", form)


def read(file: str) -> list[dict[str, Any]]:
    """All events that were told so far; a line that is not whole yet is left out."""
    if not os.path.exists(file):
        return []
    with open(file, encoding="utf-8", errors="replace") as lines:
        return [json.loads(line) for line in lines if line.endswith("}\n")]
