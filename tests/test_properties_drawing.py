"""Drawing: (seed, index) -> problem is a pure function; a block is a stack of problems; small and special ones come first."""

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from backproof import SupportError, problem_at
from properties.judging.by_worst_case import beyond_suspicion
from properties.judging.judge import judge, verify
from properties.judging.judgement import Exact
from properties.problems.architecture import architecture_of
from properties.problems.blocks import block_at, blocks, draw_problems
from properties.problems.blocks import problem_at as drawn_at
from properties.problems.support import Support
from reference.backward import gradient
from reference.gradient import Gradient
from rounding.precisions import PRECISIONS

INDICES = [0, 1, 2, 100, 127, 128, 129, 255, 256, 1000, 4095, 4096, 8191, 8192, 8200, 10**6, 10**9]


@pytest.mark.parametrize("index", INDICES)
def test_a_problem_is_where_its_block_says(index):
    block = block_at(index, 3, Support(), "float64")
    assert block.first <= index < block.first + len(block)
    assert block_at(block.first, 3, Support(), "float64").number == block.number
    after = block_at(block.first + len(block), 3, Support(), "float64")
    assert (after.number, after.first) == (block.number + 1, block.first + len(block))
    assert drawn_at(index, 3, Support()) == block.problems.at(index - block.first)


def test_problems_in_a_row_are_those_by_their_index():
    for index, problem in enumerate(draw_problems(300, 5, Support(), "float32")):
        assert problem == drawn_at(index, 5, Support(), "float32")


def test_a_problem_is_the_same_in_another_process():
    code = "from backproof import problem_at\nfor i in (0, 7, 300, 9000):\n    print(problem_at(i, 11).to_json())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert other == [problem_at(i, 11).to_json() for i in (0, 7, 300, 9000)]


def test_other_seeds_and_indices_give_other_problems():
    texts = [problem_at(index, seed).to_json() for seed in range(5) for index in (1, 2, 3, 500, 501)]
    assert len(set(texts)) == len(texts)


def test_a_drawn_problem_could_be_posed_by_hand():
    for problem in draw_problems(400, 6, Support()):
        assert problem.replaced() == problem
        assert not any(array.flags.writeable for _, array in problem.arrays())


def test_the_first_problems_are_small_and_soon_hold_everything():
    support = Support()
    # twice as many as there are activations: which one comes where is drawn for each layer by itself
    first = list(draw_problems(40, 7, support))
    # where nothing rounds some sizes are powers of two
    assert max(max(problem.depth, problem.batch, *problem.widths) for problem in first[:8]) <= 4
    assert len({str(architecture_of(problem)) for problem in first}) > 36
    seen = Counter(str(choice) for problem in first for choice in problem.activations)
    assert len(seen) == len(support.activation_choices)
    assert {str(problem.loss) for problem in first} == {str(choice) for choice in support.loss_choices}


def test_blocks_grow():
    sizes = [len(block) for block, _ in zip(blocks(1, Support(depth=(1, 1), width=(1, 2)), "float64"), range(600), strict=False)]
    assert sizes[:128] == [1] * 128
    assert sizes == sorted(sizes)
    assert sizes[-1] == 128


REFUSED = [
    ({"index": "7", "seed": 1}, "index is '7': expected a whole number, at least 0"),
    ({"index": -1, "seed": 1}, "index is -1: expected a whole number, at least 0"),
    ({"index": 1, "seed": -1}, "seed is -1: expected a whole number, at least 0"),
    ({"index": 1, "seed": 1, "heights": 3}, "there is no limit 'heights': expected any of activations"),
    ({"index": 1, "seed": 1, "precision": "half"}, "precision is 'half': expected one of float64"),
]


@pytest.mark.parametrize(("asked", "message"), REFUSED, ids=["no number", "index", "seed", "limit", "precision"])
def test_what_cannot_be_drawn_is_refused(asked, message):
    with pytest.raises(SupportError, match=message):
        problem_at(**asked)


def some_blocks(seed):
    """Blocks of many problems, of every kind."""
    return [block_at(index, seed, Support(), "float64") for index in range(4096, 4096 + 64 * 40, 64)]


def reordered(problem):
    """The reference with the samples in reverse order: it rounds otherwise."""
    answer = gradient(problem.replaced(x=problem.x[::-1], y=problem.y[::-1]))
    return Gradient(answer.weights, answer.biases)


def test_what_is_beyond_suspicion_is_right_one_by_one():
    cleared = 0
    for block in some_blocks(8):
        problems = [block.problems.at(i) for i in range(0, 64, 8)]
        answers = [reordered(problem) for problem in problems]
        clear = beyond_suspicion(Exact(block.problems.at(list(range(0, 64, 8)))), answers, PRECISIONS["float64"])
        for is_clear, problem, answer in zip(clear, problems, answers, strict=True):
            cleared += bool(is_clear)
            verdict = judge(Exact(problem), answer, PRECISIONS["float64"]).verdict
            assert verdict == "right" if is_clear else verdict in ("right", "inconclusive")
    assert cleared > 200


@pytest.mark.parametrize("off", [1e-12, 1e-6, np.nan], ids=["a little", "more", "NaN"])
def test_what_is_off_in_one_entry_is_not_beyond_suspicion(off):
    rng = np.random.default_rng(1)
    for block in some_blocks(9)[:12]:
        answers = [gradient(block.problems.at(i)) for i in range(64)]
        bad = set(rng.choice(64, 8, replace=False).tolist())
        for i in bad:
            weights = [weight.copy() for weight in answers[i].weights]
            layer = int(rng.integers(len(weights)))
            weights[layer][-1, -1] += off * max(abs(weights[layer][-1, -1]), np.abs(weights[layer]).max())
            answers[i] = Gradient(weights, answers[i].biases)
        # all with the same quantities
        answers = [Gradient(answer.weights, answer.biases) for answer in answers]
        clear = beyond_suspicion(Exact(block.problems), answers, PRECISIONS["float64"])
        for i in bad:
            assert not clear[i] or verify(block.problems.at(i), answers[i]).verdict == "right"


@pytest.mark.parametrize(("seed", "precision"), list(enumerate(PRECISIONS)))
def test_the_bound_of_a_stack_is_that_of_each_problem(seed, precision):
    kinked = Support.of({"activations": ["relu", "hardtanh", "leaky_relu"]})
    row = PRECISIONS[precision]
    for index in range(4096, 4096 + 64 * 10, 64):
        problems = block_at(index, seed, kinked, precision).problems
        whole = Exact(problems)
        whole.bound(row)
        for i in range(0, 64, 21):
            of_stack, alone = whole.at(i), Exact(problems.at(i))
            references, bounds = dict(of_stack.reference.arrays()), dict(of_stack.bound(row).arrays())
            assert references.keys() == bounds.keys() == dict(alone.reference.arrays()).keys()
            for (place, right), (_, bound) in zip(alone.reference.arrays(), alone.bound(row).arrays(), strict=True):
                np.testing.assert_allclose(bounds[place], bound, rtol=1e-9)
                # sums of a stack may be added up in another order
                assert np.shape(references[place]) == np.shape(right)
                assert np.all((np.abs(references[place] - right) <= bound) | np.isinf(bound))


def test_large_problems_come_in_small_blocks():
    assert len(block_at(10**6, 1, Support(width=(128, 128), batch=(128, 128), depth=(4, 4)), "float64")) == 1
    assert len(block_at(10**6, 1, Support(width=(1, 24)), "float64")) < 128


def test_real_sizes_are_drawn_where_they_are_asked_for():
    problems = list(draw_problems(12, 3, Support(sizes="real"), "float32"))
    assert max(max(problem.widths) for problem in problems) > 40
    assert all(min(problem.widths[1:-1], default=10) >= 10 and max(problem.widths) <= 512 for problem in problems)
    assert all(np.array_equal(weight, weight.astype(np.float32)) for problem in problems for weight in problem.weights)
    assert drawn_at(7, 3, Support(sizes="real"), "float32") == problems[7]


def test_given_widths_are_drawn_alone():
    support = Support.of(None).limited(widths=[784, 128, 10])
    assert support.sizes == "real"
    assert {problem.widths for problem in draw_problems(4, 1, support)} == {(784, 128, 10)}
    assert {problem.widths for problem in draw_problems(20, 1, Support.of(None).limited(widths=[3, 2]))} == {(3, 2)}


WIDTHS = [
    ({"widths": [784]}, "widths is .784.: expected the widths of all layers, inputs first, such as .784, 128, 10."),
    ({"widths": "784,10"}, "expected the widths of all layers"),
    ({"sizes": "huge"}, "sizes is 'huge': expected one of small, real"),
]


@pytest.mark.parametrize(("asked", "message"), WIDTHS, ids=["one", "a string", "sizes"])
def test_sizes_that_there_are_not_are_refused(asked, message):
    with pytest.raises(SupportError, match=message):
        Support().limited(**asked)


def test_widths_beyond_what_a_target_supports_are_refused():
    with pytest.raises(SupportError, match=r"widths is \[8, 4\], but the target supports only width \(1, 6\)"):
        Support.of({"width": 6}).limited(widths=[8, 4])
    with pytest.raises(SupportError, match="supports only depth"):
        Support.of({"depth": 2}).limited(widths=[1, 1, 1, 1])
