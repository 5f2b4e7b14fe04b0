"""A variant of a step: one way in which a step of the two passes is done wrongly, and what is said of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from properties.faults.fault import Passes, Step

FORWARD = ("posed", "pre_activation", "activation", "loss")
"""The steps before the backward pass."""

LOCAL = ("output_error", "reduction", "error_below", "slope", "delta", "weight_gradient", "bias_gradient")
"""The steps whose result can be read layer by layer, each with the target's own numbers from above."""

OF_DELTA = ("output_error", "reduction", "error_below", "slope", "delta")
"""Those that delta is made of."""


EQUATIONS: dict[str, tuple[int, ...]] = {
    "output_error": (2,),
    "reduction": (2,),
    "slope": (3,),
    "delta": (3, 11),
    "weight_gradient": (4, 10),
    "bias_gradient": (4, 10),
    "penalty": (10,),
    "error_below": (7, 11),
}
"""Of a step the equations that it computes; none of the definitions of z and a, which have no number."""

FACTORS: dict[str, tuple[str, Callable[[Passes, int], float]]] = {
    "turned_the_sign": ("is taken with the other sign", lambda p, layer: -1.0),
    "doubled": ("is twice what it should be", lambda p, layer: 2.0),
    "halved": ("is half of what it should be", lambda p, layer: 0.5),
    "multiplied_by_the_batch_size": ("is multiplied by the batch size", lambda p, layer: float(p.batch)),
    "divided_by_the_batch_size": ("is divided by the batch size", lambda p, layer: 1 / p.batch),
    "multiplied_by_the_outputs": ("is multiplied by the number of outputs", lambda p, layer: float(p.problem.widths[-1])),
    "divided_by_the_outputs": ("is divided by the number of outputs", lambda p, layer: 1 / p.problem.widths[-1]),
    "divided_by_the_nodes": ("is divided by the number of nodes of its layer", lambda p, layer: 1 / len(p.weight(layer))),
    "divided_by_the_inputs": ("is divided by the number of inputs of its layer", lambda p, layer: 1 / p.weight(layer).shape[1]),
}
"""The factors that mistakes have: of a past deed what is said of the step, and the factor at a layer."""


def named(step: str, name: str, sentence: str, function: Step, **about: Any) -> "Variant":
    """A variant of one step, placed in the equations that the step computes where nothing else is said."""
    return Variant(name, sentence, {step: function}, **({"equations": EQUATIONS.get(step, ())} | about))


@dataclass(frozen=True)
class Variant:
    """A row of the table of wrong steps.

    name: a past deed; sentence: what is done, and what should be; changed: the steps that are done so, by name;
    equations: those of the note that it sits in, the likeliest first; rank: of two with the same numbers the lower is said;
    of: the activation, or the loss, that it is a variant for, "" for any; shows_when: where it shows, "" where nothing is known of it.
    condition: of (passes, layer), where it is done so, if that was learnt; where: the same in words.
    number: its place in the table; reaches: whether a step changes what other layers have, so that it cannot be read layer by layer.
    """

    name: str
    sentence: str
    changed: Mapping[str, Step]
    equations: tuple[int, ...] = ()
    rank: int = 0
    of: str = ""
    shows_when: str = ""
    where: str = ""
    condition: Callable[..., bool] | None = None
    reaches: bool = False
    number: int = 0

    @property
    def step(self) -> str:
        """The first step that is done otherwise."""
        return next(iter(self.changed))

    @property
    def local(self) -> bool:
        """Whether it can be read layer by layer."""
        return len(self.changed) == 1 and self.step in LOCAL and not self.reaches
