"""What a target can do: the problems that it may be asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import chain
from typing import Any

from properties.problems.exact import can_be_exact, is_exact, is_power_of_two, loss_can_be_exact, may_be_exact
from properties.problems.limits import CHOSEN, EXPECTED, LIMITS, SIZES, SupportError, read
from properties.problems.tame import are_tame
from reference.functions.activations import ACTIVATIONS
from reference.functions.expected_outputs import Labels
from reference.functions.losses import LOSSES
from reference.functions.parametrised import Choice, row_of
from reference.functions.penalties import PENALTIES
from reference.nearest import did_you_mean
from reference.problem import Problem

PARAMETERS: dict[str, tuple[dict[str, float], ...]] = {
    "leaky_relu": ({}, {"slope": -0.5}, {"slope": 2.0}, {"slope": 0.0}),
    "elu": ({}, {"alpha": -2.0}, {"alpha": 0.5}),
    "huber": ({}, {"delta": 0.5}, {"delta": 4.0}),
}
"""The parameters that are tried of each function that has some: default first, then those that shipped bugs needed."""


@dataclass(frozen=True)
class Support:
    """Which problems may be drawn.

    activations, losses: names, which stand for their default parameters, or (name, parameters); None for all that there are,
        with other parameters too; output_activations: those of the last layer, None for the same as activations, or, of losses of
        probabilities alone, for what gives probabilities. A loss of probabilities is drawn behind what gives them.
    biases: True for always, False for never, None for both; depth, batch, width: (least, most), None for any;
    reductions: over samples; same_hidden: whether all hidden layers must have one activation;
    wants: what the target gives where it is asked for it, beside the gradient of weights and biases: "x", "loss", "deltas" and so on;
    sizes: a key of SIZES; widths: n_0 to n_L, where there is one shape alone; outputs: (least, most) of n_L, None for any;
    expected: a key of EXPECTED, what y may be beside what the loss says;
    values: "any" numbers, those that are "tame" (properties/problems/tame.py), or on which nothing rounds, "exact" (exact.py beside it);
    exact: False of what is honest and rounds more than one pass, as a gradient that is read out of an update or of differences of losses:
        on exact problems it is not asked for equal bits;
    sample_weights: whether samples have weights: True for always, False for never, None for both;
    penalties: what is added for large weights, each None for nothing, "l2", ("l2", factor) or ("l2_over_batch", factor);
    learning_rate: that of the updates which the gradient is read off, and loses digits by; None where it is answered itself;
    layer_activations, layer_biases: of each layer its activation, and whether it has biases, of one network alone, whose widths are said;
    empty_batch: whether a batch may have no sample: none is drawn so, and a law asks for one.
    """

    activations: tuple[Choice, ...] | None = None
    losses: tuple[Choice, ...] | None = None
    output_activations: tuple[Choice, ...] | None = None
    biases: bool | None = None
    depth: tuple[int, int] | None = None
    batch: tuple[int, int] | None = None
    width: tuple[int, int] | None = None
    reductions: tuple[str, ...] = ("sum", "mean")
    same_hidden: bool = False
    wants: tuple[str, ...] = ()
    sizes: str = "small"
    widths: tuple[int, ...] | None = None
    outputs: tuple[int, int] | None = None
    expected: str = "any"
    layer_activations: tuple[Choice, ...] | None = None
    layer_biases: tuple[bool, ...] | None = None
    values: str = "any"
    exact: bool = True
    sample_weights: bool | None = False
    penalties: tuple[Choice | None, ...] = (None,)
    learning_rate: float | None = None
    empty_batch: bool = False

    @staticmethod
    def of(given: Any) -> "Support":
        """What a target's `supports` says: a Support, a dict of its fields, or None. Raises SupportError."""
        if isinstance(given, Support):
            return given
        if given is None:
            return Support()
        names = [field.name for field in fields(Support)]
        if not isinstance(given, Mapping):
            raise SupportError(f"supports is a {type(given).__name__}: expected a dict with any of {', '.join(names)}")
        unknown = [name for name in given if name not in names]
        if unknown:
            raise SupportError(f"supports has {unknown[0]!r}: {did_you_mean(unknown[0], names)}expected any of {', '.join(names)}")
        taken = {name: _field(name, value) for name, value in given.items()}
        if taken.get("output_activations", taken.get("layer_activations")) is None and "losses" in taken:
            taken |= _outputs_of(taken["losses"])
        return Support(**({"sizes": _sizes_of(taken.get("widths"))} | taken))._consistent()

    def limited(self, **asked: Any) -> "Support":
        """This support, narrowed to what a run asks for. Raises SupportError where nothing is left."""
        changes: dict[str, Any] = {}
        for name, value in asked.items():
            if name not in LIMITS:
                raise SupportError(f"there is no limit {name!r}: {did_you_mean(name, LIMITS)}expected any of {', '.join(LIMITS)}")
            if value is None:
                continue
            wanted = _field(name, value)
            if name in CHOSEN:
                mine = self.activations if name == "output_activations" and self.output_activations is None else getattr(self, name)
                changes[name] = wanted if mine is None else tuple(choice for choice in wanted if choice in mine)
                if not changes[name]:
                    raise SupportError(f"{name} is {list(wanted)}, but the target supports only {list(mine or ())}")
            elif name == "wants":
                changes[name] = wanted
            elif name == "widths":
                if self.widths not in (None, wanted):
                    raise SupportError(f"widths is {list(wanted)}, but the target supports only {list(self.widths or ())}")
                changes |= {"widths": wanted, "sizes": _sizes_of(wanted)}
            elif name == "sizes":
                changes[name] = wanted
            elif name in ("sample_weights", "penalties"):
                changes[name] = self._asked(name, wanted)
            elif name == "values":
                if self.values not in ("any", wanted):
                    raise SupportError(f"values is {wanted!r}, but the target supports only {self.values!r}")
                changes[name] = wanted
            else:
                changes[name] = self._narrowed(name, wanted)
        if "losses" in changes and "output_activations" not in changes and not (self.activations or self.output_activations):
            changes |= {} if self.layer_activations else _outputs_of(changes["losses"])
        return replace(self, **changes)._consistent()

    def _asked(self, name: str, wanted: Any) -> Any:
        """sample_weights or penalties as a run asks for them: of a target that says nothing of them whatever is asked."""
        mine = getattr(self, name)
        if mine == getattr(Support(), name) or mine == wanted or (name == "sample_weights" and mine is None):
            return wanted
        both = tuple(choice for choice in wanted if choice in mine) if name == "penalties" else None
        if not both:
            raise SupportError(f"{name} is {_listed(wanted)}, but the target supports only {_listed(mine)}")
        return both

    def _narrowed(self, name: str, wanted: Any) -> Any:
        """biases, depth, width or batch as a run asks for it, where the target says nothing of it; what both allow, where it does."""
        mine = getattr(self, name)
        if mine is None or mine == wanted:
            return wanted
        both = None if name == "biases" else (max(mine[0], wanted[0]), min(mine[1], wanted[1]))
        if both is None or both[0] > both[1]:
            raise SupportError(f"{name} is {wanted}, but the target supports only {mine}")
        return both

    def _consistent(self) -> "Support":
        """This support, if its widths are within its depth, width and outputs, and its outputs within its width."""
        sizes_of = {"depth": [len(self.widths) - 1], "width": self.widths, "outputs": self.widths[-1:]} if self.widths else {}
        for name, sizes in sizes_of.items():
            limits = getattr(self, name)
            if limits and not all(limits[0] <= size <= limits[1] for size in sizes):
                raise SupportError(f"widths is {list(self.widths or ())}, but the target supports only {name} {limits}")
        least, most = self.drawn("outputs")
        if least > most:
            raise SupportError(f"width is {self.width}, but the target supports only outputs {self.outputs}")
        for name in ("layer_activations", "layer_biases"):
            by_layer = getattr(self, name)
            if by_layer is not None and len(by_layer) + 1 != len(self.widths or ()):
                raise SupportError(f"{name} has {len(by_layer)} entries: expected widths, and one entry for each layer of them")
        if self.values == "exact" and (why := self._why_not_exact()):
            raise SupportError(f"values is 'exact', but {why}")
        if not self.loss_choices:
            needed = "; ".join(f"{loss} needs {' or '.join(_behind(loss))}" for loss in self.losses or ())
            raise SupportError(f"losses is {list(self.losses or ())}, but the last layer has {list(self._outputs)}: {needed}")
        *hidden, last = self.layer_activations or (None,)
        outputs = ("activations", self.activations) if self.output_activations is None else ("output_activations", self.output_activations)
        for (name, allowed), activation in [*((("activations", self.activations), a) for a in hidden), (outputs, last)]:
            if self.layer_activations and allowed is not None and activation not in allowed:
                raise SupportError(f"{name} is {list(allowed)}, but the target has a layer of {activation}")
        if self.layer_biases is not None and self.biases not in (None, *set(self.layer_biases)):
            raise SupportError(f"biases is {self.biases}, but the target's layers have {list(self.layer_biases)}")
        return self

    def _why_not_exact(self) -> str:
        """Why no problem that is allowed rounds nowhere, or ""."""
        if not self.exact:
            return "the target rounds more than one pass, as it says by `exact`"
        if self.sample_weights:
            return "samples have weights, by which products round"
        by_layer = self.layer_activations or ()
        if not self.activation_choices or not self.output_choices or not self.loss_choices or not all(map(can_be_exact, by_layer)):
            return "each activation, or each loss, rounds: identity, relu, hardtanh and relu6 do not, nor squares over 2^k outputs"
        if not self.penalty_choices:
            return "no factor of a penalty is a power of two"
        averages = self.reductions == ("mean",) or all(row_of(LOSSES, loss).of_differences for loss in self.loss_choices)
        if averages and not any(map(is_power_of_two, range(self.drawn("batch")[0], self.drawn("batch")[1] + 1))):
            return "a mean over so many samples rounds: no size of a batch is a power of two"
        return ""

    @cached_property
    def of_exact(self) -> "Support | None":
        """This support for problems on which nothing rounds; None where there are none."""
        if self.values == "exact":
            return self
        if self.values == "tame":
            return None
        narrowed = replace(self, values="exact", sample_weights=self.sample_weights or False)
        return None if narrowed._why_not_exact() else narrowed

    def drawn(self, name: str) -> tuple[int, int]:
        """The least and the most depth, batch, width or outputs that is drawn."""
        if name == "outputs":
            least, most = self.outputs or self.drawn("width")
            limits = self.width if self.outputs and not self.widths else None
            return (max(least, limits[0]), min(most, limits[1])) if limits else (least, most)
        if self.widths and name == "depth":
            return len(self.widths) - 1, len(self.widths) - 1
        if self.widths and name == "width":
            return min(self.widths), max(self.widths)
        limits = getattr(self, name)
        return SIZES[self.sizes][name] if limits is None else limits

    def refusal(self, problem: Problem) -> str:
        """What of a problem the target does not support, or "": limits that it does not set are none."""
        sizes = {"depth": [problem.depth], "batch": [problem.batch], "width": problem.widths, "outputs": problem.widths[-1:]}
        if not problem.batch and not self.empty_batch:
            return "a batch without samples"
        for name, found in sizes.items():
            limits = None if name == "batch" and not problem.batch else getattr(self, name)
            if limits is not None and not all(limits[0] <= size <= limits[1] for size in found):
                return f"{name} {', '.join(map(str, found))}"
        if self.widths is not None and self.widths != problem.widths:
            return f"widths {', '.join(map(str, problem.widths))}"
        labels = EXPECTED[self.expected]
        if labels is not None and not set(map(tuple, problem.y.tolist())) <= set(labels(problem.widths[-1])):
            return "y that is not one-hot"
        if self.values == "tame" and not are_tame(problem):
            return "numbers that are not tame"
        if self.values == "exact" and not (may_be_exact(problem) and is_exact(problem)):
            return "numbers on which something rounds"
        if unasked := [want for want in problem.wants[2:] if want not in self.wants]:
            return f"being asked for {', '.join(unasked)}"
        biased = [bias is not None for bias in problem.biases]
        if self.biases is not None and biased != [self.biases] * problem.depth:
            return "biases" if any(biased) else "no biases"
        if self.layer_biases is not None and biased != list(self.layer_biases):
            return "biases in other layers"
        if self.layer_activations is not None and self.layer_activations != problem.activations:
            return f"the activations {', '.join(map(str, problem.activations))}"
        if problem.reduction not in self.reductions:
            return f"the reduction {problem.reduction}"
        weighted = problem.sample_weights is not None
        if self.sample_weights not in (None, weighted):
            return "weights of samples" if weighted else "samples without weights"
        if problem.penalty not in self.penalties:
            return "no penalty" if problem.penalty is None else f"the penalty {problem.penalty}"
        *hidden, last = problem.activations
        choices = [(self.loss_choices, problem.loss)]
        if self.layer_activations is None:
            choices += [(self.output_choices, last), *((self.activation_choices, a) for a in hidden)]
        unknown = [choice for options, choice in choices if choice not in options]
        if unknown:
            return str(unknown[0])
        return "different hidden activations" if self.same_hidden and any(a != hidden[0] for a in hidden) else ""

    @cached_property
    def activation_choices(self) -> tuple[Choice, ...]:
        """Every activation that may be drawn, simplest first."""
        choices = _all_choices(ACTIVATIONS) if self.activations is None else self.activations
        return self._exact_of(choices)

    def _exact_of(self, choices: tuple[Choice, ...]) -> tuple[Choice, ...]:
        """Of some activations those that round nowhere, where no other is asked for."""
        return tuple(filter(can_be_exact, choices)) if self.values == "exact" else choices

    @cached_property
    def output_choices(self) -> tuple[Choice, ...]:
        """Every activation that may be drawn for the last layer."""
        return self.activation_choices if self.output_activations is None else self._exact_of(self.output_activations)

    @cached_property
    def _outputs(self) -> tuple[Choice, ...]:
        """Every activation that the last layer may have, whatever the loss."""
        return (self.layer_activations or ())[-1:] or self.output_choices

    def outputs_behind(self, loss: Choice) -> tuple[Choice, ...]:
        """Every activation that the last layer may have with a loss: of a loss of probabilities those alone that give them."""
        behind = _behind(loss)
        return tuple(choice for choice in self._outputs if choice in behind) if behind else self._outputs

    @cached_property
    def weighted_choices(self) -> tuple[bool, ...]:
        """Whether samples may have weights, simplest first; by most products with weights round."""
        choices = {None: (False, True), True: (True,), False: (False,)}[self.sample_weights]
        return choices[:1] if self.values == "exact" else choices

    @cached_property
    def penalty_choices(self) -> tuple[Choice | None, ...]:
        """Every penalty that may be drawn."""
        return tuple(
            one for one in self.penalties if self.values != "exact" or one is None or is_power_of_two(row_of(PENALTIES, one).factor)
        )

    @cached_property
    def loss_choices(self) -> tuple[Choice, ...]:
        """Every loss that may be drawn, simplest first."""
        losses = _all_choices(LOSSES) if self.losses is None else self.losses
        if self.values == "exact":
            least, most = (self.widths[-1], self.widths[-1]) if self.widths else self.drawn("outputs")
            outputs = next(filter(is_power_of_two, range(least, most + 1)), least)
            losses = tuple(loss for loss in losses if loss_can_be_exact(loss, outputs))
        return tuple(loss for loss in losses if self.outputs_behind(loss))

    def labels(self, loss: Choice) -> Labels | None:
        """What is drawn for y with a loss, by the number of outputs; None where any numbers are."""
        return EXPECTED[self.expected] or row_of(LOSSES, loss).expected.labels


def _behind(loss: Choice) -> tuple[str, ...]:
    """The activations that the last layer must have one of; () for any."""
    return row_of(LOSSES, loss).behind


def _outputs_of(losses: Sequence[Choice]) -> dict[str, Any]:
    """What the last layer has where all losses are of probabilities, and nothing is said of it."""
    behind = [_behind(loss) for loss in losses]
    return {"output_activations": tuple(dict.fromkeys(chain(*behind)))} if all(behind) else {}


def _sizes_of(widths: tuple[int, ...] | None) -> str:
    """How networks of these widths are drawn."""
    return "real" if widths and max(widths) > SIZES["small"]["width"][1] else "small"


def _all_choices(table: Mapping[str, Any]) -> tuple[Choice, ...]:
    return tuple((name, dict(chosen)) if chosen else name for name in table for chosen in PARAMETERS.get(name, ({},)))


def _listed(given: Any) -> Any:
    return list(given) if isinstance(given, tuple) else given


def _field(name: str, value: Any) -> Any:
    """What is said of a field; None for its default, but of what may be None itself."""
    if value is None:
        return None if name == "sample_weights" else getattr(Support(), name)
    return read(name, value)
