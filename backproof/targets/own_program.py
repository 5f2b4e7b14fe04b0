"""A program of the user's, in any language, as a target: it speaks the protocol itself, in lines of JSON alone (docs/protocol.md)."""

import errno
import os
import shlex
import shutil
import subprocess

from backproof.targets.protocol_session import PIPES, ProtocolSession
from backproof.targets.target import TargetError

PREFIX = "run:"

EXPECTED = "expected run: and a command, such as 'run: ./mine --flag'"


def is_program(spec: str) -> bool:
    """Whether a target's name is a command: "run:", a blank and what to run; a module may be named run too, as in "run:function"."""
    return spec.startswith(PREFIX) and (len(spec) == len(PREFIX) or spec[len(PREFIX)].isspace())


def command_of(spec: str) -> list[str]:
    """The program and its arguments, as a shell splits them, though none is asked; nothing is run. Raises TargetError."""
    try:
        command = shlex.split(spec.removeprefix(PREFIX))
    except ValueError as error:
        raise TargetError(f"target is {spec!r}, which cannot be split into words ({error}): {EXPECTED}") from None
    if not command:
        raise TargetError(f"target is {spec!r}: {EXPECTED}")
    return command


class OwnProgram(ProtocolSession):
    """A program, named by "run: ./mine --flag", that reads problems from its standard input and writes answers to its standard output.

    Raises TargetError where it cannot be run, or does not say that it is ready.
    """

    seconds_to_leave = 1.0
    advice_on_silence = ": it must read a line, answer it by a line, and flush its standard output after that (fflush in C)"
    advice_on_an_end = ": it must answer problem after problem, until its standard input ends"

    def _started(self) -> "subprocess.Popen[bytes]":
        command = command_of(self.name)
        with self._output.pipes(2) as printed:
            try:
                return subprocess.Popen(command, stderr=printed[0] if printed else None, **PIPES)
            except OSError as error:
                raise TargetError(f"target {self.name!r}: {_not_run(command[0], error)}") from None


def _not_run(program: str, error: OSError) -> str:
    """Why a program cannot be run, and what to do."""
    if os.path.isdir(program):
        return f"{program!r} is a folder: expected a program"
    if isinstance(error, FileNotFoundError):
        if not os.path.exists(program):
            return f"there is no program {program!r}: expected the path of one, such as ./mine, or a name on the PATH"
        if not os.path.dirname(program) and shutil.which(program) is None:
            return f"there is no program {program!r} on the PATH: for the file in this folder say './{program}'"
        return f"{program!r} begins with #! and the name of a program that is not there: name it here, such as 'run: python3 {program}'"
    if isinstance(error, PermissionError):
        return f"{program!r} may not be executed: allow it (chmod +x {program}), or name what runs it, such as 'run: python3 {program}'"
    if error.errno == errno.ENOEXEC:
        return (
            f"{program!r} is no program of this machine: a script begins with a line such as #!/usr/bin/env python3, or is run by "
            f"'run: python3 {program}'"
        )
    return f"{program!r} cannot be run ({error.strerror or error})"
