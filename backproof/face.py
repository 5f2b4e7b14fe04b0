"""The public names; `backproof` hands them on when they are used."""

from backproof.checking import assert_right, check, problem_at
from backproof.finding import Finding
from backproof.law_items import law_tests
from backproof.layouts import adapt
from backproof.report import Report
from backproof.target import TargetError
from oracles.balls import Enclosure, enclosure
from properties import strategies
from properties.judgement import Judgement
from properties.judging import verify
from properties.laws import OracleError
from properties.support import SupportError
from properties.verdict import Verdict
from reference.backward import gradient
from reference.problem import Gradient, Problem, ProblemError

__all__ = [
    "Enclosure",
    "Finding",
    "Gradient",
    "Judgement",
    "OracleError",
    "Problem",
    "ProblemError",
    "Report",
    "SupportError",
    "TargetError",
    "Verdict",
    "adapt",
    "assert_right",
    "check",
    "enclosure",
    "gradient",
    "law_tests",
    "problem_at",
    "strategies",
    "verify",
]
