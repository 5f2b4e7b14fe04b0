"""Any saved file, opened: what is in it says what it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from backproof.findings.finding import finding_of_data
from backproof.findings.judged import judgement_of
from backproof.findings.report import report_of_data
from reference.errors import ProblemError
from reference.forms import npz_form
from reference.forms.json_form import parse
from reference.gradient import Gradient
from reference.problem import Problem

KINDS = ("report", "finding", "problem", "gradient", "comparison", "tally", "sweep")
"""What a file may say that it is, after "backproof."; a judgement says nothing, and is known by its fields."""

READERS: dict[str, Callable[[Any], Any]] = {
    "report": report_of_data,
    "finding": finding_of_data,
    "problem": Problem.from_data,
    "gradient": Gradient.from_data,
}

OF_A_JUDGEMENT = {"verdict", "quantity", "got", "allowed", "bound"}


def opened(file: Path) -> tuple[str, Any]:
    """What is in a file: its kind, of KINDS or "judgement", and the Report, Finding, Problem, Gradient or Judgement; else plain data.

    Raises ProblemError, with the file's name, and OSError.
    """
    try:
        if file.suffix == npz_form.SUFFIX:
            return _binary(file)
        return _of_data(parse(file.read_text(encoding="utf-8")))
    except UnicodeDecodeError as error:
        raise ProblemError(f"{file}: {error}") from None
    except ProblemError as error:
        raise ProblemError(str(error) if str(error).startswith(str(file)) else f"{file}: {error}") from None


def _binary(file: Path) -> tuple[str, Any]:
    try:
        return "problem", Problem.load(file)
    except ProblemError as error:
        try:
            return "gradient", Gradient.load(file)
        except ProblemError:
            raise error from None


def _of_data(data: Any) -> tuple[str, Any]:
    named = str(data.get("schema", "")) if isinstance(data, dict) else ""
    kind = named.removeprefix("backproof.")
    if kind in ("comparison", "tally", "sweep") and named != kind:
        return kind, data
    if kind in READERS and named != kind:
        return kind, READERS[kind](data)
    if isinstance(data, dict) and data.keys() >= OF_A_JUDGEMENT:
        try:
            return "judgement", judgement_of(data)
        except (KeyError, TypeError, ValueError) as error:
            raise ProblemError(f"no judgement: {error}") from None
    listed = ", ".join(KINDS)
    raise ProblemError(f"nothing that backproof saves: expected an object with a schema of backproof.: {listed}, or a judgement")
