"""The JSON Schemas of what is written, draft 2020-12: a file each in schemas/."""

import json
import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("schemas")

SCHEMAS = ("problem", "gradient", "finding", "report", "tally", "comparison", "challenge", "sweep")
"""What is written, and has a schema."""

REFERENCE = re.compile(r'"urn:backproof:(\w+):\d+"')


def schema(name: str) -> dict[str, Any]:
    """The schema of one of SCHEMAS, with those that it refers to among its definitions: it stands alone."""
    own, *others = (_read(each) for each in _with_all_it_refers_to(name))
    own["$defs"] |= {each["$id"]: each for each in others}
    return own


def _with_all_it_refers_to(name: str) -> list[str]:
    names = [name]
    for each in names:
        names += dict.fromkeys(other for other in REFERENCE.findall(_text(each)) if other not in names)
    return names


def _read(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(_text(name))
    return data


def _text(name: str) -> str:
    return (FOLDER / f"{name}.json").read_text(encoding="utf-8")
