"""Formulas: g as somebody writes it, `z * erf(z / sqrt(2))`, read as a small language and enclosed by balls with its derivatives.

Python's own parser reads the text, and nothing of it is ever run: what is no number, no z, no arithmetic, no comparison of a branch and no
function of the table is refused. The derivatives come of forward-mode differentiation over balls (jets.py).
Trust: as FLINT, for the formula as it is written: `1/3` is a third, `0.1` the float64 nearest to it, as in every program.
Limit: at a kink, where a condition's two sides are equal, both branches count, and every slope between them is legal.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oracles.balls import jets
from oracles.balls.jets import ARGUMENTS, FUNCTIONS, Jet
from reference.errors import ProblemError

if TYPE_CHECKING:
    from flint import arb

LONGEST, DEEPEST, LARGEST_POWER = 2000, 60, 64
"""Characters of a formula, parts inside one another, and the largest whole power that is taken by products."""

LARGEST = int(sys.float_info.max)
"""The largest number of a formula."""

EXACT = 256
"""Whole numbers up to this are held by every format."""

VARIABLE, CONSTANTS = "z", ("pi", "e")

Part = Callable[[Jet], Jet]
"""A part of a formula: of the jet of z its own."""


@dataclass(frozen=True, slots=True)
class _Noting(Jet):
    """The jet of z, beside which powers of z are noted on the way."""

    met: list[Jet]


COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)


@dataclass(frozen=True)
class Formula:
    """g(z) as it is written. Raises ProblemError, which says what is allowed."""

    text: str
    part: Part = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise ProblemError(f"formula is {self.text!r}: expected text, such as 'z * erf(z / sqrt(2))'")
        object.__setattr__(self, "part", _read(self.text.strip()))

    def jet(self, z: arb) -> Jet:
        """g, g' and g'' of a ball."""
        return self.part(jets.variable(z))

    def jet_and_powers(self, z: arb) -> tuple[Jet, list[Jet]]:
        """The same, and each power of z that the formula computes on its way: z * z, z ** 3; in the branches that it takes."""
        of_z, met = jets.variable(z), list[Jet]()
        return self.part(_Noting(of_z.value, of_z.slope, of_z.bend, of_z.value_error, of_z.slope_error, met)), met


def _read(text: str) -> Part:
    """A formula as a function of jets. Raises ProblemError."""
    if not text or len(text) > LONGEST:
        raise ProblemError(f"formula has {len(text)} characters: expected from 1 to {LONGEST}, such as z * erf(z / sqrt(2))")
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        said = error.msg if isinstance(error, SyntaxError) else "it cannot be read"
        raise ProblemError(f"formula {text!r} is no expression of z: {said}; expected one such as z * erf(z / sqrt(2))") from None
    made = _part(tree.body, 0)
    if not any(isinstance(node, ast.Name) and node.id == VARIABLE for node in ast.walk(tree)):
        raise ProblemError(f"formula {text!r} has no z: expected a function of z, such as z * erf(z / sqrt(2))")
    return made


def _part(node: ast.AST, depth: int) -> Part:
    """Raises ProblemError."""
    if depth > DEEPEST:
        raise ProblemError(f"formula has more than {DEEPEST} parts inside one another")
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _number(number)
        case ast.Name(id=name) if name == VARIABLE:
            return lambda z: z
        case ast.Name(id="pi"):
            return lambda z: jets.constant(z.value.pi(), rounded=True)
        case ast.Name(id="e"):
            return lambda z: jets.constant(type(z.value)(1).exp(), rounded=True)
        case ast.UnaryOp(op=ast.UAdd() | ast.USub() as sign, operand=operand):
            inner = _part(operand, depth + 1)
            return inner if isinstance(sign, ast.UAdd) else lambda z: -inner(z)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _noted(node, _power(left, right, depth))
        case ast.BinOp(left=left, op=operation, right=right) if type(operation) in OPERATIONS:
            combined, one, two = OPERATIONS[type(operation)], _part(left, depth + 1), _part(right, depth + 1)
            return _noted(node, lambda z: combined(one(z), two(z)))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            return _call(name, arguments, depth)
        case ast.Call(func=ast.Name(id="where"), args=[condition, yes, no], keywords=[]):
            return _branch(condition, yes, no, depth)
        case ast.IfExp(test=condition, body=yes, orelse=no):
            return _branch(condition, yes, no, depth)
    raise ProblemError(
        f"formula has {ast.unparse(node)!r}, which is none of its language: expected numbers, {', '.join((VARIABLE, *CONSTANTS))}, "
        f"+ - * / **, branches (A if z > 0 else B, where(z > 0, A, B)), and the functions {', '.join(FUNCTIONS)}"
    )


def _noted(node: ast.BinOp, part: Part) -> Part:
    """The part, noted on the way where it is a power of z: of sums and products of z and numbers, without functions and branches."""
    with_z = [any(isinstance(each, ast.Name) and each.id == VARIABLE for each in ast.walk(side)) for side in (node.left, node.right)]
    is_power = isinstance(node.op, ast.Pow) and with_z == [True, False]
    if not (is_power or (isinstance(node.op, ast.Mult) and all(with_z))) or any(isinstance(each, NO_POWERS) for each in ast.walk(node)):
        return part

    def noted(z: Jet) -> Jet:
        made = part(z)
        if isinstance(z, _Noting):
            z.met.append(made)
        return made

    return noted


NO_POWERS = (ast.Call, ast.IfExp)

OPERATIONS: dict[type[ast.operator], Callable[[Jet, Jet], Jet]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a * jets.inverse(b),
}


def _number(number: float) -> Part:
    if not _fits(number):
        raise ProblemError(f"formula has a whole number of more than 308 digits: expected numbers up to {LARGEST:.4g}")
    if number != number or number in (float("inf"), -float("inf")):
        raise ProblemError(f"formula has the number {number!r}: expected finite ones")
    rounded = not (float(number).is_integer() and abs(number) <= EXACT)
    return lambda z: jets.constant(type(z.value)(number), rounded)


def _fits(number: float) -> bool:
    """Whether it is no whole number beyond float64; those of Python have no end."""
    return not isinstance(number, int) or abs(number) <= LARGEST


def _call(name: str, arguments: list[ast.expr], depth: int) -> Part:
    wanted = ARGUMENTS.get(name, 1)
    if len(arguments) != wanted:
        raise ProblemError(f"formula calls {name} with {len(arguments)} numbers: expected {wanted}")
    function, parts = FUNCTIONS[name], [_part(each, depth + 1) for each in arguments]
    return lambda z: function(*(part(z) for part in parts))


def _power(left: ast.expr, right: ast.expr, depth: int) -> Part:
    """A whole power by products; any other by e^(b ln a), of a above 0."""
    base, whole = _part(left, depth + 1), _whole(right)
    if whole is None:
        exponent = _part(right, depth + 1)
        return lambda z: jets.exp(exponent(z) * jets.log(base(z)))
    if abs(whole) > LARGEST_POWER:
        raise ProblemError(f"formula has a power of {whole}: expected whole ones up to {LARGEST_POWER}, or exp(b * log(a))")
    if whole < 0:
        return lambda z: jets.inverse(jets.power(base(z), -whole))
    return lambda z: jets.power(base(z), whole)


def _whole(node: ast.expr) -> int | None:
    """The whole number that an exponent is, None of any other."""
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool) and _fits(number) and float(number).is_integer():
            return int(number)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _whole(operand)
            return None if inner is None else -inner
    return None


def _branch(condition: ast.AST, yes: ast.AST, no: ast.AST, depth: int) -> Part:
    if not (isinstance(condition, ast.Compare) and len(condition.ops) == 1 and isinstance(condition.ops[0], COMPARISONS)):
        raise ProblemError(f"formula has the condition {ast.unparse(condition)!r}: expected one comparison, <, <=, > or >=, such as z > 0")
    one, two = _part(condition.left, depth + 1), _part(condition.comparators[0], depth + 1)
    if isinstance(condition.ops[0], (ast.Gt, ast.GtE)):
        above, below = _part(yes, depth + 1), _part(no, depth + 1)
    else:
        above, below = _part(no, depth + 1), _part(yes, depth + 1)

    def part(z: Jet) -> Jet:
        sign = one(z).value - two(z).value
        # a branch that is not taken may have no value there
        if sign > 0:
            return above(z)
        return below(z) if sign < 0 else above(z).union(below(z))

    return part
