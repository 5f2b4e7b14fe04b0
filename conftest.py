"""Hypothesis profiles, and the seed of the run. Another profile than "default": pytest --hypothesis-profile=thorough."""

import gc
import os
import secrets
from typing import Any
from zlib import crc32

import pytest
from hypothesis import HealthCheck, settings

# New random problems in every run, in CI as well. Where CI is set, Hypothesis starts from its own profile "ci", which draws the
# same ones each time and forgets what failed: so build on "default" by name, and load it.
settings.register_profile(
    "default",
    settings.get_profile("default"),
    derandomize=False,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=5_000)
settings.load_profile("default")


@pytest.fixture(scope="session")
def times() -> int:
    """How many times as many drawn problems a test poses as by default: more in the thorough profile."""
    return 10 if settings.get_current_profile_name() == "thorough" else 1


@pytest.fixture(scope="session")
def seed_of_the_run(pytestconfig: pytest.Config) -> int:
    """For problems that are drawn without Hypothesis: other ones in every run, and those of a run again by --hypothesis-seed."""
    given = str(pytestconfig.getoption("--hypothesis-seed"))
    return int(given) if given.isdigit() else crc32(given.encode())


UNDIAGNOSED = {
    "test_backproof_check",
    "test_backproof_classes",
    "test_backproof_counted_terms",
    "test_backproof_digits",
    "test_backproof_engine",
    "test_backproof_findings",
    "test_backproof_jax_targets",
    "test_backproof_layouts",
    "test_backproof_limits",
    "test_backproof_precisions",
    "test_backproof_processes",
    "test_backproof_programs",
    "test_backproof_saved",
    "test_backproof_sklearn_targets",
    "test_backproof_state",
    "test_backproof_structures",
    "test_backproof_tally",
    "test_backproof_targets",
    "test_backproof_torch_targets",
    "test_backproof_unanswered",
    "test_backproof_updates",
    "test_benchmarks_networks_by_hand",
    "test_properties_beside_peers",
    "test_properties_blindness",
    "test_properties_counted_terms",
    "test_properties_decimals",
    "test_properties_edges",
    "test_properties_forms",
    "test_properties_laws_of_wrong_answers",
    "test_properties_probabilities",
    "test_properties_quantities",
    "test_properties_same_kind",
    "test_properties_sensitivity",
    "test_properties_shrinking",
    "test_properties_support",
    "test_properties_tame",
    "test_properties_verdict",
}
"""Tests of what is found, and not of why: a diagnosis of each failing check would take them a second or two."""


@pytest.fixture(autouse=True)
def without_diagnosis(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check says not where and why, in the tests that look at neither."""
    if request.path.stem in UNDIAGNOSED:
        from backproof.runs.conclusion import Conclusion

        monkeypatch.setattr(Conclusion, "_diagnoses", lambda self, told: ((), ""))
        monkeypatch.setattr(Conclusion, "_formulas", lambda self, told: ([], ""))


UNSHRUNK = {
    "test_backproof_blocked_kernel",
    "test_backproof_counted_terms",
    "test_backproof_layers",
    "test_backproof_layers_as_given",
    "test_backproof_state",
}
"""Tests of what is found, however small; but for those that are marked `shrinks`. assert_vjp takes two seconds to make a problem small."""


@pytest.fixture(autouse=True)
def without_shrinking(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run leaves its problems as they were drawn, in the tests that do not look at them."""
    if request.path.stem in UNSHRUNK and not request.node.get_closest_marker("shrinks"):
        from backproof.runs.shrinking_failures import Shrinkage

        monkeypatch.setattr(Shrinkage, "shrink_all", lambda self, seconds: None)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """A run without a seed of its own gets one, so that it can be told and had again; a worker gets that of the run.

    Workers, and what they start, multiply matrices in one thread each: two workers with two threads each on two cores wait for one another,
    and take several times as long.
    """
    if config.getoption("--hypothesis-seed") is None:
        given = getattr(config, "workerinput", {})
        config.option.hypothesis_seed = given.get("hypothesis_seed") or str(secrets.randbelow(2**32))
    if config.getoption("numprocesses", None):
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        # What was said is of this run (--cov, say) and its workers, not of what its tests start. A plugin of jaxtyping, which comes with
        # Equinox, takes half of a pytest's start, and serves no test.
        os.environ["PYTEST_ADDOPTS"] = "-p no:jaxtyping"


def pytest_collection_finish() -> None:
    """What is imported stays to the end: a collection of garbage that looks at all objects of torch and jax again finds nothing there."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """What pytest-xdist tells each worker."""
    node.workerinput["hypothesis_seed"] = node.config.getoption("--hypothesis-seed")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The seed stands at the end, where -q shows it too."""
    terminalreporter.write_line(f"to draw the same problems: --hypothesis-seed={config.getoption('--hypothesis-seed')}")
