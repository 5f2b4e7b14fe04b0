"""A program in any language is a target where it speaks the protocol; where it does not, the run says what was given and expected."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from backproof import Problem, TargetError, check, gradient
from backproof.doors.command_line import cli
from backproof.targets.kinds import check_name, session_of
from backproof.targets.own_process import OwnProcess
from backproof.targets.own_program import OwnProgram, command_of, is_program

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
PROBLEM = Problem([[[1.0, 2.0]]], biases=[[0.5]], activations=["tanh"], x=[[1.0, -1.0]], y=[[0.0]])
SHAPE = {"layers": [{"weights": [[1, 2.5]], "biases": ["NaN"]}]}

PROGRAM = """#!{python}
import json, os, sys, time

def say(text, **rest):
    print(text if isinstance(text, str) else json.dumps(text), flush=True, **rest)

kind, shape = sys.argv[1], json.loads('{shape}')
start = json.loads(sys.stdin.readline())
assert start["kind"] == "start" and "binary" not in start and "path" not in start

AT_START = {{
    "hello": lambda: say("hello"),
    "unready": lambda: sys.exit(3),
    "leaves": lambda: sys.exit(0),
    "half_ready": lambda: (say('{{"kind": "rea', end=""), sys.exit(0)),
    "silent": lambda: time.sleep(60),
    "half_silent": lambda: (say('{{"kind": "rea', end=""), time.sleep(60)),
    "answers_first": lambda: say({{"kind": "answer", "id": 1}}),
    "refuses": lambda: say({{"kind": "errored", "message": "no licence"}}),
    "refuses_without": lambda: say({{"kind": "errored"}}),
    "typo": lambda: say({{"kind": "ready", "support": {{}}}}),
    "newer": lambda: say({{"kind": "ready", "protocol": 2}}),
    "vague": lambda: say({{"kind": "ready", "precision": "double"}}),
    "vaguer": lambda: say({{"kind": "ready", "precision": ["float32"]}}),
    "wide": lambda: say({{"kind": "ready", "supports": {{"depth": "deep"}}}}),
    "float32": lambda: say({{"kind": "ready", "precision": "float32", "name": "mine", "protocol": 1}}),
}}
AT_START.get(kind, lambda: say({{"kind": "ready"}}))()

def dies(id):
    print("why it ends", file=sys.stderr)
    os._exit(9)

ANSWERS = {{
    "fixed": lambda id: say({{"kind": "answer", "id": id, "gradient": shape, "changed": ["x"]}}),
    "skips": lambda id: say({{"kind": "skipped", "id": id, "reason": "no tanh"}}),
    "skips_without": lambda id: say({{"kind": "skipped", "id": id}}),
    "errs": lambda id: say({{"kind": "errored", "id": id, "message": "sqrt of -1"}}),
    "errs_without": lambda id: say({{"kind": "errored", "id": id}}),
    "errs_malformed": lambda id: say({{"kind": "errored", "id": id, "verdict": "malformed", "message": "lost"}}),
    "errs_oddly": lambda id: say({{"kind": "errored", "id": id, "verdict": "wrong"}}),
    "no_gradient": lambda id: say({{"kind": "answer", "id": id}}),
    "null": lambda id: say({{"kind": "answer", "id": id, "gradient": {{"layers": [{{"weights": [[None, 1]]}}]}}}}),
    "transposed": lambda id: say({{"kind": "answer", "id": id, "gradient": {{"layers": [{{"weights": [[1], [2]], "biases": [1]}}]}}}}),
    "debugs": lambda id: say("debug: z = 0.5"),
    "bare": lambda id: say('{{"kind": "answer", "id": %d, "gradient": {{"layers": [{{"weights": [[-nan, 1]], "biases": [inf]}}]}}}}' % id),
    "other_kind": lambda id: say({{"kind": "result", "id": id}}),
    "other_id": lambda id: say({{"kind": "answer", "id": id + 7, "gradient": shape}}),
    "no_id": lambda id: say({{"kind": "answer", "gradient": shape}}),
    "twice": lambda id: [say({{"kind": "answer", "id": id, "gradient": shape}}) for _ in range(2)],
    "hangs": lambda id: time.sleep(60),
    "unended": lambda id: (say('{{"kind": "answer"', end=""), time.sleep(60)),
    "half": lambda id: (say('{{"kind": "answer"', end=""), sys.exit(0)),
    "dies": dies,
    "exits": lambda id: sys.exit(0),
    "closes": lambda id: (os.close(1), time.sleep(60)),
}}
for line in sys.stdin:
    ANSWERS.get(kind, ANSWERS["fixed"])(json.loads(line)["id"])
if marker := os.environ.get("MARKER"):
    open(marker, "w").close()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "mine").write_text(PROGRAM.format(python=sys.executable, shape=json.dumps(SHAPE)))
    (tmp_path / "mine").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def program(folder):
    """One program after another, each closed in the end."""
    opened = []

    def start(kind, **options):
        opened.append(OwnProgram(f"run: ./mine {kind}", **options))
        return opened[-1]

    yield start
    for session in opened:
        session.close()


def test_which_names_are_programs():
    assert [is_program(name) for name in ("run: ./mine", "run:\t./mine", "run:", "run: ")] == [True] * 4
    assert not any(map(is_program, ("run:gradient", "run.py:gradient", "running: x", "mine:f", "")))
    assert command_of("run: './my program' --flag 'two words'") == ["./my program", "--flag", "two words"]
    assert command_of("run: ./mine $HOME ; rm *") == ["./mine", "$HOME", ";", "rm", "*"], "no shell reads it"


BAD_NAMES = [
    ("nothing to run", "run: ", "target is 'run: ': expected run: and a command, such as 'run: ./mine --flag'"),
    ("an open quote", "run: './mine", "cannot be split into words (No closing quotation): expected run: and a command"),
    ("no blank", "run:./mine", "target is 'run:./mine': a program is named with a blank, 'run: ./mine'"),
    ("neither", "./mine", "expected package.module:function or path/to/file.py:function, or 'run: ./program --flag'"),
]


@pytest.mark.parametrize(("name", "told"), [row[1:] for row in BAD_NAMES], ids=[row[0] for row in BAD_NAMES])
def test_a_name_that_can_name_no_target_is_refused(name, told):
    for refuse in (check_name, session_of):
        with pytest.raises(TargetError) as error:
            refuse(name)
        assert told in str(error.value)


def test_a_good_name_of_each_kind_is_taken():
    check_name("run: ./mine --flag")
    check_name("run:gradient")
    check_name("mine:gradient")


NOT_RUN = [
    ("missing", "./nobody", "there is no program './nobody': expected the path of one, such as ./mine, or a name on the PATH"),
    ("not on the PATH", "mine", "there is no program 'mine' on the PATH: for the file in this folder say './mine'"),
    ("a folder", "./folder", "'./folder' is a folder: expected a program"),
    (
        "not executable",
        "./text",
        "'./text' may not be executed: allow it (chmod +x ./text), or name what runs it, such as 'run: python3 ./text'",
    ),
    ("no program", "./script", "'./script' is no program of this machine: a script begins with a line such as #!/usr/bin/env python3"),
    ("no interpreter", "./orphan", "'./orphan' begins with #! and the name of a program that is not there: name it here"),
]


@pytest.mark.parametrize(("command", "told"), [row[1:] for row in NOT_RUN], ids=[row[0] for row in NOT_RUN])
def test_what_cannot_be_run_is_told(folder, command, told):
    (folder / "folder").mkdir()
    for name, text in {"text": "print()", "script": "print()", "orphan": "#!/no/such/interpreter\n"}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o644 if name == "text" else 0o755)
    with pytest.raises(TargetError) as error:
        OwnProgram(f"run: {command}")
    assert str(error.value).startswith(f"target 'run: {command}': {told}")


READY = 'expected the line {"kind": "ready"} on its standard output'
FLUSH = ": it must read a line, answer it by a line, and flush its standard output after that (fflush in C)"
NOT_READY = [
    ("hello", f"did not load: it printed 'hello' (not JSON: Expecting value in line 1, column 1): {READY}; what else a program prints"),
    ("unready", f"did not load: its process died with exit code 3: {READY}"),
    ("leaves", f"did not load: its process died with exit code 0: {READY}"),
    ("half_ready", f"""did not load: its process died with exit code 0, in the middle of a line, '{{"kind": "rea': {READY}"""),
    ("silent", f"did not load: it took over 0.5 s{FLUSH}"),
    ("half_silent", f"""did not load: it took over 5 s, in the middle of a line, '{{"kind": "rea'{FLUSH}"""),
    ("answers_first", f"""did not load: it printed '{{"kind": "answer", "id": 1}}': {READY}"""),
    ("refuses", "no licence"),
    ("refuses_without", "it said no reason"),
    ("typo", "its ready line has 'support': expected any of kind, protocol, name, supports, precision, notes, binary"),
    ("newer", "run: ./mine newer speaks version 2 of the protocol: expected 1"),
    ("vaguer", "precision of run: ./mine vaguer is ['float32']: expected one of float64, float32"),
    ("vague", "precision of run: ./mine vague is 'double': expected one of float64, float32"),
]


@pytest.mark.parametrize(("kind", "told"), NOT_READY, ids=[row[0] for row in NOT_READY])
def test_a_program_that_is_not_ready_is_told_why(folder, kind, told):
    limit = {"silent": 0.5, "half_silent": 5}.get(kind, 30)
    with pytest.raises(TargetError) as error:
        OwnProgram(f"run: ./mine {kind}", time_limit=limit, load_limit=limit)
    assert told in str(error.value)


def test_what_a_program_supports_is_read_as_a_target_s(folder):
    with pytest.raises(ValueError, match="depth is 'deep': expected the most allowed"):
        check("run: ./mine wide", max_examples=1)


def test_a_program_that_says_nothing_of_itself_is_asked_everything(program):
    session = program("fixed")
    assert (session.supports, session.precision, session.name) == (None, None, "run: ./mine fixed")
    assert program("float32").precision == "float32"


def test_ctrl_c_while_a_program_gets_ready_ends_it(program, monkeypatch):
    session = program("fixed")
    session.renew()

    def interrupted(conversation, seconds):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("backproof.targets.conversation.Conversation.hear", interrupted)
        with pytest.raises(KeyboardInterrupt):
            session.renew()
    assert session._process.poll() is not None
    assert session(PROBLEM).gradient is not None


def test_an_answer_is_read(program):
    answer = program("fixed")(PROBLEM)
    np.testing.assert_array_equal(answer.gradient.weights[0], [[1.0, 2.5]])
    assert np.isnan(answer.gradient.biases[0]).all()
    assert (answer.verdict, answer.message, answer.changed, answer.gone) == (None, "", ("x",), False)


def test_an_infinity_as_printf_writes_it_is_read(program):
    answer = program("bare")(PROBLEM)
    np.testing.assert_array_equal(answer.gradient.weights[0], [[np.nan, 1.0]])
    np.testing.assert_array_equal(answer.gradient.biases[0], [np.inf])


NO_GRADIENT = [
    ("skips", None, "the target says that it does not support the problem: no tanh"),
    ("skips_without", None, "the target says that it does not support the problem: it said no reason"),
    ("errs", "raises", "sqrt of -1"),
    ("errs_without", "raises", "it said no reason"),
    ("errs_malformed", "malformed", "lost"),
    ("no_gradient", "malformed", "its answer cannot be read: found null: expected an object with"),
    ("null", "malformed", "its answer cannot be read: layer 1: weights: null is no number"),
    ("transposed", "malformed", "its answer cannot be read: layer 1: dC/dW has shape (2, 1), expected (1, 2); it is transposed"),
]


@pytest.mark.parametrize(("kind", "verdict", "told"), NO_GRADIENT, ids=[row[0] for row in NO_GRADIENT])
def test_an_answer_without_a_gradient_says_why_and_the_program_is_asked_on(program, kind, verdict, told):
    session = program(kind)
    process = session._process
    for _ in range(2):
        answer = session(PROBLEM)
        assert (answer.gradient, answer.verdict, answer.gone) == (None, verdict, False)
        assert answer.message.startswith(told)
    assert (session._process, session.deaths) == (process, 0)


ENDED = [
    (
        "debugs",
        "malformed",
        "it printed 'debug: z = 0.5' (not JSON: Expecting value in line 1, column 1); its process was ended: what else "
        "a program prints goes to standard error",
    ),
    ("other_kind", "malformed", '"kind": "result", "id": 1}\': expected "kind" to be answer, skipped or errored'),
    ("errs_oddly", "malformed", '\': expected "verdict" to be raises or malformed'),
    (
        "other_id",
        "malformed",
        "it printed an answer with the id 8, and was asked problem 1: expected one line for each problem, with its id",
    ),
    ("no_id", "malformed", "it printed an answer with the id None, and was asked problem 1"),
    ("hangs", "times_out", f"no answer within 0.5 s; its process was ended{FLUSH}"),
    ("unended", "times_out", f"""no answer within 5 s, in the middle of a line, '{{"kind": "answer"'; its process was ended{FLUSH}"""),
    (
        "half",
        "raises",
        """the target's process died with exit code 0, in the middle of a line, '{"kind": "answer"': it must answer problem""",
    ),
    ("dies", "raises", "the target's process died with exit code 9"),
    ("exits", "raises", "died with exit code 0: it must answer problem after problem, until its standard input ends"),
    ("closes", "raises", "the target's process closed its standard output, and goes on"),
]


@pytest.mark.parametrize(("kind", "verdict", "told"), ENDED, ids=[row[0] for row in ENDED])
def test_a_program_that_breaks_the_protocol_is_ended_and_told_so(program, monkeypatch, kind, verdict, told):
    monkeypatch.setattr("backproof.targets.protocol_session.SECONDS_TO_END", 0.5 if kind == "closes" else 30)
    limit = {"hangs": 0.5, "unended": 5}.get(kind, 30)
    session = program(kind, time_limit=limit, load_limit=30)
    session._next_limit = limit
    process = session._process
    answer = session(PROBLEM)
    assert (answer.gradient, answer.verdict, answer.gone, session.deaths) == (None, verdict, True, 1)
    assert told in answer.message
    assert process.poll() is not None


def test_a_program_that_answers_twice_is_told_so_at_the_next_problem_and_begun_anew(program):
    session = program("twice")
    assert session(PROBLEM).gradient is not None
    answer = session(PROBLEM)
    assert (answer.verdict, answer.gone) == ("malformed", True)
    assert answer.message.startswith("it printed an answer to problem 1 again, and was asked problem 2: expected one line for each problem")
    assert session(PROBLEM).gradient is not None


def test_a_program_is_let_end_by_itself(program, folder, monkeypatch):
    """So that what it does last, a report of its own say, is done."""
    monkeypatch.setenv("MARKER", str(folder / "marker"))
    monkeypatch.setattr(OwnProgram, "seconds_to_leave", 60)
    program("fixed").close()
    assert (folder / "marker").exists()


def test_what_a_program_says_on_standard_error_is_shown(folder, capfd):
    report = check("run: ./mine dies", max_examples=2, shrink_seconds=0)
    assert report.verdict == "raises"
    assert "why it ends" in capfd.readouterr().err


def test_where_a_program_supports_nothing_nothing_is_judged(folder):
    """A problem that it skips is no mistake, and no answer that is right."""
    report = check("run: ./mine skips", max_examples=4, shrink_seconds=0)
    assert (report.verdict, report.judged, report.findings) == ("inconclusive", 0, ())
    assert set(report.laws["it_answers"].reasons) == {"the target says that it does not support the problem: no tanh"}


def test_a_related_problem_that_is_skipped_breaks_no_law(monkeypatch):
    from properties.answers.answer import Answer
    from properties.laws.law import Case, Status
    from properties.laws.table import LAWS

    def ask(problem, memory_layout="contiguous"):
        return Answer(gradient(problem)) if problem.batch == 2 else Answer(None, None, "the target says so")

    problem = PROBLEM.replaced(x=[[1.0, -1.0], [0.5, 0.25]], y=[[0.0], [1.0]])
    outcome = LAWS["batch_gradients_add"].on(Case(problem, ask))
    assert (outcome.status, outcome.message) == (Status.NOT_APPLICABLE, "the target says so")


def command(*arguments):
    return CliRunner().invoke(cli, arguments)


def test_the_command_line_takes_a_program_and_replays_its_finding(folder):
    done = command("check", "run: ./mine fixed", "--max-examples", "3", "--widths", "2,1", "--depth", "1", "--biases", "yes", "--seed", "1")
    assert done.exit_code == 1, done.stderr
    assert "backproof draw 'run: ./mine fixed' --seed 1" in done.stdout
    (saved, *_) = sorted((folder / ".backproof").glob("*.json"))
    again = command("replay", str(saved))
    assert (again.exit_code, again.stderr) == (1, "")
    missing = command("check", "run: ./nobody")
    assert (missing.exit_code, missing.stderr.splitlines()[-1][:54]) == (2, "backproof: target 'run: ./nobody': there is no program")


@pytest.fixture(scope="module")
def c_network(tmp_path_factory):
    if shutil.which("cc") is None:
        pytest.skip("no C compiler: there is no `cc` on the PATH")
    program = tmp_path_factory.mktemp("c") / "network"
    flags = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O2"]
    subprocess.run(["cc", *flags, str(ROOT / "examples" / "c" / "network.c"), "-lm", "-o", str(program)], check=True)
    return f"run: '{program}'"


@pytest.fixture
def javascript_network():
    if shutil.which("node") is None:
        pytest.skip("no JavaScript: there is no `node` on the PATH")
    return f"run: node '{ROOT / 'examples' / 'javascript' / 'network.mjs'}'"


EXAMPLES = ["c_network", "javascript_network"]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_in_another_language_is_right(request, example):
    report = check(request.getfixturevalue(example), max_examples=80)
    assert (report.verdict, report.judged) == ("right", 80), str(report)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_with_a_mistake_is_wrong(request, example):
    laws = ["it_agrees_with_the_exact_gradient"]
    report = check(f"{request.getfixturevalue(example)} --mistake", max_examples=50, shrink_seconds=0, laws=laws)
    assert report.verdict == "wrong", str(report)


@pytest.mark.parametrize("example", ["c/network.c", "javascript/network.mjs"])
def test_an_example_is_short(example):
    assert len((ROOT / "examples" / example).read_text(encoding="utf-8").splitlines()) <= 60


def test_our_own_end_of_the_protocol_is_a_program_too(tmp_path, monkeypatch):
    """Without what both ends of ours agree on: in JSON alone."""
    (tmp_path / "t.py").write_text("from backproof import gradient\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    session = OwnProgram(f"run: {sys.executable} -m backproof.serve t.py:gradient")
    own = OwnProcess("t.py:gradient")
    rng = np.random.default_rng(0)
    large = Problem([rng.normal(size=(100, 120))], activations=["tanh"], x=rng.normal(size=(2, 120)), y=np.ones((2, 100)))
    for problem in (PROBLEM, large):
        assert session(problem).same_as(own(problem))
    session.close()
    own.close()
