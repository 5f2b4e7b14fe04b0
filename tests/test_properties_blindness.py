"""Where a run says that it is blind, a missing slope is within the bound; elsewhere it is not, and a report says which."""

import numpy as np
import pytest

from backproof import Gradient, Problem, check, gradient
from backproof.reports.terminal import report_text
from properties.judging.blindness import GRID, blind_spots
from properties.judging.judgement import Exact, measured
from reference.functions.activation import Elementwise
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import row_of
from rounding.precisions import PRECISIONS

SIXTEEN_BITS = [name for name in PRECISIONS if name.startswith(("float16", "bfloat16"))]


def alone(name, low=-16.0, high=16.0):
    """A problem whose activation is given z from low to high."""
    return Problem([[[1.0]]], activations=[name], x=np.linspace(low, high, 9)[:, None], y=np.zeros((9, 1)))


ELEMENTWISE = [name for name, make in ACTIVATIONS.items() if isinstance(make(), Elementwise)]


def passes_without_slope(name, z, precision):
    """Whether an answer at one z whose slope is missing, and all else exact, is within the worst case."""
    row = PRECISIONS[precision]
    z = row.held(z)
    # an error that is large beside what the activation may be off
    y = row.held(row_of(ACTIVATIONS, name).value(z) - 64)
    problem = Problem([[[1.0]]], activations=[name], x=[[z]], y=[[y]])
    exact = Exact(problem)
    answer, bound = Gradient([np.zeros((1, 1))], [None]), exact.bound(row, None, jumps=True)
    return not any(entry.outside.any() for entry in measured(answer, exact.reference, exact.reference, bound))


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("precision", SIXTEEN_BITS)
def test_where_a_run_is_not_blind_a_missing_slope_is_outside(precision, name):
    spots = blind_spots([alone(name)], PRECISIONS[precision])
    slope = row_of(ACTIVATIONS, name).derivative(GRID)
    # next to a range the bound is a little smaller than the slope, and dC/dW is rounded besides
    near = [(blind.low - 1, blind.high + 1) for blind in spots]
    clear = [z for z, s in zip(GRID[::32], slope[::32], strict=True) if z and abs(s) > 0.2 and not any(a <= z <= b for a, b in near)]
    assert clear or spots
    assert [z for z in clear if passes_without_slope(name, z, precision)] == []


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_where_a_run_is_blind_a_missing_slope_is_inside(name):
    for precision in SIXTEEN_BITS:
        for blind in blind_spots([alone(name)], PRECISIONS[precision]):
            for z in np.linspace(blind.low, blind.high, 5):
                assert passes_without_slope(name, z, precision), (precision, z)


def test_of_gelu_in_bfloat16():
    """GELU' = 0 for all z below -0.75 had passed in all but 1 to 5 of 200 problems, unsaid."""
    spots = blind_spots([alone("gelu")], PRECISIONS["bfloat16"])
    assert {blind.function for blind in spots} == {"gelu'"}
    assert any(blind.low < -0.75 < blind.high for blind in spots)
    assert any(blind.low < -3 < blind.high for blind in spots)
    # most of it lies where digits are lost by 1 + erf: whoever asks for strictness has less
    strict = blind_spots([alone("gelu")], PRECISIONS["bfloat16"], strict=True)
    assert sum(b.high - b.low for b in strict) < sum(b.high - b.low for b in spots)


@pytest.mark.parametrize("name", sorted(set(ELEMENTWISE) - {"sigmoid", "softsign"}))
@pytest.mark.parametrize("precision", ["float16/float32/float32", "bfloat16/float32/float32"])
def test_functions_in_float32_leave_little_unseen(precision, name):
    """What is left is around zeros of g', where z itself is not known so well, and where 1 - a a is taken of a stored a."""
    # in float16 nothing is said of gelu_tanh from z = 16 on
    spots = blind_spots([alone(name, -15.0, 15.0)], PRECISIONS[precision])
    assert all(blind.slope <= 4 * PRECISIONS[precision].unit for blind in spots)


def test_only_what_is_seen_is_told():
    assert blind_spots([alone("gelu", -0.5, 3.0)], PRECISIONS["bfloat16"]) == ()
    (blind,) = blind_spots([alone("tanh", 0.0, 4.0)], PRECISIONS["bfloat16"])
    assert (blind.function, blind.high) == ("tanh'", 4.0)
    # 16 units in the last place of 1 - a a
    assert blind.slope == pytest.approx(1 / 16, rel=0.1)


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("precision", ["float64", "float32", "tf32"])
def test_in_many_bits_no_notable_slope_is_missed(precision, name):
    assert blind_spots([alone(name)], PRECISIONS[precision]) == ()


def test_a_report_says_where_the_run_was_blind():
    def target(problem):
        right = gradient(problem)
        return Gradient(
            [weight.astype(np.float16) for weight in right.weights], [b if b is None else b.astype(np.float16) for b in right.biases]
        )

    report = check(target, precision="float16", max_examples=60, seed=1, biases=False, laws=["it_agrees_with_the_exact_gradient"])
    assert report.blind
    assert [set(row) for row in report.data()["blind"]] == [{"function", "low", "high", "slope"}] * len(report.blind)
    text, first = report_text(report), report.blind[0]
    assert f"blind in float16, where a slope of 0 would pass: {first.function} for z from {first.low:.2g} to {first.high:.2g}" in text
    functions = {blind.function for blind in report.blind}
    assert f", and {len(functions) - 3} more (--precision float16/float32/float32 sees more, of a target whose functions" in text
    assert "blind" not in report_text(check(gradient, max_examples=20, seed=1))
