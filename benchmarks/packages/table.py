"""The packages that were looked at, with the verdict on each of their targets, as docs/trophies.md tells it."""

from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Package:
    """A package with a backward pass by hand.

    name: as its registry has it; version: the one that was looked at; file: of this folder, the targets of Python or the program of Node;
    targets: of each, a name in the file or the arguments of the program, its verdict.
    """

    name: str
    version: str
    file: str
    targets: dict[str, str] = field(default_factory=dict)
    of_node: bool = False

    def spec(self, target: str) -> str:
        """What backproof is asked to check."""
        path = FOLDER / self.file
        return f"run: node '{path}' {target}" if self.file.endswith(".mjs") else f"{path}:{target}"


PACKAGES = [
    Package("backpropagation", "0.0.3", "backpropagation_target.py", {"half_squared": "wrong", "with_biases": "wrong"}),
]
"""All, by the name of the registry."""
