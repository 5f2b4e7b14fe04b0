"""Faults of equation 3 in one activation: wrong formulas, lost parameters, kinks, overflow."""

import numpy as np
from scipy.special import erf, expit

from properties.faults.fault import (
    ADD,
    DEAD,
    EXACT,
    FLOW,
    LINE,
    SOFTMAX,
    Passes,
    activation,
    delta,
    fault,
    faults_among,
    slope,
    slope_fault,
)
from reference.arrays import Array
from reference.functions.activations import ACTIVATIONS, SELU_ALPHA, SELU_SCALE
from reference.functions.parametrised import row_of

SOFTPLUS = {"activations": ["softplus", "identity"]}
"""What an implementation of softplus offers, and a linear output."""

RELU6 = {"activations": ["relu6", "identity"]}

SOFTMAX_LAYERS = {"activations": ["softmax", "identity"]}


AT_KINKS = "it shows at exact kinks alone, where laws that compare answers must allow for every slope"
ALIKE = "a small error of g or g' that is the same in all answers, and less than the loss along a line can tell"


@slope_fault("leaky_relu", laws=(EXACT, FLOW), thread="pytorch 31938")
def lost_the_sign_of_the_slope_of_leaky_relu(z: Array, a: Array, slope: float) -> Array:
    """Leaky ReLU's slope loses its sign: it shows for a slope below 0."""
    return np.where(z > 0, 1.0, abs(slope))


@slope_fault("leaky_relu", laws=(EXACT, FLOW), thread="apache/mxnet PR 3277")
def judged_leaky_relu_by_its_output(z: Array, a: Array, slope: float) -> Array:
    """The side of leaky ReLU's kink is judged by the sign of its output: it shows for a slope below 0, where that is the other sign."""
    return np.where(a > 0, 1.0, slope)


@slope_fault("leaky_relu", laws=(EXACT, FLOW), thread="chainer 5898")
def broke_leaky_relu_at_slope_zero(z: Array, a: Array, slope: float) -> Array:
    """Leaky ReLU's side is judged by an output of at least 0: it shows for slope 0, where every output is, and g' is 1 everywhere."""
    return np.where(a >= 0, 1.0, slope) if slope >= 0 else np.where(z > 0, 1.0, slope)


@slope_fault("leaky_relu", "elu", laws=(EXACT, FLOW), thread="ai-on-browser 773")
def took_the_slope_of_relu_for_leaky_relu_and_elu(z: Array, a: Array, **given: float) -> Array:
    """The gradient of leaky ReLU and ELU is 0 below 0, as ReLU's is: it shows for z < 0."""
    return np.where(z > 0, 1.0, 0.0)


@slope_fault(
    "leaky_relu", "elu", laws=(EXACT,), blind=AT_KINKS, supports={"activations": ["leaky_relu", "elu"]}, thread="tinygrad PR 18028"
)
def counted_a_kink_on_both_sides(z: Array, a: Array, **given: float) -> Array:
    """At z = 0 the slopes of both sides are added up, where anything between them is legal: it shows exactly there."""
    left = given["slope"] * np.ones_like(z) if "slope" in given else given["alpha"] * np.exp(np.minimum(z, 0))
    return np.where(z >= 0, 1.0, 0.0) + np.where(z <= 0, left, 0.0)


@slope_fault("elu", laws=(EXACT, LINE), thread="pytorch 47671")
def let_elu_pass_where_alpha_is_negative(z: Array, a: Array, alpha: float) -> Array:
    """ELU's side is judged by the sign of its output, which alpha < 0 turns: g' is 1 for z < 0."""
    return np.where((a > 0) | (z > 0), 1.0, alpha * np.exp(np.minimum(z, 0)))


@slope_fault("elu", laws=(EXACT, LINE))
def took_alpha_as_one_in_the_slope_of_elu(z: Array, a: Array, alpha: float) -> Array:
    """ELU's slope for z < 0 is a + 1 in place of a + alpha: it shows for every other alpha."""
    return np.where(z > 0, 1.0, a + 1)


@slope_fault("elu", laws=(EXACT,), supports={"activations": ["elu", "identity"]}, thread="tensorflow 124830")
def masked_elu_by_its_output(z: Array, a: Array, alpha: float) -> Array:
    """ELU's slope is made of a mask for outputs above 0 and one for outputs below: where exp(z) - 1 is 0, so is g'. It shows for tiny z."""
    output = np.where(z > 0, z, np.exp(np.minimum(z, 0)) - 1)
    return np.where(output > 0, 1.0, 0.0) + np.where(output < 0, alpha * np.exp(np.minimum(z, 0)), 0.0)


@slope_fault("elu", "selu", laws=(EXACT,), thread="pytorch 187297")
def multiplied_the_branch_not_taken_by_zero(z: Array, a: Array, alpha: float = 0.0) -> Array:
    """Both branches of ELU and SELU are computed and weighed with 1 and 0: where exp(z) overflows, 0 times infinity is NaN."""
    right, left = (1.0, alpha) if alpha else (SELU_SCALE, SELU_SCALE * SELU_ALPHA)
    return (z > 0) * right + (z <= 0) * left * np.exp(z)


@slope_fault("selu", laws=(EXACT, LINE))
def forgot_the_scale_of_selu(z: Array, a: Array) -> Array:
    """SELU's slope lacks the factor lambda of 1.05: it shows for every z."""
    return row_of(ACTIVATIONS, "selu").derivative(z) / SELU_SCALE


@slope_fault("relu", "leaky_relu", laws=(EXACT,), thread="pytorch 4132")
def divided_and_then_masked(z: Array, a: Array, **given: float) -> Array:
    """The slope of ReLU and leaky ReLU is a / z: at z = 0 that is NaN, and no mask takes it back."""
    return a / z


@slope_fault("relu", laws=(EXACT, DEAD, FLOW))
def let_relu_leak(z: Array, a: Array) -> Array:
    """ReLU's slope is 0.01 for z < 0, though its value is 0: leaky ReLU in the backward pass alone."""
    return np.where(z > 0, 1.0, 0.01)


@slope_fault("relu6", laws=(EXACT, DEAD), supports=RELU6)
def forgot_the_upper_kink_of_relu6(z: Array, a: Array) -> Array:
    """ReLU6 has ReLU's slope, 1 beyond 6 too: it shows for z > 6."""
    return np.where(z > 0, 1.0, 0.0)


@fault("slope", equations=(3,), laws=(EXACT,), blind=AT_KINKS, supports={"activations": ["relu6", "hardtanh"]}, thread="pytorch 147801")
def left_the_legal_slopes_at_kinks(p: Passes, layer: int) -> Array:
    """The slope of ReLU6 and hardtanh is -0.5 at the lower kink and 1.5 at the upper, where 0 to 1 is legal: it shows exactly there."""
    slopes, z = slope(p, layer), p.z[layer]
    if p.activation_choice(layer)[0] in ("relu6", "hardtanh"):
        (low, _), (high, _) = p.activation(layer).kinks
        slopes = np.where(z == low, -0.5, np.where(z == high, 1.5, slopes))
    return slopes


@fault("activation", laws=(EXACT,), blind=ALIKE, lossy=True, supports=RELU6, thread="tinygrad PR 18029")
def cancelled_relu6_at_large_z(p: Passes, layer: int) -> Array:
    """ReLU6 is computed as ReLU(z) - ReLU(z - 6): digits cancel for large z, until nothing is left where z - 6 is z."""
    z = p.z[layer]
    return np.maximum(z, 0) - np.maximum(z - 6, 0) if p.activation_choice(layer)[0] == "relu6" else activation(p, layer)


@slope_fault("sigmoid", laws=(EXACT,), supports={"activations": ["sigmoid", "identity"]}, thread="tracel-ai/burn PR 1140")
def took_sigmoid_through_its_logarithm(z: Array, a: Array) -> Array:
    """The sigmoid's slope is that of exp(log s(z)): where exp(-z) overflows, infinity over infinity is NaN."""
    e = np.exp(-z)
    return np.exp(-np.log1p(e)) * (e / (1 + e))


@slope_fault("tanh", laws=(EXACT, LINE))
def took_the_slope_of_sigmoid_for_tanh(z: Array, a: Array) -> Array:
    """The slope of tanh is a (1 - a), which is the sigmoid's: it shows for every z."""
    return a * (1 - a)


@slope_fault("softplus", laws=(EXACT,), supports=SOFTPLUS, thread="tenstorrent/tt-metal 56397")
def lost_softplus_past_overflow(z: Array, a: Array) -> Array:
    """The slope of softplus is exactly 0 where exp(z) overflows, and it must be 1 there."""
    return np.where(np.isinf(np.exp(z)), 0.0, expit(z))


@slope_fault("softplus", laws=(EXACT,), supports=SOFTPLUS, thread="tracel-ai/burn 5373")
def overflowed_softplus(z: Array, a: Array) -> Array:
    """The slope of softplus is exp(z) / (1 + exp(z)): NaN where exp(z) overflows."""
    return np.exp(z) / (1 + np.exp(z))


@slope_fault("softplus", laws=(EXACT,), blind=ALIKE, supports=SOFTPLUS)
def cut_softplus_at_a_threshold(z: Array, a: Array) -> Array:
    """The slope of softplus is exactly 1 from z = 20 on, where it is 2e-9 less: it shows in the digits."""
    return np.where(z > 20, 1.0, expit(z))


@slope_fault("gelu", laws=(EXACT, LINE))
def left_the_density_out_of_the_slope_of_gelu(z: Array, a: Array) -> Array:
    """The slope of GELU is the normal distribution alone, without z times its density: a product of which one factor was derived."""
    return 0.5 * (1 + erf(z / np.sqrt(2)))


@slope_fault("gelu", laws=(EXACT,), blind=ALIKE)
def took_the_slope_of_gelu_tanh_for_gelu(z: Array, a: Array) -> Array:
    """GELU's slope is that of its approximation by tanh: it shows in the fourth digit."""
    return row_of(ACTIVATIONS, "gelu_tanh").derivative(z)


@slope_fault("gelu_tanh", laws=(EXACT,), blind=ALIKE)
def took_the_slope_of_gelu_for_gelu_tanh(z: Array, a: Array) -> Array:
    """The slope of GELU's approximation by tanh is that of GELU itself: it shows in the fourth digit."""
    return row_of(ACTIVATIONS, "gelu").derivative(z)


@slope_fault("silu", laws=(EXACT, LINE))
def took_the_sigmoid_for_the_slope_of_silu(z: Array, a: Array) -> Array:
    """The slope of SiLU is the sigmoid alone: a product of which one factor was derived."""
    return expit(z)


@slope_fault("softsign", laws=(EXACT, LINE), supports={"activations": ["softsign", "identity"]})
def forgot_the_size_in_the_slope_of_softsign(z: Array, a: Array) -> Array:
    """The slope of softsign is 1 / (1 + z)^2 in place of 1 / (1 + |z|)^2: it shows for z < 0."""
    return 1 / (1 + z) ** 2


def _softmax_over_the_batch_pulled_back(p: Passes, layer: int) -> Array:
    softmax, z, e = p.activation_choice(layer)[0] == "softmax", p.z[layer], p.errors[layer]
    return p.activation(layer).pullback(z.T, e.T).T if softmax else delta(p, layer)


@fault("delta", equations=(3,), laws=(EXACT, SOFTMAX, LINE), supports=SOFTMAX_LAYERS)
def took_a_diagonal_jacobian_for_softmax(p: Passes, layer: int) -> Array:
    """Of the Jacobian of a layer with softmax only dp_j/dz_j = p_j (1 - p_j) is taken: what z_j does to the other outputs is lost."""
    return p.errors[layer] * p.slopes[layer] if p.activation_choice(layer)[0] == "softmax" else delta(p, layer)


@fault(
    "activation",
    beside={"delta": _softmax_over_the_batch_pulled_back},
    laws=(EXACT, ADD),
    supports=SOFTMAX_LAYERS,
)
def took_softmax_over_the_batch_in_a_layer(p: Passes, layer: int) -> Array:
    """Softmax runs over the samples in place of the nodes, in both passes: a right gradient of another network, whose samples depend on
    one another."""
    return p.activation(layer).value(p.z[layer].T).T if p.activation_choice(layer)[0] == "softmax" else activation(p, layer)


FAULTS_OF_ACTIVATIONS = faults_among(vars())
