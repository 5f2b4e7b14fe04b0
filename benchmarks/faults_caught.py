"""Faults caught: every planted fault under check's defaults, and under the laws that need no oracle alone.

    python -m benchmarks.faults_caught [--seeds 20] [--only NAME]
    python -m benchmarks.faults_caught --without-agreement [--examples 400]
    python -m benchmarks.faults_caught --shrunk [--seeds 1]

The first prints, for each fault, with how many seeds check finds it (it stops at the first finding, and does not shrink). The second
leaves out the laws of agreement, and prints for each fault the laws that caught it, or why it is blind, or MISSED. The third prints how
many numbers the worst finding's problem has after shrinking. All exit with 1 if a fault is missed.
"""

import argparse
import sys

from backproof import check
from backproof.runs.inquiry import Inquiry
from backproof.runs.run import Run
from backproof.targets.target import InProcess
from properties.faults.fault import Fault
from properties.faults.table import FAULTS
from properties.laws.law import Cadence, Case, Status
from properties.laws.of_agreement import it_agrees_with_the_exact_gradient
from properties.laws.table import LAWS, laws_for
from properties.problems.blocks import one_of_each_block
from properties.problems.support import Support
from properties.verdict import Verdict

AGREEMENT = it_agrees_with_the_exact_gradient.__name__


class Found(BaseException):
    """Ends the drawing."""


def main() -> None:
    """Pose problems to every fault and print what caught it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--examples", type=int, default=400)
    parser.add_argument("--without-agreement", action="store_true")
    parser.add_argument("--shrunk", action="store_true")
    parser.add_argument("--only", default="", help="only faults whose name holds this")
    options = parser.parse_args()
    faults = [fault for name, fault in FAULTS.items() if options.only in name]
    if options.without_agreement:
        missed = [fault.name for fault in faults if not caught_without_agreement(fault, options.examples)]
    elif options.shrunk:
        sizes = {fault.name: size_of_the_finding(fault, seed) for fault in faults for seed in range(options.seeds)}
        missed = [name for name, size in sizes.items() if not size]
        print(f"numbers in the shrunk problems: {sorted(sizes.values())}; {sum(sizes.values())} in all")
    else:
        missed = [fault.name for fault in faults if not caught_by_check(fault, options.seeds)]
    print(f"{len(faults)} faults, missed: {', '.join(missed) or 'none'}")
    sys.exit(1 if missed else 0)


def caught_by_check(fault: Fault, seeds: int) -> bool:
    """Print with how many seeds a run of check at its defaults finds a fault."""
    caught = sum(found(fault, seed) for seed in range(seeds))
    print(f"{fault.name}: {caught} of {seeds} seeds", flush=True)
    return caught == seeds


def found(fault: Fault, seed: int) -> bool:
    """Whether check at its defaults finds a fault, with a seed."""
    session = InProcess(fault.target, precision=fault.precision)

    def seen() -> bool:
        return any(way.verdict is not Verdict.LOSSY or fault.lossy for way in run.failures.by_way)

    def stop_at_the_first(step: str, done: int, total: int) -> None:
        if seen():
            raise Found

    run = Run(Inquiry(session, Support.of(session.supports), fault.precision), laws_for(), fault.lossy, stop_at_the_first)
    try:
        run.judge_all(200, seed)
    except Found:
        return True
    return seen()


def size_of_the_finding(fault: Fault, seed: int) -> int:
    """Print and return how many numbers the problem of the worst finding has; 0 if nothing is found."""
    report = check(fault.target, seed=seed, strict=fault.lossy, precision=fault.precision)
    size = report.findings[0].problem.size if report.findings else 0
    print(f"{fault.name}: {size} numbers, {report.seconds:.1f} s", flush=True)
    return size


def caught_without_agreement(fault: Fault, examples: int) -> bool:
    """Print which laws catch a fault, none of which knows the exact gradient."""
    session = InProcess(fault.target, precision=fault.precision)
    laws = [law for law in LAWS.values() if law.name != AGREEMENT and law.cadence is not Cadence.AUDIT]
    caught: dict[str, None] = {}
    claimed = {name for name in fault.laws if name in {law.name for law in laws}}

    for problem in one_of_each_block(examples, 1, Support.of(fault.supports), fault.precision or "float64"):
        case = Case(problem, session, fault.precision, Support.of(fault.supports))
        for law in laws:
            if law.name not in caught and law.on(case).status is Status.BROKEN:
                caught[law.name] = None
        if claimed <= caught.keys() and caught:
            break
    unseen = f" (claimed, and not seen: {', '.join(sorted(claimed - caught.keys()))})" if claimed - caught.keys() else ""
    why = f"blind: {fault.blind}" if fault.blind else "MISSED"
    print(f"{fault.name}: {'caught by ' + ', '.join(caught) if caught else why}{unseen}", flush=True)
    return bool(caught or fault.blind)


if __name__ == "__main__":
    main()
