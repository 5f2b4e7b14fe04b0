"""The page of what is written as JSON says what the schemas say."""

from backproof.findings.schema import SCHEMAS, schema
from benchmarks.schema_page import PAGE, page


def test_the_page_is_what_the_schemas_say():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m benchmarks.schema_page"


def test_each_schema_and_each_of_its_fields_has_a_row():
    for name in SCHEMAS:
        of_it = page().partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        for field in schema(name)["properties"]:
            assert f"| `{field}`" in of_it, (name, field)
