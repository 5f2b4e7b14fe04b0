"""Where a target compiles each structure anew, more problems of each are posed: the same problems, by other indices."""

import time

import pytest

from backproof import check, gradient, problem_at
from backproof.runs import structures
from backproof.runs.structures import STRUCTURES, Structures
from properties.problems.architecture import architecture_of
from properties.problems.blocks import block_at, first_of_doubled
from properties.problems.support import Support

COMPILING = 0.02
NOTE = "of each were posed"


@pytest.fixture
def compiler(monkeypatch):
    """A target that needs some time for each new structure, or for each call, and keeps what it was asked."""
    monkeypatch.setattr(structures, "DEAR", COMPILING / 2)

    def make(each_call=False):
        known, posed = set(), []

        def target(problem):
            posed.append(problem)
            structure = str(architecture_of(problem))
            if each_call or structure not in known:
                time.sleep(COMPILING)
            known.add(structure)
            return gradient(problem)

        return target, known, posed

    return make


@pytest.mark.parametrize("laws", [None, ["it_answers"]], ids=["all laws", "one that asks once"])
def test_of_what_is_compiled_eight_problems_are_posed_each(compiler, laws, seed_of_the_run):
    target, known, posed = compiler()
    report = check(target, max_examples=100, seed=seed_of_the_run, laws=laws)
    assert report.judged >= 100
    (note,) = [note for note in report.notes if NOTE in note]
    assert note.startswith("a new structure costs the target 0.0")
    assert note.endswith(f" s more than a known one: after {STRUCTURES} problems, each of its own, 8 of each were posed")
    drawn = [problem_at(index, seed_of_the_run) for index in (*range(STRUCTURES), *range(512, 512 + 64))]
    assert all(problem in posed for problem in drawn)
    if laws:
        assert len(known) <= STRUCTURES + 9 + 1


def test_a_finding_says_the_index_of_a_problem_that_was_posed_so(compiler):
    target, _, _ = compiler()

    def wrong(problem):
        answer = target(problem)
        return answer if problem.batch < 5 else gradient(problem.replaced(x=problem.x + 1))

    report = check(wrong, max_examples=200, seed=1, shrink_seconds=0, laws=["it_agrees_with_the_exact_gradient"])
    (finding,) = [finding for finding in report.findings if finding.verdict == "wrong"]
    assert [note for note in report.notes if NOTE in note]
    assert problem_at(finding.index, 1) == finding.problem


def test_a_target_that_is_slow_each_time_is_posed_a_new_structure_each_time(compiler):
    target, known, _ = compiler(each_call=True)
    report = check(target, max_examples=STRUCTURES + 10, seed=1, laws=["it_answers"])
    assert not [note for note in report.notes if NOTE in note]
    assert len(known) >= STRUCTURES


def test_a_short_run_poses_what_it_always_did(compiler):
    target, _, _ = compiler()
    assert not check(target, max_examples=STRUCTURES, seed=1, laws=["it_answers"]).notes


COSTS = [
    ("compiles", [(0.5, 0.001)] * 20, 0.499),
    ("few are known", [(0.5, 0.001)] * 10, 0.0),
    ("slow each time", [(0.5, 0.4)] * 20, 0.0),
    ("quick", [(0.01, 0.0001)] * 20, 0.0),
    ("one that imports", [(20.0, 0.001)] + [(0.002, 0.001)] * 20, 0.0),
]


@pytest.mark.parametrize(("seconds", "cost"), [row[1:] for row in COSTS], ids=[row[0] for row in COSTS])
def test_what_a_new_structure_costs(seconds, cost):
    measured = Structures()
    for pair in seconds:
        measured.remember(*pair)
    assert measured.cost() == pytest.approx(cost)
    assert measured.next(STRUCTURES - 1) == STRUCTURES - 1
    assert measured.next(STRUCTURES) == (512 if cost else STRUCTURES)
    assert measured.next(600) == 600


@pytest.mark.parametrize("doubled", [1, 3, 7])
def test_from_such_an_index_on_blocks_hold_so_many_problems(doubled):
    first = first_of_doubled(doubled)
    before, after = (len(block_at(index, 1, Support(), "float64")) for index in (first - 1, first))
    assert (before, after) == (2**doubled // 2, 2**doubled)
