"""What a target gave back for one problem, whatever it was."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, pairwise
from typing import Any, Protocol

import numpy as np

from properties.answers.other_forms import by_layer, other_form
from properties.verdict import Verdict
from reference.arrays import AnyArray
from reference.dtypes import DTYPES, as_array
from reference.gradient import Gradient, Place
from reference.problem import Problem
from reference.quantities import BY_LAYER, SINGLE

FLOATS = frozenset({np.longdouble, *(dtype.type for dtype in DTYPES.values())})
"""The types of numbers that can be judged; long double as float64."""


@dataclass(frozen=True)
class Answer:
    """A gradient, or why there is none.

    verdict: MALFORMED, RAISES or TIMES_OUT where gradient is None, with the message (and where it was raised); None without a gradient
        where the target says that it does not support the problem, with its reason as the message;
    changed: which of its inputs it wrote to; overwritten: which arrays of the answer before this one;
    gone: whether its process died, or was ended.
    """

    gradient: Gradient | None
    verdict: Verdict | None = None
    message: str = ""
    changed: tuple[str, ...] = ()
    overwritten: tuple[str, ...] = ()
    gone: bool = False

    @property
    def declined(self) -> bool:
        """Whether the target says that it does not support the problem."""
        return self.gradient is None and self.verdict is None

    def same_as(self, other: "Answer") -> bool:
        """Whether both give the same quantities, the same bit by bit."""
        if self.gradient is None or other.gradient is None:
            return False
        mine, theirs = (
            [(place, array.dtype, array.tobytes()) for place, array in gradient.arrays()] for gradient in (self.gradient, other.gradient)
        )
        return mine == theirs


class Ask(Protocol):
    """How laws put a problem to a target: each call gets fresh copies of its arrays, arranged as a row of MEMORY_LAYOUTS says."""

    def __call__(self, problem: Problem, memory_layout: str = "contiguous") -> Answer: ...


class Malformed(ValueError):
    """An answer that cannot be judged; the message says what was given and what is expected."""


class Declined(Exception):
    """Raised by a target for a problem that it does not support; the message says what it cannot."""


def without_counted_terms(problem: Problem, whose: str) -> None:
    """Decline a problem with a penalty or weights of samples, which a network alone does not know. Raises Declined."""
    if problem.sample_weights is not None or problem.penalty is not None:
        raise Declined(f"{whose} is asked without weights of samples and penalties: they are no part of it")


def as_gradient(given: Any, problem: Problem) -> Gradient:
    """What a target returned, as a Gradient of real floating-point arrays in the shapes that the problem asks for.

    given: a Gradient, a pair (list of dC/dW, list of dC/db or None), a list with one (dC/dW, dC/db) for each layer, or a dict by parameter,
    {"W1": ..., "b1": ...}, in arrays of any framework. Raises Malformed.
    """
    try:
        return _read(given, problem)
    except Malformed as error:
        biases = [None if bias is None else bias.shape for bias in problem.biases]
        seen = other_form(given, [weight.shape for weight in problem.weights], biases, problem.batch)
        raise Malformed(f"{error}; {seen}" if seen else str(error)) from None


def _read(given: Any, problem: Problem) -> Gradient:
    if not isinstance(given, Gradient):
        given = by_layer(given, [weight.shape for weight in problem.weights])
        if not isinstance(given, (tuple, list)) or len(given) != 2:
            raise Malformed(f"the answer is {_described(given)}: expected a Gradient, or a pair (list of dC/dW, list of dC/db or None)")
        given = Gradient(given[0], given[1])
    layers = problem.depth
    parts: dict[str, Any] = {}
    for quantity in BY_LAYER:
        listed = getattr(given, quantity)
        if listed is not None:
            parts[quantity] = _by_layer(listed, quantity, layers)
    for quantity in SINGLE:
        if getattr(given, quantity) is not None:
            parts[quantity] = _floats(getattr(given, quantity), quantity, None)
    if "weights" not in parts:
        raise Malformed("dC/dW is missing: expected a list with one array for each layer")
    parts.setdefault("biases", [None] * layers)
    # a layer without biases has no derivative by them, whatever stands in its place
    parts["biases"] = [None if b is None else given_b for b, given_b in zip(problem.biases, parts["biases"], strict=True)]
    gradient = Gradient(**parts)
    if not problem.batch:
        # a list of no rows does not say how long they are
        shapes, _ = expected(problem)
        gradient = gradient.mapped(lambda place, array: array.reshape(shapes[place]) if array.shape == shapes[place][:1] == (0,) else array)
    _check(gradient, problem)
    return gradient


def _by_layer(listed: Any, quantity: str, layers: int) -> list[AnyArray | None]:
    symbol = str(Place(quantity, None))
    try:
        listed = list(islice(listed, layers + 1000))  # a generator may have no end
    except Exception as error:
        why = "" if isinstance(error, TypeError) else f" that cannot be listed ({error})"
        raise Malformed(f"{symbol} is {_described(listed)}{why}: expected a list with one array for each layer") from None
    if len(listed) != layers:
        raise Malformed(f"{symbol} has {len(listed)} arrays: expected one for each layer, {layers}")
    return [None if array is None else _floats(array, quantity, i) for i, array in enumerate(listed, 1)]


def _floats(given: Any, quantity: str, layer: int | None) -> AnyArray:
    if type(given) is np.ndarray and given.dtype.type in FLOATS:
        return given
    place = Place(quantity, layer)
    try:
        array = as_array(given)
        if array.dtype.kind in "iuO" and _are_plain_numbers(given):
            # other languages write 0.0 as 0; an array of integers is a mistake of the dtype
            array = np.array(given, dtype=np.float64)
    except Exception as error:
        raise Malformed(f"{place} is {_described(given)}, which NumPy cannot read as an array ({error})") from None
    if array.dtype.type not in FLOATS:
        raise Malformed(f"{place} has dtype {array.dtype}: expected floating-point numbers, such as {', '.join(DTYPES)}")
    return array


def _are_plain_numbers(given: Any) -> bool:
    """Whether it is a number of Python, or lists of such."""
    if isinstance(given, (list, tuple)):
        return all(map(_are_plain_numbers, given))
    return type(given) in (int, float)


def _check(gradient: Gradient, problem: Problem) -> None:
    given, (shapes, wanted) = dict(gradient.arrays()), expected(problem)
    for place in wanted:
        if place not in given:
            raise Malformed(f"{place} is missing: the problem asks for it")
    for place, array in given.items():
        shape = shapes[place]
        if array.shape != shape:
            hint = "; it is transposed" if array.ndim == 2 and array.shape[::-1] == shape else ""
            raise Malformed(f"{place} has shape {array.shape}, expected {shape}{hint}")


def expected(problem: Problem) -> tuple[Mapping[Place, tuple[int, ...]], list[Place]]:
    """The shape of every array that a gradient may hold, by its place; and the places that an answer must fill."""
    return _expected(problem.widths, problem.batch, tuple([bias is not None for bias in problem.biases]), problem.wants)


@lru_cache(maxsize=256)
def _expected(widths: tuple[int, ...], batch: int, biased: tuple[bool, ...], wants: tuple[str, ...]) -> Any:
    layers = list(enumerate(pairwise(widths), 1))
    shapes: dict[Place, tuple[int, ...]] = {Place("weights", i): (outputs, inputs) for i, (inputs, outputs) in layers}
    shapes |= {Place("biases", i): (outputs,) for i, (_, outputs) in layers if biased[i - 1]}
    shapes |= {Place("x", None): (batch, widths[0]), Place("loss", None): ()}
    for quantity in ("pre_activations", "activations", "deltas"):
        shapes |= {Place(quantity, i): (batch, outputs) for i, (_, outputs) in layers}
    return shapes, [place for place in shapes if place.quantity in wants]


def _described(given: Any) -> str:
    if given is None:
        return "None"
    length = f" of {len(given)}" if isinstance(given, (tuple, list, dict)) else ""
    return f"a {type(given).__name__}{length}"
