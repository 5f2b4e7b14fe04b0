"""scikit-learn's MLPClassifier and MLPRegressor are targets as fitted, by a private method whose change is told."""

import numpy as np
import pytest

from backproof import TargetError, check
from backproof.targets.frameworks import target_of

pytest.importorskip("sklearn")
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings(f"ignore::{ConvergenceWarning.__module__}.ConvergenceWarning")
QUICK = {"max_examples": 30, "seed": 1, "shrink_seconds": 0}
X = np.random.default_rng(1).standard_normal((40, 3))


def regressor(dtype=float, **options):
    return MLPRegressor(hidden_layer_sizes=(4,), max_iter=3, random_state=1, **options).fit(X.astype(dtype), (X[:, :2] ** 2).astype(dtype))


def classifier(y, **options):
    return MLPClassifier(hidden_layer_sizes=(4, 2), max_iter=3, random_state=1, **options).fit(X, y)


THREE, TWO = np.arange(40) % 3, np.arange(40) % 2
LABELS = (X[:, :2] > 0).astype(int)
FITTED = {
    "regressor": (regressor, "3, 4 relu, 2 identity", "half_squared_error"),
    "regressor in float32": (lambda: regressor(np.float32, activation="identity"), "3, 4 identity, 2 identity", "half_squared_error"),
    "classifier": (lambda: classifier(THREE, activation="tanh"), "3, 4 tanh, 2 tanh, 3 identity", "softmax_cross_entropy"),
    "yes or no": (
        lambda: classifier(TWO, activation="logistic"),
        "3, 4 sigmoid, 2 sigmoid, 1 identity",
        "summed_binary_cross_entropy_with_logits",
    ),
    "several labels": (lambda: classifier(LABELS), "3, 4 relu, 2 relu, 2 identity", "summed_binary_cross_entropy_with_logits"),
}


@pytest.mark.parametrize(("make", "told", "loss"), FITTED.values(), ids=FITTED)
def test_a_fitted_network_passes_as_it_is(make, told, loss):
    network = make()
    report = check(network, **QUICK)
    assert report.passed, str(report)
    name = type(network).__name__
    assert report.notes == (
        f"the stack that was found in it: {told}",
        f"the gradient is that of {name}._backprop, a private method, with alpha = 0.0001 and with none, as asked",
    )
    assert target_of(network).supports["losses"] == [loss]
    assert target_of(network).supports["penalties"] == [("l2_over_batch", 0.0001), None]
    assert report.precision == network.coefs_[0].dtype.name


def test_the_network_is_left_as_it_was():
    network = regressor(alpha=0.25)
    before = vars(network).copy()
    coefficients, intercepts = [c.copy() for c in network.coefs_], [b.copy() for b in network.intercepts_]
    predicted = network.predict(X)
    check(network, **QUICK)
    assert vars(network) == before
    assert all(map(np.array_equal, network.coefs_, coefficients))
    assert all(map(np.array_equal, network.intercepts_, intercepts))
    assert np.array_equal(network.predict(X), predicted)


class Mistaken(MLPRegressor):
    def _backprop(self, X, y, sample_weight, activations, deltas, coef_grads, intercept_grads):
        loss, coefficients, intercepts = super()._backprop(X, y, sample_weight, activations, deltas, coef_grads, intercept_grads)
        return loss, [2 * matrix for matrix in coefficients], intercepts


class Moved(MLPRegressor):
    _backprop = None


class Renamed(MLPRegressor):
    def _backprop(self, X, y, weights):
        raise NotImplementedError


class Otherwise(MLPRegressor):
    def _forward_pass_fast(self, X, check_input=True):
        return 1.5 * super()._forward_pass_fast(X, check_input)


def as_of(kind):
    network = regressor()
    network.__class__ = kind
    return network


class PenaltyNotAveraged(MLPRegressor):
    def _backprop(self, X, y, sample_weight, activations, deltas, coef_grads, intercept_grads):
        loss, coefficients, intercepts = super()._backprop(X, y, sample_weight, activations, deltas, coef_grads, intercept_grads)
        more = self.alpha * (1 - 1 / len(X))
        return loss, [matrix + more * weight for matrix, weight in zip(coefficients, self.coefs_, strict=True)], intercepts


def test_a_mistake_is_found():
    assert check(as_of(Mistaken), **QUICK).verdict == "wrong"


def test_a_mistake_of_the_penalty_is_found_where_there_is_one():
    report = check(as_of(PenaltyNotAveraged), **QUICK)
    assert report.verdict == "wrong"
    assert report.findings[0].problem.penalty == ("l2_over_batch", {"factor": 0.0001})


REFUSED = {
    "not fitted": (lambda: MLPClassifier(), "MLPClassifier is not fitted: call .fit on it first, so that it has layers"),
    "a method that is gone": (
        lambda: as_of(Moved),
        "_backprop(X, y, sample_weight, activations, deltas, coef_grads, intercept_grads), a p",
    ),
    "a method that is gone, and what to do": (
        lambda: as_of(Moved),
        "has no such method: adapt a function of your own that calls what it has now (backproof.adapt)",
    ),
    "a method that changed": (lambda: as_of(Renamed), "has one that takes (X, y, weights): adapt"),
    "another loss": (lambda: as_if(regressor(), loss="poisson"), "MLPRegressor has the loss 'poisson' behind 'identity': expected one of"),
    "another forward pass": (
        lambda: as_of(Otherwise),
        "Otherwise: its forward pass is not that of the stack that was found: layer 2 is held for identity, and is the first that differs",
    ),
    "16 bits": (
        lambda: as_if(regressor(), coefs_=[matrix.astype(np.float16) for matrix in regressor().coefs_]),
        "MLPRegressor has weights of float16: expected float64 or float32",
    ),
}


def as_if(network, **given):
    for name, value in given.items():
        setattr(network, name, value)
    return network


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_asked_is_told(make, message):
    with pytest.raises(TargetError) as error:
        target_of(make())
    assert message in str(error.value)


def test_a_function_that_fits_one_is_asked_for_it():
    assert target_of(regressor).supports["widths"] == [3, 4, 2]
    with pytest.raises(TargetError, match="MLPRegressor is not fitted"):
        target_of(MLPRegressor)
