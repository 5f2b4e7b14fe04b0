"""scikit-learn's MLPClassifier and MLPRegressor, as fitted: the gradient is that of its private method `_backprop`."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from backproof.targets.stack import Stack, drawn_inputs, proved
from backproof.targets.target import TargetError
from properties.answers.answer import without_counted_terms
from reference.errors import ProblemError
from reference.functions.parametrised import Choice
from reference.gradient import Gradient
from reference.problem import Problem
from rounding.precisions import PRECISIONS

NAMES: dict[str, Choice] = {"identity": "identity", "relu": "relu", "logistic": "sigmoid", "tanh": "tanh"}
"""scikit-learn's name of an activation -> ours."""

TAKES = ["X", "y", "sample_weight", "activations", "deltas", "coef_grads", "intercept_grads"]
"""What `_backprop` takes in the releases that this was written for, 1.7 to 1.9."""

LOSSES: dict[tuple[str, str], Choice] = {
    ("squared_error", "identity"): "half_squared_error",
    ("log_loss", "softmax"): "softmax_cross_entropy",
    ("log_loss", "logistic"): "summed_binary_cross_entropy_with_logits",
}
"""(its loss, the activation of its outputs) -> the loss of logits whose gradient it gives, a mean over samples."""


class SklearnNetwork:
    """A target: a fitted network as it is, which is left as it was. Its alpha is what the problem's penalty says while it is asked."""

    def __init__(self, network: Any) -> None:
        self.network, self.__qualname__ = network, type(network).__name__
        name = self.__qualname__
        self._check(network, name)
        last = network.out_activation_
        kind = getattr(network, "loss", "log_loss"), last
        if kind not in LOSSES or network.activation not in NAMES:
            raise TargetError(f"{name} has the loss {kind[0]!r} behind {last!r}: expected one of {', '.join(map(str, LOSSES))}")
        widths = (network.coefs_[0].shape[0], *(matrix.shape[1] for matrix in network.coefs_))
        hidden = NAMES[network.activation]
        self.loss = LOSSES[kind]
        # its softmax and its logistic outputs are taken into the loss
        self.stack = Stack(widths, (*[hidden] * (len(widths) - 2), "identity"), (True,) * (len(widths) - 1))
        self.precision = network.coefs_[0].dtype.name
        if self.precision not in ("float64", "float32"):
            raise TargetError(f"{name} has weights of {self.precision}: expected float64 or float32")
        penalties = [("l2_over_batch", float(network.alpha)), None] if network.alpha else [None]
        self.supports = self.stack.supports([self.loss], reductions=["mean"], wants=[], penalties=penalties)
        self._prove()
        self.notes = (
            self.stack.told,
            f"the gradient is that of {name}._backprop, a private method"
            + (f", with alpha = {network.alpha:g} and with none, as asked" if network.alpha else ""),
        )

    @staticmethod
    def _check(network: Any, name: str) -> None:
        if not hasattr(network, "coefs_"):
            raise TargetError(f"{name} is not fitted: call .fit on it first, so that it has layers")
        method = getattr(network, "_backprop", None)
        takes = list(inspect.signature(method).parameters) if callable(method) else None
        if takes != TAKES:
            import sklearn

            said = "has no such method" if takes is None else f"has one that takes ({', '.join(takes)})"
            raise TargetError(
                f"{name}: backproof reads the gradient off _backprop({', '.join(TAKES)}), a private method of scikit-learn, and release "
                f"{sklearn.__version__} {said}: adapt a function of your own that calls what it has now (backproof.adapt)"
            )

    def _prove(self) -> None:
        """Hold what the network predicts against the stack that was found."""
        network, widths = self.network, self.stack.widths
        x = PRECISIONS[self.precision].held(drawn_inputs(widths[:1]))
        activation = {"identity": "identity", "softmax": "softmax", "logistic": "sigmoid"}[network.out_activation_]
        with np.errstate(all="ignore"):
            weights, biases = [matrix.T for matrix in network.coefs_], list(network.intercepts_)
            activations = (*self.stack.activations[:-1], activation)
            problem = Problem(weights, biases=biases, activations=activations, x=x, y=np.zeros((len(x), widths[-1])))
            outputs = network._forward_pass_fast(x.astype(self.precision), check_input=False)
        proved(problem, [*[None] * (problem.depth - 1), np.asarray(outputs).reshape(problem.y.shape)], self.precision, self.__qualname__)

    def problem_of(self, x: Any, y: Any, loss: Any, reduction: str | None) -> Problem:
        """The problem that its own parameters, its loss, its penalty and one batch are; y: as it is fitted with."""
        if loss is not None or reduction is not None:
            raise ProblemError(f"{self.__qualname__} has the loss {self.loss}, as a mean: leave loss and reduction out")
        network, given = self.network, np.asarray(y)
        expected = network._label_binarizer.transform(given) if hasattr(network, "_label_binarizer") else given
        return Problem(
            [matrix.T for matrix in network.coefs_],
            biases=list(network.intercepts_),
            activations=self.stack.activations,
            x=np.asarray(x, dtype=self.precision),
            y=np.asarray(expected, dtype=np.float64).reshape(len(given), -1),
            loss=self.loss,
            reduction="mean",
            penalty=("l2_over_batch", float(network.alpha)) if network.alpha else None,
        )

    def __call__(self, problem: Problem) -> Gradient:
        if problem.sample_weights is not None:
            without_counted_terms(problem, self.__qualname__)
        layers = problem.depth
        with self._as_it_was() as network:
            network.coefs_ = [np.ascontiguousarray(weight.T) for weight in problem.weights]
            network.intercepts_ = list(problem.biases)
            network.alpha = 0.0 if problem.penalised is None else problem.penalised.factor
            places: list[list[Any]] = [[None] * layers for _ in range(3)]
            _, coefficients, intercepts = network._backprop(problem.x, problem.y, None, [problem.x] + [np.empty(0)] * layers, *places)
        return Gradient([matrix.T for matrix in coefficients], list(intercepts))

    @contextmanager
    def _as_it_was(self) -> Iterator[Any]:
        network = self.network
        before = network.coefs_, network.intercepts_, network.alpha
        try:
            yield network
        finally:
            network.coefs_, network.intercepts_, network.alpha = before
