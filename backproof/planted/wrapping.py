"""A function with something else around it, where it is defined: who has imported it before calls the new one too."""

import functools
import inspect
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any

Answered = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]
"""What becomes of an answer; it is told the arguments too."""

Asked = Callable[[tuple[Any, ...]], None]
"""What is told the arguments before there is an answer."""


def _nothing(args: tuple[Any, ...]) -> None:
    pass


class Unwrappable(Exception):
    """There is nothing of this name that can be called; the message says what there is."""


class Around:
    """The function as it was, and what is done to its answers: to those of the outermost call alone, where it calls itself.

    A generator or a coroutine runs after the call: it is inside while it runs, and not while it waits.
    """

    def __init__(self, original: Callable[..., Any], answered: Answered, asked: Asked) -> None:
        self.original, self.answered, self.asked, self.state = original, answered, asked, threading.local()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if getattr(self.state, "inside", False):
            return self.original(*args, **kwargs)
        with self._inside():
            self.asked(args)
            answer = self.original(*args, **kwargs)
        if inspect.isgenerator(answer):
            return self._driven(answer, lambda item: self.answered(item, args, kwargs))
        if inspect.iscoroutine(answer):
            return self._awaited(answer, args, kwargs)
        return self.answered(answer, args, kwargs)

    @contextmanager
    def _inside(self) -> Iterator[None]:
        was = getattr(self.state, "inside", False)
        self.state.inside = True
        try:
            yield
        finally:
            self.state.inside = was

    def _driven(self, running: Any, changed: Callable[[Any], Any]) -> Any:
        """A generator that runs another one, or a coroutine: what that yields, changed, and what it is sent, thrown and returns."""
        step: Callable[[], Any] = partial(running.send, None)
        while True:
            try:
                with self._inside():
                    item = step()
            except StopIteration as end:
                return end.value
            try:
                step = partial(running.send, (yield changed(item)))
            except GeneratorExit:
                running.close()
                raise
            except BaseException as error:
                step = partial(running.throw, error)

    async def _awaited(self, coroutine: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self.answered(await _Awaitable(self._driven(coroutine, lambda item: item)), args, kwargs)


class _Awaitable:
    """What `await` runs by a generator."""

    def __init__(self, generator: Any) -> None:
        self.generator = generator

    def __await__(self) -> Any:
        return self.generator


def wrap(holder: Any, path: str, answered: Answered, asked: Asked = _nothing) -> None:
    """Puts something around the function that a module, say, has by a path such as "backward" or "Linear.backward".

    Raises Unwrappable.
    """
    *way, name = path.split(".")
    for step in way:
        holder = _looked_up(holder, step)
    value = _looked_up(holder, name)
    if isinstance(value, type):
        methods = [each for each, method in vars(value).items() if callable(getattr(value, each, None)) and not each.startswith("__")]
        named = f": name one of its methods, as {path}.{methods[0]}" if methods else ""
        raise Unwrappable(f"{path} is a class{named}")
    if not callable(value):
        raise Unwrappable(f"{path} is a {type(value).__name__}, and no function")
    own = vars(holder).get(name) if hasattr(holder, "__dict__") else None
    function = own.__func__ if isinstance(own, (staticmethod, classmethod)) else own
    if isinstance(function, FunctionType):
        _replace_code(function, answered, asked)
        return
    inherited = isinstance(holder, type) and own is None
    if inherited:
        _override(holder, name, answered, asked)
        return
    with suppress(AttributeError, TypeError):
        setattr(holder, name, _standing_for(value, answered, asked))
        return
    raise Unwrappable(f"{path} is a {type(value).__name__} that can be replaced by nothing")


def _looked_up(holder: Any, name: str) -> Any:
    try:
        return getattr(holder, name)
    except AttributeError:
        public = [each for each in dir(holder) if not each.startswith("_") and callable(getattr(holder, each, None))]
        called = getattr(holder, "__name__", type(holder).__name__)
        raise Unwrappable(f"{called} has no {name}: it has {', '.join(public[:12]) or 'no functions'}") from None


def _override(holder: Any, name: str, answered: Answered, asked: Asked) -> None:
    """Of a method that a class inherits: one of its own, so that its other heirs keep theirs."""
    static = inspect.getattr_static(holder, name)
    kind = type(static) if isinstance(static, (staticmethod, classmethod)) else None
    inherited = static.__func__ if kind else static
    made = _standing_for(inherited, answered, asked)
    setattr(holder, name, kind(made) if kind else made)


def _standing_for(value: Callable[..., Any], answered: Answered, asked: Asked) -> Callable[..., Any]:
    """A function that stands in the place of something else that can be called: of what C or a compiler has made, say."""
    around = Around(value, answered, asked)

    def standing(*args: Any, **kwargs: Any) -> Any:
        return around(*args, **kwargs)

    if isinstance(value, (FunctionType, BuiltinFunctionType, MethodType)) or hasattr(value, "__wrapped__"):
        functools.update_wrapper(standing, value)
    for name, each in getattr(value, "__dict__", {}).items():
        if not name.startswith("__"):
            setattr(standing, name, each)
    return standing


def _replace_code(function: FunctionType, answered: Answered, asked: Asked) -> None:
    """The function stays the same object, with other code: tables, decorators and earlier imports that hold it call the new one."""
    if isinstance(function.__code__.co_consts[-1] if function.__code__.co_consts else None, Around):
        return
    original = FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__)
    original.__kwdefaults__, original.__qualname__, original.__module__ = (
        function.__kwdefaults__,
        function.__qualname__,
        function.__module__,
    )
    with suppress(TypeError, ValueError):
        function.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        # of a generator, which gets the code of a plain function: Python 3.13 warns of that
        warnings.simplefilter("ignore", DeprecationWarning)
        function.__code__ = _calling(Around(original, answered, asked), function.__code__)


def _calling(around: Around, instead_of: CodeType) -> CodeType:
    """Code that calls something with all that it is given; it has the free variables of the code that it replaces, as Python demands."""

    def called(*args, **kwargs):  # type: ignore[no-untyped-def]
        around = "around"
        return around(*args, **kwargs)  # type: ignore[operator]

    code = called.__code__
    # Python 3.10, where a test may run too, has no qualified names in its code
    named: dict[str, Any] = {"co_qualname": instead_of.co_qualname} if hasattr(instead_of, "co_qualname") else {}
    return code.replace(
        co_consts=(*(around if each == "around" else each for each in code.co_consts), around),
        co_freevars=instead_of.co_freevars,
        co_name=instead_of.co_name,
        co_filename=instead_of.co_filename,
        co_firstlineno=instead_of.co_firstlineno,
        **named,
    )
