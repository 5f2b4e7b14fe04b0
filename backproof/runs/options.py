"""What may be asked of a run: a row for each option, from which all doors are made, so that none lacks one or says it otherwise.

pytest imports this in every run of whoever has backproof installed, so it imports nothing of the other rooms.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Door(Enum):
    """What takes options: a function of Python, a command, pytest."""

    CHECK = "backproof.check"
    CHECK_COMMAND = "backproof check"
    PYTEST = "pytest"
    PROBLEM_AT = "backproof.problem_at"
    DRAW_COMMAND = "backproof draw"
    STRATEGY = "backproof.strategies.problems"
    VERIFY_COMMAND = "backproof verify"
    REPLAY_COMMAND = "backproof replay"
    GRADE = "backproof.grade"
    GRADE_COMMAND = "backproof grade"


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option. What one door has for itself, a file to write or the target's name, stands there.

    type: its annotation in Python; default: where it is not given; defaults: of the doors that have another one; text: what it does;
    doors: what takes it, needed_by: must be told it; read: of a word its value (ValueError where it cannot be), int and float for
    numbers, bool for what needs no word; least: the least number that a command takes, above: whether it must be more than that;
    metavar: what stands for the word in a help text; flag: its name in words, where many words are given one by one; choices: the words
    that there are, read when they are needed.
    """

    type: Any
    text: str
    doors: Collection[Door]
    read: Callable[[str], Any] = str
    default: Any = None
    defaults: Mapping[Door, Any] = field(default_factory=dict)
    needed_by: Collection[Door] = ()
    least: float = 0
    above: bool = False
    metavar: str = ""
    flag: str = ""
    choices: Callable[[], Iterable[str]] | None = None

    def default_at(self, door: Door) -> Any:
        """The default of a door."""
        return self.defaults.get(door, self.default)

    @property
    def help(self) -> str:
        """What it does, with its default where that is a number."""
        numbered = isinstance(self.default, (int, float)) and not isinstance(self.default, bool)
        return f"{self.text} ({self.default:g})" if numbered else self.text

    def words(self, name: str) -> str:
        """Its name as a flag has it, without the dashes before it."""
        return (self.flag or name).replace("_", "-")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _numbers(text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise ValueError(f"{text!r} is no list of whole numbers, such as 784,128,10") from None


def _size(text: str) -> int | tuple[int, int]:
    numbers = [int(part) if part.strip().isdigit() else 0 for part in text.split(",")]
    if not 1 <= len(numbers) <= 2 or not 1 <= numbers[0] <= numbers[-1]:
        raise ValueError(f"{text!r} is no size: expected the most, or the least and the most, such as 1,3 (2,2 for exactly 2)")
    return (numbers[0], numbers[1]) if len(numbers) == 2 else numbers[0]


def _yes_or_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError(f"{text!r} is not yes or no")
    return text == "yes"


def _penalties(text: str) -> list[Any]:
    parts = [name.partition(":") for name in _names(text)]
    try:
        return [None if name == "none" else (name, float(factor)) if colon else name for name, colon, factor in parts]
    except ValueError:
        raise ValueError(f"{text!r} is no list of penalties, such as none,l2:0.1 or l2_over_batch:0.5") from None


def _precisions() -> Iterable[str]:
    from rounding.precisions import PRECISIONS

    return PRECISIONS


GRADES = (Door.GRADE, Door.GRADE_COMMAND)
CHECKS = (Door.CHECK, Door.CHECK_COMMAND, Door.PYTEST)
DRAWS = (Door.PROBLEM_AT, Door.DRAW_COMMAND)
NAMES, SIZE = Sequence[str] | None, int | tuple[int, int] | None


def _limit(type: Any, read: Callable[[str], Any], metavar: str, text: str, in_strategies: bool = True) -> Option:
    """A limit on the problems that are drawn."""
    doors = (*CHECKS, *DRAWS, *GRADES, *((Door.STRATEGY,) if in_strategies else ()))
    return Option(type=type, read=read, metavar=metavar, text=text, doors=doors)


LIMITS: dict[str, Option] = {
    "activations": _limit(Sequence[Any] | None, _names, "NAMES", "only these activations, separated by commas"),
    "output_activations": _limit(Sequence[Any] | None, _names, "NAMES", "only these activations in the last layer"),
    "losses": _limit(Sequence[Any] | None, _names, "NAMES", "only these losses, separated by commas"),
    "reductions": _limit(NAMES, _names, "NAMES", "only these reductions over samples: sum, mean"),
    "biases": _limit(bool | None, _yes_or_no, "yes|no", "networks with biases in all layers, or in none"),
    "depth": _limit(SIZE, _size, "N[,N]", "the most layers, or the least and the most: 2,2 for exactly 2"),
    "width": _limit(SIZE, _size, "N[,N]", "the widest layer, or the narrowest and the widest"),
    "batch": _limit(SIZE, _size, "N[,N]", "the most samples, or the least and the most"),
    "wants": _limit(NAMES, _names, "NAMES", "ask for these as well: x, loss, pre_activations, activations, deltas"),
    # Hypothesis draws each number by itself, which networks of real size have too many of
    "sizes": _limit(str | None, str, "small|real", "real: widths to 512, batches to 64; small is the default", in_strategies=False),
    "widths": _limit(
        Sequence[int] | None, _numbers, "N,N,...", "networks of these widths alone, inputs first: 784,128,10", in_strategies=False
    ),
    "values": _limit(
        str | None,
        str,
        "any|tame|exact",
        "tame: moderate numbers alone, for whether the gradient is right, not whether the code is robust; exact: such on which nothing "
        "rounds, so that right is equal to the last bit",
    ),
    "sample_weights": _limit(bool | None, _yes_or_no, "yes|no", "samples with weights, or without: C = sum of w_s C_s"),
    "penalties": _limit(
        Sequence[Any] | None,
        _penalties,
        "NAMES",
        "only these penalties on weights: none, l2:FACTOR or l2_over_batch:FACTOR, separated by commas",
    ),
}
"""The options that say which problems are drawn, within what the target supports."""

OPTIONS: dict[str, Option] = {
    "max_examples": Option(
        type=int,
        read=int,
        default=200,
        least=1,
        text="how many random problems are judged, in pytest by each law",
        doors=(*CHECKS, *GRADES),
        defaults=dict.fromkeys(GRADES, 40),
    ),
    "seed": Option(
        type=int | None,
        read=int,
        text="draw the same problems as a run that printed this seed",
        doors=(Door.CHECK, Door.CHECK_COMMAND, *DRAWS, *GRADES),
        needed_by=DRAWS,
    ),
    "index": Option(type=int, read=int, text="which of the problems of a run, from 0", doors=DRAWS, needed_by=DRAWS),
    **LIMITS,
    "precision": Option(
        type=str | None,
        choices=_precisions,
        text="the precision that the target computes in; if not given, its own, or what its answers' dtype says",
        doors=(*CHECKS, *DRAWS, *GRADES, Door.STRATEGY, Door.VERIFY_COMMAND),
    ),
    "strict": Option(
        type=bool,
        read=bool,
        default=False,
        text="fail on lossy as well: right, but by a formula that loses digits",
        doors=(*CHECKS, *GRADES, Door.VERIFY_COMMAND, Door.REPLAY_COMMAND),
    ),
    "oracles": Option(
        type=Sequence[str],
        default=(),
        flag="oracle",
        metavar="NAME",
        text="ask this oracle as well (repeatable): see `backproof oracles`",
        doors=CHECKS,
    ),
    "no_diagnosis": Option(
        type=bool,
        read=bool,
        default=False,
        text="say that a target is wrong, and not where and why, which takes some 600 further calls",
        doors=(Door.CHECK, Door.CHECK_COMMAND),
    ),
    "laws": Option(
        type=NAMES,
        read=_names,
        metavar="NAMES",
        text="only these laws, on every problem, separated by commas: see `backproof laws`",
        # there each law is an item, which pytest's own -k chooses
        doors=(Door.CHECK, Door.CHECK_COMMAND),
    ),
    "max_seconds": Option(
        type=float | None, read=float, above=True, text="pose no further problem after so many seconds, in pytest to a law", doors=CHECKS
    ),
    "time_limit": Option(
        type=float,
        read=float,
        default=10.0,
        least=0.01,
        text="seconds for one call of the target",
        doors=(*CHECKS, *GRADES, Door.REPLAY_COMMAND),
        defaults=dict.fromkeys(GRADES, 2.0),
    ),
    "load_limit": Option(
        type=float,
        read=float,
        default=30.0,
        least=0.01,
        text="seconds for the first call of a process, which may import and compile, if more",
        doors=(*CHECKS, *GRADES, Door.REPLAY_COMMAND),
        defaults=dict.fromkeys(GRADES, 8.0),
    ),
    "shrink_seconds": Option(type=float, read=float, default=10.0, text="seconds for shrinking what fails", doors=CHECKS),
    "progress": Option(
        type=Callable[[str, int, int], None] | None, text="told the step, how much is done and of how much", doors=(Door.CHECK,)
    ),
}
"""All of them, in the order in which every door has them."""


def options_of(door: Door) -> dict[str, Option]:
    """The options that a door takes."""
    return {name: option for name, option in OPTIONS.items() if door in option.doors}


def in_words(limits: Mapping[str, Any]) -> str:
    """The options of the command line that ask for the same problems; what no option can say, a parameter of a function, is left out."""
    words = {name: _in_words(limits[name]) for name in LIMITS if limits.get(name) is not None}
    return " ".join(f"--{name.replace('_', '-')} {word}" for name, word in words.items() if word)


def limits_in(words: str) -> dict[str, Any]:
    """The limits that in_words wrote. Raises ValueError."""
    names = {f"--{name.replace('_', '-')}": name for name in LIMITS}
    given = words.split()
    if len(given) % 2 or not set(given[::2]) <= names.keys():
        raise ValueError(f"{words!r} is no list of limits, such as --depth 2 --losses huber")
    return {names[flag]: LIMITS[names[flag]].read(word) for flag, word in zip(given[::2], given[1::2], strict=True)}


def arguments_of(door: Door, options: Mapping[str, Any]) -> list[str]:
    """The words of a command line that say the same as some options."""
    words: list[str] = []
    for name, option in options_of(door).items():
        value = options.get(name)
        flag = f"--{option.words(name)}"
        if value is None or value == option.default:
            continue
        if option.read is bool:
            words.append(flag)
        elif option.flag:
            words += [word for each in value for word in (flag, str(each))]
        else:
            words += [flag, _in_words(value)]
    return words


def _in_words(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], (int, float)):
        return f"{value[0]}:{value[1]!r}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Sequence) and not isinstance(value, str):
        plain = (int, str, tuple, type(None))
        words = [_in_words(item) if isinstance(item, plain) else "" for item in value]
        return ",".join(words) if all(words) else ""
    return str(value)
