"""Options are said once: each door has every option that the table says, with its default and its text, and no other."""

import inspect

import click
import pytest

from backproof import check, grade, problem_at, strategies, sweep
from backproof.doors.command_line import cli
from backproof.doors.pytest_plugin import pytest_addoption
from backproof.runs.options import LIMITS, OPTIONS, Door, options_of
from rounding.precisions import PRECISIONS

COMMANDS = {door: door.value.split()[1] for door in Door if door.name.endswith("_COMMAND")}
FUNCTIONS = {Door.CHECK: check, Door.PROBLEM_AT: problem_at, Door.STRATEGY: strategies.problems, Door.GRADE: grade, Door.SWEEP: sweep}
OWN = {
    Door.CHECK: {"target"},
    Door.PROBLEM_AT: {"target"},
    Door.STRATEGY: {"supports"},
    Door.CHECK_COMMAND: {"save", "json_file", "html_file", "markdown_file"},
    Door.DRAW_COMMAND: {"save"},
    Door.VERIFY_COMMAND: {"json_file"},
    Door.REPLAY_COMMAND: {"target", "saved", "drop", "json_file"},
    Door.GRADE: {"target", "points"},
    Door.GRADE_COMMAND: {"points", "results", "visibility", "save"},
    Door.SWEEP: {"target"},
    Door.SWEEP_COMMAND: {"json_file"},
    Door.PYTEST: {"backproof_target", "backproof_report"},
}
"""What a door takes besides."""

each_command = pytest.mark.parametrize("door", COMMANDS, ids=COMMANDS.values())
each_function = pytest.mark.parametrize("door", FUNCTIONS, ids=[door.value for door in FUNCTIONS])


def options_of_command(door):
    return {option.name: option for option in cli.commands[COMMANDS[door]].params if isinstance(option, click.Option)}


def pytest_options():
    """The options and the lines of the settings that the plugin adds to pytest: name -> attributes, name -> text."""
    parser = pytest.Parser(_ispytest=True)
    pytest_addoption(parser)
    options = [option.attrs() | {"names": option.names()} for group in parser._groups for option in group.options]
    return {option["dest"]: option for option in options}, {name: row[0] for name, row in parser._inidict.items()}


def test_every_door_is_looked_at():
    assert {*COMMANDS, *FUNCTIONS, Door.PYTEST} == set(Door) == OWN.keys()
    assert {door for option in OPTIONS.values() for door in option.doors} == set(Door)


@each_command
def test_a_command_has_the_options_of_the_table(door):
    taken, expected = options_of_command(door), options_of(door)
    assert set(taken) == expected.keys() | OWN[door]
    for name, option in expected.items():
        assert taken[name].opts == [f"--{option.words(name)}"]
        assert taken[name].help.lower() == f"{option.text}.".lower()
        assert taken[name].required == (door in option.needed_by)


@each_command
def test_a_command_has_the_defaults_of_the_table(door):
    command = cli.commands[COMMANDS[door]]
    needed = [word for name, option in options_of(door).items() if door in option.needed_by for word in (f"--{option.words(name)}", "0")]
    files = {"check": ["t"], "draw": ["t"], "verify": ["p", "a"], "replay": ["f"], "grade": ["t"], "sweep": ["t"]}[COMMANDS[door]]
    given = command.make_context(COMMANDS[door], [*files, *needed]).params
    for name, option in options_of(door).items():
        if door not in option.needed_by:
            assert given[name] == option.default_at(door), name


def test_pytest_has_the_options_of_the_table():
    taken, settings = pytest_options()
    expected = options_of(Door.PYTEST)
    assert set(taken) == {f"backproof_{name}" for name in expected} | OWN[Door.PYTEST]
    assert set(settings) == set(taken) | {"backproof_xfail"}
    for name, option in expected.items():
        flag = taken[f"backproof_{name}"]
        assert flag["names"] == [f"--backproof-{option.words(name)}"]
        assert flag["help"] == settings[f"backproof_{name}"] == option.help
        # check has the default, and whether an option was given says whether a line of the settings counts
        assert flag.get("default") is None
        if isinstance(option.default, (int, float)) and option.read is not bool:
            assert flag["help"].endswith(f"({option.default:g})")


@each_function
def test_a_function_has_the_options_of_the_table(door):
    parameters = dict(inspect.signature(FUNCTIONS[door]).parameters)
    if door is Door.PROBLEM_AT:
        assert parameters.pop("limits").kind is inspect.Parameter.VAR_KEYWORD
        expected = {name: option for name, option in options_of(door).items() if name not in LIMITS}
        assert options_of(door).keys() - expected.keys() == LIMITS.keys()
    else:
        expected = options_of(door)
    assert parameters.keys() == expected.keys() | OWN[door]
    for name, option in expected.items():
        needed = door in option.needed_by
        assert parameters[name].default == (inspect.Parameter.empty if needed else option.default_at(door)), name
        assert parameters[name].annotation == (int if needed else option.type), name


@each_function
def test_a_function_says_what_each_is(door):
    said = inspect.getdoc(FUNCTIONS[door])
    assert [name for name in options_of(door) if name not in said and door is not Door.PROBLEM_AT] == []


def test_the_order_is_that_of_the_signature():
    assert [name for name in inspect.signature(check).parameters if name != "target"] == list(options_of(Door.CHECK))
    assert [name for name in inspect.signature(grade).parameters if name not in ("target", "points")] == list(options_of(Door.GRADE))
    assert [name for name in inspect.signature(sweep).parameters if name != "target"] == list(options_of(Door.SWEEP))


def test_a_command_offers_the_precisions_that_there_are():
    assert list(options_of_command(Door.CHECK_COMMAND)["precision"].type.choices) == list(PRECISIONS)
