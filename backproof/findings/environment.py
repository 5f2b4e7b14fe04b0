"""The environment of a run: what else than the target its numbers may depend on."""

import platform
from importlib.metadata import version

from backproof.version import VERSION

PACKAGES = ("hypothesis", "numpy", "scipy")
"""Those that draw problems and compute what is exact."""


def environment() -> dict[str, str]:
    """Name -> release, of backproof, Python, PACKAGES and the system."""
    system = f"{platform.system()} {platform.machine()}"
    return {"backproof": VERSION, "python": platform.python_version(), **{name: version(name) for name in PACKAGES}, "system": system}
