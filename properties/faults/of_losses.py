"""Faults of equation 2: factors and signs, squares, Huber, cross-entropies; and of the loss's value."""

from typing import Any

import numpy as np
from scipy.special import expit, logsumexp, softmax

from properties.faults.fault import (
    ADD,
    EMPTY,
    EXACT,
    EXPANDED,
    LINE,
    LINEAR,
    MEAN,
    NO_ERROR,
    ORDER,
    OWN_UPSTREAM,
    SOFTMAX,
    Passes,
    bias_gradient,
    error_fault,
    fault,
    faults_among,
    loss,
    output_error,
    reduction,
)
from reference.arrays import Array

SQUARES = ("half_squared_error", "squared_error", "mean_squared_error", "half_mean_squared_error")

CLASSIFIER = {"losses": ["softmax_cross_entropy"], "output_activations": ["identity"]}
"""What an implementation of softmax with cross-entropy offers, and little else."""

UPSTREAM = {"losses": ["upstream"]}
"""What a layer by itself offers: its gradient from what comes from above."""

DIGITS = "it is in the last digits of answers that agree with one another"

OF_CLASSES = {"losses": ["cross_entropy_of_probabilities"]}
YES_OR_NO = ("binary_cross_entropy_of_probabilities", "summed_binary_cross_entropy_of_probabilities")
OF_YES_OR_NO = {"losses": list(YES_OR_NO)}
"""What code offers whose last layer is a softmax, or a sigmoid, with the cross-entropy of what it gives."""


@error_fault("squared_error", "mean_squared_error", laws=(EXACT, LINE))
def forgot_the_factor_of_the_squared_error(a: Array, y: Array) -> Array:
    """The derivative of the squared error lacks its factor 2: it shows for the losses without the half."""
    return a - y


@fault("output_error", equations=(2,), laws=(EXACT, LINE), thread="torch/cunn PR 318")
def doubled_the_error(p: Passes) -> Array:
    """dC/da is twice too large, for every loss: hidden only where a tolerance is wide, or a step of descent is all that is asked for."""
    return 2 * output_error(p)


@fault("output_error", equations=(2,), laws=(EXACT, LINE))
def turned_the_sign_of_the_error(p: Passes) -> Array:
    """dC/da is y - a in place of a - y: the gradient points the other way."""
    return -output_error(p)


@error_fault(*SQUARES, laws=(EXACT, NO_ERROR, LINE))
def forgot_the_expected_outputs(a: Array, y: Array) -> Array:
    """The derivative of a squared error is a in place of a - y: it shows unless 0 is expected."""
    return a


@error_fault("mean_squared_error", "half_mean_squared_error", "huber", laws=(EXACT, LINE), thread="scikit-learn 8349")
def forgot_to_average_over_the_outputs(a: Array, y: Array, delta: float = np.inf) -> Array:
    """The gradient is that of the sum over outputs, the loss is their mean: it shows where there are two outputs."""
    return np.clip(a - y, -delta, delta)


@error_fault("half_squared_error", "squared_error", laws=(EXACT, LINE))
def divided_by_the_outputs_as_well(a: Array, y: Array) -> Array:
    """The derivative of a sum over outputs is divided by their number: it shows where there are two outputs."""
    return (a - y) / a.shape[1]


@error_fault("mean_squared_error", "half_mean_squared_error", laws=(EXACT, ADD, ORDER, LINE), thread="flagos-ai/FlagGems 5212")
def read_past_the_upstream_gradient(a: Array, y: Array) -> Array:
    """The upstream gradient of a mean has one element, and one is read for each output: all but the first get what lies there, 0."""
    error = np.zeros_like(a)
    error[0, 0] = 2 * (a - y)[0, 0] / a.shape[1]
    return error


@error_fault("huber", laws=(EXACT,), thread="BobMcDear/attorch 13")
def compared_the_signed_difference(a: Array, y: Array, delta: float) -> Array:
    """Huber's derivative compares a - y with delta, and not |a - y|: it shows for differences below -delta."""
    return np.minimum(a - y, delta) / a.shape[1]


@error_fault("huber", laws=(EXACT,))
def ignored_the_delta_of_huber(a: Array, y: Array, delta: float) -> Array:
    """Huber's derivative takes delta as 1: it shows for every other delta."""
    return np.clip(a - y, -1, 1) / a.shape[1]


@error_fault("huber", laws=(EXACT,))
def forgot_the_linear_part_of_huber(a: Array, y: Array, delta: float) -> Array:
    """Huber's derivative is that of the square everywhere: it shows for differences beyond delta."""
    return (a - y) / a.shape[1]


@error_fault("huber", laws=(EXACT,))
def took_the_sign_for_the_linear_part_of_huber(a: Array, y: Array, delta: float) -> Array:
    """Beyond delta, Huber's derivative is the sign of the difference without the factor delta: it shows where delta is not 1."""
    return np.where(np.abs(a - y) <= delta, a - y, np.sign(a - y)) / a.shape[1]


@fault("reduction", equations=(2,), laws=(EXACT, ADD, MEAN, LINE), thread="chainer 1175")
def ignored_what_comes_from_above_huber(p: Passes, error: Array) -> Array:
    """Huber's backward pass ignores the gradient that it is given, and so the mean over samples: it shows in means over two or more."""
    return error if p.loss_choice[0] == "huber" else reduction(p, error)


@error_fault("softmax_cross_entropy", laws=(EXACT, SOFTMAX, LINE), supports=CLASSIFIER)
def forgot_the_label(a: Array, y: Array) -> Array:
    """The derivative of softmax with cross-entropy is p in place of p - y."""
    return softmax(a, axis=1)


@error_fault("softmax_cross_entropy", laws=(EXACT, SOFTMAX, LINE), supports=CLASSIFIER)
def took_the_jacobian_of_softmax_as_diagonal(a: Array, y: Array) -> Array:
    """Of the Jacobian only dp_j/da_j = p_j (1 - p_j) is taken, so that dC/da is -y (1 - p): all other outputs are lost."""
    return -y * (1 - softmax(a, axis=1))


@error_fault("softmax_cross_entropy", laws=(EXACT, SOFTMAX, ADD, LINE), supports=CLASSIFIER)
def took_softmax_over_the_batch(a: Array, y: Array) -> Array:
    """Softmax runs over the samples in place of the outputs: a wrong axis."""
    return softmax(a, axis=0) - y


@error_fault("softmax_cross_entropy", laws=(EXACT, LINE))
def took_softmax_twice(a: Array, y: Array) -> Array:
    """The loss takes a softmax of outputs that went through one already: it shows where there are two outputs."""
    return softmax(softmax(a, axis=1), axis=1) - y


@error_fault("softmax_cross_entropy", laws=(EXACT,), supports=CLASSIFIER)
def overflowed_softmax(a: Array, y: Array) -> Array:
    """Softmax is exp(a) over the sum of exp(a), without the largest taken out: NaN where one of them overflows."""
    return np.exp(a) / np.exp(a).sum(axis=1, keepdims=True) - y


@error_fault("softmax_cross_entropy", laws=(EXACT,), supports=CLASSIFIER)
def shifted_softmax_by_the_largest_of_the_batch(a: Array, y: Array) -> Array:
    """The largest logit of all samples is taken out of each: a sample far below it has only zeros left, and 0 / 0 is NaN."""
    e = np.exp(a - a.max())
    return e / e.sum(axis=1, keepdims=True) - y


@error_fault("softmax_cross_entropy", laws=(EXACT,), supports=CLASSIFIER)
def clipped_the_probabilities(a: Array, y: Array) -> Array:
    """Probabilities are kept from 1e-7 to 1 - 1e-7 against a logarithm of 0: it shows where an output is sure."""
    return np.clip(np.exp(a - logsumexp(a, axis=1, keepdims=True)), 1e-7, 1 - 1e-7) - y


@error_fault("binary_cross_entropy_with_logits", laws=(EXACT, LINE))
def forgot_to_average_the_cross_entropy(a: Array, y: Array) -> Array:
    """The derivative of binary cross-entropy lacks 1/n: it shows where there are two outputs."""
    return expit(a) - y


@error_fault("binary_cross_entropy_with_logits", laws=(EXACT, LINE))
def took_the_derivative_by_the_probability(a: Array, y: Array) -> Array:
    """The derivative of binary cross-entropy is that by p = s(a), so that the sigmoid's slope is missing: (p - y) / (p (1 - p))."""
    return (expit(a) - y) / (expit(a) * expit(-a)) / a.shape[1]


@error_fault("binary_cross_entropy_with_logits", laws=(EXACT, LINE))
def took_labels_as_hard(a: Array, y: Array) -> Array:
    """Labels are rounded to 0 or 1: it shows where a probability between is expected."""
    return (expit(a) - np.round(y)) / a.shape[1]


@error_fault("summed_binary_cross_entropy_with_logits", laws=(EXACT, LINE))
def divided_the_cross_entropy_by_the_outputs_as_well(a: Array, y: Array) -> Array:
    """The derivative of a binary cross-entropy that is summed over outputs is divided by their number: it shows where there are two."""
    return (expit(a) - y) / a.shape[1]


@error_fault("cross_entropy_of_probabilities", laws=(EXACT, LINE), supports=OF_CLASSES)
def forgot_to_divide_by_the_probability(a: Array, y: Array) -> Array:
    """The derivative of cross-entropy is -y in place of -y / a: that of the logarithm is left out."""
    return -y


@fault("output_error", equations=(2,), laws=(EXACT, LINE), supports={"losses": [*OF_CLASSES["losses"], *YES_OR_NO]})
def multiplied_the_difference_by_the_slope_again(p: Passes) -> Array:
    """a - y, which is dC/dz of a softmax or sigmoid with its cross-entropy, is taken for dC/da: the last layer's slope comes in twice."""
    name, a = p.loss_choice[0], p.a[p.depth]
    if name not in (*OF_CLASSES["losses"], *YES_OR_NO):
        return output_error(p)
    return (a - p.problem.y) / (a.shape[1] if name == YES_OR_NO[0] else 1)


@error_fault("cross_entropy_of_probabilities", laws=(EXACT,), supports=OF_CLASSES)
def divided_by_clipped_probabilities(a: Array, y: Array) -> Array:
    """Probabilities are kept above 1e-12 against a division by 0, so that the gradient of an output vanishes where it is below: it shows
    where a class that is expected is taken for impossible."""
    return -y / np.maximum(a, 1e-12)


@error_fault(*YES_OR_NO[1:], laws=(EXACT,), supports={"losses": list(YES_OR_NO[1:])})
def kept_probabilities_from_both_ends(a: Array, y: Array) -> Array:
    """Probabilities are kept from 1e-7 to 1 - 1e-7 against a division by 0: it shows where an output is sure."""
    p = np.clip(a, 1e-7, 1 - 1e-7)
    return (1 - y) / (1 - p) - y / p


@error_fault(*YES_OR_NO[1:], laws=(EXACT, LINE), supports={"losses": list(YES_OR_NO[1:])})
def forgot_the_other_half_of_the_binary_cross_entropy(a: Array, y: Array) -> Array:
    """Of the binary cross-entropy only -y ln a is derived, as of classes: it shows where less than 1 is expected."""
    return -y / a


@fault("loss", laws=(EXACT, LINE))
def averaged_the_loss_and_summed_the_gradient(p: Passes) -> Any:
    """The loss that is answered is the mean over samples, while the gradient is that of their sum: it shows in sums over two or more."""
    return loss(p) if p.averages else loss(p) / p.batch


@fault("loss", laws=(EXACT, LINE))
def answered_the_loss_of_the_last_sample(p: Passes) -> Any:
    """The loss is overwritten in a loop over samples, in place of added up: it shows in batches of two or more."""
    return loss(Passes(p.problem.of_samples(slice(-1, None)), {}, a={p.depth: p.a[p.depth][-1:]}))


@error_fault("mean_squared_error", laws=(EXACT, LINE), thread="Open-Deep-ML/DML-OpenProblem 54")
def took_one_over_n_for_two_over_n(a: Array, y: Array) -> Array:
    """The derivative of the mean squared error is (a - y) / n, and the loss has no half: it is half of what it should be."""
    return (a - y) / a.shape[1]


@error_fault("softmax_cross_entropy", laws=(EXACT, LINE), supports=CLASSIFIER)
def smoothed_the_labels(a: Array, y: Array) -> Array:
    """A tenth of each label is spread over all classes, as a training may want it: the loss that is asked for does not."""
    return softmax(a, axis=1) - (0.9 * y + 0.1 / a.shape[1])


@error_fault("softmax_cross_entropy", laws=(EXACT,), supports=CLASSIFIER)
def took_the_largest_label_alone(a: Array, y: Array) -> Array:
    """The expected class is that of the largest label, and counts as 1: it shows where probabilities are expected."""
    return softmax(a, axis=1) - np.eye(y.shape[1])[np.argmax(y, axis=1)]


@error_fault("softmax_cross_entropy", laws=(EXACT, SOFTMAX, LINE), supports=CLASSIFIER)
def subtracted_one_from_every_class(a: Array, y: Array) -> Array:
    """1 is subtracted from the probability of each class, and not of the expected one alone: an index that takes whole rows."""
    return softmax(a, axis=1) - 1


@fault("reduction", equations=(2,), laws=(EXACT, SOFTMAX, LINE), supports=CLASSIFIER)
def subtracted_the_label_after_averaging(p: Passes, error: Array) -> Array:
    """The probabilities are divided by the batch size before the label is subtracted, so that it counts in full: it shows in means over two
    or more."""
    return reduction(p, error) - (p.problem.y * (1 - 1 / p.batch) if p.averages else 0.0)


@error_fault("softmax_cross_entropy", laws=(EXACT,), blind=DIGITS, supports=CLASSIFIER, thread="linkedin/Liger-Kernel PR 1329")
def rounded_the_probability_before_the_label(a: Array, y: Array) -> Array:
    """Probabilities are rounded to float32 before the label is subtracted: it shows in the digits, most where an output is sure."""
    return softmax(a, axis=1).astype(np.float32).astype(a.dtype) - y


@error_fault("upstream", laws=(EXACT, OWN_UPSTREAM), supports=UPSTREAM, thread="linkedin/Liger-Kernel 968")
def read_the_first_upstream_number_alone(a: Array, y: Array) -> Array:
    """The backward pass reads the first number of the upstream gradient, and takes it for all: it shows unless they are all the same, as
    they are behind a sum."""
    return y[0, 0] + 0 * a


@error_fault("upstream", laws=(EXACT, OWN_UPSTREAM), supports=UPSTREAM, thread="NVIDIA/TransformerEngine 1879")
def read_the_upstream_gradient_of_the_first_sample(a: Array, y: Array) -> Array:
    """All samples have the upstream gradient of the first: it shows in batches of two or more."""
    return y[:1] + 0 * a


@error_fault("upstream", laws=(EXACT, LINE, LINEAR, OWN_UPSTREAM), supports=UPSTREAM, thread="paiml/aprender PR 2182")
def ignored_the_upstream_gradient(a: Array, y: Array) -> Array:
    """The backward pass takes 1 for each number of the upstream gradient, as it is behind a sum: it shows for every other."""
    return np.ones_like(a)


@error_fault("upstream", laws=(EXPANDED,), supports=UPSTREAM)
def read_the_upstream_gradient_as_if_contiguous(a: Array, y: Array) -> Array:
    """The backward pass reads the upstream gradient number after number, whatever its strides: it shows where they are those of an expanded
    one, as behind a sum."""
    if 0 not in y.strides:
        return y
    memory = np.lib.stride_tricks.as_strided(y, (y.size,), (y.itemsize,))
    return memory.reshape(y.shape) + 0 * a


@fault("bias_gradient", laws=(EMPTY,), supports=UPSTREAM | {"empty_batch": True, "biases": True})
def left_the_bias_gradient_unset_without_samples(p: Passes, layer: int) -> Array:
    """dC/db is what stood in its memory before where a batch has no samples, as no program runs that would write it."""
    return bias_gradient(p, layer) if p.batch else np.full(p.weight(layer).shape[0], 0.5)


FAULTS_OF_LOSSES = faults_among(vars())
