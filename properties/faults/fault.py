"""What a fault is: a known mistake, as a small forward and backward pass of which one step is done wrongly."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np

from reference.arrays import Array
from reference.functions.activation import Activation, Elementwise
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import defaults, name_and_parameters, row_of
from reference.gradient import Gradient
from reference.problem import WANTS, Problem

Target = Callable[[Problem], Gradient]
Step = Callable[..., Any]

ANSWERS = "it_answers"
SHAPES = "shapes_and_dtypes_are_right"
INPUTS = "inputs_are_left_alone"
CALLS = "two_calls_agree"
EXACT = "it_agrees_with_the_exact_gradient"
BITS = "it_is_exact_where_nothing_rounds"
ADD = "batch_gradients_add"
MEAN = "the_mean_is_the_sum_over_the_batch_size"
TWICE = "a_duplicated_sample_counts_twice"
ORDER = "the_order_of_samples_does_not_matter"
PERMUTED = "permuted_nodes_permute_the_gradient"
OUTER = "a_weight_gradient_is_an_outer_product"
BIAS = "a_bias_gradient_is_delta"
DEAD = "a_dead_node_has_no_gradient"
FLOW = "what_comes_in_goes_out"
SPLIT = "a_split_network_chains"
SOFTMAX = "softmax_deltas_sum_to_zero"
UNUSED = "a_node_without_outgoing_weights_changes_nothing"
NO_ERROR = "a_sample_without_error_adds_nothing"
IDENTITY = "an_inserted_identity_layer_changes_nothing"
LINE = "the_loss_changes_as_the_gradient_says"
EQUAL_WEIGHTS = "equal_sample_weights_are_a_factor"
LAYOUT = "the_memory_layout_does_not_matter"
LINEAR = "it_is_linear_in_the_upstream_gradient"
OWN_UPSTREAM = "each_sample_has_its_own_upstream_gradient"
EXPANDED = "an_expanded_upstream_gradient_is_read_as_it_is"
EMPTY = "an_empty_batch_has_no_gradient"
BEFORE = "the_problem_before_does_not_matter"


@dataclass
class Passes:
    """All that the two passes compute, by layer, counted as the note counts: 0 is the input, L the output layer.

    z, slopes da_j/dz_j, deltas dC/dz: (batch, n_l) for l = 1, ..., L; a, errors dC/da: (batch, n_l) for l = 0, ..., L;
    weights dC/dW (n_l, n_{l-1}), biases dC/db (n_l,); loss: C. memory: what the network keeps from call to call.
    """

    problem: Problem
    memory: dict[Any, Any]
    loss: Any = None
    z: dict[int, Array] = field(default_factory=dict)
    a: dict[int, Array] = field(default_factory=dict)
    errors: dict[int, Array] = field(default_factory=dict)
    slopes: dict[int, Array] = field(default_factory=dict)
    deltas: dict[int, Array] = field(default_factory=dict)
    weights: dict[int, Array] = field(default_factory=dict)
    biases: dict[int, Array] = field(default_factory=dict)

    @property
    def depth(self) -> int:
        """L."""
        return self.problem.depth

    @property
    def batch(self) -> int:
        """The number of samples."""
        return self.problem.batch

    def weight(self, layer: int) -> Array:
        """W of a layer, (n_l, n_{l-1})."""
        return self.problem.weights[layer - 1]

    def bias(self, layer: int) -> Array | None:
        """b of a layer, (n_l,), or None."""
        return self.problem.biases[layer - 1]

    def activation(self, layer: int) -> Activation:
        """g and g' of a layer."""
        return row_of(ACTIVATIONS, self.problem.activations[layer - 1])

    def activation_choice(self, layer: int) -> tuple[str, dict[str, float]]:
        """The name of a layer's activation, with all of its parameters."""
        name, chosen = name_and_parameters(self.problem.activations[layer - 1])
        return name, defaults(ACTIVATIONS[name]) | chosen

    @property
    def loss_choice(self) -> tuple[str, dict[str, float]]:
        """The name of the loss, with all of its parameters."""
        name, chosen = name_and_parameters(self.problem.loss)
        return name, defaults(LOSSES[name]) | chosen

    @property
    def averages(self) -> bool:
        """Whether C is the mean over samples."""
        return self.problem.reduction == "mean"


def posed(problem: Problem) -> Problem:
    """The problem as the network takes it."""
    return problem


def pre_activation(p: Passes, layer: int) -> Array:
    """z^l = a^{l-1} (W^l)^T + b^l."""
    z: Array = p.a[layer - 1] @ p.weight(layer).T
    bias = p.bias(layer)
    return z if bias is None else z + bias


def activation(p: Passes, layer: int) -> Array:
    """a^l = g(z^l)."""
    return p.activation(layer).value(p.z[layer])


def loss(p: Passes) -> Any:
    """C, the sum or the mean over samples, each with its weight, and what a penalty adds."""
    losses, row = row_of(LOSSES, p.problem.loss).value(p.a[p.depth], p.problem.y), p.problem.penalised
    if p.problem.sample_weights is not None:
        losses = losses * p.problem.sample_weights
    total = losses.sum() / p.problem.total_weight if p.averages else losses.sum()
    return total if row is None else total + row.value(p.problem.weights, p.batch)


def output_error(p: Passes) -> Array:
    """Equation 2: dC_0/da^L of each sample."""
    return row_of(LOSSES, p.problem.loss).derivative(p.a[p.depth], p.problem.y)


def weighed(p: Passes, error: Array) -> Array:
    """dC_0/da^L, each sample's with its weight."""
    return error if p.problem.sample_weights is None else error * p.problem.sample_weights[:, None]


def reduction(p: Passes, error: Array) -> Array:
    """Equation 2 for a batch: dC/da^L from dC_0/da^L."""
    return weighed(p, error) / p.problem.total_weight if p.averages else weighed(p, error)


def slope(p: Passes, layer: int) -> Array:
    """Equation 3: da_j/dz_j = g'(z_j) of layer l."""
    return p.activation(layer).derivative(p.z[layer])


def delta(p: Passes, layer: int) -> Array:
    """The first two factors of equation 10: dC/dz^l = dC/da^l g'(z^l), or the sum over all da_i/dz_j of the layer."""
    if isinstance(p.activation(layer), Elementwise):
        return p.errors[layer] * p.slopes[layer]
    return p.activation(layer).pullback(p.z[layer], p.errors[layer])


def weight_gradient(p: Passes, layer: int) -> Array:
    """Equations 4 and 10, summed over samples: dC/dW^l = (delta^l)^T a^{l-1}."""
    product: Array = p.deltas[layer].T @ p.a[layer - 1]
    return product


def penalty(p: Passes, layer: int) -> Array:
    """What a penalty adds to dC/dW^l."""
    row = p.problem.penalised
    return np.zeros_like(p.weight(layer)) if row is None else row.derivative(p.weight(layer), p.batch)


def bias_gradient(p: Passes, layer: int) -> Array:
    """Equations 4 and 10 with a node that is always 1: dC/db^l is the sum of delta^l over samples."""
    return np.sum(p.deltas[layer], axis=0)


def error_below(p: Passes, layer: int) -> Array:
    """Equations 7 and 11: dC/da^{l-1} = delta^l W^l."""
    product: Array = p.deltas[layer] @ p.weight(layer)
    return product


def answer(p: Passes) -> Gradient:
    """Everything that a gradient may hold."""
    layers = range(1, p.depth + 1)
    return Gradient(
        [p.weights[layer] for layer in layers],
        [None if p.bias(layer) is None else p.biases[layer] for layer in layers],
        x=p.errors.get(0),
        loss=p.loss,
        pre_activations=[p.z[layer] for layer in layers],
        activations=[p.a[layer] for layer in layers],
        deltas=[p.deltas[layer] for layer in layers],
    )


STEPS: dict[str, Step] = {
    step.__name__: step
    for step in (
        posed,
        pre_activation,
        activation,
        loss,
        output_error,
        reduction,
        slope,
        delta,
        weight_gradient,
        penalty,
        bias_gradient,
        error_below,
        answer,
    )
}
"""The steps of the two passes, in their order, done right."""


@dataclass(frozen=True)
class Network:
    """The two passes, written out by hand: a target. Right, unless a step is changed.

    changed: steps by name, to be done in another way. answers: which parts of a gradient are given beside those that a problem asks for.
    memory: what is kept from call to call.
    """

    changed: Mapping[str, Step] = field(default_factory=dict)
    answers: tuple[str, ...] = WANTS
    memory: dict[Any, Any] = field(default_factory=dict)

    def __call__(self, problem: Problem) -> Gradient:
        with np.errstate(all="ignore"):
            given: Gradient = self.step("answer")(self.passed(problem))
        return Gradient(**{f.name: getattr(given, f.name) for f in fields(given) if f.name in {*self.answers, *problem.wants}})

    def step(self, name: str) -> Step:
        """How it does a step."""
        return self.changed.get(name, STEPS[name])

    def passed(self, problem: Problem) -> Passes:
        """Both passes, but for the answer."""
        with np.errstate(all="ignore"):
            return self.carried_back(self.carried_forward(problem))

    def carried_forward(self, problem: Problem) -> Passes:
        """The forward pass."""
        pre_activation, activation = self.step("pre_activation"), self.step("activation")
        p = Passes(self.step("posed")(problem), self.memory)
        p.a[0] = p.problem.x
        for layer in range(1, p.depth + 1):
            p.z[layer] = pre_activation(p, layer)
            p.a[layer] = activation(p, layer)
        p.loss = self.step("loss")(p)
        return p

    def carried_back(self, p: Passes) -> Passes:
        """The backward pass, after the forward pass."""
        slope, delta, error_below = self.step("slope"), self.step("delta"), self.step("error_below")
        weight_gradient, bias_gradient = self.step("weight_gradient"), self.step("bias_gradient")
        p.errors[p.depth] = self.step("reduction")(p, self.step("output_error")(p))
        for layer in range(p.depth, 0, -1):
            p.slopes[layer] = slope(p, layer)
            p.deltas[layer] = delta(p, layer)
            p.weights[layer] = weight_gradient(p, layer)
            if p.problem.penalty is not None:
                p.weights[layer] = p.weights[layer] + self.step("penalty")(p, layer)
            p.biases[layer] = bias_gradient(p, layer)
            if layer > 1 or "x" in {*self.answers, *p.problem.wants}:  # who is not asked for dC/dx does not compute it
                p.errors[layer - 1] = error_below(p, layer)
        return p


@dataclass(frozen=True)
class Fault:
    """A known mistake.

    name: what was done, as a past deed; explanation: what the mistake is, and when it shows.
    changed: the steps of a Network that are done wrongly, by name.
    equations: those of the note that it may rightly be placed in; none where it is no equation that is broken.
    laws: names of the laws that must catch it. blind: why no law can see it that knows nothing of the exact gradient; "" where one can.
    lossy: whether it is right by a formula that loses digits, so that a check passes it unless it is strict.
    thread: the public thread whose mistake it models. supports: the problems to pose, as of a target.
    precision: what it computes in, None for what it answers in.
    """

    name: str
    explanation: str
    changed: Mapping[str, Step]
    equations: tuple[int, ...] = ()
    laws: tuple[str, ...] = ()
    blind: str = ""
    lossy: bool = False
    thread: str = ""
    supports: Mapping[str, Any] = field(default_factory=dict)
    precision: str | None = None

    @property
    def target(self) -> Target:
        """A new target that makes the mistake, and answers all that a gradient may hold."""
        return self.answering()

    def answering(self, answers: tuple[str, ...] = WANTS) -> Target:
        """A new target that makes the mistake, with a memory of its own; answers: any of WANTS."""
        network = Network(self.changed, answers)

        def target(problem: Problem) -> Gradient:
            return network(problem)

        target.supports = dict(self.supports)  # type: ignore[attr-defined]
        target.precision = self.precision  # type: ignore[attr-defined]
        target.__qualname__ = self.name
        return target


def fault(step: str, *, beside: Mapping[str, Step] | None = None, **about: Any) -> Callable[[Step], Fault]:
    """Make a fault of a function that does one step wrongly; its name and docstring are those of the fault.

    step: which one, of STEPS; beside: other steps that the same mistake changes; about: what else Fault holds.
    """
    assert step in STEPS, f"step is {step!r}: expected one of {', '.join(STEPS)}"

    def planted(function: Step) -> Fault:
        explanation = " ".join((function.__doc__ or "").split())
        return Fault(function.__name__, explanation, {step: function} | dict(beside or {}), **about)

    return planted


def slope_fault(*names: str, equations: tuple[int, ...] = (3,), **about: Any) -> Callable[[Step], Fault]:
    """Make a fault of a wrong g' of some activations: a function of z, a and their parameters by name."""

    def planted(function: Step) -> Fault:
        def faulty(p: Passes, layer: int) -> Array:
            name, given = p.activation_choice(layer)
            return function(p.z[layer], p.a[layer], **given) if name in names else slope(p, layer)

        return fault("slope", equations=equations, **about)(_named(faulty, function))

    return planted


def error_fault(*names: str, equations: tuple[int, ...] = (2,), **about: Any) -> Callable[[Step], Fault]:
    """Make a fault of a wrong dC_0/da of some losses: a function of a, y and their parameters by name."""

    def planted(function: Step) -> Fault:
        def faulty(p: Passes) -> Array:
            name, given = p.loss_choice
            return function(p.a[p.depth], p.problem.y, **given) if name in names else output_error(p)

        return fault("output_error", equations=equations, **about)(_named(faulty, function))

    return planted


def _named(faulty: Step, function: Step) -> Step:
    faulty.__name__, faulty.__doc__ = function.__name__, function.__doc__
    return faulty


def changed_problem(problem: Problem, **parts: Any) -> Problem:
    """The problem with some parts in place of its own, as they are: neither checked nor copied."""
    other = copy.copy(problem)
    for name, kept in vars(type(problem)).items():
        if isinstance(kept, cached_property):  # computed of the old parts
            vars(other).pop(name, None)
    for name, part in parts.items():
        setattr(other, name, part)
    return other


def faults_among(names: Mapping[str, Any]) -> tuple[Fault, ...]:
    """The faults of a module, in the order in which they stand there; names: its vars()."""
    return tuple(value for value in names.values() if isinstance(value, Fault))
