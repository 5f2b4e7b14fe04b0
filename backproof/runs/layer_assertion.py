"""One line of a test: the kernel of a layer is judged on the arrays of the test, and on drawn problems of the same shape."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from backproof.findings.report import Report
from backproof.findings.text import label, printable
from backproof.runs.check import check
from backproof.targets.given_arrays import GivenArrays
from backproof.targets.kernels import own_parameters
from backproof.targets.layer_kernel import LayerKernel, said_of
from backproof.targets.target import InProcess
from properties.answers.answer import Answer, Malformed
from properties.judging.by_worst_case import beyond_suspicion
from properties.judging.judge import with_quantities
from properties.judging.judgement import Exact, Judgement, precision_of
from properties.laws.law import Case, Outcome, Status
from properties.laws.of_agreement import it_agrees_with_the_exact_gradient
from properties.problems.limits import SupportError
from properties.problems.support import Support
from properties.verdict import Verdict
from reference.errors import ProblemError
from reference.gradient import Gradient
from reference.problem import Problem
from rounding.precisions import PRECISIONS

LARGEST_DRAWN = 2**20
"""Numbers of the given arrays: for larger ones no further problems of their shape are drawn, which would take minutes."""

LARGEST_READ = 40
"""So many samples and nodes have the problems, at most, that are to tell where and why."""

MOST_JUDGED = 200
"""Of so many entries that are networks by themselves, and not right at a glance, it is said which is worst."""

DRIFT = 1 / 8
"""An entry that is off by no more of itself may be so by how sums are kept; bounds in few bits, which allow far more, do not tell that."""


def assert_vjp(
    kernel: Any,
    *arrays: Any,
    layer: str | None = None,
    activation: Any = None,
    weights: str | None = None,
    precision: str | None = None,
    values: str = "tame",
    max_examples: int = 24,
    max_seconds: float = 20.0,
    seed: int | None = None,
    strict: bool = False,
    no_diagnosis: bool = False,
) -> Report | None:
    """Raise AssertionError unless a layer's vector-Jacobian product is right: on the arrays given, and on drawn problems of their shape.

    It stands for a line of `torch.allclose` in a test, and has no tolerance: each entry is allowed what honest rounding explains.

    kernel and arrays, by layer, "linear" where neither the call nor the kernel's own `supports` says another:
        "linear": kernel(x, weight, bias, upstream) -> (dx, dweight, dbias), of activation(x weight^T + bias); x (batch, n_in), weight
            (n_out, n_in), bias (n_out,) or None, upstream (batch, n_out);
        "linear_softmax_cross_entropy": kernel(x, weight, bias, target, upstream) -> (dx, dweight, dbias); target (batch,), the class of
            each sample, or (batch, n_out), a distribution of each; upstream (batch,), a number for each sample, none negative;
        "activation": kernel(z, upstream) -> dz; z and upstream (batch, n);
        "softmax_cross_entropy": kernel(logits, target, upstream) -> dlogits; logits (batch, n), target and upstream as above;
        "gate": kernel(gate, up, upstream) -> (dgate, dup), of activation(gate) * up, as in SwiGLU; all (batch, n).
        Also a forward pass without the upstream gradient, f(x, weight, bias) -> output, of PyTorch or JAX, a torch.autograd.Function, its
        apply, or a torch module of one layer: its own backward pass is asked. Of a module, weight and bias may both be None: its own.
        All arrays are those of one framework, NumPy, PyTorch or JAX, in float64, float32, bfloat16 or float16. The kernel is given them as
        they are, whatever their strides and device.
    activation: of the layer, identity where nothing is said; a name, or a name and its parameters, as ("leaky_relu", {"slope": 0.5}).
    weights: "out_in", as torch.nn.Linear has them and where nothing is said, or "in_out" if weight and dweight are (n_in, n_out).
    precision: a key of PRECISIONS, such as "bfloat16/float32" for sums that are kept in float32; None for what the arrays' dtype says.
    values: of drawn problems, "tame" or "any"; max_examples, max_seconds, seed, strict: as for check. no_diagnosis: do not ask a kernel
        that fails some 600 further problems, small ones too, which tell where and why.

    Returns the report of the drawn problems; None where the arrays are too large to draw more of their shape.
    Raises ProblemError where the arrays do not fit, TargetError where the kernel is none.
    """
    __tracebackhide__ = True
    own = getattr(kernel, "supports", None)
    chosen = {"layer": layer, "activation": activation, "weights": weights}
    said = (
        {"layer": "linear"}
        | (dict(own) if isinstance(own, Mapping) else {})
        | {name: word for name, word in chosen.items() if word is not None}
    )
    form, _ = said_of(said)
    names = (*form.row.takes, "upstream")
    if len(arrays) == len(names) and "weight" in names and arrays[1] is None:
        own_weight, own_bias = own_parameters(kernel, form.row)
        if arrays[2] is not None:
            raise ProblemError("bias is given, and weight is None: expected both, or None for both, which are then the module's own")
        arrays = (arrays[0], own_weight, own_bias, *arrays[3:])
    given = GivenArrays(form, arrays)
    judged_by = precision or given.precision_of(getattr(kernel, "precision", None))
    # of another storage, which a call asks for, all arrays are drawn
    as_given = judged_by in PRECISIONS and PRECISIONS[judged_by].storage == given.kind.dtype
    target = LayerKernel(kernel, given.said_with(said), judged_by, given.dtypes if as_given else {})
    first = _judged(given, target, strict)
    drawn = [] if given.problem.size > LARGEST_DRAWN else _drawn(target, given.problem, values, max_examples, max_seconds, seed, strict)
    failing = next(filter(_fails, drawn), None)
    if first or failing:
        # what is seen where nothing rounds alone is not seen on other numbers
        exactly = not first and failing is not None and "--values exact" in failing.drawn_by
        numbers = "exact" if exactly else values
        explained = _plainly(failing) if no_diagnosis else _small(target, given.problem, failing, numbers, seed, strict)
        headline = first or f"{target.__qualname__}: on the arrays given nothing is wrong"
        raise AssertionError("\n" + "\n\n".join([headline, *explained]))
    return drawn[-1] if drawn else None


def _drawn(
    target: LayerKernel, problem: Problem, values: str, max_examples: int, max_seconds: float, seed: int | None, strict: bool
) -> list[Report]:
    """The reports of further problems of a problem's shape: first of those on which nothing rounds, where there are any, then of others."""
    reports: list[Report] = []
    batch = (problem.batch, problem.batch) if problem.batch else None
    limits: dict[str, Any] = {"widths": problem.widths, "batch": batch}
    for numbers in (*(("exact",) if _exactly(target, limits) else ()), values):
        report = check(
            target,
            max_examples=max_examples,
            seed=seed,
            values=numbers,
            strict=strict,
            max_seconds=max_seconds,
            shrink_seconds=2.0,
            no_diagnosis=True,
            **limits,
        )
        if report.interrupted:
            raise KeyboardInterrupt
        reports.append(report)
        if _fails(report):
            break
    return reports


def _fails(report: Report) -> bool:
    """Whether something is not right: where nothing can be said of drawn problems, the arrays given were judged."""
    return not report.passed and report.verdict is not Verdict.INCONCLUSIVE


def _exactly(target: LayerKernel, limits: Mapping[str, Any]) -> bool:
    """Whether there are problems of these sizes on which nothing rounds."""
    try:
        Support.of(target.supports).limited(values="exact", **limits)
    except SupportError:
        return False
    return True


def _small(target: LayerKernel, problem: Problem, failing: Report | None, values: str, seed: int | None, strict: bool) -> list[str]:
    """The first finding on problems up to the shape given, which are read at a glance and tell where and why; of a kernel that fails there
    in another way, as one that takes a single shape does, or not at all, the one on problems of that shape, if there is one."""
    expected = (Verdict.WRONG, Verdict.NONFINITE, Verdict.LOSSY) if failing is None else (failing.verdict,)
    limits: dict[str, Any] = {"batch": min(max(problem.batch, 1), LARGEST_READ), "width": min(max(problem.widths), LARGEST_READ)}
    try:
        shown = check(target, max_examples=60, seed=seed, values=values, strict=strict, max_seconds=10.0, shrink_seconds=3.0, **limits)
    except SupportError:  # of a kernel that says itself that it takes no others
        return _plainly(failing)
    return _plainly(shown, "are drawn") if shown.findings and shown.verdict in expected else _plainly(failing)


def _plainly(report: Report | None, where: str = "are drawn, of the same shape") -> list[str]:
    """The first finding of a report that fails, if there is one."""
    if report is None or not report.findings:
        return []
    finding = report.findings[0]
    rows = [f"{label(name)}{said}" for name, said in finding.rows()]
    return [printable("\n".join([f"{finding.verdict.value} on problems that {where}, the smallest that shows it", *rows]))]


def _judged(given: GivenArrays, target: LayerKernel, strict: bool) -> str:
    """What is wrong on the arrays as they are given, or ""; what the kernel raises goes on. Raises AssertionError of what is no answer."""
    __tracebackhide__ = True
    before, row = given.state(), target.said.row
    try:
        returned = target.asked.kernel(*given.arrays.values())
    except Malformed as error:
        raise AssertionError(f"\nmalformed: {target.__qualname__}: {error}") from None
    written = [name for name, state in given.state().items() if state != before[name]]
    if written:
        raise AssertionError(f"\nimpure: {target.__qualname__} wrote to {', '.join(written)}")
    try:
        derivatives = target.derivatives(returned, given.taken)
        stack, answers = row.judged(given.numbers, target.said.activation, derivatives)
    except Malformed as error:
        raise AssertionError(f"\nmalformed: {target.__qualname__}: {error}") from None
    session, support = InProcess(target), Support.of(target.supports)
    worst: tuple[float, str] = (-1.0, "")
    for number in _suspected(stack, answers, target)[:MOST_JUDGED]:
        case = Case(stack.at(number), session, target.judged_by, support, Answer(answers[number]))
        with np.errstate(all="ignore"):
            outcome = it_agrees_with_the_exact_gradient(case)
            judgement = outcome.judgement
            if judgement is None or not (outcome.status is Status.BROKEN or (strict and outcome.verdict is Verdict.LOSSY)):
                continue
            ratio = judgement.distance / judgement.allowed if judgement.allowed else np.inf
            if ratio > worst[0]:
                said = with_quantities(judgement, case.exact, answers[number])
                entry = np.unravel_index(number, given.numbers[row.takes[0]].shape) if len(answers) > 1 else judgement.index
                worst = ratio, _told(said, outcome, target, tuple(int(i) for i in entry))
    return worst[1]


def _suspected(stack: Problem, answers: list[Gradient], target: LayerKernel) -> list[int]:
    """The numbers of the problems whose answers are not right at a glance."""
    if len(answers) < 2:
        return list(range(len(answers)))
    with np.errstate(all="ignore"):
        return np.flatnonzero(~beyond_suspicion(Exact(stack), answers, precision_of(answers[0], target.judged_by))).tolist()


def _told(judgement: Judgement, outcome: Outcome, target: LayerKernel, index: tuple[int, ...]) -> str:
    """What is wrong on the arrays given, a line for each thing, in the kernel's own names."""
    lines = [f"{outcome.verdict.value}: {target.__qualname__}, on the arrays given ({outcome.verdict.meaning})"]
    lines += [f"{label(name)}{_named(said, judgement, target, index) if name == 'entry' else said}" for name, said in judgement.rows()]
    if not judgement.meets and judgement.not_wrong_by and judgement.distance <= DRIFT * abs(judgement.exact[0]):
        narrower = judgement.not_wrong_by[-1]
        lines.append(f"{label('hint')}as sums or functions in fewer bits may be off: with precision={narrower!r} it is not wrong")
    return printable("\n".join(lines))


def _named(said: str, judgement: Judgement, target: LayerKernel, index: tuple[int, ...]) -> str:
    """An entry by the name of the derivative that the kernel gives, and its index there."""
    row, place = target.said.row, judgement.place
    named = dict(zip(row.places, row.gives, strict=True))
    if place not in named:
        return f"{said}, which {row.gives[0]} comes to by products of ours"
    turned = target.said.weights == "in_out" and named[place] == "dweight"
    return f"{named[place]}{list(index[::-1] if turned else index)}: {said}"
