"""The command line: exit codes, help, JSON, replays, and a line that helps where something cannot be done."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from backproof import Gradient, Problem, TargetError, enclosure, gradient
from backproof.doors import command_line
from backproof.doors.entry import main
from backproof.doors.group import COMMANDS, cli
from backproof.findings.finding import finding_of
from backproof.runs.check import check as run_check
from backproof.runs.options import LIMITS
from oracles import available
from oracles.available import ORACLES
from properties.judging import judgement
from properties.laws.of_agreement import ORACLE_LAWS
from properties.laws.table import LAWS
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES

TARGETS = """
from backproof import gradient

def right(problem):
    return gradient(problem)

def doubled(problem):
    print("noise from the target")
    return [2 * w for w in gradient(problem).weights], gradient(problem).biases

def quiet(problem):
    return [2 * w for w in gradient(problem).weights], gradient(problem).biases

def interrupts(problem):
    raise KeyboardInterrupt

def raises(problem):
    raise ValueError("\\x1b[31mred\\x1b[0m")

right.supports = doubled.supports = {"losses": ["half_squared_error"], "activations": ["identity", "tanh"]}
"""
PROBLEM = Problem([[[1.0, 2.0]]], biases=[[0.5]], activations=["tanh"], x=[[1.0, -1.0]], y=[[0.0]])

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "t.py").write_text(TARGETS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    PROBLEM.save("problem.json")
    gradient(PROBLEM).save("right.json")
    Gradient([2 * w for w in gradient(PROBLEM).weights], gradient(PROBLEM).biases).save("wrong.json")
    Gradient([w.T for w in gradient(PROBLEM).weights], gradient(PROBLEM).biases).save("malformed.json")
    (tmp_path / "broken.json").write_text('{"schema": "backproof.problem",')
    (tmp_path / "other.json").write_text('{"schema": "other"}')
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    return tmp_path


@pytest.fixture
def in_this_process(monkeypatch):
    """check without a process of its own, which costs a second, and without a diagnosis, which costs three."""
    from backproof.targets.target import load_target

    monkeypatch.setattr(
        command_line, "run_check", lambda target, **options: run_check(load_target(target), **options | {"no_diagnosis": True})
    )


def run(*arguments, **options):
    return CliRunner().invoke(cli, [str(a) for a in arguments], **options)


def lines(text):
    return {line.split()[0]: line.strip() for line in text.splitlines() if line.strip()}


@pytest.mark.wheel
def test_a_right_target_exits_with_0_from_a_process_of_its_own():
    result = run("check", "t.py:right", "--max-examples", 10, "--seed", 4)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("right: t.py:right (every entry is as near")
    assert "seed 4;" in result.stdout
    assert f" of {len(LAWS)} laws held wherever they applied" in result.stdout


def test_a_wrong_target_exits_with_1_and_its_replay_reproduces(folder):
    result = run("check", "t.py:doubled", "--max-examples", 15, "--no-diagnosis", "--save", "saved", "--json", "-")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    (file,) = (folder / "saved").glob("*.json")
    finding = finding_of(file.read_text())
    assert (report["verdict"], finding.target, finding.verdict) == ("wrong", "t.py:doubled", "wrong")
    assert report["findings"][0]["problem"] == json.loads(finding.problem.to_json())

    again = run("replay", file)
    assert again.exit_code == 1
    assert again.stdout.startswith("\nwrong\n  law      it_agrees_with_the_exact_gradient")
    other = run("replay", file, "--target", "t.py:right", "--json", "told.json")
    assert (other.exit_code, other.stdout) == (
        0,
        "not reproduced: t.py:right does not break it_agrees_with_the_exact_gradient on this problem\n",
    )
    assert json.loads((folder / "told.json").read_text()) == {"reproduced": False, "finding": None}


def test_a_replay_of_what_is_lossy_passes_as_the_check_did(folder):
    (folder / "lossy.py").write_text(
        "import numpy as np\n\ndef target(problem):\n    a = np.tanh(problem.x @ problem.weights[0].T)\n"
        "    return [((a - problem.y) * (1 - a * a)).T @ problem.x], None\n\n"
        "target.supports = {'activations': ['tanh'], 'depth': 1, 'biases': False,\n"
        "                   'losses': ['half_squared_error'], 'reductions': ['sum']}\n"
    )
    assert run("check", "lossy.py:target", "--max-examples", 60, "--no-diagnosis", "--save", "lossy").exit_code == 0
    (file,) = (folder / "lossy").glob("*.json")
    assert run("replay", file).exit_code == 0
    assert run("replay", file, "--strict").exit_code == 1


@pytest.mark.usefixtures("in_this_process")
class TestCheck:
    def test_control_characters_are_shown_by_their_numbers(self):
        result = run("check", "t.py:raises", "--max-examples", 3)
        assert result.exit_code == 1
        assert "\x1b" not in result.stdout + result.stderr
        assert r"ValueError: \x1b[31mred\x1b[0m (t.py:" in result.stdout

    def test_findings_are_saved_where_the_report_says(self, folder):
        result = run("check", "t.py:doubled", "--max-examples", 10, "--shrink-seconds", 0)
        (file,) = (folder / ".backproof").glob("*.json")
        assert lines(result.stdout)["replay"].split() == ["replay", "backproof", "replay", f".backproof/{file.name}"]

    def test_json_goes_to_a_file_beside_the_report(self, folder):
        result = run("check", "t.py:right", "--max-examples", 3, "--json", "report.json", "--strict", "--precision", "float64")
        report = json.loads((folder / "report.json").read_text())
        assert (report["schema"], report["examples"], report["strict"], report["passed"]) == ("backproof.report", 3, True, True)
        assert result.stdout.startswith("right: ")

    @pytest.mark.parametrize(
        ("save", "told"),
        [
            ("taken", "backproof: no finding is saved: taken is a file, and --save takes a folder\n"),
            ("taken/below", "backproof: the finding cannot be saved in taken/below/doubled-"),
        ],
    )
    def test_a_folder_that_cannot_be_written_is_told_and_no_matter(self, folder, save, told):
        (folder / "taken").write_text("")
        result = run("check", "t.py:doubled", "--max-examples", 10, "--shrink-seconds", 0, "--save", save)
        assert result.exit_code == 1
        assert result.stderr.startswith(told)
        assert "wrong: doubled" in result.stdout
        assert "replay" not in lines(result.stdout)

    def test_a_json_file_that_cannot_be_written_is_told(self):
        result = run("check", "t.py:right", "--max-examples", 2, "--json", "nowhere/report.json")
        assert (result.exit_code, result.stderr) == (
            2,
            "backproof: the result cannot be written to nowhere/report.json: there is no such folder\n",
        )

    def test_activations_and_losses_are_filtered(self, folder):
        options = ("--max-examples", 8, "--shrink-seconds", 0, "--losses", "half_squared_error", "--json", "-")
        report = json.loads(run("check", "t.py:quiet", "--activations", " tanh ", *options).stdout)
        assert all(layer["activation"] == "tanh" for finding in report["findings"] for layer in finding["problem"]["layers"])

    def test_an_interrupted_run_exits_with_130_and_tells_what_it_found(self):
        result = run("check", "t.py:interrupts")
        assert result.exit_code == 130
        assert "note: interrupted: this is the report so far" in result.stdout

    def test_a_run_whose_output_is_no_terminal_tells_how_far_it_is(self, monkeypatch):
        assert "judging" not in run("check", "t.py:right", "--max-examples", 10).stderr
        monkeypatch.setattr("backproof.doors.progress.LINE_EACH", 0)
        assert re.match(r"backproof: judging, 1 of 10 after \d s\n", run("check", "t.py:right", "--max-examples", 10).stderr)

    def test_nothing_judged_exits_with_2(self, monkeypatch):
        monkeypatch.setattr("backproof.runs.run.Run.judge_all", lambda run, count, seed, seconds: None)
        assert run("check", "t.py:right").exit_code == 2


REFUSED = [
    ("a target without a colon", ["check", "nope"], "backproof: target is 'nope': expected package.module:function or"),
    ("a missing file", ["check", "nope.py:f"], "backproof: there is no file 'nope.py'"),
    ("an unknown oracle", ["check", "t.py:right", "--oracle", "crystal"], "oracle 'crystal' is not known: expected one of"),
    (
        "an unknown activation",
        ["check", "t.py:right", "--activations", "tanh,rleu"],
        "activation 'rleu' is not known: did you mean 'relu'? expected one of",
    ),
    ("no activation", ["check", "t.py:right", "--activations", ""], "activations is []: expected a list of names"),
    ("what is not supported", ["check", "t.py:right", "--losses", "huber"], "losses is ['huber'], but the target supports only"),
    ("an unknown precision", ["check", "t.py:right", "--precision", "half"], "'half' is not one of 'float64', 'float32', 'tf32'"),
    ("no examples", ["check", "t.py:right", "--max-examples", "0"], "0 is not in the range x>=1"),
    ("a negative seed", ["check", "t.py:right", "--seed", "-1"], "-1 is not in the range x>=0"),
    ("no time", ["check", "t.py:right", "--time-limit", "0"], "0.0 is not in the range x>=0.01"),
    ("no time to load", ["check", "t.py:right", "--load-limit", "0"], "0.0 is not in the range x>=0.01"),
    ("NaN seconds", ["check", "t.py:right", "--time-limit", "nan"], "time_limit is nan: expected seconds, more than 0"),
    ("no target", ["check"], "Missing argument 'TARGET'"),
    ("an unknown command", ["chekc"], "No such command 'chekc'"),
    ("an unknown option", ["check", "t.py:right", "--speed", "9"], "No such option"),
    ("a missing problem", ["verify", "nope.json", "right.json"], "backproof: nope.json: No such file or directory"),
    ("a folder", ["verify", ".", "right.json"], "backproof: .: Is a directory"),
    ("no JSON", ["verify", "broken.json", "right.json"], "backproof: broken.json: not JSON: "),
    ("another schema", ["verify", "other.json", "right.json"], "other.json: schema is 'other': expected 'backproof.problem'"),
    ("no text", ["verify", "problem.json", "binary.json"], "backproof: binary.json: "),
    ("the wrong way round", ["verify", "right.json", "problem.json"], "schema is 'backproof.gradient': expected 'backproof.problem'"),
    ("a replay of nothing", ["replay", "nope.json"], "backproof: nope.json: No such file or directory"),
    (
        "a replay of a problem",
        ["replay", "problem.json"],
        "problem.json: no finding: expected an object with schema 'backproof.finding'",
    ),
    ("a replay of no JSON", ["replay", "broken.json"], "backproof: broken.json: not JSON"),
    ("a replay of no text", ["replay", "binary.json"], "backproof: binary.json: "),
]


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(("arguments", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_cannot_be_done_exits_with_2_and_says_why(arguments, message):
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr


class TestADisagreement:
    """A mistake in backproof has its own exit code, whatever else was found."""

    @pytest.fixture(autouse=True)
    def planted(self, monkeypatch, in_this_process):
        monkeypatch.setattr(judgement, "enclosure", lambda problem, near: enclosure(problem.replaced(y=problem.y + 1), near))

    def test_of_a_check_and_its_replay(self, folder):
        limits = ["--max-examples", 20, "--seed", 1, "--shrink-seconds", 1, "--losses", "half_squared_error", "--save", "saved"]
        result = run("check", "t.py:right", *limits, "--json", "found.json")
        assert result.exit_code == 70
        assert result.stdout.startswith("inconclusive: right (the reference and ball arithmetic disagree: a mistake in backproof")
        assert json.loads((folder / "found.json").read_text())["disagreement"] is True
        (file,) = (folder / "saved").glob("*.json")
        again = run("replay", file, "--target", "t.py:right", "--json", "-")
        assert (again.exit_code, json.loads(again.stdout)["finding"]["disagreement"]) == (70, True)

    def test_of_a_run_that_is_interrupted(self, monkeypatch):
        monkeypatch.setattr("backproof.findings.report.Report.disagreement", True)
        assert run("check", "t.py:interrupts").exit_code == 70

    def test_of_an_answer(self):
        result = run("verify", "problem.json", "wrong.json", "--json", "-")
        assert (result.exit_code, json.loads(result.stdout)["disagreement"]) == (70, True)

    def test_is_not_what_a_wrong_answer_is(self, monkeypatch):
        monkeypatch.setattr(judgement, "enclosure", enclosure)
        assert json.loads(run("verify", "problem.json", "wrong.json", "--json", "-").stdout)["disagreement"] is False


VERIFIED = [("right.json", 0, "right"), ("wrong.json", 1, "wrong"), ("malformed.json", 1, "malformed")]


@pytest.mark.parametrize(("answer", "code", "verdict"), VERIFIED, ids=[row[2] for row in VERIFIED])
def test_verify_judges_one_answer(answer, code, verdict):
    result = run("verify", "problem.json", answer)
    assert (result.exit_code, result.stdout.split()[0]) == (code, verdict)
    told = json.loads(run("verify", "problem.json", answer, "--json", "-").stdout)
    assert told["verdict"] == verdict


def test_verify_tells_the_worst_entry():
    said = lines(run("verify", "problem.json", "wrong.json", "--precision", "float32").stdout)
    assert said["entry"].startswith("entry    layer 1: dC/dW[0, ")
    assert said["outside"] == "outside  2 of 3 entries"
    assert said["allowed"].endswith("worst-case rounding bound (certain), float32")


LISTS = [
    ("laws", [*LAWS, *(law.name for law in ORACLE_LAWS.values())]),
    ("activations", list(ACTIVATIONS)),
    ("losses", list(LOSSES)),
    ("oracles", list(ORACLES)),
]


@pytest.mark.parametrize(("command", "names"), LISTS, ids=[row[0] for row in LISTS])
def test_a_list_has_everything_in_its_table(command, names):
    result = run(command, env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert set(names) <= {line.split()[0] for line in result.stdout.splitlines()}


@pytest.mark.parametrize(("command", "names"), LISTS, ids=[row[0] for row in LISTS])
def test_a_list_can_be_read_in_sixty_columns(command, names):
    lines = run(command, env={"COLUMNS": "60"}).stdout.splitlines()
    assert all(len(line) <= 60 for line in lines)
    assert set(names) <= {line.split()[0] for line in lines if not line.startswith(" ")}
    # what is said has room for several words in a line
    assert max(len(line.split()) for line in lines) >= 5


def test_a_law_stands_above_its_statement_where_there_is_no_room_beside():
    said = run("laws", env={"COLUMNS": "60"}).stdout
    assert "\ntwo_calls_agree\n    Two calls with the same problem agree within the" in said
    wide = run("laws", env={"COLUMNS": "120"}).stdout.splitlines()
    assert " Two calls with the same problem agree" in next(line for line in wide if line.startswith("two_calls_agree"))


def test_an_oracle_that_is_missing_says_how_to_install_it(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(available, "find_spec", lambda name: None if name == "torch" else found(name))
    result = run("check", "t.py:right", "--oracle", "torch")
    assert result.exit_code == 2
    assert "which is not installed: pip install torch" in result.stderr
    assert "is not installed" in run("oracles", env={"COLUMNS": "300"}).stdout


HELP = [[], ["--help"], ["-h"], ["check", "-h"], ["verify", "--help"], ["replay", "--help"], ["laws", "--help"]]


@pytest.mark.parametrize("arguments", HELP, ids=[" ".join(row) or "nothing" for row in HELP])
def test_help_is_given(arguments):
    result = run(*arguments)
    assert result.exit_code == (0 if arguments else 2)
    assert "Usage: " in result.output
    if arguments[0:1] != ["laws"]:
        assert "70 a bug of backproof" in " ".join(result.output.split())


def test_the_help_says_of_each_command_what_its_docstring_says():
    assert {name: " ".join(cli.commands[name].help.split("\n\n")[0].split()) for name in sorted(cli.commands)} == COMMANDS
    assert list(COMMANDS) == cli.list_commands(None)
    said = " ".join(run("--help").stdout.split())
    for name, sentence in COMMANDS.items():
        assert f"{name} {sentence}" in said


@pytest.mark.slow
def test_help_takes_none_of_what_the_commands_need():
    code = (
        "import sys; sys.argv = ['backproof', '--help']\nfrom backproof.doors.entry import main\ntry: main()\nfinally: print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "scipy", "hypothesis", "rich"} & set(done.stdout.splitlines()[-1].split())


def test_the_help_of_check_names_every_option():
    said = run("check", "--help").stdout
    limits = ["max-examples", "seed", "time-limit", "load-limit", "shrink-seconds", *(name.replace("_", "-") for name in LIMITS)]
    for option in [*limits, "precision", "strict", "oracle", "save", "json"]:
        assert f"--{option}" in said


def fails(error):
    def raising(*arguments, **options):
        raise error

    return raising


CODES = [
    ("a bug", RuntimeError("oops"), 70, "backproof: this is a bug of backproof (RuntimeError): please report it"),
    ("Ctrl-C", KeyboardInterrupt(), 130, "backproof: interrupted"),
    ("a target", TargetError("no target"), 2, "backproof: no target"),
    ("a target in colours", TargetError("\x1b[31m"), 2, r"backproof: \x1b[31m"),
]


@pytest.mark.parametrize(("error", "code", "message"), [row[1:] for row in CODES], ids=[row[0] for row in CODES])
def test_exit_codes(monkeypatch, capsys, error, code, message):
    monkeypatch.setattr(command_line, "run_check", fails(error))
    monkeypatch.setattr(sys, "argv", ["backproof", "check", "t.py:right"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == code
    assert message in capsys.readouterr().err


def test_no_colour_is_kept(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[1" in run("verify", "problem.json", "wrong.json").stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in run("verify", "problem.json", "wrong.json").stdout
    assert "\x1b[1;31m" not in run("verify", "problem.json", "wrong.json").stdout


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="it takes a file that is always full")
def test_a_full_disk_is_told_in_a_line(folder):
    command = [sys.executable, "-m", "backproof", "verify", "problem.json", "wrong.json"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (2, "backproof: the output cannot be written: No space left on device\n")


@pytest.mark.slow
def test_a_check_leaves_nothing_in_the_folder_but_what_it_saves(folder):
    before = {path.name for path in folder.iterdir()}
    command = [sys.executable, "-m", "backproof", "check", "t.py:right", "--max-examples", "3"]
    environment = {name: value for name, value in os.environ.items() if name != "HYPOTHESIS_STORAGE_DIRECTORY"}
    done = subprocess.run(command, cwd=folder, env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in folder.iterdir()} - before <= {"__pycache__", ".backproof"}
    assert {path.name for path in (folder / ".backproof").iterdir()} == {"history.jsonl", ".gitignore"}
    assert (folder / ".backproof" / ".gitignore").read_text() == "*\n"
