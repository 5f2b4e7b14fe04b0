"""Strategies: every kind of problem does occur, exact in the precision, within what is supported, and the same for a seed."""

from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

import backproof
from backproof import Problem
from properties.problems.architecture import Architecture, architecture_of
from properties.problems.blocks import draw_problems
from properties.problems.strategies import STYLES, HypothesisPicker, Recorder, pick_problem
from properties.problems.support import Support
from properties.problems.values import EXTREMES, SHORT, SPECIALS, VALUE_CLASSES, ValuePlan, problem_of_seed, rounded
from reference.forward import forward
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import name_and_parameters, row_of
from rounding.precisions import PRECISIONS

OF_LABELS = [name for name in LOSSES if row_of(LOSSES, name).expected.labels]

PRECISION_NAMES = list(PRECISIONS)


def drawn(support=None, precision="float64", seed=11, count=300):
    """Problems of a seed."""
    return list(draw_problems(count, seed, support or Support(), precision))


@pytest.fixture(scope="module")
def many():
    return drawn(count=700)


def test_every_choice_occurs(many):
    seen = Counter()
    for problem in many:
        seen.update({("activation", name if isinstance(name, str) else str(name)) for name in problem.activations})
        seen.update([("loss", str(problem.loss)), ("reduction", problem.reduction), ("depth", problem.depth), ("batch", problem.batch)])
        seen.update(("width", width) for width in problem.widths)
        biased = [b is not None for b in problem.biases]
        seen.update([("biases", "all" if all(biased) else "some" if any(biased) else "none")])
    support = Support()
    expected = [("activation", str(choice)) for choice in support.activation_choices]
    expected += [("loss", str(choice)) for choice in support.loss_choices]
    expected += [("reduction", "sum"), ("reduction", "mean"), *(("biases", mode) for mode in ("all", "some", "none"))]
    expected += [(name, n) for name, most in (("depth", 6), ("batch", 5), ("width", 6)) for n in range(1, most + 1)]
    rare = {what: seen[what] for what in expected if seen[what] < 5}
    assert not rare
    assert {what for what, _ in seen} == {"activation", "loss", "reduction", "depth", "batch", "width", "biases"}


def on_a_kink(problem):
    with np.errstate(all="ignore"):
        passed = forward(problem)
    rows = [row_of(ACTIVATIONS, choice) for choice in problem.activations]
    return any((z == kink).any() for row, z in zip(rows, passed.pre_activations, strict=True) for kink, _ in row.kinks)


SPECIAL = [
    ("a tie on a kink", on_a_kink, 30),
    ("equal samples", lambda p: p.batch > 1 and any(np.array_equal(p.x[0], p.x[i]) for i in range(1, p.batch)), 10),
    ("equal nodes", lambda p: len(p.weights[0]) > 1 and np.array_equal(p.weights[0][0], p.weights[0][-1]), 10),
    ("no error in a sample", lambda p: (forward(p).activations[-1][0] == p.y[0]).any(), 5),
    ("subnormal numbers", lambda p: any(((a != 0) & (np.abs(a) < 2.0**-1022)).any() for _, a in p.arrays()), 5),
    ("tiny numbers", lambda p: any(((a != 0) & (np.abs(a) < 1e-20)).any() for _, a in p.arrays()), 15),
    ("huge numbers", lambda p: any((np.abs(a) > 1e10).any() for _, a in p.arrays()), 15),
    ("zeros", lambda p: any((a == 0).any() for _, a in p.arrays()), 50),
    ("saturation", lambda p: any((np.abs(z) > 30).any() for z in forward(p).pre_activations), 15),
    ("square layers", lambda p: any(w.shape[0] == w.shape[1] > 1 for w in p.weights), 50),
    ("finite gradients", lambda p: np.isfinite(backproof.gradient(p).weights[0]).all(), 450),
]


@pytest.mark.parametrize(("holds", "least"), [row[1:] for row in SPECIAL], ids=[row[0] for row in SPECIAL])
def test_special_problems_occur(many, holds, least):
    with np.errstate(all="ignore"):
        assert sum(bool(holds(problem)) for problem in many) >= least


@pytest.mark.parametrize("activation", ["relu", "hardtanh", "relu6"])
def test_a_tie_is_on_a_kink(activation):
    architecture = Architecture((3, 2, 1), 2, ("identity", activation), (True, True), "half_squared_error", "sum")
    tied = [problem_of_seed(architecture, ValuePlan("short", special="tie"), seed) for seed in range(40)]
    assert all(on_a_kink(problem) for problem in tied)
    plain = [problem_of_seed(architecture, ValuePlan("normal"), seed) for seed in range(40)]
    assert not any(on_a_kink(problem) for problem in plain)


@pytest.mark.parametrize("loss", OF_LABELS)
def test_expected_outputs_are_probabilities(many, loss):
    outputs = [problem.y for problem in many if name_and_parameters(problem.loss)[0] == loss]
    assert len({float(y) for ys in outputs for y in ys.ravel()}) >= 3
    assert all(((ys >= 0) & (ys <= 1)).all() for ys in outputs)
    if loss == "softmax_cross_entropy":
        assert all((ys.sum(axis=1) == 1).all() for ys in outputs)


@pytest.mark.parametrize("precision", PRECISION_NAMES)
def test_numbers_are_exact_in_the_precision(precision):
    for problem in drawn(precision=precision, seed=5, count=80):
        for name, array in problem.arrays():
            assert np.array_equal(PRECISIONS[precision].held(array), array), name


@pytest.mark.parametrize("precision", PRECISION_NAMES)
@pytest.mark.parametrize("value_class", VALUE_CLASSES)
def test_every_plan_gives_a_problem(value_class, precision):
    architecture = architecture_of(
        Problem([[[1.0, 1.0]], [[1.0]]], biases=[[1.0], None], activations=["relu", "tanh"], x=[[1.0, 1.0]], y=[[1.0]])
    )
    for extreme in EXTREMES:
        for special in SPECIALS:
            for seed in range(2):
                plan = ValuePlan(value_class, extreme, special)
                assert problem_of_seed(architecture, plan, seed, precision) == problem_of_seed(architecture, plan, seed, precision)


WIDE = Architecture((3, 4, 4, 3), 4, ("tanh", "relu", "hardtanh"), (True, False, True), "half_squared_error", "sum")
PLANS = [
    ("subnormal", ValuePlan("normal", "subnormal"), lambda a: 0 < np.abs(a).max() < 2.0**-1018),
    ("tiny", ValuePlan("normal", "tiny"), lambda a: 0 < np.abs(a).max() < 0.5),
    ("huge", ValuePlan("one_sign", "huge"), lambda a: np.abs(a).max() > 8),
]


@pytest.mark.parametrize(("plan", "holds"), [row[1:] for row in PLANS], ids=[row[0] for row in PLANS])
def test_one_array_is_extreme(plan, holds):
    for seed in range(20):
        plain = dict(problem_of_seed(WIDE, ValuePlan(plan.value_class), seed).arrays())
        extreme = dict(problem_of_seed(WIDE, plan, seed).arrays())
        (changed,) = [name for name in plain if not np.array_equal(plain[name], extreme[name])]
        assert holds(extreme[changed])


def test_special_plans_do_what_they_say():
    for seed in range(20):
        twins = problem_of_seed(WIDE, ValuePlan("normal", special="equal_samples"), seed)
        assert np.array_equal(twins.x[-1], twins.x[0])
        assert np.array_equal(twins.y[-1], twins.y[0])
        nodes = problem_of_seed(WIDE, ValuePlan("normal", special="equal_nodes"), seed).weights
        assert all(np.array_equal(w[-1], w[0]) for w in nodes[:-1])
        exact = problem_of_seed(WIDE, ValuePlan("normal", special="no_error"), seed)
        assert np.array_equal(forward(exact).activations[-1][0], exact.y[0])
    ties = sum(on_a_kink(problem_of_seed(WIDE, ValuePlan("normal", special="tie"), seed)) for seed in range(40))
    assert ties >= 20


@pytest.mark.parametrize("precision", PRECISION_NAMES)
def test_rounding_is_never_infinite(precision):
    row = PRECISIONS[precision]
    assert rounded([1e308, -1e308, 0.1], precision).tolist() == [min(1e308, row.largest), max(-1e308, -row.largest), row.held([0.1])[0]]


SUPPORTS = [
    ("same_hidden", {"same_hidden": True}, lambda p: len(set(map(str, p.activations[:-1]))) <= 1),
    ("output_activations", {"output_activations": ["identity"], "activations": ["relu"]}, lambda p: p.activations[-1] == "identity"),
    ("hidden activations", {"output_activations": ["identity"], "activations": ["relu"]}, lambda p: set(p.activations[:-1]) <= {"relu"}),
    ("biases", {"biases": True}, lambda p: all(b is not None for b in p.biases)),
    ("no biases", {"biases": False}, lambda p: all(b is None for b in p.biases)),
    ("depth", {"depth": (2, 3)}, lambda p: 2 <= p.depth <= 3),
    ("batch", {"batch": (3, 3)}, lambda p: p.batch == 3),
    ("width", {"width": (2, 4)}, lambda p: all(2 <= n <= 4 for n in p.widths)),
    ("losses", {"losses": [("huber", {"delta": 3.0})]}, lambda p: p.loss == ("huber", {"delta": 3.0})),
    ("reductions", {"reductions": ["mean"]}, lambda p: p.reduction == "mean"),
]


@pytest.mark.parametrize(("supports", "holds"), [row[1:] for row in SUPPORTS], ids=[row[0] for row in SUPPORTS])
def test_only_what_is_supported_is_drawn(supports, holds):
    support = Support.of(supports)
    problems = drawn(support, count=60)
    assert len(problems) == 60
    assert all(holds(problem) for problem in problems)


def test_the_same_seed_gives_the_same_problems():
    first = [problem.to_json() for problem in drawn(seed=3, count=50)]
    assert first == [problem.to_json() for problem in drawn(seed=3, count=50)]
    assert first != [problem.to_json() for problem in drawn(seed=4, count=50)]
    assert len(set(first)) > 40


@settings(max_examples=60)
@given(st.data(), st.sampled_from(PRECISION_NAMES))
def test_a_recorded_problem_is_drawn_again(data, precision):
    problem = data.draw(backproof.strategies.problems(precision=precision, depth=3, width=3, batch=3))
    recorder = Recorder(problem)
    try:
        again = pick_problem(recorder, Support(), precision)
    except ValueError:  # labels that only NumPy's styles draw
        assert problem.loss in OF_LABELS
        return
    assert again == problem

    choices = iter(recorder.choices)
    # a drawing that gives back the choices one by one
    assert pick_problem(HypothesisPicker(lambda strategy: next(choices), precision), Support(), precision) == problem
    assert next(choices, None) is None


def test_free_and_seeded_styles_both_occur():
    assert STYLES[0] == "free"
    assert set(STYLES[1:]) == set(VALUE_CLASSES)


def test_a_given_of_your_own_works_and_shrinks():
    smallest = find(
        backproof.strategies.problems(activations=["tanh", "relu"], losses=["half_squared_error"], biases=True, batch=3),
        lambda problem: "relu" in problem.activations and problem.batch > 1,
        settings=settings(max_examples=200, database=None),
        random=Random(0),
    )
    assert (smallest.depth, smallest.batch, smallest.widths) == (1, 2, (1, 1))
    assert all(np.isin(array, SHORT).all() for _, array in smallest.arrays())
    assert smallest.activations == ("relu",)


@pytest.mark.parametrize("precision", ["float64", "float32", "float16", "bfloat16/float32"])
def test_what_a_given_of_your_own_draws_can_be_judged(precision):
    @settings(max_examples=30, database=None)
    @given(backproof.strategies.problems(precision=precision))
    def each(problem):
        judgement = backproof.verify(problem, backproof.gradient(problem), precision=precision)
        assert judgement.passed, str(judgement)

    each()


def test_the_simplest_problem_is_simple():
    simplest = next(draw_problems(1, 0, Support()))
    assert (simplest.depth, simplest.batch, simplest.widths, simplest.activations) == (1, 1, (1, 1), ("identity",))
    assert set(LOSSES) >= {name_and_parameters(simplest.loss)[0]}
