"""Each law holds on the reference over drawn problems, and bites on a planted fault."""

import importlib.util

import numpy as np
import pytest
from hypothesis import example, given, settings

from backproof import Gradient, Problem, gradient, strategies
from backproof.targets.target import InProcess
from oracles import available
from oracles.oracle import NotApplicable, Oracle, Reply
from properties.judging.judgement import Judgement
from properties.laws.law import Case, Status
from properties.laws.of_agreement import ORACLE_LAWS, agreement_with
from properties.laws.table import LAWS, LawError, OracleError, laws_for
from properties.verdict import Verdict
from reference.backward import gradient as reference_gradient
from reference.forward import forward

NAMES = ["it_answers", "shapes_and_dtypes_are_right", "inputs_are_left_alone", "two_calls_agree", "it_agrees_with_the_exact_gradient"]
PROBLEM = Problem(
    [[[0.5, -1.0], [2.0, 0.25]], [[1.5, -0.5]]],
    biases=[[0.125, -0.25], [0.375]],
    activations=["tanh", "identity"],
    x=[[1.0, 0.5], [-1.0, 2.0]],
    y=[[0.0], [1.0]],
)


def fares(name, target, problem=PROBLEM, precision=None):
    """How one law fares on a target and a problem."""
    laws = {**LAWS, **{law.name: law for law in ORACLE_LAWS.values()}}
    return laws[name].on(Case(problem, InProcess(target, precision=precision), precision))


def test_the_laws_stand_in_the_order_in_which_they_are_judged():
    assert list(LAWS)[: len(NAMES)] == NAMES
    assert [law.name for law in laws_for()] == list(LAWS)


@pytest.mark.parametrize("law", [*LAWS.values(), *ORACLE_LAWS.values()], ids=lambda law: law.name)
def test_a_law_says_what_it_states_cannot_see_and_needs(law):
    assert law.statement.endswith(".")
    assert "Cannot see: " in law.judge.__doc__
    assert "Needs: " in law.judge.__doc__


CANCELS = Problem(
    [[[1.5]]],
    biases=[[-3.0853210449772613e62]],
    activations=[("elu", {"alpha": -2.0})],
    x=[[2.0568806966515076e62]],
    y=[[0.0]],
)


def cancels(problem):
    """Whether some z is what rounding leaves of larger terms, where either side of a kink may be all that is known."""
    passed = forward(problem)
    for a, z, weight, bias in zip(passed.activations, passed.pre_activations, problem.weights, problem.biases, strict=False):
        terms = np.abs(a) @ np.abs(weight).T + (0 if bias is None else np.abs(bias))
        if (np.abs(z) < 1e-12 * terms).any():
            return True
    return False


@pytest.mark.parametrize("name", NAMES)
def test_laws_hold_on_the_reference(name):
    @settings(max_examples=40)
    @given(strategies.problems())
    @example(CANCELS)
    def holds(problem):
        outcome = fares(name, gradient, problem)
        excused = "leaves the range" in outcome.message or ("wider than the gradient" in outcome.message and cancels(problem))
        assert outcome.status is Status.HELD or (outcome.status is Status.NOT_APPLICABLE and excused)

    holds()


ORACLES = [("finite_differences", 12), ("balls", 20), ("torch", 20), ("jax", 1)]


@pytest.mark.wheel
@pytest.mark.parametrize(("name", "examples"), ORACLES, ids=[row[0] for row in ORACLES])
def test_oracle_laws_hold_on_the_reference(name, examples):
    if available.missing(available.ORACLES[name]):
        pytest.skip(f"{name} is not installed")

    @settings(max_examples=examples)
    @given(strategies.problems(depth=2, width=2, batch=2))
    def holds(problem):
        outcome = fares(f"it_agrees_with_{name}", gradient, problem)
        assert outcome.status is not Status.BROKEN

    holds()
    assert fares(f"it_agrees_with_{name}", gradient).status is Status.HELD


def raises(problem):
    raise ValueError("not today")


def wrong_shape(problem):
    return [w.T[:1] for w in gradient(problem).weights], gradient(problem).biases


def writes_to_x(problem):
    problem.x[0, 0] += 1
    return gradient(problem)


def writes_nan_to_a_bias(problem):
    answer = gradient(problem)
    problem.biases[0][:] = np.nan
    return answer


def one_buffer(shift):
    """Returns the same arrays each call, with a number that changes."""
    kept, calls = {}, [0]

    def target(problem):
        calls[0] += 1
        answer = gradient(problem)
        for i, w in enumerate(answer.weights):
            kept.setdefault(i, np.empty_like(w))[:] = w * (1 + shift * calls[0])
        return [kept[i] for i in range(len(answer.weights))], answer.biases

    return target


def noisy(size):
    """Two calls differ by this much, relatively."""
    calls = [0]

    def target(problem):
        calls[0] += 1
        answer = gradient(problem)
        return [w * (1 + size * calls[0]) for w in answer.weights], answer.biases

    return target


def fails_later(problem, calls=[0]):  # noqa: B006
    calls[0] += 1
    if calls[0] % 2 == 0:
        raise ValueError("once is enough")
    return gradient(problem)


def says_more_later():
    calls = [0]

    def target(problem):
        calls[0] += 1
        answer = gradient(problem)
        return answer if calls[0] > 1 else (answer.weights, answer.biases)

    return target


def nan_later():
    calls = [0]

    def target(problem):
        calls[0] += 1
        answer = gradient(problem)
        return [w * (np.nan if calls[0] > 1 else 1) for w in answer.weights], answer.biases

    return target


def doubled(problem):
    return [2 * w for w in gradient(problem).weights], gradient(problem).biases


def nan(problem):
    return [np.nan * w for w in gradient(problem).weights], gradient(problem).biases


BITES = [
    ("raises", "it_answers", raises, "raises", "ValueError: not today"),
    ("wrong shape", "shapes_and_dtypes_are_right", wrong_shape, "malformed", "layer 1: dC/dW has shape (1, 2), expected (2, 2)"),
    ("writes to x", "inputs_are_left_alone", writes_to_x, "impure", "it wrote to x"),
    ("writes NaN", "inputs_are_left_alone", writes_nan_to_a_bias, "impure", "it wrote to layer 1: bias"),
    ("one buffer", "the_problem_before_does_not_matter", one_buffer(0), "impure", "overwrote layer 1: dC/dW, layer 2: dC/dW of this one"),
    ("noise", "two_calls_agree", noisy(1e-6), "unstable", "the first time and"),
    ("little noise", "two_calls_agree", noisy(1e-12), "unstable", "the first time and"),
    ("fails later", "two_calls_agree", fails_later, "raises", "it answers the first time, but not the second: ValueError: once"),
    ("says more later", "two_calls_agree", says_more_later(), "unstable", "other quantities the second time"),
    ("NaN later", "two_calls_agree", nan_later(), "unstable", "nan the second"),
    ("doubled", "it_agrees_with_the_exact_gradient", doubled, "wrong", ""),
    ("NaN", "it_agrees_with_the_exact_gradient", nan, "nonfinite", "infinite or NaN, where the exact number is finite"),
    ("doubled", "it_agrees_with_finite_differences", doubled, "wrong", "layer 1: dC/dW differs from finite_differences"),
    ("doubled", "it_agrees_with_balls", doubled, "wrong", "layer 1: dC/dW differs from balls"),
    ("doubled", "it_agrees_with_torch", doubled, "wrong", "layer 1: dC/dW differs from torch"),
    ("NaN", "it_agrees_with_balls", nan, "nonfinite", "layer 1: dC/dW differs from balls"),
]


@pytest.mark.parametrize(("law", "target", "verdict", "message"), [row[1:] for row in BITES], ids=[f"{row[1]}-{row[0]}" for row in BITES])
def test_laws_bite(law, target, verdict, message):
    outcome = fares(law, target)
    assert (outcome.status, outcome.verdict) == ("broken", verdict)
    assert message in outcome.message


FINE = [
    ("noise within rounding", noisy(1e-16)),
    ("the same NaN twice", nan),
    ("fresh arrays", gradient),
    (
        "inputs as answers",
        lambda p: Gradient(gradient(p).weights, gradient(p).biases, x=gradient(p).x, activations=gradient(p).activations),
    ),
]


@pytest.mark.parametrize("target", [row[1] for row in FINE], ids=[row[0] for row in FINE])
def test_two_calls_may_differ_within_rounding(target):
    assert fares("two_calls_agree", target).status is Status.HELD


def test_a_sum_in_an_order_that_changes_is_stable():
    rng = np.random.default_rng(0)

    def target(problem):
        order = rng.permutation(problem.batch)
        return [w.copy() for w in gradient(problem.replaced(x=problem.x[order], y=problem.y[order])).weights], None

    x = np.random.default_rng(1).normal(size=(40, 3))
    problem = Problem([x[:2]], activations=["tanh"], x=x, y=x[:, :2] / 3)
    assert fares("two_calls_agree", target, problem).status is Status.HELD
    assert not np.array_equal(target(problem)[0][0], target(problem)[0][0])


def test_no_answer_is_no_matter_for_the_laws_that_need_one():
    for name in NAMES[3:]:
        outcome = fares(name, raises)
        assert (outcome.status, outcome.message) == ("not applicable", "the target gave no answer that can be judged")
    assert fares("shapes_and_dtypes_are_right", raises).status == "not applicable"
    assert fares("inputs_are_left_alone", raises).status == "held"


def test_what_a_target_wrote_before_it_raised_is_seen():
    def target(problem):
        problem.y[:] = 7
        raise ValueError

    assert fares("inputs_are_left_alone", target).message == "it wrote to y"


def test_two_calls_are_not_compared_where_no_claim_is_made():
    problem = Problem([[[1e200]]], activations=["identity"], x=[[1e200]], y=[[0.0]])
    values = iter([np.nan, 1.0, np.inf, 0.0])
    assert fares("two_calls_agree", lambda p: ([np.array([[next(values)]])], None), problem).status is Status.HELD
    assert fares("two_calls_agree", lambda p: ([np.array([[next(values)]])], None), problem).status is Status.HELD


def off(problem):
    return Reply(reference_gradient(problem.replaced(y=problem.y + 1)))


def silent(problem):
    raise NotApplicable("not this one")


ORACLES_THAT_ARE_OFF = [
    ("off", off, gradient, "not applicable", "planted itself is off: ball arithmetic agrees with the target"),
    ("off, and so is the target", off, doubled, "broken", "differs from planted"),
    ("silent", silent, doubled, "not applicable", "planted: not this one"),
]


@pytest.mark.parametrize(
    ("answer", "target", "status", "message"), [row[1:] for row in ORACLES_THAT_ARE_OFF], ids=[row[0] for row in ORACLES_THAT_ARE_OFF]
)
def test_an_oracle_that_is_off_accuses_nobody(answer, target, status, message):
    outcome = agreement_with(Oracle("planted", answer, "Not at all.")).on(Case(PROBLEM, InProcess(target)))
    assert outcome.status == status
    assert message in outcome.message


def test_oracles_that_are_asked_for_are_judged_once():
    assert [law.name for law in laws_for(["balls", "finite_differences", "balls"])][len(LAWS) :] == [
        "it_agrees_with_balls",
        "it_agrees_with_finite_differences",
    ]


def test_an_unknown_oracle_is_refused():
    with pytest.raises(OracleError, match="oracle 'crystal' is not known: expected one of finite_differences, jax, torch, balls"):
        laws_for(["crystal"])


def test_an_oracle_that_is_missing_says_how_to_install_it(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(available, "find_spec", lambda name: None if name == "jax" else found(name))
    with pytest.raises(OracleError, match=r"oracle .jax. cannot run here: .*pip install jax"):
        laws_for(["jax"])


def test_an_unknown_law_is_refused_with_the_nearest_one():
    with pytest.raises(LawError, match=r"law 'it_answer' is not known: did you mean 'it_answers'\?"):
        laws_for(names=["it_agrees_with_the_exact_gradient", "it_answer"])
    with pytest.raises(LawError, match=r"law 'it_answers' is not known: .*expected a list of it_answers"):
        laws_for(names="it_answers")


def test_where_nothing_can_be_said_of_an_answer_an_oracle_accuses_nobody_either():
    case = Case(PROBLEM, InProcess(doubled))
    case.judgement = Judgement(Verdict.INCONCLUSIVE, "float64", reason="it is too wide")
    outcome = agreement_with(Oracle("planted", off, "Not at all.")).on(case)
    assert (outcome.status, outcome.message) == (Status.NOT_APPLICABLE, "it is too wide")
