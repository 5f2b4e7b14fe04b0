"""A slope that is off for some z alone is told with the z at which it begins to be; one that is off, or right, at all z has no edge."""

from itertools import pairwise

import numpy as np
import pytest

from backproof.targets.target import InProcess
from properties.answers.answer import Answer
from properties.diagnosis.along_z import AlongZ
from properties.diagnosis.edges_on_z import _narrowed, extent, is_right
from properties.diagnosis.examination import diagnose
from properties.faults.fault import STEPS, Network
from properties.problems.support import Support
from rounding.precisions import PRECISIONS

FLOAT64 = PRECISIONS["float64"]
LIMITS = {"losses": ["half_squared_error"], "reductions": ["sum"], "depth": 2}


def with_slope(name, wrong):
    """A network whose slope of one activation is wrong, of (z, g')."""

    def slope(p, layer):
        right = STEPS["slope"](p, layer)
        return wrong(p.z[layer], right) if p.activation_choice(layer)[0] == name else right

    return Network({"slope": slope}, ("weights", "biases"))


def found(name, target, quantity="slope", hidden=True, **limits):
    support = Support.of(LIMITS | {"activations": [name, "identity"]} | limits)
    return extent(InProcess(lambda problem: target(problem)), support, FLOAT64, name, quantity, hidden)


EDGES = {
    "beyond 5": ("tanh", lambda z, g: np.where(np.abs(z) > 5, g / 2, g), "for |z| above 5", [-5.0, 5.0]),
    "from 3 on": ("tanh", lambda z, g: np.where(z > 3, 0.0, g), "from z = 3 on", [3.0]),
    "up to -1.25": ("gelu", lambda z, g: np.where(z < -1.25, 1.1 * g, g), "up to z = -1.25", [-1.25]),
    "between": ("sigmoid", lambda z, g: np.where((z > 0.5) & (z < 0.8), 1.1 * g, g), "for z from 0.5 to 0.8", [0.5, 0.8]),
    "outside": ("sigmoid", lambda z, g: np.where((z > 2) | (z < -3.5), 1.1 * g, g), "for z below -3.5 and above 2", [-3.5, 2.0]),
    "the kink": ("relu", lambda z, g: np.where(z > 0, g, 0.01), "up to z = 0", [0.0]),
    "the upper kink": ("relu6", lambda z, g: np.where(z > 0, 1.0, g), "from z = 6 on", [6.0]),
    "NaN": ("tanh", lambda z, g: np.where(z > 7, np.nan, g), "from z = 7 on", [7.0]),
}


@pytest.mark.parametrize("case", EDGES)
def test_an_edge_is_narrowed_and_told(case):
    name, wrong, said, edges = EDGES[case]
    one = found(name, with_slope(name, wrong))
    assert str(one) == said
    # each edge lies between two z beside one another, of which one is right
    for z in edges:
        assert any(low <= z <= high and high - low < 2e-3 for low, high in pairwise(sorted(one.z)))
    table = one.data()
    assert table["note"] == f"off {said}"
    assert [row[0] for row in table["rows"]] == one.z.tolist()


@pytest.mark.parametrize("limits", [{"depth": 1}, {"biases": False}, {"width": 3}, {"widths": [2, 4, 2]}], ids=str)
def test_within_what_a_target_supports(limits):
    _, wrong, said, _ = EDGES["from 3 on"]
    assert str(found("tanh", with_slope("tanh", wrong), **limits)) == said


NONE = {
    "right": ("tanh", lambda z, g: g),
    "off at all z": ("tanh", lambda z, g: 2 * g),
    "off by less and less": ("tanh", lambda z, g: 1 - np.tanh(np.tanh(z)) ** 2),
    "here and there": ("tanh", lambda z, g: np.where(np.sin(9 * z) > 0, g, 2 * g)),
    "by a textbook formula": ("tanh", lambda z, g: 1 - np.tanh(z) ** 2),
}


@pytest.mark.parametrize("case", NONE)
def test_there_is_no_edge(case):
    name, wrong = NONE[case]
    assert found(name, with_slope(name, wrong)) is None


def test_what_is_right_at_all_z_is_told_from_what_is_off_at_all():
    support = Support.of(LIMITS | {"activations": ["tanh", "identity"]})
    for case, right in (("right", True), ("off at all z", False)):
        target = with_slope(*NONE[case])
        assert is_right(InProcess(lambda problem, target=target: target(problem)), support, FLOAT64, "tanh", "slope", True) is right


def test_a_value_has_an_edge_too():
    def activation(p, layer):
        right = STEPS["activation"](p, layer)
        return np.where(p.z[layer] > 4, 0.9, right) if p.activation_choice(layer)[0] == "tanh" else right

    assert str(found("tanh", Network({"activation": activation}, ("weights", "biases")), "value")) == "from z = 4 on"


def test_a_diagnosis_tells_the_edge():
    name, wrong, said, _ = EDGES["from 3 on"]
    target = with_slope(name, wrong)
    support = Support.of(LIMITS | {"activations": [name, "identity"]})
    (one,) = diagnose(InProcess(lambda problem: target(problem)), support, seconds=600.0)
    assert f"It is off {said}, and right at every other z that was asked." in one.explanation
    assert one.evidence["tables"][-1]["note"] == f"off {said}"


def test_a_diagnosis_of_the_forward_pass_tells_the_edge():
    def activation(p, layer):
        right = STEPS["activation"](p, layer)
        return np.where(p.z[layer] > 1.5, 0.875 * right, right) if p.activation_choice(layer)[0] == "tanh" else right

    target = Network({"activation": activation}, ("weights", "biases"))
    support = Support.of(LIMITS | {"activations": ["tanh", "identity"]})
    (one,) = diagnose(InProcess(lambda problem: target(problem)), support, seconds=600.0)
    assert one.cause is None
    assert "a, in the forward pass" in one.explanation
    assert one.equation is None
    assert one.evidence["tables"][-1]["note"] == "off from z = 1.5 on"
    assert "Along z, a of tanh is off from z = 1.5 on, and right at every other z that was asked." in one.explanation


def test_a_cause_that_is_known_has_its_edge_in_the_evidence():
    name, wrong, said, _ = EDGES["the upper kink"]
    target = with_slope(name, wrong)
    support = Support.of(LIMITS | {"activations": [name, "identity"]})
    (one,) = diagnose(InProcess(lambda problem: target(problem)), support, seconds=600.0)
    assert one.cause == "forgot_the_upper_kink_of_relu6"
    assert one.evidence["tables"][-1]["note"] == f"off {said}"


def test_an_edge_between_which_nothing_is_answered_is_left_as_wide_as_it_is():
    name, wrong, *_ = EDGES["from 3 on"]
    support = Support.of(LIMITS | {"activations": [name, "identity"]})
    low, high = _narrowed(AlongZ(InProcess(with_slope(name, wrong)), support, FLOAT64, name, hidden=True), (1.0, 5.0), True, "slope")
    assert low <= 3.0 <= high < low + 2e-4
    asked = []

    def declines(problem):
        asked.append(problem)
        return Answer(None, None, "not this")

    assert _narrowed(AlongZ(declines, support, FLOAT64, name, hidden=True), (1.0, 5.0), True, "slope") == (1.0, 5.0)
    # and is asked no more
    assert len(asked) == 1
