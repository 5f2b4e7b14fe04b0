"""How findings and reports are written as text: one way for a terminal, a test's output and `str`."""

import unicodedata


def printable(text: str) -> str:
    """Text from outside without terminal controls: what is no printable character is shown by its number."""
    return "".join(c if c == "\n" or unicodedata.category(c)[0] != "C" else f"\\x{ord(c):02x}" for c in text)


def counted(number: int, noun: str) -> str:
    """The number with its noun: "1 problem", "2 problems"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def label(name: str) -> str:
    """What stands before what a row says."""
    return f"  {name:<9}"
