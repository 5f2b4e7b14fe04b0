"""Code with a penalty, or weights of samples, is brought by a word of adapt, and its mistakes are found; every door can ask for them."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from backproof import Problem, TargetError, adapt, check, problem_at, strategies
from backproof.doors.command_line import cli
from backproof.runs.options import in_words

LINEAR = {"activations": ["identity"], "depth": 1, "biases": True, "reductions": ["mean"]}


def decayed(weights, biases, x, y, sample_weight=None, *, of_biases=0.0):
    (W,), (b,) = weights, biases
    delta = (x @ W.T + b - y) * (1 if sample_weight is None else sample_weight[:, None])
    delta = delta / (len(x) if sample_weight is None else sample_weight.sum())
    return [delta.T @ x + 0.25 * W], [delta.sum(axis=0) + of_biases * b]


def with_decayed_biases(weights, biases, x, y, sample_weight):
    return decayed(weights, biases, x, y, sample_weight, of_biases=0.25)


def over_the_batch(weights, biases, x, y, sample_weight):
    (W,), (b,) = weights, biases
    delta = (x @ W.T + b - y) * sample_weight[:, None] / len(x)
    return [delta.T @ x + 0.25 * W], [delta.sum(axis=0)]


def stepped(weights, biases, x, y, lr):
    (W,), (b,) = weights, biases
    delta = (x @ W.T + b - y) / len(x)
    W *= 1 - 0.25 * lr
    W -= lr * delta.T @ x
    b -= lr * delta.sum(axis=0)


@pytest.mark.parametrize(
    ("f", "words", "verdict"),
    [
        (decayed, {}, "right"),
        (decayed, {"sample_weights": "sample_weight"}, "right"),
        (decayed, {"penalty": ("l2", 0.125)}, "wrong"),
        (decayed, {"penalty": ("l2_over_batch", 0.25)}, "wrong"),
        (decayed, {"penalty": None}, "wrong"),
        (with_decayed_biases, {"sample_weights": "sample_weight"}, "wrong"),
        (stepped, {"returns": "updated", "learning_rate": "lr"}, "right"),
    ],
)
def test_a_penalty_is_said_in_a_word(f, words, verdict):
    report = check(adapt(f, activations=False, supports=LINEAR, **{"penalty": ("l2", 0.25), **words}), seed=1, max_examples=40)
    assert report.verdict == verdict, str(report)


def test_a_weighted_mean_over_the_batch_is_found():
    report = check(adapt(over_the_batch, activations=False, supports=LINEAR, penalty=("l2", 0.25), sample_weights="sample_weight"), seed=1)
    assert report.verdict == "wrong"
    assert report.findings[0].problem.sample_weights is not None


@pytest.mark.parametrize("words", [{"penalty": "l2"}, {"sample_weights": "sample_weight"}])
def test_one_sample_at_a_time_has_neither(words):
    with pytest.raises(TargetError, match="samples is 'one', and penalty or sample_weights is given: a sample alone has neither"):
        adapt(decayed, samples="one", **words)


def test_laws_that_do_not_apply_for_one_reason_are_told_together():
    told = str(check(adapt(decayed, activations=False, supports=LINEAR, penalty=("l2", 0.25)), seed=1, max_examples=20)).splitlines()
    (line,) = [line for line in told if "with a penalty on the weights it does not hold" in line]
    assert line.startswith("not applicable: batch_gradients_add, the_mean_is_the_sum_over_the_batch_size, ")


def test_every_door_can_ask_for_them(tmp_path):
    asked = {"sample_weights": True, "penalties": [("l2", 0.5), None], "widths": [2, 1]}
    problems = [problem_at(index, 3, **asked) for index in range(12)]
    assert all(problem.sample_weights is not None for problem in problems)
    assert {problem.penalty for problem in problems if problem.penalty is None} == {None}
    assert ("l2", {"factor": 0.5}) in [problem.penalty for problem in problems]
    assert in_words(asked) == "--widths 2,1 --sample-weights yes --penalties l2:0.5,none"
    target = tmp_path / "mine.py"
    target.write_text("def f(problem): ...")
    words = ["draw", f"{target}:f", "--seed", "3", "--index", "7", *in_words(asked).split()]
    ran = CliRunner().invoke(cli, words)
    assert ran.exit_code == 0, ran.output
    assert Problem.from_data(json.loads(ran.output)) == problems[7]


def test_penalties_that_cannot_be_read_are_refused():
    ran = CliRunner().invoke(cli, ["draw", "mine.py:f", "--seed", "1", "--index", "0", "--penalties", "l2:much"])
    assert ran.exit_code == 2
    assert "'l2:much' is no list of penalties, such as none,l2:0.1 or l2_over_batch:0.5" in " ".join(ran.output.split())


def test_hypothesis_draws_them():
    from hypothesis import find

    drawn = strategies.problems(sample_weights=True, penalties=["l2"], width=2, depth=1, batch=3)
    found = find(drawn, lambda problem: problem.batch > 1)
    assert found.penalty == "l2"
    assert np.array_equal(found.sample_weights, np.ones(2))
