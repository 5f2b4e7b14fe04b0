"""What a torch module calls in its forward pass: each function of PyTorch with what goes in and what comes out, and in which module."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reference.arrays import Array
from reference.dtypes import as_array

OF_THE_MODULE = "in the forward of"
"""How a call is told that no submodule made."""


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor as it was at one moment.

    made_by: the name of what made it outside of any function that was recorded ("MyFunctionBackward"), or "" where it was recorded;
    parameters: those that went into that; derives: whether a gradient goes through it.
    """

    array: Array
    dtype: str
    made_by: str = ""
    parameters: tuple[Any, ...] = ()
    derives: bool = False


@dataclass(frozen=True, eq=False)
class Call:
    """One call: the function's name, its arguments, in which tensors stand as Values, its results, and whose call it is.

    of_torch: whether it is that of a module of PyTorch's own.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: tuple[Value, ...]
    where: str
    of_torch: bool = False

    @property
    def inputs(self) -> list[Value]:
        """The tensors that go in, lists of tensors opened."""
        return [value for value in _flat([*self.args, *self.kwargs.values()]) if isinstance(value, Value)]

    def argument(self, place: int, name: str, default: Any) -> Any:
        """An argument, by its place or its name."""
        return self.args[place] if len(self.args) > place else self.kwargs.get(name, default)


@dataclass
class Recording:
    """A forward pass: the calls in their order, the input and the output, and whether any function of it has a backward pass by hand."""

    calls: list[Call] = field(default_factory=list)
    x: Any = None
    output: Any = None
    parameters: dict[int, Any] = field(default_factory=dict)
    """For each Value of a parameter, by its id, the parameter."""
    by_hand: bool = False


class Unfollowed(Exception):
    """The forward pass raised an error; the message says what, and in which module."""


def recorded(module: Any, x: Any) -> Recording:
    """The forward pass of a module, not of what is compiled of it, on a tensor. Raises Unfollowed."""
    import torch

    inside: list[tuple[str, bool]] = []
    names = {id(part): f"{type(part).__name__} at {name}" for name, part in module.named_modules() if name}
    own = f"{OF_THE_MODULE} {type(module).__name__}"

    def entered(part: Any, given: Any) -> None:
        inside.append((names.get(id(part), own), type(part).__module__.startswith("torch.nn.")))

    def left(part: Any, given: Any, output: Any) -> None:
        inside.pop()

    hooks = [hook for part in module.modules() for hook in (part.register_forward_pre_hook(entered), part.register_forward_hook(left))]
    recorder = _recorder(module, inside)
    stance = torch.compiler.set_stance("force_eager") if hasattr(torch.compiler, "set_stance") else _Nothing()
    try:
        recorder.recording.x = recorder.seen(x)
        with torch.enable_grad(), stance, recorder:
            output = module(x)
        if isinstance(output, torch.Tensor):
            recorder.recording.output = recorder.seen(output)
            recorder.recording.by_hand = any(_is_by_hand(node) for node in _nodes(output.grad_fn))
        else:
            recorder.recording.output = output
        return recorder.recording
    except Exception as error:
        raise Unfollowed(f"{inside[-1][0] if inside else own}: {type(error).__name__}: {error}") from error
    finally:
        for hook in hooks:
            hook.remove()


class _Nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *raised: object) -> None: ...


def _recorder(module: Any, inside: list[tuple[str, bool]]) -> Any:
    """What PyTorch tells each call to: a class of its own, as torch is imported here."""
    import torch
    from torch.overrides import TorchFunctionMode

    class Recorder(TorchFunctionMode):
        def __init__(self) -> None:
            super().__init__()
            self.recording = Recording()
            self._values: dict[int, Value] = {}
            self._own = {id(parameter) for parameter in module.parameters()}
            self._kept: list[Any] = []  # an id is used again where nobody holds its tensor
            for parameter in module.parameters():
                self.recording.parameters[id(self._took(parameter, Value(_numbers(parameter), _dtype(parameter))))] = parameter

        def _took(self, tensor: Any, value: Value) -> Value:
            self._values[id(tensor)] = value
            self._kept += [tensor, value]
            return value

        def seen(self, tensor: Any) -> Value:
            """The value of a tensor, as it was recorded, or as it is where something else made it."""
            if id(tensor) not in self._values:
                node = tensor.grad_fn
                made_by, used = (type(node).__name__, _parameters_of(node, self._own)) if node is not None else ("", ())
                self._took(
                    tensor, Value(_numbers(tensor), _dtype(tensor), made_by or "what is no function of PyTorch", used, node is not None)
                )
            return self._values[id(tensor)]

        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            given = _mapped(list(args), self.seen), _mapped(dict(kwargs or {}), self.seen)
            output = function(*args, **(kwargs or {}))
            tensors = [item for item in _flat([output]) if isinstance(item, torch.Tensor)]
            if not tensors and getattr(function, "__name__", "") == "__setitem__":
                tensors = [args[0]]
            if tensors:
                values = tuple(self._took(tensor, Value(_numbers(tensor), _dtype(tensor))) for tensor in tensors)
                name = getattr(function, "__name__", str(function))
                whose = inside[-1] if inside else ("", False)
                self.recording.calls.append(Call(name, tuple(given[0]), given[1], values, *whose))
            return output

    def _mapped(given: Any, change: Callable[[Any], Any]) -> Any:
        if isinstance(given, torch.Tensor):
            return change(given)
        if isinstance(given, (list, tuple)):
            return [_mapped(item, change) for item in given]
        return {name: _mapped(item, change) for name, item in given.items()} if isinstance(given, dict) else given

    return Recorder()


def _flat(given: Any) -> Iterator[Any]:
    for item in given:
        if isinstance(item, (list, tuple)):
            yield from _flat(item)
        else:
            yield item


def _numbers(tensor: Any) -> Array:
    array = as_array(tensor)
    return np.array(array, dtype=np.float64) if array.dtype.kind in "fiubV" else np.array(np.nan)


def _dtype(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _nodes(start: Any) -> Iterator[Any]:
    """Every node of a graph of autograd."""
    known, waiting = set(), [start]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in known:
            known.add(node)
            waiting += [following for following, _ in node.next_functions]
            yield node


def _is_by_hand(node: Any) -> bool:
    import torch

    return isinstance(node, torch.autograd.function.BackwardCFunction)


def _parameters_of(node: Any, own: set[int]) -> tuple[Any, ...]:
    """The parameters that go into one node; own: the ids of all."""
    leaves = [following.variable for following, _ in node.next_functions if hasattr(following, "variable")]
    return tuple(leaf for leaf in leaves if id(leaf) in own)
