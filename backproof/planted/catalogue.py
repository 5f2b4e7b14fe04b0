"""The known mistakes of docs/faults.md, in the answers of a function of a problem: backproof must be installed where the test runs.

The answer of a network that makes the mistake stands in place of the target's own, array by array, in its form and type.
"""

from collections.abc import Callable, Mapping
from typing import Any

from .answers import LEFT_OUT, arrays_in, changed, mapped
from .arrays import Arrays, LeftAlone
from .layout import problem_of

Turn = Callable[[Any], Any]

NEAR, SMALLEST = 1e-2, 1e-300
"""So near to the right one, in parts of its largest entry, an array of the answer is taken for it."""

ROUNDED = 2.0**-46
"""What two networks may differ by, in parts of the largest entry, since they sum in another order: 128 u. That is no mistake."""


def names() -> list[str]:
    """All of them."""
    from properties.faults.table import FAULTS

    return list(FAULTS)


def problem_in(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The problem among the arguments of a call, or None."""
    for value in (*args, *kwargs.values()):
        if type(value).__name__ == "Problem" and hasattr(value, "activations") and hasattr(value, "penalised"):
            return value
    return None


class Mistake:
    """A known mistake, with whatever its network keeps from call to call. layout: how its arguments are a problem."""

    def __init__(self, name: str, layout: Mapping[str, str] | None = None) -> None:
        from properties.faults.fault import Network
        from properties.faults.table import FAULTS

        self.layout, self.wrong, self.right = layout, FAULTS[name].target, Network()

    def planted(self, answer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The answer with the mistake. Raises LeftAlone where it cannot be made of this call."""
        problem = problem_in(args, kwargs)
        if problem is None and self.layout is None:
            raise LeftAlone("the target is not called with a backproof.Problem: say in which layout it is called")
        try:
            if problem is None:
                problem = problem_of(args, kwargs, self.layout or {})
        except Exception as error:
            raise LeftAlone(f"what the target is called with is no problem as --adapt has it ({type(error).__name__}: {error})") from None
        try:
            wrong, right = (_arrays(network(problem.copy())) for network in (self.wrong, self.right))
        except Exception as error:
            raise LeftAlone(f"it cannot be made of this problem ({type(error).__name__})") from None
        found: dict[str, tuple[str, Turn]] = {}
        for path, value in arrays_in(answer):
            place = _place(value, right, {place for place, _ in found.values()})
            if place is not None:
                found[path] = place
        if not found:
            raise LeftAlone("no array of the answer is one of the gradient")

        def change(path: str, value: Any) -> Any:
            if path not in found:
                return value
            place, turn = found[path]
            if place not in wrong:
                return LEFT_OUT
            return changed(value, _in_place(_turned(turn, wrong[place]), turn(right[place])))

        return mapped(answer, change)


def _arrays(gradient: Any) -> dict[str, Any]:
    import numpy

    # what is left of an imaginary part is dropped, as a target that steps along it does
    return {str(place): numpy.real(array).astype(numpy.float64) for place, array in gradient.arrays()}


def _as_numpy(value: Any) -> Any:
    import numpy

    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.resolve_conj() if value.is_complex() else value.double()
    array = numpy.asarray(value)
    return array if array.dtype.kind == "c" else array.astype(numpy.float64)


def _place(value: Any, right: dict[str, Any], taken: set[str]) -> tuple[str, Turn] | None:
    """Which array of the right gradient an array of the answer is, by its shape and its numbers, and how it is turned.

    A weight may be transposed, and a bias a column or a row.
    """
    own = _as_numpy(value)
    for place, array in right.items():
        turns: tuple[Turn, ...] = (lambda a: a, lambda a: a.T, lambda a: a.reshape(own.shape))
        for turn in turns if place not in taken and array.size == own.size else ():
            turned = turn(array)
            if turned.shape == own.shape and abs(own - turned).max(initial=0.0) <= NEAR * max(abs(turned).max(initial=0.0), SMALLEST):
                return place, turn
    return None


def _turned(turn: Turn, wrong: Any) -> Any:
    """A wrong array, turned as the right one is; as it is where its shape is wrong too."""
    try:
        return turn(wrong)
    except ValueError:
        return wrong


def _in_place(wrong: Any, right: Any) -> Callable[[Arrays, Any], Any]:
    """What is done to an array: where the mistake shows the wrong numbers, elsewhere its own."""

    def deed(arrays: Arrays, array: Any) -> Any:
        import numpy

        if wrong.shape != right.shape:
            return arrays.of_numbers(wrong, array)
        finite = abs(right[numpy.isfinite(right)])
        near = abs(wrong - right) <= ROUNDED * finite.max(initial=0.0)
        same = near | (wrong == right) | ((wrong != wrong) & (right != right))
        return arrays.of_numbers(numpy.where(same, _as_numpy(array), wrong), array)

    return deed
