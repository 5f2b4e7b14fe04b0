"""What a target is: any callable that returns a gradient; how it is found, and asked in this process."""

import ast
import importlib
import importlib.util
import inspect
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, Protocol, TypeVar

import numpy as np

from properties.answers.answer import Answer, Declined, Malformed, as_gradient
from properties.problems.memory_layouts import MEMORY_LAYOUTS
from properties.verdict import Verdict
from reference.arrays import AnyArray
from reference.gradient import Gradient, Place
from reference.nearest import did_you_mean
from reference.problem import Problem
from rounding.precisions import PRECISIONS

LONGEST_MESSAGE = 2000
"""Characters of a target's own error message that are kept."""

MOST_OFFERED = 12
"""So many names are listed where one is not there."""

TIME_LIMIT = 10.0
"""Seconds that one call may take, where nothing else is said."""

LOAD_LIMIT = 30.0
"""Seconds that the first call of a process may take, where nothing else is said."""

T = TypeVar("T")
Target = Callable[[Problem], Any]
"""target(problem) returns a Gradient, a pair (list of dC/dW, list of dC/db or None), or a list with one (dC/dW, dC/db) for each layer.

It may have attributes: `supports`, a dict of what it can do (see Support), `precision`, what it computes in, and `notes`, what a report
says of how it is asked.
"""


class TargetError(Exception):
    """A target that cannot be found or loaded; the message says what was given and what is expected."""


class Session(Protocol):
    """How a run puts problems to a target.

    deaths: how often its process died or was ended; notes: what a reader of the report should know of how it is asked.
    """

    name: str
    supports: Any
    precision: str | None
    notes: tuple[str, ...]
    deaths: int

    def __call__(self, problem: Problem, memory_layout: str = "contiguous") -> Answer:
        """The target's answer; what goes wrong with the target is in the answer, never raised."""
        ...

    def renew(self) -> bool:
        """Begin anew with a target that remembers no call; False where that cannot be done."""
        ...

    def close(self) -> None:
        """Give back what the target holds."""
        ...


def load_target(spec: str) -> Target:
    """The callable of "package.module:function" or "path/to/file.py:function", also "module:Class.method"; or a framework's own network.

    Raises TargetError.
    """
    found = load_object(spec)
    if isinstance(found, type) and "layer" not in (getattr(found, "supports", None) or ()):  # of a kernel the class is asked
        found = _instance(spec, found)
    if not callable(found) and not hasattr(found, "fit"):
        raise TargetError(f"target {spec!r} is a {type(found).__name__}: expected a function of a problem")
    target: Target = found
    return target


def load_object(spec: str, files: dict[str, ModuleType] | None = None) -> Any:
    """What "package.module:name" or "path/to/file.py:name" names, whatever it is. Raises TargetError.

    files: those that are loaded, by name: what is said of one file twice is of one module, which shares what it keeps.
    """
    files = {} if files is None else files
    module_name, function = parts_of(spec)
    found: Any = files.get(module_name)
    if found is None:
        found = files[module_name] = _load_file(module_name) if module_name.endswith(".py") else _load_module(module_name)
    for name in function.split("."):
        if isinstance(found, type) and inspect.isfunction(inspect.getattr_static(found, name, None)):
            found = _executed(spec, found)  # a method needs an instance
        if not hasattr(found, name):
            meant = did_you_mean(name, _public(found))
            raise TargetError(f"target {spec!r}: {module_name} has no {function!r}; {meant}it has {_offered(_public(found))}")
        found = getattr(found, name)
    return found


def parts_of(spec: str) -> tuple[str, str]:
    """The module, or the file, and the function that a target's name names; nothing is run. Raises TargetError."""
    module_name, colon, function = spec.rpartition(":")
    if not colon or not module_name or not function:
        named = f"; {spec} has {_offered(_written_in(spec))}" if spec.endswith(".py") and Path(spec).is_file() else ""
        expected = "expected package.module:function or path/to/file.py:function, or 'run: ./program --flag'"
        raise TargetError(f"target is {spec!r}: {expected}{named}")
    if module_name == "run" and not function.replace(".", "_").isidentifier():
        raise TargetError(f"target is {spec!r}: a program is named with a blank, 'run: {function}'")
    if module_name.endswith(".py") and not Path(module_name).is_file():
        raise TargetError(f"there is no file {module_name!r}: expected path/to/file.py:function")
    return module_name, function


def _load_file(name: str) -> ModuleType:
    path = Path(name)
    # as Python does for a script: what lies beside the file can be imported
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    _executed(name, lambda: spec.loader.exec_module(module))  # type: ignore[union-attr]
    return module


def _load_module(name: str) -> ModuleType:
    sys.path.insert(0, "")
    return _executed(name, lambda: importlib.import_module(name))


def _executed(name: str, load: Callable[[], T]) -> T:
    try:
        return load()
    except (Exception, SystemExit) as error:
        raise TargetError(f"{name} cannot be loaded: {told_of(error)}") from error


def _check_takes_a_problem(name: str, target: Target) -> None:
    """Raises TargetError of a function that takes something else."""
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):  # of what is not written in Python nothing is known
        return
    try:
        signature.bind(None)
    except TypeError:
        raise TargetError(
            f"{name} takes {signature}: expected a function of one problem. backproof.adapt(f, ...) makes one of f(weights, biases, "
            "activations, x, y) in other layouts too, supports = {'layer': 'linear'} of a kernel f(x, weight, bias, upstream), "
            "backproof.from_class of a class, backproof.from_jax of an apply function; or write one that unpacks problem.weights, "
            "problem.biases, problem.x and problem.y"
        ) from None


def _instance(spec: str, given: type) -> Any:
    """An object of a class that is named as a target. Raises TargetError, which says what a target is, where it is none."""
    way = f"expected a function of a problem: backproof.from_class({given.__name__}, supports=...) makes one, or write it"
    if hasattr(given, "forward") and hasattr(given, "parameters"):
        way = f"expected a module, or a function without arguments that makes one: write one that returns a {given.__name__}(...)"
    if hasattr(given, "apply") and hasattr(given, "backward"):
        raise TargetError(
            f"target {spec!r} is an autograd function: say which layer it is by an attribute, supports = {{'layer': 'linear'}}"
        )
    try:
        instance = _executed(spec, given)
    except TargetError as error:
        raise TargetError(f"{error}; target {spec!r} is a class, which must be made without arguments: {way}") from error
    if not callable(instance) and not hasattr(instance, "fit"):
        methods = [name for name, method in vars(given).items() if inspect.isfunction(method) and not name.startswith("_")]
        named = f", or name a method that takes a problem: {spec}.{methods[0]}" if methods else ""
        raise TargetError(f"target {spec!r} is a class whose objects cannot be called: {way}{named}")
    return instance


def _public(module: Any) -> list[str]:
    """The names of what can be called in a module or an object."""
    return [name for name in getattr(module, "__dict__", ()) if not name.startswith("_") and callable(getattr(module, name))]


def _written_in(file: str) -> list[str]:
    """The same of a file that is not run: the functions and classes that are written in it; none where that cannot be read."""
    try:
        lines = ast.parse(Path(file).read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return []
    return [one.name for one in lines if isinstance(one, (ast.FunctionDef, ast.ClassDef)) and not one.name.startswith("_")]


def _offered(names: Sequence[str]) -> str:
    """The first of the names that there are, and how many more."""
    more = f" and {len(names) - MOST_OFFERED} more" if len(names) > MOST_OFFERED else ""
    return f"{', '.join(names[:MOST_OFFERED])}{more}" if names else "no public functions"


class InProcess:
    """A target that is called in this process.

    time_limit: seconds for one call, 0 for no limit, kept where signals can interrupt it: in the main thread of a POSIX process;
    load_limit: seconds for the first call, which may import or compile what others have then, where that is more.
    precision: what the problem's arrays are given in, and the answers are judged by; None for the target's own.
    """

    interruptible = True
    """Whether a KeyboardInterrupt may come of Ctrl-C, which ends a run; if not, it is an error of the target."""

    def __init__(
        self, target: Target, *, name: str = "", precision: str | None = None, time_limit: float = 10.0, load_limit: float = LOAD_LIMIT
    ) -> None:
        if isinstance(target, type):
            raise TargetError(
                f"target is the class {target.__name__}: expected a function of a problem, such as an object of it that is one"
            )
        if not callable(target):
            raise TargetError(f"target is a {type(target).__name__}: expected a function of a problem")
        self.name = name or _name_of(target)
        _check_takes_a_problem(self.name, target)
        self.supports = _executed(f"supports of {self.name}", lambda: getattr(target, "supports", None))
        self.precision = precision or _executed(f"precision of {self.name}", lambda: getattr(target, "precision", None))
        if self.precision is not None and self.precision not in PRECISIONS:
            raise TargetError(
                f"precision of {self.name} is {self.precision!r}: {did_you_mean(self.precision, PRECISIONS)}"
                f"expected one of {', '.join(PRECISIONS)}"
            )
        self.notes = tuple(map(str, getattr(target, "notes", ())))
        self.deaths = 0
        self._target, self._time_limit = target, time_limit
        self._next_limit = max(time_limit, load_limit) if time_limit else 0.0
        self._dtype = PRECISIONS[self.precision or "float64"].given
        self._given: list[tuple[Place, AnyArray, bytes]] = []

    def __call__(self, problem: Problem, memory_layout: str = "contiguous") -> Answer:
        fresh = problem.copy(self._dtype, MEMORY_LAYOUTS[memory_layout])
        inputs = [(name, array, array.tobytes()) for name, array in fresh.arrays()]
        limit, self._next_limit = self._next_limit, self._time_limit
        try:
            # an answer may be lazy, so that reading it is the target's work too
            with _Limited(limit), np.errstate(all="ignore"):
                gradient = as_gradient(self._target(fresh), problem)
        except Malformed as error:
            return Answer(None, Verdict.MALFORMED, encodable(str(error)), *self._changes(inputs))
        except Declined as error:
            return Answer(None, None, encodable(str(error)), *self._changes(inputs))
        except _TimeIsUp:
            return Answer(None, Verdict.TIMES_OUT, no_answer_within(limit, self._time_limit), *self._changes(inputs))
        except BaseException as error:  # sys.exit, and what test frameworks raise, are errors of the target too
            if isinstance(error, KeyboardInterrupt) and self.interruptible:
                raise
            return Answer(None, Verdict.RAISES, told_of(error), *self._changes(inputs))
        changes = self._changes(inputs)
        self._given = [(place, array, array.tobytes()) for place, array in gradient.arrays()]
        return Answer(copy_of(gradient), None, "", *changes)

    def _changes(self, inputs: list[tuple[str, AnyArray, bytes]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Which inputs, and which arrays of the answer before, are no longer what they were."""
        changed = tuple([name for name, array, before in inputs if array.tobytes() != before])
        given, self._given = self._given, []
        return changed, tuple([str(place) for place, array, before in given if array.tobytes() != before])

    def renew(self) -> bool:
        return False

    def close(self) -> None:
        self._given = []


def copy_of(gradient: Gradient) -> Gradient:
    """A copy that shares no memory with the target."""
    return gradient.mapped(lambda place, array: array.copy())


def no_answer_within(limit: float, time_limit: float) -> str:
    """What is said of a call that took too long; of a first one, which had another limit, how to allow more."""
    first = " in the first call, which may import and compile (--load-limit allows more)" if limit > time_limit else ""
    return f"no answer within {limit:g} s{first}"


class _TimeIsUp(BaseException):
    """Raised inside the target by the alarm; no `except Exception` of its own catches it."""


class _Limited:
    """Ends what runs inside after some seconds, where signals can: in the main thread of a POSIX process."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds if hasattr(signal, "setitimer") else 0.0

    def __enter__(self) -> None:
        self._limits = self._seconds > 0 and threading.current_thread() is threading.main_thread()
        if self._limits:
            self._started, self._before = time.monotonic(), signal.signal(signal.SIGALRM, _stop)
            # again and again, for a target whose own `except:` swallows the first
            self._others = signal.setitimer(signal.ITIMER_REAL, self._seconds, 0.1)

    def __exit__(self, *raised: object) -> None:
        if self._limits:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)
            left, interval = self._others
            if left:  # an alarm that was set before, by a test runner say, goes on
                signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - self._started), 1e-3), interval)


def _stop(number: int, frame: FrameType | None) -> None:
    raise _TimeIsUp


def _name_of(target: Target) -> str:
    return getattr(target, "__qualname__", "") or type(target).__name__


def told_of(error: BaseException) -> str:
    """An error of the target with the lines of its own code that led to it."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).resolve() != Path(__file__).resolve()]
    places = [f"{Path(f.filename).name}:{f.lineno} in {f.name}" for f in frames if "importlib" not in f.filename][-3:]
    try:
        said = str(error)
    except Exception:
        said = "(its message cannot be read)"
    said = "; ".join([said, *getattr(error, "__notes__", ())])
    said = said if len(said) <= LONGEST_MESSAGE else f"{said[:LONGEST_MESSAGE]}... ({len(said)} characters in all)"
    return encodable(type(error).__name__ + (said and f": {said}") + (f" ({' > '.join(places)})" if places else ""))


def encodable(text: str) -> str:
    """Text that UTF-8 can hold: a lone surrogate, as in names of files, is written by its number."""
    return text.encode("utf-8", "backslashreplace").decode()
