"""The page: one HTML file of a run, from its report as saved data alone; no script, and nothing is loaded."""

from contextlib import suppress
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from backproof.findings.diagnosed import headings
from backproof.findings.finding import Finding
from backproof.findings.report import Report, report_of
from backproof.findings.shown_problem import problem_text
from backproof.findings.text import printable
from backproof.reports.chain import FITS, Step, chain, first_off
from backproof.reports.charts import evidence_picture
from backproof.reports.heat import heat_maps
from backproof.reports.mathematics import EQUATIONS, IN_WORDS, RIGHT, mathml
from backproof.reports.network import network_picture, sample_shown
from backproof.reports.standalone import standalone_script
from backproof.reports.told import BADGES, again, doubts, facts, findings_by_cause, headline, meaning_of_right, nearness, of_diagnosis
from backproof.reports.values import capital, cells, clean, letters, short
from properties.judging.judgement import Judgement
from properties.verdict import Verdict
from reference.errors import ProblemError
from reference.gradient import Gradient
from reference.problem import Problem

LARGEST_CHAIN = 2_000
"""Numbers of a problem whose equations are read one by one."""

MOST_SCRIPTS, LARGEST_SCRIPT = 3, 300
"""Findings whose scripts are on the page, and the most numbers of their problems."""

SORT_NAMES = {"value_class": "values"}
MOST_BARS = 12
"""Bars of one sort that stand open; with more, neighbours are counted together."""


def page(report: Report) -> str:
    """The page of a run."""
    # what is saved and read again says the same: a page from the file has the same bytes
    report = report_of(report.to_json())
    first = report.findings[0] if report.findings else None
    told = headline(report)
    rendered = template("page.html.j2").render(
        report=report,
        badge=BADGES.get(report.verdict, "bad"),
        doubts=doubts(report),
        headline=told,
        facts=[*facts(report), *nearness(report)],
        first=first,
        others=[] if first is None else [of_diagnosis(each, first) for each in first.diagnoses[1:]],
        of_first=None if first is None else of_finding(first),
        # of a place that is not told no picture is shown first
        evidence=[] if first is None or told.in_part or not (first.cause or told.right) else _evidence(first),
        bars=bars(report),
        groups=[(name, [(i, finding, finding_rows(finding)) for i, finding in listed]) for name, listed in findings_by_cause(report)],
        laws=[(name, count, count.status) for name, count in report.laws.items()],
        again=again(report),
        scripts=_scripts(report),
        meaning=meaning_of_right(report),
        equations=[(number, latex, IN_WORDS[number]) for number, latex in EQUATIONS.items()],
        blamed=set(first.equations) if first is not None else set(),
    )
    # wherever a text from outside stands, no control of it is left
    return printable(rendered)


@cache
def template(name: str) -> Any:
    """A template of backproof/reports/templates, in which all that is not marked as safe is escaped."""
    environment = Environment(
        loader=PackageLoader("backproof.reports"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"clean": clean, "short": short, "mathml": mathml, "letters": letters, "capital": capital, "headings": headings}
    return environment.get_template(name)


def of_finding(finding: Finding) -> dict[str, Any]:
    """The problem of a finding: its picture, its chain of equations and its heat maps."""
    problem, answer = finding.problem, finding.answer
    steps = chain(problem, answer, finding.precision, finding.diagnosis) if answer is not None and problem.size <= LARGEST_CHAIN else []
    broken = first_off(steps)
    return {
        "picture": network_picture(problem, steps, finding.judgement),
        "sample": sample_shown(steps) + 1,
        "problem": problem_text(problem),
        "described": _described(problem),
        "layers": _by_layer(steps, problem),
        "whole": problem.size <= FITS,
        "same": finding.verdict is Verdict.LOSSY and bool(steps) and not any(step.differs for step in steps),
        "broken": broken,
        "heat": [] if answer is None else _heat(problem, answer, finding.judgement, finding.precision),
        "answer": "" if answer is not None else (finding.message or "no answer that could be judged"),
    }


def _described(problem: Problem) -> str:
    activations = ", ".join(choice if isinstance(choice, str) else choice[0] for choice in problem.activations)
    loss = problem.loss if isinstance(problem.loss, str) else problem.loss[0]
    return f"{'-'.join(map(str, problem.widths))}, batch {problem.batch}, {activations}, {loss}, {problem.reduction} over samples"


def _heat(problem: Problem, answer: Gradient, judgement: Judgement | None, precision: str | None) -> list[Any]:
    return [] if judgement is not None and judgement.compares_calls else heat_maps(problem, answer, precision)


SYMBOLS = {
    "output_error": r"\frac{{\partial C}}{{\partial a^{{({l})}}}}",
    "error_below": r"\frac{{\partial C}}{{\partial a^{{({l})}}}}",
    "slope": r"g'(z^{{({l})}})",
    "delta": r"\delta^{{({l})}}",
    "below": r"a^{{({b})}}",
    "weight_gradient": r"\frac{{\partial C}}{{\partial W^{{({l})}}}}",
    "bias_gradient": r"\frac{{\partial C}}{{\partial b^{{({l})}}}}",
}
FORMULAS = {
    "output_error": r"C_0'(a^{{({l})}}, y)",
    "error_below": r"W^{{({u})\,T}} \delta^{{({u})}}",
    "slope": r"g'(z^{{({l})}})",
    "delta": r"\frac{{\partial C}}{{\partial a^{{({l})}}}} \, g'(z^{{({l})}})",
    "below": r"\frac{{\partial z^{{({l})}}}}{{\partial W^{{({l})}}}}",
    "weight_gradient": r"\sum_s \delta^{{({l})}} a^{{({b})}}",
    "bias_gradient": r"\sum_s \delta^{{({l})}}",
}


OF_SOFTMAX = r"p \left( \frac{{\partial C}}{{\partial a^{{({l})}}}} - \sum_k p_k \frac{{\partial C}}{{\partial a_k^{{({l})}}}} \right)"


def _by_layer(steps: list[Step], problem: Problem) -> list[dict[str, Any]]:
    layers: dict[int, dict[str, Any]] = {}
    for step in steps:
        about = {"l": step.layer, "b": step.layer - 1, "u": step.layer + 1}
        activation = step.activation if isinstance(step.activation, str) else step.activation[0]
        layer = layers.setdefault(step.layer, {"layer": step.layer, "activation": activation, "steps": []})
        symbol = SYMBOLS[step.factor].format(**about)
        formula = FORMULAS[step.factor].format(**about)
        if activation == "softmax" and step.factor == "delta":
            formula = OF_SOFTMAX.format(**about)
        if problem.penalised is not None and step.factor == "weight_gradient":
            formula += (r" + \frac{{\lambda}}{{N}} W^{{({l})}}" if problem.penalised.over_batch else r" + \lambda W^{{({l})}}").format(
                **about
            )
        shown = list(cells(step.exact, step.got))
        layer["steps"].append(
            {
                "equation": {"error_below": "7, 11", "output_error": "2", "slope": "3", "below": "4"}.get(step.factor, step.equation),
                "latex": symbol if step.factor == "slope" else f"{symbol} = {formula}",
                "state": step.state,
                "words": RIGHT[step.factor].words,
                "rows": shown,
                "more": step.exact.size - sum(map(len, shown)),
                "differs": step.differs and step.state != "ok",
            }
        )
    return list(layers.values())


def _evidence(finding: Finding) -> list[dict[str, Any]]:
    """The pictures of all diagnoses, each with its table."""
    return [
        {"picture": evidence_picture(table), "table": table, "boxes": diagnosis.evidence.get("boxes", [])}
        for diagnosis in finding.diagnoses
        for table in diagnosis.evidence.get("tables", ())
    ]


def finding_rows(finding: Finding) -> list[tuple[str, str]]:
    """All that the terminal says of a finding too."""
    return [(name, clean(said, 4000)) for name, said in finding.rows()]


def bars(report: Report) -> list[dict[str, Any]]:
    """Of each sort of problems how many passed, failed, or neither."""
    told = []
    for name, counts in ((report.tally or {}).get("by") or {}).items():
        rows = _few([{"label": str(one["value"]).replace("_", " "), **one} for one in counts])
        for row in rows:
            total = row["passed"] + row["failed"] + row["unjudged"]
            row["total"] = total
            row["shares"] = {fared: 100 * row[fared] / total if total else 0 for fared in ("passed", "failed", "unjudged")}
        if rows:
            told.append({"name": SORT_NAMES.get(name, name), "rows": rows})
    return told


def _few(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """No more than MOST_BARS rows: of numbers the larger ones together."""
    if len(rows) <= MOST_BARS or not all(isinstance(row["value"], int) for row in rows):
        return rows
    kept, rest = rows[: MOST_BARS - 1], rows[MOST_BARS - 1 :]
    added = {fared: sum(row[fared] for row in rest) for fared in ("passed", "failed", "unjudged")}
    return [*kept, {"label": f"{rest[0]['value']} to {rest[-1]['value']}", "value": rest[0]["value"], **added}]


def _scripts(report: Report) -> list[tuple[str, str]]:
    """The stand-alone script of the first findings, where there can be one, and their numbers are few."""
    scripts = []
    for i, finding in enumerate(report.findings[:MOST_SCRIPTS], 1):
        if finding.problem.size <= LARGEST_SCRIPT:
            # what no script can show is still told
            with suppress(ProblemError):
                scripts.append((f"finding {i}", standalone_script(finding)))
    return scripts
