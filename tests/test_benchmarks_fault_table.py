"""The page of faults says what the table says, and nothing that no check does yet."""

from benchmarks.fault_table import PAGE, page


def test_the_page_is_what_the_table_says():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m benchmarks.fault_table"


def test_the_page_promises_no_cause():
    """No finding names a cause yet."""
    assert "cause" not in page().split("| fault |")[0]
