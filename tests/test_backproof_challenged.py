"""What is said of a challenge: how a test failed, how often it called its target, and a fault's name in a table."""

import pytest

from backproof.findings.challenged import Challenged, Outcome, Planting
from backproof.planted.record import CALLS_TOLD
from backproof.reports.challenged import about, challenged_markdown
from backproof.runs.test_command import Ran

SUMMARIES = (
    "FAILED tests/test_a.py::test_b[1 - 2] - AssertionError: no",
    "FAILED README.md::README.md",
    "FAILED my folder/test_a.py::test_b",
    "ERROR test_a.py - ImportError: no",
    "ERROR test_a.py::test_b - fixture",
)


def ran(*lines):
    return Ran(1, False, "\n".join(lines), (), 1.0, 10.0)


@pytest.mark.parametrize("summary", SUMMARIES)
@pytest.mark.parametrize("logged", ["ERROR    root:a.py:3 it diverges", "ERROR:root:it diverges"])
def test_a_line_of_a_log_is_not_taken_for_one_of_pytest(summary, logged):
    assert ran(logged, summary, "1 failed in 0.1s").how(10.0) == summary
    assert ran(logged, "the last line").how(10.0) == "the last line"


@pytest.mark.parametrize(("calls", "said"), [(CALLS_TOLD - 1, "called 999 times"), (CALLS_TOLD, "called 1,000 times or more")])
def test_calls_that_are_not_counted_are_not_said_to_be(calls, said):
    told = dict(about(Challenged(command="pytest", target="m:f", calls=calls)))["target"]
    assert told == f"m:f, {said}"


def test_a_path_does_not_end_its_cell_of_a_table():
    plantings = (Planting("multiplied_by_1_5 ['a|b']", Outcome.SEEN, "FAILED"),)
    page = challenged_markdown(Challenged(command="pytest", target="m:f", calls=1, plantings=plantings))
    assert "| `multiplied_by_1_5 ['a\\|b']` |" in page
