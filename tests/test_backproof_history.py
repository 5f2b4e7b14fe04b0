"""The history of runs: a line each, bounded, whole or not at all, and broken lines spoil no others."""

import json
import os
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from backproof import check, gradient
from backproof.doors.command_line import cli
from backproof.findings import history as module
from backproof.findings.history import FIELDS, MOST, NAME, add_line, history, remember


def run(*arguments):
    return CliRunner().invoke(cli, [str(a) for a in arguments])


def without_slope(problem):
    return [2 * w for w in gradient(problem).weights], gradient(problem).biases


def test_a_line_says_what_a_run_came_to(tmp_path):
    report = check(without_slope, seed=7, max_examples=5, shrink_seconds=0, no_diagnosis=True)
    remember(report, tmp_path / "new", "grade")
    (run_,) = history(tmp_path / "new")
    when = datetime.fromisoformat(run_.pop("when"))
    assert abs((datetime.now(UTC) - when).total_seconds()) < 600
    assert run_ == {
        "command": "grade",
        "target": "without_slope",
        "verdict": "wrong",
        "seed": 7,
        "examples": report.examples,
        "judged": report.judged,
        "findings": len(report.findings),
        "law": report.findings[0].law,
        "layer": None,
        "equation": None,
        "cause": None,
    }


def line(i):
    return json.dumps({"when": "2026-01-01T00:00:00+00:00", "target": f"t{i}"})


def test_the_oldest_are_dropped(tmp_path, monkeypatch):
    assert MOST >= 100
    monkeypatch.setattr(module, "MOST", 5)
    for i in range(12):
        add_line(line(i), tmp_path / NAME)
        assert len((tmp_path / NAME).read_text().splitlines()) == min(i + 1, 5)
    assert [one["target"] for one in history(tmp_path)] == [f"t{i}" for i in range(7, 12)]
    assert [path.name for path in tmp_path.iterdir()] == [NAME], "nothing is left beside it"


def open_files_stay(monkeypatch, replaced):
    """Windows has no fcntl, and replaces no file that somebody has open."""
    opened, true_open, true_replace = [], open, os.replace

    def watched(*arguments):
        opened.append(true_open(*arguments))
        return opened[-1]

    def replace(one, other):
        replaced.append(other)
        if any(not file.closed for file in opened):
            raise PermissionError(13, "it is being used by another process", str(other))
        true_replace(one, other)

    monkeypatch.setattr(module, "fcntl", None)
    monkeypatch.setattr(module, "open", watched, raising=False)
    monkeypatch.setattr(os, "replace", replace)


def test_the_oldest_are_dropped_on_windows_too(tmp_path, monkeypatch):
    replaced = []
    open_files_stay(monkeypatch, replaced)
    monkeypatch.setattr(module, "MOST", 5)
    for i in range(8):
        add_line(line(i), tmp_path / NAME)
    assert [one["target"] for one in history(tmp_path)] == [f"t{i}" for i in range(3, 8)]
    assert len(replaced) == 3


@pytest.mark.parametrize("error", [FileNotFoundError, PermissionError])
def test_what_cannot_be_replaced_is_told_and_leaves_nothing_beside_it(error, tmp_path, monkeypatch):
    """An error of the one who writes is not taken for a file that was replaced meanwhile, for which it would wait."""

    def refuses(one, other):
        raise error(13, "gone", str(one))

    monkeypatch.setattr(module, "MOST", 2)
    for i in range(2):
        add_line(line(i), tmp_path / NAME)
    monkeypatch.setattr(os, "replace", refuses)
    with pytest.raises(error):
        add_line(line(2), tmp_path / NAME)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert len(history(tmp_path)) == 2


BROKEN = [b"{", b"\xff\xfe", b"[1]", b'{"when": 1, "target": "t"}', b'{"target": "no time"}', b"", b"null", b"\x00" * 50]


def test_broken_lines_are_left_out_and_spoil_no_others(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(b"\n".join([line(0).encode(), *BROKEN, line(1).encode(), b'{"when": "2026", "targ']))
    assert [one["target"] for one in history(tmp_path)] == ["t0", "t1"]
    # the last line was cut short: what is added begins anew
    add_line(line(2), path)
    assert [one["target"] for one in history(tmp_path)] == ["t0", "t1", "t2"]
    assert set(history(tmp_path)[0]) == set(FIELDS)


def test_a_folder_without_one_has_none(tmp_path):
    assert history(tmp_path) == []
    done = run("history", "--saved", tmp_path)
    assert done.exit_code == 2
    assert "no run is remembered" in done.output


def _add_many(folder, start):
    module.MOST = 30
    for i in range(start, start + 40):
        add_line(line(i), Path(folder) / NAME)


@pytest.mark.slow
def test_runs_that_end_at_once_lose_no_line(tmp_path):
    with ProcessPoolExecutor(3) as pool:
        list(pool.map(_add_many, [tmp_path] * 3, [0, 100, 200]))
    lines = (tmp_path / NAME).read_text().splitlines()
    assert len(lines) == 30
    # whoever was last to write has all of its last lines but those that others pushed out, in their order
    numbers = [int(json.loads(one)["target"][1:]) for one in lines]
    for start in (0, 100, 200):
        own = [n for n in numbers if start <= n < start + 100]
        assert own == list(range(start + 40 - len(own), start + 40))


@pytest.mark.slow
def test_check_and_compare_remember_their_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.py").write_text("def f(problem):\n    return None\n")
    Path("b.py").write_text("from backproof import gradient as f\n")
    few = ("--seed", 1, "--max-examples", 2, "--shrink-seconds", 0, "--no-diagnosis")
    assert run("check", "a.py:f", *few).exit_code == 1
    assert run("compare", "b.py:f", *few).exit_code == 0
    runs = history(Path(".backproof"))
    assert [(one["target"], one["verdict"]) for one in runs] == [("a.py:f", "malformed"), ("b.py:f", "right")]
    done = run("history")
    assert done.exit_code == 0
    assert [done.stdout.count(f"{name}.py:f") for name in "ab"] == [1, 1]


def test_a_folder_that_cannot_be_written_stops_no_run(tmp_path, monkeypatch):
    from backproof.doors import command_line

    monkeypatch.setattr(command_line, "run_check", lambda target, **options: check(gradient, seed=1, max_examples=2))
    (tmp_path / "file").write_text("")
    done = run("check", "t.py:f", "--save", tmp_path / "file")
    assert (done.exit_code, done.stderr) == (0, "")


def test_a_line_is_a_line_where_it_is_piped(tmp_path, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    long = "a/long/way/to/the/file/of/somebody/who/likes/folders/network.py:gradient_of_all_layers_in_one_go"
    for i in range(3):
        add_line(json.dumps({"when": "2026-01-01T00:00:00+00:00", "target": f"{long}{i}", "cause": "used_activation"}), tmp_path / NAME)
    lines = run("history", "--saved", tmp_path).stdout.splitlines()
    assert len(lines) == 4
    assert [f"{long}{i}" in line for i, line in enumerate(lines[1:])] == [True] * 3
    assert lines[0].index("cause") == lines[1].index("used activation")
