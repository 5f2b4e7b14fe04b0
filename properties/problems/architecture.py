"""The structure of a problem: everything but its numbers, and the one way in which it is chosen."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from properties.problems.edges import LONG, REAL_LONG
from properties.problems.exact import is_power_of_two
from properties.problems.limits import EXPECTED
from properties.problems.support import Support
from reference.functions.expected_outputs import Labels
from reference.functions.losses import LOSSES
from reference.functions.parametrised import Choice, row_of
from reference.problem import Problem

T = TypeVar("T")


@dataclass(frozen=True)
class Architecture:
    """Widths n_0 to n_L, batch, and for each layer its activation and whether it has biases.

    labels: of n outputs the rows that y is drawn from, in place of what the loss says; None for that.
    weighted: whether samples have weights; penalty: None for none.
    """

    widths: tuple[int, ...]
    batch: int
    activations: tuple[Choice, ...]
    biased: tuple[bool, ...]
    loss: Choice
    reduction: str
    labels: Labels | None = None
    weighted: bool = False
    penalty: Choice | None = None


class Picker(Protocol):
    """Whoever decides: Hypothesis draws, a Recorder gives back what a known problem has, a seed has them all.

    long: whether now and then a width or batch is drawn that is longer than small ones are.
    """

    long: bool

    def pick(self, key: Hashable, options: Sequence[T]) -> T:
        """One of the options, which stand from simple to complicated."""
        ...

    def number(self, key: Hashable) -> float:
        """Any number that the precision holds."""
        ...


def pick_architecture(picker: Picker, support: Support) -> Architecture:
    """An architecture that the support allows."""
    depth = picker.pick("depth", _range(support.drawn("depth")))
    batch, widths = _pick_sizes(picker, support, depth)
    activations: list[Choice] = list((support.layer_activations or ())[:-1])
    for i in range(depth - 1 if support.layer_activations is None else 0):
        repeated = support.same_hidden and i > 0
        activations.append(activations[0] if repeated else picker.pick(("activation", i), support.activation_choices))
    loss = picker.pick("loss", support.loss_choices)
    outputs = support.outputs_behind(loss)
    if row_of(LOSSES, loss).expected.labels and "identity" in outputs:
        # it is meant for logits: half of what is drawn has them
        outputs = (*len(outputs) * ("identity",), *outputs)
    activations.append(picker.pick(("activation", depth - 1), outputs))
    options = {None: ("none", "all", "some"), True: ("all",), False: ("none",)}[support.biases]
    biases = picker.pick("biases", options)
    biased = list(support.layer_biases or ()) or [
        picker.pick(("biased", i), (False, True)) if biases == "some" else biases == "all" for i in range(depth)
    ]
    reduction = picker.pick("reduction", support.reductions)
    weighted = picker.pick("weighted", support.weighted_choices)
    penalty = picker.pick("penalty", support.penalty_choices)
    labels = EXPECTED[support.expected]
    return Architecture(widths, batch, tuple(activations), tuple(biased), loss, reduction, labels, weighted, penalty)


def _pick_sizes(picker: Picker, support: Support, depth: int) -> tuple[int, tuple[int, ...]]:
    """Batch and widths: now and then one that is long, where the support sets no limit; of real sizes many around whole blocks."""
    real = support.sizes == "real"
    free = {"batch": support.batch is None, "width": support.width is None and support.widths is None}
    lengths = (*10 * ("",), *(name for name, is_free in free.items() if is_free))
    exact = support.values == "exact"
    long = picker.pick("long", lengths) if picker.long and not real and not exact else ""
    batches = _averaged(_options(support.drawn("batch"), real), exact)
    batch = picker.pick("long batch", LONG) if long == "batch" else picker.pick("batch", batches)
    if support.widths:
        return batch, support.widths
    at = picker.pick("long layer", range(depth + (support.outputs is None))) if long == "width" else None
    options = _options(support.drawn("width"), real)
    sizes = [*depth * [options], _averaged(_options(support.drawn("outputs"), real), exact)]
    widths = [picker.pick("long width", LONG) if i == at else picker.pick(("width", i), sizes[i]) for i in range(depth + 1)]
    # one output, and one input, are common, and products with a single row or column go ways of their own
    end = picker.pick("single end", ("", "", "", "outputs", "", "", "", "inputs")) if real and free["width"] else ""
    if end and (end == "inputs" or support.outputs is None):
        widths[-1 if end == "outputs" else 0] = 1
    return batch, tuple(widths)


def architecture_of(problem: Problem) -> Architecture:
    """The structure of a problem."""
    biased, weighted = tuple(b is not None for b in problem.biases), problem.sample_weights is not None
    parts = (problem.widths, problem.batch, problem.activations, biased, problem.loss, problem.reduction)
    return Architecture(*parts, weighted=weighted, penalty=problem.penalty)


def answers_of(architecture: Architecture) -> dict[Hashable, Any]:
    """What pick_architecture must be told, key by key, to give this architecture."""
    biased = architecture.biased
    return {
        "depth": len(biased),
        "batch": architecture.batch,
        "biases": "all" if all(biased) else "some" if any(biased) else "none",
        "loss": architecture.loss,
        "reduction": architecture.reduction,
        "weighted": architecture.weighted,
        "penalty": architecture.penalty,
        **{("width", i): width for i, width in enumerate(architecture.widths)},
        **{("activation", i): activation for i, activation in enumerate(architecture.activations)},
        **{("biased", i): b for i, b in enumerate(biased)},
    }


def _averaged(sizes: Sequence[int], exact: bool) -> Sequence[int]:
    """Sizes over which a mean may be taken: where nothing is to round powers of two, if there are any."""
    return [size for size in sizes if not exact or is_power_of_two(size)] or sizes


def _range(limits: tuple[int, int]) -> range:
    return range(limits[0], limits[1] + 1)


def _options(limits: tuple[int, int], real: bool) -> Sequence[int]:
    """The sizes from least to most; of real ones, as many again around whole blocks, each as often."""
    sizes = _range(limits)
    edges = [size for size in REAL_LONG if size in sizes] if real else []
    return sorted([*sizes, *edges * (len(sizes) // len(edges))]) if edges else sizes
