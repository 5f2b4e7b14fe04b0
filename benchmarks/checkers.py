"""Gradient checkers that people use, each by its own published rule and defaults: does an implementation pass on a problem?

All of them but the comparisons are given the right loss of the reference as the function, and the implementation's answer as its
gradient. That is generous: code whose forward pass has the mistake as well would pass finite differences of its own loss.
"""

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backproof import Gradient, Problem, verify
from oracles import torch_autograd
from properties.faults.fault import changed_problem
from reference.forward import forward
from reference.functions.activations import ACTIVATIONS
from reference.functions.parametrised import row_of

Target = Callable[[Problem], Gradient]
DOUBLE, BOTH = ("float64",), ("float64", "float32")


class Implementation:
    """A network on a problem, as a function of a list of arrays, and what it answers as the derivative by each of them.

    The arrays: W of each layer, (n_l, n_{l-1}), then b of each layer that has some, (n_l,), then x where it answers dC/dx, (batch, n_0).
    dtype: of all numbers. precision: what backproof is told, None for what the answer's dtype says.
    with_x: whether dC/dx is answered; own_loss: whether the function is the loss that it answers itself, in place of the right one.
    What it is given is one set of arrays, as a program's own are: what it writes to them stays written.
    """

    def __init__(
        self,
        problem: Problem,
        target: Target,
        dtype: str = "float64",
        *,
        precision: str | None = None,
        with_x: bool,
        own_loss: bool = False,
    ) -> None:
        self.problem, self.target, self.dtype, self.precision = problem, target, dtype, precision
        self.with_x, self.own_loss = with_x, own_loss
        self.given = problem.copy(dtype)
        self.biased = [i for i, bias in enumerate(problem.biases) if bias is not None]

    @property
    def point(self) -> list[Any]:
        """Where it is asked."""
        biases = [self.given.biases[i] for i in self.biased]
        return [*self.given.weights, *biases, *([self.given.x] if self.with_x else [])]

    def value(self, arrays: Sequence[Any]) -> Any:
        """C, a scalar."""
        posed = self._posed(arrays)
        with np.errstate(all="ignore"):
            loss = self.target(posed).loss if self.own_loss else forward(posed).loss
        return np.asarray(loss, dtype=self.dtype)[()]

    def gradient(self, arrays: Sequence[Any]) -> list[Any]:
        """What it answers, as it answers it, in the order of the arrays."""
        with np.errstate(all="ignore"):
            answer = self.target(self._posed(arrays))
        return self.listed(answer)

    def listed(self, answer: Gradient) -> list[Any]:
        """The arrays of an answer that stand for the derivative by each array of the point."""
        biases = answer.biases or [None] * self.problem.depth
        return [*answer.weights, *(biases[i] for i in self.biased), *([answer.x] if self.with_x else [])]

    def _posed(self, arrays: Sequence[Any]) -> Problem:
        depth, biases = self.problem.depth, list(self.given.biases)
        for i, bias in zip(self.biased, arrays[depth:], strict=False):
            biases[i] = bias
        x = arrays[-1] if self.with_x else self.given.x
        return changed_problem(self.given, weights=tuple(arrays[:depth]), biases=tuple(biases), x=x)

    # for those that take one vector

    @property
    def flat_point(self) -> Any:
        """The arrays as one vector."""
        return np.concatenate([array.ravel() for array in self.point])

    def flat_value(self, vector: Any) -> Any:
        """C at a vector."""
        return self.value(self._arrays(vector))

    def flat_gradient(self, vector: Any) -> Any:
        """What it answers, as one vector."""
        return np.concatenate([np.ravel(array) for array in self.gradient(self._arrays(vector))])

    def _arrays(self, vector: Any) -> list[Any]:
        # views, so that what is written to an array is written to the vector
        ends = np.cumsum([array.size for array in self.point])
        return [part.reshape(array.shape) for part, array in zip(np.split(vector, ends[:-1]), self.point, strict=True)]


def gradcheck(asked: Implementation, fast: bool) -> bool:
    """torch.autograd.gradcheck: eps 1e-6, |a - n| <= 1e-5 + 1e-3 |n| of each entry, or of one random projection of the Jacobian."""
    import torch

    class Loss(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *tensors: Any) -> Any:
            ctx.save_for_backward(*tensors)
            return torch.tensor(asked.value([tensor.detach().numpy() for tensor in tensors]), dtype=torch.float64)

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx: Any, upstream: Any) -> Any:
            with torch.enable_grad():  # which is off in here, and code that is PyTorch's own needs
                answered = asked.gradient([tensor.detach().numpy() for tensor in ctx.saved_tensors])
            return tuple(upstream * torch.tensor(np.asarray(array)) for array in answered)

    inputs = tuple(torch.from_numpy(array).requires_grad_() for array in asked.point)
    return torch.autograd.gradcheck(Loss.apply, inputs, fast_mode=fast)


def jax_check_grads(asked: Implementation) -> bool:
    """jax.test_util.check_grads, order 1, reverse mode: eps 1e-4, one random direction, atol = rtol = 1e-5, or 2e-3 in float32."""
    import jax
    from jax.test_util import check_grads

    with jax.enable_x64(True):

        @jax.custom_vjp
        def loss(*arrays: Any) -> Any:  # it is called with numbers, and never compiled
            return jax.numpy.asarray(asked.value(_own(arrays)))

        def answered(arrays: Any, upstream: Any) -> Any:
            return tuple(upstream * jax.numpy.asarray(array) for array in asked.gradient(_own(arrays)))

        loss.defvjp(lambda *arrays: (loss(*arrays), arrays), answered)
        check_grads(loss, tuple(asked.point), order=1, modes=["rev"])
    return True


def _own(arrays: Sequence[Any]) -> list[Any]:
    """Arrays of NumPy's that may be written to."""
    return [np.array(array) for array in arrays]


def hips_check_grads(asked: Implementation) -> bool:
    """autograd.test_util.check_grads, order 1, reverse mode: eps 1e-6, one random direction, off by 1e-6, or 1e-6 of the sum."""
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    loss = primitive(asked.value)
    defvjp(loss, lambda value, arrays: lambda upstream: tuple(upstream * np.asarray(array) for array in asked.gradient(arrays)))
    np.random.seed(0)  # it draws its direction from NumPy's global generator
    check_grads(loss, modes=["rev"], order=1)(tuple(asked.point))
    return True


def scipy_check_grad(asked: Implementation, limit: float) -> bool:
    """scipy.optimize.check_grad: forward differences, eps 1.5e-8; the 2-norm of the difference below a limit of the user's own."""
    from scipy.optimize import check_grad

    return bool(check_grad(asked.flat_value, asked.flat_gradient, asked.flat_point) < limit)


H, WITH_KINKS, WITHOUT_KINKS = 1e-5, 1e-4, 1e-7


def cs231n(asked: Implementation) -> bool:
    """Central differences, h 1e-5; |a - n| / max(|a|, |n|) below 1e-4 where the network has kinks, else 1e-7; two zeros pass."""
    point = asked.flat_point
    answered = asked.flat_gradient(point)
    numeric = np.empty_like(point)
    for i, middle in enumerate(point.copy()):
        ends = []
        for step in (H, -H):
            point[i] = middle + step
            ends.append(asked.flat_value(point))
        point[i] = middle
        numeric[i] = (ends[0] - ends[1]) / (2 * H)
    sizes = np.maximum(np.abs(answered), np.abs(numeric))
    relative = np.abs(answered - numeric) / np.where(sizes == 0, 1, sizes)
    kinks = any(row_of(ACTIVATIONS, choice).kinks for choice in asked.problem.activations)
    return bool((relative < (WITH_KINKS if kinks else WITHOUT_KINKS)).all())


def torch_assert_close(asked: Implementation) -> bool:
    """torch.testing.assert_close with PyTorch's own gradient: float64 1e-7 + 1e-7 |n|, float32 1e-5 + 1.3e-6 |n|; the dtype too."""
    import torch

    for got, right in _beside_pytorch(asked):
        torch.testing.assert_close(torch.tensor(got), torch.tensor(right))
    return True


def numpy_assert_allclose(asked: Implementation) -> bool:
    """numpy.testing.assert_allclose with PyTorch's own gradient: |a - n| <= 1e-7 |n|, which only float64 can meet."""
    for got, right in _beside_pytorch(asked):
        np.testing.assert_allclose(got, right)
    return True


def _beside_pytorch(asked: Implementation) -> list[tuple[Any, Any]]:
    right = torch_autograd.answer(asked.problem, asked.dtype).gradient
    with np.errstate(all="ignore"):
        answer = asked.target(asked.given)
    pairs = list(zip(asked.listed(answer), asked.listed(right), strict=True))
    return [*pairs, (np.asarray(answer.loss), right.loss)] if answer.loss is not None else pairs


def backproof_verify(asked: Implementation) -> bool:
    """backproof.verify: each entry within its own bound on rounding."""
    with np.errstate(all="ignore"):
        answer = asked.target(asked.given)
    return not verify(asked.problem, answer, precision=asked.precision).failed


@dataclass(frozen=True)
class Checker:
    """question: of an implementation, whether it passes; what is raised is a refusal. dtypes: in which it may be asked.

    package: what must be installed, where that is said. flat: whether it takes one vector, in which shapes are lost.
    reads_all: whether it reads z, a and delta too, where they are answered.
    """

    question: Callable[[Implementation], bool]
    dtypes: tuple[str, ...] = DOUBLE
    package: str = "numpy"
    flat: bool = False
    reads_all: bool = False

    @property
    def is_installed(self) -> bool:
        """Whether it can be asked here."""
        return importlib.util.find_spec(self.package) is not None

    def passes(self, asked: Implementation) -> bool:
        """Whether an implementation passes."""
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                return self.question(asked)
            except Exception:
                return False


CHECKERS: dict[str, Checker] = {
    "gradcheck, slow": Checker(lambda asked: gradcheck(asked, fast=False), package="torch"),
    "gradcheck, fast": Checker(lambda asked: gradcheck(asked, fast=True), package="torch"),
    "JAX check_grads": Checker(jax_check_grads, BOTH, package="jax"),
    "HIPS check_grads": Checker(hips_check_grads, package="autograd"),
    "SciPy check_grad < 1e-6": Checker(lambda asked: scipy_check_grad(asked, 1e-6), flat=True),
    "SciPy check_grad < 1e-4": Checker(lambda asked: scipy_check_grad(asked, 1e-4), flat=True),
    "CS231n rule": Checker(cs231n, flat=True),
    "torch assert_close": Checker(torch_assert_close, BOTH, package="torch"),
    "numpy assert_allclose": Checker(numpy_assert_allclose, package="torch"),
    "backproof verify": Checker(backproof_verify, BOTH, reads_all=True),
}
