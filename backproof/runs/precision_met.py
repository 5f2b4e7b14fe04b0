"""The best precision that a target meets, where that is another one than its answers claim."""

from collections import Counter

import numpy as np

from backproof.targets.target import Session
from properties.judging.judge import judge
from properties.judging.judgement import Exact
from properties.judging.lost_digits import layer_that_loses, of_one_sample
from properties.problems.blocks import one_of_each_block
from properties.problems.support import Support
from properties.verdict import Verdict
from rounding.precisions import PRECISIONS

FURTHER = 30
"""So many further problems, each of a structure of its own, must be right before a precision is said to be met."""

LEAST = 4
"""One of so many of them at least must be wrong to what the target claims: what computes in few bits is off on most problems."""


def meets(session: Session, support: Support, seed: int, name: str, claimed: str) -> str:
    """What a report says of a target whose wrong answers are right to a narrower precision.

    "" unless further ones are so too, and some of them are wrong to what they claim. support: what they are drawn from, small ones.
    """
    wrong, off = (Verdict.WRONG, Verdict.NONFINITE), 0
    with np.errstate(all="ignore"):
        for problem in one_of_each_block(FURTHER, seed, support, name):
            gradient, exact = session(problem).gradient, Exact(problem)
            if gradient is None or judge(exact, gradient, PRECISIONS[name]).verdict in wrong:
                return ""
            off += judge(exact, gradient, PRECISIONS[claimed]).verdict in wrong
        if off < FURTHER / LEAST:
            return ""
        layers: Counter[int] = Counter()
        for problem in map(of_one_sample, one_of_each_block(FURTHER, seed, support, claimed)):
            gradient = session(problem).gradient
            layer = None if gradient is None else layer_that_loses(problem, gradient, PRECISIONS[claimed])
            layers.update([] if layer is None else [layer])
    where = f": the layer where the digits go is {layers.most_common(1)[0][0]}" if layers else ""
    return f"right to {name}, on {FURTHER} further problems; its answers claim {claimed}{where}"
