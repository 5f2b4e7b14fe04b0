"""What shows at real sizes alone is told with the sizes at which it begins, and the rows, columns or samples that are off."""

import time
from itertools import pairwise

import numpy as np
import pytest

from backproof import Gradient, check
from backproof.findings.finding import finding_of
from backproof.targets.target import InProcess
from properties.answers.answer import Answer
from properties.diagnosis import at_sizes
from properties.diagnosis.asked import Asked
from properties.diagnosis.at_sizes import _nodes_of_a, _of_samples, _placed, _shown, diagnose_at_sizes
from properties.diagnosis.budget import Budget, Spent
from properties.diagnosis.explanation import Reading
from properties.diagnosis.ladder import Rung
from properties.diagnosis.off_entries import of_samples, off_arrays, those, what_samples_count
from properties.diagnosis.sizes import Cutting, Pattern, _tile, pattern, smallest
from properties.faults.fault import STEPS, Network
from properties.problems.support import Support
from properties.verdict import Verdict
from reference.problem import Problem
from rounding.precisions import PRECISIONS

LIMIT = 600.0
"""Seconds, which no test comes to: what is asked must not depend on the machine."""


def posed(batch, *widths, seed=0, **parts):
    rng = np.random.default_rng(seed)
    layers = list(pairwise(widths))
    return Problem(
        [rng.normal(size=(m, n)) / np.sqrt(n) for n, m in layers],
        biases=[rng.normal(size=m) for _, m in layers],
        activations=[*["tanh"] * (len(layers) - 1), "identity"],
        x=rng.normal(size=(batch, widths[0])),
        y=rng.normal(size=(batch, widths[-1])),
        **parts,
    )


def lost_the_last_tile(width):
    """Columns of dC/dW beyond the last whole tile are left out, where there is a whole one."""

    def weight_gradient(p, layer):
        gradient = STEPS["weight_gradient"](p, layer).copy()
        n = gradient.shape[1]
        if n > width and n % width:
            gradient[:, n - n % width :] = 0
        return gradient

    return {"weight_gradient": weight_gradient}


def summed_the_first(count):
    def weight_gradient(p, layer):
        product = p.deltas[layer][:count].T @ p.a[layer - 1][:count]
        return np.asarray(product)

    return {"weight_gradient": weight_gradient}


def took_the_error_of_the_first(count):
    def reduction(p, error):
        error = STEPS["reduction"](p, error).copy()
        error[count:] = 0
        return error

    return {"reduction": reduction}


def ignored_the_last_row(width):
    """The last row of W is taken for 0 in the forward pass, where there are more than so many."""

    def pre_activation(p, layer):
        z = STEPS["pre_activation"](p, layer).copy()
        if z.shape[1] > width:
            z[:, -1] = 0 if p.bias(layer) is None else p.bias(layer)[-1]
        return z

    return {"pre_activation": pre_activation}


def accumulated_in_float32(batch):
    def weight_gradient(p, layer):
        if p.batch <= batch:
            return STEPS["weight_gradient"](p, layer)
        return (p.deltas[layer].astype(np.float32).T @ p.a[layer - 1].astype(np.float32)).astype(np.float64)

    return {"weight_gradient": weight_gradient}


def passed_down_to_the_first(count):
    def error_below(p, layer):
        error = STEPS["error_below"](p, layer).copy()
        error[:, count:] = 0
        return error

    return {"error_below": error_below}


PLANTED = {
    # what is planted, the problem that shows it -> equation, and what must be said
    "tile of 32": (
        lost_the_last_tile(32),
        posed(16, 50, 77, 20),
        10,
        ["from 33 nodes in layer 1 on, where their number is no multiple of 32", "the last 2 of 34 columns of dC/dW of layer 2"],
    ),
    "tile of 10": (
        lost_the_last_tile(10),
        posed(8, 50, 12, 5),
        10,
        ["from 11 nodes in layer 1 on, where their number is no multiple of 10"],
    ),
    "first 256 in dC/dW": (
        summed_the_first(256),
        posed(300, 30, 40, 10),
        10,
        ["from 257 samples on;", "the last 2 of 258 samples count 0, and all others 1"],
    ),
    "first 64 of the error": (
        took_the_error_of_the_first(64),
        posed(100, 12, 8, 5),
        10,
        ["from 65 samples on;", "the last 2 of 66 samples count 0, and all others 1"],
    ),
    "last row of W": (
        ignored_the_last_row(128),
        posed(8, 20, 150, 10),
        None,
        ["from 129 nodes in layer 1 on;", "a of layer 1 is off in the last of 130 nodes"],
    ),
    "float32": (accumulated_in_float32(100), posed(150, 20, 16, 10), 10, ["from 101 samples on;", "as sums in float32 would be"]),
    "passed down": (
        passed_down_to_the_first(48),
        posed(8, 20, 64, 70, 10),
        11,
        ["from 49 nodes in layer 2 on;", "delta of layer 2 is off in the last 2 of 50 nodes"],
    ),
}


def told(changed, problem, support=None):
    network = Network(changed, ("weights", "biases"))
    return diagnose_at_sizes(InProcess(lambda posed: network(posed)), Support.of(support), problem, seconds=LIMIT)


@pytest.mark.parametrize("case", PLANTED)
def test_what_begins_at_a_size_is_told_with_it(case):
    changed, problem, equation, said = PLANTED[case]
    (one,) = told(changed, problem)
    assert one.equation == equation
    assert one.cause is None
    assert one.explanation.endswith("Cause not known.")
    for part in said:
        assert part in one.explanation
    # the table holds both sides of where it begins
    shows = dict(one.evidence["tables"][0]["rows"])
    begins = min(size for size, shown in shows.items() if shown)
    assert shows[begins - 1] == 0


@pytest.mark.parametrize("changed", [{}, lost_the_last_tile(512)], ids=["right", "right at these sizes"])
def test_nothing_is_told_of_what_is_right_there(changed):
    assert told(changed, posed(70, 64, 66, 10)) == ()


def test_nothing_is_told_of_what_shows_in_small_problems():
    doubled = {"weight_gradient": lambda p, layer: 2 * STEPS["weight_gradient"](p, layer)}
    assert told(doubled, posed(20, 30, 40, 10)) == ()
    assert told(doubled, posed(2, 3, 2)) == ()


def test_of_one_shape_the_samples_alone_are_cut():
    changed, problem, _, _ = PLANTED["first 64 of the error"]
    (one,) = told(changed, problem, {"widths": [12, 8, 5]})
    assert "from 65 samples on;" in one.explanation


def test_without_biases_some_columns_are_still_of_the_product():
    (one,) = told(lost_the_last_tile(32), posed(4, 50, 77, 20), {"biases": False})
    assert one.equation == 10
    assert "dC/dW, while delta is as it should be" in one.explanation
    assert "no multiple of 32" in one.explanation


def test_classes_stay_one_hot():
    rng = np.random.default_rng(1)
    problem = posed(8, 50, 40, 10)
    problem = problem.replaced(loss="softmax_cross_entropy", y=np.eye(10)[rng.integers(10, size=8)])
    (one,) = told(lost_the_last_tile(32), problem, {"losses": ["softmax_cross_entropy"], "output_activations": ["identity"]})
    assert "no multiple of 32" in one.explanation


def test_no_time_is_no_diagnosis():
    changed, problem, _, _ = PLANTED["tile of 32"]
    network = Network(changed, ("weights", "biases"))
    assert diagnose_at_sizes(InProcess(lambda posed: network(posed)), Support(), problem, seconds=0.0) == ()


@pytest.mark.parametrize(
    ("indices", "of", "said"),
    [
        ([0, 1, 2], 5, "the first 3 of 5 columns"),
        ([3, 4], 5, "the last 2 of 5 columns"),
        ([4], 5, "the last of 5 columns"),
        ([2], 5, "column 2 of 5, from 0"),
        ([1, 3], 5, "columns 1, 3 of 5, from 0"),
        ([1, 3, 5, 7, 8, 9], 12, "columns 1, 3, 5, 7 and 2 more of 12, from 0"),
        ([0, 1], 2, "all columns"),
    ],
)
def test_columns_in_words(indices, of, said):
    assert those(np.array(indices), of, "column") == said


def test_what_is_0_by_itself_says_nothing_of_a_column():
    problem = posed(1, 3, 4, 2).replaced(activations=["relu", "identity"])
    # of a node that is dead a column of dC/dW above is 0
    biases = [np.array([50.0, -50.0, 50.0, 50.0]), problem.biases[1]]
    problem = problem.replaced(biases=biases)
    right = Network(answers=("weights", "biases"))(problem)
    wrong = [right.weights[0], np.vstack([right.weights[1][:1], 0 * right.weights[1][1:]])]
    (one,) = off_arrays(problem, Gradient(wrong, right.biases), PRECISIONS["float64"])
    assert str(one) == "the last of 2 rows of dC/dW of layer 2"
    assert not one.whole
    everything = [right.weights[0], 2 * right.weights[1]]
    (one,) = off_arrays(problem, Gradient(everything, right.biases), PRECISIONS["float64"])
    assert one.whole
    assert one.relative == pytest.approx(1.0)


def test_what_samples_count_is_read():
    problem = posed(7, 12, 9, 5)
    weights = np.array([1.0, 1.0, 0.5, 1.0, 1.0, 1.0, 0.5])
    answer = Network(answers=("weights", "biases"))(problem.replaced(sample_weights=weights))
    counts = what_samples_count(problem, answer)
    assert counts == pytest.approx(weights, abs=1e-9)
    assert of_samples(counts) == "samples 2, 6 of 7, from 0 count 0.5, and all others 1"
    assert of_samples(np.ones(4)) == ""
    # of samples that count this and that there is no short way to tell
    assert of_samples(np.array([1.0, 0.5, 0.25])) == ""


def test_what_samples_count_is_read_off_derivatives_that_are_theirs_alone():
    problem = posed(7, 12, 9, 5)
    right = Network(answers=("weights", "biases"))(problem)
    assert what_samples_count(problem, right) == pytest.approx(np.ones(7))
    assert what_samples_count(problem, right, ()) is None
    assert what_samples_count(problem.replaced(penalty=("l2", 0.25)), right) is None
    assert what_samples_count(problem, Gradient([np.nan * w for w in right.weights], right.biases)) is None
    # whatever each sample counts, the squares of these sums are none of them
    assert what_samples_count(problem, Gradient([w**2 for w in right.weights], right.biases)) is None


def test_only_weights_and_biases_are_told_of():
    problem = posed(2, 3, 4, 2)
    right = Network()(problem)
    wrong = Gradient(right.weights, [right.biases[0], 2 * right.biases[1]], deltas=[2 * delta for delta in right.deltas])
    assert [str(one) for one in off_arrays(problem, wrong, PRECISIONS["float64"])] == ["all of dC/db of layer 2"]


@pytest.mark.parametrize(
    ("known", "tile"),
    [
        ({33: True, 40: True, 48: True, 64: False}, 32),
        ({33: True, 48: True, 64: False, 96: False, 65: True}, 32),
        ({257: True, 264: True}, 0),
        ({11: True, 12: True, 15: True, 40: False, 24: True}, 10),
        ({9: True, 10: False, 11: True, 15: False, 12: True}, 5),
    ],
)
def test_the_tile_is_the_least_that_the_sizes_allow(known, tile):
    assert _tile(known, min(known)) == tile


def test_a_run_at_real_sizes_tells_where_it_begins():
    network = Network(lost_the_last_tile(32), ("weights", "biases"))

    def target(problem):
        return network(problem)

    target.supports = {"activations": ["tanh", "identity"], "losses": ["half_squared_error"], "reductions": ["sum"], "depth": 2}
    report = check(target, widths=[50, 77, 20], max_examples=2, seed=1, shrink_seconds=0.2)
    first = report.findings[0]
    assert "no multiple of 32" in first.explanation
    assert first.equation == 10
    assert finding_of(first.to_json()).explanation == first.explanation


def cutting(changed, whole, calls=1000, seconds=LIMIT):
    """A problem that is cut, of a target that may be asked so often."""
    network = Network(changed, ("weights", "biases"))
    budget = Budget(InProcess(lambda posed: network(posed)), calls, LIMIT)
    return Cutting(whole, budget, Support(), time.monotonic() + seconds)


@pytest.mark.parametrize("sizes", [(0, 3, 2), (1, 0, 2), (1, 3, 0)], ids=str)
def test_what_is_no_problem_is_not_asked(sizes):
    whole = cutting({}, posed(1, 3, 2))
    assert whole.cut(sizes) is None
    assert whole.trial(sizes) is None
    assert whole.asked == {}


def test_one_less_of_a_single_sample_is_not_told_to_be_right():
    whole = cutting({}, posed(1, 3, 2))
    assert not whole.is_cut((1, 3, 2), 0)
    assert whole.is_cut((1, 3, 2), 1)


def test_what_cannot_be_asked_any_more_is_not_told_to_be_right():
    assert not cutting({}, posed(1, 3, 2), seconds=-1).is_cut((1, 3, 2), 1)


def test_of_calls_that_end_the_smallest_that_showed_is_kept():
    changed = took_the_error_of_the_first(1)
    assert smallest(cutting(changed, posed(16, 3, 2), calls=2)) == (4, 3, 2)
    assert smallest(cutting(changed, posed(16, 3, 2), calls=0)) == (16, 3, 2)


def test_a_pattern_is_told_as_far_as_it_was_asked():
    changed = took_the_error_of_the_first(1)
    told_of = pattern(cutting(changed, posed(16, 3, 2), calls=3), (2, 3, 2), 0)
    assert told_of.asked == ((1, False), (2, True), (3, True), (4, True))
    assert str(told_of) == "from 2 samples on"


FROM_2 = Pattern(0, "samples", 2, 0, ((1, False), (2, True), (3, True)))


@pytest.mark.parametrize(("known", "shown"), [([(2, 3, 2), (9, 3, 2)], (2, 3, 2)), ([(9, 3, 2)], (9, 3, 2))], ids=["least", "another"])
def test_without_time_a_problem_that_was_asked_is_read(known, shown):
    whole = cutting(took_the_error_of_the_first(1), posed(16, 3, 2))
    for sizes in known:
        whole.trial(sizes)
    whole.deadline = 0.0
    assert _shown(whole, (2, 3, 2), [FROM_2]) is whole.asked[shown]


@pytest.mark.parametrize(("calls", "read"), [(0, False), (1, True)])
def test_what_is_placed_needs_one_call_at_least(calls, read):
    whole = cutting(lost_the_last_tile(2), posed(3, 5, 3), calls=1)
    trial = whole.trial((3, 5, 3))
    whole.asks.calls = calls
    at, reading = _placed(whole, trial, PRECISIONS["float64"])
    assert (reading is not None) == read
    assert at.step == ("weight_gradient" if read else "")


def test_what_samples_count_is_not_told_where_it_cannot_be_asked():
    wrong = cutting(took_the_error_of_the_first(1), posed(3, 9, 4))
    assert (
        _of_samples(wrong, (2, 9, 4), [FROM_2], {"weights", "biases"})
        == "Of the sum over samples, the last 2 of 3 samples count 0, and all others 1."
    )
    spent = cutting(took_the_error_of_the_first(1), posed(3, 9, 4), calls=0)
    assert _of_samples(spent, (2, 9, 4), [FROM_2], {"weights", "biases"}) == ""
    right = cutting({}, posed(3, 9, 4))
    assert _of_samples(right, (2, 9, 4), [FROM_2], {"weights", "biases"}) == ""


@pytest.mark.parametrize(
    ("changed", "problem", "said"),
    [
        (ignored_the_last_row(2), posed(1, 4, 3, 2), "a of layer 1 is off in the last of 3 nodes."),
        ({}, posed(1, 4, 3, 2), ""),
        (ignored_the_last_row(2), posed(2, 4, 3, 2), ""),
        (ignored_the_last_row(2), posed(1, 4, 3, 2).replaced(biases=[np.zeros(3), None]), ""),
        # a of layer 1 is off as well, and cannot be read
        (ignored_the_last_row(2), posed(1, 4, 3, 3, 2).replaced(biases=[np.zeros(3), None, np.zeros(2)]), ""),
        (ignored_the_last_row(2), posed(1, 4, 3, 2).replaced(biases=[None, None]), ""),
    ],
    ids=["off", "right", "two samples", "no bias above", "no bias between", "no biases"],
)
def test_a_is_read_of_one_sample_with_biases_alone(changed, problem, said):
    one = Asked(Rung(problem, "network"), InProcess(Network(changed, ("weights", "biases")))(problem), PRECISIONS["float64"])
    assert _nodes_of_a(Reading(one, [])) == said


def test_what_was_not_asked_for_want_of_calls_is_told(monkeypatch):
    monkeypatch.setattr(at_sizes, "CALLS", 12)
    (one,) = told(lost_the_last_tile(6), posed(2, 9, 2))
    assert "were not all asked for want of time or calls" in one.evidence["not_asked"]
    monkeypatch.undo()
    (one,) = told(lost_the_last_tile(6), posed(2, 9, 2))
    assert "not_asked" not in one.evidence


@pytest.mark.parametrize("last", [Answer(None, Verdict.RAISES, gone=True), Answer(None, Verdict.TIMES_OUT)], ids=["gone", "late"])
def test_a_target_that_is_gone_is_asked_no_more(last):
    budget = Budget(lambda problem: last, 5, LIMIT)
    with pytest.raises(Spent):
        budget(posed(1, 2, 1))
    assert budget.calls == 4
