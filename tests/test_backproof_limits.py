"""Every door takes every limit, in words or in Python, and the problems obey it."""

import inspect
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from backproof import check, gradient, problem_at, strategies
from backproof.doors import command_line
from backproof.doors.command_line import cli
from backproof.doors.pytest_plugin import pytest_addoption
from backproof.reports.terminal import finding_view
from backproof.runs.check import check as run_check
from backproof.runs.options import LIMITS, in_words
from backproof.targets.target import load_target
from properties.problems.limits import LIMITS as LIMITS_OF_A_RUN
from properties.problems.support import Support

WORDS = {
    "activations": (" tanh , relu", ["tanh", "relu"]),
    "output_activations": ("identity", ["identity"]),
    "losses": ("huber", ["huber"]),
    "reductions": ("mean", ["mean"]),
    "biases": ("no", False),
    "depth": ("2,2", (2, 2)),
    "width": ("3", 3),
    "batch": ("2,4", (2, 4)),
    "wants": ("x,loss", ["x", "loss"]),
    "sizes": ("real", "real"),
    "widths": ("4,3,2", [4, 3, 2]),
    "values": ("tame", "tame"),
    "sample_weights": ("yes", True),
    "penalties": ("none,l2:0.5,l2_over_batch", [None, ("l2", 0.5), "l2_over_batch"]),
}
OBEYED = {
    "activations": lambda p: set(p.activations) <= {"tanh", "relu"},
    "output_activations": lambda p: p.activations[-1] == "identity",
    "losses": lambda p: p.loss == "huber",
    "reductions": lambda p: p.reduction == "mean",
    "biases": lambda p: not any(b is not None for b in p.biases),
    "depth": lambda p: p.depth == 2,
    "width": lambda p: max(p.widths) <= 3,
    "batch": lambda p: 2 <= p.batch <= 4,
    "wants": lambda p: set(p.wants[2:]) <= {"x", "loss"},
    "sizes": lambda p: max(p.widths) >= 10,
    "widths": lambda p: p.widths == (4, 3, 2),
    "sample_weights": lambda p: p.sample_weights is not None,
    "penalties": lambda p: p.penalty in (None, ("l2", {"factor": 0.5}), "l2_over_batch"),
    "values": lambda p: np.abs(np.concatenate([z.ravel() for z in gradient(p).pre_activations])).max() <= 8,
}
each_limit = pytest.mark.parametrize("name", LIMITS_OF_A_RUN)


def run(*arguments):
    return CliRunner().invoke(cli, [str(a) for a in arguments])


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("t.py").write_text("from backproof import gradient as target\n")
    # the target is asked in this process: to start its own, for each limit, takes longer than all else
    for name, asked in (("run_check", run_check), ("problem_at", problem_at)):
        monkeypatch.setattr(command_line, name, lambda target, asked=asked, **options: asked(target=load_target(target), **options))


def plugin_options():
    """The options that the plugin adds to pytest."""
    parser = pytest.Parser(_ispytest=True)
    pytest_addoption(parser)
    return [option.names() for group in parser._groups for option in group.options]


def test_the_words_have_every_limit_of_a_run():
    assert LIMITS.keys() == set(LIMITS_OF_A_RUN) == WORDS.keys()


@each_limit
def test_every_door_has_it(name):
    option = f"--{name.replace('_', '-')}"
    for command in ("check", "draw"):
        assert option in [flag for parameter in cli.commands[command].params for flag in parameter.opts]
    assert name in inspect.signature(check).parameters
    assert option.replace("--", "--backproof-") in [flag for given in plugin_options() for flag in given]
    # Hypothesis draws each number by itself, which networks of real size have too many of
    assert name in inspect.signature(strategies.problems).parameters or name in ("sizes", "widths")


@each_limit
def test_words_are_read_and_written(name):
    text, value = WORDS[name]
    assert LIMITS[name].read(text) == value
    option, words = in_words({name: value}).split()
    assert (option, LIMITS[name].read(words)) == (f"--{name.replace('_', '-')}", value)


@each_limit
def test_the_problems_of_a_run_obey_it(name, monkeypatch):
    posed = []

    def target(problem):
        posed.append(problem)
        return gradient(problem)

    monkeypatch.setattr(command_line, "run_check", lambda spec, **options: run_check(target, **options))
    done = run("check", "t.py:target", f"--{name.replace('_', '-')}", WORDS[name][0], "--max-examples", 12, "--laws", "it_answers")
    assert done.exit_code == 0, done.stderr
    assert len(posed) == 12
    assert all(map(OBEYED[name], posed))


@each_limit
def test_a_problem_is_drawn_again_by_the_words_of_its_finding(name, monkeypatch, seed_of_the_run):
    """A finding says how to draw its problem, as it was before it was shrunk, with all that the run was told."""

    def doubled(problem):
        return [2 * weight for weight in gradient(problem).weights], gradient(problem).biases

    limits = {name: WORDS[name][1]}
    law = ["it_agrees_with_the_exact_gradient"]
    finding = check(doubled, max_examples=8, seed=seed_of_the_run, shrink_seconds=0, laws=law, **limits).findings[0]
    assert finding.drawn_by == in_words(limits)
    again = run("draw", "t.py:target", "--seed", seed_of_the_run, "--index", finding.index, *finding.drawn_by.split())
    assert json.loads(again.stdout) == json.loads(finding.problem.to_json())
    assert problem_at(finding.index, seed_of_the_run, **limits) == finding.problem
    assert finding.drawn_by in "".join(str(part) for part in finding_view(finding).renderables)


def test_what_no_option_can_say_is_left_out():
    assert in_words({"activations": [("elu", {"alpha": -2.0})], "depth": None, "batch": 2}) == "--batch 2"


def test_an_output_is_narrowed_within_what_the_target_supports():
    support = Support.of({"activations": ["relu", "tanh"], "reductions": ["sum"]})
    assert support.limited(output_activations=["tanh", "elu"]).output_choices == ("tanh",)
    assert support.limited(activations=["tanh"]).output_choices == ("tanh",)
    with pytest.raises(ValueError, match=r"output_activations is \['elu'\], but the target supports only \['relu', 'tanh'\]"):
        support.limited(output_activations=["elu"])
    with pytest.raises(ValueError, match=r"reductions is \['mean'\], but the target supports only \['sum'\]"):
        support.limited(reductions=["mean"])


def test_a_strategy_takes_them_too(seed_of_the_run):
    from hypothesis import find

    asked = strategies.problems(output_activations=["identity"], reductions=["mean"])
    assert find(asked, lambda problem: problem.depth > 1).activations[-1] == "identity"
    assert find(asked, lambda problem: True).reduction == "mean"


REFUSED = [
    ("depth", "two", "'two' is no size: expected the most, or the least and the most, such as 1,3 (2,2 for exactly 2)"),
    ("depth", "0", "'0' is no size"),
    ("width", "3,2", "'3,2' is no size"),
    ("batch", "1,2,3", "'1,2,3' is no size"),
    ("batch", "", "'' is no size"),
    ("biases", "maybe", "'maybe' is not yes or no"),
    ("widths", "4,x", "'4,x' is no list of whole numbers, such as 784,128,10"),
    ("sizes", "huge", "sizes is 'huge': expected one of small, real"),
    ("reductions", "average", "reductions is ['average']: expected a list of sum and mean"),
    ("output_activations", "maxout", "output_activations: activation 'maxout' is not known"),
]


@pytest.mark.parametrize(("name", "text", "message"), REFUSED, ids=[f"{row[0]} {row[1]}" for row in REFUSED])
@pytest.mark.parametrize("command", [("check",), ("draw", "--seed", 1, "--index", 0)], ids=["check", "draw"])
def test_what_cannot_be_read_is_refused(command, name, text, message):
    done = run(*command, "t.py:target", f"--{name.replace('_', '-')}", text)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
