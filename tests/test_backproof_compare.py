"""Several targets side by side: a row for each, whatever it does, on the same problems; nothing is left running."""

import json
import subprocess
import sys
import time

import jsonschema
import pytest
from click.testing import CliRunner

from backproof.doors.command_line import cli
from backproof.findings.schema import schema
from backproof.runs.comparison import Compared, compare, targets_of
from backproof.targets.target import TargetError

SUBMISSIONS = {
    "right": "from backproof import gradient",
    "wrong_sign": """
from backproof import gradient as right

def gradient(problem):
    answer = right(problem)
    return [-weight for weight in answer.weights], answer.biases
""",
    "exits": "import sys\n\ndef gradient(problem):\n    sys.exit(3)",
    "dies": "import os\n\ndef gradient(problem):\n    os._exit(7)",
    "loops": "import time\n\ndef gradient(problem):\n    while True:\n        time.sleep(0.01)",
    "misses_an_import": "import nothing_like_it",
    "prints": """
from backproof import gradient as right

said = []

def gradient(problem):
    if not said:
        print("a line\\n" * 1_000_000)
    said.append(1)
    return right(problem)
""",
    "prints_each_time": """
from backproof import gradient as right

def gradient(problem):
    print("a line\\n" * 2_000)
    return right(problem)
""",
    "raises": "def gradient(problem):\n    raise ValueError('of its own')",
    "leaves_a_process": """
import subprocess, sys
from backproof import gradient as right

started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(987)"])

def gradient(problem):
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
    words = [f"{folder}/:gradient", "--seed", "5", "--max-examples", "4", "--load-limit", "3", "--time-limit", "3", "--json", str(file)]
    few = ["--no-diagnosis", "--shrink-seconds", "0"]  # neither is looked at, and each takes seconds
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
            "exits": "raises",
            "dies": "raises",
            "loops": "times_out",
            "misses_an_import": None,
            "prints": "right",
            "prints_each_time": "right",
            "raises": "raises",
            "leaves_a_process": "right",
        }
        assert result.exit_code == 1
        assert list(verdicts) == sorted(verdicts)

    def test_it_says_what_was_found(self, compared):
        said = compared[0].stdout
        assert "wrong_sign.py:gradient: it_agrees_with_the_exact_gradient: layer 1: dC/d" in said
        assert " is right\n" in said
        assert "exits.py:gradient: it_answers: SystemExit: 3" in said
        assert "misses_an_import.py cannot be loaded: ModuleNotFoundError: No module named 'nothing_like_it'" in said
        assert said.rstrip().endswith("all on the problems of --seed 5")
        assert "4 of 4" in said
        assert "not checked" in said

    def test_all_are_asked_the_same(self, compared):
        reports = {one["target"].rpartition("/")[2]: one["report"] for one in compared[1]["targets"]}
        assert all(report["seed"] == 5 for report in reports.values())
        right, prints = reports["right.py:gradient"], reports["prints.py:gradient"]
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
