"""The protocol between a run and a target's process: what its messages hold, and how they go there and back."""

import json
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from backproof import Gradient, Problem, gradient, verify
from backproof.protocol.messages import (
    LARGE,
    UNQUOTED,
    Incoming,
    ProtocolError,
    _quoted,
    answer_message,
    gradient_of,
    packed,
    problem_message,
    problem_of,
)
from backproof.serve import serve
from backproof.targets.conversation import PIPE_SIZE, ByThread, Conversation, Polled, Writing, widen
from backproof.targets.own_process import OwnProcess
from backproof.targets.protocol_session import ProtocolSession
from properties.problems.support import Support

ROOT = Path(__file__).parents[1]
PROBLEM = Problem([[[1.0, 2.0]]], biases=[[0.5]], activations=["tanh"], x=[[1.0, -1.0]], y=[[0.0]])
RNG = np.random.default_rng(0)
LARGE_PROBLEM = Problem([RNG.normal(size=(100, 100))], activations=["tanh"], x=RNG.normal(size=(2, 100)), y=np.ones((2, 100)))


class Bytes:
    """What is read in parts of so many bytes."""

    def __init__(self, text, size):
        self.text, self.size = text, size

    def read(self, size):
        part, self.text = self.text[: self.size], self.text[self.size :]
        return part


def messages(text, *, binary=False, size=7):
    incoming = Incoming(Bytes(text, size), binary=binary)
    return list(iter(incoming.message, None))


def test_a_problem_says_its_sizes_before_its_numbers_and_its_keys_in_one_order():
    line = problem_message(3, PROBLEM, "contiguous", binary=True)
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    data = json.loads(line)
    assert list(data) == ["kind", "id", "memory_layout", "widths", "batch", "problem"]
    assert (data["kind"], data["id"], data["widths"], data["batch"]) == ("problem", 3, [2, 1], 1)
    assert list(data["problem"]) == ["schema", "version", "layers", "loss", "reduction", "wants", "x", "y"]
    assert list(data["problem"]["layers"][0]) == ["activation", "weights", "biases"]
    assert data["problem"] == json.loads(PROBLEM.to_json())


@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_messages_come_as_they_went_however_they_are_cut(size):
    assert LARGE_PROBLEM.size > LARGE
    found = gradient(LARGE_PROBLEM)
    sent = [
        problem_message(1, PROBLEM, "contiguous", binary=True),
        problem_message(2, LARGE_PROBLEM, "read_only", binary=True),
        answer_message(2, found, {"changed": ["x"]}, large=True),
        answer_message(3, found, {}, large=False),
    ]
    if size == 1:
        sent = sent[:1]
    got = messages(b"".join(sent), binary=True, size=size)
    assert [message.kind for message in got] == ["problem", "problem", "answer", "answer"][: len(sent)]
    assert problem_of(got[0]) == PROBLEM
    if size > 1:
        assert problem_of(got[1]) == LARGE_PROBLEM
        assert got[1].after
        assert got[2].data["changed"] == ["x"]
        for message in got[2:]:
            assert gradient_of(message).weights[0].tobytes() == found.weights[0].tobytes()


def test_numbers_that_are_none_go_as_the_saved_forms_write_them():
    answer = Gradient([np.array([[np.nan, np.inf, -np.inf, 5e-324, 0.1]])], [None])
    line = answer_message(1, answer, {}, large=False)
    assert json.loads(line)["gradient"]["layers"][0]["weights"] == [["NaN", "Infinity", "-Infinity", 5e-324, 0.1]]
    np.testing.assert_array_equal(gradient_of(messages(line)[0]).weights[0], answer.weights[0])


def test_the_schema_and_the_version_of_a_gradient_may_be_left_out():
    (message,) = messages(b'{"kind": "answer", "id": 1, "gradient": {"layers": [{"weights": [[1.5]]}]}}\r\n')
    assert gradient_of(message).weights == [[[1.5]]]


def test_a_nan_or_an_infinity_as_printf_writes_it_is_one_and_strings_stay():
    printed = "nan, -nan, -nan(ind), NaN, NAN ,inf,+Inf, Infinity, INF,-inf, -Infinity"
    said = '"why": "nan, [inf, \\", inf]"'
    line = f'{{"kind": "answer", "id": 1, {said}, "gradient": {{"layers": [{{"weights": [[{printed}]], "biases": [nan]}}]}}}}\n'
    (message,) = messages(line.encode())
    gradient = gradient_of(message)
    np.testing.assert_array_equal(gradient.weights[0], [[np.nan] * 5 + [np.inf] * 4 + [-np.inf] * 2])
    assert np.isnan(gradient.biases[0]).all()
    assert message.data["why"] == 'nan, [inf, ", inf]'


NO_MESSAGES = [
    ("no JSON", b"hello", "'hello' (not JSON: Expecting value in line 1, column 1)"),
    ("half an object", b'{"kind": "ans', "(not JSON: Unterminated string"),
    ("a word", b'{"kind": "answer", "id": nano}', "(not JSON: Expecting value"),
    ("a number and a word", b'{"kind": "answer", "id": 1nan}', "(not JSON: Expecting ',' delimiter"),
    ("a NaN and no end", b'{"kind": "answer", "id": nan', "(not JSON: Expecting"),
    ("a key twice", b'{"kind": "answer", "kind": "answer"}', "'kind' is given twice in one object"),
    ("a list", b"[1, 2]", "'[1, 2]', which is no JSON object with a \"kind\""),
    ("no kind", b'{"id": 1}', 'which is no JSON object with a "kind"'),
    ("a kind that is no string", b'{"kind": 1}', 'which is no JSON object with a "kind"'),
    ("an empty line", b"", "'' (not JSON: Expecting value"),
    ("no text", b"\xff\xfe", "'\\\\xff\\\\xfe' ('utf-8' codec can't decode"),
    ("a long line", b"x" * 200, f"'{'x' * 80}...' (not JSON"),
]


@pytest.mark.parametrize(("line", "told"), [row[1:] for row in NO_MESSAGES], ids=[row[0] for row in NO_MESSAGES])
def test_what_is_no_message_is_told_and_the_next_one_is_read(line, told):
    incoming = Incoming(Bytes(line + b'\n{"kind": "ready"}\n{"kind"', 5), binary=False)
    with pytest.raises(ProtocolError) as error:
        incoming.message()
    assert told in str(error.value)
    assert incoming.message().kind == "ready"
    assert incoming.message() is None
    assert incoming.begun == b'{"kind"'


def test_bytes_follow_a_line_only_where_both_ends_said_so():
    line = b'{"kind": "answer", "id": 1, "binary": 3}\n'
    assert messages(line + b"{}\n", binary=True)[0].after == b"{}\n"
    assert messages(line, binary=False)[0].after == b""
    assert messages(b'{"kind": "ready", "binary": true}\n', binary=True)[0].after == b""


def test_a_line_without_an_end_is_not_read_for_ever(monkeypatch):
    monkeypatch.setattr("backproof.protocol.messages.LONGEST_LINE", 100)
    with pytest.raises(ProtocolError, match="a line of over 100 bytes"):
        messages(b"x" * 300)


def piped():
    """Both ends of a pipe, unbuffered."""
    read, write = os.pipe()
    return open(read, "rb", buffering=0), open(write, "wb", buffering=0)


@pytest.mark.parametrize("kind", [Polled, ByThread])
def test_a_pipe_is_read_until_a_time(kind):
    theirs, ours = piped()
    pipe = kind(theirs)
    pipe.until = time.monotonic() + 0.05
    with pytest.raises(TimeoutError):
        pipe.read(10)
    ours.write(b"later")
    pipe.until = time.monotonic() + 60
    assert pipe.read(10) == b"later"
    ours.close()
    assert [pipe.read(10), pipe.read(10)] == [b"", b""]
    pipe.close()


@pytest.mark.parametrize("polls", [True, False])
def test_what_a_pipe_has_no_room_for_is_written_as_it_is_read(monkeypatch, polls):
    monkeypatch.setattr("backproof.targets.conversation.CAN_POLL", polls)
    theirs, ours = piped()
    pipe = Writing(ours)
    sent = [bytes([i]) * 10**6 for i in range(3)]
    for message in sent:
        pipe.write(message)
    pipe.close()
    with theirs:
        assert theirs.readall() == b"".join(sent)


def test_what_nobody_reads_any_more_is_no_error():
    theirs, ours = piped()
    pipe = Writing(ours)
    theirs.close()
    pipe.write(b"lost")
    pipe.close()
    assert ours.closed


@pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="the pages are not in a wheel")
def test_the_exchange_that_the_page_shows_is_what_is_said(monkeypatch):
    page = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    lines = [line for line in page.split("```text\n")[1].split("```")[0].splitlines() if line[:2] in ("> ", "< ")]
    start, ready, *asked = [json.loads(line[2:]) for line in lines]
    monkeypatch.setattr(ProtocolSession, "__abstractmethods__", frozenset())
    monkeypatch.setattr(ProtocolSession, "_start", lambda session: None)
    assert list(start.items()) == list(ProtocolSession("mine")._greeting().items())
    assert ready["kind"] == "ready"
    Support.of(ready["supports"])
    for number, (problem, reply) in enumerate(pairwise(asked), 1):
        if problem["kind"] == "problem":
            said = problem_message(problem["id"], Problem.from_data(problem["problem"]), "contiguous", binary=False)
            assert f"> {said.decode()}" in page
            assert reply["id"] == problem["id"] == (number + 1) // 2
            if reply["kind"] == "answer":
                answer = gradient_of(messages(json.dumps(reply).encode() + b"\n")[0])
                assert verify(Problem.from_data(problem["problem"]), answer).verdict == "right"
    assert [line["kind"] for line in asked] == ["problem", "answer", "problem", "skipped"]


def test_a_pipe_holds_more_where_the_system_will():
    fcntl = pytest.importorskip("fcntl")
    if not hasattr(fcntl, "F_GETPIPE_SZ"):
        pytest.skip("this system does not say how much a pipe holds")
    theirs, ours = piped()
    before = fcntl.fcntl(ours, fcntl.F_GETPIPE_SZ)
    widen(ours.fileno())
    assert fcntl.fcntl(theirs, fcntl.F_GETPIPE_SZ) in (PIPE_SIZE, before)
    theirs.close()
    ours.close()
    with open(os.devnull) as nothing:
        widen(nothing.fileno())  # no pipe at all: nothing happens


SERVER = [sys.executable, "-m", "backproof.serve"]
TARGET = """
import multiprocessing, os, subprocess, sys
import somewhere_else
from backproof import gradient

def right(problem):
    return gradient(problem)

right.supports = {"depth": (1, 2), "reductions": ("sum",)}
right.precision = "float32"

def reads(problem):
    print("printed")
    assert sys.stdin.read() == ""
    return gradient(problem)

def fails(problem):
    raise ValueError("no")

def square(number):
    return number * number

class Kept:
    pass

def uses_processes(problem):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(square, [3]) == [9]
    return gradient(problem)

def as_it_was(problem):
    said = subprocess.run([sys.executable, "-c", "import os; print(os.environ.get('PYTHONPATH'))"], capture_output=True, text=True)
    raise ValueError(f"{said.stdout.strip()} {Kept.__module__} {sys.modules['__main__'].__spec__.name}")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "t.py").write_text(TARGET)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "somewhere_else.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(tmp_path / "elsewhere")]))


def served(target, *lines):
    """The lines that the Python end says to some lines, by hand, and what went to standard error."""
    text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([*SERVER, target], input=text, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


START = {"kind": "start", "protocol": 1}
ASKED = problem_message(7, PROBLEM, "contiguous", binary=False).decode()


@pytest.mark.slow
def test_the_python_end_answers_lines_by_hand(folder):
    (ready, answer), _ = served("t.py:right", START, ASKED)
    supports = {"depth": [1, 2], "reductions": ["sum"]}
    assert ready == {"kind": "ready", "name": "t.py:right", "supports": supports, "precision": "float32", "binary": False}
    assert (answer["kind"], answer["id"], answer["changed"], answer["overwritten"]) == ("answer", 7, [], [])
    assert Gradient.from_json(json.dumps(answer["gradient"])).weights[0].dtype == np.float32


@pytest.mark.slow
def test_what_the_target_prints_and_reads_gets_between_no_messages(folder):
    (_, answer), printed = served("t.py:reads", START | {"binary": True}, ASKED)
    assert (answer["kind"], printed) == ("answer", "printed\n")


@pytest.mark.slow
def test_the_python_end_says_what_went_wrong(folder):
    (_, errored), _ = served("t.py:fails", START, ASKED)
    assert (errored["kind"], errored["id"], errored["verdict"]) == ("errored", 7, "raises")
    assert errored["message"].startswith("ValueError: no (t.py:")
    (errored,), _ = served("t.py:nobody", START, ASKED)
    assert errored["message"].startswith("target 't.py:nobody': t.py has no 'nobody'")


FIRST_LINES = [
    (ASKED.encode(), 'expected {"kind": "start", "protocol": 1}'),
    (b'{"kind": "start", "protocol": 2}\n', 'the first line is \'{"kind": "start", "protocol": 2}\''),
    (b"", "the first line is ''"),
]


@pytest.mark.parametrize(("line", "message"), FIRST_LINES, ids=["a problem", "another protocol", "nothing"])
def test_the_first_line_says_the_protocol(line, message):
    said = []
    serve("t.py:right", Incoming(Bytes(line, 7), binary=True), said.append)
    (errored,) = map(json.loads, said)
    assert errored["kind"] == "errored"
    assert message in errored["message"]


@pytest.mark.slow
def test_the_python_end_says_how_it_is_called():
    done = subprocess.run(SERVER, text=True, capture_output=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("usage: python -m backproof.serve TARGET")


@pytest.fixture
def own():
    """One process after another, each closed in the end."""
    opened = []

    def start(name):
        opened.append(OwnProcess(name))
        return opened[-1]

    yield start
    for session in opened:
        session.close()


@pytest.mark.slow
def test_modules_are_found_as_they_are_here(folder, own, monkeypatch, tmp_path):
    """Where the path was put together by the process itself too; a module of Python is not one of the folder that a run is in."""
    (tmp_path / "numbers.py").write_text("raise RuntimeError('taken for the module of Python')\n")
    monkeypatch.delenv("PYTHONPATH")
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT), tmp_path / "elsewhere", "no text: \udcff"])
    assert own("t.py:right")(PROBLEM).gradient is not None


@pytest.mark.slow
@pytest.mark.parametrize("before", [None, "some/folder"])
def test_the_environment_and_the_names_of_a_target_are_its_own(folder, own, monkeypatch, tmp_path, before):
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT), str(tmp_path / "elsewhere")])
    if before is None:
        monkeypatch.delenv("PYTHONPATH")
    else:
        monkeypatch.setenv("PYTHONPATH", before)
    assert own("t.py:as_it_was")(PROBLEM).message.startswith(f"ValueError: {before} t backproof.serve (")


@pytest.mark.slow
def test_an_answer_that_ctrl_c_kept_from_being_heard_is_not_taken_for_the_next_one(folder, own, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "elsewhere")])
    session = own("t.py:right")

    def interrupted(conversation, seconds):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Conversation, "hear", interrupted)
        with pytest.raises(KeyboardInterrupt):
            session(PROBLEM)
    other = PROBLEM.replaced(y=[[0.5]])
    assert session(other).gradient.weights[0].tolist() != session(PROBLEM).gradient.weights[0].tolist()
    assert session(other).same_as(session(other))
    assert session.deaths == 0


@pytest.mark.slow
def test_a_target_may_have_processes_of_its_own(folder, own, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "elsewhere")])
    answer = own("t.py:uses_processes")(PROBLEM)
    assert answer.gradient is not None, answer.message


@pytest.mark.slow
@pytest.mark.wheel
def test_the_python_end_imports_no_more_than_it_needs(tmp_path):
    code = "import sys\nimport backproof.serve\nprint(*(name.removeprefix('backproof.').split('.')[0] for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert not {"hypothesis", "jax", "torch", "flint", "rich", "click", "oracles", "pytest"} & set(done.stdout.split())


@pytest.mark.slow
def test_a_process_that_does_not_read_is_given_up():
    """What is asked is more than a pipe holds."""
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        conversation = Conversation(process, binary=False)
        conversation.say(packed({"kind": "problem", "x": "x" * 10**6}))
        with pytest.raises(TimeoutError):
            conversation.hear(0.3)
        assert not conversation.over
        process.kill()
        process.wait()
        with pytest.raises(EOFError):
            conversation.hear(60)
        assert conversation.over
        conversation.close()


def test_what_begins_as_a_string_and_does_not_end_is_left_as_it_is():
    """As a whole: to look again from each quote in it would take the square of its length."""
    begun = '{"kind": "x, nan, \\" nan, '
    assert UNQUOTED.sub(_quoted, begun) == begun
