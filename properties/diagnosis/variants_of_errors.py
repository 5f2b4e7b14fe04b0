"""Variants of equation 2: each loss's derivative for each other's, lost terms and factors, and the sum or mean over samples."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.special import expit

from properties.diagnosis.variant import FACTORS, Variant, named
from properties.faults.fault import Passes, Step, output_error, reduction, weighed
from reference.arrays import Array
from reference.functions.losses import LOSSES, softmax
from reference.functions.parametrised import row_of

Formula = Callable[[Array, Array], Array]
"""Of a and y, (batch, n_L)."""


def _error(of: str, formula: Formula) -> Step:
    def step(p: Passes) -> Array:
        return formula(p.a[p.depth], p.problem.y) if of in ("", p.loss_choice[0]) else output_error(p)

    return step


FORMULAS: dict[str, tuple[str, Formula]] = {
    "y_less_a": ("y - a", lambda a, y: y - a),
    "a_alone": ("a: y is missing", lambda a, y: a),
    "y_alone": ("-y: a is missing", lambda a, y: -y),
    "the_square": ("(a - y)^2", lambda a, y: (a - y) ** 2),
    "the_size": ("|a - y|", lambda a, y: np.abs(a - y)),
    "the_sign": ("the sign of a - y", lambda a, y: np.sign(a - y)),
    "half_the_difference": ("(a - y) / 2", lambda a, y: (a - y) / 2),
    "the_difference_over_the_outputs": ("(a - y) / n", lambda a, y: (a - y) / a.shape[1]),
    "twice_the_difference_over_the_outputs": ("2 (a - y) / n", lambda a, y: 2 * (a - y) / a.shape[1]),
    "the_quotient": ("-y / a", lambda a, y: -y / a),
    "the_derivative_by_the_probability": ("(a - y) / (a (1 - a))", lambda a, y: (a - y) / (a * (1 - a))),
    "the_derivative_with_the_slope_of_sigmoid": ("(a - y) a (1 - a)", lambda a, y: (a - y) * a * (1 - a)),
    "one": ("1", lambda a, y: np.ones_like(a)),
    "zero": ("0", lambda a, y: np.zeros_like(a)),
    "softmax_of_the_difference": ("softmax(a) - y", lambda a, y: softmax(a) - y),
    "sigmoid_less_y": ("s(a) - y", lambda a, y: expit(a) - y),
    "y_less_softmax": ("y - softmax(a)", lambda a, y: y - softmax(a)),
    "softmax_and_y": ("softmax(a) + y: y is added, and not subtracted", lambda a, y: softmax(a) + y),
    "sigmoid_over_the_outputs": ("(s(a) - y) / n", lambda a, y: (expit(a) - y) / a.shape[1]),
    "softmax_masked_by_y": ("(softmax(a) - 1) y", lambda a, y: (softmax(a) - 1) * y),
}
"""What stands where dC/da must: of a name how it is written, and what it is."""


def _chosen(error: Array, rows: Any = slice(None), columns: Any = slice(None)) -> Array:
    kept = np.zeros_like(error)
    kept[rows, columns] = error[rows, columns]
    return kept


PARTS: dict[str, tuple[str, Callable[[Array], Array]]] = {
    "took_the_error_of_the_first_output": ("only the first output has an error", lambda e: _chosen(e, columns=slice(0, 1))),
    "left_out_the_last_output": ("the last output has no error", lambda e: _chosen(e, columns=slice(0, -1)) if e.shape[1] > 1 else e),
    "left_out_the_first_output": ("the first output has no error", lambda e: _chosen(e, columns=slice(1, None)) if e.shape[1] > 1 else e),
    "added_up_the_errors_of_the_outputs": ("each output has the sum of all errors", lambda e: e.sum(axis=1, keepdims=True) + 0 * e),
    "averaged_the_errors_of_the_outputs": ("each output has the mean of all errors", lambda e: e.mean(axis=1, keepdims=True) + 0 * e),
    "reversed_the_outputs": ("the errors of the outputs stand in reverse", lambda e: e[:, ::-1]),
}


def errors() -> Iterator[Variant]:
    """Variants of dC_0/da."""
    for name in LOSSES:
        for other in LOSSES:
            if other != name:
                yield named(
                    "output_error",
                    f"took_the_derivative_of_{other}_for_{name}",
                    f"the derivative of {name} is that of {other}",
                    _error(name, row_of(LOSSES, other).derivative),
                    of=name,
                    rank=110,
                )
        for title, (written, formula) in FORMULAS.items():
            sentence = f"the derivative of {name} is taken as {written}"
            yield named("output_error", f"took_{title}_for_the_derivative_of_{name}", sentence, _error(name, formula), of=name, rank=112)
        for title, (said, factor) in FACTORS.items():
            if title in ("divided_by_the_nodes", "divided_by_the_inputs"):
                continue
            sentence = f"the derivative of {name} {said}"
            yield named("output_error", f"{title}_the_derivative_of_{name}", sentence, _times(name, factor), of=name, rank=114)
    for title, (written, formula) in FORMULAS.items():
        yield named(
            "output_error",
            f"took_{title}_for_every_derivative",
            f"dC/da is taken as {written}, whatever the loss",
            _error("", formula),
            rank=116,
        )
    for title, (said, factor) in FACTORS.items():
        yield named("output_error", f"{title}_the_derivative", f"dC/da of the output layer {said}", _times("", factor), rank=118)
    for title, (said, part) in PARTS.items():
        yield named("output_error", title, said, _part(part), rank=120)


def _times(of: str, factor: Callable[[Passes, int], float]) -> Step:
    return lambda p: output_error(p) * factor(p, p.depth) if of in ("", p.loss_choice[0]) else output_error(p)


def _part(part: Callable[[Array], Array]) -> Step:
    return lambda p: part(output_error(p))


def _blocks(size: int) -> Callable[[Passes, Array], Array]:
    """The mean of the means of blocks of so many samples, the last of which may be smaller."""

    def step(p: Passes, error: Array) -> Array:
        if not p.averages:
            return reduction(p, error)
        starts = np.arange(p.batch) // size
        return weighed(p, error) / (np.bincount(starts)[starts] * (starts[-1] + 1))[:, None]

    return step


def _without_rest(size: int) -> Callable[[Passes, Array], Array]:
    return lambda p, error: _chosen(reduction(p, error), rows=slice(0, max(p.batch // size, 1) * size))


SUMS: dict[str, tuple[str, Callable[[Passes, Array], Array]]] = {
    "dropped_the_first_sample": ("the first sample is left out: it counts 0", lambda p, e: _chosen(reduction(p, e), rows=slice(1, None))),
    "took_the_first_sample_alone": ("only the first sample counts", lambda p, e: _chosen(reduction(p, e), rows=slice(0, 1))),
    "took_the_last_sample_alone": ("only the last sample counts", lambda p, e: _chosen(reduction(p, e), rows=slice(-1, None))),
    "dropped_the_last_sample_of_several": (
        "the last sample of two or more is left out: it counts 0",
        lambda p, e: _chosen(reduction(p, e), rows=slice(0, -1)) if p.batch > 1 else reduction(p, e),
    ),
    "left_out_every_second_sample": ("every second sample is left out", lambda p, e: _chosen(reduction(p, e), rows=slice(0, None, 2))),
    "left_out_the_rest_of_a_pair": ("samples are taken in pairs, and one that is left over is left out", _without_rest(2)),
    "left_out_the_rest_of_eight": ("samples are taken in blocks of eight, and those that fill no block are left out", _without_rest(8)),
    "averaged_the_means_of_pairs": ("the mean is that of the means of pairs of samples, of which the last may be half", _blocks(2)),
    "averaged_the_means_of_blocks_of_four": (
        "the mean is that of the means of blocks of four samples, of which the last may have fewer",
        _blocks(4),
    ),
    "averaged_the_means_of_blocks_of_eight": (
        "the mean is that of the means of blocks of eight samples, of which the last may have fewer",
        _blocks(8),
    ),
    "gave_all_samples_the_mean_error": (
        "all samples have their mean error",
        lambda p, e: reduction(p, e).mean(axis=0, keepdims=True) + 0 * e,
    ),
    "gave_all_samples_the_error_of_the_first": ("all samples have the error of the first", lambda p, e: reduction(p, e)[:1] + 0 * e),
    "reversed_the_samples": ("the errors of the samples stand in reverse", lambda p, e: reduction(p, e)[::-1]),
    "divided_by_one_more_than_the_batch": (
        "the mean is divided by the batch size and 1",
        lambda p, e: weighed(p, e) / (p.batch + 1) if p.averages else weighed(p, e),
    ),
    "divided_by_the_root_of_the_batch": (
        "the mean is divided by the root of the batch size",
        lambda p, e: weighed(p, e) / np.sqrt(p.batch) if p.averages else weighed(p, e),
    ),
    "averaged_over_the_outputs_as_well": ("the mean over samples runs over the outputs too", lambda p, e: reduction(p, e) / e.shape[1]),
    "exchanged_sum_and_mean": (
        "the mean is taken where the sum is asked for, and the sum for the mean",
        lambda p, e: weighed(p, e) if p.averages else weighed(p, e) / p.batch,
    ),
    "divided_unweighed_samples_by_their_number": (
        "the weights of samples, of a kernel its upstream gradient, are left out, and the gradient is divided by the batch size",
        lambda p, e: reduction(p, e) if p.problem.sample_weights is None else e / p.batch,
    ),
}


def reductions() -> Iterator[Variant]:
    """Variants of the sum or mean over samples."""
    for title, (said, function) in SUMS.items():
        about = {} if "mean" in said and "sample" not in said else {"equations": (2, 10)}
        yield named("reduction", title, said, function, rank=130, **about)
    for title, (said, factor) in FACTORS.items():
        if title.startswith(("multiplied_by_the_batch", "divided_by_the_batch", "doubled", "halved")):
            yield named("reduction", f"{title}_all_samples", f"what all samples count {said}", _weighed(factor), rank=132)


def _weighed(factor: Callable[[Passes, int], float]) -> Step:
    return lambda p, error: reduction(p, error) * factor(p, p.depth)
