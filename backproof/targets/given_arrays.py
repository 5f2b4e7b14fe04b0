"""The arrays that somebody gives with the kernel of a layer: checked by their names, and the problem that they are."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from backproof.targets.array_kinds import ArrayKind, kind_of
from backproof.targets.layer_kernel import Said
from reference.arrays import AnyArray
from reference.dtypes import DTYPES, as_array
from reference.errors import ProblemError
from reference.problem import Problem
from rounding.precisions import PRECISIONS

OTHER = {"out_in": "in_out", "in_out": "out_in"}
AXES = {"out_in": "(out, in)", "in_out": "(in, out)"}


class GivenArrays:
    """What a kernel of a layer takes, and the upstream gradient, as somebody gives them.

    arrays: by name, as they are; numbers: of each, those that it holds, with weights (out, in); kind: whose arrays they are, in the
    narrowest of their dtypes; dtypes: by name, those that are wider. Raises ProblemError where they do not fit together, TargetError
    where one is no array.
    """

    def __init__(self, said: Said, arrays: Sequence[Any]) -> None:
        self.said = said
        names = (*said.row.takes, "upstream")
        if len(arrays) != len(names):
            raise ProblemError(f"{len(arrays)} arrays are given for the layer {said.layer}: expected {len(names)}, {', '.join(names)}")
        self.arrays = dict(zip(names, arrays, strict=True))
        floats = {name: array for name, array in self.arrays.items() if name != "target" and not (name == "bias" and array is None)}
        kinds = {name: kind_of(array, name) for name, array in floats.items()}
        first = kinds[names[0]]
        for name, kind in kinds.items():
            if kind.framework != first.framework:
                raise ProblemError(f"{name} is of {kind.framework}, and {names[0]} of {first.framework}: expected all of one framework")
        narrowest = max((kind.dtype for kind in kinds.values()), key=list(DTYPES).index)
        self.kind = ArrayKind(first.framework, narrowest, first.device)
        self.dtypes = {name: kind.dtype for name, kind in kinds.items() if kind.dtype != narrowest}
        if {"bfloat16", "float16"} <= {kind.dtype for kind in kinds.values()}:
            shown = ", ".join(f"{name} {kind.dtype}" for name, kind in kinds.items())
            raise ProblemError(f"the arrays have the dtypes {shown}: neither of float16 and bfloat16 holds the numbers of the other")
        self.numbers = {name: _finite(name, array) for name, array in floats.items()}
        if "target" in self.arrays:
            self.numbers["target"] = as_array(self.arrays["target"])
        self._check_shapes()
        if "weight" in self.numbers and said.weights == "in_out":
            self.numbers["weight"] = self.numbers["weight"].T

    def said_with(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """What `supports` of a kernel of such arrays says, with what it says itself, whose limits hold where the arrays leave them open."""
        words: dict[str, Any] = {"arrays": self.kind.framework, "device": self.kind.device}
        limits: dict[str, Any] = {"empty_batch": not self.problem.batch}
        if "bias" in self.arrays:
            words["biases"] = self.arrays["bias"] is not None
        if "target" in self.numbers:
            by_class = self.numbers["target"].ndim == 1
            words["target"] = "class_index" if by_class else "rows"
            (words if by_class else limits)["expected"] = "one_hot" if by_class else "any"
        return limits | dict(own) | words

    def precision_of(self, said: str | None) -> str:
        """What a kernel computes in that says so of itself, where it is given these: they are stored in their own dtype."""
        if said is None:
            return self.kind.dtype
        if said not in PRECISIONS or PRECISIONS[said].storage == self.kind.dtype:
            return said
        _, *kept = said.split("/")
        own = "/".join([self.kind.dtype, *kept])
        return own if own in PRECISIONS else self.kind.dtype

    @cached_property
    def problem(self) -> Problem:
        """The problem that they are. Raises ProblemError."""
        try:
            return self.said.row.problem(self.numbers, self.said.activation)
        except ProblemError as error:
            raise ProblemError(f"the arrays are no problem of the layer {self.said.layer}: {error}") from None

    @property
    def taken(self) -> dict[str, Any]:
        """What the layer takes: the numbers, and None for a bias that there is not."""
        return {name: self.numbers.get(name) for name in self.said.row.takes}

    def state(self) -> dict[str, bytes]:
        """The bytes of each array, which a kernel may have written to."""
        return {name: as_array(array).tobytes() for name, array in self.arrays.items() if array is not None}

    def _check_shapes(self) -> None:
        shapes, row, weights = {name: array.shape for name, array in self.numbers.items()}, self.said.row, self.said.weights
        name = row.takes[0]
        if len(shapes[name]) != 2:
            raise ProblemError(f"{name} has shape {shapes[name]}: expected (batch, n); of more axes, make all but the last one axis")
        (batch, width), for_each = shapes[name], row.loss != "upstream"
        outputs: Any = width
        if "weight" in row.takes:
            said_by = shapes["upstream"] if not for_each else shapes["target"]
            self._check_weight(shapes["weight"], width, said_by[-1] if len(said_by) == 2 else None)
            outputs = shapes["weight"][0 if weights == "out_in" else 1]
        expected: dict[str, list[tuple[Any, ...]]] = {
            "upstream": [(batch,) if for_each else (batch, outputs)],
            "bias": [(outputs,)],
            "up": [(batch, width)],
            "target": [(batch,), (batch, outputs)],
        }
        for name, options in expected.items():
            if name in shapes and shapes[name] not in options:
                raise ProblemError(f"{name} has shape {shapes[name]}: expected {' or '.join(map(str, options))}")
        upstream = self.numbers["upstream"]
        if for_each and (upstream < 0).any():
            worst = int(np.argmin(upstream))
            raise ProblemError(f"upstream[{worst}] is {upstream[worst]:g}: expected numbers that are not negative, by which losses count")

    def _check_weight(self, shape: tuple[int, ...], inputs: int, outputs: int | None) -> None:
        wanted = (outputs, inputs) if self.said.weights == "out_in" else (inputs, outputs)
        if _fits(shape, wanted):
            return
        shown = f"({', '.join('n' if want is None else str(want) for want in wanted)})"
        other = OTHER[self.said.weights]
        hint = f"; it is transposed: give weight.T, or say weights={other!r}" if _fits(shape[::-1], wanted) else ""
        raise ProblemError(f"weight has shape {shape}: expected {shown}, {AXES[self.said.weights]}{hint}")


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(want in (None, got) for want, got in zip(wanted, shape, strict=True))


def _finite(name: str, array: Any) -> AnyArray:
    numbers = np.asarray(as_array(array), dtype=np.float64)
    if not np.isfinite(numbers).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(numbers))[0])
        raise ProblemError(f"{name}{list(where)} is {numbers[where]}: expected finite numbers")
    return numbers
