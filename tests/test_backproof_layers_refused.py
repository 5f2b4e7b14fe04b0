"""What assert_vjp says of a kernel that gives no answer, of arrays that do not fit, and of what is no kernel."""

import numpy as np
import pytest
import torch

from backproof import ProblemError, TargetError, Verdict, assert_vjp, check
from tests.kernels_of_layers import linear
from tests.test_backproof_layers import QUICK, arrays, kernel_of

NO_ANSWER = {
    "two arrays": (lambda x, w, b, u: (u @ w, u.T @ x), "the kernel returned 2 arrays: expected 3, (dx, dweight, dbias)"),
    "one array": (lambda x, w, b, u: u @ w, "the kernel returned a ndarray: expected 3, (dx, dweight, dbias)"),
    "a bias gradient of None": (lambda x, w, b, u: (u @ w, u.T @ x, None), "dbias is None: expected an array of shape (3,)"),
    "a transposed weight gradient": (
        lambda x, w, b, u: (u @ w, x.T @ u, u.sum(0)),
        "dweight has shape (4, 3), expected (3, 4); it is transposed: weights are (out, in) here, and weights='in_out' says",
    ),
    "whole numbers": (lambda x, w, b, u: (u @ w, u.T @ x, u.sum(0).astype(int)), "dbias has dtype int64: expected floating-point"),
    "a bias gradient for each sample": (lambda x, w, b, u: (u @ w, u.T @ x, u), "dbias has shape (5, 3), expected (3,)"),
}


@pytest.mark.parametrize("name", NO_ANSWER)
def test_what_is_no_answer_is_told(name):
    kernel, said = NO_ANSWER[name]
    with pytest.raises(AssertionError) as raised:
        assert_vjp(kernel, *arrays(), **QUICK)
    assert f"malformed: {kernel.__qualname__}: {said}" in str(raised.value)


def test_numbers_that_are_none_are_told():
    def kernel(*given):
        dx, dweight, dbias = linear(*given)
        return dx, np.full_like(dweight, np.nan), dbias

    with pytest.raises(AssertionError, match=r"nonfinite: .*, on the arrays given"):
        assert_vjp(kernel, *arrays(), **QUICK)


def test_a_kernel_that_writes_to_its_inputs():
    def kernel(x, weight, bias, upstream):
        upstream *= 2
        return linear(x, weight, bias, upstream / 2)

    with pytest.raises(AssertionError, match=r"impure: .* wrote to upstream"):
        assert_vjp(kernel, *arrays(), **QUICK)
    in_torch = kernel_of(lambda x, w, b, u: (u.mul_(2) @ w / 2, u.T @ x / 2, u.sum(0) / 2), arrays="torch")
    assert check(in_torch, seed=1, max_examples=5, shrink_seconds=0, no_diagnosis=True).verdict is Verdict.IMPURE


def test_what_a_kernel_raises_goes_on():
    def kernel(x, weight, bias, upstream):
        raise ZeroDivisionError("of its own")

    with pytest.raises(ZeroDivisionError, match="of its own"):
        assert_vjp(kernel, *arrays(), **QUICK)


X, W, B, U = arrays()
BAD_ARRAYS = {
    "too few": ((X, W, U), {}, "3 arrays are given for the layer linear: expected 4, x, weight, bias, upstream"),
    "a transposed weight": (
        (X, W.T, B, U),
        {},
        "weight has shape (4, 3): expected (3, 4), (out, in); it is transposed: give weight.T, or say",
    ),
    "a weight of another layer": ((X, W[:, :2], B, U), {}, "weight has shape (3, 2): expected (3, 4), (out, in)"),
    "a bias of another layer": ((X, W, B[:2], U), {}, "bias has shape (2,): expected (3,)"),
    "an upstream number for each sample": ((X, W, B, U[:, :1]), {}, "weight has shape (3, 4): expected (1, 4)"),
    "an upstream gradient of other samples": ((X, W, B, U[:4]), {}, "upstream has shape (4, 3): expected (5, 3)"),
    "three axes": ((X[None], W, B, U), {}, "x has shape (1, 5, 4): expected (batch, n); of more axes"),
    "NaN": ((X, W * np.nan, B, U), {}, "weight[0, 0] is nan: expected finite numbers"),
    "two frameworks": ((X, torch.tensor(W), B, U), {}, "weight is of torch, and x of numpy: expected all of one framework"),
    "a negative number for a loss": (
        (X, np.array([0, 1, 2, 3, 0]), np.array([1.0, -2.0, 1.0, 1.0, 1.0])),
        {"layer": "softmax_cross_entropy"},
        "upstream[1] is -2: expected numbers that are not negative",
    ),
    "a class that there is not": (
        (X, np.array([0, 1, 2, 4, 0]), np.ones(5)),
        {"layer": "softmax_cross_entropy"},
        "the arrays are no problem of the layer softmax_cross_entropy: y has the class 4: expected 0 to 3",
    ),
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_arrays_that_do_not_fit_are_refused(name):
    given, said, message = BAD_ARRAYS[name]
    kernel = linear if len(given) > 3 else lambda logits, target, upstream: logits
    with pytest.raises(ProblemError) as raised:
        assert_vjp(kernel if said else linear, *given, **said)
    assert message in str(raised.value)


def of_a_problem(problem):
    return problem


BAD_KERNELS = {
    "a list": ([1.0], {}, "kernel is a list: expected a function f(x, weight, bias, upstream) -> (dx, dweight, dbias)"),
    "a class": (dict, {}, "kernel is the class dict: expected a function"),
    "a function of a problem": (of_a_problem, {}, "of_a_problem takes (problem): expected a function f(x, weight, bias, upstream)"),
    "a forward pass of NumPy": (lambda x, w, b: x @ w.T + b, {}, "of NumPy has no backward pass: give f(x, weight, bias, upstream)"),
    "a module of two layers": (
        torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 3)),
        {},
        "Sequential has the parameters 0.weight (3, 4), 0.bias (3,), 1.weight (3, 3), 1.bias (3,): expected one weight and at most",
    ),
    "an unknown layer": (
        linear,
        {"layer": "convolution"},
        "layer is 'convolution': expected one of linear, linear_softmax_cross_entropy, softmax_cross_entropy",
    ),
    "an unknown activation": (linear, {"activation": "tanhh"}, "activation 'tanhh' is not known"),
    "an unknown layout": (linear, {"weights": "rows"}, "weights is 'rows': expected one of out_in, in_out"),
    "no module, and no weight": (linear, {"weight": None}, "weight is None: expected an array, of all but a torch module"),
}


@pytest.mark.parametrize("name", BAD_KERNELS)
def test_what_is_no_kernel_is_refused(name):
    kernel, said, message = BAD_KERNELS[name]
    weight = W if "weight" not in said else None
    with pytest.raises(TargetError) as raised:
        assert_vjp(kernel, X, weight, B, U, **{key: value for key, value in said.items() if key != "weight"})
    assert message in str(raised.value)


def test_an_array_that_is_none_is_refused():
    with pytest.raises(TargetError, match="x is a list: expected an array of NumPy, PyTorch or JAX"):
        assert_vjp(linear, X.tolist(), W, B, U)
    with pytest.raises(TargetError, match="bias has dtype int64: expected one of float64"):
        assert_vjp(linear, X, W, B.astype(int), U)
