"""A challenge: a test that is put to planted faults, by whatever command, import and process; and what it says where that cannot be."""

import json
import os
import signal
import subprocess
import sys
import time

import jsonschema
import pytest
from click.testing import CliRunner

from backproof.doors.command_line import cli
from backproof.findings.challenged import Challenged, Outcome, Planting, challenged_of
from backproof.findings.opened import opened
from backproof.findings.schema import schema
from backproof.reports.challenged import challenged_markdown
from backproof.runs.challenge import challenge
from backproof.targets.target import TargetError
from reference.errors import ProblemError

MODULE = """
def backward(x, upstream):
    return [2 * u * a for u, a in zip(upstream, x)], sum(upstream)

class Layer:
    def backward(self, upstream):
        return 3 * upstream

def never():
    return 1.0

def nothing():
    return None
"""
"""Numbers of Python's own: what is planted in arrays has a module of its own."""

ARRAYS = """
import numpy as np

def backward(x, upstream):
    return upstream * 2 * x, upstream.sum()

class Layer:
    def backward(self, upstream):
        self.dW, self.name = 2 * np.ones((2, 2)), "layer"
        return 3 * upstream

    def leave(self, upstream):
        self.dW = 2 * upstream
"""
"""The same in NumPy."""

TEST = """
from layers.mymodule import backward, Layer

def test_backward():
    x, upstream = [1.0, 2.0, 3.0], [1.0, 1.25, 1.5]
    dx, db = backward(x, upstream)
    {assertion}

if __name__ == "__main__":
    test_backward()
"""

TEST_OF_ARRAYS = """
import numpy as np
from layers.arrays import backward

x, upstream = np.arange(1.0, 7.0).reshape(2, 3), np.linspace(1.0, 2.0, 6).reshape(2, 3)
dx, db = backward(x, upstream)
{assertion}
"""

ASSERTIONS = {
    "strict": "assert (dx, db) == ([2.0, 5.0, 9.0], 3.75)",
    "half": "assert dx == [2.0, 5.0, 9.0]",
    "fails": "assert sum(dx) == 0",
    "aborts": "import os; os.abort() if dx[0] == 0 else None",
    "hangs_if_wrong": "import time; time.sleep(60) if dx[0] != 2 else None",
    "hangs": "import time; time.sleep(60)",
    "changes": "import os; state = 'state'; n = os.path.exists(state); open(state, 'w').close(); assert not n",
    "workers": (
        "import multiprocessing as m; p = m.get_context('spawn').Pool(1); r = p.starmap(backward, [(x, upstream)]); assert r[0][0][0] == 2"
    ),
    "forks": "import subprocess, sys; subprocess.run([sys.executable, 'test_strict.py'], check=True)",
    "late": "import importlib; m = importlib.import_module('layers.mymodule'); assert m.backward(x, upstream)[0][0] == 2",
    "reloaded": "import importlib, layers.mymodule as m; importlib.reload(m); assert m.backward(x, upstream)[0][0] == 2",
    "by_path": (
        "import importlib.util as u; s = u.spec_from_file_location('other', 'layers/mymodule.py'); m = u.module_from_spec(s);"
        " s.loader.exec_module(m); assert m.backward(x, upstream)[0][0] == 2"
    ),
    "method": "assert Layer().backward(1.0) == 3.0",
    "never_calls": "pass",
}

ASSERTIONS_OF_ARRAYS = {
    "strict_arrays": (
        "assert dx.shape == x.shape and np.allclose(dx, upstream * 2 * x, rtol=1e-12, atol=0) and abs(db - upstream.sum()) < 1e-12"
    ),
    "loose": "assert np.allclose(dx, upstream * 2 * x, atol=1e4)",
    "blind_to_nan": "assert not (abs(dx - upstream * 2 * x) > 1e-12).any()",
}

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a module and its tests, which is where backproof is run."""
    (tmp_path / "layers").mkdir()
    (tmp_path / "layers" / "__init__.py").write_text("from .mymodule import backward as taken_earlier\n")
    (tmp_path / "layers" / "mymodule.py").write_text(MODULE)
    (tmp_path / "layers" / "arrays.py").write_text(ARRAYS)
    for test, assertions in ((TEST, ASSERTIONS), (TEST_OF_ARRAYS, ASSERTIONS_OF_ARRAYS)):
        for name, assertion in assertions.items():
            (tmp_path / f"test_{name}.py").write_text(test.format(assertion=assertion))
    monkeypatch.chdir(tmp_path)
    # but for one test, a pytest that is started here has no plugins that it does not name: Hypothesis takes longer to load than all else
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return tmp_path


def script(name):
    return f"{{python}} test_{name}.py"


TARGET = "layers.mymodule:backward"
OF_ARRAYS = "layers.arrays:backward"


def outcomes(challenged):
    return {planting.label: planting.outcome.value for planting in challenged.plantings}


@pytest.mark.wheel
def test_a_strict_test_sees_all(project):
    done = challenge(script("strict_arrays"), OF_ARRAYS, jobs=2)
    assert done.passed
    assert done.having(Outcome.MISSED) == []
    assert done.calls == 1
    assert done.form == (("[0]", "float64", "(2, 3)"), ("[1]", "float64", "()"))
    not_counted = {planting.label: planting.how for planting in done.having(Outcome.NOT_COUNTED)}
    assert not_counted == {
        "answered_as_the_call_before": "there was no call before with an answer of this form",
        "swapped_two_outputs": "no two outputs have one shape",
    }
    assert done.seen == len(done.plantings) - 2 == 17
    assert all(planting.how for planting in done.plantings)


def test_what_a_test_misses_is_listed(project):
    done = challenge(script("loose"), OF_ARRAYS, only="answered", jobs=2)
    assert not done.passed
    assert [planting.label for planting in done.having(Outcome.MISSED)] == ["answered_zeros", "answered_a_row_twice"]
    assert [planting.label for planting in done.having(Outcome.SEEN)] == ["answered_nan_in_one_entry"]
    assert done.counted == len(done.plantings) - 1 == 3


def test_what_compares_with_nan_misses_it(project):
    done = challenge(script("blind_to_nan"), OF_ARRAYS, only="one_entry")
    assert outcomes(done) == {"answered_nan_in_one_entry": "missed", "changed_one_entry": "seen"}


WAYS = {
    "a late import": (script("late"), TARGET),
    "a reload": (script("reloaded"), TARGET),
    "a module loaded by its path": (script("by_path"), "layers/mymodule.py:backward"),
    "the name that another module has of it": (script("strict"), "layers:taken_earlier"),
    "a worker": (script("workers"), TARGET),
    "a process of the test": (script("forks"), TARGET),
    "a method": (script("method"), "layers.mymodule:Layer.backward"),
    "python -m": ("{python} -m test_strict", TARGET),
    "pytest, by paths": ("{python} -m pytest -q --import-mode=importlib -o pythonpath=. test_strict.py", "layers/mymodule.py:backward"),
    "pytest with a worker": ("{python} -m pytest -q -p xdist -n 1 test_strict.py", TARGET),
    "unittest": ("{python} -m unittest -q test_of_unittest", TARGET),
}


@pytest.mark.parametrize(("command", "target"), WAYS.values(), ids=WAYS)
def test_whichever_way_it_comes_in(project, command, target):
    (project / "test_of_unittest.py").write_text(
        "import unittest, test_strict\nclass T(unittest.TestCase):\n    def test(self):\n        test_strict.test_backward()\n"
    )
    done = challenge(command, target, only="answered_zeros")
    assert outcomes(done) == {"answered_zeros": "seen"}


def test_a_pytest_that_is_strict_and_has_no_cache(project, monkeypatch):
    for name in ("PYTEST_ADDOPTS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        monkeypatch.delenv(name, raising=False)  # all plugins, as its user has them
    command = "{python} -m pytest -q -p no:cacheprovider --strict-config test_strict.py"
    assert outcomes(challenge(command, TARGET, only="answered_zeros")) == {"answered_zeros": "seen"}


def test_a_target_in_a_test_file_or_a_conftest_which_pytest_loads_itself(project):
    (project / "conftest.py").write_text("def halved(x):\n    return x / 2\n")
    (project / "test_own.py").write_text(
        "from conftest import halved\ndef twice(x):\n    return 2 * x\ndef test():\n    assert twice(1.0) == 2.0 and halved(1.0) == 0.5\n"
    )
    for target in ("test_own:twice", "conftest:halved", "test_own.py:twice"):
        assert outcomes(challenge("{python} -m pytest -q test_own.py", target, only="answered_zeros")) == {"answered_zeros": "seen"}


def test_a_sitecustomize_of_the_user_is_still_imported(project, monkeypatch):
    (project / "own").mkdir()
    (project / "own" / "sitecustomize.py").write_text("import builtins\nbuiltins.of_their_own = 1\n")
    (project / "test_site.py").write_text(TEST.format(assertion="assert of_their_own and dx[0] == 2"))
    monkeypatch.setenv("PYTHONPATH", str(project / "own"))
    assert outcomes(challenge(script("site"), TARGET, only="answered_zeros")) == {"answered_zeros": "seen"}


def test_what_a_method_leaves_in_its_object_is_told_and_faulted_where_it_is_asked_for(project):
    (project / "test_keeps.py").write_text(
        "from layers.arrays import Layer\nlayer = Layer()\nassert layer.backward(1.0) == 3.0\nassert layer.dW.shape == (2, 2)\n"
    )
    target = "layers.arrays:Layer.backward"
    without = challenge(script("keeps"), target, only="turned")
    assert (without.leaves, outcomes(without)) == (("dW",), {"turned_the_sign": "seen"})
    done = challenge(script("keeps"), target, only="multiplied_by_1_5", keeps=["dW"])
    assert [path for path, *_ in done.form] == ["returned", ".dW"]
    assert outcomes(done) == {"multiplied_by_1_5": "seen", "multiplied_by_1_5 returned": "seen", "multiplied_by_1_5 .dW": "missed"}
    (project / "test_leaves.py").write_text("from layers.arrays import Layer\nlayer = Layer()\nlayer.leave(1.0)\nassert layer.dW == 2\n")
    with pytest.raises(TargetError, match="it leaves arrays in its object: --keeps dW plants faults there"):
        challenge(script("leaves"), "layers.arrays:Layer.leave")
    assert outcomes(challenge(script("leaves"), "layers.arrays:Layer.leave", only="turned", keeps=["dW"])) == {"turned_the_sign": "seen"}


NETWORK = """
import numpy as np

def backprop(weights, biases, x, y):
    a = [x]
    for w, b in zip(weights, biases):
        a.append(np.tanh(w @ a[-1] + b))
    dW, db, e = [], [], a[-1] - y
    for l in reversed(range(len(weights))):
        d = e * (1 - a[l + 1] ** 2)
        dW.insert(0, d @ a[l].T)
        db.insert(0, d.sum(1, keepdims=True))
        e = weights[l].T @ d
    return dW, db

def gradient(problem):
    dW, db = backprop(problem.weights, [b[:, None] for b in problem.biases], problem.x.T, problem.y.T)
    return dW, [b[:, 0] for b in db]
"""

TEST_OF_THE_NETWORK = """
import numpy as np, network, backproof
rng = np.random.default_rng(0)
weights, biases = [rng.normal(size=(4, 3)), rng.normal(size=(2, 4))], [rng.normal(size=4), rng.normal(size=2)]
x, y = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
problem = backproof.Problem(weights, biases=biases, activations=["tanh", "tanh"], x=x, y=y)
right = backproof.gradient(problem)
"""

ASKS_A_PROBLEM = "dW, db = network.gradient(problem)\n"
ASKS_ARRAYS = "dW, db = network.backprop(weights, [b[:, None] for b in biases], x.T, y.T)\n"
LOOKS_AT_WEIGHTS = "for a, b in zip(dW, right.weights): np.testing.assert_allclose(a, b, rtol=1e-9)\n"


@pytest.mark.parametrize(
    ("call", "how"),
    [
        pytest.param(ASKS_A_PROBLEM, {"target": "network:gradient", "catalogue": True}, marks=pytest.mark.wheel, id="a problem"),
        pytest.param(
            ASKS_ARRAYS, {"target": "network:backprop", "layout": "samples=columns, biases=column, activations=tanh"}, id="arrays"
        ),
    ],
)
def test_known_mistakes_are_planted_where_a_problem_is_posed(project, monkeypatch, call, how):
    (project / "network.py").write_text(NETWORK)
    (project / "test_weights.py").write_text(TEST_OF_THE_NETWORK + call + LOOKS_AT_WEIGHTS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, map(os.path.abspath, sys.path))))
    done = challenge(script("weights"), only="bias_gradient_t", **how)
    # dW is wrong where db is added to it, and db is looked at nowhere
    assert outcomes(done) == {"added_the_bias_gradient_to_the_weights": "seen", "summed_the_bias_gradient_twice": "missed"}
    assert all(planting.explanation and planting.consequence for planting in done.plantings)


def test_known_mistakes_of_what_is_no_problem(project, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, map(os.path.abspath, sys.path))))
    for how, why in (({"catalogue": True}, "say in which layout"), ({"layout": "order=samples_first"}, "is no problem as --adapt has it")):
        done = challenge(script("strict"), TARGET, only="turned_the_sign", **how)
        assert outcomes(done) == {"turned_the_sign": "seen", "turned_the_sign_of_the_error": "not counted"}
        assert why in done.having(Outcome.NOT_COUNTED)[0].how
    for layout, why in {"samples=column": "expected one of rows, columns, one", "sample": "expected name=value"}.items():
        with pytest.raises(TargetError, match=why):
            challenge(script("strict"), TARGET, layout=layout)
    with pytest.raises(TargetError, match="expected names of attributes"):
        challenge(script("strict"), TARGET, keeps=["d W"])


def test_what_dies_or_hangs_has_seen_the_fault(project):
    died = challenge(script("aborts"), TARGET, only="answered_zeros").plantings[0]
    assert (died.outcome, died.how[:7]) == (Outcome.SEEN, "SIGABRT")
    hung = challenge(script("hangs_if_wrong"), TARGET, only="answered_zeros", time_limit=5).plantings[0]
    assert (hung.outcome, hung.how) == (Outcome.SEEN, "it takes more than 5 s")


def test_nothing_of_the_test_is_changed(project):
    """Not its files, nor what pytest keeps for its next run; and a fault that is seen is told by pytest's own line."""
    subprocess.run([sys.executable, "-m", "pytest", "-q", "test_strict.py"], check=True, capture_output=True)
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    done = challenge("{python} -m pytest -q test_strict.py", TARGET, only="turned")
    assert outcomes(done) == {"turned_the_sign": "seen"}
    assert done.plantings[0].how.startswith("FAILED test_strict.py::test_backward - assert ([-2.0, -5.0, -9.0], -3.75) ==")
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file() and path.suffix != ".pyc"} == before


REFUSED = {
    "the test fails": (script("fails"), TARGET, r"the test fails \(exit code 1\) as it is.*\n.*\n[^$]*assert sum\(dx\) == 0"),
    "it hangs": (script("hangs"), TARGET, "takes more than 3 s as it is"),
    "it is not the same twice": (script("changes"), TARGET, "passes as it is, and fails .* not the same from run to run"),
    "no such program": ("no-such-program x", TARGET, "there is no program 'no-such-program': expected the command"),
    "no command": ("", TARGET, "expected the command that runs your test"),
    "a quote": ("pytest 'x", TARGET, "cannot be split into words"),
    "a shell's word": ("true && true", TARGET, "'&&' is a word for a shell"),
    "a setting": ("A=1 true", TARGET, "set it before backproof"),
    "no target": (script("strict"), "layers.mymodule", "expected package.module:function"),
    "no name of a module": (script("strict"), "layers/mymodule:backward", "is no module's name"),
    "no such file": (script("strict"), "layers/other.py:backward", "there is no file 'layers/other.py'"),
    "no such module": (script("strict"), "layers.other:backward", "the test never imports layers.other"),
    "a module by half its name": (script("strict"), "mymodule:backward", "layers.mymodule was: say layers.mymodule:backward"),
    "no such function": (
        script("strict"),
        "layers.mymodule:backwards",
        "mymodule has no backwards: it has Layer, backward, n",
    ),
    "a class": (script("method"), "layers.mymodule:Layer", "name one of its methods, as Layer.backward"),
    "never called": (script("never_calls"), "layers.mymodule:never", "imports layers.mymodule and never calls never"),
    "no arrays": (
        "{python} -c 'from layers import mymodule; mymodule.nothing()'",
        "layers.mymodule:nothing",
        "answers nothing that a fault",
    ),
    "no Python": ("true", TARGET, "no Python that took the fault was started"),
    "a Python apart": ("{python} -I -c pass", TARGET, "Python 3.10 or later, and read PYTHONPATH"),
    "no such fault": (script("strict"), TARGET, "no fault has 'xyz' in its name"),
    "the program itself": ("{python} layers/mymodule.py", "layers/mymodule.py:backward", "never imports"),
}


@pytest.mark.parametrize(("command", "target", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_said(project, command, target, message):
    with pytest.raises(TargetError, match=f"(?s){message}"):
        challenge(command, target, only="xyz" if "xyz" in message else "answered_zeros", time_limit=3 if "3 s" in message else None)


@pytest.mark.parametrize(
    ("only", "meant"),
    [("answerd_zeros", "answered_zeros"), ("transpsoe", "forgot_to_transpose"), ("multiplied_by_1_6", "multiplied_by_1_5")],
)
def test_a_fault_that_is_misspelt_is_refused_before_the_test_runs(project, only, meant):
    (project / "test_ran.py").write_text("open('ran', 'w').close()\n" + (project / "test_strict.py").read_text())
    with pytest.raises(TargetError, match=f"no fault has '{only}' in its name: did you mean .*{meant}"):
        challenge(script("ran"), TARGET, only=only)
    assert not (project / "ran").exists()


INNER = """
import subprocess, sys

def test_a_pytest_within():
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "inner.py"], capture_output=True, text=True)
    assert "2 failed" in done.stdout
"""


def test_a_pytest_that_the_test_starts_itself_is_left_alone(project):
    (project / "inner.py").write_text("def test_one():\n    assert False\n\ndef test_two():\n    assert False\n")
    with open(project / "test_strict.py", "a") as file:
        file.write(INNER)
    done = challenge("{python} -m pytest -q test_strict.py", TARGET, only="answered_zeros")
    assert outcomes(done) == {"answered_zeros": "seen"}


def test_where_no_fault_changes_anything(project):
    (project / "layers" / "mymodule.py").write_text(MODULE.replace("2 * u * a", "0.0 * a").replace("sum(upstream)", "0.0"))
    (project / "test_zeros.py").write_text(TEST.format(assertion="assert not any(dx)"))
    with pytest.raises(TargetError, match="no fault changes anything in the answers"):
        challenge(script("zeros"), TARGET, only="multiplied")


def test_the_command_tells_shares_names_and_consequences(project):
    result = CliRunner().invoke(cli, ["challenge", script("half"), "--target", TARGET, "--only", "multiplied", "--json", "out.json"])
    assert result.exit_code == 1
    assert "sees 5 of 6 planted faults, 83 %: layers.mymodule:backward" in result.stdout
    missed, _, seen = result.stdout.partition("\nmissed\n")[2].partition("\nseen\n")
    assert "multiplied_by_1_5 [1]  1.5 times the answer, in [1] alone: the test does not look at [1], or hardly" in missed
    assert "multiplied_by_2 " in seen
    data = json.loads((project / "out.json").read_text())
    jsonschema.Draft202012Validator(schema("challenge")).validate(data)
    assert (data["seen"], data["counted"], data["passed"], data["error"]) == (5, 6, False, None)
    assert challenged_of(data).data() == data
    shown = CliRunner().invoke(cli, ["show", "out.json"])
    assert shown.exit_code == 0
    assert shown.stdout == result.stdout


def test_exit_codes(project):
    done = CliRunner().invoke(cli, ["challenge", script("strict"), "--target", TARGET, "--only", "zeros", "--markdown", "-"])
    assert done.exit_code == 0
    assert "the test sees 1 of 1 planted faults, 100 %" in done.stdout
    done = CliRunner().invoke(cli, ["challenge", script("fails"), "--target", TARGET, "--json", "out.json"])
    assert done.exit_code == 2
    data = json.loads((project / "out.json").read_text())
    jsonschema.Draft202012Validator(schema("challenge")).validate(data)
    assert "fails (exit code 1) as it is" in data["error"]
    done = CliRunner().invoke(cli, ["challenge", script("strict"), "--target", TARGET, "--json", "absent/out.json"])
    assert done.exit_code == 2


def test_ctrl_c_leaves_what_is_known_and_nothing_running(project):
    (project / "test_slow.py").write_text(
        TEST.format(assertion="import time; open('asked', 'a').write('x'); time.sleep(0 if dx[0] == 2 else 456)")
    )
    command = [sys.executable, "-m", "backproof", "challenge", script("slow"), "--target", TARGET, "--json", "out.json"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, map(os.path.abspath, sys.path)))}

    def interruptible():
        # a test run that was started in the background ignores Ctrl-C, and so would its processes
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    run = subprocess.Popen(command, env=environment, preexec_fn=interruptible, text=True, **pipes)
    ends = time.monotonic() + 60
    while not (project / "asked").exists() or len((project / "asked").read_text()) < 3:
        assert time.monotonic() < ends
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    printed, complained = run.communicate(timeout=60)
    assert run.returncode == 130, complained
    # all but the three that the control has shown to change nothing
    assert "sees 0 of 0 planted faults (interrupted: 16 were not planted)" in printed
    data = json.loads((project / "out.json").read_text())
    jsonschema.Draft202012Validator(schema("challenge")).validate(data)
    assert data["interrupted"]
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert not any(f"{sys.executable} test_slow.py" in line for line in running.splitlines())


def test_what_is_no_challenge_is_refused(tmp_path):
    file = tmp_path / "out.json"
    file.write_text('{"schema": "backproof.challenge", "version": 1}')
    with pytest.raises(ProblemError, match="no challenge"):
        opened(file)


def test_a_page_of_markdown_has_a_row_for_each_fault():
    plantings = (Planting("answered_zeros", Outcome.MISSED), Planting("multiplied_by_1_5 ['a|b']", Outcome.SEEN, "FAILED"))
    page = challenged_markdown(Challenged(command="pytest a|b", target="m:f", calls=1, plantings=plantings, plain_seconds=1.0))
    assert "| `answered_zeros` | zeros | missed | nothing is learnt" in page
    assert "a\\|b" in page
