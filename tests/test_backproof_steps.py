"""One training step of a network of JAX, Equinox or scikit-learn, with the parameters that it has, is a problem, and judged in one line."""

import numpy as np
import pytest

from backproof import ProblemError, TargetError, from_jax, gradient, problem_from, verify_step

jax = pytest.importorskip("jax")
jnp = jax.numpy


@pytest.fixture(scope="module")
def digits():
    """Images (200, 64) from 0 to 1, and their classes."""
    found = pytest.importorskip("sklearn.datasets").load_digits()
    return found.data[:200] / 16, found.target[:200]


def pairs(dtype):
    rng = np.random.default_rng(3)
    return [(jnp.asarray(rng.normal(size=pair) / 8, dtype), jnp.asarray(rng.normal(size=pair[1]), dtype)) for pair in ((64, 12), (12, 10))]


def of_pairs(params, x):
    (w1, b1), (w2, b2) = params
    return jnp.tanh(x @ w1 + b1) @ w2 + b2


def without_slope(params, x):
    @jax.custom_vjp
    def tanh(z):
        return jnp.tanh(z)

    tanh.defvjp(lambda z: (jnp.tanh(z), None), lambda _, upstream: (upstream,))
    (w1, b1), (w2, b2) = params
    return tanh(x @ w1 + b1) @ w2 + b2


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])  # float32: Equinox, below
def test_a_step_of_a_network_of_jax(digits, dtype):
    x, y = digits[0][:32], digits[1][:32]
    with jax.enable_x64(dtype == "float64"):
        judgement = verify_step(from_jax(of_pairs, pairs(dtype)), x, y, loss="softmax_cross_entropy")
        assert judgement.passed, str(judgement)
        assert judgement.precision.split("/")[0] == dtype
        assert verify_step(from_jax(without_slope, pairs(dtype)), x, y, loss="softmax_cross_entropy").verdict == "wrong"


def test_its_problem_has_its_own_parameters(digits):
    x, y = digits[0][:5], digits[1][:5]
    params = pairs("float32")
    problem = problem_from(from_jax(of_pairs, params), x, y, loss="softmax_cross_entropy", reduction="sum")
    assert np.array_equal(problem.weights[0], np.asarray(params[0][0], np.float64).T)
    assert np.array_equal(problem.y, np.eye(10)[y])
    assert (problem.reduction, problem.activations) == ("sum", ("tanh", "identity"))


def test_a_module_of_equinox_is_taken_as_it_is(digits):
    equinox = pytest.importorskip("equinox")
    with jax.enable_x64(False):
        network = equinox.nn.MLP(64, 10, 12, 1, activation=jnp.tanh, key=jax.random.PRNGKey(0))
        judgement = verify_step(network, digits[0][:32], digits[1][:32], loss="softmax_cross_entropy")
    assert judgement.passed, str(judgement)
    assert judgement.precision.split("/")[0] == "float32"


def fitted(kind, digits, **options):
    neural = pytest.importorskip("sklearn.neural_network")
    x, y = digits
    return getattr(neural, kind)(hidden_layer_sizes=(12,), activation="tanh", solver="lbfgs", max_iter=5, **options).fit(x, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("kind", "of_classes", "loss"),
    [
        ("MLPClassifier", lambda y: y, "softmax_cross_entropy"),
        ("MLPClassifier", lambda y: y > 4, "summed_binary_cross_entropy_with_logits"),
        ("MLPRegressor", lambda y: y / 9, "half_squared_error"),
    ],
)
def test_a_step_of_scikit_learn_with_its_own_loss_and_penalty(digits, kind, of_classes, loss):
    x, y = digits[0], of_classes(digits[1])
    network = fitted(kind, (x, y), alpha=0.25)
    problem = problem_from(network, x[:32], y[:32])
    assert (problem.loss, problem.penalty, problem.reduction) == (loss, ("l2_over_batch", {"factor": 0.25}), "mean")
    judgement = verify_step(network, x[:32], y[:32])
    assert judgement.verdict in ("right", "lossy"), str(judgement)
    assert not verify_step(network, x[:32], y[:32], strict=True).failed or judgement.verdict == "lossy"
    assert np.isfinite(gradient(problem).loss)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_cannot_be_a_step_is_refused(digits):
    x, y = digits[0][:4], digits[1][:4]
    network = from_jax(of_pairs, pairs("float32"))
    refused = [
        (lambda: verify_step(3, x, y, loss="huber"), TargetError, "model is a int: expected a torch.nn.Module, a network of JAX"),
        (lambda: verify_step(network, x, y), ProblemError, "loss is None: say which one, any of half_squared_error"),
        (lambda: verify_step(network, x, y + 10, loss="softmax_cross_entropy"), ProblemError, "y has the class 1"),
        (lambda: verify_step(network, x[:, :3], y, loss="softmax_cross_entropy"), ProblemError, "layer 1: weight has shape"),
        (
            lambda: verify_step(fitted("MLPClassifier", digits), x, y, loss="huber"),
            ProblemError,
            "MLPClassifier has the loss softmax_cross_entropy, as a mean: leave loss and reduction out",
        ),
    ]
    for step, kind, message in refused:
        with pytest.raises(kind) as error:
            step()
        assert message in str(error.value)
