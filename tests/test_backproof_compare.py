"""Several targets side by side: a row for each, whatever it does, on the same problems; nothing is left running."""

import json
import re
import subprocess
import sys
import time

import jsonschema
import pytest
from click.testing import CliRunner

from backproof.doors.command_line import cli
from backproof.doors.compared_table import compared_whys
from backproof.findings.schema import schema
from backproof.runs.comparison import Compared, compare, comparison_data, targets_of
from backproof.targets.target import TargetError
from tests.saved_runs import run

SUBMISSIONS = {
    "right": "from backproof import gradient",
    "wrong_sign": """
from backproof import gradient as right

def gradient(problem):
    answer = right(problem)
    return [-weight for weight in answer.weights], answer.biases
""",
    "dies": "import os\n\ndef gradient(problem):\n    os._exit(7)",
    "loops": "import time\n\ndef gradient(problem):\n    while True:\n        time.sleep(0.01)",
    "misses_an_import": "import nothing_like_it",
    "prints_and_leaves_a_process": """
import subprocess, sys
from backproof import gradient as right

started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(987)"])
said = []

def gradient(problem):
    print("a line\\n" * (2_000 if said else 1_000_000))
    said.append(1)
    return right(problem)
""",
}


def is_running(word):
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return any(word in line for line in listed.splitlines())


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """What the command says of all submissions, and its JSON."""
    folder = tmp_path_factory.mktemp("submissions")
    for name, code in SUBMISSIONS.items():
        (folder / f"{name}.py").write_text(code)
    file = folder / "compared.json"
    words = [f"{folder}/:gradient", "--seed", "5", "--max-examples", "2", "--load-limit", "3", "--time-limit", "3", "--json", str(file)]
    # neither a diagnosis nor what other laws say is looked at, and each takes its time
    few = ["--no-diagnosis", "--shrink-seconds", "0", "--laws", "it_answers,it_agrees_with_the_exact_gradient"]
    result = CliRunner().invoke(cli, ["compare", *words, *few, "--save", str(folder / "saved")])
    return result, json.loads(file.read_text()), folder


@pytest.mark.slow
class TestCompare:
    def test_each_is_a_row(self, compared):
        result, data, folder = compared
        verdicts = {one["target"].removeprefix(f"{folder}/").removesuffix(".py:gradient"): one["verdict"] for one in data["targets"]}
        assert verdicts == {
            "right": "right",
            "wrong_sign": "wrong",
            "dies": "raises",
            "loops": "times_out",
            "misses_an_import": None,
            "prints_and_leaves_a_process": "right",
        }
        assert result.exit_code == 1
        assert list(verdicts) == sorted(verdicts)

    def test_it_says_what_was_found(self, compared):
        said = " ".join(compared[0].stdout.split())
        assert "wrong_sign.py:gradient: it agrees with the exact gradient: layer 1: dC/d" in said
        assert re.search(r"dW\[\d, \d\] is \S+, and \S+ is right ", said)
        assert "dies.py:gradient: it answers: the target's process died with exit code 7" in said
        assert "misses_an_import.py cannot be loaded: ModuleNotFoundError: No module named 'nothing_like_it'" in said
        assert said.endswith("all on the problems of --seed 5")
        assert "2 of 2" in said
        assert "not checked" in said

    def test_all_are_asked_the_same(self, compared):
        reports = {one["target"].rpartition("/")[2]: one["report"] for one in compared[1]["targets"]}
        assert all(report["seed"] == 5 for report in reports.values())
        right, prints = reports["right.py:gradient"], reports["prints_and_leaves_a_process.py:gradient"]
        assert right["tally"]["by"] == prints["tally"]["by"]

    def test_what_is_written_keeps_its_schema(self, compared):
        jsonschema.validate(compared[1], schema("comparison"))

    def test_findings_are_saved(self, compared):
        assert [file for file in (compared[2] / "saved").iterdir() if "wrong_sign" in file.name]

    def test_nothing_is_left_running(self, compared):
        assert not is_running(str(compared[2]))
        assert not is_running("time.sleep(987)")


@pytest.mark.slow
def test_ended_before_its_end_nothing_is_left_running(tmp_path):
    (tmp_path / "loops.py").write_text(SUBMISSIONS["loops"])
    (tmp_path / "misses.py").write_text(SUBMISSIONS["misses_an_import"])
    options = {"seed": 1, "load_limit": 60.0, "save": tmp_path}
    rows = compare([f"{tmp_path}/misses.py:gradient", f"{tmp_path}/loops.py:gradient"], options, jobs=2)
    assert next(rows).verdict is None
    started = time.monotonic()
    rows.close()  # as Ctrl-C does
    assert time.monotonic() - started < 30
    assert not is_running(str(tmp_path))


def test_a_check_that_gives_no_report_is_a_row(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    (one,) = compare(["module:function"], {"seed": 1, "save": tmp_path})
    assert (one.verdict, one.why) == (None, "its check gave no report (exit code 1): ")
    assert Compared("module:function", error="why").data()["report"] is None


def test_ctrl_c_leaves_what_is_known(monkeypatch, tmp_path):
    monkeypatch.delenv("COLUMNS", raising=False)

    def interrupted(names, options, **others):
        yield Compared(names[1], json.loads(run("right").to_json()))
        raise KeyboardInterrupt

    monkeypatch.setattr("backproof.runs.comparison.compare", interrupted)
    done = CliRunner().invoke(cli, ["compare", "a.py:f", "b.py:f", "--seed", "1", "--json", str(tmp_path / "c.json")])
    assert done.exit_code == 130
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line}
    assert "not checked" in rows["a.py:f"]
    assert rows["a.py:f"].endswith("interrupted before its check had ended")
    assert " right " in rows["b.py:f"]
    assert len(json.loads((tmp_path / "c.json").read_text())["targets"]) == 2


LONG = f"/a/folder/{'of_a_course/' * 7}first.py:gradient"


def table_of(monkeypatch, tmp_path, columns, *named):
    """The lines of a comparison's table where a terminal is so wide, None for no terminal. named: targets and the runs that they had."""
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", str(columns))
    compared = [Compared(target, json.loads(run(name).to_json())) for target, name in named]
    gone = Compared("gone.py:f", error=f"gone.py cannot be loaded: {'a long story, ' * 12}the end")
    (tmp_path / "c.json").write_text(json.dumps(comparison_data([*compared, gone], 1)))
    result = CliRunner().invoke(cli, ["report", str(tmp_path / "c.json")])
    assert result.exit_code == 0
    return [line.rstrip() for line in result.stdout.splitlines()]


class TestTable:
    def test_a_narrow_terminal_has_all_of_it_and_no_line_is_broken_by_it(self, monkeypatch, tmp_path):
        lines = table_of(monkeypatch, tmp_path, 80, (LONG, "equation 3"), ("b.py:f", "raises"), ("c.py:f", "right"))
        assert LONG in lines, "a name that is broken cannot be copied"
        assert all(len(line) <= 80 for line in lines if line != LONG)
        said = " ".join(" ".join(lines).split())
        finding = run("equation 3").findings[0]
        assert finding.explanation.partition(". ")[0].partition(": ")[2][1:] in said
        assert re.search(r"wrong; right on \d+ of \d+ problems", said)
        assert "ValueError: shapes" in said
        assert "not checked" in said
        assert "the end" in said

    def test_a_wide_one_has_columns(self, monkeypatch, tmp_path):
        lines = table_of(monkeypatch, tmp_path, 110, ("b.py:f", "equation 3"), ("c.py:f", "right"))
        assert lines[0].split() == ["target", "verdict", "right", "time", "place", "and", "cause"]
        assert all(len(line) <= 110 for line in lines)
        assert any(line.startswith("b.py:f ") and "wrong" in line and "Equation 3" in line for line in lines)

    def test_without_a_terminal_each_is_one_line_and_the_longest_part_is_last(self, monkeypatch, tmp_path):
        lines = table_of(monkeypatch, tmp_path, None, (LONG, "equation 3"), ("c.py:f", "right"))
        assert len(lines) == 4
        (of_gone,) = [line for line in lines if line.startswith("gone.py:f ")]
        assert of_gone.endswith("the end")
        (of_long,) = [line for line in lines if line.startswith(LONG)]
        assert of_long.endswith("g' is taken at a in place of z")

    def test_of_a_long_error_it_is_said_that_it_goes_on(self, monkeypatch, tmp_path):
        lines = table_of(monkeypatch, tmp_path, None, ("m.py:f", "markup"))
        (of_markup,) = [line for line in lines if line.startswith("m.py:f ")]
        assert re.search(r"… \([\d,]+ more characters\)$", of_markup)
        assert len(of_markup) < 700


@pytest.mark.parametrize("columns", [80, 110, None])
def test_what_is_no_markup_and_no_picture_is_printed_as_it_is(monkeypatch, tmp_path, capsys, columns):
    lines = table_of(monkeypatch, tmp_path, columns, ("net.py:key", "right"), ("net.py:art", "raises"), ("[b]x.py:two", "right"))
    for name in ("net.py:key", "net.py:art", "[b]x.py:two"):
        assert any(line.split()[:1] == [name] for line in lines), name
    compared_whys([Compared("net.py:key", json.loads(run("raises").to_json()))])
    assert "net.py:key: " in capsys.readouterr().out


class TestNames:
    def test_a_function_of_each_file_of_a_folder(self, tmp_path):
        for name in ("b.py", "a.py", "_private.py", "a.txt"):
            (tmp_path / name).write_text("")
        assert targets_of([f"{tmp_path}:f", "module:function", "module:function"]) == [
            f"{tmp_path}/a.py:f",
            f"{tmp_path}/b.py:f",
            "module:function",
        ]

    def test_a_folder_alone_does_not_say_which_function(self, tmp_path):
        with pytest.raises(TargetError, match=r"is a folder: say which function of each of its files is meant, as .*/:gradient$"):
            targets_of([str(tmp_path)])

    def test_a_folder_without_files(self, tmp_path):
        with pytest.raises(TargetError, match=r"there is no \.py file in the folder"):
            targets_of([f"{tmp_path}:gradient"])
