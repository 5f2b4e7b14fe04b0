"""One layer by itself: assert_vjp in place of an allclose line, and check of its kernels."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from backproof import Verdict, assert_vjp, check
from tests.kernels_of_layers import BFLOAT16, WRONG, as_if_contiguous, linear, times, with_upstream

QUICK = {"seed": 1, "max_examples": 3, "no_diagnosis": True}


def arrays(dtype=np.float64, batch=5, inputs=4, outputs=3):
    """x, weight (out, in), bias and upstream, numbers of a test as people write them."""
    rng = np.random.default_rng(5)
    shapes = ((batch, inputs), (outputs, inputs), (outputs,), (batch, outputs))
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def tensors(dtype=torch.float64, **sizes):
    return [torch.tensor(array, dtype=dtype) for array in arrays(**sizes)]


def kernel_of(function, activation="identity", **said):
    """A kernel that says which layer it is."""

    def kernel(*given):
        return function(*given)

    kernel.supports = {"layer": "linear", "activation": activation, **said}
    return kernel


# ---- what is right ----


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, BFLOAT16], ids=lambda dtype: np.dtype(dtype).name)
def test_a_right_kernel_passes(dtype):
    report = assert_vjp(linear, *arrays(dtype), **QUICK)
    assert report.verdict is Verdict.RIGHT
    assert report.precision == np.dtype(dtype).name


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_a_kernel_of_torch_gets_tensors_of_the_dtype(dtype):
    seen = set()

    def kernel(x, weight, bias, upstream):
        seen.update(array.dtype for array in (x, weight, bias, upstream))
        return upstream @ weight, upstream.T @ x, upstream.sum(0)

    assert_vjp(kernel, *tensors(dtype), **QUICK)
    assert seen == {dtype}


class ByHand(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(x, weight)
        return x @ weight.T + bias

    @staticmethod
    def backward(ctx, upstream):
        x, weight = ctx.saved_tensors
        return upstream @ weight, upstream.T @ x, upstream.sum(0)


FORWARD = {
    "a function": (F.linear, "identity"),
    "a torch.autograd.Function": (ByHand, "identity"),
    "its apply": (ByHand.apply, "identity"),
    "a module": (torch.nn.Linear(4, 3).double(), "identity"),
    "a module with an activation": (torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.GELU()).double(), "gelu"),
}


@pytest.mark.parametrize("name", FORWARD)
def test_the_backward_pass_of_a_forward_pass_is_asked(name):
    given, activation = FORWARD[name]
    assert assert_vjp(given, *tensors(), activation=activation, **QUICK).verdict is Verdict.RIGHT


def test_a_module_is_asked_with_its_own_parameters_which_stay():
    module, (x, _, _, upstream) = torch.nn.Linear(4, 3), tensors(torch.float32)
    before = [parameter.detach().clone() for parameter in module.parameters()]
    assert_vjp(module, x, None, None, upstream, **QUICK)
    assert all(torch.equal(now, then) for now, then in zip(module.parameters(), before, strict=True))
    assert all(parameter.grad is None for parameter in module.parameters())


def test_a_forward_pass_of_jax_with_weights_in_out():
    x, weight, bias, upstream = (jnp.asarray(array, dtype=jnp.float32) for array in arrays())
    assert_vjp(lambda x, w, b: x @ w + b, x, weight.T, bias, upstream, weights="in_out", **QUICK)


def test_functions_without_weights():
    z, upstream = torch.randn(5, 3, dtype=torch.float64), torch.rand(5, dtype=torch.float64)
    assert_vjp(F.silu, z, torch.randn(5, 3, dtype=torch.float64), layer="activation", activation="silu", **QUICK)
    classes, rows = torch.tensor([0, 2, 1, 1, 0]), F.one_hot(torch.tensor([0, 2, 1, 1, 0]), 3).double()

    def losses(z, target):
        return F.cross_entropy(z, target, reduction="none")

    for target in (classes, rows):
        assert_vjp(losses, z, target, upstream, layer="softmax_cross_entropy", **QUICK)
    x, weight, bias, _ = tensors()

    def of_linear(x, weight, bias, target):
        return losses(F.linear(x, weight, bias), target)

    assert_vjp(of_linear, x, weight, bias, classes, upstream, layer="linear_softmax_cross_entropy", **QUICK)


def swiglu(gate, up, upstream):
    s = torch.sigmoid(gate)
    return upstream * up * s * (1 + gate * (1 - s)), upstream * gate * s


def gates(dtype=torch.float64):
    rng = np.random.default_rng(7)
    return [torch.tensor(rng.normal(size=(6, 5)), dtype=dtype) for _ in range(3)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_a_gate_as_a_product(dtype):
    for kernel in (swiglu, lambda gate, up: F.silu(gate) * up):
        assert_vjp(kernel, *gates(dtype), layer="gate", activation="silu", **QUICK)
    assert_vjp(lambda gate, up: F.relu(gate) * up, *gates(dtype), layer="gate", activation="relu", **QUICK)


def test_a_gate_as_a_product_is_right_on_drawn_problems():
    assert check(kernel_of(swiglu, "silu", layer="gate", arrays="torch"), seed=1, max_examples=20).verdict is Verdict.RIGHT


def test_a_large_gate_is_judged_entry_by_entry():
    """Of 10,000 entries, each a network by itself: one network of all of them would have 100 million weights."""
    given = [torch.randn(80, 125, dtype=torch.float64) for _ in range(3)]

    def one_off(gate, up, upstream):
        dgate, dup = swiglu(gate, up, upstream)
        if dup.shape == (80, 125):
            dup[57, 93] *= 1 + 2**-20
        return dgate, dup

    with pytest.raises(AssertionError, match=r"entry    dup\[57, 93\]: layer 2: dC/dW\[0, 0\]"):
        assert_vjp(one_off, *given, layer="gate", activation="silu", max_seconds=0.1, **QUICK)


def test_without_a_bias_and_without_samples():
    x, weight, _, upstream = arrays()

    def kernel(x, weight, bias, upstream):
        assert bias is None
        return upstream @ weight, upstream.T @ x, None

    assert_vjp(kernel, x, weight, None, upstream, **QUICK)
    assert_vjp(linear, *arrays(batch=0), **QUICK)


def test_an_expanded_upstream_gradient_is_given_as_it_is():
    seen = []

    def kernel(x, weight, bias, upstream):
        seen.append(upstream.stride())
        return upstream @ weight, upstream.T @ x, upstream.sum(0)

    assert_vjp(kernel, *tensors()[:3], torch.ones(1, 1, dtype=torch.float64).expand(5, 3), **QUICK)
    assert seen[0] == (0, 0)
    assert (0, 0) in seen[1:], "the law of expanded inputs gives tensors with strides of 0"


# ---- what is wrong ----


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("dtype", [np.float64, BFLOAT16], ids=lambda dtype: np.dtype(dtype).name)
def test_a_wrong_kernel_is_caught(name, dtype):
    with pytest.raises(AssertionError, match="wrong"):
        assert_vjp(WRONG[name], *arrays(dtype), **QUICK)


GATES = {
    "zeros": lambda dgate, dup: (0 * dgate, 0 * dup),
    "negated": lambda dgate, dup: (-dgate, -dup),
    "swapped": lambda dgate, dup: (dup, dgate),
    "one array of zeros": lambda dgate, dup: (dgate, 0 * dup),
}


@pytest.mark.parametrize("name", GATES)
def test_a_wrong_gate_is_caught_in_bfloat16(name):
    """A published bound for this kernel, atol 1e4 and rtol 1e-2, passes each of them."""
    kernel = lambda *given: GATES[name](*swiglu(*given))  # noqa: E731
    for answer, right in zip(kernel(*gates(torch.bfloat16)), swiglu(*gates(torch.bfloat16)), strict=True):
        assert torch.allclose(answer, right, atol=1e4, rtol=1e-2)
    with pytest.raises(AssertionError, match="wrong"):
        assert_vjp(kernel, *gates(torch.bfloat16), layer="gate", activation="silu", **QUICK)
    wrong = check(kernel_of(kernel, "silu", layer="gate", arrays="torch"), seed=1, max_examples=8, shrink_seconds=0, no_diagnosis=True)
    assert wrong.verdict is Verdict.WRONG


def cross_entropy(logits, target, upstream):
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(p)), target] -= 1
    return p * upstream[:, None]


def test_a_cross_entropy_that_reads_the_first_upstream_number_alone():
    def kernel(logits, target, upstream):
        return cross_entropy(logits, target, upstream[:1].repeat(len(upstream)))

    rng = np.random.default_rng(2)
    given = rng.normal(size=(4, 3)), np.array([0, 2, 1, 1]), np.array([0.5, 1.0, 0.0, 2.0])
    assert_vjp(cross_entropy, *given, layer="softmax_cross_entropy", **QUICK)
    with pytest.raises(AssertionError, match=r"entry    dlogits\[\d, \d\]: layer 1: delta\["):
        assert_vjp(kernel, *given, layer="softmax_cross_entropy", **QUICK)
    said = {"layer": "softmax_cross_entropy"}
    report = check(kernel_of(kernel, **said), seed=1, max_examples=40, shrink_seconds=0, no_diagnosis=True)
    assert report.laws["each_sample_has_its_own_upstream_gradient"].broken
    assert check(kernel_of(cross_entropy, **said), seed=1, max_examples=40).passed


@pytest.mark.parametrize("name", WRONG)
def test_check_catches_a_wrong_kernel(name):
    laws = ["it_agrees_with_the_exact_gradient", "each_sample_has_its_own_upstream_gradient"]
    report = check(kernel_of(WRONG[name]), seed=1, max_examples=8, shrink_seconds=0, no_diagnosis=True, laws=laws)
    assert report.verdict is Verdict.WRONG
    if name in ("the first number", "the first row", "none"):
        assert report.laws[laws[1]].broken


@pytest.mark.parametrize("precision", [None, "bfloat16/float32"])
def test_a_hundredth_too_much_in_bfloat16_is_caught_where_nothing_rounds(precision):
    with pytest.raises(AssertionError) as raised:
        assert_vjp(times(1.01), *arrays(BFLOAT16), precision=precision, **QUICK)
    assert "on the arrays given nothing is wrong" in str(raised.value)
    assert "it_is_exact_where_nothing_rounds" in str(raised.value)
    kernel = kernel_of(times(1.01))
    kernel.precision = "bfloat16"
    assert check(kernel, seed=1, max_examples=40, shrink_seconds=0, no_diagnosis=True).laws["it_is_exact_where_nothing_rounds"].broken


def test_an_upstream_gradient_that_is_read_as_if_it_were_contiguous():
    kernel = with_upstream(as_if_contiguous)
    with pytest.raises(AssertionError) as raised:
        assert_vjp(kernel, *arrays(), **QUICK)
    for line in ("on the arrays given nothing is wrong", "with a stride of 0 is read as if it were contiguous"):
        assert line in str(raised.value)
    assert check(kernel_of(kernel), seed=1, max_examples=40, shrink_seconds=0, no_diagnosis=True).verdict is not Verdict.RIGHT


def test_a_kernel_that_leaves_memory_as_it_is_for_an_empty_batch():
    def kernel(x, weight, bias, upstream):
        dx, dweight, dbias = linear(x, weight, bias, upstream)
        return dx, dweight, dbias if len(x) else dbias + 7.0

    report = check(kernel_of(kernel), seed=1, max_examples=40, shrink_seconds=0, no_diagnosis=True)
    assert report.laws["an_empty_batch_has_no_gradient"].broken
    with pytest.raises(AssertionError, match=r"dbias\[0\]: layer 1: dC/db\[0\]"):
        assert_vjp(kernel, *arrays(batch=0), **QUICK)


@pytest.mark.shrinks
def test_what_is_told():
    def forgot_the_samples(x, weight, bias, upstream):
        return upstream @ weight, upstream.T @ x, upstream[0]

    with pytest.raises(AssertionError) as raised:
        assert_vjp(forgot_the_samples, *arrays(), **QUICK | {"no_diagnosis": False})
    for line in (
        "wrong: test_what_is_told.<locals>.forgot_the_samples, on the arrays given",
        "  entry    dbias[",
        ": layer 1: dC/db[",
        "  got      ",
        "  exact    ",
        "  allowed  ",
        "  each     dC/dW: right; dC/db: off",
        "wrong on problems that are drawn, the smallest that shows it",
        "  cause    equations 4 and 10, layer 1",
        "  problem  Problem(",
        "  seed     1; before shrinking: backproof.problem_at(",
    ):
        assert line in str(raised.value), line


def test_a_kernel_of_one_shape_says_so_and_is_asked_no_other():
    shapes = set()

    def kernel(x, weight, bias, upstream):
        shapes.add(weight.shape)
        dx, dweight, dbias = linear(x, weight, bias, upstream)
        return dx, dweight, 2 * dbias

    kernel.supports = {"layer": "linear", "widths": [4, 3]}
    with pytest.raises(AssertionError, match="wrong on problems that are drawn"):
        assert_vjp(kernel, *arrays(), **QUICK | {"no_diagnosis": False})
    assert shapes == {(3, 4)}


def test_a_kernel_that_raises_at_other_shapes_is_told_on_that_of_the_test():
    def kernel(x, weight, bias, upstream):
        if weight.shape != (3, 4):
            raise ValueError("a block is 3 x 4")
        dx, dweight, dbias = linear(x, weight, bias, upstream)
        return dx, dweight, 2 * dbias

    with pytest.raises(AssertionError) as raised:
        assert_vjp(kernel, *arrays(), **QUICK | {"no_diagnosis": False})
    assert "wrong on problems that are drawn, of the same shape, the smallest that shows it" in str(raised.value)


def test_an_entry_of_a_weight_in_out_is_named_so():
    x, weight, bias, upstream = arrays()

    def kernel(x, weight, bias, upstream):
        dweight = x.T @ upstream
        dweight[3, 1] += 1
        return upstream @ weight.T, dweight, upstream.sum(0)

    with pytest.raises(AssertionError, match=r"dweight\[3, 1\]: layer 1: dC/dW\[1, 3\]"):
        assert_vjp(kernel, x, weight.T, bias, upstream, weights="in_out", **QUICK)


def told_of(layer, kernel, activation="identity"):
    report = check(kernel_of(kernel, activation, layer=layer), seed=1, max_examples=8, shrink_seconds=0)
    return report.findings[0]


@pytest.mark.parametrize(
    ("weighed", "cause"),
    [
        (lambda upstream: np.ones_like(upstream), "weighed_the_loss_alone"),
        (lambda upstream: np.ones_like(upstream) / max(len(upstream), 1), "divided_unweighed_samples_by_their_number"),
    ],
    ids=["ones", "a mean"],
)
def test_an_upstream_gradient_that_a_cross_entropy_ignores_is_told_as_that(weighed, cause):
    """And not as the sum or the mean over samples, of which one alone is asked for."""
    told = told_of("softmax_cross_entropy", lambda logits, target, upstream: cross_entropy(logits, target, weighed(upstream)))
    assert told.cause == cause
    assert "upstream gradient" in told.explanation


def test_a_gate_whose_derivatives_are_swapped_is_told_so():
    def kernel(gate, up, upstream):
        s = 1 / (1 + np.exp(-gate))
        return upstream * gate * s, upstream * up * (s + gate * s * (1 - s))

    assert told_of("gate", kernel, "silu").cause == "swapped_dgate_and_dup"
