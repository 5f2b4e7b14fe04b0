"""What somebody gives as a layer, as a kernel of arrays: a backward pass by hand, or a forward pass whose framework goes backward."""

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from backproof.targets.layers import Layer
from backproof.targets.target import TargetError
from properties.answers.answer import Malformed

Kernel = Callable[..., Any]
"""kernel(*what the layer takes, upstream) returns its derivatives."""


@dataclass(frozen=True)
class Asked:
    """A kernel; framework: whose arrays it must be given, "" where any may be."""

    kernel: Kernel
    name: str
    framework: str = ""


def kernel_of(given: Any, layer: Layer) -> Asked:
    """The kernel of what somebody gives: a function of what the layer takes and the upstream gradient, which is one; a function of what
    it takes alone, a torch.autograd.Function or its apply, or a torch module, whose own backward pass is asked. Raises TargetError.
    """
    name = str(getattr(given, "__qualname__", type(given).__qualname__))
    torch = sys.modules.get("torch")
    if torch is not None:
        if isinstance(given, type) and issubclass(given, torch.nn.Module):
            given = _made(given, name)
        if isinstance(given, torch.nn.Module):
            return Asked(_OfModule(given, layer), type(given).__qualname__, "torch")
        owner = given if isinstance(given, type) else getattr(given, "__self__", None)
        if isinstance(owner, type) and issubclass(owner, torch.autograd.Function):
            apply: Any = getattr(owner, "apply")  # noqa: B009 (its type is not said)
            return Asked(_backward(apply, layer), owner.__qualname__, "torch")
    if isinstance(given, type) or not callable(given):
        what = f"the class {name}" if isinstance(given, type) else f"a {type(given).__name__}"
        raise TargetError(f"kernel is {what}: expected a function {_call(layer)}, a torch.autograd.Function or a torch module")
    if _is_unknown(given):
        return Asked(_either(given, layer), name)
    if _takes(given, len(layer.takes) + 1) and not _may_leave_out(given, len(layer.takes)):
        return Asked(given, name)
    if _takes(given, len(layer.takes)):
        return Asked(_backward(given, layer), name)
    wanted = f"{_call(layer)}, or of a forward pass f({', '.join(layer.takes)})"
    raise TargetError(f"{name} takes {inspect.signature(given)}: expected a function {wanted}")


def _call(layer: Layer) -> str:
    """How a kernel of a layer is called, in words."""
    gives = ", ".join(layer.gives)
    return f"f({', '.join(layer.takes)}, upstream) -> {f'({gives})' if len(layer.gives) > 1 else gives}"


def _made(given: type, name: str) -> Any:
    try:
        return given()
    except Exception as error:
        raise TargetError(f"{name} is a module's class that cannot be made without arguments ({error}): give a module of it") from error


def _takes(function: Kernel, count: int) -> bool:
    """Whether a function may be called with so many arguments."""
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    return True


def _is_unknown(function: Kernel) -> bool:
    """Whether nothing is known of its arguments: it is not written in Python."""
    try:
        inspect.signature(function)
    except ValueError:
        return True
    return False


def _either(function: Kernel, layer: Layer) -> Kernel:
    """A kernel of a function of which nothing is known: where it does not take the upstream gradient, it is a forward pass."""

    def kernel(*arrays: Any) -> Any:
        try:
            return function(*arrays)
        except TypeError as error:
            try:
                return _backward(function, layer)(*arrays)
            except TypeError:
                raise error from None

    return kernel


def _may_leave_out(function: Kernel, place: int) -> bool:
    """Whether its argument at a place has a name and a default: the upstream gradient has none, but options of a forward pass have."""
    parameters = list(inspect.signature(function).parameters.values())
    positional = [parameter for parameter in parameters if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)]
    return len(positional) > place and positional[place].default is not inspect.Parameter.empty


def _backward(forward: Kernel, layer: Layer) -> Kernel:
    """A kernel of a forward pass: its framework's own backward pass, with the upstream gradient."""

    def kernel(*arrays: Any) -> Any:
        *taken, upstream = arrays
        if hasattr(upstream, "detach"):
            return _without_bias(_of_torch, forward, taken, upstream, layer)
        if "jax" in sys.modules and isinstance(upstream, sys.modules["jax"].Array):
            return _without_bias(_of_jax, forward, taken, upstream, layer)
        raise TargetError(f"a forward pass f({', '.join(layer.takes)}) of NumPy has no backward pass: give {_call(layer)}")

    return kernel


def _without_bias(backward: Kernel, forward: Kernel, taken: Sequence[Any], upstream: Any, layer: Layer) -> Any:
    """What a framework's backward pass gives; where there is no bias, f(x, weight, upstream) is not one. Raises TargetError of that."""
    try:
        return backward(forward, taken, upstream, layer)
    except (TypeError, AttributeError) as error:
        if "bias" not in layer.takes or taken[layer.takes.index("bias")] is not None:
            raise
        said = f"it was called as the forward pass f({', '.join(layer.takes)}) with bias=None, and raised {type(error).__name__}: {error}"
        raise TargetError(f"{said}; without a bias too the kernel must take one, which is None then: expected {_call(layer)}") from error


def _places(taken: Sequence[Any], layer: Layer) -> list[int]:
    """Which arguments it is differentiated by: all that are given, but for the classes of samples."""
    return [place for place, (name, array) in enumerate(zip(layer.takes, taken, strict=True)) if name != "target" and array is not None]


def _in_order(derivatives: Sequence[Any], places: Sequence[int], layer: Layer) -> list[Any]:
    by_place = dict(zip(places, derivatives, strict=True))
    return [by_place.get(place) for place, name in enumerate(layer.takes) if name != "target"]


def _shaped_as(output: Any, upstream: Any) -> None:
    if tuple(output.shape) != tuple(upstream.shape):
        of_all = "; of a loss hand over those of each sample, before their mean or sum" if not output.shape else ""
        raise Malformed(f"the forward pass gives an array of shape {tuple(output.shape)}: expected {tuple(upstream.shape)}{of_all}")


def _of_torch(forward: Kernel, taken: Sequence[Any], upstream: Any, layer: Layer) -> list[Any]:
    import torch

    places, arguments = _places(taken, layer), list(taken)
    for place in places:
        # the same memory, so that a stride stays one
        arguments[place] = arguments[place].detach().requires_grad_(True)
    with torch.enable_grad():
        output = forward(*arguments)
    _shaped_as(output, upstream)
    if not output.requires_grad:
        raise Malformed("no gradient goes through the forward pass: its output does not depend on what it is given")
    derivatives = torch.autograd.grad(output, [arguments[place] for place in places], upstream, allow_unused=True)
    return _in_order(derivatives, places, layer)


def _of_jax(forward: Kernel, taken: Sequence[Any], upstream: Any, layer: Layer) -> list[Any]:
    import jax

    places = _places(taken, layer)

    def output(*chosen: Any) -> Any:
        arguments = list(taken)
        for place, array in zip(places, chosen, strict=True):
            arguments[place] = array
        return forward(*arguments)

    value, pullback = jax.vjp(output, *(taken[place] for place in places))
    _shaped_as(value, upstream)
    return _in_order(pullback(upstream), places, layer)


def own_parameters(given: Any, layer: Layer) -> tuple[Any, Any]:
    """The weight and the bias, or None, that a torch module has. Raises TargetError where it is no module."""
    kernel = kernel_of(given, layer).kernel
    if not isinstance(kernel, _OfModule):
        raise TargetError("weight is None: expected an array, of all but a torch module, which has its own")
    named = {name: parameter.detach() for name, parameter in kernel.module.named_parameters()}
    biases = [named[name].reshape(-1) for name in kernel.others]
    return named[kernel.matrices[0]], biases[0] if biases else None


class _OfModule:
    """A kernel of a torch module whose parameters are a layer's weight and bias; they are left as they are."""

    def __init__(self, module: Any, layer: Layer) -> None:
        self.module, self.layer = module, layer
        parameters = {name: tuple(parameter.shape) for name, parameter in module.named_parameters()}
        self.matrices = [name for name, shape in parameters.items() if len(shape) == 2 and 1 not in shape] or [
            name for name, shape in parameters.items() if len(shape) == 2
        ]
        self.others = [name for name in parameters if name not in self.matrices]
        expected = (1, (0, 1)) if "weight" in layer.takes else (0, (0,))
        if len(self.matrices) != expected[0] or len(self.others) not in expected[1]:
            held = ", ".join(f"{name} {shape}" for name, shape in parameters.items()) or "none"
            what = "one weight and at most one bias" if expected[0] else "none"
            raise TargetError(f"{type(module).__qualname__} has the parameters {held}: expected {what}, of one layer alone")
        self.shapes = parameters

    def __call__(self, *arrays: Any) -> Any:
        import torch

        *taken, upstream = arrays
        named = dict(zip(self.layer.takes, taken, strict=True))
        own = {name: named.pop(name) for name in ("weight", "bias") if name in named}
        if own and (own["bias"] is None) is bool(self.others):
            raise Malformed(f"the module has {'a' if self.others else 'no'} bias, and is given {'none' if self.others else 'one'}")

        def forward(*arguments: Any) -> Any:
            given = dict(zip(self.layer.takes, arguments, strict=True))
            # in the layout that the module has, which is that of the weight given
            parameters: dict[str, Any] = dict.fromkeys(self.matrices, given.get("weight"))
            parameters |= {name: given["bias"].reshape(*[1] * (len(self.shapes[name]) - 1), -1) for name in self.others}
            return torch.func.functional_call(self.module, parameters, tuple(given[name] for name in self.layer.takes if name not in own))

        return _of_torch(forward, taken, upstream, self.layer)
