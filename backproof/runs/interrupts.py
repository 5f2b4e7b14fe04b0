"""Ctrl-C that is not lost: a target's own `except:` may swallow it, or a callback that Python ignores the errors of."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def remembered_interrupts() -> Iterator[Callable[[], None]]:
    """A function that raises KeyboardInterrupt if there was one before, wherever it went; in the main thread alone."""
    seen = threading.Event()

    def raise_again() -> None:
        if seen.is_set():
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield raise_again
        return

    def remember(number: int, frame: FrameType | None) -> None:
        seen.set()
        before(number, frame)

    signal.signal(signal.SIGINT, remember)
    try:
        yield raise_again
    finally:
        signal.signal(signal.SIGINT, before)
