"""One real training step of somebody's own torch module: as a problem, and judged."""

from dataclasses import replace
from typing import Any

import numpy as np

from backproof.targets.stack import Undecided, proved
from backproof.targets.target import TargetError
from backproof.targets.torch_calls import recorded
from backproof.targets.torch_losses import Terms, terms_of
from backproof.targets.torch_module import FoundStack, as_it_was
from backproof.targets.torch_stack import layers_of
from properties.judging.judge import judge, verify
from properties.judging.judgement import Exact, Judgement, precision_named
from properties.verdict import Verdict
from reference.arrays import AnyArray
from reference.dtypes import as_array
from reference.gradient import Gradient
from reference.problem import Problem


def problem_from_module(model: Any, x: Any, y: Any, loss: Any, reduction: str | None) -> Problem:
    """See backproof/targets/step.py."""
    found, given = _found(model, x)
    terms = terms_of(loss, reduction, y, len(given), found.stack.widths[-1], found.logs)
    return _problem(found, given, terms)


def verify_step_of_module(model: Any, x: Any, y: Any, loss: Any, reduction: str | None, precision: str | None, strict: bool) -> Judgement:
    """See backproof/targets/step.py."""
    import torch

    found, given = _found(model, x)
    terms = terms_of(loss, reduction, y, len(given), found.stack.widths[-1], found.logs)
    problem = _problem(found, given, terms)
    with as_it_was(found.parameters), torch.enable_grad():
        for parameter in found.parameters:
            parameter.requires_grad_(True)
        *inner, last = _seen(found, given)
        leaf = _leaf(given)
        output = found.module(leaf.clone())
        output.retain_grad()
        gradient = found.gradient(terms.value(output), leaf)
        logits = last if found.logs and last is not None else as_array(output).reshape(len(given), -1)
        outputs = [*inner, logits]
        proved(problem, [None if a is None else a[terms.kept] for a in outputs], precision or found.precision, found.name)
    assert gradient.x is not None
    by_sample = gradient.x.reshape(len(given), -1)[terms.kept]
    answer = Gradient(gradient.weights, gradient.biases, x=by_sample, loss=gradient.loss)
    by = precision or found.precision
    judgement = verify(problem, answer, precision=by, strict=strict)
    if judgement.passed or not terms.smoothed or found.logs:
        return judgement
    upstream = as_array(output.grad).astype(np.float64).reshape(len(given), -1)[terms.kept]
    return _by_parts(problem, answer, np.asarray(logits, dtype=np.float64)[terms.kept], upstream, by, strict) or judgement


def _by_parts(problem: Problem, answer: Gradient, outputs: AnyArray, upstream: AnyArray, precision: str, strict: bool) -> Judgement | None:
    """The judgement of the network alone, by the dC/da that PyTorch gave it, where that is right by itself; else None.

    Smoothed labels are rounded alike in all samples, and no bound of sums knows of that: near a minimum, where p is nearly y, it shows in
    what the samples add up to, and is no mistake of the network. outputs, upstream: a^L and dC/da^L, (batch, n_L).
    """
    width = outputs.shape[1]
    same = {name: getattr(problem, name) for name in ("y", "loss", "reduction", "sample_weights")}
    of_loss = Problem([np.eye(width)], activations=["identity"], x=outputs, **same)
    exact = Exact(of_loss)
    right = [np.asarray(weight) for weight in exact.reference.weights]
    with np.errstate(all="ignore"):
        judged = judge(exact, Gradient(right, [None], x=upstream), precision_named(precision))
    if judged.verdict not in (Verdict.RIGHT, Verdict.LOSSY):
        return None
    of_network = problem.replaced(y=upstream, loss="upstream", reduction="sum", sample_weights=None)
    return verify(of_network, replace(answer, loss=None), precision=precision, strict=strict)


def _seen(found: FoundStack, given: Any) -> list[AnyArray | None]:
    """What each layer gives of these samples; None of all where they do not tell an activation, which is known, from another."""
    try:
        return [layer.a for layer in layers_of(recorded(found.followed, _leaf(given).clone()), found.name)]
    except Undecided:
        return [None] * (len(found.stack.widths) - 1)


def _found(model: Any, x: Any) -> tuple[FoundStack, Any]:
    """The stack in a model, and samples as tensors that it takes."""
    import torch

    if not isinstance(model, torch.nn.Module):
        raise TargetError(f"model is a {type(model).__name__}: expected a torch.nn.Module")
    if len(getattr(x, "shape", ())) < 2 or not len(x):
        raise TargetError(f"x is {_described(x)}: expected a tensor or an array of samples, (batch, ...)")
    found = FoundStack(model, tuple(x.shape[1:]))
    given = x if isinstance(x, torch.Tensor) else found.tensor(np.asarray(x))
    return found, given.to(found.device)


def _described(x: Any) -> str:
    return f"of shape {tuple(x.shape)}" if hasattr(x, "shape") else f"a {type(x).__name__}"


def _leaf(given: Any) -> Any:
    return given.detach().clone().requires_grad_(True)


def _problem(found: FoundStack, given: Any, terms: Terms) -> Problem:
    x: AnyArray = as_array(given).astype(np.float64)
    problem = found.problem_of(x[terms.kept], terms.y, loss=terms.loss, reduction=terms.reduction)
    return problem if terms.sample_weights is None else problem.replaced(sample_weights=terms.sample_weights)
