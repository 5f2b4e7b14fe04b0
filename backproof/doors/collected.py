"""What the items of a pytest run found, as one report for each target."""

import re
from collections.abc import Sequence
from pathlib import Path

from backproof.findings.report import Report, report_of
from backproof.reports.formats import write_reports
from backproof.runs.together import together

LONGEST_NAME = 100


def write_collected(found: Sequence[tuple[str, str]], folder: Path) -> list[str]:
    """Write what was found into a folder for each target of each test function; what to tell of it.

    found: of each item its node id, and its report as JSON.
    """
    by_function: dict[tuple[str, str], list[Report]] = {}
    for node, text in sorted(found):
        report = report_of(text)
        by_function.setdefault((node.partition("[")[0], report.target), []).append(report)
    told: list[tuple[Path, str]] = []
    for (node, target), reports in by_function.items():
        name = re.sub(r"[^a-zA-Z0-9_.]+", "-", f"{node.rpartition('::')[2]}-{target}").strip("-.")[-LONGEST_NAME:]
        place, number = folder / name, 1
        while place in [path for path, _ in told]:
            number += 1
            place = folder / f"{name}-{number}"
        try:
            told.append((place, f"{len(write_reports(together(reports), place))} files of {target} in {place}"))
        except OSError as error:
            told.append((place, f"the report of {target} cannot be written to {place}: {error.strerror}"))
    return [line for _, line in told]
