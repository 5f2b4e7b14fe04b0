"""A target in a process of its own may raise, hang, die, print or answer nonsense: the run goes on, and tells."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from backproof import Problem, TargetError, check, gradient
from backproof.protocol.messages import LARGE
from backproof.targets.output import FIRST_LINES
from backproof.targets.own_process import OwnProcess
from backproof.targets.target import InProcess

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]

TARGETS = """
import ctypes, itertools, os, sys, time
from backproof import gradient

class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError

def unspeakable(problem):
    raise Unspeakable

def surrogate(problem):
    raise ValueError("a file named \\udcff")

def long(problem):
    raise ValueError("x" * 1_000_000)

def leaves(problem):
    sys.exit(3)

def dies(problem):
    os._exit(9)

def crashes(problem):
    ctypes.string_at(0)

def hangs(problem):
    while True:
        time.sleep(0.01)

def lazy(problem):
    def never():
        yield from ()
        raise ValueError("broke off")
    return (w for w in never()), None

COMPILED = []

def compiles(problem):
    if not COMPILED:
        time.sleep(1.5)
        COMPILED.append(problem)
    return gradient(problem)

def noisy(problem):
    open("calls", "a").write("x")
    os.write(1, b"raw ")
    print("first")
    for i in range(1000):
        print("noise", i)
        print("more noise", i, file=sys.stderr)
    return gradient(problem)

def aborts(problem):
    for i in range(1000):
        print("noise", i)
    print("why it ends", file=sys.stderr)
    os.abort()

def nothing(problem):
    return None

def mute(problem):
    raise AssertionError

def stops(problem):
    raise KeyboardInterrupt("by itself")

def as_told(problem):
    return globals()[open("told").read()](problem)

def sleeps(problem):
    open(os.environ["MARKER"], "w").close()
    time.sleep(0.05)
    return gradient(problem)

def right(problem):
    return gradient(problem)

def narrow(problem):
    found = gradient(problem)
    return [w.astype("float32") for w in found.weights], [found.biases[0].astype("float16"), None]

def torn(problem):
    return gradient(problem)

torn.supports = {"depth": float("nan")}

class Vague:
    precision = "half"

    def __call__(self, problem):
        return gradient(problem)
"""
PROBLEM = Problem([[[1.0, 2.0]]], biases=[[0.5]], activations=["tanh"], x=[[1.0, -1.0]], y=[[0.0]])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "t.py").write_text(TARGETS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("MARKER", str(tmp_path / "marker"))
    return tmp_path


HERE = [
    ("unspeakable", "raises", "Unspeakable: (its message cannot be read) (t.py:10 in unspeakable)"),
    ("surrogate", "raises", r"ValueError: a file named \udcff (t.py:"),
    ("long", "raises", "x... (1000000 characters in all) (t.py:"),
    ("leaves", "raises", "SystemExit: 3 (t.py:"),
    ("hangs", "times_out", "no answer within 0.2 s"),
    ("lazy", "malformed", "dC/dW is a generator that cannot be listed (broke off): expected a list"),
    ("nothing", "malformed", "the answer is None: expected a Gradient, or a pair"),
]
APART = [
    ("dies", "raises", "the target's process died with exit code 9"),
    ("crashes", "raises", f"the target's process died with signal {int(signal.SIGSEGV)}"),
]


@pytest.mark.parametrize(("name", "verdict", "message"), HERE, ids=[row[0] for row in HERE])
def test_a_bad_target_in_this_process(folder, monkeypatch, name, verdict, message):
    namespace = {"__name__": "t"}
    exec(compile(TARGETS, str(folder / "t.py"), "exec"), namespace)
    answer = InProcess(namespace[name], time_limit=0.2, load_limit=0.2)(PROBLEM)
    assert (answer.gradient, answer.verdict) == (None, verdict)
    assert message in answer.message
    answer.message.encode()


@pytest.fixture
def own(folder):
    """One process after another, each closed in the end."""
    opened = []

    def start(name, **options):
        opened.append(OwnProcess(f"t.py:{name}", **options))
        return opened[-1]

    yield start
    for session in opened:
        session.close()


@pytest.mark.parametrize(("rows", "deaths"), [(HERE[1::2], 0), (APART, 2)], ids=["one that goes on", "one that dies and is replaced"])
def test_a_bad_target_in_a_process_of_its_own(own, folder, rows, deaths):
    session = own("as_told")
    for name, verdict, message in rows:
        (folder / "told").write_text(name)
        answer = session(PROBLEM)
        assert (answer.gradient, answer.verdict) == (None, verdict)
        assert message in answer.message
    (folder / "told").write_text("right")
    assert session(PROBLEM).gradient is not None
    assert session.deaths == deaths


def test_a_hanging_process_is_ended(own):
    session = own("hangs", time_limit=0.3, load_limit=0.3)
    answer = session(PROBLEM)
    assert (answer.verdict, answer.message) == ("times_out", "no answer within 0.3 s; its process was ended")
    assert session._process.poll() is not None


def test_the_first_call_of_each_process_has_a_limit_of_its_own(own):
    session = own("compiles", time_limit=0.5, load_limit=60)
    assert session(PROBLEM).gradient is not None
    assert session(PROBLEM).gradient is not None
    session.renew()
    assert session(PROBLEM).gradient is not None
    short = own("compiles", time_limit=0.1, load_limit=0.2)
    said = "no answer within 0.2 s in the first call, which may import and compile (--load-limit allows more); its process was ended"
    assert short(PROBLEM).message == said
    assert short.deaths == 1


def test_an_error_without_words_is_told_by_its_name(own):
    assert re.fullmatch(r"AssertionError \(t.py:\d+ in mute\)", own("mute")(PROBLEM).message)


def test_an_interrupt_that_a_target_raises_itself_is_its_error(own, capfd):
    session = own("stops")
    for _ in range(2):
        answer = session(PROBLEM)
        assert (answer.verdict, answer.gone) == ("raises", False)
        assert re.fullmatch(r"KeyboardInterrupt: by itself \(t.py:\d+ in stops\)", answer.message)
    session.close()
    assert capfd.readouterr().err == ""


def test_an_answer_from_another_process_is_exact_to_the_bit(own):
    there, here = own("right")(PROBLEM).gradient, gradient(PROBLEM)
    assert [(str(place), a.tobytes()) for place, a in there.arrays()] == [(str(place), a.tobytes()) for place, a in here.arrays()]


REFUSED = [
    ("a broken supports", "torn", None),
    ("an unknown precision", "Vague", "precision of t.py:Vague is 'half': expected one of float64, float32, tf32, float16/float32"),
    ("a missing function", "nobody", "target 't.py:nobody': t.py has no 'nobody'; it has "),
]


@pytest.mark.parametrize(("name", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_target_that_cannot_be_asked_is_refused(folder, name, message):
    if message is None:
        with pytest.raises(ValueError, match="depth is 'nan': expected the most allowed"):
            check(f"t.py:{name}", max_examples=1)
        return
    with pytest.raises(TargetError) as refused:
        OwnProcess(f"t.py:{name}")
    assert message in str(refused.value)


def backproof(*arguments, **options):
    return subprocess.run([sys.executable, "-m", "backproof", *arguments], capture_output=True, text=True, **options)


def test_what_a_target_prints_does_not_spoil_json_and_of_each_call_the_first_lines_are_kept_and_the_others_counted(folder):
    done = backproof("check", "t.py:noisy", "--max-examples", "3", "--laws", "it_answers", "--json", "-")
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (0, "right")
    lines = done.stderr.splitlines()
    shown = ["raw first", *(f"noise {i}" for i in range(FIRST_LINES - 1))]
    assert [line for line in lines if line.startswith(("raw", "first", "noise"))] == shown
    assert [line for line in lines if line.startswith("more")] == [f"more noise {i}" for i in range(FIRST_LINES)]
    # a run on a busy machine may ask once more
    calls = len((folder / "calls").read_text())
    assert calls >= 3
    assert lines[-1] == f"backproof: t.py:noisy printed {calls * 2001 - 2 * FIRST_LINES:,} further lines, which are not shown"
    assert len(lines) == 2 * FIRST_LINES + 1


def test_what_a_process_says_before_it_dies_is_shown_whatever_it_printed(own, capfd):
    session = own("aborts")
    assert [session(PROBLEM).verdict for _ in range(2)] == ["raises"] * 2
    session.close()
    assert capfd.readouterr().err.count("why it ends\n") == 2


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_a_time_limit_from_outside_give_the_report_so_far(folder, sent):
    command = [sys.executable, "-m", "backproof", "check", "t.py:sleeps", "--max-examples", "100000"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}

    def interruptible():
        # a test run that was started in the background ignores Ctrl-C, and so would its processes
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    started = subprocess.Popen(command, text=True, start_new_session=True, preexec_fn=interruptible, **pipes)
    for _ in range(600):
        if (folder / "marker").exists():
            break
        time.sleep(0.1)
    time.sleep(0.5)
    # the terminal, or `timeout`, sends it to both processes
    os.killpg(started.pid, sent)
    out, err = started.communicate(timeout=60)
    assert started.returncode == 130
    assert "note: interrupted: this is the report so far" in out
    assert "Traceback" not in err


DRAWN = """
from backproof import check, gradient

for seed in (None, 3):
    drawn = []
    check(lambda problem: drawn.append(problem.to_json()) or gradient(problem), max_examples=6, seed=seed, laws=["it_answers"])
    print(hash(tuple(drawn)))
"""


def test_new_problems_in_each_run_and_the_same_for_a_seed_where_ci_is_set(folder):
    environment = os.environ | {"CI": "true", "PYTHONHASHSEED": "0"}
    runs = [subprocess.run([sys.executable, "-c", DRAWN], capture_output=True, text=True, env=environment, check=True) for _ in range(2)]
    (new, seeded), (other, again) = (run.stdout.split() for run in runs)
    assert new != other
    assert seeded == again


def test_a_script_needs_no_guard(folder):
    (folder / "script.py").write_text("import backproof\nprint('begins')\nprint(backproof.check('t.py:right', max_examples=2).verdict)\n")
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("begins\nright\n", 0)


def test_an_alarm_that_was_set_before_goes_on():
    rung = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: rung.append(number))
    try:
        signal.setitimer(signal.ITIMER_REAL, 100)
        InProcess(gradient, time_limit=1)(PROBLEM)
        left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert 0 < left < 100
    assert not rung


def test_a_large_problem_goes_there_and_back_to_the_bit(own):
    rng = np.random.default_rng(0)
    weights, x = [rng.normal(size=(200, 100)), rng.normal(size=(3, 200))], rng.normal(size=(2, 100))
    problem = Problem(weights, biases=[np.zeros(200), None], activations=["tanh", "identity"], x=x, y=np.ones((2, 3)))
    assert sum(array.size for _, array in problem.arrays()) > LARGE
    answer = own("narrow")(problem, "read_only")
    for given, weight in zip(answer.gradient.weights, gradient(problem).weights, strict=True):
        assert (given.dtype, given.tobytes()) == (np.float32, weight.astype("float32").tobytes())
    assert (answer.gradient.biases[0].dtype, answer.gradient.biases[1]) == (np.float16, None)
    nothing = own("nothing")(problem)
    assert (nothing.gradient, nothing.verdict, nothing.message[:18]) == (None, "malformed", "the answer is None")
