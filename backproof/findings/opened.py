"""Any saved file, opened: what is in it says what it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from backproof.findings.challenged import challenged_of
from backproof.findings.finding import Finding, finding_of_data
from backproof.findings.judged import judgement_of
from backproof.findings.report import report_of_data
from backproof.findings.saved import text_of
from reference.errors import ProblemError
from reference.forms import npz_form
from reference.forms.json_form import parse
from reference.gradient import Gradient
from reference.problem import Problem

KINDS = ("report", "finding", "problem", "gradient", "comparison", "tally", "challenge", "sweep")
"""What a file may say that it is, after "backproof."; a judgement says nothing, and is known by its fields."""

READERS: dict[str, Callable[[Any], Any]] = {
    "report": report_of_data,
    "finding": finding_of_data,
    "problem": Problem.from_data,
    "gradient": Gradient.from_data,
    "challenge": challenged_of,
}

OF_A_JUDGEMENT = {"verdict", "quantity", "got", "allowed", "bound"}


def opened(file: Path) -> tuple[str, Any]:
    """What is in a file: its kind, of KINDS or "judgement", and the object of it that READERS make, or a Judgement; else plain data.

    Raises ProblemError, with the file's name, and OSError.
    """
    try:
        if file.suffix == npz_form.SUFFIX:
            return _binary(file)
        return _of_data(parse(text_of(file)))
    except UnicodeDecodeError as error:
        raise ProblemError(f"{file}: {error}") from None
    except ProblemError as error:
        raise ProblemError(str(error) if str(error).startswith(str(file)) else f"{file}: {error}") from None


def finding_in(file: Path, number: int | None = None) -> Finding:
    """The finding that a file holds, or one of a run's, by its number from 1, None for the first.

    Raises ProblemError, with the file's name, and OSError.
    """
    kind, saved = opened(file)
    if kind == "finding" and number in (None, 1):
        return cast(Finding, saved)
    if kind == "finding":
        raise ProblemError(f"{file}: it holds one finding: leave out the number {number}")
    if kind != "report":
        raise ProblemError(f"{file} is a {kind}: expected a finding, or the report of a run")
    if not saved.findings:
        raise ProblemError(f"{file}: the run found nothing: it is {saved.verdict.value}")
    if not 1 <= (number or 1) <= len(saved.findings):
        raise ProblemError(f"{file}: there is no finding {number}: the run has {len(saved.findings)}")
    return cast(Finding, saved.findings[(number or 1) - 1])


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
    listed = ", ".join(f"backproof.{one}" for one in KINDS)
    given = f"its schema is {named!r}" if named else "it says no schema"
    raise ProblemError(f"nothing that backproof saves: {given}; expected {listed}, or a judgement")
