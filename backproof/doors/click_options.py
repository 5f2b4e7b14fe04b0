"""The options of the commands, made from the table of options."""

from collections.abc import Callable
from typing import Any

import click

from backproof.runs.options import OPTIONS, Door, Option, options_of


def takes(door: Door) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A command with all the options that the table says for its door."""

    def with_options(command: Callable[..., Any]) -> Callable[..., Any]:
        for name, option in reversed(options_of(door).items()):
            flag, sentence = f"--{option.words(name)}", f"{option.text[0].upper()}{option.text[1:]}."
            command = click.option(flag, name, help=sentence, required=door in option.needed_by, **_how(option, door))(command)
        return command

    return with_options


def _how(option: Option, door: Door) -> dict[str, Any]:
    """How click reads it."""
    if option.read is bool:
        return {"is_flag": True}
    if option.flag:
        return {"multiple": True, "metavar": option.metavar}
    if option.choices is not None:
        return {"type": click.Choice(list(option.choices()))}
    if option.read in (int, float):
        numbers = click.IntRange(int(option.least)) if option.read is int else click.FloatRange(option.least, min_open=option.above)
        return {"type": numbers, "default": option.default_at(door), "show_default": option.default_at(door) is not None}
    return {"callback": _read, "metavar": option.metavar}


def _read(context: click.Context, parameter: click.Parameter, value: str | None) -> Any:
    try:
        return None if value is None else OPTIONS[str(parameter.name)].read(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
