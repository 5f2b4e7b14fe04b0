"""Wrong gradients of relu networks with a softmax and the mean of cross-entropy: WRONG, each a right pass with one thing done otherwise."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import ml_dtypes
import numpy as np

from benchmarks.honest import to_bits

Arrays = list[Any]


@dataclass(frozen=True)
class Way:
    """One way to do both passes; as it stands, the right one.

    value: from z and layer to a; slope: from z, a and layer to g'; error: from logits and y to p - y; product: of matrices;
    weight, delta: what a layer's weights, or its dC/dz, are made into before they are used; share: what the mean divides by, 0 for batch.
    """

    value: Callable[[Any, int], Any] = lambda z, layer: np.maximum(z, 0)
    slope: Callable[[Any, Any, int], Any] = lambda z, a, layer: (z > 0).astype(z.dtype)
    error: Callable[[Any, Any], Any] = lambda logits, y: softmax(logits) - y
    product: Callable[[Any, Any], Any] = np.matmul
    weight: Callable[[Any, int], Any] = lambda weight, layer: weight
    delta: Callable[[Any, int], Any] = lambda delta, layer: delta
    share: float = 0.0


@dataclass(frozen=True)
class Given:
    """What a pass is given, in one dtype: weights (n_l, n_{l-1}), biases (n_l,), x (batch, n_0), y (batch, n_L)."""

    weights: Arrays
    biases: Arrays
    x: Any
    y: Any


@dataclass(frozen=True)
class Answer:
    """dC/dW and dC/db of each layer, and what they come from: a of layers 0 to L, z and dC/dz of layers 1 to L."""

    weights: Arrays
    biases: Arrays
    a: Arrays
    z: Arrays
    deltas: Arrays


@dataclass(frozen=True)
class Case:
    """given: the batch that is asked for; before: the batch of the step before, at the same weights; rng: for whatever a mistake picks."""

    given: Given
    before: Given
    rng: np.random.Generator

    @property
    def right(self) -> Answer:
        return passes(self.given)

    @property
    def old(self) -> Answer:
        return passes(self.before)


def softmax(logits: Any) -> Any:
    """Of each row."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def passes(given: Given, way: Way | None = None) -> Answer:
    """Both passes, in a way."""
    way = way or Way()
    a, z, depth = [given.x], [], len(given.weights)
    used = [way.weight(weight, i) for i, weight in enumerate(given.weights)]
    for i in range(depth):
        z.append(way.product(a[-1], used[i].T) + given.biases[i])
        a.append(way.value(z[-1], i) if i < depth - 1 else z[-1])
    error = way.error(a[-1], given.y) / given.x.dtype.type(way.share or len(given.x))
    weights, biases, deltas = [], [], []
    for i in reversed(range(depth)):
        delta = way.delta(error * way.slope(z[i], a[i + 1], i) if i < depth - 1 else error, i)
        weights.insert(0, way.product(delta.T, a[i]))
        biases.insert(0, delta.sum(axis=0))
        deltas.insert(0, delta)
        error = way.product(delta, used[i])
    return Answer(weights, biases, a, z, deltas)


def _way(**steps: Any) -> Callable[[Case], Answer]:
    return lambda case: passes(case.given, Way(**steps))


def _samples(weigh: Callable[[Any], Any]) -> Callable[[Case], Answer]:
    """Each sample's dC/dz weighed: weigh is given the weights of all, 1 each."""
    return lambda case: passes(
        case.given, Way(error=lambda logits, y: (softmax(logits) - y) * weigh(np.ones((len(y), 1))).astype(logits.dtype))
    )


def _first(factor: float) -> Callable[[Case], Answer]:
    """The first sample's part times a factor."""

    def weigh(ones: Any) -> Any:
        ones[0] = factor
        return ones

    return _samples(weigh)


def _layer(layer: int, change: Callable[[Any, Case], Any]) -> Callable[[Case], Answer]:
    """One layer's dC/dW changed: change is given a copy and the case."""

    def wrong(case: Case) -> Answer:
        right = case.right
        weights = list(right.weights)
        weights[layer] = np.asarray(change(weights[layer].copy(), case), dtype=case.given.x.dtype)
        return replace(right, weights=weights)

    return wrong


def _all(change: Callable[[Any, int, Case], Any]) -> Callable[[Case], Answer]:
    """Each layer's dC/dW changed."""

    def wrong(case: Case) -> Answer:
        right = case.right
        return replace(right, weights=[np.asarray(change(w, i, case), dtype=w.dtype) for i, w in enumerate(right.weights)])

    return wrong


def _set(part: str) -> Callable[[Callable[[Any, Case], None]], Callable[[Any, Case], Any]]:
    """A row or a column that is not all 0, and what is done to it: done is given a view of it."""

    def of(done: Callable[[Any, Case], None]) -> Callable[[Any, Case], Any]:
        def change(weight: Any, case: Case) -> Any:
            lines = weight if part == "row" else weight.T
            alive = np.flatnonzero(np.abs(lines).max(axis=1) > np.abs(lines).max() / 100)
            done(lines[int(case.rng.choice(alive))], case)
            return weight

        return change

    return of


def _times(factor: float) -> Callable[[Any, Case], None]:
    def done(line: Any, case: Case) -> None:
        line *= line.dtype.type(factor)

    return done


def _noise(size: float) -> Callable[[Any, int, Case], Any]:
    def change(weight: Any, layer: int, case: Case) -> Any:
        way = case.rng.normal(size=weight.shape)
        return weight + way * size * np.linalg.norm(weight) / np.linalg.norm(way)

    return change


def _one_entry(weight: Any, case: Case) -> Any:
    weight[tuple(int(case.rng.integers(n)) for n in weight.shape)] += 0.01 * np.sqrt(np.mean(weight.astype(np.float64) ** 2))
    return weight


def _stale_row(weight: Any, case: Case) -> Any:
    old = case.old.weights[0]
    row = int(case.rng.choice(np.flatnonzero(np.abs(weight).max(axis=1) > np.abs(weight).max() / 100)))
    weight[row] = old[row]
    return weight


def _swapped_rows(weight: Any, case: Case) -> Any:
    rows = case.rng.choice(np.flatnonzero(np.abs(weight).max(axis=1) > np.abs(weight).max() / 100), 2, replace=False)
    weight[rows] = weight[rows[::-1]]
    return weight


def _on(layer: int, step: Callable[[Any], Any]) -> Callable[[Any, int], Any]:
    return lambda array, i: step(array) if i == layer else array


def _rounded(dtype: Any) -> Callable[[Any], Any]:
    return lambda array: array.astype(dtype).astype(array.dtype)


def _smoothed(share: float) -> Callable[[Any, Any], Any]:
    return lambda logits, y: softmax(logits) - ((1 - share) * y + share / y.shape[1]).astype(logits.dtype)


def _clipped(logits: Any, y: Any) -> Any:
    p = softmax(logits)
    return np.clip(p, p.dtype.type(1e-7), p.dtype.type(1 - 1e-7)) - y


def _with_epsilon(logits: Any, y: Any) -> Any:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / (exponentials.sum(axis=1, keepdims=True) + logits.dtype.type(1e-7)) - y


def _narrow_product(left: Any, right: Any) -> Any:
    if left.dtype == np.float64:
        return (left.astype(np.float32) @ right.astype(np.float32)).astype(np.float64)
    return (to_bits(left, 11) @ to_bits(right, 11)).astype(left.dtype)


def _halves(case: Case) -> Answer:
    """The mean of the means of 63 samples and of one."""
    given = case.given
    one, other = (passes(replace(given, x=given.x[some], y=given.y[some])) for some in (slice(None, -1), slice(-1, None)))
    weights = [(a + b) / 2 for a, b in zip(one.weights, other.weights, strict=True)]
    biases = [(a + b) / 2 for a, b in zip(one.biases, other.biases, strict=True)]
    return replace(one, weights=weights, biases=biases)


def _added(old_share: float) -> Callable[[Case], Answer]:
    """The gradient of the batch before added, in a share."""

    def wrong(case: Case) -> Answer:
        right, old = case.right, case.old
        share = case.given.x.dtype.type(old_share)
        weights, biases = (
            [a + share * b for a, b in zip(*both, strict=True)] for both in ((right.weights, old.weights), (right.biases, old.biases))
        )
        return replace(right, weights=weights, biases=biases)

    return wrong


def _elsewhere(**change: Callable[[Case], Any]) -> Callable[[Case], Answer]:
    """The right gradient of something else that is given."""
    return lambda case: passes(replace(case.given, **{name: make(case) for name, make in change.items()}))


def _swapped_labels(case: Case) -> Any:
    y = case.given.y.copy()
    other = int(np.flatnonzero((y != y[0]).any(axis=1))[0])
    y[[0, other]] = y[[other, 0]]
    return y


def _a_step_further(size: float) -> Callable[[Case], Arrays]:
    def weights(case: Case) -> Arrays:
        step = case.given.x.dtype.type(size)
        return [weight - step * slope for weight, slope in zip(case.given.weights, case.right.weights, strict=True)]

    return weights


def _biases(change: Callable[[Any, int, Case], Any]) -> Callable[[Case], Answer]:
    def wrong(case: Case) -> Answer:
        right = case.right
        return replace(right, biases=[change(b, i, case) for i, b in enumerate(right.biases)])

    return wrong


def _clipped_norm(case: Case) -> Answer:
    """Scaled to nine tenths of its norm, as clipping does."""
    right = case.right
    weights, biases = ([array * array.dtype.type(0.9) for array in arrays] for arrays in (right.weights, right.biases))
    return replace(right, weights=weights, biases=biases)


def _clipped_entries(weight: Any, layer: int, case: Case) -> Any:
    largest = np.sort(np.abs(weight).ravel())[-5]
    return np.clip(weight, -largest, largest)


def _one_pixel(case: Case) -> Any:
    x = case.given.x.copy()
    x[0, int(np.argmax(x[0]))] -= x.dtype.type(1 / 255)
    return x


WRONG: dict[str, Callable[[Case], Answer]] = {
    "a sample lost": _first(0),
    "a sample doubled": _first(2),
    "a sample 1 % off": _first(1.01),
    "a sample 1e-4 off": _first(1.0001),
    "two labels exchanged": _elsewhere(y=_swapped_labels),
    "labels of the batch before": _elsewhere(y=lambda case: case.before.y),
    "mean of 63 and 1 samples, unweighted": _halves,
    "mean over one sample less": lambda case: passes(case.given, Way(share=len(case.given.x) - 1)),
    "sum in place of mean": _way(share=1),
    "1e-8 added to the batch size": lambda case: passes(case.given, Way(share=len(case.given.x) + 1e-8)),
    "dC/db not divided by the batch": _biases(lambda bias, layer, case: bias * bias.dtype.type(len(case.given.x))),
    "dC/db of layer 1 forgotten": _biases(lambda bias, layer, case: bias * (layer > 0)),
    "a stale row": _layer(0, _stale_row),
    "a row zeroed": _layer(1, _set("row")(_times(0))),
    "a row off by 1e-5": _layer(1, _set("row")(_times(1 + 1e-5))),
    "a column zeroed": _layer(0, _set("column")(_times(0))),
    "a column with the other sign": _layer(1, _set("column")(_times(-1))),
    "two rows exchanged": _layer(1, _swapped_rows),
    "one entry off by 1 % of the rms": _layer(1, _one_entry),
    "TF32 products; float32 ones in float64": _way(product=_narrow_product),
    "W of layer 2 rounded to bfloat16": _way(weight=_on(1, _rounded(ml_dtypes.bfloat16))),
    "dC/dz of layer 2 rounded to float16": _way(delta=_on(1, _rounded(np.float16))),
    "dC/dW of layer 1 rounded to bfloat16": _layer(0, lambda weight, case: _rounded(ml_dtypes.bfloat16)(weight)),
    "dC/dz below 1e-6 flushed to 0": _way(delta=lambda delta, layer: np.where(np.abs(delta) < 1e-6, delta.dtype.type(0), delta)),
    "weight decay 1e-4": _all(lambda weight, layer, case: weight + 1e-4 * case.given.weights[layer]),
    "weight decay 1e-6": _all(lambda weight, layer, case: weight + 1e-6 * case.given.weights[layer]),
    "L1 penalty 1e-6": _all(lambda weight, layer, case: weight + 1e-6 * np.sign(case.given.weights[layer])),
    "label smoothing 1e-3": _way(error=_smoothed(1e-3)),
    "label smoothing 1e-5": _way(error=_smoothed(1e-5)),
    "label smoothing 1e-4 in the last layer's dC/dW alone": lambda case: replace(
        case.right, weights=[*case.right.weights[:-1], passes(case.given, Way(error=_smoothed(1e-4))).weights[-1]]
    ),
    "1e-7 added to the softmax's sum": _way(error=_with_epsilon),
    "p kept from 1e-7 to 1 - 1e-7": _way(error=_clipped),
    "softmax at a temperature of 1 + 1e-5": _way(error=lambda logits, y: softmax(logits / logits.dtype.type(1 + 1e-5)) - y),
    "p (1 - p) (p - y) in place of p - y": _way(error=lambda logits, y: softmax(logits) * (1 - softmax(logits)) * (softmax(logits) - y)),
    "a of layer 1 off by a factor of 1 + 1e-6": _way(value=lambda z, layer: np.maximum(z, 0) * z.dtype.type(1 + 1e-6 * (layer == 0))),
    "1e-6 added to a of layer 1": _way(value=lambda z, layer: np.maximum(z, 0) + z.dtype.type(1e-6 * (layer == 0))),
    "g' forgotten in layer 1": _way(slope=lambda z, a, layer: (z > 0).astype(z.dtype) if layer else np.ones_like(z)),
    "g' forgotten in layer 2": _way(slope=lambda z, a, layer: np.ones_like(z) if layer else (z > 0).astype(z.dtype)),
    "g' is 1 from z = -1e-3 on": _way(slope=lambda z, a, layer: (z > -1e-3).astype(z.dtype)),
    "g' is 1 from z = -1e-5 on": _way(slope=lambda z, a, layer: (z > -1e-5).astype(z.dtype)),
    "leaky slope 1e-3": _way(
        value=lambda z, layer: np.where(z > 0, z, z.dtype.type(1e-3) * z),
        slope=lambda z, a, layer: np.where(z > 0, z.dtype.type(1), z.dtype.type(1e-3)),
    ),
    "leaky slope 1e-6": _way(
        value=lambda z, layer: np.where(z > 0, z, z.dtype.type(1e-6) * z),
        slope=lambda z, a, layer: np.where(z > 0, z.dtype.type(1), z.dtype.type(1e-6)),
    ),
    "layer 3 with layer 2's inputs": lambda case: replace(
        case.right, weights=[*case.right.weights[:2], case.right.deltas[2].T @ case.right.a[1]]
    ),
    "dC/dW of layer 2 transposed": _layer(1, lambda weight, case: weight.T),
    "W of layer 2 not transposed on the way back": lambda case: replace(
        case.right,
        weights=[((case.right.deltas[1] @ case.given.weights[1].T) * (case.right.z[0] > 0)).T @ case.given.x, *case.right.weights[1:]],
    ),
    "dC/dz of layer 1 of the batch before": _layer(0, lambda weight, case: case.old.deltas[0].T @ case.given.x),
    "gradient of the batch before added": _added(1),
    "1e-5 of the gradient of the batch before added": _added(1e-5),
    "weights a step of 1e-3 further": _elsewhere(weights=_a_step_further(1e-3)),
    "weights a step of 1e-5 further": _elsewhere(weights=_a_step_further(1e-5)),
    "bias of layer 1 forgotten": _elsewhere(biases=lambda case: [0 * case.given.biases[0], *case.given.biases[1:]]),
    "inputs off by a factor of 1 + 1e-6": _elsewhere(x=lambda case: case.given.x * case.given.x.dtype.type(1 + 1e-6)),
    "one pixel of one sample off by 1/255": _elsewhere(x=_one_pixel),
    "clipped to 9/10 of its norm": _clipped_norm,
    "largest entries clipped": _all(_clipped_entries),
    "layer 2 off by a factor of 1 + 1e-4": _layer(1, lambda weight, case: weight * weight.dtype.type(1 + 1e-4)),
    "layer 2 off by a factor of 1 + 1e-6": _layer(1, lambda weight, case: weight * weight.dtype.type(1 + 1e-6)),
    "layer 2 off by a factor of 1 + 4e-15": _layer(1, lambda weight, case: weight * weight.dtype.type(1 + 4e-15)),
    "noise of 1e-4": _all(_noise(1e-4)),
    "noise of 1e-6": _all(_noise(1e-6)),
    "noise of 1e-12": _all(_noise(1e-12)),
}
"""By name: the wrong answer of a case. Some change no more than rounding does in float32, or before training."""

LARGE: dict[str, Callable[[Case], Answer]] = {
    "one sample of all lost": _first(0),
    "3 % of one sample of all lost, as of one of 60,000": _first(0.97),
}
"""The same, for a batch of all samples."""
