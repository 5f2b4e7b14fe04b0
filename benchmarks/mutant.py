"""A mutant: one correction of the model dropped, and the tests that must see it."""

from dataclasses import dataclass

CORRECTIONS = "tests/test_rounding_corrections.py::test_"


@dataclass(frozen=True)
class Mutant:
    """file: in which the text before, that stands there once, becomes the text after; tests: pytest's ids, all of which must fail."""

    name: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]


def correction(name: str, file: str, before: str, after: str, *tests: str, of: str = CORRECTIONS) -> Mutant:
    """A mutant whose tests stand among the corrections; of: in which file."""
    return Mutant(name, file, before, after, tuple(of + test for test in tests))
