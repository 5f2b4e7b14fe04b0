"""The public names; `backproof` hands them on when they are used."""

from backproof.doors import strategies
from backproof.doors.grading import grade
from backproof.doors.law_items import law_tests
from backproof.findings.finding import Finding
from backproof.report import Report
from backproof.runs.check import assert_right, check, problem_at
from backproof.runs.comparison import compare_targets as compare
from backproof.runs.layer_assertion import assert_vjp
from backproof.runs.sweep import sweep
from backproof.targets.classes import from_class
from backproof.targets.functions import adapt
from backproof.targets.jax_network import from_jax
from backproof.targets.step import problem_from, verify_step
from backproof.targets.target import TargetError
from oracles.balls.enclosure import Enclosure, enclosure
from properties.judging.judge import verify
from properties.judging.judgement import Judgement
from properties.laws.table import OracleError
from properties.problems.limits import SupportError
from properties.verdict import Verdict
from reference.backward import gradient
from reference.errors import ProblemError
from reference.gradient import Gradient
from reference.problem import Problem

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
    "assert_vjp",
    "check",
    "compare",
    "enclosure",
    "from_class",
    "from_jax",
    "grade",
    "gradient",
    "law_tests",
    "problem_at",
    "problem_from",
    "strategies",
    "sweep",
    "verify",
    "verify_step",
]
