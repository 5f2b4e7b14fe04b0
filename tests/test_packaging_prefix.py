"""The rewrite of imports for a wheel, on single sources."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hatch_build import PACKAGE, ROOMS, RoomImportError, with_prefix

ROOT = Path(__file__).parent.parent

REWRITTEN = {
    "module": ("from reference.losses import LOSSES\n", "from backproof.reference.losses import LOSSES\n"),
    "room": ("from oracles import balls\n", "from backproof.oracles import balls\n"),
    "every room": (
        "from oracles.oracle import Oracle\nfrom properties.laws import LAWS\nfrom reference import losses\n",
        "from backproof.oracles.oracle import Oracle\nfrom backproof.properties.laws import LAWS\nfrom backproof.reference import losses\n",
    ),
    "several lines": (
        "from reference.problem import (  # both\n    Gradient,\n    Problem,\n)\nlast = 5\n",
        "from backproof.reference.problem import (  # both\n    Gradient,\n    Problem,\n)\nlast = 5\n",
    ),
    "indented": ("def f():\n    from reference import losses\n", "def f():\n    from backproof.reference import losses\n"),
    "first in its block": (
        "if x:\n\n    # why\n    from oracles import balls\n",
        "if x:\n\n    # why\n    from backproof.oracles import balls\n",
    ),
    "after the block": ("if x:\n    pass\nfrom oracles import balls\n", "if x:\n    pass\nfrom backproof.oracles import balls\n"),
    "conditional": (
        "try:\n    from oracles import balls\nexcept ImportError: from oracles import jax_autodiff\n",
        "try:\n    from backproof.oracles import balls\nexcept ImportError: from backproof.oracles import jax_autodiff\n",
    ),
    "two in one line": (
        "from reference import losses; from oracles import balls; from reference.problem import Problem\n",
        "from backproof.reference import losses; from backproof.oracles import balls; from backproof.reference.problem import Problem\n",
    ),
    "odd spaces": ("from  reference . losses  import  LOSSES\n", "from  backproof.reference . losses  import  LOSSES\n"),
    "continued line": ("from \\\n    reference import losses\n", "from \\\n    backproof.reference import losses\n"),
    "no last line end": ("from reference import losses", "from backproof.reference import losses"),
    "other line ends": ("x = 1\r\nfrom reference import losses\r\n", "x = 1\r\nfrom backproof.reference import losses\r\n"),
    "after a form feed": ("x = '\x0c'\n\x0c\nfrom reference import losses\n", "x = '\x0c'\n\x0c\nfrom backproof.reference import losses\n"),
    "after wide letters": ("δ = '∂'; from reference import losses\n", "δ = '∂'; from backproof.reference import losses\n"),
}

UNTOUCHED = {
    "string": 'text = "from reference.losses import LOSSES"\n',
    "docstring": '"""Usage:\n\nfrom reference import losses\nimport reference\n"""\n',
    "f-string": 'text = f"from reference import {x:>{width}}: import reference"\n',
    "comment": "# from reference import losses\nx = 1  # import oracles\n",
    "relative": "from . import losses\nfrom .reference import losses\nfrom .. import oracles\n",
    "longer name": "from references import x\nfrom reference_data import y\nimport oracles_of_delphi\n",
    "deeper name": "import numpy.reference\nfrom numpy.reference import x\nfrom numpy import reference, oracles\n",
    "name as alias": "import numpy as reference, scipy as oracles\n",
    "raise from": "try:\n    pass\nexcept ValueError as reference:\n    raise KeyError from reference\n",
    "yield from": "def f(reference):\n    yield from reference\n    x = (yield\n        from reference)\n",
    "use of a name": "reference = {'from': 1}\nprint(reference['from'], oracles)\n",
    "already there": "from backproof.reference import losses\nimport backproof.reference\n",
    "empty": "",
}

REFUSED = {
    "room": ("import reference\n", 1),
    "module": ("x = 1\nimport reference.losses\n", 2),
    "alias": ("import oracles.balls as b\n", 1),
    "second name": ("\n\nimport numpy as np, properties.laws\n", 3),
    "indented": ("def f():\n    import reference\n", 2),
    "same line": ("x = 1; import reference\n", 1),
    "conditional": ("if x: import reference\n", 1),
}


@pytest.mark.parametrize(("source", "expected"), REWRITTEN.values(), ids=REWRITTEN)
def test_import_of_a_room_gets_the_prefix(source: str, expected: str) -> None:
    ast.parse(source)
    assert with_prefix(source, "x.py") == expected
    assert with_prefix(expected, "x.py") == expected, "a second rewrite changes nothing"


@pytest.mark.parametrize("source", UNTOUCHED.values(), ids=UNTOUCHED)
def test_all_else_stays(source: str) -> None:
    ast.parse(source)
    assert with_prefix(source, "x.py") == source


@pytest.mark.parametrize(("source", "line"), REFUSED.values(), ids=REFUSED)
def test_import_that_cannot_be_moved_is_refused_with_its_place(source: str, line: int) -> None:
    ast.parse(source)
    with pytest.raises(RoomImportError, match=rf"^properties/x\.py:{line}: `import (reference|oracles|properties)` cannot .* write `from "):
        with_prefix(source, "properties/x.py")


@pytest.mark.parametrize("room", [PACKAGE, *ROOMS])
def test_every_file_of_the_project_can_be_moved(room: str) -> None:
    for path in (ROOT / room).rglob("*.py"):
        source = path.read_text("utf-8")
        moved = with_prefix(source, str(path))
        assert room_imports(moved) == []
        assert moved.count("\n") == source.count("\n")


def room_imports(source: str) -> list[str | None]:
    """What a second reader, the parser, finds of `from room...`."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom) and not node.level]
    return [node.module for node in nodes if (node.module or "").split(".")[0] in ROOMS]


def test_hook_and_pyproject_name_the_same_rooms() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["sources"] == {room: f"{PACKAGE}/{room}" for room in ROOMS}
    assert sorted(wheel["only-include"]) == sorted((PACKAGE, *ROOMS))


@pytest.mark.slow
def test_rewrite_copies_a_tree_without_the_rooms(tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    for name in ("reference/functions/losses.py", "backproof/check.py", "tests/test_reference.py", "tests/reference/data.txt"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("from reference import losses\n")
    subprocess.run([sys.executable, ROOT / "hatch_build.py", "rewrite", source, copy], check=True)
    assert {str(path.relative_to(copy)): path.read_text() for path in copy.rglob("*.*")} == {
        "tests/test_reference.py": "from backproof.reference import losses\n",
        "tests/reference/data.txt": "from reference import losses\n",
    }
