"""JAX: rules for derivatives that somebody wrote, and where()."""

import functools

import jax
import jax.numpy as jnp

from benchmarks.public_mistakes.pair import mistake

jax.config.update("jax_enable_x64", True)

SMALL = {"depth": (1, 2), "width": (2, 2), "batch": (2, 2), "biases": True}
"""Each new shape is compiled anew: their owner would say so too, to have an answer soon."""


def gradients(problem, functions, loss=lambda a, y: 0.5 * jnp.sum((a - y) ** 2), layer=lambda w, b, a: a @ w.T + b):
    """dC/dW and dC/db by jax.grad."""

    def cost(parameters):
        a = problem.x
        for (w, b), name in zip(parameters, problem.activations, strict=True):
            a = functions[name](layer(w, b, a))
        return loss(a, problem.y)

    found = jax.grad(cost)([(jnp.asarray(w), jnp.asarray(b)) for w, b in zip(problem.weights, problem.biases, strict=True)])
    return [w for w, _ in found], [b for _, b in found]


def identity(z):
    return z


@functools.cache
def product(mended):
    @jax.custom_vjp
    def affine(w, b, a):
        return a @ w.T + b

    def forward(w, b, a):
        return affine(w, b, a), (w, a)

    def backward(kept, cotangent):
        w, a = kept
        down = cotangent @ w if mended else jnp.zeros_like(a)
        return cotangent.T @ a, cotangent.sum(axis=0), down

    affine.defvjp(forward, backward)
    return affine


@mistake(
    "jax-ml/jax 17496: a custom rule that gives zero for the vector, so that a chain of two has no gradient below",
    supports=SMALL | {"activations": ["tanh", "identity"], "depth": (2, 2)},
    layers="below the last",
    textbook=("tanh",),
)
def zero_cotangent_for_the_inputs(problem, mended):
    return gradients(problem, {"tanh": jnp.tanh, "identity": identity}, layer=product(mended))


@mistake(
    "jax-ml/jax 5798: NaN from the branch that where() does not take",
    supports=SMALL | {"activations": ["elu", "identity"]},
    verdicts=("nonfinite",),
    textbook=("elu",),
)
def elu_without_the_double_where(problem, mended):
    def elu(z):
        safe = jnp.where(z > 0, 0.0, z) if mended else z
        return jnp.where(z > 0, z, jnp.exp(safe) - 1)

    return gradients(problem, {"elu": elu, "identity": identity})


@mistake(
    "jax-ml/jax 2107: grad(softplus) is wrong at exactly 0, where max and abs meet",
    supports=SMALL | {"activations": ["softplus", "identity"]},
)
def softplus_wrong_at_zero(problem, mended):
    def softplus(z):
        if mended:
            return jnp.logaddexp(z, 0.0)
        return jnp.where(z > 0, z, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(z)))

    return gradients(problem, {"softplus": softplus, "identity": identity})


@functools.cache
def square(mended):
    @jax.custom_gradient
    def f(x):
        return x**2, lambda g: (g * (2 if mended else 1) * x,)

    return f


@mistake(
    "jax-ml/jax PR 29485: x ** 2 with g x for its gradient, as an example had it",
    supports=SMALL | {"activations": ["relu"], "output_activations": ["identity"], "losses": ["squared_error"]},
)
def square_with_half_its_slope(problem, mended):
    return gradients(problem, {"relu": jax.nn.relu, "identity": identity}, lambda a, y: jnp.sum(square(mended)(a - y)))
