"""The law of exactness holds for honest passes however they are written, and is broken by one unit in the last place."""

import numpy as np
import pytest

from backproof import Gradient, Problem, adapt, check, gradient
from backproof.runs.check import replay
from backproof.targets.target import InProcess
from properties.faults.table import FAULTS
from properties.laws.law import Case, Status
from properties.laws.of_exactness import it_is_exact_where_nothing_rounds
from properties.problems.blocks import draw_problems
from properties.problems.exact import is_exact
from properties.problems.support import Support
from properties.verdict import Verdict
from reference.dtypes import DTYPES
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.gradient import Place
from tests.exact_passes import honest_pass

NAME = it_is_exact_where_nothing_rounds.__name__
SQUARES = ["half_squared_error", "squared_error", "mean_squared_error", "half_mean_squared_error"]


def outcomes(target, count, seed, precision="float64", judged_by=None, **supports):
    support = Support.of({"values": "exact", **supports})
    session = InProcess(target)
    return ((p, it_is_exact_where_nothing_rounds(Case(p, session, judged_by))) for p in draw_problems(count, seed, support, precision))


def in_dtype(dtype, off=lambda array: array):
    """The exact gradient in a dtype, its dC/dW changed."""

    def target(problem):
        right = gradient(problem)
        weights = [off(w.astype(DTYPES[dtype])) for w in right.weights]
        return weights, [None if b is None else g.astype(DTYPES[dtype]) for b, g in zip(problem.biases, right.biases, strict=True)]

    return target


def one_unit_in_the_first_entry(array):
    array.view(f"u{array.itemsize}").flat[0] += 1
    return array


@pytest.mark.parametrize("dtype", DTYPES)
def test_it_holds_for_the_exact_gradient(dtype, seed_of_the_run):
    seen = [outcome.status for problem, outcome in outcomes(in_dtype(dtype), 20, seed_of_the_run, dtype) if is_exact(problem, dtype)]
    assert set(seen) == {Status.HELD}
    assert len(seen) > 10


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_unit_in_the_last_place_breaks_it(dtype, seed_of_the_run):
    target = in_dtype(dtype, one_unit_in_the_first_entry)
    seen = [outcome for problem, outcome in outcomes(target, 15, seed_of_the_run, dtype, biases=True) if is_exact(problem, dtype)]
    assert {(outcome.status, outcome.verdict) for outcome in seen} == {(Status.BROKEN, Verdict.WRONG)}
    assert any(outcome.message.startswith(f"off by 1 unit in the last place of {dtype}") for outcome in seen)
    assert all(outcome.judgement.allowed == 0 for outcome in seen)


def test_a_hundredth_more_breaks_it_in_bfloat16(seed_of_the_run):
    target = in_dtype("bfloat16", lambda array: (1.01 * array.astype(np.float32)).astype(array.dtype))
    seen = [(p, o.status) for p, o in outcomes(target, 20, seed_of_the_run, "bfloat16", biases=True) if is_exact(p, "bfloat16")]
    # where every dC/dW is 0, so is 1.01 times it
    assert {status for problem, status in seen if any(w.any() for w in gradient(problem).weights)} == {Status.BROKEN}


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_the_sign_of_zero_is_free(zero):
    problem = Problem([[[1.0]]], activations=["relu"], biases=[[0.5]], x=[[0.0]], y=[[1.0]])
    outcome = it_is_exact_where_nothing_rounds(Case(problem, InProcess(lambda problem: ([[[zero]]], [[-0.5]]))))
    assert outcome.status is Status.HELD


def test_what_is_not_a_number_is_nonfinite():
    problem = Problem([[[1.0]]], activations=["identity"], x=[[1.0]], y=[[3.0]])
    outcome = it_is_exact_where_nothing_rounds(Case(problem, InProcess(lambda problem: ([[[np.nan]]], None))))
    assert (outcome.status, outcome.verdict) == (Status.BROKEN, Verdict.NONFINITE)


def test_it_says_nothing_where_something_rounds():
    problem = Problem([[[1.0]]], activations=["tanh"], x=[[1.0]], y=[[3.0]])
    assert it_is_exact_where_nothing_rounds(Case(problem, InProcess(gradient))).status is Status.NOT_APPLICABLE


def by_a_running_mean(problem):
    """Each sample's gradient, of which the mean is carried along: it divides by 3, which rounds."""
    weights = biases = None
    for s in range(problem.batch):
        one = gradient(problem.of_samples([s]))
        if weights is None:
            weights, biases = [w.copy() for w in one.weights], [b.copy() for b in one.biases]
        else:
            for mean, new in zip([*weights, *biases], [*one.weights, *one.biases], strict=True):
                mean += (new - mean) / (s + 1)
    if problem.reduction == "sum":
        weights, biases = [w * problem.batch for w in weights], [b * problem.batch for b in biases]
    return weights, biases


def by_norms(problem):
    """Each error as the norm of a sample's errors times their direction, as autograd has it of the square of a norm."""
    a = gradient(problem).activations[-1]
    r = (a - problem.y).astype(np.float32)
    norm = np.sqrt((r * r).sum(axis=1, keepdims=True))
    r = np.where(norm > 0, norm * (r / np.where(norm > 0, norm, np.float32(1))), np.float32(0)).astype(np.float64)
    upstream = row_of(LOSSES, problem.loss).derivative(r, np.zeros_like(r))
    right = gradient(problem.replaced(loss="upstream", y=upstream))
    return [w.astype(np.float32) for w in right.weights], [b.astype(np.float32) for b in right.biases]


def is_not_accused(honest, seed, precision="float64", **supports):
    """On 20 problems, and as many more as it takes to meet a sum that may be such a one: one in six has it."""
    met = False
    for i, (_, outcome) in enumerate(outcomes(honest, 400, seed, precision, batch=(1, 8), **supports)):
        met |= "a mean over samples or a norm of errors" in outcome.message
        if outcome.status is Status.BROKEN or (met and i >= 20):
            return outcome.status is not Status.BROKEN
    return False


@pytest.mark.parametrize(
    ("honest", "precision"), [(by_a_running_mean, "float64"), (by_norms, "float32")], ids=["a running mean", "norms of errors"]
)
def test_honest_means_and_norms_that_round_are_not_accused(honest, precision, seed_of_the_run):
    assert is_not_accused(honest, seed_of_the_run, precision, losses=SQUARES)


def test_a_sum_of_what_comes_from_above_may_be_a_running_mean_times_the_number(seed_of_the_run):
    assert is_not_accused(by_a_running_mean, seed_of_the_run, losses=["upstream"], reductions=["sum"])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_running_mean_with_a_mistake_is_accused(dtype, seed_of_the_run):
    def target(problem):
        weights, biases = by_a_running_mean(problem)
        weights = [one_unit_in_the_first_entry(w.astype(DTYPES[dtype])) for w in weights]
        return weights, [None if b is None else g.astype(DTYPES[dtype]) for b, g in zip(problem.biases, biases, strict=True)]

    seen = [o.status for p, o in outcomes(target, 20, seed_of_the_run, dtype, losses=SQUARES, biases=True) if is_exact(p, dtype)]
    assert set(seen) == {Status.BROKEN}


def test_more_digits_than_the_precision_has_are_judged_by_a_tolerance(seed_of_the_run):
    """As differences of losses in float64 that are judged as float32."""

    def near(problem):
        return gradient(problem).mapped(lambda place, array: array * (1 + 2.0**-30))

    seen = {outcome.status for _, outcome in outcomes(near, 40, seed_of_the_run, "float32", "float32")}
    assert seen <= {Status.NOT_APPLICABLE, Status.HELD}  # held of zeros


@pytest.mark.parametrize(("digits", "status"), [(16, Status.NOT_APPLICABLE), (15, Status.NOT_APPLICABLE), (12, Status.BROKEN)])
def test_what_was_written_in_decimals_is_the_number_that_they_say(digits, status):
    """17 digits tell all numbers apart; 12 lose some."""
    problem = Problem([[[1.0]]], activations=["identity"], x=[[2.0**-20]], y=[[2.0**-20 - 123457 * 2.0**-16]])

    def written(problem):
        return [[[float(f"{gradient(problem).weights[0][0, 0]:.{digits}g}")]]], None

    assert written(problem)[0] != [[[123457 * 2.0**-36]]]
    assert it_is_exact_where_nothing_rounds(Case(problem, InProcess(written))).status is status


def test_one_unit_that_is_by_chance_the_number_in_16_digits_breaks_it():
    """It is not on other problems."""
    target, met = in_dtype("float64", one_unit_in_the_first_entry), 0
    for digits in range(2**26 + 1, 2**26 + 400, 2):
        problem = Problem([[[1.0]]], activations=["identity"], x=[[digits * 2.0**-30]], y=[[digits * 2.0**-30 - 3.0]], biases=[[0.0]])
        right = gradient(problem).weights[0][0, 0]
        if float(f"{right:.16g}") == np.nextafter(right, np.inf):
            met += 1
            assert it_is_exact_where_nothing_rounds(Case(problem, InProcess(target), "float64")).status is Status.BROKEN
    assert met > 10


@pytest.mark.parametrize("loss", ["half_squared_error", "upstream"])
def test_one_unit_in_a_layer_whose_gradient_cancels_breaks_it(loss):
    """What comes back by one node of the second layer is what comes back by the other, negated, whatever the errors are."""
    weights = [[[1.0]], [[1.0], [1.0]], [[1.0, -1.0]]]
    problem = Problem(weights, activations=["identity"] * 3, x=[[0.5], [1.0]], y=[[1.0], [-1.0]], loss=loss)
    assert not gradient(problem).weights[0].any()
    target = in_dtype("float32", one_unit_in_the_first_entry)

    def off_there_alone(posed):
        return [target(posed)[0][0], *gradient(posed).weights[1:]], None

    outcome = it_is_exact_where_nothing_rounds(Case(problem, InProcess(off_there_alone), "float32"))
    assert (outcome.status, outcome.message) == (Status.BROKEN, "not 0, where the exact number is 0 and nothing rounds")


def test_a_run_finds_it_at_its_defaults_and_shrinks_it_to_what_is_exact():
    fault = FAULTS["was_off_by_one_unit_in_the_last_place"]
    report = check(fault.answering(("weights", "biases")), seed=1, max_examples=40)
    (finding,) = report.findings
    assert (finding.law, finding.verdict) == (NAME, Verdict.WRONG)
    assert is_exact(finding.problem)
    assert finding.problem.size <= 4
    assert "allowed  0: nothing rounds here" in str(report)
    assert "the cause is not known" in str(report)
    assert finding.diagnoses == ()
    assert replay(finding, target=fault.target) is not None
    assert replay(finding, target=gradient) is None


def test_what_is_wrong_beyond_rounding_is_told_once():
    report = check(FAULTS["forgot_the_expected_outputs"].target, seed=1, max_examples=40, no_diagnosis=True, shrink_seconds=0)
    assert report.laws[NAME].broken
    assert NAME not in {finding.law for finding in report.findings}


def test_alone_it_is_asked_of_exact_problems():
    report = check(gradient, seed=1, max_examples=20, laws=[NAME])
    assert (report.laws[NAME].held, report.verdict) == (20, Verdict.RIGHT)


def test_what_is_read_out_of_updates_is_not_asked():
    def step(weights, biases, x, y, rate):
        right = gradient(Problem(weights, biases=biases, activations=["identity"] * len(weights), x=x, y=y))
        return [w - rate * g for w, g in zip(weights, right.weights, strict=True)], [
            None if b is None else b - rate * g for b, g in zip(biases, right.biases, strict=True)
        ]

    target = adapt(step, returns="updated", learning_rate="rate", activations=False, supports={"activations": ["identity"]})
    assert Support.of(target.supports).of_exact is None
    report = check(target, seed=1, max_examples=20)
    assert (report.verdict, report.laws[NAME].held + report.laws[NAME].broken) == (Verdict.RIGHT, 0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_honest_passes_in_a_run_are_right(dtype):
    """Of exact problems alone: others would judge the formulas of test's own passes."""

    def target(problem):
        dW, db, _ = honest_pass(problem, dtype)
        return dW, [None if b is None else g for b, g in zip(problem.biases, db, strict=True)]

    report = check(target, seed=1, max_examples=20, values="exact", laws=[NAME])
    assert report.verdict == Verdict.RIGHT


PLAIN = Problem([[[1.0]]], activations=["identity"], x=[[1.0]], y=[[3.0]])


def test_a_target_that_rounds_more_than_one_pass_is_not_asked():
    target = in_dtype("float64", one_unit_in_the_first_entry)
    outcome = it_is_exact_where_nothing_rounds(Case(PLAIN, InProcess(target), support=Support(exact=False)))
    assert (outcome.status, outcome.message) == (Status.NOT_APPLICABLE, "the target rounds more than one pass, as it says by `exact`")


def test_a_part_of_a_unit_is_told_of_16_bits():
    """A kernel with such inputs may answer in float32, of which 2^-8 is a quarter of bfloat16's unit at -2."""
    outcome = it_is_exact_where_nothing_rounds(
        Case(PLAIN, InProcess(lambda problem: ([np.float32(w - 2.0**-8) for w in gradient(problem).weights], None)), "bfloat16")
    )
    assert outcome.status is Status.BROKEN
    assert outcome.message == "off by 0.25 units in the last place of bfloat16, where nothing rounds; so are 1 of 1 entries there"


def test_a_loss_that_is_not_finite_is_not_what_a_mean_rounds():
    """However right all derivatives are."""
    outcome = it_is_exact_where_nothing_rounds(
        Case(PLAIN, InProcess(lambda problem: Gradient(gradient(problem).weights, None, loss=np.array(np.inf))))
    )
    assert (outcome.status, outcome.verdict) == (Status.BROKEN, Verdict.NONFINITE)
    assert outcome.judgement.place == Place("loss", None)


def test_what_a_mean_may_round_accuses_nobody_who_answers_to_no_simpler_problem():
    problem = Problem([[[1.0]]], activations=["identity"], x=[[1.0], [2.0]], y=[[3.0], [3.0]])
    off_by_one = in_dtype("float64", one_unit_in_the_first_entry)

    def target(posed):
        if posed != problem:
            raise ValueError("this one alone")
        return off_by_one(posed)

    outcome = it_is_exact_where_nothing_rounds(Case(problem, InProcess(target)))
    assert (outcome.status, outcome.message) == (
        Status.NOT_APPLICABLE,
        "off by no more than a mean over samples or a norm of errors may round, and no problem without either can be asked",
    )
    assert it_is_exact_where_nothing_rounds(Case(problem, InProcess(off_by_one))).status is Status.BROKEN
