"""Functions of SciPy that activations and losses are made of. SciPy is imported when one of them is first called: a process that serves
somebody's target calls none, and would take half as long again to start.
"""

from typing import Any


def erfc(z: Any) -> Any:
    """1 - erf(z), without its loss of digits; elementwise, as all of these."""
    from scipy.special import erfc as function

    return function(z)


def expit(z: Any) -> Any:
    """The logistic function, 1 / (1 + e^-z)."""
    from scipy.special import expit as function

    return function(z)


def xlogy(x: Any, y: Any) -> Any:
    """x ln y, and 0 where x is 0."""
    from scipy.special import xlogy as function

    return function(x, y)


def xlog1py(x: Any, y: Any) -> Any:
    """x ln(1 + y), and 0 where x is 0."""
    from scipy.special import xlog1py as function

    return function(x, y)
