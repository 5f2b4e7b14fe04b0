"""Judging an answer to a problem without samples, whose sum over them is 0: nothing is rounded."""

import numpy as np

from properties.judging.judgement import Exact, Judgement, judgement_of, measured
from properties.verdict import Verdict
from reference.gradient import Gradient
from rounding.precisions import Precision


def judge_of_no_sample(exact: Exact, answer: Gradient, precision: Precision) -> Judgement:
    """Right where dC/dW, dC/db and C are 0; what there is for each sample has no entries."""
    nothing = exact.reference.mapped(lambda place, array: np.zeros_like(np.asarray(array)))
    entries = [entry for entry in measured(answer, nothing, nothing, nothing) if entry.got.size]
    judged = sum(entry.got.size for entry in entries)
    if not any(entry.outside.any() for entry in entries):
        return judgement_of(Verdict.RIGHT, entries, precision, judged)
    verdict = Verdict.WRONG if all(np.isfinite(entry.got).all() for entry in entries) else Verdict.NONFINITE
    return judgement_of(verdict, entries, precision, judged, "a batch without samples has a gradient that is not 0")
