"""One item for each law, on the target that --backproof-target names."""

import pytest

from backproof.doors.law_items import judge_item, law_items
from backproof.doors.pytest_plugin import expected_failures, setting, suite_options
from backproof.runs.options import LIMITS
from backproof.targets.kinds import check_name
from backproof.targets.target import TargetError
from properties.problems.support import Support


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One item for each law, and for each oracle that is asked for."""
    config = metafunc.config
    if not setting(config, "target"):
        raise pytest.UsageError(
            "backproof.suite needs a target: pytest --backproof-target path/to/file.py:function --pyargs backproof.suite"
        )
    options = suite_options(config)
    try:
        items = law_items(options.get("oracles", ()), expected_failures(config))
        # what no item could be run with is said once
        Support().limited(**{name: value for name, value in options.items() if name in LIMITS})
        check_name(setting(config, "target"))
    except (ValueError, TargetError) as error:
        raise pytest.UsageError(f"backproof: {error}") from None
    metafunc.parametrize("law", items)


@pytest.mark.backproof
def test_law(law: str, request: pytest.FixtureRequest) -> None:
    """The law holds on random problems."""
    judge_item(setting(request.config, "target"), law, request, **suite_options(request.config))
