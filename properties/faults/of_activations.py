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


@slope_fault("tanh", laws=(EXACT, LINE), thread="davidrmiller/neural2d 40")
def took_tanh_once_more_in_its_slope(z: Array, a: Array) -> Array:
    """The slope of tanh is 1 - tanh(a)^2, though a is tanh(z) already: it shows for every z but 0."""
    return 1 - np.tanh(a) ** 2


@slope_fault("tanh", laws=(EXACT,), supports={"activations": ["tanh", "identity"]}, thread="karpathy/nn-zero-to-hero 52")
def derived_tanh_through_its_exponentials(z: Array, a: Array) -> Array:
    """tanh is (e - 1) / (e + 1) of e = exp(2 z), derived factor by factor: its digits cancel, and g' is 2 where
    e e overflows, then NaN. It shows for z above 1 or so."""
    e = np.exp(2 * z)
    return 2 * e * (1 / (e + 1) - (e - 1) * (e + 1) ** -2)


@slope_fault("tanh", laws=(EXACT,), supports={"activations": ["tanh", "identity"]}, thread="tensorflow 47724")
def kept_tanh_below_one(z: Array, a: Array) -> Array:
    """tanh stops at 1 - 2^-24 in the backward pass, so that its slope never falls below 1e-7: it shows for z beyond 9."""
    return 1 - np.minimum(np.abs(a), 1 - 2.0**-24) ** 2


@slope_fault("tanh", laws=(EXACT,), blind=ALIKE, supports={"activations": ["tanh", "identity"]}, thread="tenstorrent/tt-metal 55349")
def rounded_the_slope_of_tanh_to_three_digits(z: Array, a: Array) -> Array:
    """The slope of tanh is that of a table for 16 bits, with 8 bits of its own: it shows in the third digit of every z."""
    part, exponent = np.frexp(1 - a**2)
    return np.ldexp(np.round(part * 256) / 256, exponent)


@slope_fault("sigmoid", laws=(EXACT, LINE))
def took_a_less_one_for_one_less_a(z: Array, a: Array) -> Array:
    """The sigmoid's slope is a (a - 1), with the sign of its rest lost: it shows for every z."""
    return a * (a - 1)


@slope_fault("sigmoid", laws=(EXACT,), supports={"activations": ["sigmoid", "identity"]})
def clipped_the_argument_of_the_exponential(z: Array, a: Array) -> Array:
    """The sigmoid's slope takes z from -20 to 20 alone, against an overflow of exp: it shows beyond, where g' goes on falling."""
    kept = np.clip(z, -20, 20)
    return expit(kept) * expit(-kept)


@fault("delta", equations=(3,), laws=(EXACT, DEAD, LINE), thread="rust0258 NLP specialization 64")
def took_relu_of_the_incoming_error(p: Passes, layer: int) -> Array:
    """In a layer with ReLU delta is relu(dC/da), in place of dC/da relu'(z): it shows where the error and z differ in their signs."""
    return np.maximum(p.errors[layer], 0.0) if p.activation_choice(layer)[0] == "relu" else delta(p, layer)


@fault("delta", equations=(3,), laws=(EXACT, FLOW, LINE))
def let_positive_errors_through_relu_alone(p: Passes, layer: int) -> Array:
    """ReLU passes an error back only where it is above 0 too, as pictures of saliency want it: it shows where the error is below 0."""
    right = delta(p, layer)
    return np.where(p.errors[layer] > 0, right, 0.0) if p.activation_choice(layer)[0] == "relu" else right


@slope_fault("leaky_relu", laws=(EXACT, FLOW), thread="deeplearning4j 8178")
def took_a_hundredth_for_the_slope_of_leaky_relu(z: Array, a: Array, slope: float) -> Array:
    """Leaky ReLU's backward pass has the slope 0.01, whatever the forward pass was given: it shows for every other slope, where z < 0."""
    return np.where(z > 0, 1.0, 0.01)


@slope_fault("leaky_relu", laws=(EXACT, LINE))
def exchanged_the_sides_of_leaky_relu(z: Array, a: Array, slope: float) -> Array:
    """Leaky ReLU's slope stands on the wrong side of its kink: it shows for every slope but 1."""
    return np.where(z > 0, slope, 1.0)


@slope_fault("elu", laws=(EXACT, LINE))
def forgot_alpha_in_the_slope_of_elu(z: Array, a: Array, alpha: float) -> Array:
    """ELU's slope for z < 0 is exp(z), without alpha: it shows for every other alpha than 1."""
    return np.where(z > 0, 1.0, np.exp(np.minimum(z, 0)))


@slope_fault("elu", laws=(EXACT, LINE), thread="eriklindernoren/ML-From-Scratch PR 73")
def took_elu_itself_below_zero(z: Array, a: Array, alpha: float) -> Array:
    """ELU's slope for z < 0 is its value, a in place of a + alpha: it shows for z < 0."""
    return np.where(z > 0, 1.0, a)


@slope_fault("elu", laws=(EXACT, LINE))
def took_alpha_for_the_slope_of_elu(z: Array, a: Array, alpha: float) -> Array:
    """ELU's slope for z < 0 is alpha, as if it were leaky ReLU: it shows for z < 0."""
    return np.where(z > 0, 1.0, alpha)


@slope_fault("selu", laws=(EXACT, LINE))
def forgot_alpha_in_the_slope_of_selu(z: Array, a: Array) -> Array:
    """SELU's slope for z < 0 is lambda exp(z), without its alpha of 1.67: it shows for z < 0."""
    return np.where(z > 0, SELU_SCALE, SELU_SCALE * np.exp(np.minimum(z, 0)))


@slope_fault("gelu_tanh", laws=(EXACT, LINE))
def forgot_the_inner_slope_of_gelu_tanh(z: Array, a: Array) -> Array:
    """The slope of GELU by tanh lacks the slope of tanh's argument, 1 + 3 c z^2: it shows for every z but 0."""
    t = np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))
    return 0.5 * (1 + t) + 0.5 * z * (1 - t**2) * np.sqrt(2 / np.pi)


@fault("activation", laws=(EXACT, LINE), thread="harvard-edge/cs249r_book PR 1399")
def took_the_sigmoid_form_of_gelu_forward(p: Passes, layer: int) -> Array:
    """Where GELU by tanh is asked for, the forward pass takes z s(1.702 z), and the backward pass the slope of the form by tanh."""
    z = p.z[layer]
    return z * expit(1.702 * z) if p.activation_choice(layer)[0] == "gelu_tanh" else activation(p, layer)


@slope_fault("gelu", laws=(EXACT,), blind=ALIKE)
def took_the_sigmoid_form_for_the_slope_of_gelu(z: Array, a: Array) -> Array:
    """GELU's slope is that of z s(1.702 z): it shows in the second digit."""
    s = expit(1.702 * z)
    return s + 1.702 * z * s * (1 - s)


@slope_fault("gelu", laws=(EXACT,), blind=ALIKE, supports={"activations": ["gelu", "identity"]}, thread="tenstorrent/tt-metal 38643")
def cut_the_left_tail_of_gelu(z: Array, a: Array) -> Array:
    """GELU's slope is 0 from z = -5 down, where a table ends: it shows there, in what is small."""
    return np.where(z < -5, 0.0, row_of(ACTIVATIONS, "gelu").derivative(z))


@slope_fault("silu", laws=(EXACT,), supports={"activations": ["silu", "identity"]}, thread="PaddlePaddle/Paddle 79630")
def overflowed_silu(z: Array, a: Array) -> Array:
    """The slope of SiLU holds z exp(-z) over (1 + exp(-z))^2: NaN where exp(-z) overflows, from z = -355 down."""
    e = np.exp(-z)
    return 1 / (1 + e) + z * e / (1 + e) ** 2


@slope_fault("silu", laws=(EXACT, LINE))
def left_the_sigmoid_out_of_the_slope_of_silu(z: Array, a: Array) -> Array:
    """The slope of SiLU is z s'(z) alone, without s(z): a product of which one factor was derived. It shows for every z."""
    return z * expit(z) * expit(-z)


@slope_fault("softsign", laws=(EXACT, LINE), supports={"activations": ["softsign", "identity"]})
def forgot_the_square_in_the_slope_of_softsign(z: Array, a: Array) -> Array:
    """The slope of softsign is 1 / (1 + |z|), without its square: it shows for every z but 0."""
    return 1 / (1 + np.abs(z))


@slope_fault("hardtanh", laws=(EXACT, DEAD), supports={"activations": ["hardtanh", "identity"]})
def forgot_the_lower_kink_of_hardtanh(z: Array, a: Array) -> Array:
    """Hardtanh's slope is 1 below -1 as well: it shows there."""
    return np.where(z < 1, 1.0, 0.0)


@slope_fault("relu6", laws=(EXACT, LINE), supports=RELU6)
def divided_relu6_by_six(z: Array, a: Array) -> Array:
    """ReLU6's slope is 1/6 between its kinks, as that of hard sigmoid is: it shows there."""
    return np.where((z > 0) & (z < 6), 1 / 6, 0.0)


@fault("delta", equations=(3,), laws=(EXACT, SOFTMAX, LINE), supports=SOFTMAX_LAYERS)
def left_the_sum_out_of_the_jacobian_of_softmax(p: Passes, layer: int) -> Array:
    """delta of a layer with softmax is p dC/da, without the sum over its nodes: what all p_j have in common is not taken out.
    It shows for every error but 0."""
    return p.errors[layer] * p.a[layer] if p.activation_choice(layer)[0] == "softmax" else delta(p, layer)


@fault("delta", equations=(3,), laws=(EXACT, SOFTMAX, LINE), supports=SOFTMAX_LAYERS, thread="harvard-edge/cs249r_book 2056")
def added_the_sum_in_the_jacobian_of_softmax(p: Passes, layer: int) -> Array:
    """delta of a layer with softmax is p (dC/da + sum p dC/da), with a sign turned: no test that starts from equal errors shows it."""
    e, a = p.errors[layer], p.a[layer]
    return a * (e + np.sum(a * e, axis=1, keepdims=True)) if p.activation_choice(layer)[0] == "softmax" else delta(p, layer)


FAULTS_OF_ACTIVATIONS = faults_among(vars())
