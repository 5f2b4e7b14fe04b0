"""The ladder holds generic problems that the target supports, the simplest first."""

import numpy as np
import pytest

from properties.diagnosis import ladder as of_ladder
from properties.diagnosis.ladder import BESIDE, Drawing, ladder
from properties.problems.support import Support
from reference.forward import forward
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import row_of

SUPPORTS = {
    "everything": {},
    "one loss": {"losses": ["half_squared_error"], "reductions": ["sum"]},
    "a classifier": {"losses": ["softmax_cross_entropy"], "output_activations": ["identity"]},
    "softmax layers": {"activations": ["softmax", "identity"]},
    "one width": {"width": (3, 3)},
    "one network": {"widths": [2, 2, 1], "biases": True},
    "one sample": {"batch": (1, 1)},
    "no biases": {"biases": False},
    "one output": {"outputs": (1, 1)},
    "one-hot": {"losses": ["softmax_cross_entropy"], "expected": "one_hot", "output_activations": ["identity"]},
    "one layer": {"depth": (1, 1), "width": 2},
    "seven layers": {"depth": (7, 7)},
    "tame": {"values": "tame"},
    "one hidden activation": {"same_hidden": True},
    "layers": {"widths": [3, 2, 1], "layer_activations": ["relu", "identity"], "layer_biases": [True, False]},
}


@pytest.fixture(scope="module")
def whole():
    """The ladder of a target that supports everything."""
    return ladder(Support(), 1)


@pytest.mark.parametrize("name", SUPPORTS)
def test_every_problem_is_supported(name):
    support = Support.of(SUPPORTS[name])
    rungs = ladder(support, 1)
    assert len(rungs) >= 20
    assert [support.refusal(rung.problem) for rung in rungs if support.refusal(rung.problem)] == []


def test_generic_problems_are_beside_every_kink(whole):
    near = []
    for rung in whole:
        if rung.kind in ("network", "one layer", "samples", "hidden scan"):
            for z, choice in zip(forward(rung.problem).pre_activations, rung.problem.activations, strict=True):
                near += [kink for kink, _ in row_of(ACTIVATIONS, choice).kinks if np.abs(z - kink).min() < BESIDE / 2]
    assert near == []


def test_a_family_differs_in_y_alone(whole):
    families = {}
    for rung in whole:
        families.setdefault(rung.family, []).append(rung.problem)
    del families[-1]
    assert len(families) > 10
    for first, *others in families.values():
        assert len(others) == 2
        assert all(other.replaced(y=first.y) == first for other in others)
        # labels may be drawn twice
        assert any(not np.array_equal(other.y, first.y) for other in others)


def test_the_same_seed_draws_the_same_problems_and_another_one_others():
    one, same, other = (ladder(Support.of(SUPPORTS["one loss"]), seed) for seed in (1, 1, 2))
    assert [rung.problem for rung in one] == [rung.problem for rung in same]
    assert one[0].problem != other[0].problem


def test_numbers_are_those_of_the_precision():
    for rung in ladder(Support(), 1, "float32"):
        assert all(np.array_equal(array, array.astype(np.float32)) for name, array in rung.problem.arrays() if name != "y")


def test_what_was_found_comes_first(whole):
    problem = whole[30].problem
    assert ladder(Support.of({"widths": [2, 2, 1]}), 1, found=[problem])[0].problem is problem


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_logits_leave_the_range_of_exp_at_each_depth(depth):
    support = Support.of({"losses": ["softmax_cross_entropy"], "output_activations": ["identity"], "activations": ["relu"], "depth": depth})
    support = support.limited(depth=(depth, depth))
    with np.errstate(all="ignore"):
        beyond = [rung.problem for rung in ladder(support, 1) if np.exp(np.abs(forward(rung.problem).activations[-1]).max()) == np.inf]
    assert {problem.batch for problem in beyond} >= {1, 2}


def test_what_is_no_problem_is_not_drawn():
    drawing = Drawing(Support.of(SUPPORTS["one loss"]), np.random.default_rng(1), "float64")
    assert drawing.problem((2, 1), 3, ["identity"], y=np.ones((3, 1))).y.tolist() == [[1.0]] * 3
    assert drawing.problem((2, 1), 3, ["identity"], y=np.ones((3, 4))) is None


def test_of_one_large_network_fewer_problems_are_posed(monkeypatch):
    def drawn():
        return len(list(Drawing(Support.of({"widths": [2, 2, 1]}), np.random.default_rng(1), "float64").networks()))

    many = drawn()
    monkeypatch.setattr(of_ladder, "LARGEST", 5)
    assert 0 < 3 * drawn() < many
