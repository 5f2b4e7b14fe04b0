"""A target is loaded from a file or a module, adapted from a layout of its own, and told what is wrong where it cannot be."""

import re
import sys

import numpy as np
import pytest

from backproof import Gradient, Problem, TargetError, adapt, check, gradient, verify
from backproof.targets.target import InProcess, load_target

SOURCE = """
from backproof import gradient
import beside

def function(problem):
    return gradient(problem)

class Class:
    def method(self, problem):
        return gradient(problem)

    @staticmethod
    def static(problem):
        return gradient(problem)

    @classmethod
    def of_class(cls, problem):
        return gradient(problem)

    def __call__(self, problem):
        return gradient(problem)

class NeedsSize:
    def __init__(self, size):
        self.size = size

    def __call__(self, problem):
        return gradient(problem)

class Network:
    def backprop(self, x, y):
        return x, y

instance = Class()
number = 3.5
"""

FILES = {
    "beside.py": "",
    "mine.py": SOURCE,
    "syntax.py": "def f(problem):\\n    return (",
    "needs.py": "import a_module_that_nobody_has\\n",
    "fails.py": "value = 1 / 0\\n",
    "leaves.py": "import sys\\nsys.exit(3)\\n",
    "empty.py": "",
    "many.py": "\n".join(f"def f{i}(problem): ..." for i in range(15)),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text.replace("\\n", "\n"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


PROBLEM = Problem([[[1.0, 2.0]]], biases=[[0.5]], activations=["tanh"], x=[[1.0, -1.0]], y=[[0.0]])

LOADED = ["mine.py:function", "mine:function", "mine.py:Class", "mine.py:Class.method", "mine.py:Class.static", "mine.py:Class.of_class"]
LOADED += ["mine.py:instance", "mine.py:instance.method", "./mine.py:function", "mine:Class.method", "backproof:gradient"]


@pytest.mark.parametrize("spec", LOADED)
def test_a_target_is_loaded(folder, spec):
    assert verify(PROBLEM, load_target(spec)(PROBLEM)).verdict == "right"


def test_a_target_is_loaded_by_its_whole_path(folder, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert verify(PROBLEM, load_target(f"{folder / 'mine.py'}:function")(PROBLEM)).verdict == "right"


NOT_LOADED = [
    (
        "no colon",
        "mine.py",
        "target is 'mine.py': expected package.module:function or path/to/file.py:function, or 'run: ./program --flag'; "
        "mine.py has function, Class, NeedsSize, Network",
    ),
    ("no colon and nothing in it", "empty.py", "'run: ./program --flag'; empty.py has no public functions"),
    ("many names", "many.py:g", f"many.py has no 'g'; it has {', '.join(f'f{i}' for i in range(12))} and 3 more"),
    ("no function", "mine.py:", "target is 'mine.py:': expected package.module:function"),
    ("no file", ":function", "target is ':function': expected package.module:function"),
    ("nothing", "", "target is '': expected package.module:function"),
    ("a missing file", "nobody.py:f", "there is no file 'nobody.py': expected path/to/file.py:function"),
    ("a missing module", "nobody.home:f", "nobody.home cannot be loaded: ModuleNotFoundError: No module named 'nobody'"),
    (
        "a missing function",
        "mine.py:functoin",
        "target 'mine.py:functoin': mine.py has no 'functoin'; did you mean 'function'? it has gradient, function",
    ),
    ("a missing method", "mine.py:Class.go", "mine.py has no 'Class.go'; it has method, static, of_class"),
    ("a part of a number", "mine.py:number.x", "mine.py has no 'number.x'; it has no public functions"),
    ("nothing in it", "empty.py:f", "empty.py has no 'f'; it has no public functions"),
    ("a number", "mine.py:number", "target 'mine.py:number' is a float: expected a function of a problem"),
    ("a syntax error", "syntax.py:f", "syntax.py cannot be loaded: SyntaxError: '(' was never closed (syntax.py, line 2)"),
    ("an import error", "needs.py:f", "No module named 'a_module_that_nobody_has' (needs.py:1 in <module>)"),
    ("an error", "fails.py:f", "fails.py cannot be loaded: ZeroDivisionError: division by zero (fails.py:1 in <module>)"),
    ("sys.exit", "leaves.py:f", "leaves.py cannot be loaded: SystemExit: 3"),
    ("a class with arguments", "mine.py:NeedsSize", "mine.py:NeedsSize cannot be loaded: TypeError"),
    (
        "a class with arguments, and what to do",
        "mine.py:NeedsSize",
        "target 'mine.py:NeedsSize' is a class, which must be made without arguments: expected a function of a problem: "
        "backproof.from_class(NeedsSize, supports=...) makes one, or write it",
    ),
    (
        "a class whose objects are no functions",
        "mine.py:Network",
        "target 'mine.py:Network' is a class whose objects cannot be called: expected a function of a problem: "
        "backproof.from_class(Network, supports=...) makes one, or write it, or name a method that takes a problem: "
        "mine.py:Network.backprop",
    ),
]


@pytest.mark.parametrize(("spec", "message"), [row[1:] for row in NOT_LOADED], ids=[row[0] for row in NOT_LOADED])
def test_what_cannot_be_loaded_is_told(folder, spec, message):
    with pytest.raises(TargetError) as told:
        load_target(spec)
    assert message in str(told.value)


class Named:
    def __call__(self, problem):
        return gradient(problem)


class Broken(Named):
    @property
    def supports(self):
        raise RuntimeError("no idea")


class OfUnknownPrecision(Named):
    precision = "half"


BROKEN = [
    ("supports raises", Broken(), "supports of Broken cannot be loaded: RuntimeError: no idea"),
    (
        "unknown precision",
        OfUnknownPrecision(),
        "precision of OfUnknownPrecision is 'half': expected one of float64, float32, tf32",
    ),
    ("a class", Named, "target is the class Named: expected a function of a problem, such as an object of it that is one"),
    ("not callable", 3, "target is a int: expected a function of a problem"),
]


@pytest.mark.parametrize(("target", "message"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_target_that_is_broken_is_refused(target, message):
    with pytest.raises(TargetError) as told:
        InProcess(target)
    assert message in str(told.value)


@pytest.mark.parametrize(("target", "name"), [(gradient, "gradient"), (Named(), "Named"), (Named().__call__, "Named.__call__")])
def test_a_target_has_a_name(target, name):
    assert InProcess(target).name == name


def network(weights, biases, activations, x, y, order="rows"):
    """(list of dC/dW, list of dC/db) for rows of samples, weights out_in and biases as vectors."""
    answer = gradient(Problem(weights, biases=biases, activations=activations, x=x, y=y))
    return list(answer.weights), [None if b is None else g for b, g in zip(biases, answer.biases, strict=True)]


def columns(weights, biases, activations, x, y):
    assert x.shape[0] == weights[0].shape[1]
    return network(weights, biases, activations, x.T, y.T)


def one(weights, biases, activations, x, y):
    assert x.ndim == y.ndim == 1
    return network(weights, biases, activations, x[None], y[None])


def in_out(weights, biases, activations, x, y):
    assert weights[0].shape[0] == x.shape[1]
    dW, db = network([w.T for w in weights], biases, activations, x, y)
    return [w.T for w in dW], db


def column(weights, biases, activations, x, y):
    assert all(b is None or b.shape == (len(w), 1) for w, b in zip(weights, biases, strict=True))
    dW, db = network(weights, [None if b is None else b[:, 0] for b in biases], activations, x, y)
    return dW, [None if b is None else b[:, None] for b in db]


def row(weights, biases, activations, x, y):
    assert all(b is None or b.shape == (1, len(w)) for w, b in zip(weights, biases, strict=True))
    dW, db = network(weights, [None if b is None else b[0] for b in biases], activations, x, y)
    return dW, [None if b is None else b[None] for b in db]


def biases_first(*parts):
    return network(*parts)[::-1]


def pairs(*parts):
    return list(zip(*network(*parts), strict=True))


LAYOUTS = [
    ("rows", network, {}),
    ("columns", columns, {"samples": "columns"}),
    ("one", one, {"samples": "one"}),
    ("in_out", in_out, {"weights": "in_out"}),
    ("column biases", column, {"biases": "column"}),
    ("row biases", row, {"biases": "row"}),
    ("biases first", biases_first, {"returns": "biases_weights"}),
    ("pairs", pairs, {"returns": "pairs"}),
]


@pytest.mark.parametrize(("f", "layout"), [row[1:] for row in LAYOUTS], ids=[row[0] for row in LAYOUTS])
def test_a_layout_is_adapted(f, layout):
    report = check(adapt(f, **layout), max_examples=8, seed=1)
    assert report.verdict == "right"
    assert report.target == f.__qualname__


@pytest.mark.parametrize("layout", [row[2] for row in LAYOUTS[1:]], ids=[row[0] for row in LAYOUTS[1:]])
def test_a_wrong_layout_is_not_right(layout):
    report = check(adapt(network, **layout), max_examples=6, seed=1, shrink_seconds=0)
    assert not report.passed


def test_an_adapted_function_may_leave_biases_out():
    target = adapt(lambda *parts: (network(*parts)[0], None), samples="rows", supports={"biases": False, "activations": ["tanh"]})
    assert target.supports == {"losses": ["half_squared_error"], "reductions": ["sum"], "biases": False, "activations": ["tanh"]}
    assert check(target, max_examples=8, seed=1).passed


def test_supports_may_say_another_loss():
    assert adapt(network, supports={"reductions": ["mean"]}).supports["reductions"] == ["mean"]


NO_OPTIONS = [
    ("samples", {"samples": "cols"}, "adapt: samples is 'cols': did you mean 'columns'? expected one of rows, columns, one"),
    ("weights", {"weights": "T"}, "adapt: weights is 'T': expected one of out_in, in_out"),
    ("biases", {"biases": None}, "adapt: biases is None: expected one of vector, column, row, folded_first, folded_last"),
    ("returns", {"returns": "dict"}, "adapt: returns is 'dict': expected one of weights_biases, biases_weights, pairs, updated"),
]


@pytest.mark.parametrize(("layout", "message"), [row[1:] for row in NO_OPTIONS], ids=[row[0] for row in NO_OPTIONS])
def test_an_unknown_layout_is_refused(layout, message):
    with pytest.raises(TargetError) as told:
        adapt(network, **layout)
    assert str(told.value) == message


ONE_LAYER = Problem([np.ones((2, 3))], biases=[np.ones(2)], activations=["tanh"], x=np.ones((5, 3)), y=np.ones((5, 2)))


@pytest.mark.parametrize(
    ("options", "layout"),
    [
        ('samples="columns"', {}),
        ('samples="columns", weights="in_out"', {}),
        ('biases="column"', {"samples": "columns"}),
    ],
)
def test_the_layout_by_which_a_function_that_raises_answers_is_told(options, layout):
    wanted = dict(re.findall(r'(\w+)="(\w+)"', options))

    def f(W, b, activations, x, y):
        if wanted.get("samples", layout.get("samples")) == "columns" and len(x) != 3:
            raise ValueError("columns")
        if wanted.get("weights") == "in_out" and len(W[0]) != 3:
            raise ValueError("transposed")
        if wanted.get("biases") == "column" and b[0].ndim != 2:
            raise ValueError("columns of biases")
        return W, b

    answer = InProcess(adapt(f, **layout))(ONE_LAYER)
    assert answer.verdict == "raises"
    assert f"; with {options} it answers: say backproof.adapt(f, {options})" in answer.message


def test_a_function_that_raises_by_all_layouts_says_so_alone():
    def f(W, b, activations, x, y):
        raise ValueError("no")

    answer = InProcess(adapt(f))(ONE_LAYER)
    assert answer.message.startswith("ValueError: no (")


def test_what_an_adapted_function_gets_is_its_own():
    def writes(weights, biases, activations, x, y):
        answer = network(weights, biases, activations, x, y)
        weights[0][:] = 7
        return answer

    assert check(adapt(writes), max_examples=5, seed=1, shrink_seconds=0).verdict == "impure"


def test_a_gradient_is_an_answer_of_a_target():
    answer = InProcess(lambda problem: Gradient(gradient(problem).weights, gradient(problem).biases))(PROBLEM)
    assert answer.verdict is None
    assert answer.gradient.x is None


def test_a_function_of_something_else_is_told_what_makes_a_target_of_it():
    def of_arrays(weights, biases, x, y):
        return weights, biases

    with pytest.raises(TargetError) as told:
        check(of_arrays)
    assert "of_arrays takes (weights, biases, x, y): expected a function of one problem. backproof.adapt(f, ...) makes one of " in str(
        told.value
    )
    assert "backproof.from_class of a class, backproof.from_jax of an apply function; or write one that unpacks problem.weights" in str(
        told.value
    )
    assert check(lambda problem, options=None: gradient(problem), max_examples=2).passed
