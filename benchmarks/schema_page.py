"""docs/json.md, written from the JSON Schemas: `python -m benchmarks.schema_page`."""

from pathlib import Path
from typing import Any

from backproof.findings.schema import FOLDER, SCHEMAS, schema

PAGE = Path(__file__).parent.parent / "docs" / "json.md"
ABOUT = """# What is written as JSON

This page is written by `python -m benchmarks.schema_page` from the schemas in `backproof/findings/schemas/`; change those in its place.
`backproof schema NAME` prints one that stands alone, for any validator of draft 2020-12. Numbers are the shortest decimals that give the
same float64 back, so that what is read again is exact to the bit; what JSON has no number for is a string.
"""


def page() -> str:
    """The page: a table for each schema, and one for each part of it that is an object."""
    parts = [ABOUT]
    for name in SCHEMAS:
        one = schema(name)
        parts.append(f"## {name}\n\n{one['description']}\n\n{_table(one)}")
        # what a schema says of what it shares with others stands there
        own = FOLDER.joinpath(f"{name}.json").read_text(encoding="utf-8")
        for part, about in one["$defs"].items():
            if "properties" in about and not part.startswith("urn:") and f'"{part}": {{' in own:
                parts.append(f"### {name}: {part}\n\n{about.get('description', '')}\n\n{_table(about)}".replace("\n\n\n\n", "\n\n"))
    return "\n".join(parts)


def _table(one: dict[str, Any]) -> str:
    needed = set(one.get("required", ()))
    rows = [_row(name, about, name in needed) for name, about in one["properties"].items()]
    return "\n".join(["| field | is | means |", "| --- | --- | --- |", *rows, ""])


def _row(name: str, about: dict[str, Any], needed: bool) -> str:
    said = str(about.get("description", "")).replace("|", "\\|")
    return f"| `{name}`{'' if needed else ', optional'} | {_kind(about)} | {said} |"


def _kind(about: dict[str, Any]) -> str:
    """What a value may be, in words."""
    if "$ref" in about:
        return _named(about["$ref"])
    if "const" in about:
        return f"`{about['const']}`"
    if "enum" in about:
        return ", ".join("null" if value is None else f"`{value}`" for value in about["enum"])
    if "anyOf" in about or "oneOf" in about:
        return " or ".join(dict.fromkeys(_kind(each) for each in about.get("anyOf", about.get("oneOf"))))
    kinds = about.get("type", "anything")
    if kinds == "object" and "properties" in about:
        return f"object of {', '.join(f'`{name}`' for name in about['properties'])}"
    if kinds == "array" and isinstance(about.get("items"), dict):
        return f"list of {_kind(about['items'])}"
    return " or ".join(kinds) if isinstance(kinds, list) else str(kinds)


def _named(reference: str) -> str:
    """Where a reference leads."""
    if reference.startswith("urn:backproof:"):
        name = reference.split(":")[2]
        return f"[{name}](#{name})"
    return reference.rpartition("/")[2].replace("_", " ")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
