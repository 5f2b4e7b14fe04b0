"""A torch module as a target: the stack that is found in it is asked problems of its own widths, and answers by its own autograd."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from backproof.targets.stack import TRIES, Stack, Undecided, drawn, drawn_inputs, proved, without_cross_entropies
from backproof.targets.target import TargetError
from backproof.targets.torch_calls import Recording, Unfollowed, recorded
from backproof.targets.torch_stack import NO_STACK, Layer, ends_in_log_softmax, layers_of
from oracles.torch_autograd import TORCH_LOSSES
from properties.answers.answer import without_counted_terms
from reference.arrays import AnyArray
from reference.dtypes import DTYPES, as_array
from reference.functions.parametrised import name_and_parameters
from reference.gradient import Gradient
from reference.problem import Problem
from rounding.precisions import PRECISIONS

EXPECTED = "expected linear layers with activations between them"


class FoundStack:
    """The stack that was found in a module, whose parameters are the module's own.

    inputs: the shape of one sample; precision: what it computes in, a key of PRECISIONS; told: what a reader should know of it.
    """

    def __init__(self, module: Any, inputs: Sequence[int] | None = None) -> None:
        import torch

        self.module = module
        # of what is compiled, the module that it was compiled from; it is called itself
        self.followed = getattr(module, "_orig_mod", module)
        self.name = type(self.followed).__name__
        self.parameters = list(self.followed.parameters())
        if isinstance(self.followed, torch.jit.ScriptModule):
            raise TargetError(f"{self.name} is a module of TorchScript, which cannot be followed: give the module that it was made of")
        if not self.parameters:
            raise TargetError(f"{self.name} has no parameters: {EXPECTED}")
        first = self.parameters[0]
        self.dtype, self.device = first.dtype, first.device
        if str(self.dtype).removeprefix("torch.") not in DTYPES or str(self.device) == "meta":
            raise TargetError(f"{self.name} has parameters of {self.dtype} on {self.device}: expected float32 or such")
        with as_it_was(self.parameters):
            for attempt in range(TRIES):
                try:
                    self._find(inputs, attempt * (1 + len(self.parameters)))
                    return
                except Undecided as error:
                    undecided = TargetError(f"{self.name}: {error}")
        raise undecided

    def _find(self, inputs: Sequence[int] | None, seed: int) -> None:
        """Try the module with numbers of our own, and read its layers off what it does with them."""
        import torch

        self._seed = seed
        for number, parameter in enumerate(self.parameters, seed + 1):
            with torch.no_grad():
                parameter.copy_(self.tensor(drawn(parameter.shape, number)))
            parameter.requires_grad_(True)
        recording, given = self._followed([tuple(inputs)] if inputs is not None else self._likely_inputs())
        self.layers = self._layers(recording, given)
        activations = tuple(layer.activation for layer in self.layers)
        widths = tuple(layer.turned(layer.weight).shape[0] for layer in self.layers)
        self.stack = Stack(
            (self.layers[0].turned(self.layers[0].weight).shape[1], *widths),
            activations,
            tuple(layer.bias is not None for layer in self.layers),
            tuple(number for number, layer in enumerate(self.layers, 1) if layer.by_values),
        )
        with torch.no_grad():
            output = self.module(self.tensor(given))
        self.precision = self._precision(recording, output)
        self.logs = ends_in_log_softmax(recording)
        last = self.logits(as_array(output).reshape(len(given), -1))
        outputs = [*(layer.a for layer in self.layers[:-1]), last]
        # what every layer computes is held against the reference before any gradient is
        problem = self.problem_of(given, np.zeros(last.shape), loss="half_squared_error", reduction="sum")
        unsaid = proved(problem, outputs, self.precision, self.name)
        logs = ["it ends in log_softmax, which is taken into the loss: softmax_cross_entropy alone is asked"] if self.logs else []
        self.told = [self.stack.told, *logs, *([unsaid] if unsaid else [])]

    def logits(self, output: AnyArray) -> AnyArray:
        """The last layer's activations: of a module that ends in log_softmax those that were seen, as the loss takes it in."""
        seen = self.layers[-1].a
        return output if not self.logs or seen is None else seen

    def _layers(self, recording: Recording, given: AnyArray) -> list[Layer]:
        """The layers of a forward pass; in 16 bits, by whose values some activations cannot be told from others, as they are in 32."""
        import torch

        layers = layers_of(recording, self.name)
        if self.stored not in ("float16", "bfloat16") or not any(layer.by_values for layer in layers):
            return layers
        try:
            wide = copy.deepcopy(self.followed).float()
            finer = recorded(wide, self.tensor(given, torch.float32).requires_grad_(True).clone())
        except Exception:  # of what cannot be copied, or computes in 16 bits alone
            return layers
        found = layers_of(finer, self.name)
        return [replace(layer, activation=wider.activation) for layer, wider in zip(layers, found, strict=True)]

    def _likely_inputs(self) -> list[tuple[int, ...]]:
        """The shapes of one sample that a matrix allows, the first first: (out, in), as PyTorch's own, or (in, out)."""
        matrices = [parameter for parameter in self.parameters if parameter.ndim > 1]
        first = matrices[0] if matrices else self.parameters[0]
        if first.ndim != 2:
            owners = {id(p): (name, part) for name, part in self.followed.named_modules() for p in part.parameters(recurse=False)}
            name, part = owners[id(first)]
            place = f" at {name}" if name else ""
            raise TargetError(f"{self.name}: {type(part).__name__}{place}: {NO_STACK}")
        return list(dict.fromkeys((width,) for matrix in matrices if matrix.ndim == 2 for width in reversed(matrix.shape)))

    def _followed(self, shapes: Sequence[tuple[int, ...]]) -> tuple[Recording, AnyArray]:
        """The forward pass on samples of the first shape that it takes, and the samples."""
        said = ""
        for shape in shapes:
            given = PRECISIONS[self.stored].held(drawn_inputs(shape, self._seed))
            try:
                return recorded(self.followed, self.input(given)), given
            except Unfollowed as error:
                said = said or f"{error} (asked with {len(given)} samples of ours, each of shape {shape})"
        raise TargetError(f"{self.name}: {said}: {EXPECTED}")

    @property
    def stored(self) -> str:
        """The dtype of its parameters."""
        return str(self.dtype).removeprefix("torch.")

    def _precision(self, recording: Recording, output: Any) -> str:
        """What it computes in: the narrowest dtype that comes along, with sums in float32, and its own functions."""
        import torch

        passed = [str(output.dtype).removeprefix("torch."), self.stored]
        passed += [value.dtype for call in recording.calls for value in call.results if value.dtype in DTYPES]
        narrowest = list(DTYPES)[max(list(DTYPES).index(name) for name in passed)]
        if narrowest in ("float16", "bfloat16"):
            in_steps = recording.by_hand or any(layer.by_values for layer in self.layers)
            return f"{narrowest}/float32" if in_steps else f"{narrowest}/float32/float32"
        on_tensor_cores = self.device.type == "cuda" and torch.backends.cuda.matmul.allow_tf32
        return "tf32" if narrowest == "float32" and on_tensor_cores else narrowest

    def tensor(self, array: AnyArray, dtype: Any = None) -> Any:
        """A tensor of its dtype, on its device, that shares no memory with the array."""
        import torch

        return torch.tensor(np.asarray(array), dtype=dtype or self.dtype, device=self.device)

    def input(self, array: AnyArray) -> Any:
        """Samples as it is given them: what is no leaf may be overwritten in place, and a gradient goes through it."""
        return self.tensor(array).requires_grad_(True).clone()

    def problem_of(self, x: AnyArray, y: AnyArray, *, loss: Any, reduction: str) -> Problem:
        """The problem of its parameters as they are. x: of any shape whose samples have n_0 numbers. Raises ProblemError."""
        weights = [numbers(layer.turned(layer.weight)) for layer in self.layers]
        biases = [None if layer.bias is None else numbers(layer.bias).ravel() for layer in self.layers]
        samples = np.asarray(x, dtype=np.float64).reshape(len(x), -1)
        return Problem(weights, biases=biases, activations=self.stack.activations, x=samples, y=y, loss=loss, reduction=reduction)

    def gradient(self, loss: Any, x: Any) -> Gradient:
        """What .grad holds after a backward pass. x: the leaf whose gradient dC/dx is; loss: a tensor of one number."""
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward()
        weights = [self._read(layer.weight, layer, "weight") for layer in self.layers]
        biases = [None if layer.bias is None else self._read(layer.bias, layer, "bias") for layer in self.layers]
        return Gradient(weights, biases, x=None if x is None else as_array(x.grad), loss=as_array(loss))

    def _read(self, parameter: Any, layer: Layer, name: str) -> AnyArray:
        if parameter.grad is None:
            number = self.layers.index(layer) + 1
            cut = "the graph is cut above it, by .detach() or torch.no_grad() say, or what it gives is not used"
            raise RuntimeError(f"layer {number}: .grad of its {name} is None after backward(): no gradient reaches it; {cut}")
        array = as_array(parameter.grad)
        return layer.turned(array) if name == "weight" else array.ravel()


class TorchModule:
    """A target: a torch module as it is, which is left as it was."""

    def __init__(self, module: Any) -> None:
        self.found = FoundStack(module)
        self.__qualname__ = self.found.name
        # the softmax_cross_entropy of log-probabilities is that of the logits below them
        losses = ["softmax_cross_entropy"] if self.found.logs else without_cross_entropies(TORCH_LOSSES)
        self.supports = self.found.stack.supports(losses)
        self.precision, self.notes = self.found.precision, tuple(self.found.told)

    def __call__(self, problem: Problem) -> Gradient:
        import torch
        import torch.nn.functional as F

        without_counted_terms(problem, self.__qualname__)
        found = self.found
        with as_it_was(found.parameters), torch.enable_grad():
            for layer, weight, bias in zip(found.layers, problem.weights, problem.biases, strict=True):
                with torch.no_grad():
                    layer.weight.copy_(found.tensor(layer.turned(weight)))
                    if layer.bias is not None:
                        layer.bias.copy_(found.tensor(np.asarray(bias)).reshape(layer.bias.shape))
            for parameter in found.parameters:
                parameter.requires_grad_(True)
            x = found.tensor(problem.x).requires_grad_(True)
            output = found.module(x.clone()).reshape(problem.batch, -1)
            name, parameters = name_and_parameters(problem.loss)
            loss = TORCH_LOSSES[name](F, output, found.tensor(problem.y, output.dtype), **parameters)
            return found.gradient(loss / problem.batch if problem.reduction == "mean" else loss, x)


@contextmanager
def as_it_was(parameters: Sequence[Any]) -> Iterator[None]:
    """Give parameters back their numbers, gradients and requires_grad as they are before."""
    import torch

    before = [(parameter, parameter.detach().clone(), parameter.grad, parameter.requires_grad) for parameter in parameters]
    try:
        for parameter in parameters:
            parameter.grad = None
        yield
    finally:
        with torch.no_grad():
            for parameter, value, gradient, required in before:
                parameter.requires_grad_(required)
                parameter.copy_(value)
                parameter.grad = gradient


def numbers(tensor: Any) -> AnyArray:
    """A tensor as float64."""
    return as_array(tensor).astype(np.float64)
