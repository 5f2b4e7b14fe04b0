"""What a target supports, and what a run asks for, are understood or refused with what is allowed."""

import pytest

from backproof import SupportError, strategies
from properties.support import PARAMETERS, Support
from reference.activations import ACTIVATIONS
from reference.losses import LOSSES

NAMES = "activations, losses, output_activations, biases, depth, batch, width, reductions, same_hidden"

REFUSED = [
    ("a list", ["relu"], f"supports is a list: expected a dict with any of {NAMES}"),
    ("a string", "relu", "supports is a str: expected a dict"),
    ("an unknown field", {"activation": ["relu"]}, f"supports has 'activation': expected any of {NAMES}"),
    ("a field that is no name", {3: True}, "supports has 3: expected any of"),
    ("one name", {"activations": "relu"}, "activations is 'relu': expected a list of names, any of identity, sigmoid"),
    ("a set", {"activations": {"relu"}}, "activations is {'relu'}: expected a list of names"),
    ("no names", {"losses": []}, "losses is []: expected a list of names, any of half_squared_error"),
    ("an unknown activation", {"activations": ["relu", "rleu"]}, "activations: activation 'rleu' is not known: expected one of identity"),
    ("an unknown loss", {"losses": ["l2"]}, "losses: loss 'l2' is not known: expected one of half_squared_error"),
    ("an unknown output", {"output_activations": ["softmax"]}, "output_activations: activation 'softmax' is not known"),
    (
        "an unknown parameter",
        {"activations": [("elu", {"beta": 1})]},
        "activation 'elu' has no parameter 'beta': it takes alpha",
    ),
    ("biases", {"biases": "yes"}, "biases is 'yes': expected True, False or None"),
    ("biases as a number", {"biases": 1}, "biases is 1: expected True, False or None"),
    ("depth 0", {"depth": 0}, "depth is 0: expected the most allowed, or a pair (least, most), from 1"),
    ("batch from 0", {"batch": (0, 3)}, "batch is (0, 3): expected the most allowed, or a pair"),
    ("width the wrong way round", {"width": (3, 2)}, "width is (3, 2): expected the most allowed"),
    ("a float", {"width": 2.0}, "width is 2.0: expected the most allowed"),
    ("True", {"depth": True}, "depth is True: expected the most allowed"),
    ("three", {"depth": (1, 2, 3)}, "depth is (1, 2, 3): expected the most allowed"),
    ("an unknown reduction", {"reductions": ["average"]}, "reductions is ['average']: expected a list of sum and mean"),
    ("one reduction", {"reductions": "sum"}, "reductions is 'sum': expected a list of sum and mean"),
    ("no reduction", {"reductions": []}, "reductions is []: expected a list of sum and mean"),
    ("a number of reductions", {"reductions": 5}, "reductions is 5: expected a list of sum and mean"),
    ("a list of lists", {"reductions": [["sum"]]}, "reductions is [['sum']]: expected a list of sum and mean"),
    ("same_hidden", {"same_hidden": "always"}, "same_hidden is 'always': expected True, False"),
]


@pytest.mark.parametrize(("given", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_cannot_be_understood_is_refused(given, message):
    with pytest.raises(SupportError) as refused:
        Support.of(given)
    assert message in str(refused.value)


@pytest.mark.parametrize("given", [None, {}, Support(), {"biases": None, "activations": None}], ids=["None", "{}", "Support", "Nones"])
def test_nothing_said_is_everything(given):
    assert Support.of(given) == Support()
    assert {c if isinstance(c, str) else c[0] for c in Support.of(given).activation_choices} == set(ACTIVATIONS)
    assert {c if isinstance(c, str) else c[0] for c in Support.of(given).loss_choices} == set(LOSSES)


def test_everything_has_the_parameters_that_are_tried():
    choices = [*Support().activation_choices, *Support().loss_choices]
    for name, tried in PARAMETERS.items():
        assert all((name, chosen) in choices if chosen else name in choices for chosen in tried)


def test_a_name_stands_for_its_default_parameters():
    assert Support.of({"activations": ["elu", ("leaky_relu", {"slope": 0.01})]}).activation_choices == ("elu", "leaky_relu")


NARROWED = [
    ("nothing asked", {"depth": 2}, {}, {"depth": (1, 2)}),
    ("depth within", {"depth": 4}, {"depth": (2, 3)}, {"depth": (2, 3)}),
    ("depth beyond", {"depth": 2}, {"depth": 5}, {"depth": (1, 2)}),
    ("least depth", {"depth": (2, 4)}, {"depth": 3}, {"depth": (2, 3)}),
    ("wider, where the target says nothing", {}, {"width": 20, "depth": (7, 9)}, {"width": (1, 20), "depth": (7, 9)}),
    ("batch", {"batch": 1}, {"batch": (1, 8)}, {"batch": (1, 1)}),
    ("biases, where the target says nothing", {}, {"biases": False}, {"biases": False}),
    ("biases, as the target says", {"biases": True}, {"biases": True}, {"biases": True}),
    ("activations", {"activations": ["relu", "tanh"]}, {"activations": ["tanh", "elu"]}, {"activations": ("tanh",)}),
    ("losses", {"losses": ["huber"]}, {"losses": ["huber", "half_squared_error"]}, {"losses": ("huber",)}),
]


@pytest.mark.parametrize(("supports", "asked", "fields"), [row[1:] for row in NARROWED], ids=[row[0] for row in NARROWED])
def test_a_run_narrows_what_a_target_supports(supports, asked, fields):
    narrowed = Support.of(supports).limited(**asked)
    assert {name: getattr(narrowed, name) for name in fields} == fields


NOTHING_LEFT = [
    ("activations", {"activations": ["relu"]}, {"activations": ["tanh"]}, "activations is ['tanh'], but the target supports only ['relu']"),
    ("losses", {"losses": ["huber"]}, {"losses": ["half_squared_error"]}, "but the target supports only ['huber']"),
    ("biases", {"biases": True}, {"biases": False}, "biases is False, but the target supports only True"),
    ("depth", {"depth": (3, 4)}, {"depth": 2}, "depth is (1, 2), but the target supports only (3, 4)"),
]


@pytest.mark.parametrize(("supports", "asked", "message"), [row[1:] for row in NOTHING_LEFT], ids=[row[0] for row in NOTHING_LEFT])
def test_nothing_left_is_refused(supports, asked, message):
    with pytest.raises(SupportError) as refused:
        Support.of(supports).limited(**asked)
    assert message in str(refused.value)


STRATEGIES = [
    ("precision", {"precision": "half"}, "precision is 'half': expected one of float64, float32, tf32, float16/float32"),
    ("supports", {"supports": 3}, "supports is a int: expected a dict"),
    ("activations", {"activations": ["x"]}, "activation 'x' is not known"),
    ("width", {"width": -1}, "width is -1: expected the most allowed"),
]


@pytest.mark.parametrize(("asked", "message"), [row[1:] for row in STRATEGIES], ids=[row[0] for row in STRATEGIES])
def test_the_strategy_refuses_at_once(asked, message):
    with pytest.raises(SupportError) as refused:
        strategies.problems(**asked)
    assert message in str(refused.value)
