"""What a kernel of a layer is drawn is as the arrays given and its own `supports` say: their dtypes, their order in memory, its limits."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from backproof import ProblemError, TargetError, Verdict, assert_vjp, check
from tests.kernels_of_layers import linear, times
from tests.test_backproof_layers import QUICK, arrays, kernel_of, tensors


def test_a_weight_in_out_is_contiguous_where_the_problem_is():
    orders = set()

    def kernel(x, weight, bias, upstream):
        orders.add((weight.is_contiguous(), weight.T.is_contiguous()))
        return upstream @ weight.T, x.T @ upstream, upstream.sum(0)

    def contiguous_alone(x, weight, bias, upstream):
        assert weight.is_contiguous()
        return kernel(x, weight, bias, upstream)

    x, weight, bias, upstream = tensors()
    assert_vjp(contiguous_alone, x, weight.T.contiguous(), bias, upstream, weights="in_out", **QUICK)
    assert check(kernel_of(contiguous_alone, weights="in_out", arrays="torch"), seed=1, max_examples=20).verdict is Verdict.RIGHT
    law = ["the_memory_layout_does_not_matter"]
    assert check(kernel_of(kernel, weights="in_out", arrays="torch"), seed=1, max_examples=20, laws=law).verdict is Verdict.RIGHT
    assert {(True, False), (False, True), (False, False)} <= orders, "the law of memory layouts gives weights in other orders"


def test_a_kernel_that_writes_to_a_weight_in_out():
    def kernel(x, weight, bias, upstream):
        weight *= 2
        return upstream @ weight.T / 2, x.T @ upstream, upstream.sum(0)

    assert check(kernel_of(kernel, weights="in_out"), seed=1, max_examples=5, shrink_seconds=0, no_diagnosis=True).verdict is Verdict.IMPURE


class Mixed(torch.autograd.Function):
    """x and the upstream gradient in bfloat16, the weights in float32."""

    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(x, weight)
        return (x.float() @ weight.T + bias).to(x.dtype)

    @staticmethod
    def backward(ctx, upstream):
        x, weight = ctx.saved_tensors
        assert (x.dtype, weight.dtype) == (torch.bfloat16, torch.float32)
        upstream = upstream.float()
        return (upstream @ weight).to(x.dtype), upstream.T @ x.float(), upstream.sum(0)


def mixed():
    x, weight, bias, upstream = tensors(torch.float32, batch=8)
    return x.bfloat16(), weight, bias, upstream.bfloat16()


@pytest.mark.parametrize("precision", [None, "bfloat16/float32"])
def test_arrays_of_several_dtypes_keep_theirs(precision):
    report = assert_vjp(Mixed, *mixed(), precision=precision, **QUICK)
    assert (report.verdict, report.precision) == (Verdict.RIGHT, precision or "bfloat16")


def test_a_mistake_in_several_dtypes_is_caught():
    def kernel(x, weight, bias, upstream):
        up = upstream.float()
        return (up @ weight).to(x.dtype), 1.02 * (up.T @ x.float()), up.sum(0)

    with pytest.raises(AssertionError, match="it_is_exact_where_nothing_rounds"):
        assert_vjp(kernel, *mixed(), **QUICK)


def test_two_dtypes_of_which_neither_holds_the_other_are_refused():
    x, weight, bias, upstream = mixed()
    with pytest.raises(ProblemError, match=r"x bfloat16, weight float16, .*: neither of float16 and bfloat16 holds"):
        assert_vjp(Mixed, x, weight.half(), bias, upstream)


@pytest.mark.parametrize("said", ["bfloat16/float32", "bfloat16", "float64"])
def test_a_kernel_is_judged_in_the_dtype_of_the_arrays_whatever_it_says_of_itself(said):
    seen = set()

    def kernel(*given):
        seen.update(array.dtype.name for array in given)
        return linear(*given)

    kernel.precision = said
    assert assert_vjp(kernel, *arrays(np.float32), **QUICK).precision == "float32"
    assert seen == {"float32"}

    def off(*given):
        return times(1.001)(*given)

    off.precision = said
    with pytest.raises(AssertionError, match=r"wrong: .*, on the arrays given"):
        assert_vjp(off, *arrays(np.float32), **QUICK)


def test_what_a_kernel_says_of_its_sums_holds_in_the_dtype_of_the_arrays():
    kernel = kernel_of(linear)
    kernel.precision = "bfloat16/float32"
    assert assert_vjp(kernel, *arrays(np.float16), **QUICK).precision == "float16/float32"
    kernel.precision = "float31"
    with pytest.raises(TargetError, match=r"is 'float31': did you mean 'float32'\? expected one of float64"):
        assert_vjp(kernel, *arrays(np.float32), **QUICK)


def test_the_limits_that_a_kernel_sets_itself_hold():
    def of_the_largest(logits, target, upstream):
        """Right of one-hot rows alone."""
        p = torch.softmax(logits, 1)
        p[torch.arange(len(p)), target.argmax(1)] -= 1
        return p * upstream[:, None]

    of_the_largest.supports = {"layer": "softmax_cross_entropy", "target": "rows", "expected": "one_hot"}
    logits, classes = tensors()[0], torch.tensor([0, 1, 2, 3, 0])
    given = logits, F.one_hot(classes, 4).double(), torch.arange(1.0, 6.0).double()
    assert assert_vjp(of_the_largest, *given, **QUICK).verdict is Verdict.RIGHT
    del of_the_largest.supports
    with pytest.raises(AssertionError, match="on the arrays given nothing is wrong"):
        assert_vjp(of_the_largest, *given, layer="softmax_cross_entropy", **QUICK)


def test_a_loss_that_averages_is_told():
    given = tensors()[0], torch.tensor([0, 1, 2, 3, 0]), torch.ones(5).double()
    with pytest.raises(AssertionError, match=r"malformed: cross_entropy: .* shape \(\): expected \(5,\); of a loss hand over"):
        assert_vjp(F.cross_entropy, *given, layer="softmax_cross_entropy", **QUICK)


def test_a_bias_without_a_weight_is_refused():
    x, _, bias, upstream = tensors(torch.float32)
    with pytest.raises(ProblemError, match="bias is given, and weight is None"):
        assert_vjp(torch.nn.Linear(4, 3), x, None, bias, upstream, **QUICK)


class WithoutBias(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight):
        return x @ weight.T


def no_bias(x, weight, upstream):
    return upstream @ weight, upstream.T @ x


@pytest.mark.parametrize("kernel", [no_bias, WithoutBias], ids=["a kernel", "a torch.autograd.Function"])
def test_a_kernel_that_takes_no_bias_is_told_to(kernel):
    x, weight, _, upstream = tensors()
    with pytest.raises(TargetError, match="without a bias too the kernel must take one, which is None then"):
        assert_vjp(kernel, x, weight, None, upstream, **QUICK)
