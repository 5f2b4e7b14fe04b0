"""A problem: everything that a gradient depends on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from reference.arrays import AnyArray, Array
from reference.errors import ProblemError
from reference.forms import npz_form
from reference.forms.json_form import dump, parse, problem_data, problem_parts
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import Choice, normal_choice, row_of
from reference.functions.penalties import PENALTIES, Penalty, normal_penalty
from reference.nearest import did_you_mean
from reference.quantities import QUANTITIES

REDUCTIONS = ("sum", "mean")
WANTS = tuple(QUANTITIES)
"""What a problem may ask for; weights and biases always."""


class Problem:
    """Weights, biases, activations, loss, inputs and expected outputs of one fully connected network.

    weights: for each layer l an array (n_l, n_{l-1}), w[j, k] from node k to node j.
    activations: for each layer a name of ACTIVATIONS, or (name, {parameter: value}).
    x: (batch, n_0); y: (batch, n_L); of a sum over samples there may be none.
    biases: for each layer an array (n_l,) or None; None for no biases at all.
    loss: a name of LOSSES, or (name, {parameter: value}); reduction over samples: "sum" or "mean".
    sample_weights: (batch,), none negative: by what each sample's C_0 is multiplied, and over the sum of which a mean is taken; None for 1.
    penalty: what is added to C for large weights: a name of PENALTIES, (name, {"factor": number}) or (name, number); None for nothing.
    wants: what is asked for beside weights and biases: any of "x", "loss", "pre_activations", "activations", "deltas".

    All numbers are finite and held as read-only float64 arrays. Raises ProblemError.
    """

    weights: tuple[Array, ...]
    biases: tuple[Array | None, ...]
    activations: tuple[Choice, ...]
    x: Array
    y: Array
    loss: Choice
    reduction: str
    sample_weights: Array | None
    penalty: Choice | None
    wants: tuple[str, ...]

    def __init__(
        self,
        weights: Sequence[Any],
        *,
        activations: Sequence[Any],
        x: Any,
        y: Any,
        biases: Sequence[Any] | None = None,
        loss: Any = "half_squared_error",
        reduction: str = "sum",
        sample_weights: Any = None,
        penalty: Any = None,
        wants: Sequence[str] = (),
    ) -> None:
        listed = {"weights": weights, "activations": activations} | ({} if biases is None else {"biases": biases})
        for name, given in listed.items():
            if isinstance(given, (str, Mapping)) or not hasattr(given, "__len__") or not hasattr(given, "__getitem__"):
                raise ProblemError(f"{name} is {given!r}: expected a list with one entry for each layer")
        layers = len(weights)
        if not layers:
            raise ProblemError("weights is empty: a network has at least one layer")
        for name, given in listed.items():
            if len(given) != layers:
                raise ProblemError(f"{name} has {len(given)} entries for {layers} layers: expected one for each layer, {layers}")
        try:
            chosen = tuple(normal_choice(ACTIVATIONS, a, "activation", f"layer {i}: ") for i, a in enumerate(activations, 1))
            chosen_loss, self.penalty = normal_choice(LOSSES, loss, "loss"), normal_penalty(penalty)
        except ValueError as error:
            raise ProblemError(str(error)) from None
        if reduction not in REDUCTIONS:
            raise ProblemError(f"reduction is {reduction!r}: {did_you_mean(reduction, REDUCTIONS)}expected one of {', '.join(REDUCTIONS)}")
        if not isinstance(wants, (list, tuple)) or any(want not in WANTS for want in wants):
            raise ProblemError(f"wants is {wants!r}: expected a list of {', '.join(WANTS[2:])}")
        self.weights = tuple(_numbers(w, 2, f"layer {i}: weight") for i, w in enumerate(weights, 1))
        listed_biases = [None] * layers if biases is None else biases
        self.biases = tuple(None if b is None else _numbers(b, 1, f"layer {i}: bias") for i, b in enumerate(listed_biases, 1))
        self.activations, self.loss, self.reduction = chosen, chosen_loss, reduction
        self.x = _numbers(_of_no_sample(x, self.weights[0].shape[1]), 2, "x")
        self.y = _numbers(_of_no_sample(y, self.weights[-1].shape[0]), 2, "y")
        self.sample_weights = None if sample_weights is None else _numbers(sample_weights, 1, "sample_weights")
        self.wants = tuple(want for want in WANTS if want in wants or want in WANTS[:2])
        self._check_shapes()
        behind, last = row_of(LOSSES, self.loss).behind, self.activations[-1]
        if behind and last not in behind:
            raise ProblemError(
                f"the loss {self.loss!r} is of probabilities, but the last layer has {last!r}: expected {' or '.join(behind)}"
            )
        refusal = row_of(LOSSES, self.loss).expected.refusal(self.y)
        if refusal:
            raise ProblemError(f"y does not fit the loss {self.loss!r}: {refusal}")

    def _check_shapes(self) -> None:
        outputs, giver = self.x.shape[1], "x"
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True), 1):
            if weight.shape[1] != outputs:
                expected = f"expected ({weight.shape[0]}, {outputs})"
                raise ProblemError(f"layer {i}: weight has shape {weight.shape}, but {giver} gives {outputs} outputs: {expected}")
            outputs, giver = weight.shape[0], f"layer {i}"
            if bias is not None and bias.shape != (outputs,):
                raise ProblemError(f"layer {i}: bias has shape {bias.shape}, expected ({outputs},)")
        if self.y.shape != (len(self.x), outputs):
            samples = len(self.x)
            given = f"y has shape {self.y.shape}, but x has {samples} samples and {giver} gives {outputs} outputs"
            raise ProblemError(f"{given}: expected ({samples}, {outputs})")
        if not len(self.x) and (self.reduction == "mean" or self.penalty is not None):
            raise ProblemError("x has no samples, of which there is no mean and no penalty: expected a sum alone, or a sample")
        if self.sample_weights is not None:
            self._check_sample_weights(self.sample_weights)

    def _check_sample_weights(self, weights: Array) -> None:
        samples = len(self.x)
        if weights.shape != (samples,):
            raise ProblemError(f"sample_weights has shape {weights.shape}, but x has {samples} samples: expected ({samples},)")
        if (weights < 0).any():
            worst = int(np.argmin(weights))
            raise ProblemError(f"sample_weights[{worst}] is {weights[worst]}: expected numbers that are not negative")
        if self.reduction == "mean" and not 0 < weights.sum() < np.inf:
            raise ProblemError(
                f"sample_weights add up to {weights.sum()}, over which no mean can be taken: expected a finite sum that is not 0"
            )

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """n_0, n_1, ..., n_L."""
        return (self.x.shape[-1], *(w.shape[-2] for w in self.weights))

    @cached_property
    def batch(self) -> int:
        """The number of samples."""
        return int(self.x.shape[-2])

    @cached_property
    def depth(self) -> int:
        """L, the number of layers that have weights."""
        return len(self.weights)

    @cached_property
    def total_weight(self) -> Any:
        """What a mean is taken over: the number of samples, or the sum of their weights; of a stack with weights (stack,)."""
        return self.batch if self.sample_weights is None else self.sample_weights.sum(axis=-1)

    @property
    def has_weighted_mean(self) -> bool:
        """Whether C is a mean by weights of samples."""
        return self.sample_weights is not None and self.reduction == "mean"

    @cached_property
    def shares(self) -> Any:
        """What each sample's C_0 counts in C: a number, or (..., batch, 1) where samples have weights."""
        over = self.total_weight if self.reduction == "mean" else 1
        return 1 / over if self.sample_weights is None else self.sample_weights[..., None] / np.asarray(over)[..., None, None]

    @cached_property
    def penalised(self) -> Penalty | None:
        """The row of the penalty."""
        return None if self.penalty is None else row_of(PENALTIES, self.penalty)

    def of_samples(self, chosen: Any) -> "Problem":
        """The problem of some of its samples: anything that x can be indexed by."""
        weights = None if self.sample_weights is None else self.sample_weights[chosen]
        return self.replaced(x=self.x[chosen], y=self.y[chosen], sample_weights=weights)

    @staticmethod
    def unchecked(**parts: Any) -> "Problem":
        """A problem of parts that are known to fit, as they are: neither checked nor copied. parts: all that Problem takes.

        Its arrays may have one more axis in front: a stack of problems that share all but their numbers, which reference/ computes at once.
        """
        fresh = object.__new__(Problem)
        for name in PARTS:
            setattr(fresh, name, parts[name])
        return fresh

    def at(self, index: Any) -> "Problem":
        """One problem of a stack, by its number; or a smaller stack, by a list of numbers."""
        arrays = {
            "weights": tuple([w[index] for w in self.weights]),
            "biases": tuple([None if b is None else b[index] for b in self.biases]),
            "x": self.x[index],
            "y": self.y[index],
            "sample_weights": None if self.sample_weights is None else self.sample_weights[index],
        }
        return Problem.unchecked(**{name: arrays.get(name, getattr(self, name)) for name in PARTS})

    def replaced(self, **changes: Any) -> "Problem":
        """This problem with some of its parts changed, checked anew."""
        parts = {name: getattr(self, name) for name in PARTS}
        return Problem(**(parts | changes))

    def copy(self, dtype: Any = np.float64, arrange: Callable[[AnyArray], AnyArray] = np.asarray) -> "Problem":
        """A copy whose arrays are fresh, writable and of the given dtype: what a target is given; arrange: into another memory layout."""

        def given(array: Array) -> AnyArray:
            return arrange(array.astype(dtype))

        fresh = object.__new__(Problem)
        fresh.weights = tuple(given(w) for w in self.weights)
        fresh.biases = tuple(None if b is None else given(b) for b in self.biases)
        fresh.activations = tuple(a if isinstance(a, str) else (a[0], dict(a[1])) for a in self.activations)
        fresh.loss = self.loss if isinstance(self.loss, str) else (self.loss[0], dict(self.loss[1]))
        fresh.x, fresh.y = given(self.x), given(self.y)
        fresh.sample_weights = None if self.sample_weights is None else given(self.sample_weights)
        fresh.penalty = self.penalty if self.penalty is None or isinstance(self.penalty, str) else (self.penalty[0], dict(self.penalty[1]))
        fresh.reduction, fresh.wants = self.reduction, self.wants
        return fresh

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Each array with its name: "layer 1: weight", ..., "x", "y", "sample_weights"."""
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True), 1):
            yield f"layer {i}: weight", weight
            if bias is not None:
                yield f"layer {i}: bias", bias
        yield "x", self.x
        yield "y", self.y
        if self.sample_weights is not None:
            yield "sample_weights", self.sample_weights

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Problem):
            return NotImplemented
        plain = ("activations", "loss", "reduction", "penalty", "wants")
        mine, theirs = dict(self.arrays()), dict(other.arrays())
        return (
            all(getattr(self, name) == getattr(other, name) for name in plain)
            and mine.keys() == theirs.keys()
            and all(np.array_equal(array, theirs[name]) for name, array in mine.items())
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        weights = ", ".join(repr(w.tolist()) for w in self.weights)
        parts = [f"[{weights}]", f"activations={list(self.activations)!r}", f"x={self.x.tolist()!r}", f"y={self.y.tolist()!r}"]
        if any(b is not None for b in self.biases):
            parts.append(f"biases=[{', '.join('None' if b is None else repr(b.tolist()) for b in self.biases)}]")
        if self.loss != "half_squared_error":
            parts.append(f"loss={self.loss!r}")
        if self.reduction != "sum":
            parts.append(f"reduction={self.reduction!r}")
        if self.sample_weights is not None:
            parts.append(f"sample_weights={self.sample_weights.tolist()!r}")
        if self.penalty is not None:
            parts.append(f"penalty={self.penalty!r}")
        if len(self.wants) > 2:
            parts.append(f"wants={list(self.wants[2:])!r}")
        return f"Problem({', '.join(parts)})"

    def to_json(self) -> str:
        """The problem as JSON, by layer and exact to the bit."""
        return dump(problem_data(self))

    @staticmethod
    def from_data(data: Any) -> "Problem":
        """The problem of plain data, as to_json writes it. Raises ProblemError."""
        return Problem(**problem_parts(data))

    @staticmethod
    def from_json(text: str) -> "Problem":
        """The problem that to_json wrote. Raises ProblemError."""
        return Problem.from_data(parse(text))

    @property
    def size(self) -> int:
        """How many numbers its arrays hold."""
        return sum(array.size for _, array in self.arrays())

    def save(self, path: str | Path) -> None:
        """Write to_json to a file; to one whose name ends in .npz, the binary form, for arrays too large for JSON."""
        if Path(path).suffix == npz_form.SUFFIX:
            npz_form.save_problem(self, Path(path))
        else:
            Path(path).write_text(self.to_json() + "\n", encoding="utf-8")

    @staticmethod
    def load(path: str | Path) -> "Problem":
        """Read what save wrote. Raises ProblemError, with the file's name, and OSError."""
        try:
            if Path(path).suffix == npz_form.SUFFIX:
                return Problem(**npz_form.problem_parts(Path(path)))
            return Problem.from_json(Path(path).read_text(encoding="utf-8"))
        except (ProblemError, UnicodeDecodeError) as error:
            raise ProblemError(f"{path}: {error}") from None


PARTS = ("weights", "biases", "activations", "x", "y", "loss", "reduction", "sample_weights", "penalty", "wants")


def _of_no_sample(given: Any, width: int) -> Any:
    """What was given for a batch; where that is an empty list, which does not say how long its rows would be, an array of no rows."""
    listed = isinstance(given, list) and not given
    return np.empty((0, width)) if listed or getattr(given, "shape", None) == (0,) else given


def _numbers(given: Any, dimensions: int, name: str) -> Array:
    """A read-only float64 copy of what was given, in which -0.0 is 0.0."""
    one = "(batch,)" if name == "sample_weights" else "(outputs,)"
    shape = "(batch, width)" if name in "xy" else "(outputs, inputs)" if dimensions == 2 else one
    try:
        raw = np.asarray(given)
        with np.errstate(over="ignore", invalid="ignore"):
            numbers: Array = raw.astype(np.float64, casting="same_kind" if raw.dtype.kind in "fiub" else "safe") + 0.0
    except (TypeError, ValueError, RuntimeError):  # RuntimeError: a torch tensor that requires its gradient
        raise ProblemError(f"{name} is not an array of real numbers: expected numbers of shape {shape}") from None
    # before they are converted: 2**53 + 1 comes to 2**53
    if raw.dtype.kind in "iu" and ((raw > 2**53) | (raw < -(2**53))).any():
        raise ProblemError(f"{name} has whole numbers beyond 2**53, which float64 may not hold: expected floating-point numbers")
    # a batch may be empty, and then so are its arrays
    lengths = numbers.shape[name in ("x", "y", "sample_weights") :]
    if numbers.ndim != dimensions or 0 in lengths:
        raise ProblemError(f"{name} has shape {numbers.shape}, expected {shape}, each at least 1")
    if not np.isfinite(numbers).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(numbers))[0])
        raise ProblemError(f"{name}{list(where)} is {numbers[where]}: expected finite numbers")
    numbers.flags.writeable = False
    return numbers
