"""The faults that any function's answers may have: what is done to each array, and what it would do to a training."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .answers import arrays_in, changed, form_of, mapped
from .arrays import Arrays, LeftAlone, arrays_of, differ, noise

Deed = Callable[[Arrays, Any], Any]

IN_ONE_OUTPUT = "multiplied_by_1_5"
"""The fault that is planted in each array of an answer alone too: a test that does not see it there looks at the others only."""


@dataclass
class Memory:
    """What a fault keeps from call to call: the answer before, as it was."""

    before: Any = None


@dataclass(frozen=True)
class AnswerFault:
    """A fault of answers.

    name: what was done, as a past deed; explanation: what stands in place of the answer; consequence: what it would do to a training.
    of_array: what is done to each array; of_answer: what is done to the answer as a whole; one of the two.
    needs_fractions: whether whole numbers cannot have it.
    """

    name: str
    explanation: str
    consequence: str
    of_array: Deed | None = None
    of_answer: Callable[[Any, Memory], Any] | None = None
    needs_fractions: bool = False

    def planted(self, answer: Any, memory: Memory, only: str | None = None) -> Any:
        """The answer with the fault. only: the path of the one array that has it. Raises LeftAlone where it does not apply."""
        if self.of_answer is not None:
            return self.of_answer(answer, memory)
        reasons: list[str] = []
        errors: list[Exception] = []
        done: list[str] = []

        def change(path: str, value: Any) -> Any:
            if only is not None and path != only:
                return value
            try:
                made = changed(value, self._deed)
            except LeftAlone as reason:
                reasons.append(str(reason))
                return value
            except Exception as error:  # of a type that is stranger than we expect, beside which others may have the fault
                errors.append(error)
                return value
            done.append(path)
            return made

        made = mapped(answer, change)
        if errors and not done:
            raise errors[0]
        if not done:
            raise LeftAlone(reasons[0] if reasons else "there is no array in the answer")
        return made

    def _deed(self, arrays: Arrays, array: Any) -> Any:
        assert self.of_array is not None
        if arrays.size(array) == 0:
            raise LeftAlone("an array without entries is right as it is")
        if self.needs_fractions and not arrays.is_real(array):
            raise LeftAlone("its numbers are whole ones")
        return self.of_array(arrays, array)


def _times(factor: float) -> Deed:
    return lambda arrays, array: array * factor


def _zeros(arrays: Arrays, array: Any) -> Any:
    return arrays.zeros(array)


def _noisy(share: float) -> Deed:
    return lambda arrays, array: array * (1 + share * noise(arrays, array))


def _row(array: Any) -> int:
    """The last row, where a mask at a ragged edge is off by one; if it is zero, another one; where nothing can be known yet, the last."""
    if len(array.shape) == 0:
        raise LeftAlone("a number has no rows")
    rows = int(array.shape[0])
    try:
        for i in (rows - 1, 0, rows // 2):
            if bool((array[i : i + 1] != 0).any()):
                return i
    except Exception:  # inside a function that is being compiled there are no numbers yet
        pass
    return rows - 1


def _with_row(made: Deed) -> Deed:
    def deed(arrays: Arrays, array: Any) -> Any:
        i = _row(array)
        return arrays.joined([array[:i], made(arrays, array[i : i + 1]), array[i + 1 :]])

    return deed


def _copied_row(arrays: Arrays, array: Any) -> Any:
    if len(array.shape) == 0 or array.shape[0] < 2:
        raise LeftAlone("it has no two rows")
    return arrays.joined([array[:-1], array[-2:-1]])


def _transposed(arrays: Arrays, array: Any) -> Any:
    if len(array.shape) < 2:
        raise LeftAlone("it is no matrix")
    return array.swapaxes(-1, -2).reshape(array.shape)


def _shifted(arrays: Arrays, array: Any) -> Any:
    if len(array.shape) == 0 or array.shape[-1] < 2:
        raise LeftAlone("its last axis has no two entries")
    return arrays.joined([array[..., -1:], array[..., :-1]], axis=-1)


def _one_entry(made: Callable[[Any, Any], Any]) -> Deed:
    """Of the entry in the middle something else; made: of it and the largest of all."""

    def deed(arrays: Arrays, array: Any) -> Any:
        flat, i = array.reshape(-1), arrays.size(array) // 2
        return arrays.joined([flat[:i], made(flat[i : i + 1], abs(flat).max()), flat[i + 1 :]]).reshape(array.shape)

    return deed


def _before(answer: Any, memory: Memory) -> Any:
    """The answer to the call before, where it has the same form."""
    now, then = arrays_in(answer), memory.before
    if any((arrays := arrays_of(value)) is not None and arrays.is_abstract(value) for _, value in now):
        raise LeftAlone("inside a function that is being compiled there is no call before")
    memory.before = [(path, _kept(value)) for path, value in now]
    if not now:
        raise LeftAlone("there is no array in the answer")
    if then is None or [_form(value) for _, value in then] != [_form(value) for _, value in now]:
        raise LeftAlone("there was no call before with an answer of this form")
    return _with_values(answer, dict(then))


def _swapped(answer: Any, memory: Memory) -> Any:
    """Two arrays of one shape and type, each in the place of the other."""
    found = arrays_in(answer)
    for i, (path, value) in enumerate(found):
        for other_path, other in found[i + 1 :]:
            if _form(value) == _form(other) and differ_or_unknown(value, other):
                return _with_values(answer, {path: other, other_path: value})
    raise LeftAlone("no two outputs have one shape")


def _with_values(answer: Any, values: dict[str, Any]) -> Any:
    return mapped(answer, lambda path, value: values.get(path, value))


def _kept(value: Any) -> Any:
    arrays = arrays_of(value)
    return value if arrays is None else arrays.kept(value)


def _form(value: Any) -> tuple[str, ...]:
    return tuple(form_of(value)[0][1:])


def differ_or_unknown(one: Any, other: Any) -> bool:
    """Whether two arrays of one form differ; True where there are no numbers yet, inside a function that is being compiled."""
    try:
        return differ(one, other)
    except Exception:
        return True


_FACTOR_OF_ALL = "the learning rate is in truth {} what was set"

ANSWER_FAULTS: dict[str, AnswerFault] = {
    fault.name: fault
    for fault in (
        AnswerFault("answered_zeros", "zeros", "nothing is learnt, and what this gradient moves stays as it is", _zeros),
        AnswerFault("turned_the_sign", "the answer times -1", "training climbs where it should descend, and diverges", _times(-1)),
        AnswerFault("multiplied_by_2", "twice the answer", _FACTOR_OF_ALL.format("twice"), _times(2)),
        AnswerFault(
            "multiplied_by_1_5",
            "1.5 times the answer",
            _FACTOR_OF_ALL.format("1.5 times"),
            _times(1.5),
            needs_fractions=True,
        ),
        AnswerFault(
            "multiplied_by_1_01",
            "1.01 times the answer",
            "hardly seen in one step; over ten layers in a row 10 percent",
            _times(1.01),
            needs_fractions=True,
        ),
        AnswerFault(
            "multiplied_by_1_001",
            "1.001 times the answer",
            "training hides it; a formula or a constant is wrong all the same, and will be elsewhere by more",
            _times(1.001),
            needs_fractions=True,
        ),
        AnswerFault("lost_a_row", "the last row is 0", "one sample, or one node, is never learnt from", _with_row(_zeros)),
        AnswerFault("counted_a_row_twice", "the last row is doubled", "one sample, or one node, weighs twice", _with_row(_times(2))),
        AnswerFault(
            "answered_a_row_twice",
            "the last row is a copy of the one before",
            "one sample, or one node, goes where another one should",
            _copied_row,
        ),
        AnswerFault(
            "forgot_to_transpose",
            "the numbers of the transpose, in the answer's shape",
            "the direction is as good as random, and the loss may fall for a while by chance",
            _transposed,
        ),
        AnswerFault("shifted_the_last_axis", "each row shifted by one", "each number goes to the neighbour of its weight", _shifted),
        AnswerFault(
            "added_noise_of_1e_2",
            "each entry off by up to 1 percent",
            "a floor under the loss, and runs that cannot be had again",
            _noisy(1e-2),
            needs_fractions=True,
        ),
        AnswerFault(
            "added_noise_of_1e_4",
            "each entry off by up to 1e-4 of it",
            "training hides it; digits go, as if a sum were kept in too narrow a type",
            _noisy(1e-4),
            needs_fractions=True,
        ),
        AnswerFault(
            "changed_one_entry",
            "one entry in the middle is off by half of the largest",
            "one weight goes its own way; the others make up for it, and the loss stays higher than it need be",
            _one_entry(lambda entry, largest: entry + 0.5 * largest + (largest == 0)),
            needs_fractions=True,
        ),
        AnswerFault(
            "answered_nan_in_one_entry",
            "one entry in the middle is NaN",
            "after one step all weights are NaN",
            _one_entry(lambda entry, largest: entry * float("nan")),
            needs_fractions=True,
        ),
        AnswerFault(
            "answered_as_the_call_before",
            "the answer to the call before",
            "each step goes where the step before should have gone, slow and unstable at a high learning rate",
            of_answer=_before,
        ),
        AnswerFault(
            "swapped_two_outputs",
            "two outputs of one shape in each other's place",
            "two layers are moved by each other's gradient",
            of_answer=_swapped,
        ),
    )
}
"""All of them, by name."""
