"""Functions of SciPy that activations and losses are made of. SciPy is imported when one of them is first called: a process that serves
somebody's target calls none, and would take half as long again to start.
"""

from functools import cache
from typing import Any


@cache
def _scipy() -> Any:
    import scipy.special

    return scipy.special


def erfc(z: Any) -> Any:
    """1 - erf(z), without its loss of digits; elementwise, as all of these."""
    return _scipy().erfc(z)


def expit(z: Any) -> Any:
    """The logistic function, 1 / (1 + e^-z)."""
    return _scipy().expit(z)


def xlogy(x: Any, y: Any) -> Any:
    """x ln y, and 0 where x is 0."""
    return _scipy().xlogy(x, y)


def xlog1py(x: Any, y: Any) -> Any:
    """x ln(1 + y), and 0 where x is 0."""
    return _scipy().xlog1py(x, y)
