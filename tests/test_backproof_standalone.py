"""The script of a finding stands alone: it fails on NumPy and nothing else while the mistake is there, and passes once it is mended."""

import ast
import io
import os
import runpy
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from backproof import Problem, ProblemError, check
from backproof.findings.finding import Finding, finding_of
from backproof.findings.source import NETWORK as NETWORK_OF_TORCH
from backproof.findings.source import Source, source_of
from backproof.reports.standalone import standalone_script
from backproof.reports.standalone_calls import calls
from backproof.targets.target import load_target
from properties.verdict import Verdict

ROOT = Path(__file__).parent.parent

NETWORK = """
import numpy as np

FUNCTIONS = {"identity": lambda z: z, "relu": lambda z: np.maximum(z, 0), "tanh": np.tanh}
SLOPES = {"identity": np.ones_like, "relu": lambda z: (z > 0) * 1.0, "tanh": lambda z: 1 / np.cosh(z) ** 2}
SLOPES_OF_A = {"identity": np.ones_like, "relu": lambda a: (a > 0) * 1.0, "tanh": lambda a: 1 - a * a}
KEPT = {}

def gradient(problem, mistake=""):
    if mistake == "raises" and problem.batch > 1:
        raise ValueError("one sample at a time")
    if mistake == "exits":
        raise SystemExit(0)
    W, a, zs = problem.weights, [problem.x], []
    for weight, bias, name in zip(W, problem.biases, problem.activations):
        zs.append(a[-1] @ weight.T + (0 if bias is None else bias))
        a.append(FUNCTIONS[name](zs[-1]))
    dW, db = [], []
    error = (a[-1] - problem.y) * (2 if mistake == "factor" else 1)
    if mistake == "mean":
        error = error / problem.batch
    for l in reversed(range(len(W))):
        name = problem.activations[l]
        slope = SLOPES_OF_A[name](a[l + 1]) if mistake == "digits" else SLOPES[name](a[l + 1] if mistake == "slope" else zs[l])
        delta = error if mistake == "no slope" and l < len(W) - 1 else error * slope
        dW.insert(0, delta.T @ a[l])
        db.insert(0, delta[0] if mistake == "bias" else delta.sum(axis=0))
        error = delta @ W[l]
    if mistake == "shape":
        dW = [one.T for one in dW]
    if mistake == "nan":
        dW = [one / (one != 0) for one in dW]
    if mistake == "integers":
        dW = [np.array(one).astype(int) for one in dW]
    if mistake == "writes":
        problem.x[:] = 0
    if mistake == "counts":
        KEPT["calls"] = KEPT.get("calls", 0) + 1
        dW[0] = dW[0] + KEPT["calls"] - 1
    if mistake == "shares":
        shape = tuple(one.shape for one in dW)
        kept = KEPT.setdefault(shape, [np.empty_like(one) for one in dW])
        for into, one in zip(kept, dW):
            into[...] = one
        dW = kept
    return dW, db
"""
MISTAKES = ["factor", "slope", "no slope", "bias", "mean", "raises", "shape", "nan", "integers", "writes", "counts", "shares", "exits"]
SUPPORTS = {"activations": ["identity", "relu", "tanh"], "losses": ["half_squared_error"], "reductions": ["sum"], "depth": 3, "width": 3}


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A folder with NumPy alone in it, as `pip install numpy` leaves it."""
    folder = tmp_path_factory.mktemp("bare")
    installed = Path(np.__file__).parent
    for part in (installed, *installed.parent.glob("numpy.libs")):
        (folder / part.name).symlink_to(part)
    return folder


@pytest.fixture
def network(tmp_path, monkeypatch):
    """The folder that the check is run from, with a network in it."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "network.py").write_text(NETWORK)
    return tmp_path


def run(script: Path, bare: Path | None) -> subprocess.CompletedProcess[str]:
    """The script in a Python that sees one folder of packages, or all that there are."""
    alone = ["-S"] if bare else []
    path = {"PYTHONPATH": str(bare)} if bare else {}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | path
    return subprocess.run([sys.executable, *alone, str(script)], cwd=script.parent, env=environment, text=True, capture_output=True)


def run_here(script: Path) -> tuple[int, str]:
    """What the script exits with and says in this process, which has the packages already; of scripts that a process of their own ran."""
    for name in ("network", "student"):
        sys.modules.pop(name, None)
    said, hook = io.StringIO(), sys.excepthook
    try:
        with redirect_stdout(said), np.errstate(all="ignore"), pytest.raises(SystemExit) as ended:
            runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.excepthook = hook
    return ended.value.code, said.getvalue()


@cache
def found(mistake: str, max_examples: int = 10, activations: tuple[str, ...] | None = None) -> Finding:
    """The first finding of a check of the network with a mistake, as it is read from its file; each is looked for once."""
    names: dict = {}
    exec(NETWORK, names)

    def target(problem):
        return names["gradient"](problem, mistake)

    target.supports = SUPPORTS
    report = check(target, max_examples=max_examples, activations=activations, seed=3, shrink_seconds=0, no_diagnosis=True)
    finding = replace(report.findings[0], target="network.py:gradient", fresh=True)
    return finding_of(finding.to_json())


def with_mistake(folder: Path, mistake: str) -> None:
    (folder / "network.py").write_text(NETWORK.replace('mistake=""', f"mistake={mistake!r}"))


def test_where_numpy_is_alone_nothing_else_can_be_imported(bare, tmp_path):
    script = tmp_path / "script.py"
    for name, code in (("numpy", 0), ("backproof", 1), ("scipy", 1), ("hypothesis", 1)):
        script.write_text(f"import {name}")
        assert run(script, bare).returncode == code, name


@pytest.mark.slow
@pytest.mark.parametrize("mistake", MISTAKES)
def test_it_fails_while_the_mistake_is_there_and_passes_once_it_is_mended(mistake, network, bare):
    finding = found(mistake)
    script = network / "script.py"
    script.write_text(standalone_script(finding))
    with_mistake(network, mistake)
    wrong = run(script, bare)
    assert wrong.returncode == 1, wrong.stdout + wrong.stderr
    if mistake == "shape" and not wrong.stdout:  # an error of its own says as much
        assert "Error" in wrong.stderr
    else:
        assert "expected" in wrong.stdout, wrong.stderr
        assert "came" in wrong.stdout
        assert wrong.stdout.endswith("the mistake is there\n")
    with_mistake(network, "")
    assert run_here(script) == (0, "mended\n")


@pytest.mark.slow
def test_of_what_loses_digits_too(network, bare):
    finding = found("digits", max_examples=60, activations=("tanh",))
    assert finding.verdict is Verdict.LOSSY
    script = network / "script.py"
    script.write_text(standalone_script(finding))
    with_mistake(network, "digits")
    assert run(script, bare).returncode == 1
    with_mistake(network, "")
    assert run_here(script) == (0, "mended\n")


@pytest.mark.slow
@pytest.mark.parametrize("law", ["batch_gradients_add", "a_duplicated_sample_counts_twice", "the_memory_layout_does_not_matter"])
def test_a_law_that_asks_further_problems_has_all_of_them(law, network, bare):
    mistake = "bias" if law != "the_memory_layout_does_not_matter" else "factor"
    finding = replace(found("bias"), law=law, verdict=Verdict.WRONG)
    assert len(calls(finding)) > 1
    script = network / "script.py"
    script.write_text(standalone_script(finding))
    with_mistake(network, mistake)
    assert run(script, bare).returncode == 1
    with_mistake(network, "")
    assert run_here(script) == (0, "mended\n")


@pytest.mark.slow
def test_what_gives_no_answer_is_ended_after_the_run_s_own_limit(network, bare):
    finding = replace(found("factor"), time_limit=0.75, law="it_answers", verdict=Verdict.TIMES_OUT, answer=None)
    script = network / "script.py"
    script.write_text(standalone_script(finding))
    assert "dump_traceback_later(0.75 * len(CALLS), exit=True)" in script.read_text()
    (network / "network.py").write_text(NETWORK + "\ndef gradient(problem):\n    while True: pass\n")
    assert run(script, bare).returncode == 1
    with_mistake(network, "")
    assert run(script, bare).returncode == 0


MODULE = """
import torch

def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(2, 3), ACTIVATION, torch.nn.Linear(3, 2)).double()
"""
WRONG_TANH = """
class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return torch.tanh(z)
    @staticmethod
    def backward(ctx, error):
        return error

class Tanh(torch.nn.Module):
    def forward(self, z):
        return Wrong.apply(z)
"""
FEW = {"max_examples": 3, "batch": (2, 2), "laws": ["it_agrees_with_the_exact_gradient"], "shrink_seconds": 0, "no_diagnosis": True}


@pytest.mark.slow
def test_a_torch_module_is_asked_by_torch_alone(network):
    (network / "student.py").write_text(MODULE.replace("ACTIVATION", "Tanh()") + WRONG_TANH)
    report = check(load_target("student.py:model"), seed=1, **FEW)
    finding = finding_of(replace(report.findings[0], target="student.py:model", source=source_of("student.py:model")).to_json())
    script = network / "script.py"
    script.write_text(standalone_script(finding))
    assert "backproof" not in "\n".join(line for line in script.read_text().splitlines() if line.startswith(("import ", "from ")))
    wrong = run(script, None)
    assert (wrong.returncode, wrong.stderr) == (1, "")
    assert "expected" in wrong.stdout
    (network / "student.py").write_text(MODULE.replace("ACTIVATION", "torch.nn.Tanh()"))
    assert run_here(script) == (0, "mended\n")


JAX = """
import jax
import backproof
jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp

@jax.custom_jvp
def tanh(z):
    return jnp.tanh(z)

tanh.defjvp(lambda primals, tangents: (jnp.tanh(primals[0]), SLOPE))

def apply(params, x):
    for i, (W, b) in enumerate(params):
        x = x @ W + b
        x = tanh(x) if i == 0 else x
    return x

params = [(jnp.ones((2, 3)), jnp.ones(3)), (jnp.ones((3, 1)), jnp.ones(1))]
target = backproof.from_jax(apply, params, activations=["tanh", "identity"])
"""
MENDED_SLOPE = "tangents[0] / jnp.cosh(primals[0]) ** 2"


@pytest.mark.slow
def test_a_function_of_jax_is_asked_by_jax(network):
    (network / "student.py").write_text(JAX.replace("SLOPE", "tangents[0]"))
    report = check(load_target("student.py:target"), seed=1, **FEW)
    finding = finding_of(replace(report.findings[0], target="student.py:target", source=source_of("student.py:target")).to_json())
    script = network / "script.py"
    text = standalone_script(finding)
    script.write_text(text)
    assert "jax.value_and_grad" in text
    shutil.rmtree(network / "__pycache__", ignore_errors=True)
    (network / "student.py").write_text(JAX.replace("SLOPE", "tangents[0]").replace("import backproof\n", "").rpartition("target =")[0])
    wrong = run(script, None)
    assert (wrong.returncode, wrong.stderr) == (1, ""), wrong.stderr
    (network / "student.py").write_text(JAX.replace("SLOPE", MENDED_SLOPE).replace("import backproof\n", "").rpartition("target =")[0])
    assert run_here(script) == (0, "mended\n")


PROGRAM = """
import json, sys

for line in sys.stdin:
    asked = json.loads(line)
    if asked["kind"] == "start":
        print(json.dumps({"kind": "ready"}), flush=True)
        continue
    W, x, y = asked["problem"]["layers"][0]["weights"], asked["problem"]["x"], asked["problem"]["y"]
    a = [[sum(w * n for w, n in zip(row, sample)) for row in W] for sample in x]
    dW = [[FACTOR * sum((a[s][j] - y[s][j]) * x[s][k] for s in range(len(x))) for k in range(len(x[0]))] for j in range(len(W))]
    print(json.dumps({"kind": "answer", "id": asked["id"], "gradient": {"layers": [{"weights": dW, "biases": None}]}}), flush=True)
"""


@pytest.mark.slow
def test_a_program_is_asked_by_the_lines_of_the_protocol(network, bare):
    problem = Problem([[[1.0, 2.0]]], activations=["identity"], x=[[1.0, -1.0]], y=[[0.5]])
    finding = Finding(
        f"run: {sys.executable} student.py", Verdict.WRONG, "it_agrees_with_the_exact_gradient", "", problem, None, None, None, 1
    )
    script = network / "script.py"
    script.write_text(standalone_script(finding))
    (network / "student.py").write_text(PROGRAM.replace("FACTOR", "2"))
    wrong = run(script, bare)
    assert (wrong.returncode, wrong.stderr) == (1, "")
    (network / "student.py").write_text(PROGRAM.replace("FACTOR", "1"))
    assert run(script, bare).returncode == 0


HOSTILE = [
    'x"""\nimport os\nos._exit(7)\n"""',
    '\\"""; raise SystemExit(7) #',
    "t.py:f\nraise SystemExit(7)",
    "'); raise SystemExit(7); ('.py:f",
    "\x1b[31mred\x1b[0m<script>",
    "x" * 10_000,
    "run: sh -c 'exit 7'\nraise SystemExit(7)",
    "run: it's mine",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_and_messages_are_never_code(name):
    problem = Problem([[[1.0]]], activations=["identity"], x=[[1.0]], y=[[0.0]])
    finding = Finding(name, Verdict.WRONG, "it_answers", name, problem, None, None, None, 1)
    text = standalone_script(finding)
    code = list(ast.walk(ast.parse(text)))
    raised = {ast.unparse(node.exc).split("(")[0] for node in code if isinstance(node, ast.Raise)}
    assert raised <= {"NotImplementedError", "RuntimeError", "FileNotFoundError"}
    assert {alias.name for node in code if isinstance(node, ast.Import) for alias in node.names} <= {
        "sys",
        "numpy",
        "json",
        "subprocess",
        "importlib",
        "shutil",
        "traceback",
    }
    assert "\x1b" not in text


def test_what_a_target_without_a_place_is_asked_by_is_marked():
    problem = Problem([[[1.0]]], activations=["identity"], x=[[1.0]], y=[[0.0]])
    text = standalone_script(Finding("my_gradient", Verdict.WRONG, "it_answers", "", problem, None, None, None, 1))
    assert "YOUR FUNCTION" in text
    assert "raise NotImplementedError" in text


@pytest.mark.parametrize(
    ("target", "source", "needed"),
    [
        ("my_gradient", None, "It needs NumPy alone, and your function at the marked place."),
        ("mine.py:gradient", None, "It needs NumPy, and what the imported file imports.\n"),
        ("mine.py:gradient", Source(("numpy",)), "It needs NumPy, and what the imported file imports: backproof is not among it."),
        ("mine.py:adapted", Source(("backproof", "numpy")), "It needs NumPy, and backproof, which the imported file needs"),
        ("mine.py:model", Source(("torch",), NETWORK_OF_TORCH, True), "It needs NumPy and PyTorch, and"),
        ("run: ./mine", None, "It needs NumPy alone, and the program that it starts."),
    ],
)
def test_the_header_says_what_it_needs(target, source, needed):
    """Of a target that backproof.adapt made it said that it needs no backproof, and its import failed without."""
    problem = Problem([[[1.0]]], activations=["identity"], x=[[1.0]], y=[[0.0]])
    text = standalone_script(Finding(target, Verdict.WRONG, "it_answers", "", problem, None, None, None, 1, source=source))
    assert needed in ast.get_docstring(ast.parse(text)) + "\n"
    assert "does not need" not in text


def without_numpy_of_ours(folder: Path, finding: Finding) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(standalone_script(finding))
    return run(script, None)


ONE = Problem([[[1.0]]], activations=["identity"], x=[[1.0]], y=[[0.0]])


UNASKABLE = ["my_gradient", "gone.py:gradient", "run: no_such_program", "run: it's mine", "network.py:gone"]


# only the first is called where errors are caught: the others end before
@pytest.mark.parametrize(("target", "verdict"), [*((name, Verdict.WRONG) for name in UNASKABLE), (UNASKABLE[0], Verdict.RAISES)])
def test_where_nothing_can_be_asked_it_exits_with_2(target, verdict, network):
    """Neither 0 nor 1, which somebody who looks for the mistake would read as an answer."""
    done = without_numpy_of_ours(network, Finding(target, verdict, "it_agrees_with_the_exact_gradient", "", ONE, None, None, None, 1))
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Error" in done.stderr
    assert "the mistake is there" not in done.stdout


READS_ALL = """
import numpy as np

def gradient(problem):
    names = ["weights", "biases", "x", "y", "sample_weights", "activations", "loss", "reduction", "penalty", "wants", "widths", "batch",
             "depth", "size", "total_weight", "shares", "has_weighted_mean", "penalised"]
    read = {name: getattr(problem, name) for name in names}
    assert read["size"] == 6 and read["total_weight"] == 4.0 and read["has_weighted_mean"], read
    assert np.array_equal(read["shares"], [[0.25], [0.75]]), read
    assert read["penalised"].factor == 0.5 and not read["penalised"].over_batch, read
    delta = (problem.x @ problem.weights[0].T - problem.y) * problem.shares
    return [delta.T @ problem.x + problem.penalised.factor * problem.weights[0]], [None]
"""


def test_a_target_reads_of_a_problem_what_backproof_gives_it(network):
    problem = Problem(
        [[[1.0]]],
        activations=["identity"],
        x=[[1.0], [2.0]],
        y=[[0.0], [1.0]],
        reduction="mean",
        sample_weights=[1.0, 3.0],
        penalty=("l2", {"factor": 0.5}),
    )
    (network / "student.py").write_text(READS_ALL.replace("== 6", f"== {problem.size}"))
    done = without_numpy_of_ours(
        network, Finding("student.py:gradient", Verdict.WRONG, "it_agrees_with_the_exact_gradient", "", problem, None, None, None, 1)
    )
    assert (done.returncode, done.stdout) == (0, "mended\n"), done.stderr


def test_where_what_is_exact_is_beyond_the_range_nothing_is_claimed():
    problem = Problem([[[1e200]]], activations=["identity"], x=[[1e200]], y=[[0.0]])
    finding = Finding("my_gradient", Verdict.WRONG, "it_agrees_with_the_exact_gradient", "", problem, None, None, None, 1)
    for call in calls(finding):
        for right, allowed in call.expected.values():
            assert not np.isnan(allowed).any()
            assert np.array_equal(np.isposinf(allowed), ~np.isfinite(right))
    assert "inf" in standalone_script(finding)


def test_the_script_is_written_of_what_is_saved_alone(network, tmp_path_factory, monkeypatch):
    """A page that is written from another folder has the same bytes, whatever lies there."""
    (network / "student.py").write_text("import torch\n\ndef model():\n    return torch.nn.Linear(1, 1)\n")
    base = Finding("student.py:model", Verdict.WRONG, "it_agrees_with_the_exact_gradient", "", ONE, None, None, None, 1)
    finding = finding_of(replace(base, source=source_of("student.py:model")).to_json())
    here = standalone_script(finding)
    assert "model.zero_grad()" in here
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert standalone_script(finding) == here


def test_numbers_are_exact_to_the_bit():
    rng = np.random.default_rng(1)
    problem = Problem(
        [rng.standard_normal((2, 3))], activations=["tanh"], x=rng.standard_normal((2, 3)) * 1e-310, y=np.array([[0.1, -0.0]] * 2)
    )
    text = standalone_script(Finding("my_gradient", Verdict.WRONG, "it_answers", "", problem, None, None, None, 1))
    names: dict = {}
    exec(text[text.index("import sys") : text.index("CALLS =")], names)
    held = names["problem_1"]
    for name in ("x", "y"):
        assert getattr(held, name).tobytes() == getattr(problem, name).tobytes()
    assert held.weights[0].tobytes() == problem.weights[0].tobytes()


def test_what_no_script_can_show_is_refused():
    problem = Problem([np.zeros((200, 200))], activations=["identity"], x=np.zeros((1, 200)), y=np.zeros((1, 200)))
    finding = Finding("t", Verdict.WRONG, "it_answers", "", problem, None, None, None, 1)
    with pytest.raises(ProblemError, match="it would hold 40,400 numbers"):
        standalone_script(finding)
    with pytest.raises(ProblemError, match="does not show in a fresh process"):
        standalone_script(replace(finding, fresh=False))
