"""Targets with a penalty or weights of samples are read through them: factors net of what is added, mistakes of what is added by name."""

import pytest

from backproof.targets.target import InProcess
from properties.diagnosis.examination import diagnose
from properties.faults.fault import Network, penalty
from properties.faults.table import FAULTS
from properties.problems.support import Support

SIMPLE = {"activations": ["tanh", "identity"], "losses": ["half_squared_error"], "reductions": ["mean"], "depth": 2, "biases": True}
PENALISED = {"penalties": [["l2", 0.25]]}
WEIGHED = {"sample_weights": True}
GRADIENT = ("weights", "biases")


def told_of(target, **supports):
    return diagnose(InProcess(target), Support.of(SIMPLE | supports), seconds=600.0)


NAMED = {
    "used_activation_for_pre_activation": (PENALISED | WEIGHED, 3),
    "averaged_the_bias_gradient": (PENALISED | WEIGHED, 4),
    "penalised_the_biases": (PENALISED, 4),
    "subtracted_the_penalty": (PENALISED, 10),
    "weighed_samples_twice": (WEIGHED, 2),
}


@pytest.mark.parametrize("name", NAMED)
def test_a_mistake_is_named(name):
    supports, equation = NAMED[name]
    (diagnosis,) = told_of(FAULTS[name].answering(GRADIENT), **supports)
    assert (diagnosis.cause, diagnosis.equation) == (name, equation)


@pytest.mark.parametrize("supports", [PENALISED, WEIGHED, {"penalties": [None, "l2"], "sample_weights": None}], ids=str)
def test_nothing_is_told_of_a_right_target(supports):
    assert told_of(Network(answers=GRADIENT), **supports) == ()


def test_what_is_added_of_a_penalty_is_placed_where_no_row_has_it():
    def by_layers(p, layer):
        return (0.5 if layer % 2 else 3.0) * penalty(p, layer)

    (diagnosis,) = told_of(Network({"penalty": by_layers}, GRADIENT), **PENALISED)
    assert (diagnosis.cause, diagnosis.equations) == (None, (10,))
    assert "what the penalty adds to dC/dW: equation 10" in diagnosis.explanation
