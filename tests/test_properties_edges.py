"""What is drawn comes to each limit of exp, log and squares, and around whole blocks; a target that is wrong there alone is found."""

import warnings

import numpy as np
import pytest

from backproof import Problem, check, gradient
from backproof.runs import run
from backproof.runs.conclusion import Conclusion
from properties.faults.fault import Network, slope
from properties.problems.architecture import Architecture
from properties.problems.blocks import blocks, draw_problems
from properties.problems.edges import EDGES, LONG, REAL_LONG, at_edges
from properties.problems.support import Support
from properties.problems.values import ValuePlan, problems_of_seed
from reference.forward import forward
from rounding.precisions import PRECISIONS

ALONE = [name for name in EDGES if name not in ("tanh_becomes_one", "erf_becomes_one", "exp_is_lost_beside_one", "bell_vanishes")]
"""The edges in float64 to which hardly any other problem comes."""

WITHIN = {"lost_beside_one": 400} | dict.fromkeys(("exp_is_lost_beside_one", "bell_vanishes", "square_overflows"), 200)
"""Within how many problems of a run a mistake at an edge is found, where that is more than a hundred."""

QUICK = {"laws": ["it_agrees_with_the_exact_gradient"], "shrink_seconds": 0}
"""What a run of check needs to find a mistake at an edge, and no more."""


@pytest.fixture(autouse=True)
def first_failure_suffices(monkeypatch):
    """A run ends where a mistake is found, and does not ask whether the target is right for moderate numbers: nobody reads it here."""
    monkeypatch.setattr(run, "FAILURES_THAT_END_A_RUN", 1)
    monkeypatch.setattr(Conclusion, "_right_if_tame", lambda self, told: "")


def comes_to(problem, name, precision):
    low, high = EDGES[name](PRECISIONS[precision])
    with np.errstate(all="ignore"):
        return any(((np.abs(z) > low) & (np.abs(z) < high)).any() for z in forward(problem).pre_activations)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_edge_is_a_range_within_the_precision(precision):
    row = PRECISIONS[precision]
    for name, edge in EDGES.items():
        low, high = edge(row)
        assert 0 < low < high < row.largest, name
        assert low >= 2.0**row.least_exponent


@pytest.mark.parametrize("precision", ["float64", "float32", "float16"])
def test_every_edge_is_drawn_with_both_signs(precision):
    z = at_edges(np.random.default_rng(1), (20_000,), precision)
    for edge in EDGES.values():
        low, high = edge(PRECISIONS[precision])
        assert ((z > low) & (z < high)).sum() > 100
        assert ((-z > low) & (-z < high)).sum() > 100


@pytest.mark.parametrize("precision", ["float64", "float32", "float16", "bfloat16/float32"])
def test_problems_come_to_every_edge(precision):
    # in float64 some 10 of 600 come to the rarest, and of other seeds one in a thousand brings fewer than two
    with np.errstate(all="ignore"):
        sizes = [
            np.concatenate([np.abs(z).ravel() for z in forward(problem).pre_activations])
            for problem in draw_problems(600, 5, Support(), precision)
        ]
    for name, edge in EDGES.items():
        low, high = edge(PRECISIONS[precision])
        assert sum(((z > low) & (z < high)).any() for z in sizes) >= 2, name


def test_limits_of_exp_in_float64_are_where_they_are_known_to_be():
    row = PRECISIONS["float64"]
    low, high = EDGES["exp_overflows_soon"](row)
    assert np.isfinite(np.exp(high))
    assert np.exp(-low) >= row.least_normal > np.exp(-high)
    with np.errstate(all="ignore"):
        assert np.isinf(np.exp(high + 1e-9))
        assert np.exp(-EDGES["exp_vanishes"](row)[1]) == 0
    assert low < 702.8
    assert high > 709.7


PLAN = ValuePlan("normal", special="edges")


@pytest.mark.parametrize("biased", [True, False])
def test_the_plan_puts_nodes_of_one_layer_and_sample_at_edges(biased):
    architecture = Architecture((3, 4, 4, 3), 2, ("tanh", "softsign", "tanh"), (biased,) * 3, "half_squared_error", "sum")
    stack = problems_of_seed(architecture, PLAN, 5, "float64", 50)
    plain = problems_of_seed(architecture, ValuePlan("normal"), 5, "float64", 50)
    changed = [i for i, (a, b) in enumerate(zip(stack.weights, plain.weights, strict=True)) if not np.array_equal(a, b)]
    assert len(changed) == 1
    layer = changed[0]
    moved = (stack.weights[layer] != plain.weights[layer]).any(axis=-1)
    assert 0.3 < moved.mean() < 0.7
    assert ((stack.weights[layer] != 0).sum(axis=-1)[moved] == 1).all()
    z = np.abs(forward(stack).pre_activations[layer])
    ranges = [edge(PRECISIONS["float64"]) for edge in EDGES.values()]
    at = np.any([(z >= low * (1 - 1e-12)) & (z <= high * (1 + 1e-12)) for low, high in ranges], axis=0)
    assert at.any(axis=1)[moved].all()


def wrong_at(name, precision="float64"):
    """A network whose slope is twice what it is at one edge, and right everywhere else."""
    low, high = EDGES[name](PRECISIONS[precision])

    def doubled(p, layer):
        z = np.abs(p.z[layer])
        return slope(p, layer) * np.where((z > low) & (z < high), 2.0, 1.0)

    return Network({"slope": doubled}, ("weights", "biases"))


@pytest.mark.parametrize("name", EDGES)
def test_what_is_wrong_at_one_edge_alone_is_found(name):
    options = {"activations": ["identity"], "losses": ["half_squared_error"], **QUICK}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of numbers that leave the range nobody is told
        report = check(wrong_at(name), max_examples=WITHIN.get(name, 100), seed=1, **options)
    assert report.verdict == "wrong"


def test_no_other_problem_comes_to_an_edge():
    """Without the plan for edges hardly any would, which is why there is one."""
    architecture = Architecture((3, 4, 4, 3), 2, ("tanh", "softsign", "tanh"), (True,) * 3, "half_squared_error", "sum")
    for value_class in ("normal", "zeros", "one_sign"):
        stack = problems_of_seed(architecture, ValuePlan(value_class), 5, "float64", 100)
        for name in ALONE:
            assert not comes_to(stack, name, "float64"), name


def test_a_sigmoid_that_fails_just_inside_the_overflow_of_exp_is_found():
    """As one whose slope is e / (1 + e)^2, with e = exp(-z), where that is finite, and is patched where e itself is not."""

    def patched(p, layer):
        z = p.z[layer]
        return np.where((z < -702.5) & (z > -709.7), np.nan, slope(p, layer))

    options = {"activations": ["sigmoid"], "losses": ["half_squared_error"], **QUICK}
    assert check(Network({"slope": patched}, ("weights", "biases")), max_examples=600, seed=1, **options).verdict == "nonfinite"


def test_small_networks_now_and_then_have_one_long_width_or_batch():
    problems = [block.problems for block, _ in zip(blocks(3, Support(), "float64"), range(500), strict=False)]
    long_batches = {problem.batch for problem in problems if problem.batch > 5}
    long_widths = {width for problem in problems for width in problem.widths if width > 6}
    assert long_batches == long_widths == set(LONG)
    for problem in problems:
        assert (problem.batch > 5) + sum(width > 6 for width in problem.widths) <= 1
    assert 0.05 < sum(problem.batch > 5 or max(problem.widths) > 6 for problem in problems) / len(problems) < 0.2
    assert all(problem.batch < 6 and max(problem.widths) < 7 for problem in problems[:32])


LIMITED = [({"width": (1, 6)}, "width"), ({"batch": 5}, "batch"), ({"widths": [2, 2, 1]}, "width")]


@pytest.mark.parametrize(("supports", "name"), LIMITED, ids=["width", "batch", "widths"])
def test_nothing_long_is_drawn_where_a_limit_is_set(supports, name):
    problems = [block.problems for block, _ in zip(blocks(3, Support.of(supports), "float64"), range(400), strict=False)]
    sizes = [max(problem.widths) if name == "width" else problem.batch for problem in problems]
    assert max(sizes) <= 6


def answer_of(problem, batch=None, rows=None):
    """The gradient of the first samples alone, or with zeros beyond the first rows of dC/dW."""
    answer = gradient(problem if batch is None else problem.replaced(x=problem.x[:batch], y=problem.y[:batch]))
    share = 1.0 if batch is None or problem.reduction == "sum" else batch / problem.batch
    weights = [weight * share for weight in answer.weights]
    for weight in weights if rows is not None else ():
        weight[rows(len(weight)) :] = 0.0
    return weights, [None if bias is None else bias * share for bias in answer.biases]


def whole(size, length):
    """What is left of a size without its remainder, if it has one whole block at all."""
    return size - size % length if size > length else size


SIZES = [
    *(
        (f"batch beyond blocks of {n}", lambda p, n=n: answer_of(p, batch=whole(p.batch, n)), within)
        for n, within in ((8, 300), (16, 1200), (32, 1200))
    ),
    *(
        (f"batch of whole blocks of {n}", lambda p, n=n: answer_of(p, batch=p.batch - n // 2 if p.batch % n == 0 else None), within)
        for n, within in ((8, 1000), (16, 1000), (32, 3000))
    ),
    *(
        (f"rows beyond blocks of {n}", lambda p, n=n: answer_of(p, rows=lambda rows: whole(rows, n)), within)
        for n, within in ((8, 300), (16, 3000), (32, 300))
    ),
    ("the last block of 8 is empty", lambda p: answer_of(p, rows=lambda rows: rows - 8 if rows > 8 and rows % 8 == 0 else rows), 600),
    ("the largest of all", lambda p: answer_of(p, batch=62 if p.batch == 63 else None), 600),
]
"""Targets that forget a remainder, or a last block that is full; right for all sizes up to 6. Within how many problems they are found."""


@pytest.mark.parametrize(("target", "within"), [row[1:] for row in SIZES], ids=[row[0] for row in SIZES])
def test_what_is_wrong_at_some_sizes_alone_is_found(target, within):
    assert all(np.array_equal(a, b) for n in (5, 6) for a, b in zip(target(few(n))[0], gradient(few(n)).weights, strict=True))
    options = {"activations": ["tanh", "identity"], "losses": ["half_squared_error"], "depth": 2, **QUICK}
    assert check(target, max_examples=within, seed=1, **options).verdict == "wrong"


def few(n):
    x = np.random.default_rng(n).normal(size=(n, n))
    return Problem([x], activations=["tanh"], x=x, y=x)


def test_what_needs_a_long_batch_is_shrunk_to_the_least_of_plain_numbers():
    def target(problem):
        return answer_of(problem, batch=whole(problem.batch, 8))

    options = {"activations": ["identity"], "losses": ["half_squared_error"], **QUICK, "shrink_seconds": 20}
    (finding,) = check(target, max_examples=300, seed=1, **options).findings
    assert (finding.problem.batch, finding.problem.widths, finding.shrunk) == (9, (1, 1), "in full")
    assert all(float(value).is_integer() for _, array in finding.problem.arrays() for value in array.ravel())


def real(seed, count):
    return [block.problems for block, _ in zip(blocks(seed, Support(sizes="real"), "float32"), range(count), strict=False)]


def test_real_sizes_stand_around_whole_blocks_and_have_single_ends():
    problems = real(5, 160)
    hidden = [width for problem in problems[60:] for width in problem.widths[1:-1]]
    assert 0.3 < np.mean([width in REAL_LONG for width in hidden]) < 0.8
    assert any(width % 128 == 0 for width in hidden)
    single = [problem for problem in problems if problem.widths[-1] == 1]
    assert len(single) >= 5
    assert any(problem.batch * problem.widths[-2] > 4096 for problem in single)
    assert any(problem.widths[0] == 1 for problem in problems)


def test_a_real_network_with_one_output_that_is_wrong_is_found():
    """As of a product with a single column that goes another way once it is large."""

    def target(problem):
        answer = gradient(problem)
        large = problem.widths[-1] == 1 and problem.batch * problem.widths[-2] > 4096
        return [*answer.weights[:-1], answer.weights[-1] * (1.01 if large else 1.0)], answer.biases

    options = {"activations": ["tanh"], "losses": ["half_squared_error"], "depth": 2, **QUICK}
    assert check(target, max_examples=100, seed=1, sizes="real", **options).verdict == "wrong"


def test_a_real_network_of_whole_blocks_that_is_wrong_is_found():
    def target(problem):
        return answer_of(problem, rows=lambda rows: rows - 1 if rows > 8 and rows % 16 == 0 else rows)

    options = {"activations": ["tanh"], "losses": ["half_squared_error"], "depth": 2, **QUICK}
    assert check(target, max_examples=25, seed=1, sizes="real", **options).verdict == "wrong"
