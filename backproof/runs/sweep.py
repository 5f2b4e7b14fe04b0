"""The sweep, as Python offers it: one activation at every number of a format, or at numbers of every exponent."""

import time
from typing import Any

import numpy as np

from backproof.findings.swept import Sweep
from backproof.runs.check import opened, seed_of_the_run
from backproof.runs.inquiry import Progress
from backproof.targets.own_activation import ARRAYS, OwnActivation, own_activation
from backproof.targets.target import LOAD_LIMIT, Session
from oracles.balls.formula import Formula
from properties.problems.limits import SupportError
from properties.problems.support import Support
from properties.sweeps.numbers import NUMBERS, has_all, swept
from properties.sweeps.ranges import Along, along
from properties.sweeps.reading import Reader, Reading, read_all, reader_of
from properties.sweeps.truth import QUANTITIES, Truth, truths
from reference.arrays import Array
from reference.errors import ProblemError
from reference.functions.activation import Elementwise
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import Choice, normal_choice, row_of
from reference.nearest import did_you_mean
from rounding.precisions import PRECISIONS, Precision

DEFAULT = "float32"
"""What is swept where neither the call nor the target says a precision."""


def sweep(
    target: Any,
    *,
    activation: Any = None,
    formula: str | None = None,
    arrays: str | None = None,
    numbers: int = NUMBERS,
    seed: int | None = None,
    precision: str | None = None,
    strict: bool = False,
    time_limit: float = 10.0,
    load_limit: float = LOAD_LIMIT,
    progress: Progress | None = None,
) -> Sweep:
    """One activation along z: g' and, where it can be read, g, at every finite number of a 16-bit format, or at many of a wider one.

    target: as check takes it; or an activation of one's own: a pair (g, g') of functions of an array, "module:g,module:dg", an object with
        value and derivative, a torch.autograd.Function or a module without parameters; with arrays also a function that is differentiated.
    activation: what it is held against, and what a target is asked: a name, or (name, parameters); formula: what g is, in z, in its place.
    arrays: "numpy", "torch" or "jax": of which library an own activation's arrays are; numbers: how many are drawn where there are too
        many to ask for all; seed: of these.
    precision: a key of PRECISIONS; None for the target's own, or float32. strict: whether lossy fails too.
    time_limit, load_limit: seconds for one call, and for the first of a process. progress: told how the sweep goes on.

    Raises TargetError, SupportError and ProblemError where it cannot begin.
    """
    started = time.monotonic()
    tell: Progress = progress or (lambda *told: None)
    _check(arrays, numbers, seed, precision, time_limit, load_limit)
    of = None if formula is None else Formula(formula)
    choice = None if activation is None else _elementwise(activation)
    # its only call is its first, which may import and compile
    own = own_activation(target, arrays, max(time_limit, load_limit))
    if own is not None:
        if (of is None) == (choice is None):
            raise SupportError(
                f"{own.name} is an activation: say what g is, by activation or by formula (--activation, --formula), and by one of them"
            )
        return _judged(_OfOwn(own), of or choice, choice, precision, (numbers, seed), strict, tell, started)
    session = opened(target, precision, time_limit, load_limit)
    try:
        support = Support.of(session.supports)
        choice = choice or _only(support)
        return _judged(_OfTarget(session, support, choice, of), of or choice, choice, precision, (numbers, seed), strict, tell, started)
    finally:
        session.close()


class _OfOwn:
    """An activation of somebody's own, asked at all z."""

    def __init__(self, own: OwnActivation) -> None:
        self.own, self.name, self.precision = own, own.name, None

    def reader(self, precision: Precision) -> Reader:
        def read(z: Array) -> Reading:
            value, slope = self.own(z, precision)
            return Reading(value, slope, np.ones(len(z), dtype=bool))

        return Reader(1 << 20, True, f"its own functions, of arrays of {self.own.arrays}", read)


class _OfTarget:
    """An activation of a target, read from its gradients."""

    def __init__(self, session: Session, support: Support, choice: Choice, of: Formula | None) -> None:
        self.session, self.support, self.choice, self.of = session, support, choice, of
        self.name, self.precision = session.name, session.precision

    def reader(self, precision: Precision) -> Reader:
        made = reader_of(self.session, self.support, precision, self.choice)
        if made is None:
            raise SupportError(
                f"{self.name} supports no problem from which {self.choice} can be read: name one that it has (activation, or --activation)"
            )
        if made.error and self.of is not None:
            raise SupportError(f"{self.name} takes no upstream gradient (the loss 'upstream'), without which no formula is swept")
        return made


def _judged(
    asked: _OfOwn | _OfTarget,
    of: Formula | Choice | None,
    choice: Choice | None,
    precision: str | None,
    drawn: tuple[int, int | None],
    strict: bool,
    tell: Progress,
    started: float,
) -> Sweep:
    assert of is not None
    row = PRECISIONS[precision or asked.precision or DEFAULT]
    if row.product_bits:
        raise SupportError(f"precision is {row.name!r}: a sweep has no products, so it says nothing of tf32; say float32")
    count, seed = drawn
    every = has_all(row)
    chosen = None if every else seed_of_the_run() if seed is None else seed
    reader = asked.reader(row)
    z = swept(row, chosen or 0, count)
    every = every and not np.isfinite(reader.most)
    z = z[np.abs(z) <= reader.most]
    read = read_all(reader, z, lambda done: tell("asking", done, len(z)))
    found: tuple[Along, ...] = ()
    if read.answered.any():
        exact = truths(of, z, row, lambda done: tell("exact numbers", done, len(z)))
        found = tuple(_along(name, z, read, exact[name], reader, row) for name in QUANTITIES if name == "slope" or reader.has_value)
    return Sweep(
        target=asked.name,
        activation=None if isinstance(of, Formula) else choice,
        formula=of.text if isinstance(of, Formula) else "",
        precision=row.name,
        numbers=len(z),
        every=every,
        seed=chosen,
        quantities=found,
        unanswered=int((~read.answered).sum()),
        why=read.why,
        way=reader.way,
        strict=strict,
        seconds=time.monotonic() - started,
    )


def _along(name: str, z: Array, read: Reading, truth: Truth, reader: Reader, precision: Precision) -> Along:
    within = reader.error * precision.unit * np.abs(truth.exact.high)
    return along(name, z, read.slope if name == "slope" else read.value, read.answered, truth, within, precision)


def _elementwise(activation: Any) -> Choice:
    """Raises ProblemError."""
    try:
        choice = normal_choice(ACTIVATIONS, activation, "activation")
    except ValueError as error:
        raise ProblemError(str(error)) from None
    if not isinstance(row_of(ACTIVATIONS, choice), Elementwise):
        raise ProblemError(f"activation {choice!r} is no function of one z: its nodes depend on one another, and it has no sweep")
    return choice


def _only(support: Support) -> Choice:
    """The activation of a target that has one alone. Raises SupportError."""
    given = support.layer_activations or (*(support.activations or ()), *(support.output_activations or ()))
    bent = [choice for choice in dict.fromkeys(given) if choice != "identity" and isinstance(row_of(ACTIVATIONS, choice), Elementwise)]
    if len(bent) != 1:
        has = f"it has {', '.join(map(str, bent))}" if bent else "it does not say which it has"
        own = "an activation of your own is a pair, module:g,module:dg, or one function with arrays (--arrays torch, jax)"
        raise SupportError(f"say which activation is swept (activation, or --activation): {has}; {own}")
    return bent[0]


def _check(arrays: Any, numbers: Any, seed: Any, precision: Any, time_limit: Any, load_limit: Any) -> None:
    """Raises SupportError."""
    if arrays is not None and not (isinstance(arrays, str) and arrays in ARRAYS):
        raise SupportError(f"arrays is {arrays!r}: {did_you_mean(arrays, ARRAYS)}expected one of {', '.join(ARRAYS)}")
    for name, value, least in (("numbers", numbers, 1), ("seed", seed, 0)):
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
            raise SupportError(f"{name} is {value!r}: expected a whole number, at least {least}")
    if precision is not None and not (isinstance(precision, str) and precision in PRECISIONS):
        raise SupportError(f"precision is {precision!r}: {did_you_mean(precision, PRECISIONS)}expected one of {', '.join(PRECISIONS)}")
    for name, seconds in (("time_limit", time_limit), ("load_limit", load_limit)):
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < float("inf"):
            raise SupportError(f"{name} is {seconds!r}: expected seconds, more than 0")
