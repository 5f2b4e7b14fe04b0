"""Problems that a target gives no answer to: whether one of their sizes tells them from those that it answers."""

from collections.abc import Callable
from dataclasses import dataclass, field

from backproof.findings.text import counted
from properties.answers.answer import Answer
from properties.problems.support import Support
from properties.verdict import Verdict
from reference.functions.parametrised import name_and_parameters
from reference.problem import Problem

LEAST_UNANSWERED, LEAST_ANSWERED = 12, 4
"""So many problems of either kind are seen before a size is said to tell them apart: fewer may come so by chance."""

LEAST_ALIKE = 3
"""So many of the unanswered must have no activation, loss, reduction or kind of biases that is not answered elsewhere."""

LEFT = ("SystemExit", "KeyboardInterrupt")
"""How an error begins by which a target leaves: of all problems that is no question of widths and supports."""

SIZES: dict[str, Callable[[Problem], set[int]]] = {
    "depth": lambda problem: {problem.depth},
    "batch": lambda problem: {problem.batch},
    "width": lambda problem: set(problem.widths),
}
"""What `supports` can limit, and the sizes of a problem that must be within."""


@dataclass(frozen=True)
class _Seen:
    """What of a problem matters: its widths and sizes, what else it has, and whether hidden layers have different activations."""

    widths: tuple[int, ...]
    sizes: dict[str, set[int]]
    parts: frozenset[str]
    mixed: bool


@dataclass
class Unanswered:
    """The problems that were not answered, and what is known of those that were."""

    answered: int = 0
    raised: bool = True
    explained: bool = False
    left: bool = False
    _sizes: dict[str, set[int]] = field(default_factory=lambda: {name: set() for name in SIZES})
    _widths: set[tuple[int, ...]] = field(default_factory=set)
    _parts: set[str] = field(default_factory=set)
    _mixed: bool = False
    _unanswered: list[_Seen] = field(default_factory=list)

    def remember(self, problem: Problem, answer: Answer, times: int = 1) -> None:
        """Count a problem as answered, or not; times: with so many of the same structure, if it was."""
        seen = _seen(problem)
        if answer.gradient is None:
            self.raised &= answer.verdict is Verdict.RAISES
            # where the answer is of another form, that is why
            self.explained |= any(door in answer.message for door in ("backproof.adapt", "backproof.from_class"))
            self.left |= answer.message.startswith(LEFT)
            self._unanswered.append(seen)
            return
        self.answered += times
        self._widths.add(seen.widths)
        self._parts |= seen.parts
        self._mixed |= seen.mixed
        for name, sizes in seen.sizes.items():
            self._sizes[name] |= sizes

    def told_apart_by(self, support: Support) -> str:
        """What to put into `supports` where all problems outside some sizes were not answered, and all within were; "" elsewhere."""
        if self.explained or self.answered < LEAST_ANSWERED or len(self._unanswered) < LEAST_UNANSWERED:
            return ""
        # what is not answered for another reason comes with depth or width: deep networks have more activations
        if sum(seen.parts <= self._parts for seen in self._unanswered) < LEAST_ALIKE:
            return ""
        return next((said for name in SIZES if (said := self._told(name, support.drawn(name)))), "")

    def fixed_widths(self) -> str:
        """What to put into `supports` where no network was answered, or those of one shape alone; "" elsewhere."""
        if self.explained or self.left or len(self._widths) > 1 or len(self._unanswered) < LEAST_UNANSWERED:
            return ""
        widths = next(iter(self._widths), ())
        if any(seen.widths == widths for seen in self._unanswered):
            return ""
        answered = f"only problems of the widths {'-'.join(map(str, widths))} were answered" if widths else "no problem was answered"
        example = list(widths) or [2, 2, 1]
        return f"{answered}: if the target is one network of fixed widths, say supports = {{'widths': {example}, ...}}, inputs first"

    def _told(self, name: str, drawn: tuple[int, int]) -> str:
        least, most = min(self._sizes[name]), max(self._sizes[name])
        unanswered = [seen.sizes[name] for seen in self._unanswered]
        if any(least <= min(sizes) and max(sizes) <= most for sizes in unanswered):
            return ""
        # one limit where one explains all: a network that is too narrow in one layer may be wide in another
        low = drawn[0] if all(max(sizes) > most for sizes in unanswered) else least
        high = drawn[1] if all(min(sizes) < least for sizes in unanswered) else most
        outside = sorted({size for sizes in unanswered for size in sizes if not low <= size <= high})
        what = "raised an error" if self.raised else "gave no answer that can be judged"
        mixed = not self._mixed and all(seen.mixed for seen in self._unanswered)
        or_mixed = ", or 'same_hidden': True if it is that their hidden layers have different activations" if mixed else ""
        return (
            f"each of {counted(len(unanswered), 'problem')} with {name} {_either(outside)} {what}, and each of {self.answered} others was "
            f"answered: if the target is not meant for these, say supports = {{'{name}': ({low}, {high}), ...}}, the least and the most, "
            f"or --{name} {low},{high}{or_mixed}"
        )


def _seen(problem: Problem) -> _Seen:
    choices = [name_and_parameters(choice)[0] for choice in (*problem.activations, problem.loss)]
    biased = {"biases" if bias is not None else "no biases" for bias in problem.biases}
    hidden = {str(choice) for choice in problem.activations[:-1]}
    return _Seen(
        problem.widths,
        {name: of(problem) for name, of in SIZES.items()},
        frozenset({*choices, problem.reduction, *biased}),
        len(hidden) > 1,
    )


def _either(numbers: list[int]) -> str:
    """The numbers in words: "1, 3 or 4"."""
    *first, last = map(str, numbers)
    return f"{', '.join(first)} or {last}" if first else last
