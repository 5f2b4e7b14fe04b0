"""The pytest plugin: `pytest --backproof-target TARGET --pyargs backproof.suite` gives one item for each law.

It is imported in every run of whoever has backproof installed, so it imports nothing but pytest until a target is named.
"""

import secrets
from typing import Any

import pytest

from backproof.runs.options import LIMITS

NUMBERS = {"max_examples": 200}
"""Options of check that are whole numbers, with their defaults."""

SECONDS = {
    "max_seconds": "pose no further problem to a law after so many seconds",
    "time_limit": "seconds for one call of the target (10)",
    "load_limit": "seconds for the first call of a process, which may import and compile (30)",
    "shrink_seconds": "seconds for shrinking what fails (10)",
}
"""Options of check that are seconds."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options with one prefix, each also a line of the project's own pytest settings."""
    group = parser.getgroup("backproof", "is an implementation of backpropagation right?")
    told = {
        "target": "what backproof.suite tests: package.module:function or path/to/file.py:function",
        "max_examples": "how many random problems each law is judged on (200)",
        "precision": "judge by this precision, not by the answers' dtype",
        **SECONDS,
        **{name: limit.text for name, limit in LIMITS.items()},
    }
    for name, text in told.items():
        metavar = LIMITS[name].metavar if name in LIMITS else name.upper()
        group.addoption(f"--backproof-{name.replace('_', '-')}", dest=f"backproof_{name}", metavar=metavar, help=text)
        parser.addini(f"backproof_{name}", text)
    group.addoption(
        "--backproof-oracle", dest="backproof_oracles", action="append", metavar="NAME", help="ask this oracle too (repeatable)"
    )
    parser.addini("backproof_oracles", "oracles to ask as well", type="args")
    group.addoption("--backproof-strict", dest="backproof_strict", action="store_true", default=None, help="fail on lossy as well")
    parser.addini("backproof_strict", "fail on lossy as well", type="bool")
    parser.addini("backproof_xfail", "laws that are expected to be broken, a line each: `law: reason`", type="linelist")


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


def pytest_report_header(config: pytest.Config) -> str | None:
    """Which target is tested; nothing where none is named."""
    target = setting(config, "target")
    return f"backproof: target {target}, seed {config.backproof_seed}" if target else None  # type: ignore[attr-defined]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The seed, if a law was judged with it: then it draws the same problems again."""
    reports = [report for listed in terminalreporter.stats.values() for report in listed]
    seeds = {value for report in reports for name, value in getattr(report, "user_properties", ()) if name == "backproof_seed"}
    if config.backproof_seed in seeds:  # type: ignore[attr-defined]
        terminalreporter.write_line(f"backproof: --hypothesis-seed={config.backproof_seed} draws the same problems")  # type: ignore[attr-defined]


def setting(config: pytest.Config, name: str) -> Any:
    """An option, or the line of the project's settings where it is not given."""
    given = config.getoption(f"backproof_{name}", None)
    return config.getini(f"backproof_{name}") or None if given is None else given


def suite_options(config: pytest.Config) -> dict[str, Any]:
    """What backproof.suite tells check. Raises pytest.UsageError."""
    options: dict[str, Any] = {name: setting(config, name) for name in ("precision", "strict", "oracles")}
    options = {name: value for name, value in options.items() if value}
    for name, default in NUMBERS.items():
        given = setting(config, name) or default
        if not str(given).isdigit() or int(given) < 1:
            raise pytest.UsageError(f"--backproof-{name.replace('_', '-')} is {given!r}: expected a whole number, at least 1")
        options[name] = int(given)
    for name in (*SECONDS, *LIMITS):
        given = setting(config, name)
        if given is not None:
            try:
                options[name] = LIMITS[name].read(given) if name in LIMITS else float(given)
            except ValueError as error:
                raise pytest.UsageError(f"--backproof-{name.replace('_', '-')}: {error}") from None
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
