"""What a report says first: one order and one verdict, place and cause in words, the line to change, and pictures that say something."""

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, softmax
from scipy.stats import norm

import backproof
from backproof import Gradient, Problem, gradient
from backproof.findings.causes import in_words
from backproof.reports.chain import OFF, UNREAD, chain, first_off
from backproof.reports.charts import evidence_picture
from backproof.reports.mathematics import (
    BY_LOSS,
    RIGHT,
    SLOPES,
    right_of,
    right_of_slope,
)
from backproof.reports.network import _within_a_node
from backproof.reports.terminal import report_text
from backproof.reports.told import findings_by_cause, headline
from backproof.runs.conclusion import _explained, _of_range_apart
from properties.diagnosis.conduct import TABLE
from properties.diagnosis.diagnosis import Diagnosis
from properties.diagnosis.formulas_beyond_range import BEYOND_RANGE
from properties.diagnosis.sentences import of_cause
from properties.diagnosis.table import all_variants
from properties.diagnosis.textbook_formulas import FORMULAS
from properties.faults.table import FAULTS
from properties.judging.nearness import Nearness
from properties.verdict import Verdict
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import defaults
from reference.passes import passes
from tests.saved_runs import run


@pytest.mark.parametrize(
    ("name", "factor"),
    [("equation 2", "output_error"), ("equation 3", "slope"), ("equation 4", "weight_gradient"), ("equation 10", "bias_gradient")],
)
def test_the_first_step_that_is_off_is_the_mistake(name, factor):
    finding = run(name).findings[0]
    steps = chain(finding.problem, finding.answer, finding.precision, finding.diagnosis)
    assert first_off(steps).factor == factor
    assert {step.factor for step in steps if step.state == OFF} == {factor}
    assert all(step.differs for step in steps if step.state == OFF)


def test_dc_dw_that_is_the_mistake_is_no_mistake_of_delta_in_a_layer_without_biases():
    """There delta is known from dC/dW alone: what is certain says which of both is meant."""
    finding = run("equation 4").findings[0]
    assert finding.cause is not None
    bare = finding.problem.replaced(biases=[None] * finding.problem.depth)
    right = gradient(bare)
    answer = Gradient([2 * weight for weight in right.weights], [None] * bare.depth)
    steps = chain(bare, answer, None, finding.diagnosis)
    assert {step.factor for step in steps if step.state == OFF} == {"weight_gradient"}
    assert {step.state for step in steps if step.factor == "delta"} == {UNREAD}
    assert "weight_gradient" not in {step.factor for step in chain(bare, answer, None) if step.state == OFF}, "nothing else says so"


def test_where_the_cause_is_not_known_it_is_not_known_of_other_activations():
    """What was read off layers of one activation blames no slope of another."""
    finding = run("equation 3").findings[0]
    unknown = replace(finding.diagnosis, cause=None)
    bare = finding.problem.replaced(activations=["identity"] * finding.problem.depth)
    answer = gradient(bare).mapped(lambda place, array: 2 * np.asarray(array))
    for diagnosis, blamed in ((unknown, False), (finding.diagnosis, True)):
        steps = chain(bare, answer, None, diagnosis)
        assert any(step.factor == "slope" and step.state == OFF for step in steps) is blamed


def test_what_is_not_finite_is_explained_where_it_shows_unless_it_is_seen_most():
    first = run("equation 3").findings[0]
    edge = {"kind": "edge", "caption": "c", "columns": ["z", "not finite"], "rows": [[709.0, 0.0]], "error": 0.0, "note": ""}
    of_range = Diagnosis(1, None, (), "took_softplus_by_log_of_one_and_exp", "", "a is infinite", {"boxes": [], "tables": [edge]})
    wrong = replace(first, seen=90, diagnoses=(of_range, first.diagnosis))
    beyond = replace(first, verdict=Verdict.NONFINITE, seen=25, diagnoses=())
    apart = _of_range_apart([wrong, beyond])
    assert [one.diagnoses for one in apart] == [(first.diagnosis,), (of_range,)]
    for findings in ([wrong, replace(beyond, seen=91)], [replace(wrong, diagnoses=(of_range,)), beyond], [wrong]):
        assert _of_range_apart(list(findings)) == findings


def test_an_error_that_is_raised_is_told_before_a_place_without_a_cause():
    finding = run("equation 3").findings[0]
    placed = replace(finding.diagnosis, cause=None)
    why = "ValueError: not enough values to unpack (expected 2, got 1) (mine.py:3 in f)"
    raises = replace(finding, verdict=Verdict.RAISES, law="it_answers", message=why, judgement=None, answer=None, diagnoses=(placed,))
    report = replace(run("equation 3"), findings=(raises,))
    assert headline(report).what == why
    assert "What the target multiplies by" not in report.html()
    certain = replace(report, findings=(replace(raises, diagnoses=(finding.diagnosis,)),))
    assert headline(certain).what != why


def test_a_place_without_a_cause_stands_in_the_finding_that_shows_numbers():
    first = replace(run("equation 3").findings[0], diagnoses=())
    raises = replace(first, verdict=Verdict.RAISES, law="it_answers", message="two samples", answer=None, judgement=None)
    certain = run("equation 3").findings[0].diagnosis
    for made, order, explained in (
        (replace(certain, cause=None), [Verdict.RAISES, Verdict.WRONG], 1),
        (certain, [Verdict.WRONG, Verdict.RAISES], 0),
        (replace(certain, reproduced=(9, 0)), [Verdict.RAISES, Verdict.WRONG], 0),
    ):
        findings = _explained([raises, first], (made,))
        assert [one.verdict for one in findings] == order
        assert [bool(one.diagnoses) for one in findings] == [i == explained for i in range(2)]


@pytest.mark.parametrize(("cause", "leads"), [("used_the_activations_of_the_layer_above", True), ("doubled_dw", False)])
def test_a_wrong_shape_that_fits_by_chance_at_one_node_leads(cause, leads):
    """Of delta times the outputs of the layer, in place of its inputs, the report said "wrong: got 0.25, exact 0.5"."""
    problem = Problem([[[1.0, 0.0]]], activations=["relu"], x=[[1.0, 0.0]], y=[[0.0]])
    first = replace(run("equation 3").findings[0], diagnoses=())
    why = "layer 1: dC/dW has shape (1, 1), expected (1, 2); a hint"
    shape = replace(first, verdict=Verdict.MALFORMED, message=why, problem=problem, judgement=None, answer=None)
    made = (replace(run("equation 3").findings[0].diagnosis, cause=cause),)
    for findings in ([shape, first], [first, shape]):
        told = _explained(findings, made)
        assert told[0].verdict is (Verdict.MALFORMED if leads else Verdict.WRONG)
        assert told[0].diagnoses == made
        assert not told[1].diagnoses
        said = headline(replace(run("equation 3"), findings=tuple(told))).more
        assert said.startswith("Layer 1: dC/dW has shape (1, 1), expected (1, 2); a hint. ") is leads
    # another shape than the one that this mistake makes is not told by it
    other = replace(shape, message="layer 1: dC/dW has shape (7, 7), expected (1, 2)")
    assert _explained([other, first], made)[0].verdict is Verdict.WRONG


def test_what_explains_most_answers_is_told_first_where_nothing_explains_all():
    """And with it its own equation, in place of what was read of the first factor that is off."""
    finding = run("equation 3").findings[0]
    row = next(one for one in all_variants().values() if one.step == "error_below" and one.equations == (7, 11))
    sentence = row.sentence.rstrip(".")
    for of, in_part in ((117, True), (200, False)):
        said = (
            "The first that is off, from the loss down, is g', the derivative of the activation: equation 3, layer 1 (sigmoid). Cause not "
            f"known; in part it is as if {sentence}: that explains 114 of {of} wrong answers, and in the other {of - 114} something else "
            "is off as well."
        )
        diagnosis = replace(finding.diagnosis, cause=None, explanation=said)
        report = replace(run("equation 3"), findings=(replace(finding, diagnoses=(diagnosis,)),))
        told = headline(report)
        assert told.in_part is in_part
        assert (told.where == "Equations 7 and 11") is in_part
        assert (told.right == RIGHT["error_below"]) is in_part
        assert ("What the target multiplies by" in report.html()) is not in_part
        assert f"114 of {of} wrong answers" in f"{told.what} {told.more}"


def test_the_badge_is_that_of_the_first_finding():
    """One order for both: what explains the others is told first, and the verdict is its own."""
    first = run("equation 3").findings[0]
    raises = replace(first, law="it_answers", verdict=Verdict.RAISES, message="two samples", answer=None, judgement=None, diagnoses=())
    report = replace(run("equation 3"), findings=(first, raises))
    assert report.verdict is Verdict.WRONG
    assert replace(report, findings=(raises, first)).verdict is Verdict.RAISES
    assert re.search(r'<span class="badge bad">(\w+)</span>\s*<p class="where', report.html())[1] == "wrong"
    assert report.markdown().startswith("## ❌ wrong: ")
    assert report_text(report).startswith("wrong: ")


def test_the_columns_say_which_is_yours_and_which_is_right():
    page, text = run("equation 3").html(), run("equation 3").markdown()
    assert '<th scope="col">should be</th><th scope="col">yours</th>' in page
    assert '<th scope="col">g&#39;(z), should be</th><th scope="col">yours</th>' in page
    assert "<dt>yours</dt>" in page
    assert "g&#39;(z), should be</text>" in page
    assert ">exact<" not in page[: page.index('id="h-findings"')]
    assert "| should be | " in text
    rows = dict(run("equation 3").findings[0].rows())
    assert "g'(z), should be" in str(run("equation 3"))
    assert "evidence" in rows


def test_what_gives_the_same_numbers_is_told_in_words():
    finding = run("equation 3").findings[0]
    name = next(iter(all_variants()))
    told = replace(finding, diagnoses=(replace(finding.diagnosis, same_as=(name, "of_an_older_release")),))
    said = dict(told.rows())["same as"]
    assert all_variants()[name].sentence.rstrip(".") in said
    assert "of an older release" in said
    assert "_" not in said.replace("w_jk", "")


@pytest.mark.parametrize("name", sorted({*TABLE, *FORMULAS, *(row.name for row in BEYOND_RANGE)} - all_variants().keys()))
def test_each_cause_that_is_no_variant_has_words_of_its_own_too(name):
    said = in_words(name)
    assert said != name.replace("_", " ")
    assert not said.endswith(".")
    assert "{" not in said


def test_markdown_says_how_near_a_right_target_is_and_others_beside_it():
    beside = (Nearness("the target", "float64", 12, 1.3, 5.0), Nearness("PyTorch", "float64", 12, 1.2, 6.0, 3))
    lines = replace(run("right"), nearness=beside).markdown().splitlines()
    (said,) = [line for line in lines if line.startswith("Rounding in float64")]
    assert "the target 1.3, at most 5; PyTorch 1.2, at most 6." in said
    assert not [line for line in replace(run("right"), nearness=()).markdown().splitlines() if line.startswith("Rounding")]


def test_findings_are_grouped_by_what_is_wrong_and_not_by_its_name():
    report = run("equation 3")
    (heading, listed), *_ = findings_by_cause(report)
    assert heading == "g' is taken at a in place of z"
    assert listed[0][1].cause == "used_activation_for_pre_activation"
    for said in (report.html(), report.markdown()):
        assert "used activation for pre activation" not in said
        assert "used_activation_for_pre_activation" not in said.replace("\\_", "_")


def test_a_mistake_beside_another_is_told_in_words():
    """It said: with "answered_transposed_weights" beside it, a network gives all 116 answers."""
    row, other = all_variants()["doubled_dw"], all_variants()["answered_transposed_weights"]
    said = of_cause(row, "equations 4 and 10, layer 1", "", (116, 79, 0), [other])
    assert 'With "dC/dW is answered as (inputs, outputs)' in said
    assert "_" not in said


@pytest.mark.parametrize("name", SLOPES)
def test_each_slope_in_numpy_is_that_of_the_reference(name):
    z = np.array([-7.5, -2.0, -0.75, -0.1, 0.3, 0.9, 1.5, 4.0, 6.5])
    names = {"np": np, "z": z, "sigmoid": expit, "Phi": norm.cdf, "phi": norm.pdf}
    exec(right_of_slope(name).code, names)
    assert np.allclose(names["slope"], ACTIVATIONS[name]().derivative(z), rtol=1e-12, atol=0)
    if defaults(ACTIVATIONS[name]):
        (parameter,) = defaults(ACTIVATIONS[name])
        exec(right_of_slope((name, {parameter: 0.3})).code, names)
        assert np.allclose(names["slope"], ACTIVATIONS[name](**{parameter: 0.3}).derivative(z), rtol=1e-12, atol=0)


def test_the_line_to_change_has_the_slope_of_the_activation_that_is_meant():
    """Which the diagnosis names: the problem of the finding may have others in that layer."""
    report = run("equation 3")
    finding = report.findings[0]
    named = re.search(r"layer \d+ \((\w+)\)", finding.explanation)[1]
    assert headline(report).right.code == f"slope = {SLOPES[named]}"
    other = "tanh" if named != "tanh" else "sigmoid"
    diagnosis = replace(finding.diagnosis, explanation=finding.explanation.replace(f"({named})", f"({other})"))
    told = headline(replace(report, findings=(replace(finding, diagnoses=(diagnosis,)),)))
    assert (told.right.code, told.formula.split(":")[0]) == (f"slope = {SLOPES[other]}", other)


@pytest.mark.parametrize(
    ("value", "said"), [(0.73105, "0.731"), (-9450.1, "−9450"), (123456.0, "1.23e5"), (-1.5e-7, "−1.5e−7"), (2e120, "2e120"), (4.0, "4")]
)
def test_a_number_fits_its_node(value, said):
    assert _within_a_node(value) == said


def test_digits_are_drawn_as_digits():
    table = {"kind": "digits", "caption": "c", "columns": ["z", "g'(z)", "read", "digits"], "note": "", "error": 0.0}
    drawn = evidence_picture(table | {"rows": [[-18.8, 1e-16, 2e-16, 0.5], [6.0, 2e-5, 2e-5, 12.0], [1.0, float("nan"), 0, float("nan")]]})
    assert "digits that are right, of 16" in drawn
    bars = [found[0] for found in re.finditer(r"<rect[^>]*>", drawn) if "bar-of-digits" in found[0]]
    widths = [float(re.search(r'width="([\d.]+)"', bar)[1]) for bar in bars]
    assert widths[1] == pytest.approx(24 * widths[0], rel=0.01)
    assert "of 8" in evidence_picture(table | {"rows": [[1.0, 1.0, 1.0, 6.9]]})


def test_where_something_shows_is_drawn_as_a_row_of_boxes():
    table = {"kind": "edge", "caption": "c", "columns": ["z", "not finite"], "rows": [[709.7783, 0.0], [709.7832, 1.0]], "note": ""}
    drawn = evidence_picture(table)
    assert (drawn.count('class="cell"'), drawn.count('class="cell off"')) == (1, 1)
    assert "709.7832" in drawn


def test_the_chain_of_a_right_answer_is_right_throughout():
    problem = run("equation 3").findings[0].problem
    assert {step.state for step in chain(problem, gradient(problem), None)} == {"ok"}


def test_a_lossy_run_says_which_formula_keeps_the_digits():
    told = headline(run("lossy"))
    assert told.what == "Right, by a textbook formula that loses digits somewhere."
    assert "tanh' as 1 - a a" in told.more
    assert "1 / cosh(z)^2" in told.more
    assert told.right is None


def test_the_line_to_change_is_that_of_its_loss_and_reduction():
    def code(loss, reduction, factor="output_error"):
        expected = [[1.0, 0.0]] if "entropy" in loss else [[1.0, 2.0]]
        problem = Problem([[[1.0], [2.0]]], activations=["identity"], x=[[1.0]], y=expected, loss=loss, reduction=reduction)
        return right_of(factor, problem).code

    assert code("half_squared_error", "sum") == "error = a - y"
    assert code("half_squared_error", "mean") == "error = (a - y) / batch"
    assert code("softmax_cross_entropy", "mean", "reduction") == "error = (softmax(a) - y) / batch"
    assert code("huber", "sum") == "error = loss_derivative(a, y)"
    assert code("huber", "sum", "slope") == RIGHT["slope"].code


def test_each_line_of_numpy_is_the_reference():
    """What is told to be right is: run as it stands, it gives the reference's own numbers."""
    rng = np.random.default_rng(1)
    for reduction in ("sum", "mean"):
        for loss in BY_LOSS:
            y = np.eye(3)[[0, 2]] if "entropy" in loss else rng.normal(size=(2, 3))
            problem = Problem(
                [rng.normal(size=(2, 2)), rng.normal(size=(3, 2))],
                activations=["tanh", "identity"],
                biases=[rng.normal(size=2), rng.normal(size=3)],
                x=rng.normal(size=(2, 2)),
                y=y,
                loss=loss,
                reduction=reduction,
            )
            exact = passes(problem)
            forward, back = exact.forward, exact.backward
            names = {"a": forward.activations[2], "y": problem.y, "batch": 2, "outputs": 3, "W": problem.weights[1], "b": problem.biases[1]}
            names |= {"softmax": lambda a: softmax(a, axis=1), "sigmoid": expit, "a_below": forward.activations[1]}
            names |= {"z": forward.pre_activations[1], "g_prime": np.ones_like, "g": lambda z: z}
            for factor, name, right in (
                ("output_error", "error", back.errors[1]),
                ("reduction", "error", back.errors[1]),
                ("slope", "slope", back.slopes[1]),
                ("delta", "delta", back.deltas[1]),
                ("error_below", "error_below", back.errors[0]),
                ("weight_gradient", "dC_dW", back.weights[1]),
                ("bias_gradient", "dC_db", back.biases[1]),
                ("pre_activation", "z", forward.pre_activations[1]),
            ):
                exec(right_of(factor, problem).code, {}, names)
                np.testing.assert_allclose(names[name], right, rtol=1e-12, err_msg=f"{loss}, {reduction}: {factor}")


def test_the_line_of_a_softmax_layer_is_its_whole_jacobian_and_that_of_a_penalty_has_its_factor():
    rng = np.random.default_rng(2)
    for penalty in (("l2", 0.5), ("l2_over_batch", 0.5)):
        weights, x, y = [rng.normal(size=(3, 2))], rng.normal(size=(4, 2)), np.eye(3)[[0, 1, 2, 0]]
        loss = "cross_entropy_of_probabilities"
        problem = Problem(weights, biases=[None], activations=["softmax"], x=x, y=y, loss=loss, reduction="mean", penalty=penalty)
        back, forward = passes(problem).backward, passes(problem).forward
        names = {"a": forward.activations[1], "error": back.errors[0], "a_below": x, "W": weights[0], "batch": 4, "factor": 0.5}
        exec(right_of("slope", problem, of_softmax=True).code, {}, names)
        np.testing.assert_allclose(names["delta"], back.deltas[0], rtol=1e-12)
        right = right_of("penalty", problem)
        exec(right.code, {}, names)
        np.testing.assert_allclose(names["dC_dW"], back.weights[0], rtol=1e-12)
        assert right.note == "factor, or lambda, is 0.5."
        steps = chain(problem, gradient(problem), None)
        assert [step.factor for step in steps] == ["output_error", "delta", "below", "weight_gradient", "bias_gradient"]
        assert {step.state for step in steps} == {"ok"}


def test_a_diagonal_jacobian_is_told_with_the_whole_one():
    fault = FAULTS["took_a_diagonal_jacobian_for_softmax"]
    limits = {"depth": 2, "losses": ["half_squared_error"], "max_examples": 8, "seed": 1, "shrink_seconds": 0.3}
    report = backproof.check(fault.answering(("weights", "biases")), **limits)
    told = headline(report)
    assert "(softmax)" in told.where
    assert told.right.code == "delta = a * (error - (a * error).sum(axis=1, keepdims=True))"
    steps = chain(report.findings[0].problem, report.findings[0].answer, None, report.findings[0].diagnosis)
    assert {step.factor for step in steps if step.state == OFF} == {"delta"}
    assert "sum" in report.html()
