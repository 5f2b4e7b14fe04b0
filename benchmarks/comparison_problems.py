"""What benchmarks/comparison.py puts to each checker alike: problems that show a fault, and right answers to problems of several kinds."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice, pairwise
from typing import Any

import numpy as np

from backproof import Problem
from benchmarks.checkers import Target
from benchmarks.honest import Narrow, Variant, backwards, torch_float32, torch_float64
from benchmarks.honest import pairwise as by_halves
from benchmarks.kind import generator, pick, single
from benchmarks.textbook import MicroBatches, Textbook
from benchmarks.trained_kinds import TRAINED
from properties.diagnosis.table import is_conduct
from properties.faults.fault import Fault, Network
from properties.problems.blocks import one_of_each_block
from properties.problems.support import Support
from reference.forward import forward
from reference.gradient import Gradient

MODERATE: dict[str, Any] = {"width": (8, 24), "batch": (8, 32)}
"""Sizes at which one random direction has much to miss; up to three layers, so that differences of each entry take no minutes."""

SIZES: dict[str, dict[str, Any]] = {"hard": {}, "small": {"values": "tame"}, "moderate": {"values": "tame", **MODERATE}}
"""By kind: small networks with all that floating-point numbers may be, small ones with moderate numbers, and moderate ones."""

COMPARED = ("weights", "biases", "x", "loss")
"""What every checker is told of; backproof reads z, a and delta besides."""


def of_size(supports: Mapping[str, Any], size: str) -> Support:
    """Which problems are drawn of a kind for code that supports some."""
    support, limits = Support.of(supports), dict(SIZES[size])
    if support.width is not None:
        limits.pop("width", None)
    if size == "moderate" and support.depth is None:
        limits["depth"] = (1, 3)
    if support.values == "exact":  # which are moderate numbers
        limits.pop("values", None)
    return support.limited(**limits)


_kept: dict[Any, list[Problem]] = {}


def drawn(supports: Mapping[str, Any], precision: str, seed: int, count: int) -> list[Problem]:
    """So many problems within some supports, each kind in turn; drawn once, as most faults share theirs."""
    key = (repr(supports), precision, seed, count)
    if key not in _kept:
        of_each = [one_of_each_block(count // len(SIZES), seed, of_size(supports, size), precision) for size in SIZES]
        _kept[key] = [problem for together in zip(*of_each, strict=True) for problem in together]
    return _kept[key]


def shown(fault: Fault, seed: int, count: int, most: int) -> tuple[list[int], list[Problem], bool]:
    """The first problems, of so many that are drawn, to which a fault answers otherwise than right code, in any bit.

    Of faults of conduct, which one answer does not show, the first ones. Their indices, they, and whether W, b, x or the loss shows it.
    """
    problems = drawn(fault.supports, fault.precision or "float64", seed, count)
    if is_conduct(fault):
        return list(range(most)), problems[:most], True
    found, in_compared = [], False
    for i, problem in enumerate(problems):
        told = _difference(fault.target, problem)
        in_compared |= told == "compared"
        if told:
            found.append(i)
        if len(found) == most:
            break
    return found, [problems[i] for i in found], in_compared


def _difference(target: Target, problem: Problem) -> str:
    """Where an answer is another one than right code's: "compared", for what all checkers are told of, "other", or "" for nowhere."""
    try:
        with np.errstate(all="ignore"):
            answers = [dict(given(problem.copy()).arrays()) for given in (target, Network())]
        places = {place for answer in answers for place in answer if any(not _same(other.get(place), answer[place]) for other in answers)}
    except Exception:  # it raises, or lists another number of layers
        return "compared"
    return "compared" if any(place.quantity in COMPARED for place in places) else "other" if places else ""


def _same(one: Any, other: Any) -> bool:
    arrays = [np.asarray(array) for array in (one, other)]
    return arrays[0].dtype == arrays[1].dtype and arrays[0].shape == arrays[1].shape and arrays[0].tobytes() == arrays[1].tobytes()


def on_kinks(rng: np.random.Generator) -> Problem:
    """A small network of relu and its kin, some of whose pre-activations are on a kink, or so near that a difference crosses it."""
    widths = rng.integers(2, 6, size=int(rng.integers(2, 5)))
    batch, exact = int(rng.integers(1, 9)), rng.random() < 0.5
    activation = str(pick(rng, ("relu", "relu", "leaky_relu", "relu6", "hardtanh")))
    kink = {"hardtanh": 1.0}.get(activation, 0.0)

    def numbers(*shape: int) -> Any:
        return rng.choice([-1.0, -0.5, 0.0, 0.5, 1.0], shape) if exact else single(rng.normal(size=shape))

    weights = [numbers(n, m) for m, n in pairwise(widths)]
    biases = [numbers(n) for n in widths[1:]]
    loss = str(pick(rng, ("half_squared_error", "softmax_cross_entropy")))
    y = np.eye(widths[-1])[rng.integers(widths[-1], size=batch)]
    parts: dict[str, Any] = {"activations": [*[activation] * (len(weights) - 1), "identity"], "x": numbers(batch, int(widths[0])), "y": y}
    problem = Problem(weights, biases=biases, loss=loss, **parts)
    if exact or problem.depth == 1:
        return problem
    # 2^-24 is within the step of all but SciPy, and not a rounding error of z
    z = forward(problem).pre_activations[0]
    biases[0] = single(biases[0] + kink - z[0] + 2.0**-24 * rng.choice([-1, 1]))
    return problem.replaced(biases=biases)


def trained(seed: int) -> Iterator[Problem]:
    """Small networks and regressions from training's begin to its end, at the minimum too, with few enough weights for each checker."""
    wanted = {"trained: students": range(16), "minimum: least squares": range(5), "minimum: logistic regression": range(8)}
    wanted["descent: softmax regression, iris"] = range(0, 100, 20)
    wanted["descent: linear regression, diabetes"] = range(0, 100, 20)
    for kind in TRAINED:
        for index in wanted.get(kind.name, ()):
            yield kind.problem(seed, index)


def honest_problems(seed: int, count: int) -> dict[str, list[Problem]]:
    """By kind, the problems that right answers are given to; their numbers are held in float32."""

    def of_kind(size: str) -> list[Problem]:
        return list(one_of_each_block(count, seed, of_size({}, size), "float32"))

    return {
        "moderate numbers, small": of_kind("small"),
        "moderate numbers, moderate sizes": of_kind("moderate"),
        "beside kinks": [on_kinks(generator(seed, "on kinks", i)) for i in range(count)],
        "trained": [_held(problem) for problem in trained(seed)],
        "all numbers": of_kind("hard"),
    }


def _held(problem: Problem) -> Problem:
    return problem.replaced(
        weights=[single(weight) for weight in problem.weights],
        biases=[None if bias is None else single(bias) for bias in problem.biases],
        x=single(problem.x),
        y=single(problem.y),
    )


def _plain(target: Target) -> Target:
    """dC/dW and dC/db of a target that answers more."""

    def answered(problem: Problem) -> Gradient:
        answer = target(problem)
        return Gradient(answer.weights, answer.biases)

    return answered


REFERENCES: dict[str, Target] = {
    "by hand, loops from the last term": Variant(product=backwards),
    "by hand, sums by halves": Variant(product=by_halves),
    "by hand, nodes and samples reordered": Variant(reordered=True),
    "by hand, mean after the sums": Variant(mean_last=True),
    "by hand, slope 0 at kinks": Variant(at_kink=0.0),
    "by hand, slope 1/2 at kinks": Variant(at_kink=0.5),
    "by hand, slope 1 at kinks": Variant(at_kink=1.0),
}
"""By formulas that hold for all numbers, in float64."""

TWINS: dict[str, dict[str, Target]] = {
    "float64": {
        **REFERENCES,
        "NumPy": Narrow("float64"),
        "textbook": Textbook("float64"),
        "PyTorch": _plain(torch_float64),
        "PyTorch, micro-batches": MicroBatches("float64"),
    },
    "float32": {
        "NumPy": Narrow("float32"),
        "NumPy, loops from the last term": Narrow("float32", backwards),
        "textbook": Textbook("float32"),
        "PyTorch": _plain(torch_float32),
        "PyTorch, micro-batches": MicroBatches("float32"),
    },
}
"""By precision and name: right code, written in several ways."""


def twins_of(kind: str, dtype: str, index: int, most: int) -> Mapping[str, Callable[[Problem], Gradient]]:
    """Whose answers to a problem are asked about: some, by turns; of all numbers those whose formulas hold for them."""
    twins = TWINS[dtype] if kind != "all numbers" else REFERENCES if dtype == "float64" else {}
    names = list(twins)
    return {names[(index * most + i) % len(names)]: twins[names[(index * most + i) % len(names)]] for i in range(min(most, len(names)))}


def first(count: int, seed: int, size: str) -> list[Problem]:
    """So many problems of a size, after the simplest."""
    return list(islice(one_of_each_block(count + 4, seed, of_size({}, size)), 4, None))
