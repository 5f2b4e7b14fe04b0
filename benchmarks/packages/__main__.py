"""Published packages with a backward pass by hand, put to a check, as far as they are installed.

    python -m benchmarks.packages [--only NAME] [--examples N] [--seed N] [--values any]

Asks about moderate numbers, unless told otherwise: whether the gradient is right, and not whether the code bears every number. Says of
each package whether it is installed, and in which version; of each target of an installed one the verdict, the place and the cause, and
whether that is the verdict of docs/trophies.md. Exits with 1 where a verdict is another one in the version that was looked at. Those of
Node are looked for where NODE_PATH says.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata

import backproof
from benchmarks.packages.table import FOLDER, PACKAGES, Package

EXAMPLES = 100


def main(arguments: Sequence[str] | None = None, packages: Sequence[Package] = PACKAGES) -> int:
    """Look at all packages; the number of verdicts that are not those of the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only packages whose name holds this")
    parser.add_argument("--examples", type=int, default=EXAMPLES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--values", default="tame", choices=("tame", "any"))
    options = parser.parse_args(arguments)
    chosen = [package for package in packages if options.only in package.name]
    other, there = 0, 0
    for package in chosen:
        version = installed(package)
        if version is None:
            print(f"{package.name} {package.version}: not installed")
            continue
        there += 1
        looked_at = "" if version == package.version else f" (looked at: {package.version})"
        print(f"{package.name} {version}{looked_at}")
        for target, expected in package.targets.items():
            said, verdict = told(package, target, options.examples, options.seed, options.values)
            differs = verdict != expected and (verdict, expected) != ("lossy", "right")
            other += differs and not looked_at
            print(f"    {target}: {said}{f'; NOT AS TOLD, which is {expected}' if differs else ''}", flush=True)
    print(f"{there} of {len(chosen)} packages are installed; {other} verdicts are not as told")
    return other


def installed(package: Package) -> str | None:
    """Its version, None where it is not installed."""
    if not package.of_node:
        try:
            return metadata.version(package.name)
        except metadata.PackageNotFoundError:
            return None
    try:
        said = subprocess.run(["node", FOLDER / "node" / "version.mjs", package.name], capture_output=True, text=True)
    except FileNotFoundError:  # no Node
        return None
    return said.stdout.strip() or None


def told(package: Package, target: str, examples: int, seed: int, values: str = "tame") -> tuple[str, str]:
    """What is said of a target in one line, and its verdict."""
    try:
        report = backproof.check(package.spec(target), max_examples=examples, seed=seed, values=values)
    except Exception as error:
        return f"cannot be run: {error}", "cannot be run"
    verdict = report.verdict.value
    finding = next(iter(report.findings), None)
    return f"{verdict}{f'; {finding.explanation}' if finding is not None and finding.explanation else ''}", verdict


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
