"""Peers: honest passes of our own over a problem, each of which rounds in another way.

Whatever one of them does, an honest target may do as well. They vary what a target may vary: the order and the blocks of sums, the order
of nodes and samples, the formulas of functions, where a mean is taken, and the rounding of each operation.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import erf

from reference.arrays import AnyArray
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES, log_sum_exp
from reference.functions.parametrised import name_and_parameters, row_of
from reference.gradient import Gradient
from reference.problem import Problem
from rounding.activations import ROUNDED_ACTIVATIONS
from rounding.precisions import Precision
from rounding.scales import ElementwiseRounding, JointRounding

STEPS = 64
"""Sums that are kept in another order have so many partial sums, or one for each term where that costs little."""

CHEAP, CHEAP_ROUNDED = 200_000_000, 5_000_000
"""So many products cost little even one by one; fewer, where each partial sum is rounded to 16 bits."""


@dataclass(frozen=True)
class Peer:
    """One way to round.

    order: of the terms of sums: "" as the library has it, else "forwards", "backwards" or "random", one by one or in blocks;
    permuted: whether nodes and samples stand in another order; mean_last: whether a mean is taken after the sums over samples;
    difference: whether a cross-entropy's derivative is p - y; random: whether each result is rounded at random besides;
    textbook: the activations that are computed by a textbook formula.
    """

    name: str
    order: str = ""
    permuted: bool = False
    mean_last: bool = False
    difference: bool = False
    random: bool = False
    textbook: frozenset[str] = frozenset()


ACCURATE = (
    Peer("as the library sums"),
    Peer("one by one", order="forwards", mean_last=True),
    Peer("from the last term", order="backwards", difference=True),
    Peer("in random order", order="random", permuted=True, mean_last=True, difference=True),
    Peer("nodes and samples permuted", permuted=True),
    Peer("each operation rounded at random", random=True),
    Peer("each operation rounded at random again", random=True, permuted=True, mean_last=True, difference=True),
    Peer("one by one, each operation rounded at random", order="forwards", random=True, difference=True),
)
"""Peers whose functions are computed as accurately as is known."""


def textbook_peers(names: frozenset[str]) -> tuple[Peer, ...]:
    """Peers that compute some activations by textbook formulas."""
    said = f"textbook formulas of {', '.join(sorted(names))}"
    return (Peer(said, textbook=names, difference=True), Peer(f"{said}, each operation rounded at random", random=True, textbook=names))


def answers(problem: Problem, precision: Precision, peers: tuple[Peer, ...]) -> Iterator[tuple[Peer, Gradient]]:
    """What each peer answers to a problem; the same ones each time."""
    seed = zlib.crc32(problem.x.tobytes(), problem.batch)
    for i, peer in enumerate(peers):
        with np.errstate(all="ignore"):
            yield peer, _Pass(problem, precision, peer, np.random.default_rng([seed, i])).answer()


class _Pass:
    """Both passes over a problem, rounded as a peer does."""

    def __init__(self, problem: Problem, precision: Precision, peer: Peer, rng: np.random.Generator) -> None:
        self.precision, self.peer, self.rng = precision, peer, rng
        self.narrow = precision.bits < 24  # 16 bits are computed with as float32, and rounded
        orders = [np.arange(n) for n in problem.widths]
        samples = np.arange(problem.batch)
        if peer.permuted:
            orders[1:-1], samples = [rng.permutation(order) for order in orders[1:-1]], rng.permutation(samples)
        self.back, self.samples = [np.argsort(order) for order in orders], np.argsort(samples)
        dtype = np.float64 if precision.storage == "float64" else np.float32

        def held(array: Any) -> AnyArray:
            return np.ascontiguousarray(precision.held(array), dtype=dtype)

        self.problem = problem
        self.functions = [
            (name_and_parameters(choice), row_of(ACTIVATIONS, choice), row_of(ROUNDED_ACTIVATIONS, choice))
            for choice in problem.activations
        ]
        """The name and parameters of each layer's activation, and its rows."""
        self.x, self.y = held(problem.x[samples]), held(problem.y[samples])
        weights = problem.sample_weights
        self.sample_weights = None if weights is None else held(weights[samples])[:, None]
        self.weights = [held(w[np.ix_(orders[i + 1], orders[i])]) for i, w in enumerate(problem.weights)]
        self.biases = [None if b is None else held(b[orders[i + 1]]) for i, b in enumerate(problem.biases)]

    def answer(self) -> Gradient:
        """All that a gradient may hold."""
        problem, mean, penalty = self.problem, self.problem.reduction == "mean", self.problem.penalised
        a, z = [self.x], []
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            summed = self._product(a[-1], weight.T)
            z.append(summed if bias is None else self._rounded(summed + bias))
            a.append(self._value(layer, z[-1]))
        error = self._output_error(a[-1])
        if self.sample_weights is not None:
            error = self._rounded(error * self.sample_weights)
        if mean and not self.peer.mean_last:
            error = self._shared(error)
        weights: list[AnyArray] = []
        biases: list[AnyArray] = []
        deltas: list[AnyArray] = []
        for layer in reversed(range(problem.depth)):
            fused = layer == problem.depth - 1 and self.peer.difference and bool(row_of(LOSSES, problem.loss).behind)
            delta = self._difference(a[-1]) if fused else self._pullback(layer, z[layer], error)
            of_weight = self._product(delta.T, a[layer])
            of_bias = self._product(delta.T, np.ones((problem.batch, 1), delta.dtype))[:, 0]
            error = self._product(delta, self.weights[layer])
            if mean and self.peer.mean_last:
                of_weight, of_bias, delta = (self._shared(array) for array in (of_weight, of_bias, delta))
            if penalty is not None:
                rate = self._rounded(np.asarray(penalty.rate(problem.batch), delta.dtype))
                of_weight = self._rounded(of_weight + self._rounded(rate * self.weights[layer]))
            rows, columns = self.back[layer + 1], self.back[layer]
            weights.insert(0, of_weight[np.ix_(rows, columns)])
            biases.insert(0, of_bias[rows])
            deltas.insert(0, self._in_order(delta, layer + 1))
        return Gradient(
            weights,
            biases,
            x=self._in_order(self._shared(error) if mean and self.peer.mean_last else error, 0),
            loss=self._loss(a[-1]),
            pre_activations=[self._in_order(array, i + 1) for i, array in enumerate(z)],
            activations=[self._in_order(array, i + 1) for i, array in enumerate(a[1:])],
            deltas=deltas,
        )

    def _in_order(self, array: AnyArray, layer: int) -> AnyArray:
        """Samples and nodes as they stand in the problem."""
        return array[np.ix_(self.samples, self.back[layer])]

    def _loss(self, output: AnyArray) -> AnyArray:
        """C, of which each sample's part is rounded, and the whole."""
        problem = self.problem
        losses = self._rounded(np.asarray(row_of(LOSSES, problem.loss).value(output, self.y), output.dtype))
        if self.sample_weights is not None:
            losses = self._rounded(losses * self.sample_weights[:, 0])
        total = losses.sum() / losses.dtype.type(self._total_weight()) if problem.reduction == "mean" else losses.sum()
        if problem.penalised is not None:
            total = total + problem.penalised.value(tuple(self.weights), problem.batch).astype(losses.dtype)
        return self._rounded(total)

    def _total_weight(self) -> Any:
        """What a mean is taken over, as the peer adds it up."""
        if self.sample_weights is None:
            return self.problem.batch
        return self._product(self.sample_weights.T, np.ones_like(self.sample_weights))[0, 0]

    def _shared(self, array: AnyArray) -> AnyArray:
        return self._rounded(array / array.dtype.type(self._total_weight()))

    def _product(self, left: AnyArray, right: AnyArray) -> AnyArray:
        """left @ right, its terms added up in the peer's order and the precision's format of sums."""
        precision, terms = self.precision, left.shape[1]
        if precision.product_bits:
            left, right = precision.factor(left), precision.factor(right)
        narrow = self.narrow and not precision.sum_bits
        if not self.peer.order and not narrow:
            return self._rounded(left @ right)
        order = np.arange(terms)[:: -1 if self.peer.order == "backwards" else 1]
        if self.peer.order == "random":
            order = self.rng.permutation(terms)
        cheap = CHEAP_ROUNDED if narrow else CHEAP
        steps = terms if len(left) * terms * right.shape[1] <= cheap else min(terms, STEPS)
        total = np.zeros((len(left), right.shape[1]), left.dtype)
        for some in np.array_split(order, steps):
            part = left[:, some] @ right[some] if len(some) > 1 else left[:, some] * right[some]
            total += part
            if narrow:
                total = precision.held(total).astype(left.dtype)
        return self._rounded(total)

    def _value(self, layer: int, z: AnyArray) -> AnyArray:
        """g of z."""
        (name, _), activation, rounding = self.functions[layer]
        if isinstance(rounding, JointRounding):
            by = TEXTBOOK[name]["value"] if name in self.peer.textbook else activation.value
            return self._rounded(np.asarray(by(z), dtype=z.dtype), systematic=True)
        return self._function(layer, "value", z)

    def _pullback(self, layer: int, z: AnyArray, error: AnyArray) -> AnyArray:
        """dC/dz; of a softmax p (e - sum_k p_k e_k), step by step."""
        if isinstance(self.functions[layer][2], JointRounding):
            p = self._value(layer, z)
            mean = self._rounded(self._rounded(p * error).sum(axis=1, keepdims=True))
            return self._rounded(p * self._rounded(error - mean))
        return self._rounded(error * self._function(layer, "derivative", z))

    def _function(self, layer: int, quantity: str, z: AnyArray) -> AnyArray:
        """g or g' of z: "value" or "derivative"; comparisons are exact, however a peer rounds."""
        (name, parameters), activation, rounding = self.functions[layer]
        if name in self.peer.textbook:
            return self._rounded(np.asarray(TEXTBOOK[name][quantity](z, **parameters), dtype=z.dtype), systematic=True)
        exact = getattr(activation, quantity)(z).astype(z.dtype, copy=False)
        assert isinstance(rounding, ElementwiseRounding)
        scales = rounding.value_scales if quantity == "value" else rounding.derivative_scales
        return np.where(scales.right(z) > 0, self._rounded(exact, systematic=True), exact)

    def _output_error(self, a: AnyArray) -> AnyArray:
        name, loss = name_and_parameters(self.problem.loss)[0], row_of(LOSSES, self.problem.loss)
        if self.peer.difference and name == "softmax_cross_entropy":
            p = np.exp(a - a.max(axis=1, keepdims=True))
            return self._rounded(p / p.sum(axis=1, keepdims=True) - self.y)
        if self.peer.difference and name.endswith("binary_cross_entropy_with_logits"):
            s = 1 / (1 + np.exp(-a))
            return self._rounded((s - self.y) / a.dtype.type(1 if name.startswith("summed") else a.shape[1]))
        return self._rounded(np.asarray(loss.derivative(a, self.y), dtype=a.dtype))

    def _difference(self, a: AnyArray) -> AnyArray:
        """a - y in place of the last layer's dC/da times its slope, for losses of probabilities."""
        difference = self._rounded(a - self.y)
        if name_and_parameters(self.problem.loss)[0] == "binary_cross_entropy_of_probabilities":
            difference = self._rounded(difference / a.dtype.type(a.shape[1]))
        if self.sample_weights is not None:
            difference = self._rounded(difference * self.sample_weights)
        return self._shared(difference) if self.problem.reduction == "mean" and not self.peer.mean_last else difference

    def _rounded(self, array: Any, systematic: bool = False) -> AnyArray:
        """Numbers as they are stored; of a peer that rounds at random each is off by up to u more, and where systematic all by a part."""
        if self.peer.random:
            each = self.rng.uniform(-1, 1, np.shape(array))
            if systematic:
                each = each + self.rng.uniform(-1, 1)
            array = array + array * np.asarray(self.precision.unit * each, dtype=array.dtype)
        return self.precision.held(array).astype(array.dtype) if self.narrow else array


def _sigmoid(z: AnyArray) -> AnyArray:
    return 1 / (1 + np.exp(-z))


def _gelu_tanh(z: AnyArray) -> tuple[AnyArray, AnyArray]:
    inner = z.dtype.type(np.sqrt(2 / np.pi))
    return np.tanh(inner * (z + z.dtype.type(0.044715) * z**3)), inner * (1 + z.dtype.type(3 * 0.044715) * z * z)


def _softplus(z: AnyArray) -> AnyArray:
    return np.log(1 + np.exp(z))


def _elu(z: AnyArray, alpha: float = 1.0, scale: float = 1.0) -> AnyArray:
    return z.dtype.type(scale) * np.where(z > 0, z, z.dtype.type(alpha) * (np.exp(np.minimum(z, 0)) - 1))


def _elu_slope(z: AnyArray, alpha: float = 1.0, scale: float = 1.0) -> AnyArray:
    return np.where(z > 0, z.dtype.type(scale), _elu(np.minimum(z, 0), alpha, scale) + z.dtype.type(scale * alpha))


SELU = {"alpha": 1.6732632423543772, "scale": 1.0507009873554805}

TEXTBOOK: dict[str, dict[str, Callable[..., AnyArray]]] = {
    "sigmoid": {"value": _sigmoid, "derivative": lambda z: _sigmoid(z) * (1 - _sigmoid(z))},
    "tanh": {"value": np.tanh, "derivative": lambda z: 1 - np.tanh(z) ** 2},
    "elu": {"value": _elu, "derivative": _elu_slope},
    "selu": {"value": lambda z: _elu(z, **SELU), "derivative": lambda z: _elu_slope(z, **SELU)},
    "softplus": {"value": _softplus, "derivative": lambda z: 1 - np.exp(-_softplus(z))},
    "gelu": {
        "value": lambda z: z * (1 + erf(z * z.dtype.type(np.sqrt(0.5)))) / 2,
        "derivative": lambda z: (
            (1 + erf(z * z.dtype.type(np.sqrt(0.5)))) / 2 + z * np.exp(-z * z / 2) * z.dtype.type(1 / np.sqrt(2 * np.pi))
        ),
    },
    "gelu_tanh": {
        "value": lambda z: z * (1 + _gelu_tanh(z)[0]) / 2,
        "derivative": lambda z: (1 + _gelu_tanh(z)[0]) / 2 + z * (1 - _gelu_tanh(z)[0] ** 2) * _gelu_tanh(z)[1] / 2,
    },
    "silu": {"value": lambda z: z * _sigmoid(z), "derivative": lambda z: _sigmoid(z) * (1 + z * (1 - _sigmoid(z)))},
    "softsign": {"value": lambda z: z / (1 + np.abs(z)), "derivative": lambda z: (1 - np.abs(z / (1 + np.abs(z)))) ** 2},
    "relu6": {
        "value": lambda z: np.maximum(z, 0) - np.maximum(z - 6, 0),
        "derivative": lambda z: ((z > 0) & (z < 6)).astype(z.dtype),
    },
    "softmax": {"value": lambda z: np.exp(z - log_sum_exp(z))},
}
"""Textbook formulas of the activations that have any: they lose digits somewhere (docs/tolerance.md, section 4)."""
