"""Verdicts have one written order; verify says right, lossy, nonfinite, wrong or inconclusive, and its numbers are right."""

import itertools
import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import backproof
from backproof import Gradient, Problem, ProblemError, Verdict, enclosure, verify
from properties.judging import each_array
from properties.judging import judge as judge_module
from properties.judging import judgement as judgement_module
from properties.judging.judgement import Exact, Judgement
from properties.judging.textbook import explanations
from properties.verdict import MEANINGS, worst
from reference.forward import forward
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import row_of
from reference.passes import passes
from rounding.arithmetic import worst_case_rounding
from rounding.precisions import PRECISIONS
from rounding.worst_case import rounding_bound
from tests.honest_passes import Honest

ORDER = ["right", "lossy", "inconclusive", "unstable", "nonfinite", "wrong", "impure", "malformed", "raises", "times_out"]

PROBLEM = Problem(
    [[[0.5, -1.0], [2.0, 0.25]], [[1.5, -0.5]]],
    biases=[[0.125, -0.25], [0.375]],
    activations=["tanh", "identity"],
    x=[[1.0, 0.5], [-1.0, 2.0], [0.25, 0.0]],
    y=[[0.0], [1.0], [2.0]],
)


def one_node(activation, z, y=0.0, **parts):
    """One node, one sample: z is the weight, and x is 1."""
    return Problem([[[z]]], activations=[activation], x=[[1.0]], y=[[y]], **parts)


def answer(problem=PROBLEM, dtype=np.float64, **changes):
    """The reference's own dC/dW and dC/db, and what else is given."""
    exact = backproof.gradient(problem)
    parts = {"weights": [w.astype(dtype) for w in exact.weights], "biases": [b.astype(dtype) for b in exact.biases]}
    return Gradient(**(parts | changes))


def changed(quantity, layer, index, change, problem=PROBLEM):
    """The right answer with one entry changed."""
    exact = backproof.gradient(problem)
    array = getattr(exact, quantity) if layer is None else getattr(exact, quantity)[layer - 1]
    array = np.array(array)
    array[index] = change(array[index])
    if layer is None:
        return answer(problem, **{quantity: array})
    return answer(problem, **{quantity: [array if i == layer else a for i, a in enumerate(getattr(exact, quantity), 1)]})


def test_verdicts_stand_in_the_written_order():
    assert [verdict.value for verdict in Verdict] == ORDER
    assert [verdict.severity for verdict in Verdict] == list(range(len(ORDER)))
    assert list(MEANINGS) == list(Verdict)
    assert str(Verdict.TIMES_OUT) == "times_out"


@pytest.mark.parametrize(("mild", "bad"), list(itertools.pairwise(Verdict)))
def test_the_worst_of_two_neighbours_is_the_later(mild, bad):
    assert worst([mild, bad]) is worst([bad, mild, mild]) is bad


def test_nothing_judged_is_never_right():
    assert worst([]) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("verdict", Verdict)
def test_only_right_and_lossy_pass_and_lossy_not_strictly(verdict):
    assert verdict.passes() == (verdict in ("right", "lossy"))
    assert verdict.passes(strict=True) == (verdict == "right")


def test_the_reference_is_right():
    judged = verify(PROBLEM, backproof.gradient(PROBLEM))
    assert (judged.verdict, judged.passed, judged.outside, judged.precision) == ("right", True, 0, "float64")


def test_a_pair_is_an_answer_too():
    exact = backproof.gradient(PROBLEM)
    assert verify(PROBLEM, (list(exact.weights), list(exact.biases))).judged == 9


@pytest.mark.parametrize("index", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_one_entry_off_by_1e_11_is_wrong_and_named(index):
    given = changed("weights", 1, index, lambda w: w * (1 + 1e-11))
    judged = verify(PROBLEM, given)
    low, high = (getattr(enclosure(PROBLEM), side).weights[0][index] for side in ("lower", "upper"))
    assert (judged.verdict, judged.passed) == ("wrong", False)
    assert (judged.place.quantity, judged.place.layer, judged.index) == ("weights", 1, index)
    assert judged.got == given.weights[0][index]
    assert judged.exact == (low, high)
    assert judged.outside == 1
    assert judged.judged == 4 + 2 + 2 + 1
    exact = Fraction(high if judged.got > high else low)
    assert judged.distance == pytest.approx(float(abs(Fraction(judged.got) - exact)), rel=1e-6)
    allowed = rounding_bound(passes(PROBLEM), worst_case_rounding(PRECISIONS["float64"], None))
    assert judged.allowed == allowed.weights[0][index] < judged.distance < 1e-10


def test_outside_counts_every_entry_and_the_worst_is_named():
    exact = backproof.gradient(PROBLEM)
    weights = [exact.weights[0] * (1 + 1e-9), exact.weights[1] * (1 + 1e-3)]
    judged = verify(PROBLEM, answer(weights=weights))
    assert (judged.outside, judged.place.layer) == (6, 2)


EXTRA = [("x", None, (1, 1)), ("loss", None, ()), ("pre_activations", 1, (2, 0)), ("activations", 1, (0, 1)), ("deltas", 2, (1, 0))]


@pytest.mark.parametrize(("quantity", "layer", "index"), EXTRA, ids=[row[0] for row in EXTRA])
def test_what_else_is_given_is_judged_too(quantity, layer, index):
    assert verify(PROBLEM, changed(quantity, layer, index, lambda v: v)).verdict == "right"
    judged = verify(PROBLEM, changed(quantity, layer, index, lambda v: v + 1e-8))
    assert (judged.verdict, judged.place.quantity, judged.place.layer, judged.index) == ("wrong", quantity, layer, index)


NOT_FINITE = [("nan", math.nan), ("inf", math.inf), ("-inf", -math.inf)]


@pytest.mark.parametrize("value", [v for _, v in NOT_FINITE], ids=[n for n, _ in NOT_FINITE])
def test_not_finite_where_the_exact_gradient_is_finite(value):
    judged = verify(PROBLEM, changed("biases", 1, (1,), lambda b: value))
    assert (judged.verdict, judged.passed, judged.outside) == ("nonfinite", False, 1)
    assert (judged.place.quantity, judged.index) == ("biases", (1,))
    assert np.array_equal(judged.got, value, equal_nan=True)
    assert judged.distance == math.inf


@pytest.mark.parametrize("value", [v for _, v in NOT_FINITE], ids=[n for n, _ in NOT_FINITE])
def test_what_is_not_finite_comes_before_what_is_wrong_beside_it(value):
    """A NaN has often made the others wrong; however far these are off, it is the one that is shown."""
    given = changed("biases", 1, (1,), lambda b: value)
    given.weights[0][0, 0] = 1e300
    judged = verify(PROBLEM, given)
    assert (judged.verdict, judged.place.quantity, judged.index, judged.outside) == ("nonfinite", "biases", (1,), 2)


def test_nan_beside_a_wrong_zero_is_told_as_nan():
    """As code has it that takes exp(z) / (1 + exp(z)) for the sigmoid, and treats a node with an infinite exp as off."""
    problem = Problem([[[1.0], [800.0]]], activations=["tanh"], x=[[1.0]], y=[[0.0, 0.0]])
    exact = backproof.gradient(problem).weights[0]
    judged = verify(problem, ([np.array([[0.0], [math.nan]])], None))
    assert exact[0, 0] != 0
    assert (judged.verdict, judged.index, judged.outside) == ("nonfinite", (1, 0), 2)
    assert math.isnan(judged.got)


def test_what_may_be_infinite_is_not_worse_than_what_is_wrong():
    problem = Problem([[[1.0], [1e200]]], activations=["identity"], x=[[1e200]], y=[[0.0, 0.0]])
    judged = verify(problem.replaced(x=[[1e120]], y=[[1e10, 0.0]]), ([np.array([[1.0], [math.inf]])], None))
    assert (judged.verdict, judged.index) == ("wrong", (0, 0))


LOSSY = [
    ("tanh", 9.0, lambda z: 1 - math.tanh(z) ** 2, "tanh"),
    ("sigmoid", 20.0, lambda z: (1 / (1 + math.exp(-z))) * (1 - 1 / (1 + math.exp(-z))), "sigmoid"),
]


@pytest.mark.parametrize(("activation", "z", "slope", "name"), LOSSY, ids=[row[0] for row in LOSSY])
def test_a_textbook_formula_that_loses_digits_is_lossy(activation, z, slope, name):
    problem = one_node(activation, z)
    a = float(backproof.gradient(problem).activations[0][0, 0])
    given = ([[[a * slope(z)]]], None)
    judged = verify(problem, given)
    assert (judged.verdict, judged.passed, judged.functions) == ("lossy", True, (name,))
    assert f"{name} sees z = {z:g}" in judged.reason
    assert "of 16 digits are left" in judged.reason
    assert judged.reason.startswith("as far off as ")
    assert " would be, whatever the code computes it by; here " in judged.reason
    assert judged.allowed < judged.distance
    assert not verify(problem, given, strict=True).passed
    assert verify(problem, ([[[a * slope(z) * (1 + 1e-3)]]], None)).verdict == "wrong"


def test_of_functions_that_each_explain_an_answer_none_is_blamed_alone():
    """p - y loses the digits behind an exact sigmoid, whose textbook formula would lose as many."""
    problem = Problem(
        [[[1.0]], [[160.0], [0.0]]], activations=["sigmoid", "identity"], x=[[-3.0]], y=[[1, 0]], loss="softmax_cross_entropy"
    )
    a = backproof.gradient(problem).activations
    p = np.exp(a[1] - a[1].max()) / np.exp(a[1] - a[1].max()).sum()
    delta = p - problem.y
    slope = np.exp(-3.0) / (1 + np.exp(-3.0)) ** 2
    first = delta @ problem.weights[1] * slope * problem.x
    judged = verify(problem, ([first, delta.T @ a[0]], None))
    assert judged.verdict == "lossy"
    assert "softmax_cross_entropy" in judged.functions
    assert judged.one_of == (len(judged.functions) > 1)
    if judged.one_of:
        assert judged.reason.startswith(f"one of {', '.join(judged.functions)}: ")


def test_a_run_finds_out_which_function_loses_digits():
    def target(problem):
        passed = forward(problem)
        a, z = passed.activations, passed.pre_activations
        p = np.exp(a[-1] - a[-1].max(axis=1, keepdims=True))
        delta, weights, biases = p / p.sum(axis=1, keepdims=True) - problem.y, [], []
        for layer in reversed(range(problem.depth)):
            weights.insert(0, delta.T @ a[layer])
            biases.insert(0, None if problem.biases[layer] is None else delta.sum(axis=0))
            if layer:
                delta = delta @ problem.weights[layer] * row_of(ACTIVATIONS, problem.activations[layer - 1]).derivative(z[layer - 1])
        return weights, biases

    target.supports = {
        "activations": ["sigmoid", "tanh"],
        "output_activations": ["identity"],
        "losses": ["softmax_cross_entropy"],
        "reductions": ["sum"],
    }
    report = backproof.check(target, max_examples=60, seed=4, laws=["it_agrees_with_the_exact_gradient"], shrink_seconds=20)
    assert {finding.judgement.functions for finding in report.findings} == {("softmax_cross_entropy",)}


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_every_slope_is_right_on_the_kink_of_relu(slope):
    problem = Problem([[[1.0]]], biases=[[-1.0]], activations=["relu"], x=[[1.0]], y=[[3.0]])
    assert verify(problem, ([[[-3.0 * slope]]], [[-3.0 * slope]])).verdict == "right"


@pytest.mark.parametrize("slope", [-0.1, 1.1])
def test_no_slope_beyond_both_sides_is_right_on_the_kink(slope):
    problem = Problem([[[1.0]]], biases=[[-1.0]], activations=["relu"], x=[[1.0]], y=[[3.0]])
    assert verify(problem, ([[[-3.0 * slope]]], [[-3.0 * slope]])).verdict == "wrong"


def test_a_pre_activation_near_a_kink_may_be_on_either_side_of_it_in_a_narrow_precision():
    near = Problem([[[1.0, 1.0]]], activations=["relu"], x=[[1.0, -1.0 + 2.0**-24]], y=[[1.0]])
    sides = [np.float32([[0.0, 0.0]]), np.float32([[-1.0, 1.0 - 2.0**-24]]), np.float32([[1.0, -1.0]])]
    assert [verify(near, ([side], None)).verdict for side in sides] == ["right", "right", "wrong"]
    assert [verify(near, ([np.float64(side)], None)).verdict for side in sides] == ["wrong", "wrong", "wrong"]


def test_rounding_at_a_kink_is_allowed_for_whichever_slope_is_taken():
    tie = Problem([[[0.0]], [[0.1]]], activations=["relu", "identity"], x=[[0.7]], y=[[-0.3]])
    error = 0.1 * 0.3
    assert verify(tie, ([[[error * 0.7 * (1 + 2.0**-52)]], [[0.0]]], None)).verdict == "right"
    assert verify(tie, ([[[error * 0.7 * (1 + 1e-7)]], [[0.0]]], None)).verdict == "wrong"


def test_a_pass_that_takes_another_slope_than_the_reference_rounds_by_its_own_sizes():
    """Of the reference, whose slope is 0 on the kink, nothing is left that could round."""
    weights, x = [np.zeros((1, 9)), np.float32([[0.1]])], np.float32(np.linspace(0.1, 0.9, 9))[None]
    tie = Problem(weights, activations=["relu", "identity"], x=x, y=np.float32([[-0.3]]))
    answer = Honest(np.float32, side=1.0).gradient(tie)
    assert verify(tie, Gradient(answer.weights)).verdict == "right"


def test_where_the_worst_case_is_wider_than_the_gradient_the_second_moment_bound_judges():
    rng = np.random.default_rng(1)
    widths = [40, *8 * [60]]
    weights = [rng.normal(size=(n, m)).astype(np.float32) / 4 for m, n in pairwise(widths)]
    x, y = rng.normal(size=(2, 40)).astype(np.float32), rng.normal(size=(2, 60)).astype(np.float32)
    problem = Problem(weights, activations=["tanh"] * 8, x=x, y=y)
    exact = backproof.gradient(problem)
    narrow = [np.asarray(weight, dtype=np.float32) for weight in exact.weights]
    judged = verify(problem, (narrow, None))
    assert (judged.verdict, judged.bound) == ("right", "8 sigma of the second-moment bound (statistical)")
    assert verify(problem, ([np.zeros_like(weight) for weight in narrow], None)).verdict == "wrong"


def test_an_answer_right_to_a_narrower_precision_says_so():
    rounded = [np.float64(np.float32(w)) for w in backproof.gradient(PROBLEM).weights]
    judged = verify(PROBLEM, (rounded, backproof.gradient(PROBLEM).biases))
    assert judged.verdict == "wrong"
    assert judged.meets == "float32"
    assert "  hint     right to float32: if that is what it computes in, say precision=float32 (--precision float32)" in str(judged)
    # off by a thousandth is right to bfloat16, but its numbers are none of bfloat16
    off = [1.001 * w for w in backproof.gradient(PROBLEM).weights]
    assert verify(PROBLEM, (off, backproof.gradient(PROBLEM).biases)).meets == ""


def test_a_run_asks_for_narrower_precisions_until_an_answer_is_right_to_none(monkeypatch):
    """The first answers that are wrong, and the one that is told: not the 30 after them, nor those tried while it shrinks."""
    asked = []

    def counted(*given):
        asked.append(given)
        return found(*given)

    found = judge_module._narrower
    monkeypatch.setattr(judge_module, "_narrower", counted)
    report = backproof.check(doubled, max_examples=30, no_diagnosis=True)
    assert report.findings[0].judgement.verdict is Verdict.WRONG
    assert 2 <= len(asked) < 10


def doubled(problem):
    """Every derivative, twice: right to no precision."""
    right = backproof.gradient(problem)
    return [2 * weight for weight in right.weights], right.biases


def test_a_wrong_slope_at_a_kink_is_right_to_no_precision():
    """z is so near 0 that float32 may take it for either side: a slope of 0 is right to it, and one that neither side has is not."""
    problem = Problem([[[1.0, 1.0]]], activations=["relu"], x=[[1.0, -1.0 + 2.0**-30]], y=[[1.0]])
    right = backproof.gradient(problem).weights[0]
    for slope, meets in ((0.0, "float32"), (-1.0, ""), (2.0, "")):
        judged = verify(problem, ([slope * right], None))
        assert (judged.verdict, judged.meets) == ("wrong", meets)


@pytest.mark.parametrize("value", [math.inf, math.nan, 0.0])
def test_any_answer_will_do_where_the_exact_gradient_leaves_the_range(value):
    problem = Problem([[[1.0]]], biases=[[0.0]], activations=["identity"], x=[[1e200]], y=[[0.0]])
    judged = verify(problem, ([[[value]]], [[1e200]]))
    assert (judged.verdict, judged.judged) == ("right", 1)
    assert verify(problem, ([[[value]]], [[2e200]])).verdict == "wrong"


def test_where_nothing_can_be_claimed_the_verdict_is_inconclusive():
    problem = Problem([[[1e200]]], activations=["identity"], x=[[1e200]], y=[[0.0]])
    judged = verify(problem, ([[[math.inf]]], None))
    assert (judged.verdict, judged.passed, judged.judged) == ("inconclusive", False, 0)
    assert "leaves the range" in judged.reason


DTYPES = [
    ("float64", np.float64, np.float64, "float64"),
    ("float32", np.float32, np.float32, "float32"),
    ("float16", np.float16, np.float16, "float16"),
    ("longdouble", np.longdouble, np.longdouble, "float64"),
    ("mixed", np.float64, np.float32, "float32"),
    ("mixed, the other way", np.float16, np.float64, "float16"),
]


@pytest.mark.parametrize(("weights", "biases", "precision"), [row[1:] for row in DTYPES], ids=[row[0] for row in DTYPES])
def test_the_precision_is_the_lowest_of_the_dtypes(weights, biases, precision):
    exact = backproof.gradient(PROBLEM)
    judged = verify(PROBLEM, ([w.astype(weights) for w in exact.weights], [b.astype(biases) for b in exact.biases]))
    assert (judged.verdict, judged.precision) == ("right", precision)


def test_a_named_precision_comes_before_the_dtype():
    given = answer(dtype=np.float32)
    assert verify(PROBLEM, given).verdict == "right"
    assert verify(PROBLEM, given, precision="float64").verdict == "wrong"
    assert verify(PROBLEM, answer(), precision="float16").precision == "float16"


@pytest.mark.parametrize("given", [answer(), None, "nonsense"], ids=["answer", "None", "malformed"])
def test_an_unknown_precision_is_refused(given):
    with pytest.raises(ProblemError, match=r"precision is 'half': expected one of float64, float32, tf32, float16/float32"):
        verify(PROBLEM, given, precision="half")


def test_a_problem_that_is_none_is_refused():
    with pytest.raises(ProblemError, match=r"problem is a dict: expected a backproof\.Problem"):
        verify({}, answer())


def test_torch_tensors_are_read_with_their_dtype():
    torch = pytest.importorskip("torch")
    exact = backproof.gradient(PROBLEM)
    weights = [torch.tensor(w, dtype=torch.float32, requires_grad=True) for w in exact.weights]
    judged = verify(PROBLEM, (weights, [torch.tensor(b) for b in exact.biases]))
    assert (judged.verdict, judged.precision) == ("right", "float32")


def test_float32_answers_to_numbers_that_float32_does_not_hold():
    problem = PROBLEM.replaced(weights=[w * 1.1 for w in PROBLEM.weights], x=PROBLEM.x / 3, y=PROBLEM.y + 0.1)
    given = problem.copy(np.float32)
    z = given.x @ given.weights[0].T + given.biases[0]
    a = np.tanh(z)
    delta = a @ given.weights[1].T + given.biases[1] - given.y
    hidden = (delta @ given.weights[1]) / np.cosh(z) ** 2
    pair = [hidden.T @ given.x, delta.T @ a], [hidden.sum(0), delta.sum(0)]
    assert pair[0][0].dtype == np.float32
    assert verify(problem, pair).verdict == "right"
    pair[0][0][0, 0] *= np.float32(1 + 1e-4)
    assert verify(problem, pair).verdict == "wrong"


def test_no_accusation_where_the_reference_is_not_confirmed(monkeypatch):
    off = enclosure(PROBLEM.replaced(y=PROBLEM.y + 1))
    monkeypatch.setattr(judgement_module, "enclosure", lambda problem, near: off)
    judged = verify(PROBLEM, changed("weights", 1, (0, 0), lambda w: w * 2))
    assert judged.verdict == "inconclusive"
    assert "a mistake in backproof" in judged.reason
    assert judged.disagreement


def test_ball_arithmetic_confirms_the_reference():
    assert Exact(PROBLEM).disagreement(PRECISIONS["float64"]) is None


@pytest.mark.parametrize("strict", [False, True])
def test_an_answer_passes_fails_or_is_neither(strict):
    for verdict in Verdict:
        judgement = Judgement(verdict, "float64", strict=strict)
        assert judgement.passed + judgement.failed + (verdict == "inconclusive") == 1


def test_a_judgement_shows_itself_as_it_is_told():
    judged = verify(PROBLEM, answer())
    assert repr(judged) == f"<Judgement {judged}>"
    assert repr(judged).startswith("<Judgement right (")


def test_of_the_arrays_of_a_network_that_is_too_large_nothing_more_is_said(monkeypatch):
    """They would have to be held at once."""
    off = answer(weights=[2 * weight for weight in backproof.gradient(PROBLEM).weights])
    assert [str(one.place) for one in verify(PROBLEM, off).quantities[:2]] == ["layer 1: dC/dW", "layer 2: dC/dW"]
    monkeypatch.setattr(each_array, "MOST", 5)
    told = verify(PROBLEM, off)
    assert (told.verdict, told.quantities) == ("wrong", ())
    assert "  each " not in str(told)


@pytest.mark.parametrize(
    ("needed", "counts", "by"),
    [
        ({"tanh"}, (1, 2), [("tanh",)]),
        ({"tanh", "elu"}, (1, 2), [("tanh", "elu")]),
        ({"tanh", "elu"}, (1,), []),
        ({"selu"}, (1, 3), []),
    ],
)
def test_what_explains_an_answer_are_the_fewest_formulas_that_do(needed, counts, by):
    assert explanations(["tanh", "gelu", "elu"], counts, lambda some: needed <= some) == by
