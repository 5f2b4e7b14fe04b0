"""The files and folders that the pages name are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PATH = re.compile(r"`([\w.*-]+/[\w./*-]*)`")
"""What stands in backquotes and has a slash inside, or behind a folder's name; a star stands for any name."""

OF_USERS = ("path/to/", ".venv/", ".backproof/")
"""Where such paths begin that are none of this repository."""


def paths(text):
    """The paths of this repository that a text names; what looks like one and is none, such as float16/float32, has no folder here."""
    named = [path for path in PATH.findall(text) if not path.startswith(OF_USERS)]
    return [path for path in named if path.endswith("/") or re.search(r"\.[a-z]+$", path)]


def there(path):
    """Whether there is such a file or folder; a folder of a room may be named alone, beside its room."""
    name = path.rstrip("/")
    return any(ROOT.glob(name)) or ("/" not in name and any(ROOT.glob(f"*/{name}/__init__.py")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_is_there(page):
    assert [path for path in paths(page.read_text(encoding="utf-8")) if not there(path)] == []


def test_what_is_not_there_would_be_found():
    text = (
        "`reference/` with `forms/` and `gone/` hold `reference/gone.py`, `gone/*.py`; say `float16/float32`, `a / b` or `path/to/file.py`"
    )
    assert paths(text) == ["reference/", "forms/", "gone/", "reference/gone.py", "gone/*.py"]
    assert [path for path in paths(text) if there(path)] == ["reference/", "forms/"]
