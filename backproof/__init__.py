"""backproof says whether an implementation of backpropagation is right, and where it is wrong if it is not."""

from typing import TYPE_CHECKING, Any

from backproof.version import VERSION as __version__

if TYPE_CHECKING:
    from backproof.face import (
        Enclosure,
        Finding,
        Gradient,
        Judgement,
        OracleError,
        Problem,
        ProblemError,
        Report,
        SupportError,
        TargetError,
        Verdict,
        adapt,
        assert_right,
        assert_vjp,
        check,
        compare,
        enclosure,
        from_class,
        from_jax,
        grade,
        gradient,
        law_tests,
        problem_at,
        problem_from,
        strategies,
        sweep,
        verify,
        verify_step,
    )

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
    "__version__",
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


def __getattr__(name: str) -> Any:
    """The public names, imported when one is first used: pytest imports this package in every run of whoever has it installed.

    What a target uses, in a process of its own too, comes with the reference alone.
    """
    match name:
        case "gradient":
            # with what it calls later: a first call that takes longer than the others is taken for one that compiles
            import scipy.special  # noqa: F401

            from reference.backward import gradient

            return gradient
        case "Problem":
            from reference.problem import Problem

            return Problem
    if name in __all__:
        from backproof import face

        return getattr(face, name)
    raise AttributeError(f"module 'backproof' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
