"""The pytest plugin: `pytest --backproof-target TARGET --pyargs backproof.suite` gives one item for each law.

It is imported in every run of whoever has backproof installed, so it imports nothing but pytest until a target is named.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backproof.runs.options import Door, Option, options_of

REPORT = "write a report in every format into this folder, one for each target, with replay files and scripts"
TARGET = "what backproof.suite tests: package.module:function, path/to/file.py:function, or run: ./program --flag"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options with one prefix, each also a line of the project's own pytest settings."""
    group = parser.getgroup("backproof", "is an implementation of backpropagation right?")
    group.addoption("--backproof-target", dest="backproof_target", metavar="TARGET", help=TARGET)
    parser.addini("backproof_target", TARGET)
    group.addoption("--backproof-report", dest="backproof_report", metavar="DIR", help=REPORT)
    parser.addini("backproof_report", REPORT)
    for name, option in options_of(Door.PYTEST).items():
        how, kind = _how(name, option)
        group.addoption(f"--backproof-{option.words(name)}", dest=f"backproof_{name}", help=option.help, **how)
        parser.addini(f"backproof_{name}", option.help, type=kind)
    parser.addini("backproof_xfail", "laws that are expected to be broken, a line each: `law: reason`", type="linelist")


def _how(name: str, option: Option) -> tuple[dict[str, Any], Any]:
    """How pytest reads an option from its command line, and the type of its line in the settings."""
    if option.read is bool:
        return {"action": "store_true", "default": None}, "bool"
    metavar = option.metavar or name.upper()
    return ({"action": "append", "metavar": metavar}, "args") if option.flag else ({"metavar": metavar}, None)


def pytest_configure(config: pytest.Config) -> None:
    """The marker, and one seed for the run: that of --hypothesis-seed, or a new one, the same for all workers."""
    config.addinivalue_line("markers", "backproof: judges one law on random problems")
    given = getattr(config, "workerinput", {}).get("backproof_seed")
    forced = config.getoption("--hypothesis-seed", None)
    seed = given or (forced if forced is not None and str(forced).isdigit() else secrets.randbelow(2**32))
    config.backproof_seed = int(seed)  # type: ignore[attr-defined]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """What pytest-xdist tells each worker."""
    node.workerinput["backproof_seed"] = node.config.backproof_seed


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """What an item found goes along with pytest's own report of it, from a worker of pytest-xdist too."""
    outcome = yield
    report = getattr(item, "backproof_report", None)
    if report is not None and call.when == "call" and setting(item.config, "report"):
        outcome.get_result().backproof_report = report.to_json()  # type: ignore[attr-defined]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """The reports are written once, by who tells the run: not by a worker."""
    folder = setting(session.config, "report")
    if not folder or hasattr(session.config, "workerinput"):
        return
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    found = [report for listed in terminal.stats.values() for report in listed if hasattr(report, "backproof_report")] if terminal else []
    if found:
        from backproof.doors.collected import write_collected

        session.config.backproof_written = write_collected(  # type: ignore[attr-defined]
            [(report.nodeid, report.backproof_report) for report in found], report_folder(session.config)
        )


def pytest_report_header(config: pytest.Config) -> str | None:
    """Which target is tested; nothing where none is named."""
    target = setting(config, "target")
    return f"backproof: target {target}, seed {config.backproof_seed}" if target else None  # type: ignore[attr-defined]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The seed, if a law was judged with it: then it draws the same problems again."""
    for line in getattr(config, "backproof_written", ()):
        terminalreporter.write_line(f"backproof: {line}")
    reports = [report for listed in terminalreporter.stats.values() for report in listed]
    seeds = {value for report in reports for name, value in getattr(report, "user_properties", ()) if name == "backproof_seed"}
    if config.backproof_seed in seeds:  # type: ignore[attr-defined]
        terminalreporter.write_line(f"backproof: --hypothesis-seed={config.backproof_seed} draws the same problems")  # type: ignore[attr-defined]


def setting(config: pytest.Config, name: str) -> Any:
    """An option, or the line of the project's settings where it is not given."""
    given = config.getoption(f"backproof_{name}", None)
    return config.getini(f"backproof_{name}") or None if given is None else given


def report_folder(config: pytest.Config) -> Path:
    """Where reports are written: from the folder that pytest was called in, or, where the settings say it, from theirs."""
    given = config.getoption("backproof_report", None)
    return config.rootpath / config.getini("backproof_report") if given is None else config.invocation_params.dir / given


def suite_options(config: pytest.Config) -> dict[str, Any]:
    """What backproof.suite tells check. Raises pytest.UsageError."""
    options: dict[str, Any] = {}
    for name, option in options_of(Door.PYTEST).items():
        given, flag = setting(config, name), f"--backproof-{option.words(name)}"
        if option.read is int:
            given = option.default if given is None else given
            if not str(given).isdigit() or int(given) < option.least:
                raise pytest.UsageError(f"{flag} is {given!r}: expected a whole number, at least {option.least:g}")
        if given in (None, False, []):
            continue
        try:
            options[name] = given if option.read is bool or option.flag else option.read(given)
        except ValueError as error:
            raise pytest.UsageError(f"{flag}: {error}") from None
    return options


def expected_failures(config: pytest.Config) -> dict[str, str]:
    """law -> reason, of the lines of backproof_xfail. Raises pytest.UsageError."""
    expected = {}
    for line in config.getini("backproof_xfail"):
        law, colon, reason = line.partition(":")
        if not colon or not reason.strip():
            raise pytest.UsageError(f"backproof_xfail has {line!r}: expected `law: why it is expected to be broken`")
        expected[law.strip()] = reason.strip()
    return expected
