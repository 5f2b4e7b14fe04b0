"""Hypothesis inside Hypothesis: a check may be called from a user's own @given, which must not be seen as one test in another."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from hypothesis import currently_in_test_context

T = TypeVar("T")


def outside_of_tests(action: Callable[[], T]) -> T:
    """What action returns or raises; in a thread of its own where this one is in the middle of a Hypothesis test."""
    if not currently_in_test_context():
        return action()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(action).result()
