"""A kernel of one layer as a target: it is asked networks of that layer, and gives the vector-Jacobian product of each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from backproof.targets.array_kinds import FRAMEWORKS, ArrayKind
from backproof.targets.kernels import Asked, kernel_of
from backproof.targets.layers import LAYERS, Layer, listed
from backproof.targets.target import TargetError
from properties.answers.answer import Declined, Malformed
from reference.arrays import AnyArray
from reference.dtypes import DTYPES, as_array
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import Choice, normal_choice
from reference.gradient import Gradient
from reference.nearest import did_you_mean
from reference.problem import Problem
from rounding.precisions import PRECISIONS

WORDS = {"weights": ("out_in", "in_out"), "target": ("class_index", "rows"), "arrays": FRAMEWORKS}
"""How a kernel has its arrays; the first where nothing is said."""


@dataclass(frozen=True)
class Said:
    """What a kernel is said to be.

    layer: a row of LAYERS, and activation, of it; weights: "out_in" if a weight is (n_out, n_in), as torch.nn.Linear has it, "in_out" if it
    is (n_in, n_out); target: "class_index" if it is a class for each sample, "rows" if (batch, n); arrays: whose it takes; device: of
    PyTorch's arrays.
    """

    layer: str = "linear"
    activation: Choice = "identity"
    weights: str = "out_in"
    target: str = "class_index"
    arrays: str = "numpy"
    device: Any = None

    @property
    def row(self) -> Layer:
        """The row of the layer."""
        return LAYERS[self.layer]


def said_of(given: Mapping[str, Any]) -> tuple[Said, dict[str, Any]]:
    """What `supports` of a kernel says of it, and the rest, which says what it may be asked. Raises TargetError."""
    names = tuple(Said.__dataclass_fields__)
    said = {name: value for name, value in given.items() if name in names}
    rest = {name: value for name, value in given.items() if name not in names}
    if said["layer"] not in list(LAYERS):
        raise TargetError(f"layer is {said['layer']!r}: {did_you_mean(said['layer'], LAYERS)}expected one of {', '.join(LAYERS)}")
    for name, words in WORDS.items():
        if said.setdefault(name, words[0]) not in words:
            raise TargetError(f"{name} is {said[name]!r}: expected one of {', '.join(words)}")
    row = LAYERS[said["layer"]]
    try:
        said["activation"] = normal_choice(ACTIVATIONS, said.get("activation", "identity"), "activation")
    except ValueError as error:
        raise TargetError(str(error)) from None
    if said["activation"] != "identity" and not row.has_activation:
        raise TargetError(f"activation is {said['activation']!r}: the layer {said['layer']} has none")
    return Said(**said), rest


class LayerKernel:
    """A target: what somebody gives as the kernel of a layer.

    supports: as any target has it. named: where the derivatives that the kernel gives stand in a gradient. dtypes: by name, those of
    arrays that hold more than the precision stores, whose numbers they are given.
    """

    def __init__(
        self, given: Any, supports: Mapping[str, Any], precision: str | None = None, dtypes: Mapping[str, str] | None = None
    ) -> None:
        self.dtypes = dtypes or {}
        self.said, rest = said_of(supports)
        self.asked: Asked = kernel_of(given, self.said.row)
        if self.asked.framework and "arrays" not in supports:
            self.said = replace(self.said, arrays=self.asked.framework)
        self.__qualname__ = self.asked.name
        self.precision = precision or getattr(given, "precision", None)
        if self.precision is None and self.said.arrays == "jax":
            self.precision = _of_jax()
        if self.precision is not None and self.precision not in PRECISIONS:
            raise TargetError(
                f"precision of {self.asked.name} is {self.precision!r}: {did_you_mean(self.precision, PRECISIONS)}"
                f"expected one of {', '.join(PRECISIONS)}"
            )
        self.judged_by = self.precision
        self.supports = {**self.said.row.supports(self.said.activation), **rest}
        self.notes = (f"the layer that is asked: {self.told}",)

    @property
    def told(self) -> str:
        """What is asked, in words: "linear with gelu, dx, dweight, dbias of numpy arrays, weight (out, in)"."""
        said, row = self.said, self.said.row
        activation = (
            ""
            if not row.has_activation
            else f" with {said.activation}"
            if isinstance(said.activation, str)
            else f" with {said.activation[0]}"
        )
        weight = f", weight {'(out, in)' if said.weights == 'out_in' else '(in, out)'}" if "weight" in row.takes else ""
        return f"{said.layer}{activation}; it gives {', '.join(row.gives)} of {said.arrays} arrays{weight}"

    def __call__(self, problem: Problem) -> Gradient:
        row, kind = self.said.row, self._kind(problem)
        if row.loss != "upstream" and problem.sample_weights is None:
            raise Declined("the layer is asked with an upstream number for each sample, and these samples have none")
        given = row.given(problem, lambda array: _held(array, kind.dtype or problem.x.dtype.name))
        arrays = {name: None if array is None else self.argument(name, array, kind) for name, array in given.items()}
        before = {name: _copy(array) for name, array in arrays.items()}
        returned = self.asked.kernel(*arrays.values())
        for name, array in arrays.items():
            _written_back(before[name], array, self.turned(name, given[name]))
        return row.answer(
            problem, self.derivatives(returned, {name: array for name, array in given.items() if array is not None or name == "bias"})
        )

    def _kind(self, problem: Problem) -> ArrayKind:
        stored = PRECISIONS[self.precision].storage if self.precision else problem.x.dtype.name
        return ArrayKind(self.said.arrays, stored, self.said.device)

    def argument(self, name: str, array: AnyArray, kind: ArrayKind) -> Any:
        """One array of a problem, as the kernel takes it."""
        if name == "target" and self.said.target == "class_index":
            return kind.classes(array.argmax(axis=1) if array.size else np.zeros(len(array)))
        own = replace(kind, dtype=self.dtypes.get(name, kind.dtype))
        return own.made(_as_it_lay(array, self.turned(name, array)))

    def turned(self, name: str, array: Any) -> Any:
        """A weight, or its derivative, in the other order of its axes where the kernel has it so."""
        return array.T if array is not None and self.said.weights == "in_out" and name.endswith("weight") else array

    def derivatives(self, returned: Any, given: Mapping[str, Any]) -> dict[str, AnyArray | None]:
        """What a kernel returned, by name, with weights (out, in). given: what it took, likewise. Raises Malformed."""
        row = self.said.row
        shapes = row.shapes(given)
        found: dict[str, AnyArray | None] = {}
        for name, array in zip(row.gives, listed(returned, row.gives), strict=True):
            found[name] = None if shapes[name] is None else self._checked(name, array, shapes[name] or ())
        return found

    def _checked(self, name: str, given: Any, shape: tuple[int, ...]) -> AnyArray:
        if given is None:
            raise Malformed(f"{name} is None: expected an array of shape {shape}")
        array: AnyArray = self.turned(name, as_array(given))
        if array.dtype.name not in DTYPES:
            raise Malformed(f"{name} has dtype {array.dtype}: expected floating-point numbers, such as {', '.join(DTYPES)}")
        if array.shape == shape:
            return array
        shown, expected = self.turned(name, array).shape, shape[::-1] if self.said.weights == "in_out" and name == "dweight" else shape
        hint = ""
        if array.ndim == 2 and array.shape[::-1] == shape:
            hint = "; it is transposed"
            if name == "dweight":
                other = "in_out" if self.said.weights == "out_in" else "out_in"
                hint += f": weights are {_axes(self.said.weights)} here, and weights={other!r} says that they are {_axes(other)}"
        raise Malformed(f"{name} has shape {shown}, expected {expected}{hint}")


def _as_it_lay(array: AnyArray, turned: AnyArray) -> AnyArray:
    """A transpose, row after row where the array was, or column after column: a kernel may ask for its weight so."""
    if turned is array or not (array.flags.c_contiguous or array.flags.f_contiguous):
        return turned
    laid = np.array(turned, order="C" if array.flags.c_contiguous else "F")
    laid.flags.writeable = array.flags.writeable
    return laid


def _axes(weights: str) -> str:
    return "(out, in)" if weights == "out_in" else "(in, out)"


def _held(array: AnyArray, dtype: str) -> AnyArray:
    with np.errstate(over="ignore"):
        return np.asarray(array.astype(DTYPES[dtype]), dtype=np.float64)


def _of_jax() -> str:
    """What JAX computes in: float64 where it is allowed to."""
    import jax

    x64: bool = jax.config.values["jax_enable_x64"]
    return "float64" if x64 else "float32"


def _copy(array: Any) -> Any:
    return None if array is None else np.array(as_array(array))


def _written_back(before: AnyArray | None, array: Any, own: AnyArray | None) -> None:
    """What a kernel wrote to a copy of a problem's array, written to that: whoever gave the problem sees it."""
    if before is None or own is None or before.shape != own.shape or not own.flags.writeable:
        return
    after = as_array(array)
    if after is not own and after.tobytes() != before.tobytes():
        own[...] = after
