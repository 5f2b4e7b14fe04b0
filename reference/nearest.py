"""The nearest of some names to one that is not known: what somebody may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


def did_you_mean(given: Any, names: Iterable[Any]) -> str:
    """ "did you mean 'tanh'? ", or "" where nothing is near. given: what is not known; names: what is."""
    if not isinstance(given, str):
        return ""
    known = {name.lower(): name for name in names if isinstance(name, str)}
    near = get_close_matches(given.lower().replace("-", "_").replace(" ", "_"), known, n=1, cutoff=0.7)
    return f"did you mean {known[near[0]]!r}? " if near else ""
