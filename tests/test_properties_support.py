"""What a target supports, and what a run asks for, are understood or refused with what is allowed."""

from dataclasses import fields

import pytest

from backproof import Gradient, Problem, SupportError, check, gradient, strategies
from backproof.runs.check import replay
from backproof.targets.target import InProcess
from properties.laws.law import Cadence, Case
from properties.laws.table import LAWS
from properties.problems.blocks import draw_problems
from properties.problems.support import PARAMETERS, Support
from properties.problems.tame import are_tame
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import name_and_parameters

NAMES = "activations, losses, output_activations, biases, depth, batch, width, reductions, same_hidden"

REFUSED = [
    ("a list", ["relu"], f"supports is a list: expected a dict with any of {NAMES}"),
    ("a string", "relu", "supports is a str: expected a dict"),
    ("an unknown field", {"activation": ["relu"]}, f"supports has 'activation': did you mean 'activations'? expected any of {NAMES}"),
    ("a field that is no name", {3: True}, "supports has 3: expected any of"),
    ("one name", {"activations": "relu"}, "activations is 'relu': expected a list of names, any of identity, sigmoid"),
    ("layers without widths", {"layer_activations": ["relu"]}, "layer_activations has 1 entries: expected widths, and one entry for each"),
    (
        "too few layers",
        {"widths": [2, 2, 1], "layer_biases": [True]},
        "layer_biases has 1 entries: expected widths, and one entry",
    ),
    ("biases by a number", {"widths": [2, 1], "layer_biases": [1]}, "layer_biases is [1]: expected for each layer True or False"),
    ("an unknown layer", {"widths": [2, 1], "layer_activations": ["rleu"]}, "layer_activations: activation 'rleu' is not known"),
    ("a set", {"activations": {"relu"}}, "activations is {'relu'}: expected a list of names"),
    ("no names", {"losses": []}, "losses is []: expected a list of names, any of half_squared_error"),
    (
        "an unknown activation",
        {"activations": ["relu", "rleu"]},
        "activations: activation 'rleu' is not known: did you mean 'relu'? expected one of identity",
    ),
    ("an unknown loss", {"losses": ["l2"]}, "losses: loss 'l2' is not known: expected one of half_squared_error"),
    ("an unknown output", {"output_activations": ["maxout"]}, "output_activations: activation 'maxout' is not known"),
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
    ("outputs 0", {"outputs": 0}, "outputs is 0: expected the most allowed, or a pair (least, most), from 1"),
    ("unknown values", {"values": "wild"}, "values is 'wild': expected one of any, tame"),
    ("an unknown y", {"expected": "labels"}, "expected is 'labels': expected one of any, one_hot"),
    ("more outputs than wide", {"outputs": (4, 4), "width": 3}, "width is (1, 3), but the target supports only outputs (4, 4)"),
    ("an unknown reduction", {"reductions": ["average"]}, "reductions is ['average']: expected a list of sum and mean"),
    ("one reduction", {"reductions": "sum"}, "reductions is 'sum': expected a list of sum and mean"),
    ("no reduction", {"reductions": []}, "reductions is []: expected a list of sum and mean"),
    ("a number of reductions", {"reductions": 5}, "reductions is 5: expected a list of sum and mean"),
    ("a list of lists", {"reductions": [["sum"]]}, "reductions is [['sum']]: expected a list of sum and mean"),
    ("a list of sizes", {"sizes": ["real"]}, "sizes is ['real']: expected one of small, real"),
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
    ("values", {"values": "tame"}, {"values": "any"}, "values is 'any', but the target supports only 'tame'"),
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


KEPT = {
    "activations": ({"activations": ["tanh"], "output_activations": ["sigmoid"]}, lambda p: {"tanh"}.issuperset(p.activations[:-1])),
    "losses": ({"losses": ["mean_squared_error"]}, lambda p: p.loss == "mean_squared_error"),
    "output_activations": ({"output_activations": ["sigmoid"]}, lambda p: p.activations[-1] == "sigmoid"),
    "biases": ({"biases": True}, lambda p: all(bias is not None for bias in p.biases)),
    "depth": ({"depth": (2, 2)}, lambda p: p.depth == 2),
    "batch": ({"batch": (3, 3)}, lambda p: p.batch == 3),
    "width": ({"width": (2, 2)}, lambda p: set(p.widths) == {2}),
    "reductions": ({"reductions": ["mean"]}, lambda p: p.reduction == "mean"),
    "same_hidden": ({"same_hidden": True}, lambda p: len({str(choice) for choice in p.activations[:-1]}) < 2),
    "wants": ({"wants": ["loss"]}, lambda p: {"loss"}.issuperset(p.wants[2:])),
    "outputs": ({"outputs": 1}, lambda p: p.widths[-1] == 1),
    "expected": ({"expected": "one_hot"}, lambda p: all(sorted(row) == [0] * (len(row) - 1) + [1] for row in p.y.tolist())),
    "values": ({"values": "tame"}, lambda p: bool(are_tame(p))),
    "widths": ({"widths": [2, 2, 1]}, lambda p: p.widths == (2, 2, 1)),
    "layer_activations": (
        {"widths": [2, 3, 2, 1], "layer_activations": ["tanh", ("leaky_relu", {"slope": 0.2}), "identity"]},
        lambda p: p.activations == ("tanh", ("leaky_relu", {"slope": 0.2}), "identity"),
    ),
    "layer_biases": (
        {"widths": [2, 3, 2], "layer_biases": [False, True]},
        lambda p: [bias is not None for bias in p.biases] == [False, True],
    ),
    "sample_weights": ({"sample_weights": True}, lambda p: p.sample_weights is not None),
    "empty_batch": ({"empty_batch": False}, lambda p: p.batch > 0),
    "penalties": ({"penalties": [("l2", 0.5)]}, lambda p: p.penalty == ("l2", {"factor": 0.5})),
}
"""For each limit what a target says, and which problems are within it."""

NO_LAW_LEAVES = ("biases", "values", "penalties", "empty_batch")
"""The limits that no law would leave where a target did not set them: shrinking would; of batches without samples nothing would."""


def test_every_limit_is_tried():
    # these say what may be asked of answers
    no_limits = {"sizes", "learning_rate", "exact"}
    assert {*KEPT, *no_limits} == {field.name for field in fields(Support)}


@pytest.mark.parametrize("rate", [0, "0.1", True, float("inf")])
def test_a_learning_rate_is_a_number(rate):
    with pytest.raises(SupportError, match=r"learning_rate is .*: expected a number, not 0"):
        Support.of({"learning_rate": rate})


def posed_by_laws(supports, told):
    """What laws pose beside problems that a target supports, if they are told that it supports what is told."""
    posed = []

    def target(problem):
        posed.append(problem)
        return gradient(problem)

    session = InProcess(target)
    # each law that leaves a limit, where it is not told of it, leaves it by the second problem
    for problem in draw_problems(3, 3, Support.of(supports)):
        for law in LAWS.values():
            if law.cadence is Cadence.ROTATED:
                law.on(Case(problem, session, support=Support.of(told)))
                yield from posed
                posed.clear()


@pytest.mark.parametrize("name", KEPT)
def test_no_law_poses_what_a_target_does_not_support(name):
    supports, within = KEPT[name]
    posed = list(posed_by_laws(supports, supports))
    assert [problem for problem in posed if not within(problem)] == []
    assert all(Support.of(supports).refusal(problem) == "" for problem in posed)
    # by the same laws, of a target that supports all
    everything = {"wants": ["x"]} if name == "wants" else {"sample_weights": None} if name == "sample_weights" else {}
    assert all(within(problem) for problem in posed_by_laws(supports, everything)) == (name in NO_LAW_LEAVES)


@pytest.mark.parametrize("name", KEPT)
def test_a_run_poses_nothing_that_a_target_does_not_support(name):
    supports, within = KEPT[name]
    posed = []

    def wrong(problem):
        posed.append(problem)
        return [1 + weight for weight in gradient(problem).weights], gradient(problem).biases

    wrong.supports = {"wants": [], **supports} if name != "wants" else supports
    # what shrinking would leave at all it would leave at once, but where no law would
    report = check(wrong, max_examples=5, seed=1, shrink_seconds=0.4 if name in NO_LAW_LEAVES else 0.1)
    assert not report.passed
    if name == "wants":  # which is not given where it is asked for
        assert report.verdict == "malformed"
    else:
        assert report.verdict == "wrong"
    assert [problem for problem in posed if not within(problem)] == []
    asked = len(posed)
    replay(report.findings[0], target=wrong)
    assert asked < len(posed)
    assert within(posed[-1])


def of_one_shape(problem):
    """As people write it for a note's network: one hidden layer of two nodes, two inputs, one output."""
    if problem.widths != (2, 2, 1):
        raise IndexError("I know 2-2-1 alone")
    answer = gradient(problem)
    return answer.weights, answer.biases


def test_a_fixed_architecture_is_right_whoever_says_its_widths(seed_of_the_run):
    def says_so(problem):
        return of_one_shape(problem)

    says_so.supports = {"widths": [2, 2, 1]}
    for target, options in ((says_so, {}), (says_so, {"widths": [2, 2, 1]}), (of_one_shape, {"widths": [2, 2, 1]})):
        assert check(target, max_examples=25, seed=seed_of_the_run, **options).verdict == "right"
    for law in ("an_inserted_identity_layer_changes_nothing", "a_node_without_outgoing_weights_changes_nothing"):
        assert check(says_so, max_examples=10, seed=seed_of_the_run, laws=[law]).laws[law].broken == 0


@pytest.mark.parametrize(("supports", "options"), [({"widths": [2, 2, 1]}, {}), (None, {"widths": [2, 2, 1]})], ids=["target", "run"])
def test_what_a_fixed_architecture_does_wrong_is_shrunk_in_its_shape(supports, options):
    posed = []

    def doubled(problem):
        posed.append(problem.widths)
        return [2 * weight for weight in of_one_shape(problem)[0]], gradient(problem).biases

    doubled.supports = supports
    (finding,) = check(doubled, max_examples=10, seed=1, **options).findings
    assert (finding.verdict, finding.shrunk, finding.fresh) == ("wrong", "in full", True)
    assert set(posed) == {(2, 2, 1)}


def test_a_large_shape_that_the_run_asks_for_shrinks_to_a_small_one_where_the_target_takes_it():
    def doubled(problem):
        return [2 * weight for weight in gradient(problem).weights], gradient(problem).biases

    def raises(problem):
        raise ValueError("not today")

    options = {"max_examples": 2, "seed": 1, "laws": ["it_answers", "it_agrees_with_the_exact_gradient"]}
    (finding,) = check(doubled, **options, shrink_seconds=3, widths=[70, 10]).findings
    assert finding.problem.widths == (1, 1)
    (finding,) = check(raises, **options, shrink_seconds=0.5, widths=[70, 10]).findings
    assert finding.problem.widths == (70, 10)
    doubled.supports = {"widths": [70, 10]}
    (finding,) = check(doubled, **options, shrink_seconds=0.5).findings
    assert finding.problem.widths == (70, 10)


def test_a_law_that_only_a_large_shape_breaks_is_told_of_a_small_one_as_it_is():
    """The laws that are asked beside a problem that was shrunk may ask related ones of its own widths."""

    def forgets_the_last_sample(problem):
        answer = gradient(problem.replaced(x=problem.x[:-1], y=problem.y[:-1])) if problem.batch > 1 else gradient(problem)
        return Gradient(answer.weights, answer.biases)

    (finding,) = check(forgets_the_last_sample, max_examples=3, seed=1, widths=[70, 2], laws=["batch_gradients_add"]).findings
    assert finding.problem.widths == (1, 1)
    assert finding.fresh


CONTRADICTIONS = [
    ("other widths", {"widths": [2, 2, 1]}, {"widths": [2, 3, 1]}, "widths is [2, 3, 1], but the target supports only [2, 2, 1]"),
    ("another depth", {"widths": [2, 2, 1]}, {"depth": (3, 4)}, "widths is [2, 2, 1], but the target supports only depth (3, 4)"),
    ("other outputs", {"widths": [2, 2, 1], "outputs": (2, 2)}, {"depth": 2}, "the target supports only outputs (2, 2)"),
    ("no such width", {"widths": [2, 2, 1]}, {"width": (2, 2)}, "widths is [2, 2, 1], but the target supports only width (2, 2)"),
]
LAYERS = {"widths": [2, 2, 1], "layer_activations": ["tanh", "identity"], "layer_biases": [True, False]}
CONTRADICTIONS += [
    ("hidden activations", LAYERS, {"activations": ["relu"]}, "activations is ['relu'], but the target has a layer of tanh"),
    ("outputs", LAYERS, {"output_activations": ["relu"]}, "output_activations is ['relu'], but the target has a layer of identity"),
    ("all activations", LAYERS, {"activations": ["tanh"]}, "activations is ['tanh'], but the target has a layer of identity"),
    ("biases", LAYERS | {"layer_biases": [True, True]}, {"biases": False}, "biases is False, but the target's layers have [True, True]"),
]


@pytest.mark.parametrize(("supports", "asked", "message"), [row[1:] for row in CONTRADICTIONS], ids=[row[0] for row in CONTRADICTIONS])
def test_limits_that_contradict_widths_are_refused(supports, asked, message):
    with pytest.raises(SupportError) as refused:
        Support.of(supports).limited(**asked)
    assert message in str(refused.value)
    if "widths" not in asked:
        with pytest.raises(SupportError):
            Support.of(supports | asked)


def test_a_target_of_a_large_shape_is_drawn_as_one():
    support = Support.of({"widths": [784, 128, 10]})
    assert support == Support.of(None).limited(widths=[784, 128, 10])
    assert {problem.widths for problem in draw_problems(3, 1, support)} == {(784, 128, 10)}


def test_what_a_problem_asks_for_a_related_one_may_ask_for():
    problem = Problem([[[1.0]], [[2.0]]], activations=["tanh", "identity"], x=[[1.0], [0.5]], y=[[0.0], [1.0]], wants=["x"])
    assert name_and_parameters(problem.loss)[0] == "half_squared_error"
    outcome = LAWS["a_split_network_chains"].on(Case(problem, InProcess(gradient)))
    assert outcome.status == "held"


UNSUPPORTED = [
    ("no samples", Support(), {"x": [], "y": []}, "a batch without samples"),
    ("dC/dx", Support(), {"wants": ["x", "loss"]}, "being asked for x, loss"),
    ("a bias", Support(biases=False), {"biases": [None, [0.0]]}, "biases"),
    ("no bias", Support(biases=True), {}, "no biases"),
    ("dC/dx, which it gives", Support(wants=("x",)), {"wants": ["x"]}, ""),
    ("biases", Support(biases=True), {"biases": [[1.0], [0.0]]}, ""),
]


@pytest.mark.parametrize(("support", "changes", "said"), [row[1:] for row in UNSUPPORTED], ids=[row[0] for row in UNSUPPORTED])
def test_what_of_a_problem_is_not_supported_is_said(support, changes, said):
    problem = Problem([[[1.0]], [[2.0]]], activations=["tanh", "identity"], x=[[1.0], [0.5]], y=[[0.0], [1.0]])
    assert support.refusal(problem.replaced(**changes)) == said
