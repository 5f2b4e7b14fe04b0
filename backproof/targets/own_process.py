"""A target of Python in a process of its own: the Python end of the protocol, with large problems and answers as .npz."""

import os
import subprocess
import sys
from typing import Any

from backproof.targets.protocol_session import PIPES, ProtocolSession
from backproof.targets.target import LOAD_LIMIT

LOADING_LIMIT = 120.0
"""Seconds that a target may take to be imported, or more where the first call may take more."""

LEAST_LOADING_LIMIT = 20.0
"""The same, where the first call is allowed less than it is by default."""


class OwnProcess(ProtocolSession):
    """A target, named by "package.module:function" or "path/to/file.py:function", in a process of its own.

    Raises TargetError where the target cannot be loaded.
    """

    binary = in_form = True

    @property
    def _ready_limit(self) -> float:
        if self._said_ready_limit is not None:
            return self._said_ready_limit
        return max(LOADING_LIMIT if self._first_limit >= LOAD_LIMIT else LEAST_LOADING_LIMIT, self._first_limit)

    def _greeting(self) -> dict[str, Any]:
        return super()._greeting() | {
            "binary": True,
            "path": [os.fspath(folder) for folder in sys.path],
            "pythonpath": os.environ.get("PYTHONPATH"),
        }

    def _started(self) -> "subprocess.Popen[bytes]":
        # modules are found there as they are here, by whatever way; -P: and in no other folder before
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
        flags = [
            *subprocess._args_from_interpreter_flags(),  # type: ignore[attr-defined]
            "-P",
        ]
        command = [sys.executable, *flags, "-m", "backproof.serve", self.name]
        with self._output.pipes(1, 2) as printed:
            if printed:
                return subprocess.Popen([*command, str(printed[0])], stderr=printed[1], pass_fds=printed[:1], env=environment, **PIPES)
            return subprocess.Popen(command, env=environment, **PIPES)
