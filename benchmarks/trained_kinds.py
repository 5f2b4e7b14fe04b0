"""Kinds of trained networks: one training gives many problems, at several of its points and with several batches."""

import functools
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from backproof import Problem
from benchmarks.kind import COMMON, SINGLES, Kind, pick, single
from oracles.torch_autograd import TORCH_ACTIVATIONS, TORCH_LOSSES

STEPS = (0, 20, 200, 1500)
PARTS = (1, 32, 64, 128, 0)
"""Batches that a trained network is asked for; 0 for all samples."""

FLAGSHIP = (0, 30, 100, 200, 400)


@functools.cache
def data(name: str) -> tuple[Any, Any]:
    """x (samples, inputs) and y (samples, outputs) of one of scikit-learn's data sets; classes one-hot, two of them as 0 and 1."""
    from sklearn import datasets

    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    if name in ("diabetes", "breast_cancer"):
        return x, y[:, None] * 1.0
    return x, np.eye(int(y.max()) + 1)[y]


@functools.cache
def images() -> Any:
    """scikit-learn's digits at 28 x 28, from 0 to 1: (1797, 784)."""
    from scipy.ndimage import zoom

    return np.stack([zoom(image.reshape(8, 8), 3.5, order=1).ravel() / 16 for image in data("digits")[0]])


def begun(rng: np.random.Generator, widths: Sequence[int]) -> list[Any]:
    """Weights and biases as PyTorch's layers have them at first, in turns: uniform to 1 / sqrt(inputs), of float32."""
    parts = []
    for n, m in pairwise(widths):
        parts += [single(rng.uniform(-1, 1, size) / np.sqrt(n)) for size in ((m, n), (m,))]
    return parts


def trained(
    rng: np.random.Generator,
    parts: list[Any],
    activation: str,
    loss: str,
    x: Any,
    y: Any,
    points: Sequence[int],
    *,
    rate: float,
    batch: int = 64,
    output: str = "identity",
) -> Iterator[list[Any]]:
    """Weights and biases in turns at some steps of Adam in float32, of the mean over batches that rng draws; batch: 0 for all samples."""
    import torch
    import torch.nn.functional as F

    leaves = [torch.tensor(part, dtype=torch.float32, requires_grad=True) for part in parts]
    optimizer = torch.optim.Adam(leaves, lr=rate)
    inputs, outputs = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    last = len(leaves) // 2 - 1
    for step in range(max(points) + 1):
        if step in points:
            yield [leaf.detach().double().numpy().copy() for leaf in leaves]
        some = torch.tensor(rng.integers(len(x), size=batch)) if batch else slice(None)
        a = inputs[some]
        for i in range(last + 1):
            a = F.linear(a, leaves[2 * i], leaves[2 * i + 1])
            a = TORCH_ACTIVATIONS[activation if i < last else output](F, a)
        optimizer.zero_grad()
        (TORCH_LOSSES[loss](F, a, outputs[some]) / len(a)).backward()
        optimizer.step()


def asked(
    rng: np.random.Generator, parts: list[Any], activation: str, loss: str, x: Any, y: Any, batch: int, *, output: str = "identity"
) -> Problem:
    """The gradient of some samples, drawn without putting back, at some weights; batch: 0 for all samples."""
    some = rng.permutation(len(x))[: batch or len(x)]
    held = single if rng.random() < SINGLES else np.asarray
    return Problem(
        parts[::2],
        biases=parts[1::2],
        activations=[*[activation] * (len(parts) // 2 - 1), output],
        x=held(x[some]),
        y=held(y[some]),
        loss=loss,
        reduction=str(pick(rng, ("sum", "mean"))),
    )


def of_data(name: str, losses: Sequence[str], scaled: bool) -> Callable[[np.random.Generator], Sequence[Problem]]:
    """Networks of 1 to 3 hidden layers, trained on one of scikit-learn's data sets; scaled: standardised, or pixels from 0 to 1."""

    def draw(rng: np.random.Generator) -> Sequence[Problem]:
        x, y = data(name)
        if scaled:
            x = x / 16 if name == "digits" else (x - x.mean(axis=0)) / x.std(axis=0)
            y = (y - y.mean()) / y.std() if name == "diabetes" else y
        activation, loss = str(pick(rng, COMMON)), str(pick(rng, losses))
        hidden = [int(pick(rng, (16, 64, 128, 256))) for _ in range(int(rng.integers(1, 4)))]
        parts = begun(rng, (x.shape[1], *hidden, y.shape[1]))
        found = trained(rng, parts, activation, loss, x, y, STEPS, rate=float(pick(rng, (1e-2, 1e-3))))
        # the batches are drawn apart, so that the training does not depend on them
        of_batches = rng.spawn(1)[0]
        return [asked(of_batches, point, activation, loss, x, y, batch) for point in found for batch in PARTS]

    return draw


def students(rng: np.random.Generator) -> Sequence[Problem]:
    """Small networks on all of XOR, two moons or a sine, until there is little left to learn."""
    name = str(pick(rng, ("xor", "moons", "sine")))
    count, activation = int(pick(rng, (64, 200, 1000))), str(pick(rng, ("tanh", "relu", "sigmoid")))
    loss, output = "binary_cross_entropy_with_logits", "identity"
    if name == "sine":
        x = np.linspace(-np.pi, np.pi, count)[:, None]
        y, loss = np.sin(x), "mean_squared_error"
    elif name == "xor":
        x = rng.integers(2, size=(count, 2)) * 1.0
        y = (x[:, :1] != x[:, 1:]) * 1.0
        loss, output = ("half_squared_error", "sigmoid") if rng.random() < 0.5 else (loss, output)
    else:
        from sklearn.datasets import make_moons

        x, y = make_moons(count, noise=0.1, random_state=int(rng.integers(2**31)))
        y = y[:, None] * 1.0
    hidden = [int(pick(rng, (3, 8, 16)))] * int(rng.integers(1, 3))
    parts = begun(rng, (x.shape[1], *hidden, 1))
    found = trained(rng, parts, activation, loss, x, y, (0, 50, 500, 2000), rate=1e-2, batch=0, output=output)
    return [asked(rng.spawn(1)[0], point, activation, loss, x, y, batch, output=output) for point in found for batch in (1, 16, 64, 0)]


def flagship(activation: str) -> Callable[[np.random.Generator], Sequence[Problem]]:
    """784-512-512-10 on digits at 28 x 28: three batches of 64 at each point."""

    def draw(rng: np.random.Generator) -> Sequence[Problem]:
        x, y, loss = images(), data("digits")[1], "softmax_cross_entropy"
        found = trained(rng, begun(rng, (784, 512, 512, 10)), activation, loss, x, y, FLAGSHIP, rate=1e-3)
        of_batches = rng.spawn(1)[0]
        return [asked(of_batches, point, activation, loss, x, y, 64) for point in found for _ in range(3)]

    return draw


def standardised(x: Any) -> Any:
    """Each column with mean 0 and standard deviation 1."""
    return (x - x.mean(axis=0)) / x.std(axis=0)


def regression(rng: np.random.Generator) -> Sequence[Problem]:
    """Linear regression of diabetes, all 442 samples, along gradient descent from 0 at 0.1: every fourth of 400 steps."""
    order = rng.permutation(442) if rng.random() < 0.5 else np.arange(442)
    x, y = standardised(data("diabetes")[0])[order], data("diabetes")[1][order]
    y = standardised(y) if rng.random() < 0.5 else y
    weight, bias, problems = np.zeros((1, 10)), np.zeros(1), []
    held = single if rng.random() < SINGLES else np.asarray
    for step in range(400):
        if step % 4 == 0:
            problems.append(Problem([held(weight)], biases=[held(bias)], activations=["identity"], x=held(x), y=held(y), reduction="mean"))
        error = (x @ weight.T + bias - y) / len(x)
        weight, bias = weight - 0.1 * error.T @ x, bias - 0.1 * error.sum(axis=0)
    return problems


def iris_regression(rng: np.random.Generator) -> Sequence[Problem]:
    """Softmax regression of iris as it is, along gradient descent from 0 at 0.05: every fourth of 400 steps."""
    # as the data set has it, class by class, sums drift
    order = rng.permutation(150) if rng.random() < 0.5 else np.arange(150)
    x, y = (array[order] for array in data("iris"))
    weight, bias, problems = np.zeros((3, 4)), np.zeros(3), []
    held = single if rng.random() < SINGLES else np.asarray
    for step in range(400):
        if step % 4 == 0:
            parts = {"activations": ["identity"], "loss": "softmax_cross_entropy", "reduction": "mean"}
            problems.append(Problem([held(weight)], biases=[held(bias)], x=held(x), y=held(y), **parts))
        z = x @ weight.T + bias
        p = np.exp(z - z.max(axis=1, keepdims=True))
        error = (p / p.sum(axis=1, keepdims=True) - y) / len(x)
        weight, bias = weight - 0.05 * error.T @ x, bias - 0.05 * error.sum(axis=0)
    return problems


def least_squares(rng: np.random.Generator) -> Sequence[Problem]:
    """Linear regression, few inputs of 2 digits, at the weights of least squares: exactly, and rounded to 1, 2, 3 and 6 digits."""
    inputs, count = int(pick(rng, (1, 2, 2, 5))), int(pick(rng, (64, 64, 100, 500, 2000)))
    x = np.round(rng.normal(size=(count, inputs)), 2)
    y = np.round(x @ rng.integers(-2, 3, (inputs, 1)) + np.round(0.5 * rng.normal(size=(count, 1)), 2), 2)
    best = np.linalg.lstsq(x, y, rcond=None)[0].T
    reduction = str(pick(rng, ("sum", "mean")))
    places = [best, *(np.round(best, digits) for digits in (1, 2, 3, 6))]
    return [Problem([weight], activations=["identity"], x=x, y=y, reduction=reduction) for weight in places]


def logistic(rng: np.random.Generator) -> Sequence[Problem]:
    """Logistic regression of breast cancer, standardised, some features: along Newton's method with a small penalty, to the minimum."""
    x, y = data("breast_cancer")
    some, rows = rng.permutation(x.shape[1])[:6], rng.permutation(len(x))[: int(pick(rng, (64, 200, 569)))]
    x, y = standardised(x[rows][:, some]), y[rows]
    weight, problems = np.zeros((1, 6)), []
    reduction = str(pick(rng, ("sum", "mean")))
    for _ in range(8):
        parts = {"activations": ["identity"], "loss": "binary_cross_entropy_with_logits", "reduction": reduction}
        problems.append(Problem([single(weight)], x=single(x), y=y, **parts))
        p = 1 / (1 + np.exp(-x @ weight.T))
        slope = x.T @ (p - y) + 1e-3 * weight.T
        weight = weight - np.linalg.solve(x.T @ (p * (1 - p) * x) + 1e-3 * np.eye(6), slope).T
    return problems


SETS: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    ("digits", ("softmax_cross_entropy",), False),
    ("wine", ("softmax_cross_entropy",), True),
    ("breast_cancer", ("binary_cross_entropy_with_logits",), False),
    ("diabetes", ("half_squared_error", "mean_squared_error", "huber"), False),
)
"""By name: the losses that fit, and whether the kind is held out."""

TRAINED = (
    *(
        Kind(
            f"trained: {name.replace('_', ' ')}, {'scaled' if scaled else 'raw'}",
            of_data(name, losses, scaled),
            len(STEPS) * len(PARTS),
            trained=True,
            held_out=held_out,
        )
        for name, losses, held_out in SETS
        for scaled in (False, True)
    ),
    Kind("trained: students", students, 16, trained=True),
    *(Kind(f"trained: 784-512-512-10, {name}", flagship(name), 15, trained=True, held_out=name == "gelu") for name in ("relu", "gelu")),
    Kind("descent: linear regression, diabetes", regression, 100, trained=True),
    Kind("descent: softmax regression, iris", iris_regression, 100, trained=True, held_out=True),
    Kind("minimum: least squares", least_squares, 5, trained=True),
    Kind("minimum: logistic regression", logistic, 8, trained=True),
)
