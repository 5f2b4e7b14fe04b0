"""The losses of PyTorch's modules and functions as the losses, reductions and expected outputs of a problem."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from oracles.torch_autograd import TORCH_LOSSES
from reference.arrays import AnyArray, Array
from reference.dtypes import as_array
from reference.errors import ProblemError
from reference.functions.expected_outputs import rows_of_classes
from reference.functions.losses import LOSSES
from reference.functions.parametrised import Choice, name_and_parameters, normal_choice

FUNCTIONS = {
    "cross_entropy": "CrossEntropyLoss",
    "nll_loss": "NLLLoss",
    "mse_loss": "MSELoss",
    "binary_cross_entropy_with_logits": "BCEWithLogitsLoss",
    "binary_cross_entropy": "BCELoss",
    "huber_loss": "HuberLoss",
    "smooth_l1_loss": "SmoothL1Loss",
}
"""Functions of torch.nn.functional -> the modules that they are by default."""


@dataclass(frozen=True)
class Terms:
    """A loss as a problem has it.

    y: (batch, n_L), of the samples that count alone; kept: which these are; value: C of PyTorch's own, of the outputs of all samples;
    smoothed: whether PyTorch makes y itself, of label_smoothing or of weights of classes, and rounds it alike for all samples;
    sample_weights: (batch,), or None.
    """

    loss: Choice
    reduction: str
    y: Array
    kept: AnyArray
    value: Callable[[Any], Any]
    smoothed: bool = False
    sample_weights: Array | None = None


class Read(NamedTuple):
    """What a module comes to: the loss, y of the samples that count, which these are, their weights, and the reduction with these."""

    loss: Choice
    y: Array
    kept: AnyArray
    sample_weights: Array | None = None
    reduction: str | None = None


def terms_of(loss: Any, reduction: str | None, y: Any, batch: int, outputs: int, logs: bool = False) -> Terms:
    """What a loss comes to for given expected outputs.

    loss: a module of torch.nn or a function of torch.nn.functional, or a name of LOSSES; reduction: of a name, "mean" if nothing is said.
    y: as the loss takes it; logs: whether the module ends in log_softmax, which the loss takes in. Raises ProblemError.
    """
    import torch

    name = getattr(loss, "__name__", "")
    if getattr(torch.nn.functional, name, None) is loss and name in FUNCTIONS:
        loss = getattr(torch.nn, FUNCTIONS[name])()
    if not isinstance(loss, torch.nn.Module):
        if logs:
            raise ProblemError(f"loss is {loss!r}, and the module ends in log_softmax: expected NLLLoss or CrossEntropyLoss")
        if loss is None or callable(loss):
            said = "None" if loss is None else f"the function {name}" if name else f"a {type(loss).__name__}"
            raise ProblemError(f"loss is {said}: {_expected()}")
        return _of_name(loss, reduction or "mean", y, batch, outputs)
    kind = type(loss).__name__
    if reduction is not None:
        raise ProblemError(f"reduction is {reduction!r}, but {kind} says its own: leave it out")
    if (kind == "NLLLoss" and not logs) or (logs and kind not in ("NLLLoss", "CrossEntropyLoss")):
        ends = "ends in log_softmax: expected NLLLoss or CrossEntropyLoss" if logs else "does not end in log_softmax: say CrossEntropyLoss"
        raise ProblemError(f"loss is {kind}, and the module {ends}")
    if kind not in MODULES:
        raise ProblemError(f"loss is {kind}: {_expected()}")
    if loss.reduction not in ("mean", "sum"):
        raise ProblemError(f"{kind} has reduction={loss.reduction!r}: expected mean or sum")
    by_output = kind not in ("CrossEntropyLoss", "NLLLoss") and getattr(loss, "weight", None) is not None
    if by_output or getattr(loss, "pos_weight", None) is not None:
        raise ProblemError(f"{kind} has weights for outputs, where a problem has such for samples and classes: leave them out")
    read = MODULES[kind](loss, y, batch, outputs)
    given: Any = y if isinstance(y, torch.Tensor) else torch.as_tensor(y)
    by_class = kind in ("CrossEntropyLoss", "NLLLoss") and not given.is_floating_point()

    def value(output: Any) -> Any:
        there = given.to(output.device)
        return loss(output, there if by_class else there.to(output.dtype).view(output.shape))

    weighed_rows = read.reduction is not None
    smoothed = bool(getattr(loss, "label_smoothing", 0)) or weighed_rows
    return Terms(read.loss, read.reduction or str(loss.reduction), read.y, read.kept, value, smoothed, read.sample_weights)


def _expected() -> str:
    modules = f"expected a module of torch.nn ({', '.join(MODULES)})"
    return f"{modules}, a function of torch.nn.functional ({', '.join(FUNCTIONS)}), or a name, any of {', '.join(LOSSES)}"


def _of_name(loss: Any, reduction: str, y: Any, batch: int, outputs: int) -> Terms:
    try:
        choice = normal_choice(LOSSES, loss, "loss")
    except (TypeError, ValueError) as error:
        raise ProblemError(str(error)) from None
    name, parameters = name_and_parameters(choice)
    numbers = _same_shape(y, batch, outputs)

    def value(output: Any) -> Any:
        import torch

        expected = torch.tensor(numbers, dtype=output.dtype, device=output.device)
        summed = TORCH_LOSSES[name](torch.nn.functional, output.reshape(expected.shape), expected, **parameters)
        return summed / batch if reduction == "mean" else summed

    return Terms(choice, reduction, numbers, np.ones(batch, dtype=bool), value)


def _same_shape(y: Any, batch: int, outputs: int) -> Array:
    """y as (batch, n_L), which a vector is too where there is one output."""
    numbers = as_array(y).astype(np.float64)
    if numbers.shape not in ((batch, outputs), (batch,) if outputs == 1 else ()):
        raise ProblemError(f"y has shape {numbers.shape}: expected {(batch, outputs)}")
    return numbers.reshape(batch, outputs)


def _cross_entropy(loss: Any, y: Any, batch: int, outputs: int) -> Read:
    """Classes become rows with a 1, smoothed labels what they are; ignored samples are left out, of a mean too, as PyTorch does it.

    Weights of classes are those of samples: of the class of each; of rows with several, C_0 is the sum of w_j y_j times that of the row
    w_j y_j over it, and a mean is taken over the weights of the classes, or over the batch where y are probabilities.
    """
    given, kept, classes = as_array(y), np.ones(batch, dtype=bool), None
    if given.dtype.kind in "iu" or type(loss).__name__ == "NLLLoss":
        if given.shape != (batch,):
            raise ProblemError(
                f"y has shape {given.shape}: expected a class for each sample, {(batch,)}, or probabilities, {(batch, outputs)}"
            )
        kept = given != loss.ignore_index
        classes = given[kept]
        if not kept.any():
            raise ProblemError(f"y is {loss.ignore_index}, the index that is ignored, for every sample: nothing is left")
        numbers = rows_of_classes(classes, outputs)
    else:
        numbers = _same_shape(y, batch, outputs)
    smoothing = float(getattr(loss, "label_smoothing", 0.0))
    rows = numbers if not smoothing else (1 - smoothing) * numbers + smoothing / outputs
    if loss.weight is None:
        return Read("softmax_cross_entropy", rows, kept)
    of_classes = as_array(loss.weight).astype(np.float64)
    if of_classes.shape != (outputs,):
        raise ProblemError(f"{type(loss).__name__} has weights for {of_classes.size} classes: expected one for each output, {outputs}")
    if not (np.isfinite(of_classes).all() and (of_classes >= 0).all() and of_classes.any()):
        raise ProblemError(f"{type(loss).__name__} has the class weights {of_classes.tolist()}: expected none below 0, and not all 0")
    if classes is not None and loss.reduction == "mean" and not of_classes[classes].any():
        raise ProblemError(f"{type(loss).__name__} takes a mean over classes whose weights are all 0")
    if classes is not None and not smoothing:
        return Read("softmax_cross_entropy", rows, kept, of_classes[classes])
    counts = rows @ of_classes
    over = 1.0 if loss.reduction == "sum" else float(batch if classes is None else of_classes[classes].sum())
    weighed = np.divide(rows * of_classes, counts[:, None], out=rows.copy(), where=counts[:, None] > 0)
    return Read("softmax_cross_entropy", weighed, kept, counts / over, "sum")


def _squared(loss: Any, y: Any, batch: int, outputs: int) -> Read:
    choice = "mean_squared_error" if loss.reduction == "mean" else "squared_error"
    return Read(choice, _same_shape(y, batch, outputs), np.ones(batch, dtype=bool))


def _binary(name: str) -> Callable[..., Read]:
    """Binary cross-entropy, whose reduction is over outputs too."""

    def terms(loss: Any, y: Any, batch: int, outputs: int) -> Read:
        choice = name if loss.reduction == "mean" else f"summed_{name}"
        return Read(choice, _same_shape(y, batch, outputs), np.ones(batch, dtype=bool))

    return terms


def _mean_over_outputs(choose: Callable[[Any], Choice]) -> Callable[..., Read]:
    """Of a loss that a problem takes the mean of over outputs: a sum over several has no name."""

    def terms(loss: Any, y: Any, batch: int, outputs: int) -> Read:
        if loss.reduction == "sum" and outputs > 1:
            kind = type(loss).__name__
            raise ProblemError(f"{kind} with reduction='sum' adds up over {outputs} outputs, where a problem's has the mean: say 'mean'")
        return Read(choose(loss), _same_shape(y, batch, outputs), np.ones(batch, dtype=bool))

    return terms


def _huber(loss: Any) -> Choice:
    delta = float(loss.delta)
    return "huber" if delta == 1 else ("huber", {"delta": delta})


def _smooth(loss: Any) -> Choice:
    if loss.beta != 1:
        raise ProblemError(
            f"SmoothL1Loss with beta={loss.beta:g} is Huber's loss over beta, which has no name: say HuberLoss({loss.beta:g})"
        )
    return "huber"


MODULES: Mapping[str, Callable[..., Read]] = {
    "CrossEntropyLoss": _cross_entropy,
    "NLLLoss": _cross_entropy,
    "MSELoss": _squared,
    "BCEWithLogitsLoss": _binary("binary_cross_entropy_with_logits"),
    "BCELoss": _binary("binary_cross_entropy_of_probabilities"),
    "HuberLoss": _mean_over_outputs(_huber),
    "SmoothL1Loss": _mean_over_outputs(_smooth),
}
"""PyTorch's modules -> what each comes to."""
