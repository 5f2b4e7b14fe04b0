"""What the tests test: right backward passes, written by hand, of a network in NumPy and of two kernels in PyTorch."""

import numpy as np


def backprop(weights, biases, x, y):
    """dC/dW and dC/db of a network with tanh in all layers, half the squared error, summed over samples."""
    activations = [x]
    for weight, bias in zip(weights, biases, strict=True):
        activations.append(np.tanh(activations[-1] @ weight.T + bias))
    dC_dW, dC_db, error = [], [], activations[-1] - y
    for layer in reversed(range(len(weights))):
        delta = error * (1 - activations[layer + 1] ** 2)
        dC_dW.insert(0, delta.T @ activations[layer])
        dC_db.insert(0, delta.sum(axis=0))
        error = delta @ weights[layer]
    return dC_dW, dC_db


def loss(weights, biases, x, y):
    """C of the same network."""
    for weight, bias in zip(weights, biases, strict=True):
        x = np.tanh(x @ weight.T + bias)
    return 0.5 * np.sum((x - y) ** 2)


def swiglu_backward(x, gate, up, down, upstream):
    """dx, dG, dU and dD of y = (silu(x G) * (x U)) D, from dC/dy; x (samples, hidden), G and U (hidden, inner), D (inner, hidden)."""
    import torch

    g, u = x @ gate, x @ up
    s = torch.sigmoid(g.float())
    silu = (g.float() * s).to(x.dtype)
    inner = upstream @ down.T
    dg = (inner.float() * u.float() * s * (1 + g.float() * (1 - s))).to(x.dtype)
    du = inner * silu
    return dg @ gate.T + du @ up.T, x.T @ dg, x.T @ du, (silu * u).T @ upstream


def silu_product_backward(a, b, upstream):
    """da and db of silu(a) * b, from the upstream gradient; all of one shape."""
    import torch

    s = torch.sigmoid(a.float())
    da = upstream.float() * b.float() * s * (1 + a.float() * (1 - s))
    return da.to(a.dtype), (upstream.float() * a.float() * s).to(a.dtype)


def fused_linear_cross_entropy_backward(x, weight, labels):
    """dx and dW of the cross-entropy of x W^T, summed over samples, in blocks; x (samples, hidden), W (classes, hidden)."""
    import torch

    dx, dW = torch.empty_like(x), torch.zeros(weight.shape, dtype=torch.float32)
    for start in range(0, len(x), 64):
        block = slice(start, start + 64)
        p = torch.softmax((x[block] @ weight.T).float(), dim=1)
        p[torch.arange(len(p)), labels[block]] -= 1
        p = p.to(x.dtype)
        dx[block] = p @ weight
        dW += p.T.float() @ x[block].float()
    return dx, dW.to(weight.dtype)


def linear_backward(x, weight, bias, upstream):
    """dx, dW and db of x W^T + b, from the upstream gradient, all in bfloat16, with sums in float32; x (samples, n_in), W (n_out, n_in)."""
    narrow, (x, weight, upstream) = x.dtype, (array.float() for array in (x, weight, upstream))
    return [array.to(narrow) for array in (upstream @ weight, upstream.T @ x, upstream.sum(dim=0))]
