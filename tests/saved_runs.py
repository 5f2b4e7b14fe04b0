"""Runs that reports are made of: a small one of each kind, made when it is first asked for."""

from functools import cache
from itertools import pairwise

import numpy as np

from backproof import Gradient, check, gradient
from backproof.findings.challenged import Challenged, Outcome, Planting
from backproof.findings.finding import Finding
from backproof.findings.report import LawCount
from backproof.report import Report
from properties.faults.table import FAULTS
from properties.judging.judge import verify, with_quantities
from properties.judging.judgement import Exact
from reference.problem import Problem

SMALL = {"max_examples": 16, "seed": 3, "shrink_seconds": 0.5}
SUPPORTS = {"activations": ["sigmoid", "tanh"], "losses": ["half_squared_error"], "reductions": ["sum", "mean"], "depth": 2, "width": 3}

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)> \x1b[31m\x07 | `a` ``` [b](javascript:alert(1)) {{ 7*7 }} @everyone ::error::"
)
"""What a name, a message or a traceback may hold."""


def with_fault(name, **supports):
    fault = FAULTS[name].answering(("weights", "biases"))

    def target(problem):
        return fault(problem)

    target.supports = SUPPORTS | supports
    return target


def right(problem):
    return gradient(problem)


def textbook(problem):
    """Right, by a slope of tanh that loses digits."""
    return FAULTS["accumulated_in_float32"].answering(("weights", "biases"))(problem)


def raises(problem):
    if problem.batch > 1:
        raise ValueError(f"shapes ({problem.batch},) and (1,) not aligned")
    return gradient(problem)


def raises_markup(problem):
    raise ValueError(HOSTILE + "<b>" * 4000)


def transposed(problem):
    answer = gradient(problem)
    return [np.transpose(weight) for weight in answer.weights], answer.biases


def unstable(problem, calls=[]):  # noqa: B006
    calls.append(None)
    return gradient(problem).mapped(lambda place, array: np.asarray(array) * len(calls))


TARGETS = {
    "right": right,
    "equation 2": with_fault("turned_the_sign_of_the_error"),
    "equation 3": with_fault("used_activation_for_pre_activation"),
    "equation 4": with_fault("took_the_output_index_for_the_input_index"),
    "equation 10": with_fault("took_the_bias_gradient_of_one_sample"),
    "equation 11": with_fault("forgot_transpose", width=(2, 2), depth=(2, 2)),
    "nonfinite": with_fault("overflowed_softplus", activations=["softplus"]),
    "raises": raises,
    "markup": raises_markup,
    "malformed": transposed,
    "unstable": unstable,
}
for each in (right, raises, raises_markup, transposed, unstable):
    each.supports = SUPPORTS

NAMES = [*TARGETS, "lossy", "real size", "interrupted", "could not run"]


@cache
def run(name):
    """The report of a run."""
    if name == "real size":
        return of_real_size()
    if name == "interrupted":
        return Report("t.py:f", (), {"it_answers": LawCount(held=3)}, 1, 3, 3, 0, "float64", interrupted=True)
    if name == "could not run":
        return Report("t.py:f", (), {}, 0, 0, 0, 0, "float64", error=f"t.py cannot be loaded: SyntaxError: {HOSTILE}")
    if name == "lossy":
        return lossy()
    return check(TARGETS[name], **SMALL, no_diagnosis=name in ("markup", "nonfinite"))


def lossy():
    """A run with one lossy answer: the slope of tanh by 1 - a a, where it saturates."""
    problem = Problem([[[9.0]]], activations=["tanh"], x=[[1.0]], y=[[0.0]])
    a = np.tanh(9.0)
    answer = Gradient([np.array([[a * (1 - a * a)]])])
    judgement = verify(problem, answer)
    assert judgement.verdict == "lossy"
    return of_one(problem, answer, judgement, "")


def of_one(problem, answer, judgement, message, target="folder/t.py:f"):
    finding = Finding(target, judgement.verdict, "it_agrees_with_the_exact_gradient", message, problem, judgement, answer, None, 1)
    return Report(target, (finding,), {finding.law: LawCount(held=2, broken=1)}, 1, 3, 3, 0, "float64", environment={"python": "3.11"})


def of_real_size():
    """A wrong answer of a network that is judged as a large one is; at 784-512-512-10 all takes ten times as long."""
    rng, widths = np.random.default_rng(1), (200, 130, 130, 10)
    weights = [rng.normal(size=(m, n)) / np.sqrt(n) for n, m in pairwise(widths)]
    problem = Problem(
        weights, biases=[np.zeros(n) for n in widths[1:]], activations=["tanh"] * 3, x=rng.normal(size=(4, 200)), y=rng.normal(size=(4, 10))
    )
    exact = Exact(problem)
    halved = exact.reference
    answer = Gradient([halved.weights[0] / 2, *halved.weights[1:]], halved.biases)
    judgement = with_quantities(verify(problem, answer), exact, answer)
    return of_one(problem, answer, judgement, judgement.reason)


def hostile():
    """A report whose every text from outside is HOSTILE, 10,000 characters long."""
    report = run("equation 3")
    long = HOSTILE * (10_000 // len(HOSTILE) + 1)
    data = report.data()
    data |= {"target": long, "notes": [long], "saved": [long], "drawn_by": long, "environment": {long: long}}
    for finding in data["findings"]:
        finding |= {"target": long, "message": long, "drawn_by": long}
        for diagnosis in finding["diagnoses"]:
            diagnosis |= {"explanation": f"equation 3, layer 1: {long}", "shows_when": long, "same_as": [long]}
            for table in diagnosis["evidence"]["tables"]:
                table |= {"caption": long, "note": long}
    for law in data["laws"].values():
        law["reasons"] = {long: 1}
    return data


CHALLENGED = Challenged(
    command="pytest",
    target="mine:backward",
    calls=2,
    form=(("[0]", "float32", "(3, 4)"),),
    plantings=(Planting("answered_zeros", Outcome.SEEN, "FAILED"), Planting("multiplied_by_1_5 [0]", Outcome.MISSED)),
)
