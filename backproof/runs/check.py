"""The check, as Python offers it: check, assert_right and replay."""

import math
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from zlib import crc32

from backproof.findings.finding import Finding
from backproof.findings.known_laws import EXACT, JUDGES
from backproof.findings.source import source_of
from backproof.report import Report
from backproof.runs.inquiry import Inquiry, Progress
from backproof.runs.options import asked_in_words, in_words
from backproof.runs.run import Run
from backproof.targets.frameworks import target_of
from backproof.targets.kinds import session_of
from backproof.targets.target import LOAD_LIMIT, TIME_LIMIT, InProcess, Session, Target
from properties.judging.judge import verify, with_quantities
from properties.judging.judgement import Exact, Judgement
from properties.laws.law import Case, Status
from properties.laws.of_conduct import it_answers, shapes_and_dtypes_are_right
from properties.laws.table import laws_for
from properties.problems.blocks import problem_at as draw_problem
from properties.problems.hypothesis_internals import forced_seed
from properties.problems.limits import SupportError
from properties.problems.support import Support
from properties.verdict import Verdict
from reference.errors import ProblemError
from reference.nearest import did_you_mean
from reference.problem import Problem
from rounding.precisions import PRECISIONS

WITHOUT_ANSWER = (it_answers.__name__, shapes_and_dtypes_are_right.__name__)
"""The laws that a target breaks which gives no answer that can be judged."""


def check(
    target: Target | str,
    *,
    max_examples: int = 200,
    seed: int | None = None,
    activations: Sequence[Any] | None = None,
    output_activations: Sequence[Any] | None = None,
    losses: Sequence[Any] | None = None,
    reductions: Sequence[str] | None = None,
    biases: bool | None = None,
    depth: int | tuple[int, int] | None = None,
    width: int | tuple[int, int] | None = None,
    batch: int | tuple[int, int] | None = None,
    wants: Sequence[str] | None = None,
    sizes: str | None = None,
    widths: Sequence[int] | None = None,
    values: str | None = None,
    sample_weights: bool | None = None,
    penalties: Sequence[Any] | None = None,
    precision: str | None = None,
    strict: bool = False,
    oracles: Sequence[str] = (),
    no_diagnosis: bool = False,
    laws: Sequence[str] | None = None,
    max_seconds: float | None = None,
    time_limit: float = TIME_LIMIT,
    load_limit: float = LOAD_LIMIT,
    shrink_seconds: float = 10.0,
    progress: Progress | None = None,
) -> Report:
    """Check a target on random problems.

    target: a callable, called in this process; or "package.module:function" or "path/to/file.py:function", called in a process
        of its own, where it may hang or die; or "run: ./program --flag", in any language (docs/protocol.md).
    max_examples: how many problems are judged; seed: from 0, None for a new one in every run.
    activations, output_activations, losses, reductions, biases, depth, width, batch, wants: which problems, within what the target
        supports (see strategies.problems).
    sizes: "small", or "real" for widths to 512 and batches to 64; widths: of all layers, inputs first, as [784, 128, 10].
        No law poses others, and what fails is shrunk to smaller ones only from beyond 6; never where the target's own supports say widths.
    values: "any"; "tame" for moderate numbers alone: is the gradient right, whether or not the code is robust beyond them? or "exact" for
        such on which nothing rounds, so that right is equal to the last bit.
    sample_weights: samples with weights, or without; penalties: on large weights, each None, "l2", ("l2", factor) or ("l2_over_batch",
        factor); a target is asked neither, unless it supports them or they are said here.
    precision: what the target computes in, a key of PRECISIONS such as "float32" or "bfloat16/float32" (stored / added up in / functions
        computed in); None for what the answers' dtype says.
    strict: whether lossy fails too. oracles: "jax", "torch", "finite_differences", "balls": agreement with them is a law as well.
    no_diagnosis: do not put a target that fails, or is lossy, to a diagnosis, which asks it some 600 further problems: where, and why.
    laws: only these, each on every problem; None for all, of which those that ask further problems are judged in turn.
    max_seconds: after which no further problem is posed, None for no limit; time_limit: for one call; load_limit: for the first call of
        a process, where that is more; shrink_seconds: for shrinking all findings. progress: told how the run goes on.

    Raises TargetError, SupportError, OracleError and LawError where the run cannot begin. Ctrl-C ends the run, with the report so far.
    """
    _check_options(max_examples, seed, precision, max_seconds, time_limit, shrink_seconds, load_limit)
    limits = {
        "activations": activations,
        "output_activations": output_activations,
        "losses": losses,
        "reductions": reductions,
        "biases": biases,
        "depth": depth,
        "width": width,
        "batch": batch,
        "wants": wants,
        "sizes": sizes,
        "widths": widths,
        "values": values,
        "sample_weights": sample_weights,
        "penalties": penalties,
    }
    asked = {
        "max_examples": max_examples,
        "precision": precision,
        "strict": strict,
        "oracles": oracles,
        "no_diagnosis": no_diagnosis,
        "laws": laws,
        "max_seconds": max_seconds,
        "time_limit": time_limit,
        "load_limit": load_limit,
        "shrink_seconds": shrink_seconds,
    }
    chosen = laws_for(oracles, laws)
    session = opened(target, precision, time_limit, load_limit)
    try:
        support = Support.of(session.supports).limited(**limits)
        if values is None and support.of_exact and all(law.name == EXACT for law in chosen):
            # on other problems this law says nothing
            support, limits["values"] = support.of_exact, "exact"
        inquiry = Inquiry(session, support, precision or session.precision, in_words(limits))
        run = Run(inquiry, chosen, strict, progress or (lambda *told: None))
        run.judge_all(max_examples, seed_of_the_run() if seed is None else seed, math.inf if max_seconds is None else max_seconds)
        run.shrink_all(shrink_seconds)
        report = run.report(tuple(oracles), diagnoses=not no_diagnosis)
        source = source_of(target) if isinstance(target, str) else None
        findings = tuple(replace(finding, time_limit=time_limit, source=source) for finding in report.findings)
        return replace(report, findings=findings, asked_by=asked_in_words(asked))
    finally:
        session.close()


def problem_at(
    index: int,
    seed: int,
    *,
    target: Target | str | None = None,
    precision: str | None = None,
    **limits: Any,
) -> Problem:
    """The problem with an index, from 0, in the run of a seed: a pure function, so that any problem of any run can be had again.

    target, limits: as check was told, activations, output_activations, losses, reductions, biases, depth, width, batch, wants, sizes,
    widths, values, sample_weights and penalties; precision: what the finding says that it was drawn in, None for the target's own or
    float64. Raises SupportError, TargetError.
    """
    _check_number("index", index, 0)
    _check_number("seed", seed, 0)
    _check_options(1, seed, precision, None, 1.0, 0.0)
    session = None if target is None else opened(target, precision, 1.0)
    try:
        support = Support.of(session.supports if session else None).limited(**limits)
        return draw_problem(index, seed, support, precision or (session and session.precision) or "float64")
    finally:
        if session:
            session.close()


def assert_right(target: Target | str, **options: Any) -> None:
    """Raise AssertionError, with the report as its message, unless check passes. options: those of check. Ctrl-C goes on."""
    report = check(target, **options)
    if report.interrupted:
        raise KeyboardInterrupt
    if not report.passed:
        raise AssertionError(f"\n{report}")


def replay(
    finding: Finding, *, target: Target | str | None = None, time_limit: float = TIME_LIMIT, load_limit: float = LOAD_LIMIT
) -> Finding | None:
    """Put a finding's problem to its target again: the finding as it is now, or None if the law holds.

    target: another one to ask. What gives no answer breaks the law that says so, whichever the finding names. Raises TargetError,
    OracleError, and ProblemError where the law is not known.
    """
    laws = {law.name: law for law in laws_for(finding.oracles)}
    if finding.law not in laws:
        raise ProblemError(f"law {finding.law!r} is not known: expected one of {', '.join(laws)}")
    asked = target or finding.target
    session = opened(asked, finding.precision, time_limit, load_limit)
    try:
        case = Case(finding.problem, session, finding.precision, Support.of(session.supports))
        law, outcome = finding.law, laws[finding.law].on(case)
        for basic in WITHOUT_ANSWER if case.answer.gradient is None and outcome.status is not Status.BROKEN else ():
            if (instead := laws[basic].on(case)).status is Status.BROKEN:
                law, outcome = basic, instead
        if outcome.status is not Status.BROKEN and outcome.verdict is not Verdict.LOSSY:
            return None
        judgement = outcome.judgement
        if judgement is not None and outcome.answer is not None and law == JUDGES:
            judgement = with_quantities(judgement, Exact(finding.problem), outcome.answer)
        return replace(
            finding,
            target=session.name,
            time_limit=time_limit,
            source=source_of(asked) if isinstance(asked, str) else None,
            law=law,
            verdict=outcome.verdict,
            message=outcome.message,
            judgement=judgement,
            answer=outcome.answer,
            # what was said of the target then, which may have been changed since
            diagnoses=(),
        )
    finally:
        session.close()


def stored(finding: Finding, *, precision: str | None = None, strict: bool = False) -> Judgement:
    """The judgement of the answer that a finding holds, for whoever has not the target. Raises ProblemError where it holds none."""
    if finding.answer is None:
        raise ProblemError(f"the finding holds no answer that could be judged: {finding.verdict.value}: {finding.message}")
    return verify(finding.problem, finding.answer, precision=precision or finding.precision, strict=strict)


def opened(
    target: Target | str, precision: str | None, time_limit: float, load_limit: float = LOAD_LIMIT, ready_limit: float | None = None
) -> Session:
    """The session that asks a target: in a process of its own where it is named. Raises TargetError."""
    if isinstance(target, str):
        return session_of(target, precision=precision, time_limit=time_limit, load_limit=load_limit, ready_limit=ready_limit)
    return InProcess(target_of(target), precision=precision, time_limit=time_limit, load_limit=load_limit)


def _check_options(
    max_examples: Any,
    seed: Any,
    precision: str | None,
    max_seconds: float | None,
    time_limit: float,
    shrink_seconds: float,
    load_limit: float = LOAD_LIMIT,
) -> None:
    _check_number("max_examples", max_examples, 1)
    if seed is not None:
        _check_number("seed", seed, 0)
    if precision is not None and precision not in PRECISIONS:
        raise SupportError(f"precision is {precision!r}: {did_you_mean(precision, PRECISIONS)}expected one of {', '.join(PRECISIONS)}")
    if max_seconds is not None and not 0 < max_seconds < math.inf:
        raise SupportError(f"max_seconds is {max_seconds!r}: expected seconds, more than 0, or None for no limit")
    for name, seconds in (("time_limit", time_limit), ("load_limit", load_limit)):
        if not 0 < seconds < math.inf:
            raise SupportError(f"{name} is {seconds!r}: expected seconds, more than 0")
    if not 0 <= shrink_seconds < math.inf:
        raise SupportError(f"shrink_seconds is {shrink_seconds!r}: expected seconds, at least 0")


def _check_number(name: str, value: Any, least: int) -> None:
    if not isinstance(value, int) or value < least:
        raise SupportError(f"{name} is {value!r}: expected a whole number, at least {least}")


def seed_of_the_run() -> int:
    """The seed of --hypothesis-seed, where a test run has one, so that it gives back what check draws too; else a new one."""
    forced = forced_seed()
    if forced is None:
        return secrets.randbelow(2**32)
    # Hypothesis takes any text for a seed; a run has a whole number of at least 0
    return int(forced) if str(forced).isdecimal() else crc32(str(forced).encode())
