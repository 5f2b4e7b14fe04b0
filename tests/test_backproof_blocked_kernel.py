"""The example of a kernel in blocks of 16 x 32: right passes, its four mistakes are caught, and told apart."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from backproof import Verdict, assert_vjp, check
from tests.kernels_of_layers import BFLOAT16

EXAMPLE = Path(__file__).parents[1] / "examples" / "blocked_linear_gelu.py"
SAID = {"activation": "gelu", "precision": "bfloat16/float32/float32", "seed": 1, "max_examples": 4}

FEWER_BITS = "hint     as sums or functions in fewer bits may be off:"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location(EXAMPLE.stem, EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def arrays(batch=18, inputs=34, outputs=17, one_sign=False):
    """Numbers of shapes that fill no block; one_sign: of x and of the upstream gradient, so that sums grow."""
    rng = np.random.default_rng(3)
    x, weight, bias = rng.normal(size=(batch, inputs)), rng.normal(size=(outputs, inputs)) / inputs**0.5, rng.normal(size=outputs)
    upstream = rng.normal(size=(batch, outputs))
    if one_sign:
        x, upstream = np.abs(x), np.abs(upstream)
    return [array.astype(BFLOAT16) for array in (x, weight, bias, upstream)]


def told(kernel, *given, **said):
    with pytest.raises(AssertionError) as raised:
        assert_vjp(kernel, *given, **SAID | said)
    return str(raised.value)


def test_the_right_one_passes(example):
    assert assert_vjp(example.linear_gelu, *arrays(), **SAID).verdict is Verdict.RIGHT
    assert assert_vjp(example.linear_gelu, *arrays(300, 20, 10, one_sign=True), **SAID).verdict is Verdict.RIGHT
    assert check(example.linear_gelu, seed=1, max_examples=10).verdict is Verdict.RIGHT


def test_what_the_kernel_says_of_itself_stands_unless_the_call_says_otherwise(example):
    assert assert_vjp(example.linear_gelu, *arrays(), max_examples=2).precision == "bfloat16/float32/float32"
    assert "wrong: linear_gelu, on the arrays given" in told(example.linear_gelu, *arrays(), activation="silu", no_diagnosis=True)


def test_a_mask_that_is_off_by_one(example):
    said = told(example.mask, *arrays())
    assert "wrong: mask, on the arrays given" in said
    assert re.search(r"entry    dweight\[\d+, 33\]", said)
    assert "the last column of dC/dW is 0" in said
    assert FEWER_BITS not in said
    assert check(example.mask, seed=1, max_examples=4, shrink_seconds=0, no_diagnosis=True).verdict is Verdict.WRONG


@pytest.mark.shrinks
def test_a_block_that_is_added_twice(example):
    said = told(example.block_twice, *arrays())
    assert "wrong: block_twice, on the arrays given" in said
    assert "each     dC/dW: off" in said
    assert FEWER_BITS not in said
    assert "dC/dW: off by a factor of 2; dC/db: right; dC/dx: right" in said.partition("the smallest that shows it")[2]
    # the law that samples may change places sees it too, since the last ones count twice
    report = check(example.block_twice, seed=1, max_examples=20, batch=(17, 40), shrink_seconds=0, no_diagnosis=True)
    assert report.verdict is Verdict.WRONG
    assert report.laws["the_order_of_samples_does_not_matter"].broken


def test_sums_that_are_kept_in_bfloat16(example):
    said = told(example.accumulator, *arrays(320, 20, 10, one_sign=True), no_diagnosis=True)
    assert "wrong: accumulator, on the arrays given" in said
    assert f"{FEWER_BITS} with precision='bfloat16' it is not wrong" in said


def test_an_upstream_gradient_that_is_read_as_if_contiguous(example):
    said = told(example.contiguous, *arrays(), no_diagnosis=True)
    assert "contiguous: on the arrays given nothing is wrong" in said
    assert "an array with a stride of 0 is read as if it were contiguous (one upstream number for all)" in said
    report = check(example.contiguous, seed=1, max_examples=30, shrink_seconds=0, no_diagnosis=True)
    assert report.laws["an_expanded_upstream_gradient_is_read_as_it_is"].broken
