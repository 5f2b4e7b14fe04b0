"""Processes that are started as a group of their own, and ended with all that they started."""

import os
import signal
import subprocess
from typing import Any


def end_group(process: "subprocess.Popen[Any]") -> None:
    """End a process that was started in a session of its own, and all that it left behind."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (AttributeError, OSError):  # Windows has no groups; or all have ended
        if process.poll() is None:
            process.kill()
