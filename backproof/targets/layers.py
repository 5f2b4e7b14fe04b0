"""The table of layers by themselves: what a kernel of one takes and gives, and which problem that is.

A kernel gives the derivatives of C = sum of upstream * output, a layer's vector-Jacobian product, so that dC/d(output) is the upstream
gradient. Of a layer with weights that is a network of one layer. Of a function without, such a network is put around it: its products are
then ours, in float64, and what the kernel gives is dC/dz.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from properties.answers.answer import Malformed, as_gradient
from properties.problems.memory_layouts import MEMORY_LAYOUTS, layout_of
from reference.arrays import AnyArray
from reference.functions.expected_outputs import rows_of_classes
from reference.functions.parametrised import Choice
from reference.gradient import Gradient, Place
from reference.problem import PARTS, Problem

Arrays = Mapping[str, Any]
"""By their names."""

Derivatives = Mapping[str, AnyArray | None]
"""What a kernel returned, by the names of what it gives."""

Held = Callable[[AnyArray], AnyArray]
"""The numbers of an array that the kernel's precision holds."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A row of LAYERS: a layer with weights of its own.

    takes: what a kernel takes before the upstream gradient, in order; gives: the derivatives that it returns, in order; loss: the loss of
    its problems; places: where each derivative stands in a gradient; limits: which problems it is asked, beside its activation and loss.
    """

    takes: tuple[str, ...]
    gives: tuple[str, ...]
    places: tuple[Place, ...]
    loss: str = "upstream"
    limits: Mapping[str, Any]

    @property
    def has_activation(self) -> bool:
        """Whether one may be chosen: logits are a loss's."""
        return self.loss == "upstream"

    def supports(self, activation: Choice) -> dict[str, Any]:
        """Which problems its kernels are asked."""
        last = {"activations": [activation], "output_activations": [activation]}
        return last | {"losses": [self.loss], "reductions": ["sum"], "depth": (1, 1), "empty_batch": True} | dict(self.limits)

    def given(self, problem: Problem, held: Held) -> dict[str, AnyArray | None]:
        """What a kernel is told of a problem, by name."""
        arrays = {"x": problem.x, "weight": problem.weights[0], "bias": problem.biases[0]} | self._by_loss(problem)
        return {name: arrays[name] for name in (*self.takes, "upstream")}

    def _by_loss(self, problem: Problem) -> dict[str, AnyArray | None]:
        if self.loss == "upstream":
            return {"upstream": problem.y}
        return {"target": problem.y, "upstream": problem.sample_weights}

    def answer(self, problem: Problem, derivatives: Derivatives) -> Gradient:
        """The gradient that a kernel's derivatives are, or come to by products of ours."""
        dx, dweight, dbias = (derivatives[name] for name in self.gives)
        return Gradient([np.asarray(dweight)], [dbias], x=dx)

    def problem(self, arrays: Arrays, activation: Choice) -> Problem:
        """A problem of the shapes of somebody's own arrays, in float64, with weights (out, in). Raises ProblemError."""
        return self._one_layer(arrays, activation, arrays["weight"], ("x",))

    def _one_layer(self, arrays: Arrays, activation: Choice, weight: AnyArray, wants: tuple[str, ...]) -> Problem:
        parts: dict[str, Any] = {"y": arrays["upstream"]}
        if "target" in self.takes:
            target = np.asarray(arrays["target"])
            rows = rows_of_classes(target, len(weight)) if target.ndim == 1 else target
            parts = {"y": rows, "sample_weights": arrays["upstream"]}
        inputs, biases = arrays[self.takes[0]], [arrays.get("bias")]
        return Problem([weight], biases=biases, activations=[activation], x=inputs, loss=self.loss, wants=wants, **parts)

    def judged(self, arrays: Arrays, activation: Choice, derivatives: Derivatives) -> tuple[Problem, list[Gradient]]:
        """The problems that somebody's own arrays are, a stack of them, and the answer to each. Raises ProblemError and Malformed."""
        problem = self.problem(arrays, activation)
        return problem.at(np.newaxis), [as_gradient(self.answer(problem, derivatives), problem)]

    def shapes(self, arrays: Arrays) -> dict[str, tuple[int, ...] | None]:
        """The shape of each derivative: that of what it is the derivative by; None where there is nothing."""
        taken = [name for name in self.takes if name != "target"]
        return {gives: None if arrays[name] is None else tuple(arrays[name].shape) for gives, name in zip(self.gives, taken, strict=True)}


class Function(Layer):
    """A function by itself, (batch, n) -> (batch, n), or -> (batch,) of a loss, with a layer of ours around it that gives its z."""

    def given(self, problem: Problem, held: Held) -> dict[str, AnyArray | None]:
        """What a kernel is told of a problem, by name."""
        return {self.takes[0]: _pre_activations(problem, held)} | self._by_loss(problem)

    def answer(self, problem: Problem, derivatives: Derivatives) -> Gradient:
        """The gradient that a kernel's dC/dz comes to by products of ours."""
        dz = np.asarray(derivatives[self.gives[0]])
        weight, bias, x = _below(problem, dz)
        return Gradient([weight], [bias], x=x, deltas=[dz])

    def problem(self, arrays: Arrays, activation: Choice) -> Problem:
        """A problem of somebody's own arrays: the layer around the function changes nothing."""
        return self._one_layer(arrays, activation, np.eye(arrays[self.takes[0]].shape[1]), ("x", "deltas"))


class Gate(Layer):
    """g(z) u, entry by entry: a network of two layers, whose z is that of the first, and u the weights of the second, which has one output.

    Of somebody's own arrays each entry is such a network by itself, of width 1: w_1 = z, w_2 = u, x = 1.
    """

    def supports(self, activation: Choice) -> dict[str, Any]:
        """Which problems its kernels are asked."""
        return super().supports(activation) | {"output_activations": ["identity"], "depth": (2, 2), "outputs": (1, 1)}

    def given(self, problem: Problem, held: Held) -> dict[str, AnyArray | None]:
        """What a kernel is told of a problem, by name: the same u for all samples, and one upstream number for each."""
        gate = _pre_activations(problem, held)
        up, upstream = (_laid(np.broadcast_to(array, gate.shape).copy(), problem) for array in (problem.weights[1], problem.y))
        return {"gate": gate, "up": up, "upstream": upstream}

    def answer(self, problem: Problem, derivatives: Derivatives) -> Gradient:
        """The gradient that a kernel's derivatives come to by products and sums of ours."""
        dgate, dup = (np.asarray(derivatives[name]) for name in self.gives)
        weight, bias, x = _below(problem, dgate)
        summed = dup.astype(np.float64).sum(axis=0)[None]
        return Gradient([weight, summed], [bias, None], x=x, deltas=[dgate, np.array(problem.y, dtype=np.float64)])

    def problem(self, arrays: Arrays, activation: Choice) -> Problem:
        """A problem of the shapes of somebody's own arrays."""
        gate, n = arrays["gate"], arrays["gate"].shape[1]
        y, activations = np.ones((len(gate), 1)), [activation, "identity"]
        return Problem([np.eye(n), np.ones((1, n))], activations=activations, x=gate, y=y, loss="upstream", wants=("x", "deltas"))

    def judged(self, arrays: Arrays, activation: Choice, derivatives: Derivatives) -> tuple[Problem, list[Gradient]]:
        """The networks that the entries of somebody's own arrays are, and the answer to each."""
        gate, up, upstream = (np.asarray(arrays[name], dtype=np.float64).reshape(-1, 1, 1) for name in (*self.takes, "upstream"))
        one = Problem([[[1.0]]] * 2, activations=[activation, "identity"], x=[[1.0]], y=[[1.0]], loss="upstream")
        parts = {name: getattr(one, name) for name in PARTS} | {"weights": (gate, up), "x": np.ones_like(gate), "y": upstream}
        pairs = zip(*(np.asarray(derivatives[name]).reshape(-1, 1, 1) for name in self.gives), strict=True)
        return Problem.unchecked(**parts), [Gradient(list(pair), [None, None]) for pair in pairs]


def _pre_activations(problem: Problem, held: Held) -> AnyArray:
    """z of the first layer by products of ours, in float64, as the kernel's precision holds it, in the problem's memory layout."""
    bias = problem.biases[0]
    with np.errstate(all="ignore"):
        z = np.asarray(problem.x, dtype=np.float64) @ np.asarray(problem.weights[0], dtype=np.float64).T
        return _laid(held(z if bias is None else z + bias).astype(problem.x.dtype), problem)


def _laid(array: AnyArray, problem: Problem) -> AnyArray:
    """An array that is ours as the problem's own lie: strided where those are, and expanded where it is the same along an axis."""
    return MEMORY_LAYOUTS[layout_of(own for _, own in problem.arrays())](array)


def _below(problem: Problem, delta: AnyArray) -> tuple[AnyArray, AnyArray | None, AnyArray]:
    """dC/dW, dC/db and dC/dx of the first layer by products of ours, in float64. delta: dC/dz of it, (batch, n)."""
    wide, x, weight = (np.asarray(array, dtype=np.float64) for array in (delta, problem.x, problem.weights[0]))
    with np.errstate(all="ignore"):
        return wide.T @ x, None if problem.biases[0] is None else wide.sum(axis=0), wide @ weight


OF_WEIGHTS = (Place("x", None), Place("weights", 1), Place("biases", 1))
OF_Z = (Place("deltas", 1),)
ONE_FOR_EACH = {"sample_weights": True, "expected": "one_hot"}
"""What a cross-entropy is asked: an upstream number for each sample, which multiplies its loss, and a class of it."""

LAYERS: dict[str, Layer] = {
    "linear": Layer(
        takes=("x", "weight", "bias"), gives=("dx", "dweight", "dbias"), places=OF_WEIGHTS, limits={"biases": True, "wants": ["x"]}
    ),
    "linear_softmax_cross_entropy": Layer(
        takes=("x", "weight", "bias", "target"),
        gives=("dx", "dweight", "dbias"),
        places=OF_WEIGHTS,
        loss="softmax_cross_entropy",
        limits={**ONE_FOR_EACH, "biases": True, "wants": ["x"]},
    ),
    "softmax_cross_entropy": Function(
        takes=("logits", "target"),
        gives=("dlogits",),
        places=OF_Z,
        loss="softmax_cross_entropy",
        limits={**ONE_FOR_EACH, "wants": ["x", "deltas"]},
    ),
    "activation": Function(takes=("z",), gives=("dz",), places=OF_Z, limits={"wants": ["x", "deltas"]}),
    "gate": Gate(
        takes=("gate", "up"),
        gives=("dgate", "dup"),
        places=(Place("weights", 1), Place("weights", 2)),
        limits={"biases": False, "wants": ["x", "deltas"]},
    ),
}
"""dx, dweight (out, in) and dbias are dC/dx, dC/dW and dC/db; z, logits, gate and up are (batch, n)."""


def listed(returned: Any, gives: tuple[str, ...]) -> list[Any]:
    """What a kernel returned, in order. Raises Malformed where it is not one array for each derivative."""
    whole = f"{len(gives)}, ({', '.join(gives)})" if len(gives) > 1 else f"one, {gives[0]}"
    if isinstance(returned, (tuple, list)):
        if len(returned) != len(gives):
            raise Malformed(f"the kernel returned {len(returned)} arrays: expected {whole}")
        return list(returned)
    if len(gives) > 1:
        raise Malformed(f"the kernel returned a {type(returned).__name__}: expected {whole}")
    return [returned]
