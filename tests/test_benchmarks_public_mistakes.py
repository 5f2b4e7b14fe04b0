"""The pairs of benchmarks/public_mistakes: the mended twin is right, and the mistaken one is not, on a few fixed problems."""

import numpy as np
import pytest

from backproof import Problem, problem_at, verify
from backproof.targets.target import InProcess
from benchmarks.public_mistakes.pair import Pair
from benchmarks.public_mistakes.pairs import PAIRS, THEMES

DRAWN = 200
"""So many problems are drawn at most until the mistake has shown: most show in the first ten, a formula that overflows later."""

TWINS = 8
"""So many problems are put to a twin at least."""

FURTHER = "right", "lossy", "inconclusive"


def verdict_of(session: InProcess, problem: Problem, precision: str | None) -> str:
    """What is said of one answer, twice asked for: what verify says, or that inputs or the answer before were written to."""
    with np.errstate(all="ignore"):
        answer = session(problem)
        again = session(problem)
    if answer.gradient is None or again.gradient is None:
        return str(answer.verdict or again.verdict)
    if answer.changed or answer.overwritten or again.changed or again.overwritten:
        return "impure"
    said = verify(problem, again.gradient, precision=precision).verdict.value
    return said if said not in FURTHER or answer.same_as(again) else "unstable"


def problems(pair: Pair):
    """Problems that the pair's owner would be asked, each followed by the same with other weights."""
    for index in range(DRAWN):
        problem = problem_at(index, 1, target=pair.make(True), precision=pair.precision)
        yield problem
        if pair.keeps:
            yield problem.replaced(weights=[0.5 * weight for weight in problem.weights])


@pytest.mark.parametrize("name", PAIRS)
def test_the_twin_is_right_and_the_mistaken_one_is_not(name):
    pair = PAIRS[name]
    twin, mistaken = (InProcess(pair.make(mended), precision=pair.precision) for mended in (True, False))
    shown = False
    for asked, problem in enumerate(problems(pair)):
        if shown and asked >= TWINS:
            break
        assert verdict_of(twin, problem, pair.precision) in FURTHER, problem
        said = None if shown else verdict_of(mistaken, problem, pair.precision)
        if said in pair.verdicts and said != "right":
            shown = True
    assert shown, f"{name} gave no {' or '.join(pair.verdicts)} in {asked} problems"


def test_sixty_mistakes_stand_in_their_themes_with_their_threads():
    assert len(PAIRS) >= 60
    assert {pair.theme for pair in PAIRS.values()} <= set(THEMES)
    assert len({pair.source for pair in PAIRS.values()}) == len(PAIRS)
