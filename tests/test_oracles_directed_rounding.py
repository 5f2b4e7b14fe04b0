"""A ball's ends as float64: never inside the ball, and as near as float64 can be."""

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, arb_mat, ctx
from hypothesis import given
from hypothesis import strategies as st

from oracles.balls.directed_rounding import LARGEST, to_float, to_floats

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def ends(ball):
    return to_float(ball, up=False), to_float(ball, up=True)


def below(exact, end):
    return end == -math.inf or (math.isfinite(end) and Fraction(end) <= exact)


@given(NUMBERS, NUMBERS)
def test_the_ends_are_the_neighbours_of_the_exact_number(p, q):
    exact = Fraction(p) * Fraction(q)
    with ctx.workprec(200):
        lower, upper = ends(arb(p) * arb(q))
    assert below(exact, lower) and below(-exact, -upper)
    assert upper in (lower, math.nextafter(lower, math.inf))
    assert (lower == upper) == (math.isfinite(lower) and Fraction(lower) == exact)


@given(NUMBERS)
def test_a_float_is_its_own_end(p):
    assert ends(arb(p)) == (p, p)


@pytest.mark.parametrize(
    ("mid", "rad", "lower", "upper"),
    [
        (0.0, 1.0, -1.0, 1.0),
        ("nan", 0.0, -math.inf, math.inf),
        (0.0, math.inf, -math.inf, math.inf),
        (LARGEST, 0.0, LARGEST, LARGEST),
        ("1e400", 0.0, LARGEST, math.inf),
        ("-1e400", 0.0, -math.inf, -LARGEST),
        ("1e-400", 0.0, 0.0, 5e-324),
        ("-1e-400", 0.0, -5e-324, 0.0),
        (5e-324, 0.0, 5e-324, 5e-324),
    ],
)
def test_the_edges_of_the_range(mid, rad, lower, upper):
    # a radius has 30 bits and may be rounded up itself
    assert ends(arb(mid, rad)) == pytest.approx((lower, upper), rel=1e-8, abs=0)


def test_an_exponent_of_hundreds_of_bits():
    tiny = arb(-1e300).exp()
    assert ends(tiny) == (0.0, 5e-324)
    assert ends(-tiny) == (-5e-324, 0.0)
    assert ends(1 / arb(-1e15).exp()) == (LARGEST, math.inf)


def test_no_end_is_a_negative_zero():
    assert [math.copysign(1, end) for end in ends(arb(0))] == [1, 1]


def test_matrices_keep_their_shape():
    for ends_of_all in to_floats(arb_mat([[1, 2, 3], [4, 5, 6]])):
        assert np.array_equal(ends_of_all, [[1, 2, 3], [4, 5, 6]])


RADII = (0.0, 1e-330, 1e-25, 3e-17, 6e-17, 1.2e-16, 2.5e-16, 1.0)


@given(st.lists(st.tuples(NUMBERS | st.sampled_from([0.0, 1.0, 2.0**-1022, 5e-324, LARGEST]), st.sampled_from(RADII)), min_size=1))
def test_all_ends_at_once_are_those_of_each(numbers):
    """Beside powers of two too, where the float64 below is half as far as the one above, and where numbers leave the range."""
    with ctx.workprec(200):
        balls = [number * (1 + arb(shift, radius)) for number, radius in numbers for shift in (0.0, 2.0**-60, -(2.0**-60))]
        lower, upper = to_floats(arb_mat([balls]))
    assert list(zip(lower[0], upper[0], strict=True)) == [ends(ball) for ball in balls]
    assert not (np.signbit(lower) & (lower == 0)).any() and not (np.signbit(upper) & (upper == 0)).any()
