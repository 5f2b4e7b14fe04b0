"""Diagnosis, measured: whether the place and the cause of planted mistakes are told rightly, and never a wrong cause as certain.

    python -m benchmarks.diagnosis [--seeds 5] [--only NAME]
    python -m benchmarks.diagnosis --leave-one-out
    python -m benchmarks.diagnosis --pairs 200
    python -m benchmarks.diagnosis --honest 2000

The first plants each fault, under its supports and precision. The second takes the fault's own variant, and all that has the same numbers,
out of the table first. The third plants two faults at once that each show beside the other. The fourth puts right networks, written in
many ways, to the diagnosis all the same. A cause that is told, and is not the fault by name, is held against it on 200 further problems:
with other numbers it is a wrong cause. All exit with 1 where a wrong cause is told, or anything of a right network.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backproof.targets.target import InProcess
from benchmarks.honest import HONEST
from benchmarks.textbook import MicroBatches, Textbook
from properties.answers.answer import as_gradient
from properties.diagnosis.asked import SAFETY
from properties.diagnosis.diagnosis import Diagnosis
from properties.diagnosis.equals import are_equal
from properties.diagnosis.examination import GRADIENT, Examination
from properties.diagnosis.expected_of_faults import equations_of, is_placed, said_of_cause, steps_by
from properties.diagnosis.reproduction import together
from properties.diagnosis.table import all_variants, is_conduct
from properties.diagnosis.textbook_formulas import FORMULAS
from properties.faults.fault import Fault, Network, Step
from properties.faults.table import FAULTS
from properties.judging.judgement import Exact
from properties.problems.blocks import one_of_each_block
from properties.problems.support import Support
from reference.arrays import Array
from reference.functions.activations import ACTIVATIONS
from reference.gradient import Place
from reference.problem import Problem
from rounding.precisions import PRECISIONS

SECONDS = 120.0
"""No limit, in effect: what is measured is what can be told, and the time is measured beside it."""


@dataclass
class Examined:
    """What a diagnosis said of a planted mistake. right: what its steps are."""

    diagnoses: tuple[Diagnosis, ...]
    examination: Examination
    seconds: float


def examined(
    target: Any, supports: Mapping[str, Any], precision: str | None, seed: int, without: Sequence[str] = (), strict: bool = False
) -> Examined:
    """A diagnosis of a target."""
    session = InProcess(target, precision=precision, time_limit=0)
    began = time.process_time()
    examination = Examination(session, Support.of(supports), precision or "float64", seed, SECONDS, precision, strict)
    with np.errstate(all="ignore"):
        diagnoses = examination.diagnosed((), without)
    return Examined(diagnoses, examination, time.process_time() - began)


def same_numbers(one: Mapping[str, Step], other: Mapping[str, Step], supports: Mapping[str, Any], seed: int) -> bool:
    """Whether two networks with wrong steps have the same numbers, on 200 problems of a support; what is refused of both is the same."""
    for problem in one_of_each_block(200, seed, Support.of(supports), "float64"):
        answers = [_answer(changed, problem) for changed in (one, other)]
        if answers[0].keys() != answers[1].keys():
            return False
        near = [_are_near(answers[0][place], answers[1][place]) for place in answers[0]]
        if not all(each.all() for each in near):
            # where all digits cancel, two that are the same may differ as far as rounding goes
            allowed = dict(Exact(problem).bound(PRECISIONS["float64"]).arrays())
            for each, place in zip(near, answers[0], strict=True):
                each |= np.isfinite(allowed[place]) & (np.abs(answers[0][place] - answers[1][place]) <= SAFETY * allowed[place])
        if near and np.concatenate([np.ravel(each) for each in near]).mean() < 0.999:  # so they may at a kink
            return False
    return True


def _are_near(one: Array, other: Array) -> Any:
    with np.errstate(all="ignore"):
        near = np.abs(one - other) <= 1e-8 * (np.abs(one) + 1e-300)
    return near | np.isnan(one) & np.isnan(other) | (one == other)


def _answer(changed: Mapping[str, Step], problem: Problem) -> dict[Place, Array]:
    """What a network answers, by place; nothing where it gives no gradient."""
    try:
        gradient = as_gradient(Network(changed, GRADIENT)(problem.copy()), problem)
        return {place: np.asarray(array, dtype=np.float64) for place, array in gradient.arrays()}
    except Exception:
        return {}


def verdict_on(fault: Fault, told: Examined, seed: int) -> tuple[str, bool]:
    """What came of the cause, "right", "equal", "same numbers", "none", "silent" or "WRONG"; and whether the place is right."""
    if not told.diagnoses:
        return "silent", False
    placed, said = is_placed(told.diagnoses[0], fault), said_of_cause(told.diagnoses, fault)
    if said != "other":
        return said, placed
    search = told.examination.search
    if search is not None and same_numbers(together(search.causes), fault.changed, fault.supports, seed):
        return "same numbers", placed
    return "WRONG", placed


def all_faults(faults: Sequence[Fault], seeds: int, leave_out: bool) -> bool:
    """Print what is told of each fault; whether no wrong cause was."""
    counts: Counter[str] = Counter()
    seconds, placed_right = [], 0
    for fault in faults:
        for seed in range(seeds):
            told = examined(fault.target, fault.supports, fault.precision, seed, strict=fault.lossy)
            if leave_out:
                if is_conduct(fault) or fault.name not in all_variants():
                    continue
                known = {fault.name, *(name for one in told.diagnoses for name in (one.cause or "", *one.same_as))}
                known |= {name for name in all_variants() if are_equal(name, fault.name)}
                told = examined(fault.target, fault.supports, fault.precision, seed, sorted(known), fault.lossy)
            cause, right = verdict_on(fault, told, seed)
            counts[cause] += 1
            placed_right += right
            seconds.append(told.seconds)
            said = [(one.equation, one.layer, one.cause) for one in told.diagnoses]
            mark = "" if right else "  MISPLACED"
            print(f"{fault.name}: {cause}{mark} {said} {told.examination.calls} calls, {told.seconds:.1f} s", flush=True)
    total = counts.total()
    print(f"{total} runs: place right {placed_right} ({placed_right / max(total, 1):.1%}); cause {dict(counts)}")
    print(f"seconds of this process: median {np.median(seconds):.1f}, longest {max(seconds):.1f}")
    return not counts["WRONG"]


def all_pairs(number: int, seed: int) -> bool:
    """Print what is told of random pairs of faults."""
    rng, counts, first_right, tried = np.random.default_rng(seed), Counter[str](), 0, 0
    faults = [
        fault for fault in FAULTS.values() if not is_conduct(fault) and len(fault.changed) == 1 and not fault.precision and not fault.lossy
    ]
    while tried < number:
        one, other = (faults[i] for i in rng.choice(len(faults), 2, replace=False))
        supports = {**one.supports, **other.supports}
        steps = {**one.changed, **other.changed}
        if len(steps) < 2 or (one.supports and other.supports and one.supports != other.supports):
            continue
        if same_numbers(steps, one.changed, supports, 1) or same_numbers(steps, other.changed, supports, 1):
            continue
        tried += 1
        network = Network(steps, ("weights", "biases"))
        told = examined(lambda problem, network=network: network(problem), supports, None, tried)
        causes = {diagnosis.cause or "" for diagnosis in told.diagnoses}
        named = sum(any(are_equal(cause, fault.name) or fault.name in same for cause, same in _all_told(told)) for fault in (one, other))
        equations = {*equations_of(one), *equations_of(other)}
        right = bool(told.diagnoses) and (
            told.diagnoses[0].equation in equations or not equations or not all(map(equations_of, (one, other)))
        )
        first_right += right
        search = told.examination.search  # None where conduct is told, of which no fault of these is
        planted = {one.name, other.name}
        others = [cause for cause, same in _all_told(told) if cause and not any(are_equal(cause, name) or name in same for name in planted)]
        wrong = bool(others) and (search is None or not same_numbers(together(search.causes), steps, supports, tried))
        said = "WRONG" if wrong else f"{named} named" if causes - {""} else "none"
        counts[said] += 1
        print(f"{one.name} + {other.name}: {said}{'' if right else '  MISPLACED'} {sorted(causes)} {told.seconds:.1f} s", flush=True)
    print(f"{tried} pairs: {dict(counts)}; output-most place right {first_right}")
    return not counts["WRONG"]


def _all_told(told: Examined) -> list[tuple[str, tuple[str, ...]]]:
    return [(diagnosis.cause or "", diagnosis.same_as) for diagnosis in told.diagnoses]


def all_honest(number: int) -> bool:
    """Put right networks to the diagnosis; whether nothing was told of any."""
    supports: list[Mapping[str, Any]] = [{}, {"width": (3, 3)}, {"losses": ["mean_squared_error"]}, {"biases": True, "batch": 1}]
    # formulas of textbooks overflow, and are right for moderate numbers
    makers: dict[str, tuple[Any, Mapping[str, Any], str | None]] = {
        "by the steps": (Network(answers=("weights", "biases")), {}, None),
        "all quantities": (Network(), {}, None),
        "by textbook formulas": (Textbook("float64"), {"values": "tame"}, None),
        "by textbook formulas in float32": (Textbook("float32"), {"values": "tame"}, None),
        "by PyTorch, over micro-batches": (MicroBatches("float64"), {"values": "tame"}, None),
    }
    makers |= {name: (target, getattr(target, "supports", {}), precision) for name, (target, precision) in HONEST.items()}
    for name, formula in FORMULAS.items():
        makers[f"lossy: {name}"] = Network(steps_by(formula), ("weights", "biases")), {"values": "tame", **_with(formula.of)}, None
    asked, told = Counter[str](), Counter[str]()
    for i in range(number):
        name, (target, limits, precision) = list(makers.items())[i % len(makers)]
        # what says itself what it supports is not narrowed further
        wanted = supports[i // len(makers) % len(supports)] if not limits.keys() - {"values"} else {}
        diagnoses = examined(lambda problem, target=target: target(problem), {**wanted, **limits}, precision, i).diagnoses
        asked[name] += 1
        if diagnoses:
            told[name] += 1
            print(f"{name}, seed {i}: {diagnoses[0].explanation}", flush=True)
        if (i + 1) % 100 == 0:
            print(f"so far {i + 1} right networks, something told of {told.total()}", flush=True)
    for name, runs in asked.items():
        print(f"{name}: {runs} runs, something told of {told[name]}")
    print(f"{number} right networks: something told of {told.total()}")
    return not told


def _with(function: str) -> Mapping[str, Any]:
    """The support that has an activation or loss in every problem."""
    return {"activations": (function,)} if function in ACTIVATIONS else {"losses": (function,)}


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", default="", help="only faults whose name holds this")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th fault")
    parser.add_argument("--leave-one-out", action="store_true")
    parser.add_argument("--pairs", type=int, metavar="N")
    parser.add_argument("--honest", type=int, metavar="N")
    options = parser.parse_args()
    if options.pairs:
        fine = all_pairs(options.pairs, 1)
    elif options.honest:
        fine = all_honest(options.honest)
    else:
        faults = [fault for name, fault in FAULTS.items() if options.only in name][:: options.every]
        fine = all_faults(faults, options.seeds, options.leave_one_out)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
