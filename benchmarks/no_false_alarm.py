"""No false alarm: honest implementations on random problems with all special values.

    python -m benchmarks.no_false_alarm [--examples 2000] [--jax-examples 300] [--seed 1] [--all-laws] [--only NAME]

Each problem is judged by the laws of conduct and by the exact gradient; with --all-laws by those that ask further problems too.

Prints for each implementation how many problems were right, lossy (by function, with the range of z), not judged, and anything else:
anything else is a false alarm, and ends the command with exit code 1.
"""

import argparse
import sys
import warnings
from collections import Counter

from backproof.targets.target import InProcess
from benchmarks.honest import HONEST
from properties.laws.law import Cadence, Case, Status
from properties.laws.table import LAWS
from properties.problems.blocks import one_of_each_block
from properties.problems.support import Support
from properties.verdict import Verdict


def main() -> None:
    """Judge all implementations and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--jax-examples", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all-laws", action="store_true")
    parser.add_argument("--only", default="", help="only implementations whose name holds this")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    alarms = 0
    for name in (name for name in HONEST if options.only in name):
        examples = options.jax_examples if name.startswith("jax") else options.examples
        alarms += judged(name, examples, options.seed, options.all_laws)
    sys.exit(1 if alarms else 0)


def judged(name: str, examples: int, seed: int, all_laws: bool) -> int:
    """Print the counts of one implementation; returns the number of problems on which it is accused."""
    target, precision = HONEST[name]
    session = InProcess(target, precision=None, time_limit=0)
    support = Support.of(session.supports)
    laws = [
        law
        for law in LAWS.values()
        if law.cadence in (Cadence.EVERY_PROBLEM, Cadence.SAMPLED) or (all_laws and law.cadence is Cadence.ROTATED)
    ]
    verdicts: Counter[str] = Counter()
    lossy: dict[str, list[str]] = {}
    alarms: list[str] = []

    for problem in one_of_each_block(examples, seed, support, precision):
        case = Case(problem, session, support=support)
        broken = [(law, outcome) for law in laws if (outcome := law.on(case)).status is Status.BROKEN]
        verdict = case.judgement.verdict
        if broken:
            verdicts["ACCUSED"] += 1
            law, outcome = broken[0]
            alarms.append(f"    {law.name}: {outcome.verdict}: {outcome.message} {outcome.judgement}\n    {problem!r}")
        else:
            verdicts["not judged" if verdict is Verdict.INCONCLUSIVE else verdict.value] += 1
        if verdict is Verdict.LOSSY:
            lossy.setdefault(" and ".join(case.judgement.functions), []).append(case.judgement.reason)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    print(f"{name}: {sum(verdicts.values())} problems: {counts}", flush=True)
    for function, reasons in sorted(lossy.items()):
        print(f"  lossy by {function}, {len(reasons)} times; first: {reasons[0]}")
    for alarm in alarms[:5]:
        print(alarm)
    return len(alarms)


if __name__ == "__main__":
    main()
