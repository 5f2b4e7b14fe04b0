"""A network of JAX is a target as it is: a function and a tree of parameters, compiled, with derivatives of its own, or right."""

from itertools import pairwise

import numpy as np
import pytest

from backproof import TargetError, check, from_jax

jax = pytest.importorskip("jax")
jnp = jax.numpy
# each loss and batch is compiled anew
QUICK = {"max_examples": 4, "seed": 1, "shrink_seconds": 0, "losses": ["upstream"], "reductions": ["sum"], "batch": (2, 2)}
AGREES = QUICK | {"laws": ["it_agrees_with_the_exact_gradient"]}


@pytest.fixture(params=["float64", "float32", "bfloat16"])
def dtype(request):
    with jax.enable_x64(request.param == "float64"):
        yield request.param


def array(*shape, dtype="float32"):
    return jnp.asarray(np.random.default_rng(len(shape)).standard_normal(shape), dtype=dtype)


def pairs(dtype="float32"):
    return [(array(3, 4, dtype=dtype), array(4, dtype=dtype)), (array(4, 2, dtype=dtype), array(2, dtype=dtype))]


def of_pairs(params, x):
    for weight, bias in params[:-1]:
        x = jnp.tanh(x @ weight + bias)
    weight, bias = params[-1]
    return x @ weight + bias


def with_backward(slope):
    """SiLU with a derivative of its own."""

    @jax.custom_vjp
    def function(z):
        return z * jax.nn.sigmoid(z)

    function.defvjp(lambda z: (function(z), z), lambda z, upstream: (upstream * slope(z),))

    def apply(params, x):
        (w1, b1), (w2, b2) = params
        return function(x @ w1 + b1) @ w2 + b2

    return apply


def right_slope(z):
    s = jax.nn.sigmoid(z)
    return s + z * s * jax.nn.sigmoid(-z)


class Equinox:
    """As Equinox has it: a tree that is called with one sample, weights (out, in), and functions among its leaves."""

    def __init__(self, layers, activation):
        self.layers, self.activation = layers, activation

    def __call__(self, sample):
        for weight, bias in self.layers[:-1]:
            sample = self.activation(weight @ sample + bias)
        return self.layers[-1][0] @ sample + self.layers[-1][1]


jax.tree_util.register_pytree_with_keys(
    Equinox,
    lambda tree: ([(jax.tree_util.GetAttrKey(name), getattr(tree, name)) for name in ("layers", "activation")], None),
    lambda _, children: Equinox(*children),
)


def dense(*widths):
    return {f"Dense_{i}": {"kernel": array(*pair), "bias": array(pair[1])} for i, pair in enumerate(pairwise(widths))}


def of_dense(variables, x):
    layers = variables["params"]
    for i in range(len(layers)):
        x = x @ layers[f"Dense_{i}"]["kernel"] + layers[f"Dense_{i}"]["bias"]
        x = jax.nn.relu(x) if i < len(layers) - 1 else x
    return x


def by_letters(params, x):
    return jax.nn.sigmoid(jax.nn.gelu(x @ params["W1"] + params["b1"]) @ params["W2"] + params["b2"])


TREES = {
    "pairs": (of_pairs, pairs(), "3, 4 tanh, 2 identity"),
    "compiled": (jax.jit(of_pairs), pairs(), "3, 4 tanh, 2 identity"),
    "Flax": (of_dense, {"params": dense(3, 4, 2)}, "3, 4 relu, 2 identity"),
    "letters, with biases as rows": (
        by_letters,
        {"W1": array(2, 3), "b1": array(1, 3), "W2": array(3, 2), "b2": array(1, 2)},
        "2, 3 gelu_tanh, 2 sigmoid",
    ),
    "one list, without biases": (
        lambda params, x: jax.nn.softmax(jax.nn.elu(x @ params[0]) @ params[1]),
        [array(3, 3), array(3, 2)],
        "3, 3 elu without biases, 2 softmax without biases",
    ),
    "Equinox": (
        lambda model, sample: model(sample),
        Equinox([(array(4, 3), array(4)), (array(2, 4), array(2))], jnp.tanh),
        "3, 4 tanh, 2 identity",
    ),
    "arrays of NumPy": (of_pairs, [tuple(map(np.asarray, pair)) for pair in pairs()], "3, 4 tanh, 2 identity"),
    "hidden layers that differ": (
        lambda p, x: jax.nn.softplus(jnp.tanh(jax.nn.relu(x @ p[0] + p[1]) @ p[2] + p[3]) @ p[4] + p[5]),
        [array(3, 4), array(4), array(4, 4), array(4), array(4, 2), array(2)],
        "3, 4 relu, 4 tanh, 2 softplus",
    ),
}


@pytest.mark.parametrize(("apply", "params", "told"), TREES.values(), ids=TREES)
def test_the_stack_of_a_tree_is_found_and_told(apply, params, told):
    layers = ", ".join(str(number) for number in range(1, told.count(",") + 1))
    by_values = f"; known by the values of their outputs alone: layer {layers}"
    assert from_jax(apply, params).notes == (f"the stack that was found in it: {told}{by_values}",)


def equinox_network(dtype):
    equinox = pytest.importorskip("equinox")
    return equinox.nn.MLP(3, 2, 4, 1, activation=jnp.tanh, dtype=dtype, key=jax.random.PRNGKey(0))


def test_a_module_of_equinox_is_a_target_as_it_is():
    with jax.enable_x64(True):
        report = check(equinox_network(jnp.float64), **QUICK)
    assert report.passed, str(report)
    assert report.target == "MLP"
    assert report.precision == "float64"
    assert "the stack that was found in it: 3, 4 tanh, 2 identity; known by" in report.notes[0]


def test_a_mistake_in_a_module_of_equinox_is_found():
    equinox = pytest.importorskip("equinox")

    @jax.custom_vjp
    def silu(z):
        return z * jax.nn.sigmoid(z)

    silu.defvjp(lambda z: (silu(z), z), lambda z, upstream: (upstream * jax.nn.sigmoid(z),))
    network = equinox.nn.MLP(3, 2, 4, 1, activation=silu, key=jax.random.PRNGKey(0))
    assert check(network, **AGREES).verdict == "wrong"


def test_activations_may_be_said():
    target = from_jax(of_pairs, pairs(), activations=["tanh", "identity"])
    assert target.notes == ("the stack that was found in it: 3, 4 tanh, 2 identity",)
    # Dense_10 comes after Dense_9
    params = {"Dense_10": {"kernel": array(4, 2)}, "Dense_9": {"kernel": array(3, 4)}}
    target = from_jax(lambda p, x: x @ p["Dense_9"]["kernel"] @ p["Dense_10"]["kernel"], params, activations=["identity", "identity"])
    assert target.supports["widths"] == [3, 4, 2]


def test_a_right_network_passes(dtype):
    report = check(from_jax(jax.jit(of_pairs), pairs(dtype)), **QUICK)
    assert report.passed, str(report)
    assert report.precision.split("/")[0] == dtype


def test_a_right_network_that_is_not_compiled_passes():
    report = check(from_jax(*TREES["pairs"][:2]), **QUICK)
    assert report.passed, str(report)


def test_a_derivative_of_ones_own_passes_where_it_is_right(dtype):
    report = check(from_jax(jax.jit(with_backward(right_slope)), pairs(dtype)), **QUICK)
    assert report.passed, str(report)


MISTAKES = {
    "a term is missing": lambda z: jax.nn.sigmoid(z),
    "another sign": lambda z: jax.nn.sigmoid(z) - z * jax.nn.sigmoid(z) * jax.nn.sigmoid(-z),
}


def test_a_mistake_in_a_derivative_of_ones_own_is_found(dtype):
    # another formula in float32, so that each dtype has one of them
    mistake = MISTAKES["another sign" if dtype == "float32" else "a term is missing"]
    report = check(from_jax(jax.jit(with_backward(mistake)), pairs(dtype)), **AGREES)
    assert report.verdict == "wrong", str(report)


REFUSED = {
    "no function": (3, pairs(), None, "apply is a int: expected a function of the parameters and samples, apply(params, x)"),
    "no arrays": (of_pairs, {"a": 3}, None, "of_pairs: its parameters hold no arrays of floating-point numbers: expected for each layer"),
    "a kernel of a convolution": (
        of_pairs,
        {"conv": {"kernel": array(3, 3, 1)}},
        None,
        "the array at ['conv']['kernel'] has",
    ),
    "a normalisation": (
        of_pairs,
        {"Dense_0": {"kernel": array(3, 4), "bias": array(4)}, "LayerNorm_0": {"scale": array(4), "bias": array(4)}},
        None,
        "of_pairs: the arrays ['LayerNorm_0']['bias'] (4,), ['LayerNorm_0']['scale'] (4,) are no linear layer: expected for each layer",
    ),
    "shapes that do not follow": (
        of_pairs,
        [array(3, 4), array(3, 2)],
        None,
        "matrices of shapes (3, 4), (3, 2) do not follow one another",
    ),
    "an error": (lambda params, x: x + 1 / 0, pairs(), None, "asked with samples of shape (32, 3): ZeroDivisionError: division by zero"),
    "another shape": (lambda params, x: x, pairs(), None, "it gives an array of shape (32, 3): expected (32, 2)"),
    "unknown activations": (
        lambda params, x: jnp.cos(of_pairs(params, x)) + 2,
        pairs(),
        None,
        "no activations of ours make its outputs of its inputs: say activations=[...], one for each layer",
    ),
    "activations that do not show": (
        lambda params, x: 0 * jax.nn.relu(x @ params[0]) @ params[1],
        [array(3, 4), array(4, 2)],
        None,
        "no activations of ours make its outputs of its inputs: say activations=[...], one for each layer",
    ),
    "activations of which another is as good": (
        lambda params, x: jax.nn.relu(jax.nn.relu(x @ params[0]) @ jnp.abs(params[1])),
        [array(3, 4), array(4, 2)],
        None,
        "no activations of ours make",
    ),
    "other activations": (
        of_pairs,
        pairs(),
        ["relu", "identity"],
        "of_pairs: its forward pass is not that of the stack that was found: layer 2 is held for identity, and is the first that differs",
    ),
    "too few activations": (of_pairs, pairs(), ["tanh"], "of_pairs: activations is ['tanh']: expected one for each layer, 2"),
    "no such activation": (of_pairs, pairs(), ["tanh", "tahn"], "of_pairs: activation 'tahn' is not known"),
}


@pytest.mark.parametrize(("apply", "params", "activations", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_such_network_is_told(apply, params, activations, message):
    with pytest.raises(TargetError) as error:
        from_jax(apply, params, activations=activations)
    assert message in str(error.value)
