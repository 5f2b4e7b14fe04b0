"""The table of networks by hand."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Target = Callable[..., Any]

GLUE = "# glue"
"""The line below which a function brings its network to backproof."""


@dataclass(frozen=True)
class ByHand:
    """A network as somebody would write it.

    form: how it is written; mistake: what is wrong with the other one; make: make(wrong) is a target.
    """

    form: str
    mistake: str
    make: Callable[[bool], Target]

    @property
    def glue(self) -> list[str]:
        """The lines that bring it to backproof."""
        lines = inspect.getsource(self.make).split("\n")
        at = next(i for i, line in enumerate(lines) if line.strip() == GLUE)
        return inspect.cleandoc("\n" + "\n".join(lines[at + 1 :])).rstrip().split("\n")


NETWORKS: dict[str, ByHand] = {}
"""All networks, by name."""


def by_hand(form: str, mistake: str) -> Callable[[Callable[[bool], Target]], Callable[[bool], Target]]:
    """Enter a function of whether it is wrong into NETWORKS, under its name."""

    def entered(make: Callable[[bool], Target]) -> Callable[[bool], Target]:
        NETWORKS[make.__name__] = ByHand(form, mistake, make)
        return make

    return entered


def sigmoid(z: Any) -> Any:
    """As everybody writes it."""
    import numpy as np

    return 1 / (1 + np.exp(-z))


SIGMOID = {"activations": ["sigmoid"], "biases": True}
"""What most of them support."""
