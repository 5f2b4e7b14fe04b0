"""A finding as a script that stands alone, for somebody else's tracker: it needs NumPy, and torch or JAX where the target is theirs.

The exact numbers are in it. It exits with 1 while the mistake is there, with 0 once it is mended, and with 2 where nothing could be asked.
"""

from collections.abc import Mapping
from textwrap import wrap
from typing import Any

import numpy as np

from backproof.findings.finding import Finding
from backproof.findings.text import printable
from backproof.reports.called_target import called_target, names_its_place, needs
from backproof.reports.standalone_calls import Call, calls
from backproof.version import VERSION
from properties.verdict import Verdict
from reference.arrays import AnyArray
from reference.errors import ProblemError
from reference.problem import Problem
from reference.quantities import QUANTITIES
from rounding.precisions import PRECISIONS

LARGEST = 20_000
"""Numbers of all problems that a script holds."""

LINE = 110

UNASKED = [
    "def unasked(*error):  # an error is neither the mistake that is looked for nor its end",
    "    traceback.print_exception(*error)",
    "    sys.exit(2)",
    "",
    "",
    "sys.excepthook = unasked",
]
"""What ends a script that cannot ask its target."""

LAYOUTS = {
    "contiguous": "array({})",
    "fortran": "np.asfortranarray(array({}))",
    "strided": "np.repeat(array({}), 2, axis=-1)[..., ::2]",
    "negative_strides": "np.flip(np.flip(array({})).copy())",
    "expanded": (
        "(lambda a: np.broadcast_to(a[tuple(slice(1 if (a == a.take([0], i)).all() else None) for i in range(a.ndim))], a.shape))"
        "(array({}))"
    ),
    "read_only": "np.broadcast_to(array({0}), np.shape({0}))",
}
"""How the inputs of a call are laid out in memory, where that matters; a broadcast array is not writable."""


def standalone_script(finding: Finding) -> str:
    """The script. Raises ProblemError where none can show the finding: it is too large, or needs what was asked before."""
    if not finding.fresh:
        raise ProblemError("no script can show this finding: it does not show in a fresh process, and needs all that was asked before it")
    asked = calls(finding)
    size = sum(call.problem.size for call in asked)
    if size > LARGEST:
        raise ProblemError(f"no script: it would hold {size:,} numbers; `backproof replay` puts the finding to its target again")
    lines = [*_docstring(finding), *_imports(finding, asked), "", *called_target(finding), "", *_numbers(finding, asked), ""]
    return "\n".join([*lines, *_loop(finding, asked), ""])


def _docstring(finding: Finding) -> list[str]:
    """What it is, whatever the target's name holds: no quote or backslash of it ends the docstring."""
    cause = finding.explanation or finding.message
    told = [
        f"{finding.verdict.value}: {finding.target}, by the law {finding.law}.",
        *(wrap(_plain(cause), LINE) if cause else []),
        "",
        "It exits with 1 while that is so, with 0 once it is mended, and with 2 where it could not be asked.",
        "Run it from the folder that the check was run from.",
        needs(finding),
        f"Written by backproof {VERSION}.",
    ]
    return ['"""' + _plain(told[0]), "", *told[1:], '"""', ""]


def _plain(text: str) -> str:
    return printable(text).replace("\\", "/").replace('"', "'").replace("\n", " ")


def _imports(finding: Finding, asked: list[Call]) -> list[str]:
    ends = finding.verdict is Verdict.TIMES_OUT
    lines = ["import faulthandler"] if ends else []
    lines += ["import sys", "import traceback", *(["from copy import deepcopy"] if _copies(finding, asked) else [])]
    return [*lines, "from types import SimpleNamespace", "", "import numpy as np", "from numpy import inf, nan", "", "", *UNASKED]


def _copies(finding: Finding, asked: list[Call]) -> bool:
    """Whether each call is given a copy of its own: where one problem is asked twice, or what is written to is looked at."""
    return finding.verdict is Verdict.IMPURE or len(asked) > len({(id(call.problem), call.memory_layout) for call in asked})


def _numbers(finding: Finding, asked: list[Call]) -> list[str]:
    """The problems, each once, and what is expected of each call."""
    dtype = PRECISIONS[finding.precision or "float64"].given
    lines = ["", "def array(numbers):", f'    return np.array(numbers, dtype="{dtype}")', "", ""]
    problems: dict[tuple[int, str], str] = {}
    exact: dict[int, str] = {}
    for call in asked:
        key = id(call.problem), call.memory_layout
        if key not in problems:
            problems[key] = f"problem_{len(problems) + 1}"
            lines.append(f"{problems[key]} = SimpleNamespace(")
            lines += [f"    {name}={value}," for name, value in _fields(call.problem, call.memory_layout)]
            lines.append(")")
        if id(call.problem) not in exact:
            exact[id(call.problem)] = f"exact_{len(exact) + 1}"
            lines.append(f"{exact[id(call.problem)]} = {{  # of each array the exact numbers, and how far honest rounding may be from them")
            for place, (right, allowed) in call.expected.items():
                name = f"({QUANTITIES[place.quantity].symbol!r}, {place.layer!r})"
                lines.append(f"    {name}: ({_literal(right)}, {_literal(allowed)}),")
            lines.append("}")
    pairs = [f"({problems[id(call.problem), call.memory_layout]}, {exact[id(call.problem)]})" for call in asked]
    return [*lines, f"CALLS = [{', '.join(pairs)}]"]


def _fields(problem: Problem, layout: str) -> list[tuple[str, str]]:
    """What a target reads of a problem, as Python."""

    def laid_out(array: AnyArray | None) -> str:
        return "None" if array is None else LAYOUTS[layout].format(_literal(array))

    fields = [(name, f"[{', '.join(map(laid_out, getattr(problem, name)))}]") for name in ("weights", "biases")]
    fields += [(name, laid_out(getattr(problem, name))) for name in ("x", "y", "sample_weights")]
    plain = ("activations", "loss", "reduction", "penalty", "wants", "widths", "batch", "depth", "size", "has_weighted_mean")
    fields += [(name, repr(_plain_data(getattr(problem, name)))) for name in plain]
    numbers = [(name, getattr(problem, name)) for name in ("total_weight", "shares")]
    fields += [(name, f"array({_literal(value)})" if np.ndim(value) else repr(float(value))) for name, value in numbers]
    row = problem.penalised
    return [*fields, ("penalised", "None" if row is None else f"SimpleNamespace(factor={row.factor!r}, over_batch={row.over_batch!r})")]


def _plain_data(value: Any) -> Any:
    """Choices as plain tuples, dicts and numbers."""
    if isinstance(value, tuple):
        return tuple(_plain_data(one) for one in value)
    if isinstance(value, Mapping):
        return {str(name): float(number) for name, number in value.items()}
    return value


def _literal(array: AnyArray) -> str:
    """An array as lists, whose numbers are the shortest that give the same float64 back."""
    return repr(np.asarray(array, dtype=np.float64).tolist())


def _loop(finding: Finding, asked: list[Call]) -> list[str]:
    """What is asked, compared and printed; some lines more where the finding is of conduct."""
    raises, impure = finding.verdict is Verdict.RAISES, finding.verdict is Verdict.IMPURE
    more = sorted({place.quantity for call in asked for place in call.expected} - {"weights", "biases"})
    parts = "".join(f', "{QUANTITIES[name].symbol}": answer.{name}' for name in more)
    layer = "if layer is None else parts[name][layer - 1]" if more else ""
    got = f"parts[name] {layer}" if more else "parts[name][layer - 1]"
    kind = ' or got.dtype.kind not in "fV"' if finding.verdict is Verdict.MALFORMED else ""
    call = "gradient(given)" if impure else "gradient(deepcopy(problem))" if _copies(finding, asked) else "gradient(problem)"
    lines = ["failed = False", *(["earlier = []"] if impure else [])]
    if finding.verdict is Verdict.TIMES_OUT:
        lines.append(f"faulthandler.dump_traceback_later({finding.time_limit!r} * len(CALLS), exit=True)  # no answer: exits with 1")
    lines.append("for problem, exact in CALLS:")
    lines += ["    given = deepcopy(problem)"] if impure else []
    if raises:
        lines += ["    try:", f"        answer = {call}"]
        lines += ["    except NotImplementedError:", "        raise"] if not names_its_place(finding.target) else []
        lines.append("    except BaseException as error:  # sys.exit too is no answer")
        lines += ['        failed = print(f"expected an answer, came {type(error).__name__}: {error}") is None', "        continue"]
    else:
        lines.append(f"    answer = {call}")
    lines += [
        "    if isinstance(answer, (list, tuple)) and len(answer[0]) == 2 and np.ndim(answer[0][1]) < 2:",
        "        answer = list(zip(*answer))  # from one (dC/dW, dC/db) for each layer",
        '    dW, db = (answer.weights, answer.biases) if hasattr(answer, "weights") else answer',
        f'    parts = {{"dC/dW": dW, "dC/db": db{parts}}}',
        "    for (name, layer), (right, allowed) in exact.items():",
        f"        got = np.asarray({got})",
        f"        if got.shape != np.shape(right){kind} or not np.all(np.isposinf(allowed) | (abs(got.astype(float) - right) <= allowed)):",
        '            failed = print(f"{name} of layer {layer}: expected {right}, each within {allowed}; came {got.tolist()}") is None',
    ]
    if impure:
        lines += [
            '    for name in ("weights", "biases", "x", "y"):',
            "        if repr(getattr(given, name)) != repr(getattr(problem, name)):",
            '            failed = print(f"{name}: expected {getattr(problem, name)}, as it was; came {getattr(given, name)}") is None',
            "    if any(repr(was) != repr(now) for was, now in earlier):",
            '        failed = print("expected an earlier answer to stay as it was, came one that a later call overwrote") is None',
            "    earlier.append((deepcopy(parts), parts))",
        ]
    return [*lines, 'print("the mistake is there" if failed else "mended")', "sys.exit(1 if failed else 0)"]
