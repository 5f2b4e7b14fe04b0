"""What we use of Hypothesis beyond what it documents, all of it here, so that a release that changes it is told at one place.

- `hypothesis.database.choices_to_bytes`: how a failure is saved, as the choices that were drawn. `st.integers` draws one integer,
  `st.floats` one float, and `find` looks its failure up by `database_key` and tries it first.
- A failure whose saved choices are not used up is shrunk; one that is had again choice by choice is taken for shrunk already.
- An exception that is no `Exception` leaves the search at once, and is no failure.
- `hypothesis.core.global_force_seed`: the seed of --hypothesis-seed, a whole number or a text; None where there is none. With one, what is
  tried beside a known failure is the same each time (`find` with a `random` of its own looks no failure up).
- The test that Hypothesis is in the middle of belongs to its thread: another thread is in none.

Known to work from 6.130.0, which `pyproject.toml` asks for, to 6.170.17; tests/test_properties_hypothesis_internals.py holds the installed
release to each line.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import hypothesis.core
from hypothesis import HealthCheck, Phase, Verbosity, currently_in_test_context, find, settings
from hypothesis.database import InMemoryExampleDatabase, choices_to_bytes
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")

KEY = b"the known failure"


def shrunk_from(choices: Sequence[int | float], strategy: SearchStrategy[T], fails: Callable[[T], bool]) -> T:
    """The smallest that Hypothesis finds which fails, from a known failure: the choices by which the strategy draws it.

    Raises what `find` raises: NoSuchExample where the known failure does not fail, Flaky where it does not twice.
    """
    database = InMemoryExampleDatabase()
    # the superfluous choice at the end tells Hypothesis that the failure was saved unshrunk
    database.save(KEY, choices_to_bytes([*choices, 0]))
    shrinking = settings(
        database=database,
        phases=[Phase.reuse, Phase.shrink],
        deadline=None,
        derandomize=False,
        max_examples=2,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,  # a seed that is printed beside a report as JSON would spoil it
    )
    with _seeded():
        return find(strategy, fails, settings=shrinking, database_key=KEY)


@contextmanager
def _seeded() -> Iterator[None]:
    """With a seed, where the run has none: which numbers are tried would be a matter of chance, and so would be what a target does then."""
    forced = forced_seed()
    if forced is None:
        hypothesis.core.global_force_seed = 1  # type: ignore[assignment]
    try:
        yield
    finally:
        hypothesis.core.global_force_seed = forced  # type: ignore[assignment]


def forced_seed() -> int | str | None:
    """What --hypothesis-seed says in a test run that has one."""
    forced: int | str | None = getattr(hypothesis.core, "global_force_seed", None)
    return forced


def outside_of_tests(action: Callable[[], T]) -> T:
    """What action returns or raises; in a thread of its own where this one is in the middle of a Hypothesis test.

    A check may be called from a user's own @given, and must not be seen as one test in another.
    """
    if not currently_in_test_context():
        return action()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(action).result()
