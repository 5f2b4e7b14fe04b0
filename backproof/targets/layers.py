"""The table of layers by themselves: what a kernel of one takes and gives, and which problem that is.

A kernel gives the derivatives of C = sum of upstream * output, a layer's vector-Jacobian product, so that dC/d(output) is the upstream
gradient. Of a layer with weights that is a network of one layer. Of a function without, that is what such a network has around it: its
products are then ours, in float64, and what the kernel gives is dC/dz.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from properties.answers.answer import Malformed
from reference.arrays import AnyArray
from reference.functions.expected_outputs import rows_of_classes
from reference.functions.parametrised import Choice
from reference.gradient import Gradient, Place
from reference.problem import Problem

Arrays = Mapping[str, Any]
"""By their names."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A row of LAYERS.

    takes: what a kernel takes before the upstream gradient, in order; gives: the derivatives that it returns, in order; loss: the loss of
    its problems; around: whether the products are ours, and the kernel is told z; places: where each derivative stands in a gradient;
    limits: which problems it is asked, beside its activation and loss.
    """

    takes: tuple[str, ...]
    gives: tuple[str, ...]
    places: tuple[Place, ...]
    loss: str = "upstream"
    around: bool = False
    limits: Mapping[str, Any]

    @property
    def has_activation(self) -> bool:
        """Whether one may be chosen: logits are a loss's."""
        return self.loss == "upstream"

    def supports(self, activation: Choice) -> dict[str, Any]:
        """Which problems its kernels are asked."""
        return {
            "activations": [activation],
            "output_activations": [activation],
            "losses": [self.loss],
            "reductions": ["sum"],
            "depth": (1, 1),
            **self.limits,
        }

    def given(self, problem: Problem, held: Callable[[AnyArray], AnyArray]) -> dict[str, AnyArray | None]:
        """What a kernel is told of a problem, by name; held: the numbers of an array that the kernel's precision holds."""
        weight, bias = problem.weights[0], problem.biases[0]
        arrays: dict[str, AnyArray | None] = {"x": problem.x, "weight": weight, "bias": bias}
        if self.around:
            z = np.asarray(problem.x, dtype=np.float64) @ np.asarray(weight, dtype=np.float64).T
            z = held(z if bias is None else z + bias)
            arrays = dict.fromkeys(self.takes, z.astype(problem.x.dtype))
        if "target" in self.takes:
            arrays["target"] = problem.y
        arrays["upstream"] = problem.y if self.loss == "upstream" else problem.sample_weights
        return {name: arrays[name] for name in (*self.takes, "upstream")}

    def answer(self, problem: Problem, derivatives: Mapping[str, AnyArray | None]) -> Gradient:
        """The gradient that a kernel's derivatives are, or come to by products of ours."""
        if not self.around:
            dx, dweight, dbias = (derivatives[name] for name in self.gives)
            return Gradient([np.asarray(dweight)], [dbias], x=dx)
        given = derivatives[self.gives[0]]
        delta, x, weight = (np.asarray(array, dtype=np.float64) for array in (given, problem.x, problem.weights[0]))
        with np.errstate(all="ignore"):
            biases = [None if problem.biases[0] is None else delta.sum(axis=0)]
            return Gradient([delta.T @ x], biases, x=delta @ weight, deltas=[np.asarray(given)])

    def problem(self, arrays: Arrays, activation: Choice) -> Problem:
        """The problem that somebody's own arrays are, in float64, with weights (out, in). Raises ProblemError."""
        inputs = np.asarray(arrays[self.takes[0]])
        # of a function by itself the layer around it changes nothing
        weight = np.eye(inputs.shape[1]) if self.around else arrays["weight"]
        parts: dict[str, Any] = {"y": arrays["upstream"]}
        if "target" in self.takes:
            target = np.asarray(arrays["target"])
            rows = rows_of_classes(target, len(weight)) if target.ndim == 1 else target
            parts = {"y": rows, "sample_weights": arrays["upstream"]}
        wants = ("x", "deltas") if self.around else ("x",)
        return Problem([weight], biases=[arrays.get("bias")], activations=[activation], x=inputs, loss=self.loss, wants=wants, **parts)

    def shapes(self, arrays: Arrays) -> dict[str, tuple[int, ...] | None]:
        """The shape of each derivative: that of what it is the derivative by; None where there is nothing."""
        taken = [name for name in self.takes if name != "target"]
        return {gives: None if arrays[name] is None else tuple(arrays[name].shape) for gives, name in zip(self.gives, taken, strict=True)}


OF_WEIGHTS = (Place("x", None), Place("weights", 1), Place("biases", 1))
OF_Z = (Place("deltas", 1),)
ONE_SAMPLE_EACH = {"sample_weights": True, "expected": "one_hot"}
"""What a cross-entropy is asked: an upstream number for each sample, which multiplies its loss, and a class of it."""

LAYERS: dict[str, Layer] = {
    "linear": Layer(
        takes=("x", "weight", "bias"),
        gives=("dx", "dweight", "dbias"),
        places=OF_WEIGHTS,
        limits={"biases": True, "wants": ["x"], "empty_batch": True},
    ),
    "activation": Layer(takes=("z",), gives=("dz",), places=OF_Z, around=True, limits={"wants": ["x", "deltas"], "empty_batch": True}),
    "softmax_cross_entropy": Layer(
        takes=("logits", "target"),
        gives=("dlogits",),
        places=OF_Z,
        loss="softmax_cross_entropy",
        around=True,
        limits={**ONE_SAMPLE_EACH, "wants": ["x", "deltas"], "empty_batch": True},
    ),
    "linear_softmax_cross_entropy": Layer(
        takes=("x", "weight", "bias", "target"),
        gives=("dx", "dweight", "dbias"),
        places=OF_WEIGHTS,
        loss="softmax_cross_entropy",
        limits={**ONE_SAMPLE_EACH, "biases": True, "wants": ["x"], "empty_batch": True},
    ),
}
"""dx, dweight (out, in) and dbias are dC/dx, dC/dW and dC/db; z and logits are (batch, n)."""


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
