"""The public names that need more than NumPy and SciPy; `backproof` hands them on when they are used."""

from backproof.finding import Finding
from backproof.layouts import adapt
from backproof.report import Report
from backproof.run import assert_right, check
from backproof.target import TargetError
from oracles.balls import Enclosure, enclosure
from properties import strategies
from properties.judgement import Judgement, verify
from properties.laws import OracleError
from properties.support import SupportError
from properties.verdict import Verdict

__all__ = [
    "Enclosure",
    "Finding",
    "Judgement",
    "OracleError",
    "Report",
    "SupportError",
    "TargetError",
    "Verdict",
    "adapt",
    "assert_right",
    "check",
    "enclosure",
    "strategies",
    "verify",
]
