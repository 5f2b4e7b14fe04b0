"""The laws as pytest items, one for each, in two lines of a test file of your own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backproof.findings.saved import SAVED_IN, save_finding
from backproof.report import Report
from backproof.reports.terminal import report_text
from backproof.runs.check import check
from backproof.targets.target import Target, TargetError
from properties.judging.judgement import DISAGREEMENT
from properties.laws.table import LawError, laws_for
from properties.problems.limits import SupportError

if TYPE_CHECKING:
    import pytest


def law_tests(
    target: Target | str, *, oracles: Sequence[str] = (), xfail: Mapping[str, str] | None = None, **options: Any
) -> Callable[..., None]:
    """A test function with one item for each law: `test_my_network = backproof.law_tests(my_gradient)`.

    target, oracles, options: as for check; pytest's options, --backproof-max-examples say, or their lines in the settings, stand for
    what is not given here. xfail: law -> why it is expected to be broken, besides what backproof_xfail says; a law that is then held
    fails the run. Needs pytest. Raises OracleError and LawError.
    """
    _needs_pytest()
    import pytest

    items = law_items(oracles, xfail or {})

    @pytest.mark.backproof
    @pytest.mark.parametrize("law", items)
    def test_law(law: str, request: "pytest.FixtureRequest") -> None:
        from backproof.doors.pytest_plugin import suite_options

        asked = {name: value for name, value in suite_options(request.config).items() if name != "oracles"}
        judge_item(target, law, request, **(asked | {"oracles": oracles} | options))

    return test_law


def _needs_pytest() -> None:
    if find_spec("pytest") is None:
        raise ModuleNotFoundError("backproof.law_tests needs pytest: pip install pytest")


def law_items(oracles: Sequence[str], xfail: Mapping[str, str]) -> list[Any]:
    """A parameter for each law, those marked that are expected to fail, strictly. Raises OracleError and LawError."""
    import pytest

    names = [law.name for law in laws_for(oracles)]
    for name, reason in xfail.items():
        if name not in names:
            raise LawError(f"xfail: law {name!r} is not known: expected one of {', '.join(names)}")
        if not reason.strip():
            raise LawError(f"xfail: law {name!r} has no reason: say why it is expected to be broken")
    # what else may fail, such as a target that can not be loaded, is not what is expected
    marks = {name: [pytest.mark.xfail(strict=True, reason=reason, raises=_broken_law())] for name, reason in xfail.items()}
    return [pytest.param(name, id=name, marks=marks.get(name, [])) for name in names]


@cache
def _broken_law() -> Any:
    """What is raised where a law is broken, and nothing else is: pytest fails by it as by pytest.fail."""
    import pytest

    failed: Any = pytest.fail.Exception

    class BrokenLaw(failed):  # type: ignore[misc]
        """A law is broken."""

    return BrokenLaw


def judge_item(target: Target | str, law: str, request: "pytest.FixtureRequest", **options: Any) -> None:
    """One item: a check of one law. It fails with the finding, and is skipped where the law never applied.

    Where and why is told by the first item of a target that can: it is of the target, whichever law shows it.
    """
    __tracebackhide__ = True
    import pytest

    options.setdefault("seed", getattr(request.config, "backproof_seed", None))
    of_target, expected = request.node.nodeid.rpartition("[")[0], request.node.get_closest_marker("xfail") is not None
    told = vars(request.config).setdefault("backproof_diagnosed", {})
    elsewhere = told.get(of_target, request.node.name) != request.node.name
    options.setdefault("no_diagnosis", elsewhere)
    try:
        report = check(target, laws=[law], **options)
    except (TargetError, SupportError) as error:
        pytest.fail(f"backproof: {error}", pytrace=False)
    # what the fixture record_property does, without its warning that some families of JUnit files have no place for it
    properties = {"backproof_law": law, "backproof_verdict": report.verdict.value, "backproof_seed": report.seed}
    request.node.user_properties.extend(properties.items())
    if elsewhere and report.findings:
        report = replace(report, notes=(*report.notes, f"{told[of_target]} says where and why"))
    elif not expected and any(finding.diagnoses for finding in report.findings):
        told[of_target] = request.node.name
    # what is expected to fail is no news
    if not expected:
        # two test files may have functions of one name
        origin = "" if isinstance(target, str) else of_target
        report = _with_saved_findings(report, request.config.rootpath / SAVED_IN, origin)
    request.node.backproof_report = report
    if report.interrupted:
        raise KeyboardInterrupt
    if report.disagreement:
        pytest.fail(f"{DISAGREEMENT}\n{report_text(report)}", pytrace=False)
    count = report.laws[law]
    if count.broken:
        raise _broken_law()(report_text(report), pytrace=False)
    if report.doubts or report.unjudged:
        pytest.fail(report_text(report), pytrace=False)
    if not count.held:
        pytest.skip(f"not applicable: {'; '.join(count.reasons) or 'no problem came to it'}")


def _with_saved_findings(report: Report, folder: Path, origin: str) -> Report:
    """The report of an item, of which each finding has its file; where none can be written, it is told without. origin: of the target."""
    if not any(not finding.verdict.passes(report.strict) for finding in report.findings):
        return report
    try:
        files = [save_finding(finding, place, folder, origin) for place, finding in enumerate(report.findings)]
    except OSError:
        return report
    return replace(report, saved=tuple(map(str, files)))
