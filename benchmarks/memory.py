"""Ball arithmetic kept from answer to answer: it is most of the time where many answers to one problem are judged."""

import functools
import hashlib
import pickle
import sys
from typing import Any

from backproof import Problem
from oracles.balls import enclosure as balls


def remember_balls() -> None:
    """Let the enclosure of the last two problems be computed once for each set of further arguments; nothing else changes."""
    original = balls.enclosure
    kept: list[tuple[Problem, dict[str, Any]]] = []

    @functools.wraps(original)
    def remembered(problem: Problem, *others: Any, **options: Any) -> Any:
        key = hashlib.sha256(pickle.dumps((others, options))).hexdigest()
        found = next((answers for other, answers in kept if other is problem or other == problem), None)
        if found is None:
            found = {}
            kept[:] = [(problem, found), *kept[:1]]
        if key not in found:
            found[key] = original(problem, *others, **options)
        return found[key]

    for module in list(sys.modules.values()):
        if getattr(module, "enclosure", None) is original:
            module.enclosure = remembered
