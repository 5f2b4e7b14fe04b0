"""The kinds of targets that are known by a name: a function of Python, in a process of its own, or a program in any language."""

from typing import Any

from backproof.targets.own_process import OwnProcess
from backproof.targets.own_program import OwnProgram, command_of, is_program
from backproof.targets.protocol_session import ProtocolSession
from backproof.targets.target import parts_of


def session_of(spec: str, **options: Any) -> ProtocolSession:
    """A session with the target that a name names. options: precision, time_limit, load_limit. Raises TargetError."""
    return (OwnProgram if is_program(spec) else OwnProcess)(spec, **options)


def check_name(spec: str) -> None:
    """Raise TargetError where a name can name no target; nothing is run."""
    (command_of if is_program(spec) else parts_of)(spec)
