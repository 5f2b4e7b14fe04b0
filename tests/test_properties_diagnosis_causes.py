"""A planted mistake is named by its place and cause; a right target is told nothing; what is not in the table is never told as certain."""

import math
from functools import cache

import numpy as np
import pytest

from backproof import Gradient, adapt
from backproof.targets.target import InProcess
from benchmarks.textbook import Textbook
from properties.diagnosis.conditions import Condition
from properties.diagnosis.equals import PAIRS, are_equal
from properties.diagnosis.examination import CALLS, Examination, diagnose
from properties.diagnosis.expected_of_faults import steps_by
from properties.diagnosis.ladder import ladder
from properties.diagnosis.placing import Place
from properties.diagnosis.reproduction import conditioned, together
from properties.diagnosis.sentences import of_cause, of_nothing_read, of_place
from properties.diagnosis.table import OF_RANGE, Table, all_variants, is_conduct
from properties.diagnosis.textbook_formulas import FORMULAS
from properties.faults.fault import BITS, STEPS, Network
from properties.faults.table import FAULTS
from properties.problems.support import Support

SIMPLE = {"activations": ["tanh", "relu", "identity"], "losses": ["half_squared_error"], "reductions": ["sum"], "depth": 3}
"""A target as a student writes one: its ladder is short."""

SMALL = SIMPLE | {"activations": ["tanh", "identity"], "depth": 2}
"""A shorter one, where it matters neither which activations there are nor that a hidden layer is not the first."""

LIMIT = 600.0
"""Seconds, which no test comes to: what is asked must not depend on the machine."""


def told_of(target, supports=SIMPLE, **options):
    return diagnose(InProcess(target), Support.of(supports), seconds=LIMIT, **options)


@cache
def told_of_fault(name):
    """What is told of a planted fault, of which some tests look at other parts; no test writes to it."""
    supports, *_ = NAMED[name]
    target, calls = FAULTS[name].answering(("weights", "biases")), []
    told = told_of(lambda problem: calls.append(problem) or target(problem), supports)
    assert len(calls) <= CALLS[False]
    return told


def network(*rows, answers=("weights", "biases")):
    """A target that makes some mistakes at once."""
    return Network(together(rows), answers)


NAMED = {
    # name -> supports, equation, layer
    "forgot_transpose": (SIMPLE | {"width": (3, 3)}, 7, 1),
    "used_activation_for_pre_activation": (SIMPLE, 3, 1),
    "left_out_the_last_row": (SIMPLE, 10, 1),
    "dropped_the_last_sample": (SIMPLE, 2, 2),
    "used_updated_weights": (SIMPLE, 7, 1),
    "forgot_the_bias_in_the_forward_pass": (SIMPLE, None, None),
    "answered_the_layers_in_reverse": (SIMPLE | {"width": (3, 3)}, None, None),
    "forgot_the_label": (FAULTS["forgot_the_label"].supports | {"depth": 2}, 2, 1),
}


@pytest.mark.parametrize("name", NAMED)
def test_a_planted_fault_is_named_with_its_place(name):
    _, equation, layer = NAMED[name]
    (diagnosis,) = told_of_fault(name)
    assert diagnosis.cause == name or are_equal(diagnosis.cause, name)
    assert (diagnosis.equation, diagnosis.layer) == (equation, layer)
    given, of = diagnosis.reproduced
    assert given == of > 50
    assert f"gives all {given} of its answers, the " in diagnosis.explanation


def test_a_variant_of_the_table_comes_back_or_nothing_is_certain(times):
    # some rows: whether any of two thousand is told as another one is a measurement, benchmarks.diagnosis, and not yet known of all
    rows = list(all_variants().values())
    for i in np.random.default_rng(3).choice(len(rows), 3 * times, replace=False):
        row = rows[i]
        for diagnosis in told_of(network(row), SIMPLE | {"activations": ["tanh", "relu", "identity", "silu"], "depth": 2}):
            assert diagnosis.cause is None or row.name in (diagnosis.cause, *diagnosis.same_as)


@pytest.mark.parametrize(
    "target", [Network(answers=("weights", "biases")), Network(), Textbook("float64")], ids=["gradient", "all", "textbook"]
)
def test_nothing_is_told_of_a_right_target(target):
    assert told_of(target, SIMPLE | {"losses": ["half_squared_error", "softmax_cross_entropy"], "values": "tame"}) == ()


def test_two_mistakes_are_both_named_the_output_most_first():
    rows = all_variants()["doubled_the_error"], all_variants()["left_out_the_last_row"]
    told = told_of(network(*rows), SMALL)
    assert [diagnosis.cause for diagnosis in told] == ["doubled_the_error", "left_out_the_last_row"]
    assert 'last row of each dC/dW is what its buffer held, 0" beside it' in told[0].explanation


def test_a_formula_that_loses_digits_alone_is_no_mistake_beside_one():
    """a (1 - a) of a sigmoid is right, if lossy: somebody would look for an hour for what is wrong with it."""
    rows = all_variants()["took_a_diagonal_jacobian_for_softmax"], all_variants()["took_the_slope_of_sigmoid_for_every_activation"]
    supports = {"activations": ["sigmoid"], "output_activations": ["softmax"], "losses": ["cross_entropy_of_probabilities"]}
    supports |= {"reductions": ["mean"], "biases": True}
    (told,) = told_of(network(*rows), supports, seed=7)  # a seed by which its digits are missed
    assert told.cause == rows[0].name
    assert "A network with this one mistake, and a formula that loses digits, gives all" in told.explanation
    both = told_of(network(*rows), supports | {"activations": ["sigmoid", "tanh"]})
    assert {each.cause for each in both} == {row.name for row in rows}


@pytest.mark.parametrize("values", ["tame", "any"])
def test_a_right_softmax_that_loses_digits_is_not_accused_of_leaving_the_range(values):
    """The largest is taken out of it, so that it overflows nowhere; by its digits alone it might be one that does."""
    row, lossy = (
        all_variants()[name]
        for name in (
            "used_the_pre_activations_of_the_layer_below",
            "took_softmax_of_the_difference_for_the_derivative_of_softmax_cross_entropy",
        )
    )
    supports = {"activations": ["relu"], "output_activations": ["identity"], "losses": ["softmax_cross_entropy"], "depth": 2}
    supports |= {"reductions": ["mean"], "biases": True, "values": values}
    (told,) = told_of(network(row, lossy), supports, seed=1)
    assert told.cause == row.name
    strictly = told_of(network(lossy), supports, seed=1, strict=True)
    assert all("NaN" not in one.explanation for one in strictly)
    assert not {name for one in strictly for name in one.same_as} & OF_RANGE


def test_a_softmax_that_overflows_is_told_beside_another_mistake():
    """What shows by NaN is told where something is NaN, and each such row says so."""
    rows = all_variants()["overflowed_softmax"], all_variants()["doubled_dw"]
    limits = {"activations": ["relu"], "output_activations": ["identity"], "losses": ["softmax_cross_entropy"], "depth": (2, 2)}
    assert {each.cause for each in told_of(network(*rows), limits | {"reductions": ["sum"], "biases": True})} == {row.name for row in rows}
    assert all("NaN" in FAULTS[name].explanation for name in OF_RANGE)


LEFT_OUT = ["used_activation_for_pre_activation", "left_out_the_last_row", "forgot_transpose"]


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_is_not_in_the_table_is_placed_and_never_certain(name):
    target, (supports, *_), (known,) = FAULTS[name].answering(("weights", "biases")), NAMED[name], told_of_fault(name)
    assert known.cause is not None
    (diagnosis,) = told_of(target, supports, without=sorted({name, known.cause, *known.same_as}))
    assert diagnosis.cause is None
    assert diagnosis.same_as == ()
    assert diagnosis.equation in FAULTS[name].equations
    assert "Cause not known" in diagnosis.explanation
    assert "X" in [said for _, said in diagnosis.evidence["boxes"]]


def test_a_condition_is_learnt():
    def doubled_in_the_first_layer(problem):
        given = Network()(problem)
        return Gradient([given.weights[0] * (2 if problem.depth > 1 else 1), *given.weights[1:]], given.biases)

    (diagnosis,) = told_of(doubled_in_the_first_layer, without=[row for row in all_variants() if row.startswith("stopped")])
    # of one layer it is right, so that no single condition holds: nothing is certain
    assert diagnosis.cause is None
    assert diagnosis.equation == 4

    def doubled_below_the_output(problem):
        given = Network()(problem)
        return Gradient([*(2 * w for w in given.weights[:-1]), given.weights[-1]], given.biases)

    (diagnosis,) = told_of(doubled_below_the_output)
    assert diagnosis.cause == "doubled_dw"
    assert diagnosis.shows_when == "in hidden layers"
    assert "in hidden layers alone" in diagnosis.explanation


def test_a_condition_that_fits_the_ladder_alone_is_not_certain():
    # the ladder has no square layer of relu by itself: a run draws some
    row = all_variants()["multiplied_by_the_outputs_the_slope_of_relu"]
    shown = Condition("", lambda problem, layer: problem.depth == 1 and problem.widths[0] != problem.widths[1])
    (diagnosis,) = told_of(network(conditioned(row, shown)))
    assert diagnosis.cause is None
    assert diagnosis.equation == 3


CONDUCT = {
    "added_to_the_gradient_of_the_call_before": "adds_to_the_answer_before",
    "answered_the_problem_before": "answers_the_problem_before",
    "kept_the_first_answer_for_the_same_inputs": "keeps_its_answers",
    "updated_the_weights_in_place": "writes_to_its_inputs",
    "returned_a_shared_buffer": "shares_memory_between_answers",
    "left_dropout_on": "differs_from_call_to_call",
    "read_fortran_order_as_c": "depends_on_the_memory_layout",
}


@pytest.mark.parametrize("name", CONDUCT)
def test_conduct_is_told_first_and_ends_the_reading(name):
    (diagnosis,) = told_of(FAULTS[name].target, SMALL)
    assert diagnosis.cause == CONDUCT[name]
    assert diagnosis.equation is None
    assert diagnosis.evidence["boxes"] == []


@pytest.mark.parametrize("right", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 40])
def test_what_changes_after_some_calls_is_told(right):
    """Not as noise, a layout or a problem before, which change an answer as well."""
    calls = []

    def wrong_later(problem):
        calls.append(problem)
        given = Network()(problem)
        return Gradient([w * (1 + (len(calls) > right)) for w in given.weights], given.biases)

    (diagnosis,) = told_of(wrong_later, SMALL)
    assert diagnosis.cause == "changes_after_some_calls"
    assert diagnosis.explanation.startswith("It answers one problem otherwise after ")


def test_the_lines_of_a_cause():
    (diagnosis,) = told_of_fault("used_activation_for_pre_activation")
    assert diagnosis.explanation.startswith(
        "equation 3, layer 1 (tanh): g' is taken at a in place of z. It shows for every activation whose slope "
    )
    assert ["g'1", "X"] in diagnosis.evidence["boxes"]
    table = diagnosis.evidence["tables"][0]
    assert table["columns"] == ["z", "g'(z)", "read"]
    assert 0 < table["error"] < 1e-11
    for z, right, read in table["rows"]:
        assert right == pytest.approx(1 / np.cosh(z) ** 2)
        assert read == pytest.approx(1 / np.cosh(np.tanh(z)) ** 2)


def test_no_more_calls_are_made_than_are_told():
    calls = []

    def counted(problem):
        calls.append(problem)
        return FAULTS["doubled_the_error"].target(problem)

    # of one loss they are counted where a fault is named
    assert told_of(counted, {})
    assert len(calls) <= CALLS[True]


def test_what_was_not_asked_for_want_of_time_is_told():
    target = InProcess(FAULTS["doubled_the_error"].target)
    examination = Examination(target, Support.of(SIMPLE), "float64", 0, 0.0, None)
    (diagnosis,) = examination.diagnosed(())
    assert "were not asked for want of time or calls" in diagnosis.evidence["not_asked"]
    assert examination.calls < 100


def test_answers_that_are_refused_are_a_mistake_of_their_own_or_said_to_be_unexplained():
    rows = all_variants()["doubled_the_error"], all_variants()["answered_biases_as_columns"]
    assert {diagnosis.cause for diagnosis in told_of(network(*rows), SMALL)} == {row.name for row in rows}

    def picky(problem):
        if problem.batch == 2:
            raise KeyError("two samples")
        given = Network()(problem)
        return Gradient([2 * w for w in given.weights], [None if b is None else 2 * b for b in given.biases])

    (diagnosis,) = told_of(picky, SMALL)
    assert diagnosis.cause == "doubled_the_error"
    assert "further problems it gives no answer that can be judged, which this does not explain." in diagnosis.explanation


@pytest.mark.parametrize(("answers", "said"), [(False, "to any of the"), (True, "those that it answers are right")])
def test_of_what_gives_no_answer_nothing_is_said_to_be_right(answers, said):
    def refuses(problem):
        if problem.batch > 1 or not answers:
            raise AttributeError("no such thing")
        given = Network()(problem)
        return Gradient(given.weights, given.biases)

    (diagnosis,) = told_of(refuses, SMALL)
    assert diagnosis.cause is None
    assert "It gives no answer to" in diagnosis.explanation
    assert said in diagnosis.explanation


def test_a_wrong_forward_pass_is_no_wrong_derivative():
    def another_activation(problem):
        changed = tuple("softsign" if a == "tanh" else a for a in problem.activations)
        given = Network()(problem.replaced(activations=changed))
        return Gradient(given.weights, given.biases)

    same = [name for name in all_variants() if name.startswith("exchanged_tanh")]
    (diagnosis,) = told_of(another_activation, SMALL, without=same)
    assert diagnosis.cause is None
    assert diagnosis.equation is None
    assert "the definition of a" in diagnosis.explanation.lower()


def test_the_table_holds_every_fault_of_a_step_and_much_more():
    rows = all_variants()
    assert {name for name, fault in FAULTS.items() if not is_conduct(fault) and fault.laws != (BITS,)} <= set(rows)
    assert len(rows) > 1000
    assert all(set(row.changed) <= set(STEPS) for row in rows.values())
    assert all(1 <= number <= 11 for row in rows.values() for number in row.equations)
    assert all(row.sentence and not row.sentence.endswith(".") for row in rows.values())


def test_equals_are_of_the_table():
    assert [name for one, other, _ in PAIRS for name in (one, other) if name not in all_variants()] == []
    assert all(one != other and why for one, other, why in PAIRS)


def test_a_table_without_some_holds_all_others():
    table = Table(["doubled_the_error"])
    assert "doubled_the_error" not in table.rows
    assert len(table.rows) == len(all_variants()) - 1


def test_a_loss_of_differences_is_read_through_the_output():
    (diagnosis,) = told_of(FAULTS["forgot_the_expected_outputs"].answering(("weights", "biases")), SMALL)
    table = diagnosis.evidence["tables"][0]
    assert table["columns"] == ["a", "y", "dC/da", "read"]
    for a, y, right, read in table["rows"]:
        assert right == pytest.approx(a - y)
        assert read == pytest.approx(a)


def test_a_condition_is_learnt_where_every_network_shows_the_mistake():
    """Each network has a first layer, so that no right answer tells where it is right: other layers of wrong ones do."""

    def slope(p, layer):
        return np.ones_like(p.z[layer]) if layer == 1 else STEPS["slope"](p, layer)

    supports = SMALL | {"activations": ["tanh"]}
    (diagnosis,) = told_of(Network({"slope": slope}, ("weights", "biases")), supports)
    assert diagnosis.shows_when == "in the first layer"
    assert diagnosis.equation == 3
    assert "took_one_for_the_slope_of_tanh" in (diagnosis.cause, *diagnosis.same_as)


def test_a_slope_left_out_above_and_one_taken_at_a_below_are_both_named():
    # of the rows that read the output's slope as 1 most make it 1 below as well
    rows = all_variants()["forgot_the_slope_of_the_output_layer"], all_variants()["used_activation_for_pre_activation"]
    told = told_of(network(*rows), SIMPLE | {"activations": ["tanh"], "depth": (2, 2), "biases": True})
    assert [diagnosis.cause for diagnosis in told] == [row.name for row in rows]
    # each has the picture of its own layer
    above, below = (diagnosis.evidence["tables"][0] for diagnosis in told)
    assert [read for _, _, read in above["rows"]] == pytest.approx([1.0] * len(above["rows"]))
    assert [read for _, _, read in below["rows"]] == [pytest.approx(1 - np.tanh(np.tanh(z)) ** 2) for z, _, _ in below["rows"]]


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_weights_that_each_sample_updates_by_itself_are_named_with_their_rate(reduction):
    def step(weights, biases, activations, x, y, rate):
        a, z = [x], []
        for w, b in zip(weights, biases, strict=True):
            z.append(w @ a[-1] + b)
            a.append(z[-1] if len(z) == len(weights) else np.tanh(z[-1]))
        delta = a[-1] - y
        for layer in reversed(range(len(weights))):
            weights[layer] -= rate * np.outer(delta, a[layer])
            biases[layer] -= rate * delta
            if layer:
                delta = weights[layer].T @ delta / np.cosh(z[layer - 1]) ** 2
        return weights, biases

    limits = {"activations": ["tanh"], "output_activations": ["identity"], "biases": True, "reductions": [reduction], "values": "tame"}
    target = adapt(step, samples="one", returns="updated", learning_rate={"rate": 0.25}, supports=limits | {"depth": (2, 2)})
    (diagnosis,) = told_of(target, target.supports)
    assert diagnosis.cause == "used_weights_updated_by_each_sample_at_a_rate_of_0.25"
    assert diagnosis.equations == (7, 11)


def test_what_explains_all_but_further_problems_leaves_no_answers_to_something_else():
    row = all_variants()["doubled_the_error"]
    found = Place("output_error", 1, (2,), None)
    assert "explains 3 of 5 wrong answers, and in the other 2 something else is off" in of_place(found, "equation 2", (row, 3, 5))
    assert "explains all 5 wrong answers, but not those to further problems" in of_place(found, "equation 2", (row, 5, 5))


def test_what_raises_alone_fails_in_the_same_way_and_gives_no_wrong_answer():
    said = of_cause(all_variants()["doubled_the_error"], "equation 2", "", (3, 0, 5), [])
    assert said.endswith(
        "A network with this one mistake fails in the same way on the same 5 problems, and no answer that it gives is wrong."
    )


def test_wrong_answers_of_which_nothing_is_read_are_counted():
    assert of_nothing_read(3, 1, 7).startswith("3 answers are wrong, and no factor of them can be read: ")
    assert of_nothing_read(0, 2, 7) == "It gives no answer to 2 problems that it supports; those that it answers are right."


def test_an_answer_that_is_always_the_same_is_not_that_of_another_problem(seed_of_the_run):
    number = float(seed_of_the_run % 2)

    def constant(problem):
        return Gradient([w * 0 + number for w in problem.weights], [None if b is None else b * 0 + number for b in problem.biases])

    for diagnosis in told_of(constant, SMALL):
        assert diagnosis.cause not in CONDUCT.values()
        assert "before" not in diagnosis.explanation


def test_sums_in_another_order_are_no_conduct_in_float32():
    """Another memory layout adds up in another order, which float64's bound would not allow to answers in float32."""
    textbook, tame = Textbook("float32"), SIMPLE | {"values": "tame"}

    def by_layout(problem):
        return textbook(problem if problem.x.flags.c_contiguous else problem.of_samples(np.arange(problem.batch)[::-1].copy()))

    def doubled(problem):
        given = by_layout(problem)
        return Gradient([2 * w for w in given.weights], given.biases)

    assert told_of(by_layout, tame) == ()
    assert [diagnosis.cause for diagnosis in told_of(doubled, tame)] == ["doubled_dw"]


def test_two_problems_behind_slopes_of_0_may_have_one_answer():
    lossy = Network(steps_by(FORMULAS["cancelled_relu6_at_large_z"]), ("weights", "biases"))
    assert told_of(lossy, {"activations": ("relu6",), "values": "tame"}) == ()


def test_what_updates_lose_by_their_rate_is_allowed_for():
    """Read off at the rate 0.01, dC/dW loses digits: no second mistake is made of that."""

    def step(weights, biases, x, y, lr):
        a = [x]
        for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
            z = a[-1] @ w.T + (0 if b is None else b)
            a.append(np.maximum(z, 0) if k + 1 < len(weights) else z)
        delta = a[-1] - y
        for k in reversed(range(len(weights))):
            delta = delta * (a[k + 1] > 0) if k + 1 < len(weights) else delta
            weights[k] -= lr * delta.T @ a[k]
            if biases[k] is not None:
                biases[k] -= lr * delta.sum(axis=0)
            delta = delta @ weights[k]
        return weights, biases

    limits = {"activations": ["relu"], "output_activations": ["identity"], "values": "tame", "depth": 2}
    target = adapt(step, activations=False, returns="updated", learning_rate={"lr": 0.01}, supports=limits)
    assert target.supports["learning_rate"] == 0.01
    (diagnosis,) = told_of(target, target.supports)
    assert (diagnosis.equation, diagnosis.layer) == (7, 1)
    assert "takes its step of gradient descent before it carries the error down" in diagnosis.explanation


def test_weights_taken_with_their_inputs_first_are_one_cause_and_what_it_raises_is_explained():
    def inputs_first(problem):
        a, slopes = [problem.x], []
        for w, b in zip(problem.weights, problem.biases, strict=True):
            a.append(np.tanh(a[-1] @ w + (0 if b is None else b)))
            slopes.append(1 - a[-1] ** 2)
        delta, weights, biases = (a[-1] - problem.y) * slopes[-1], [], []
        for k in reversed(range(problem.depth)):
            weights.insert(0, a[k].T @ delta)
            biases.insert(0, None if problem.biases[k] is None else delta.sum(axis=0))
            delta = (delta @ problem.weights[k].T) * slopes[k - 1] if k else delta
        return Gradient(weights, biases)

    (diagnosis,) = told_of(inputs_first, SMALL | {"activations": ["tanh"]})
    assert diagnosis.cause == "took_weights_as_inputs_by_outputs"
    assert 'backproof.adapt(f, weights="in_out")' in diagnosis.explanation
    assert "no answer" not in diagnosis.explanation


def test_a_mistake_in_the_output_layer_alone_is_named_where_every_answer_is_wrong():
    row = all_variants()["used_activation_for_pre_activation"]
    in_the_output = conditioned(row, Condition("in the output layer", lambda q, layer: layer == q.depth))
    limits = {"activations": ["sigmoid"], "losses": ["half_squared_error"], "depth": 2, "biases": True, "values": "tame"}
    (diagnosis,) = told_of(network(in_the_output), limits)
    assert (diagnosis.cause, diagnosis.shows_when) == (row.name, "in the output layer")


@pytest.mark.parametrize(("seconds", "asked"), [(math.inf, 40), (LIMIT, 40), (0.0, 20)], ids=["no limit", "enough", "none"])
def test_so_many_are_asked_in_the_time_that_there_is(seconds, asked):
    support = Support.of(SIMPLE)
    examination = Examination(InProcess(Network()), support, "float64", 1, seconds, None)
    assert len(examination.asked(ladder(support, 1, "float64")[:40], 0.5)) == asked
