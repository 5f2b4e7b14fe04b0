"""What is given as a target: a function of a problem, or a framework's own network, which is made a target here."""

import inspect
import sys
from collections.abc import Mapping
from typing import Any

from backproof.targets.target import Target, TargetError, told_of


def target_of(given: Any) -> Target:
    """The target of what is given: itself where it is a function of a problem; of a torch module, one of scikit-learn or Equinox, or of
    a function without arguments that makes one, the target that asks it; of a kernel, whose `supports` says of which layer, likewise.

    No framework is imported here: what is one's has imported it. Raises TargetError.
    """
    if is_kernel(given):
        from backproof.targets.layer_kernel import LayerKernel

        return LayerKernel(given, given.supports)
    made = given if hasattr(given, "supports") else _made(given)
    network = _framework(made)
    if network is not None:
        return network
    target: Target = given
    return target


def is_kernel(given: Any) -> bool:
    """Whether what is given says of itself that it is the kernel of a layer."""
    supports = getattr(given, "supports", None)
    return isinstance(supports, Mapping) and "layer" in supports


def _framework(given: Any) -> Target | None:
    """The target of a network of a framework; None of anything else."""
    if isinstance(given, type) or hasattr(given, "supports"):
        return None
    # the protocol's end of a process imports no more than it needs
    if is_torch_module(given):
        from backproof.targets.torch_module import TorchModule

        return TorchModule(given)
    if isinstance(given, _named("sklearn.neural_network", "MLPClassifier") + _named("sklearn.neural_network", "MLPRegressor")):
        from backproof.targets.sklearn_network import SklearnNetwork

        return SklearnNetwork(given)
    if isinstance(given, _named("equinox", "Module")):
        from backproof.targets.jax_network import from_jax

        target = from_jax(lambda network, x: network(x), given)
        target.__qualname__ = type(given).__qualname__
        return target
    return None


def is_torch_module(given: Any) -> bool:
    """Whether it is one; torch is not imported for it."""
    return isinstance(given, _named("torch.nn", "Module"))


def _named(module: str, name: str) -> tuple[type, ...]:
    """A class of a module that somebody has imported, or none."""
    loaded = sys.modules.get(module)
    found = getattr(loaded, name, None)
    return (found,) if isinstance(found, type) else ()


def _made(given: Any) -> Any:
    """What a function or a class without arguments makes; what is given, where it is neither."""
    if isinstance(given, type):
        modules = _named("torch.nn", "Module") + _named("sklearn.base", "BaseEstimator")
        if not modules or not issubclass(given, modules):
            return given
    elif not inspect.isfunction(given) or not _needs_nothing(given):
        return given
    try:
        return given()
    except Exception as error:
        name = getattr(given, "__qualname__", "")
        raise TargetError(
            f"{name}() cannot be made without arguments: {told_of(error)}: expected a function that makes the network"
        ) from error


def _needs_nothing(function: Any) -> bool:
    """Whether a function is called without arguments, and so is none of a problem."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    optional = [p.default is not p.empty or p.kind is p.VAR_KEYWORD for p in parameters]
    return all(optional) and "problem" not in [parameter.name for parameter in parameters]
