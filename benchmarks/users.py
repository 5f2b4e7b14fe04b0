"""Calibration on what users have: honest answers to problems of many kinds (benchmarks/kinds.py), judged by backproof.verify.

    python -m benchmarks.users --seed 1 --seconds 1800 [--trained | --untrained] [--fitting] [--low] [--jax] [--json FILE]
    python -m benchmarks.users --seed 1 --problems 20 [--only KIND]
    python -m benchmarks.users --seed 1 --only KIND --index 3

--seconds: shared out evenly among the kinds; --problems: so many of each kind in their place; --index: one problem, all implementations.
Implementations: PyTorch with one thread, whole batches and micro-batches of 8; NumPy plainly, with sums one by one, in blocks and in random
order, and by the formulas of textbooks; JAX for few problems. PyTorch answers each problem in each precision, and some of the others.
--fitting leaves out the kinds that no constant may be fitted on. Prints for each kind the answers, how many were judged or lossy, alarms,
the largest distance over the distance allowed, and for each precision and size the median over problems of threshold over error (of the
entries of dC/dW, in the median), and of how many; what was inconclusive and why, apart for problems near a minimum, where an honest answer
is itself off by a tenth of a layer's gradient; each alarm in one line. Exits with 1 if there was one.
"""

import argparse
import json
import math
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from backproof import Gradient, Judgement, Problem, ProblemError, verify
from benchmarks.honest import Narrow, Stored, Variant, backwards, in_blocks, in_random_order
from benchmarks.kind import Kind, generator
from benchmarks.kinds import KINDS
from benchmarks.memory import remember_balls
from benchmarks.textbook import MicroBatches, Textbook
from oracles import jax_autodiff, torch_autograd
from properties.judging.judgement import STATISTICAL, Exact
from reference.functions.parametrised import name_and_parameters
from rounding.arithmetic import SIGMAS_ALLOWED
from rounding.precisions import PRECISIONS

Target = Callable[[Problem], Gradient]
NEAR = 0.1
"""An honest answer that is off by so much of the norm of a layer's gradient is near a minimum, or in too few digits."""

DEAREST = 5e7
"""Sums one by one and in random order are loops in Python: they are left out where weights times samples are more."""

OTHERS = 3
"""So many of the other implementations answer a problem, beside PyTorch."""


def torch_whole(dtype: str) -> Target:
    """PyTorch's dC/dW and dC/db."""

    def target(problem: Problem) -> Gradient:
        answer = torch_autograd.answer(problem, dtype).gradient
        return Gradient(answer.weights, answer.biases)

    return target


def torch_all(dtype: str) -> Target:
    """All that PyTorch can be asked for, intermediates and loss too."""
    return lambda problem: torch_autograd.answer(problem, dtype).gradient


def jax_whole(dtype: str) -> Target:
    """JAX's dC/dW and dC/db."""

    def target(problem: Problem) -> Gradient:
        answer = jax_autodiff.answer(problem, dtype).gradient
        return Gradient(answer.weights, answer.biases)

    return target


FIRST: dict[str, tuple[Target, str]] = {f"PyTorch, {dtype}": (torch_whole(dtype), dtype) for dtype in ("float32", "float64")}
OTHER: dict[str, tuple[Target, str]] = {
    f"{name}, {dtype}": (make(dtype), dtype)
    for dtype in ("float32", "float64")
    for name, make in (
        ("PyTorch, micro-batches", MicroBatches),
        ("PyTorch, all quantities", torch_all),
        ("NumPy", Narrow),
        ("NumPy, one by one", lambda dtype: Narrow(dtype, backwards)),
        ("NumPy, blocks", lambda dtype: Narrow(dtype, in_blocks)),
        ("NumPy, random order", lambda dtype: Narrow(dtype, in_random_order)),
        ("NumPy, textbook", Textbook),
    )
}
JAX = {f"JAX, {dtype}": (jax_whole(dtype), dtype) for dtype in ("float32", "float64")}
LOW: dict[str, tuple[Target, str]] = {
    name: row
    for dtype in ("bfloat16", "float16")
    for name, row in (
        (f"PyTorch, {dtype}", (torch_whole(dtype), dtype)),
        (f"by hand, {dtype}", (Stored(f"{dtype}/float32"), f"{dtype}/float32")),
        (f"by hand, one by one, {dtype}", (Stored(f"{dtype}/float32", backwards), f"{dtype}/float32")),
    )
}
"""By name: the target, and the precision that its answers are judged by."""


class Tally:
    """What was seen of one kind."""

    def __init__(self) -> None:
        self.problems = self.answers = self.unjudged = 0
        self.seconds = 0.0
        self.verdicts: Counter[str] = Counter()
        self.reasons: dict[bool, Counter[str]] = {False: Counter(), True: Counter()}
        self.share = 0.0
        self.shares: dict[str, list[float]] = defaultdict(list)
        self.alarms: list[dict[str, Any]] = []

    def add(self, other: "Tally") -> None:
        """Gather what another has seen."""
        self.problems, self.answers = self.problems + other.problems, self.answers + other.answers
        self.unjudged, self.seconds = self.unjudged + other.unjudged, self.seconds + other.seconds
        self.verdicts.update(other.verdicts)
        for near in self.reasons:
            self.reasons[near].update(other.reasons[near])
        self.share = max(self.share, other.share)
        for key, shares in other.shares.items():
            self.shares[key] += shares
        self.alarms += other.alarms

    def data(self) -> dict[str, Any]:
        """As JSON has it."""
        far, near = (sum(self.reasons[near].values()) for near in (False, True))
        return {
            "problems": self.problems,
            "answers": self.answers,
            "judged": self.answers - far - near,
            "inconclusive": dict(self.reasons[False].most_common()),
            "inconclusive near a minimum": dict(self.reasons[True].most_common()),
            "inconclusive share": far / max(self.answers - near, 1),
            "layers unjudged": self.unjudged,
            "verdicts": dict(self.verdicts),
            "alarms": len(self.alarms),
            "largest share of what is allowed": self.share,
            "threshold over error": {key: [float(np.median(shares)), len(shares)] for key, shares in sorted(self.shares.items())},
            "seconds": round(self.seconds, 1),
        }

    def __str__(self) -> str:
        told = self.data()
        far, near = (sum(self.reasons[near].values()) for near in (False, True))
        over = "; ".join(f"{key} {median:.1f} of {count}" for key, (median, count) in told["threshold over error"].items())
        return (
            f"{self.problems} problems, {self.answers} answers: judged {told['judged']}, lossy {self.verdicts['lossy']}, "
            f"inconclusive {far} ({told['inconclusive share']:.1%}) and {near} near a minimum, some layers unjudged {self.unjudged}, "
            f"ALARMS {len(self.alarms)}; largest share {self.share:.2f}; threshold over error {over}; {self.seconds:.0f} s"
        )


def main() -> None:
    """Measure and print."""
    options = _options()
    import torch

    torch.set_num_threads(1)
    remember_balls()
    kinds = [kind for kind in KINDS.values() if _is_wanted(kind, options)]
    tallies = {kind.name: Tally() for kind in kinds}
    start = time.monotonic()
    for kind, index in _schedule(kinds, tallies, options):
        began, tally = time.monotonic(), tallies[kind.name]
        judged(tally, kind, options.seed, index, options)
        tally.seconds += time.monotonic() - began
        done = sum(tally.problems for tally in tallies.values())
        if done % 200 == 0:
            print(f"{done} problems, {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    sums = {title: Tally() for title in ("trained", "untrained", "held out", "all")}
    for kind in kinds:
        print(f"{kind.name}{' (held out)' if kind.held_out else ''}: {tallies[kind.name]}")
        for title in ("trained" if kind.trained else "untrained", "all", *(["held out"] if kind.held_out else [])):
            sums[title].add(tallies[kind.name])
    for title, tally in sums.items():
        print(f"{title.upper()}: {tally}")
    for near, title in ((False, "INCONCLUSIVE"), (True, "INCONCLUSIVE NEAR A MINIMUM")):
        for reason, count in sums["all"].reasons[near].most_common():
            print(f"{title}: {count} {reason}")
    verdicts = Counter(alarm["verdict"] for alarm in sums["all"].alarms)
    print(f"{len(sums['all'].alarms)} alarms in {sums['all'].data()['judged']} judged answers: {dict(verdicts)}")
    if options.json:
        told = {"seed": options.seed} | {name: tally.data() for name, tally in (*tallies.items(), *sums.items())}
        Path(options.json).write_text(json.dumps(told | {"alarms": sums["all"].alarms}, indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if sums["all"].alarms else 0)


def _options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--problems", type=int, default=0, help="so many of each kind, however long it takes")
    parser.add_argument("--index", type=int, help="one problem of each kind, answered by all implementations")
    parser.add_argument("--only", default="", help="only kinds whose name holds this")
    parser.add_argument("--trained", action="store_true", help="only trained networks")
    parser.add_argument("--untrained", action="store_true", help="only untrained ones")
    parser.add_argument("--fitting", action="store_true", help="without the kinds that are held out")
    parser.add_argument("--low", action="store_true", help="bfloat16 and float16 in place of float32 and float64")
    parser.add_argument("--jax", action="store_true", help="JAX too, for one of fifty problems: it compiles each anew")
    parser.add_argument("--json", help="a file for the numbers")
    return parser.parse_args()


def _is_wanted(kind: Kind, options: Any) -> bool:
    excluded = (options.trained and not kind.trained) or (options.untrained and kind.trained) or (options.fitting and kind.held_out)
    return options.only in kind.name and not excluded


def _schedule(kinds: list[Kind], tallies: dict[str, Tally], options: Any) -> Iterator[tuple[Kind, int]]:
    """Which problem is next: a whole draw of the kind that has had the least time so far."""
    if options.index is not None:
        yield from ((kind, options.index) for kind in kinds)
        return
    if options.problems:
        yield from ((kind, index) for kind in kinds for index in range(options.problems))
        return
    start, following = time.monotonic(), Counter[str]()
    while kinds and time.monotonic() - start < options.seconds:
        kind = min(kinds, key=lambda kind: tallies[kind.name].seconds)
        for _ in range(kind.count):
            yield kind, following[kind.name]
            following[kind.name] += 1
            if time.monotonic() - start > options.seconds:
                return


def judged(tally: Tally, kind: Kind, seed: int, index: int, options: Any) -> None:
    """Put one problem to its implementations and judge their answers."""
    problem = kind.problem(seed, index)
    tally.problems += 1
    measured: set[str] = set()
    near: dict[str, bool] = {}
    for name, (target, precision) in implementations(problem, kind, seed, index, options).items():
        posed = problem
        if options.low:
            try:
                posed = held(problem, precision)
            except ProblemError:  # expected outputs that are no distribution any more, or numbers beyond the range
                continue
        with np.errstate(all="ignore"):
            answer = target(posed)
        judgement: Judgement | None = None
        try:
            judgement = verify(posed, answer, precision=precision if "/" in precision else None)
        except Exception as error:  # an alarm of its own: verify must not break down
            verdict, reason = f"raised {type(error).__name__}", str(error)
        else:
            verdict, reason = judgement.verdict.value, judgement.reason
            verdict = "blames itself" if judgement.disagreement else verdict
        tally.answers += 1
        tally.verdicts[verdict] += 1
        if judgement is None or verdict not in ("right", "lossy", "inconclusive"):
            _alarm(tally, kind, seed, index, posed, name, verdict, reason, judgement)
            continue
        tally.unjudged += bool(getattr(judgement, "unjudged", ()))
        if verdict == "inconclusive":
            if precision not in near:
                near[precision] = is_near(posed, precision)
            tally.reasons[near[precision]][shortened(reason)] += 1
        elif verdict == "right":
            if judgement.allowed > 0 and math.isfinite(judgement.distance):
                tally.share = max(tally.share, judgement.distance / judgement.allowed)
            if precision not in measured and index % 4 == 0:
                median = threshold_over_error(posed, answer, judgement)
                if median is not None:
                    tally.shares[f"{precision}, {size_of(problem)}"].append(median)
            measured.add(precision)


def implementations(problem: Problem, kind: Kind, seed: int, index: int, options: Any) -> dict[str, tuple[Target, str]]:
    """Who answers a problem: PyTorch, and some of the others, in turns that the index decides; loops only where they are not too slow."""
    if options.low:
        return LOW
    cost = problem.batch * sum(weight.size for weight in problem.weights)
    others = {name: row for name, row in OTHER.items() if cost <= DEAREST or not ("one by one" in name or "random" in name)}
    if options.index is None:
        order = generator(seed, f"implementations of {kind.name}", index).permutation(len(others))[:OTHERS]
        others = {name: others[name] for name in (list(others)[i] for i in order)}
    return FIRST | others | (JAX if options.jax and (index % 50 == 49 or options.index is not None) else {})


def size_of(problem: Problem) -> str:
    """A class of size, by the count of weights."""
    weights = sum(weight.size for weight in problem.weights)
    return next((f"below {limit:.0e} weights" for limit in (1e3, 1e5) if weights < limit), "more")


def held(problem: Problem, precision: str) -> Problem:
    """The problem with numbers that the storage of a precision holds. Raises ProblemError."""
    row = PRECISIONS[precision]
    return problem.replaced(
        weights=[row.held(weight) for weight in problem.weights],
        biases=[None if bias is None else row.held(bias) for bias in problem.biases],
        x=row.held(problem.x),
        y=row.held(problem.y),
    )


def is_near(problem: Problem, precision: str) -> bool:
    """Whether an honest answer of NumPy in the precision is itself off by a tenth of a layer's gradient, in the norm."""
    storage = precision.split("/")[0]
    with np.errstate(all="ignore"):
        honest = (Narrow(storage) if storage in ("float32", "float64") else Stored(precision))(problem)
        truth = Variant(dtype=np.longdouble)(problem)
        for got, right in zip(honest.weights, truth.weights, strict=True):
            error = np.linalg.norm((got.astype(np.longdouble) - right).astype(np.float64).ravel())
            if error > 0 and not error < NEAR * np.linalg.norm(right.astype(np.float64).ravel()):
                return True
    return False


def threshold_over_error(problem: Problem, answer: Gradient, judgement: Judgement) -> float | None:
    """The median over entries of dC/dW of what is allowed over the actual error; None where no entry that is no underflow is off."""
    exact, precision = Exact(problem), PRECISIONS[judgement.precision]
    if held(problem, precision.name) != problem:  # the rounding of what is given is no error of the answer's
        return None
    if judgement.bound == STATISTICAL:
        allowed = [SIGMAS_ALLOWED * sigma for sigma in exact.deviation(precision, answer).sigma.weights]
    else:
        allowed = list(exact.bound(precision).weights)
    truth = Variant(dtype=np.longdouble)(problem) if precision.name == "float64" and problem.size < 1e5 else exact.reference
    ratios = []
    with np.errstate(all="ignore"):
        for limit, got, right in zip(allowed, answer.weights, truth.weights, strict=True):
            error = np.abs(np.asarray(got, dtype=np.longdouble) - right).astype(np.float64)
            ratio = np.asarray(limit, dtype=np.float64) / error
            ratios.append(ratio[np.isfinite(ratio) & (np.abs(right) > precision.least_normal / precision.unit)])
    everything = np.concatenate(ratios)
    return float(np.median(everything)) if everything.size else None


def shortened(reason: str) -> str:
    """A reason without its numbers, so that equal ones are counted together."""
    return re.sub(r"(?<![a-z\d])[-+]?\d[\d.e+-]*", "N", reason)[:90]


def _alarm(
    tally: Tally, kind: Kind, seed: int, index: int, problem: Problem, name: str, verdict: str, reason: str, judgement: Judgement | None
) -> None:
    """Print an alarm, and keep it."""
    alarm = {
        "kind": kind.name,
        "seed": seed,
        "index": index,
        "widths": "-".join(map(str, problem.widths)),
        "batch": problem.batch,
        "activation": str(problem.activations[0]),
        "loss": name_and_parameters(problem.loss)[0],
        "reduction": problem.reduction,
        "implementation": name,
        "verdict": verdict,
        "reason": reason,
        "entry": judgement.entry if judgement else "",
        "share": judgement.distance / judgement.allowed if judgement and judgement.allowed > 0 else None,
    }
    tally.alarms.append(alarm)
    plain = ("kind", "widths", "batch", "activation", "loss", "reduction", "implementation", "verdict", "entry")
    told = ", ".join(f"batch {alarm[key]}" if key == "batch" else str(alarm[key]) for key in plain)
    print(
        f"ALARM {told}, {alarm['share'] or math.nan:.3g} times: {reason[:120]} | --seed {seed} --only '{kind.name}' --index {index}",
        flush=True,
    )


if __name__ == "__main__":
    main()
