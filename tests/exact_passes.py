"""Honest passes that round each operation to a dtype, products summed in whichever order: on exact problems all must give the same bits."""

from functools import reduce

import numpy as np

from reference.dtypes import DTYPES
from reference.functions.losses import LOSSES
from reference.functions.parametrised import name_and_parameters, row_of


def forwards(a, b):
    """Of two matrices, or of two stacks of them."""
    terms = (a[..., :, k, None] * b[..., None, k, :] for k in range(a.shape[-1]))
    return reduce(lambda total, term: total + term, terms)


def backwards(a, b):
    return forwards(a[:, ::-1], b[::-1])


def pairwise(a, b):
    if a.shape[1] == 1:
        return a * b
    half = a.shape[1] // 2
    return pairwise(a[:, :half], b[:half]) + pairwise(a[:, half:], b[half:])


def compensated(a, b):
    """Kahan's sum."""
    total = lost = np.zeros((len(a), b.shape[1]), dtype=a.dtype)
    for k in range(a.shape[1]):
        term = a[:, k, None] * b[None, k, :] - lost
        summed = total + term
        total, lost = summed, (summed - total) - term
    return total


def winograd(levels):
    """Strassen's product in Winograd's form, padded to even sizes."""

    def product(a, b, left=levels):
        if not left:
            return forwards(a, b)
        (n, m), p, stacked = a.shape[-2:], b.shape[-1], [(0, 0)] * (a.ndim - 2)
        a = np.pad(a, [*stacked, (0, n % 2), (0, m % 2)])
        b = np.pad(b, [*stacked, (0, m % 2), (0, p % 2)])
        (a11, a12), (a21, a22) = (np.split(half, 2, axis=-1) for half in np.split(a, 2, axis=-2))
        (b11, b12), (b21, b22) = (np.split(half, 2, axis=-1) for half in np.split(b, 2, axis=-2))
        s1, t1 = a21 + a22, b12 - b11
        s2, t2 = s1 - a11, b22 - t1
        s3, t3 = a11 - a21, b22 - b12
        s4, t4 = a12 - s2, t2 - b21
        lefts, rights = np.stack([a11, a12, s4, a22, s1, s2, s3]), np.stack([b11, b21, b22, t4, t1, t2, t3])
        p1, p2, p3, p4, p5, p6, p7 = product(lefts, rights, left - 1)
        u2 = p1 + p6
        u3, u4 = u2 + p7, u2 + p5
        return np.block([[p1 + p2, u4 + p3], [u3 - p4, u3 + p5]])[..., :n, :p]

    return product


PRODUCTS = {
    "forwards": forwards,
    "backwards": backwards,
    "pairwise": pairwise,
    "compensated": compensated,
    "split_once": winograd(1),
    "split_twice": winograd(2),
    "split_three_times": winograd(3),
}


def bent(z, choice):
    """g and g' as a line and what each kink adds to it, in halves of sums and differences of absolute values."""
    name, parameters = name_and_parameters(choice)
    low, kinks = {
        "identity": ((1.0, 0.0), []),
        "relu": ((0.0, 0.0), [(0.0, 1.0)]),
        "leaky_relu": ((parameters.get("slope", 0.01), 0.0), [(0.0, 1 - parameters.get("slope", 0.01))]),
        "hardtanh": ((0.0, -1.0), [(-1.0, 1.0), (1.0, -1.0)]),
        "relu6": ((0.0, 0.0), [(0.0, 1.0), (6.0, -1.0)]),
    }[name]
    number = z.dtype.type
    value, slope = z * number(low[0]) + number(low[1]), np.full_like(z, low[0])
    for kink, bend in kinks:
        beyond = z - number(kink)
        value = value + number(bend / 2) * (np.abs(beyond) + beyond)
        slope = slope + number(bend / 2) * (np.sign(beyond) + number(1))
    return value, slope


def honest_pass(problem, dtype, product=forwards, mean="first"):
    """dC/dW, dC/db, dC/dx and C, all in a dtype, key of DTYPES; mean: "first", of the error, or "last", of the gradient."""
    kind = DTYPES[dtype]
    number = kind.type
    weights = [w.astype(kind) for w in problem.weights]
    a, kept = problem.x.astype(kind), []
    for w, b, choice in zip(weights, problem.biases, problem.activations, strict=True):
        z = product(a, w.T)
        z = z if b is None else z + b.astype(kind)
        value, slope = bent(z, choice)
        kept.append((a, slope))
        a = value
    y, (name, _) = problem.y.astype(kind), name_and_parameters(problem.loss)
    row = row_of(LOSSES, problem.loss)
    if row.of_differences:
        # equation 2 by the reference, of a - y that is rounded
        e = row.derivative((a - y).astype(np.float64), np.zeros(y.shape)).astype(kind)
    else:
        assert name == "upstream"
        e = y
    share = number(1 / problem.batch if problem.reduction == "mean" else 1)
    e, last = (e * share, number(1)) if mean == "first" else (e, share)
    dW, db = [], []
    for w, (below, slope) in zip(weights[::-1], kept[::-1], strict=True):
        delta = e * slope
        dW.append(product(delta.T, below) * last)
        db.append(forwards(np.ones((1, len(delta)), dtype=kind), delta)[0] * last)
        e = product(delta, w)
    if problem.penalised is not None:
        rate = number(problem.penalised.rate(problem.batch))
        dW = [g + rate * w for g, w in zip(dW, weights[::-1], strict=True)]
    return dW[::-1], db[::-1], e * last
