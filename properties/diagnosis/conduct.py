"""Conduct: whether an answer depends on more than the problem's numbers. If it does, nothing else can be read, and that is told."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from properties.answers.answer import Answer
from properties.diagnosis.asked import Ask, Asked
from properties.diagnosis.ladder import Rung
from properties.judging.judgement import precision_of
from properties.problems.memory_layouts import OF_ANY_NUMBERS
from reference.arrays import Array
from reference.problem import Problem

TABLE: dict[str, str] = {
    "writes_to_its_inputs": "It writes to what it is given: {about}. The numbers may be right, but the problem is another one then.",
    "shares_memory_between_answers": "An answer changes after it was given: {about}. The next call writes to the same memory.",
    "adds_to_the_answer_before": (
        "Each call adds to the answer of the call before, so one problem has 1, 2 and 3 times the gradient. A buffer is never set to 0."
    ),
    "answers_the_problem_before": "It answers the problem before: {about}. Something is kept from call to call, and taken for new.",
    "keeps_its_answers": "It answers as before where only {about}: an answer that was kept is taken for one to another problem.",
    "differs_from_call_to_call": (
        "Two calls with the same problem differ{about}: something random, such as dropout that was left on, or sums whose order changes."
    ),
    "depends_on_the_memory_layout": (
        "The answer depends on how the numbers lie in memory: {about}. The buffer is read, and not the array with its strides."
    ),
    "changes_after_some_calls": "It answers one problem otherwise after {about} calls than before: something is kept from call to call.",
}
"""What a target does that is no function of the problem's numbers, and what is said of it."""

IN_SHORT: dict[str, str] = {
    "writes_to_its_inputs": "It writes to what it is given",
    "shares_memory_between_answers": "An answer changes after it was given",
    "adds_to_the_answer_before": "Each call adds to the answer of the call before",
    "answers_the_problem_before": "It answers the problem before",
    "keeps_its_answers": "It answers another problem as before: an answer was kept",
    "differs_from_call_to_call": "Two calls with the same problem differ",
    "depends_on_the_memory_layout": "The answer depends on how the numbers lie in memory",
    "changes_after_some_calls": "It answers one problem otherwise after some calls than before",
}
"""The same in one sentence, of no target in particular."""


@dataclass(frozen=True)
class Conduct:
    """What was found of a target's conduct. cause: a row of TABLE; explanation: its sentences; ratios: what the answers show of it."""

    cause: str
    explanation: str
    ratios: tuple[float, ...] = ()


def told(cause: str, about: str = "", ratios: tuple[float, ...] = ()) -> Conduct:
    """A row of TABLE, filled in."""
    return Conduct(cause, TABLE[cause].format(about=about), ratios)


def numbers_of(answer: Answer) -> Array | None:
    """All numbers of an answer in a row; None where there is none."""
    if answer.gradient is None:
        return None
    return np.concatenate([np.ravel(np.asarray(array, dtype=np.float64)) for _, array in answer.gradient.arrays()])


def conduct(ask: Ask, rungs: Sequence[Rung], said: str | None, learning_rate: float | None = None) -> Conduct | None:
    """What is wrong with the conduct of a target, by some twelve calls; None where nothing is, or nothing can be asked.

    said: the precision that its answers are judged by, None for what their dtype says; learning_rate: that of the updates which they are
    read off, if they are.
    """
    networks = [rung.problem for rung in rungs if rung.kind == "network" and rung.problem.batch > 1]
    # in a single number nothing lies in an order
    problem = next((each for each in networks if min(each.widths) > 1), next(iter(networks), None))
    problem = problem or next((rung.problem for rung in rungs if rung.kind != "found"), None)
    if problem is None:
        return None
    return next(_found(ask, problem, said, learning_rate), None)


def _found(ask: Ask, problem: Problem, said: str | None, learning_rate: float | None) -> Iterator[Conduct]:
    first, again, third = (ask(problem) for _ in range(3))
    for answer in (first, again, third):
        if answer.changed:
            yield told("writes_to_its_inputs", f"it wrote to {', '.join(answer.changed)}")
    numbers = [numbers_of(answer) for answer in (first, again, third)]
    one, two, three = numbers
    if one is None or two is None or three is None or one.shape != two.shape or one.shape != three.shape:
        return
    assert first.gradient is not None
    precision = precision_of(first.gradient, said)
    asked = Asked(Rung(problem, "network"), first, precision, learning_rate=learning_rate)

    def same(a: Array, b: Array) -> bool:
        return bool(np.array_equal(a, b, equal_nan=True)) or asked.near(a, b)

    def off(to: Problem, answer: Answer) -> bool:
        """Whether an answer is wrong to another problem: behind slopes of 0 two problems may rightly have one."""
        return Asked(Rung(to, "network"), answer, precision, learning_rate=learning_rate).is_off

    def stays(changed: Array) -> bool:
        """Whether the same problem, asked once more, still has the answer that it did not have at first."""
        now = numbers_of(ask(problem))
        return now is not None and now.shape == changed.shape and same(now, changed)

    if not (same(one, two) and same(two, three)):
        step, further = two - one, three - two
        if same(step, further) and not same(step, 0 * step):
            yield told("adds_to_the_answer_before", ratios=_ratios(one, two, three))
        if same(two, three) or (same(one, two) and stays(three)):
            yield told("changes_after_some_calls", "2" if same(one, two) else "1", _ratios(one, two, three))
        yield told("differs_from_call_to_call", ratios=_ratios(one, two, three))
        return
    if asked.is_off and _is_constant(ask, problem, one):
        return  # zeros, say: a wrong answer that is no other problem's
    other = problem.replaced(x=problem.x[:, ::-1] * 0.75 + 0.125, weights=[w[::-1] * 0.875 for w in problem.weights])
    between = ask(other)
    if between.overwritten:
        yield told("shares_memory_between_answers", f"the next call overwrote {', '.join(between.overwritten)}")
    after = ask(problem)
    numbers_between, numbers_after = numbers_of(between), numbers_of(after)
    if numbers_between is not None and numbers_between.shape == one.shape and same(numbers_between, one) and off(other, between):
        yield told("answers_the_problem_before", "another problem of the same shapes has the answer of the one before it")
    if numbers_after is not None and numbers_after.shape == one.shape and not same(numbers_after, one):
        if stays(numbers_after):
            yield told("changes_after_some_calls", "4", _ratios(one, numbers_after))
        yield told("answers_the_problem_before", "after another problem of the same shapes, the answer is another one")
    for what, changed in _with_one_change(problem):
        kept = numbers_of(ask(changed))
        if kept is not None and kept.shape == one.shape and np.array_equal(kept, one) and off(changed, first):
            yield told("keeps_its_answers", f"{what} changed")
    for calls, layout in enumerate(OF_ANY_NUMBERS, 8):
        arranged = numbers_of(ask(problem, layout))
        if arranged is not None and arranged.shape == one.shape and not same(arranged, one):
            if stays(arranged):
                yield told("changes_after_some_calls", str(calls), _ratios(one, arranged))
            yield told("depends_on_the_memory_layout", f"with inputs that are {layout} it is another one".replace("_", " "))


def _is_constant(ask: Ask, problem: Problem, numbers: Array) -> bool:
    """Whether two further problems have the same answer."""
    answers = [numbers_of(ask(problem.replaced(x=problem.x * factor))) for factor in (0.5, 0.25)]
    return all(answer is not None and np.array_equal(answer, numbers, equal_nan=True) for answer in answers)


def _with_one_change(problem: Problem) -> Iterator[tuple[str, Problem]]:
    yield "the weights", problem.replaced(weights=[w * 0.5 for w in problem.weights])
    yield "x", problem.replaced(x=problem.x * 0.5)


def _ratios(*answers: Array) -> tuple[float, ...]:
    """How large the answers to one problem are, over the first."""
    size = float(np.linalg.norm(answers[0]))
    return tuple(float(np.linalg.norm(answer)) / size if size else 0.0 for answer in answers)
