"""A ball's ends as float64: never inside the ball, and as near as float64 can be."""

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, arb_mat, ctx
from hypothesis import given
from hypothesis import strategies as st

from oracles.directed_rounding import LARGEST, to_float, to_floats

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
    assert np.array_equal(to_floats(arb_mat([[1, 2, 3], [4, 5, 6]]), up=True), [[1, 2, 3], [4, 5, 6]])
