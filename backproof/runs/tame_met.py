"""Whether a target that fails is right for moderate numbers: then what fails is not its mathematics."""

import time

import numpy as np

from backproof.targets.target import Session
from properties.judging.judge import judge
from properties.judging.judgement import Exact, precision_of
from properties.problems.blocks import one_of_each_block
from properties.problems.limits import SupportError
from properties.problems.support import Support
from properties.problems.tame import DRAWN
from properties.verdict import Verdict

FURTHER = 230
"""So many further problems, each of a structure of its own, are posed: none may be wrong, and of half at least something must be said.

A mistake that shows in one of fifty moderate problems, as a gradient that is clipped does, is in none of so many in one run of a hundred.
"""

SECONDS = 20.0
"""Where they take longer, nothing is said: fewer would not show it."""


def right_if_tame(session: Session, support: Support, seed: int, precision: str | None, drawn_in: str, *, strict: bool = False) -> str:
    """What a report says of a target that is right for moderate numbers; "" of one that is not, or of which too little is known.

    support: what problems are drawn from, small ones; precision: what is judged by, None for what answers' dtype says; drawn_in: what
    numbers are exact in; strict: whether lossy is not right.
    """
    try:
        tame = support.limited(values="tame")
    except SupportError:
        return ""
    right, until = 0, time.monotonic() + SECONDS
    with np.errstate(all="ignore"):
        for problem in one_of_each_block(FURTHER, seed, tame, drawn_in):
            gradient = session(problem).gradient
            if gradient is None:
                return ""
            verdict = judge(Exact(problem), gradient, precision_of(gradient, precision)).verdict
            if not (verdict.passes(strict) or verdict is Verdict.INCONCLUSIVE) or time.monotonic() > until:
                return ""
            right += verdict.passes(strict)
    if 2 * right < FURTHER:
        return ""
    on = f"on {FURTHER} further problems (--values tame)"
    return f"right for moderate numbers, |z| up to {DRAWN:g}, {on}: what fails above fails beyond them"
