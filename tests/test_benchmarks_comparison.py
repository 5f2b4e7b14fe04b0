"""The comparison is fair only if each checker sees what it is asked about: a wrong gradient is refused, and a right one passes."""

import re
from pathlib import Path

import numpy as np
import pytest

from backproof import Gradient, Problem
from benchmarks import comparison
from benchmarks.checkers import CHECKERS, Implementation
from benchmarks.comparison import CHECK, Row, by_fault, faults_put, in_short, markdown
from benchmarks.comparison_problems import SIZES, TWINS, drawn, honest_problems, on_kinks, shown, twins_of
from properties.faults.fault import Network
from properties.faults.table import FAULTS

pytest.importorskip("torch")
pytest.importorskip("jax")
pytest.importorskip("autograd")

SMOOTH = Problem(
    [[[0.5, -0.25], [1.0, 0.75]], [[0.5, -1.0]]],
    biases=[[0.125, -0.5], None],
    activations=["tanh", "identity"],
    x=[[1.0, -0.5], [0.25, 0.5], [-1.0, 2.0]],
    y=[[0.5], [-1.0], [0.0]],
)


def changed(change):
    """Right code, but for what a function makes of its answer."""

    def target(problem):
        answer = Network()(problem)
        return change(answer)

    return target


WRONG = {
    "doubled": lambda g: Gradient([2 * w for w in g.weights], g.biases, x=g.x),
    "one entry off": lambda g: Gradient([g.weights[0] + np.array([[0.25, 0], [0, 0]]), g.weights[1]], g.biases, x=g.x),
    "a bias forgotten": lambda g: Gradient(g.weights, [np.zeros_like(g.biases[0]), None], x=g.x),
    "by x, the sign": lambda g: Gradient(g.weights, g.biases, x=-g.x),
    "a layer left out": lambda g: Gradient(g.weights[1:], g.biases, x=g.x),
}


@pytest.mark.parametrize(("name", "dtype"), [(name, dtype) for name, checker in CHECKERS.items() for dtype in checker.dtypes])
def test_a_right_gradient_passes_and_wrong_ones_do_not(name, dtype):
    checker = CHECKERS[name]
    # what it raises about a right one is no verdict of the checker's, and is seen here
    assert checker.question(Implementation(SMOOTH, Network(), dtype, with_x=True))
    assert checker.question(Implementation(SMOOTH, Network(), dtype, with_x=True, own_loss=True))
    for wrong in WRONG.values():
        assert not checker.passes(Implementation(SMOOTH, changed(wrong), dtype, with_x=True))


@pytest.mark.parametrize("name", CHECKERS)
def test_each_twin_passes_each_checker_on_a_smooth_problem(name):
    checker = CHECKERS[name]
    for dtype in checker.dtypes:
        for twin in TWINS[dtype].values():
            assert checker.question(Implementation(SMOOTH, twin, dtype, with_x=False))


def test_a_fault_is_caught_only_where_right_code_passes():
    """A checker that refuses everything catches nothing."""
    faults = [FAULTS["doubled_the_error"]]
    rows = [Row("refuses all"), Row("backproof verify")]
    refuses_all = comparison.Checker(lambda asked: False)
    faults_put(rows, [refuses_all, CHECKERS["backproof verify"]], faults, seed=1)
    assert rows[0].missed == rows[1].caught == ["doubled_the_error"]


def test_what_a_checker_cannot_be_asked_is_no_miss():
    rows = [Row("gradcheck, fast"), Row("backproof verify")]
    faults = [FAULTS["answered_z_for_a"], FAULTS["ignored_the_strides"]]
    faults_put(rows, [CHECKERS[row.name] for row in rows], faults, seed=1)
    assert rows[0].unasked == ["answered_z_for_a", "ignored_the_strides"]
    assert (rows[1].caught, rows[1].unasked) == (["answered_z_for_a"], ["ignored_the_strides"])


def test_what_an_implementation_writes_stays_written():
    """Checkers that ask twice may see it, as they would of a program's own arrays."""
    asked = Implementation(SMOOTH, FAULTS["updated_the_weights_in_place"].target, with_x=True)
    before, vector = asked.value(asked.point), asked.flat_point
    asked.flat_gradient(vector)
    assert asked.flat_value(vector) != before
    asked.gradient(asked.point)
    assert asked.value(asked.point) != before


def test_problems_are_functions_of_the_seed():
    faults = FAULTS["doubled_the_error"], FAULTS["forgot_transpose"]
    for fault in faults:
        indices, problems, in_compared = shown(fault, 3, 30, 5)
        assert in_compared
        assert [drawn(fault.supports, "float64", 3, 30)[i] for i in indices] == problems
    assert len(drawn({}, "float64", 3, 30)) == 30
    assert on_kinks(np.random.default_rng(1)) == on_kinks(np.random.default_rng(1))


def test_each_kind_of_problem_has_right_answers_of_its_own(monkeypatch):
    monkeypatch.setattr("benchmarks.comparison_problems.trained", lambda seed: iter([SMOOTH]))
    for kind, problems in honest_problems(1, 2).items():
        assert problems
        assert len(twins_of(kind, "float64", 0, 3)) == 3
        assert bool(twins_of(kind, "float32", 0, 3)) == (kind != "all numbers")
    assert set(SIZES) == {"hard", "small", "moderate"}


def test_a_shape_is_nothing_that_one_vector_has():
    names = ["SciPy check_grad < 1e-4", "HIPS check_grads", "torch assert_close"]
    rows = [Row(name) for name in names]
    faults_put(rows, [CHECKERS[name] for name in names], [FAULTS["answered_biases_as_columns"]], seed=1)
    assert [bool(row.caught) for row in rows] == [False, True, True]
    assert rows[0].unasked == ["answered_biases_as_columns"]


def test_the_table_counts_what_the_rows_hold():
    row = Row("CS231n rule", caught=["a", "b"], missed=["c"], alarms={"trained, float64": [2, 9], "beside kinks, float64": [1, 3]})
    last = Row(CHECK, caught=["a"], placed=1, caused=1, alarms={"runs in float64": [0, 5], "runs in float32": [0, 2]})
    head, _, first, second = markdown([row, last]).splitlines()
    assert "| trained, of 9 | at kinks, of 3 |" in head
    assert first.startswith("| CS231n rule | 2 | 1 | 0 |  | 2 | 1 |")
    assert second.startswith("| `backproof check` | 1 | 0 | 0 | 0 of 7 runs |")
    assert second.endswith("| 1, 1 |")
    in_short_too = ["| CS231n rule | 2 | 1 | 0 | 3 of 12 |  |", "| backproof check | 1 | 0 | 0 | 0 of 5 | 0 of 2 |"]
    assert in_short([row, last]).splitlines()[2:] == in_short_too


def test_faults_are_listed_with_those_who_miss_them_the_most_often_first():
    rows = [Row("one", missed=["b", "a"]), Row("two", missed=["a", "c"]), Row("three", missed=["a", "d", "c"]), Row("four", missed=["d"])]
    rows[3].missed.append("c")
    told = ["| `a` | all but four |", "| `c` | all but one |", "| `d` | three; four |", "| `b` | one |"]
    assert by_fault(rows, "missed").splitlines()[2:] == told
    assert by_fault([Row("one", unasked=["a"])], "unasked").splitlines()[2:] == ["| `a` | all |"]


def test_of_a_fault_that_no_problem_shows_nobody_is_asked():
    row = Row("backproof verify")
    faults_put([row], [CHECKERS[row.name]], [FAULTS["left_the_bias_gradient_unset_without_samples"]], seed=1)
    assert (row.missed, row.unasked) == ([], ["left_the_bias_gradient_unset_without_samples"])


def test_a_checker_that_is_not_installed_is_left_out_aloud(monkeypatch, capsys):
    gone = comparison.Checker(lambda asked: True, package="no_such_package")
    monkeypatch.setattr(comparison, "CHECKERS", {"gone": gone})
    for part in ("timed", "check_timed", "twins_put", "twins_checked", "faults_put", "faults_checked"):
        monkeypatch.setattr(comparison, part, lambda *given: None)
    assert [row.name for row in comparison.compared([], 1, 1)] == [CHECK]
    assert "LEFT OUT: gone" in capsys.readouterr().err


def test_the_readme_has_a_row_for_each_checker():
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    for name in [*CHECKERS, CHECK]:
        assert re.search(rf"^\| `?{re.escape(name)}`? \|", readme, re.MULTILINE), name
