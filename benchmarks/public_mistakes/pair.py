"""A mistake from a public thread beside its mended twin, and the table of all of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from backproof import adapt

Target = Callable[..., Any]


@dataclass(frozen=True)
class Pair:
    """One mistake and its mended twin.

    source: the public thread that it is after; theme: the module that it stands in; make: a fresh target, mended or not;
    verdicts: what a true finding may say of the mistaken one; quantities: of which the worst entry of a finding may be, () for any;
    layers: where it may be, "last" or "below the last", "" for anywhere;
    textbook: activations and losses that both compute by a formula that loses digits: no other may be called lossy;
    precision: what both compute in, where their answers' dtype does not say it; options: further options of check;
    keeps: whether it is an object that keeps something from call to call.
    """

    name: str
    source: str
    theme: str
    make: Callable[[bool], Target]
    verdicts: tuple[str, ...] = ("wrong",)
    quantities: tuple[str, ...] = ()
    layers: str = ""
    textbook: tuple[str, ...] = ()
    precision: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    keeps: bool = False


SUMS = {"losses": ["half_squared_error"], "reductions": ["sum"]}
"""What a target supports where nothing else is said."""

PAIRS: dict[str, Pair] = {}
"""All pairs, by name."""


def mistake(
    source: str,
    *,
    supports: dict[str, Any],
    layout: dict[str, str] | None = None,
    keeps: bool = False,
    **told: Any,
) -> Callable[[Target], Target]:
    """Enter a function into PAIRS, under its name.

    The function is f(problem, mended); with a layout, as adapt takes it, f(weights, biases, activations, x, y, mended); and where it
    keeps something from call to call, a function of mended alone that returns either. told: what else Pair has.
    """

    def entered(f: Target) -> Target:
        def make(mended: bool) -> Target:
            call = f(mended) if keeps else partial(f, mended=mended)
            name = f"{f.__name__} ({'mended' if mended else 'mistaken'})"
            if layout is not None:
                target = adapt(call, **layout, supports=SUMS | supports)
            else:

                def target(problem: Any) -> Any:
                    return call(problem)

                target.supports = SUMS | supports
            target.__qualname__ = name
            return target

        assert f.__name__ not in PAIRS, f.__name__
        PAIRS[f.__name__] = Pair(f.__name__, source, f.__module__.rpartition(".")[2], make, keeps=keeps, **told)
        return f

    return entered
