"""The page of laws says what the table and the docstrings say, all of it."""

import pytest

from benchmarks.law_table import PAGE, page, parts
from properties.laws.of_agreement import ORACLE_LAWS
from properties.laws.table import LAWS

EACH = {law.name: law for law in (*LAWS.values(), *ORACLE_LAWS.values())}


def test_the_page_is_what_the_table_says():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m benchmarks.law_table"


@pytest.mark.parametrize("name", EACH)
def test_every_law_says_what_it_cannot_see_and_needs(name):
    said = parts(EACH[name])
    assert said["Cannot see"]
    assert said["Needs"]
    row = next(line for line in page().splitlines() if line.startswith(f"| `{name}` |"))
    assert EACH[name].statement.replace("|", "\\|") in row
    assert row.replace("\\|", "").count("|") == 6
