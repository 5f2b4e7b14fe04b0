"""The rules that are challenged pass as they are, and their page has the faults and the rules that there are."""

import pytest

from backproof.findings.challenged import Outcome
from backproof.planted.answer_faults import ANSWER_FAULTS
from backproof.runs.challenge import challenge
from benchmarks.challenged.__main__ import PAGE, with_faults, written
from benchmarks.challenged.rules import RULES

OF_FRAMEWORKS = ("torch", "Liger", "second shape", "bfloat16", "sklearn")


def test_the_page_has_the_faults_that_there_are():
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_faults(page), "run python -m benchmarks.challenged --faults"
    assert all(f"| `{name}` |" in page for name in ANSWER_FAULTS)


def test_the_page_has_a_row_for_each_rule():
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in RULES if f"| {name} |" not in page] == [], "run python -m benchmarks.challenged --write"


def test_only_what_stands_between_the_marks_is_written():
    assert written("a<b>old<e>c", "<b>", "<e>", "new") == "a<b>\nnew\n<e>c"


@pytest.mark.parametrize("name", [name for name in RULES if not any(word in name for word in OF_FRAMEWORKS)])
def test_a_rule_passes_as_it_is(name):
    RULES[name][0]()


@pytest.mark.slow
def test_one_entry_at_1e_2_misses_what_backproof_sees():
    def outcomes(name):
        done = challenge(f"{{python}} -m benchmarks.challenged.rules '{name}'", RULES[name][1], only="added_noise_of_1e_4")
        return [planting.outcome for planting in done.plantings]

    assert outcomes("minitorch: one entry, 1e-2") == [Outcome.MISSED]
    assert outcomes("`backproof.verify`") == [Outcome.SEEN]
