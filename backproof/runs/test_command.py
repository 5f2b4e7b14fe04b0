"""The command that runs somebody's test: as it is, or with a fault planted in the processes that it starts."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import backproof.planted
from backproof.planted.layout import words_of
from backproof.planted.record import read
from backproof.planted.start import FAULT, KEEPS, LAYOUT, RECORD, TARGET
from backproof.runs.groups import end_group
from backproof.targets.target import TargetError

SITE = Path(backproof.planted.__file__).parent / "site"
"""What Python imports at its start, where this is on its path."""

PYTHON = "{python}"
"""In a command, this Python."""

EXPECTED = "expected the command that runs your test, as 'pytest tests/test_my_layer.py'"

NO_CACHE = "Unknown config option: cache_dir"
"""What pytest says that is strict, and runs without a cache."""

OF_PYTEST = re.compile(r"(FAILED|ERROR) \S.*(::|\.\w+( - |$))")
"""A line of pytest's summary: a blank, and the test or its file. One of a log that it caught, as "ERROR    root:a.py:3 text", is none."""

OF_A_SHELL = ("&&", "||", "|", ";", ">", ">>", "<", "&")

TAIL, LINES_SHOWN, LONGEST = 20_000, 20, 160
"""Bytes of what a test prints that are looked at; lines of them that are shown where it fails as it is; characters of one line."""


@dataclass(frozen=True)
class Ran:
    """One run of the test. code: its exit code; timed_out: whether it was ended; printed: the end of what it printed; told: the events."""

    code: int
    timed_out: bool
    printed: str
    told: tuple[dict[str, Any], ...]
    seconds: float
    limit: float

    @property
    def failed(self) -> bool:
        """Whether it did not pass."""
        return self.timed_out or self.code != 0

    @property
    def ended_by(self) -> str:
        """The exit code, or the signal."""
        if self.code >= 0:
            return f"exit code {self.code}"
        try:
            return signal.Signals(-self.code).name
        except ValueError:
            return f"signal {-self.code}"

    def events(self, event: str) -> list[dict[str, Any]]:
        """The events of a kind, in their order."""
        return [each for each in self.told if each["event"] == event]

    def how(self, limit: float) -> str:
        """How it failed, in a line: what pytest says of the first test that failed, or the last line of another."""
        if self.timed_out:
            return f"it takes more than {limit:.0f} s"
        lines = [line.strip() for line in self.printed.splitlines() if line.strip()]
        of_pytest = [line for line in lines if OF_PYTEST.match(line)]
        line = (of_pytest or lines[-1:] or [self.ended_by])[0]
        return line if self.code >= 0 else f"{self.ended_by}: {line}"

    def last_lines(self) -> str:
        """The last lines that it printed, below a message."""
        lines = [line[:LONGEST] for line in self.printed.rstrip().splitlines()[-LINES_SHOWN:]]
        return "".join(f"\n    {line}" for line in lines)


class TestCommand:
    """A command and a target, both as they were said; folder: for what its runs write, which is deleted afterwards.

    keeps: attributes in which a method leaves a part of its answer; layout: in what form the target is given a problem, of known mistakes.
    Raises TargetError where they cannot be understood.
    """

    __test__ = False  # pytest takes what begins so for a test

    def __init__(self, command: str, target: str, folder: Path, *, keeps: Sequence[str] = (), layout: str = "") -> None:
        self.command, self.target, self.folder = command, target, folder
        for name in keeps:
            if not name.isidentifier():
                raise TargetError(f"keeps has {name!r}: expected names of attributes, as dW,db")
        try:
            words_of(layout)
        except ValueError as error:
            raise TargetError(f"adapt: {error}") from None
        self.told = ({KEEPS: " ".join(keeps)} if keeps else {}) | ({LAYOUT: layout} if layout else {})
        self.words = _words(command)
        self.target_named = _checked(target)
        self.has_cache = self.is_pytest
        self.numbers = count()
        self.running: set[subprocess.Popen[bytes]] = set()
        self.lock = threading.Lock()
        self.ended = False

    @property
    def of_pytest(self) -> list[int]:
        """Which words of the command are pytest's name."""
        names = [Path(word).name.removesuffix(".exe") for word in self.words]
        return [place for place, name in enumerate(names) if name in ("pytest", "py.test")]

    @property
    def is_pytest(self) -> bool:
        """Whether the command is pytest's."""
        return bool(self.of_pytest)

    def plain(self, limit: float) -> Ran:
        """A run of the test as it is."""
        return self._run(dict(os.environ), limit, None)

    def planted(self, label: str, limit: float) -> Ran:
        """A run of the test with a fault, or with its target only wrapped. What the test keeps for its next run is its own business."""
        place = self.folder / str(next(self.numbers))
        place.mkdir()
        record = place / "record"
        path = [str(SITE), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path), TARGET: self.target_named, FAULT: label, RECORD: str(record)}
        environment |= self.told | {"HYPOTHESIS_STORAGE_DIRECTORY": str(place / "hypothesis"), "COVERAGE_FILE": str(place / "coverage")}
        words = self.words
        if self.is_pytest:
            # the first failure says all, and what failed here must not be what `pytest --lf` runs next
            options = ["-x", *(["-o", f"cache_dir={place / 'cache'}"] if self.has_cache else [])]
            first = self.of_pytest[0]
            if first == 0 or words[first - 1] == "-m":
                # where a pytest that the test itself starts does not get them
                words = [*words[: first + 1], *options, *words[first + 1 :]]
            else:
                environment["PYTEST_ADDOPTS"] = " ".join(filter(None, [os.environ.get("PYTEST_ADDOPTS"), shlex.join(options)]))
        ran = self._run(environment, limit, record, words)
        if self.has_cache and ran.failed and NO_CACHE in ran.printed:
            self.has_cache = False
            return self.planted(label, limit)
        return ran

    def end_all(self) -> None:
        """Ends the runs that go on, and starts no other."""
        with self.lock:
            self.ended = True
            for process in self.running:
                end_group(process)

    def _run(self, environment: dict[str, str], limit: float, record: Path | None, words: Sequence[str] = ()) -> Ran:
        printed = self.folder / f"printed-{next(self.numbers)}"
        started, timed_out = time.monotonic(), False
        with open(printed, "wb") as output:
            with self.lock:
                if self.ended:
                    return Ran(1, True, "", (), 0.0, limit)
                try:
                    process = subprocess.Popen(
                        words or self.words,
                        env=environment,
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,  # Ctrl-C is ours to hand on, and what a test leaves behind is ended with it
                    )
                except OSError as error:
                    raise TargetError(f"{self.words[0]!r} cannot be run ({error.strerror or error}): {EXPECTED}") from None
                self.running.add(process)
            try:
                process.wait(limit)
            except subprocess.TimeoutExpired:
                timed_out = True
            finally:
                with self.lock:
                    self.running.discard(process)
                end_group(process)
                process.wait()
        seconds = time.monotonic() - started
        told = tuple(read(str(record))) if record else ()
        return Ran(process.returncode, timed_out, _end_of(printed), told, seconds, limit)


def _end_of(file: Path) -> str:
    with open(file, "rb") as printed:
        printed.seek(max(file.stat().st_size - TAIL, 0))
        return printed.read().decode(errors="replace")


def _words(command: str) -> list[str]:
    """The words of a command. Raises TargetError."""
    try:
        words = [sys.executable if word == PYTHON else word for word in shlex.split(command)]
    except ValueError as error:
        raise TargetError(f"the command is {command!r}, which cannot be split into words ({error}): {EXPECTED}") from None
    if not words:
        raise TargetError(f"the command is {command!r}: {EXPECTED}")
    of_a_shell = [word for word in words if word in OF_A_SHELL]
    if of_a_shell:
        raise TargetError(f"the command is {command!r}, and {of_a_shell[0]!r} is a word for a shell, which is not asked: {EXPECTED}")
    if "=" in words[0]:
        raise TargetError(f"the command begins with {words[0]!r}: set it before backproof, as in {words[0]} backproof challenge ...")
    if shutil.which(words[0]) is None:
        raise TargetError(f"there is no program {words[0]!r}: {EXPECTED}")
    return words


def _checked(target: str) -> str:
    """The target, with the whole path of its file. Raises TargetError."""
    name, _, path = target.rpartition(":")
    if not name or not path or not all(part.isidentifier() for part in path.split(".")):
        raise TargetError(
            f"target is {target!r}: expected package.module:function, package.module:Class.method or path/to/file.py:function"
        )
    if not name.endswith(".py"):
        if not all(part.isidentifier() for part in name.split(".")):
            raise TargetError(f"target is {target!r}: {name!r} is no module's name; a file's ends in .py")
        return target
    if not Path(name).is_file():
        raise TargetError(f"target is {target!r}: there is no file {name!r}")
    return f"{Path(name).resolve()}:{path}"
