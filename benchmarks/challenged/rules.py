"""The rules: each a small test, `python -m benchmarks.challenged.rules NAME`, which raises where it sees something.

Those of others are written anew after what they publish, with their bounds and shapes, and none of their lines.
"""

import random
import sys
from itertools import pairwise

import numpy as np

from benchmarks.challenged import layers

TESTED = "benchmarks.challenged.layers"


def network(seed=0, width=(4, 5, 3), batch=6):
    """Weights, biases, inputs and expected outputs, moderate and in float64."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(n, m)) / np.sqrt(m) for m, n in pairwise(width)]
    return weights, [rng.normal(size=n) / 4 for n in width[1:]], rng.normal(size=(batch, width[0])), rng.normal(size=(batch, width[-1]))


def numerical(weights, biases, x, y, array, index, h):
    """Central differences of C by one entry of an array."""
    kept = array[index]
    array[index] = kept + h
    above = layers.loss(weights, biases, x, y)
    array[index] = kept - h
    below = layers.loss(weights, biases, x, y)
    array[index] = kept
    return (above - below) / (2 * h)


def one_entry_at_1e_2():
    """As minitorch has it: of each array one entry, drawn, beside central differences, within 1e-2 + 1e-2 of it."""
    parts = network()
    dC_dW, dC_db = layers.backprop(*parts)
    random.seed(10)
    for array, gradient in zip([*parts[0], *parts[1]], [*dC_dW, *dC_db], strict=True):
        index = tuple(random.randrange(n) for n in array.shape)
        np.testing.assert_allclose(gradient[index], numerical(*parts, array, index, 1e-6), 1e-2, 1e-2)


def relative_error_below_1e_7():
    """As CS231n has it: the largest |a - n| / max(1e-8, |a| + |n|) of each array is below 1e-7; n by central differences, h = 1e-5."""
    parts = network()
    dC_dW, dC_db = layers.backprop(*parts)
    for array, gradient in zip([*parts[0], *parts[1]], [*dC_dW, *dC_db], strict=True):
        n = np.array([numerical(*parts, array, index, 1e-5) for index in np.ndindex(array.shape)]).reshape(array.shape)
        assert np.max(np.abs(gradient - n) / np.maximum(1e-8, np.abs(gradient) + np.abs(n))) < 1e-7


def gradcheck():
    """torch.autograd.gradcheck at its defaults, of a function whose backward is the hand-written one."""
    import torch

    weights, biases, x, y = network()

    class Loss(torch.autograd.Function):
        @staticmethod
        def forward(ctx, W1, W2, b1, b2):
            ctx.save_for_backward(W1, W2, b1, b2)
            return torch.tensor(layers.loss([W1.numpy(), W2.numpy()], [b1.numpy(), b2.numpy()], x, y))

        @staticmethod
        def backward(ctx, upstream):
            W1, W2, b1, b2 = (each.numpy() for each in ctx.saved_tensors)
            dC_dW, dC_db = layers.backprop([W1, W2], [b1, b2], x, y)
            return tuple(upstream * torch.from_numpy(each) for each in (*dC_dW, *dC_db))

    assert torch.autograd.gradcheck(Loss.apply, [torch.tensor(each, requires_grad=True) for each in (*weights, *biases)])


def backproof_verify():
    """backproof's line beside them: one problem, the same one, judged by its bound."""
    import backproof

    weights, biases, x, y = network()
    problem = backproof.Problem(weights, biases=biases, activations=["tanh", "tanh"], x=x, y=y)
    judgement = backproof.verify(problem, backproof.Gradient(*layers.backprop(weights, biases, x, y)))
    assert judgement.passed, judgement


def backproof_assert_right():
    """backproof's other line: drawn problems."""
    import backproof

    limits = {"activations": ["tanh"], "losses": ["half_squared_error"], "reductions": ["sum"], "biases": True}
    target = backproof.adapt(layers.backprop, activations=False, supports=limits)
    backproof.assert_right(target, seed=1, max_examples=40, shrink_seconds=0, no_diagnosis=True)


def swiglu(samples, hidden, inner):
    """Liger-Kernel's bounds for SwiGLU in bfloat16 beside PyTorch's own gradient: atol 1e4, rtol 1e-2."""
    import torch

    torch.manual_seed(0)
    shapes = [(samples, hidden), (hidden, inner), (hidden, inner), (inner, hidden)]
    arrays = [torch.randn(shape, dtype=torch.bfloat16).requires_grad_() for shape in shapes]
    x, gate, up, down = arrays
    y = (torch.nn.functional.silu(x @ gate) * (x @ up)) @ down
    upstream = torch.randn_like(y)
    y.backward(upstream)
    with torch.no_grad():
        answers = layers.swiglu_backward(*arrays, upstream)
    for array, answer in zip(arrays, answers, strict=True):
        assert torch.allclose(array.grad, answer, atol=1e4, rtol=1e-2)


def silu_product():
    """The same bounds for silu(a) * b alone, at the second of its shapes: (9, 7, 41)."""
    import torch

    torch.manual_seed(0)
    a, b, upstream = (torch.randn(9, 7, 41, dtype=torch.bfloat16) for _ in range(3))
    answers = layers.silu_product_backward(a, b, upstream)
    (torch.nn.functional.silu(a.requires_grad_()) * b.requires_grad_()).backward(upstream)
    for array, answer in zip((a, b), answers, strict=True):
        assert torch.allclose(array.grad, answer, atol=1e4, rtol=1e-2)


def cross_entropy_problem():
    """x, W and labels in bfloat16: 3 by 47 samples, 31 wide, 123 classes, Liger-Kernel's odd shape."""
    import torch

    torch.manual_seed(0)
    x, weight = torch.randn(3 * 47, 31, dtype=torch.bfloat16), torch.rand(123, 31, dtype=torch.bfloat16)
    return x, weight, torch.randint(0, 123, (3 * 47,))


def cross_entropy():
    """Liger-Kernel's bounds for the fused linear cross-entropy, summed, in bfloat16, beside PyTorch's own: atol 5, rtol 50."""
    import torch

    x, weight, labels = cross_entropy_problem()
    answers = layers.fused_linear_cross_entropy_backward(x, weight, labels)
    x.requires_grad_()
    weight.requires_grad_()
    torch.nn.functional.cross_entropy(x @ weight.T, labels, reduction="sum").backward()
    for array, answer in zip((x, weight), answers, strict=True):
        assert torch.allclose(array.grad, answer, atol=5.0, rtol=50.0)


def cross_entropy_verify():
    """backproof's line beside it: the same problem as one layer."""
    import torch

    import backproof

    x, weight, labels = cross_entropy_problem()
    dx, dW = layers.fused_linear_cross_entropy_backward(x, weight, labels)
    x, weight, y = (each.to(torch.float64).numpy() for each in (x, weight, torch.nn.functional.one_hot(labels, 123)))
    problem = backproof.Problem([weight], activations=["identity"], x=x, y=y, loss="softmax_cross_entropy", wants=["x"])
    judgement = backproof.verify(problem, backproof.Gradient([dW], x=dx))
    assert judgement.passed, judgement


def assert_vjp():
    """backproof's line for a kernel of one layer: the arrays given, and drawn ones of their shape."""
    import torch

    import backproof

    torch.manual_seed(0)
    x, weight, bias, upstream = (torch.randn(shape, dtype=torch.bfloat16) for shape in ((41, 31), (23, 31), (23,), (41, 23)))
    backproof.assert_vjp(layers.linear_backward, x, weight, bias, upstream, seed=1, no_diagnosis=True)


def numpy_example():
    """What the README does with examples/numpy_network.py."""
    import backproof
    from examples.numpy_network import gradient

    backproof.assert_right(gradient, seed=1, max_examples=40, shrink_seconds=0, no_diagnosis=True)


def sklearn_example():
    """The same of scikit-learn's backward pass, examples/sklearn_mlp.py."""
    import backproof
    from examples.sklearn_mlp import gradient

    backproof.assert_right(gradient, seed=1, max_examples=40, shrink_seconds=0, no_diagnosis=True)


RULES = {
    "minitorch: one entry, 1e-2": (one_entry_at_1e_2, f"{TESTED}:backprop"),
    "CS231n: relative error, 1e-7": (relative_error_below_1e_7, f"{TESTED}:backprop"),
    "torch.autograd.gradcheck": (gradcheck, f"{TESTED}:backprop"),
    "`backproof.verify`": (backproof_verify, f"{TESTED}:backprop"),
    "`backproof.assert_right`": (backproof_assert_right, f"{TESTED}:backprop"),
    "Liger-Kernel, SwiGLU, bfloat16, first shape: atol 1e4": (lambda: swiglu(2 * 256, 256, 512), f"{TESTED}:swiglu_backward"),
    "the same, second shape": (lambda: swiglu(6 * 42, 123, 431), f"{TESTED}:swiglu_backward"),
    "the same, SiLU and product alone, second shape": (silu_product, f"{TESTED}:silu_product_backward"),
    "Liger-Kernel, linear cross-entropy, bfloat16: rtol 50": (cross_entropy, f"{TESTED}:fused_linear_cross_entropy_backward"),
    "`backproof.verify`, bfloat16": (cross_entropy_verify, f"{TESTED}:fused_linear_cross_entropy_backward"),
    "`backproof.assert_vjp`, linear, bfloat16": (assert_vjp, f"{TESTED}:linear_backward"),
    "examples/numpy_network.py": (numpy_example, "examples.numpy_network:gradient"),
    "examples/sklearn_mlp.py": (sklearn_example, "examples.sklearn_mlp:Regressor.__call__"),
}
"""Of each its name on the page, the test, and the target."""

if __name__ == "__main__":
    RULES[sys.argv[1]][0]()
