"""scikit-learn's MLPRegressor, its own hand-written backward pass: `backproof check examples/sklearn_mlp.py:gradient`.

A network that is fitted needs no target: `backproof.check(model)`. This one takes networks of any widths.

Its gradient is that of half the squared error, summed over outputs and averaged over samples; the loss that it reports is averaged
over outputs too, so that the two differ by the number of outputs (scikit-learn issue 8349).
"""

import numpy as np
from sklearn.neural_network import MLPRegressor

import backproof

NAMES = {"identity": "identity", "relu": "relu", "sigmoid": "logistic", "tanh": "tanh"}


class Regressor:
    """A target: it sets an MLPRegressor's weights from the problem and calls its backward pass."""

    def __init__(self, hidden):
        self.supports = {
            "activations": hidden,
            "output_activations": ["identity"],
            "same_hidden": True,
            "biases": True,
            "losses": ["half_squared_error"],
            "reductions": ["mean"],
        }

    def __call__(self, problem):
        answer = self.with_loss(problem)
        return answer.weights, answer.biases

    def with_loss(self, problem):
        """The gradient, and the loss that scikit-learn returns beside it."""
        hidden = problem.activations[0] if len(problem.activations) > 1 else "identity"
        model = MLPRegressor(activation=NAMES[hidden], alpha=0.0)
        model.n_layers_, model.n_outputs_, model.out_activation_ = len(problem.weights) + 1, problem.y.shape[1], "identity"
        model.coefs_, model.intercepts_ = [weight.T for weight in problem.weights], list(problem.biases)
        layers = len(problem.weights)
        activations = [problem.x] + [np.empty(0)] * layers
        loss, coefficients, intercepts = model._backprop(
            problem.x, problem.y, None, activations, [None] * layers, [None] * layers, [None] * layers
        )
        return backproof.Gradient([coefficient.T for coefficient in coefficients], intercepts, loss=loss)


gradient = Regressor(["identity", "relu"])
saturating = Regressor(["sigmoid", "tanh"])  # right too, by formulas that lose digits where they saturate: lossy
