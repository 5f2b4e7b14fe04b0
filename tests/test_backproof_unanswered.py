"""Where one size tells what a target answers from what it does not, the run ends early and says what to put into `supports`."""

import random
from functools import cache

import pytest

from backproof import check, gradient
from backproof.runs import unanswered
from backproof.runs.unanswered import Unanswered
from properties.answers.answer import Answer
from properties.problems.blocks import draw_problems
from properties.problems.support import Support
from properties.verdict import Verdict
from reference.functions.parametrised import name_and_parameters


@cache
def drawn(seed, support, problems):
    """The first problems of a run, each with its right answer: the same for each test."""
    return [(problem, Answer(gradient(problem))) for problem in draw_problems(problems, seed, support)]


def told(answers, seed, support=None, problems=200):
    """After how many problems of a run a size tells apart what is answered, and what is said of it; None if none does."""
    support, seen = support or Support(), Unanswered()
    for i, (problem, right) in enumerate(drawn(seed, support, problems)):
        answered = answers(problem)
        seen.remember(problem, right if answered else Answer(None, Verdict.RAISES))
        if not answered and (said := seen.told_apart_by(support)):
            return i + 1, said
    return None


SEEDS = range(5)
"""The same in each run: after how many problems a size is told is a matter of chance, and of seldom seeds it takes more than a hundred."""

SIZES = [
    ("one depth", lambda problem: problem.depth == 2, "'depth': (2, 2)", "--depth 2,2"),
    ("depth at most", lambda problem: problem.depth <= 2, "'depth': (1, 2)", "--depth 1,2"),
    ("depth at least", lambda problem: problem.depth >= 2, "'depth': (2, 6)", "--depth 2,6"),
    ("one sample", lambda problem: problem.batch == 1, "'batch': (1, 1)", "--batch 1,1"),
    ("two samples or more", lambda problem: problem.batch > 1, "'batch': (2, 5)", "--batch 2,5"),
    ("width at most", lambda problem: max(problem.widths) <= 2, "'width': (1, 2)", "--width 1,2"),
    ("width at least", lambda problem: min(problem.widths) >= 2, "'width': (2, 6)", "--width 2,6"),
]


@pytest.mark.parametrize(("answers", "supports", "option"), [row[1:] for row in SIZES], ids=[row[0] for row in SIZES])
def test_a_size_that_tells_what_is_answered_is_found_soon(answers, supports, option):
    for seed in SEEDS:
        after, said = told(answers, seed)
        assert after < 100
        assert f"say supports = {{{supports}, ...}}, the least and the most, or {option}" in said


OTHERS = [
    ("two activations", lambda problem: {name_and_parameters(a)[0] for a in problem.activations} <= {"relu", "identity"}),
    ("all activations but one", lambda problem: "gelu" not in problem.activations),
    ("one loss", lambda problem: problem.loss == "half_squared_error"),
    ("sums", lambda problem: problem.reduction == "sum"),
    ("biases", lambda problem: all(bias is not None for bias in problem.biases)),
    ("one output", lambda problem: problem.widths[-1] == 1),
    ("everything", lambda problem: True),
    ("nothing", lambda problem: False),
]


@pytest.mark.parametrize("answers", [row[1] for row in OTHERS], ids=[row[0] for row in OTHERS])
def test_what_has_another_reason_is_not_told_to_be_a_size(answers):
    assert not [said for seed in SEEDS if (said := told(answers, seed))]


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.9])
def test_chance_is_not_told_to_be_a_size(share):
    generator = random.Random(5)
    assert not [said for seed in SEEDS if (said := told(lambda problem: generator.random() < share, seed))]


def test_where_hidden_layers_differ_as_well_both_are_said():
    """Nearly every network of three layers has two activations in its hidden layers."""
    answers = lambda problem: len({str(a) for a in problem.activations[:-1]}) < 2  # noqa: E731
    found = [said for seed in SEEDS if (said := told(answers, seed))]
    assert all(said[1].endswith(", or 'same_hidden': True if it is that their hidden layers have different activations") for said in found)


def of_two_layers(problem):
    assert len(problem.weights) == 2
    return gradient(problem)


def of_two_arrays(problem):
    found = gradient(problem)
    return found.weights[:2], found.biases[:2]


ENDS = [
    ("raises", of_two_layers, {"depth": 2}, "raises", "raised an error", "(2, 2)", "depth 1 "),
    ("malformed", of_two_arrays, {}, "malformed", "gave no answer that can be judged", "(1, 2)", "depth 3"),
]


@pytest.mark.parametrize(
    ("target", "supports", "verdict", "what", "limits", "which"), [row[1:] for row in ENDS], ids=[row[0] for row in ENDS]
)
def test_a_run_ends_and_says_so(monkeypatch, target, supports, verdict, what, limits, which):
    monkeypatch.setattr(
        target, "supports", {"activations": ["tanh"], "losses": ["half_squared_error"], "biases": True, **supports}, raising=False
    )
    report = check(target, seed=1, shrink_seconds=0)
    assert report.examples < 60
    assert report.verdict == verdict
    (note,) = [note for note in report.notes if note.startswith("ended after ")]
    assert f" problems with {which}" in note
    assert f" {what}, and each of " in note
    assert f"say supports = {{'depth': {limits}, ...}}" in note


def test_a_target_of_two_layers_runs_to_the_end_once_it_says_so(monkeypatch):
    """A number alone is the most: 2 is one layer as well, and a pair is exact."""
    monkeypatch.setattr(of_two_layers, "supports", {"depth": (2, 2)}, raising=False)
    report = check(of_two_layers, max_examples=20, seed=1)
    assert (report.verdict, report.judged) == ("right", 20)


FIXED = [
    ("none of them comes up", (2, 9, 1), "no problem was answered", [2, 2, 1]),
    ("some do", (1, 1), "only problems of the widths 1-1 were answered", [1, 1]),
]


@pytest.mark.parametrize(("widths", "answered", "example"), [row[1:] for row in FIXED], ids=[row[0] for row in FIXED])
def test_where_one_shape_alone_is_answered_its_widths_are_to_be_said(widths, answered, example):
    def fixed(problem):
        assert problem.widths == widths
        return gradient(problem)

    said = f"{answered}: if the target is one network of fixed widths, say supports = {{'widths': {example}, ...}}, inputs first"
    assert said in check(fixed, max_examples=20, seed=1, shrink_seconds=0).notes
    fixed.supports = {"widths": list(widths)}
    assert check(fixed, max_examples=20, seed=1, shrink_seconds=0, laws=["it_agrees_with_the_exact_gradient"]).verdict == "right"


def test_a_target_that_leaves_is_told_nothing_of_sizes():
    def leaves(problem):
        raise SystemExit(3)

    leaves.supports = {"losses": ["half_squared_error"]}
    report = check(leaves, max_examples=20, seed=1, shrink_seconds=0)
    assert report.findings[0].message.startswith("SystemExit: 3")
    assert not [note for note in report.notes if "widths" in note or "biases" in note]


def test_what_many_problems_of_one_structure_say_is_counted(monkeypatch):
    """A long run judges most of its problems many at once."""
    monkeypatch.setattr(unanswered, "LEAST_UNANSWERED", 60)

    def shallow(problem):
        assert problem.depth < 6
        return gradient(problem)

    shallow.supports = {"activations": ["tanh"], "losses": ["half_squared_error"], "reductions": ["sum"], "biases": True}
    report = check(shallow, max_examples=5000, seed=1, shrink_seconds=0, laws=["it_answers", "it_agrees_with_the_exact_gradient"])
    (note,) = [note for note in report.notes if note.startswith("ended after ")]
    assert int(note.split("each of ")[2].split()[0]) == report.judged > 200
    assert "'depth': (1, 5)" in note
