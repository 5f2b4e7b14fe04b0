"""One real training step of somebody's own network, with the parameters that it has: as a problem, and judged."""

from typing import Any, Protocol

from backproof.targets.frameworks import is_torch_module, target_of
from backproof.targets.target import TargetError
from backproof.targets.torch_step import problem_from_module, verify_step_of_module
from properties.judging.judge import verify
from properties.judging.judgement import Judgement
from reference.gradient import Gradient
from reference.problem import Problem


class WithParameters(Protocol):
    """A target that is a network of a framework, which has parameters of its own."""

    precision: str

    def problem_of(self, x: Any, y: Any, loss: Any, reduction: str | None) -> Problem:
        """The problem that its parameters and one batch are."""
        ...

    def __call__(self, problem: Problem) -> Gradient: ...


def problem_from(model: Any, x: Any, y: Any, *, loss: Any = None, reduction: str | None = None) -> Problem:
    """The problem that a network, one batch and a loss are.

    model: a torch module that is a stack of linear layers and activations, a network of JAX (from_jax) or Equinox, or scikit-learn's, with
    the parameters that it has; x: (batch, ...), a tensor or an array; y: as the loss takes it, or a class for each sample.
    loss: a module of torch.nn, such as CrossEntropyLoss(weight, label_smoothing=0.1), a function of torch.nn.functional, or a name of ours;
    left out for scikit-learn, which has its own, and its penalty. reduction: of a name, "mean" where nothing is said. Of samples that
    ignore_index leaves out the problem has none. Raises TargetError where the model is no such network, and ProblemError.
    """
    network = _network(model)
    return problem_from_module(model, x, y, loss, reduction) if network is None else network.problem_of(x, y, loss, reduction)


def verify_step(
    model: Any, x: Any, y: Any, *, loss: Any = None, reduction: str | None = None, precision: str | None = None, strict: bool = False
) -> Judgement:
    """Judge the gradient of one training step: of a torch module its own forward pass, the loss given, backward(), and what .grad holds
    then; of JAX jax.grad of the network and a loss of ours; of scikit-learn its own.

    model, x, y, loss, reduction: as for problem_from. precision, strict: as for verify; the precision is what the network computes in,
    where nothing is said. A module is left as it was, .grad too. Raises as problem_from does.
    """
    network = _network(model)
    if network is None:
        return verify_step_of_module(model, x, y, loss, reduction, precision, strict)
    problem = network.problem_of(x, y, loss, reduction)
    return verify(problem, network(problem), precision=precision or network.precision, strict=strict)


def _network(model: Any) -> WithParameters | None:
    """The target of a network that is no torch module, which has a step of its own; None of one. Raises TargetError."""
    if is_torch_module(model):
        return None
    target: Any = target_of(model)
    if not hasattr(target, "problem_of"):
        expected = "a torch.nn.Module, a network of JAX (backproof.from_jax) or Equinox, or one of scikit-learn"
        raise TargetError(f"model is a {type(model).__name__}: expected {expected}")
    network: WithParameters = target
    return network
