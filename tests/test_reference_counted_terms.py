"""Weights of samples and penalties: by hand in fractions, by the equations, in both saved forms, and refused where they make no sense."""

import json
from fractions import Fraction

import numpy as np
import pytest

from properties.problems.blocks import draw_problems
from properties.problems.support import Support
from reference.backward import gradient
from reference.equations import gradient_by_equations
from reference.errors import ProblemError
from reference.functions.penalties import PENALTIES
from reference.passes import passes
from reference.problem import Problem
from rounding.arithmetic import REFERENCE
from rounding.worst_case import rounding_bound

COUNTED = {"sample_weights": None, "penalties": [None, "l2", ["l2", 0.1], ["l2_over_batch", 3.0]]}
PARTS = {"weights": [[[1.5]]], "activations": ["identity"], "x": [[1.0], [-2.0], [0.5]], "y": [[0.25], [1.0], [-1.0]]}


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("penalty", [None, "l2", "l2_over_batch"])
@pytest.mark.parametrize("counts", [None, [2.0, 0.0, 0.75]])
def test_one_weight_and_three_samples_by_hand(reduction, penalty, counts):
    # C = sum c (w x - y)^2 / 2 [/ sum c] + lambda / 2 w^2 [/ batch]
    problem = Problem(**PARTS, reduction=reduction, sample_weights=counts, penalty=penalty and (penalty, 0.125))
    w, by_hand = Fraction(3, 2), list(map(Fraction, counts or [1, 1, 1]))
    over = sum(by_hand) if reduction == "mean" else 1
    rate = 0 if penalty is None else Fraction(1, 8) / (3 if penalty == "l2_over_batch" else 1)
    samples = [(c, Fraction(x), Fraction(y)) for c, (x,), (y,) in zip(by_hand, PARTS["x"], PARTS["y"], strict=True)]
    answer = gradient(problem)
    assert float(answer.loss) == pytest.approx(
        float(sum(c * (w * x - y) ** 2 for c, x, y in samples) / 2 / over + rate / 2 * w**2), rel=1e-15
    )
    assert answer.weights[0][0, 0] == pytest.approx(float(sum(c * (w * x - y) * x for c, x, y in samples) / over + rate * w), rel=1e-15)
    assert answer.biases[0][0] == pytest.approx(float(sum(c * (w * x - y) for c, x, y in samples) / over), rel=1e-15)


def test_both_passes_and_the_equations_agree(seed_of_the_run):
    for problem in draw_problems(120, seed_of_the_run, Support.of(COUNTED)):
        with np.errstate(all="ignore"):
            bound = dict(rounding_bound(passes(problem), REFERENCE).arrays())
            by_equations = dict(gradient_by_equations(problem).arrays())
            for place, array in gradient(problem).arrays():
                if place in by_equations:
                    apart = np.abs(array - by_equations[place])
                    assert not (np.isfinite(bound[place]) & (apart > 2 * bound[place])).any(), (place, problem)


def test_a_stack_has_the_gradients_of_its_problems():
    rng = np.random.default_rng(5)
    problems = [
        Problem([rng.normal(size=(2, 3))], activations=["tanh"], x=rng.normal(size=(4, 3)), y=rng.normal(size=(4, 2)),
                reduction="mean", sample_weights=rng.uniform(0, 2, 4), penalty=("l2_over_batch", 0.5))
        for _ in range(3)
    ]  # fmt: skip
    parts = {name: np.stack([getattr(problem, name) for problem in problems]) for name in ("x", "y", "sample_weights")}
    same = {name: getattr(problems[0], name) for name in ("activations", "loss", "reduction", "penalty", "wants")}
    weights = (np.stack([problem.weights[0] for problem in problems]),)
    stack = Problem.unchecked(weights=weights, biases=(None,), **parts, **same)
    together = gradient(stack)
    for i, problem in enumerate(problems):
        assert stack.at(i) == problem
        alone = gradient(problem)
        np.testing.assert_allclose(together.weights[0][i], alone.weights[0], rtol=1e-14)
        np.testing.assert_allclose(together.loss[i], alone.loss, rtol=1e-14)


def test_some_samples_keep_their_weights():
    problem = Problem(**PARTS, sample_weights=[1, 2, 3])
    assert problem.of_samples([2, 0]).sample_weights.tolist() == [3.0, 1.0]
    assert problem.of_samples(slice(1)).batch == 1


@pytest.mark.parametrize("penalty", [None, *PENALTIES, ("l2", {"factor": 0.1}), ("l2_over_batch", 3)])
@pytest.mark.parametrize("counts", [None, [0.0, 1.0, 2.5]])
def test_both_forms_hold_them(tmp_path, counts, penalty):
    problem = Problem(**PARTS, sample_weights=counts, penalty=penalty)
    assert Problem.from_json(problem.to_json()) == problem
    for name in ("problem.json", "problem.npz"):
        problem.save(tmp_path / name)
        assert Problem.load(tmp_path / name) == problem
    assert eval(repr(problem), {"Problem": Problem}) == problem
    if counts is None and penalty is None:
        assert not {"sample_weights", "penalty"} & set(json.loads(problem.to_json()))


def test_problems_differ_by_them():
    plain = Problem(**PARTS)
    assert plain != Problem(**PARTS, sample_weights=[1, 1, 1])
    assert plain != Problem(**PARTS, penalty="l2") != Problem(**PARTS, penalty="l2_over_batch")
    assert Problem(**PARTS, penalty=("l2", 1)) == Problem(**PARTS, penalty="l2")


REFUSED = {
    "too few weights": ({"sample_weights": [1.0]}, "sample_weights has shape (1,), but x has 3 samples: expected (3,)"),
    "a weight for each number": ({"sample_weights": [[1.0], [1.0], [1.0]]}, "sample_weights has shape (3, 1), expected (batch,)"),
    "a negative weight": ({"sample_weights": [1, -2, 0]}, "sample_weights[1] is -2.0: expected numbers that are not negative"),
    "a weight that is NaN": ({"sample_weights": [1, float("nan"), 0]}, "sample_weights[1] is nan: expected finite numbers"),
    "a mean over nothing": (
        {"sample_weights": [0, 0, 0], "reduction": "mean"},
        "sample_weights add up to 0.0, over which no mean can be taken: expected a finite sum that is not 0",
    ),
    "an unknown penalty": ({"penalty": "l1"}, "penalty 'l1' is not known: expected one of l2, l2_over_batch"),
    "a negative factor": ({"penalty": ("l2", -1)}, "penalty 'l2': factor is -1.0, expected a number that is not negative"),
    "a factor that is none": ({"penalty": ("l2", {"factor": "1"})}, "penalty 'l2': factor is '1', expected a finite number"),
    "a number": ({"penalty": 0.1}, "penalty 0.1 is not known: expected one of l2, l2_over_batch"),
}


@pytest.mark.parametrize(("parts", "message"), REFUSED.values(), ids=REFUSED)
def test_what_makes_no_sense_is_refused(parts, message):
    with pytest.raises(ProblemError) as refused:
        Problem(**PARTS, **parts)
    assert message in str(refused.value)
