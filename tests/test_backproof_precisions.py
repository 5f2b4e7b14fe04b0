"""A run in any precision: what is right passes without alarm, what is wrong is found, saved and replayed."""

import json
from itertools import pairwise

import ml_dtypes
import numpy as np
import pytest

from backproof import Gradient, Problem, adapt, check, gradient, problem_at, verify
from backproof.findings.finding import finding_of
from backproof.runs.check import replay
from oracles import torch_autograd
from reference.dtypes import DTYPES
from reference.passes import passes
from rounding.precisions import PRECISIONS
from tests.honest_passes import Slopeless, Stored

TORCH_TARGET = """
import torch

torch.set_num_threads(1)  # threads of many tests get into each other's way
ACTIVATIONS = {"identity": lambda z: z, "tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}


def network(problem, dtype=torch.bfloat16, slopes=True, mean=True):
    weights = [torch.tensor(w, dtype=dtype, requires_grad=True) for w in problem.weights]
    biases = [None if b is None else torch.tensor(b, dtype=dtype, requires_grad=True) for b in problem.biases]
    a = torch.tensor(problem.x, dtype=dtype)
    for weight, bias, name in zip(weights, biases, problem.activations):
        z = torch.nn.functional.linear(a, weight, bias)
        a = ACTIVATIONS[name](z)
        if not slopes:
            a = z + (a - z).detach()
    loss = torch.nn.functional.mse_loss(a, torch.tensor(problem.y, dtype=dtype), reduction="sum")
    (loss / problem.batch if mean and problem.reduction == "mean" else loss).backward()
    return [w.grad for w in weights], [None if b is None else b.grad for b in biases]


network.supports = {"activations": list(ACTIVATIONS), "losses": ["squared_error"]}
"""

ARRAYS_TARGET = """
import ml_dtypes
import backproof


def network(problem):
    answer = backproof.gradient(problem)
    weights, biases = answer.weights, answer.biases
    return [w.astype(ml_dtypes.bfloat16) for w in weights], [None if b is None else b.astype(ml_dtypes.bfloat16) for b in biases]


def faulty(problem):
    weights, biases = network(problem)
    return [2 * weight for weight in weights], biases


network.supports = faulty.supports = {"activations": ["tanh", "relu", "sigmoid"], "losses": ["squared_error"]}
faulty.precision = "bfloat16/float32"
"""
"""As quick to start as NumPy is, which PyTorch is not."""


@pytest.fixture(scope="module")
def torch_network():
    pytest.importorskip("torch")
    names = {}
    exec(TORCH_TARGET, names)
    return names["network"]


def torch_target(network, storage, **mistakes):
    import torch

    def target(problem):
        return network(problem, dtype=getattr(torch, storage), **mistakes)

    target.supports = network.supports
    return target


@pytest.mark.parametrize(
    ("storage", "precision"),
    [
        ("bfloat16", "bfloat16/float32/float32"),
        ("bfloat16", "bfloat16/float32"),
        ("bfloat16", None),
        ("float16", "float16/float32/float32"),
        ("float16", "float16/float32"),
        ("float16", "float16"),
    ],
)
def test_pytorch_is_right_in_16_bits(torch_network, storage, precision):
    report = check(torch_target(torch_network, storage), precision=precision, max_examples=10, seed=2, shrink_seconds=0)
    assert report.passed, str(report)
    assert report.verdict in ("right", "lossy")
    assert report.precision == (precision or storage)
    assert report.judged == 10


@pytest.mark.parametrize(("storage", "mistakes"), [("bfloat16", {"slopes": False}), ("float16", {"mean": False})], ids=["slopes", "mean"])
def test_a_mistake_in_pytorch_is_found_in_16_bits(torch_network, storage, mistakes):
    target = torch_target(torch_network, storage, **mistakes)
    report = check(target, precision=f"{storage}/float32", max_examples=8, seed=3, shrink_seconds=0.3)
    assert (report.verdict, report.passed) == ("wrong", False)
    finding = report.findings[0]
    assert finding.law == "it_agrees_with_the_exact_gradient"
    assert finding.judgement.precision == finding.precision == finding.drawn_in == f"{storage}/float32"
    assert all(array.dtype == DTYPES[storage] for _, array in finding.answer.arrays())
    for _, array in finding.problem.arrays():
        assert np.array_equal(PRECISIONS[storage].held(array), array)


def by_hand(kind, name):
    """A pass of tests/honest_passes.py as a target that answers in what the precision stores."""
    row = PRECISIONS[name]

    def target(problem):
        assert {array.dtype for _, array in problem.arrays()} == {row.given}
        found = kind(row=row, by_steps=not row.function_bits, seed=1).gradient(problem)
        weights, biases = ([array.astype(DTYPES[row.storage]) for array in part] for part in (found.weights, found.biases))
        return weights, biases

    return target


@pytest.mark.parametrize("name", [name for name in PRECISIONS if name not in ("float64", "float32")])
def test_a_pass_by_hand_is_right_in_every_precision_and_wrong_without_slopes(name):
    right = check(by_hand(Stored, name), precision=name, max_examples=8, seed=4, shrink_seconds=0)
    assert (right.verdict, right.precision, right.findings) == ("right", name, ())
    agrees = ["it_agrees_with_the_exact_gradient"]
    assert check(by_hand(Slopeless, name), precision=name, max_examples=5, seed=4, shrink_seconds=0, laws=agrees).verdict == "wrong"


def test_tf32_is_not_float32():
    # all of its errors come from products whose factors were rounded
    found = check(by_hand(Stored, "tf32"), precision="float32", max_examples=20, seed=5, shrink_seconds=0).findings[0]
    assert found.verdict == "wrong"
    assert "right to tf32: if that is what it computes in, say precision=tf32" in str(found.judgement)


@pytest.mark.slow
def test_a_process_of_its_own_answers_in_bfloat16(tmp_path):
    path = tmp_path / "of_arrays.py"
    path.write_text(ARRAYS_TARGET)
    right = check(f"{path}:network", precision="bfloat16/float32", max_examples=10, seed=6, shrink_seconds=0)
    assert right.passed, str(right)
    # the target says what it computes in
    report = check(f"{path}:faulty", max_examples=20, seed=6, shrink_seconds=0.5, laws=["it_agrees_with_the_exact_gradient"])
    assert (report.verdict, report.precision) == ("wrong", "bfloat16/float32")
    finding = finding_of(report.findings[0].to_json())
    assert json.loads(finding.to_json())["answer"]["dtype"] == "bfloat16"
    again = replay(finding)
    assert again.verdict == "wrong"
    assert [array.dtype for _, array in again.answer.arrays()] == [array.dtype for _, array in finding.answer.arrays()]
    assert replay(finding, target=f"{path}:network") is None
    before = problem_at(finding.index, finding.seed, target=f"{path}:faulty", precision=finding.drawn_in)
    assert before.depth >= finding.problem.depth


@pytest.mark.parametrize("suffix", ["json", "npz"])
def test_answers_in_bfloat16_are_judged_from_files(tmp_path, suffix):
    problem = Problem([[[0.5, 1.5]]], biases=[[0.25]], activations=["tanh"], x=[[1.0, 0.5]], y=[[0.0]])
    exact = gradient(problem)
    narrow = Gradient(*([array.astype(ml_dtypes.bfloat16) for array in part] for part in (exact.weights, exact.biases)))
    narrow.save(tmp_path / f"answer.{suffix}")
    judged = verify(problem, Gradient.load(tmp_path / f"answer.{suffix}"))
    assert (judged.verdict, judged.precision) == ("right", "bfloat16")
    assert verify(problem, narrow, precision="bfloat16/float32").verdict == "right"
    assert verify(problem, narrow, precision="float32").verdict == "wrong"


@pytest.mark.parametrize("samples", ["rows", "columns", "one"])
def test_an_adapted_function_may_answer_in_bfloat16(samples):
    torch = pytest.importorskip("torch")

    def f(weights, biases, activations, x, y):
        w, b = (torch.tensor(array[0], dtype=torch.bfloat16) for array in (weights, biases))
        x, y = (torch.atleast_2d(torch.tensor(array, dtype=torch.bfloat16)) for array in (x, y))
        if samples == "columns":
            x, y = x.T, y.T
        delta = x @ w + b - y
        return [x.T @ delta], [delta.sum(0)]

    supports = {"activations": ["identity"], "depth": 1, "biases": True, "losses": ["half_squared_error"]}
    target = adapt(f, samples=samples, weights="in_out", supports=supports | ({"reductions": ["sum", "mean"]} if samples == "one" else {}))
    report = check(target, precision="bfloat16/float32", max_examples=8, seed=7)
    assert (report.verdict, report.precision) == ("right", "bfloat16/float32"), str(report)


# ---- real sizes ----


def network_of_real_size(activation, storage, loss="softmax_cross_entropy", widths=(784, 128, 96, 10), batch=64):
    """A problem whose numbers the storage holds, with a mean over samples."""
    rng = np.random.default_rng(5)
    held = PRECISIONS[storage].held
    weights = [held(rng.normal(size=(n, m)) / np.sqrt(m)) for m, n in pairwise(widths)]
    y = np.eye(widths[-1])[rng.integers(widths[-1], size=batch)]
    activations = [*[activation] * (len(weights) - 1), "identity"]
    biases, x = [held(rng.normal(size=n) / 4) for n in widths[1:]], held(rng.normal(size=(batch, widths[0])))
    return Problem(weights, biases=biases, activations=activations, x=x, y=y, loss=loss, reduction="mean")


def kept(answer, storage, change):
    """An answer whose dC/dW of the first layer is changed, in its storage."""
    first = np.array(answer.weights[0], dtype=np.float64)
    return Gradient([change(first).astype(DTYPES[storage]), *answer.weights[1:]], answer.biases)


def stale(weight):
    weight[5] = weight[6]
    return weight


@pytest.mark.parametrize(
    ("storage", "activation"),
    [*(("bfloat16", activation) for activation in ("relu", "tanh", "gelu", "sigmoid")), ("float16", "gelu"), ("float16", "sigmoid")],
)
def test_pytorch_of_real_size_in_16_bits(storage, activation):
    """Right answers pass, by the precision and by the dtype alone; a dropped 1/batch, a stale row and a missing derivative are caught."""
    pytest.importorskip("torch")
    problem, precision = network_of_real_size(activation, storage), f"{storage}/float32"
    found = torch_autograd.answer(problem, storage).gradient
    answer = Gradient(found.weights, found.biases)
    assert verify(problem, answer, precision=precision).verdict == "right"
    assert verify(problem, answer).verdict == "right"
    assert verify(problem, answer, precision=f"{precision}/float32").verdict == "right"
    without_slope = passes(problem).backward.errors[0].T @ problem.x
    mistakes = {"slope": lambda w: without_slope}
    if activation == "gelu":  # the other two are the same of each
        mistakes |= {"1/batch": lambda w: 64 * w, "row": stale}
    for name, change in mistakes.items():
        judged = verify(problem, kept(answer, storage, change), precision=precision)
        assert (name, judged.verdict) == (name, "wrong")
        assert "layer 1" in judged.entry


def test_sums_in_few_bits_say_little_and_sums_in_float32_are_named():
    """Where sums in bfloat16 stagnate, what is right to sums in float32 is right, and what is not is inconclusive, with what to say."""
    problem = network_of_real_size("tanh", "bfloat16")
    found = by_hand(Stored, "bfloat16/float32")(problem.copy(np.float32))
    judged = verify(problem, found)
    assert (judged.verdict, judged.precision) == ("right", "bfloat16/float32")
    off = verify(problem, ([2 * np.asarray(weight, dtype=np.float32) for weight in found[0]], found[1]), precision="bfloat16")
    assert off.verdict == "inconclusive"
    assert off.reason == (
        "nothing can be said: sums of 784 terms stagnate in bfloat16; with sums in float32 it is wrong: if it has them, say "
        "precision=bfloat16/float32"
    )


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "right"), (2.0, "inconclusive")])
def test_a_run_is_not_right_where_that_rests_on_how_sums_are_kept(factor, verdict):
    """A row is off that only some problems have; of those with sums in bfloat16 nothing can be said."""

    def target(problem):
        weights, biases = by_hand(Stored, "bfloat16/float32")(problem.copy(np.float32))
        weights = [np.array(weight).astype(DTYPES["bfloat16"]) for weight in weights]
        if problem.batch > 6:
            weights[0][7] *= DTYPES["bfloat16"].type(factor)
        return weights, [np.asarray(bias).astype(DTYPES["bfloat16"]) for bias in biases]

    def checked(max_examples=4, **options):
        laws = ["it_agrees_with_the_exact_gradient"]
        return check(target, max_examples=max_examples, widths=[300, 80, 10], seed=3, shrink_seconds=0, biases=True, laws=laws, **options)

    report = checked()
    assert (report.verdict, bool(report.doubts)) == (verdict, factor != 1), str(report)
    if factor == 1:
        return
    assert (report.data()["doubts"], report.data()["passed"]) == (report.doubts, False)
    text = str(report)
    assert f"(right or wrong as its sums are kept, on {report.doubts} of {report.examples} problems: see the note)" in text
    assert "with sums in the answers' dtype, and with sums in float32" in text
    assert "say --precision bfloat16/float32 if the target has sums in float32, as PyTorch and JAX have, or --precision bfloat16 if" in text
    # the one of these four that shows it has a sigmoid far out, of which a (1 - a) would leave no digit
    assert checked(16, precision="bfloat16/float32").verdict == "wrong"
    assert checked(precision="bfloat16").doubts == 0


def test_tf32_of_real_size():
    problem = network_of_real_size("gelu", "float32")
    found = by_hand(Stored, "tf32")(problem.copy(np.float32))
    assert verify(problem, found, precision="tf32").verdict == "right"
    judged = verify(problem, found)
    assert (judged.verdict, judged.meets) == ("wrong", "tf32")
    assert judged.reason.startswith("outside are layer 1: dC/dW: ")
    assert verify(problem, ([found[0][0] * np.float32(1.1), *found[0][1:]], found[1]), precision="tf32").verdict == "wrong"


def test_a_mistake_in_one_place_is_not_taken_for_tf32():
    """TF32's bound would hold it, but its errors are in every layer."""
    problem = network_of_real_size("gelu", "float32")
    weights, biases = by_hand(Stored, "float32")(problem.copy(np.float32))
    weights[1][7, 5] += np.float32(0.01) * np.sqrt(np.mean(np.square(weights[1])))
    judged = verify(problem, (weights, biases))
    assert (judged.verdict, judged.meets) == ("wrong", "")
    assert "layer 2: dC/dW: 1 of 12288, in row 7 and column 5" in judged.reason


def test_what_the_bound_knows_nothing_of_is_inconclusive():
    problem = problem_at(113, 115, precision="bfloat16/float32")
    assert verify(problem, gradient(problem), precision="bfloat16/float32").verdict in ("right", "inconclusive")
