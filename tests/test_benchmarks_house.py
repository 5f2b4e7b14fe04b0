"""What the look over the house finds is there, and what is not there is not found."""

import pytest

from benchmarks.house import ROOT, Crossings, Floors, amiss, arrows_up, circles, floors_of, imports, long_files, modules

CONTRACTS = [
    {"type": "layers", "layers": ["attic", "cellar"]},
    {"type": "layers", "containers": ["attic"], "layers": ["roof", "left | right", "up : down", "boards"]},
    {"type": "forbidden", "source_modules": ["attic"]},
]
HOUSE = floors_of(CONTRACTS)


def test_floors_are_read_from_the_contracts_of_layers():
    assert floors_of(CONTRACTS) == [
        Floors("", (("attic",), ("cellar",)), (False, False)),
        Floors("attic", (("roof",), ("left", "right"), ("up", "down"), ("boards",)), (False, True, False, False)),
    ]


@pytest.mark.parametrize(
    ("graph", "found"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b", "c"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"a"}, "c": {"a"}}, [["a", "b"]]),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"e"}, "e": {"d"}}, [["a", "b", "c"], ["d", "e"]]),
        ({"a": {"b", "c"}, "b": {"a"}, "c": {"a"}}, [["a", "b", "c"]]),
    ],
    ids=["chain", "diamond", "pair", "two circles", "two ways through one"],
)
def test_circles_are_found(graph, found):
    assert circles(graph) == found


@pytest.mark.parametrize(
    ("importer", "imported", "up"),
    [
        ("attic.roof", "cellar.wine", False),
        ("cellar.wine", "attic.roof", True),
        ("attic.boards.oak", "attic.roof", True),
        ("attic.roof", "attic.boards.oak", False),
        ("attic.left", "attic.right.wall", True),
        ("attic.up", "attic.down", False),
        ("attic.left.door", "attic.left.wall", False),
        ("attic.loose", "attic.roof", False),
        ("attic", "attic.roof", False),
    ],
)
def test_imports_up_are_found(importer, imported, up):
    assert arrows_up({importer: {imported}}, HOUSE) == ([(importer, imported)] if up else [])


def test_imports_are_read_wherever_they_stand(tmp_path):
    sources = {
        "a": "import b\n",
        "b": "def later():\n    from c.d import name\n",
        "c": "",
        "c.d": "from c import e\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a\n",
        "c.e": "from c import VERSION, d\nimport c.e\n",
    }
    files = {name: tmp_path / name for name in sources}
    for name, source in sources.items():
        files[name].write_text(source)
    assert imports(files) == {"a": {"b"}, "b": {"c.d"}, "c": set(), "c.d": {"c.e", "a"}, "c.e": {"c", "c.d"}}


def test_long_files_are_found(tmp_path):
    (tmp_path / "fits.py").write_text("pass\n" * 400)
    (tmp_path / "long.py").write_text("pass\n" * 401)
    assert long_files(tmp_path.iterdir()) == [(tmp_path / "long.py", 401)]


def compiled(file, source, **names):
    """The function f of a source that is said to stand in a file."""
    exec(compile(source, file, "exec"), names)
    return names["f"]


def entered(call, *files):
    with Crossings(files) as crossings:
        call()
    return dict(crossings.entered)


def test_calls_from_file_to_file_are_counted():
    low = compiled("low.py", "def f(): return g()\ndef g(): return 1\n")
    high = compiled("high.py", "def f(): return low() + low() + h()\ndef h(): return 1\n", low=low)
    assert entered(high, "high.py", "low.py") == {"low.py": 2}, "one file calls itself too, which is no crossing"
    assert entered(high, "high.py") == entered(low, "high.py", "low.py") == {}, "what calls from outside does not count"


def test_files_elsewhere_are_looked_through():
    low = compiled("low.py", "def f(): return 1\n")
    between = compiled("elsewhere.py", "def f(): return low()\n", low=low)
    high = compiled("high.py", "def f(): return between()\n", between=between)
    assert entered(high, "high.py", "low.py") == {"low.py": 1}


def test_a_call_back_is_a_crossing_of_its_own():
    low = compiled("low.py", "def f(back): return back()\n")
    high = compiled("high.py", "def f(): return low(lambda: 1)\n", low=low)
    assert entered(high, "high.py", "low.py") == {"low.py": 1, "high.py": 1}


def test_a_generator_is_called_once():
    low = compiled("low.py", "def f():\n    yield 1\n    yield 2\n    yield 3\n")
    high = compiled("high.py", "def f(): return sum(low())\n", low=low)
    assert entered(high, "high.py", "low.py") == {"low.py": 1}


def test_the_modules_of_the_rooms_are_read():
    files = modules()
    assert files["backproof"] == ROOT / "backproof" / "__init__.py"
    assert files["reference.functions.losses"] == ROOT / "reference" / "functions" / "losses.py"
    graph = imports(files)
    assert "reference.gradient" in graph["reference.backward"]
    assert "backproof.doors.law_items" in graph["backproof.face"]


def test_nothing_is_amiss_in_this_house():
    files = modules()
    assert amiss(files, imports(files)) == {"circles": [], "imports up": [], "files over 400 lines": []}
