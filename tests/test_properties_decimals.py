"""An answer that was printed with six digits, as C does unless told, is wrong, and told why."""

import numpy as np
import pytest

from backproof import Problem, check, gradient, verify

PROBLEM = Problem([[[0.7, -1.3], [2.0, 0.1]]], activations=["tanh"], x=[[1.0, 0.3], [0.1, -0.2]], y=[[0.0, 0.2], [0.3, 0.1]])

EXACT = "it_agrees_with_the_exact_gradient"


def mapped(function, dtype=float):
    def target(problem):
        answer = gradient(problem)
        dW, db = (
            [None if a is None else np.vectorize(function, [float])(a).astype(dtype) for a in g] for g in (answer.weights, answer.biases)
        )
        return dW, db

    target.supports = {"losses": ["half_squared_error"], "activations": ["tanh", "identity"]}
    return target


FORMATS = [
    ("%g", "%g", "at most six significant decimal digits, as C's %g prints them, and is right to these: print 17 (%.17g)"),
    ("%f", "%f", "at most six decimals, as C's %f prints them, and is right to these: print 17 (%.17g)"),
]


@pytest.mark.parametrize(("form", "told"), [row[1:] for row in FORMATS], ids=[row[0] for row in FORMATS])
def test_six_digits_are_named(form, told):
    target = mapped(lambda number: float(form % number))
    judged = verify(PROBLEM, target(PROBLEM))
    assert (judged.verdict, judged.reason) == ("wrong", f"every number has {told}")
    assert judged.meets == ""


@pytest.mark.parametrize("form", ["%g", "%f"])
def test_a_run_names_them_and_no_precision(form):
    report = check(mapped(lambda number: float(form % number)), max_examples=20, seed=1, shrink_seconds=1, laws=[EXACT])
    # shrunk, a number may have as few by either
    assert "at most six" in report.findings[0].judgement.reason
    assert not [note for note in report.notes if "float32" in note]


def test_of_float32_nine_digits_are_asked_for():
    problem = Problem([[[1.0000049], [0.123456]]], activations=["identity"], x=[[1.0]], y=[[0.0, 0.0]])
    judged = verify(problem, mapped(lambda number: float(f"{number:g}"), np.float32)(problem))
    assert (judged.verdict, judged.precision) == ("wrong", "float32")
    assert judged.reason.endswith("as C's %g prints them, and is right to these: print 9 (%.9g)")


OTHERS = [
    ("seven digits", lambda number: float(f"{number:.7g}")),
    ("six digits of what is wrong", lambda number: float(f"{1.001 * number:.6g}")),
    ("short numbers", lambda number: float(f"{number:.1g}")),
    ("float32", lambda number: float(np.float32(number))),
    ("NaN", lambda number: float("nan")),
]


@pytest.mark.parametrize("function", [row[1] for row in OTHERS], ids=[row[0] for row in OTHERS])
def test_nothing_of_it_is_said_of_other_wrong_answers(function):
    judged = verify(PROBLEM, mapped(function)(PROBLEM))
    assert not judged.passed
    assert "prints" not in judged.reason
